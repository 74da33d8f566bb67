//! The source of manual pages: man(7) macros that both groff and mandoc support.
//!
//! The crates `roff` and `clap_mangen` write options as clap knows them. Here they come from the model, which also has
//! the options that the help hides, and text is wrapped, so that a change of a word is a change of a line.

use std::fmt::Write;

/// The maximum line width of a page's source, as mandoc recommends.
const WIDTH: usize = 78;

/// A page under construction.
pub struct Page {
    text: String,
}

impl Page {
    /// Begins the page `name` of a section of the manual, whose date is that of the last revision of its texts.
    pub fn new(name: &str, section: u8, date: &str, volume: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let mut page = Self {
            text: String::new(),
        };
        page.raw(".\\\" Written by: cargo run --example generate");
        page.raw(&format!(
            ".TH {} {section} {date} \"glance-tools {version}\" {}",
            macro_word(&name.to_uppercase()),
            macro_word(volume)
        ));
        page
    }

    /// Returns the source.
    pub fn finish(self) -> String {
        self.text
    }

    /// Appends a line of source.
    pub fn raw(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.raw(&format!(".SH {}", macro_word(&title.to_uppercase())));
    }

    /// Begins a subsection.
    pub fn subsection(&mut self, title: &str) {
        self.raw(&format!(".SS {}", macro_word(title)));
    }

    /// Writes the section NAME.
    pub fn name(&mut self, name: &str, about: &str) {
        self.section("NAME");
        let about = about.split_whitespace().map(escape);
        self.escaped_words([escape(name), "\\-".to_string()].into_iter().chain(about));
    }

    /// Appends paragraphs.
    pub fn paragraphs(&mut self, paragraphs: &[&str]) {
        for text in paragraphs {
            self.paragraph(text);
        }
    }

    /// Appends a paragraph.
    pub fn paragraph(&mut self, text: &str) {
        if !self.begins_section() {
            self.raw(".PP");
        }
        self.words(text);
    }

    /// Returns whether nothing follows the title of the section yet.
    fn begins_section(&self) -> bool {
        let last = self.text.lines().last().unwrap_or_default();
        last.starts_with(".SH") || last.starts_with(".SS")
    }

    /// Appends text, in lines of limited length.
    pub fn words(&mut self, text: &str) {
        self.escaped_words(text.split_whitespace().map(escape));
    }

    /// Appends words of source, in lines of limited length.
    pub fn escaped_words(&mut self, words: impl Iterator<Item = String>) {
        let mut line = String::new();
        for word in words {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                self.raw(&std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            } else if word.starts_with('.') {
                line.push_str("\\&");
            }
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.raw(&line);
        }
    }

    /// Begins an entry of a list, whose text is what follows.
    pub fn item(&mut self, heading: &str) {
        self.raw(&format!(".TP\n{heading}"));
    }

    /// Appends a list of names and texts.
    pub fn list(&mut self, items: &[(&str, &str)]) {
        for (name, text) in items {
            self.item(&format!(".B {}", macro_word(name)));
            match text.trim() {
                "" => self.raw("\\&"),
                text => self.words(text),
            }
        }
    }

    /// Appends lines that are printed as they are.
    pub fn verbatim(&mut self, lines: &[String]) {
        self.raw(".RS 4\n.nf");
        for line in lines {
            let line = escape(line);
            let guard = if line.starts_with('.') { "\\&" } else { "" };
            self.raw(&format!("{guard}{line}"));
        }
        self.raw(".fi\n.RE");
    }

    /// Appends references to other pages, such as `glance(1)`, separated by commas.
    pub fn references<'a>(&mut self, pages: impl IntoIterator<Item = &'a str>) {
        let references: Vec<String> = pages.into_iter().map(reference).collect();
        self.raw(&references.join(" ,\n"));
    }
}

/// Returns the source of a reference to a page such as `glance(1)`.
pub fn reference(page: &str) -> String {
    match page.split_once('(') {
        Some((name, section)) => format!(".BR {} ({section}", escape(name)),
        None => format!(".B {}", escape(page)),
    }
}

/// Returns the text with a full stop at its end.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '…', ']']) {
        text.to_string()
    } else {
        format!("{text}.")
    }
}

/// Returns the text with an initial capital, unless it begins with a word that is typed: a list of values, or the name of a
/// command or file.
pub fn capital_of_prose(text: &str) -> String {
    let mut words = text.split(' ');
    let first = words.next().unwrap_or_default();
    let is_typed = first.contains(['-', '.', '_']) || first.ends_with(',') || first == "or";
    if is_typed {
        text.to_string()
    } else {
        capital(text)
    }
}

/// Returns the text with an initial capital.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Returns the text with a small initial letter.
pub fn small(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Escapes text.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\e"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '-' => escaped.push_str("\\-"),
            '…' => escaped.push_str("..."),
            '–' => escaped.push_str("\\(en"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Returns text as one argument of a macro.
pub fn macro_word(text: &str) -> String {
    let mut word = String::from("\"");
    let _ = write!(word, "{}\"", escape(text).replace('"', "\\(dq"));
    word
}
