//! How the programs are linked, and which version they report.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first glibc whose loader reads packed relocations.
const PACKED: (u32, u32) = (2, 36);

/// The sources of a version, relative to the top of the source.
const SOURCES: [&str; 5] = ["src", "completions", "build.rs", "Cargo.toml", "Cargo.lock"];

/// The file that `git archive` writes the commit to; see `.gitattributes`.
const ARCHIVED: &str = ".git_archival.txt";

/// The file that `cargo package` writes the commit to.
const PACKAGED: &str = ".cargo_vcs_info.json";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    pack_relocations();
    name_version();
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn is_release() -> bool {
    variable("PROFILE") == "release"
}

/// Packs the relocations of release builds where this machine's loader can read them: they are a tenth
/// of what a program that starts would read of its file.
fn pack_relocations() {
    let native = variable("HOST") == variable("TARGET");
    let gnu =
        variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ENV") == "gnu";
    if native && gnu && is_release() && glibc().is_some_and(|own| own >= PACKED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc.
fn glibc() -> Option<(u32, u32)> {
    let told = output(Command::new("ldd").arg("--version"))?;
    let version = told.lines().next()?.split_whitespace().last()?;
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Returns the standard output of a command that succeeded, without the last newline.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|it| it.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim_end().to_string())
}

/// A commit of the source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The hash in hexadecimal digits, with `-dirty` appended if files were changed since.
    pub name: String,
    /// The time of the commit, in seconds since 1970, if it is known.
    pub seconds: Option<i64>,
}

/// Passes the version and where it comes from to the compiler. The time of the build is not part of it, so that the
/// same source always gives the same program.
fn name_version() {
    println!("cargo::rerun-if-env-changed=GLANCE_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let top = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let commit = from_environment()
        // A build for development stays as it is from one commit to the next.
        .or_else(|| is_release().then(|| from_git(&top)).flatten())
        .or_else(|| from_archive(&top))
        .or_else(|| from_package(&top))
        .unwrap_or_default();
    let date = commit.seconds.map(date).unwrap_or_default();
    let mut text = variable("CARGO_PKG_VERSION");
    let (hash, dirty) = match commit.name.split_once('-') {
        Some((hash, _)) => (hash, "-dirty"),
        None => (commit.name.as_str(), ""),
    };
    if !hash.is_empty() {
        // A fixed length: the shortest unique one depends on the repository.
        let short = hash.get(..7).unwrap_or(hash);
        let origin = format!("{short}{dirty} {date}");
        text = format!("{text} ({})", origin.trim_end());
    }
    let rustc = output(Command::new(variable("RUSTC")).arg("--version")).unwrap_or_default();
    let rustc = rustc.split(' ').nth(1).unwrap_or_default();
    for (name, value) in [
        ("GLANCE_VERSION", text.as_str()),
        ("GLANCE_BUILD_COMMIT", &commit.name),
        ("GLANCE_BUILD_DATE", &date),
        ("GLANCE_BUILD_TARGET", &variable("TARGET")),
        ("GLANCE_BUILD_RUSTC", rustc),
    ] {
        println!("cargo::rustc-env={name}={value}");
    }
}

/// Returns whether a text is a commit's hash, which may be abbreviated.
pub fn is_hash(text: &str) -> bool {
    text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the commit that the builder names.
fn from_environment() -> Option<Commit> {
    let name = variable("GLANCE_COMMIT");
    let hash = name.strip_suffix("-dirty").unwrap_or(&name);
    is_hash(hash).then(|| Commit {
        seconds: variable("SOURCE_DATE_EPOCH").parse().ok(),
        name,
    })
}

/// Returns the commit that is checked out, if the source is a whole repository.
pub fn from_git(top: &Path) -> Option<Commit> {
    let git = |words: &[&str]| output(Command::new("git").arg("-C").arg(top).args(words));
    // The source may be a directory in another repository.
    let repository = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if repository.canonicalize().ok()? != top.canonicalize().ok()? {
        return None;
    }
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file]).map(|path| top.join(path));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    for source in SOURCES.iter().filter(|source| top.join(source).exists()) {
        println!("cargo::rerun-if-changed={source}");
    }
    let told = git(&["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
    let (hash, seconds) = told.split_once(' ')?;
    let mut changes = vec!["status", "--porcelain", "--"];
    changes.extend(SOURCES);
    let dirty = git(&changes).is_none_or(|changes| !changes.is_empty());
    Some(Commit {
        name: format!("{hash}{}", if dirty { "-dirty" } else { "" }),
        seconds: seconds.parse().ok(),
    })
}

/// Returns the commit of an archive that `git archive` made.
pub fn from_archive(top: &Path) -> Option<Commit> {
    let text = std::fs::read_to_string(top.join(ARCHIVED)).ok()?;
    println!("cargo::rerun-if-changed={ARCHIVED}");
    let (hash, seconds) = text.trim().split_once(' ')?;
    is_hash(hash).then(|| Commit {
        name: hash.to_string(),
        seconds: seconds.parse().ok(),
    })
}

/// Returns the commit of a package that `cargo package` made. It does not record the date.
pub fn from_package(top: &Path) -> Option<Commit> {
    let text = std::fs::read_to_string(top.join(PACKAGED)).ok()?;
    let (_, after) = text.split_once("\"sha1\"")?;
    let hash = after.split('"').nth(1).filter(|hash| is_hash(hash))?;
    Some(Commit {
        name: hash.to_string(),
        seconds: variable("SOURCE_DATE_EPOCH").parse().ok(),
    })
}

/// Returns the date in UTC, as `2026-11-28`, of a time in seconds since 1970.
///
/// *Source:* the conversion of days to civil dates in Howard Hinnant's `chrono`-compatible algorithms.
pub fn date(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
