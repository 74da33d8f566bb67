//! Records in every format.

use std::io::Write;

use serde_json::Value;

use super::look::{self, Kind};
use super::table::{Grid, GridColumn, TextRules};
use super::{
    Align, Cell, Dialect, Format, Options, Record, escape_for_terminal, no_such_format, select,
    shell, write_failed, yaml,
};
use crate::error::Result;
use crate::model::json;

/// The minimum width to which cliff narrows a column of a record, in cells.
const MIN_COLUMN_WIDTH: usize = 16;

/// Prints a record; returns warnings for standard error.
pub(super) fn print(
    record: Record,
    dialect: Dialect,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Vec<String>> {
    let Record { mut fields } = record;
    let names = fields.iter().map(|(name, _)| name.as_str());
    let selector = select::wanted(names, options, false)?;
    select::keep(&mut fields, selector.as_deref());
    if dialect == Dialect::Glance {
        fields.sort_by(|left, right| left.0.cmp(&right.0));
    }
    let (mut text, mut warnings) = (String::new(), Vec::new());
    match options.format {
        Format::Table => {
            print_table(&fields, dialect, options, out)?;
            return Ok(warnings);
        }
        Format::Json => {
            let values = fields
                .iter()
                .map(|(name, cell)| (name.as_str(), cell.machine_value()));
            json::write_object(&mut text, values, options.json_style(), 0);
            text.push('\n');
        }
        Format::Yaml => {
            for (name, cell) in &fields {
                yaml::write_field(&mut text, name, cell.machine_value());
            }
        }
        Format::Value => {
            for (_, cell) in &fields {
                let start = text.len();
                cell.write_machine(&mut text);
                escape_for_terminal(&mut text, start, options.escapes());
                text.push('\n');
            }
        }
        Format::Shell => {
            warnings = shell::write_variables(&mut text, &fields, options);
        }
        Format::Csv => {
            return Err(no_such_format(
                "csv",
                "'json', 'shell', 'table', 'value', 'yaml'",
            ));
        }
    }
    out.write_all(text.as_bytes()).map_err(write_failed)?;
    Ok(warnings)
}

fn print_table(
    fields: &[(String, Cell)],
    dialect: Dialect,
    options: &Options,
    out: &mut dyn Write,
) -> Result<()> {
    let (heading, limit) = match dialect {
        Dialect::Glance => ("Property", Some(options.max_column_width)),
        Dialect::Openstack if fields.is_empty() => {
            return out.write_all(b"\n").map_err(write_failed);
        }
        Dialect::Openstack => ("Field", None),
    };
    let columns = [heading, "Value"].map(|name| {
        let colored = options.colors && name == "Value";
        GridColumn::new(name.into(), Align::Left, limit).colored(colored)
    });
    let rules = TextRules {
        no_returns: dialect == Dialect::Openstack,
        escape: options.escapes(),
    };
    let mut grid = Grid::new(columns.into(), rules);
    let mut text = String::new();
    for (name, cell) in fields {
        text.clear();
        if let Some(looked) = look::text(Kind::of(name), cell, options) {
            text = looked;
        } else {
            match cell.value() {
                value @ (Value::Array(_) | Value::Object(_))
                    if dialect == Dialect::Glance && cell.is_plain() =>
                {
                    json::write_value(&mut text, value, json::Style::Line, 0);
                }
                _ => cell.write_human(&mut text),
            }
        }
        grid.push_text(0, name);
        grid.push_text(1, &text);
        grid.end_row()?;
    }
    let total = match dialect {
        Dialect::Openstack => options.total_width(),
        Dialect::Glance => options.screen(),
    };
    if let Some(total) = total {
        grid.fit(total, MIN_COLUMN_WIDTH);
    }
    grid.draw(out)
}
