//! JSON in the format of Python's `json.dumps`, which the reference implementation stores and prints: ASCII
//! only, with a space after commas and colons, or one item per line.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Number, Value};

/// The layout of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One item per line, as `json.dumps(value, indent=2)`.
    Indented,
    /// All on one line, as `json.dumps(value)`.
    Line,
}

/// Formats a value as `json.dumps(value)` does.
pub fn python(value: &impl Serialize) -> String {
    let mut out = String::new();
    // All values here have strings as keys, so they can be serialized.
    if let Ok(value) = serde_json::to_value(value) {
        write_value(&mut out, &value, Style::Line, 0);
    }
    out
}

/// Appends a value whose first line is already indented by `level`.
pub fn write_value(out: &mut String, value: &Value, style: Style, level: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                write_separator(out, index, style, level + 1);
                write_value(out, item, style, level + 1);
            }
            write_end(out, ']', style, level);
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, item)| (key.as_str(), item));
            write_object(out, fields, style, level);
        }
    }
}

/// Appends an object of these fields.
pub fn write_object<'a>(
    out: &mut String,
    fields: impl Iterator<Item = (&'a str, &'a Value)>,
    style: Style,
    level: usize,
) {
    out.push('{');
    let mut empty = true;
    for (index, (key, item)) in fields.enumerate() {
        empty = false;
        write_separator(out, index, style, level + 1);
        write_text(out, key);
        out.push_str(": ");
        write_value(out, item, style, level + 1);
    }
    if empty {
        out.push('}');
    } else {
        write_end(out, '}', style, level);
    }
}

/// Appends the separator before the item with this index.
pub fn write_separator(out: &mut String, index: usize, style: Style, level: usize) {
    if index > 0 {
        out.push_str(if style == Style::Indented { "," } else { ", " });
    }
    write_break(out, style, level);
}

/// Appends a closing bracket.
pub fn write_end(out: &mut String, bracket: char, style: Style, level: usize) {
    write_break(out, style, level);
    out.push(bracket);
}

fn write_break(out: &mut String, style: Style, level: usize) {
    if style == Style::Indented {
        out.push('\n');
        for _ in 0..level {
            out.push_str("  ");
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let simple = |b: u8| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\';
    if text.bytes().all(simple) {
        out.push_str(text);
    } else {
        for c in text.chars() {
            write_char(out, c);
        }
    }
    out.push('"');
}

fn write_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        ' '..='~' => out.push(c),
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Appends a number: integers in full, floats in the shortest form that reads back.
pub fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(out, float),
        _ => {
            let _ = write!(out, "{number}");
        }
    }
}

/// Appends `repr(float)`: an exponent of at least two digits below 1e-4 and from 1e16 on.
fn write_float(out: &mut String, float: f64) {
    let scientific = format!("{float:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        out.push_str(&scientific);
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        // Display never uses an exponent; Python always writes a fraction.
        let start = out.len();
        let _ = write!(out, "{float}");
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{digits}e{sign}{:02}", exponent.abs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_stored_is_in_one_line() {
        let value = json!({"store": "fast", "x": [1, null, "é\"𝄞\u{7f}"]});
        assert_eq!(
            python(&value),
            r#"{"store": "fast", "x": [1, null, "\u00e9\"\ud834\udd1e\u007f"]}"#
        );
    }

    #[test]
    fn json_is_ascii_and_indented_by_two() {
        let value = json!({"a": [1, "é😀\u{7f}"], "b": {}, "c": [], "d": 1e16});
        let mut out = String::new();
        write_value(&mut out, &value, Style::Indented, 0);
        assert_eq!(
            out,
            "{\n  \"a\": [\n    1,\n    \"\\u00e9\\ud83d\\ude00\\u007f\"\n  ],\n  \"b\": {},\n  \"c\": [],\n  \"d\": 1e+16\n}"
        );
        out.clear();
        write_value(&mut out, &value, Style::Line, 0);
        assert_eq!(
            out,
            "{\"a\": [1, \"\\u00e9\\ud83d\\ude00\\u007f\"], \"b\": {}, \"c\": [], \"d\": 1e+16}"
        );
    }
}
