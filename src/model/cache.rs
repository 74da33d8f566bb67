//! The image cache of a host: what it holds, and what it was told to hold.

use serde::Deserialize;

use super::Timestamp;

/// An image whose data is in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct CachedImage {
    /// Id of the image.
    pub image_id: String,
    /// When it was last read from the cache; [`Timestamp::EPOCH`] where that is not known.
    pub last_accessed: Timestamp,
    /// When it was put there.
    pub last_modified: Timestamp,
    /// Bytes.
    pub size: u64,
    /// How often it was read from the cache.
    pub hits: u64,
}

/// What a cache holds and what is to come into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct CacheState {
    /// What it holds.
    #[serde(rename = "cached_images")]
    pub cached: Vec<CachedImage>,
    /// Ids of the images that are to be fetched, the one that waits longest first.
    #[serde(rename = "queued_images")]
    pub queued: Vec<String>,
}

/// Which part of a cache is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTarget {
    /// What it holds, and what is to come.
    Both,
    /// What it holds.
    Cache,
    /// What is to come.
    Queue,
}

impl CacheTarget {
    /// Every target, in the order the reference implementation names them.
    pub const ALL: [Self; 3] = [Self::Both, Self::Cache, Self::Queue];

    /// The API's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Cache => "cache",
            Self::Queue => "queue",
        }
    }

    /// The target of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Whether what the cache holds is part of it.
    pub fn has_cache(self) -> bool {
        self != Self::Queue
    }

    /// Whether what is to come is part of it.
    pub fn has_queue(self) -> bool {
        self != Self::Cache
    }
}

/// What was removed from a cache, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their names, in the order of removal, where the deployment tells; else empty.
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

/// The API's representation: moments are seconds since 1970 in UTC.
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
