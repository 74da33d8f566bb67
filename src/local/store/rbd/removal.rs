//! The removal of images: of deleted ones, and of unfinished ones.

use std::time::{Duration, Instant};

use librbd::{Image, Pool, errno, features};

use super::address::Address;
use super::session::Connector;
use super::{SNAPSHOT, open_at};
use crate::local::store::{CLOCK_SLACK, Removal};
use crate::model::Timestamp;
use crate::{Error, Result};

/// The time after which an image that is still open elsewhere is not removed. The cluster forgets a dead client after
/// 30 seconds.
const PATIENCE: Duration = Duration::from_secs(40);

/// The pause before an image that is open elsewhere is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// Returns the error for data that clones depend on, or that another client uses.
///
/// *Source:* `InUseByStore` in `glance_store/exceptions.py`.
fn in_use() -> Error {
    Error::conflict(
        "The image cannot be deleted because it is in use through the backend store outside of Glance.",
    )
    .hint("Flatten or delete its clones, and stop what has it open; 'rbd children' lists the clones.")
}

/// Checks that the data at an address could be deleted. Blocks.
pub(super) fn check(connector: &Connector, url: &str) -> Result<()> {
    let address = Address::parse(url)?;
    let pool = connector.pool(address.pool.as_deref())?;
    let image = match open_at(&pool, &address) {
        Ok(image) => image,
        Err(error) if error.is(errno::ENOENT) => return Ok(()),
        Err(error) => return Err(connector.failed("open an image", &error)),
    };
    let failed = |error: librbd::Error| connector.failed("check an image", &error);
    // Clones of version 2 keep working after the image was moved into the trash.
    if address.snapshot.is_some()
        && !image.children().map_err(failed)?.is_empty()
        && !image.has_unprotected_clones().map_err(failed)?
    {
        return Err(in_use());
    }
    // Mirrors of an image with a journal watch it as well, and do not prevent its removal.
    let is_mirrored = image.features().map_err(failed)? & features::JOURNALING != 0;
    if !is_mirrored && !image.watchers().map_err(failed)?.is_empty() {
        return Err(in_use());
    }
    Ok(())
}

/// Deletes the data at an address, or only checks it if `dry_run`. Returns its size in bytes; None if nothing was
/// there. Blocks.
pub(super) fn delete(
    connector: &Connector,
    removal: &Removal,
    dry_run: bool,
) -> Result<Option<u64>> {
    let address = Address::parse(&removal.url)?;
    let pool = connector.pool(address.pool.as_deref())?;
    let name = &address.image;
    let failed = |error: librbd::Error| connector.failed(&format!("delete image {name}"), &error);
    let size = measure(connector, &pool, &address, removal.unless_later)?;
    if dry_run {
        return Ok(size);
    }
    if size.is_none() {
        // What an interrupted removal left.
        discard(connector, &pool, name)?;
        return Ok(None);
    }
    let Some(image) = found(pool.open(name)).map_err(failed)? else {
        return Ok(None);
    };
    if let Some(snapshot) = &address.snapshot {
        remove_snapshot(&image, snapshot).map_err(|error| match error.errno() {
            Some(errno::EBUSY) => in_use(),
            _ => failed(error),
        })?;
    }
    drop(image);
    match remove(&pool, name) {
        Ok(()) => Ok(size),
        Err(error) if error.is(errno::EBUSY) => {
            // The data stays as it was.
            if let Some(snapshot) = &address.snapshot
                && let Ok(image) = pool.open(name)
            {
                let restored = image.create_snapshot(snapshot);
                restored
                    .and_then(|()| image.protect_snapshot(snapshot))
                    .map_err(failed)?;
            }
            Err(in_use())
        }
        Err(error) => Err(failed(error)),
    }
}

/// Returns the size of data that is to be deleted; None if it does not exist. Of an interrupted deletion the image
/// without the snapshot is left.
fn measure(
    connector: &Connector,
    pool: &Pool,
    address: &Address,
    unless_later: Option<Timestamp>,
) -> Result<Option<u64>> {
    let name = &address.image;
    let failed = |error: librbd::Error| connector.failed(&format!("open image {name}"), &error);
    let opened = match found(open_at(pool, address)).map_err(failed)? {
        Some(image) => Some(image),
        None => found(pool.open_read_only(name, None)).map_err(failed)?,
    };
    let Some(image) = opened else {
        return Ok(None);
    };
    if let Some(moment) = unless_later {
        let snapshots = image.snapshots().map_err(failed)?;
        let mut snapshots = snapshots.iter();
        let snapshot = snapshots.find(|one| Some(&one.name) == address.snapshot.as_ref());
        let written = match snapshot {
            Some(snapshot) => image.snapshot_created(snapshot.id),
            None => image.created(),
        };
        let written = Timestamp::from_system(written.map_err(failed)?);
        if written.is_none_or(|written| written.before(CLOCK_SLACK) > moment) {
            return Err(connector.error(format_args!(
                "image {name} was written after the location was deleted"
            )));
        }
    }
    image.size().map(Some).map_err(failed)
}

/// Removes an unfinished image, also if it is open: the process that wrote it has ended, or is this one. Blocks.
pub(super) fn discard(connector: &Connector, pool: &Pool, name: &str) -> Result<()> {
    let failed = |error: librbd::Error| connector.failed(&format!("remove image {name}"), &error);
    let this = format!("client.{}", connector.session()?.cluster.client());
    let began = Instant::now();
    loop {
        // Of an interrupted creation or removal, the name may be there without the image.
        let removed = match found(pool.open(name)).map_err(failed)? {
            Some(image) => {
                let owner = image.lock_owner().map_err(failed)?;
                if let Some(owner) = owner.filter(|owner| *owner != this) {
                    // Without this, the cluster waits for the dead client. The lock may be free by now.
                    let _ = image.break_lock(&owner);
                }
                remove_snapshot(&image, SNAPSHOT)
            }
            None => Ok(()),
        };
        let removed = removed.and_then(|()| remove(pool, name));
        match removed {
            Ok(()) => return Ok(()),
            Err(error)
                if matches!(error.errno(), Some(errno::EBUSY | errno::EROFS))
                    && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Removes the protection of a snapshot and the snapshot, as far as they exist.
fn remove_snapshot(image: &Image, snapshot: &str) -> librbd::Result<()> {
    match image.unprotect_snapshot(snapshot) {
        // It is not protected.
        Err(error) if error.is(errno::EINVAL) => {}
        unprotected => _ = found(unprotected)?,
    }
    found(image.remove_snapshot(snapshot)).map(drop)
}

/// Removes an image. One that has other snapshots is moved into the trash, as Glance does.
fn remove(pool: &Pool, name: &str) -> librbd::Result<()> {
    match pool.remove(name) {
        Err(error) if error.is(errno::ENOTEMPTY) => found(pool.move_to_trash(name)).map(drop),
        removed => found(removed).map(drop),
    }
}

/// Returns None for what does not exist.
fn found<T>(result: librbd::Result<T>) -> librbd::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is(errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
