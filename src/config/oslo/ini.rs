//! The ini dialect of oslo.config.
//!
//! It has its own parser because no crate reads it: rust-ini and configparser support neither line numbers
//! nor continuation lines, and the streaming ones (ini_core, ini-roundtrip, light-ini) split keys at `=`
//! only.
//!
//! *Source:* `oslo_config/iniparser.py`, `oslo_config/cfg.py` (`ConfigParser`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A parsed file: its sections in order of appearance, including repeated ones.
#[derive(Debug)]
pub struct Ini {
    /// The path of the file, as it was given.
    pub path: PathBuf,
    /// All sections, one for each header.
    sections: Vec<Section>,
    /// The indexes of the sections of each name.
    places: HashMap<String, Vec<usize>>,
}

/// A section header and the assignments below it.
#[derive(Debug)]
pub struct Section {
    /// The name in lower case, except `DEFAULT`: `[default]` and `[DEFAULT]` are different sections.
    pub name: String,
    /// The name as written.
    pub title: String,
    /// The line of the header, counted from 1.
    pub line: usize,
    /// The assignments in order, including repeated keys.
    pub entries: Vec<Entry>,
}

/// One assignment.
#[derive(Debug)]
pub struct Entry {
    /// The key, with its case as written.
    pub key: String,
    /// The value without surrounding white space or quotes; continuation lines joined by `\n`.
    pub value: String,
    /// The line of the assignment, counted from 1.
    pub line: usize,
}

impl Ini {
    /// Reads and parses `path`.
    ///
    /// # Errors
    /// `Io` if the file cannot be read; the errors of [`Ini::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        Self::from_bytes(path, &bytes)
    }

    /// Parses the content of `path`.
    ///
    /// # Errors
    /// The errors of [`Ini::parse`]; `Failed` if the content is not UTF-8.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(path, text),
            Err(e) => {
                let line = bytes[..e.valid_up_to()]
                    .split(|byte| *byte == b'\n')
                    .count();
                Err(refuse(path, line, "not UTF-8"))
            }
        }
    }

    /// Parses `text`, the content of `path`.
    ///
    /// # Errors
    /// `Failed`, `FILE:LINE: what is wrong`, for the first line that is not blank and not a comment,
    /// section, assignment or continuation. The line itself is not quoted because it may contain a
    /// password.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut parser = Parser {
            path,
            sections: Vec::new(),
            pending: None,
        };
        if text.contains('\r') {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            parser.lines(&text)?;
        } else {
            parser.lines(text)?;
        }
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, section) in parser.sections.iter().enumerate() {
            places.entry(section.name.clone()).or_default().push(place);
        }
        Ok(Self {
            path: path.to_path_buf(),
            sections: parser.sections,
            places,
        })
    }

    /// Returns all sections, in the order of the file.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Returns all assignments with the names of their sections, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let sections = self.sections.iter();
        sections.flat_map(|section| {
            section
                .entries
                .iter()
                .map(|entry| (section.name.as_str(), entry))
        })
    }

    /// Returns all assignments to `key` in sections named `section`, in the order of the file.
    pub fn entries<'a, 'k>(
        &'a self,
        section: &'k str,
        key: &'k str,
    ) -> impl DoubleEndedIterator<Item = &'a Entry> + use<'a, 'k> {
        let places = self.places.get(section).map_or(&[][..], Vec::as_slice);
        places
            .iter()
            .flat_map(|place| &self.sections[*place].entries)
            .filter(move |entry| entry.key == key)
    }
}

/// Returns the name under which a section is looked up.
pub(in crate::config) fn normalize_section(name: &str) -> String {
    if name == "DEFAULT" {
        name.to_owned()
    } else {
        name.to_lowercase()
    }
}

fn refuse(path: &Path, line: usize, what: &str) -> Error {
    Error::failed(format!("{}:{line}: {what}", path.display()))
}

/// Returns whether Python's `str.strip` removes `c`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

struct Parser<'a> {
    path: &'a Path,
    sections: Vec<Section>,
    /// The assignment that a continuation line continues.
    pending: Option<Entry>,
}

