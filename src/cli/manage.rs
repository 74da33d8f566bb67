//! The command line of `glance-manage`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::cli::oslo::{
    OsloOptions, data_dir, flag, metrics_file, number, path_of, tool, tool_part, value,
};
use crate::cli::values;

/// The output of `glance-manage` without arguments, on standard output; it exits 2.
pub const OVERVIEW: &str = "glance-manage category action [<args>]\nAvailable categories:\n\tdb\n";

/// The note below the help of each command that works on a database.
const DATA_DIR_NOTE: &str = "Without a configuration file, the program works on the database of the local data\n\
     directory (\"--data-dir DIR\" or GLANCE_DATA_DIR).";

/// A database action.
struct Action {
    name: &'static str,
    about: &'static str,
    /// The number of positional values.
    words: usize,
    args: fn() -> Vec<Arg>,
}

const ACTIONS: &[Action] = &[
    Action {
        name: "check",
        about: "Report which upgrade step is due",
        words: 0,
        args: Vec::new,
    },
    Action {
        name: "contract",
        about: "Remove what the newest schema no longer has (upgrade step 3)",
        words: 1,
        args: step_args,
    },
    Action {
        name: "expand",
        about: "Add what is new in the newest schema (upgrade step 1)",
        words: 1,
        args: step_args,
    },
    Action {
        name: "export_metadefs",
        about: "Export metadata definitions to files",
        words: 1,
        args: export_args,
    },
    Action {
        name: "load_metadefs",
        about: "Load metadata definitions from files",
        words: 4,
        args: load_args,
    },
    Action {
        name: "migrate",
        about: "Migrate rows to the newest schema (upgrade step 2)",
        words: 1,
        args: step_args,
    },
    Action {
        name: "purge",
        about: "Purge deleted rows from all tables except images",
        words: 2,
        args: purge_args,
    },
    Action {
        name: "purge_images_table",
        about: "Purge deleted rows from the images table",
        words: 2,
        args: purge_images_args,
    },
    Action {
        name: "sync",
        about: "Create the schema, or upgrade it in one step",
        words: 1,
        args: change_args,
    },
    Action {
        name: "unload_metadefs",
        about: "Remove all metadata definitions",
        words: 0,
        args: Vec::new,
    },
    Action {
        name: "upgrade",
        about: "Upgrade the schema to a revision",
        words: 1,
        args: change_args,
    },
    Action {
        name: "version",
        about: "Show the current schema revision",
        words: 0,
        args: Vec::new,
    },
    Action {
        name: "version_control",
        about: "Place a database under migration control",
        words: 1,
        args: version_args,
    },
];

/// The one-word commands, in upstream's order, each with the names of its values.
const ONE_WORD: &[(&str, &[&str])] = &[
    ("db_version", &[]),
    ("db_upgrade", &["version"]),
    ("db_version_control", &["version"]),
    ("db_sync", &["version"]),
    ("db_expand", &[]),
    ("db_contract", &[]),
    ("db_migrate", &[]),
    ("db_check", &[]),
    (
        "db_load_metadefs",
        &["path", "merge", "prefer_new", "overwrite"],
    ),
    ("db_unload_metadefs", &[]),
    ("db_export_metadefs", &["path"]),
];

/// Additional one-word commands. Their arguments are those of the two-word commands.
const ONE_WORD_OURS: [(&str, &str); 2] = [
    ("db_purge", "purge"),
    ("db_purge_images_table", "purge_images_table"),
];

fn version_args() -> Vec<Arg> {
    vec![value("version", "version", "Schema revision")]
}

/// Additional options of schema changes and purges. They are hidden and described in a note, because the list
/// of options must match upstream's.
const NO_BACKUP: &str = "no-backup";
const DRY_RUN: &str = "dry-run";

/// Returns the note on additional options.
fn note_of(args: &[Arg]) -> &'static str {
    let has = |name: &str| args.iter().any(|arg| arg.get_id() == name);
    if has(NO_BACKUP) {
        "A non-empty SQLite database is backed up first, unless \"--no-backup\" is given.\n\n"
    } else if has(DRY_RUN) {
        "\"--dry-run\" shows what would be removed without removing it. \"--metrics-file PATH\"\n\
         writes Prometheus metrics.\n\n"
    } else {
        ""
    }
}

fn step_args() -> Vec<Arg> {
    vec![
        flag(
            NO_BACKUP,
            "Do not back up an SQLite database before it is changed",
        )
        .hide(true),
    ]
}

fn change_args() -> Vec<Arg> {
    let mut args = version_args();
    args.extend(step_args());
    args
}

fn export_args() -> Vec<Arg> {
    vec![value("path", "path", "Directory to write the files to")]
}

