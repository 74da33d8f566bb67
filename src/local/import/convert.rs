//! Conversion of disk formats by `qemu-img`: only of inspected data, and within limits of time, memory and size.
//!
//! Three measures prevent an image from making `qemu-img` read another file. Our inspectors refuse every image that
//! names one. Images for which `qemu-img info` reports one are refused too. `qemu-img` is called with one file and
//! its format, and the kernel confines it to them.
//!
//! *Source:* `glance/async_/flows/plugins/image_conversion.py` of the reference implementation.

mod confinement;
mod report;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use self::confinement::Confinement;
use super::derived::create_derived;
use crate::data::Watch;
use crate::data::blocking;
use crate::local::quota::Cap;
use crate::{Error, Result};

/// The limit of the address space of `qemu-img`, in bytes. For `info`, the reference implementation's value; for a
/// conversion, twice that.
const INFO_MEMORY: u64 = 1 << 30;
const CONVERT_MEMORY: u64 = 2 << 30;

/// The limits of processor time, in seconds: of `info`, and of a conversion.
const SECONDS: (u64, u64) = (30, 2 * 60 * 60);

/// The interval between checks for an interruption.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The maximum size of a report, in bytes. Reports on images with hundreds of snapshots have a tenth of it.
const MAX_REPORT: u64 = 1 << 20;

/// The maximum number of bytes of error output that are kept.
const MAX_STDERR: u64 = 64 * 1024;

/// Errors of the system, which are not caused by the content of an image.
const ERRORS: [Errno; 22] = [
    Errno::IO,
    Errno::NOSPC,
    Errno::DQUOT,
    Errno::NOMEM,
    Errno::ACCESS,
    Errno::PERM,
    Errno::NOENT,
    Errno::MFILE,
    Errno::NFILE,
    Errno::ROFS,
    Errno::FBIG,
    Errno::AGAIN,
    Errno::STALE,
    Errno::INTR,
    Errno::BUSY,
    Errno::NODEV,
    Errno::NXIO,
    Errno::TIMEDOUT,
    Errno::LOOP,
    Errno::NOTDIR,
    Errno::ISDIR,
    Errno::TXTBSY,
];

/// Returns the name of a disk format in `qemu-img`; None if `qemu-img` cannot convert it.
pub(super) fn driver(format: &str) -> Option<&'static str> {
    match format {
        "raw" => Some("raw"),
        "qcow2" => Some("qcow2"),
        "vmdk" => Some("vmdk"),
        "vdi" => Some("vdi"),
        "vhd" => Some("vpc"),
        "vhdx" => Some("vhdx"),
        _ => None,
    }
}

/// A conversion.
pub(super) struct Conversion<'a> {
    /// The driver of the source.
    pub from: &'static str,
    /// The source: an inspected file in the staging area.
    pub source: &'a Path,
    /// The driver of the target: `raw`, `qcow2` or `vmdk`.
    pub to: &'a str,
    /// The target, which is created next to the source.
    pub target: &'a Path,
    /// The maximum size of the target.
    pub cap: Cap,
    /// The allowed create types of VMDK images.
    pub vmdk_types: &'a [String],
}

impl Conversion<'_> {
    /// Checks the report of `qemu-img` on the source.
    ///
    /// # Errors
    /// `UnsupportedMedia` if `qemu-img` finds another format than declared, another file, or an image that it
    /// cannot read; `Failed` or `Io` if it cannot be run, or fails for another reason.
    pub async fn check(&self, watch: &Watch) -> Result<()> {
        if self.from == "raw" {
            // There is no report on raw data.
            return Ok(());
        }
        let job = Job {
            words: vec!["info".into(), "--output=json".into(), "--image-opts".into()],
            source: self.source,
            from: self.from,
            target: None,
        };
        let limits = Limits {
            memory: INFO_MEMORY,
            seconds: SECONDS.0,
            size: 0,
        };
        let report = limits.run(job, watch).await?;
        let report: Value = serde_json::from_slice(&report)
            .map_err(|e| Error::failed("qemu-img info does not print JSON").because(e))?;
        let name = relative(self.source);
        report::check(&report, self.from, &name.to_string_lossy(), self.vmdk_types).map_err(refused)
    }

    /// Checks the source, and converts it.
    ///
    /// # Errors
    /// Same as [`Self::check`]; `TooLarge` if the target would be too large.
    pub async fn run(&self, watch: &Watch) -> Result<()> {
        self.check(watch).await?;
        self.convert(watch).await
    }

    /// Converts without a check, but confined.
    async fn convert(&self, watch: &Watch) -> Result<()> {
        let target = self.target.to_path_buf();
        blocking(move || create_derived(&target).map(drop)).await?;
        let job = Job {
            words: vec![
                "convert".into(),
                "--image-opts".into(),
                "-O".into(),
                self.to.into(),
            ],
            source: self.source,
            from: self.from,
            target: Some(self.target),
        };
        let limits = Limits {
            memory: CONVERT_MEMORY,
            seconds: SECONDS.1,
            size: self.cap.bytes,
        };
        match limits.run(job, watch).await {
            Err(error) if is_file_size(&error) => Err(self.cap.exceeded()),
            outcome => outcome.map(drop),
        }
    }
}

fn refused(why: impl std::fmt::Display) -> Error {
    Error::unsupported_media(format!("the image cannot be converted: {why}"))
}

/// A run of `qemu-img`.
struct Job<'a> {
    words: Vec<OsString>,
    source: &'a Path,
    from: &'static str,
    target: Option<&'a Path>,
}

