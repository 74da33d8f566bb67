//! Tables with borders, in prettytable's style.
//!
//! The widths of columns depend on every row, so rows are rendered into a [`Spool`] first and drawn in a
//! second pass. Memory use does not depend on the number of rows.
//!
//! `comfy-table` draws records and small tables. It cannot stream, it rounds differently when it centres
//! texts, and it measures some texts differently from wcwidth (Indic clusters, raw control characters).
//! Tables with these are drawn here. Texts are measured, wrapped and fitted by the same code in both cases,
//! and a test draws tables in both ways.

use std::fmt::Write as _;
use std::io::Write;

use comfy_table::presets::ASCII_FULL_CONDENSED;
use comfy_table::{CellAlignment, ColumnConstraint, LineStyle, Width};
use unicode_width::UnicodeWidthStr;

use super::look::color;
use super::spool::{RowBuffer, RowTexts, Spool, SpoolReader};
use super::width::{escape_controls, is_plain, width};
use super::wrap::{expand_tabs, wrap};
use super::{Align, write_failed};
use crate::error::Result;

/// The maximum number of rows of tables that comfy-table draws.
const SMALL: usize = 100;

/// The width in cells below which a narrowed column is hard to read.
pub(super) const READABLE: usize = 14;

/// A column and its widths.
pub(super) struct GridColumn {
    name: String,
    align: Align,
    /// The width in cells at which texts wrap; the name is never wrapped.
    limit: Option<usize>,
    /// The width in cells of the widest text so far.
    widest: usize,
    /// Whether statuses are colored.
    colored: bool,
    /// Whether texts are narrowed only if the other columns would become unreadable.
    whole: bool,
}

impl GridColumn {
    pub(super) fn new(name: String, align: Align, limit: Option<usize>) -> Self {
        Self {
            name,
            align,
            limit,
            widest: 0,
            colored: false,
            whole: false,
        }
    }

    /// Keeps texts whole as long as the other columns stay readable.
    pub(super) fn whole(mut self, whole: bool) -> Self {
        self.whole = whole;
        self
    }

    /// Colors the statuses in the column.
    pub(super) fn colored(mut self, colored: bool) -> Self {
        self.colored = colored;
        self
    }

    /// Appends a text of the column, colored if it is a status.
    fn push_text(&self, out: &mut String, text: &str) {
        match color(text).filter(|_| self.colored) {
            Some(color) => {
                let _ = write!(out, "\x1b[{color}m{text}\x1b[0m");
            }
            None => out.push_str(text),
        }
    }

    fn width(&self) -> usize {
        width(&self.name).max(
            self.limit
                .map_or(self.widest, |limit| limit.min(self.widest)),
        )
    }
}

/// The treatment of special characters in a grid.
#[derive(Clone, Copy)]
pub(super) struct TextRules {
    /// Whether carriage returns become spaces, as in cliff.
    pub(super) no_returns: bool,
    /// Whether control characters are escaped.
    pub(super) escape: bool,
}

/// The columns of a table and its rows so far.
pub(super) struct Grid {
    columns: Vec<GridColumn>,
    rules: TextRules,
    spool: Spool,
    row: RowBuffer,
    scratch: String,
}