fn load_args() -> Vec<Arg> {
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

fn purge_args() -> Vec<Arg> {
    ages("Purge rows deleted more than this many days ago; default: 30")
}

fn purge_images_args() -> Vec<Arg> {
    ages("Purge rows deleted more than this many days ago; default: 180")
}

fn ages(age_help: &'static str) -> Vec<Arg> {
    vec![
        number("age_in_days", "DAYS", age_help),
        number(
            "max_rows",
            "ROWS",
            "Maximum number of rows to purge per table, oldest first; default: 100; -1 purges all",
        ),
        flag(DRY_RUN, "Show what would be removed without removing it").hide(true),
        metrics_file(),
    ]
}

/// Returns the whole command line.
pub fn command() -> Command {
    let mut command = tool("glance-manage", "Manage the database of the image service")
        .args(OsloOptions::args())
        .arg(data_dir())
        .override_usage("glance-manage [OPTIONS] db ACTION [ARGUMENTS]")
        .after_help(format!(
            "Commands:\n{}\nEach can be written as one word, too: 'glance-manage db_sync'.\n",
            action_list("db ")
        ))
        .subcommand(database_command());
    for (name, words) in ONE_WORD {
        command = command.subcommand(one_word_command(name, words));
    }
    for (name, meant) in ONE_WORD_OURS {
        for action in ACTIONS.iter().filter(|action| action.name == meant) {
            command = command.subcommand(action_command(action).name(name));
        }
    }
    command
}

/// Returns `db` with its actions.
fn database_command() -> Command {
    tool_part("db", "Manage the database")
        .hide(true)
        .arg(data_dir())
        .override_usage("glance-manage db ACTION [ARGUMENTS]")
        .after_help(format!("Actions:\n{}", action_list("db ")))
        .subcommands(ACTIONS.iter().map(action_command))
}

fn action_command(action: &Action) -> Command {
    // Upstream lists its positional values under this name.
    let words = Arg::new("action_args")
        .num_args(0..=action.words)
        .allow_negative_numbers(true)
        .hide(true);
    let args = (action.args)();
    let own = note_of(&args);
    let note = match action.words {
        0 => format!("{own}{DATA_DIR_NOTE}"),
        _ => format!(
            "Arguments:\n  action_args  Values of the options, in the order listed\n\n\
             {own}{DATA_DIR_NOTE}"
        ),
    };
    let command = tool_part(action.name, action.about)
        .hide(true)
        .arg(data_dir())
        .args(args)
        .after_help(note);
    if action.words == 0 {
        command.override_usage(format!("glance-manage db {} [OPTIONS]", action.name))
    } else {
        command
            .override_usage(format!(
                "glance-manage db {} [OPTIONS] [action_args ...]",
                action.name
            ))
            .arg(words)
    }
}

fn one_word_command(name: &'static str, words: &[&'static str]) -> Command {
    let action = ACTIONS
        .iter()
        .find(|action| name.strip_prefix("db_") == Some(action.name));
    let about = action.map_or("", |action| action.about);
    let ours = action.map_or(Vec::new(), |action| (action.args)());
    let note = format!("{}{DATA_DIR_NOTE}", note_of(&ours));
    tool_part(name, about)
        .hide(true)
        .arg(data_dir())
        .args(ours.into_iter().filter(|arg| arg.get_id() == NO_BACKUP))
        .args(words.iter().map(|word| {
            Arg::new(*word)
                .value_name(*word)
                .help(format!("See 'glance-manage db {} --help'", &name[3..]))
        }))
        .after_help(note)
}

/// Returns the output of `glance-manage db`, on standard output; it exits 2.
pub fn actions() -> String {
    ACTIONS.iter().fold(
        "Actions of 'glance-manage db':\n".to_owned(),
        |text, action| text + "\t" + action.name + " - " + action.about + "\n",
    )
}

fn action_list(before: &str) -> String {
    ACTIONS.iter().fold(String::new(), |text, action| {
        text + &format!("  {before}{:<19} {}\n", action.name, action.about)
    })
}

/// A parsed command line of `glance-manage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The options before the command.
    pub oslo: OsloOptions,
    /// `--data-dir`, at any position.
    pub data_dir: Option<PathBuf>,
    /// The command; `None` without arguments.
    pub command: Option<ManageCommand>,
}

/// A command of `glance-manage`, in either spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManageCommand {
    /// `db` without an action: list the actions, as [`actions`] does.
    Actions,
    /// Show the current schema revision.
    Version,
    /// Report which upgrade step is due.
    Check,
    /// Run all upgrade steps. Upstream ignores a given revision.
    Sync {
        /// Whether to back up an SQLite database first.
        backup: bool,
    },
    /// Upgrade the schema to a revision.
    Upgrade {
        /// The revision; the newest by default.
        version: Option<String>,
        /// Whether to back up an SQLite database first.
        backup: bool,
    },
    /// Place a database under migration control.
    VersionControl {
        /// The revision; `liberty` by default.
        version: Option<String>,
    },
    /// First upgrade step.
    Expand {
        /// Whether to back up an SQLite database first.
        backup: bool,
    },
    /// Second upgrade step.
    Migrate {
        /// Whether to back up an SQLite database first.
        backup: bool,
    },
    /// Third upgrade step.
    Contract {
        /// Whether to back up an SQLite database first.
        backup: bool,
    },
    /// Load metadata definitions from files.
    LoadMetadefs(LoadMetadefs),
    /// Remove all metadata definitions.
    UnloadMetadefs,
    /// Export metadata definitions to files.
    ExportMetadefs {
        /// The directory to write to.
        path: Option<PathBuf>,
    },
    /// Purge deleted rows from all tables except images.
    Purge(Purge),
    /// Purge deleted rows from the images table.
    PurgeImagesTable(Purge),
}

