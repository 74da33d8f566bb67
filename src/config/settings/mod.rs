//! The typed settings of the local engine.

mod cache;
mod cors;
mod database;
mod identity;
pub mod import;
mod logging;
mod mysql;
mod notifications;
mod option_file;
mod policy;
mod registry;
mod scrubber;
mod server;
mod setting;
mod stores;
mod transport_url;
mod unified_limits;

use std::path::{Path, PathBuf};

use crate::config::environment::Environment;
use crate::config::oslo::ini::Ini;
use crate::config::oslo::options::{
    BIND_HOST, CONNECTION, CONNECTION_PARAMETERS, CONTAINER_FORMATS, DELAYED_DELETE, DISK_FORMATS,
    DO_SECURE_HASH, GPT_SAFETY_CHECKS_NONFATAL, HASHING_ALGORITHM, HTTP_RETRIES, IMAGE_CACHE_DIR,
    IMAGE_COUNT_TOTAL, IMAGE_COUNT_UPLOADING, IMAGE_LOCATION_QUOTA, IMAGE_MEMBER_QUOTA,
    IMAGE_PROPERTY_QUOTA, IMAGE_SIZE_CAP, IMAGE_SIZE_TOTAL, IMAGE_STAGE_TOTAL, IMAGE_TAG_QUOTA,
    METADATA_ENCRYPTION_KEY, METADATA_SOURCE_PATH, NODE_STAGING_URI, OptionSpec,
    REQUIRE_IMAGE_FORMAT_MATCH, SHOW_IMAGE_DIRECT_URL, SHOW_MULTIPLE_LOCATIONS, STAGING_DATADIR,
    USER_STORAGE_QUOTA, VMDK_ALLOWED_TYPES,
};
use crate::config::oslo::reader::Reader;
use crate::config::oslo::search::{ConfigSource, directories_of, read_sources};
use crate::config::oslo::values::quoted;
use crate::config::secret::Secret;
use crate::error::{Error, Result};
use cache::read_cache;
use import::{ImportSettings, read_import};
use logging::read_logging;
use notifications::read_notifications;
use policy::read_policy;
use registry::read_registry;
use scrubber::read_scrubber;
use server::{read_self_url, read_server};
use stores::{Layout, read_stores};

pub use cache::{CacheDriver, CacheSettings};
pub use cors::CorsOrigin;
pub use database::Database;
pub use identity::{KeystoneLogin, KeystoneSettings};
pub use logging::LogSettings;
pub use mysql::{MysqlPool, MysqlServer, MysqlTls, MysqlTlsMode};
pub use notifications::{
    Broker, LoginMethod, NotificationDriver, NotificationSettings, QueueKind, Reconnection,
};
pub use policy::{PolicySettings, ProtectionFormat, ProtectionSettings};
pub use registry::RegistryRemnant;
pub use scrubber::ScrubberSettings;
pub use server::{Flavor, IdentityKind, ServerSettings, ServerTls};
pub use setting::Setting;
pub use stores::{
    Addressing, DataDirectory, FileStore, HttpStore, RbdStore, S3Store, Store, StoreKind, Stores,
    SwiftAccount, SwiftAuth, SwiftLogin, SwiftReference, SwiftService, SwiftStore, is_host_label,
    schemes,
};
pub use transport_url::BrokerHost;
use unified_limits::read_unified_limits;
pub use unified_limits::{LimitedEndpoint, UnifiedLimits};

/// The configuration file that a data directory may contain.
const DATA_DIR_FILE: &str = "glance-api.conf";

/// The SQLite database of a data directory without another one in its configuration.
const DATA_DIR_DATABASE: &str = "glance.db";

/// The directory of the default store of a data directory.
const DATA_DIR_IMAGES: &str = "images";

