//! The behaviour of `qemu-img` without a check before it, and its failures.

use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command as Program;

use tempfile::TempDir;

use super::*;
use crate::ErrorKind;

const CANARY: &[u8] = b"canary: must not be read";

fn cap(bytes: u64) -> Cap {
    Cap {
        bytes,
        option: "a test",
    }
}

/// A directory next to one with a canary.
struct Place {
    top: TempDir,
    vmdk_types: Vec<String>,
}

impl Place {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let staging = top.path().join("staging");
        std::fs::create_dir(&staging).unwrap();
        let mut canary = CANARY.to_vec();
        canary.resize(1 << 20, b'.');
        std::fs::write(top.path().join("canary"), canary).unwrap();
        Self {
            top,
            vmdk_types: vec!["monolithicSparse".to_string()],
        }
    }

    fn canary(&self) -> String {
        self.top.path().join("canary").display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.top.path().join("staging").join(name)
    }

    /// Creates an image with `qemu-img create` and these options after its name.
    fn image(&self, name: &str, before: &[&str], after: &[&str]) -> PathBuf {
        let path = self.path(name);
        let done = Program::new("qemu-img")
            .args(["create", "-q"])
            .args(before)
            .arg(&path)
            .args(after)
            .status();
        assert!(done.unwrap().success());
        path
    }

    /// Returns images that make `qemu-img` read the canary, with their drivers.
    fn reaching(&self) -> Vec<(&'static str, PathBuf)> {
        let canary = self.canary();
        let data = format!("data_file={canary}");
        let raw = format!("data_file={canary},data_file_raw=on");
        // `qemu-img create` empties the data file of an image.
        let images = vec![
            (
                "qcow2",
                self.image("data", &["-f", "qcow2", "-o", &raw], &["1M"]),
            ),
            (
                "qcow2",
                self.image("map", &["-f", "qcow2", "-o", &data], &["1M"]),
            ),
        ];
        let mut content = CANARY.to_vec();
        content.resize(1 << 20, b'.');
        std::fs::write(&canary, content).unwrap();
        let backing = ["-f", "qcow2", "-F", "raw", "-b", &canary];
        let backed = self.image("backed", &backing, &[]);
        let text = format!(
            "# Disk DescriptorFile\nversion=1\nCID=a0b1c2d3\nparentCID=ffffffff\n\
             createType=\"monolithicFlat\"\nRW 2048 FLAT \"{canary}\" 0\n"
        );
        std::fs::write(self.path("text"), text).unwrap();
        [images, vec![("qcow2", backed), ("vmdk", self.path("text"))]].concat()
    }

    /// Converts without a check.
    fn convert(&self, from: &'static str, source: &Path) -> (Result<()>, Vec<u8>) {
        let target = source.with_extension("converted");
        let conversion = Conversion {
            from,
            source,
            to: "raw",
            target: &target,
            cap: cap(64 << 20),
            vmdk_types: &self.vmdk_types,
        };
        let outcome = run(conversion.convert(&Watch::default()));
        (outcome, std::fs::read(&target).unwrap_or_default())
    }

    fn check(&self, from: &'static str, source: &Path) -> Result<()> {
        let conversion = Conversion {
            from,
            source,
            to: "raw",
            target: Path::new("/nowhere"),
            cap: cap(64 << 20),
            vmdk_types: &self.vmdk_types,
        };
        run(conversion.check(&Watch::default()))
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// Returns whether the kernel confines; prints a notice if not.
fn is_confined() -> bool {
    let status = std::thread::spawn(|| {
        let source = std::env::current_exe().unwrap();
        let confinement = Confinement {
            program: source.clone(),
            source,
            target: None,
        };
        confinement.apply().unwrap()
    });
    let confined = status.join().unwrap() != landlock::RulesetStatus::NotEnforced;
    if !confined {
        eprintln!("skipped: this kernel has no Landlock");
    }
    confined
}

fn holds_canary(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| window == b"canary")
}

#[test]
fn qemu_img_cannot_read_another_file_where_no_check_stands_before_it() {
    if !is_confined() {
        return;
    }
    let place = Place::new();
    for (driver, image) in place.reaching() {
        // Without confinement it is read.
        let target = place.path("unconfined");
        let done = Program::new("qemu-img")
            .args(["convert", "-f", driver, "-O", "raw"])
            .args([&image, &target])
            .status();
        let name = image.file_name().unwrap();
        assert!(done.unwrap().success(), "{name:?}");
        // An image with a map of its own does not map the canary.
        let is_read = holds_canary(&std::fs::read(&target).unwrap());
        assert_eq!(is_read, name != "map", "{name:?}");

        let (outcome, target) = place.convert(driver, &image);
        let error = outcome.unwrap_err();
        assert!(error.message().contains("Permission denied"), "{error}");
        assert!(!holds_canary(&target), "{name:?}");
    }
}

