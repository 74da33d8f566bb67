//! `glance-cache-manage` and the three upstream programs that it replaces.
//!
//! Like upstream, prints failures of commands on standard output, where scripts read them.
//!
//! *Source:* `glance/cmd/cache_manage.py`, `cache_pruner.py`, `cache_cleaner.py` and
//! `cache_prefetcher.py` of the reference implementation.

use std::error::Error as _;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgMatches, Command};

use super::cache_manage::{
    self, CacheManageCommand, Invocation, OLD_NAMES, Service, UPKEEP, WrongCommand,
};
use super::globals::cloud::OPTION_NAMES;
use super::log::Log;
use super::oslo::{OsloOptions, path_of};
use super::registry::Grammar;
use super::upkeep::Upkeep;
use super::{block_on, hints, print, programs, ui};
use crate::config::{
    Cloud, CloudOptions, ConfigSource, Deployment, DeploymentOptions, Environment, Settings,
    choose_deployment,
};
use crate::data::Watch;
use crate::http::{Listener, Observer};
use crate::local::cache::ImageCache;
use crate::model::schema::is_uuid;
use crate::ops::caches::{self, Action};
use crate::output::{self, Dialect, Options, StandardOutput, View};
use crate::remote::Remote;
use crate::{Error, ErrorKind, Result};

/// Configuration files that the upstream programs read.
const CONFIGURED_BY: [&str; 2] = ["glance-api", "glance-cache"];

/// Returns the old name if `name` is one.
pub fn old_name(name: &str) -> Option<&'static str> {
    let mut all = OLD_NAMES.iter();
    all.find(|(old, _)| *old == name).map(|(old, _)| *old)
}

/// Returns the command line of the program with an old name, and the equivalent command.
pub fn old_command(name: &'static str) -> (Command, CacheManageCommand) {
    let meant = OLD_NAMES.iter().find(|(old, _)| *old == name);
    let meant = meant.map_or("prune", |(_, command)| command);
    let about = UPKEEP.iter().find(|(command, _)| *command == meant);
    let command = cache_manage::upkeep_command(name, about.map_or("", |(_, about)| about));
    let meant = match meant {
        "clean" => CacheManageCommand::Clean,
        "prefetch" => CacheManageCommand::Prefetch,
        _ => CacheManageCommand::Prune,
    };
    (command, meant)
}

/// Runs a program with an old name.
pub fn run_old(
    name: &'static str,
    meant: &CacheManageCommand,
    matches: &ArgMatches,
    environment: &Environment,
) -> Result<ExitCode> {
    let oslo = OsloOptions::from_matches(matches);
    let data_dir = path_of(matches, "data_dir");
    let settings = programs::settings(
        data_dir.as_deref(),
        &oslo.config,
        &CONFIGURED_BY,
        environment,
    )?;
    let log = Log::begin(name, "glance.image_cache", &oslo, settings.log.get()?)?;
    let upkeep = Upkeep {
        settings,
        dry_run: matches.get_flag("dry-run"),
        verbose: log.is_debug(),
        origin: None,
        log: Some(log),
        metrics_file: path_of(matches, "metrics-file"),
    };
    let watch = Watch::default();
    block_on(&watch, upkeep.run(meant, &watch))
}

/// Runs `glance-cache-manage`.
pub fn run(command: Command, matches: &ArgMatches, environment: &Environment) -> Result<ExitCode> {
    let invocation = Invocation::from_matches(matches);
    let wanted = match CacheManageCommand::from_words(&invocation.words) {
        Ok(wanted) => wanted,
        Err(WrongCommand::ImageMissing(name)) => {
            let text = format!(
                "Please specify the ID of the image you wish for command '{name}' from the cache as the \
                 first and only argument."
            );
            return Ok(print(&text, 1));
        }
        Err(WrongCommand::Unknown(name)) => {
            let commands = cache_manage::command_list();
            print(
                &format!("\nError: \"{name}\" is not a valid command.\n\n{commands}"),
                1,
            );
            return Err(Error::failed(format!("Unknown command: {name}")));
        }
    };
    if let CacheManageCommand::Help(of) = wanted {
        return Ok(print(help(command, of).trim_end(), 0));
    }
    if action(&wanted).is_some() && invocation.metrics_file.is_some() {
        return Err(Error::usage(
            "--metrics-file applies to prune, clean and prefetch only",
        ));
    }
    let began = Instant::now();
    let watch = Watch::default();
    let code = if let Some(action) = action(&wanted) {
        let manager = Manager {
            invocation: &invocation,
            environment,
        };
        manager.run(&action, &watch)?
    } else {
        let settings = directory_settings(&invocation, environment)?;
        let origin = invocation.service.is_named();
        let upkeep = Upkeep {
            settings,
            dry_run: invocation.dry_run,
            verbose: true,
            origin: if origin {
                Some(cloud(&invocation.service, environment)?)
            } else {
                None
            },
            log: None,
            metrics_file: invocation.metrics_file.clone(),
        };
        block_on(&watch, upkeep.run(&wanted, &watch))?
    };
    if invocation.verbose {
        let seconds = began.elapsed().as_secs_f64();
        print(&format!("Completed in {seconds:.4} sec."), 0);
    }
    Ok(code)
}

