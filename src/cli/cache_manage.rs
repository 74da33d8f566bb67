//! The command lines of `glance-cache-manage` and of the three cache programs that take no command.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::oslo::{OsloOptions, data_dir, flag, metrics_file, path_of, tool, value};
use crate::cli::values;

/// The commands and what each does, in the order of the real program.
pub const COMMANDS: &[(&str, &str)] = &[
    ("list-cached", "List the images in the cache"),
    ("list-queued", "List the images queued to be cached"),
    ("queue-image", "Queue an image to be cached"),
    ("delete-cached-image", "Drop an image from the cache"),
    ("delete-all-cached-images", "Drop all images from the cache"),
    ("delete-queued-image", "Drop an image from the queue"),
    ("delete-all-queued-images", "Drop all images from the queue"),
];

/// Commands of ours: what the real programs of these old names do, on the cache's directory itself.
pub const UPKEEP: &[(&str, &str)] = &[
    ("prune", "Shrink the cache to its permitted size"),
    ("clean", "Remove invalid and stalled files from the cache"),
    ("prefetch", "Fetch the queued images into the cache"),
];

/// The real programs that take no command, and the command of ours that does the same.
pub const OLD_NAMES: &[(&str, &str)] = &[
    ("glance-cache-pruner", "prune"),
    ("glance-cache-cleaner", "clean"),
    ("glance-cache-prefetcher", "prefetch"),
];

/// The whole command line of a program of one of the [`OLD_NAMES`].
pub fn upkeep_command(name: &'static str, about: &'static str) -> Command {
    tool(name, about)
        .args(OsloOptions::args())
        .arg(data_dir())
        .arg(dry_run())
        .arg(metrics_file())
        .after_help(
            "With no configuration file the cache of the local data directory is meant;\n\
             GLANCE_DATA_DIR or \"--data-dir DIR\" says which directory that is.",
        )
}

/// `--dry-run`. Hidden, as [`data_dir`] is.
fn dry_run() -> Arg {
    flag("dry-run", "Only say what would be removed or fetched").hide(true)
}

