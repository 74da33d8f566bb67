//! Image data: its sources, its hashes, its inspection, and its writers.

mod blocking;
pub mod digest;
pub mod durable;
pub mod format;
pub mod pump;
pub mod replacement;
pub mod source;
pub mod sparse;
pub mod verification;
pub mod watch;

pub use blocking::blocking;
pub use digest::{Algorithm, Digests, Hasher};
pub use source::Source;
pub use watch::Watch;

/// The number of bytes that are read, hashed and written at a time.
///
/// Buffered writes of half a MiB or more are much slower on ext4. A quarter is not, and is large enough
/// that the costs of system calls and of passing data between threads are negligible.
pub const BLOCK: usize = 256 * 1024;
