//! The command line of `glance-scrubber`.

use std::path::PathBuf;

use clap::{ArgMatches, Command};

use crate::cli::formatters::format;
use crate::cli::oslo::{
    OsloOptions, data_dir, flag, metrics_file, path_of, switch, switched, tool, value,
};
use crate::output::Format;

/// The whole command line.
pub fn command() -> Command {
    let [daemon, nodaemon] = switch(
        "daemon",
        "nodaemon",
        "Keep running, and look for work at intervals",
    );
    tool(
        "glance-scrubber",
        "Remove the data of images that wait to be deleted",
    )
    .args(OsloOptions::args())
    .arg(daemon.short('D'))
    .arg(nodaemon)
    .arg(value(
        "restore",
        "IMAGE_ID",
        "Make this image active again, and remove nothing",
    ))
    .arg(data_dir())
    .arg(flag("dry-run", "Only say what would be removed").hide(true))
    .arg(
        value("format", "FORMAT", "Say what was done in this form")
            .short('f')
            .value_parser(["json", "shell", "table", "value", "yaml"])
            .hide(true),
    )
    .arg(metrics_file())
    .after_help(
        "\"--dry-run\" only says what would be removed; \"-f json\" says what was done, for\n\
         programs. At a terminal a line says so.\n\n\
         With no configuration file the images of the local data directory are meant;\n\
         GLANCE_DATA_DIR or \"--data-dir DIR\" says which directory that is.",
    )
}

/// What one call of `glance-scrubber` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The options of every oslo program.
    pub oslo: OsloOptions,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--daemon` or `--nodaemon`; None leaves it to the configuration.
    pub daemon: Option<bool>,
    /// ID of the image to make active again; together with a daemon the caller refuses it (exit 1).
    pub restore: Option<String>,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// The form in which what was done is said on standard output.
    pub format: Option<Format>,
    /// Where metrics are written to.
    pub metrics_file: Option<PathBuf>,
}

impl Invocation {
    /// Whether something is asked for that only scrubbing has.
    pub fn is_about_scrubbing(&self) -> bool {
        self.dry_run || self.format.is_some() || self.metrics_file.is_some()
    }

    /// Reads what [`command`] parsed.
    pub fn from_matches(matches: &ArgMatches) -> Self {
        Self {
            oslo: OsloOptions::from_matches(matches),
            data_dir: path_of(matches, "data_dir"),
            daemon: switched(matches, "daemon", "nodaemon"),
            restore: matches.get_one::<String>("restore").cloned(),
            dry_run: matches.get_flag("dry-run"),
            format: matches
                .get_one::<String>("format")
                .and_then(|name| format(name).ok()),
            metrics_file: path_of(matches, "metrics-file"),
        }
    }
}
