//! Lists in every format, written row by row.

use std::io::Write;

use futures_util::StreamExt as _;
use serde_json::Value;

use super::csv::{self, Field};
use super::look::{self, Kind};
use super::table::{Grid, GridColumn, READABLE, TextRules};
use super::{
    Cell, Dialect, Format, Options, Printed, Row, Table, escape_for_terminal, no_such_format,
    select, write_failed, yaml,
};
use crate::error::Result;
use crate::model::json;

/// The minimum width to which cliff narrows a column of a list, in cells.
const MIN_COLUMN_WIDTH: usize = 8;

/// Prints a list.
pub(super) async fn print(
    table: Table<'_>,
    dialect: Dialect,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Printed> {
    let Table {
        mut columns,
        mut rows,
        blanks_falsy,
        names_are_list,
    } = table;
    let names = columns.iter().map(|column| column.name.as_str());
    let selector = select::wanted(names, options, names_are_list)?;
    let all_names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    select::keep(&mut columns, selector.as_deref());
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();

    let mut writer: Box<dyn RowWriter> = match options.format {
        Format::Table => {
            let grid_columns = columns
                .into_iter()
                .map(|column| {
                    let kind = Kind::of(&column.name);
                    let name = look::name(column.name, options);
                    GridColumn::new(name, column.align, column.max_width)
                        .colored(kind == Kind::Status && options.colors)
                        .whole(kind == Kind::Id && options.screen().is_some())
                })
                .collect();
            let kinds = names.iter().map(|name| Kind::of(name)).collect();
            let rules = TextRules {
                no_returns: dialect == Dialect::Openstack,
                escape: options.escapes(),
            };
            let grid = Grid::new(grid_columns, rules);
            Box::new(TableWriter {
                grid,
                kinds,
                dialect,
                options,
                blanks_falsy,
                text: String::new(),
            })
        }
        Format::Json => Box::new(JsonWriter {
            names,
            options,
            rows: 0,
        }),
        Format::Yaml => Box::new(YamlWriter { names, rows: 0 }),
        Format::Csv => Box::new(CsvWriter {
            names,
            options,
            started: false,
        }),
        Format::Value => Box::new(ValueWriter {
            escapes: options.escapes(),
        }),
        Format::Shell => {
            return Err(no_such_format(
                "shell",
                "'csv', 'json', 'table', 'value', 'yaml'",
            ));
        }
    };

    let mut printed = Printed::default();
    let mut unsorted: Vec<Row> = Vec::new();
    let mut text = String::new();
    while let Some(chunk) = rows.next().await {
        let mut chunk = chunk?;
        printed.rows += chunk.len();
        if options.sort_columns.is_empty() {
            print_rows(
                &mut *writer,
                &mut chunk,
                selector.as_deref(),
                &mut text,
                out,
            )?;
            if options.format != Format::Table {
                out.flush().map_err(write_failed)?;
            }
        } else {
            unsorted.append(&mut chunk);
        }
    }
    select::sort(&mut unsorted, &all_names, options, &mut printed.warnings);
    print_rows(
        &mut *writer,
        &mut unsorted,
        selector.as_deref(),
        &mut text,
        out,
    )?;
    writer.finish(&mut text, out)?;
    Ok(printed)
}

fn print_rows(
    writer: &mut dyn RowWriter,
    rows: &mut Vec<Row>,
    selector: Option<&[bool]>,
    text: &mut String,
    out: &mut dyn Write,
) -> Result<()> {
    for mut row in rows.drain(..) {
        select::keep(&mut row, selector);
        text.clear();
        writer.row(&row, text)?;
        out.write_all(text.as_bytes()).map_err(write_failed)?;
    }
    Ok(())
}

/// A format of lists.
trait RowWriter {
    /// Appends the text of a row, or stores the row for later.
    fn row(&mut self, row: &[Cell], text: &mut String) -> Result<()>;

    /// Writes the part after the last row; `text` is a reusable buffer.
    fn finish(self: Box<Self>, text: &mut String, out: &mut dyn Write) -> Result<()>;
}

struct TableWriter<'o> {
    grid: Grid,
    /// The kinds of the columns.
    kinds: Vec<Kind>,
    dialect: Dialect,
    options: &'o Options,
    blanks_falsy: bool,
    text: String,
}

