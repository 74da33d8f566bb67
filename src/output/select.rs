//! Selection of columns, and sorting of rows.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Options, Row, SortDirection, python};
use crate::error::{Error, Result};

/// Returns whether two names select the same column.
pub fn is_same_name(a: &str, b: &str) -> bool {
    normalize(a) == normalize(b)
}

/// Returns a column's name in the form that cliff compares.
fn normalize(name: &str) -> String {
    name.to_lowercase().trim().replace(' ', "_")
}

/// Returns for each name whether it is selected; None if all are.
///
/// # Errors
/// Failed: no selected name is known. *Source:* cliff `_generate_columns_and_selector`.
pub(super) fn wanted<'a>(
    names: impl ExactSizeIterator<Item = &'a str> + Clone,
    options: &Options,
    names_are_list: bool,
) -> Result<Option<Vec<bool>>> {
    if options.columns.is_empty() {
        return Ok(None);
    }
    let requested: Vec<String> = options.columns.iter().map(|name| normalize(name)).collect();
    let selector: Vec<bool> = names
        .clone()
        .map(|name| requested.contains(&normalize(name)))
        .collect();
    if selector.contains(&true) {
        return Ok(Some(selector));
    }
    let mut message = String::from("No recognized column names in ");
    let requested = options.columns.iter().map(String::as_str);
    python::write_names(&mut message, requested, true);
    message.push_str(". Recognized columns are ");
    python::write_names(&mut message, names, names_are_list);
    message.push('.');
    let error = Error::failed(message);
    Err(match &options.columns_origin {
        Some(origin) => error.hint(format!("{origin} selects the columns.")),
        None => error,
    })
}

/// Keeps the selected items.
pub(super) fn keep<T>(items: &mut Vec<T>, selector: Option<&[bool]>) {
    if let Some(selector) = selector {
        let mut wanted = selector.iter();
        items.retain(|_| wanted.next() == Some(&true));
    }
}

/// Sorts by the selected columns, the last one first so that the first one is the most significant.
///
/// A column with values that Python cannot compare is ignored and added to `warnings`.
pub(super) fn sort(
    rows: &mut Vec<Row>,
    names: &[String],
    options: &Options,
    warnings: &mut Vec<String>,
) {
    for wanted in options.sort_columns.iter().rev() {
        let exact = names.iter().position(|name| name == wanted);
        let normal = normalize(wanted);
        let found = exact.or_else(|| names.iter().position(|name| normalize(name) == normal));
        let Some(column) = found else { continue };
        let mut comparable = true;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|left, right| {
            let (left, right) = match options.sort_direction {
                SortDirection::Ascending => (&rows[*left], &rows[*right]),
                SortDirection::Descending => (&rows[*right], &rows[*left]),
            };
            compare(left, right, column).unwrap_or_else(|| {
                comparable = false;
                Ordering::Equal
            })
        });
        if comparable {
            let mut taken: Vec<Option<Row>> = rows.drain(..).map(Some).collect();
            rows.extend(order.into_iter().filter_map(|index| taken[index].take()));
        } else {
            let mut warning = String::new();
            let _ = write!(
                warning,
                "Could not sort on field '{}'; unsortable types",
                names[column]
            );
            warnings.push(warning);
        }
    }
}

/// Compares cells; None is greater than everything else.
fn compare(left: &Row, right: &Row, column: usize) -> Option<Ordering> {
    let (Some(left), Some(right)) = (left.get(column), right.get(column)) else {
        return Some(Ordering::Equal);
    };
    match (left.is_none(), right.is_none()) {
        (false, false) => left.compare(right),
        (left, right) => Some(left.cmp(&right)),
    }
}

impl super::Cell {
    /// Returns whether Python's value would be None itself, not a column around it.
    fn is_none(&self) -> bool {
        *self.value() == Value::Null && !self.is_formattable()
    }
}
