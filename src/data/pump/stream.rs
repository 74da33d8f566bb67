//! Data from a network on its way into a file: no thread waits for it.
//!
//! A slow client costs one buffer and a task. Full blocks alone are handed to threads: to the hashing ones, and to
//! one that writes.

use futures_util::StreamExt;

use super::writeback::Writeback;
use super::{Blocks, Look, Taken, Target};
use crate::data::source::ByteStream;
use crate::data::{Algorithm, Watch};
use crate::{Error, Result};

/// Takes a stream in: hashes it, shows every byte in order to `look`, which may refuse, and writes it to `target`, if
/// there is one.
///
/// # Errors
/// The errors of the stream, of writing and of `look`; `Interrupted` once `watch` was asked to stop. The file is neither
/// removed nor synced.
pub async fn take_stream(
    stream: ByteStream,
    target: Option<Target>,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: Look,
) -> Result<Taken> {
    watch.begin(None);
    let taken = take(stream, target, algorithms, watch, look).await;
    watch.end();
    taken
}

async fn take(
    mut stream: ByteStream,
    target: Option<Target>,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: Look,
) -> Result<Taken> {
    let mut blocks = Blocks::new(algorithms);
    let mut end = End {
        writeback: match &target {
            Some(target) => Some(Writeback::new(&target.file)?),
            None => None,
        },
        target,
        look,
        size: 0,
    };
    let mut rest = bytes::Bytes::new();
    loop {
        let mut buffer = blocks.buffer();
        let mut filled = 0;
        while filled < buffer.len() {
            while rest.is_empty() {
                match stream.next().await {
                    Some(bytes) => rest = bytes?,
                    None => break,
                }
            }
            if rest.is_empty() {
                break;
            }
            let bytes = rest.split_to(rest.len().min(buffer.len() - filled));
            buffer[filled..filled + bytes.len()].copy_from_slice(&bytes);
            filled += bytes.len();
        }
        let is_last = filled < buffer.len();
        if filled > 0 {
            let block = blocks.share_filled(buffer, filled).await?;
            end = blocking(move || {
                end.take(&block)?;
                Ok(end)
            })
            .await?;
            watch.advance(filled as u64)?;
        }
        if is_last {
            break;
        }
    }
    let size = end.size;
    if let Some(target) = end.target.filter(|target| target.sparse) {
        // A run of zeros at the end is a hole that was not written.
        blocking(move || target.set_length(size)).await?;
    }
    Ok(Taken {
        size,
        digests: blocks.finish_from_task().await?,
    })
}

/// Where the blocks of a stream end up.
struct End {
    target: Option<Target>,
    writeback: Option<Writeback>,
    look: Look,
    /// Bytes so far.
    size: u64,
}

impl End {
    fn take(&mut self, block: &[u8]) -> Result<()> {
        (self.look)(block)?;
        if let Some(target) = &self.target {
            target.write(block, self.size)?;
        }
        if let Some(writeback) = &mut self.writeback {
            writeback.wrote(block.len());
        }
        self.size += block.len() as u64;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("a worker thread failed").because(e))?
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use bytes::Bytes;
    use futures_util::stream;

    use super::super::tests::{digest, target};
    use super::*;
    use crate::data::BLOCK;

    fn arriving(bytes: &[u8], step: usize) -> ByteStream {
        let chunks: Vec<_> = bytes
            .chunks(step)
            .map(Bytes::copy_from_slice)
            .map(Ok)
            .collect();
        stream::iter(chunks).boxed()
    }

    #[tokio::test]
    async fn streams_of_any_length_arrive_whole_and_hashed() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 40 * BLOCK + 17] {
            for step in [700, 65_536, 1_000_000] {
                let bytes: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
                let (directory, part) = target(false);
                let algorithms = [Algorithm::Md5, Algorithm::Sha512];
                let watch = Watch::default();
                let stream = arriving(&bytes, step);
                let taken = take_stream(
                    stream,
                    Some(part),
                    &algorithms,
                    &watch,
                    Box::new(|_| Ok(())),
                );
                let taken = taken.await.unwrap();
                assert_eq!(taken.size, length as u64);
                assert_eq!(
                    taken.digests,
                    algorithms.map(|algorithm| digest(algorithm, &bytes))
                );
                assert!(std::fs::read(directory.path().join("part")).unwrap() == bytes);
            }
        }
    }

    #[tokio::test]
    async fn zeros_become_holes_where_the_target_is_sparse() {
        let (directory, part) = target(true);
        let bytes = vec![0; 20 * BLOCK + 5];
        let watch = Watch::default();
        let stream = arriving(&bytes, 100_000);
        let taken = take_stream(stream, Some(part), &[], &watch, Box::new(|_| Ok(())));
        assert_eq!(taken.await.unwrap().size, bytes.len() as u64);
        let stored = std::fs::metadata(directory.path().join("part")).unwrap();
        assert_eq!((stored.len(), stored.blocks()), (bytes.len() as u64, 0));
    }

    #[tokio::test]
    async fn a_refusal_and_a_stop_end_the_transfer() {
        let bytes = vec![1; 10 * BLOCK];
        let watch = Watch::default();
        let look: Look = Box::new(|_| Err(Error::unsupported_media("no")));
        let refused = take_stream(
            arriving(&bytes, 9999),
            None,
            &[Algorithm::Md5],
            &watch,
            look,
        );
        assert_eq!(refused.await.unwrap_err().message(), "no");
        watch.stop();
        let stopped = take_stream(
            arriving(&bytes, 9999),
            None,
            &[],
            &watch,
            Box::new(|_| Ok(())),
        );
        assert_eq!(
            stopped.await.unwrap_err().kind(),
            crate::ErrorKind::Interrupted
        );
    }
}
