//! Formatting of results.
//!
//! A command passes a [`View`] to [`print()`], once. The two [`Dialect`]s select the style of tables. Every
//! character equals the output of python-glanceclient 4.13 (prettytable 3.18) or python-openstackclient
//! 10.5 (cliff 4.17, PyYAML 6.0), with two exceptions: control characters are escaped on a terminal, and
//! characters that a shell would expand are escaped in the shell format.
//!
//! Lists are streamed. All formats except the table write each chunk of rows as it arrives. The table needs
//! the widths of all rows first and stores rendered texts in a temporary file (see `table`). Only
//! `--sort-column` keeps a whole list in memory.

mod cell;
mod csv;
mod list;
mod look;
mod python;
mod record;
mod select;
mod shell;
mod spool;
mod standard;
mod table;
mod width;
mod width_tables;
mod wrap;
mod yaml;

use std::fmt;
use std::io::{BufWriter, Write};
use std::pin::Pin;

use futures_core::Stream;
use futures_util::stream;

pub use cell::Cell;
pub use select::is_same_name;
pub use standard::{StandardOutput, is_null, was_closed};
pub use width::escape_controls;

use crate::error::{Error, Result};
use crate::model::json;

/// The result of a command, before formatting.
#[derive(Debug)]
pub enum View<'a> {
    /// Nothing to print.
    Nothing,
    /// A text; a missing newline at its end is added.
    Text(String),
    /// Lines that begin with a status, which may be colored.
    Report(Vec<(&'static str, String)>),
    /// A record of one resource.
    Record(Record),
    /// A list.
    Table(Table<'a>),
}

/// A record of one resource: names and values, in order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    fields: Vec<(String, Cell)>,
}

impl Record {
    /// Creates a record without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a field.
    pub fn push(&mut self, name: impl Into<String>, cell: impl Into<Cell>) {
        self.fields.push((name.into(), cell.into()));
    }

    /// Returns the fields in order.
    pub fn fields(&self) -> &[(String, Cell)] {
        &self.fields
    }
}

impl FromIterator<(String, Cell)> for Record {
    fn from_iter<I: IntoIterator<Item = (String, Cell)>>(fields: I) -> Self {
        Self {
            fields: fields.into_iter().collect(),
        }
    }
}

/// The cells of one row, one for each column.
pub type Row = Vec<Cell>;

/// Rows in chunks as they arrive, such as pages.
pub type Rows<'a> = Pin<Box<dyn Stream<Item = Result<Vec<Row>>> + Send + 'a>>;

/// A list with a row for each resource.
pub struct Table<'a> {
    columns: Vec<Column>,
    rows: Rows<'a>,
    blanks_falsy: bool,
    names_are_list: bool,
}

impl<'a> Table<'a> {
    /// Creates a table of rows that arrive in chunks.
    pub fn new(columns: impl IntoIterator<Item = impl Into<Column>>, rows: Rows<'a>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self {
            columns,
            rows,
            blanks_falsy: false,
            names_are_list: false,
        }
    }

    /// Creates a table of rows that are all available.
    pub fn from_rows(columns: impl IntoIterator<Item = impl Into<Column>>, rows: Vec<Row>) -> Self {
        Self::new(columns, Box::pin(stream::iter([Ok(rows)])))
    }

    /// Makes the table format show an empty cell for None, False, 0 and empty values.
    ///
    /// *Source:* glanceclient `print_list`; its `print_dict_list` and `print_cached_images` do not.
    #[must_use]
    pub fn blank_falsy(mut self) -> Self {
        self.blanks_falsy = true;
        self
    }

    /// Shows the column names as a list in the error about `-c`, as upstream does for this table.
    #[must_use]
    pub fn with_names_in_list(mut self) -> Self {
        self.names_are_list = true;
        self
    }

    /// Returns the columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    align: Align,
    max_width: Option<usize>,
}

