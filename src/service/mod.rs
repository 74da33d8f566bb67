//! The seam of the house: the Images API v2 as traits on plain types.
//!
//! The local engine and the remote client implement them, the server fronts them, the operations use
//! them, tests fake them. A value is bound to one caller. Everything that a caller may not know does
//! not exist for them (`NotFound`), as in the API.
//!
//! The contract suite in `tests/suite/contract` tests each MUST on every implementation.

mod data;
mod discovery;
mod images;
mod members;
mod metadefs;
mod projects;
mod stores;

pub use data::{ImageBytes, ImageData, Reading, Upload};
pub use discovery::{Discovery, Usage};
pub use images::{ImageStream, Images};
pub use members::Members;
pub use metadefs::{
    MetadefObjects, MetadefProperties, MetadefTags, Metadefs, NamespaceStream, Namespaces,
    ResourceTypes,
};
pub use projects::Projects;
pub use stores::Stores;

/// A whole deployment, as one caller meets it.
pub trait ImageService:
    Images + ImageData + Members + Metadefs + Stores + Discovery + Projects
{
}

impl<T: Images + ImageData + Members + Metadefs + Stores + Discovery + Projects> ImageService
    for T
{
}

/// What to do about an image that is protected.
pub fn how_to_unprotect(id: &str) -> String {
    format!("Unprotect it first: glance image-update --protected False {id}")
}

/// What to do about a namespace of metadata definitions that is protected.
pub fn how_to_unprotect_namespace(name: &str) -> String {
    format!("Unprotect its namespace first: glance md-namespace-update --protected False {name}")
}
