//! Where image data comes from.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;

use crate::{Error, Result};

/// An asynchronous stream of buffers, such as the body of an HTTP request.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Image data on its way in or out; read once, from beginning to end.
pub enum Source {
    /// A regular file, from its beginning; may be cloned, and holes in it are known.
    File {
        /// The open file.
        file: File,
        /// Its name, for messages.
        path: PathBuf,
    },
    /// A pipe, a terminal, standard input.
    Pipe {
        /// The open end.
        reader: Box<dyn Read + Send>,
        /// What to call it in messages.
        name: &'static str,
    },
    /// Buffers as they arrive over a network.
    Stream(ByteStream),
}

impl Source {
    /// Opens `path` for reading: a file as such, anything else (a pipe, a device) as a pipe.
    ///
    /// # Errors
    /// `Io` when it cannot be opened, is a directory, or cannot be looked at.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::open(&path).map_err(|e| Error::io("open", &path, e))?;
        let metadata = file.metadata().map_err(|e| Error::io("read", &path, e))?;
        if metadata.is_dir() {
            return Err(Error::io("read", &path, io::ErrorKind::IsADirectory.into()));
        }
        Ok(if metadata.is_file() {
            Self::File { file, path }
        } else {
            Self::Pipe {
                reader: Box::new(file),
                name: "the input",
            }
        })
    }

    /// Standard input: a file where it is redirected from one (read from its beginning only if
    /// nothing was read of it), else a pipe.
    pub fn standard_input() -> Result<Self> {
        use std::os::fd::AsFd;
        let path = PathBuf::from("standard input");
        let owned = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|e| Error::io("read", &path, e))?;
        let mut file = File::from(owned);
        let plain = file.metadata().is_ok_and(|m| m.is_file());
        if plain && file.stream_position().is_ok_and(|at| at == 0) {
            return Ok(Self::File { file, path });
        }
        Ok(Self::Pipe {
            reader: Box::new(file),
            name: "standard input",
        })
    }

    /// Size in bytes, where it is known beforehand.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File { file, .. } => file.metadata().ok().map(|metadata| metadata.len()),
            Self::Pipe { .. } | Self::Stream(_) => None,
        }
    }

    /// The data as one that blocking code can read.
    ///
    /// MUST be read from a thread that may block, within a tokio runtime.
    pub fn into_reader(self) -> Result<Reader> {
        Ok(match self {
            Self::File { mut file, path } => {
                file.seek(SeekFrom::Start(0))
                    .map_err(|e| Error::io("read", &path, e))?;
                Reader(Inner::Read(Box::new(file), path))
            }
            Self::Pipe { reader, name } => Reader(Inner::Read(reader, PathBuf::from(name))),
            Self::Stream(stream) => Reader(Inner::Stream {
                stream,
                rest: Bytes::new(),
                runtime: tokio::runtime::Handle::current(),
            }),
        })
    }
}

/// Image data as blocking code reads it.
pub struct Reader(Inner);

enum Inner {
    Read(Box<dyn Read + Send>, PathBuf),
    Stream {
        stream: ByteStream,
        rest: Bytes,
        runtime: tokio::runtime::Handle,
    },
}

impl Reader {
    /// Fills `buffer` as far as there is data; less than its length means the end.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read(rest)? {
                0 => break,
                bytes => filled += bytes,
            }
        }
        Ok(filled)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match &mut self.0 {
            Inner::Read(reader, path) => loop {
                match reader.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => return other.map_err(|e| Error::io("read", path, e)),
                }
            },
            Inner::Stream {
                stream,
                rest,
                runtime,
            } => {
                while rest.is_empty() {
                    match runtime.block_on(stream.next()) {
                        Some(bytes) => *rest = bytes?,
                        None => return Ok(0),
                    }
                }
                let bytes = rest.split_to(rest.len().min(buffer.len()));
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Ok(bytes.len())
            }
        }
    }
}
