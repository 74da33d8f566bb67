//! Manual pages from Markdown: headings, paragraphs, lists, tables, `code`, **strong** and *emphasis*. Nothing else.

use std::fmt::Write;

use super::roff::{Page, escape, macro_word};

/// Appends a document without its first heading, each line of a table by `row`.
pub fn append(page: &mut Page, text: &str, row: impl Fn(&mut Page, &[&str])) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() || line.starts_with("# ") {
            continue;
        }
        if let Some(title) = line.strip_prefix("## ") {
            page.section(title);
        } else if line.starts_with('|') {
            // The heading of a table is followed by a line of dashes.
            let is_heading = lines.peek().is_some_and(|next| next.starts_with("|---"));
            if is_heading {
                lines.next();
                continue;
            }
            let cells = cells(line);
            row(page, &cells.iter().map(String::as_str).collect::<Vec<_>>());
        } else {
            let is_item = line.starts_with("- ");
            let mut paragraph = line.trim_start_matches("- ").to_string();
            while let Some(more) = lines.next_if(|next| {
                let ends = next.trim().is_empty() || next.starts_with("- ");
                !ends && !next.starts_with('#') && !next.starts_with('|')
            }) {
                paragraph.push(' ');
                paragraph.push_str(more.trim());
            }
            if is_item {
                page.raw(".IP \\(bu 2");
            } else {
                page.paragraph("");
            }
            inline(page, &paragraph);
        }
    }
}

/// Returns the cells of a line of a table. A pipe in a cell is escaped with a backslash.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    let escaped = line.replace("\\|", "\u{0}");
    let cells = escaped.split('|');
    cells
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// Appends a text with its fonts.
pub fn inline(page: &mut Page, text: &str) {
    page.escaped_words(fonts(text).split_whitespace().map(str::to_string));
}

/// Returns the text as source.
fn fonts(text: &str) -> String {
    let mut source = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        source.push_str(&escape(&rest[..at]));
        let after = &rest[at..];
        let (inner, font, length) = if let Some((inner, _)) = delimited(after, "`", "`") {
            (inner, 'B', inner.len() + 2)
        } else if let Some((inner, _)) = delimited(after, "**", "**") {
            (inner, 'B', inner.len() + 4)
        } else if let Some((inner, _)) = delimited(after, "*", "*") {
            (inner, 'I', inner.len() + 2)
        } else if let Some((inner, end)) = delimited(after, "[", "](") {
            let target = end.find(')').map_or(end.len(), |at| at + 1);
            (inner, 'R', inner.len() + 3 + target)
        } else {
            source.push_str(&escape(&after[..1]));
            rest = &after[1..];
            continue;
        };
        // Code in strong text has the same font. A line is not broken at a space in code.
        let inner = escape(&inner.replace('`', ""));
        let inner = match font {
            'B' => inner.replace(' ', "\\~"),
            _ => inner,
        };
        let _ = write!(source, "\\f{font}{inner}\\fR");
        rest = &after[length..];
    }
    source.push_str(&escape(rest));
    source
}

/// Returns the text between two delimiters, the first of which begins the text, and what follows.
fn delimited<'a>(text: &'a str, begin: &str, end: &str) -> Option<(&'a str, &'a str)> {
    let rest = text.strip_prefix(begin)?;
    let (inner, after) = rest.split_once(end)?;
    // Emphasis does not begin or end with a space.
    let is_text = !inner.is_empty() && inner.trim() == inner;
    is_text.then_some((inner, after))
}

/// Appends a line of a table of options: name, section, type, default and meaning.
pub fn option(page: &mut Page, cells: &[&str]) {
    let bare = |cell: &str| cell.replace('`', "");
    let [name, section, kind, default, meaning] = cells else {
        panic!("not a line of options: {cells:?}");
    };
    page.item(&format!(".B {}", macro_word(&bare(name))));
    let mut facts = format!("{}, {kind}", bare(section));
    match bare(default).as_str() {
        "(none)" => {}
        "(empty)" => facts.push_str(", empty by default"),
        default => {
            facts.push_str(", default ");
            facts.push_str(default);
        }
    }
    facts.push('.');
    page.words(&facts);
    page.raw(".br");
    inline(page, meaning);
}
