//! Image data in the second grammar.

use std::path::PathBuf;

use crate::cli::command::globals::keys;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::int;
use crate::cli::run::session::Session;
use crate::data::Source;
use crate::ops::Outcome;
use crate::ops::download::{self, Target, Verified};
use crate::ops::images::{self, Reference};
use crate::{Error, Result};

/// Arguments of `image save`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageSave {
    /// Image ID or name.
    #[arg(value_name = "image")]
    image: String,
    /// Chunk size in bytes; ignored.
    #[arg(long, value_name = "chunk-size", value_parser = int, allow_negative_numbers = true)]
    chunk_size: Option<i64>,
    /// File to save the data to; default: standard output.
    #[arg(long, value_name = "filename")]
    file: Option<PathBuf>,
    /// Store to try first; may be repeated.
    #[arg(long, value_name = "store")]
    store_preference: Vec<String>,
}

impl Leaf<Session> for ImageSave {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        if self.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            return Err(Error::failed("refusing to write image data to a terminal")
                .hint("Pass a file with --file, or redirect standard output."));
        }
        let id = image.id.clone();
        let reading = session.reading(Some(image), self.store_preference)?;
        let bytes = service.open_image(&id, reading).await?;
        let target = match self.file {
            Some(path) => Target::File {
                path,
                sparse: session.globals.is_set(keys::SPARSE),
            },
            None => Target::Output,
        };
        // Like upstream, saves an image without data as an empty file.
        let source = bytes.source.unwrap_or_else(Source::empty);
        let saved =
            download::save(&bytes.image, source, target, true, session.transfer(false)).await?;
        bytes.receipt.sign(saved.size);
        let mut outcome = Outcome::nothing();
        outcome.notices = session.saved_notices(&saved, false);
        if saved.verified == Verified::Unverified {
            outcome.notices.push(format!(
                "Unable to verify the integrity of image {id} - no hash available"
            ));
        }
        Ok(outcome)
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::of::<ImageSave>(
    "image save",
    "Download the data of an image",
    Output::Plain,
)];
