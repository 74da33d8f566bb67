//! Transfers of streams, without a thread that waits for data.
//!
//! A slow client costs one buffer and a task. Only full blocks are passed to threads: to the hashing
//! threads, and to one that writes.

use bytes::Bytes;
use futures_util::StreamExt;

use super::writeback::Writeback;
use super::{BlockSink, Blocks, Look, Sink, Taken, Target};
use crate::Result;
use crate::data::source::ByteStream;
use crate::data::{Algorithm, BLOCK, Watch, blocking};

/// Transfers a stream; see [`transfer`](super::transfer).
pub(super) async fn take_stream(
    stream: ByteStream,
    sink: Sink<'_>,
    algorithms: &[Algorithm],
    watch: &Watch,
    look: Look,
) -> Result<Taken> {
    let (target, blocks) = match sink {
        Sink::Nowhere => (None, None),
        Sink::File(target) => (Some(target), None),
        Sink::Blocks(sink) => (None, Some(sink)),
    };
    take(stream, target, blocks, algorithms, watch, look).await
}

async fn take(
    mut stream: ByteStream,
    target: Option<Target>,
    mut sink: Option<&mut dyn BlockSink>,
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
    let mut rest = Bytes::new();
    loop {
        let mut buffer = blocks.empty_buffer();
        while buffer.len() < BLOCK {
            while rest.is_empty() {
                match stream.next().await {
                    Some(bytes) => rest = bytes?,
                    None => break,
                }
            }
            if rest.is_empty() {
                break;
            }
            let bytes = rest.split_to(rest.len().min(BLOCK - buffer.len()));
            buffer.extend_from_slice(&bytes);
        }
        let filled = buffer.len();
        let is_last = filled < BLOCK;
        if filled > 0 {
            let block = blocks.share_filled(buffer, filled).await?;
            let shared = block.clone();
            end = blocking(move || {
                end.take(&shared)?;
                Ok(end)
            })
            .await?;
            if let Some(sink) = &mut sink {
                sink.write(Bytes::from_owner(block)).await?;
            }
            watch.advance(filled as u64)?;
        }
        if is_last {
            break;
        }
    }
    let size = end.size;
    if let Some(target) = end.target.filter(|target| target.sparse) {
        // Zeros at the end that were not written become a hole.
        blocking(move || target.set_length(size)).await?;
    }
    Ok(Taken {
        size,
        digests: blocks.finish_from_task().await?,
    })
}

/// The destination of a stream's blocks.
struct End {
    target: Option<Target>,
    writeback: Option<Writeback>,
    look: Look,
    /// The number of bytes so far.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use async_trait::async_trait;
    use futures_util::stream;

    use super::super::tests::{digest, target};
    use super::*;
    use crate::Error;
    use crate::data::{BLOCK, Source};

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
                    Sink::File(part),
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
        let taken = take_stream(stream, Sink::File(part), &[], &watch, Box::new(|_| Ok(())));
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
            Sink::Nowhere,
            &[Algorithm::Md5],
            &watch,
            look,
        );
        assert_eq!(refused.await.unwrap_err().message(), "no");
        watch.stop();
        let stopped = take_stream(
            arriving(&bytes, 9999),
            Sink::Nowhere,
            &[],
            &watch,
            Box::new(|_| Ok(())),
        );
        assert_eq!(
            stopped.await.unwrap_err().kind(),
            crate::ErrorKind::Interrupted
        );
    }

    struct Collected(Vec<Bytes>);

    #[async_trait]
    impl BlockSink for Collected {
        async fn write(&mut self, block: Bytes) -> Result<()> {
            self.0.push(block);
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_goes_elsewhere_goes_in_whole_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for length in [0, 1, BLOCK, 3 * BLOCK + 17] {
            let bytes: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            std::fs::write(&path, &bytes).unwrap();
            for source in [
                Source::stream(arriving(&bytes, 700)),
                Source::open(&path).unwrap(),
            ] {
                let mut sink = Collected(Vec::new());
                let taken = super::super::transfer(
                    source,
                    Sink::Blocks(&mut sink),
                    vec![Algorithm::Md5],
                    Watch::default(),
                    Box::new(|_| Ok(())),
                );
                let taken = taken.await.unwrap();
                assert_eq!(taken.size, length as u64);
                assert_eq!(taken.digests, [digest(Algorithm::Md5, &bytes)]);
                assert!(sink.0.concat() == bytes);
                let short = sink.0.iter().rev().skip(1).find(|one| one.len() != BLOCK);
                assert!(short.is_none(), "only the last block may be short");
            }
        }
    }
}
