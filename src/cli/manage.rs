//! The command line of `glance-manage`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::cli::oslo::{
    OsloOptions, data_dir, flag, metrics_file, number, path_of, tool, tool_part, value,
};
use crate::cli::values;

/// What `glance-manage` says on standard output when it is called with no word at all; it exits 2.
pub const OVERVIEW: &str = "glance-manage category action [<args>]\nAvailable categories:\n\tdb\n";

/// Shown below the help of each command that works on a database.
const DATA_DIR_NOTE: &str = "With no configuration file the database of the local data directory is meant;\n\
     GLANCE_DATA_DIR or \"--data-dir DIR\" says which directory that is.";

/// An action on the database: its name, what it does, and what it takes.
struct Action {
    name: &'static str,
    about: &'static str,
    /// How many values it takes by position.
    words: usize,
    args: fn() -> Vec<Arg>,
}

const ACTIONS: &[Action] = &[
    Action {
        name: "check",
        about: "Tell which step of an upgrade is due",
        words: 0,
        args: Vec::new,
    },
    Action {
        name: "contract",
        about: "Drop what the newest schema no longer has",
        words: 1,
        args: step_args,
    },
    Action {
        name: "expand",
        about: "Add what the newest schema has more",
        words: 1,
        args: step_args,
    },
    Action {
        name: "export_metadefs",
        about: "Write the metadata definitions to files",
        words: 1,
        args: export_args,
    },
    Action {
        name: "load_metadefs",
        about: "Read metadata definitions from files",
        words: 4,
        args: load_args,
    },
    Action {
        name: "migrate",
        about: "Bring the rows into the shape of the newest schema",
        words: 1,
        args: step_args,
    },
    Action {
        name: "purge",
        about: "Remove deleted rows from every table but the images",
        words: 2,
        args: purge_args,
    },
    Action {
        name: "purge_images_table",
        about: "Remove deleted rows from the images",
        words: 2,
        args: purge_images_args,
    },
    Action {
        name: "sync",
        about: "Create the schema, or bring it up to date in one go",
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
        about: "Bring the schema to a revision",
        words: 1,
        args: change_args,
    },
    Action {
        name: "version",
        about: "Show the revision of the schema",
        words: 0,
        args: Vec::new,
    },
    Action {
        name: "version_control",
        about: "Write a revision into a database that has none",
        words: 1,
        args: version_args,
    },
];

/// The spellings with one word, in the order of the real program, each with the names of its values.
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

/// The spellings with one word that only this program has; they take what those with two words take.
const ONE_WORD_OURS: [(&str, &str); 2] = [
    ("db_purge", "purge"),
    ("db_purge_images_table", "purge_images_table"),
];

fn version_args() -> Vec<Arg> {
    vec![value("version", "version", "Revision of the schema")]
}

/// The options that no real one has, on what changes the schema and on what purges; the help names them below,
/// since its list is compared with that of the real one.
const NO_BACKUP: &str = "no-backup";
const DRY_RUN: &str = "dry-run";

/// What the help says of them.
fn note_of(args: &[Arg]) -> &'static str {
    let has = |name: &str| args.iter().any(|arg| arg.get_id() == name);
    if has(NO_BACKUP) {
        "An SQLite database that holds anything is copied first; \"--no-backup\" leaves that out.\n\n"
    } else if has(DRY_RUN) {
        "\"--dry-run\" removes nothing, and says what would be removed; \"--metrics-file PATH\" writes\n\
         metrics for Prometheus.\n\n"
    } else {
        ""
    }
}

