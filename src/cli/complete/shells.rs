//! The formats in which shells ask for completion and read the answer.
//!
//! A request is the name of the shell, that of the program, and the words up to the cursor, the last one being the word at
//! the cursor. bash breaks words at `:` and `=`, so it passes the line itself, its COMP_WORDBREAKS and COMP_TYPE.
//!
//! The first line of an answer is `words`, `nospace` (no space is added after the word), `files` or `directories`; or,
//! for a program with another one of its name, `other` or `both`. Then follow the words, one a line, quoted for bash, and
//! with a description otherwise: after a tab, or for zsh after a colon.

use std::fmt::Write;

use super::answer::{Answer, Candidate, Owner, Paths};

/// The names of the shells.
pub const NAMES: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// Elvish.
    Elvish,
    /// fish.
    Fish,
    /// PowerShell.
    PowerShell,
    /// Z shell.
    Zsh,
}

impl Shell {
    /// Returns the shell of that name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bash" => Self::Bash,
            "elvish" => Self::Elvish,
            "fish" => Self::Fish,
            "powershell" => Self::PowerShell,
            "zsh" => Self::Zsh,
            _ => return None,
        })
    }
}

/// A request.
pub struct Asked {
    shell: Shell,
    /// The words before the cursor, without the program.
    pub before: Vec<String>,
    /// The word at the cursor, up to the cursor.
    pub current: String,
    /// The line, if the answer depends on how it is typed.
    line: Option<Line>,
    /// Whether bash lists the words, and inserts none but their common beginning.
    lists: bool,
}

impl Asked {
    /// Reads the words after those of the shell and the program; None if there are too few.
    pub fn read(shell: Shell, words: &[String]) -> Option<Self> {
        if shell == Shell::Bash {
            let [line, breaks, rest @ ..] = words else {
                return None;
            };
            let line = Line::split(line, breaks);
            // `menu-complete` and `insert-completions` insert whole words.
            let inserts = rest.first().is_some_and(|how| how == "37" || how == "42");
            return Some(Self {
                shell,
                before: line.words.get(1..).unwrap_or_default().to_vec(),
                current: line.current.clone(),
                line: Some(line),
                lists: !inserts,
            });
        }
        let (current, before) = words.split_last()?;
        let unquoted = |word: &String| Line::split(word, "").current;
        let (before, current) = match shell {
            Shell::Zsh => (before.iter().map(unquoted).collect(), unquoted(current)),
            Shell::Fish => (before.to_vec(), unquoted(current)),
            // An empty argument would be dropped.
            Shell::PowerShell => {
                let current = current.strip_prefix('=').unwrap_or(current);
                (before.to_vec(), current.to_string())
            }
            Shell::Bash | Shell::Elvish => (before.to_vec(), current.clone()),
        };
        Some(Self {
            shell,
            before,
            current,
            line: None,
            lists: false,
        })
    }

