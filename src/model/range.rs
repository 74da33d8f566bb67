//! Ranges of bytes.

/// A range of data: from the byte `start` to the byte before `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, counted from 0.
    pub start: u64,
    /// The byte after the last one; None: the end of the data. MUST be greater than `start`.
    pub end: Option<u64>,
}

impl ByteRange {
    /// All of the data.
    pub const ALL: Self = Self {
        start: 0,
        end: None,
    };

    /// Returns whether this is all of the data.
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    /// Returns the length of the range in data of `size` bytes; None if it begins at or after the end of
    /// the data. All of the data is never None.
    pub fn length(self, size: u64) -> Option<u64> {
        let end = self.end.map_or(size, |end| end.min(size));
        match end.checked_sub(self.start) {
            Some(0) if !self.is_all() => None,
            length => length,
        }
    }

    /// Returns the value of an HTTP `Range` header for these bytes.
    ///
    /// *Source:* RFC 9110, section 14.1.2.
    pub fn header(self) -> String {
        let last = self.end.map(|end| (end.saturating_sub(1)).to_string());
        format!("bytes={}-{}", self.start, last.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_data_in_the_range() {
        let range = |start, end| ByteRange { start, end };
        for (range, size, length) in [
            (ByteRange::ALL, 0, Some(0)),
            (ByteRange::ALL, 7, Some(7)),
            (range(2, None), 7, Some(5)),
            (range(2, Some(3)), 7, Some(1)),
            (range(2, Some(30)), 7, Some(5)),
            (range(7, None), 7, None),
            (range(8, Some(9)), 7, None),
            (range(0, Some(1)), 0, None),
        ] {
            assert_eq!(range.length(size), length, "{range:?} of {size}");
        }
    }

    #[test]
    fn the_last_byte_of_a_header_is_in_the_range() {
        let range = |start, end| ByteRange { start, end }.header();
        assert_eq!(range(0, None), "bytes=0-");
        assert_eq!(range(5, Some(6)), "bytes=5-5");
    }
}