/// Returns the full help, or the usage of one command.
fn help(mut command: Command, of: Option<&str>) -> String {
    let Some(name) = of else {
        return command.render_help().to_string();
    };
    let mut all = cache_manage::COMMANDS.iter().chain(UPKEEP);
    let about = all.find(|(command, _)| *command == name);
    let about = about.map_or("Show the usage of a command", |(_, about)| about);
    let image = if name.ends_with("-image") {
        " <IMAGE_ID>"
    } else {
        ""
    };
    format!("glance-cache-manage {name}{image} [options]\n\n    {about}")
}

/// Returns the action of a command; `None` for commands that work on the directory only.
fn action(command: &CacheManageCommand) -> Option<Action> {
    Some(match command {
        CacheManageCommand::ListCached => Action::ListCached,
        CacheManageCommand::ListQueued => Action::ListQueued,
        CacheManageCommand::QueueImage(id) => Action::Queue(id.clone()),
        CacheManageCommand::DeleteCachedImage(id) => Action::DeleteCached(id.clone()),
        CacheManageCommand::DeleteAllCachedImages => Action::DeleteAllCached,
        CacheManageCommand::DeleteQueuedImage(id) => Action::DeleteQueued(id.clone()),
        CacheManageCommand::DeleteAllQueuedImages => Action::DeleteAllQueued,
        CacheManageCommand::Help(_)
        | CacheManageCommand::Prune
        | CacheManageCommand::Clean
        | CacheManageCommand::Prefetch => return None,
    })
}

/// Loads the settings of the host whose cache directory is managed.
fn directory_settings(invocation: &Invocation, environment: &Environment) -> Result<Settings> {
    programs::settings(
        invocation.data_dir.as_deref(),
        &sources(invocation),
        &CONFIGURED_BY,
        environment,
    )
}

fn sources(invocation: &Invocation) -> Vec<ConfigSource> {
    let files = invocation.config_files.iter().cloned();
    files.map(ConfigSource::File).collect()
}

/// A run of `glance-cache-manage` against a service or a directory.
struct Manager<'a> {
    invocation: &'a Invocation,
    environment: &'a Environment,
}

impl Manager<'_> {
    fn run(&self, action: &Action, watch: &Watch) -> Result<ExitCode> {
        if let Some(id) = action.image().filter(|id| !is_uuid(id)) {
            return Ok(print(&format!("Image ID '{id}' is not a valid UUID."), 1));
        }
        let remote = self.is_remote()?;
        let done = || {
            if !self.invocation.force
                && !self.invocation.dry_run
                && let Some(question) = action.question()
                && !ui::confirm(&question)?
            {
                return Ok(ExitCode::SUCCESS);
            }
            block_on(watch, async {
                let dry_run = self.invocation.dry_run;
                let said = if remote {
                    caches::run(&self.service().await?, action, dry_run).await?
                } else {
                    let settings = directory_settings(self.invocation, self.environment)?;
                    let cache = ImageCache::open(&settings).await?;
                    let said = caches::run(&cache, action, dry_run).await;
                    cache.finish().await;
                    said?
                };
                if said.always || self.invocation.verbose {
                    print(&said.text, 0);
                }
                if let Some(table) = said.table {
                    show(table).await?;
                }
                Ok(ExitCode::SUCCESS)
            })
        };
        match done() {
            Err(error)
                if !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ClosedPipe) =>
            {
                if self.invocation.debug {
                    return Err(error);
                }
                Ok(self.print_failure(action, remote, &error))
            }
            other => other,
        }
    }

    /// Returns whether to use the service; options take precedence over the environment.
    fn is_remote(&self) -> Result<bool> {
        let (invocation, config) = (self.invocation, sources(self.invocation));
        let named = invocation.service.is_named();
        if named && (invocation.data_dir.is_some() || !config.is_empty()) {
            return Err(Error::usage(
                "--data-dir and --config-file select a directory, an address or credentials select a service; \
                 this command accepts only one of these",
            ));
        }
        let options = DeploymentOptions {
            data_dir: invocation.data_dir.as_deref(),
            config: &config,
            login: named,
            ..DeploymentOptions::default()
        };
        let nowhere = std::path::Path::new("");
        let chosen = choose_deployment(&options, self.environment, Some(nowhere))?;
        Ok(matches!(chosen, Deployment::Remote))
    }

    async fn service(&self) -> Result<Remote> {
        let cloud = cloud(&self.invocation.service, self.environment)?;
        connect(cloud, self.invocation.debug).await
    }

    /// Prints a failure on standard output, as upstream does.
    fn print_failure(&self, action: &Action, remote: bool, error: &Error) -> ExitCode {
        let names_image = action
            .image()
            .is_some_and(|id| error.message().contains(id));
        let text = match error.kind() {
            ErrorKind::NotFound if remote && !names_image => {
                let host = self.invocation.service.host.as_deref();
                let host = host.unwrap_or("0.0.0.0");
                format!("Cache management middleware not enabled on host {host}")
            }
            ErrorKind::Forbidden => "Not authorized to make this request.".to_string(),
            _ => format!("Failed to {}. Got error:\n{}", action.label(), why(error)),
        };
        let code = print(&text, 1);
        // The system's message is sufficient for a failed connection.
        if os_error(error).is_none()
            && let Some(line) = hints::line(Grammar::Glance, error.hints())
        {
            ui::notice(&line);
        }
        code
    }
}