    /// Returns the text of an answer.
    pub fn write(&self, answer: &Answer) -> String {
        let candidates = &answer.candidates;
        let stays_open = |one: &Candidate| one.value.ends_with(['=', ':']);
        let first = match (answer.owner, answer.paths) {
            (Owner::Other, _) => "other",
            (Owner::Both, _) => "both",
            (_, Paths::Files) => "files",
            (_, Paths::Directories) => "directories",
            _ if !candidates.is_empty() && candidates.iter().all(stays_open) => "nospace",
            _ => "words",
        };
        let mut text = format!("{first}\n");
        let describes = self.lists && candidates.len() > 1;
        for one in candidates {
            let line = match (&self.line, self.shell) {
                (Some(line), _) => line.quoted(one, describes),
                (None, Shell::Zsh) => Some(described_for_zsh(one)),
                _ if one.about.is_empty() => Some(one.value.clone()),
                _ => Some(format!("{}\t{}", one.value, one.about)),
            };
            if let Some(line) = line {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }
}

/// Returns a word as `_describe` reads it.
fn described_for_zsh(one: &Candidate) -> String {
    let value = one.value.replace('\\', "\\\\").replace(':', "\\:");
    if one.about.is_empty() {
        value
    } else {
        format!("{value}:{}", one.about)
    }
}

/// A line of a shell up to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The words before the cursor, without quotes.
    pub words: Vec<String>,
    /// The word at the cursor, without quotes.
    pub current: String,
    /// The position of the word at the cursor in the line, in bytes.
    pub start: usize,
    /// The quote that is open at the cursor.
    quote: Option<char>,
    /// The number of bytes of the word that the shell does not replace.
    kept: usize,
}

impl Line {
    /// Splits a line into words like a shell. `breaks` are the characters after which a shell completes a part of a word
    /// on its own.
    pub fn split(line: &str, breaks: &str) -> Self {
        let mut split = Self::default();
        let mut is_word = false;
        let mut characters = line.char_indices();
        while let Some((at, character)) = characters.next() {
            let begins = split.quote.is_none() && !is_word && !character.is_whitespace();
            if begins {
                (is_word, split.start) = (true, at);
            }
            match (split.quote, character) {
                (None, '\'' | '"') => {
                    split.quote = Some(character);
                    split.kept = split.current.len();
                }
                (Some(quote), _) if character == quote => {
                    split.quote = None;
                    if breaks.contains(quote) {
                        split.kept = split.current.len();
                    }
                }
                (None, '\\') => split
                    .current
                    .extend(characters.next().map(|(_, next)| next)),
                (Some('"'), '\\') => match characters.next() {
                    Some((_, next @ ('"' | '\\' | '$' | '`'))) => split.current.push(next),
                    Some((_, next)) => split.current.extend(['\\', next]),
                    None => split.current.push('\\'),
                },
                (None, _) if character.is_whitespace() => {
                    if is_word {
                        split.words.push(std::mem::take(&mut split.current));
                    }
                    (is_word, split.kept) = (false, 0);
                    split.start = at + character.len_utf8();
                }
                _ => {
                    split.current.push(character);
                    if split.quote.is_none() && breaks.contains(character) {
                        split.kept = split.current.len();
                    }
                }
            }
        }
        split
    }

    /// Returns the text that replaces the word at the cursor, quoted in the same way; None if that is impossible. With
    /// `describes`, an ID is followed by its description, which bash shows and does not insert.
    fn quoted(&self, one: &Candidate, describes: bool) -> Option<String> {
        let text = self.typed(one.value.get(self.kept..)?)?;
        if describes && one.is_id && !one.about.is_empty() {
            return Some(format!("{text}  ({})", one.about));
        }
        Some(text)
    }

    /// Returns a text as it is typed at the cursor; None if that is impossible.
    fn typed(&self, text: &str) -> Option<String> {
        let special = match self.quote {
            Some('\'') if text.contains('\'') => return None,
            Some('\'') => "",
            Some(_) => "\"\\$`",
            None => " \"'\\$`&;<>()|*?[]{}~#!",
        };
        let mut typed = String::with_capacity(text.len());
        for character in text.chars() {
            if special.contains(character) {
                typed.push('\\');
            }
            typed.push(character);
        }
        Some(typed)
    }

