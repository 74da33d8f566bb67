//! Images that the service fetches or converts itself: `openstack image import`, `… import info`, `… stage`.

use std::path::PathBuf;

use clap::ArgAction;

use crate::Result;
use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::ops::{Outcome, stores};

/// Start the import of an image's data.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each option of the grammar"
)]
pub struct Import {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// How the data gets in.
    #[arg(long = "method", value_name = "method", value_parser = ["glance-direct", "web-download", "glance-download", "copy-image"], default_value = "glance-direct")]
    pub method: String,
    /// Address to fetch the data from, for web-download.
    #[arg(long, value_name = "uri")]
    pub uri: Option<String>,
    /// ID of the image in the other region, for glance-download.
    #[arg(long)]
    pub remote_image: Option<String>,
    /// Region to fetch the image from, for glance-download.
    #[arg(long, value_name = "REMOTE_GLANCE_REGION")]
    pub remote_region: Option<String>,
    /// Interface of the remote image service to use, for glance-download.
    #[arg(long)]
    pub remote_service_interface: Option<String>,
    /// Stores to put the data into, one or more.
    #[arg(long = "store", value_name = "STORE", num_args = 0.., action = ArgAction::Set, conflicts_with = "all_stores")]
    pub stores: Vec<String>,
    /// Put the data into every store there is.
    #[arg(long, conflicts_with = "stores")]
    pub all_stores: bool,
    /// Go on when some of the stores fail, as is usual.
    #[arg(long, conflicts_with = "disallow_failure")]
    pub allow_failure: bool,
    /// Undo the import when any of the stores fails.
    #[arg(long, conflicts_with = "allow_failure")]
    pub disallow_failure: bool,
    /// Return only when the import is done.
    #[arg(long)]
    pub wait: bool,
}

/// Show which ways of importing the service offers.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportInfo {}

impl Leaf for ImportInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::import_methods(session.service().await?).await?,
        ))
    }
}

/// Send the data of an image to the staging area, to be imported later.
#[derive(Debug, Clone, clap::Args)]
pub struct Stage {
    /// Image, as a name or an ID.
    #[arg(value_name = "image")]
    pub image: String,
    /// File to read the data from, instead of standard input.
    #[arg(long, value_name = "file")]
    pub file: Option<PathBuf>,
    /// Size of the data in bytes, where it cannot be told from the file.
    #[arg(long, value_name = "size")]
    pub size: Option<String>,
    /// Draw a progress bar.
    #[arg(long)]
    pub progress: bool,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<Import>(
        "image import",
        "Start the import of an image's data",
        Output::Show,
    ),
    Row::of::<ImportInfo>(
        "image import info",
        "Show which ways of importing the service offers",
        Output::Show,
    ),
    Row::later::<Stage>(
        "image stage",
        "Send the data of an image to the staging area, to be imported later",
        Output::Plain,
    ),
];
