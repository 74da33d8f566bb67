//! YAML in the format of PyYAML's `safe_dump(default_flow_style=False)`.
//!
//! Block style, sorted keys, ASCII only, lines folded at spaces after column 80, and quotes around strings
//! that could be parsed as another type. No crate produces the same text (serde_yaml_ng neither folds nor
//! escapes, and quotes other words), so this is a separate emitter.

use std::fmt::Write as _;

use serde_json::Value;

use crate::model::json::write_number;

/// The column after which lines are folded at the next space.
const BEST_WIDTH: usize = 80;

/// The length (with PyYAML's tag, `!!str`) from which a key has its own line after a question mark.
const LONG_KEY: usize = 128 - "!!str".len();

/// Appends a list with one item, so that lists of items can be concatenated.
pub(super) fn write_item<'a>(out: &mut String, fields: &mut Vec<(&'a str, &'a Value)>) {
    Emitter::new(out).item(fields);
}

/// Appends a separate document with one key.
pub(super) fn write_field(out: &mut String, name: &str, value: &Value) {
    let mut emitter = Emitter::new(out);
    emitter.mapping(&mut vec![(name, value)], None);
    emitter.out.push('\n');
}

/// The allowed styles of a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Plain,
    Single,
    Double,
}

struct Emitter<'o> {
    out: &'o mut String,
    column: usize,
    /// Whether the last character was a space, so that an indicator may follow.
    whitespace: bool,
    /// Whether this line contains only indentation and indicators so far.
    indentation: bool,
}

impl<'o> Emitter<'o> {
    fn new(out: &'o mut String) -> Self {
        Self {
            out,
            column: 0,
            whitespace: true,
            indentation: true,
        }
    }

