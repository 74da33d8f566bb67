//! Imports: `openstack image import`, `… import info`, `… stage`.

use std::path::PathBuf;

use clap::ArgAction;
use serde_json::json;

use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::image_size;
use crate::cli::run::hints::second_program;
use crate::cli::run::session::Session;
use crate::model::{Destination, Elsewhere, Image, ImageStatus, Import, ImportMethod};
use crate::ops::images::{self, DetectedFormat, Reference};
use crate::ops::{Outcome, imports};
use crate::output::{Cell, View};
use crate::service::{ImageService, Staging};
use crate::{Error, ErrorKind, Result};

/// Import the data of an image.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one field for each option of the grammar"
)]
pub struct ImageImport {
    /// Image ID or name.
    #[arg(value_name = "image")]
    pub image: String,
    /// Import method.
    #[arg(long = "method", value_name = "method", value_parser = ["glance-direct", "web-download", "glance-download", "copy-image"], default_value = "glance-direct")]
    pub method: String,
    /// URL to download from (web-download).
    #[arg(long, value_name = "uri")]
    pub uri: Option<String>,
    /// ID of the image in that region (glance-download).
    #[arg(long)]
    pub remote_image: Option<String>,
    /// Region to download from (glance-download).
    #[arg(long, value_name = "REMOTE_GLANCE_REGION")]
    pub remote_region: Option<String>,
    /// Endpoint interface of the remote image service (glance-download).
    #[arg(long)]
    pub remote_service_interface: Option<String>,
    /// Stores to import into.
    #[arg(long = "store", value_name = "STORE", num_args = 0.., action = ArgAction::Set, conflicts_with = "all_stores")]
    pub stores: Vec<String>,
    /// Import into all stores.
    #[arg(long, conflicts_with = "stores")]
    pub all_stores: bool,
    /// Continue if some stores fail (default).
    #[arg(long, conflicts_with = "disallow_failure")]
    pub allow_failure: bool,
    /// Undo the import if any store fails.
    #[arg(long, conflicts_with = "allow_failure")]
    pub disallow_failure: bool,
    /// Wait for the import to finish; exit 1 if it fails.
    #[arg(long)]
    pub wait: bool,
    /// Report the progress of the import until it finishes.
    #[arg(long, hide = true)]
    pub progress: bool,
}

impl ImageImport {
    /// Rejects invalid combinations of options in upstream's wording.
    fn check_options(&self) -> Result<()> {
        let method = self.method.as_str();
        let only = |option: &str, method: &str| {
            Error::failed(format!(
                "The '{option}' option is only supported when using '--method={method}'"
            ))
        };
        match (method, &self.uri) {
            ("web-download", None) => {
                return Err(Error::failed(
                    "The '--uri' option is required when using '--method=web-download'",
                ));
            }
            ("web-download", Some(uri)) => {
                let parsed = url::Url::parse(uri).ok();
                if !parsed.is_some_and(|url| url.has_host()) {
                    return Err(Error::failed(format!("'{uri}' is not a valid url")));
                }
            }
            (_, Some(_)) => return Err(only("--uri", "web-download")),
            (_, None) => {}
        }
        let remote = [
            ("--remote-region", &self.remote_region),
            ("--remote-image", &self.remote_image),
            ("--remote-service-interface", &self.remote_service_interface),
        ];
        if method == "glance-download" {
            if self.remote_region.is_none() || self.remote_image.is_none() {
                return Err(Error::failed(
                    "The '--remote-region' and '--remote-image' options are required when using \
                     '--method=glance-download'",
                ));
            }
        } else if let Some((option, _)) = remote.iter().find(|(_, given)| given.is_some()) {
            return Err(only(option, "glance-download"));
        }
        if method == "copy-image" && self.stores.is_empty() && !self.all_stores {
            return Err(Error::failed(
                "The '--stores' or '--all-stores' options are required when using '--method=copy-image'",
            ));
        }
        Ok(())
    }

    /// Rejects an image whose status does not allow the import, in upstream's wording.
    fn check_state(&self, image: &Image) -> Result<()> {
        if image.container_format.is_none() && image.disk_format.is_none() {
            return Err(Error::failed(
                "The 'container_format' and 'disk_format' properties must be set on an image before it can be imported",
            ));
        }
        let method = self.method.as_str();
        let wanted = match method {
            "glance-direct" => ImageStatus::Uploading,
            "web-download" => ImageStatus::Queued,
            "copy-image" => ImageStatus::Active,
            _ => return Ok(()),
        };
        if image.status == wanted {
            return Ok(());
        }
        Err(Error::failed(format!(
            "The '{method}' import method can only be used with an image in status '{wanted}'"
        ))
        .hint(format!("The status of the image is {}.", image.status)))
    }

