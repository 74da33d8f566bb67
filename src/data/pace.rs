//! How fast data has to come.

use std::time::Duration;

/// Bytes a second below which a server only pretends to send.
const SLOWEST: u64 = 1024;

/// Whether data comes at a pace worth waiting for.
pub struct Pace {
    patience: Duration,
    /// What was spent waiting for the server, and not for whoever takes the data.
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// A pace at which something has to come within `patience`, again and again.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that came after a wait; whether they are enough.
    pub fn keeps_up(&mut self, bytes: u64, waited: Duration) -> bool {
        self.bytes += bytes;
        self.waited += waited;
        if self.waited < self.patience {
            return true;
        }
        let enough = self.bytes >= SLOWEST * self.patience.as_secs().max(1);
        *self = Self::new(self.patience);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_pretends_to_send_is_found_out() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(2 * second);
        assert!(pace.keeps_up(1, second));
        assert!(!pace.keeps_up(1, second), "two bytes in two seconds");
        assert!(pace.keeps_up(4096, 2 * second));
        assert!(pace.keeps_up(0, second), "counted anew");
    }
}
