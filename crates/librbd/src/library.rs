//! The functions of librados and librbd, loaded once.
//!
//! The declarations are those of `rados/librados.h` and `rbd/librbd.h` of Ceph 15 and later.

use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::exit;

/// `rados_t`
pub type RawCluster = *mut c_void;
/// `rados_ioctx_t`
pub type RawPool = *mut c_void;
/// `rbd_image_t`
pub type RawImage = *mut c_void;
/// `rbd_image_options_t`
pub type RawOptions = *mut c_void;
/// `rbd_completion_t`
pub type RawCompletion = *mut c_void;
/// `rados_completion_t`
pub type RawRadosCompletion = *mut c_void;
/// `rbd_callback_t`
pub type Callback = unsafe extern "C" fn(RawCompletion, *mut c_void);
/// `rados_callback_t`, or null
pub type RadosCallback = Option<unsafe extern "C" fn(RawRadosCompletion, *mut c_void)>;

/// `struct iovec`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Piece {
    pub base: *const c_void,
    pub length: usize,
}

/// `struct timespec`, whose fields are `long` on the platforms of this crate.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct TimeSpec {
    pub seconds: i64,
    pub nanoseconds: i64,
}

/// `rbd_image_spec_t`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ImageSpec {
    pub id: *mut c_char,
    pub name: *mut c_char,
}

/// `rbd_snap_info_t`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SnapshotInfo {
    pub id: u64,
    pub size: u64,
    pub name: *const c_char,
}

/// `rbd_image_watcher_t`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Watcher {
    pub address: *mut c_char,
    pub id: i64,
    pub cookie: u64,
}

/// `rbd_linked_image_spec_t`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LinkedImage {
    pub pool_id: i64,
    pub pool_name: *mut c_char,
    pub pool_namespace: *mut c_char,
    pub image_id: *mut c_char,
    pub image_name: *mut c_char,
    pub trash: bool,
}

/// A library and its Debian package.
struct Origin {
    file: &'static str,
    package: &'static str,
}

const RADOS: Origin = Origin {
    file: "librados.so.2",
    package: "librados2",
};

const RBD: Origin = Origin {
    file: "librbd.so.1",
    package: "librbd1",
};

impl Origin {
    fn error(&self, error: &libloading::Error) -> Error {
        Error::Library {
            file: self.file,
            package: self.package,
            reason: error.to_string(),
        }
    }

    /// Loads the library. It is never unloaded: its threads may run until the process ends.
    fn load(&self) -> Result<&'static libloading::Library> {
        // SAFETY: the initialisers of Ceph's libraries have no requirements. The file is found by the dynamic linker
        // in the directories of the system, as if the program were linked to it.
        let library = unsafe { libloading::Library::new(self.file) };
        let library = library.map_err(|error| self.error(&error))?;
        Ok(Box::leak(Box::new(library)))
    }
}

