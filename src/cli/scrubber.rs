//! The command line of `glance-scrubber`.

use std::path::PathBuf;

use clap::{ArgMatches, Command};

use crate::cli::formatters::format;
use crate::cli::oslo::{
    OsloOptions, data_dir, flag, metrics_file, path_of, switch, switched, tool, value,
};
use crate::output::Format;

/// Returns the whole command line.
pub fn command() -> Command {
    let [daemon, nodaemon] = switch(
        "daemon",
        "nodaemon",
        "Run as a daemon and scrub at intervals",
    );
    tool(
        "glance-scrubber",
        "Remove the data of images pending deletion",
    )
    .args(OsloOptions::args())
    .arg(daemon.short('D'))
    .arg(nodaemon)
    .arg(value(
        "restore",
        "IMAGE_ID",
        "Restore this image instead of scrubbing",
    ))
    .arg(data_dir())
    .arg(flag("dry-run", "Show what would be removed without removing it").hide(true))
    .arg(
        value("format", "FORMAT", "Output format of the summary")
            .short('f')
            .value_parser(["json", "shell", "table", "value", "yaml"])
            .hide(true),
    )
    .arg(metrics_file())
    .after_help(
        "\"--dry-run\" shows what would be removed without removing it. \"-f json\" prints a\n\
         summary for programs; a one-line summary is printed at a terminal.\n\n\
         Without a configuration file, the program works on the images of the local data\n\
         directory (\"--data-dir DIR\" or GLANCE_DATA_DIR).",
    )
}

/// A parsed command line of `glance-scrubber`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The options shared with other oslo programs.
    pub oslo: OsloOptions,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--daemon` or `--nodaemon`; `None` defers to the configuration.
    pub daemon: Option<bool>,
    /// ID of the image to restore. The caller rejects it together with a daemon (exit 1).
    pub restore: Option<String>,
    /// Whether to show what would be removed without removing it.
    pub dry_run: bool,
    /// The output format of the summary.
    pub format: Option<Format>,
    /// The metrics file.
    pub metrics_file: Option<PathBuf>,
}

impl Invocation {
    /// Returns whether an option is given that applies to scrubbing only.
    pub fn is_about_scrubbing(&self) -> bool {
        self.dry_run || self.format.is_some() || self.metrics_file.is_some()
    }

    /// Collects the values parsed by [`command`].
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
