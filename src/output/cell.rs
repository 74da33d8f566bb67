//! A value of a table or a record, with its two forms: one for users, one for machine-readable formats.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::python;

static NO_ITEMS: Value = Value::Array(Vec::new());
static NO_FIELDS: LazyLock<Value> = LazyLock::new(|| Value::Object(Map::new()));

/// A value and its presentation to users.
///
/// Machine-readable formats (JSON, YAML, CSV, value, shell) always contain the value itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    value: Value,
    look: Look,
}

/// The presentation in the table format.
#[derive(Clone, Debug, PartialEq)]
enum Look {
    /// The value in Python's notation.
    Plain,
    /// `k='v', …`, sorted by key.
    Mapping,
    /// `a, b`, sorted.
    List,
    /// `1.5G`, in powers of 1000.
    Size,
    /// `1.5GB`, in powers of 1024.
    BinarySize,
    /// Another text.
    Text(Box<str>),
}

impl Cell {
    /// Creates a value that tables show in Python's notation.
    pub fn new(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            look: Look::Plain,
        }
    }

    /// Creates the missing value: Python's None.
    pub fn none() -> Self {
        Self::new(Value::Null)
    }

    /// Creates an object that tables show as `k='v', …`, sorted by key.
    ///
    /// *Source:* osc_lib `DictColumn`.
    pub fn mapping(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            look: Look::Mapping,
        }
    }

    /// Creates a list that tables show as `a, b`, sorted.
    ///
    /// *Source:* osc_lib `ListColumn`.
    pub fn list(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            look: Look::List,
        }
    }

    /// Creates a number of bytes that tables show in powers of 1000, such as `1.5G`.
    ///
    /// *Source:* osc_lib `SizeColumn`.
    pub fn size(bytes: Option<u64>) -> Self {
        Self {
            value: bytes.into(),
            look: Look::Size,
        }
    }

    /// Creates a number of bytes that tables show in powers of 1024, such as `1.5GB`.
    ///
    /// *Source:* glanceclient `make_size_human_readable`.
    pub fn binary_size(bytes: Option<u64>) -> Self {
        Self {
            value: bytes.into(),
            look: Look::BinarySize,
        }
    }

    /// Creates a value with another text for tables, such as null and `Not available`.
    pub fn shown(value: impl Into<Value>, text: impl Into<Box<str>>) -> Self {
        Self {
            value: value.into(),
            look: Look::Text(text.into()),
        }
    }

    /// Returns the value itself.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the value for machine-readable formats: empty collections instead of null in columns of
    /// collections.
    pub(super) fn machine_value(&self) -> &Value {
        match (&self.value, &self.look) {
            (Value::Null, Look::Mapping) => &NO_FIELDS,
            (Value::Null, Look::List) => &NO_ITEMS,
            (value, _) => value,
        }
    }

    /// Returns whether cliff treats this as a formattable column, which is always text in CSV.
    pub(super) fn is_formattable(&self) -> bool {
        matches!(self.look, Look::Mapping | Look::List | Look::Size)
    }

    /// Returns the text of a plain string cell, which needs no rendering.
    pub(super) fn as_plain_text(&self) -> Option<&str> {
        match (&self.value, &self.look) {
            (Value::String(text), Look::Plain) => Some(text),
            (_, Look::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns whether tables show the value in Python's notation.
    pub(super) fn is_plain(&self) -> bool {
        self.look == Look::Plain
    }

    /// Returns whether cliff's tables right-align a column that starts with this cell.
    pub(super) fn is_number(&self) -> bool {
        self.look == Look::Plain && self.value.is_number()
    }

    /// Returns whether Python treats the value as false: None, 0, an empty string or collection.
    pub(super) fn is_falsy(&self) -> bool {
        self.look == Look::Plain
            && match &self.value {
                Value::Null => true,
                Value::Bool(value) => !value,
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
            }
    }

    /// Appends the text for tables.
    pub(super) fn write_human(&self, out: &mut String) {
        match (&self.look, &self.value) {
            (Look::Text(text), _) => out.push_str(text),
            (Look::Size, value) => {
                write_size(out, value, 1000.0, &["", "K", "M", "G", "T", "P", "E", "Z"]);
            }
            (Look::BinarySize, value) => {
                write_size(
                    out,
                    value,
                    1024.0,
                    &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB"],
                );
            }
            (Look::Mapping, Value::Object(fields)) => {
                write_mapping(out, fields, &mut String::new());
            }
            (Look::List, Value::Null) => {}
            (Look::List, Value::Array(items)) => write_list(out, items),
            (_, value) => python::write_str(out, value),
        }
    }

    /// Appends `str()` of the machine-readable value.
    pub(super) fn write_machine(&self, out: &mut String) {
        python::write_str(out, self.machine_value());
    }

    /// Compares two values that are not None as Python does; None if Python cannot compare them.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        compare_values(&self.value, &other.value)
    }
}

impl<T: Into<Value>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Appends a size with at most one decimal, and the unit.
fn write_size(out: &mut String, value: &Value, base: f64, units: &[&str]) {
    let mut size = value.as_f64().unwrap_or(0.0);
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    let start = out.len();
    let _ = write!(out, "{size:.1}");
    let digits = out[start..]
        .trim_end_matches('0')
        .trim_end_matches('.')
        .len();
    out.truncate(start + digits);
    out.push_str(units[unit]);
}

/// Appends `k='v', …`; the keys of nested objects are joined with dots.
fn write_mapping(out: &mut String, fields: &Map<String, Value>, prefix: &mut String) {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(key, _)| *key);
    for (index, (key, value)) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        let outer = prefix.len();
        if outer > 0 {
            prefix.push('.');
        }
        prefix.push_str(key);
        match value {
            Value::Object(inner) => write_mapping(out, inner, prefix),
            Value::Null => {
                out.push_str(prefix);
                out.push('=');
            }
            value => {
                out.push_str(prefix);
                out.push_str("='");
                python::write_str(out, value);
                out.push('\'');
            }
        }
        prefix.truncate(outer);
    }
}

