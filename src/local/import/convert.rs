//! Conversion of disk formats, by `qemu-img`: never of data that was not looked at before, and within
//! limits of time, memory and size.
//!
//! *Source:* `glance/async_/flows/plugins/image_conversion.py` of the reference implementation.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::data::Watch;
use crate::{Error, Result};

/// Address space that `qemu-img` may take, in bytes: as much for looking as the reference implementation
/// gives it, twice as much for converting.
const LOOKING: u64 = 1 << 30;
const CONVERTING: u64 = 2 << 30;

/// Seconds of processor time: to look at an image, and to convert one.
const SECONDS: (u64, u64) = (30, 2 * 60 * 60);

/// How often it is looked at whether to stop.
const LOOK: Duration = Duration::from_millis(200);

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
    /// The driver of what is there.
    pub from: &'static str,
    /// What is there.
    pub source: &'a Path,
    /// The driver of what shall be: `raw`, `qcow2` or `vmdk`.
    pub to: &'a str,
    /// Where it shall be.
    pub target: &'a Path,
    /// Bytes that it may become.
    pub most: u64,
}

impl Conversion<'_> {
    /// Converts.
    ///
    /// # Errors
    /// `Failed` without `qemu-img`; `UnsupportedMedia` when it finds something else than was declared,
    /// or cannot convert it.
    pub async fn run(&self, watch: &Watch) -> Result<()> {
        let mut look = Command::new("qemu-img");
        look.args(["info", "-f", self.from, "--output=json"])
            .arg(self.source);
        let limits = Limits {
            memory: LOOKING,
            seconds: SECONDS.0,
            size: 0,
        };
        let found: Value = serde_json::from_slice(&limits.run(look, watch).await?)
            .map_err(|e| refused("qemu-img does not say what it is").because(e))?;
        if found["format"].as_str() != Some(self.from) {
            return Err(refused("qemu-img finds another format than declared"));
        }
        if found.get("backing-filename").is_some() {
            return Err(refused("it has a backing file"));
        }
        let mut convert = Command::new("qemu-img");
        convert
            .args(["convert", "-f", self.from, "-O", self.to])
            .args([self.source, self.target]);
        let limits = Limits {
            memory: CONVERTING,
            seconds: SECONDS.1,
            size: self.most,
        };
        limits.run(convert, watch).await?;
        Ok(())
    }
}

fn refused(why: &str) -> Error {
    Error::unsupported_media(format!("the image cannot be converted: {why}"))
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
    /// Runs a command within them; what it says.
    async fn run(&self, mut command: Command, watch: &Watch) -> Result<Vec<u8>> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env("LC_ALL", "C")
            .kill_on_drop(true);
        let child = command.spawn().map_err(|e| {
            Error::failed("qemu-img cannot be started, which image_conversion needs")
                .hint("Install it (qemu-utils), or take image_conversion out of image_import_plugins.")
                .because(e)
        })?;
        self.set(&child)?;
        let done = child.wait_with_output();
        let mut done = std::pin::pin!(done);
        let output = loop {
            tokio::select! {
                output = &mut done => break output,
                () = tokio::time::sleep(LOOK) => watch.check()?,
            }
        };
        let output = output.map_err(|e| Error::failed("qemu-img is gone").because(e))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().next().unwrap_or("it does not say why");
        Err(refused(&format!("{} ({line})", output.status)))
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
                Ok(_) | Err(rustix::io::Errno::SRCH) => {}
                Err(e) => {
                    let e = std::io::Error::from(e);
                    return Err(Error::failed("qemu-img cannot be kept within limits").because(e));
                }
            }
        }
        Ok(())
    }
}
