//! The minimum transfer rate.

use std::time::Duration;

/// The minimum rate in bytes per second; a slower server counts as stalled.
const MIN_RATE: u64 = 1024;

/// A measurement of the transfer rate.
pub(super) struct Pace {
    /// The time over which the rate is measured.
    window: Duration,
    /// The time spent waiting for the server, not for the consumer of the data.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Creates a measurement over each `window` of waiting.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that arrived after a wait. Returns whether the rate is sufficient.
    pub fn keeps_up(&mut self, bytes: u64, waited: Duration) -> bool {
        self.bytes += bytes;
        self.waited += waited;
        if self.waited < self.window {
            return true;
        }
        let is_enough = self.bytes >= MIN_RATE * self.window.as_secs().max(1);
        *self = Self::new(self.window);
        is_enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_sends_next_to_nothing_does_not_keep_up() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(2 * second);
        assert!(pace.keeps_up(1, second));
        assert!(!pace.keeps_up(1, second), "two bytes in two seconds");
        assert!(pace.keeps_up(4096, 2 * second));
        assert!(pace.keeps_up(0, second), "the next window");
    }
}
