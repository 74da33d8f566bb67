//! The width of texts in terminal cells, and the characters that must not be sent to a terminal.
//!
//! *Source:* wcwidth 0.9.4 `width`, which prettytable uses. Single characters are measured by the
//! `unicode-width` crate and tables of the differences; clusters follow wcwidth's rules.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::width_tables::{ALSO_ONE, ALSO_ZERO, PICTOGRAPHS, SPACING_MARKS, VIRAMAS};

/// The number of characters above which texts are measured without their control characters.
const SHORT: usize = 20;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// Wide characters that a text-style selector narrows, in addition to those of `unicode-width`.
const ALSO_NARROWED: [char; 8] = [
    '\u{3030}',
    '\u{303d}',
    '\u{3297}',
    '\u{3299}',
    '\u{1f202}',
    '\u{1f21a}',
    '\u{1f22f}',
    '\u{1f237}',
];

/// Returns whether every byte is a printable ASCII character, so that width and length are equal.
pub(super) fn is_plain(text: &str) -> bool {
    // Whole blocks without an early exit, which the compiler vectorizes.
    text.as_bytes().chunks(32).all(|block| {
        block
            .iter()
            .fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte))
    })
}

/// Returns the width in cells of one line of text.
pub(super) fn width(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    let controls = text.chars().any(char::is_control);
    let mut meter = WidthCounter::default();
    if !controls {
        text.chars().for_each(|c| meter.push(c));
    } else if text.chars().nth(SHORT).is_some() && !moves_sideways(text) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let length = if c == '\x1b' {
                sequence_length(rest)
            } else {
                None
            };
            if length.is_none() && !c.is_control() {
                meter.push(c);
            }
            rest = &rest[length.unwrap_or(c.len_utf8())..];
        }
    } else {
        meter.push_controlled(text);
    }
    meter.finish()
}

/// Escapes control characters and bidirectional overrides, such as `\x1b`.
///
/// Newlines and tabs are kept for the layout.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if is_plain(text) || !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if !is_dangerous(c) {
            safe.push(c);
        } else if u32::from(c) < 0x100 {
            let _ = write!(safe, "\\x{:02x}", u32::from(c));
        } else {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        }
    }
    Cow::Owned(safe)
}

fn is_dangerous(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    }
}

/// Returns whether Python's `str.isspace` is true for a character.
pub(super) fn is_python_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

fn within(table: &[(u32, u32)], c: char) -> bool {
    let code = u32::from(c);
    let at = table.partition_point(|range| range.1 < code);
    table.get(at).is_some_and(|range| range.0 <= code)
}

fn is_regional_indicator(c: char) -> bool {
    ('\u{1f1e6}'..='\u{1f1ff}').contains(&c)
}

/// Returns the width in cells of a single character, according to wcwidth.
pub(super) fn char_width(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        _ if is_regional_indicator(c) => 2,
        _ if within(SPACING_MARKS, c) || within(ALSO_ZERO, c) => 0,
        _ if within(ALSO_ONE, c) => 1,
        _ => c.width().unwrap_or(0),
    }
}

/// Returns whether a combining mark is outside of Unicode's letter categories.
pub(super) fn is_mark(c: char) -> bool {
    !c.is_ascii()
        && char_width(c) == 0
        && !matches!(c, '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}')
}

/// Returns the width of a character that is followed by a presentation selector.
fn styled_width(base: char, selector: char) -> usize {
    let mut bytes = [0; 8];
    let length = base.encode_utf8(&mut bytes).len();
    let end = length + selector.encode_utf8(&mut bytes[length..]).len();
    std::str::from_utf8(&bytes[..end]).map_or(0, UnicodeWidthStr::width)
}

fn narrows(base: char) -> bool {
    ALSO_NARROWED.contains(&base)
        || (base.width() == Some(2) && styled_width(base, TEXT_STYLE) == 1)
}

fn widens(base: char) -> bool {
    char_width(base) == 1 && styled_width(base, EMOJI_STYLE) == 2
}

/// Returns the length in bytes of the terminal sequence at the beginning of the text, if it is complete.
fn sequence_length(text: &str) -> Option<usize> {
    let second = *text.as_bytes().get(1)?;
    long_sequence_length(text, second).or_else(|| matches!(second, 0x30..=0x7e).then_some(2))
}

fn long_sequence_length(text: &str, second: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    match second {
        b'[' => {
            let mut at = 2;
            while bytes.get(at).is_some_and(|b| (0x30..=0x3f).contains(b)) {
                at += 1;
            }
            while bytes.get(at).is_some_and(|b| (0x20..=0x2f).contains(b)) {
                at += 1;
            }
            bytes
                .get(at)
                .is_some_and(|b| (0x40..=0x7e).contains(b))
                .then_some(at + 1)
        }
        b']' | b'_' | b'P' | b'^' => {
            let at = 2 + bytes[2..].iter().position(|b| matches!(b, 0x07 | 0x1b))?;
            match (bytes[at], bytes.get(at + 1)) {
                (0x07, _) => Some(at + 1),
                (_, Some(b'\\')) => Some(at + 2),
                _ => None,
            }
        }
        b'(' | b')' => text[2..].chars().next().map(|c| 2 + c.len_utf8()),
        0x20..=0x2f => {
            let at = 1 + bytes[1..].iter().position(|b| !(0x20..=0x2f).contains(b))?;
            (0x30..=0x7e).contains(&bytes[at]).then_some(at + 1)
        }
        0x30..=0x7e => Some(2),
        _ => None,
    }
    .or_else(|| {
        bytes
            .get(1)
            .is_some_and(|b| (0x40..=0x5f).contains(b))
            .then_some(2)
    })
}

