//! The settings of the scrubber.

use std::time::Duration;

use crate::config::oslo::options::{DAEMON, OptionSpec, SCRUB_POOL_SIZE, SCRUB_TIME, WAKEUP_TIME};
use crate::config::oslo::reader::Reader;
use crate::error::Result;

/// The delay and the speed of the removal of deleted images' data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubberSettings {
    /// The time that data is kept after its image was deleted.
    pub scrub_time: Duration,
    /// The number of concurrent deletions; at least 1.
    pub pool_size: usize,
    /// The interval between runs of a daemon.
    pub wakeup_time: Duration,
    /// Whether the program runs as a daemon, unless its command line decides.
    pub daemon: bool,
}

/// Reads the options of the scrubber.
pub(in crate::config) fn read_scrubber(reader: &Reader<'_>) -> Result<ScrubberSettings> {
    let seconds = |option: &'static OptionSpec| {
        let seconds = u64::try_from(reader.integer(option)?.value).unwrap_or_default();
        Ok::<_, crate::Error>(Duration::from_secs(seconds))
    };
    let pool_size = reader.integer(&SCRUB_POOL_SIZE)?.value;
    Ok(ScrubberSettings {
        scrub_time: seconds(&SCRUB_TIME)?,
        pool_size: usize::try_from(pool_size).unwrap_or(usize::MAX),
        wakeup_time: seconds(&WAKEUP_TIME)?,
        daemon: reader.boolean(&DAEMON)?,
    })
}
