//! A global option, and constructors for the tables of options.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction};

/// The help heading that separates global options from those of a command.
const HEADING: &str = "options of the program";

/// A global option, which belongs to the program rather than to a command.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    /// The name without dashes.
    pub long: &'static str,
    /// The one-letter name.
    pub short: Option<char>,
    /// Other names. Shown in help if `shown_aliases` is set.
    pub aliases: &'static [&'static str],
    /// Whether help shows the aliases.
    pub shown_aliases: bool,
    /// The placeholder of the value; `None` for a flag.
    pub value: Option<&'static str>,
    /// The valid values; empty if any value is valid.
    pub choices: &'static [&'static str],
    /// The help text.
    pub help: &'static str,
    /// Whether the option may be repeated, with all values kept.
    pub repeated: bool,
    /// Whether help omits the option.
    pub hidden: bool,
}

impl Global {
    /// Returns the option as a clap argument.
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
        // Names with underscores are deprecated spellings.
        let old = |alias: &&str| !self.shown_aliases || alias.contains('_');
        let (hidden, shown): (Vec<&str>, Vec<&str>) =
            self.aliases.iter().partition(|alias| old(alias));
        arg.visible_aliases(shown).aliases(hidden)
    }

    /// Returns whether a command's argument was added by [`append`](super::append).
    pub fn is_after_command(arg: &Arg) -> bool {
        arg.get_help_heading() == Some(HEADING)
    }

    /// Returns whether the option has this name.
    pub(super) fn is(&self, long: &str) -> bool {
        self.long == long || self.aliases.contains(&long)
    }
}

pub(super) const fn flag(long: &'static str, short: Option<char>, help: &'static str) -> Global {
    Global {
        long,
        short,
        aliases: &[],
        shown_aliases: false,
        value: None,
        choices: &[],
        help,
        repeated: false,
        hidden: false,
    }
}

pub(super) const fn value(long: &'static str, value: &'static str, help: &'static str) -> Global {
    Global {
        long,
        short: None,
        aliases: &[],
        shown_aliases: false,
        value: Some(value),
        choices: &[],
        help,
        repeated: false,
        hidden: false,
    }
}

pub(super) const fn old(mut global: Global, aliases: &'static [&'static str]) -> Global {
    global.aliases = aliases;
    global
}

pub(super) const fn also(mut global: Global, aliases: &'static [&'static str]) -> Global {
    global.aliases = aliases;
    global.shown_aliases = true;
    global
}

pub(super) const fn one_of(mut global: Global, choices: &'static [&'static str]) -> Global {
    global.choices = choices;
    global
}

pub(super) const fn repeated(mut global: Global) -> Global {
    global.repeated = true;
    global
}

pub(super) const fn hidden(mut global: Global) -> Global {
    global.hidden = true;
    global
}
