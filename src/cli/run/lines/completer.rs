//! Completion at the prompt.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::cli::command::grammar::Grammar;
use crate::cli::complete::Subject;
use crate::cli::complete::engine::complete;
use crate::cli::complete::shells::Line;
use crate::cli::complete::source::Source;

/// The completion of a line at the prompt, as in a shell.
pub(super) struct Words {
    pub(super) called: Grammar,
    /// The global options of all lines.
    pub(super) options: Vec<String>,
    pub(super) source: Box<dyn Source>,
}

impl Words {
    /// Returns the completions of the last word of `line`, and the offset of that word.
    fn complete_line(&self, line: &str) -> (usize, Vec<Pair>) {
        let line = Line::split(line, "");
        let before: Vec<String> = self.options.iter().chain(&line.words).cloned().collect();
        let subject = Subject::Client(self.called);
        let answer = complete(&subject, &before, &line.current, self.source.as_ref());
        let mut pairs: Vec<Pair> = answer
            .candidates
            .into_iter()
            .map(|one| Pair {
                replacement: line.replacement(&one.value),
                display: if one.is_id && !one.about.is_empty() {
                    format!("{}  ({})", one.value, one.about)
                } else {
                    one.value
                },
            })
            .collect();
        if line.words.is_empty() {
            let ends = ["exit", "quit"].into_iter();
            pairs.extend(
                ends.filter(|end| end.starts_with(&line.current))
                    .map(|end| Pair {
                        display: end.to_string(),
                        replacement: end.to_string(),
                    }),
            );
        }
        (line.start, pairs)
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.complete_line(line.get(..position).unwrap_or(line)))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::complete::source::Selection;
    use crate::model::{NameQuery, Named};

    struct Fixed;

    impl Source for Fixed {
        fn names(&self, selection: &Selection, query: &NameQuery, _: &str) -> Vec<Named> {
            assert!(matches!(query, NameQuery::Images(_)));
            let Selection::Client(globals) = selection else {
                panic!("of a client");
            };
            assert_eq!(globals.named("--data-dir"), Some("/d"));
            vec![Named {
                value: "1f".to_string(),
                about: "My image".to_string(),
            }]
        }

        fn clouds(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn words_of_commands_and_options_complete() {
        let helper = Words {
            called: Grammar::Openstack,
            options: vec!["--data-dir=/d".to_string()],
            source: Box::new(Fixed),
        };
        let complete = |line| {
            let (start, pairs) = helper.complete_line(line);
            let words: Vec<String> = pairs.into_iter().map(|pair| pair.replacement).collect();
            (start, words)
        };
        assert_eq!(complete("im"), (0, vec!["image".to_string()]));
        assert_eq!(complete("q"), (0, vec!["quit".to_string()]));
        assert_eq!(complete("image sh"), (6, vec!["show".to_string()]));
        assert_eq!(complete("help image sh"), (11, vec!["show".to_string()]));
        assert_eq!(complete("help cl"), (5, vec!["cloud".to_string()]));
        assert_eq!(
            complete("image show x --human-"),
            (13, vec!["--human-readable".to_string()])
        );
        assert_eq!(
            complete("image show 'My i"),
            (11, vec!["My\\ image".to_string()])
        );
        assert_eq!(complete("image show 1"), (11, vec!["1f".to_string()]));
        assert!(complete("image add ").1.contains(&"project".to_string()));
    }
}