/// Returns whether a directory is a data directory: it has a configuration, a database or images.
///
/// # Errors
/// `Io` if it cannot be accessed.
pub fn is_data_dir(directory: &Path) -> Result<bool> {
    for name in [DATA_DIR_DATABASE, DATA_DIR_FILE, DATA_DIR_IMAGES] {
        let path = directory.join(name);
        if path.try_exists().map_err(|e| Error::io("open", path, e))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All settings of the local engine. Paths are absolute.
///
/// Each setting is refused where it is used, so that commands that do not need it can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The data directory, if the deployment is one. The engine creates it and its content.
    pub data_dir: Option<PathBuf>,
    /// The catalogue; None if the configuration names none, see [`Settings::require_database`].
    pub database: Setting<Option<Database>>,
    /// The stores of image data.
    pub stores: Setting<Stores>,
    /// The directory of data between stage and import.
    pub staging_dir: Setting<PathBuf>,
    /// The URL of the service on this host, under which the hosts of a deployment reach each other; None without one.
    pub self_url: Setting<Option<String>>,
    /// The directory of this node's journal of running uploads, imports and deletions: the data directory,
    /// or the staging area.
    pub journal_dir: Setting<PathBuf>,
    /// The image cache; None without one.
    pub cache: Setting<Option<CacheSettings>>,
    /// Limits on sizes and counts.
    pub limits: Limits,
    /// The accepted formats and the checks on them.
    pub formats: Setting<Formats>,
    /// The visibility of locations to callers.
    pub exposure: Setting<Exposure>,
    /// The algorithm of `os_hash_value`, one of [`HASHING_ALGORITHMS`](crate::config::oslo::options::HASHING_ALGORITHMS).
    pub hashing_algorithm: Setting<String>,
    /// The treatment of data that is registered by its address.
    pub registration: Setting<Registration>,
    /// Whether a deleted image stays `pending_delete` until the scrubber removes its data.
    pub delayed_delete: Setting<bool>,
    /// The key with which the addresses of data are encrypted in the catalogue, 16, 24 or 32 bytes; None if they are
    /// not.
    pub address_key: Setting<Option<Secret>>,
    /// The settings of the scrubber.
    pub scrubber: Setting<ScrubberSettings>,
    /// The logging of the operator's programs.
    pub log: Setting<LogSettings>,
    /// The settings of the image service, `glance-api`.
    pub server: Setting<Box<ServerSettings>>,
    /// The policy files and the property protections.
    pub policy: Setting<PolicySettings>,
    /// The notifications of changes.
    pub notifications: Setting<Box<NotificationSettings>>,
    /// A part of the configuration that is for glance-registry; None without one.
    pub registry: Option<RegistryRemnant>,
    /// The import settings.
    pub import: ImportSettings,
    /// The default directory of metadata definition files.
    pub metadef_dir: Setting<PathBuf>,
}

/// Limits on sizes and counts. None is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of an image, in bytes.
    pub image_size: Setting<u64>,
    /// Maximum size of all images of a project in all stores, in bytes.
    pub project_storage: Setting<Option<u64>>,
    /// Maximum number of additional properties of an image.
    pub properties: Setting<Option<u64>>,
    /// Maximum number of tags of an image.
    pub tags: Setting<Option<u64>>,
    /// Maximum number of members of an image.
    pub members: Setting<Option<u64>>,
    /// Maximum number of locations of an image.
    pub locations: Setting<Option<u64>>,
    /// The limits of a project.
    pub project: Setting<ProjectLimits>,
    /// The limits of projects in Keystone, which requests to the service have in place of [`Limits::project`]; None if they
    /// are not used.
    pub unified: Setting<Option<Box<UnifiedLimits>>>,
}

/// The limits of a project, which the reference implementation reads from Keystone. None is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProjectLimits {
    /// Maximum size of all images in all stores, in MiB; each copy counts.
    pub size_total: Option<u64>,
    /// Maximum size of the data between stage and import, in MiB.
    pub stage_total: Option<u64>,
    /// Maximum number of images.
    pub count_total: Option<u64>,
    /// Maximum number of images with a running upload.
    pub count_uploading: Option<u64>,
}

/// The accepted formats and the checks on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formats {
    /// The allowed values of `disk_format`.
    pub disk: Vec<String>,
    /// The allowed values of `container_format`.
    pub container: Vec<String>,
    /// Whether data that does not match the declared `disk_format` is refused.
    pub require_match: bool,
    /// The names of the safety checks that do not fail a GPT or MBR image.
    pub gpt_checks_nonfatal: Vec<String>,
    /// The create types of VMDK images that can be converted.
    pub vmdk_types: Vec<String>,
}

/// The visibility of locations to callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Whether images include `direct_url`.
    pub direct_url: bool,
    /// Whether images include `locations`, and callers may change them.
    pub locations: bool,
}

/// The treatment of data that is registered by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whether the data is read to compute its hashes.
    pub secure_hash: bool,
    /// The number of retries of a failed read.
    pub retries: u64,
}

