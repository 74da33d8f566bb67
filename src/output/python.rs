//! Values in Python's notation: `str()`, `repr()` and `repr(float)`.

use std::fmt::Write as _;

use serde_json::Value;

use crate::model::json::write_number;

/// Appends `str(value)`: a string unchanged, everything else as its `repr`.
pub(super) fn write_str(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => out.push_str(text),
        other => write_repr(out, other),
    }
}

/// Appends `repr(value)`.
pub(super) fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text_repr(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (key, item)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_text_repr(out, key);
                out.push_str(": ");
                write_repr(out, item);
            }
            out.push('}');
        }
    }
}

/// Appends a quoted string: in single quotes, unless the string contains only those.
fn write_text_repr(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ if is_printable(c) => out.push(c),
            _ => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Returns whether a character outside ASCII is printable, as Python's `str.isprintable` does.
fn is_printable(c: char) -> bool {
    // The standard library has the same table in `escape_debug`, which treats combining marks differently
    // only at the beginning of a string.
    let mut bytes = [b'a'; 5];
    let length = 1 + c.encode_utf8(&mut bytes[1..]).len();
    std::str::from_utf8(&bytes[..length])
        .is_ok_and(|text| text.escape_debug().nth(1).is_some_and(|first| first == c))
}

/// Appends the names of columns in Python's notation of a tuple of strings, or a list of them.
pub(super) fn write_names<'a>(
    out: &mut String,
    names: impl ExactSizeIterator<Item = &'a str>,
    as_list: bool,
) {
    let count = names.len();
    out.push(if as_list { '[' } else { '(' });
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_text_repr(out, name);
    }
    out.push_str(match (as_list, count) {
        (true, _) => "]",
        (false, 1) => ",)",
        (false, _) => ")",
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn repr(value: &Value) -> String {
        let mut out = String::new();
        write_repr(&mut out, value);
        out
    }

    #[test]
    fn values_look_like_python_literals() {
        let value = json!({"a": [1, true, null, 1.0], "it's": "say \"hi\"", "b": "it's"});
        assert_eq!(
            repr(&value),
            r#"{'a': [1, True, None, 1.0], "it's": 'say "hi"', 'b': "it's"}"#
        );
        assert_eq!(repr(&json!("it's \"both\"")), r#"'it\'s "both"'"#);
        assert_eq!(
            repr(&json!("a\tb\n\\\u{1b}é\u{a0}\u{202e}e\u{301}")),
            r"'a\tb\n\\\x1bé\xa0\u202ee".to_string() + "\u{301}'"
        );
    }

    #[test]
    fn floats_are_the_shortest_that_read_back() {
        for (float, text) in [
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (-0.0, "-0.0"),
            (1e300, "1e+300"),
            (123_456_789.125, "123456789.125"),
        ] {
            assert_eq!(repr(&json!(float)), text);
        }
    }
}
