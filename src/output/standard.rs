//! The process's standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;

use crate::{Error, Result};

/// Standard output without its own buffer.
///
/// If it was closed when the process began, written data is lost: Rust's start-up code opens `/dev/null`
/// for reading and writing in its place. Parents that use Python's `subprocess.DEVNULL` do the same.
#[derive(Debug)]
pub struct StandardOutput(File);

impl StandardOutput {
    /// Opens standard output.
    ///
    /// # Errors
    /// `Io` if it cannot be duplicated.
    pub fn open() -> Result<Self> {
        let file: io::Result<OwnedFd> = io::stdout().as_fd().try_clone_to_owned();
        let file = file.map_err(|e| Error::io("write to", "standard output", e))?;
        Ok(Self(File::from(file)))
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns whether a standard stream was closed when the process began, or is unusable for another reason:
/// start-up code opens `/dev/null` for reading and writing in place of a closed stream, as do parents that
/// give a process no input. A shell's redirection opens it for reading only.
pub fn was_closed(stream: impl AsFd) -> bool {
    is_null(&stream)
        && rustix::fs::fcntl_getfl(&stream).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

/// Returns whether a standard stream is `/dev/null`.
pub fn is_null(stream: impl AsFd) -> bool {
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::fstat(&stream).is_ok_and(|stat| stat.st_rdev == null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_was_closed_is_null_for_reading_and_writing() {
        let open = |read, write| File::options().read(read).write(write).open("/dev/null");
        assert!(was_closed(open(true, true).unwrap()));
        assert!(!was_closed(open(false, true).unwrap()));
        assert!(!was_closed(open(true, false).unwrap()));
        assert!(!was_closed(tempfile::tempfile().unwrap()));
    }
}
