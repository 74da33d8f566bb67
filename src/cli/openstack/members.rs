//! Image members: `openstack image add project` and related commands.

use crate::Result;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::cli::views;
use crate::ops::images::{self, Reference};
use crate::ops::{Outcome, members};
use crate::service::ImageService;

/// Arguments of commands about one project.
#[derive(Debug, Clone, clap::Args)]
struct ImageAndProject {
    /// Image ID or name.
    #[arg(value_name = "image")]
    pub image: String,
    /// Project ID or name.
    #[arg(value_name = "project")]
    pub project: String,
    /// Domain of the project (ID or name).
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl ImageAndProject {
    /// Looks up the project and the image, in upstream's order, and returns their IDs.
    async fn find(&self, service: &dyn ImageService) -> Result<(String, String)> {
        let domain = self.project_domain.as_deref();
        let project = service.find_project(&self.project, domain).await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        Ok((project, image.id))
    }
}

/// Share an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct AddProject {
    #[command(flatten)]
    of: ImageAndProject,
}

impl Leaf<Session> for AddProject {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let (project, image) = self.of.find(service).await?;
        let member = service.add_member(&image, &project).await?;
        Ok(Outcome::from(views::members::record(&member)))
    }
}

/// Show a member of an image.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberGet {
    #[command(flatten)]
    of: ImageAndProject,
}

impl Leaf<Session> for MemberGet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.of.image)).await?;
        // Upstream does not look up the project, either.
        let member = service.get_member(&image.id, &self.of.project).await?;
        Ok(Outcome::from(views::members::record(&member)))
    }
}

/// List the projects an image is shared with.
#[derive(Debug, Clone, clap::Args)]
pub struct MemberList {
    /// Image ID or name.
    #[arg(value_name = "image")]
    pub image: String,
    /// Domain of the project (ID or name).
    #[arg(long, value_name = "project-domain")]
    pub project_domain: Option<String>,
}

impl Leaf<Session> for MemberList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let all = service.list_members(&image.id).await?;
        Ok(Outcome::from(views::members::table(&all)))
    }
}

/// Stop sharing an image with a project.
#[derive(Debug, Clone, clap::Args)]
pub struct RemoveProject {
    #[command(flatten)]
    of: ImageAndProject,
}

impl Leaf<Session> for RemoveProject {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let (project, image) = self.of.find(service).await?;
        members::remove(service, &image, &project, |error| {
            inline(session.grammar, error)
        })
        .await
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<AddProject>(
        "image add project",
        "Share an image with a project",
        Output::Show,
    ),
    Row::of::<MemberGet>(
        "image member get",
        "Show a member of an image",
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
