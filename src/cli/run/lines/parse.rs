//! Lines of input: words, comments, requests to quit.

use crate::{Error, Result};

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A blank line or comment.
    Nothing,
    /// A request to quit.
    Quit,
    /// A command.
    Command(Vec<String>),
}

impl Line {
    /// Parses a line.
    ///
    /// # Errors
    /// `Usage` for unbalanced quotes and for shell syntax.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(Self::Nothing);
        }
        let words = split(line)?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Nothing),
            ["quit" | "exit"] => Ok(Self::Quit),
            ["quit" | "exit", ..] => Err(Error::usage(format!(
                "{}: error: unrecognized arguments: {}",
                words[0],
                words[1..].join(" ")
            ))),
            _ => Ok(Self::Command(words)),
        }
    }
}

/// Splits a line into words like Python's `shlex.split`. One trailing semicolon is ignored.
fn split(line: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Error::usage(format!("invalid line: {why}"));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err(invalid("no closing quotation")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') => match characters.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(invalid("no closing quotation")),
                        },
                        Some(inner) => word.push(inner),
                        None => return Err(invalid("no closing quotation")),
                    }
                }
            }
            '\\' => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(invalid("no escaped character")),
            },
            ';' if characters.as_str().trim().is_empty() => break,
            ';' | '|' | '>' => {
                let error = invalid(&format!("'{character}' outside of quotes"));
                return Err(
                    error.hint("Write one command per line, without pipes or redirections.")
                );
            }
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn words(line: &str) -> Vec<String> {
        match Line::parse(line).unwrap() {
            Line::Command(words) => words,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_are_split_as_shlex_splits_them() {
        assert_eq!(words("image list"), ["image", "list"]);
        assert_eq!(
            words(r#"image set "a b" --property 'c=d "e"' f\ g "" x"y"z"#),
            [
                "image",
                "set",
                "a b",
                "--property",
                "c=d \"e\"",
                "f g",
                "",
                "xyz"
            ]
        );
        assert_eq!(
            words(r#"image show "a\"b\\c\d""#),
            ["image", "show", r#"a"b\c\d"#]
        );
        assert_eq!(words("image show #1"), ["image", "show", "#1"]);
        assert_eq!(words("image list ; "), ["image", "list"]);
        assert_eq!(words("image show 'a;b'"), ["image", "show", "a;b"]);
        for nothing in ["", "   \t", "# image delete x", "  #", ";"] {
            assert_eq!(Line::parse(nothing).unwrap(), Line::Nothing, "{nothing:?}");
        }
        for quit in ["quit", " exit "] {
            assert_eq!(Line::parse(quit).unwrap(), Line::Quit);
        }
        for wrong in [
            "image show 'a",
            "image show \"a",
            "image show \"a\\",
            "image show \\",
            "exit 3",
            "image list > file",
            "image list | head",
            "image list; image list",
        ] {
            let error = Line::parse(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{wrong}");
        }
    }
}
