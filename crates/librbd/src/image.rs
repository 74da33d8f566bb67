//! Open images: their data, their snapshots, and who uses them.

use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::cluster::{Child, Pool};
use crate::error::{Call, Error, Result, check, errno};
use crate::library::{
    Library, LinkedImage, Piece, RawImage, SnapshotInfo, TimeSpec, Watcher as RawWatcher,
};
use crate::operation::{InFlight, Operation, begin};
use crate::passing::{fill, list, owned, text};

/// `RBD_LOCK_MODE_EXCLUSIVE`
const EXCLUSIVE: c_int = 0;

/// `RBD_OPERATION_FEATURE_CLONE_PARENT`
const CLONE_PARENT: u64 = 1;

/// The bits of [`Image::features`].
pub mod features {
    /// Clones of its snapshots can be made.
    pub const LAYERING: u64 = 1;
    /// One client at a time writes.
    pub const EXCLUSIVE_LOCK: u64 = 1 << 2;
    /// Changes are recorded first, for mirrors.
    pub const JOURNALING: u64 = 1 << 6;
}

/// A snapshot of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The number in its image.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The size of the image at the snapshot, in bytes.
    pub size: u64,
}

/// An open image, or a snapshot of one. Dropping it waits for its operations, and closes it.
pub struct Image {
    handle: RawImage,
    in_flight: Arc<InFlight>,
    /// Keeps the pool open.
    pool: Pool,
}

// SAFETY: librbd's functions may be called for one image from several threads at a time; it is closed by its owner.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Drop for Image {
    fn drop(&mut self) {
        self.in_flight.wait();
        // SAFETY: the image is open, no operation uses it, and it is not used after this.
        unsafe { (self.pool.library().rbd_close)(self.handle) };
    }
}

impl Image {
    /// Takes over an open image.
    ///
    /// # Safety
    /// The image MUST have been opened in `pool`, and MUST NOT be closed or used elsewhere.
    pub(crate) unsafe fn of(image: RawImage, pool: Pool) -> Self {
        Self {
            handle: image,
            in_flight: Arc::default(),
            pool,
        }
    }

