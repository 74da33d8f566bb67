//! Connections to a cluster, and its pools.

use std::ffi::c_char;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result, check, errno};
use crate::image::Image;
use crate::library::{ImageSpec, Library, RawCluster, RawImage, RawPool, RawRadosCompletion};
use crate::passing::{fill, list, owned, path_text, pointer, text};

/// The address and the credentials of a cluster.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// The configuration file; None: the first one that exists in librados' list, such as `/etc/ceph/ceph.conf`.
    pub config_file: Option<&'a Path>,
    /// The user without `client.`; None: `admin`.
    pub user: Option<&'a str>,
    /// Options that override those of the file, and their values. Those that the installed version does not have are
    /// ignored.
    pub options: &'a [(&'a str, &'a str)],
}

/// A handle of librados.
struct Handle {
    library: &'static Library,
    cluster: RawCluster,
}

// SAFETY: librados' functions may be called from several threads at a time; the handle is shut down by its last owner.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle was created, and whatever depends on it holds this object.
        unsafe { (self.library.rados_shutdown)(self.cluster) };
    }
}

/// A client of a cluster. When it and all of its pools and images are dropped, the connection is closed.
#[derive(Clone)]
pub struct Cluster(Arc<Handle>);

impl Cluster {
    /// Reads the configuration of a cluster, without a connection.
    ///
    /// # Errors
    /// `Library`; the errors of `rados_create` and `rados_conf_read_file`, ENOENT for a missing file among them.
    pub fn configure(wanted: &Connection<'_>) -> Result<Self> {
        let library = Library::get()?;
        let user = wanted.user.map(text).transpose()?;
        let mut cluster: RawCluster = std::ptr::null_mut();
        // SAFETY: the pointers are valid; a null pointer for the user is documented.
        let created = unsafe { (library.rados_create)(&raw mut cluster, pointer(user.as_ref())) };
        check("rados_create", created)?;
        let handle = Self(Arc::new(Handle { library, cluster }));
        // The program reports errors itself.
        handle.set("log_to_stderr", "false")?;
        handle.set("err_to_stderr", "false")?;
        let file = match wanted.config_file {
            Some(path) => Some(path_text(path)?),
            None => None,
        };
        // SAFETY: the pointers are valid; a null pointer selects the default files.
        let read = unsafe { (library.rados_conf_read_file)(cluster, pointer(file.as_ref())) };
        check("rados_conf_read_file", read)?;
        handle.set("log_to_stderr", "false")?;
        handle.set("err_to_stderr", "false")?;
        for (name, value) in wanted.options {
            match handle.set(name, value) {
                Err(error) if error.is(errno::ENOENT) => {}
                set => set?,
            }
        }
        Ok(handle)
    }

    /// Connects to the cluster. Blocks until it responds, or the time limits of its options are reached.
    ///
    /// # Errors
    /// ETIMEDOUT if no monitor responds; ENOENT without a keyring; EACCES or EPERM for a wrong key; and others.
    pub fn connect(&self) -> Result<()> {
        // SAFETY: the handle is valid. A second call returns an error.
        let connected = unsafe { (self.0.library.rados_connect)(self.0.cluster) };
        check("rados_connect", connected).map(drop)
    }

    fn set(&self, option: &str, value: &str) -> Result<()> {
        let (option, value) = (text(option)?, text(value)?);
        // SAFETY: the pointers are valid.
        let set = unsafe {
            (self.0.library.rados_conf_set)(self.0.cluster, option.as_ptr(), value.as_ptr())
        };
        check("rados_conf_set", set).map(drop)
    }