impl Settings {
    /// Returns the settings of a data directory: everything is inside it unless its `glance-api.conf` sets
    /// another place. Relative paths start at the directory. Nothing needs to exist.
    ///
    /// # Errors
    /// `Io` if the file exists and cannot be read; `Failed`, `FILE:LINE: why`, if it cannot be parsed.
    pub fn for_data_dir(directory: &Path) -> Result<Self> {
        let directory = absolute(directory)?;
        let path = directory.join(DATA_DIR_FILE);
        let files = match std::fs::read(&path) {
            Ok(bytes) => vec![Ini::from_bytes(&path, &bytes)?],
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        let defaults: Vec<(&'static OptionSpec, String)> = vec![
            (&CONNECTION, format!("sqlite:///{DATA_DIR_DATABASE}")),
            (&STAGING_DATADIR, "staging".to_owned()),
            (&NODE_STAGING_URI, "file://staging".to_owned()),
            (&IMAGE_CACHE_DIR, "cache".to_owned()),
            (&BIND_HOST, "127.0.0.1".to_owned()),
        ];
        let reader = Reader {
            files: &files,
            environment: None,
            defaults,
        };
        let layout = Layout {
            base: &directory,
            data_dir: Some(&directory),
        };
        Ok(read_settings(
            &reader,
            &layout,
            std::slice::from_ref(&directory),
        ))
    }

    /// Loads the settings of `sources`. Later ones take precedence, and variables such as
    /// `OS_DATABASE__CONNECTION` over all of them. Relative paths start at the current directory.
    ///
    /// # Errors
    /// The errors of [`Settings::for_data_dir`], and `Io` for a source that is missing.
    pub fn load(sources: &[ConfigSource], environment: &Environment) -> Result<Self> {
        let files = read_sources(sources, environment)?;
        let reader = Reader {
            files: &files,
            environment: Some(environment),
            defaults: Vec::new(),
        };
        let base = absolute(Path::new("."))?;
        let layout = Layout {
            base: &base,
            data_dir: None,
        };
        let search_path = directories_of(sources, &base, environment);
        Ok(read_settings(&reader, &layout, &search_path))
    }

    /// Returns the catalogue.
    ///
    /// # Errors
    /// `Failed` if the configuration names none, or a refused one.
    pub fn require_database(&self) -> Result<&Database> {
        self.database.get()?.as_ref().ok_or_else(|| {
            Error::failed("the configuration names no database")
                .hint("Set connection in the section [database].")
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io("find", path, e))
}

/// Reads all settings; `search_path` has the directories that files of the configuration are found in.
fn read_settings(reader: &Reader<'_>, layout: &Layout<'_>, search_path: &[PathBuf]) -> Settings {
    let stores = read_stores(reader, layout);
    let named = stores.as_ref().is_ok_and(|stores| stores.named);
    let staging = read_staging_dir(reader, layout.base, named);
    let journal = journal_dir(reader, layout, staging.as_ref().ok(), stores.as_ref().ok());
    Settings {
        data_dir: layout.data_dir.map(Path::to_path_buf),
        database: read_database(reader, layout.base).into(),
        staging_dir: staging.into(),
        self_url: read_self_url(reader).into(),
        journal_dir: journal.into(),
        stores: stores.into(),
        cache: read_cache(reader, layout.base).into(),
        limits: read_limits(reader),
        formats: read_formats(reader).into(),
        exposure: read_exposure(reader).into(),
        hashing_algorithm: reader
            .text_or_default(&HASHING_ALGORITHM)
            .map(|name| name.value)
            .into(),
        registration: read_registration(reader).into(),
        delayed_delete: reader.boolean(&DELAYED_DELETE).into(),
        address_key: read_address_key(reader).into(),
        scrubber: read_scrubber(reader).into(),
        log: read_logging(reader, layout.base).into(),
        server: read_server(reader).map(Box::new).into(),
        policy: read_policy(reader, search_path).into(),
        notifications: read_notifications(reader, layout.base).map(Box::new).into(),
        registry: read_registry(reader.files),
        import: read_import(reader),
        metadef_dir: reader
            .text_or_default(&METADATA_SOURCE_PATH)
            .map(|path| layout.base.join(path.value))
            .into(),
    }
}

fn read_formats(reader: &Reader<'_>) -> Result<Formats> {
    Ok(Formats {
        disk: reader.list(&DISK_FORMATS)?.value,
        container: reader.list(&CONTAINER_FORMATS)?.value,
        require_match: reader.boolean(&REQUIRE_IMAGE_FORMAT_MATCH)?,
        gpt_checks_nonfatal: reader.list(&GPT_SAFETY_CHECKS_NONFATAL)?.value,
        vmdk_types: reader.list(&VMDK_ALLOWED_TYPES)?.value,
    })
}

fn read_exposure(reader: &Reader<'_>) -> Result<Exposure> {
    Ok(Exposure {
        direct_url: reader.boolean(&SHOW_IMAGE_DIRECT_URL)?,
        locations: reader.boolean(&SHOW_MULTIPLE_LOCATIONS)?,
    })
}

fn read_registration(reader: &Reader<'_>) -> Result<Registration> {
    Ok(Registration {
        secure_hash: reader.boolean(&DO_SECURE_HASH)?,
        retries: saturate(reader.integer(&HTTP_RETRIES)?.value),
    })
}

/// Reads the key of the addresses of data.
fn read_address_key(reader: &Reader<'_>) -> Result<Option<Secret>> {
    let Some(key) = reader.text_if_any(&METADATA_ENCRYPTION_KEY)? else {
        return Ok(None);
    };
    match key.value.len() {
        16 | 24 | 32 => Ok(Some(Secret::new(key.value))),
        length => Err(key.refuse(format_args!(
            "the key has {length} bytes instead of 16, 24 or 32"
        ))),
    }
}

fn read_database(reader: &Reader<'_>, base: &Path) -> Result<Option<Database>> {
    let Some(url) = reader.text_if_any(&CONNECTION)? else {
        return Ok(None);
    };
    let parameters = reader.text_if_any(&CONNECTION_PARAMETERS)?;
    let parameters = parameters.map(|parameters| parameters.value);
    let database =
        Database::parse(&url.value, parameters.as_deref(), base).map_err(|why| url.refuse(why))?;
    database.configure(reader).map(Some)
}

/// Reads the staging directory: with named stores that of a reserved store, otherwise a URI.
fn read_staging_dir(reader: &Reader<'_>, base: &Path, named: bool) -> Result<PathBuf> {
    if named {
        let path = reader.text_or_default(&STAGING_DATADIR)?;
        if path.value.is_empty() {
            return Err(path.refuse("the staging store needs a directory"));
        }
        return Ok(base.join(path.value));
    }
    let uri = reader.text_or_default(&NODE_STAGING_URI)?;
    match uri.value.strip_prefix("file://") {
        Some(path) if !path.is_empty() => Ok(base.join(path)),
        _ => Err(uri.refuse(format_args!(
            "{} is not file:// followed by a directory",
            quoted(&uri.value)
        ))),
    }
}

/// Returns the directory of the journal: the data directory, or the staging area that the configuration names. The
/// default staging area is a temporary directory, or one that only the service may write to. A directory of a store
/// is used in that case.
fn journal_dir(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    staging: Option<&PathBuf>,
    stores: Option<&Stores>,
) -> Result<PathBuf> {
    if let Some(directory) = layout.data_dir {
        return Ok(directory.to_path_buf());
    }
    let named = stores.is_some_and(|stores| stores.named);
    let option = if named {
        &STAGING_DATADIR
    } else {
        &NODE_STAGING_URI
    };
    let is_default = reader.text_or_default(option)?.is_default();
    let of_stores = || stores?.list.iter().find_map(Store::directory);
    let directory = match staging {
        Some(staging) if !is_default => Some(staging.as_path()),
        staging => of_stores().or(staging.map(PathBuf::as_path)),
    };
    directory.map(Path::to_path_buf).ok_or_else(|| {
        Error::failed("the configuration names no directory for the journal")
            .hint("Set node_staging_uri in the section [DEFAULT].")
    })
}

fn read_limits(reader: &Reader<'_>) -> Limits {
    let quota = |option| read_quota(reader, option).into();
    Limits {
        image_size: reader
            .integer(&IMAGE_SIZE_CAP)
            .map(|bytes| saturate(bytes.value))
            .into(),
        project_storage: read_project_storage(reader).into(),
        properties: quota(&IMAGE_PROPERTY_QUOTA),
        tags: quota(&IMAGE_TAG_QUOTA),
        members: quota(&IMAGE_MEMBER_QUOTA),
        locations: quota(&IMAGE_LOCATION_QUOTA),
        project: read_project_limits(reader).into(),
        unified: read_unified_limits(reader)
            .map(|limits| limits.map(Box::new))
            .into(),
    }
}

fn read_project_storage(reader: &Reader<'_>) -> Result<Option<u64>> {
    let storage = reader.text_or_default(&USER_STORAGE_QUOTA)?;
    let Some(bytes) = parse_size(&storage.value) else {
        let why = "is not a number, optionally followed by B, KB, MB, GB or TB";
        return Err(storage.refuse(format_args!("{} {why}", quoted(&storage.value))));
    };
    Ok(Some(bytes).filter(|bytes| *bytes > 0))
}

fn read_project_limits(reader: &Reader<'_>) -> Result<ProjectLimits> {
    Ok(ProjectLimits {
        size_total: read_quota(reader, &IMAGE_SIZE_TOTAL)?,
        stage_total: read_quota(reader, &IMAGE_STAGE_TOTAL)?,
        count_total: read_quota(reader, &IMAGE_COUNT_TOTAL)?,
        count_uploading: read_quota(reader, &IMAGE_COUNT_UPLOADING)?,
    })
}

fn read_quota(reader: &Reader<'_>, option: &'static OptionSpec) -> Result<Option<u64>> {
    Ok(limit(reader.integer(option)?.value))
}

/// Returns a quota; a negative one is no limit.
fn limit(value: i128) -> Option<u64> {
    (value >= 0).then(|| saturate(value))
}

fn saturate(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

/// Parses `10`, `10B`, `10KB`, `10MB`, `10GB` or `10TB` to bytes: powers of 1024, no space, case matters.
///
/// *Source:* `glance/api/common.py` (`get_remaining_quota`).
fn parse_size(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        "KB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    if digits.is_empty() {
        return None;
    }
    // Only digits: a number that overflows is larger than any storage.
    let number: u64 = digits.parse().unwrap_or(u64::MAX);
    Some(number.saturating_mul(1 << shift))
}

#[cfg(test)]
mod tests {
    use crate::config::oslo::options::{EACH_STORE, Kind, OPTIONS};
    use crate::config::settings::cache::CacheDriver;
    use crate::config::settings::stores::StoreKind;
    use std::time::Duration;

    use super::*;

    const NAMED: &str =
        "[DEFAULT]\nenabled_backends = s:file\n[glance_store]\ndefault_backend = s\n";

    fn load(text: &str) -> Result<Settings> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.conf");
        std::fs::write(&path, text).unwrap();
        Settings::load(&[ConfigSource::File(path)], &Environment::default())
    }

    /// Returns the errors of all settings.
    fn refused(settings: &Settings) -> Vec<String> {
        fn of<T>(setting: &Setting<T>) -> Option<String> {
            setting.get().err().map(|error| error.message().to_string())
        }
        let Settings { limits, import, .. } = settings;
        let mut all = vec![
            of(&settings.database),
            of(&settings.stores),
            of(&settings.staging_dir),
            of(&settings.self_url),
            of(&settings.cache),
            of(&limits.image_size),
            of(&limits.project_storage),
            of(&limits.properties),
            of(&limits.tags),
            of(&limits.members),
            of(&limits.locations),
            of(&limits.project),
            of(&limits.unified),
            of(&settings.formats),
            of(&settings.exposure),
            of(&settings.hashing_algorithm),
            of(&settings.registration),
            of(&settings.delayed_delete),
            of(&settings.address_key),
            of(&settings.scrubber),
            of(&settings.log),
            of(&settings.server),
            of(&import.methods),
            of(&import.plugins),
            of(&import.addresses),
            of(&import.extra_properties),
            of(&import.task_hours),
            of(&settings.metadef_dir),
            of(&settings.policy),
            of(&settings.notifications),
        ];
        for store in settings.stores.get().iter().flat_map(|stores| &stores.list) {
            if let Ok(StoreKind::Swift(swift)) = store.kind.get() {
                all.push(of(&swift.account));
            }
        }
        if let Ok(Some(cache)) = settings.cache.get() {
            all.extend([of(&cache.driver), of(&cache.sqlite_file)]);
            all.extend([of(&cache.max_size), of(&cache.stall_time)]);
        }
        if let Ok(stores) = settings.stores.get() {
            all.push(of(&stores.default_id));
            all.extend(stores.list.iter().map(|store| of(&store.kind)));
        }
        all.into_iter().flatten().collect()
    }

    #[test]
    fn the_journal_is_where_the_deployment_may_write() {
        let store = "[s]\nfilesystem_store_datadir = /srv/s\n";
        let unnamed = "[glance_store]\nfilesystem_store_datadir = /srv/images\n";
        let other = "[DEFAULT]\nenabled_backends = r:rbd\n[glance_store]\ndefault_backend = r\n";
        for (text, expected) in [
            (format!("{NAMED}{store}"), "/srv/s"),
            (
                format!(
                    "{NAMED}{store}[os_glance_staging_store]\nfilesystem_store_datadir = /stage\n"
                ),
                "/stage",
            ),
            (unnamed.to_string(), "/srv/images"),
            (
                format!("{unnamed}[DEFAULT]\nnode_staging_uri = file:///stage\n"),
                "/stage",
            ),
            (
                format!("{unnamed}[DEFAULT]\nnode_staging_uri = http://h/\n"),
                "/srv/images",
            ),
            (other.to_string(), "/var/lib/glance/os_glance_staging_store"),
        ] {
            let settings = load(&text).unwrap();
            assert_eq!(
                settings.journal_dir,
                PathBuf::from(expected).into(),
                "{text}"
            );
        }
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        assert_eq!(settings.journal_dir, directory.path().to_path_buf().into());
    }

    #[test]
    fn defaults_are_the_real_ones() {
        let settings = load("").unwrap();
        assert_eq!(settings.database, None.into());
        assert!(settings.require_database().is_err());
        assert_eq!(settings.staging_dir, PathBuf::from("/tmp/staging/").into());
        assert_eq!(settings.cache, None.into());
        assert_eq!(settings.hashing_algorithm, "sha512".to_string().into());
        assert_eq!(settings.limits.image_size, (1 << 40).into());
        assert_eq!(settings.limits.project_storage, None.into());
        let formats = settings.formats.get().unwrap();
        assert_eq!(formats.disk.len(), 12);
        assert_eq!(formats.container.len(), 8);
        assert!(formats.require_match);
        assert!(formats.gpt_checks_nonfatal.is_empty());
        assert_eq!(formats.vmdk_types, ["streamOptimized", "monolithicSparse"]);
        assert_eq!(
            settings.import.methods.get().unwrap(),
            &["glance-direct", "web-download", "copy-image"]
        );
        let exposure = settings.exposure.get().unwrap();
        assert_eq!(settings.delayed_delete, false.into());
        assert!(!exposure.direct_url && !exposure.locations);
        assert!(refused(&settings).is_empty());
    }

    #[test]
    fn a_data_directory_keeps_everything_inside_itself() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        assert_eq!(settings.data_dir.as_deref(), Some(directory.path()));
        assert_eq!(
            settings.database,
            Some(Database::Sqlite(at("glance.db"))).into()
        );
        assert_eq!(settings.staging_dir, at("staging").into());
        let cache = settings.cache.get().unwrap().clone().unwrap();
        assert_eq!((cache.directory, cache.downloads), (at("cache"), false));

        std::fs::write(
            at("glance-api.conf"),
            format!("{NAMED}[DEFAULT]\nimage_cache_dir = c\n"),
        )
        .unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        assert_eq!(
            settings.database,
            Some(Database::Sqlite(at("glance.db"))).into()
        );
        assert_eq!(settings.staging_dir, at("staging").into());
        let cache = settings.cache.get().unwrap().as_ref().unwrap();
        assert_eq!(cache.directory, at("c"));
        let stores = settings.stores.get().unwrap();
        let StoreKind::File(store) = stores.list[0].kind.get().unwrap() else {
            panic!("{settings:?}")
        };
        assert_eq!(store.directories[0].path, at("images"));
    }

    #[test]
    fn the_file_of_a_data_directory_may_point_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let text = "[database]\nconnection = sqlite:////elsewhere/g.db\n[DEFAULT]\nnode_staging_uri = file:///stage\n";
        std::fs::write(directory.path().join("glance-api.conf"), text).unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        assert_eq!(
            settings.database,
            Some(Database::Sqlite(PathBuf::from("/elsewhere/g.db"))).into()
        );
        assert_eq!(settings.staging_dir, PathBuf::from("/stage").into());
    }

