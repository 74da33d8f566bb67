//! Questions to a list of images.

use super::{ImageStatus, MemberStatus};

/// What an image list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// Name.
    Name,
    /// Status.
    Status,
    /// Container format.
    ContainerFormat,
    /// Disk format.
    DiskFormat,
    /// Size in bytes.
    Size,
    /// Id.
    Id,
    /// Time of creation.
    CreatedAt,
    /// Time of the last change.
    UpdatedAt,
}

impl SortKey {
    /// Every key, in the order the reference implementation names them.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Status,
        Self::ContainerFormat,
        Self::DiskFormat,
        Self::Size,
        Self::Id,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];

    /// The attribute's name in the API, which is the column's in the catalogue.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::ContainerFormat => "container_format",
            Self::DiskFormat => "disk_format",
            Self::Size => "size",
            Self::Id => "id",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }

    /// The key of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    /// The API's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// The direction of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ascending, Self::Descending]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// Which attributes of the listed images are wanted; the others MAY be left empty.
///
/// A hint for speed: what is not asked for need not be read.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a part that can be left out"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// All columns of the image itself, rather than id, name and status alone.
    pub attributes: bool,
    /// Custom properties.
    pub properties: bool,
    /// Tags.
    pub tags: bool,
    /// Locations, and with them the names of the stores.
    pub locations: bool,
}

impl Fields {
    /// Everything.
    pub const ALL: Self = Self {
        attributes: true,
        properties: true,
        tags: true,
        locations: true,
    };
    /// Id, name and status.
    pub const SHORT: Self = Self {
        attributes: false,
        properties: false,
        tags: false,
        locations: false,
    };
}

/// Which images a list holds; all that are set must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageFilter {
    /// `public`, `private`, `shared`, `community` or `all`; none: what is the caller's or offered to
    /// them, without other projects' community images.
    pub visibility: Option<String>,
    /// Hidden images, rather than those that are not.
    pub hidden: bool,
    /// Every one of these tags.
    pub tags: Vec<String>,
    /// Attribute or property by name: equality, `in:…`, `eq:…`, `gt:…` and so on where the API takes
    /// them, and `size_min`-like ranges.
    pub attributes: Vec<(String, String)>,
    /// Exactly this name.
    pub name: Option<String>,
    /// Exactly one status.
    pub status: Option<ImageStatus>,
}

/// A question to the list of images.
#[derive(Clone, Debug)]
pub struct ImageQuery {
    /// Which images.
    pub filter: ImageFilter,
    /// What the caller's project said to the shared images of others that are wanted; None: anything.
    pub member_status: Option<MemberStatus>,
    /// In which order; after these by creation time and id in the first key's direction.
    pub sort: Vec<(SortKey, Direction)>,
    /// At most so many; none: all of them.
    pub limit: Option<u64>,
    /// Id of the image after which the list starts.
    pub marker: Option<String>,
    /// Whether texts are sorted by code points, as the second grammar's client sorts, rather than as the database
    /// of the service does. Only for a service that can.
    pub code_points: bool,
    /// What the caller will look at.
    pub fields: Fields,
    /// How many to ask a server for at a time.
    pub page_size: Option<u64>,
}

impl Default for ImageQuery {
    /// Everything, newest first, as the API lists.
    fn default() -> Self {
        Self {
            filter: ImageFilter::default(),
            member_status: Some(MemberStatus::Accepted),
            sort: vec![(SortKey::CreatedAt, Direction::Descending)],
            limit: None,
            marker: None,
            code_points: false,
            fields: Fields::ALL,
            page_size: None,
        }
    }
}
