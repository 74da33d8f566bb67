//! Streamed request bodies, and the detection of servers that do not read them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::Body;

use crate::Result;

/// A timer of how long the connection has accepted no data although some was available.
#[derive(Clone)]
pub(super) struct StallTimer(Arc<Mutex<Option<Instant>>>);

impl StallTimer {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }

    /// Starts the timer: data for the connection is available.
    fn start(&self) {
        self.set(Some(Instant::now()));
    }

    /// Stops the timer: the connection waits for data.
    fn stop(&self) {
        self.set(None);
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Waits until the connection has accepted no data for this time.
    pub async fn expired(&self, limit: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let passed = since.map_or(Duration::ZERO, |since| since.elapsed());
            let left = limit.saturating_sub(passed);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

/// Returns a body of these blocks, and the timer that runs while a block is available.
pub(super) fn body(
    blocks: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> (Body, StallTimer) {
    let timer = StallTimer::new();
    let state = (blocks.boxed(), timer.clone());
    let stream = futures_util::stream::unfold(state, |(mut blocks, timer)| async {
        timer.stop();
        let block = blocks.next().await;
        timer.start();
        Some((block?, (blocks, timer)))
    });
    (Body::wrap_stream(stream), timer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::block_on;

    #[test]
    fn only_a_connection_that_takes_nothing_is_stalled() {
        block_on(async {
            let timer = StallTimer::new();
            timer.stop();
            let brief = Duration::from_millis(1);
            let expired = tokio::time::timeout(20 * brief, timer.expired(brief)).await;
            assert!(expired.is_err(), "the connection waits for data");
            timer.start();
            timer.expired(brief).await;
        });
    }
}
