//! Image members: `glance member-*`.

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::views::members;
use crate::model::MemberStatus;
use crate::ops::Outcome;
use crate::{Error, Result};

/// Share an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberCreate {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project.
    pub member_id: String,
}

impl Leaf<Session> for MemberCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.image_id.is_empty() || self.member_id.is_empty() {
            return Err(Error::failed(
                "Unable to create member. Specify image_id and member_id",
            ));
        }
        let service = session.service().await?;
        let member = service.add_member(&self.image_id, &self.member_id).await?;
        Ok(Outcome::from(members::table(&[member])))
    }
}

/// Stop sharing an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberDelete {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project.
    pub member_id: String,
}

impl Leaf<Session> for MemberDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.image_id.is_empty() || self.member_id.is_empty() {
            return Err(Error::failed(
                "Unable to delete member. Specify image_id and member_id",
            ));
        }
        let service = session.service().await?;
        service
            .remove_member(&self.image_id, &self.member_id)
            .await?;
        Ok(Outcome::nothing())
    }
}

/// Show a member of an image.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberGet {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project.
    pub member_id: String,
}

impl Leaf<Session> for MemberGet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let member = service.get_member(&self.image_id, &self.member_id).await?;
        Ok(Outcome::from(members::record(&member)))
    }
}

/// List the projects an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberList {
    /// ID of the image.
    #[arg(long)]
    pub image_id: String,
}

impl Leaf<Session> for MemberList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let all = service.list_members(&self.image_id).await?;
        Ok(Outcome::from(members::table(&all)))
    }
}

/// Set the membership status of a project.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberUpdate {
    /// ID of the image.
    pub image_id: String,
    /// ID of the project.
    pub member_id: String,
    /// Status of the membership: accepted, rejected or pending.
    #[arg(value_parser = ["accepted", "rejected", "pending"])]
    pub member_status: String,
}

impl Leaf<Session> for MemberUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.image_id.is_empty() || self.member_id.is_empty() {
            return Err(Error::failed(
                "Unable to update member. Specify image_id, member_id and member_status",
            ));
        }
        let status = MemberStatus::parse(&self.member_status).ok_or_else(|| {
            Error::usage(format!(
                "'{}' is not a membership status",
                self.member_status
            ))
        })?;
        let service = session.service().await?;
        let member = service
            .set_member_status(&self.image_id, &self.member_id, status)
            .await?;
        Ok(Outcome::from(members::table(&[member])))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<MemberCreate>(
        "member-create",
        "Share an image with a project",
        Output::Plain,
    ),
    Row::of::<MemberDelete>(
        "member-delete",
        "Stop sharing an image with a project",
        Output::Plain,
    ),
    Row::of::<MemberGet>("member-get", "Show a member of an image", Output::Plain),
    Row::of::<MemberList>(
        "member-list",
        "List the projects an image is shared with",
        Output::Plain,
    ),
    Row::of::<MemberUpdate>(
        "member-update",
        "Set the membership status of a project",
        Output::Plain,
    ),
];