impl Column {
    /// Creates a column with this heading, left-aligned and as wide as necessary.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            align: Align::Left,
            max_width: None,
        }
    }

    /// Returns the same column with another alignment in the Glance dialect.
    ///
    /// The Openstack dialect aligns by the first row: numbers right, others left.
    #[must_use]
    pub fn align(mut self, align: Align) -> Self {
        self.align = align;
        self
    }

    /// Returns the same column with its texts, but not its heading, wrapped at this number of cells.
    #[must_use]
    pub fn max_width(mut self, cells: usize) -> Self {
        self.max_width = Some(cells);
        self
    }

    /// Returns the heading.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Into<String>> From<T> for Column {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

/// The alignment of texts in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Left.
    Left,
    /// Centred.
    Center,
    /// Right.
    Right,
}

/// The client whose output format is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// python-glanceclient's. Formats other than the table are an extension, with the same layout as in the
    /// other dialect and with fields sorted by name, as in the table.
    Glance,
    /// python-openstackclient's.
    Openstack,
}

/// The output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table with borders and columns.
    #[default]
    Table,
    /// A JSON object or list.
    Json,
    /// A YAML mapping or list.
    Yaml,
    /// Comma-separated values; lists only.
    Csv,
    /// Bare values: one per line, or one row per line for a list.
    Value,
    /// `name="value"` lines that a POSIX shell can evaluate; records only.
    Shell,
}

/// The quoting of values in CSV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quote {
    /// All values.
    All,
    /// Only the values that need quotes.
    Minimal,
    /// All values except numbers and booleans.
    #[default]
    Nonnumeric,
    /// No values: special characters are escaped.
    None,
}

/// The direction of a sorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortDirection {
    /// Smallest first, None last.
    #[default]
    Ascending,
    /// None first, then the largest.
    Descending,
}

/// The options of the output.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Options {
    /// The output format.
    pub format: Format,
    /// Whether an option selected the format. Results that are texts for people are then data for programs.
    pub for_programs: bool,
    /// The columns or fields to print, in any order and case; empty for all (`-c`).
    pub columns: Vec<String>,
    /// Whether the format is a preference, which does not apply to what it cannot show.
    pub is_preferred_format: bool,
    /// The file that selects the columns; None for options.
    pub columns_origin: Option<String>,
    /// The columns to sort by, in order of significance; unknown ones are ignored.
    pub sort_columns: Vec<String>,
    /// The sort direction.
    pub sort_direction: SortDirection,
    /// Whether JSON is printed on one line.
    pub noindent: bool,
    /// The quoting in CSV.
    pub quote: Quote,
    /// The maximum width of a table of the Openstack dialect in cells, 0 for no limit; the value of
    /// `--max-width` or else `CLIFF_MAX_TERM_WIDTH`.
    pub max_width: usize,
    /// Whether such a table fits the terminal even if standard output is not one; the value of
    /// `--fit-width` or `CLIFF_FIT_WIDTH`.
    pub fit_width: bool,
    /// Whether the heading of an empty table is printed (Openstack dialect).
    pub print_empty: bool,
    /// The prefix of names in the shell format.
    pub prefix: String,
    /// The names to print in the shell format, in its spelling; empty for all.
    pub variables: Vec<String>,
    /// The number of cells at which records of the Glance dialect wrap.
    pub max_column_width: usize,
    /// The width of the terminal in cells; None if standard output is not a terminal.
    pub terminal_width: Option<usize>,
    /// Whether the output goes to a terminal.
    pub is_terminal: bool,
    /// Whether control characters are sent to a terminal unchanged.
    pub raw_control: bool,
    /// Whether statuses are colored.
    pub colors: bool,
    /// Whether tables show sizes with units.
    pub human_sizes: bool,
    /// Whether tables show times in the time zone of this host.
    pub local_times: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            for_programs: false,
            columns: Vec::new(),
            columns_origin: None,
            is_preferred_format: false,
            sort_columns: Vec::new(),
            sort_direction: SortDirection::default(),
            noindent: false,
            quote: Quote::default(),
            max_width: 0,
            fit_width: false,
            print_empty: false,
            prefix: String::new(),
            variables: Vec::new(),
            max_column_width: 80,
            terminal_width: None,
            is_terminal: false,
            raw_control: false,
            colors: false,
            human_sizes: false,
            local_times: false,
        }
    }
}

