//! Projects an image is shared with: `openstack image add project` and its like.

use crate::Result;
use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::ui::inline;
use crate::ops::images::{self, Reference};
use crate::ops::{Outcome, members};

/// Share an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct AddProject {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// Project, as a name or an ID.
    #[arg(value_name = "project")]
    pub project: String,
    /// Domain of the project, as a name or an ID.
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf for AddProject {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let project = service
            .find_project(&self.project, self.project_domain.as_deref())
            .await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let member = service.add_member(&image.id, &project).await?;
        Ok(Outcome::from(members::record(&member)))
    }
}

/// Show one project an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberGet {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// Project, as a name or an ID.
    #[arg(value_name = "project")]
    pub project: String,
    /// Domain of the project, as a name or an ID.
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf for MemberGet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        // The real one does not look the project up either.
        let member = service.get_member(&image.id, &self.project).await?;
        Ok(Outcome::from(members::record(&member)))
    }
}

/// List the projects an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberList {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// Domain of the project, as a name or an ID.
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf for MemberList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let all = service.list_members(&image.id).await?;
        Ok(Outcome::from(members::table(&all)))
    }
}

/// Stop sharing an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct RemoveProject {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// Project, as a name or an ID.
    #[arg(value_name = "project")]
    pub project: String,
    /// Domain of the project, as a name or an ID.
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf for RemoveProject {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let project = service
            .find_project(&self.project, self.project_domain.as_deref())
            .await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        members::remove(service, &image.id, &project, |error| {
            inline(session.grammar, error)
        })
        .await
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::of::<AddProject>(
        "image add project",
        "Share an image with a project",
        Output::Show,
    ),
    Row::of::<MemberGet>(
        "image member get",
        "Show one project an image is shared with",
        Output::Show,
    ),
    Row::of::<MemberList>(
        "image member list",
        "List the projects an image is shared with",
        Output::List,
    ),
    Row::of::<RemoveProject>(
        "image remove project",
        "Stop sharing an image with a project",
        Output::Plain,
    ),
];
