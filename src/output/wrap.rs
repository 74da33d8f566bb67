//! Wrapping of a line of a cell to the width of a column.
//!
//! *Source:* wcwidth 0.9.4 `wrap` with prettytable's parameters: words, hyphenated words and dashes are
//! split as in Python's `textwrap`, and long words between grapheme clusters, at a hyphen if there is one.

use unicode_segmentation::UnicodeSegmentation;

use super::width::{is_mark, is_python_space, width};

/// Splits `line` into lines of at most `limit` cells, unless a single cluster is wider.
pub(super) fn wrap(line: &str, limit: usize) -> Vec<String> {
    let text = normalize_spaces(line);
    let mut chunks = split_chunks(&text);
    chunks.reverse();
    let mut lines = Vec::new();
    while let Some(first) = chunks.last() {
        if !lines.is_empty() && is_blank(first) {
            chunks.pop();
        }
        let (line, dropped_to_nothing) = fill_line(&mut chunks, limit);
        if !dropped_to_nothing {
            lines.push(line);
        }
    }
    lines
}

/// Moves chunks to one line; returns true if no chunks remain.
fn fill_line(chunks: &mut Vec<&str>, limit: usize) -> (String, bool) {
    let mut line: Vec<&str> = Vec::new();
    let mut taken = 0;
    while let Some(chunk) = chunks.last() {
        let cells = width(chunk);
        if taken + cells > limit {
            break;
        }
        taken += cells;
        line.extend(chunks.pop());
    }
    if let Some(word) = chunks.last_mut()
        && width(word) > limit
    {
        let end = break_word(word, limit.saturating_sub(taken), line.is_empty());
        line.push(&word[..end]);
        *word = &word[end..];
        while chunks.last().is_some_and(|chunk| chunk.is_empty()) {
            chunks.pop();
        }
    }
    if line
        .last()
        .is_some_and(|chunk| !chunk.is_empty() && is_blank(chunk))
    {
        line.pop();
    }
    let mut text = line.concat();
    text.truncate(text.trim_end_matches(is_python_space).len());
    let nothing = text.is_empty();
    (text, nothing)
}

/// Returns the byte position at which to break a word that does not fit on any line, 0 to break before it.
fn break_word(word: &str, room: usize, line_is_empty: bool) -> usize {
    let mut end = 0;
    let mut taken = 0;
    for cluster in word.graphemes(true) {
        taken += width(cluster);
        if taken > room {
            break;
        }
        end += cluster.len();
    }
    let fits = &word[..end];
    if let Some(at) = fits.rfind('-')
        && fits[..at].bytes().any(|b| b != b'-')
    {
        return at + 1;
    }
    if line_is_empty && (end == 0 || (end < word.len() && width(fits) == 0)) {
        return word.graphemes(true).next().map_or(word.len(), str::len);
    }
    end
}

fn is_blank(chunk: &str) -> bool {
    chunk.chars().all(is_python_space)
}

/// Expands tabs, and replaces other ASCII white space by spaces.
fn normalize_spaces(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    expand_tabs(&mut text, line);
    if text.contains(['\n', '\r', '\x0b', '\x0c']) {
        text = text.replace(['\n', '\r', '\x0b', '\x0c'], " ");
    }
    text
}

/// Appends a text with its tabs expanded to every eighth column, as `str.expandtabs` does.
pub(super) fn expand_tabs(out: &mut String, text: &str) {
    if !text.contains('\t') {
        out.push_str(text);
        return;
    }
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let fill = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', fill));
                column += fill;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            _ => {
                out.push(c);
                column += 1;
            }
        }
    }
}

/// Returns whether a character matches Python's `\w`.
fn is_word(c: char) -> bool {
    // Unicode's Alphabetic property includes marks and circled letters; Python's does not.
    c == '_'
        || (c.is_alphanumeric()
            && !is_mark(c)
            && !matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}'))
}

/// Returns whether a word character is not a decimal digit; fractions, circled and raised digits do not
/// count.
fn is_letter(c: char) -> bool {
    let decimal = c.is_numeric()
        && !matches!(
            c,
            '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{bc}'..='\u{be}' | '\u{2070}'..='\u{4dbf}'
        );
    is_word(c) && !decimal
}

fn before_dash(c: char) -> bool {
    is_word(c) || matches!(c, '!' | '"' | '\'' | '&' | '.' | ',' | '?')
}

/// Splits a text into white space, words, parts of hyphenated words, and dashes.
fn split_chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let length = if blanks > 0 {
            blanks
        } else if let Some(dashes) = dash_length(text, start) {
            dashes
        } else {
            word_length(text, start)
        };
        chunks.push(&rest[..length]);
        start += length;
    }
    chunks
}

/// Returns the length of a dash of two or more hyphens between words that begins at `at`.
fn dash_length(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let behind = rest.trim_start_matches('-');
    let length = rest.len() - behind.len();
    let fits = length >= 2
        && text[..at].chars().next_back().is_some_and(before_dash)
        && behind.chars().next().is_some_and(is_word);
    fits.then_some(length)
}

fn word_length(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    // A word can only end before a hyphen or white space, and not before its second character.
    let mut from = rest.chars().next().map_or(0, char::len_utf8);
    while let Some(found) = rest[from..].find([' ', '-']) {
        let at = from + found;
        if rest.as_bytes()[at] == b' ' || dash_length(text, start + at).is_some() {
            return at;
        }
        if is_hyphen_between_letters(&text[..start + at], &rest[at + 1..]) {
            return at + 1;
        }
        from = at + 1;
    }
    rest.len()
}

/// Returns whether a hyphen is between letters: two letters, or a letter after a hyphen, before it; two
/// letters, with or without a hyphen between them, after it.
fn is_hyphen_between_letters(before: &str, after: &str) -> bool {
    let mut back = before.chars().rev();
    let letters_before = match (back.next(), back.next()) {
        (Some(last), Some(second)) if is_letter(last) => {
            is_letter(second) || (second == '-' && back.next().is_some_and(is_letter))
        }
        _ => false,
    };
    let mut ahead = after.chars();
    letters_before
        && ahead.next().is_some_and(is_letter)
        && match ahead.next() {
            Some('-') => ahead.next().is_some_and(is_letter),
            Some(c) => is_letter(c),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_break_as_in_python() {
        assert_eq!(
            split_chunks("Hello there -- you goof-ball, use the -b option!"),
            [
                "Hello", " ", "there", " ", "--", " ", "you", " ", "goof-", "ball,", " ", "use",
                " ", "the", " ", "-b", " ", "option!"
            ]
        );
        assert_eq!(
            split_chunks("well--known e-mail"),
            ["well", "--", "known", " ", "e-mail"]
        );
    }

    #[test]
    fn lines_fit() {
        assert_eq!(wrap("hello world", 5), ["hello", "world"]);
        assert_eq!(wrap("中文字符", 4), ["中文", "字符"]);
        assert_eq!(
            wrap("owner_specified.openstack.object='images/x'", 16),
            ["owner_specified.", "openstack.object", "='images/x'"]
        );
        assert_eq!(
            wrap("3fa85f64-5717-4562-b3fc-2c963f66afa6", 20),
            ["3fa85f64-5717-4562-", "b3fc-2c963f66afa6"]
        );
        assert!(wrap("   ", 2).is_empty());
    }
}
