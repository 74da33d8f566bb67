//! The packages of a release: they are reproducible, complete, and leave other packages' files and all images alone.

#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::commands;
use crate::support::terminal::Terminal;
use crate::support::{GLANCE, Place, Run};

/// The commit and the time that the packages are built for.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SECONDS: &str = "1700000000";

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds packages from the programs of the tests, in a directory that is removed at the end.
struct Packages {
    out: tempfile::TempDir,
}

impl Packages {
    fn build(kinds: &[&str]) -> Self {
        Self::build_with(kinds, |_| {})
    }

    fn build_with(kinds: &[&str], change: impl Fn(&mut Command)) -> Self {
        let out = tempfile::tempdir_in(top().join("target")).unwrap();
        let mut build = Command::new(top().join("contrib/package/build"));
        build
            .arg("--binaries")
            .arg(Path::new(GLANCE).parent().unwrap())
            .arg("--out")
            .arg(out.path())
            .args(kinds)
            .env("GLANCE_COMMIT", COMMIT)
            .env("SOURCE_DATE_EPOCH", SECONDS)
            .env("GLANCE_PACKAGE_FAST", "1");
        change(&mut build);
        let run = Run::of(build.output().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
        Self { out }
    }

    /// Returns the names and contents of the packages.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.out.path()).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.is_file())
            .map(|path| {
                let name = path.file_name().unwrap().to_str().unwrap().to_string();
                (name, fs::read(path).unwrap())
            })
            .collect()
    }

    /// Returns the path of the only package whose name begins and ends so.
    fn path(&self, begin: &str, end: &str) -> PathBuf {
        let names = self.files().into_keys();
        let found: Vec<String> = names
            .filter(|name| name.starts_with(begin) && name.ends_with(end))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        self.out.path().join(&found[0])
    }
}

fn is_installed(program: &str) -> bool {
    let installed = Command::new(program).arg("--version").output().is_ok();
    if !installed {
        eprintln!("skipped: {program} is not installed");
    }
    installed
}

#[test]
fn the_same_commit_gives_the_same_bytes() {
    if !is_installed("dpkg-deb") {
        return;
    }
    let kinds = ["deb", "archive", "rpm"];
    let first = Packages::build(&kinds).files();
    let second = Packages::build_with(&kinds, |build| {
        build.env("TZ", "Asia/Tokyo").env("LC_ALL", "C.UTF-8");
    });
    let second = second.files();
    assert!(first.len() >= 3, "{:?}", first.keys());
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        second.keys().collect::<Vec<_>>()
    );
    for (name, bytes) in &first {
        assert!(*bytes == second[name], "{name} differs");
    }
}

#[test]
fn the_archive_runs_where_it_is_unpacked() {
    let packages = Packages::build(&["archive"]);
    let place = tempfile::tempdir().unwrap();
    let unpacked = Command::new("tar")
        .args(["--strip-components=1", "-xf"])
        .arg(packages.path("glance-tools-", ".tar"))
        .arg("-C")
        .arg(place.path())
        .status();
    assert!(unpacked.unwrap().success());
    for name in [
        "glance",
        "glance-api",
        "glance-manage",
        "glance-scrubber",
        "glance-cache-manage",
        "glance-cache-pruner",
        "glance-cache-cleaner",
        "glance-cache-prefetcher",
    ] {
        let program = place.path().join("bin").join(name);
        let run = Run::of(Command::new(program).arg("--version").output().unwrap());
        assert!(run.ok().starts_with(&format!("{name} ")), "{name}");
        let completion = place.path().join("share/bash-completion/completions");
        assert!(completion.join(name).exists(), "{name}");
    }
    for page in [
        "man1/glance-image-create.1.gz",
        "man1/glance-cache-pruner.1.gz",
        "man5/glance.conf.5.gz",
        "man7/glance-images.7.gz",
    ] {
        assert!(place.path().join("share/man").join(page).exists(), "{page}");
    }
    // They would hide those of the client for all services.
    assert!(!place.path().join("bin/openstack").exists());
    assert!(!place.path().join("share/man/man1/openstack.1.gz").exists());
}

