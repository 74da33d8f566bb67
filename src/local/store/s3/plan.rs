//! How data is sent: in one request or in parts, and of which size.

use crate::config::S3Store;

/// The number of bytes of one upload that are in memory at a time.
pub(super) const MEMORY: u64 = 32 << 20;

/// The maximum size in bytes of data that is held in memory before it is sent. Larger parts are sent as they arrive.
pub(super) const MAX_HELD: u64 = 32 << 20;

/// The maximum number of parts of an upload.
///
/// *Source:* "Amazon S3 multipart upload limits".
pub(super) const MAX_PARTS: u32 = 10_000;

/// The number of the last part with the configured size, if the size of the data is unknown. Further parts are as large as
/// possible, so that there may be more data.
const LAST_SMALL_PART: u32 = 1000;

/// The maximum size in bytes of an object that is sent in one request.
///
/// *Source:* "Amazon S3 multipart upload limits".
const MAX_WHOLE: u64 = 5 << 30;

/// How data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// In one request when it is committed.
    Held,
    /// In one request of this many bytes, as it arrives.
    Streamed(u64),
    /// In parts of this size, the last of which may be smaller.
    Parts {
        /// The size in bytes.
        size: u64,
        /// The size of all data.
        total: u64,
    },
    /// In one request if it is not larger than a part of this size, otherwise in parts.
    Unknown {
        /// The size in bytes.
        size: u64,
        /// Whether it is always sent in parts, unless it is empty.
        always_parts: bool,
    },
}

impl Plan {
    /// Returns the plan for data of a size, if that is known.
    pub(super) fn of(settings: &S3Store, size: Option<u64>) -> Self {
        let part = settings.chunk_size;
        let threshold = settings.large_object_size;
        match size {
            None => Self::Unknown {
                size: part.min(MAX_HELD),
                always_parts: threshold == 0,
            },
            Some(0) => Self::Held,
            Some(total) if total < threshold && total <= MAX_WHOLE => {
                if total <= part.min(MAX_HELD) {
                    Self::Held
                } else {
                    Self::Streamed(total)
                }
            }
            Some(total) => Self::Parts {
                size: part.max(total.div_ceil(u64::from(MAX_PARTS))),
                total,
            },
        }
    }

    /// Returns the size in bytes of a part, except the last one.
    pub(super) fn part_size(self, number: u32) -> u64 {
        match self {
            Self::Streamed(total) => total,
            Self::Parts { size, total } => {
                let before = size.saturating_mul(u64::from(number.saturating_sub(1)));
                size.min(total.saturating_sub(before))
            }
            Self::Unknown { size, .. } if number <= LAST_SMALL_PART => size,
            Self::Held | Self::Unknown { .. } => MAX_HELD,
        }
    }

    /// Returns the maximum number of parts of this size that are sent while another one arrives.
    pub(super) fn in_flight(part: u64, pools: usize) -> usize {
        let held = usize::try_from(MEMORY / part.max(1)).unwrap_or(usize::MAX);
        pools.min(held.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Addressing, Secret};

    const MIB: u64 = 1 << 20;

    fn plan(threshold: u64, part: u64, size: Option<u64>) -> Plan {
        let settings = S3Store {
            host: "h".to_string(),
            is_secure: false,
            region: None,
            access_key: Secret::new("ak"),
            secret_key: Secret::new("sk"),
            bucket: "images".to_string(),
            creates_bucket: false,
            addressing: Addressing::Auto,
            large_object_size: threshold * MIB,
            chunk_size: part * MIB,
            timeout: std::time::Duration::from_mins(1),
            thread_pools: 10,
            authorities: None,
            sends_checksums: false,
            verifies_checksums: false,
        };
        Plan::of(&settings, size)
    }

    #[test]
    fn sizes_decide_as_in_the_driver() {
        let parts = |size, total| Plan::Parts { size, total };
        for (size, expected) in [
            (0, Plan::Held),
            (1, Plan::Held),
            (10 * MIB, Plan::Held),
            (10 * MIB + 1, Plan::Streamed(10 * MIB + 1)),
            (100 * MIB - 1, Plan::Streamed(100 * MIB - 1)),
            (100 * MIB, parts(10 * MIB, 100 * MIB)),
            (100_000 * MIB, parts(10 * MIB, 100_000 * MIB)),
            (100_000 * MIB + 1, parts(10 * MIB + 1, 100_000 * MIB + 1)),
        ] {
            assert_eq!(plan(100, 10, Some(size)), expected, "{size}");
        }
        assert_eq!(plan(0, 10, Some(0)), Plan::Held);
        assert_eq!(plan(0, 10, Some(1)), parts(10 * MIB, 1));
        let large = 6 * 1024 * MIB;
        assert_eq!(plan(9999, 10, Some(large)), parts(10 * MIB, large));
        let unknown = |size, always_parts| Plan::Unknown { size, always_parts };
        assert_eq!(plan(100, 10, None), unknown(10 * MIB, false));
        assert_eq!(plan(0, 100, None), unknown(MAX_HELD, true));
    }

    #[test]
    fn parts_cover_the_data_and_never_exceed_their_number() {
        for total in [1, MIB, 100 * MIB, 100_000 * MIB + 1, 5 << 40] {
            let plan = plan(0, 5, Some(total));
            let mut left = total;
            let mut number = 0;
            while left > 0 {
                number += 1;
                let size = plan.part_size(number);
                assert!(size > 0 && (size >= 5 * MIB || size == left));
                left -= size;
            }
            assert!(number <= MAX_PARTS, "{total}: {number}");
        }
        let unknown = plan(0, 5, None);
        let most: u64 = (1..=MAX_PARTS)
            .map(|number| unknown.part_size(number))
            .sum();
        assert!(most > 280 << 30, "{most}");
    }

    #[test]
    fn parts_in_memory_are_bounded_by_bytes() {
        for part in [5 * MIB, 10 * MIB, 16 * MIB, 32 * MIB] {
            for pools in [1, 3, 1000] {
                let in_flight = Plan::in_flight(part, pools) as u64;
                assert!((in_flight + 1) * part <= MEMORY, "{part} {pools}");
            }
        }
        assert_eq!(Plan::in_flight(5 * MIB, 1000), 5);
        assert_eq!(Plan::in_flight(32 * MIB, 10), 0);
    }
}
