//! Completion at the prompt.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use crate::cli::command::grammar::Grammar;
use crate::cli::command::parser::own;
use crate::cli::command::topics::TOPICS;

/// The words for completion at the prompt.
pub(super) struct Words {
    pub(super) called: Grammar,
}

impl Words {
    /// Returns the completions of the last word of `line`, and the offset of that word.
    fn complete_line(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |space| {
            space + line[space..].chars().next().map_or(1, char::len_utf8)
        });
        let (before, last) = line.split_at(start);
        let before: Vec<&str> = before
            .split_whitespace()
            .filter(|word| !word.starts_with('-'))
            .collect();
        let (is_help, before) = match before.split_first() {
            Some((&"help", rest)) => (true, rest),
            _ => (false, &before[..]),
        };
        let mut words: Vec<String> = Vec::new();
        if last.starts_with('-') {
            let named = (1..=before.len())
                .rev()
                .find_map(|taken| self.called.find(&before[..taken].join(" ")));
            if let Some(row) = named {
                let command = own(self.called, Grammar::of(row), row);
                let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
                words
                    .extend(shown.filter_map(|arg| arg.get_long().map(|long| format!("--{long}"))));
            }
        } else {
            let mut names: Vec<&str> = self.called.rows().iter().map(|row| row.name).collect();
            if before.is_empty() && !is_help {
                names.extend(["help", "quit", "exit"]);
            }
            if before.is_empty() && is_help {
                names.extend(TOPICS.iter().map(|topic| topic.name));
            }
            for name in names {
                let mut rest = name.split(' ');
                if before.iter().all(|word| rest.next() == Some(word)) {
                    words.extend(rest.next().map(str::to_string));
                }
            }
        }
        words.retain(|word| word.starts_with(last));
        words.sort_unstable();
        words.dedup();
        (start, words)
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
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

    #[test]
    fn words_of_commands_and_options_complete() {
        let helper = Words {
            called: Grammar::Openstack,
        };
        let complete = |line| helper.complete_line(line);
        assert_eq!(complete("im"), (0, vec!["image".to_string()]));
        assert_eq!(complete("q"), (0, vec!["quit".to_string()]));
        assert_eq!(complete("image sh"), (6, vec!["show".to_string()]));
        assert_eq!(complete("help image sh"), (11, vec!["show".to_string()]));
        assert_eq!(complete("help cl"), (5, vec!["cloud".to_string()]));
        assert_eq!(
            complete("image show x --hum"),
            (13, vec!["--human-readable".to_string()])
        );
        assert_eq!(complete("image show ").1, Vec::<String>::new());
        assert!(complete("image add ").1.contains(&"project".to_string()));
    }
}
