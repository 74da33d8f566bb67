//! The command that a line names.

use super::complain::{invalid_choice, usage};
use crate::Result;
use crate::cli::command::grammar::{Grammar, Row};

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
        let names = Grammar::Glance.shown_rows().into_iter().map(|row| row.name);
        let names = names.chain(["bash-completion", "help", "bash_completion"]);
        return Err(usage(
            called,
            None,
            &format!(
                "argument <subcommand>: {}",
                invalid_choice(&words[0], names.map(str::to_string))
            ),
        )
        .hint(nearest(&words[0]).map_or_else(
            || "Run \"glance help\" to list the subcommands.".to_string(),
            |name| format!("Did you mean {name}?"),
        )));
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

/// Returns the command of the first grammar most similar to a word.
fn nearest(word: &str) -> Option<&'static str> {
    let rows = Grammar::Glance.rows();
    rows.iter()
        .map(|row| (strsim::levenshtein(word, row.name), row.name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| name)
}
