//! Imports: `glance image-import` and related commands.

use std::path::PathBuf;

use serde_json::json;

use super::data::open_upload;
use super::images::{Creation, check};
use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values;
use crate::cli::run::session::Session;
use crate::model::{Destination, Elsewhere, Image, ImageStatus, Import, ImportMethod, NewImage};
use crate::ops::images::delete_created;
use crate::ops::{Outcome, imports};
use crate::output::{Cell, View, is_null};
use crate::service::{ImageService, Staging, Upload};
use crate::{Error, Result};

/// Source and destination options of an import.
#[derive(Debug, Clone, clap::Args)]
struct Means {
    /// URL to download from (web-download).
    #[arg(long, value_name = "IMAGE_URL")]
    uri: Option<String>,
    /// Region to download from (glance-download).
    #[arg(long, value_name = "REMOTE_GLANCE_REGION")]
    remote_region: Option<String>,
    /// ID of the image in that region (glance-download).
    #[arg(long)]
    remote_image_id: Option<String>,
    /// Endpoint interface of the remote image service (glance-download).
    #[arg(long, default_value = "public")]
    remote_service_interface: String,
    /// Store to import into [env OS_IMAGE_STORE].
    #[arg(long)]
    store: Option<String>,
    /// Comma-separated stores to import into [env OS_IMAGE_STORES].
    #[arg(long)]
    stores: Option<String>,
    /// Import into all stores.
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    all_stores: Option<bool>,
    /// Continue if some stores fail; default: true [env OS_IMAGE_ALLOW_FAILURE].
    #[arg(long, value_name = "True|False", value_parser = values::loose_bool())]
    allow_failure: Option<bool>,
    /// Wait for the import to finish; exit 1 if it fails.
    #[arg(long, hide = true)]
    wait: bool,
}

impl Means {
    /// Fills in defaults from the environment.
    fn complete(mut self, session: &Session) -> Self {
        self.store = session.or_variable(self.store.as_deref(), "OS_IMAGE_STORE");
        self.stores = session.or_variable(self.stores.as_deref(), "OS_IMAGE_STORES");
        let allow = || session.or_variable(None, "OS_IMAGE_ALLOW_FAILURE");
        self.allow_failure = self
            .allow_failure
            .or_else(|| allow().map(|text| values::parse_bool(&text).unwrap_or(false)));
        self
    }

    /// Returns the destination stores.
    ///
    /// # Errors
    /// `Failed` if more than one of the store options is given.
    fn destination(&self) -> Result<Destination> {
        let all = self.all_stores == Some(true);
        match (&self.store, &self.stores, all) {
            (None, None, false) => Ok(Destination::Default),
            (Some(store), None, false) => Ok(Destination::One(store.clone())),
            (None, Some(stores), false) => Ok(Destination::Several(
                stores.split(',').map(str::to_string).collect(),
            )),
            (None, None, true) => Ok(Destination::All),
            _ => Err(Error::failed(
                "Only one of --store, --stores and --all-stores can be provided",
            )),
        }
    }

    /// Rejects unknown stores.
    async fn check_stores(&self, session: &Session, to: &Destination) -> Result<()> {
        match to {
            Destination::One(store) => session.check_stores(std::slice::from_ref(store)).await,
            Destination::Several(stores) => session.check_stores(stores).await,
            Destination::Default | Destination::All => Ok(()),
        }
    }

    /// Builds the import request.
    fn import(&self, method: &str, to: Destination) -> Import {
        let method = match (
            method,
            &self.uri,
            &self.remote_region,
            &self.remote_image_id,
        ) {
            ("glance-direct", ..) => ImportMethod::GlanceDirect,
            ("copy-image", ..) => ImportMethod::CopyImage,
            ("web-download", Some(uri), ..) => ImportMethod::WebDownload { uri: uri.clone() },
            ("glance-download", _, Some(region), Some(image_id)) => {
                ImportMethod::GlanceDownload(Elsewhere {
                    region: region.clone(),
                    image_id: image_id.clone(),
                    interface: Some(self.remote_service_interface.clone()),
                })
            }
            _ => ImportMethod::Other(method.to_string()),
        };
        let several = matches!(to, Destination::Several(_) | Destination::All);
        let fail_alone = several && self.allow_failure.unwrap_or(true);
        Import {
            method,
            to,
            all_must_succeed: fail_alone.then_some(false),
        }
    }
}

