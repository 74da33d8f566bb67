//! Values as Python writes them, which rules compare.

use std::fmt::Write;

use serde_json::Value;

/// Returns a value as Python's `str` writes it: `None`, `True`, `['a', 'b']`.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut text = String::new();
            write(&mut text, other);
            text
        }
    }
}

/// Appends a value as Python's `repr` writes it.
fn write(to: &mut String, value: &Value) {
    match value {
        Value::Null => to.push_str("None"),
        Value::Bool(true) => to.push_str("True"),
        Value::Bool(false) => to.push_str("False"),
        Value::Number(number) => {
            let _ = write!(to, "{number}");
        }
        Value::String(text) => quote(to, text),
        Value::Array(items) => {
            to.push('[');
            for (place, item) in items.iter().enumerate() {
                to.push_str(if place == 0 { "" } else { ", " });
                write(to, item);
            }
            to.push(']');
        }
        Value::Object(map) => {
            to.push('{');
            for (place, (key, item)) in map.iter().enumerate() {
                to.push_str(if place == 0 { "" } else { ", " });
                quote(to, key);
                to.push_str(": ");
                write(to, item);
            }
            to.push('}');
        }
    }
}

/// Appends a text in single quotes, or in double ones if only single ones are in it.
fn quote(to: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    to.push(quote);
    for character in text.chars() {
        match character {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            one if one == quote => {
                to.push('\\');
                to.push(one);
            }
            one => to.push(one),
        }
    }
    to.push(quote);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_in_python() {
        for (value, text) in [
            (json!("a"), "a"),
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1), "1"),
            (json!(1.5), "1.5"),
            (json!(["a", 1, null, false]), "['a', 1, None, False]"),
            (json!({"a": ["it's"]}), "{'a': [\"it's\"]}"),
            (json!([]), "[]"),
        ] {
            assert_eq!(text_of(&value), text);
        }
    }
}