    fn item<'a>(&mut self, fields: &mut Vec<(&'a str, &'a Value)>) {
        self.indicator("-", true, true);
        if fields.is_empty() {
            self.indicator("{}", true, false);
        } else {
            self.mapping(fields, Some(0));
        }
        self.out.push('\n');
    }

    /// Writes a node. `indent` is the indentation of the surrounding collection; None at the root.
    fn node(&mut self, value: &Value, indent: Option<usize>, in_mapping: bool) {
        let scalar_indent = indent.map_or(2, |i| i + 2);
        match value {
            Value::Null => self.plain("null", scalar_indent, true),
            Value::Bool(true) => self.plain("true", scalar_indent, true),
            Value::Bool(false) => self.plain("false", scalar_indent, true),
            Value::Number(number) => {
                let mut text = String::new();
                write_number(&mut text, number);
                if number.is_f64() && !text.contains('.') {
                    text = text.replacen('e', ".0e", 1);
                }
                self.plain(&text, scalar_indent, true);
            }
            Value::String(text) => self.text(text, scalar_indent, false),
            Value::Array(items) if items.is_empty() => self.indicator("[]", true, false),
            Value::Array(items) => {
                let own = match indent {
                    None => 0,
                    Some(i) if in_mapping && !self.indentation => i,
                    Some(i) => i + 2,
                };
                for item in items {
                    self.indent(own);
                    self.indicator("-", true, true);
                    self.node(item, Some(own), false);
                }
            }
            Value::Object(fields) if fields.is_empty() => self.indicator("{}", true, false),
            Value::Object(fields) => {
                let mut fields = fields
                    .iter()
                    .map(|(key, value)| (key.as_str(), value))
                    .collect();
                self.mapping(&mut fields, indent);
            }
        }
    }

    fn mapping<'a>(&mut self, fields: &mut Vec<(&'a str, &'a Value)>, indent: Option<usize>) {
        let own = indent.map_or(0, |i| i + 2);
        fields.sort_by_key(|(key, _)| *key);
        for (key, value) in fields {
            self.indent(own);
            let simple = !key.is_empty()
                && !key.contains(is_break)
                && (key.len() < LONG_KEY || key.chars().count() < LONG_KEY);
            if simple {
                self.text(key, own + 2, true);
                self.indicator(":", false, false);
            } else {
                self.indicator("?", true, true);
                self.text(key, own + 2, false);
                self.indent(own);
                self.indicator(":", true, true);
            }
            self.node(value, Some(own), true);
        }
    }

    fn text(&mut self, text: &str, indent: usize, is_key: bool) {
        match choose_quotes(text, is_key) {
            Quotes::Plain => self.plain(text, indent, !is_key),
            Quotes::Single => self.single_quoted(text, indent, !is_key),
            Quotes::Double => self.double_quoted(text, indent, !is_key),
        }
    }

    fn indicator(&mut self, indicator: &str, spaced: bool, indentation: bool) {
        if spaced && !self.whitespace {
            self.push(" ");
        }
        self.push(indicator);
        self.whitespace = false;
        self.indentation &= indentation;
    }

    /// Writes ASCII, or counts the characters of other text.
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.len();
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
        (self.whitespace, self.indentation) = (true, true);
    }

    fn indent(&mut self, indent: usize) {
        if !self.indentation || self.column > indent || (self.column == indent && !self.whitespace)
        {
            self.line_break();
        }
        while self.column < indent {
            self.push(" ");
            self.whitespace = true;
        }
    }

    /// Writes a string without line breaks that needs no quotes.
    fn plain(&mut self, text: &str, indent: usize, fold: bool) {
        if !self.whitespace {
            self.push(" ");
        }
        self.words(text, indent, fold);
        (self.whitespace, self.indentation) = (false, false);
    }

    /// Writes one line of words; a single space between two of them may become a fold.
    fn words(&mut self, text: &str, indent: usize, fold: bool) {
        if self.column + text.len() <= BEST_WIDTH {
            self.push(text);
            return;
        }
        let mut rest = text;
        while let Some(at) = rest.find(' ') {
            self.push(&rest[..at]);
            let next = rest[at..].trim_start_matches(' ');
            let spaces = rest.len() - at - next.len();
            let leading = at == 0 && rest.len() == text.len();
            let inner = !leading && !next.is_empty();
            if spaces == 1 && inner && fold && self.column > BEST_WIDTH {
                self.indent_fold(indent);
            } else {
                self.push(&rest[at..at + spaces]);
            }
            rest = next;
        }
        self.push(rest);
    }

    fn indent_fold(&mut self, indent: usize) {
        self.indentation = false;
        self.indent(indent);
        (self.whitespace, self.indentation) = (false, false);
    }

    fn single_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("'", true, false);
        let text = text.replace('\'', "''");
        let mut rest = text.as_str();
        while let Some(at) = rest.find('\n') {
            self.words(&rest[..at], indent, fold);
            let next = rest[at..].trim_start_matches('\n');
            // One line break more than the string has, because a single one would be parsed as a space.
            self.line_break();
            for _ in 0..rest.len() - at - next.len() {
                self.line_break();
            }
            self.indent(indent);
            rest = next;
        }
        self.words(rest, indent, fold);
        self.indicator("'", false, false);
    }

    fn double_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("\"", true, false);
        let count = text.chars().count();
        // Text that needs no escape but has not been written yet.
        let mut pending = String::new();
        let mut chars = text.chars().peekable();
        let mut index = 0;
        while let Some(c) = chars.next() {
            let foldable = fold && 0 < index && index + 1 < count;
            if matches!(c, ' '..='~') && c != '"' && c != '\\' {
                let at_fold = c == ' ' || pending.is_empty();
                if foldable && at_fold && self.column + pending.len() > BEST_WIDTH {
                    self.push(&pending);
                    pending.clear();
                    self.fold_quoted(indent, Some(c));
                }
                pending.push(c);
            } else {
                self.push(&pending);
                pending.clear();
                self.escape(c);
                if foldable && self.column > BEST_WIDTH + 1 {
                    self.fold_quoted(indent, chars.peek().copied());
                }
            }
            index += 1;
        }
        self.push(&pending);
        self.indicator("\"", false, false);
    }

    fn fold_quoted(&mut self, indent: usize, next: Option<char>) {
        self.push("\\");
        self.indent_fold(indent);
        if next == Some(' ') {
            self.push("\\");
        }
    }

    fn escape(&mut self, c: char) {
        let short = match c {
            '\0' => '0',
            '\x07' => 'a',
            '\x08' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\x0b' => 'v',
            '\x0c' => 'f',
            '\r' => 'r',
            '\x1b' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let start = self.out.len();
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(self.out, "\\x{code:02X}"),
                    0x100..=0xffff => write!(self.out, "\\u{code:04X}"),
                    _ => write!(self.out, "\\U{code:08X}"),
                };
                self.column += self.out.len() - start;
                return;
            }
        };
        self.out.push('\\');
        self.out.push(short);
        self.column += 2;
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    matches!(c, '\0' | ' ' | '\t' | '\r') || is_break(c)
}

