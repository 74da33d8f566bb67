//! The global options before a command.

use super::complain::{ambiguous, usage};
use crate::Result;
use crate::cli::command::builtins::builtin;
use crate::cli::command::globals;
use crate::cli::command::grammar::{Grammar, Row};
use crate::cli::command::parser::leaf;
use crate::cli::command::suggest;

/// Splits a line into global options before the command and the rest, starting at the command. The grammar is
/// the command's: `glance` accepts commands of the second grammar, with that grammar's global options.
pub(super) fn split_globals(
    called: Grammar,
    words: &[String],
) -> Result<(Grammar, Vec<String>, Vec<String>)> {
    let split = |grammar| {
        let (before, rest) = options_before(grammar, called, words)?;
        Ok((grammar, before, rest))
    };
    if called == Grammar::Openstack {
        return split(called);
    }
    let first = split(Grammar::Glance);
    let is_first = |word: &String| Grammar::Glance.find(word).is_some() || builtin(word).is_some();
    if let Ok((_, _, rest)) = &first
        && rest.first().is_none_or(is_first)
    {
        return first;
    }
    let is_second = |word: &String| Grammar::Openstack.begins_with(word);
    let names_second = |split: &Result<(Grammar, Vec<String>, Vec<String>)>| {
        let rest = split.as_ref().ok().map(|(_, _, rest)| rest);
        rest.and_then(|rest| rest.first()).is_some_and(is_second)
    };
    let second = split(Grammar::Openstack);
    if names_second(&first) || names_second(&second) {
        return second;
    }
    first
}

/// Returns the hint for an option before a command that only commands have.
fn after_command(grammar: Grammar, called: Grammar, word: &str) -> Option<String> {
    let name = word
        .split('=')
        .next()
        .unwrap_or(word)
        .trim_start_matches('-');
    let has = |row: &&'static Row| {
        let command = leaf(called, grammar, row);
        command.get_arguments().any(|arg| {
            arg.get_long() == Some(name) || arg.get_short().is_some_and(|c| name == c.to_string())
        })
    };
    grammar.rows().into_iter().find(has)?;
    Some(format!("Pass {word} after the command."))
}

/// Splits off the global options at the start of `words`, unabbreviated.
fn options_before(
    grammar: Grammar,
    called: Grammar,
    words: &[String],
) -> Result<(Vec<String>, Vec<String>)> {
    let mut before = Vec::new();
    let mut words = words.iter().cloned().peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-') && word != "-") {
        if word == "-h" || word == "--help" {
            before.push(word);
            continue;
        }
        let found = globals::find(grammar, &word)
            .map_err(|candidates| ambiguous(called, None, &word, &candidates))?;
        let Some(global) = found else {
            let what = format!("unrecognized arguments: {word}");
            let error = usage(called, None, &what);
            let near = suggest::options(&word, grammar.globals().map(|global| global.long));
            let hint = after_command(grammar, called, &word)
                .or_else(|| suggest::hint(&near, |name| format!("--{name}")));
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        };
        let value = word.split_once('=').map(|(_, value)| value.to_string());
        if !word.starts_with("--") {
            // Letters may be combined; none of them takes a value.
            for letter in word.chars().skip(1) {
                let found = globals::find(grammar, &format!("-{letter}")).ok().flatten();
                let found = found.ok_or_else(|| {
                    usage(called, None, &format!("unrecognized arguments: {word}"))
                })?;
                before.push(format!("--{}", found.long));
            }
            continue;
        }
        let name = format!("--{}", global.long);
        match (global.value, value) {
            (None, Some(value)) => {
                return Err(usage(
                    called,
                    None,
                    &format!("argument {name}: ignored explicit argument '{value}'"),
                ));
            }
            (None, None) => before.push(name),
            (Some(_), Some(value)) => before.push(format!("{name}={value}")),
            (Some(_), None) => match words.next() {
                Some(value) => before.push(format!("{name}={value}")),
                None => {
                    return Err(usage(
                        called,
                        None,
                        &format!("argument {name}: expected one argument"),
                    ));
                }
            },
        }
    }
    Ok((before, words.collect()))
}
