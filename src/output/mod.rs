//! What a command found, turned into text.
//!
//! A command hands a [`View`] to [`print()`], once; the two [`Dialect`]s say whose tables to draw.
//! Every character is the one that python-glanceclient 4.13 (prettytable 3.18) or
//! python-openstackclient 10.5 (cliff 4.17, PyYAML 6.0) would print, with two exceptions: control
//! characters do not reach a terminal raw, and what a shell would expand in the shell format is escaped.
//!
//! Lists stream. All formats but the table write each chunk of rows as it comes; the table needs
//! the widths of all rows first and keeps rendered texts in a temporary file (see `table`). Only
//! `--sort-column` holds a whole list in memory.

mod cell;
mod csv;
mod list;
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
pub use standard::{StandardOutput, is_null, was_closed};
pub use width::escape_controls;

use crate::error::{Error, Result};
use crate::model::json;

/// What a command found.
#[derive(Debug)]
pub enum View<'a> {
    /// Nothing to print.
    Nothing,
    /// Text as it is; a missing newline at its end is added.
    Text(String),
    /// One thing.
    Record(Record),
    /// Many things.
    Table(Table<'a>),
}

/// One thing: names and values, in order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    fields: Vec<(String, Cell)>,
}

impl Record {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: impl Into<String>, cell: impl Into<Cell>) {
        self.fields.push((name.into(), cell.into()));
    }

    /// The fields in order.
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

/// Rows in chunks as they come, such as pages.
pub type Rows<'a> = Pin<Box<dyn Stream<Item = Result<Vec<Row>>> + Send + 'a>>;

/// Many things: a row for each.
pub struct Table<'a> {
    columns: Vec<Column>,
    rows: Rows<'a>,
    blanks_falsy: bool,
    names_are_list: bool,
}

impl<'a> Table<'a> {
    /// Rows that come in chunks.
    pub fn new(columns: impl IntoIterator<Item = impl Into<Column>>, rows: Rows<'a>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self {
            columns,
            rows,
            blanks_falsy: false,
            names_are_list: false,
        }
    }

    /// Rows that are all there.
    pub fn from_rows(columns: impl IntoIterator<Item = impl Into<Column>>, rows: Vec<Row>) -> Self {
        Self::new(columns, Box::pin(stream::iter([Ok(rows)])))
    }

    /// The table shows nothing for None, False, 0 and what is empty.
    ///
    /// *Source:* glanceclient `print_list`; its `print_dict_list` and `print_cached_images` do not.
    #[must_use]
    pub fn blank_falsy(mut self) -> Self {
        self.blanks_falsy = true;
        self
    }

    /// The original keeps its column names in a list, which shows in the error about `-c`.
    #[must_use]
    pub fn with_names_in_list(mut self) -> Self {
        self.names_are_list = true;
        self
    }

    /// The columns in order.
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
    /// A column with its heading, aligned left and as wide as need be.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            align: Align::Left,
            max_width: None,
        }
    }

    /// The same column with another alignment in the Glance dialect.
    ///
    /// The Openstack dialect aligns by the first row: numbers right, all else left.
    #[must_use]
    pub fn align(mut self, align: Align) -> Self {
        self.align = align;
        self
    }

    /// The same column with its texts wrapped at this many cells; the heading is not.
    #[must_use]
    pub fn max_width(mut self, cells: usize) -> Self {
        self.max_width = Some(cells);
        self
    }

    /// The heading.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<T: Into<String>> From<T> for Column {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

/// Where a text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// In the middle.
    Center,
    /// At the right.
    Right,
}

/// Whose looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// python-glanceclient's; formats other than the table are our addition, with the same
    /// layout as the other dialect's and fields sorted by name, as in the table.
    Glance,
    /// python-openstackclient's.
    Openstack,
}

/// The form of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Borders and columns, for people.
    #[default]
    Table,
    /// A JSON object or list.
    Json,
    /// A YAML mapping or list.
    Yaml,
    /// Comma-separated values; lists only.
    Csv,
    /// Bare values: one a line, of a list one row a line.
    Value,
    /// `name="value"` lines that a POSIX shell may evaluate; records only.
    Shell,
}

/// Which values of CSV stand in quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quote {
    /// All.
    All,
    /// Those that need it.
    Minimal,
    /// All but numbers and booleans.
    #[default]
    Nonnumeric,
    /// None: special characters are escaped.
    None,
}

/// Which end of a sorted list comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortDirection {
    /// Smallest first, None last.
    #[default]
    Ascending,
    /// None first, then the largest.
    Descending,
}

/// How to print.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Options {
    /// The form of the text.
    pub format: Format,
    /// Columns or fields to print, in any order and case; empty for all (`-c`).
    pub columns: Vec<String>,
    /// Columns to sort by, the most important first; unknown ones are ignored.
    pub sort_columns: Vec<String>,
    /// Which way to sort.
    pub sort_direction: SortDirection,
    /// JSON in one line.
    pub noindent: bool,
    /// Quotes in CSV.
    pub quote: Quote,
    /// Cells that a table of the Openstack dialect may take, 0 for no limit; stands for
    /// `--max-width` and, in its absence, `CLIFF_MAX_TERM_WIDTH`.
    pub max_width: usize,
    /// Fit such a table to the terminal though standard output is none; stands for
    /// `--fit-width` and `CLIFF_FIT_WIDTH`.
    pub fit_width: bool,
    /// Draw the heading of a table without rows (Openstack dialect).
    pub print_empty: bool,
    /// What the shell format puts before each name.
    pub prefix: String,
    /// Names that the shell format prints, as it spells them; empty for all.
    pub variables: Vec<String>,
    /// Cells at which records of the Glance dialect wrap.
    pub max_column_width: usize,
    /// Cells of a line of the terminal; None when standard output is none.
    pub terminal_width: Option<usize>,
    /// The output goes to a terminal.
    pub is_terminal: bool,
    /// Send control characters to a terminal as they are.
    pub raw_control: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            columns: Vec::new(),
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
        }
    }
}

impl Options {
    /// Whether control characters must be written out.
    fn escapes(&self) -> bool {
        self.is_terminal && !self.raw_control
    }

    /// Cells that an Openstack table should fit into.
    fn total_width(&self) -> Option<usize> {
        match self.max_width {
            0 if self.is_terminal || self.fit_width => self.terminal_width.filter(|w| *w > 0),
            0 => None,
            width => Some(width),
        }
    }

    fn json_style(&self) -> json::Style {
        if self.noindent {
            json::Style::Line
        } else {
            json::Style::Indented
        }
    }
}

/// What came of printing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// Rows of a list, 1 for a record.
    pub rows: usize,
    /// What the user should hear on standard error, such as a column that cannot be sorted.
    pub warnings: Vec<String>,
}

/// Prints a view to `out`, which need not be buffered, and flushes it.
///
/// # Errors
/// ClosedPipe and Io when `out` fails; Failed for columns that there are none of; Usage for a
/// format that does not fit the view; and whatever the stream of rows fails with.
pub async fn print(
    view: View<'_>,
    dialect: Dialect,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Printed> {
    let mut out = BufWriter::with_capacity(64 << 10, out);
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

/// The text as it may be sent.
fn sendable(text: &mut String, start: usize, escapes: bool) {
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