    #[test]
    fn a_cache_is_read_with_its_driver_and_whether_downloads_go_through_it() {
        let cache = |text: &str| {
            let text = format!("[DEFAULT]\nimage_cache_dir = /c\n{text}");
            let settings = load(&text).unwrap();
            settings.cache.get().unwrap().clone().unwrap()
        };
        let usual = cache("");
        assert_eq!(
            usual.driver,
            CacheDriver::CentralizedDb { node: None }.into()
        );
        assert_eq!(
            (usual.max_size, usual.downloads),
            ((10 << 30).into(), false)
        );
        assert_eq!(usual.stall_time, Duration::from_hours(24).into());
        let node = cache("worker_self_reference_url = http://a\n");
        let named = Some("http://a".to_string());
        assert_eq!(
            node.driver,
            CacheDriver::CentralizedDb { node: named }.into()
        );
        let sqlite = cache("image_cache_driver = SQLite\nimage_cache_sqlite_db = x.db\n");
        assert_eq!(sqlite.driver, CacheDriver::Sqlite.into());
        assert_eq!(sqlite.sqlite_file, PathBuf::from("/c/x.db").into());
        let xattr = cache("image_cache_driver = xattr\n");
        assert_eq!(xattr.driver, CacheDriver::Xattr.into());
        for (flavor, downloads) in [
            ("caching", true),
            ("keystone+caching", true),
            ("keystone+cachemanagement", true),
            ("keystone", false),
            ("nocaching", false),
        ] {
            let read = cache(&format!("[paste_deploy]\nflavor = {flavor}\n"));
            assert_eq!(read.downloads, downloads, "{flavor}");
        }
        let odd = cache("image_cache_driver = odd\nimage_cache_max_size = 10G\n");
        let error = odd.driver.get().unwrap_err();
        assert!(error.message().contains("'odd' is not one of"), "{error}");
        assert!(odd.max_size.get().is_err() && odd.stall_time.get().is_ok());
    }

