//! The open deployment: its catalogue, stores, staging area and cache.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};
use tokio_util::task::TaskTracker;

use super::cache::{self, ImageCache, Prefetched};
use super::catalog::Catalog;
use super::directories::{FILE_MODE, prepare};
use super::events::Events;
use super::journal::Journal;
use super::policy::{Explanation, ImageTarget, Policy};
use super::quota::{ConfiguredLimits, KeystoneLimits, Limits};
use super::reserve::Reserve;
use super::store::{self, FileStore, Store, StoreSet};
use super::{Local, notifier, staging, visibility};
use crate::config::{self, Setting, Settings, StoreKind};
use crate::data::Watch;
use crate::model::store::StoreDetail;
use crate::model::{Caller, StoreInfo};
use crate::{Error, Result};

/// The time that a command waits for its notifications to be sent.
const FLUSH_OF_COMMAND: Duration = Duration::from_secs(2);

/// The time that a service waits for them when it stops.
const FLUSH_OF_SERVICE: Duration = Duration::from_secs(5);

/// An open deployment, shared by all its callers.
pub struct Engine {
    pub(super) catalog: Catalog,
    pub(super) cache: Setting<Option<ImageCache>>,
    pub(super) stores: StoreSet,
    pub(super) staging: Setting<FileStore>,
    pub(super) journal: Setting<Journal>,
    pub(super) policy: Policy,
    pub(super) limits: Box<dyn Limits>,
    /// The limits of requests in place of `limits`, if Keystone has them.
    pub(super) unified_limits: Setting<Option<Box<dyn Limits>>>,
    pub(super) events: Box<dyn Events>,
    pub(super) settings: Settings,
    pub(super) reserve: Option<Reserve>,
    /// The changes in progress, whether or not their callers still await them.
    changes: TaskTracker,
    unfinished: Option<Error>,
}

impl Engine {
    /// Opens the deployment that `settings` describe. Creates its database and directories on first use, and undoes
    /// or finishes the operations of crashed processes. Its events are sent as the settings require.
    ///
    /// # Errors
    /// `Failed` if the database has another revision, or the configuration requires an unsupported feature.
    pub async fn open(settings: Settings) -> Result<Arc<Self>> {
        let events = notifier::of_deployment(&settings);
        Box::pin(Self::open_with(settings, events)).await
    }

    /// Opens the deployment in the same way as [`Engine::open`], and sends its events to `events`.
    ///
    /// # Errors
    /// Same as [`Engine::open`].
    pub async fn open_with(settings: Settings, events: Box<dyn Events>) -> Result<Arc<Self>> {
        let catalog = Catalog::open_current(prepare(&settings)?).await?;
        let catalog = catalog.with_address_key(&settings.address_key);
        let stores = open_stores(&settings)?;
        let staging = settings.staging_dir.get().map(|at| staging::store(at));
        let journal = settings.journal_dir.get().map(|at| Journal::of(at));
        let cache = cache::of_deployment(&settings, &catalog).await;
        let reserve = Reserve::of(&settings);
        let unified_limits = settings.limits.unified.get().map(|unified| {
            let limits = unified.as_deref().map(KeystoneLimits::new);
            limits.map(|limits| Box::new(limits) as Box<dyn Limits>)
        });
        let mut engine = Self {
            catalog,
            cache: cache.into(),
            stores,
            staging: staging.into(),
            journal: journal.into(),
            policy: Policy::open(settings.policy.clone()),
            limits: Box::new(ConfiguredLimits(settings.limits.project.clone())),
            unified_limits: unified_limits.into(),
            events,
            settings,
            reserve,
            changes: TaskTracker::new(),
            unfinished: None,
        };
        // A failed recovery does not prevent operations on other images.
        engine.unfinished = engine.recover().await.err();
        Ok(Arc::new(engine))
    }

    /// Returns the service of the deployment for `caller`.
    pub fn act_as(self: &Arc<Self>, caller: Caller) -> Local {
        Local {
            engine: Arc::clone(self),
            caller: self.policy.admit(caller),
            regions: None,
            verifies_stored: false,
        }
    }

