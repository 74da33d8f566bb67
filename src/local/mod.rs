//! The local engine: the Images API on a catalogue and stores of our own, without a server.
//!
//! A straight line, not an onion: each operation reads like its specification. May the caller? Is the
//! transition legal? Within the limits? One transaction; done.

pub mod access;
pub mod cache;
pub mod catalog;
mod data;
mod deletion;
mod discovery;
mod images;
mod import;
mod inspection;
mod journal;
mod locations;
mod members;
pub mod metadefs;
mod quota;
mod recovery;
mod reserve;
mod scrub;
mod staging;
pub mod store;
mod tasks;
mod validation;

pub use scrub::Told;

use cache::ImageCache;
use catalog::{Catalog, StoredImage};
use reserve::Reserve;
use serde_json::{Map, json};
use store::{FileStore, Store, StoreSet};

use crate::config::{self, Database, Setting, Settings, StoreKind};
use crate::data::durable::create_directory;
use crate::model::schema::Allowed;
use crate::model::store::StoreDetail;
use crate::model::{Caller, Image, StoreInfo};
use crate::service::Regions;
use crate::{Error, Result};

/// A deployment without a server, as one caller meets it.
pub struct Local {
    catalog: Catalog,
    cache: Setting<Option<ImageCache>>,
    stores: StoreSet,
    staging: Setting<FileStore>,
    settings: Settings,
    caller: Caller,
    regions: Option<Box<dyn Regions>>,
    unfinished: Option<Error>,
    reserve: Option<Reserve>,
}

impl Local {
    /// The same, able to download images from other regions.
    #[must_use]
    pub fn with_regions(mut self, regions: Box<dyn Regions>) -> Self {
        self.regions = Some(regions);
        self
    }

    /// Opens the deployment that `settings` describe; makes its database and directories on first
    /// use, and clears what dead processes left.
    ///
    /// # Errors
    /// `Failed` when the database is of another revision or the configuration names what is not built.
    pub async fn open(settings: Settings, caller: Caller) -> Result<Self> {
        if settings.encrypted_locations.copied()? {
            return Err(Error::failed(
                "the addresses of image data are encrypted (metadata_encryption_key), and cannot be read",
            )
            .hint("Use Glance's own programs on this deployment."));
        }
        let catalog = Catalog::open_current(prepare(&settings)?).await?;
        let stores = open_stores(&settings)?;
        let staging = settings.staging_dir.get().map(|at| staging::store(at));
        let cache = cache::of_deployment(&settings, &catalog).await;
        let reserve = Reserve::of(&settings);
        let mut local = Self {
            catalog,
            cache: cache.into(),
            stores,
            staging: staging.into(),
            settings,
            caller,
            regions: None,
            unfinished: None,
            reserve,
        };
        // What cannot be cleared now keeps nobody from the rest.
        local.unfinished = local.recover().await.err();
        Ok(local)
    }

    /// Why something that a dead process left could not be cleared when the deployment was opened; it is tried
    /// again when it is in the way, and by the next command.
    pub fn unfinished(&self) -> Option<&Error> {
        self.unfinished.as_ref()
    }

    /// Closes the database.
    pub async fn close(self) -> Result<()> {
        self.catalog.close().await
    }

    /// An image that the caller may see.
    async fn find(&self, id: &str) -> Result<StoredImage> {
        let stored = self.catalog.load_image(id, &self.caller.project).await?;
        self.visible(stored, id)
    }

    /// What was loaded, if the caller may see it.
    fn visible(&self, stored: Option<StoredImage>, id: &str) -> Result<StoredImage> {
        let mut stored = stored
            .filter(|stored| {
                access::may_see(
                    &self.caller,
                    access::Target::new(&stored.image, stored.is_member),
                )
            })
            .ok_or_else(|| access::not_found(id))?;
        self.sort(&mut stored.locations);
        Ok(stored)
    }

    /// Puts the locations of an image in the order of its record: the store of most weight first, where
    /// stores have names, and those of equal weight as they were added.
    ///
    /// *Source:* `sort_image_locations` in `glance/common/utils.py` of the reference implementation.
    fn sort(&self, locations: &mut [crate::model::Location]) {
        if locations.len() > 1 && self.stores.named() {
            locations.sort_by_cached_key(|at| std::cmp::Reverse(self.stores.weight(at)));
        }
    }

    /// The formats and names that records may have.
    fn allowed(&self) -> Result<Allowed> {
        let formats = self.settings.formats.get()?;
        Ok(Allowed {
            disk_formats: formats.disk.clone(),
            container_formats: formats.container.clone(),
        })
    }

    /// The record as the API shows it to the caller: with its locations and stores where the
    /// deployment gives them away; those of a deactivated image to administrators alone.
    ///
    /// # Errors
    /// `Failed` where the configuration of that is refused.
    fn shown(&self, mut image: Image, locations: Vec<crate::model::Location>) -> Result<Image> {
        let deactivated = image.status == crate::model::ImageStatus::Deactivated;
        let hidden = deactivated && !self.caller.is_admin();
        let locations = if hidden { Vec::new() } else { locations };
        if self.stores.named() {
            let stores: Vec<String> = locations
                .iter()
                .filter_map(|at| at.store().map(str::to_string))
                .collect();
            image.stores = (!stores.is_empty()).then_some(stores);
        }
        let exposure = self.settings.exposure.get()?;
        image.direct_url = locations
            .first()
            .filter(|_| exposure.direct_url)
            .map(|at| at.url.clone());
        image.locations = exposure.locations.then_some(locations);
        Ok(image)
    }
}

/// The database of `settings`; what else belongs into a data directory is made with it.
fn prepare(settings: &Settings) -> Result<&Database> {
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
const DIRECTORY_MODE: u32 = 0o750;

/// Permissions of image files where the configuration sets none: those of a data directory are its
/// own, those of another deployment are what the reference implementation's umask makes them.
const FILE_MODE: u32 = 0o640;

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
