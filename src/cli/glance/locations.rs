//! Where the data of an image lies: `glance location-*` and `glance add-location`.

use crate::cli::registry::{Output, Row};

/// Give a queued image its data by address, through the location API.
#[derive(Debug, Clone, clap::Args)]
pub struct AddLocation {
    /// ID of the image.
    pub image_id: String,
    /// Address of the data.
    #[arg(long)]
    pub url: String,
    /// JSON object with os_hash_algo and os_hash_value of the data.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub validation_data: String,
}

/// Add an address to those of an image.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationAdd {
    /// ID of the image.
    pub image_id: String,
    /// Address of the data.
    #[arg(long)]
    pub url: String,
    /// JSON object to keep with the address.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub metadata: String,
    /// MD5 of the data.
    #[arg(long, value_name = "STRING")]
    pub checksum: Option<String>,
    /// Name of the hash that is given as value.
    #[arg(long, value_name = "STRING")]
    pub hash_algo: Option<String>,
    /// Hash of the data.
    #[arg(long, value_name = "STRING")]
    pub hash_value: Option<String>,
}

/// Take addresses away from an image.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationDelete {
    /// ID of the image.
    pub image_id: String,
    /// Address to take away; may be repeated.
    #[arg(long = "url", value_name = "URL", required = true)]
    pub urls: Vec<String>,
}

/// Change what is kept with an address of an image.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationUpdate {
    /// ID of the image.
    pub image_id: String,
    /// Address, as the image has it.
    #[arg(long)]
    pub url: String,
    /// JSON object that takes the place of the old one.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub metadata: String,
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::later::<AddLocation>(
        "add-location",
        "Give a queued image its data by address, through the location API",
        Output::Plain,
    ),
    Row::later::<LocationAdd>(
        "location-add",
        "Add an address to those of an image",
        Output::Plain,
    ),
    Row::later::<LocationDelete>(
        "location-delete",
        "Take addresses away from an image",
        Output::Plain,
    ),
    Row::later::<LocationUpdate>(
        "location-update",
        "Change what is kept with an address of an image",
        Output::Plain,
    ),
];