impl Grid {
    pub(super) fn new(columns: Vec<GridColumn>, rules: TextRules) -> Self {
        Self {
            columns,
            rules,
            spool: Spool::new(),
            row: RowBuffer::default(),
            scratch: String::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.spool.rows()
    }

    pub(super) fn align(&mut self, column: usize, align: Align) {
        if let Some(column) = self.columns.get_mut(column) {
            column.align = align;
        }
    }

    /// Adds a text to the row in progress.
    pub(super) fn push_text(&mut self, column: usize, text: &str) {
        let Some(target) = self.columns.get_mut(column) else {
            return;
        };
        if is_plain(text) {
            target.widest = target.widest.max(text.len());
            self.row.push(text, Some(text.len()));
            return;
        }
        let no_returns = self.rules.no_returns && text.contains('\r');
        let returned = no_returns.then(|| text.replace("\r\n", "\n").replace('\r', " "));
        let text = returned.as_deref().unwrap_or(text);
        let escaped = if self.rules.escape {
            escape_controls(text)
        } else {
            text.into()
        };
        self.scratch.clear();
        expand_tabs(&mut self.scratch, &escaped);
        let cells = self.scratch.split('\n').map(width).max().unwrap_or(0);
        target.widest = target.widest.max(cells);
        let one_line = !self.scratch.contains('\n');
        self.row.push(&self.scratch, one_line.then_some(cells));
    }

    /// Completes the row.
    pub(super) fn end_row(&mut self) -> Result<()> {
        self.spool.push(&mut self.row)
    }

    /// Narrows wide columns until the table fits `total` cells, but no column below `minimum`.
    ///
    /// Columns that need no more than an even share keep their width. The others share the rest, and the
    /// last of them gets the remainder.
    ///
    /// *Source:* cliff `TableFormatter._assign_max_widths`.
    pub(super) fn fit(&mut self, total: usize, minimum: usize) {
        let Some((wide, mut left)) = self.wide(total) else {
            return;
        };
        let Some((last, others)) = wide.split_last() else {
            return;
        };
        let each = left / wide.len();
        for index in others {
            self.columns[*index].limit = Some(each.max(minimum));
            left -= each;
        }
        self.columns[*last].limit = Some(left.max(minimum));
    }

    /// Returns the width to which [`Grid::fit`] narrows wide columns; None if the table fits.
    pub(super) fn narrowest(&self, total: usize) -> Option<usize> {
        let (wide, left) = self.wide(total)?;
        left.checked_div(wide.len())
    }

    /// Returns the columns to narrow so that the table fits `total` cells, and the cells that they share; None if it
    /// fits. Columns that stay whole are among them only if the others would become unreadable.
    fn wide(&self, total: usize) -> Option<(Vec<usize>, usize)> {
        let count = self.columns.len();
        let widths: Vec<usize> = self.columns.iter().map(GridColumn::width).collect();
        if widths.iter().map(|w| w + 3).sum::<usize>() < total {
            return None;
        }
        let usable = total.saturating_sub(1 + 3 * count);
        let share = usable.checked_div(count)?;
        let (wide, narrow): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|index| widths[*index] > share);
        let taken = |columns: &[usize]| columns.iter().map(|index| widths[*index]).sum::<usize>();
        let left = usable.saturating_sub(taken(&narrow));
        let (whole, rest): (Vec<usize>, Vec<usize>) =
            wide.iter().partition(|index| self.columns[**index].whole);
        let room = left.saturating_sub(taken(&whole));
        if !whole.is_empty() && room / rest.len().max(1) >= READABLE && !rest.is_empty() {
            return Some((rest, room));
        }
        Some((wide, left))
    }

    /// Draws each row as lines of a name and a text, for tables that are too wide. Empty texts are left out.
    pub(super) fn draw_expanded(self, out: &mut dyn Write) -> Result<()> {
        let indent = self.columns.iter().map(|column| width(&column.name)).max();
        let indent = indent.unwrap_or_default() + 2;
        let mut reader = self.spool.read()?;
        let mut lines = String::new();
        while let Some(row) = reader.next_row()? {
            for (column, (text, _)) in self.columns.iter().zip(row) {
                for (index, line) in text.split('\n').enumerate() {
                    if text.is_empty() || text == "None" {
                        continue;
                    }
                    let name = if index == 0 { column.name.as_str() } else { "" };
                    lines.push_str(name);
                    push_spaces(&mut lines, indent - width(name));
                    column.push_text(&mut lines, line);
                    lines.push('\n');
                }
            }
            out.write_all(lines.as_bytes()).map_err(write_failed)?;
            lines.clear();
            lines.push('\n');
        }
        Ok(())
    }

