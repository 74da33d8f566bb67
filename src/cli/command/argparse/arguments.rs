//! The words after a command: abbreviated options, positional arguments, unrecognized words.

use std::collections::VecDeque;

use clap::{Arg, ArgAction, Command};

use super::complain::ambiguous;
use crate::cli::command::globals::{self, Global};
use crate::cli::command::grammar::{Grammar, Row};
use crate::{Error, Result};

/// The words after a command, sorted as argparse does.
pub(super) struct Sorted {
    /// The words that the command accepts, with unabbreviated options.
    pub(super) known: Vec<String>,
    /// The unrecognized words.
    pub(super) unknown: Vec<String>,
}

/// Separates a command's words into recognized and unrecognized ones.
pub(super) struct Sorter<'a> {
    called: Grammar,
    grammar: Grammar,
    row: &'static Row,
    command: &'a Command,
    /// Long names of the command's own options.
    own: Vec<String>,
    /// The positional arguments not yet filled: whether each takes several words.
    slots: VecDeque<bool>,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(
        called: Grammar,
        grammar: Grammar,
        row: &'static Row,
        command: &'a Command,
    ) -> Self {
        let own = command
            .get_arguments()
            .filter(|arg| !Global::is_after_command(arg));
        let own = own.flat_map(longs_of).collect();
        let slots = command.get_positionals();
        let slots = slots.map(takes_several).collect();
        Self {
            called,
            grammar,
            row,
            command,
            own,
            slots,
        }
    }

    pub(super) fn sort(mut self, words: Vec<String>) -> Result<Sorted> {
        let (mut known, mut unknown) = (Vec::with_capacity(words.len()), Vec::new());
        let mut words = words.into_iter().peekable();
        // Whether the last positional argument takes more words, as long as no option intervenes.
        let mut is_open = false;
        let mut is_literal = false;
        while let Some(word) = words.next() {
            if is_literal || !looks_like_option(&word) {
                let slot = if is_open {
                    Some(true)
                } else {
                    self.slots.pop_front()
                };
                is_open = slot == Some(true);
                // Unless an unknown option precedes it, clap reports the extra word.
                if slot.is_some() || unknown.is_empty() {
                    known.push(word);
                } else {
                    unknown.push(word);
                }
                continue;
            }
            if word == "--" {
                is_literal = true;
                known.push(word);
                continue;
            }
            let (word, arg) = self.resolve(word)?;
            let Some(arg) = arg else {
                is_open = false;
                unknown.push(word);
                continue;
            };
            is_open = is_open && Global::is_after_command(arg);
            let takes_more = takes_separate_value(arg, &word);
            known.push(word);
            if takes_more {
                let negative = arg.is_allow_negative_numbers_set();
                let is_value = |word: &String| {
                    !looks_like_option(word) || negative && word.parse::<f64>().is_ok()
                };
                known.extend(words.next_if(is_value));
                while takes_several(arg)
                    && let Some(value) = words.next_if(is_value)
                {
                    known.push(value);
                }
            }
        }
        Ok(Sorted { known, unknown })
    }

    /// Expands an abbreviated option and returns the argument that takes its value; `None` for an unknown
    /// option.
    fn resolve(&self, word: String) -> Result<(String, Option<&'a Arg>)> {
        let Some(long) = word.strip_prefix("--") else {
            let arg = self.last_of_cluster(&word);
            return Ok((word, arg));
        };
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, format!("={value}")),
            None => (long, String::new()),
        };
        let full = if self.own.iter().any(|known| known == name) {
            name.to_string()
        } else {
            let begins = |known: &&String| known.starts_with(name);
            match self.own.iter().filter(begins).collect::<Vec<_>>()[..] {
                [one] => one.clone(),
                [] => match globals::find_after(self.grammar, name) {
                    Ok(Some(global)) => global.long.to_string(),
                    Ok(None) => return Ok((word, None)),
                    Err(candidates) => {
                        return Err(self.ambiguous(&word, &candidates));
                    }
                },
                ref several => {
                    let candidates: Vec<String> =
                        several.iter().map(|name| format!("--{name}")).collect();
                    return Err(self.ambiguous(&word, &candidates));
                }
            }
        };
        let mut arguments = self.command.get_arguments();
        let arg = arguments.find(|arg| longs_of(arg).contains(&full));
        Ok((format!("--{full}{value}"), arg))
    }

    fn ambiguous(&self, word: &str, candidates: &[String]) -> Error {
        ambiguous(
            self.called,
            Some((self.grammar, self.row)),
            word,
            candidates,
        )
    }

    /// Returns the argument of the last letter of `-abc`; `None` if an earlier letter is not a flag of the
    /// command.
    fn last_of_cluster(&self, word: &str) -> Option<&'a Arg> {
        let mut last = None;
        for letter in word.chars().skip(1) {
            let mut arguments = self.command.get_arguments();
            let arg = arguments.find(|arg| {
                arg.get_short() == Some(letter)
                    || arg
                        .get_all_short_aliases()
                        .unwrap_or_default()
                        .contains(&letter)
            })?;
            last = Some(arg);
            if arg.get_action().takes_values() {
                break;
            }
        }
        last
    }
}

/// Returns whether a word before `--` is an option.
pub fn looks_like_option(word: &str) -> bool {
    word.starts_with('-') && word != "-"
}

/// Returns the long names of an option, including hidden aliases.
pub fn longs_of(arg: &Arg) -> Vec<String> {
    let long = arg.get_long().map(str::to_string);
    let aliases = arg.get_all_aliases().unwrap_or_default();
    let aliases = aliases.into_iter().map(str::to_string);
    long.into_iter().chain(aliases).collect()
}

/// Returns whether an argument takes more than one word.
pub fn takes_several(arg: &Arg) -> bool {
    arg.get_num_args()
        .is_some_and(|range| range.max_values() > 1)
        || arg.is_positional() && matches!(arg.get_action(), ArgAction::Append)
}

/// Returns whether the value of an option, spelled like this, is in the next word.
fn takes_separate_value(arg: &Arg, word: &str) -> bool {
    let is_inline = match word.strip_prefix("--") {
        Some(long) => long.contains('='),
        None => word.chars().last() != arg.get_short(),
    };
    arg.get_action().takes_values() && !is_inline
}
