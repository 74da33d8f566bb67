//! Global options: those accepted before the command and those also accepted after it.

pub mod cloud;
pub mod deployment;
mod extensions;
mod glance;
pub mod keys;
mod openstack;
mod option;

use std::collections::HashMap;

use clap::{ArgMatches, Command};

use self::extensions::{EXTENSIONS, GLANCE_EXTENSIONS, OPENSTACK_EXTENSIONS};
use self::glance::GLANCE;
use self::keys::{Flag, Text, Texts};
use self::openstack::OPENSTACK;
use super::grammar::Grammar;
use crate::Error;

pub use option::Global;

impl Grammar {
    /// Returns the options of upstream's program for this grammar.
    fn upstream_globals(self) -> &'static [Global] {
        match self {
            Self::Glance => GLANCE,
            Self::Openstack => OPENSTACK,
        }
    }

    /// Returns the additional options of our program for this grammar.
    fn own_globals(self) -> impl Iterator<Item = &'static Global> {
        let ours: &'static [Global] = match self {
            Self::Glance => GLANCE_EXTENSIONS,
            Self::Openstack => OPENSTACK_EXTENSIONS,
        };
        EXTENSIONS.iter().chain(ours)
    }

    /// Returns all global options of this grammar.
    pub fn globals(self) -> impl Iterator<Item = &'static Global> {
        self.upstream_globals().iter().chain(self.own_globals())
    }

    /// Returns the global options accepted after a command: the additional ones, and upstream's if its parser
    /// accepts them there.
    ///
    /// *Source:* cliff's `App.run` parses the whole line for them (`parse_known_args`); glanceclient's parser
    /// passes everything after the command to the command's parser.
    pub fn globals_after(self) -> impl Iterator<Item = &'static Global> {
        let real: &'static [Global] = match self {
            Self::Glance => &[],
            Self::Openstack => OPENSTACK,
        };
        real.iter().chain(self.own_globals())
    }
}

/// Mutually exclusive options.
///
/// *Source:* `build_option_parser` in `osc_lib/shell.py`.
const EXCLUSIVE: [(&str, &str); 6] = [
    ("verbose", "quiet"),
    ("verify", "insecure"),
    ("os-remote-project-name", "os-remote-project-id"),
    (
        "os-remote-project-domain-name",
        "os-remote-project-domain-id",
    ),
    ("local", "data-dir"),
    ("local", "config-file"),
];

/// Options that select a local deployment.
const LOCAL: [&str; 5] = ["local", "data-dir", "config-file", "config-dir", "as"];

/// Options that select a cloud or provide credentials.
const REMOTE: [&str; 15] = [
    "os-cloud",
    "os-auth-url",
    "os-image-url",
    "os-endpoint",
    "os-endpoint-override",
    "os-auth-type",
    "os-username",
    "os-user-id",
    "os-password",
    "os-passcode",
    "os-token",
    "os-auth-token",
    "os-application-credential-id",
    "os-application-credential-name",
    "os-region-name",
];

/// Returns the parser for the options before a command.
pub fn before(grammar: Grammar) -> Command {
    Command::new(grammar.program())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
        .no_binary_name(true)
        .args(grammar.globals().map(Global::arg))
}

/// Appends the global options accepted after a command, hidden. Options that the command defines itself are
/// skipped.
pub fn append(mut command: Command, grammar: Grammar) -> Command {
    let (mut longs, mut shorts) = (Vec::new(), Vec::new());
    for arg in command.get_arguments() {
        longs.extend(
            arg.get_long_and_visible_aliases()
                .unwrap_or_default()
                .into_iter()
                .map(str::to_string),
        );
        longs.extend(
            arg.get_all_aliases()
                .unwrap_or_default()
                .into_iter()
                .map(str::to_string),
        );
        shorts.extend(arg.get_short());
    }
    for global in grammar.globals_after() {
        if longs.iter().any(|long| global.is(long)) {
            continue;
        }
        let mut arg = global.arg().hide(true);
        if global.short.is_some_and(|short| shorts.contains(&short)) {
            arg = arg.short(None);
        }
        command = command.arg(arg);
    }
    command
}

/// Finds the global option for a word; unique prefixes are accepted.
///
/// # Errors
/// The candidates if the prefix is ambiguous.
pub fn find(grammar: Grammar, word: &str) -> Result<Option<&'static Global>, Vec<String>> {
    let Some(long) = word.strip_prefix("--") else {
        let letter = word.chars().nth(1);
        return Ok(grammar
            .globals()
            .find(|global| global.short.is_some() && global.short == letter));
    };
    let long = long.split_once('=').map_or(long, |(long, _)| long);
    if let Some(exact) = grammar.globals().find(|global| global.is(long)) {
        return Ok(Some(exact));
    }
    let mut begin: Vec<&Global> = grammar
        .globals()
        .filter(|global| global.long.starts_with(long))
        .collect();
    // An abbreviation of an upstream option stays valid whatever options are added.
    if begin.iter().any(|global| !global.hidden) {
        begin.retain(|global| !global.hidden);
    }
    match begin[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(begin
            .iter()
            .map(|global| format!("--{}", global.long))
            .collect()),
    }
}