impl Parser<'_> {
    fn lines(&mut self, text: &str) -> Result<()> {
        for (index, line) in text.split('\n').enumerate() {
            self.line(index + 1, line.trim_end_matches(is_space))?;
        }
        self.flush()
    }

    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        if line.starts_with([' ', '\t']) {
            let Some(entry) = &mut self.pending else {
                return Err(refuse(
                    self.path,
                    number,
                    "an indented line without an option to continue",
                ));
            };
            entry.value.push('\n');
            entry.value.push_str(line.trim_start_matches(is_space));
            return Ok(());
        }
        self.flush()?;
        if line.is_empty() || line.starts_with(['#', ';']) {
            return Ok(());
        }
        if let Some(header) = line.strip_prefix('[') {
            return self.start_section(number, header);
        }
        let Some((key, value)) = line.split_once([':', '=']) else {
            return Err(refuse(
                self.path,
                number,
                "not a section, comment or 'option = value'",
            ));
        };
        let key = key.trim_matches(is_space);
        if key.is_empty() {
            return Err(refuse(self.path, number, "no option before the '=' or ':'"));
        }
        let value = unquote(value.trim_matches(is_space)).to_owned();
        self.pending = Some(Entry {
            key: key.to_owned(),
            value,
            line: number,
        });
        Ok(())
    }

    fn start_section(&mut self, number: usize, header: &str) -> Result<()> {
        let Some(name) = header.strip_suffix(']') else {
            return Err(refuse(
                self.path,
                number,
                "a section header must end with ']'",
            ));
        };
        if name.is_empty() {
            return Err(refuse(self.path, number, "a section without a name"));
        }
        self.sections.push(Section {
            name: normalize_section(name),
            title: name.to_owned(),
            line: number,
            entries: Vec::new(),
        });
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Some(entry) = self.pending.take() else {
            return Ok(());
        };
        let Some(section) = self.sections.last_mut() else {
            return Err(refuse(
                self.path,
                entry.line,
                "an option before the first section",
            ));
        };
        section.entries.push(entry);
        Ok(())
    }
}

/// Removes a pair of equal quotes around a value. A single quote counts as a pair.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            if inner.is_empty() {
                return inner;
            }
            return inner.strip_suffix(quote).unwrap_or(value);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Ini> {
        Ini::parse(Path::new("x.conf"), text)
    }

    fn flat(text: &str) -> Vec<(String, String, String, usize)> {
        let ini = parse(text).unwrap();
        ini.sections
            .into_iter()
            .flat_map(|section| {
                let name = section.name;
                section
                    .entries
                    .into_iter()
                    .map(move |e| (name.clone(), e.key, e.value, e.line))
            })
            .collect()
    }

    fn entry(
        section: &str,
        key: &str,
        value: &str,
        line: usize,
    ) -> (String, String, String, usize) {
        (section.into(), key.into(), value.into(), line)
    }

    #[test]
    fn every_value_knows_its_line() {
        assert_eq!(
            flat("# c\n[DEFAULT]\na = 1\n\n; c\nb: 2=3\n[Fast]\na=x:y\n"),
            [
                entry("DEFAULT", "a", "1", 3),
                entry("DEFAULT", "b", "2=3", 6),
                entry("fast", "a", "x:y", 8)
            ]
        );
    }

    #[test]
    fn continuation_lines_join_and_repeated_keys_stay() {
        assert_eq!(
            flat("[s]\na = 1\n  2\n\t# 3\na = 4\r\n"),
            [entry("s", "a", "1\n2\n# 3", 2), entry("s", "a", "4", 5)]
        );
    }

    #[test]
    fn one_pair_of_quotes_is_removed() {
        assert_eq!(
            flat("[s]\na = \" x \"\nb = 'y\"\nc = \"\nd = ''\n"),
            [
                entry("s", "a", " x ", 2),
                entry("s", "b", "'y\"", 3),
                entry("s", "c", "", 4),
                entry("s", "d", "", 5)
            ]
        );
    }

    #[test]
    fn percent_signs_and_trailing_comments_are_part_of_the_value() {
        assert_eq!(
            flat("[s]\na = %(b)s # c\n"),
            [entry("s", "a", "%(b)s # c", 2)]
        );
    }

    #[test]
    fn faults_name_file_and_line_and_never_the_line_itself() {
        for (text, line) in [
            ("[s]\npassword hunter2\n", 2),
            ("[s]\n= hunter2\n", 2),
            ("[s]\n\n  hunter2\n", 3),
            ("[s]\na = 1\n# c\n  hunter2\n", 4),
            ("[hunter2\n", 1),
            ("[]\n", 1),
            ("\na = hunter2\n\n", 2),
            ("[s] # hunter2\n", 1),
        ] {
            let message = parse(text).unwrap_err().message().to_owned();
            assert!(
                message.starts_with(&format!("x.conf:{line}: ")),
                "{message}"
            );
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_file_that_is_not_utf8_is_refused_with_its_line() {
        let error = Ini::from_bytes(Path::new("x.conf"), b"[s]\na = \xff\n").unwrap_err();
        assert_eq!(error.message(), "x.conf:2: not UTF-8");
    }
}