fn choose_quotes(text: &str, is_key: bool) -> Quotes {
    if text.is_empty() {
        return Quotes::Single;
    }
    if !text
        .bytes()
        .all(|b| b == b'\n' || (0x20..0x7f).contains(&b))
    {
        return Quotes::Double;
    }
    let multiline = text.contains('\n');
    if multiline && (is_key || text.contains(" \n")) {
        return Quotes::Double;
    }
    if text.contains("\n ") {
        return Quotes::Double;
    }
    if multiline || text.starts_with(' ') || text.ends_with(' ') {
        return Quotes::Single;
    }
    if has_indicators(text) || is_other_type(text) {
        Quotes::Single
    } else {
        Quotes::Plain
    }
}

/// Returns whether a string contains characters with a meaning in YAML at their position.
fn has_indicators(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let bytes = text.as_bytes();
    let blank_at = |at: usize| bytes.get(at).is_none_or(|b| is_blank(char::from(*b)));
    match bytes[0] {
        b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
        | b'"' | b'%' | b'@' | b'`' => return true,
        b'?' | b':' | b'-' if blank_at(1) => return true,
        _ => {}
    }
    bytes.iter().enumerate().skip(1).any(|(at, b)| match b {
        b':' => blank_at(at + 1),
        b'#' => blank_at(at - 1),
        _ => false,
    })
}