/// Options for loading metadata definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadMetadefs {
    /// The file, or a directory of files.
    pub path: Option<PathBuf>,
    /// Whether to merge into existing definitions, keeping existing values.
    pub merge: bool,
    /// Whether merging prefers values from the files.
    pub prefer_new: bool,
    /// Whether merging replaces existing definitions.
    pub overwrite: bool,
}

/// Options for purging deleted rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The minimum age in days. The caller rejects negative values (exit 1).
    pub age_in_days: i64,
    /// The maximum number of rows; -1 for all. The caller rejects lower values (exit 1).
    pub max_rows: i64,
    /// Whether to show what would be removed without removing it.
    pub dry_run: bool,
    /// The metrics file.
    pub metrics_file: Option<PathBuf>,
}

impl Invocation {
    /// Collects the values parsed by [`command`].
    ///
    /// # Errors
    /// The usage error for an invalid positional value (exit 2).
    pub fn from_matches(matches: &ArgMatches) -> Result<Self, String> {
        let oslo = OsloOptions::from_matches(matches);
        let mut data_dir = path_of(matches, "data_dir");
        let mut inner = matches.subcommand();
        let mut name = None;
        while let Some((word, leaf)) = inner {
            data_dir = path_of(leaf, "data_dir").or(data_dir);
            name = Some((word, leaf));
            inner = leaf.subcommand();
        }
        let command = match name {
            Some((word, leaf)) => Some(ManageCommand::from_leaf(word, leaf)?),
            None => None,
        };
        Ok(Self {
            oslo,
            data_dir,
            command,
        })
    }
}

impl ManageCommand {
    fn from_leaf(word: &str, leaf: &ArgMatches) -> Result<Self, String> {
        let values = Values { leaf };
        let version = || values.text("version", 0);
        let path = || values.text("path", 0).map(PathBuf::from);
        let backup = !values.given(NO_BACKUP);
        Ok(match word.strip_prefix("db_").unwrap_or(word) {
            "version" => Self::Version,
            "check" => Self::Check,
            "sync" => Self::Sync { backup },
            "upgrade" => Self::Upgrade {
                version: version(),
                backup,
            },
            "version_control" => Self::VersionControl { version: version() },
            "expand" => Self::Expand { backup },
            "migrate" => Self::Migrate { backup },
            "contract" => Self::Contract { backup },
            "load_metadefs" => Self::LoadMetadefs(LoadMetadefs {
                path: path(),
                merge: values.flag("merge", 1),
                prefer_new: values.flag("prefer_new", 2),
                overwrite: values.flag("overwrite", 3),
            }),
            "unload_metadefs" => Self::UnloadMetadefs,
            "export_metadefs" => Self::ExportMetadefs { path: path() },
            "purge" => Self::Purge(values.purge(30)?),
            "purge_images_table" => Self::PurgeImagesTable(values.purge(180)?),
            _ => Self::Actions,
        })
    }
}

/// The values of an action, given as options or by position.
struct Values<'a> {
    leaf: &'a ArgMatches,
}

impl Values<'_> {
    fn text(&self, name: &str, position: usize) -> Option<String> {
        let named = self.leaf.try_get_one::<String>(name).ok().flatten();
        named.cloned().or_else(|| self.word(position))
    }

    /// Returns a flag. By position, any non-empty word is true, even `False`.
    fn flag(&self, name: &str, position: usize) -> bool {
        self.given(name)
            || self
                .text(name, position)
                .is_some_and(|word| !word.is_empty())
    }

    /// Returns whether the option was given.
    fn given(&self, name: &str) -> bool {
        matches!(self.leaf.try_get_one::<bool>(name), Ok(Some(true)))
    }

    fn purge(&self, usual_age: i64) -> Result<Purge, String> {
        Ok(Purge {
            age_in_days: self.number("age_in_days", 0)?.unwrap_or(usual_age),
            max_rows: self.number("max_rows", 1)?.unwrap_or(100),
            dry_run: self.given(DRY_RUN),
            metrics_file: path_of(self.leaf, "metrics-file"),
        })
    }

    fn number(&self, name: &str, position: usize) -> Result<Option<i64>, String> {
        match self.leaf.try_get_one::<i64>(name) {
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
        let words = self.leaf.try_get_many::<String>("action_args").ok()??;
        words.into_iter().nth(position).cloned()
    }
}
