//! The data types of images, statuses, changes, members, timestamps, stores and caches.

pub mod address;
pub mod cache;
pub mod caller;
pub mod identity;
pub mod image;
pub mod import;
pub mod json;
pub mod location;
pub mod member;
pub mod metadef;
pub mod names;
pub mod patch;
pub mod query;
pub mod range;
pub mod schema;
pub mod scrub;
pub mod status;
pub mod store;
pub mod task;
pub mod timestamp;

pub use cache::{CacheState, CacheTarget, CachedImage, Removed};
pub use caller::{Caller, Role};
pub use image::{Image, MultiHash, NewImage, Visibility};
pub use import::{Destination, Elsewhere, Import, ImportMethod};
pub use location::{Location, ValidationData};
pub use member::{Member, MemberStatus};
pub use names::{ImageNames, NameQuery, Named};
pub use patch::{Change, ImagePatch, LocationValue, PatchFormat, Position};
pub use query::{Direction, Fields, ImageFilter, ImageQuery, SortKey};
pub use range::ByteRange;
pub use scrub::Scrubbed;
pub use status::ImageStatus;
pub use store::{Space, StoreInfo};
pub use task::{Task, TaskQuery, TaskStatus};
pub use timestamp::Timestamp;