#[test]
fn the_dockerfile_has_known_instructions_and_copies_what_is_there() {
    let packages = Packages::build(&["image"]);
    let image = packages.out.path().join("image");
    let text = fs::read_to_string(image.join("Dockerfile")).unwrap();
    let mut bases = 0;
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (instruction, rest) = line.split_once(' ').unwrap();
        match instruction {
            "FROM" => bases += 1,
            "COPY" => {
                let (from, to) = rest.split_once(' ').unwrap();
                assert!(image.join(from).is_dir(), "{line}");
                assert_eq!(to, "/");
            }
            "ENTRYPOINT" | "VOLUME" => {
                let words: Vec<String> = serde_json::from_str(rest).unwrap();
                if instruction == "ENTRYPOINT" {
                    let program = image.join("root").join(&words[0][1..]);
                    let run = Run::of(Command::new(program).arg("--version").output().unwrap());
                    assert!(run.ok().starts_with("glance "));
                }
            }
            "ARG" | "ENV" => assert!(rest.contains('='), "{line}"),
            // Above all, nothing is run or fetched.
            other => panic!("{other}"),
        }
    }
    assert_eq!(bases, 1);
}

#[test]
fn a_package_of_cargo_has_what_the_programs_are_built_from() {
    let mut list = Command::new("cargo");
    list.current_dir(top())
        .args(["package", "--list", "--allow-dirty", "--offline"]);
    let run = Run::of(list.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let listed = run.text();
    let listed: Vec<&str> = listed.lines().collect();
    for file in ["Cargo.lock", "build.rs", ".git_archival.txt", "LICENSE"] {
        assert!(listed.contains(&file), "{file}");
    }
    let mut folders = vec![top().join("src")];
    let mut included = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(top()).unwrap().to_str().unwrap();
            assert!(listed.contains(&name), "{name}");
            let text = fs::read_to_string(&path).unwrap();
            for part in text.split("include_str!(\"").skip(1) {
                let file = path.parent().unwrap().join(part.split('"').next().unwrap());
                let file = file.canonicalize().unwrap();
                let name = file.strip_prefix(top()).unwrap().to_str().unwrap();
                assert!(listed.contains(&name), "{name}");
                included += 1;
            }
        }
    }
    assert!(included > 0);
}

#[test]
fn lintian_finds_no_errors() {
    if !is_installed("lintian") {
        return;
    }
    let packages = Packages::build_with(&["deb"], |build| {
        let name = "Maintainers <maintainers@debian.org>";
        build.env("GLANCE_PACKAGE_MAINTAINER", name);
    });
    let fast = "uses-no-compression-for-data-tarball,uses-no-compression-for-control-tarball";
    let mut lintian = Command::new("lintian");
    lintian
        .args([
            "--fail-on",
            "error",
            "--allow-root",
            "--suppress-tags",
            fast,
        ])
        .arg(packages.path("glance-tools_", ".deb"))
        .arg(packages.path("glance-tools-server_", ".deb"));
    let run = Run::of(lintian.output().unwrap());
    assert_eq!(run.code, 0, "{}\n{}", run.text(), run.stderr);
}

/// A copy of a clean Debian, without the packages.
struct Root {
    place: tempfile::TempDir,
}

impl Root {
    /// Copies the clean root. None, and the reason is printed, where that is not possible.
    fn copy() -> Option<Self> {
        let made = Command::new(top().join("tests/cleanroot"))
            .output()
            .unwrap();
        let run = Run::of(made);
        if run.code == 77 {
            eprintln!("skipped: {}", run.stderr.trim());
            return None;
        }
        let root = run.text();
        let place = tempfile::tempdir_in(top().join("target")).unwrap();
        let copied = Command::new("cp")
            .args(["--archive", "--reflink=auto", "--no-target-directory"])
            .arg(root.trim_end())
            .arg(place.path())
            .status();
        assert!(copied.unwrap().success());
        Some(Self { place })
    }

    /// Returns a path on this machine of a path in the root.
    fn at(&self, path: &str) -> PathBuf {
        self.place.path().join(path.trim_start_matches('/'))
    }

    /// Copies a package into the root and returns its path there.
    fn give(&self, package: &Path) -> String {
        let name = format!("/{}", package.file_name().unwrap().to_str().unwrap());
        fs::copy(package, self.at(&name)).unwrap();
        name
    }

