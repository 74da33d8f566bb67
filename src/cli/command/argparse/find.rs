//! The command that a line names.

use super::complain::usage;
use crate::Result;
use crate::cli::command::grammar::{Grammar, Row};
use crate::cli::command::help;

pub(super) enum Found {
    Row(&'static Row, usize),
    None,
}

/// Finds the command at the start of `words` and the number of words it takes.
pub(super) fn find_row(called: Grammar, grammar: Grammar, words: &[String]) -> Result<Found> {
    if grammar == Grammar::Glance {
        if let Some(row) = Grammar::Glance.find(&words[0]) {
            return Ok(Found::Row(row, 1));
        }
        let what = format!("argument <subcommand>: invalid choice: '{}'", words[0]);
        let hint = help::hint_of(words, 1, "glance ");
        return Err(usage(called, None, &what).hint(hint));
    }
    let leading: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    for taken in (1..=leading.len()).rev() {
        if let Some(row) = Grammar::Openstack.find(&leading[..taken].join(" ")) {
            return Ok(Found::Row(row, taken));
        }
    }
    // cliff accepts abbreviated words that identify a single command.
    for taken in (1..=leading.len()).rev() {
        let mut rows = Grammar::Openstack.rows().into_iter().filter(|row| {
            let names: Vec<&str> = row.name.split(' ').collect();
            names.len() == taken
                && names
                    .iter()
                    .zip(&leading)
                    .all(|(name, word)| name.starts_with(word))
        });
        if let (Some(row), None) = (rows.next(), rows.next()) {
            return Ok(Found::Row(row, taken));
        }
    }
    Ok(Found::None)
}