/// Returns the number and the final letter C, D or G of a CSI sequence that moves the column.
fn horizontal_move(sequence: &str) -> Option<(Option<usize>, u8)> {
    let inner = sequence.strip_prefix("\x1b[")?;
    let last = *inner.as_bytes().last()?;
    let digits = &inner[..inner.len() - 1];
    if !matches!(last, b'C' | b'D' | b'G') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((digits.parse().ok(), last))
}

fn moves_sideways(text: &str) -> bool {
    text.contains(['\x08', '\t', '\r'])
        || text.match_indices('\x1b').any(|(at, _)| {
            let rest = &text[at..];
            sequence_length(rest).is_some_and(|length| horizontal_move(&rest[..length]).is_some())
        })
}

/// Adds up the widths of clusters: a base character and its combining characters.
#[derive(Default)]
struct WidthCounter {
    column: isize,
    farthest: isize,
    /// The width in cells of the current cluster.
    cluster: isize,
    /// Whether a selector or a spacing mark may still change the base.
    open_base: bool,
    base: Option<char>,
    base_width: usize,
    after_virama: bool,
    /// Whether the previous character was a joiner, so that the next one has no width.
    joined: bool,
    /// The number of regional indicators directly before.
    indicators: usize,
}

impl WidthCounter {
    fn push(&mut self, c: char) {
        let indicators = self.indicators;
        self.indicators = if is_regional_indicator(c) {
            indicators + 1
        } else {
            0
        };
        if std::mem::take(&mut self.joined) {
            return;
        }
        match c {
            ZERO_WIDTH_JOINER => {
                if !self.after_virama {
                    self.joined = true;
                }
                return;
            }
            EMOJI_STYLE if self.open_base => {
                if self.base.is_some_and(widens) {
                    self.cluster = 2;
                }
                self.open_base = false;
                return;
            }
            TEXT_STYLE if self.open_base => {
                if self.base_width == 2 && self.base.is_some_and(narrows) {
                    self.column -= 1;
                }
                self.open_base = false;
                return;
            }
            _ if self.indicators > 0 && indicators % 2 == 1 => {
                self.base = Some(c);
                return;
            }
            '\u{1f3fb}'..='\u{1f3ff}' if self.base.is_some_and(|b| within(PICTOGRAPHS, b)) => {
                return;
            }
            _ => {}
        }
        let cells = char_width(c);
        if cells > 0 {
            if self.after_virama {
                self.cluster = 2;
            } else {
                self.close_cluster();
                self.cluster = cells.cast_signed();
            }
            (self.open_base, self.base, self.base_width) = (true, Some(c), cells);
            self.after_virama = false;
        } else if within(VIRAMAS, c) {
            self.after_virama = true;
        } else {
            if self.open_base && within(SPACING_MARKS, c) {
                self.cluster = 2;
                self.open_base = false;
            }
            self.after_virama = false;
        }
    }

    /// Measures a short text in which control characters move the cursor.
    fn push_controlled(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let mut length = c.len_utf8();
            if self.joined || !c.is_control() {
                // A joiner may be followed by a control character, which then has no effect.
                if self.joined && c.is_control() {
                    (self.joined, self.indicators) = (false, 0);
                } else {
                    self.push(c);
                }
                rest = &rest[length..];
                continue;
            }
            self.close_cluster();
            (self.open_base, self.base, self.indicators) = (false, None, 0);
            match c {
                '\x1b' => {
                    length = sequence_length(rest).unwrap_or(1);
                    match horizontal_move(&rest[..length]) {
                        Some((n, b'C')) => self.column += n.unwrap_or(1).cast_signed(),
                        Some((n, b'D')) => {
                            self.column = (self.column - n.unwrap_or(1).cast_signed()).max(0);
                        }
                        Some((n, _)) => self.column = n.unwrap_or(1).cast_signed() - 1,
                        None => {}
                    }
                }
                '\t' => self.column += 8 - self.column % 8,
                '\x08' => self.column = (self.column - 1).max(0),
                '\r' => self.column = 0,
                _ => {}
            }
            self.farthest = self.farthest.max(self.column);
            rest = &rest[length..];
        }
    }

    fn close_cluster(&mut self) {
        self.column += std::mem::take(&mut self.cluster);
        self.farthest = self.farthest.max(self.column);
    }

    fn finish(mut self) -> usize {
        self.close_cluster();
        usize::try_from(self.farthest).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_wcwidth() {
        for (text, cells) in [
            ("", 0),
            ("plain", 5),
            ("crème 図 ß", 10),
            ("e\u{301}", 1),
            ("コンニチハ", 10),
            ("👨\u{200d}👩\u{200d}👧", 2),
            ("🇩🇪🇫🇷", 4),
            ("👍🏽", 2),
            ("☎\u{fe0f}", 2),
            ("⌚\u{fe0e}", 1),
            ("क्षि", 2),
            ("नि", 2),
            ("\u{ad}", 1),
            ("\x1b[31mred\x1b[0m", 3),
            ("123\x084", 3),
        ] {
            assert_eq!(width(text), cells, "{text:?}");
        }
    }

    #[test]
    fn controls_and_overrides_are_written_out() {
        assert_eq!(
            escape_controls("a\x1b[2J\x7f\u{9b}\u{202e}b\n\t"),
            "a\\x1b[2J\\x7f\\x9b\\u202eb\n\t"
        );
        assert!(matches!(escape_controls("crème"), Cow::Borrowed(_)));
    }
}