/// Returns whether YAML 1.1 parses a plain string as a boolean, number, null, time or another type.
fn is_other_type(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {
            is_integer(text) || is_float(text) || is_timestamp(text)
        }
        _ => matches!(
            text,
            "yes"
                | "Yes"
                | "YES"
                | "no"
                | "No"
                | "NO"
                | "true"
                | "True"
                | "TRUE"
                | "false"
                | "False"
                | "FALSE"
                | "on"
                | "On"
                | "ON"
                | "off"
                | "Off"
                | "OFF"
                | "~"
                | "null"
                | "Null"
                | "NULL"
                | "<<"
                | "="
        ),
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn all_in(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

fn digits_from(text: &str, first: impl Fn(u8) -> bool) -> bool {
    text.bytes().next().is_some_and(first) && text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// Returns whether the parts are minutes and seconds after hours: `:[0-5]?[0-9]`, at least once.
fn is_base_sixty(parts: std::str::Split<'_, char>) -> bool {
    let mut any = false;
    for part in parts {
        any = true;
        let ok = match part.as_bytes() {
            [one] => one.is_ascii_digit(),
            [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
            _ => false,
        };
        if !ok {
            return false;
        }
    }
    any
}

fn is_integer(text: &str) -> bool {
    let text = unsigned(text);
    if text == "0" {
        return true;
    }
    if let Some(rest) = text.strip_prefix('0') {
        return rest
            .strip_prefix('b')
            .is_some_and(|r| all_in(r, |b| matches!(b, b'0' | b'1' | b'_')))
            || rest
                .strip_prefix('x')
                .is_some_and(|r| all_in(r, |b| b.is_ascii_hexdigit() || b == b'_'))
            || all_in(rest, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    let mut parts = text.split(':');
    let whole = parts.next().unwrap_or_default();
    digits_from(whole, |b| matches!(b, b'1'..=b'9'))
        && (whole.len() == text.len() || is_base_sixty(parts))
}

fn is_float(text: &str) -> bool {
    let bare = unsigned(text);
    if matches!(bare, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, fraction)) = bare.split_once('.') else {
        return false;
    };
    let (fraction, exponent) = match fraction.find(['e', 'E']) {
        Some(at) => (&fraction[..at], Some(&fraction[at + 1..])),
        None => (fraction, None),
    };
    let exponent_fits = exponent.is_none_or(|e| {
        e.strip_prefix(['+', '-'])
            .is_some_and(|digits| all_in(digits, |b| b.is_ascii_digit()))
    });
    let fraction_fits = fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if whole.is_empty() {
        return bare.len() == text.len()
            && exponent_fits
            && digits_from(fraction, |b| b.is_ascii_digit());
    }
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let based = first.len() != whole.len();
    digits_from(first, |b| b.is_ascii_digit())
        && fraction_fits
        && if based {
            exponent.is_none() && is_base_sixty(parts)
        } else {
            exponent_fits
        }
}

/// Removes between `least` and `most` digits from the beginning, and returns the rest.
fn take_digits(text: &str, least: usize, most: usize) -> Option<&str> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    (count >= least).then(|| &text[count..])
}

fn is_timestamp(text: &str) -> bool {
    is_date(text) || is_date_and_time(text).is_some()
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, b)| match at {
            4 | 7 => *b == b'-',
            _ => b.is_ascii_digit(),
        })
}

fn is_date_and_time(text: &str) -> Option<()> {
    let rest = take_digits(text, 4, 4)?.strip_prefix('-')?;
    let rest = take_digits(rest, 1, 2)?.strip_prefix('-')?;
    let rest = take_digits(rest, 1, 2)?;
    let rest = rest.strip_prefix(['T', 't']).or_else(|| {
        rest.starts_with([' ', '\t'])
            .then(|| rest.trim_start_matches([' ', '\t']))
    })?;
    let rest = take_digits(rest, 1, 2)?.strip_prefix(':')?;
    let rest = take_digits(rest, 2, 2)?.strip_prefix(':')?;
    let mut rest = take_digits(rest, 2, 2)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    if rest.is_empty() {
        return Some(());
    }
    let zone = rest.trim_start_matches([' ', '\t']);
    if zone == "Z" {
        return Some(());
    }
    let rest = take_digits(zone.strip_prefix(['+', '-'])?, 1, 2)?;
    if rest.is_empty() {
        return Some(());
    }
    take_digits(rest.strip_prefix(':')?, 2, 2)?
        .is_empty()
        .then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(value: &Value) -> String {
        let mut out = String::new();
        write_field(&mut out, "k", value);
        out
    }

    #[test]
    fn texts_are_quoted_where_pyyaml_quotes_them() {
        for (text, yaml) in [
            ("plain text", "k: plain text\n"),
            ("", "k: ''\n"),
            ("123", "k: '123'\n"),
            ("1_000.5e+3", "k: '1_000.5e+3'\n"),
            ("1:30", "k: '1:30'\n"),
            ("0x1F", "k: '0x1F'\n"),
            ("yes", "k: 'yes'\n"),
            ("y", "k: y\n"),
            ("null", "k: 'null'\n"),
            ("2026-11-21T10:00:00Z", "k: '2026-11-21T10:00:00Z'\n"),
            ("2026-11-21", "k: '2026-11-21'\n"),
            ("a: b", "k: 'a: b'\n"),
            ("a:b #c", "k: 'a:b #c'\n"),
            ("it's", "k: it's\n"),
            ("- it's", "k: '- it''s'\n"),
            ("two\nlines", "k: 'two\n\n  lines'\n"),
            ("crème\t😀", "k: \"cr\\xE8me\\t\\U0001F600\"\n"),
        ] {
            assert_eq!(field(&json!(text)), yaml, "{text:?}");
        }
    }

    #[test]
    fn collections_are_blocks_with_sorted_keys() {
        let value = json!({"b": [1, [2, 3], {"y": null, "x": true}], "a": {}, "c": [], "d": 1e17});
        assert_eq!(
            field(&value),
            "k:\n  a: {}\n  b:\n  - 1\n  - - 2\n    - 3\n  - x: true\n    y: null\n  c: []\n  d: 1.0e+17\n"
        );
    }

    #[test]
    fn long_lines_fold_behind_column_80() {
        let words = "word ".repeat(30);
        let text = field(&json!(words.trim_end()));
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("  word"))
        );
    }
}
