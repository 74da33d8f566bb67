//! Command-line parsing compatible with argparse: abbreviated options, global options where upstream's parser
//! accepts them, and argparse's error messages.
//!
//! A command accepts its own options (including the formatter's) and those of [`Grammar::globals_after`]. Any
//! other option is rejected, even if it is valid for another grammar or command, or before the command.

mod arguments;
mod complain;
mod find;
mod former;
mod split;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use self::arguments::{Sorted, Sorter};
use self::complain::{complaint, usage};
use self::find::{Found, find_row};
use self::split::split_globals;
use super::builtins::builtin;
use super::globals::{self, Globals};
use super::grammar::{Grammar, Row};
use super::parser::leaf;
use super::{help, suggest};
use crate::{Error, Result};

pub use arguments::{longs_of, looks_like_option, takes_several};
pub use complain::{complain, missing_command, near_miss, refusing, usage_line};
pub use former::successor;

/// A parsed command line.
pub enum Request {
    /// The help of the program.
    ProgramHelp,
    /// No command, only global options. These are returned as given.
    NoCommand(Vec<String>),
    /// The version of the program.
    Version,
    /// A command that is not in the table, such as `help`, with its arguments.
    Builtin {
        /// The name of the command.
        name: String,
        /// The arguments.
        words: Vec<String>,
    },
    /// The help of a command.
    Help(&'static Row),
    /// The help of the commands that begin with these words.
    GroupHelp {
        /// The words.
        words: Vec<String>,
        /// Whether help was asked for. If not, the rest of the command is missing.
        is_asked: bool,
    },
    /// A command from the table.
    Leaf(Box<Parsed>),
    /// An unknown `openstack` command: the words up to the first option.
    Unknown(Vec<String>),
}

/// A command with its parsed arguments.
pub struct Parsed {
    /// The grammar of the command.
    pub grammar: Grammar,
    /// The command.
    pub row: &'static Row,
    /// The arguments.
    pub matches: ArgMatches,
    /// The global options, from before and after the command.
    pub globals: Globals,
}

/// Parses a command line without the program's name. `called` is the grammar of the program that was called.
///
/// # Errors
/// `Usage`, in argparse's wording, with a usage line that names the program as it was called.
pub fn read(called: Grammar, words: Vec<OsString>) -> Result<Request> {
    read_words(called, to_text(words)?)
}

/// Parses words like [`read`].
///
/// # Errors
/// The errors of [`read`].
pub fn read_words(called: Grammar, words: Vec<String>) -> Result<Request> {
    let (grammar, before, rest) = split_globals(called, &words)?;
    let has = |names: &[&str]| before.iter().any(|word| names.contains(&word.as_str()));
    if has(&["--version"]) {
        return Ok(Request::Version);
    }
    let Some(first) = rest.first() else {
        if has(&["-h", "--help"]) {
            return Ok(Request::ProgramHelp);
        }
        return Ok(Request::NoCommand(words));
    };
    if has(&["-h", "--help"]) && grammar == Grammar::Glance {
        return Ok(Request::ProgramHelp);
    }
    if builtin(first).is_some() {
        return Ok(Request::Builtin {
            name: first.clone(),
            words: rest[1..].to_vec(),
        });
    }
    let (row, rest) = match find_row(called, grammar, &rest)? {
        Found::Row(row, taken) => (row, rest[taken..].to_vec()),
        Found::None => return unknown(called, rest, has(&["-h", "--help"])),
    };
    if has(&["-h", "--help"]) || asks_for_help(&rest) {
        return Ok(Request::Help(row));
    }
    let parser = globals::before(grammar);
    let before = match parser.clone().try_get_matches_from(&before) {
        Ok(matches) => matches,
        Err(error) => {
            let what = complaint(&parser, &error, &before);
            return Err(usage(called, None, &what));
        }
    };
    let command = leaf(called, grammar, row);
    let Sorted { known, unknown } = Sorter::new(called, grammar, row, &command).sort(rest)?;
    let mut line = vec![String::new()];
    line.extend(known);
    let typed = line.clone();
    let named = format!("{} {}", called.program(), row.name);
    let meant = |word: &str| advice(grammar, row, &command, word);
    let matches = match command.clone().try_get_matches_from(line) {
        Ok(matches) => matches,
        Err(error) => {
            let what = complaint(&command, &error, &typed);
            let is_unknown = error.kind() == ErrorKind::UnknownArgument;
            let refused = if is_unknown && grammar == Grammar::Glance {
                // argparse reports unknown options from the top-level parser, so glance's name is used.
                usage(called, None, &what)
            } else {
                complain(&named, command.clone(), &error, &typed)
            };
            let words = if is_unknown { &typed[1..] } else { &[] };
            let mut named = words.iter().filter(|word| what.contains(*word));
            return Err(match named.find_map(|word| meant(word)) {
                Some(hint) => refused.hint(hint),
                None => refused,
            });
        }
    };
    if unknown.is_empty() {
        // Help may be abbreviated or part of a cluster of letters.
        if matches!(matches.try_get_one::<bool>("help"), Ok(Some(true))) {
            return Ok(Request::Help(row));
        }
        let globals = Globals::from_matches(grammar, &before, &matches);
        return Ok(Request::Leaf(Box::new(Parsed {
            grammar,
            row,
            matches,
            globals,
        })));
    }
    let what = format!("unrecognized arguments: {}", unknown.join(" "));
    let hint = unknown.iter().find_map(|word| meant(word));
    let error = match grammar {
        Grammar::Glance => usage(called, None, &what),
        Grammar::Openstack => {
            let line = usage_line(command);
            Error::usage(format!("{line}\n{named}: error: {what}"))
        }
    };
    Err(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// Returns the request of words that are no command of the second grammar: help, if commands begin with them.
///
/// # Errors
/// `Usage` for an unknown command of `glance`.
fn unknown(called: Grammar, mut words: Vec<String>, is_asked: bool) -> Result<Request> {
    let is_asked = is_asked || asks_for_help(&words);
    let is_help = |word: &String| word == "-h" || word == "--help";
    let typed = words.clone();
    words.retain(|word| !is_help(word));
    if help::is_group(&words) && (is_asked || called == Grammar::Glance) {
        return Ok(Request::GroupHelp { words, is_asked });
    }
    if called == Grammar::Openstack {
        return Ok(Request::Unknown(typed));
    }
    words.truncate(
        words
            .iter()
            .take_while(|word| !word.starts_with('-'))
            .count(),
    );
    let name = words.join(" ");
    let error = usage(called, None, &format!("'{name}' is not a command"));
    Err(error.hint(help::hint_of(&words, words.len().min(2), "glance ")))
}

/// Returns the hint for an option that a command does not have, if a similar one exists.
fn advice(grammar: Grammar, row: &'static Row, command: &Command, word: &str) -> Option<String> {
    if let Some(hint) = successor(grammar, row.name, word) {
        return Some(hint);
    }
    let takes = |name: &str| {
        command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(name))
    };
    if !word.starts_with('-') && command.get_positionals().next().is_none() && takes("name") {
        return Some(format!("Pass a name with --name: --name '{word}'."));
    }
    if matches!(word, "-f" | "-c") && grammar == Grammar::Glance {
        let long = if word == "-f" { "format" } else { "column" };
        return Some(format!("Pass --{long}, before or after the command."));
    }
    let long = word.strip_prefix("--")?.split('=').next()?;
    // Upstream accepts --force in front of every command, to no effect on this one.
    if long != "force" && grammar.globals().any(|global| global.long == long) {
        return Some(format!("Pass --{long} before the command."));
    }
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let own = shown.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default());
    let globals = grammar.globals_after().map(|global| global.long);
    let mut near = suggest::options(word, own.chain(globals));
    // The option itself is known: it is misplaced.
    near.retain(|name| *name != long);
    suggest::hint(&near, |name| format!("--{name}"))
}

fn to_text(words: Vec<OsString>) -> Result<Vec<String>> {
    words
        .into_iter()
        .map(|word| {
            word.into_string().map_err(|word| {
                Error::usage(format!("argument {} is not UTF-8", word.to_string_lossy()))
            })
        })
        .collect()
}

/// Returns whether `-h` or `--help` occurs among a command's words, before `--`.
fn asks_for_help(words: &[String]) -> bool {
    words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word == "-h" || word == "--help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(grammar: Grammar, line: &str) -> Result<Request> {
        read(
            grammar,
            line.split_whitespace().map(OsString::from).collect(),
        )
    }