/// Rejects an import method that the deployment does not support.
async fn check_method(service: &dyn ImageService, method: &str) -> Result<()> {
    let offered = match service.import_methods().await {
        Err(e) if e.kind() == crate::ErrorKind::NotFound => {
            return Err(
                Error::failed("Target Glance does not support Image Import workflow").because(e),
            );
        }
        other => other?,
    };
    if offered.iter().any(|known| known == method) {
        return Ok(());
    }
    Err(Error::failed(format!(
        "Import method '{method}' is not valid for this cloud. Valid values can be retrieved with import-info command."
    ))
    .hint(format!("Supported methods: {}.", offered.join(", "))))
}

/// Builds the staging request.
fn staging(upload: Upload, size: Option<u64>) -> Staging {
    Staging {
        size,
        source: upload.source,
        watch: upload.watch,
    }
}

/// Create an image and import its data.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageCreateViaImport {
    #[command(flatten)]
    new: Creation,
    /// Import method; import-info lists them [env OS_IMAGE_IMPORT_METHOD].
    #[arg(long, value_name = "METHOD")]
    import_method: Option<String>,
    #[command(flatten)]
    means: Means,
}

impl ImageCreateViaImport {
    /// Rejects invalid combinations of options in upstream's wording.
    fn check_options(&self, method: Option<&str>, piped: bool) -> Result<()> {
        let means = &self.means;
        let refuse = |why: &str| Err(Error::failed(why.to_string()));
        let file = self.new.file.is_some();
        let needs = match method {
            Some("glance-direct") => Some(("--file option or stdin", file || piped)),
            Some("web-download") => Some(("--uri option", means.uri.is_some())),
            _ => None,
        };
        let all = means.all_stores == Some(true);
        let options = [
            ("--store", means.store.is_some()),
            ("--stores", means.stores.is_some()),
            ("--all-stores", all),
        ];
        if let (Some((source, false)), Some(method)) = (needs, method)
            && let Some((option, _)) = options.iter().find(|(_, given)| *given)
        {
            return refuse(&format!(
                "{option} option should only be provided with {source} for the {method} import method."
            ));
        }
        match method {
            None if means.uri.is_some() => {
                refuse("You cannot use --uri without specifying an import method.")
            }
            Some("glance-direct") if means.uri.is_some() => {
                refuse("You cannot specify a --uri with the glance-direct import method.")
            }
            Some("glance-direct") if !file && !piped => refuse(
                "You must specify a --file or provide data via stdin for the glance-direct import method.",
            ),
            Some("web-download") if means.uri.is_none() => {
                refuse("URI is required for web-download import method. Please use '--uri <uri>'.")
            }
            Some("glance-download")
                if means.remote_region.is_none() || means.remote_image_id.is_none() =>
            {
                refuse(
                    "REMOTE GlANCE REGION and REMOTE IMAGE ID are required for glance-download import method. \
                     Please use --remote-region <region> and --remote-image-id <remote-image-id>.",
                )
            }
            Some("glance-download") if means.uri.is_some() => {
                refuse("You cannot specify a --uri with the glance-download import method.")
            }
            Some(method @ ("web-download" | "glance-download")) if file => refuse(&format!(
                "You cannot specify a --file with the {method} import method."
            )),
            Some(method @ ("web-download" | "glance-download")) if piped => refuse(&format!(
                "You cannot pass data via stdin with the {method} import method."
            )),
            _ => Ok(()),
        }
    }
}

