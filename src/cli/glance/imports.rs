//! Images that the service fetches or converts itself: `glance image-import` and what goes with it.

use std::path::PathBuf;

use clap::ArgAction;

use crate::Result;
use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::values;
use crate::ops::{Outcome, stores};

/// Create an image and import its data in one go.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageCreateViaImport {
    /// CPU architecture the image runs on.
    #[arg(long)]
    pub architecture: Option<String>,
    /// Refuse to delete the image.
    #[arg(long, value_name = "True|False", value_parser = values::strict_bool)]
    pub protected: Option<bool>,
    /// Name of the image.
    #[arg(long)]
    pub name: Option<String>,
    /// ID of the server the image was made from.
    #[arg(long)]
    pub instance_uuid: Option<String>,
    /// Smallest disk the image boots from, in GiB.
    #[arg(long, value_parser = values::int, allow_negative_numbers = true)]
    pub min_disk: Option<i64>,
    /// Who sees the image: public, private, community or shared.
    #[arg(long)]
    pub visibility: Option<String>,
    /// ID of the kernel image to boot with.
    #[arg(long)]
    pub kernel_id: Option<String>,
    /// Tags of the image.
    #[arg(long, num_args = 1.., action = ArgAction::Set)]
    pub tags: Vec<String>,
    /// Version of the operating system inside, as its maker writes it.
    #[arg(long)]
    pub os_version: Option<String>,
    /// ami, ari, aki, vhd, vhdx, vmdk, raw, qcow2, vdi, iso or ploop.
    #[arg(long)]
    pub disk_format: Option<String>,
    /// Distribution of the operating system inside, in lower case.
    #[arg(long)]
    pub os_distro: Option<String>,
    /// ID to give the image, a UUID.
    #[arg(long)]
    pub id: Option<String>,
    /// Project that owns the image.
    #[arg(long)]
    pub owner: Option<String>,
    /// ID of the ramdisk image to boot with.
    #[arg(long)]
    pub ramdisk_id: Option<String>,
    /// Least memory the image boots with, in MiB.
    #[arg(long, value_parser = values::int, allow_negative_numbers = true)]
    pub min_ram: Option<i64>,
    /// What wraps the data: ami, ari, aki, bare, ovf, ova or docker.
    #[arg(long)]
    pub container_format: Option<String>,
    /// Leave the image out of plain listings.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    pub hidden: Option<bool>,
    /// Any further property; may be repeated.
    #[arg(long = "property", value_name = "key=value")]
    pub properties: Vec<String>,
    /// File to read the data from, instead of standard input.
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Size of the data in bytes, where it cannot be told from the file.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub size: Option<i64>,
    /// Draw a progress bar.
    #[arg(long)]
    pub progress: bool,
    /// How the data gets in; else OS_IMAGE_IMPORT_METHOD; see import-info.
    #[arg(long, value_name = "METHOD")]
    pub import_method: Option<String>,
    /// Address to fetch the data from, for web-download.
    #[arg(long, value_name = "IMAGE_URL")]
    pub uri: Option<String>,
    /// Region to fetch the image from, for glance-download.
    #[arg(long, value_name = "GLANCE_REGION")]
    pub remote_region: Option<String>,
    /// ID of the image in that region, for glance-download.
    #[arg(long)]
    pub remote_image_id: Option<String>,
    /// Interface of the remote image service to use, for glance-download.
    #[arg(long, default_value = "public")]
    pub remote_service_interface: String,
    /// The one store to put the data into; else OS_IMAGE_STORE.
    #[arg(long)]
    pub store: Option<String>,
    /// Several stores, separated by commas; else OS_IMAGE_STORES.
    #[arg(long)]
    pub stores: Option<String>,
    /// Put the data into every store there is.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    pub all_stores: Option<bool>,
    /// Go on when some stores fail; else OS_IMAGE_ALLOW_FAILURE, else true.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    pub allow_failure: Option<bool>,
}

/// Start the import of an image's data.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageImport {
    /// ID of the image.
    pub image_id: String,
    /// How the data gets in; see import-info.
    #[arg(long, value_name = "METHOD", default_value = "glance-direct")]
    pub import_method: String,
    /// Address to fetch the data from, for web-download.
    #[arg(long, value_name = "IMAGE_URL")]
    pub uri: Option<String>,
    /// Region to fetch the image from, for glance-download.
    #[arg(long, value_name = "REMOTE_GLANCE_REGION")]
    pub remote_region: Option<String>,
    /// ID of the image in that region, for glance-download.
    #[arg(long)]
    pub remote_image_id: Option<String>,
    /// Interface of the remote image service to use, for glance-download.
    #[arg(long, default_value = "public")]
    pub remote_service_interface: String,
    /// The one store to put the data into; else OS_IMAGE_STORE.
    #[arg(long)]
    pub store: Option<String>,
    /// Several stores, separated by commas; else OS_IMAGE_STORES.
    #[arg(long)]
    pub stores: Option<String>,
    /// Put the data into every store there is.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    pub all_stores: Option<bool>,
    /// Go on when some stores fail; else OS_IMAGE_ALLOW_FAILURE, else true.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    pub allow_failure: Option<bool>,
}

/// Send the data of an image to the staging area, to be imported later.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageStage {
    /// ID of the image.
    pub image_id: String,
    /// File to read the data from, instead of standard input.
    #[arg(long)]
    pub file: Option<PathBuf>,
    /// Size of the data in bytes, where it cannot be told from the file.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = values::int, allow_negative_numbers = true)]
    pub size: Option<i64>,
    /// Draw a progress bar.
    #[arg(long)]
    pub progress: bool,
}

/// Show which ways of importing the service offers.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportInfo {}

impl Leaf for ImportInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            stores::import_info(session.service().await?).await?,
        ))
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<ImageCreateViaImport>(
        "image-create-via-import",
        "Create an image and import its data in one go",
        Output::Plain,
    ),
    Row::later::<ImageImport>(
        "image-import",
        "Start the import of an image's data",
        Output::Plain,
    ),
    Row::later::<ImageStage>(
        "image-stage",
        "Send the data of an image to the staging area, to be imported later",
        Output::Plain,
    ),
    Row::of::<ImportInfo>(
        "import-info",
        "Show which ways of importing the service offers",
        Output::Plain,
    ),
];
