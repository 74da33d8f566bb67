//! The deployment that this process has opened: its catalogue, stores, staging area and cache.

use std::sync::Arc;

use serde_json::{Map, json};
use tokio_util::task::TaskTracker;

use super::cache::{self, ImageCache};
use super::catalog::Catalog;
use super::events::{Events, NoEvents};
use super::journal::Journal;
use super::quota::{ConfiguredLimits, Limits};
use super::reserve::Reserve;
use super::store::{self, FileStore, Store, StoreSet};
use super::{Local, staging};
use crate::config::{self, Database, Setting, Settings, StoreKind};
use crate::data::durable::create_directory;
use crate::model::store::StoreDetail;
use crate::model::{Caller, StoreInfo};
use crate::{Error, Result};

/// An open deployment, shared by all of its callers.
pub struct Engine {
    pub(super) catalog: Catalog,
    pub(super) cache: Setting<Option<ImageCache>>,
    pub(super) stores: StoreSet,
    pub(super) staging: Setting<FileStore>,
    pub(super) journal: Setting<Journal>,
    pub(super) limits: Box<dyn Limits>,
    pub(super) events: Box<dyn Events>,
    pub(super) settings: Settings,
    pub(super) reserve: Option<Reserve>,
    /// Changes under way, whether or not their callers still wait for them.
    changes: TaskTracker,
    unfinished: Option<Error>,
}

impl Engine {
    /// Opens the deployment that `settings` describe. Creates its database and directories on first use, and undoes
    /// or finishes what crashed processes left.
    ///
    /// # Errors
    /// `Failed` when the database is of another revision or the configuration names what is not built.
    pub async fn open(settings: Settings) -> Result<Arc<Self>> {
        Self::open_with(settings, Box::new(NoEvents)).await
    }

    /// Opens the deployment as [`Engine::open`] does; its events go to `events`.
    ///
    /// # Errors
    /// The errors of [`Engine::open`].
    pub async fn open_with(settings: Settings, events: Box<dyn Events>) -> Result<Arc<Self>> {
        if settings.encrypted_locations.copied()? {
            return Err(Error::failed(
                "the addresses of image data are encrypted (metadata_encryption_key), and cannot be read",
            )
            .hint("Use Glance's own programs on this deployment."));
        }
        let catalog = Catalog::open_current(prepare(&settings)?).await?;
        let stores = open_stores(&settings)?;
        let staging = settings.staging_dir.get().map(|at| staging::store(at));
        let journal = settings.journal_dir.get().map(|at| Journal::of(at));
        let cache = cache::of_deployment(&settings, &catalog).await;
        let reserve = Reserve::of(&settings);
        let mut engine = Self {
            catalog,
            cache: cache.into(),
            stores,
            staging: staging.into(),
            journal: journal.into(),
            limits: Box::new(ConfiguredLimits(settings.limits.project.clone())),
            events,
            settings,
            reserve,
            changes: TaskTracker::new(),
            unfinished: None,
        };
        // What cannot be cleared now is in nobody's way yet.
        engine.unfinished = engine.recover().await.err();
        Ok(Arc::new(engine))
    }

    /// Returns the service of the deployment for `caller`.
    pub fn act_as(self: &Arc<Self>, caller: Caller) -> Local {
        Local {
            engine: Arc::clone(self),
            caller,
            regions: None,
        }
    }

    /// Why something that a crashed process left could not be cleared when the deployment was opened. It is tried
    /// again when it is in the way, and by the next command.
    pub fn unfinished(&self) -> Option<&Error> {
        self.unfinished.as_ref()
    }

    /// Runs a change as a task that goes on when the returned future is dropped.
    ///
    /// # Errors
    /// Those of the change.
    pub(super) fn spawn<T, W>(
        &self,
        change: W,
    ) -> impl Future<Output = Result<T>> + Send + 'static + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let task = self.changes.spawn(change);
        async move {
            match task.await {
                Ok(done) => done,
                Err(error) => Err(Error::internal("a change was cut off").because(error)),
            }
        }
    }

    /// Waits until no change is under way.
    pub async fn finish_changes(&self) {
        self.changes.close();
        self.changes.wait().await;
        self.changes.reopen();
    }

    /// Ends the use of the deployment by a command: waits for its changes, then leaves an SQLite database in one file
    /// (see [`Catalog::finish`]).
    pub async fn finish(&self) {
        self.finish_changes().await;
        self.catalog.finish().await;
    }

    /// Ends all changes, then closes the database.
    pub async fn close(&self) -> Result<()> {
        self.finish_changes().await;
        self.catalog.clone().close().await
    }
}

