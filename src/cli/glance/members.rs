//! Projects an image is shared with: `glance member-*`.

use crate::cli::registry::{Output, Row};

/// Share an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberCreate {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project the image is shared with.
    pub member_id: String,
}

/// Stop sharing an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberDelete {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project the image is shared with.
    pub member_id: String,
}

/// Show one project an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberGet {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project the image is shared with.
    pub member_id: String,
}

/// List the projects an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberList {
    /// ID of the image.
    #[arg(long)]
    pub image_id: String,
}

/// Accept or reject an image that is shared with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberUpdate {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project the image is shared with.
    pub member_id: String,
    /// What the project says to it.
    #[arg(value_parser = ["accepted", "rejected", "pending"])]
    pub member_status: String,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<MemberCreate>(
        "member-create",
        "Share an image with a project",
        Output::Plain,
    ),
    Row::later::<MemberDelete>(
        "member-delete",
        "Stop sharing an image with a project",
        Output::Plain,
    ),
    Row::later::<MemberGet>(
        "member-get",
        "Show one project an image is shared with",
        Output::Plain,
    ),
    Row::later::<MemberList>(
        "member-list",
        "List the projects an image is shared with",
        Output::Plain,
    ),
    Row::later::<MemberUpdate>(
        "member-update",
        "Accept or reject an image that is shared with a project",
        Output::Plain,
    ),
];
