//! Where image data comes from.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use crate::{Error, Result};

/// Buffers of a stream that are taken in ahead of their reader: of a connection, some hundred KiB each.
const AHEAD: usize = 4;

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
    /// What passes through something else on its way, such as a cache.
    Through {
        /// That.
        reader: Box<dyn Read + Send>,
        /// What to call it in messages.
        path: PathBuf,
        /// Bytes, where that is known beforehand.
        size: Option<u64>,
    },
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
            Self::Through { size, .. } => *size,
            Self::Pipe { .. } | Self::Stream(_) => None,
        }
    }

    /// The same data once more, where it can be read again: that of a file.
    pub fn again(&self) -> Option<Self> {
        match self {
            Self::File { file, path } => Some(Self::File {
                file: file.try_clone().ok()?,
                path: path.clone(),
            }),
            Self::Pipe { .. } | Self::Stream(_) | Self::Through { .. } => None,
        }
    }

    /// The data as one that blocking code can read.
    ///
    /// MUST be read from a thread that may block, within a tokio runtime.
    pub fn into_reader(self) -> Result<Reader> {
        Ok(match self {
            Self::File { file, path } => Reader(Inner::File { file, path, at: 0 }),
            Self::Pipe { reader, name } => Reader(Inner::Read(reader, PathBuf::from(name))),
            Self::Through { reader, path, .. } => Reader(Inner::Read(reader, path)),
            Self::Stream(mut stream) => {
                let (buffers, inbox) = mpsc::channel(AHEAD);
                // What arrives is taken in while the reader is busy with what came before.
                tokio::runtime::Handle::current().spawn(async move {
                    while let Some(bytes) = stream.next().await {
                        if buffers.send(bytes).await.is_err() {
                            break;
                        }
                    }
                });
                Reader(Inner::Stream {
                    inbox,
                    rest: Bytes::new(),
                })
            }
        })
    }
}

/// Image data as blocking code reads it.
pub struct Reader(Inner);

enum Inner {
    /// Read by position: others may read the same file at the same time.
    File {
        file: File,
        path: PathBuf,
        at: u64,
    },
    Read(Box<dyn Read + Send>, PathBuf),
    Stream {
        inbox: mpsc::Receiver<Result<Bytes>>,
        rest: Bytes,
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
            Inner::File { file, path, at } => loop {
                match file.read_at(buffer, *at) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(Error::io("read", path, e)),
                    Ok(bytes) => {
                        *at += bytes as u64;
                        return Ok(bytes);
                    }
                }
            },
            Inner::Read(reader, path) => loop {
                match reader.read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => return other.map_err(|e| Error::io("read", path, e)),
                }
            },
            Inner::Stream { inbox, rest } => {
                while rest.is_empty() {
                    match inbox.blocking_recv() {
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