/// The database of `settings`; what else belongs into a data directory is made with it.
pub(super) fn prepare(settings: &Settings) -> Result<&Database> {
    let database = database(settings)?;
    if settings.data_dir.is_some() && !is_made(database) {
        // A directory whose configuration is refused is made when that is mended.
        let cache = settings.cache.get().ok().and_then(Option::as_ref);
        let staging = settings.staging_dir.get().ok();
        for directory in staging
            .into_iter()
            .chain(cache.map(|cache| &cache.directory))
        {
            create_directory(directory, DIRECTORY_MODE)?;
        }
    }
    Ok(database)
}

/// The database of `settings`, the directory of a SQLite file made with the data directory: the one that a
/// configuration file names is where it says, or nowhere.
///
/// # Errors
/// `Failed` where they name none.
pub fn database(settings: &Settings) -> Result<&Database> {
    let database = settings.require_database()?;
    if let Database::Sqlite(path) = database
        && settings.data_dir.is_some()
        && let Some(parent) = path.parent()
    {
        create_directory(parent, DIRECTORY_MODE)?;
    }
    Ok(database)
}

/// Whether there is a file where one is wanted.
fn is_made(database: &Database) -> bool {
    match database {
        Database::Sqlite(path) => path.exists(),
        Database::Mysql(_) => false,
    }
}

/// Permission bits of the directories of a deployment: its owner writes, its group reads.
pub(super) const DIRECTORY_MODE: u32 = 0o750;

/// Permissions of image files where the configuration sets none: those of a data directory are its
/// own, those of another deployment are what the reference implementation's umask makes them.
pub(super) const FILE_MODE: u32 = 0o640;

fn open_stores(settings: &Settings) -> Result<StoreSet> {
    let configured = settings.stores.get()?;
    let mut stores: Vec<Box<dyn Store>> = Vec::new();
    for store in &configured.list {
        let info = |read_only, properties| StoreInfo {
            id: store.id.clone(),
            description: store.description.clone(),
            is_default: configured.is_default(&store.id),
            read_only,
            detail: Some(StoreDetail {
                kind: store.driver.clone(),
                weight: store.weight,
                properties,
            }),
        };
        stores.push(match store.kind.get() {
            Ok(StoreKind::File(file)) => {
                Box::new(file_store(info(false, file_properties(file)), file))
            }
            Ok(StoreKind::Http(options)) => {
                let info = info(true, Map::new());
                Box::new(store::HttpStore::new(info, options.clone()))
            }
            // It is wanted once its data is, or never.
            _ => Box::new(store::UnopenedStore::new(
                info(store.driver == "http", Map::new()),
                store.driver.clone(),
                store.kind.clone(),
            )),
        });
    }
    Ok(StoreSet::new(
        stores,
        configured.default_id.clone(),
        configured.named,
    ))
}

/// A store of files as it is configured.
fn file_store(info: StoreInfo, file: &config::FileStore) -> store::FileStore {
    let directories = file.directories.iter().map(|at| store::Directory {
        path: at.path.clone(),
        priority: at.priority,
    });
    let writing = store::Writing {
        mode: file.file_permissions.unwrap_or(FILE_MODE),
        sparse: file.thin_provisioning,
    };
    store::FileStore::new(info, directories.collect(), writing)
}

/// What administrators may know of a store of files.
fn file_properties(file: &config::FileStore) -> Map<String, serde_json::Value> {
    let directories: Vec<String> = file
        .directories
        .iter()
        .map(|at| at.path.display().to_string())
        .collect();
    let data_dir = match &directories[..] {
        [one] => json!(one),
        several => json!(several),
    };
    let mut properties = Map::new();
    properties.insert("data_dir".to_string(), data_dir);
    properties.insert("chunk_size".to_string(), json!(file.chunk_size));
    properties.insert(
        "thin_provisioning".to_string(),
        json!(file.thin_provisioning),
    );
    properties
}