    /// Returns the whole word that replaces the one at the cursor, for a prompt.
    pub fn replacement(&self, value: &str) -> String {
        let plain = Self::default();
        plain.typed(value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'><=;|&(:";

    fn lines(line: &str, candidates: &[(&str, &str)]) -> String {
        let words = [line.to_string(), BREAKS.to_string(), "9".to_string()];
        let asked = Asked::read(Shell::Bash, &words).unwrap();
        let candidates = candidates.iter();
        let answer = Answer::of(
            candidates
                .map(|(value, about)| Candidate {
                    value: (*value).to_string(),
                    about: (*about).to_string(),
                    is_id: !about.is_empty(),
                })
                .collect(),
        );
        asked.write(&answer)
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        let split = |line: &str| {
            let line = Line::split(line, BREAKS);
            (line.words.join("|"), line.current, line.start)
        };
        let of =
            |words: &str, current: &str, start| (words.to_string(), current.to_string(), start);
        assert_eq!(split("glance im"), of("glance", "im", 7));
        assert_eq!(split("glance "), of("glance", "", 7));
        assert_eq!(
            split("g 'a b' \"c\\\"d\" e\\ f"),
            of("g|a b|c\"d", "e f", 15)
        );
        assert_eq!(split("g ''  \"My im"), of("g|", "My im", 6));
        assert_eq!(split("g a\\"), of("g", "a", 2));
        assert_eq!(split(""), of("", "", 0));
    }

    #[test]
    fn bash_gets_the_part_of_the_word_that_it_replaces_quoted_as_it_is_typed() {
        let image = [("My image", "")];
        assert_eq!(lines("glance image show My", &image), "words\nMy\\ image\n");
        assert_eq!(
            lines("glance image show My\\ i", &image),
            "words\nMy\\ image\n"
        );
        assert_eq!(
            lines("glance image show \"My i", &image),
            "words\nMy image\n"
        );
        assert_eq!(
            lines("glance image show 'My i", &image),
            "words\nMy image\n"
        );
        assert_eq!(lines("glance image show 'i", &[("it's", "")]), "words\n");
        assert_eq!(
            lines("glance image show a:", &[("a:b c", "")]),
            "words\nb\\ c\n"
        );
        let cloud = [("--os-cloud=my", "")];
        assert_eq!(lines("glance --os-cloud=m", &cloud), "words\nmy\n");
        assert_eq!(lines("glance --os-cloud=\"m", &cloud), "words\nmy\n");
        assert_eq!(
            lines("glance image set --property os", &[("os_distro=", "")]),
            "nospace\nos_distro=\n"
        );
    }

    #[test]
    fn bash_shows_the_names_of_several_ids_and_inserts_none() {
        let two = [("1a", "one"), ("1b", "two")];
        assert_eq!(
            lines("glance image-show 1", &two),
            "words\n1a  (one)\n1b  (two)\n"
        );
        assert_eq!(lines("glance image-show 1a", &two[..1]), "words\n1a\n");
        let words = ["glance image-show ", BREAKS, "37"].map(str::to_string);
        let asked = Asked::read(Shell::Bash, &words).unwrap();
        let one = |value: &str| Candidate {
            value: value.to_string(),
            about: "x".to_string(),
            is_id: true,
        };
        let text = asked.write(&Answer::of(vec![one("1"), one("2")]));
        assert_eq!(text, "words\n1\n2\n");
    }

    #[test]
    fn the_other_shells_get_descriptions() {
        let write = |shell, words: &[&str], value: &str| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            let asked = Asked::read(shell, &words).unwrap();
            let one = Candidate {
                value: value.to_string(),
                about: "what".to_string(),
                is_id: false,
            };
            (
                asked.before.join("|"),
                asked.current.clone(),
                asked.write(&Answer::of(vec![one])),
            )
        };
        let (before, current, text) = write(Shell::Zsh, &["'a b'", "c\\ "], "c :d");
        assert_eq!(
            (&*before, &*current, &*text),
            ("a b", "c ", "words\nc \\:d:what\n")
        );
        let (before, current, text) = write(Shell::Fish, &["a b", "\"c d"], "c d");
        assert_eq!(
            (&*before, &*current, &*text),
            ("a b", "c d", "words\nc d\twhat\n")
        );
        let (before, current, _) = write(Shell::PowerShell, &["a", "="], "b");
        assert_eq!((&*before, &*current), ("a", ""));
        assert!(Asked::read(Shell::Fish, &[]).is_none());
        assert!(Asked::read(Shell::Bash, &["x".to_string()]).is_none());
        assert!(NAMES.iter().all(|name| Shell::named(name).is_some()));
    }
}
