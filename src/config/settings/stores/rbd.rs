//! The settings of stores of kind `rbd`.
//!
//! *Source:* `glance_store/_drivers/rbd.py`.

use std::path::PathBuf;
use std::time::Duration;

use super::Layout;
use crate::config::oslo::options::{
    RADOS_CONNECT_TIMEOUT, RBD_CEPH_CONF, RBD_CHUNK_SIZE, RBD_POOL, RBD_THIN_PROVISIONING, RBD_USER,
};
use crate::config::oslo::reader::Reader;
use crate::error::Result;

/// MiB in bytes.
const MIB: u64 = 1 << 20;

/// The settings of a store of kind `rbd`: images in a pool of a Ceph cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RbdStore {
    /// The name of the pool.
    pub pool: String,
    /// The user without `client.`; None: `admin`.
    pub user: Option<String>,
    /// The configuration of Ceph; None: the first of its own list of files.
    pub ceph_conf: Option<PathBuf>,
    /// Bytes of a chunk; visible to administrators.
    pub chunk_size: u64,
    /// The time limit for a connection and for each request, 0 for none; None: those of Ceph.
    pub timeout: Option<Duration>,
    /// Whether runs of zeros are not written.
    pub thin_provisioning: bool,
}

impl RbdStore {
    /// Returns the exponent of the size of an object: the largest power of two that is not more than a chunk.
    pub fn order(&self) -> u8 {
        u8::try_from(self.chunk_size.max(MIB).ilog2()).unwrap_or(23)
    }
}

/// The size of the largest object of an image, in MiB.
const MAX_CHUNK: u64 = 32;

/// Reads the settings of a store from its section.
pub(super) fn read_rbd_store(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
) -> Result<RbdStore> {
    let chunk_size = reader.integer(RBD_CHUNK_SIZE.of(section))?;
    let mebibytes = u64::try_from(chunk_size.value).unwrap_or(u64::MAX);
    if mebibytes > MAX_CHUNK {
        return Err(chunk_size.refuse("more than 32 MiB, the largest object of RBD"));
    }
    let timeout = reader.integer(RADOS_CONNECT_TIMEOUT.of(section))?;
    let pool = reader.text_or_default(RBD_POOL.of(section))?;
    if pool.value.is_empty() {
        return Err(pool.refuse("an rbd store needs a pool"));
    }
    let ceph_conf = reader.text_or_default(RBD_CEPH_CONF.of(section))?.value;
    let user = reader.text_if_any(RBD_USER.of(section))?;
    Ok(RbdStore {
        pool: pool.value,
        user: user.map(|user| user.value).filter(|user| !user.is_empty()),
        ceph_conf: (!ceph_conf.is_empty()).then(|| layout.base.join(ceph_conf)),
        chunk_size: mebibytes * MIB,
        timeout: u64::try_from(timeout.value).ok().map(Duration::from_secs),
        thin_provisioning: reader.boolean(RBD_THIN_PROVISIONING.of(section))?,
    })
}