fn step_args() -> Vec<Arg> {
    vec![
        flag(
            NO_BACKUP,
            "Do not copy an SQLite database before it is changed",
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
        value(
            "path",
            "path",
            "File to read, or directory whose files to read",
        ),
        flag("merge", "Keep what the database has and add what it lacks"),
        flag(
            "prefer_new",
            "When merging, take values from the files where they give any",
        ),
        flag("overwrite", "When merging, take everything from the files"),
    ]
}

fn purge_args() -> Vec<Arg> {
    ages("Days since a row was deleted, at least; 30 if not given")
}

fn purge_images_args() -> Vec<Arg> {
    ages("Days since a row was deleted, at least; 180 if not given")
}

fn ages(age_help: &'static str) -> Vec<Arg> {
    vec![
        number("age_in_days", "DAYS", age_help),
        number(
            "max_rows",
            "ROWS",
            "Rows of each table to remove at most, the oldest first; 100 if not given, -1 for all",
        ),
        flag(DRY_RUN, "Remove nothing, and say what would be removed").hide(true),
        metrics_file(),
    ]
}

/// The whole command line.
pub fn command() -> Command {
    let mut command = tool(
        "glance-manage",
        "Look after the database of the image service",
    )
    .args(OsloOptions::args())
    .arg(data_dir())
    .override_usage("glance-manage [OPTIONS] db ACTION [ARGUMENTS]")
    .after_help(format!(
        "Commands:\n{}\nEach is spelled with one word too, as in 'glance-manage db_sync'.\n",
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

/// `db` with its actions.
fn database_command() -> Command {
    tool_part("db", "Look after the database")
        .hide(true)
        .arg(data_dir())
        .override_usage("glance-manage db ACTION [ARGUMENTS]")
        .after_help(format!("Actions:\n{}", action_list("db ")))
        .subcommands(ACTIONS.iter().map(action_command))
}

fn action_command(action: &Action) -> Command {
    // The real one lists its positional values under this very name, and scripts' authors look there.
    let words = Arg::new("action_args")
        .num_args(0..=action.words)
        .allow_negative_numbers(true)
        .hide(true);
    let args = (action.args)();
    let own = note_of(&args);
    let note = match action.words {
        0 => format!("{own}{DATA_DIR_NOTE}"),
        _ => format!(
            "Arguments:\n  action_args  The values of the options by position, in their order\n\n\
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
                .help(format!("As for 'glance-manage db {}'", &name[3..]))
        }))
        .after_help(note)
}

/// What `glance-manage db` says on standard output; it exits 2.
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

/// What one call of `glance-manage` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The options before the command.
    pub oslo: OsloOptions,
    /// `--data-dir`, wherever on the line it stands.
    pub data_dir: Option<PathBuf>,
    /// The command; None when there is none.
    pub command: Option<ManageCommand>,
}

/// A command of `glance-manage`, in either spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManageCommand {
    /// `db` and no action: say which there are, as [`actions`] does.
    Actions,
    /// Show the revision of the schema.
    Version,
    /// Tell which step of an upgrade is due.
    Check,
    /// All steps at once, whatever revision is named: the real program ignores it.
    Sync {
        /// Whether an SQLite database is copied first.
        backup: bool,
    },
    /// Bring the schema to a revision.
    Upgrade {
        /// Revision; the newest if not given.
        version: Option<String>,
        /// Whether an SQLite database is copied first.
        backup: bool,
    },
    /// Write a revision into a database that has none.
    VersionControl {
        /// Revision; `liberty` if not given.
        version: Option<String>,
    },
    /// First step of an upgrade.
    Expand {
        /// Whether an SQLite database is copied first.
        backup: bool,
    },
    /// Second step of an upgrade.
    Migrate {
        /// Whether an SQLite database is copied first.
        backup: bool,
    },
    /// Last step of an upgrade.
    Contract {
        /// Whether an SQLite database is copied first.
        backup: bool,
    },
    /// Read metadata definitions from files.
    LoadMetadefs(LoadMetadefs),
    /// Remove all metadata definitions.
    UnloadMetadefs,
    /// Write the metadata definitions to files.
    ExportMetadefs {
        /// Directory to write to.
        path: Option<PathBuf>,
    },
    /// Remove deleted rows from all tables but that of the images.
    Purge(Purge),
    /// Remove deleted rows from the table of the images.
    PurgeImagesTable(Purge),
}

/// How to read metadata definitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadMetadefs {
    /// File, or directory of files.
    pub path: Option<PathBuf>,
    /// Keep what the database has and add what it lacks.
    pub merge: bool,
    /// When merging, take values from the files where they give any.
    pub prefer_new: bool,
    /// When merging, take everything from the files.
    pub overwrite: bool,
}

/// Which deleted rows to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// Days since the row was deleted; negative values are for the caller to refuse (exit 1).
    pub age_in_days: i64,
    /// Most rows to remove, -1 for all; lower values are for the caller to refuse (exit 1).
    pub max_rows: i64,
    /// Whether to remove nothing, and say what would be removed.
    pub dry_run: bool,
    /// Where metrics are written to.
    pub metrics_file: Option<PathBuf>,
}

impl Invocation {
    /// Reads what [`command`] parsed.
    ///
    /// # Errors
    /// What is wrong with a value that was given by position: a usage error, exit 2.
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

/// The values of one action, which are given by option, or by position.
struct Values<'a> {
    leaf: &'a ArgMatches,
}

impl Values<'_> {
    fn text(&self, name: &str, position: usize) -> Option<String> {
        let named = self.leaf.try_get_one::<String>(name).ok().flatten();
        named.cloned().or_else(|| self.word(position))
    }

    /// By position any word that is not empty is a yes, `False` too.
    fn flag(&self, name: &str, position: usize) -> bool {
        self.given(name)
            || self
                .text(name, position)
                .is_some_and(|word| !word.is_empty())
    }

    /// Whether the option of that name is there.
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
            Ok(Some(_)) if self.word(position).is_some() => {
                Err(format!("argument {name}: given by option and by position"))
            }
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