impl Leaf<Session> for ImageCreateViaImport {
    async fn run(mut self, session: &Session) -> Result<Outcome<'_>> {
        session.check_import()?;
        // Programs that run in the background have no data on standard input.
        let fetches = self.means.uri.is_some() || self.means.remote_image_id.is_some();
        let piped = session.is_piped() && !(fetches && is_null(std::io::stdin()));
        let sources = [
            ("--file", self.new.file.is_some()),
            ("--uri", self.means.uri.is_some()),
            ("stdin", piped),
        ];
        let given = self.new.collect(&sources)?;
        self.means = self.means.complete(session);
        let method = session.or_variable(self.import_method.as_deref(), "OS_IMAGE_IMPORT_METHOD");
        let has_data = self.new.file.is_some() || piped;
        let method = method.or_else(|| has_data.then(|| "glance-direct".to_string()));
        if method.as_deref() == Some("copy-image") {
            return Err(Error::failed(
                "Import method 'copy-image' cannot be used while creating the image.",
            ));
        }
        let to = self.means.destination()?;
        self.check_options(method.as_deref(), piped)?;
        let upload = match method.as_deref() {
            Some("glance-direct") => {
                open_upload(session, self.new.file.as_deref(), self.new.progress)?
            }
            _ => None,
        };
        let service = session.service().await?;
        if let Some(method) = &method {
            check_method(service, method).await?;
        }
        self.means.check_stores(session, &to).await?;
        check(session, &given).await?;

        let image = service.create_image(NewImage { attributes: given }).await?;
        let Some(method) = method else {
            return Ok(record(&image));
        };
        let imported = async {
            if let Some(upload) = upload {
                let size = upload.source.size();
                service
                    .stage_image(&image.id, staging(upload, size))
                    .await?;
            }
            let import = self.means.import(&method, to);
            run(
                session,
                &image.id,
                import,
                self.means.wait,
                self.new.progress,
            )
            .await
        };
        match Box::pin(imported).await {
            Ok(outcome) => Ok(outcome),
            Err(error) if error.kind() == crate::ErrorKind::Corrupt => {
                delete_created(service, &image.id).await?;
                Err(error)
            }
            Err(error) => {
                let now = service.get_image(&image.id).await.unwrap_or(image);
                Ok(record(&now).failing(Some(error)))
            }
        }
    }
}

fn record<'a>(image: &Image) -> Outcome<'a> {
    Outcome::from(View::Record(views::image(image, false)))
}

/// Starts the import and, if requested, waits for it.
async fn run<'a>(
    session: &'a Session,
    id: &str,
    import: Import,
    wait: bool,
    progress: bool,
) -> Result<Outcome<'a>> {
    let service = session.service().await?;
    let transfer = session.transfer(progress);
    let tell: Option<&(dyn Fn(&str) + Sync)> = progress.then_some(&crate::cli::run::ui::notice);
    let waiting = (wait || progress).then(|| imports::Waiting {
        report: tell,
        watch: session.watch.clone(),
    });
    let (image, left) = imports::import(service, id, import, transfer, waiting).await?;
    let outcome = record(&image);
    Ok(match left {
        Some(running) => outcome.then(running),
        None => outcome,
    })
}

/// Import the data of an image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageImport {
    /// ID of the image.
    image_id: String,
    /// Import method; import-info lists them.
    #[arg(long, value_name = "METHOD", default_value = "glance-direct")]
    import_method: String,
    #[command(flatten)]
    means: Means,
    /// Report the progress of the import until it finishes.
    #[arg(long, hide = true)]
    progress: bool,
}

impl ImageImport {
    /// Rejects invalid combinations of options in upstream's wording.
    fn check_options(&self, to: &Destination) -> Result<()> {
        let means = &self.means;
        let method = self.import_method.as_str();
        let remote = means.remote_region.is_some() && means.remote_image_id.is_some();
        let several = matches!(to, Destination::Several(_) | Destination::All);
        let wrong = [
            (
                method == "web-download" && means.uri.is_none(),
                "Provide URI for web-download import method.",
            ),
            (
                method != "web-download" && means.uri.is_some(),
                "Import method should be 'web-download' if URI is provided.",
            ),
            (
                method == "glance-download" && !remote,
                "Provide REMOTE_IMAGE_ID and remote-region for 'glance-download' import method.",
            ),
            (
                method != "glance-download" && means.remote_region.is_some(),
                "Import method should be 'glance-download' if REMOTE REGION is provided.",
            ),
            (
                method != "glance-download" && means.remote_image_id.is_some(),
                "Import method should be 'glance-download' if REMOTE IMAGE ID is provided.",
            ),
            (
                method == "copy-image" && !several,
                "Provide either --stores or --all-stores for 'copy-image' import method.",
            ),
        ];
        match wrong.into_iter().find(|(is, _)| *is) {
            Some((_, why)) => Err(Error::failed(why)),
            None => Ok(()),
        }
    }
}

