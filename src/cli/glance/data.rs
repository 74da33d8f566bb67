//! Image data in the first grammar.

use std::path::PathBuf;
use std::time::Instant;

use crate::cli::command::globals::keys;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::int;
use crate::cli::run::hints::takes_an_id;
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::model::schema::is_uuid;
use crate::ops::Outcome;
use crate::ops::download::{self, Target};
use crate::{Error, ErrorKind, Result};

/// Opens the data to upload. An unreadable file is reported in upstream's wording.
pub(super) fn open_upload(
    session: &Session,
    file: Option<&std::path::Path>,
    progress: bool,
) -> Result<Option<crate::service::Upload>> {
    session.upload(file, progress).map_err(|error| match file {
        Some(path) if error.kind() == ErrorKind::Io && !path.is_dir() => Error::failed(format!(
            "File {} does not exist or user does not have read privileges to it",
            path.display()
        ))
        .because(error),
        _ => error,
    })
}

/// Returns the size given with `--size`; upstream ignores 0.
///
/// # Errors
/// `Failed` if the size is negative or differs from the size of the data.
pub(super) fn expected_size(
    size: Option<i64>,
    upload: &crate::service::Upload,
) -> Result<Option<u64>> {
    let Some(size) = size.filter(|size| *size != 0) else {
        return Ok(None);
    };
    let size =
        u64::try_from(size).map_err(|_| Error::failed(format!("--size {size} is below zero")))?;
    if let Some(actual) = upload.source.size().filter(|actual| *actual != size) {
        return Err(Error::failed(format!(
            "Size mismatch: provided size {size} does not match the size of the image {actual}"
        )));
    }
    Ok(Some(size))
}

/// Arguments of `image-download`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDownload {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Verify by MD5 if the secure hash algorithm is not supported [env OS_IMAGE_ALLOW_MD5_FALLBACK].
    #[arg(long)]
    allow_md5_fallback: bool,
    /// File to save the data to; default: standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show a progress bar.
    #[arg(long)]
    progress: bool,
    /// Comma-separated stores to try first.
    #[arg(long, value_name = "STORES")]
    prefer: Option<String>,
}

impl Leaf<Session> for ImageDownload {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            return Err(Error::failed(
                "No redirection or local file specified for downloaded image data. Please specify a local file with \
                 --file to save downloaded image or redirect output to another source.",
            ));
        }
        let prefer: Vec<String> = self
            .prefer
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .map(str::to_string)
            .filter(|store| !store.is_empty())
            .collect();
        let opened = session
            .service()
            .await?
            .open_image(&self.id, session.reading(None, prefer)?)
            .await;
        let bytes = opened.map_err(|error| match error.status() {
            Some(_) => {
                let text = inline(session.grammar, &error);
                let failed =
                    Error::failed(format!("Unable to download image '{}'. ({text})", self.id));
                let is_name = error.kind() == ErrorKind::NotFound && !is_uuid(&self.id);
                if is_name && error.hints().is_empty() {
                    return failed.hint(takes_an_id("image-download", &self.id));
                }
                failed.hints_of(&error)
            }
            None => error,
        })?;
        let Some(source) = bytes.source else {
            return Err(Error::failed(format!("Image {} has no data.", self.id)));
        };
        let target = match self.file {
            Some(path) => Target::File {
                path,
                sparse: session.globals.is_set(keys::SPARSE),
            },
            None => Target::Output,
        };
        let allow = self.allow_md5_fallback
            || session
                .environment
                .get("OS_IMAGE_ALLOW_MD5_FALLBACK")
                .is_some();
        let saved = download::save(
            &bytes.image,
            source,
            target,
            allow,
            session.transfer(self.progress),
        )
        .await?;
        bytes.receipt.sign(saved.size);
        Ok(Outcome {
            notices: session.saved_notices(&saved, self.progress),
            ..Outcome::nothing()
        })
    }
}

/// Arguments of `image-upload`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageUpload {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// File to upload; default: standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Size in bytes, if it cannot be determined.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = int, allow_negative_numbers = true)]
    size: Option<i64>,
    /// Show a progress bar.
    #[arg(long)]
    progress: bool,
    /// Store to upload to [env OS_IMAGE_STORE].
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf<Session> for ImageUpload {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let store = session.or_variable(self.store.as_deref(), "OS_IMAGE_STORE");
        session.check_store(store.as_deref()).await?;
        let Some(mut upload) = session.upload(self.file.as_deref(), self.progress)? else {
            return Err(Error::failed("no data to upload")
                .hint("Pass a file with --file, or pipe the data to standard input."));
        };
        upload.store = store;
        upload.size = expected_size(self.size, &upload)?;
        let began = Instant::now();
        let service = session.service().await?;
        let image = service.upload_image(&self.id, upload).await?;
        let summary = session.stored_notice(self.progress, image.size, began);
        Ok(Outcome {
            notices: summary.into_iter().collect(),
            ..Outcome::nothing()
        })
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageDownload>(
        "image-download",
        "Download the data of an image",
        Output::Plain,
    ),
    Row::of::<ImageUpload>("image-upload", "Upload the data of an image", Output::Plain),
];
