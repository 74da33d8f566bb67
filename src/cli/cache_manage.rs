//! The command lines of `glance-cache-manage` and of the three upstream programs that it replaces.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::oslo::{OsloOptions, data_dir, flag, metrics_file, path_of, tool, value};
use crate::cli::values;

/// The commands with their help, in upstream's order.
pub const COMMANDS: &[(&str, &str)] = &[
    ("list-cached", "List cached images"),
    ("list-queued", "List images queued for caching"),
    ("queue-image", "Queue an image for caching"),
    ("delete-cached-image", "Remove an image from the cache"),
    (
        "delete-all-cached-images",
        "Remove all images from the cache",
    ),
    ("delete-queued-image", "Remove an image from the queue"),
    (
        "delete-all-queued-images",
        "Remove all images from the queue",
    ),
];

/// Additional commands: the functions of upstream's separate cache programs, which work on the cache directory
/// itself.
pub const UPKEEP: &[(&str, &str)] = &[
    (
        "prune",
        "Remove images until the cache is within its maximum size",
    ),
    ("clean", "Remove invalid and stalled files from the cache"),
    ("prefetch", "Download the queued images into the cache"),
];

/// The upstream programs without subcommands, each with the equivalent command.
pub const OLD_NAMES: &[(&str, &str)] = &[
    ("glance-cache-pruner", "prune"),
    ("glance-cache-cleaner", "clean"),
    ("glance-cache-prefetcher", "prefetch"),
];

/// Returns the command line of one of the [`OLD_NAMES`].
pub fn upkeep_command(name: &'static str, about: &'static str) -> Command {
    tool(name, about)
        .args(OsloOptions::args())
        .arg(data_dir())
        .arg(dry_run())
        .arg(metrics_file())
        .after_help(
            "Without a configuration file, the program works on the cache of the local data\n\
             directory (\"--data-dir DIR\" or GLANCE_DATA_DIR).",
        )
}

/// Returns `--dry-run`, hidden like [`data_dir`].
fn dry_run() -> Arg {
    flag(
        "dry-run",
        "Show what would be removed or fetched without doing it",
    )
    .hide(true)
}

/// Returns the command line of `glance-cache-manage`.
pub fn command() -> Command {
    tool("glance-cache-manage", "Manage the image cache of a host")
        .override_usage("glance-cache-manage [OPTIONS] command [IMAGE_ID]")
        .after_help(format!(
            "Arguments:\n  command  Command, with the ID of an image if it needs one\n\n{}\n\
             Without an address or user, the program works on the cache of the local data\n\
             directory (\"--data-dir DIR\" or GLANCE_DATA_DIR), or of the service on this host\n\
             that \"--config-file PATH\" configures.\n\n\
             These commands always work on the cache directory itself. prefetch downloads from\n\
             the address, if one is given:\n\n{}\n\
             \"--dry-run\" shows what would be done without doing it.",
            command_list(),
            UPKEEP.iter().fold(String::new(), |text, (name, about)| {
                text + &format!("      {name:<22}{about}\n")
            })
        ))
        .arg(
            Arg::new("command")
                .value_name("command")
                .required(true)
                .num_args(1..)
                .hide(true),
        )
        .args([
            flag("verbose", "Enable verbose output").short('v'),
            flag("debug", "Enable debug output").short('d'),
            value(
                "host",
                "ADDRESS",
                "Address of the image service; default: 0.0.0.0",
            )
            .short('H'),
            value("port", "PORT", "Port of the image service; default: 9292")
                .short('p')
                .value_parser(values::int)
                .allow_negative_numbers(true),
            flag("insecure", "Do not verify the certificate of the service").short('k'),
            flag("force", "Do not ask for confirmation").short('f'),
        ])
        .args(identity_args())
        .arg(data_dir())
        .arg(dry_run())
        .arg(metrics_file())
        .arg(
            Arg::new("config_file")
                .long("config-file")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
                .hide(true)
                .help("Configuration file of the service whose cache to manage"),
        )
}

