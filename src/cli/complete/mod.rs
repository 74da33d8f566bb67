//! Completion of command lines in shells and at the prompt.
//!
//! The scripts of the shells are small: they call the program with the words of the line, and it answers. `engine.rs`
//! determines what may stand at the cursor, from the command tables and their parsers, and `answer.rs` is the result; `kinds.rs` is the table of the kinds
//! of values; `values.rs` has the words of each kind; `source.rs` finds the names of existing things, in the database of a
//! local deployment, or on a cloud and in `cache.rs`; `shells.rs` reads and writes the formats of the shells, and
//! `scripts.rs` has their scripts. `upstream.rs` is what upstream's commands print.
//!
//! A lookup changes nothing and never fails: unknown names are not offered.

pub mod answer;
pub mod cache;
pub mod engine;
pub mod kinds;
pub mod scripts;
pub mod shells;
pub mod source;
#[cfg(test)]
mod tests;
pub mod upstream;
mod values;

use std::ffi::OsString;
use std::path::Path;

use clap::Command;

use self::engine::complete;
use self::shells::{Asked, Shell};
use self::source::Live;
use crate::Result;
use crate::cli::command::grammar::Grammar;
use crate::config::{ConfigSource, Environment, Settings};

/// The first word of a command line that asks for completion. It is in no help.
pub const WORD: &str = "__complete";

/// A function that loads the settings of an operator's program, from the data directory, the configuration files and the
/// environment.
pub type LoadSettings = fn(Option<&Path>, &[ConfigSource], &Environment) -> Result<Settings>;

/// A program whose command line is completed.
pub enum Subject {
    /// `glance` or `openstack`.
    Client(Grammar),
    /// An operator's program.
    Tool {
        /// The command line, with its commands as subcommands.
        command: Box<Command>,
        /// The function that loads the settings.
        settings: LoadSettings,
    },
}

/// Returns the answer to a request for completion: the words after [`WORD`]; empty for an invalid request. `subject` returns
/// the program of a name.
pub fn answer(
    words: Vec<OsString>,
    environment: &Environment,
    subject: impl Fn(&str) -> Subject,
) -> String {
    let words = words.into_iter();
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let [shell, program, rest @ ..] = &words[..] else {
        return String::new();
    };
    let Some(shell) = Shell::named(shell) else {
        return String::new();
    };
    let Some(asked) = Asked::read(shell, rest) else {
        return String::new();
    };
    let subject = subject(program);
    let source = Live::new(environment.clone());
    let answer = complete(&subject, &asked.before, &asked.current, &source);
    asked.write(&answer)
}
