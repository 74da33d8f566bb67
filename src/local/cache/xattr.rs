//! The index of the driver `xattr`: hits are an extended attribute of the file, the rest is in its inode.
//!
//! *Source:* `glance/image_cache/drivers/xattr.py` of the reference implementation.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, XattrFlags};
use rustix::io::Errno;

use super::directory::Directory;
use crate::model::{CachedImage, Timestamp};
use crate::{Error, Result};

/// The number of reads of the data, in decimal digits.
const HITS: &str = "user.hits";

pub(super) fn list(directory: &Directory) -> Result<Vec<CachedImage>> {
    let mut images = Vec::new();
    for found in directory.files()? {
        let Some(hits) = hits(&directory.path(&found.name)?)? else {
            continue;
        };
        images.push(CachedImage {
            last_accessed: whole_second(found.accessed),
            last_modified: whole_second(found.modified),
            size: found.size,
            image_id: found.name,
            hits,
        });
    }
    images.sort_by(|a, b| a.image_id.cmp(&b.image_id));
    Ok(images)
}

/// Converts the time of an inode, truncated to seconds as by the reference implementation.
fn whole_second(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    Timestamp::from_seconds(f64::from(seconds)).unwrap_or(Timestamp::EPOCH)
}

/// Returns the hits of a file; 0 if it has no attribute, None if it does not exist.
pub(super) fn hits(path: &Path) -> Result<Option<u64>> {
    let mut value = [0_u8; 20];
    match rustix::fs::getxattr(path, HITS, &mut value[..]) {
        Ok(length) => {
            let text = std::str::from_utf8(&value[..length.min(value.len())]).unwrap_or_default();
            Ok(Some(text.parse().unwrap_or_default()))
        }
        Err(Errno::NODATA | Errno::RANGE) => Ok(Some(0)),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(unsupported("read", path, e)),
    }
}

pub(super) fn set_hits(path: &Path, hits: u64) -> Result<()> {
    let value = hits.to_string();
    let set = rustix::fs::setxattr(path, HITS, value.as_bytes(), XattrFlags::empty());
    set.map_err(|e| unsupported("write", path, e))
}

/// Counts a read of a file. Sets its access time as well, because most file systems are mounted so that reading
/// alone seldom updates it.
pub(super) fn count_hit(path: &Path) -> Result<()> {
    let Some(hits) = hits(path)? else {
        return Ok(());
    };
    set_hits(path, hits + 1)?;
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps {
        last_access: at(UTIME_NOW),
        last_modification: at(UTIME_OMIT),
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty())
        .map_err(|e| Error::io("write", path, e.into()))
}

fn unsupported(what: &str, path: &Path, error: Errno) -> Error {
    let failed = Error::io(what, path, error.into());
    if error == Errno::OPNOTSUPP {
        return failed.hint(
            "The file system does not support extended attributes. Set another image_cache_driver.",
        );
    }
    failed
}