/// Returns the options for authentication. Deprecated one-letter and underscored names are hidden.
fn identity_args() -> [Arg; 11] {
    [
        value(
            "os-auth-token",
            "TOKEN",
            "Authentication token [env OS_AUTH_TOKEN]",
        )
        .short_alias('A')
        .aliases(["os_auth_token", "auth_token"]),
        value("os-username", "NAME", "Username [env OS_USERNAME]")
            .short_alias('I')
            .alias("os_username"),
        value("os-password", "PASSWORD", "Password [env OS_PASSWORD]")
            .short_alias('K')
            .alias("os_password"),
        value(
            "os-region-name",
            "REGION",
            "Region name [env OS_REGION_NAME]",
        )
        .short_alias('R')
        .alias("os_region_name"),
        value("os-project-id", "ID", "Project ID [env OS_PROJECT_ID]").alias("os_project_id"),
        value(
            "os-project-name",
            "NAME",
            "Project name [env OS_PROJECT_NAME]",
        )
        .short_alias('T')
        .alias("os_project_name"),
        value(
            "os-user-domain-id",
            "ID",
            "User's domain ID [env OS_USER_DOMAIN_ID]",
        ),
        value(
            "os-project-domain-id",
            "ID",
            "Project's domain ID [env OS_PROJECT_DOMAIN_ID]",
        ),
        value(
            "os-domain-id",
            "ID",
            "Domain ID; default: default [env OS_DOMAIN_ID]",
        ),
        value("os-auth-url", "URL", "Keystone URL [env OS_AUTH_URL]")
            .short_alias('N')
            .alias("os_auth_url"),
        value(
            "os_auth_strategy",
            "STRATEGY",
            "Authentication strategy: keystone or noauth",
        )
        .short('S'),
    ]
}

/// Returns the list of commands, shown in help and after an unknown command.
pub fn command_list() -> String {
    let help = ("help COMMAND", "Show the usage of a command");
    std::iter::once(&help)
        .chain(COMMANDS)
        .fold("Commands:\n".to_owned(), |text, (name, about)| {
            text + &format!("  {name:<26}{about}\n")
        })
}

