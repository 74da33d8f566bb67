//! The seam of the house: the Images API v2 as traits on plain types.
//!
//! The local engine and the remote client implement them, the server fronts them, the operations use
//! them, tests fake them. A value is bound to one caller. Everything that a caller may not know does
//! not exist for them (`NotFound`), as in the API.
//!
//! The contract suite in `tests/suite/contract` tests each MUST on every implementation.

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::Result;
use crate::data::{Source, Watch};
use crate::model::{Change, Image, ImageQuery, Member, MemberStatus, NewImage, StoreInfo};

/// Images in chunks, in the order asked for.
pub type ImageStream<'a> = BoxStream<'a, Result<Vec<Image>>>;

/// A whole deployment, as one caller meets it.
pub trait ImageService: Images + ImageData + Members + Stores + Discovery + Projects {}

impl<T: Images + ImageData + Members + Stores + Discovery + Projects> ImageService for T {}

/// What to do about an image that is protected.
pub fn how_to_unprotect(id: &str) -> String {
    format!("Unprotect it first: glance image-update --protected False {id}")
}

/// Image records.
#[async_trait]
pub trait Images: Send + Sync {
    /// Makes a record without data, in state `queued`.
    ///
    /// # Errors
    /// `Invalid` for a value that the image schema refuses, `Forbidden` for an attribute that is
    /// read-only or reserved and for an owner or visibility the caller may not give, `Conflict` for an
    /// id that was ever used, `TooLarge` beyond a quota.
    async fn create_image(&self, new: NewImage) -> Result<Image>;

    /// The record of one image by its id.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may see.
    async fn get_image(&self, id: &str) -> Result<Image>;

    /// Whether lists are sorted by text as the second grammar's client sorts: by code points. Databases
    /// of servers have other ideas.
    fn sorts_by_code_points(&self) -> bool;

    /// The images that match, in order. MUST NOT hold them all in memory; an error ends the stream.
    ///
    /// # Errors
    /// In the stream: `Invalid` for a filter, a sort key or a marker that is not known.
    fn list_images(&self, query: ImageQuery) -> ImageStream<'_>;

    /// Applies `changes` in order, all or none, and gives the record as it is then.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`, `Forbidden` and `TooLarge` as for creation; `Conflict` when a property to
    /// replace or remove is not there.
    async fn update_image(&self, id: &str, changes: &[Change]) -> Result<Image>;

    /// Deletes an image and its data. Where deletion is delayed, the scrubber takes the data later.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (protected, or not the caller's), `Conflict` (in use).
    async fn delete_image(&self, id: &str) -> Result<()>;

    /// Keeps everyone but administrators from downloading. An image that is deactivated stays so.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's, or in any other state than active.
    async fn deactivate_image(&self, id: &str) -> Result<()>;

    /// Undoes [`Images::deactivate_image`]. An image that is active stays so.
    ///
    /// # Errors
    /// As there.
    async fn reactivate_image(&self, id: &str) -> Result<()>;

    /// Attaches a tag, at most 255 characters. One that is attached stays so.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Invalid`, `TooLarge` beyond the quota of tags.
    async fn add_tag(&self, id: &str, tag: &str) -> Result<()>;

    /// Takes a tag off.
    ///
    /// # Errors
    /// `NotFound` for the image and for the tag, `Forbidden`.
    async fn remove_tag(&self, id: &str, tag: &str) -> Result<()>;
}

/// Data on its way to an image.
pub struct Upload {
    /// Where it comes from.
    pub source: Source,
    /// Bytes, when the caller promises a number; other than that is refused.
    pub size: Option<u64>,
    /// Id of the store to put it in; none: the default.
    pub store: Option<String>,
    /// Whether data that is not what `disk_format` says is taken all the same.
    pub allow_format_mismatch: bool,
    /// Whether what a server stored is compared with what was sent, hash by hash.
    pub verify: bool,
    /// Who watches, and may stop it.
    pub watch: Watch,
}

impl Upload {
    /// An upload of all of `source` to the default store.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            size: None,
            store: None,
            allow_format_mismatch: false,
            verify: true,
            watch: Watch::default(),
        }
    }
}

