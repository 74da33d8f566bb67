//! Options shared by programs configured with oslo.config, and building blocks of their command lines.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::Result;
use crate::cli::command::version::VERSION;
use crate::cli::command::{formatters, values};
use crate::cli::run::ui;
use crate::config::ConfigSource;
use crate::output::Format;

/// The layout of a program's help: clap's sections, usage first.
pub const HELP_TEMPLATE: &str =
    "{usage-heading} {usage}\n\n{about-with-newline}\n{all-args}{after-help}";

/// The options of every program configured with oslo.config.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsloOptions {
    /// `--config-file` and `--config-dir`, in the order given.
    pub config: Vec<ConfigSource>,
    /// `--debug` or `--nodebug`; `None` defers to the configuration.
    pub debug: Option<bool>,
    /// `--use-journal` or `--nouse-journal`
    pub use_journal: Option<bool>,
    /// `--use-json` or `--nouse-json`
    pub use_json: Option<bool>,
    /// `--use-syslog` or `--nouse-syslog`
    pub use_syslog: Option<bool>,
    /// `--log-config-append`
    pub log_config_append: Option<PathBuf>,
    /// `--log-date-format`
    pub log_date_format: Option<String>,
    /// `--log-dir`
    pub log_dir: Option<PathBuf>,
    /// `--log-file`
    pub log_file: Option<PathBuf>,
    /// `--syslog-log-facility`
    pub syslog_log_facility: Option<String>,
    /// `--shell_completion`: print a script for `bash` or `zsh` and exit.
    pub shell_completion: Option<String>,
}

impl OsloOptions {
    /// Returns the options as clap arguments.
    pub fn args() -> Vec<Arg> {
        let mut args = vec![
            path(
                "config-file",
                "PATH",
                "Configuration file; may be repeated, later files take precedence",
            )
            .action(ArgAction::Append),
            path(
                "config-dir",
                "DIR",
                "Directory of configuration files; may be repeated",
            )
            .action(ArgAction::Append),
        ];
        let [debug, nodebug] = switch("debug", "nodebug", "Log at level DEBUG");
        args.extend([debug.short('d'), nodebug]);
        args.extend([
            path(
                "log-config-append",
                "PATH",
                "Logging configuration file (not supported)",
            )
            .visible_aliases(["log-config", "log_config"]),
            value("log-date-format", "DATE_FORMAT", "Date format of log lines"),
            path("log-dir", "LOG_DIR", "Directory for log files").visible_alias("logdir"),
            path(
                "log-file",
                "PATH",
                "File to log to instead of standard error",
            )
            .visible_alias("logfile"),
            value("shell_completion", "SHELL", "Print a completion script")
                .value_parser(["bash", "zsh"]),
            value("syslog-log-facility", "FACILITY", "Syslog facility"),
        ]);
        args.extend(switch(
            "use-journal",
            "nouse-journal",
            "Log to the systemd journal",
        ));
        args.extend(switch("use-json", "nouse-json", "Log in JSON"));
        args.extend(switch("use-syslog", "nouse-syslog", "Log to syslog"));
        args
    }

    /// Collects the values parsed by [`OsloOptions::args`].
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let text = |id| matches.get_one::<String>(id).cloned();
        Self {
            config: config_sources(matches),
            debug: switched(matches, "debug", "nodebug"),
            use_journal: switched(matches, "use-journal", "nouse-journal"),
            use_json: switched(matches, "use-json", "nouse-json"),
            use_syslog: switched(matches, "use-syslog", "nouse-syslog"),
            log_config_append: path_of(matches, "log-config-append"),
            log_date_format: text("log-date-format"),
            log_dir: path_of(matches, "log-dir"),
            log_file: path_of(matches, "log-file"),
            syslog_log_facility: text("syslog-log-facility"),
            shell_completion: text("shell_completion"),
        }
    }
}

fn config_sources(matches: &ArgMatches) -> Vec<ConfigSource> {
    let mut sources = Vec::new();
    for (id, source) in [
        (
            "config-file",
            ConfigSource::File as fn(PathBuf) -> ConfigSource,
        ),
        ("config-dir", ConfigSource::Directory),
    ] {
        let places = matches.indices_of(id).into_iter().flatten();
        let paths = matches.get_many::<PathBuf>(id).into_iter().flatten();
        sources.extend(places.zip(paths.cloned().map(source)));
    }
    sources.sort_by_key(|(place, _)| *place);
    sources.into_iter().map(|(_, source)| source).collect()
}

/// Returns the base of a program's command line: help, version and argparse-like options.
pub fn program_base(name: &'static str, about: &'static str) -> Command {
    subcommand_base(name, about)
        .version(VERSION)
        .disable_version_flag(true)
        .arg(
            Arg::new("show_version")
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        )
}

/// Returns the base of a command's command line.
pub fn subcommand_base(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .help_template(HELP_TEMPLATE)
        .term_width(80)
        .disable_help_subcommand(true)
        .infer_long_args(true)
        .args_override_self(true)
}

/// Returns `--data-dir DIR`, hidden because upstream's help does not have it.
pub fn data_dir() -> Arg {
    Arg::new("data_dir")
        .long("data-dir")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("Directory of the local deployment")
        .hide(true)
}

/// Returns `--format FORMAT`, hidden like [`data_dir`].
pub fn format() -> Arg {
    value(
        "format",
        "FORMAT",
        "Output format for programs: csv, json, shell, table, value or yaml",
    )
    .value_parser(["csv", "json", "shell", "table", "value", "yaml"])
    .hide_possible_values(true)
    .hide(true)
}

/// Returns the format that was given, and lets messages be JSON with JSON.
///
/// # Errors
/// None in practice: the parser accepts valid formats only.
pub fn format_of(matches: &ArgMatches) -> Result<Option<Format>> {
    let word = matches.get_one::<String>("format");
    let format = word.map(|word| formatters::format(word)).transpose()?;
    if format == Some(Format::Json) {
        ui::write_json();
    }
    Ok(format)
}

/// Returns the path given for `id`.
pub fn path_of(matches: &ArgMatches, id: &str) -> Option<PathBuf> {
    matches.get_one::<PathBuf>(id).cloned()
}

/// Returns `--NAME` and `--noNAME`, of which the last one given applies.
pub fn switch(name: &'static str, opposite: &'static str, help: &'static str) -> [Arg; 2] {
    [
        flag(name, help).overrides_with(opposite),
        flag(opposite, "")
            .help(format!("The opposite of --{name}"))
            .overrides_with(name),
    ]
}

/// Returns `--metrics-file PATH`, hidden like [`data_dir`].
pub fn metrics_file() -> Arg {
    path(
        "metrics-file",
        "PATH",
        "File to write Prometheus metrics to",
    )
    .hide(true)
}

/// Returns the value of a pair made by [`switch`]; `None` if neither was given.
pub fn switched(matches: &ArgMatches, name: &str, opposite: &str) -> Option<bool> {
    match (matches.get_flag(name), matches.get_flag(opposite)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Returns a flag.
pub fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// Returns an option with a string value.
pub fn value(name: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value_name).help(help)
}

pub fn path(name: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    value(name, value_name, help).value_parser(value_parser!(PathBuf))
}

pub fn number(name: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    value(name, value_name, help)
        .value_parser(values::int)
        .allow_negative_numbers(true)
}