    /// Runs a command line of a shell in the root.
    fn run(&self, line: &str) -> Run {
        let output = Command::new("chroot")
            .arg(self.place.path())
            .args(["/bin/sh", "-c", line])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/root")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C.UTF-8")
            .output();
        Run::of(output.unwrap())
    }

    /// Runs a command line that has to succeed, and returns its output.
    #[track_caller]
    fn done(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.code, 0, "{line}\n{}\n{}", run.text(), run.stderr);
        run.text()
    }

    /// Returns the state of a file: owner, group and mode.
    fn state(&self, path: &str) -> String {
        let text = self.done(&format!("stat -c '%U:%G %a' {path}"));
        text.trim_end().to_string()
    }

    /// Installs a package that has one file, which prints `theirs`.
    fn install_theirs(&self, name: &str, file: &str) {
        let fields = format!(
            "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: T <t@localhost>\n\
             Description: test"
        );
        self.done(&format!(
            "mkdir -p /theirs/DEBIAN /theirs/usr/bin && printf '#!/bin/sh\\necho theirs\\n' > /theirs{file} && \
             chmod 755 /theirs{file} && printf '%s\\n' '{fields}' > /theirs/DEBIAN/control && \
             dpkg-deb --build /theirs /theirs.deb && dpkg --install /theirs.deb && rm -r /theirs"
        ));
    }
}

#[test]
fn packages_are_installed_used_upgraded_removed_and_purged_in_a_clean_root() {
    let Some(root) = Root::copy() else { return };
    let packages = Packages::build(&["deb"]);
    let tools = root.give(&packages.path("glance-tools_", ".deb"));
    let server = root.give(&packages.path("glance-tools-server_", ".deb"));
    let before = root.done("dpkg-query --list | wc --lines");
    root.done(&format!("dpkg --install {tools} {server}"));
    assert_eq!(root.done("dpkg --audit; dpkg --verify"), "");

    for name in [
        "glance",
        "glance-api",
        "glance-manage",
        "glance-scrubber",
        "glance-cache-manage",
        "glance-cache-pruner",
        "glance-cache-cleaner",
        "glance-cache-prefetcher",
    ] {
        let text = root.done(&format!("{name} --version"));
        assert!(text.starts_with(&format!("{name} ")), "{text}");
        let page = root.done(&format!("man {name} | cat"));
        assert!(page.contains("SEE ALSO"), "{name}: {page}");
    }
    assert_ne!(root.run("command -v openstack").code, 0);
    let page = root.done("man glance-image-create | cat");
    assert!(page.starts_with("GLANCE-IMAGE-CREATE(1)"), "{page}");
    root.done("man 5 glance.conf && man 7 glance-images");
    root.done("zcat /usr/share/doc/glance-tools/third-parties.gz | grep -q Apache");

    // A user's images, and those of a host.
    let create = "printf data | glance --data-dir /images image create one -f value -c status";
    assert_eq!(root.done(create), "active\n");
    assert_eq!(root.state("/etc/glance/glance-api.conf"), "root:glance 640");
    assert_eq!(root.state("/etc/glance"), "root:glance 750");
    for directory in ["", "/images", "/staging", "/image-cache"] {
        let path = format!("/var/lib/glance{directory}");
        assert_eq!(root.state(&path), "glance:glance 750", "{path}");
    }
    root.done("runuser -u glance -- glance-manage db sync");
    let create = "printf data | runuser -u glance -- glance --config-file /etc/glance/glance-api.conf \
                  image create two -f value -c id";
    let id = root.done(create);
    let data = format!("/var/lib/glance/images/{}", id.trim_end());
    root.done("runuser -u glance -- glance-scrubber");
    let units = root.done("cat /usr/lib/systemd/system/glance-*.service");
    let programs = units.lines().filter_map(|line| {
        let line = line.strip_prefix("ExecStart=")?;
        line.split(' ').next()
    });
    for program in programs {
        root.done(&format!("test -x {program}"));
    }

    // An upgrade keeps what was changed.
    root.done("echo '# mine' >> /etc/glance/glance-api.conf; chmod 700 /var/lib/glance");
    root.done(&format!("dpkg --install {tools} {server}"));
    root.done("grep -q mine /etc/glance/glance-api.conf && glance --version");
    assert_eq!(root.state("/var/lib/glance"), "glance:glance 700");

    root.done("dpkg --remove glance-tools-server glance-tools");
    assert_ne!(root.run("command -v glance").code, 0);
    root.done("test -f /etc/glance/glance-api.conf");
    let told = root.done("dpkg --purge glance-tools-server glance-tools");
    assert!(
        told.contains("images and databases in /var/lib/glance are kept"),
        "{told}"
    );
    assert_eq!(root.done(&format!("cat {data}")), "data");
    root.done("test -e /images/glance.db && test ! -e /etc/glance");
    // Empty directories are gone, and so are the records of the package.
    let left = root.done(
        "find /usr /etc /var/log -name '*glance*'; find /var/lib -name '*glance-tools*'; \
         find /var/lib/glance -name image-cache",
    );
    assert_eq!(left, "");
    assert_eq!(root.done("dpkg-query --list | wc --lines"), before);
    assert_eq!(root.done("dpkg --audit"), "");
}

