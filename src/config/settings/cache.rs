//! The image cache of a host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::setting::Setting;
use crate::config::oslo::options::{
    FLAVOR, IMAGE_CACHE_DIR, IMAGE_CACHE_DRIVER, IMAGE_CACHE_MAX_SIZE, IMAGE_CACHE_SQLITE_DB,
    IMAGE_CACHE_STALL_TIME, WORKER_SELF_REFERENCE_URL,
};
use crate::config::oslo::reader::Reader;
use crate::config::oslo::values::quoted;
use crate::error::Result;

/// The storage of the metadata of a cache: the hits and the last access of each image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheDriver {
    /// In the catalogue, under the name of this host; one database serves the caches of all hosts.
    CentralizedDb {
        /// `worker_self_reference_url`; None: the host's own name.
        node: Option<String>,
    },
    /// In an SQLite database of this host: `sqlite_file` of the settings.
    Sqlite,
    /// In extended attributes and the timestamps of the cached files.
    Xattr,
}

/// The image cache of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The cache directory; it need not exist.
    pub directory: PathBuf,
    /// The driver for the cache's metadata.
    pub driver: Setting<CacheDriver>,
    /// The database of the driver `sqlite`; absolute.
    pub sqlite_file: Setting<PathBuf>,
    /// Maximum size of the cache after pruning, in bytes.
    pub max_size: Setting<u64>,
    /// Time after which an incomplete image is considered stalled.
    pub stall_time: Setting<Duration>,
    /// Whether downloads go through the cache.
    pub downloads: bool,
}

/// The names of the drivers.
const DRIVERS: [&str; 3] = ["centralized_db", "sqlite", "xattr"];

/// Reads the settings of the cache; None if it has no directory. Relative paths start at `base`.
pub(in crate::config) fn read_cache(
    reader: &Reader<'_>,
    base: &Path,
) -> Result<Option<CacheSettings>> {
    let flavor = reader.text_if_any(&FLAVOR)?;
    let Some(directory) = reader.text_if_any(&IMAGE_CACHE_DIR)? else {
        return Ok(None);
    };
    let directory = base.join(directory.value);
    let number = |option| -> Result<u64> {
        let number = reader.integer(option)?.value;
        Ok(u64::try_from(number).unwrap_or(u64::MAX))
    };
    // The names of the reference implementation's pipelines, split at plus signs.
    let downloads = flavor.is_some_and(|flavor| {
        let mut parts = flavor.value.split('+');
        parts.any(|part| matches!(part, "caching" | "cachemanagement"))
    });
    Ok(Some(CacheSettings {
        driver: read_driver(reader).into(),
        sqlite_file: reader
            .text_or_default(&IMAGE_CACHE_SQLITE_DB)
            .map(|file| directory.join(file.value))
            .into(),
        directory,
        max_size: number(&IMAGE_CACHE_MAX_SIZE).into(),
        stall_time: number(&IMAGE_CACHE_STALL_TIME)
            .map(Duration::from_secs)
            .into(),
        downloads,
    }))
}

fn read_driver(reader: &Reader<'_>) -> Result<CacheDriver> {
    let named = reader.text_or_default(&IMAGE_CACHE_DRIVER)?;
    let chosen = DRIVERS
        .into_iter()
        .find(|name| named.value.eq_ignore_ascii_case(name));
    Ok(match chosen {
        Some("sqlite") => CacheDriver::Sqlite,
        Some("xattr") => CacheDriver::Xattr,
        Some(_) => CacheDriver::CentralizedDb {
            node: reader
                .text_if_any(&WORKER_SELF_REFERENCE_URL)?
                .map(|url| url.value),
        },
        None => {
            return Err(named.refuse(format_args!(
                "{} is not one of {}",
                quoted(&named.value),
                DRIVERS.join(", ")
            )));
        }
    })
}
