//! Ceph's block devices (RBD), through librados and librbd.
//!
//! The libraries are loaded when the first [`Cluster`] is connected, not when the program starts, so that a program
//! with this crate runs without Ceph. The interface is safe; the unsafe code of the project is in this crate alone.
//!
//! All functions block, except those that return an [`Operation`]: these return at once, and the operation can be
//! awaited or waited for. Objects keep what they depend on open: an [`Image`] its [`Pool`], and a pool its cluster.

mod cluster;
mod error;
mod exit;
mod image;
mod library;
mod operation;
mod passing;

pub use cluster::{Child, Cluster, Connection, Pool};
pub use error::{Call, Error, Result, errno};
pub use image::{Image, Snapshot, features};
pub use operation::Operation;
