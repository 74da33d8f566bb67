//! Queries for images.

use super::{ImageStatus, MemberStatus};

/// The sort key of an image list.
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
    /// ID.
    Id,
    /// Time of creation.
    CreatedAt,
    /// Time of the last change.
    UpdatedAt,
}

impl SortKey {
    /// All keys, in the reference implementation's order.
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

    /// Returns the attribute's name in the API, which is also the catalogue's column.
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

    /// Returns the key with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// The direction of a sorted list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Direction {
    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }

    /// Returns the direction with that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Ascending, Self::Descending]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// The required attributes of the listed images; the others MAY be empty.
///
/// An optimization: unneeded attributes need not be read.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a part that can be left out"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Whether to include all columns of the image, not only ID, name and status.
    pub attributes: bool,
    /// Whether to include custom properties.
    pub properties: bool,
    /// Whether to include tags.
    pub tags: bool,
    /// Whether to include locations and the names of the stores.
    pub locations: bool,
}

impl Fields {
    /// All attributes.
    pub const ALL: Self = Self {
        attributes: true,
        properties: true,
        tags: true,
        locations: true,
    };
    /// ID, name and status.
    pub const SHORT: Self = Self {
        attributes: false,
        properties: false,
        tags: false,
        locations: false,
    };
}

/// The filter of an image list; all conditions must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageFilter {
    /// `public`, `private`, `shared`, `community` or `all`; None: images of the caller or offered to the
    /// caller, without other projects' community images.
    pub visibility: Option<String>,
    /// Whether to list the hidden images instead of the others.
    pub hidden: bool,
    /// Tags that the image must have, all of them.
    pub tags: Vec<String>,
    /// Attributes or properties by name: equality, `in:…`, `eq:…`, `gt:…` and so on if the API supports
    /// them, and ranges such as `size_min`.
    pub attributes: Vec<(String, String)>,
    /// The exact name.
    pub name: Option<String>,
    /// The exact status.
    pub status: Option<ImageStatus>,
}

/// A query for images.
#[derive(Clone, Debug)]
pub struct ImageQuery {
    /// The filter.
    pub filter: ImageFilter,
    /// The required decision of the caller's project on shared images of others; None: any.
    pub member_status: Option<MemberStatus>,
    /// The sort keys, followed by creation time and ID in the first key's direction.
    pub sort: Vec<(SortKey, Direction)>,
    /// The maximum number of images; None: no limit.
    pub limit: Option<u64>,
    /// The ID of the image to start after.
    pub marker: Option<String>,
    /// Whether to sort text by code points, as the client of the second grammar does, instead of the
    /// database's collation. Only for services that support it.
    pub code_points: bool,
    /// The required attributes.
    pub fields: Fields,
    /// The number of images to request from a server at a time.
    pub page_size: Option<u64>,
}

impl Default for ImageQuery {
    /// Returns the query for all images, newest first, as the API lists them.
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