fn write_list(out: &mut String, items: &[Value]) {
    let mut texts: Vec<Cow<'_, str>> = items
        .iter()
        .map(|item| match item {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => {
                let mut text = String::new();
                python::write_str(&mut text, other);
                Cow::Owned(text)
            }
        })
        .collect();
    texts.sort_unstable();
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(text);
    }
}

fn compare_values(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Array(left), Value::Array(right)) => {
            for (left, right) in left.iter().zip(right) {
                if left != right {
                    return compare_values(left, right);
                }
            }
            Some(left.len().cmp(&right.len()))
        }
        (Value::Object(_) | Value::Null, _) => (left == right).then_some(Ordering::Equal),
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => float(left)?.partial_cmp(&float(right)?),
        },
    }
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(value) => Some(i128::from(*value)),
        Value::Number(number) => number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from)),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn human(cell: &Cell) -> String {
        let mut out = String::new();
        cell.write_human(&mut out);
        out
    }

    #[test]
    fn mappings_and_lists_are_sorted_for_people_only() {
        let cell =
            Cell::mapping(json!({"b": "x", "a": null, "c": {"z": 1, "e": {}}, "d": [1, "q"]}));
        assert_eq!(human(&cell), "a=, b='x', , c.z='1', d='[1, 'q']'");
        assert_eq!(human(&Cell::mapping(Value::Null)), "None");
        assert_eq!(human(&Cell::list(json!(["b", "a"]))), "a, b");
        assert_eq!(human(&Cell::list(Value::Null)), "");
        assert_eq!(*Cell::list(Value::Null).machine_value(), json!([]));
        assert_eq!(*Cell::mapping(Value::Null).machine_value(), json!({}));
    }

    #[test]
    fn sizes_have_one_decimal_at_most() {
        for (bytes, thousand, binary) in [
            (0, "0", "0B"),
            (999, "999", "999B"),
            (1000, "1K", "1000B"),
            (1024, "1K", "1kB"),
            (1536, "1.5K", "1.5kB"),
            (117_440_512, "117.4M", "112MB"),
            (u64::MAX, "18.4E", "16EB"),
        ] {
            assert_eq!(human(&Cell::size(Some(bytes))), thousand);
            assert_eq!(human(&Cell::binary_size(Some(bytes))), binary);
        }
        assert_eq!(human(&Cell::size(None)), "0");
    }
}