    /// Returns the value of an option of the configuration.
    ///
    /// # Errors
    /// ENOENT for an unknown option.
    pub fn option(&self, name: &str) -> Result<String> {
        let name = text(name)?;
        fill(|buffer, length| {
            // SAFETY: the buffer has that length.
            let got = unsafe {
                (self.0.library.rados_conf_get)(self.0.cluster, name.as_ptr(), buffer, length)
            };
            match check("rados_conf_get", got) {
                // Too little space is ENAMETOOLONG here.
                Err(error) if error.is(36) => Err(Error::Call {
                    call: "rados_conf_get",
                    errno: errno::ERANGE,
                }),
                other => other.map(drop),
            }
        })
    }

    /// Returns the number of this client in the connected cluster.
    pub fn client(&self) -> u64 {
        // SAFETY: the handle is valid.
        unsafe { (self.0.library.rados_get_instance_id)(self.0.cluster) }
    }

    /// Returns the ID of the connected cluster.
    pub fn fsid(&self) -> Result<String> {
        fill(|buffer, length| {
            // SAFETY: the buffer has that length.
            let got =
                unsafe { (self.0.library.rados_cluster_fsid)(self.0.cluster, buffer, length) };
            check("rados_cluster_fsid", got).map(drop)
        })
    }

    /// Sends a command to the monitors of the connected cluster, as JSON (`{"prefix": "df", "format": "json"}`), and returns
    /// its output.
    ///
    /// # Errors
    /// EACCES if the user may not send it; EINVAL for an unknown command; ETIMEDOUT.
    pub fn monitor_command(&self, command: &str) -> Result<Vec<u8>> {
        let library = self.0.library;
        let command = text(command)?;
        let commands = [command.as_ptr()];
        let (mut output, mut status) = (std::ptr::null_mut(), std::ptr::null_mut());
        let (mut length, mut status_length) = (0, 0);
        // SAFETY: the pointers are valid; there is one command, and no input.
        let done = unsafe {
            (library.rados_mon_command)(
                self.0.cluster,
                commands.as_ptr(),
                commands.len(),
                std::ptr::null(),
                0,
                &raw mut output,
                &raw mut length,
                &raw mut status,
                &raw mut status_length,
            )
        };
        let bytes = if output.is_null() {
            Vec::new()
        } else {
            // SAFETY: the library has allocated that many bytes.
            unsafe { std::slice::from_raw_parts(output.cast::<u8>(), length) }.to_vec()
        };
        for buffer in [output, status] {
            if !buffer.is_null() {
                // SAFETY: the library has allocated it, and it is not used any more.
                unsafe { (library.rados_buffer_free)(buffer) };
            }
        }
        check("rados_mon_command", done)?;
        Ok(bytes)
    }

    /// Opens a pool of the connected cluster.
    ///
    /// # Errors
    /// ENOENT if there is no such pool.
    pub fn pool(&self, name: &str) -> Result<Pool> {
        let name = text(name)?;
        let mut pool: RawPool = std::ptr::null_mut();
        // SAFETY: the pointers are valid.
        let created = unsafe {
            (self.0.library.rados_ioctx_create)(self.0.cluster, name.as_ptr(), &raw mut pool)
        };
        check("rados_ioctx_create", created)?;
        Ok(Pool(Arc::new(PoolHandle {
            pool,
            cluster: Arc::clone(&self.0),
        })))
    }
}

struct PoolHandle {
    pool: RawPool,
    /// Keeps the connection open.
    cluster: Arc<Handle>,
}

// SAFETY: an I/O context that is not reconfigured may be used from several threads at a time.
unsafe impl Send for PoolHandle {}
// SAFETY: as above.
unsafe impl Sync for PoolHandle {}

impl Drop for PoolHandle {
    fn drop(&mut self) {
        // SAFETY: the pool was created, and whatever depends on it holds this object.
        unsafe { (self.cluster.library.rados_ioctx_destroy)(self.pool) };
    }
}

/// A pool of images.
#[derive(Clone)]
pub struct Pool(Arc<PoolHandle>);

/// A clone of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The name of its pool.
    pub pool: String,
    /// The name of the image.
    pub image: String,
}

/// `RBD_IMAGE_OPTION_*` of `rbd/librbd.h`.
mod option {
    use std::ffi::c_int;

