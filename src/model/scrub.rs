//! Results of scrubbing.

/// The result of a run of the scrubber, or of a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// The number of completely removed images.
    pub images: u64,
    /// The number of locations whose data was removed, including those of images that are not removed.
    pub locations: u64,
    /// The freed space in bytes.
    pub bytes: u64,
    /// The number of locations whose data could not be removed.
    pub failures: u64,
    /// Whether the run was stopped on request before it was complete.
    pub stopped: bool,
}

impl Scrubbed {
    /// Returns whether there was no work.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