/// How the data of an image shall be read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Its record, if it is at hand: then it need not be asked for again.
    pub known: Option<Image>,
    /// Ids of the stores to try first.
    pub prefer: Vec<String>,
    /// Parts to ask a server for at a time, where it keeps to them; up to 1: all of it at once.
    pub parallel: usize,
}

/// Data of an image, ready to be read.
pub struct ImageBytes {
    /// The record that the data belongs to, with the digests to verify it by.
    pub image: Image,
    /// The data; None where the image has none yet.
    pub source: Option<Source>,
}

/// The data of images.
#[async_trait]
pub trait ImageData: Send + Sync {
    /// Stores data for a queued image, which becomes active, and gives its record as it is then; or it
    /// stays queued with nothing stored when anything fails. MUST hold no more than 64 MiB of the source,
    /// and MUST have compared what is stored with what was read.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Conflict` in any state but queued; `Invalid` without formats, for an
    /// unknown store or another size than promised; `UnsupportedMedia` for data that is not what it is
    /// declared to be or is unsafe; `TooLarge` beyond a limit or when the store is full; `Gone` when the
    /// image was deleted meanwhile; `Corrupt` when other data than was read is stored and could not be
    /// taken back; those of reading the source.
    async fn upload_image(&self, id: &str, upload: Upload) -> Result<Image>;

    /// Opens the data of an image, from the first of the preferred stores that has it, else from any.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for a deactivated image unless the caller is an administrator; `Internal`
    /// when the data is not where it should be.
    async fn open_image(&self, id: &str, reading: Reading) -> Result<ImageBytes>;
}

/// Projects that images are shared with. Only images of visibility `shared` have members.
#[async_trait]
pub trait Members: Send + Sync {
    /// The members of an image that the caller may know of, the oldest first: all of them for its owner
    /// and for administrators, the caller's own project for anyone else.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for an image of another visibility.
    async fn list_members(&self, id: &str) -> Result<Vec<Member>>;

    /// One member of an image.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member, also for an image of another visibility.
    async fn get_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Shares an image with a project, which has answered nothing then, whatever it said to an earlier
    /// offer. Whether there is such a project is not looked at.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's, or of another visibility; `Invalid` for a project
    /// without a name, `Conflict` for one that is a member, `TooLarge` beyond the quota of members.
    async fn add_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Answers for a project that an image is shared with. What it said before may be said again.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` for an image of another visibility, and
    /// unless the caller acts for that project or is an administrator: the owner may not answer.
    async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<Member>;

    /// Stops sharing an image with a project.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` when the image is not the caller's, or
    /// of another visibility: a member may not remove itself.
    async fn remove_member(&self, id: &str, member: &str) -> Result<()>;
}

/// Projects, as far as whoever names one needs to know.
#[async_trait]
pub trait Projects: Send + Sync {
    /// The id of the project that `word` names or is the id of; in a domain, where one is given.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Conflict` where there are several.
    async fn find_project(&self, word: &str, domain: Option<&str>) -> Result<String>;

    /// The id of the project that the caller acts for.
    ///
    /// # Errors
    /// `Failed` where that is not known: the caller has a token alone, or acts for no project.
    async fn own_project(&self) -> Result<String>;
}

/// Stores.
#[async_trait]
pub trait Stores: Send + Sync {
    /// The stores of the deployment; with their details if asked.
    ///
    /// # Errors
    /// `NotFound` where there are no named stores; `Forbidden` for details asked by others than
    /// administrators.
    async fn list_stores(&self, detail: bool) -> Result<Vec<StoreInfo>>;
}

/// A quota and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Name: `image_size_total` (MiB), `image_count_total`, …
    pub quota: String,
    /// Most that may be used; -1 is no limit.
    pub limit: i64,
    /// What is used.
    pub usage: i64,
}

/// What a deployment tells of itself.
#[async_trait]
pub trait Discovery: Send + Sync {
    /// The ways to import images that are open to callers.
    async fn import_methods(&self) -> Result<Vec<String>>;

    /// The quotas of the caller's project.
    async fn usage(&self) -> Result<Vec<Usage>>;

    /// The JSON schema of that name: `image`, `images`, `member`, …
    ///
    /// # Errors
    /// `NotFound` for one that is not known.
    ///
    /// A server need not be asked for what is the same everywhere.
    async fn schema(&self, name: &str) -> Result<serde_json::Value>;
}