#[test]
fn what_qemu_img_reports_of_another_file_is_refused() {
    let place = Place::new();
    for (driver, image) in place.reaching() {
        let error = place.check(driver, &image).unwrap_err();
        // A descriptor's extent is already opened for the report, which the kernel forbids.
        let kinds = [ErrorKind::UnsupportedMedia, ErrorKind::Io];
        assert!(kinds.contains(&error.kind()), "{image:?}: {error}");
    }
    let secret = place.path("key");
    std::fs::write(&secret, "sesame").unwrap();
    let object = format!("secret,id=s,file={}", secret.display());
    let options = "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10";
    let words = ["--object", &object, "-f", "qcow2", "-o", options];
    let encrypted = place.image("encrypted", &words, &["1M"]);
    let error = place.check("qcow2", &encrypted).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedMedia, "{error}");
    for (driver, format) in [
        ("qcow2", "qcow2"),
        ("vmdk", "vmdk"),
        ("vdi", "vdi"),
        ("vpc", "vpc"),
        ("vhdx", "vhdx"),
    ] {
        let image = place.image(format, &["-f", format], &["1M"]);
        place.check(driver, &image).unwrap();
    }
    let stream = ["-f", "vmdk", "-o", "subformat=streamOptimized"];
    let stream = place.image("stream", &stream, &["1M"]);
    let error = place.check("vmdk", &stream).unwrap_err();
    assert!(error.message().contains("vmdk_allowed_types"), "{error}");
}

#[test]
fn every_format_is_converted_into_every_other_by_a_confined_qemu_img() {
    let place = Place::new();
    let raw = place.path("raw");
    std::fs::write(&raw, vec![7; 1 << 20]).unwrap();
    for from in ["raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx"] {
        let source = place.path(&format!("a, {from}"));
        let done = Program::new("qemu-img")
            .args(["convert", "-f", "raw", "-O", from])
            .args([&raw, &source])
            .status();
        assert!(done.unwrap().success());
        for to in ["raw", "qcow2", "vmdk"] {
            let target = source.with_extension("converted");
            let conversion = Conversion {
                from,
                source: &source,
                to,
                target: &target,
                cap: cap(64 << 20),
                vmdk_types: &place.vmdk_types,
            };
            run(conversion.run(&Watch::default())).unwrap();
            let same = Program::new("qemu-img")
                .args(["compare", "-q", "-f", "raw", "-F", to])
                .args([&raw, &target])
                .status();
            assert!(same.unwrap().success(), "{from} to {to}");
            assert_eq!(std::fs::metadata(&target).unwrap().mode() & 0o137, 0);
        }
    }
}

#[test]
fn a_target_is_never_written_through_a_link() {
    let place = Place::new();
    let source = place.image("linked", &["-f", "qcow2"], &["1M"]);
    std::os::unix::fs::symlink(place.canary(), source.with_extension("converted")).unwrap();
    let (outcome, target) = place.convert("qcow2", &source);
    outcome.unwrap();
    assert_eq!(target.len(), 1 << 20);
    assert!(std::fs::read(place.canary()).unwrap().starts_with(CANARY));
}

#[test]
fn a_target_that_grows_too_large_is_no_verdict_on_the_source() {
    let place = Place::new();
    let source = place.path("large");
    std::fs::write(&source, vec![7; 1 << 20]).unwrap();
    let target = place.path("large.converted");
    let conversion = Conversion {
        from: "raw",
        source: &source,
        to: "qcow2",
        target: &target,
        cap: cap(400_000),
        vmdk_types: &[],
    };
    let error = run(conversion.run(&Watch::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
}

#[test]
fn only_what_is_certain_about_the_bytes_is_a_verdict() {
    let exited = |code: i32| ExitStatus::from_raw(code << 8);
    let kind = |status, complaint: &str| run_error(status, complaint).kind();
    for complaint in [
        "qemu-img: Could not open './x': Image is not in qcow2 format",
        "qemu-img: Could not open './x': Unsupported qcow2 version 9",
        "qemu-img: Could not open './x': Could not open './x': Invalid argument",
    ] {
        assert_eq!(kind(exited(1), complaint), ErrorKind::UnsupportedMedia);
    }
    for complaint in [
        "qemu-img: error while writing at byte 0: No space left on device",
        "qemu-img: error while reading at byte 0: Input/output error",
        "qemu-img: Could not open './x': Permission denied",
        "qemu-img: Could not open './x': No such file or directory",
        "qemu-img: ./y: error while converting raw: Could not resize file: Disk quota exceeded",
        "qemu-img: Could not allocate memory: Cannot allocate memory",
        "qemu-img: ./y: Read-only file system",
    ] {
        assert_eq!(kind(exited(1), complaint), ErrorKind::Io, "{complaint}");
    }
    assert_eq!(kind(exited(127), "cannot load libz.so"), ErrorKind::Failed);
    for signal in [2, 6, 9, 11, 24, 25] {
        let ended = ExitStatus::from_raw(signal);
        assert_eq!(kind(ended, ""), ErrorKind::Failed, "signal {signal}");
    }
    assert!(is_file_size(&run_error(ExitStatus::from_raw(25), "")));
    assert!(is_file_size(&run_error(
        exited(1),
        "qemu-img: File too large"
    )));
    assert!(!is_file_size(&run_error(ExitStatus::from_raw(9), "")));
}

#[test]
fn a_confined_program_gets_none_of_our_files_and_variables() {
    // In a separate process, because all tests in this one have open files.
    let open = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
    let number = open.as_raw_fd();
    let confinement = Confinement {
        program: PathBuf::from("/bin/sh"),
        source: std::env::current_exe().unwrap(),
        target: None,
    };
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!(
            "env; if {{ true >&{number}; }} 2>&-; then echo open; fi; cat /etc/passwd"
        ))
        .env_clear()
        .env("LC_ALL", "C")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let is_confined = is_confined();
    let output = run(async {
        let child = blocking(move || confinement.spawn(command)).await.unwrap();
        child.wait_with_output().await.unwrap()
    });
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!printed.contains("open"), "{printed}");
    assert!(!printed.contains("HOME"), "{printed}");
    assert_eq!(printed.contains("root:"), !is_confined, "{printed}");
    drop(open);
}