/// Finds the global option for `--long` after a command. Upstream's may be abbreviated to a unique prefix,
/// additional ones may not.
///
/// # Errors
/// The candidates if the prefix is ambiguous.
pub fn find_after(grammar: Grammar, long: &str) -> Result<Option<&'static Global>, Vec<String>> {
    if let Some(exact) = grammar.globals_after().find(|global| global.is(long)) {
        return Ok(Some(exact));
    }
    let may_be_short = |global: &&Global| !global.hidden && global.long.starts_with(long);
    let begin: Vec<&'static Global> = grammar.globals_after().filter(may_be_short).collect();
    match begin[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(begin
            .iter()
            .map(|global| format!("--{}", global.long))
            .collect()),
    }
}

/// The values of the global options on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals {
    values: HashMap<&'static str, Vec<String>>,
}

impl Globals {
    /// Collects the options before a command (see [`before`]) and after it (see [`append`]).
    pub fn from_matches(grammar: Grammar, before: &ArgMatches, after: &ArgMatches) -> Self {
        let mut values = HashMap::new();
        for global in grammar.globals() {
            read_values(global, before, &mut values);
        }
        for global in grammar.globals_after() {
            read_values(global, after, &mut values);
        }
        Self { values }
    }

    /// Rejects contradictory options.
    ///
    /// # Errors
    /// `Usage`, in argparse's wording.
    pub fn refuse_contradictions(&self, command: &str) -> crate::Result<()> {
        let given = |name: &&&str| self.is_given(name);
        let refuse = |one: &str, other: &str| {
            Err(Error::usage(format!(
                "argument --{other}: not allowed with argument --{one}"
            )))
        };
        for (one, other) in EXCLUSIVE {
            if self.is_given(one) && self.is_given(other) {
                return refuse(one, other);
            }
        }
        let Some(local) = LOCAL.iter().find(given) else {
            return Ok(());
        };
        // An import into a local deployment may download from a cloud.
        if command.contains("import") || command == "task-create" {
            return Ok(());
        }
        match REMOTE.iter().find(given) {
            Some(remote) => refuse(local, remote),
            None => Ok(()),
        }
    }

    /// Returns whether the flag was given.
    pub fn is_set(&self, flag: Flag) -> bool {
        self.is_given(flag.name())
    }

    /// Returns how often a repeatable flag was given.
    pub fn count(&self, flag: Flag) -> usize {
        self.values.get(flag.name()).map_or(0, Vec::len)
    }

    /// Returns the value of an option; the last one if it was repeated.
    pub fn value(&self, option: Text) -> Option<&str> {
        self.last(option.name())
    }

    /// Returns all values of an option.
    pub fn all(&self, option: Texts) -> &[String] {
        self.values.get(option.name()).map_or(&[], Vec::as_slice)
    }

    /// Returns the value of the option `--NAME`, or `true` if it is a flag that was given.
    pub fn named(&self, option: &str) -> Option<&str> {
        let name = option.strip_prefix("--")?;
        let flag = || self.is_given(name).then_some("true");
        self.last(name).or_else(flag)
    }

    fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    fn last(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }
}

/// Collects the values of one option.
fn read_values(
    global: &Global,
    matches: &ArgMatches,
    values: &mut HashMap<&'static str, Vec<String>>,
) {
    let id = global.long;
    let given: Option<Vec<String>> = match (global.value, global.repeated) {
        (Some(_), _) => matches
            .try_get_many::<String>(id)
            .ok()
            .flatten()
            .map(|all| all.cloned().collect()),
        (None, true) => matches
            .try_get_one::<u8>(id)
            .ok()
            .flatten()
            .filter(|n| **n > 0)
            .map(|n| vec![String::new(); usize::from(*n)]),
        (None, false) => matches
            .try_get_one::<bool>(id)
            .ok()
            .flatten()
            .filter(|on| **on)
            .map(|_| Vec::new()),
    };
    if let Some(given) = given {
        values.entry(id).or_default().extend(given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_whole_and_abbreviated() {
        let name = |grammar, word| find(grammar, word).map(|found| found.map(|global| global.long));
        assert_eq!(name(Grammar::Glance, "--debug"), Ok(Some("debug")));
        assert_eq!(name(Grammar::Glance, "--deb"), Ok(Some("debug")));
        assert_eq!(
            name(Grammar::Glance, "--os_auth_token=x"),
            Ok(Some("os-auth-token"))
        );
        assert_eq!(name(Grammar::Glance, "-v"), Ok(Some("verbose")));
        assert_eq!(name(Grammar::Openstack, "--unknown"), Ok(None));
        assert!(name(Grammar::Glance, "--os-auth").is_err());
    }

    #[test]
    fn after_a_command_only_options_of_upstream_are_abbreviated() {
        let name =
            |grammar, long| find_after(grammar, long).map(|found| found.map(|global| global.long));
        assert_eq!(name(Grammar::Openstack, "quie"), Ok(Some("quiet")));
        assert_eq!(name(Grammar::Openstack, "data-di"), Ok(None));
        assert_eq!(name(Grammar::Openstack, "data-dir"), Ok(Some("data-dir")));
        assert_eq!(name(Grammar::Openstack, "force"), Ok(None));
        for long in ["force", "forc", "fo", "debug", "os-auth-token", "forma"] {
            assert_eq!(name(Grammar::Glance, long), Ok(None), "{long}");
        }
        assert_eq!(name(Grammar::Glance, "format"), Ok(Some("format")));
    }

    #[test]
    fn no_name_is_taken_twice() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            append(Command::new("x"), grammar).debug_assert();
            before(grammar).debug_assert();
        }
    }
}
