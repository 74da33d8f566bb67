//! Projects an image is shared with: `openstack image add project` and its like.

use crate::cli::registry::{Output, Row};

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

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<AddProject>(
        "image add project",
        "Share an image with a project",
        Output::Show,
    ),
    Row::later::<MemberGet>(
        "image member get",
        "Show one project an image is shared with",
        Output::Show,
    ),
    Row::later::<MemberList>(
        "image member list",
        "List the projects an image is shared with",
        Output::List,
    ),
    Row::later::<RemoveProject>(
        "image remove project",
        "Stop sharing an image with a project",
        Output::Plain,
    ),
];
