//! Tags in the first grammar.

use serde_json::json;

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::ops::Outcome;
use crate::output::{Cell, Table, View};
use crate::{Error, Result};

/// Arguments of `image-tag-update`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTagUpdate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Name of the tag.
    #[arg(value_name = "TAG_VALUE")]
    tag: String,
}

impl Leaf<Session> for ImageTagUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.id.is_empty() || self.tag.is_empty() {
            return Err(Error::failed(
                "Unable to update tag. Specify image_id and tag_value",
            ));
        }
        let service = session.service().await?;
        service.add_tag(&self.id, &self.tag).await?;
        let image = service.get_image(&self.id).await?;
        let row = vec![Cell::new(json!(image.id)), Cell::new(json!(image.tags))];
        Ok(Outcome::from(View::Table(Table::from_rows(
            vec!["ID", "Tags"],
            vec![row],
        ))))
    }
}

/// Arguments of `image-tag-delete`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTagDelete {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Name of the tag.
    #[arg(value_name = "TAG_VALUE")]
    tag: String,
}

impl Leaf<Session> for ImageTagDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.id.is_empty() || self.tag.is_empty() {
            return Err(Error::failed(
                "Unable to delete tag. Specify image_id and tag_value",
            ));
        }
        session
            .service()
            .await?
            .remove_tag(&self.id, &self.tag)
            .await?;
        Ok(Outcome::nothing())
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageTagUpdate>("image-tag-update", "Add a tag to an image", Output::Plain),
    Row::of::<ImageTagDelete>(
        "image-tag-delete",
        "Remove a tag from an image",
        Output::Plain,
    ),
];
