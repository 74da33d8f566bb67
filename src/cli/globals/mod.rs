//! Options that stand before the command, or anywhere: of each grammar, and our own.

mod tables;

use std::collections::HashMap;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::registry::Grammar;
use tables::{GLANCE, OPENSTACK, OURS, OURS_IN_GLANCE};

/// An option of the program rather than of a command.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    /// Name without dashes.
    pub long: &'static str,
    /// Letter, if it has one.
    pub short: Option<char>,
    /// Other names for it, shown in help when `shown_aliases` says so.
    pub aliases: &'static [&'static str],
    /// Whether help shows the aliases.
    pub shown_aliases: bool,
    /// What its value is called; None: it takes none.
    pub value: Option<&'static str>,
    /// What the value may be; empty: anything.
    pub choices: &'static [&'static str],
    /// What it does.
    pub help: &'static str,
    /// Whether it may be given several times, all of which count.
    pub repeated: bool,
    /// Whether help leaves it out.
    pub hidden: bool,
}

impl Grammar {
    /// The options of the program in this grammar.
    pub fn globals(self) -> impl Iterator<Item = &'static Global> {
        let (theirs, ours): (&'static [Global], &'static [Global]) = match self {
            Self::Glance => (GLANCE, OURS_IN_GLANCE),
            Self::Openstack => (OPENSTACK, &[]),
        };
        theirs.iter().chain(OURS).chain(ours)
    }
}

/// The help heading that tells the options of the program from those of a command.
const HEADING: &str = "options of the program";

impl Global {
    /// The option as clap knows it.
    pub fn arg(&self) -> Arg {
        let mut arg = Arg::new(self.long)
            .long(self.long)
            .help(self.help)
            .help_heading(HEADING)
            .hide(self.hidden);
        arg = arg.action(match (self.value, self.repeated) {
            (None, false) => ArgAction::SetTrue,
            (None, true) => ArgAction::Count,
            (Some(_), false) => ArgAction::Set,
            (Some(_), true) => ArgAction::Append,
        });
        if let Some(value) = self.value {
            arg = arg.value_name(value).num_args(1);
            if !self.choices.is_empty() {
                arg = arg.value_parser(PossibleValuesParser::new(self.choices.iter().copied()));
                arg = arg.hide_possible_values(true);
            }
        }
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        // Spellings with underscores are old ones.
        let old = |alias: &&str| !self.shown_aliases || alias.contains('_');
        let (hidden, shown): (Vec<&str>, Vec<&str>) =
            self.aliases.iter().partition(|alias| old(alias));
        arg.visible_aliases(shown).aliases(hidden)
    }

    /// Whether an argument of a command is one that [`append`] put there.
    pub fn is_behind(arg: &Arg) -> bool {
        arg.get_help_heading() == Some(HEADING)
    }

    /// Whether it is called that.
    fn is(&self, long: &str) -> bool {
        self.long == long || self.aliases.contains(&long)
    }
}

/// Appends the options of the program, hidden, to a command, except where the command has its own.
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
    for global in grammar.globals() {
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

/// The option of the program that a word is, exactly or abbreviated to what only it begins with.
///
/// # Errors
/// The candidates, when there are several.
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
    // What abbreviates an option of the real client does so still, whatever options of ours there are.
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

/// The values of the program's options on one command line.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    values: HashMap<&'static str, Vec<String>>,
}

impl Globals {
    /// Reads them out of a command's matches.
    pub fn from_matches(grammar: Grammar, matches: &ArgMatches) -> Self {
        let mut values = HashMap::new();
        // A command of the second grammar takes the options of the first one too.
        let first = Grammar::Glance.globals();
        for global in grammar.globals().chain(first) {
            let id = global.long;
            let given = match (global.value, global.repeated) {
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
                values.insert(global.long, given);
            }
        }
        Self { values }
    }

    /// Whether the option was given.
    pub fn given(&self, long: &str) -> bool {
        self.values.contains_key(long)
    }

    /// How often a repeated option without a value was given.
    pub fn count(&self, long: &str) -> usize {
        self.values.get(long).map_or(0, Vec::len)
    }

    /// Its value; the last one, where it was given several times.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.values.get(long)?.last().map(String::as_str)
    }

    /// All of its values.
    pub fn all(&self, long: &str) -> &[String] {
        self.values.get(long).map_or(&[], Vec::as_slice)
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
        assert_eq!(name(Grammar::Openstack, "--nonsense"), Ok(None));
        assert!(name(Grammar::Glance, "--os-auth").is_err());
    }

    #[test]
    fn no_name_is_taken_twice() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            append(Command::new("x"), grammar).debug_assert();
        }
    }
}