    /// Draws the whole table.
    pub(super) fn draw(self, out: &mut dyn Write) -> Result<()> {
        let small = self.spool.rows() <= SMALL;
        let layout = Layout::new(&self.columns);
        let reader = self.spool.read()?;
        if small {
            layout.draw_small(reader, out)
        } else {
            layout.draw_rows(reader, out)
        }
    }
}

/// The final columns.
struct Layout<'g> {
    columns: &'g [GridColumn],
    widths: Vec<usize>,
}

impl<'g> Layout<'g> {
    fn new(columns: &'g [GridColumn]) -> Self {
        Self {
            columns,
            widths: columns.iter().map(GridColumn::width).collect(),
        }
    }

    /// Draws one row after the other, with only the current row in memory.
    fn draw_rows(&self, mut rows: SpoolReader, out: &mut dyn Write) -> Result<()> {
        let rule = self.rule();
        let mut text = rule.clone();
        self.push_lines(&mut text, &self.names());
        text.push_str(&rule);
        out.write_all(text.as_bytes()).map_err(write_failed)?;
        while let Some(row) = rows.next_row()? {
            text.clear();
            if !self.push_plain_row(&mut text, row.clone()) {
                text.clear();
                self.push_lines(&mut text, &self.break_row(row));
            }
            out.write_all(text.as_bytes()).map_err(write_failed)?;
        }
        out.write_all(rule.as_bytes()).map_err(write_failed)
    }

    fn rule(&self) -> String {
        let mut rule = String::new();
        for cells in &self.widths {
            rule.push('+');
            rule.extend(std::iter::repeat_n('-', cells + 2));
        }
        rule.push_str("+\n");
        rule
    }

    fn names(&self) -> Vec<Vec<String>> {
        self.columns
            .iter()
            .map(|column| vec![column.name.clone()])
            .collect()
    }

    /// Appends a row of one line; returns false if a text has several lines or must be wrapped.
    fn push_plain_row(&self, out: &mut String, row: RowTexts<'_>) -> bool {
        for (index, (text, cells)) in row.enumerate() {
            match cells {
                Some(cells) if cells <= self.widths[index] => {
                    self.push_cell(out, index, text, cells);
                }
                _ => return false,
            }
        }
        out.push_str("|\n");
        true
    }

    /// Returns the lines of each text of a row.
    fn break_row(&self, row: RowTexts<'_>) -> Vec<Vec<String>> {
        let break_text = |(index, (text, _)): (usize, (&str, _))| {
            let limit = self.widths[index];
            let mut lines = Vec::new();
            for line in text.split('\n') {
                if width(line) <= limit {
                    lines.push(line.to_string());
                    continue;
                }
                let wrapped = wrap(line, limit);
                if wrapped.is_empty() {
                    lines.push(String::new());
                }
                lines.extend(wrapped);
            }
            lines
        };
        row.enumerate().map(break_text).collect()
    }