#[test]
fn the_tutorial_works_where_the_packages_are_installed() {
    let Some(root) = Root::copy() else { return };
    let packages = Packages::build(&["deb"]);
    let tools = root.give(&packages.path("glance-tools_", ".deb"));
    root.done(&format!("dpkg --install {tools}"));
    commands::check_installed("docs/tutorial.md", root.place.path());
}

#[test]
fn shells_complete_where_the_packages_are_installed() {
    let Some(root) = Root::copy() else { return };
    let packages = Packages::build(&["deb"]);
    let tools = root.give(&packages.path("glance-tools_", ".deb"));
    root.done(&format!("dpkg --install {tools}"));
    root.done("printf data | glance --data-dir /images image create 'My image' -f value -c id");
    let place = Place::new();
    let path = root.place.path().to_str().unwrap();
    for (shell, setup) in [
        (&["bash", "--login"][..], "PS1='ready> '; clear"),
        (
            &["zsh", "-f"],
            "PS1='ready> '; autoload -Uz compinit; compinit -u -D; clear",
        ),
        (
            &["fish"],
            "function fish_prompt; echo 'ready> '; end; function fish_greeting; end; clear",
        ),
    ] {
        let entered = [
            "env",
            "HOME=/root",
            "GLANCE_DATA_DIR=/images",
            "/usr/sbin/chroot",
            path,
        ];
        let words = [&entered[..], shell].concat();
        let Some(terminal) = Terminal::start(&place, &words, setup) else {
            return;
        };
        terminal.completes("glance image-rea", &["glance image-reactivate"]);
        terminal.completes("glance image show M", &["glance image show My\\ image"]);
        terminal.completes("glance-manage db expo", &["export_metadefs"]);
    }
}

#[test]
fn purging_a_host_without_images_leaves_nothing() {
    let Some(root) = Root::copy() else { return };
    let packages = Packages::build(&["deb"]);
    let tools = root.give(&packages.path("glance-tools_", ".deb"));
    let server = root.give(&packages.path("glance-tools-server_", ".deb"));
    root.done(&format!("dpkg --install {tools} {server}"));
    let told = root.done("dpkg --purge glance-tools-server glance-tools");
    assert!(!told.contains("kept"), "{told}");
    let left = root.done("find /usr /etc /var/lib /var/log -name '*glance*'");
    assert_eq!(left, "");
}

#[test]
fn files_of_other_packages_stay_and_a_configuration_that_was_there_is_kept() {
    let Some(root) = Root::copy() else { return };
    let packages = Packages::build(&["deb"]);
    let tools = root.give(&packages.path("glance-tools_", ".deb"));
    let server = root.give(&packages.path("glance-tools-server_", ".deb"));
    root.install_theirs("glance-common", "/usr/bin/glance-manage");
    root.done("mkdir -p /etc/glance && echo '[DEFAULT]' > /etc/glance/glance-api.conf");
    let told = root.done(&format!("dpkg --install {tools} {server}"));
    assert!(told.contains("glance-manage"), "{told}");
    assert_eq!(root.done("glance-manage"), "theirs\n");
    let own = "/usr/lib/glance-tools/bin";
    root.done(&format!("{own}/glance-manage --version"));
    root.done("glance --version");

    // One that comes later is installed as well, and its file comes back.
    root.install_theirs("python3-glanceclient", "/usr/bin/glance");
    assert_eq!(root.done("glance"), "theirs\n");
    root.done(&format!("dpkg --install {tools}"));
    assert_eq!(root.done("glance"), "theirs\n");
    root.done(&format!("{own}/glance --version"));
    assert_eq!(root.done("dpkg --verify"), "");

    root.done("dpkg --remove python3-glanceclient");
    assert!(root.done("glance --version").starts_with("glance "));

    root.done("dpkg --purge glance-tools-server glance-tools");
    assert_eq!(root.done("glance-manage"), "theirs\n");
    assert_eq!(root.done("cat /etc/glance/glance-api.conf"), "[DEFAULT]\n");
}
