//! What came of scrubbing.

/// What was removed of what waited to be deleted, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Images of which nothing is left.
    pub images: u64,
    /// Locations whose data is gone: of these images, of others, and of images that are alive.
    pub locations: u64,
    /// Bytes that were freed.
    pub bytes: u64,
    /// Locations whose data could not be removed.
    pub failures: u64,
    /// Whether it was broken off, on request, with more left to do.
    pub stopped: bool,
}

impl Scrubbed {
    /// Whether there was nothing to do.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
