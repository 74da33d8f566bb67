//! Conversion of disk formats, by `qemu-img`: never of data that was not inspected before, and within limits
//! of time, memory and size.
//!
//! Three things keep an image from making `qemu-img` read another file. Our own inspectors refuse every image
//! that names one. What `qemu-img info` reports is refused where it names one all the same. And `qemu-img`
//! is told the one file and its format, and confined to them by the kernel.
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
use super::plugins::create_derived;
use crate::data::Watch;
use crate::data::blocking;
use crate::local::quota::Cap;
use crate::{Error, Result};

/// Address space that `qemu-img` may take, in bytes: as much for looking as the reference implementation
/// gives it, twice as much for converting.
const LOOKING: u64 = 1 << 30;
const CONVERTING: u64 = 2 << 30;

/// Seconds of processor time: to look at an image, and to convert one.
const SECONDS: (u64, u64) = (30, 2 * 60 * 60);

/// How often it is looked at whether to stop.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes of a report on an image; those with hundreds of snapshots have a tenth of it.
const LONGEST_REPORT: u64 = 1 << 20;

/// Bytes of complaints that are kept.
const LONGEST_COMPLAINT: u64 = 64 * 1024;

/// Errors of the system that say nothing about the bytes of an image.
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

/// What `qemu-img` calls a disk format; None for one that it cannot convert.
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
    /// The source: a file of the staging area, which was inspected.
    pub source: &'a Path,
    /// The driver of the target: `raw`, `qcow2` or `vmdk`.
    pub to: &'a str,
    /// The target, which is created beside the source.
    pub target: &'a Path,
    /// How large it may become.
    pub cap: Cap,
    /// The create types of VMDK images that are allowed.
    pub vmdk_types: &'a [String],
}

impl Conversion<'_> {
    /// Refuses a source of which `qemu-img` reports what must not be read on.
    ///
    /// # Errors
    /// `UnsupportedMedia` when `qemu-img` finds something else than was declared, another file, or an image
    /// that it cannot read; `Failed` or `Io` when it cannot be run, or is ended by anything else.
    pub async fn check(&self, watch: &Watch) -> Result<()> {
        if self.from == "raw" {
            // Raw data has nothing to report.
            return Ok(());
        }
        let job = Job {
            words: vec!["info".into(), "--output=json".into(), "--image-opts".into()],
            source: self.source,
            from: self.from,
            target: None,
        };
        let limits = Limits {
            memory: LOOKING,
            seconds: SECONDS.0,
            size: 0,
        };
        let report = limits.run(job, watch).await?;
        let report: Value = serde_json::from_slice(&report)
            .map_err(|e| Error::failed("qemu-img info does not print JSON").because(e))?;
        let name = relative(self.source);
        report::check(&report, self.from, &name.to_string_lossy(), self.vmdk_types).map_err(refused)
    }

    /// Converts, once the source was checked.
    ///
    /// # Errors
    /// As for [`Self::check`]; `TooLarge` when the target would be.
    pub async fn run(&self, watch: &Watch) -> Result<()> {
        self.check(watch).await?;
        self.convert(watch).await
    }

    /// Converts without a check; still confined.
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
            memory: CONVERTING,
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
    /// Starts it: in the directory of the source, with nothing of our environment and none of our files.
    async fn start(self) -> Result<Child> {
        let program = find_program().ok_or_else(|| {
            Error::failed("there is no qemu-img, which image_conversion needs").hint(
                "Install it (qemu-utils), or take image_conversion out of image_import_plugins.",
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

/// The program as the system would find it.
fn find_program() -> Option<PathBuf> {
    // What the search path is, is the system's affair and no setting of ours.
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("qemu-img"))
        .find(|program| {
            let access = rustix::fs::access(program, rustix::fs::Access::EXEC_OK);
            program.is_file() && access.is_ok()
        })
}

/// The name of a file from its own directory, which no program takes for an address or an option.
fn relative(path: &Path) -> OsString {
    let mut name = OsString::from("./");
    name.push(path.file_name().unwrap_or_default());
    name
}

/// The description of a file and its format, in which nothing is left to be probed.
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

/// What a command may take.
struct Limits {
    /// Bytes of address space.
    memory: u64,
    /// Of processor time.
    seconds: u64,
    /// Bytes of a file that it writes.
    size: u64,
}

impl Limits {
    /// Runs `qemu-img` within them; returns what it prints.
    async fn run(&self, job: Job<'_>, watch: &Watch) -> Result<Vec<u8>> {
        let mut child = job.start().await?;
        self.set(&child)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let done = async {
            // Reading ends at its limit, and the program with it.
            let report = read_up_to(stdout, LONGEST_REPORT);
            let complaint = read_up_to(stderr, LONGEST_COMPLAINT);
            let (report, complaint) = tokio::join!(report, complaint);
            Ok::<_, std::io::Error>((report?, complaint?, child.wait().await?))
        };
        let mut done = std::pin::pin!(done);
        let outcome = loop {
            tokio::select! {
                outcome = &mut done => break outcome,
                () = tokio::time::sleep(LOOK) => watch.check()?,
            }
        };
        let (report, complaint, status) =
            outcome.map_err(|e| Error::failed("qemu-img cannot be waited for").because(e))?;
        if report.len() as u64 > LONGEST_REPORT {
            return Err(refused("qemu-img reports more than a MiB about it"));
        }
        if status.success() {
            return Ok(report);
        }
        Err(judge(status, &String::from_utf8_lossy(&complaint)))
    }

    /// Sets the limits of a process that has just begun.
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
                // It is over already.
                Ok(_) | Err(Errno::SRCH) => {}
                Err(e) => {
                    let e = std::io::Error::from(e);
                    return Err(Error::failed("qemu-img cannot be kept within limits").because(e));
                }
            }
        }
        Ok(())
    }
}

/// Reads one byte more than `most`, at most.
async fn read_up_to(reader: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(reader) = reader {
        reader.take(most + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The error of a run that failed. Only what is certain about the bytes of the image is a verdict on them; a
/// signal, a limit or an error of the system is none.
fn judge(status: ExitStatus, complaint: &str) -> Error {
    let line = complaint.lines().next().unwrap_or("it does not say why");
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
        .find(|e| complaint.contains(&crate::error::describe(e)));
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

/// Whether a run failed because its target would be larger than allowed.
fn is_file_size(error: &Error) -> bool {
    use std::error::Error as _;
    let source = error.source().and_then(|e| e.downcast_ref());
    source.and_then(std::io::Error::raw_os_error) == Some(Errno::FBIG.raw_os_error())
}

#[cfg(test)]
mod tests;
