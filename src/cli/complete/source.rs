//! The names of existing things: of a local deployment from its database, of a cloud from a short cache or one request.
//!
//! A lookup changes nothing, prompts for nothing and prints nothing. Names that are found later than a quarter of a second
//! are not offered.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::LoadSettings;
use super::cache::Kept;
use crate::Result;
use crate::cli::command::globals::Globals;
use crate::cli::command::globals::deployment::settings_of;
use crate::config::{
    ConfigSource, Deployment, Environment, Place, Preferences, Setting, Settings, cloud_names,
};
use crate::http::Observer;
use crate::local;
use crate::model::{Caller, NameQuery, Named};
use crate::ops;
use crate::remote::Remote;

/// The maximum time of a lookup.
const DEADLINE: Duration = Duration::from_millis(250);

/// The options on a line that select the deployment.
pub enum Selection {
    /// The options of `glance` or `openstack`.
    Client(Globals),
    /// The options of an operator's program.
    Tool {
        /// The options and their values.
        options: Vec<(String, String)>,
        /// The function that loads the settings.
        settings: LoadSettings,
    },
}

/// A source of names.
pub trait Source {
    /// Returns the names that a query asks for. A source may omit those that do not begin with `begun`.
    fn names(&self, selection: &Selection, query: &NameQuery, begun: &str) -> Vec<Named>;

    /// Returns the clouds of clouds.yaml.
    fn clouds(&self) -> Vec<String>;
}

/// The real deployments.
pub struct Live {
    environment: Environment,
}

/// A part of an answer.
enum Found {
    /// A name.
    One(Named),
    /// An older answer, in case there is no other.
    Stale(Vec<Named>),
    /// The whole answer.
    All(Vec<Named>),
}

impl Live {
    /// Creates a source for the deployments that `environment` selects, unless options do.
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }
}

impl Source for Live {
    fn names(&self, selection: &Selection, query: &NameQuery, begun: &str) -> Vec<Named> {
        let end = Instant::now() + DEADLINE;
        let (sender, receiver) = channel();
        let lookup = Lookup {
            environment: self.environment.clone(),
            query: query.clone(),
            begun: begun.to_string(),
            found: sender,
        };
        let task: Box<dyn FnOnce() + Send> = match selection {
            Selection::Client(globals) => {
                let globals = globals.clone();
                Box::new(move || drop(lookup.of_client(&globals)))
            }
            Selection::Tool { options, settings } => {
                let (options, settings) = (options.clone(), *settings);
                Box::new(move || drop(lookup.of_tool(&options, settings)))
            }
        };
        // It is not joined: it may wait for a lock, a name server or a connection for longer than the deadline.
        if std::thread::Builder::new().spawn(task).is_err() {
            return Vec::new();
        }
        let (mut names, mut stale) = (Vec::new(), Vec::new());
        while let Ok(found) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            match found {
                Found::One(name) => names.push(name),
                Found::Stale(all) => stale = all,
                Found::All(all) => return all,
            }
        }
        if names.is_empty() { stale } else { names }
    }

    fn clouds(&self) -> Vec<String> {
        cloud_names(&self.environment).unwrap_or_default()
    }
}

/// A lookup, in a thread of its own.
struct Lookup {
    environment: Environment,
    query: NameQuery,
    begun: String,
    found: Sender<Found>,
}

impl Lookup {
    fn of_client(&self, globals: &Globals) -> Result<()> {
        let preferences = Setting::from(Preferences::read(&self.environment));
        match globals.deployment(&self.environment, &preferences)? {
            Deployment::Local {
                place: Place::DataDir(directory),
                ..
            } if !directory.exists() => Ok(()),
            Deployment::Local { place, .. } => {
                let settings = settings_of(&place, &self.environment)?;
                self.of_deployment(&settings, &globals.caller(&self.environment)?)
            }
            Deployment::Remote { .. } => block_on(self.of_cloud(globals, &preferences)),
        }
    }

    fn of_tool(&self, options: &[(String, String)], settings: LoadSettings) -> Result<()> {
        let is_remote = |(option, _): &(String, String)| {
            option.starts_with("--os-") || matches!(option.as_str(), "--host" | "--port")
        };
        if options.iter().any(is_remote) {
            return Ok(());
        }
        let data_dir = options.iter().rfind(|(option, _)| option == "--data-dir");
        let data_dir = data_dir.map(|(_, directory)| Path::new(directory));
        let config = options
            .iter()
            .filter_map(|(option, value)| match &**option {
                "--config-file" => Some(ConfigSource::File(value.into())),
                "--config-dir" => Some(ConfigSource::Directory(value.into())),
                _ => None,
            });
        let config: Vec<ConfigSource> = config.collect();
        let settings = settings(data_dir, &config, &self.environment)?;
        self.of_deployment(&settings, &Caller::default())
    }

    fn of_deployment(&self, settings: &Settings, caller: &Caller) -> Result<()> {
        let mut found = |name| match self.found.send(Found::One(name)) {
            Ok(()) => ControlFlow::Continue(()),
            // The answer was given.
            Err(_) => ControlFlow::Break(()),
        };
        let names = local::names::names(settings, caller, &self.query, &self.begun, &mut found);
        block_on(names)
    }

    /// Finds names on a cloud: in the cache, or with a login that is cached already.
    async fn of_cloud(&self, globals: &Globals, preferences: &Setting<Preferences>) -> Result<()> {
        let observer = Observer::default();
        let cloud = globals
            .cloud(&self.environment, preferences, &observer)
            .await?;
        let query = self.query.clone().whole();
        let kept = Kept::of(&cloud, &query, &self.environment);
        if let Some(read) = kept.as_ref().and_then(Kept::read) {
            if read.is_fresh {
                let _ = self.found.send(Found::All(read.names));
                return Ok(());
            }
            let _ = self.found.send(Found::Stale(read.names));
        }
        let Some(remote) = Remote::open_silently(cloud, observer)? else {
            return Ok(());
        };
        let names = ops::names::names(&remote, &query).await?;
        if let Some(kept) = kept {
            kept.write(&names);
        }
        let _ = self.found.send(Found::All(names));
        Ok(())
    }
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|e| crate::Error::failed("no runtime can be started").because(e))?;
    runtime.block_on(work)
}