    /// Builds the import request.
    fn import(&self) -> Import {
        let method = match (&self.uri, &self.remote_region, &self.remote_image) {
            (Some(uri), ..) => ImportMethod::WebDownload { uri: uri.clone() },
            (_, Some(region), Some(image_id)) => ImportMethod::GlanceDownload(Elsewhere {
                region: region.clone(),
                image_id: image_id.clone(),
                interface: self.remote_service_interface.clone(),
            }),
            _ if self.method == "copy-image" => ImportMethod::CopyImage,
            _ => ImportMethod::GlanceDirect,
        };
        let to = match (&self.stores[..], self.all_stores) {
            (_, true) => Destination::All,
            ([], false) => Destination::Default,
            (stores, false) => Destination::Several(stores.to_vec()),
        };
        // Services without named stores reject options about several stores.
        let several = to != Destination::Default;
        Import {
            method,
            to,
            all_must_succeed: several.then_some(self.disallow_failure),
        }
    }
}

impl Leaf<Session> for ImageImport {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.check_import()?;
        self.check_options()?;
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        self.check_state(&image)?;
        let transfer = session.transfer(self.progress);
        let imported = service
            .import_image(&image.id, self.import(), transfer)
            .await;
        let running = imported.map_err(|error| match error.kind() {
            ErrorKind::Invalid if error.message().contains("Unknown import method") => {
                Error::failed(format!(
                    "The '{}' import method is not supported by this deployment.",
                    self.method
                ))
                .hint(format!(
                    "Run \"{} image import info\" to list the supported methods.",
                    second_program()
                ))
                .because(error)
            }
            _ => error,
        })?;
        let record = |image: &Image| Outcome::from(View::Record(views::image(image, false)));
        if !self.wait && !self.progress {
            // Like upstream, prints the image as it was before.
            return Ok(record(&image).then(running));
        }
        running.await?;
        let tell: Option<&(dyn Fn(&str) + Sync)> =
            self.progress.then_some(&crate::cli::run::ui::notice);
        let watch = session.watch.clone();
        let image = imports::wait(
            service,
            &image.id,
            &imports::Waiting {
                report: tell,
                watch,
            },
        )
        .await?;
        Ok(record(&image))
    }
}

/// Show the available import methods.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportInfo {}

impl Leaf<Session> for ImportInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            import_methods(session.service().await?).await?,
        ))
    }
}

/// Upload data to the staging area, to be imported later.
#[derive(Debug, Clone, clap::Args)]
pub struct Stage {
    /// Image ID or name.
    #[arg(value_name = "image")]
    pub image: String,
    /// File to upload; default: standard input.
    #[arg(long, value_name = "file")]
    pub file: Option<PathBuf>,
    /// Size in bytes, if it cannot be determined.
    #[arg(long, value_name = "size", value_parser = image_size, allow_negative_numbers = true)]
    pub size: Option<u64>,
    /// Show a progress bar.
    #[arg(long)]
    pub progress: bool,
}

impl Leaf<Session> for Stage {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let upload = super::images::data(session, self.file.as_deref(), self.progress)?;
        let Some(mut upload) = upload else {
            return Err(Error::failed(match self.size {
                Some(_) => "--size requires image data via --file or stdin",
                None => "no data to stage",
            })
            .hint("Pass a file with --file, or pipe the data to standard input."));
        };
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        // The disk format is raw even if none was given when the image was created.
        let detected = DetectedFormat::observe(&mut upload.source);
        let staging = Staging {
            source: upload.source,
            size: self.size,
            watch: upload.watch,
        };
        service.stage_image(&image.id, staging).await?;
        Ok(Outcome {
            notices: detected.mismatch(&image).into_iter().collect(),
            ..Outcome::nothing()
        })
    }
}

/// Lists the import methods.
async fn import_methods(service: &dyn ImageService) -> Result<View<'static>> {
    let methods = json!(service.import_methods().await?);
    let record = [("import-methods".to_string(), Cell::list(methods))];
    Ok(View::Record(record.into_iter().collect()))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageImport>("image import", "Import the data of an image", Output::Show),
    Row::of::<ImportInfo>(
        "image import info",
        "Show the available import methods",
        Output::Show,
    ),
    Row::of::<Stage>(
        "image stage",
        "Upload data to the staging area, to be imported later",
        Output::Plain,
    ),
];