impl RowWriter for TableWriter<'_> {
    fn row(&mut self, row: &[Cell], _text: &mut String) -> Result<()> {
        let by_type = self.dialect == Dialect::Openstack && self.grid.rows() == 0;
        for (index, cell) in row.iter().enumerate() {
            if by_type {
                let align = if cell.is_number() {
                    super::Align::Right
                } else {
                    super::Align::Left
                };
                self.grid.align(index, align);
            }
            let kind = self.kinds.get(index).copied().unwrap_or(Kind::Other);
            if let Some(text) = look::text(kind, cell, self.options) {
                self.grid.push_text(index, &text);
            } else if self.blanks_falsy && cell.is_falsy() {
                self.grid.push_text(index, "");
            } else if let Some(text) = cell.as_plain_text() {
                self.grid.push_text(index, text);
            } else {
                self.text.clear();
                cell.write_human(&mut self.text);
                self.grid.push_text(index, &self.text);
            }
        }
        self.grid.end_row()
    }

    fn finish(mut self: Box<Self>, _text: &mut String, out: &mut dyn Write) -> Result<()> {
        let is_cliff = self.dialect == Dialect::Openstack;
        if is_cliff && self.grid.rows() == 0 && !self.options.print_empty {
            return out.write_all(b"\n").map_err(write_failed);
        }
        if let Some(screen) = self.options.screen() {
            if self.grid.rows() > 0 && self.grid.narrowest(screen).is_some_and(|w| w < READABLE) {
                return self.grid.draw_expanded(out);
            }
            self.grid.fit(screen, MIN_COLUMN_WIDTH);
        } else if self.dialect == Dialect::Openstack
            && let Some(total) = self.options.total_width()
        {
            self.grid.fit(total, MIN_COLUMN_WIDTH);
        }
        self.grid.draw(out)
    }
}

struct JsonWriter<'o> {
    names: Vec<String>,
    options: &'o Options,
    rows: usize,
}

impl RowWriter for JsonWriter<'_> {
    fn row(&mut self, row: &[Cell], text: &mut String) -> Result<()> {
        let style = self.options.json_style();
        if self.rows == 0 {
            text.push('[');
        }
        json::write_separator(text, self.rows, style, 1);
        json::write_object(text, named(&self.names, row), style, 1);
        self.rows += 1;
        Ok(())
    }

    fn finish(self: Box<Self>, text: &mut String, out: &mut dyn Write) -> Result<()> {
        text.clear();
        if self.rows == 0 {
            text.push_str("[]");
        } else {
            json::write_end(text, ']', self.options.json_style(), 0);
        }
        text.push('\n');
        out.write_all(text.as_bytes()).map_err(write_failed)
    }
}

fn named<'r>(names: &'r [String], row: &'r [Cell]) -> impl Iterator<Item = (&'r str, &'r Value)> {
    names
        .iter()
        .map(String::as_str)
        .zip(row.iter().map(Cell::machine_value))
}

struct YamlWriter {
    names: Vec<String>,
    rows: usize,
}

impl RowWriter for YamlWriter {
    fn row(&mut self, row: &[Cell], text: &mut String) -> Result<()> {
        self.rows += 1;
        yaml::write_item(text, &mut named(&self.names, row).collect());
        Ok(())
    }

    fn finish(self: Box<Self>, _text: &mut String, out: &mut dyn Write) -> Result<()> {
        let end: &[u8] = if self.rows == 0 { b"[]\n" } else { b"" };
        out.write_all(end).map_err(write_failed)
    }
}

struct CsvWriter<'o> {
    names: Vec<String>,
    options: &'o Options,
    started: bool,
}

impl CsvWriter<'_> {
    fn start(&mut self, text: &mut String) -> Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            let names = self.names.iter().map(|name| Field::Text(name));
            csv::write_line(text, names, self.options.quote)?;
        }
        Ok(())
    }
}

impl RowWriter for CsvWriter<'_> {
    fn row(&mut self, row: &[Cell], text: &mut String) -> Result<()> {
        self.start(text)?;
        let rendered: Vec<String> = row
            .iter()
            .map(|cell| {
                let mut text = String::new();
                cell.write_machine(&mut text);
                escape_for_terminal(&mut text, 0, self.options.escapes());
                text
            })
            .collect();
        let fields = row
            .iter()
            .zip(&rendered)
            .map(|(cell, text)| match cell.machine_value() {
                _ if cell.is_formattable() => Field::Text(text),
                Value::Null => Field::Missing,
                Value::Bool(_) | Value::Number(_) => Field::Number(text),
                _ => Field::Text(text),
            });
        csv::write_line(text, fields, self.options.quote)
    }

    fn finish(mut self: Box<Self>, text: &mut String, out: &mut dyn Write) -> Result<()> {
        text.clear();
        self.start(text)?;
        out.write_all(text.as_bytes()).map_err(write_failed)
    }
}

struct ValueWriter {
    escapes: bool,
}

impl RowWriter for ValueWriter {
    fn row(&mut self, row: &[Cell], text: &mut String) -> Result<()> {
        for (index, cell) in row.iter().enumerate() {
            if index > 0 {
                text.push(' ');
            }
            cell.write_machine(text);
        }
        escape_for_terminal(text, 0, self.escapes);
        text.push('\n');
        Ok(())
    }

    fn finish(self: Box<Self>, _text: &mut String, _out: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}