/// The whole command line of `glance-cache-manage`.
pub fn command() -> Command {
    tool(
        "glance-cache-manage",
        "Look after the image cache of a host",
    )
    .override_usage("glance-cache-manage [OPTIONS] command [IMAGE_ID]")
    .after_help(format!(
        "Arguments:\n  command  What to do, and with which image\n\n{}\n\
             With no address or user the cache of the local data directory is meant;\n\
             GLANCE_DATA_DIR or \"--data-dir DIR\" says which directory that is, and\n\
             \"--config-file PATH\" names the configuration of a service on this host.\n\n\
             Whatever else is given, these work on the directory of the cache itself; the\n\
             last one fetches from the address, if there is one:\n\n{}\n\
             \"--dry-run\" only says what would be done.",
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
        flag("verbose", "Say more").short('v'),
        flag("debug", "Say everything").short('d'),
        value(
            "host",
            "ADDRESS",
            "Address of the image service; 0.0.0.0 if not given",
        )
        .short('H'),
        value(
            "port",
            "PORT",
            "Port of the image service; 9292 if not given",
        )
        .short('p')
        .value_parser(values::int)
        .allow_negative_numbers(true),
        flag("insecure", "Do not check the certificate of the service").short('k'),
        flag("force", "Do not ask before doing it").short('f'),
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
            .help("Configuration of the service whose cache is meant"),
    )
}

/// Who asks, and where to prove it. The one-letter and underscored names are old and not shown.
fn identity_args() -> [Arg; 11] {
    [
        value("os-auth-token", "TOKEN", "Token; else OS_AUTH_TOKEN")
            .short_alias('A')
            .aliases(["os_auth_token", "auth_token"]),
        value("os-username", "NAME", "User; else OS_USERNAME")
            .short_alias('I')
            .alias("os_username"),
        value("os-password", "PASSWORD", "Password; else OS_PASSWORD")
            .short_alias('K')
            .alias("os_password"),
        value("os-region-name", "REGION", "Region; else OS_REGION_NAME")
            .short_alias('R')
            .alias("os_region_name"),
        value(
            "os-project-id",
            "ID",
            "ID of the project; else OS_PROJECT_ID",
        )
        .alias("os_project_id"),
        value("os-project-name", "NAME", "Project; else OS_PROJECT_NAME")
            .short_alias('T')
            .alias("os_project_name"),
        value(
            "os-user-domain-id",
            "ID",
            "ID of the user's domain; else OS_USER_DOMAIN_ID",
        ),
        value(
            "os-project-domain-id",
            "ID",
            "ID of the project's domain; else OS_PROJECT_DOMAIN_ID",
        ),
        value(
            "os-domain-id",
            "ID",
            "ID of the domain; else OS_DOMAIN_ID, else default",
        ),
        value(
            "os-auth-url",
            "URL",
            "Address of Keystone; else OS_AUTH_URL",
        )
        .short_alias('N')
        .alias("os_auth_url"),
        value(
            "os_auth_strategy",
            "STRATEGY",
            "How to prove who asks: keystone or noauth",
        )
        .short('S'),
    ]
}

/// The commands with what they do; shown in the help, and after a command that does not exist.
pub fn command_list() -> String {
    let help = ("help COMMAND", "Say how a command is called");
    std::iter::once(&help)
        .chain(COMMANDS)
        .fold("Commands:\n".to_owned(), |text, (name, about)| {
            text + &format!("  {name:<26}{about}\n")
        })
}

/// What one call of `glance-cache-manage` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub struct Invocation {
    /// Say how long it took.
    pub verbose: bool,
    /// Log everything.
    pub debug: bool,
    /// Do not ask before doing it.
    pub force: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Where prune, clean and prefetch write metrics to.
    pub metrics_file: Option<PathBuf>,
    /// Where the image service is, and who asks.
    pub service: Service,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--config-file`, the later wins.
    pub config_files: Vec<PathBuf>,
    /// The words that are no options; [`CacheManageCommand::from_words`] reads them.
    pub words: Vec<String>,
}

/// Where the image service is, and who asks. None leaves it to the environment variable of that name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Address; `0.0.0.0` if not given.
    pub host: Option<String>,
    /// Port; 9292 if not given.
    pub port: Option<i64>,
    /// Do not check the certificate.
    pub insecure: bool,
    /// A token that is at hand already.
    pub os_auth_token: Option<String>,
    /// Name of the user.
    pub os_username: Option<String>,
    /// Password of the user.
    pub os_password: Option<String>,
    /// Region.
    pub os_region_name: Option<String>,
    /// ID of the project.
    pub os_project_id: Option<String>,
    /// Name of the project.
    pub os_project_name: Option<String>,
    /// ID of the user's domain.
    pub os_user_domain_id: Option<String>,
    /// ID of the project's domain.
    pub os_project_domain_id: Option<String>,
    /// ID of the domain; `default` if not given.
    pub os_domain_id: Option<String>,
    /// Address of Keystone.
    pub os_auth_url: Option<String>,
    /// `keystone` or `noauth`.
    pub os_auth_strategy: Option<String>,
}

impl Invocation {
    /// Reads what [`command`] parsed.
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
    /// Whether a service is meant, and no directory.
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

/// A command of `glance-cache-manage`; an image is given by its ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheManageCommand {
    /// `help`: the whole help, or how one command is called.
    Help(Option<&'static str>),
    /// List the images in the cache.
    ListCached,
    /// List the images queued to be cached.
    ListQueued,
    /// Queue an image to be cached.
    QueueImage(String),
    /// Drop an image from the cache.
    DeleteCachedImage(String),
    /// Drop all images from the cache.
    DeleteAllCachedImages,
    /// Drop an image from the queue.
    DeleteQueuedImage(String),
    /// Drop all images from the queue.
    DeleteAllQueuedImages,
    /// Shrink the cache to its permitted size.
    Prune,
    /// Remove invalid and stalled files from the cache.
    Clean,
    /// Fetch the queued images into the cache.
    Prefetch,
}

/// Words that are no command. Both exit 1, as with the real program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongCommand {
    /// No command has this name.
    Unknown(String),
    /// This command needs the ID of an image, and nothing else.
    ImageMissing(&'static str),
}

impl CacheManageCommand {
    /// Reads the words of the line; words behind a command that takes no image are ignored.
    ///
    /// # Errors
    /// When the first word is no command, or it takes an image and something else is behind it.
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
