//! Bytes: where image data comes from, how it is hashed and inspected on the way, how it is written.

mod blocking;
pub mod digest;
pub mod durable;
pub mod format;
pub mod pump;
pub mod replacement;
pub mod source;
pub mod sparse;
pub mod watch;

pub use blocking::blocking;
pub use digest::{Algorithm, Digests, Hasher};
pub use source::Source;
pub use watch::Watch;

/// Bytes that are read, hashed and written at a time.
///
/// Buffered writes of half a MiB or more fall off a cliff on ext4; a quarter does not, and is
/// large enough that the cost of a system call and of a hand-over between threads is lost in it.
pub const BLOCK: usize = 256 * 1024;