/// A parsed command line of `glance-cache-manage`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Invocation {
    /// Whether to print more messages, and how long the command took.
    pub verbose: bool,
    /// Whether to log at debug level.
    pub debug: bool,
    /// Whether to skip the confirmation.
    pub force: bool,
    /// Whether to show what would be done without doing it.
    pub dry_run: bool,
    /// The metrics file of prune, clean and prefetch.
    pub metrics_file: Option<PathBuf>,
    /// The image service and the credentials.
    pub service: Service,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--config-file`; later files take precedence.
    pub config_files: Vec<PathBuf>,
    /// The positional words, parsed by [`CacheManageCommand::from_words`].
    pub words: Vec<String>,
}

/// The image service and the credentials. `None` falls back to the environment variable of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The address; default `0.0.0.0`.
    pub host: Option<String>,
    /// The port; default 9292.
    pub port: Option<i64>,
    /// Whether to skip verification of the certificate.
    pub insecure: bool,
    /// An authentication token.
    pub os_auth_token: Option<String>,
    /// The username.
    pub os_username: Option<String>,
    /// The password.
    pub os_password: Option<String>,
    /// The region name.
    pub os_region_name: Option<String>,
    /// The project ID.
    pub os_project_id: Option<String>,
    /// The project name.
    pub os_project_name: Option<String>,
    /// The ID of the user's domain.
    pub os_user_domain_id: Option<String>,
    /// The ID of the project's domain.
    pub os_project_domain_id: Option<String>,
    /// The domain ID; default `default`.
    pub os_domain_id: Option<String>,
    /// The Keystone URL.
    pub os_auth_url: Option<String>,
    /// The authentication strategy: `keystone` or `noauth`.
    pub os_auth_strategy: Option<String>,
}

impl Invocation {
    /// Collects the values parsed by [`command`].
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let many = |id| matches.get_many::<PathBuf>(id).into_iter().flatten();
        Self {
            verbose: matches.get_flag("verbose"),
            debug: matches.get_flag("debug"),
            force: matches.get_flag("force"),
            dry_run: matches.get_flag("dry-run"),
            metrics_file: path_of(matches, "metrics-file"),
            service: Service::from_matches(matches),
            data_dir: path_of(matches, "data_dir"),
            config_files: many("config_file").cloned().collect(),
            words: matches
                .get_many::<String>("command")
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
        }
    }
}

impl Service {
    /// Returns whether the options select a service rather than a directory.
    pub fn is_named(&self) -> bool {
        *self
            != Self {
                insecure: self.insecure,
                ..Self::default()
            }
    }

    fn from_matches(matches: &ArgMatches) -> Self {
        let text = |id| matches.get_one::<String>(id).cloned();
        Self {
            host: text("host"),
            port: matches.get_one::<i64>("port").copied(),
            insecure: matches.get_flag("insecure"),
            os_auth_token: text("os-auth-token"),
            os_username: text("os-username"),
            os_password: text("os-password"),
            os_region_name: text("os-region-name"),
            os_project_id: text("os-project-id"),
            os_project_name: text("os-project-name"),
            os_user_domain_id: text("os-user-domain-id"),
            os_project_domain_id: text("os-project-domain-id"),
            os_domain_id: text("os-domain-id"),
            os_auth_url: text("os-auth-url"),
            os_auth_strategy: text("os_auth_strategy"),
        }
    }
}

/// A command of `glance-cache-manage`. Images are given by ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheManageCommand {
    /// `help`: the full help, or the usage of one command.
    Help(Option<&'static str>),
    /// List cached images.
    ListCached,
    /// List the images queued for caching.
    ListQueued,
    /// Queue an image for caching.
    QueueImage(String),
    /// Remove an image from the cache.
    DeleteCachedImage(String),
    /// Remove all images from the cache.
    DeleteAllCachedImages,
    /// Remove an image from the queue.
    DeleteQueuedImage(String),
    /// Remove all images from the queue.
    DeleteAllQueuedImages,
    /// Remove images until the cache is within its maximum size.
    Prune,
    /// Remove invalid and stalled files from the cache.
    Clean,
    /// Download the queued images into the cache.
    Prefetch,
}

/// Invalid positional words. Both variants exit 1, as upstream does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongCommand {
    /// There is no command of this name.
    Unknown(String),
    /// The command takes exactly one image ID.
    ImageMissing(&'static str),
}

impl CacheManageCommand {
    /// Parses the positional words. Extra words after a command without an image are ignored.
    ///
    /// # Errors
    /// An unknown command, or a command without exactly one image ID where one is required.
    pub fn from_words(words: &[String]) -> Result<Self, WrongCommand> {
        let first = words.first().map_or("help", String::as_str);
        if first == "help" {
            return match words.get(1).map(String::as_str) {
                None => Ok(Self::Help(None)),
                Some("help") => Ok(Self::Help(Some("help"))),
                Some(name) => Ok(Self::Help(Some(known(name)?))),
            };
        }
        let name = known(first)?;
        let image = || match words {
            [_, image] => Ok(image.clone()),
            _ => Err(WrongCommand::ImageMissing(name)),
        };
        Ok(match name {
            "list-cached" => Self::ListCached,
            "list-queued" => Self::ListQueued,
            "queue-image" => Self::QueueImage(image()?),
            "delete-cached-image" => Self::DeleteCachedImage(image()?),
            "delete-all-cached-images" => Self::DeleteAllCachedImages,
            "delete-queued-image" => Self::DeleteQueuedImage(image()?),
            "prune" => Self::Prune,
            "clean" => Self::Clean,
            "prefetch" => Self::Prefetch,
            _ => Self::DeleteAllQueuedImages,
        })
    }
}

fn known(name: &str) -> Result<&'static str, WrongCommand> {
    let mut all = COMMANDS.iter().chain(UPKEEP);
    let found = all.find(|(command, _)| *command == name);
    found
        .map(|(command, _)| *command)
        .ok_or_else(|| WrongCommand::Unknown(name.to_owned()))
}