/// Rejects an image whose status does not allow the import, in upstream's wording.
fn check_state(image: &Image, method: &str) -> Result<()> {
    if image.container_format.is_none() || image.disk_format.is_none() {
        return Err(Error::failed(
            "The 'container_format' and 'disk_format' properties must be set on an image before it can be imported.",
        ));
    }
    let (wanted, why) = match method {
        "glance-direct" => (
            ImageStatus::Uploading,
            "can only be applied to an image in status 'uploading'",
        ),
        "web-download" => (
            ImageStatus::Queued,
            "can only be applied to an image in status 'queued'",
        ),
        "copy-image" => (
            ImageStatus::Active,
            "can only be used on an image with status 'active'.",
        ),
        _ => return Ok(()),
    };
    if image.status == wanted {
        return Ok(());
    }
    let error = Error::failed(format!("The '{method}' import method {why}"));
    Err(match method {
        "glance-direct" if image.status == ImageStatus::Queued => error.hint(format!(
            "Stage the data first: glance image-stage --file FILE {}",
            image.id
        )),
        _ => error,
    })
}

impl Leaf<Session> for ImageImport {
    async fn run(mut self, session: &Session) -> Result<Outcome<'_>> {
        session.check_import()?;
        self.means = self.means.complete(session);
        let to = self.means.destination()?;
        let service = session.service().await?;
        self.means.check_stores(session, &to).await?;
        let method = self.import_method.as_str();
        if !ImportMethod::USUAL.contains(&method) {
            check_method(service, method).await?;
        }
        self.check_options(&to)?;
        let import = self.means.import(method, to);
        let wait = self.means.wait;
        match run(session, &self.image_id, import, wait, self.progress).await {
            Ok(outcome) => Ok(outcome),
            // Both upstream's client and the service load the image first.
            Err(error) if error.kind() == crate::ErrorKind::Conflict => {
                let image = service.get_image(&self.image_id).await?;
                check_state(&image, method)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// Upload data to the staging area, to be imported later.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageStage {
    /// ID of the image.
    image_id: String,
    /// File to upload; default: standard input.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Size in bytes, if it cannot be determined.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = values::int, allow_negative_numbers = true)]
    size: Option<i64>,
    /// Show a progress bar.
    #[arg(long)]
    progress: bool,
}

impl Leaf<Session> for ImageStage {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let Some(upload) = session.upload(self.file.as_deref(), self.progress)? else {
            return Err(Error::failed("no data to stage")
                .hint("Pass a file with --file, or pipe the data to standard input."));
        };
        let size = super::data::expected_size(self.size, &upload)?;
        let service = session.service().await?;
        service
            .stage_image(&self.image_id, staging(upload, size))
            .await?;
        Ok(Outcome::nothing())
    }
}

/// Show the available import methods.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportInfo {}

impl Leaf<Session> for ImportInfo {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(import_info(session.service().await?).await?))
    }
}

/// Lists the import methods.
async fn import_info(service: &dyn ImageService) -> Result<View<'static>> {
    let methods = json!({
        "description": "Import methods available.",
        "type": "array",
        "value": service.import_methods().await?,
    });
    let record = [("import-methods".to_string(), Cell::new(methods))];
    Ok(View::Record(record.into_iter().collect()))
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageCreateViaImport>(
        "image-create-via-import",
        "Create an image and import its data",
        Output::Plain,
    )
    .creating(),
    Row::of::<ImageImport>("image-import", "Import the data of an image", Output::Plain),
    Row::of::<ImageStage>(
        "image-stage",
        "Upload data to the staging area, to be imported later",
        Output::Plain,
    ),
    Row::of::<ImportInfo>(
        "import-info",
        "Show the available import methods",
        Output::Plain,
    ),
];