    pub const FORMAT: c_int = 0;
    pub const FEATURES: c_int = 1;
    pub const ORDER: c_int = 2;
}

/// The type of the functions that open an image.
type Open = unsafe extern "C" fn(RawPool, *const c_char, *mut RawImage, *const c_char) -> i32;

impl Pool {
    pub(crate) fn library(&self) -> &'static Library {
        self.0.cluster.library
    }

    /// Creates an image of `size` bytes, in objects of 2 ^ `order` bytes.
    ///
    /// # Errors
    /// EEXIST if there is an image of this name.
    pub fn create(&self, name: &str, size: u64, order: u8, features: u64) -> Result<()> {
        let library = self.library();
        let name = text(name)?;
        let mut options = std::ptr::null_mut();
        // SAFETY: the pointer is valid; the options are destroyed below.
        unsafe { (library.rbd_image_options_create)(&raw mut options) };
        let values = [
            (option::FORMAT, 2),
            (option::FEATURES, features),
            (option::ORDER, u64::from(order)),
        ];
        let mut done = Ok(0);
        for (option, value) in values {
            // SAFETY: the options exist.
            let set = unsafe { (library.rbd_image_options_set_uint64)(options, option, value) };
            done = done.and(check("rbd_image_options_set_uint64", set));
        }
        if done.is_ok() {
            // SAFETY: pool, name and options are valid.
            let created =
                unsafe { (library.rbd_create4)(self.0.pool, name.as_ptr(), size, options) };
            done = check("rbd_create4", created);
        }
        // SAFETY: the options are not used any more.
        unsafe { (library.rbd_image_options_destroy)(options) };
        done.map(drop)
    }

    /// Opens an image for reading and writing.
    ///
    /// # Errors
    /// ENOENT if there is no such image.
    pub fn open(&self, name: &str) -> Result<Image> {
        self.open_with("rbd_open", self.library().rbd_open, name, None)
    }

    /// Opens an image by its internal ID for reading and writing.
    ///
    /// # Errors
    /// ENOENT if there is no such image.
    pub fn open_by_id(&self, id: &str) -> Result<Image> {
        self.open_with("rbd_open_by_id", self.library().rbd_open_by_id, id, None)
    }

    /// Opens an image, or a snapshot of it, for reading.
    ///
    /// # Errors
    /// ENOENT if there is no such image or snapshot.
    pub fn open_read_only(&self, name: &str, snapshot: Option<&str>) -> Result<Image> {
        let open = self.library().rbd_open_read_only;
        self.open_with("rbd_open_read_only", open, name, snapshot)
    }

    fn open_with(
        &self,
        call: &'static str,
        open: Open,
        name: &str,
        snapshot: Option<&str>,
    ) -> Result<Image> {
        let name = text(name)?;
        let snapshot = snapshot.map(text).transpose()?;
        let mut image: RawImage = std::ptr::null_mut();
        // SAFETY: the pool and the pointers are valid; a null pointer means no snapshot.
        let opened = unsafe {
            open(
                self.0.pool,
                name.as_ptr(),
                &raw mut image,
                pointer(snapshot.as_ref()),
            )
        };
        check(call, opened)?;
        // SAFETY: the image was just opened in this pool, and nothing else closes it.
        let image = unsafe { Image::of(image, self.clone()) };
        self.wait_for_callbacks()?;
        Ok(image)
    }

    /// Waits until the callbacks that librados runs, or has queued, have returned.
    ///
    /// The one that completes the opening of an image wakes up the caller of `rbd_open` before it locks a mutex of the image a
    /// last time. If the image was closed and freed by then, the process aborts (`std::system_error`), crashes, or hangs:
    /// 1 of 100 commands that open and close an image without a request in between, on a busy machine, with Ceph 16. The
    /// callbacks of a connection run one after another, so that an empty one comes after this one. It sends no request.
    ///
    /// *Source:* `ImageState::complete_action_unlock` in `src/librbd/ImageState.cc`, and `IoCtxImpl::flush_aio_writes_async` in
    /// `src/librados/IoCtxImpl.cc` of Ceph.
    fn wait_for_callbacks(&self) -> Result<()> {
        let library = self.library();
        let mut completion: RawRadosCompletion = std::ptr::null_mut();
        // SAFETY: the pointer is valid, and there are no callbacks of ours.
        let created = unsafe {
            (library.rados_aio_create_completion)(
                std::ptr::null_mut(),
                None,
                None,
                &raw mut completion,
            )
        };
        check("rados_aio_create_completion", created)?;
        // SAFETY: the pool and the completion are valid. Nothing of this pool is in flight: librbd has contexts of its own.
        let begun = unsafe { (library.rados_aio_flush_async)(self.0.pool, completion) };
        let done = check("rados_aio_flush_async", begun).map(|_| {
            // SAFETY: the operation has begun with this completion.
            unsafe { (library.rados_aio_wait_for_complete)(completion) };
        });
        // SAFETY: the completion is not used any more.
        unsafe { (library.rados_aio_release)(completion) };
        done
    }

    /// Removes an image.
    ///
    /// # Errors
    /// ENOTEMPTY if it has snapshots; EBUSY if it is open elsewhere; ENOENT.
    pub fn remove(&self, name: &str) -> Result<()> {
        let name = text(name)?;
        // SAFETY: the pool and the name are valid.
        let removed = unsafe { (self.library().rbd_remove)(self.0.pool, name.as_ptr()) };
        check("rbd_remove", removed).map(drop)
    }

    /// Renames an image.
    ///
    /// # Errors
    /// EEXIST if there is an image of the new name; ENOENT.
    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (text(from)?, text(to)?);
        // SAFETY: the pool and the names are valid.
        let renamed =
            unsafe { (self.library().rbd_rename)(self.0.pool, from.as_ptr(), to.as_ptr()) };
        check("rbd_rename", renamed).map(drop)
    }

    /// Moves an image into the trash, from where it may be removed at once.
    ///
    /// # Errors
    /// EBUSY if it is open elsewhere; ENOENT.
    pub fn move_to_trash(&self, name: &str) -> Result<()> {
        let name = text(name)?;
        // SAFETY: the pool and the name are valid.
        let moved = unsafe { (self.library().rbd_trash_move)(self.0.pool, name.as_ptr(), 0) };
        check("rbd_trash_move", moved).map(drop)
    }

    /// Returns the names of all images, in no order.
    pub fn images(&self) -> Result<Vec<String>> {
        let library = self.library();
        let empty = ImageSpec {
            id: std::ptr::null_mut(),
            name: std::ptr::null_mut(),
        };
        let listed = list(empty, |items, count| {
            // SAFETY: there is space for `count` items.
            check("rbd_list2", unsafe {
                (library.rbd_list2)(self.0.pool, items, count)
            })
        })?;
        // SAFETY: the names of listed items are valid until the cleanup.
        let names = listed.iter().map(|item| unsafe { owned(item.name) });
        let names = names.collect();
        let mut listed = listed;
        // SAFETY: the items are those that the library filled in.
        unsafe { (library.rbd_image_spec_list_cleanup)(listed.as_mut_ptr(), listed.len()) };
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_configuration_is_reported_with_the_call() {
        let wanted = Connection {
            config_file: Some(Path::new("/nonexistent/ceph.conf")),
            ..Connection::default()
        };
        match Cluster::configure(&wanted) {
            // Without the libraries, that is reported.
            Err(Error::Library { package, .. }) => assert!(package.starts_with("libr")),
            Err(error) => {
                assert!(error.is(errno::ENOENT), "{error}");
                assert!(error.to_string().starts_with("rados_conf_read_file: "));
            }
            Ok(_) => panic!("it was read"),
        }
    }
}