/// Returns the reason of a failure; for a failed connection, in Python's format.
fn why(error: &Error) -> String {
    match os_error(error) {
        Some((number, text)) => format!("[Errno {number}] {text}"),
        None => error.message().to_string(),
    }
}

/// Returns the system error of a failed connection.
fn os_error(error: &Error) -> Option<(i32, String)> {
    if error.kind() != ErrorKind::Unreachable {
        return None;
    }
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && let Some(number) = error.raw_os_error()
        {
            let text = error.to_string();
            let text = text.split(" (os error ").next().unwrap_or_default();
            return Some((number, text.to_string()));
        }
        source = error.source();
    }
    None
}

/// Prints a table on standard output.
async fn show(table: View<'_>) -> Result<()> {
    let options = Options {
        is_terminal: std::io::stdout().is_terminal(),
        ..Options::default()
    };
    let mut out = StandardOutput::open()?;
    output::print(table, Dialect::Glance, &options, &mut out).await?;
    Ok(())
}

/// Returns the service selected by options and environment.
fn cloud(service: &Service, environment: &Environment) -> Result<Cloud> {
    let host = service.host.as_deref().unwrap_or("0.0.0.0");
    let port = service.port.unwrap_or(9292);
    let url = if host.contains("://") {
        host.to_string()
    } else {
        format!("http://{host}:{port}")
    };
    let variable = |name: &str| environment.get(name)?.to_str().map(str::to_string);
    let keystone = service.os_auth_url.is_some() || environment.get("OS_AUTH_URL").is_some();
    let strategy = service
        .os_auth_strategy
        .clone()
        .or_else(|| variable("OS_AUTH_STRATEGY"));
    match strategy.as_deref() {
        None | Some("noauth") => {}
        Some("keystone") if keystone => {}
        Some("keystone") => {
            return Err(Error::failed(
                "--os_auth_url option or OS_AUTH_URL environment variable required when keystone authentication \
                 strategy is enabled",
            ));
        }
        Some(other) => {
            return Err(Error::failed(format!(
                "Unknown authentication strategy: '{other}'"
            )));
        }
    }
    let token = service.os_auth_token.is_some()
        || ["OS_AUTH_TOKEN", "OS_TOKEN"]
            .iter()
            .any(|name| environment.get(name).is_some());
    let value = |name: &str| match name {
        "--os-image-url" => Some(url.clone()),
        "--os-auth-type" if !keystone && !token => Some("none".to_string()),
        "--os-auth-token" => service.os_auth_token.clone(),
        "--os-username" => service.os_username.clone(),
        "--os-password" => service.os_password.clone(),
        "--os-region-name" => service.os_region_name.clone(),
        "--os-project-id" => service.os_project_id.clone(),
        "--os-project-name" => service.os_project_name.clone(),
        "--os-user-domain-id" => service.os_user_domain_id.clone(),
        "--os-project-domain-id" => service.os_project_domain_id.clone(),
        "--os-default-domain-id" => service.os_domain_id.clone(),
        "--os-auth-url" => service.os_auth_url.clone(),
        "--insecure" => service.insecure.then(|| "true".to_string()),
        _ => None,
    };
    let options = CloudOptions {
        names: OPTION_NAMES,
        value: &value,
    };
    Cloud::load(options, environment)
}

pub(super) async fn connect(cloud: Cloud, debug: bool) -> Result<Remote> {
    for warning in cloud.warnings() {
        ui::notice(&warning);
    }
    let observer = Observer {
        listener: debug.then(|| Arc::new(ui::debug) as Listener),
        ..Observer::default()
    };
    Remote::open(cloud, Box::new(ui::Terminal), observer).await
}