    /// Appends the lines of several texts side by side.
    fn push_lines(&self, out: &mut String, texts: &[Vec<String>]) {
        let height = texts.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            for (index, lines) in texts.iter().enumerate() {
                let text = lines.get(line).map_or("", String::as_str);
                self.push_cell(out, index, text, width(text));
            }
            out.push_str("|\n");
        }
    }

    fn push_cell(&self, out: &mut String, index: usize, text: &str, cells: usize) {
        let total = self.widths[index];
        let fill = total.saturating_sub(cells);
        let before = match self.columns[index].align {
            Align::Left => 0,
            Align::Right => fill,
            // If the rest is odd, Python's center puts more before the text when the width is odd.
            Align::Center => fill / 2 + (fill & total & 1),
        };
        out.push_str("| ");
        push_spaces(out, before);
        self.columns[index].push_text(out, text);
        push_spaces(out, fill - before);
        out.push(' ');
    }

    /// Draws all rows at once.
    fn draw_small(&self, mut rows: SpoolReader, out: &mut dyn Write) -> Result<()> {
        let mut texts = vec![self.names()];
        while let Some(row) = rows.next_row()? {
            texts.push(self.break_row(row));
        }
        let drawn = match self.comfy_table(&texts) {
            Some(table) => format!("{table}\n"),
            None => self.draw_texts(&texts),
        };
        out.write_all(drawn.as_bytes()).map_err(write_failed)
    }

    fn draw_texts(&self, texts: &[Vec<Vec<String>>]) -> String {
        let rule = self.rule();
        let mut drawn = rule.clone();
        for (index, row) in texts.iter().enumerate() {
            self.push_lines(&mut drawn, row);
            if index == 0 {
                drawn.push_str(&rule);
            }
        }
        drawn.push_str(&rule);
        drawn
    }

    /// Returns comfy-table's table, if it measures these texts in the same way.
    fn comfy_table(&self, texts: &[Vec<Vec<String>>]) -> Option<comfy_table::Table> {
        let measured = |(index, lines): (usize, &Vec<String>)| {
            lines.iter().all(|line| {
                let cells = line.as_str().width();
                cells <= self.widths[index] && (is_plain(line) || cells == width(line))
            })
        };
        if self.columns.is_empty()
            || self
                .columns
                .iter()
                .any(|column| column.align == Align::Center || column.colored)
            || !texts.iter().all(|row| row.iter().enumerate().all(measured))
        {
            return None;
        }
        let mut table = comfy_table::Table::new();
        let rule = LineStyle::new('+', '-', '+', '+');
        table.load_style(ASCII_FULL_CONDENSED.header_separator(rule));
        let (names, rows) = texts.split_first()?;
        table.set_header(names.iter().map(|lines| lines.join("\n")));
        for row in rows {
            table.add_row(row.iter().map(|lines| lines.join("\n")));
        }
        for (index, cells) in self.widths.iter().enumerate() {
            let column = table.column_mut(index)?;
            let with_padding = u16::try_from(cells + 2).ok()?;
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(with_padding)));
            if self.columns[index].align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Some(table)
    }
}

fn push_spaces(out: &mut String, count: usize) {
    const SPACES: &str = "                                                                ";
    let mut left = count;
    while left > 0 {
        let now = left.min(SPACES.len());
        out.push_str(&SPACES[..now]);
        left -= now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_drawing_look_the_same() {
        let texts = [
            "",
            "a",
            "two\nlines",
            "crème 図 ß",
            "e\u{301}",
            "क्षि",
            "word ".repeat(9).leak(),
        ];
        for limit in [None, Some(8), Some(20)] {
            for align in [Align::Left, Align::Right, Align::Center] {
                let columns = ["Name", "A longer name", "x"]
                    .map(|name| GridColumn::new(name.to_string(), align, limit))
                    .into_iter()
                    .collect();
                let mut grid = Grid::new(
                    columns,
                    TextRules {
                        no_returns: true,
                        escape: false,
                    },
                );
                for row in 0..texts.len() {
                    for column in 0..3 {
                        grid.push_text(column, texts[(row + column * row) % texts.len()]);
                    }
                    grid.end_row().unwrap();
                }
                let layout = Layout::new(&grid.columns);
                let mut rows = grid.spool.read().unwrap();
                let mut texts = vec![layout.names()];
                while let Some(row) = rows.next_row().unwrap() {
                    texts.push(layout.break_row(row));
                }
                let ours = layout.draw_texts(&texts);
                if let Some(table) = layout.comfy_table(&texts) {
                    assert_eq!(format!("{table}\n"), ours);
                } else {
                    assert!(align == Align::Center || ours.contains("क्षि"));
                }
            }
        }
    }
}
