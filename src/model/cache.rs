//! The image cache of a host: its images and its queue.

use serde::Deserialize;

use super::Timestamp;

/// An image whose data is in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct CachedImage {
    /// The ID of the image.
    pub image_id: String,
    /// The time of the last read from the cache; [`Timestamp::EPOCH`] if it is unknown.
    pub last_accessed: Timestamp,
    /// The time when it was cached.
    pub last_modified: Timestamp,
    /// The size in bytes.
    pub size: u64,
    /// The number of reads from the cache.
    pub hits: u64,
}

/// The content of a cache and its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CacheState {
    /// The cached images.
    #[serde(rename = "cached_images")]
    pub cached: Vec<CachedImage>,
    /// The IDs of the images to fetch, in the order of the queue.
    #[serde(rename = "queued_images")]
    pub queued: Vec<String>,
}

/// The part of a cache to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTarget {
    /// The cached images and the queue.
    Both,
    /// The cached images.
    Cache,
    /// The queue.
    Queue,
}

impl CacheTarget {
    /// All targets, in the reference implementation's order.
    pub const ALL: [Self; 3] = [Self::Both, Self::Cache, Self::Queue];

    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Cache => "cache",
            Self::Queue => "queue",
        }
    }

    /// Returns the target with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Returns whether the target includes the cached images.
    pub fn has_cache(self) -> bool {
        self != Self::Queue
    }

    /// Returns whether the target includes the queue.
    pub fn has_queue(self) -> bool {
        self != Self::Cache
    }
}

/// The files that were removed from a cache, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The number of files.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Their names in the order of removal, if the deployment reports them; otherwise empty.
    pub names: Vec<String>,
}

impl Removed {
    /// Adds a file.
    pub fn push(&mut self, name: String, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        self.names.push(name);
    }
}

/// The API's representation: times are seconds since 1970 in UTC.
#[derive(Deserialize)]
struct Written {
    image_id: String,
    last_accessed: f64,
    last_modified: f64,
    size: u64,
    hits: u64,
}

impl TryFrom<Written> for CachedImage {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let moment = |seconds: f64| {
            Timestamp::from_seconds(seconds)
                .ok_or_else(|| format!("a cached image with a time of {seconds} s"))
        };
        Ok(Self {
            last_accessed: moment(written.last_accessed)?,
            last_modified: moment(written.last_modified)?,
            image_id: written.image_id,
            size: written.size,
            hits: written.hits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_representation_is_read() {
        let text = r#"{"cached_images": [{"id": 1, "image_id": "a", "last_accessed": 0, "size": 9,
            "last_modified": 1763717404.428845, "hits": 2, "checksum": null}], "queued_images": ["b"]}"#;
        let state: CacheState = serde_json::from_str(text).unwrap();
        let [cached] = &state.cached[..] else {
            panic!("{state:?}")
        };
        assert_eq!(cached.last_accessed, Timestamp::EPOCH);
        assert_eq!(
            cached.last_modified.to_iso(),
            "2025-11-21T09:30:04.428845",
            "to the microsecond"
        );
        assert_eq!((cached.size, cached.hits), (9, 2));
        assert_eq!(state.queued, ["b"]);
    }

    #[test]
    fn what_is_no_cache_is_refused() {
        for text in [
            "{}",
            r#"{"cached_images": [], "queued_images": [1]}"#,
            r#"{"cached_images": [{"image_id": "a"}], "queued_images": []}"#,
            r#"{"cached_images": [{"image_id": "a", "last_accessed": 1e300, "last_modified": 0, "size": 1,
                "hits": 0}], "queued_images": []}"#,
            r#"{"cached_images": [{"image_id": "a", "last_accessed": 0, "last_modified": 0, "size": -1,
                "hits": 0}], "queued_images": []}"#,
        ] {
            assert!(serde_json::from_str::<CacheState>(text).is_err(), "{text}");
        }
    }
}