    #[test]
    fn options_that_are_not_ours_are_tolerated() {
        let text = "[keystone_authtoken]\nauth_url = http://k\n[oslo_limit]\nendpoint_id = x\n";
        let (mut with, without) = (load(text).unwrap(), load("").unwrap());
        // The directories of the two files are searched for policies.
        with.policy = without.policy.clone();
        assert_eq!(with, without);
    }

    #[test]
    fn what_is_wrong_is_refused_where_it_is_used_and_nothing_else_is() {
        let wrong = [
            "image_cache_driver = redis",
            "image_cache_max_size = 10G",
            "hashing_algorithm = whirlpool",
            "image_tag_quota = many",
            "delayed_delete = perhaps",
            "scrub_time = 1d",
            "use_syslog = maybe",
            "node_staging_uri = http://a/",
            "enabled_backends = a:file,b:glusterfs",
            "image_size_cap = none",
            "metadata_encryption_key = abracadabra",
        ];
        let text = format!(
            "[database]\nconnection = sqlite:////g.db\n[DEFAULT]\nimage_cache_dir = /c\n{}\n\
             [image_import_opts]\nimage_import_plugins = [vendor]\n[glance_store]\ndefault_backend = a\n",
            wrong.join("\n")
        );
        let settings = load(&text).unwrap();
        assert!(settings.require_database().is_ok());
        assert!(settings.limits.members.get().is_ok());
        assert!(settings.import.methods.get().is_ok());
        let stores = settings.stores.get().unwrap();
        assert!(stores.list[0].kind.get().is_ok());
        // The staging directory of a deployment with named stores is another option.
        assert_eq!(refused(&settings).len(), wrong.len());
        for message in refused(&settings) {
            assert!(message.contains("x.conf:"), "{message}");
            assert!(!message.contains("abracadabra"), "{message}");
        }
    }