    fn refused(grammar: Grammar, line: &str) -> String {
        match read_line(grammar, line) {
            Err(error) => error
                .message()
                .lines()
                .last()
                .unwrap_or_default()
                .to_string(),
            Ok(_) => panic!("{line} was accepted"),
        }
    }

    fn row(grammar: Grammar, line: &str) -> &'static str {
        match read_line(grammar, line) {
            Ok(Request::Leaf(parsed)) => parsed.row.name,
            Ok(_) => panic!("{line} is not a command"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    #[test]
    fn commands_are_found_in_both_grammars() {
        assert_eq!(row(Grammar::Glance, "image-list"), "image-list");
        assert_eq!(row(Grammar::Glance, "image list"), "image list");
        assert_eq!(row(Grammar::Openstack, "image list"), "image list");
        assert_eq!(row(Grammar::Openstack, "imag list"), "image list");
        assert_eq!(
            row(Grammar::Openstack, "--debug image metadef namespace list"),
            "image metadef namespace list"
        );
        assert_eq!(
            row(Grammar::Openstack, "image list --debug --os-cloud x"),
            "image list"
        );
        assert_eq!(
            row(Grammar::Glance, "--os-cloud x -vq image list"),
            "image list",
            "the second grammar's options stand before its commands"
        );
        assert!(matches!(
            read_line(Grammar::Openstack, "image frobnicate"),
            Ok(Request::Unknown(_))
        ));
    }

    #[test]
    fn complaints_are_argparses() {
        assert_eq!(
            refused(Grammar::Glance, "image-show"),
            "glance image-show: error: the following arguments are required: <IMAGE_ID>"
        );
        assert_eq!(
            refused(Grammar::Glance, "image-list --unknown"),
            "glance: error: unrecognized arguments: --unknown"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image create x --private --community"),
            "openstack image create: error: argument --community: not allowed with argument --private"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image list -f shell"),
            "openstack image list: error: argument -f/--format: invalid choice: 'shell' \
             (choose from 'csv', 'json', 'table', 'value', 'yaml')"
        );
        assert_eq!(
            refused(Grammar::Openstack, "image set x --min-disk many"),
            "openstack image set: error: argument --min-disk: invalid int value: 'many'"
        );
        assert!(
            refused(Grammar::Glance, "image-lis")
                .starts_with("glance: error: argument <subcommand>: invalid choice")
        );
        assert!(
            refused(Grammar::Glance, "image-create --os x")
                .contains("ambiguous option: --os could match")
        );
    }

    #[test]
    fn options_of_the_other_grammar_are_rejected() {
        for (line, complaint) in [
            (
                "image delete A -f json",
                "glance image delete: error: unrecognized arguments: -f json",
            ),
            (
                "image delete -f json A",
                "glance image delete: error: unrecognized arguments: -f",
            ),
            (
                "image delete A --force B --debug C",
                "glance image delete: error: unrecognized arguments: --force B C",
            ),
            (
                "image delete A --format=json -v",
                "glance image delete: error: unrecognized arguments: --format=json",
            ),
            (
                "-f image delete A",
                "glance: error: unrecognized arguments: -f",
            ),
            (
                "--get-schema image delete A",
                "glance: error: unrecognized arguments: --get-schema",
            ),
            (
                "image-delete A -f",
                "glance: error: unrecognized arguments: -f",
            ),
            (
                "image-delete A --force -q",
                "glance: error: unrecognized arguments: --force -q",
            ),
            (
                "image-delete --debug A",
                "glance: error: unrecognized arguments: --debug",
            ),
            (
                "image-delete --debug",
                "glance image-delete: error: the following arguments are required: <IMAGE_ID>",
            ),
            (
                "--quiet image-delete A",
                "glance: error: unrecognized arguments: --quiet",
            ),
        ] {
            assert_eq!(refused(Grammar::Glance, line), complaint, "{line}");
        }
    }

    #[test]
    fn options_of_the_api_v1_name_what_replaces_them() {
        for (line, instead) in [
            (
                "image-create --name x --is-public True",
                "--visibility public",
            ),
            ("image-create --is_public=True", "--visibility public"),
            ("image-create --location http://h/x", "location-add"),
            ("image-create --copy-from http://h/x", "web-download"),
            ("image-update ID --purge-props", "--remove-property"),
            ("image-update ID --is-protected False", "--protected"),
            ("image-list --name x", "--property-filter name="),
            ("image-list --all-tenants", "--visibility all"),
            ("member-create ID P --can-share", "cannot share"),
            ("image create x --is-public True", "--public"),
            ("image set x --is-protected True", "--protected"),
            ("image create x --owner y", "--project"),
        ] {
            let Err(error) = read_line(Grammar::Glance, line) else {
                panic!("{line} was accepted");
            };
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
            let hint = format!("{:?}", error.hints());
            assert!(hint.contains(instead), "{line}: {hint}");
        }
        let Err(error) = read_line(Grammar::Glance, "image-show ID --is-public True") else {
            panic!("accepted");
        };
        assert_eq!(error.hints(), []);
    }

    #[test]
    fn misplaced_words_have_a_hint() {
        for (line, expected) in [
            ("image-create foo", "Pass a name with --name: --name 'foo'."),
            (
                "--format json image list",
                "Pass --format after the command.",
            ),
            (
                "doctor -f json",
                "Pass --format, before or after the command.",
            ),
            ("image-save x", "Did you mean \"glance image save\"?"),
            (
                "image download x",
                "Did you mean \"glance image-download\"?",
            ),
            ("images list", "Did you mean \"glance image list\"?"),
            (
                "--property x=y image list",
                "Pass --property after the command.",
            ),
        ] {
            let Err(error) = read_line(Grammar::Glance, line) else {
                panic!("{line} is accepted");
            };
            assert_eq!(error.hints(), [expected.into()], "{line}");
        }
    }

    #[test]
    fn complaints_name_the_program_that_was_called() {
        for (called, line, complaint) in [
            (
                Grammar::Glance,
                "image show",
                "glance image show: error: the following arguments are required: <image>",
            ),
            (
                Grammar::Openstack,
                "image show",
                "openstack image show: error: the following arguments are required: <image>",
            ),
            (
                Grammar::Glance,
                "image list --os x",
                "glance image list: error: ambiguous option: --os could match",
            ),
        ] {
            let Err(error) = read_line(called, line) else {
                panic!("{line} was accepted");
            };
            let program = called.program();
            let mut lines = error.message().lines();
            let usage = lines.next().unwrap_or_default();
            assert!(usage.starts_with(&format!("usage: {program} ")), "{usage}");
            let message = lines.next_back().unwrap_or_default();
            assert!(message.starts_with(complaint), "{line}: {message}");
        }
    }

    #[test]
    fn abbreviated_help_is_help() {
        for line in ["image delete A --hel", "image delete A -qh"] {
            assert!(
                matches!(
                    read_line(Grammar::Openstack, line),
                    Ok(Request::Help(row)) if row.name == "image delete"
                ),
                "{line}"
            );
        }
        assert_eq!(
            refused(Grammar::Glance, "image-delete A --hel"),
            "glance: error: unrecognized arguments: --hel"
        );
    }

    #[test]
    fn every_command_can_be_built() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for row in grammar.rows() {
                leaf(grammar, grammar, row).debug_assert();
            }
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        let check = |line: &str| {
            let words = line.split(' ').map(str::to_string).collect();
            match read_words(Grammar::Glance, words) {
                Ok(Request::Leaf(parsed)) => parsed.globals.refuse_contradictions(parsed.row.name),
                Ok(_) => panic!("{line}"),
                Err(error) => panic!("{line}: {error}"),
            }
        };
        for line in [
            "--local --os-cloud x image-list",
            "--os-cloud x image-list --local",
            "--data-dir d --os-auth-url u image-list",
            "--config-file f --os-username u image list",
            "--config-dir d --os-image-url u image-list",
            "--as acme --os-cloud x image-list",
            "--local --data-dir d image-list",
            "--local --config-file f image-list",
            "-v -q image list",
            "image list --quiet --verbose",
            "--verify --insecure image list",
        ] {
            let error = check(line).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
            assert!(error.message().contains("not allowed with"), "{error}");
        }
        for line in [
            "--local image-list",
            "--os-cloud x --os-region-name y image-list",
            "--data-dir d --os-cloud x image-import ID --import-method glance-download",
            "--data-dir d --os-cloud x image import --method glance-download y",
        ] {
            assert!(check(line).is_ok(), "{line}");
        }
    }
}
