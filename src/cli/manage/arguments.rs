//! The arguments of actions on a database, which are given as options or by position.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

use crate::cli::command::values;
use crate::cli::operator::options::{flag, metrics_file, number, path_of, value};

/// The option that skips the backup before a schema change. It is hidden and described in a note, because the list
/// of options must match upstream's.
pub const NO_BACKUP: &str = "no-backup";

/// The option that shows the effect of a purge; hidden like [`NO_BACKUP`].
pub const DRY_RUN: &str = "dry-run";

/// The name under which upstream lists the positional values.
pub const POSITIONAL: &str = "action_args";

/// The arguments of an action.
pub trait Arguments: Sized {
    /// The number of values that may be given by position.
    const COUNT: usize;

    /// Returns the options, in the order of the positional values.
    fn options() -> Vec<Arg>;

    /// Returns the arguments that were given.
    ///
    /// # Errors
    /// The reason why a value is invalid.
    fn read(given: &Given<'_>) -> Result<Self, String>;
}

/// An action `A` with its arguments.
pub struct Action<A, T>(pub T, PhantomData<A>);

impl<A, T: Arguments> clap::FromArgMatches for Action<A, T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let arguments = T::read(&Given { matches });
        let arguments =
            arguments.map_err(|why| clap::Error::raw(ErrorKind::ValueValidation, why))?;
        Ok(Self(arguments, PhantomData))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<A, T: Arguments> clap::Args for Action<A, T> {
    fn augment_args(command: Command) -> Command {
        let command = command.args(T::options());
        match T::COUNT {
            0 => command,
            count => command.arg(
                Arg::new(POSITIONAL)
                    .num_args(0..=count)
                    .allow_negative_numbers(true)
                    .hide(true),
            ),
        }
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// No arguments.
pub struct Nothing;

impl Arguments for Nothing {
    const COUNT: usize = 0;

    fn options() -> Vec<Arg> {
        Vec::new()
    }

    fn read(_: &Given<'_>) -> Result<Self, String> {
        Ok(Self)
    }
}

/// The arguments of an upgrade step.
pub struct Step {
    /// Whether to back up an SQLite database first.
    pub backup: bool,
}

impl Arguments for Step {
    const COUNT: usize = 1;

    fn options() -> Vec<Arg> {
        vec![
            flag(
                NO_BACKUP,
                "Do not back up an SQLite database before it is changed",
            )
            .hide(true),
        ]
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            backup: !given.is_set(NO_BACKUP),
        })
    }
}

/// A schema revision.
pub struct Revision {
    /// The revision; `None` for the default of the action.
    pub version: Option<String>,
}

impl Arguments for Revision {
    const COUNT: usize = 1;

    fn options() -> Vec<Arg> {
        vec![value("version", "version", "Schema revision")]
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            version: given.text("version", 0),
        })
    }
}

/// The arguments of an upgrade.
pub struct Upgrade {
    /// The revision to upgrade to.
    pub revision: Revision,
    /// The options of the change.
    pub step: Step,
}

impl Arguments for Upgrade {
    const COUNT: usize = 1;

    fn options() -> Vec<Arg> {
        let mut options = Revision::options();
        options.extend(Step::options());
        options
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            revision: Revision::read(given)?,
            step: Step::read(given)?,
        })
    }
}

/// The arguments for exporting metadata definitions.
pub struct Export {
    /// The directory to write to; `None` for the configured one.
    pub path: Option<PathBuf>,
}

impl Arguments for Export {
    const COUNT: usize = 1;

    fn options() -> Vec<Arg> {
        vec![value("path", "path", "Directory to write the files to")]
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            path: given.text("path", 0).map(PathBuf::from),
        })
    }
}

/// The arguments for loading metadata definitions.
pub struct Load {
    /// The file, or a directory of files; `None` for the configured directory.
    pub path: Option<PathBuf>,
    /// Whether to merge into existing definitions, keeping existing values.
    pub merge: bool,
    /// Whether merging prefers values from the files.
    pub prefer_new: bool,
    /// Whether merging replaces existing definitions.
    pub overwrite: bool,
}

impl Arguments for Load {
    const COUNT: usize = 4;

    fn options() -> Vec<Arg> {
        vec![
            value("path", "path", "File, or directory of files, to load"),
            flag(
                "merge",
                "Merge into existing definitions, keeping existing values",
            ),
            flag("prefer_new", "When merging, prefer values from the files"),
            flag(
                "overwrite",
                "When merging, replace existing definitions with those from the files",
            ),
        ]
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            path: given.text("path", 0).map(PathBuf::from),
            merge: given.flag("merge", 1),
            prefer_new: given.flag("prefer_new", 2),
            overwrite: given.flag("overwrite", 3),
        })
    }
}

/// The arguments for purging deleted rows; the minimum age is `DAYS` by default.
pub struct Purge<const DAYS: i64> {
    /// The minimum age in days. The action rejects negative values (exit 1).
    pub age_in_days: i64,
    /// The maximum number of rows; -1 for all. The action rejects lower values (exit 1).
    pub max_rows: i64,
    /// Whether to show what would be removed without removing it.
    pub dry_run: bool,
    /// The metrics file.
    pub metrics_file: Option<PathBuf>,
}

impl<const DAYS: i64> Arguments for Purge<DAYS> {
    const COUNT: usize = 2;

    fn options() -> Vec<Arg> {
        vec![
            number("age_in_days", "DAYS", "").help(format!(
                "Purge rows deleted more than this many days ago; default: {DAYS}"
            )),
            number(
                "max_rows",
                "ROWS",
                "Maximum number of rows to purge per table, oldest first; default: 100; -1 purges all",
            ),
            flag(DRY_RUN, "Show what would be removed without removing it").hide(true),
            metrics_file(),
        ]
    }

    fn read(given: &Given<'_>) -> Result<Self, String> {
        Ok(Self {
            age_in_days: given.number("age_in_days", 0)?.unwrap_or(DAYS),
            max_rows: given.number("max_rows", 1)?.unwrap_or(100),
            dry_run: given.is_set(DRY_RUN),
            metrics_file: path_of(given.matches, "metrics-file"),
        })
    }
}

/// The values of an action, given as options or by position.
pub struct Given<'a> {
    matches: &'a ArgMatches,
}

impl Given<'_> {
    fn text(&self, name: &str, position: usize) -> Option<String> {
        let named = self.matches.try_get_one::<String>(name).ok().flatten();
        named.cloned().or_else(|| self.word(position))
    }

    /// Returns a flag. By position, any non-empty word is true, even `False`.
    fn flag(&self, name: &str, position: usize) -> bool {
        self.is_set(name)
            || self
                .text(name, position)
                .is_some_and(|word| !word.is_empty())
    }

    /// Returns whether the option was given.
    fn is_set(&self, name: &str) -> bool {
        matches!(self.matches.try_get_one::<bool>(name), Ok(Some(true)))
    }

    fn number(&self, name: &str, position: usize) -> Result<Option<i64>, String> {
        match self.matches.try_get_one::<i64>(name) {
            Ok(Some(_)) if self.word(position).is_some() => Err(format!(
                "argument {name}: given both as an option and by position"
            )),
            Ok(Some(number)) => Ok(Some(*number)),
            _ => self
                .word(position)
                .map(|word| values::int(&word).map_err(|why| format!("argument {name}: {why}")))
                .transpose(),
        }
    }

    fn word(&self, position: usize) -> Option<String> {
        let words = self.matches.try_get_many::<String>(POSITIONAL).ok()??;
        words.into_iter().nth(position).cloned()
    }
}