macro_rules! functions {
    ($($origin:ident { $($name:ident($($argument:ty),*) $(-> $result:ty)?;)* })*) => {
        /// The functions of both libraries.
        #[derive(Debug)]
        pub struct Library {
            $($(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*)*
        }

        impl Library {
            fn load() -> Result<Self> {
                $(
                    let library = $origin.load()?;
                    $(
                        // SAFETY: the type is that of the function's declaration in the library's header, which is
                        // stable for all versions with this file name.
                        let $name = unsafe {
                            library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(
                                concat!(stringify!($name), "\0").as_bytes(),
                            )
                        };
                        let $name = *$name.map_err(|error| $origin.error(&error))?;
                    )*
                )*
                exit::skip_handlers_of_libraries();
                Ok(Self { $($($name,)*)* })
            }
        }
    };
}

functions! {
    RADOS {
        rados_create(*mut RawCluster, *const c_char) -> c_int;
        rados_conf_read_file(RawCluster, *const c_char) -> c_int;
        rados_conf_set(RawCluster, *const c_char, *const c_char) -> c_int;
        rados_conf_get(RawCluster, *const c_char, *mut c_char, usize) -> c_int;
        rados_connect(RawCluster) -> c_int;
        rados_shutdown(RawCluster);
        rados_get_instance_id(RawCluster) -> u64;
        rados_cluster_fsid(RawCluster, *mut c_char, usize) -> c_int;
        rados_mon_command(
            RawCluster, *const *const c_char, usize, *const c_char, usize, *mut *mut c_char, *mut usize,
            *mut *mut c_char, *mut usize
        ) -> c_int;
        rados_buffer_free(*mut c_char);
        rados_ioctx_create(RawCluster, *const c_char, *mut RawPool) -> c_int;
        rados_ioctx_destroy(RawPool);
        rados_aio_create_completion(
            *mut c_void, RadosCallback, RadosCallback, *mut RawRadosCompletion
        ) -> c_int;
        rados_aio_flush_async(RawPool, RawRadosCompletion) -> c_int;
        rados_aio_wait_for_complete(RawRadosCompletion) -> c_int;
        rados_aio_release(RawRadosCompletion);
    }
    RBD {
        rbd_image_options_create(*mut RawOptions);
        rbd_image_options_destroy(RawOptions);
        rbd_image_options_set_uint64(RawOptions, c_int, u64) -> c_int;
        rbd_create4(RawPool, *const c_char, u64, RawOptions) -> c_int;
        rbd_list2(RawPool, *mut ImageSpec, *mut usize) -> c_int;
        rbd_image_spec_list_cleanup(*mut ImageSpec, usize);
        rbd_remove(RawPool, *const c_char) -> c_int;
        rbd_rename(RawPool, *const c_char, *const c_char) -> c_int;
        rbd_trash_move(RawPool, *const c_char, u64) -> c_int;
        rbd_open(RawPool, *const c_char, *mut RawImage, *const c_char) -> c_int;
        rbd_open_by_id(RawPool, *const c_char, *mut RawImage, *const c_char) -> c_int;
        rbd_open_read_only(RawPool, *const c_char, *mut RawImage, *const c_char) -> c_int;
        rbd_close(RawImage) -> c_int;
        rbd_get_size(RawImage, *mut u64) -> c_int;
        rbd_get_features(RawImage, *mut u64) -> c_int;
        rbd_get_op_features(RawImage, *mut u64) -> c_int;
        rbd_get_id(RawImage, *mut c_char, usize) -> c_int;
        rbd_get_name(RawImage, *mut c_char, *mut usize) -> c_int;
        rbd_get_create_timestamp(RawImage, *mut TimeSpec) -> c_int;
        rbd_resize(RawImage, u64) -> c_int;
        rbd_flush(RawImage) -> c_int;
        rbd_discard(RawImage, u64, u64) -> c_int;
        rbd_snap_create(RawImage, *const c_char) -> c_int;
        rbd_snap_remove(RawImage, *const c_char) -> c_int;
        rbd_snap_list(RawImage, *mut SnapshotInfo, *mut c_int) -> c_int;
        rbd_snap_list_end(*mut SnapshotInfo);
        rbd_snap_protect(RawImage, *const c_char) -> c_int;
        rbd_snap_unprotect(RawImage, *const c_char) -> c_int;
        rbd_snap_is_protected(RawImage, *const c_char, *mut c_int) -> c_int;
        rbd_snap_get_timestamp(RawImage, u64, *mut TimeSpec) -> c_int;
        rbd_list_children3(RawImage, *mut LinkedImage, *mut usize) -> c_int;
        rbd_linked_image_spec_list_cleanup(*mut LinkedImage, usize);
        rbd_watchers_list(RawImage, *mut Watcher, *mut usize) -> c_int;
        rbd_watchers_list_cleanup(*mut Watcher, usize);
        rbd_lock_acquire(RawImage, c_int) -> c_int;
        rbd_lock_get_owners(RawImage, *mut c_int, *mut *mut c_char, *mut usize) -> c_int;
        rbd_lock_get_owners_cleanup(*mut *mut c_char, usize);
        rbd_lock_break(RawImage, c_int, *const c_char) -> c_int;
        rbd_aio_create_completion(*mut c_void, Callback, *mut RawCompletion) -> c_int;
        rbd_aio_release(RawCompletion);
        rbd_aio_get_return_value(RawCompletion) -> isize;
        rbd_aio_writev(RawImage, *const Piece, c_int, u64, RawCompletion) -> c_int;
        rbd_aio_read(RawImage, u64, usize, *mut c_char, RawCompletion) -> c_int;
    }
}

impl Library {
    /// Returns the functions; the first call loads the libraries.
    ///
    /// # Errors
    /// `Library`, for all calls alike.
    pub fn get() -> Result<&'static Self> {
        static LIBRARY: OnceLock<Result<Library>> = OnceLock::new();
        LIBRARY
            .get_or_init(Self::load)
            .as_ref()
            .map_err(Error::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_does_not_exist_is_named_with_its_package() {
        let missing = Origin {
            file: "libnot-there.so.9",
            package: "libnot9",
        };
        let error = missing.load().err().unwrap();
        let Error::Library { file, package, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*file, *package), ("libnot-there.so.9", "libnot9"));
        assert_eq!(error.errno(), None);
    }
}
