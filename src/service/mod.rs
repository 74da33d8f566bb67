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
mod locations;
mod members;
mod projects;
mod stores;

pub use data::{ImageBytes, ImageData, Reading, Upload};
pub use discovery::{Discovery, Usage};
pub use images::{ImageStream, Images};
pub use locations::Locations;
pub use members::Members;
pub use projects::Projects;
pub use stores::Stores;

/// A whole deployment, as one caller meets it.
pub trait ImageService:
    Images + ImageData + Locations + Members + Stores + Discovery + Projects
{
}

impl<T: Images + ImageData + Locations + Members + Stores + Discovery + Projects> ImageService
    for T
{
}

/// What to do about an image that is protected.
pub fn how_to_unprotect(id: &str) -> String {
    format!("Unprotect it first: glance image-update --protected False {id}")
}
