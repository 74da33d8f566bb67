//! The central interface of the house: the Images API v2 as traits on plain types.
//!
//! The local engine and the remote client implement them, the server exposes them, the operations use them,
//! tests fake them. A value is bound to one caller. Resources that are not visible to a caller do not exist
//! for the caller (`NotFound`), as in the API.
//!
//! The contract suite in `tests/suite/contract` tests each MUST on every implementation.

mod cache;
mod data;
mod discovery;
mod images;
mod imports;
mod locations;
mod members;
mod metadefs;
mod projects;
mod stores;
mod tasks;

pub use cache::{Cache, CacheKeeper};
pub use data::{ImageBytes, ImageData, Reading, Receipt, Upload};
pub use discovery::{Discovery, Usage};
pub use images::{ImageStream, Images};
pub use imports::{Imports, Regions, Running, Staging};
pub use locations::Locations;
pub use members::Members;
pub use metadefs::{
    MetadefObjects, MetadefProperties, MetadefTags, Metadefs, NamespaceStream, Namespaces,
    ResourceTypes,
};
pub use projects::Projects;
pub use stores::Stores;
pub use tasks::{TaskStream, Tasks};

/// A whole deployment, from the view of one caller.
pub trait ImageService:
    Images
    + ImageData
    + Locations
    + Members
    + Imports
    + Tasks
    + Metadefs
    + Cache
    + CacheKeeper
    + Stores
    + Discovery
    + Projects
{
}

impl<T> ImageService for T where
    T: Images
        + ImageData
        + Locations
        + Members
        + Imports
        + Tasks
        + Metadefs
        + Cache
        + CacheKeeper
        + Stores
        + Discovery
        + Projects
{
}
