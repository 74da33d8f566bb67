//! The process's standard output.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::{Error, Result};

/// Standard output without a buffer of its own. Writing to one that was closed at start fails.
///
/// Rust's start-up code opens `/dev/null` in the place of a closed standard output, so that no file of the
/// program gets its number; what is written there would be lost in silence.
#[derive(Debug)]
pub struct StandardOutput {
    file: File,
    is_closed: bool,
}

impl StandardOutput {
    /// Opens it.
    ///
    /// # Errors
    /// `Io` when it cannot be duplicated.
    pub fn open() -> Result<Self> {
        let file: io::Result<OwnedFd> = io::stdout().as_fd().try_clone_to_owned();
        let file = file.map_err(|e| Error::io("write to", "standard output", e))?;
        let is_closed = was_closed(&file);
        Ok(Self {
            file: File::from(file),
            is_closed,
        })
    }

    /// Fails when standard output was closed at start: for commands that would do long work first.
    ///
    /// # Errors
    /// `Io`.
    pub fn check(&self) -> Result<()> {
        if self.is_closed {
            return Err(Error::io("write to", "standard output", closed()));
        }
        Ok(())
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Err(closed());
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a standard stream was closed when the process began. Start-up code opens `/dev/null` for reading
/// and writing; a shell's redirection opens it for one of them.
pub fn was_closed(stream: impl AsFd) -> bool {
    is_null(&stream)
        && rustix::fs::fcntl_getfl(&stream).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

/// Whether a standard stream is `/dev/null`.
pub fn is_null(stream: impl AsFd) -> bool {
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::fstat(&stream).is_ok_and(|stat| stat.st_rdev == null)
}

fn closed() -> io::Error {
    Errno::BADF.into()
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
