//! Many slow clients at once, as a server has them: none of them costs a thread, or more memory than a buffer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use glance_tools::data::Source;
use glance_tools::local::Local;
use glance_tools::model::{ImageStatus, NewImage};
use glance_tools::service::{ImageData, Images, Upload};
use serde_json::json;
use tokio::sync::watch;

use crate::support::Place;

/// Uploads at a time.
const CLIENTS: usize = 1000;

/// Bytes that each sends at a time, and how often.
const CHUNK: usize = 1024;
const CHUNKS: u64 = 3;

/// Threads that wait for the disk: a server's small work must not have one each.
const BLOCKING: usize = 24;

static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// Data that arrives in chunks, each when `clock` has come to its number.
fn trickling(clock: &watch::Receiver<u64>) -> Source {
    let clock = clock.clone();
    let chunks = stream::iter(1..=CHUNKS).then(move |number| {
        let mut clock = clock.clone();
        async move {
            clock.wait_for(|now| *now >= number).await.unwrap();
            Ok(Bytes::from_static(&ZEROS))
        }
    });
    Source::stream(chunks)
}

async fn queued(local: &Local) -> String {
    let new = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
    let attributes = new.as_object().unwrap().clone();
    let image = local.create_image(NewImage { attributes }).await;
    image.unwrap().id
}

/// Threads of this process.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Memory of this process in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse().unwrap()
}

#[test]
fn a_thousand_slow_uploads_take_few_threads_and_little_memory() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let place = Place::new();
        let local = place.open().await;
        let mut ids = Vec::new();
        for _ in 0..CLIENTS {
            ids.push(queued(&local).await);
        }
        let other = queued(&local).await;
        let memory_before = memory();
        let (tick, clock) = watch::channel(0);
        let tick = Arc::new(tick);
        let mut uploads = tokio::task::JoinSet::new();
        for id in ids.clone() {
            let (local, source) = (local.clone(), trickling(&clock));
            uploads.spawn(async move { local.upload_image(&id, Upload::new(source)).await });
        }
        // Each of them has begun when it waits for its next chunk.
        for id in &ids {
            while local.get_image(id).await.unwrap().status != ImageStatus::Saving {
                tokio::task::yield_now().await;
            }
        }
        tick.send(1).unwrap();
        let begun = Instant::now();
        local.get_image(&other).await.unwrap();
        let latency = begun.elapsed();
        tick.send(CHUNKS - 1).unwrap();
        let (threads, memory) = (threads(), memory().saturating_sub(memory_before));
        println!(
            "{CLIENTS} uploads: {threads} threads, {} KiB each, a request in between {latency:?}",
            memory / CLIENTS as u64
        );
        assert!(threads <= 40, "{threads} threads");
        assert!(memory <= 400 * CLIENTS as u64, "{memory} KiB");
        // All of them still wait.
        assert!(uploads.try_join_next().is_none());
        tick.send(CHUNKS).unwrap();
        while let Some(uploaded) = uploads.join_next().await {
            let image = uploaded.unwrap().unwrap();
            assert_eq!(image.status, ImageStatus::Active);
            assert_eq!(image.size, Some(CHUNKS * CHUNK as u64));
        }
    });
}