    #[test]
    fn the_key_of_addresses_has_the_length_of_a_key_of_aes() {
        let key = |text: &str| {
            let settings = load(&format!("[DEFAULT]\nmetadata_encryption_key = {text}\n")).unwrap();
            settings.address_key
        };
        assert_eq!(key("").get().unwrap(), &None);
        for length in [16, 24, 32] {
            let text = "k".repeat(length);
            assert_eq!(key(&text), Some(Secret::new(text)).into());
        }
        for (text, length) in [("k", 1), ("kkkkkkkkkkkkkkké", 17), (&*"k".repeat(64), 64)] {
            let error = key(text).get().unwrap_err().message().to_string();
            let expected = format!(
                "metadata_encryption_key: the key has {length} bytes instead of 16, 24 or 32"
            );
            assert!(error.ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn storage_sizes_take_binary_units_without_a_space() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("10B", Some(10)),
            ("2KB", Some(2048)),
            ("3MB", Some(3 << 20)),
            ("1GB", Some(1 << 30)),
            ("1TB", Some(1 << 40)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("1 GB", None),
            ("1gb", None),
            ("1K", None),
            ("-1", None),
            ("GB", None),
            ("1.5GB", None),
            ("", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
        let settings = load("[DEFAULT]\nuser_storage_quota = 1 GB\n").unwrap();
        let error = settings.limits.project_storage.get().unwrap_err();
        assert!(error.message().contains("x.conf:2: "), "{error}");
    }

    #[test]
    fn a_negative_quota_is_no_limit() {
        let limits = load("[DEFAULT]\nimage_tag_quota = -1\nimage_property_quota = 0\n")
            .unwrap()
            .limits;
        assert_eq!(limits.tags, None.into());
        assert_eq!(limits.properties, Some(0).into());
        assert_eq!(limits.members, Some(128).into());
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "mysql://g:hunter2@h/db",
            "postgresql://g:hunter2@h/db",
            "hunter2",
            "mysql://g:$hunter2@h",
            "mysql://g:${hunter2.x}@h",
        ] {
            let shown = match load(&format!("[database]\nconnection = {url}\n")) {
                Ok(settings) => format!("{settings:?}"),
                Err(error) => format!("{error:?}"),
            };
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    /// A configuration that sends notifications to a broker.
    const MESSAGING: &str = "[oslo_messaging_notifications]\ndriver = messagingv2\n";

    /// Returns a configuration in which an option has an effect.
    fn base_for(spec: &OptionSpec, section: &str, name: &str) -> String {
        let of_unnamed = ["stores", "default_store", "node_staging_uri"];
        let of_notifications = [
            "transport_url",
            "control_exchange",
            "default_publisher_id",
            "disabled_notifications",
        ];
        let of_cache = name.starts_with("image_cache_") || name == "worker_self_reference_url";
        match section {
            _ if name == "image_cache_dir" || of_unnamed.contains(&name) => String::new(),
            "database" if name != "connection" => {
                "[database]\nconnection = mysql://g@h/d\n".to_string()
            }
            "image_conversion" | "inject_metadata_properties" => {
                "[image_import_opts]\nimage_import_plugins = [image_conversion, inject_image_metadata]\n".to_string()
            }
            "keystone_authtoken" => {
                let section = if name == "auth_section" { "" } else { "[keystone_authtoken]\n" };
                let flavor = "[paste_deploy]\nflavor = keystone\n";
                let credential = if name.starts_with("application_credential") {
                    "auth_type = v3applicationcredential\napplication_credential_id = c\n"
                } else {
                    ""
                };
                format!("{flavor}{section}auth_url = http://k\nuser_id = g\npassword = p\n{credential}")
            }
            _ if name == "ca_file" => "[DEFAULT]\ncert_file = c\nkey_file = k\n".to_string(),
            "oslo_messaging_notifications" | "oslo_messaging_rabbit" if name != "driver" => MESSAGING.to_string(),
            _ if of_notifications.contains(&name) || name.starts_with("notification_t") => MESSAGING.to_string(),
            "oslo_limit" => {
                let login = "auth_url = http://k\nuser_id = g\npassword = p\n";
                let used = "[DEFAULT]\nuse_keystone_limits = true\n";
                format!("{used}[oslo_limit]\n{login}endpoint_service_type = image\n")
            }
            "trusted_auth" => "[paste_deploy]\nflavor = trusted-auth\n".to_string(),
            "cors" if name != "allowed_origin" => "[cors]\nallowed_origin = http://o\n".to_string(),
            _ if of_cache => "[DEFAULT]\nimage_cache_dir = /c\n".to_string(),
            _ if spec.section == EACH_STORE && name.contains("swift") => {
                let login = "swift_store_auth_address = http://h/v3\nswift_store_user = p:u\n";
                let named = NAMED.replace("s:file", "s:swift");
                format!("{named}[s]\n{login}swift_store_key = k\n")
            }
            _ if spec.section == EACH_STORE && name.starts_with("s3_") => {
                let named = NAMED.replace("s:file", "s:s3");
                let keys = "s3_store_access_key = a\ns3_store_secret_key = s\n";
                format!("{named}[s]\n{keys}s3_store_host = h\ns3_store_bucket = bucket\n")
            }
            _ if spec.section == EACH_STORE && name.starts_with("http") => {
                NAMED.replace("s:file", "s:http")
            }
            _ if spec.section == EACH_STORE && (name.starts_with("rbd_") || name.starts_with("rados_")) => {
                NAMED.replace("s:file", "s:rbd")
            }
            _ => NAMED.to_string(),
        }
    }

    /// Tests that every row of the table is read: an invalid reference is refused in each.
    #[test]
    fn every_option_of_the_table_is_read() {
        for spec in OPTIONS {
            let section = if spec.section == EACH_STORE {
                "s"
            } else {
                spec.section
            };
            let names = [(section, spec.name)];
            for (section, name) in names.iter().chain(spec.former_names) {
                let base = base_for(spec, section, name);
                let line = base.lines().count() + 2;
                let settings = load(&format!("{base}[{section}]\n{name} = $nowhere\n")).unwrap();
                let refused = refused(&settings);
                let expected = format!("x.conf:{line}: ");
                assert!(!refused.is_empty(), "{}", spec.name);
                for message in &refused {
                    assert!(message.contains(&expected), "{}: {message}", spec.name);
                    assert!(message.contains(spec.name), "{message}");
                    assert_eq!(spec.kind == Kind::Secret, !message.contains("nowhere"));
                }
            }
        }
    }
}
