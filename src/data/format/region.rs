//! Captured parts of a stream, and functions to read numbers from them.

/// The maximum size of a window in bytes, regardless of the header.
const MAX_WINDOW: usize = 64 * 1024;

/// A part of the stream that is captured while the stream passes.
///
/// A window must be opened before the stream passes its beginning. The format inspectors only open one at
/// or after the end of the previous one, so results do not depend on the sizes of chunks.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The offset in bytes from the beginning of the stream.
    offset: u64,
    /// The length in bytes.
    length: usize,
    data: Vec<u8>,
}

impl Window {
    /// Creates a window of `length` bytes, at most 64 KiB, at byte `offset`.
    pub(super) fn new(offset: u64, length: usize) -> Self {
        let length = length.min(MAX_WINDOW);
        Self {
            offset,
            length,
            data: Vec::new(),
        }
    }

    /// Captures the relevant part of a chunk that begins at byte `start` of the stream.
    pub(super) fn push(&mut self, start: u64, chunk: &[u8]) {
        if self.is_complete() {
            return;
        }
        let next = self.offset.saturating_add(self.data.len() as u64);
        let wanted = self.length - self.data.len();
        let fresh = unseen(start, chunk, next);
        let fresh = fresh.get(..wanted).unwrap_or(fresh);
        if self.data.is_empty() && !fresh.is_empty() {
            self.data.reserve_exact(self.length);
        }
        self.data.extend_from_slice(fresh);
    }

    /// Returns whether the window is complete.
    pub(super) fn is_complete(&self) -> bool {
        self.data.len() == self.length
    }

    /// Returns the offset of the first byte after the window.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.length as u64)
    }

    /// Returns the offset of the window in bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the captured data.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the used memory in bytes.
    pub(super) fn held(&self) -> usize {
        self.data.capacity()
    }
}

/// Returns the part of a chunk (which begins at byte `start`) from byte `next` on.
pub(super) fn unseen(start: u64, chunk: &[u8], next: u64) -> &[u8] {
    usize::try_from(next.saturating_sub(start))
        .ok()
        .and_then(|skip| chunk.get(skip..))
        .unwrap_or_default()
}

/// The last bytes of the stream so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail {
    data: Vec<u8>,
}

impl Tail {
    /// The number of bytes kept: three sectors, the footer of a stream-optimised VMDK.
    pub(super) const LENGTH: usize = 1536;

    /// Adds the next chunk. The cost is limited by [`Self::LENGTH`], independent of the chunk's size.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        let fresh = chunk
            .get(chunk.len().saturating_sub(Self::LENGTH)..)
            .unwrap_or_default();
        let excess = (self.data.len() + fresh.len()).saturating_sub(Self::LENGTH);
        self.data.drain(..excess.min(self.data.len()));
        self.data.extend_from_slice(fresh);
    }

    /// Returns the last `length` bytes; fewer if the stream is shorter.
    pub(super) fn last(&self, length: usize) -> &[u8] {
        self.data
            .get(self.data.len().saturating_sub(length)..)
            .unwrap_or_default()
    }

    /// Returns the used memory in bytes.
    pub(super) fn held(&self) -> usize {
        self.data.capacity()
    }
}

/// Returns `N` bytes at `at`, padded with zeros after the end of the data.
fn array<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    data.get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}

macro_rules! numbers {
    ($($name:ident: $type:ty, $from:ident, $what:literal;)*) => {
        $(#[doc = concat!("Returns a ", $what, " at byte `at`; zero after the end of the data.")]
        pub(super) fn $name(data: &[u8], at: usize) -> $type {
            <$type>::$from(array(data, at))
        })*
    };
}

numbers! {
    be_u32: u32, from_be_bytes, "big-endian 32-bit number";
    be_u64: u64, from_be_bytes, "big-endian 64-bit number";
    be_u16: u16, from_be_bytes, "big-endian 16-bit number";
    le_u16: u16, from_le_bytes, "little-endian 16-bit number";
    le_u32: u32, from_le_bytes, "little-endian 32-bit number";
    le_u64: u64, from_le_bytes, "little-endian 64-bit number";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_filled_across_chunks() {
        let stream: Vec<u8> = (0..100).collect();
        for size in 1..40 {
            let mut window = Window::new(13, 22);
            let mut start = 0;
            for chunk in stream.chunks(size) {
                window.push(start, chunk);
                start += chunk.len() as u64;
            }
            assert!(window.is_complete());
            assert_eq!(window.data(), &stream[13..35]);
        }
    }

    #[test]
    fn a_window_never_holds_more_than_its_bound() {
        let mut window = Window::new(0, usize::MAX);
        window.push(0, &vec![0; 200_000]);
        assert_eq!(window.held(), MAX_WINDOW);
    }

    #[test]
    fn the_tail_is_what_came_last() {
        let stream: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for size in [1, 7, 511, 1536, 1537, 4096] {
            let mut tail = Tail::default();
            for chunk in stream.chunks(size) {
                tail.push(chunk);
            }
            assert_eq!(tail.last(Tail::LENGTH), &stream[5000 - 1536..]);
            assert_eq!(tail.last(512), &stream[5000 - 512..]);
        }
    }

    #[test]
    fn numbers_beyond_the_end_are_zero() {
        assert_eq!(be_u32(&[1, 2, 3], 0), 0);
        assert_eq!(le_u64(&[1; 8], usize::MAX), 0);
        assert_eq!(le_u16(&[1, 2], 0), 0x0201);
    }
}