    fn library(&self) -> &'static Library {
        self.pool.library()
    }

    /// Returns the size in bytes, of the snapshot if one was opened.
    pub fn size(&self) -> Result<u64> {
        let mut size = 0;
        // SAFETY: the image is open, the pointer valid.
        let got = unsafe { (self.library().rbd_get_size)(self.handle, &raw mut size) };
        check("rbd_get_size", got)?;
        Ok(size)
    }

    /// Returns the features, as bits.
    pub fn features(&self) -> Result<u64> {
        let mut features = 0;
        // SAFETY: the image is open, the pointer valid.
        let got = unsafe { (self.library().rbd_get_features)(self.handle, &raw mut features) };
        check("rbd_get_features", got)?;
        Ok(features)
    }

    /// Returns whether a snapshot has clones of version 2, which need no protection of it.
    pub fn has_unprotected_clones(&self) -> Result<bool> {
        let mut features = 0;
        // SAFETY: the image is open, the pointer valid.
        let got = unsafe { (self.library().rbd_get_op_features)(self.handle, &raw mut features) };
        check("rbd_get_op_features", got)?;
        Ok(features & CLONE_PARENT != 0)
    }

    /// Returns the internal ID, which never changes.
    pub fn id(&self) -> Result<String> {
        fill(|buffer, length| {
            // SAFETY: the image is open, the buffer has that length.
            check("rbd_get_id", unsafe {
                (self.library().rbd_get_id)(self.handle, buffer, length)
            })
            .map(drop)
        })
    }

    /// Returns the name at the time when the image was opened.
    pub fn name(&self) -> Result<String> {
        fill(|buffer, mut length| {
            // SAFETY: the image is open, the buffer has that length.
            check("rbd_get_name", unsafe {
                (self.library().rbd_get_name)(self.handle, buffer, &raw mut length)
            })
            .map(drop)
        })
    }

    /// Returns the time of the creation of the image.
    pub fn created(&self) -> Result<SystemTime> {
        let mut time = TimeSpec::default();
        // SAFETY: the image is open, the pointer valid.
        let got = unsafe { (self.library().rbd_get_create_timestamp)(self.handle, &raw mut time) };
        check("rbd_get_create_timestamp", got)?;
        Ok(system_time(time))
    }

    /// Changes the size in bytes. Data beyond a smaller size is lost.
    pub fn resize(&self, size: u64) -> Result<()> {
        self.run("rbd_resize", |library, image| {
            // SAFETY: the image is open.
            unsafe { (library.rbd_resize)(image, size) }
        })
    }

    /// Waits until all completed writes are durable.
    pub fn flush(&self) -> Result<()> {
        self.run("rbd_flush", |library, image| {
            // SAFETY: the image is open.
            unsafe { (library.rbd_flush)(image) }
        })
    }

    /// Removes the data of a range, which becomes zeros.
    pub fn discard(&self, offset: u64, length: u64) -> Result<()> {
        self.run("rbd_discard", |library, image| {
            // SAFETY: the image is open.
            unsafe { (library.rbd_discard)(image, offset, length) }
        })
    }

    fn run(&self, call: Call, function: impl FnOnce(&Library, RawImage) -> c_int) -> Result<()> {
        check(call, function(self.library(), self.handle)).map(drop)
    }

    /// Calls a function with the name of a snapshot.
    fn on_snapshot(
        &self,
        call: Call,
        function: unsafe extern "C" fn(RawImage, *const c_char) -> c_int,
        name: &str,
    ) -> Result<()> {
        let name = text(name)?;
        // SAFETY: the image is open, the name valid; all such functions of the library take these arguments.
        check(call, unsafe { function(self.handle, name.as_ptr()) }).map(drop)
    }

    /// Creates a snapshot.
    ///
    /// # Errors
    /// EEXIST if there is one of this name.
    pub fn create_snapshot(&self, name: &str) -> Result<()> {
        self.on_snapshot("rbd_snap_create", self.library().rbd_snap_create, name)
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// EBUSY if it is protected; ENOENT.
    pub fn remove_snapshot(&self, name: &str) -> Result<()> {
        self.on_snapshot("rbd_snap_remove", self.library().rbd_snap_remove, name)
    }

    /// Protects a snapshot from removal, so that it can be cloned.
    ///
    /// # Errors
    /// EBUSY if it is protected; ENOENT.
    pub fn protect_snapshot(&self, name: &str) -> Result<()> {
        self.on_snapshot("rbd_snap_protect", self.library().rbd_snap_protect, name)
    }

    /// Removes the protection of a snapshot.
    ///
    /// # Errors
    /// EBUSY if it has clones; EINVAL if it is not protected; ENOENT.
    pub fn unprotect_snapshot(&self, name: &str) -> Result<()> {
        self.on_snapshot(
            "rbd_snap_unprotect",
            self.library().rbd_snap_unprotect,
            name,
        )
    }

    /// Returns whether a snapshot is protected.
    ///
    /// # Errors
    /// ENOENT.
    pub fn is_protected(&self, snapshot: &str) -> Result<bool> {
        let snapshot = text(snapshot)?;
        let mut is_protected = 0;
        // SAFETY: the image is open, the pointers are valid.
        let got = unsafe {
            (self.library().rbd_snap_is_protected)(
                self.handle,
                snapshot.as_ptr(),
                &raw mut is_protected,
            )
        };
        check("rbd_snap_is_protected", got)?;
        Ok(is_protected != 0)
    }

    /// Returns the snapshots that users made, in the order of their creation.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let library = self.library();
        let empty = SnapshotInfo {
            id: 0,
            size: 0,
            name: std::ptr::null(),
        };
        let mut listed = 0;
        let mut items = list(empty, |items, count| {
            // SAFETY: `list` passes valid pointers.
            let mut space = c_int::try_from(unsafe { *count }).unwrap_or(c_int::MAX);
            // SAFETY: the image is open, and there is space for that number of items and an empty one.
            let got = unsafe { (library.rbd_snap_list)(self.handle, items, &raw mut space) };
            // SAFETY: as above.
            unsafe { *count = usize::try_from(space).unwrap_or(0) };
            listed = check("rbd_snap_list", got)?;
            Ok(listed)
        })?;
        items.truncate(usize::try_from(listed).unwrap_or(0));
        let snapshot = |item: &SnapshotInfo| Snapshot {
            id: item.id,
            size: item.size,
            // SAFETY: the names of listed items are valid until the cleanup.
            name: unsafe { owned(item.name) },
        };
        let snapshots = items.iter().map(snapshot).collect();
        // The cleanup reads items until one without a name.
        items.push(empty);
        // SAFETY: the items are those that the library filled in, and an empty one.
        unsafe { (library.rbd_snap_list_end)(items.as_mut_ptr()) };
        Ok(snapshots)
    }

    /// Returns the time of the creation of a snapshot, by its number.
    pub fn snapshot_created(&self, id: u64) -> Result<SystemTime> {
        let mut time = TimeSpec::default();
        // SAFETY: the image is open, the pointer valid.
        let got =
            unsafe { (self.library().rbd_snap_get_timestamp)(self.handle, id, &raw mut time) };
        check("rbd_snap_get_timestamp", got)?;
        Ok(system_time(time))
    }

    /// Returns the clones of the snapshot that was opened, of all pools; those in the trash as well.
    pub fn children(&self) -> Result<Vec<Child>> {
        let library = self.library();
        let empty = LinkedImage {
            pool_id: 0,
            pool_name: std::ptr::null_mut(),
            pool_namespace: std::ptr::null_mut(),
            image_id: std::ptr::null_mut(),
            image_name: std::ptr::null_mut(),
            trash: false,
        };
        let mut items = list(empty, |items, count| {
            // SAFETY: the image is open, and there is space for `count` items.
            check("rbd_list_children3", unsafe {
                (library.rbd_list_children3)(self.handle, items, count)
            })
        })?;
        let child = |item: &LinkedImage| Child {
            // SAFETY: the texts of listed items are valid until the cleanup.
            pool: unsafe { owned(item.pool_name) },
            // SAFETY: as above.
            image: unsafe { owned(item.image_name) },
        };
        let children = items.iter().map(child).collect();
        // SAFETY: the items are those that the library filled in.
        unsafe { (library.rbd_linked_image_spec_list_cleanup)(items.as_mut_ptr(), items.len()) };
        Ok(children)
    }

    /// Returns the addresses of the clients that have the image open for writing, this one included.
    pub fn watchers(&self) -> Result<Vec<String>> {
        let library = self.library();
        let empty = RawWatcher {
            address: std::ptr::null_mut(),
            id: 0,
            cookie: 0,
        };
        let mut items = list(empty, |items, count| {
            // SAFETY: the image is open, and there is space for `count` items.
            check("rbd_watchers_list", unsafe {
                (library.rbd_watchers_list)(self.handle, items, count)
            })
        })?;
        // SAFETY: the texts of listed items are valid until the cleanup.
        let addresses = items.iter().map(|item| unsafe { owned(item.address) });
        let addresses = addresses.collect();
        // SAFETY: the items are those that the library filled in.
        unsafe { (library.rbd_watchers_list_cleanup)(items.as_mut_ptr(), items.len()) };
        Ok(addresses)
    }

    /// Acquires the exclusive lock, and does not give it to a client that asks for it.
    ///
    /// # Errors
    /// EINVAL for an image without the feature; EROFS or EBUSY if another client has the lock.
    pub fn lock(&self) -> Result<()> {
        self.run("rbd_lock_acquire", |library, image| {
            // SAFETY: the image is open.
            unsafe { (library.rbd_lock_acquire)(image, EXCLUSIVE) }
        })
    }

    /// Returns the owner of the exclusive lock, if there is one: `client.` and its number.
    pub fn lock_owner(&self) -> Result<Option<String>> {
        let library = self.library();
        let (mut mode, mut owners, mut count) = (0, [std::ptr::null_mut::<c_char>(); 8], 8);
        // SAFETY: the image is open, and there is space for `count` owners.
        let got = unsafe {
            (library.rbd_lock_get_owners)(
                self.handle,
                &raw mut mode,
                owners.as_mut_ptr(),
                &raw mut count,
            )
        };
        match check("rbd_lock_get_owners", got) {
            Err(error) if error.is(errno::ENOENT) => return Ok(None),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let count = count.min(owners.len());
        // SAFETY: the texts of returned owners are valid until the cleanup.
        let owner = owners[..count]
            .first()
            .map(|owner| unsafe { owned(*owner) });
        // SAFETY: the owners are those that the library returned.
        unsafe { (library.rbd_lock_get_owners_cleanup)(owners.as_mut_ptr(), count) };
        Ok(owner)
    }

    /// Takes the exclusive lock from a client, which the cluster then refuses as a client for some time.
    pub fn break_lock(&self, owner: &str) -> Result<()> {
        let owner = text(owner)?;
        self.run("rbd_lock_break", |library, image| {
            // SAFETY: the image is open, the text valid.
            unsafe { (library.rbd_lock_break)(image, EXCLUSIVE, owner.as_ptr()) }
        })
    }

    /// Begins to write consecutive bytes at `offset`.
    ///
    /// # Errors
    /// EINVAL if they reach beyond the end of the image.
    pub fn write(&self, bytes: Vec<Bytes>, offset: u64) -> Result<Operation<()>> {
        let pieces = bytes.iter().map(|bytes| Piece {
            base: bytes.as_ptr().cast(),
            length: bytes.len(),
        });
        let pieces: Vec<Piece> = pieces.collect();
        let count = c_int::try_from(pieces.len()).map_err(|_| Error::Call {
            call: "rbd_aio_writev",
            errno: errno::EINVAL,
        })?;
        let library = self.library();
        // SAFETY: the pieces are in memory that `bytes` owns, and which does not move. The library reads the array of
        // pieces before it returns, and returns a negative number only if it does not use the completion.
        unsafe {
            begin(
                (library, "rbd_aio_writev"),
                &self.in_flight,
                bytes,
                drop,
                |completion| {
                    (library.rbd_aio_writev)(
                        self.handle,
                        pieces.as_ptr(),
                        count,
                        offset,
                        completion,
                    )
                    .into()
                },
            )
        }
    }

    /// Begins to read `length` bytes at `offset`; the operation returns the number of bytes that were read.
    pub fn read(&self, offset: u64, length: usize) -> Result<Operation<Vec<u8>>> {
        let mut buffer = vec![0_u8; length];
        let to = buffer.as_mut_ptr().cast();
        let library = self.library();
        // SAFETY: the library writes at most `length` bytes into memory that `buffer` owns, and which does not move.
        // It returns a negative number only if it does not use the completion.
        unsafe {
            begin(
                (library, "rbd_aio_read"),
                &self.in_flight,
                buffer,
                |buffer| buffer,
                |completion| {
                    (library.rbd_aio_read)(self.handle, offset, length, to, completion).into()
                },
            )
        }
    }
}

fn system_time(time: TimeSpec) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(time.seconds).unwrap_or(0));
    let rest = Duration::from_nanos(u64::try_from(time.nanoseconds).unwrap_or(0));
    SystemTime::UNIX_EPOCH + seconds + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_library() {
        let time = system_time(TimeSpec {
            seconds: 2,
            nanoseconds: 500,
        });
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(since.unwrap(), Duration::new(2, 500));
    }
}