    /// Fetches the images that are queued for the cache; nothing without one. The images that were fetched, and the failures, are
    /// returned.
    ///
    /// # Errors
    /// Errors of the cache.
    pub async fn fetch_queued(self: &Arc<Self>) -> Result<Prefetched> {
        match self.cache.get()? {
            Some(cache) => {
                let administrator = self.act_as(Caller::default());
                let watch = Watch::default();
                administrator.prefetch(cache, false, &watch).await
            }
            None => Ok(Prefetched::default()),
        }
    }

    /// Explains the decision of a rule of the policy on an image, whether or not the caller may see it.
    ///
    /// # Errors
    /// `NotFound` for an unknown rule or image; errors of the policy files.
    pub async fn explain_on_image(
        self: &Arc<Self>,
        caller: &Caller,
        rule: &str,
        id: &str,
    ) -> Result<Explanation> {
        let caller = self.policy.admit(caller.clone());
        let stored = self.catalog.load_image(id, &caller.project).await?;
        let stored = stored.ok_or_else(|| visibility::not_found(id))?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy.explain_on(&caller, rule, target.into())
    }

    /// Returns the error of the recovery when the deployment was opened. Recovery is tried again by the next
    /// command, and by operations that require it.
    pub fn unfinished(&self) -> Option<&Error> {
        self.unfinished.as_ref()
    }

    /// Runs a change as a task that continues when the returned future is dropped.
    ///
    /// # Errors
    /// Errors of the change.
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
                Err(error) => {
                    Err(Error::internal("the task of a change ended early").because(error))
                }
            }
        }
    }

    /// Waits until no change is in progress.
    pub async fn finish_changes(&self) {
        self.changes.close();
        self.changes.wait().await;
        self.changes.reopen();
    }

    /// Ends the use of the deployment by a command: waits for its changes, then leaves an SQLite database in one
    /// file (see [`Catalog::finish`]). Notifications are sent for at most two seconds.
    pub async fn finish(&self) {
        self.finish_changes().await;
        self.catalog.finish().await;
        self.events.flush(FLUSH_OF_COMMAND).await;
    }

    /// Waits for all changes, then closes the database. Notifications are sent for at most five seconds.
    pub async fn close(&self) -> Result<()> {
        self.finish_changes().await;
        self.events.flush(FLUSH_OF_SERVICE).await;
        self.catalog.clone().close().await
    }
}

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
                space: None,
            }),
        };
        stores.push(match store.kind.get() {
            Ok(StoreKind::File(file)) => {
                Box::new(file_store(info(false, file_properties(file)), file))
            }
            Ok(StoreKind::Http(options)) => {
                let info = info(true, Map::new());
                let options = options.clone();
                Box::new(match settings.import.addresses.get() {
                    Ok(rules) => store::HttpStore::with_rules(info, options, rules),
                    // Requests that need the rules fail before they use the store.
                    Err(_) => store::HttpStore::new(info, options),
                })
            }
            Ok(StoreKind::Rbd(settings)) => {
                let info = info(false, Map::new());
                Box::new(store::RbdStore::new(info, settings.clone()))
            }
            Ok(StoreKind::Swift(options)) => {
                let info = info(false, swift_properties(options));
                Box::new(store::SwiftStore::new(info, (**options).clone()))
            }
            Ok(StoreKind::S3(settings)) => {
                let info = info(false, Map::new());
                Box::new(store::S3Store::new(info, settings.clone()))
            }
            // The store reports its error when its data is requested.
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

/// Creates the store of a configured `file` backend.
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

/// Returns the properties of a `file` store that administrators may see.
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

/// Returns the properties of a `swift` store that administrators may see.
fn swift_properties(swift: &config::SwiftStore) -> Map<String, serde_json::Value> {
    let container = (!swift.is_multi_tenant).then_some(swift.container.as_str());
    let mut properties = Map::new();
    properties.insert("container".to_string(), json!(container));
    properties.insert(
        "large_object_size".to_string(),
        json!(swift.large_object_size),
    );
    properties.insert(
        "large_object_chunk_size".to_string(),
        json!(swift.chunk_size),
    );
    properties
}