impl Options {
    /// Returns whether control characters must be escaped.
    fn escapes(&self) -> bool {
        self.is_terminal && !self.raw_control
    }

    /// Returns the width in cells that an Openstack table should fit into.
    fn total_width(&self) -> Option<usize> {
        match self.max_width {
            0 if self.is_terminal || self.fit_width => self.terminal_width.filter(|w| *w > 0),
            0 => None,
            width => Some(width),
        }
    }

    /// Returns the width of the terminal that a list is printed on, unless options set the width of tables.
    fn screen(&self) -> Option<usize> {
        let is_free = self.is_terminal && self.max_width == 0 && !self.fit_width;
        self.terminal_width.filter(|width| is_free && *width > 0)
    }

    fn json_style(&self) -> json::Style {
        if self.noindent {
            json::Style::Line
        } else {
            json::Style::Indented
        }
    }
}

/// The result of printing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// The number of rows of a list, 1 for a record.
    pub rows: usize,
    /// Warnings for standard error, such as a column that cannot be sorted.
    pub warnings: Vec<String>,
}

/// Prints a view to `out`, which need not be buffered, and flushes it.
///
/// # Errors
/// ClosedPipe and Io if `out` fails; Failed for unknown columns; Usage for a format that does not support
/// the view; and any error of the stream of rows.
pub async fn print(
    view: View<'_>,
    dialect: Dialect,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Printed> {
    let mut out = BufWriter::with_capacity(64 << 10, out);
    let is_impossible = match view {
        View::Record(_) => options.format == Format::Csv,
        View::Table(_) => options.format == Format::Shell,
        View::Nothing | View::Text(_) | View::Report(_) => false,
    };
    let as_table;
    let options = if options.is_preferred_format && is_impossible {
        as_table = Options {
            format: Format::Table,
            ..options.clone()
        };
        &as_table
    } else {
        options
    };
    let printed = match view {
        View::Nothing => Printed::default(),
        View::Text(text) => {
            let text = if options.escapes() {
                width::escape_controls(&text)
            } else {
                text.into()
            };
            let end = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            write!(out, "{text}{end}").map_err(write_failed)?;
            Printed::default()
        }
        View::Report(lines) => {
            for (status, text) in lines {
                let text = if options.escapes() {
                    width::escape_controls(&text)
                } else {
                    text.into()
                };
                match look::color(status).filter(|_| options.colors) {
                    Some(color) => writeln!(out, "\x1b[{color}m{status}\x1b[0m{text}"),
                    None => writeln!(out, "{status}{text}"),
                }
                .map_err(write_failed)?;
            }
            Printed::default()
        }
        View::Record(record) => {
            let warnings = record::print(record, dialect, options, &mut out)?;
            Printed { rows: 1, warnings }
        }
        View::Table(table) => list::print(table, dialect, options, &mut out).await?,
    };
    out.flush().map_err(write_failed)?;
    Ok(printed)
}

fn write_failed(error: std::io::Error) -> Error {
    Error::io("write to", "standard output", error)
}

/// Escapes the text from `start` on if necessary.
fn escape_for_terminal(text: &mut String, start: usize, escapes: bool) {
    if !escapes {
        return;
    }
    if let std::borrow::Cow::Owned(escaped) = width::escape_controls(&text[start..]) {
        text.truncate(start);
        text.push_str(&escaped);
    }
}

/// Returns the error for a format that a view does not have, in argparse's words but without the name of the option.
fn no_such_format(name: &str, others: &str) -> Error {
    Error::usage(format!("invalid choice: '{name}' (choose from {others})"))
}

#[cfg(test)]
mod tests;