impl Job<'_> {
    /// Starts the program in the directory of the source, with a cleared environment and no inherited files.
    async fn start(self) -> Result<Child> {
        let program = find_program().ok_or_else(|| {
            Error::failed("qemu-img, which image_conversion requires, was not found").hint(
                "Install it (qemu-utils), or remove image_conversion from image_import_plugins.",
            )
        })?;
        let mut command = Command::new(&program);
        command
            .args(self.words)
            .arg(node(self.from, &relative(self.source)))
            .args(self.target.map(relative))
            .current_dir(self.source.parent().unwrap_or(Path::new("/")))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let confinement = Confinement {
            program,
            source: self.source.to_path_buf(),
            target: self.target.map(Path::to_path_buf),
        };
        blocking(move || confinement.spawn(command)).await
    }
}

/// Returns the path of the program.
fn find_program() -> Option<PathBuf> {
    // `PATH` is a property of the system, not a setting of this program.
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("qemu-img"))
        .find(|program| {
            let access = rustix::fs::access(program, rustix::fs::Access::EXEC_OK);
            program.is_file() && access.is_ok()
        })
}

/// Returns the name of a file relative to its directory, which cannot be parsed as an address or an option.
fn relative(path: &Path) -> OsString {
    let mut name = OsString::from("./");
    name.push(path.file_name().unwrap_or_default());
    name
}

/// Returns the description of a file and its format, so that nothing is probed.
fn node(driver: &str, file: &std::ffi::OsStr) -> OsString {
    let mut words =
        format!("driver={driver},file.driver=file,file.locking=off,file.filename=").into_bytes();
    for byte in file.as_bytes() {
        words.push(*byte);
        if *byte == b',' {
            words.push(b',');
        }
    }
    OsString::from_vec(words)
}

/// The resource limits of a command.
struct Limits {
    /// The address space, in bytes.
    memory: u64,
    /// The processor time, in seconds.
    seconds: u64,
    /// The maximum size of a file that it writes, in bytes.
    size: u64,
}

impl Limits {
    /// Runs `qemu-img` with these limits, and returns its output.
    async fn run(&self, job: Job<'_>, watch: &Watch) -> Result<Vec<u8>> {
        let mut child = job.start().await?;
        self.set(&child)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let done = async {
            // The program ends when its output reaches the limit and is no longer read.
            let report = read_up_to(stdout, MAX_REPORT);
            let errors = read_up_to(stderr, MAX_STDERR);
            let (report, errors) = tokio::join!(report, errors);
            Ok::<_, std::io::Error>((report?, errors?, child.wait().await?))
        };
        let mut done = std::pin::pin!(done);
        let outcome = loop {
            tokio::select! {
                outcome = &mut done => break outcome,
                () = tokio::time::sleep(POLL_INTERVAL) => watch.check()?,
            }
        };
        let (report, errors, status) =
            outcome.map_err(|e| Error::failed("qemu-img cannot be waited for").because(e))?;
        if report.len() as u64 > MAX_REPORT {
            return Err(refused("the report of qemu-img exceeds 1 MiB"));
        }
        if status.success() {
            return Ok(report);
        }
        Err(run_error(status, &String::from_utf8_lossy(&errors)))
    }

    /// Sets the limits of a process that has just started.
    fn set(&self, child: &Child) -> Result<()> {
        let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return Ok(());
        };
        let limits = [
            (Resource::As, self.memory),
            (Resource::Cpu, self.seconds),
            (Resource::Fsize, self.size),
            (Resource::Core, 0),
        ];
        for (resource, most) in limits {
            let limit = Rlimit {
                current: Some(most),
                maximum: Some(most),
            };
            match prlimit(Some(pid), resource, limit) {
                // The process has already exited.
                Ok(_) | Err(Errno::SRCH) => {}
                Err(e) => {
                    let e = std::io::Error::from(e);
                    return Err(Error::failed("cannot set resource limits on qemu-img").because(e));
                }
            }
        }
        Ok(())
    }
}

/// Reads at most `most` + 1 bytes.
async fn read_up_to(reader: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(reader) = reader {
        reader.take(most + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Returns the error of a failed run. Only a certain defect of the image's content is reported as such; a signal, a
/// limit or a system error is not.
fn run_error(status: ExitStatus, errors: &str) -> Error {
    let line = errors.lines().next().unwrap_or("no message");
    if let Some(signal) = status.signal() {
        let message = format!("qemu-img was ended by signal {signal} ({line})");
        return match rustix::process::Signal::from_named_raw(signal) {
            Some(rustix::process::Signal::XFSZ) => {
                Error::failed(message).because(std::io::Error::from(Errno::FBIG))
            }
            _ => Error::failed(message),
        };
    }
    let known = ERRORS
        .into_iter()
        .map(std::io::Error::from)
        .find(|e| errors.contains(&crate::error::describe(e)));
    match known {
        Some(e) => Error::new(
            crate::ErrorKind::Io,
            format!("qemu-img cannot read or write: {line}"),
        )
        .because(e),
        None if status.code() == Some(1) => refused(format_args!("{status} ({line})")),
        None => Error::failed(format!("qemu-img failed: {status} ({line})")),
    }
}

/// Returns whether a run failed because its target would be too large.
fn is_file_size(error: &Error) -> bool {
    use std::error::Error as _;
    let source = error.source().and_then(|e| e.downcast_ref());
    source.and_then(std::io::Error::raw_os_error) == Some(Errno::FBIG.raw_os_error())
}

#[cfg(test)]
mod tests;
