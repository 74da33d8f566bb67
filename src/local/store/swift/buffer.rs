//! Segments that are buffered in a file, so that they can be sent again.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;

use crate::data::{Source, blocking};
use crate::{Error, Result};

/// A nameless file with the data of a segment.
pub(super) struct Buffer {
    directory: PathBuf,
    file: Arc<File>,
}

impl Buffer {
    /// Creates an empty buffer.
    ///
    /// # Errors
    /// `Io`.
    pub async fn create(directory: &Path) -> Result<Self> {
        let directory = directory.to_path_buf();
        blocking(move || {
            let file = tempfile::tempfile_in(&directory);
            let file = file.map_err(|e| Error::io("create a file in", &directory, e))?;
            Ok(Self {
                file: Arc::new(file),
                directory,
            })
        })
        .await
    }

    /// Appends a block.
    ///
    /// # Errors
    /// `Io`.
    pub async fn write(&mut self, block: Bytes) -> Result<()> {
        let (file, directory) = (Arc::clone(&self.file), self.directory.clone());
        blocking(move || {
            let written = (&*file).write_all(&block);
            written.map_err(|e| Error::io("write", &directory, e))
        })
        .await
    }

    /// Returns the data from its beginning.
    ///
    /// # Errors
    /// `Io`.
    pub fn read(&self) -> Result<impl Stream<Item = Result<Bytes>> + Send + use<>> {
        let file = self.file.try_clone();
        let file = file.map_err(|e| Error::io("read", &self.directory, e))?;
        let source = Source::File {
            file,
            path: self.directory.clone(),
            range: crate::model::ByteRange::ALL,
        };
        Ok(source.into_stream())
    }
}
