//! Image records in the first grammar.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::data::open_upload;
use super::views;
use crate::cli::command::globals::keys;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::{int, loose_bool, status, strict_bool};
use crate::cli::run::hints::takes_an_id;
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::model::schema::{Allowed, attribute_named, is_uuid};
use crate::model::{Change, ImageStatus, NewImage};
use crate::ops::Outcome;
use crate::ops::images::{self, Create, Reference};
use crate::output::View;
use crate::{Error, ErrorKind, Result};

/// Options that set attributes from the image schema.
#[derive(Debug, Clone, clap::Args)]
pub struct Attributes {
    /// Operating system architecture.
    #[arg(long, value_name = "ARCHITECTURE")]
    pub architecture: Option<String>,
    /// Prevent the image from being deleted.
    #[arg(long, value_name = "True|False", value_parser = strict_bool)]
    pub protected: Option<bool>,
    /// Display name.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// ID of the server the image was created from.
    #[arg(long, value_name = "INSTANCE_UUID")]
    pub instance_uuid: Option<String>,
    /// Minimum disk size to boot the image, in GiB.
    #[arg(long, value_name = "MIN_DISK", value_parser = int, allow_negative_numbers = true)]
    pub min_disk: Option<i64>,
    /// Visibility: public, private, shared or community.
    #[arg(long, value_name = "VISIBILITY")]
    pub visibility: Option<String>,
    /// ID of the image with the kernel (AMI-style images).
    #[arg(long, value_name = "KERNEL_ID")]
    pub kernel_id: Option<String>,
    /// Operating system version, as specified by the distributor.
    #[arg(long, value_name = "OS_VERSION")]
    pub os_version: Option<String>,
    /// Disk format, such as qcow2 or raw
    #[arg(long, value_name = "DISK_FORMAT")]
    pub disk_format: Option<String>,
    /// Name of the operating system distribution.
    #[arg(long, value_name = "OS_DISTRO")]
    pub os_distro: Option<String>,
    /// Project that owns the image.
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,
    /// ID of the image with the RAM disk (AMI-style images).
    #[arg(long, value_name = "RAMDISK_ID")]
    pub ramdisk_id: Option<String>,
    /// Minimum memory to boot the image, in MiB.
    #[arg(long, value_name = "MIN_RAM", value_parser = int, allow_negative_numbers = true)]
    pub min_ram: Option<i64>,
    /// Container format, such as bare or ova
    #[arg(long, value_name = "CONTAINER_FORMAT")]
    pub container_format: Option<String>,
    /// Hide the image from listings.
    #[arg(long = "hidden", value_name = "True|False", value_parser = loose_bool())]
    pub os_hidden: Option<bool>,
    /// Property to set; may be repeated.
    #[arg(long, value_name = "key=value")]
    pub property: Vec<String>,
}

impl Attributes {
    /// Returns the given values by their API names.
    ///
    /// # Errors
    /// `Failed` for a property without `=` and for a value that the schema rejects.
    fn collect(&self) -> Result<Map<String, Value>> {
        let mut given = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                given.insert(name.to_string(), value);
            }
        };
        let text = |value: &Option<String>| value.as_deref().map(Value::from);
        set("architecture", text(&self.architecture));
        set("protected", self.protected.map(Value::from));
        set("name", text(&self.name));
        set("instance_uuid", text(&self.instance_uuid));
        set("min_disk", self.min_disk.map(Value::from));
        set("visibility", text(&self.visibility));
        set("kernel_id", text(&self.kernel_id));
        set("os_version", text(&self.os_version));
        set("disk_format", text(&self.disk_format));
        set("os_distro", text(&self.os_distro));
        set("owner", text(&self.owner));
        set("ramdisk_id", text(&self.ramdisk_id));
        set("min_ram", self.min_ram.map(Value::from));
        set("container_format", text(&self.container_format));
        set("os_hidden", self.os_hidden.map(Value::from));
        for datum in &self.property {
            let (name, value) = datum.split_once('=').ok_or_else(|| {
                Error::failed(format!(
                    "--property {datum}: not enough values to unpack (expected 2, got 1)"
                ))
                .hint("Pass properties as key=value.")
            })?;
            given.insert(name.to_string(), json!(value));
        }
        Ok(given)
    }
}

/// Rejects values that violate the image schema before a request is sent. The service's schema is fetched only
/// if a value is not a usual one or `--get-schema` is given.
pub(super) async fn check(session: &Session, given: &Map<String, Value>) -> Result<()> {
    let ask = session.globals.is_set(keys::GET_SCHEMA);
    if !ask && check_against(&Allowed::usual(), given).is_ok() {
        return Ok(());
    }
    let service = session.service().await?;
    let allowed = Allowed::of_schema(&service.schema("image").await?);
    check_against(&allowed, given)
}

fn check_against(allowed: &Allowed, given: &Map<String, Value>) -> Result<()> {
    for (name, value) in given {
        // Read-only attributes are rejected by the service.
        if !attribute_named(name).is_some_and(|attribute| attribute.read_only) {
            let refused = |why| {
                Error::failed(format!(
                    "Unable to set '{name}' to '{}'. Reason: {why}",
                    plain(value)
                ))
            };
            allowed.check(name, value).map_err(refused)?;
        }
    }
    Ok(())
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_string)
}

/// Options of both commands that create an image.
#[derive(Debug, Clone, clap::Args)]
pub struct Creation {
    #[command(flatten)]
    attributes: Attributes,
    /// Tags.
    #[arg(long, value_name = "TAGS", num_args = 1.., action = clap::ArgAction::Set)]
    tags: Option<Vec<String>>,
    /// UUID to assign.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// File to upload; default: standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Not supported when creating an image.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = int, allow_negative_numbers = true)]
    size: Option<i64>,
    /// Show a progress bar.
    #[arg(long)]
    pub(super) progress: bool,
}

impl Creation {
    /// Returns the given values by their API names. `sources` are the possible data sources, each with whether
    /// it is used.
    ///
    /// # Errors
    /// `Failed` for data without formats; the errors of [`Attributes::collect`].
    pub(super) fn collect(&self, sources: &[(&str, bool)]) -> Result<Map<String, Value>> {
        let formats = [
            ("--disk-format", &self.attributes.disk_format),
            ("--container-format", &self.attributes.container_format),
        ];
        let missing = formats.iter().filter(|(_, given)| given.is_none());
        let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
        let source = sources.iter().find(|(_, given)| *given);
        if let (Some((source, _)), false) = (source, missing.is_empty()) {
            return Err(Error::failed(format!(
                "error: Must provide {} when using {source}.",
                missing.join(", ")
            )));
        }
        let mut given = self.attributes.collect()?;
        if let Some(id) = &self.id {
            given.insert("id".to_string(), json!(id));
        }
        if let Some(tags) = &self.tags {
            given.insert("tags".to_string(), json!(tags));
        }
        if self.size.is_some() {
            return Err(Error::failed(
                "Setting 'size' during image creation is not supported. Please use --size only when uploading data.",
            ));
        }
        Ok(given)
    }
}

/// Arguments of `image-create`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Version 2 is the only supported version of the Images API (--os-image-api-version)."
)]
pub struct ImageCreate {
    #[command(flatten)]
    new: Creation,
    /// Store to upload to [env OS_IMAGE_STORE].
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf<Session> for ImageCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let piped = session.is_piped();
        let file = self.new.file.as_deref();
        let sources = [("--file", file.is_some()), ("stdin", piped)];
        let given = self.new.collect(&sources)?;
        let store = session.or_variable(self.store.as_deref(), "OS_IMAGE_STORE");
        if store.is_some() && file.is_none() && !piped {
            return Err(Error::failed(
                "--store option should only be provided with --file option or stdin.",
            ));
        }
        let mut upload = open_upload(session, file, self.new.progress)?;
        if let Some(upload) = &mut upload {
            upload.store.clone_from(&store);
        }
        session.check_store(store.as_deref()).await?;
        check(session, &given).await?;
        let service = session.service().await?;
        let request = Create {
            image: NewImage { attributes: given },
            upload,
            undo: false,
            import: false,
        };
        let has_data = request.upload.is_some();
        let began = Instant::now();
        let (image, failure) = images::create(service, request).await?;
        let size = image.size.filter(|_| has_data && failure.is_none());
        let summary = session.stored_notice(self.new.progress, size, began);
        let failure = failure.map(|error| {
            error.hint(format!(
                "The image stays queued. To upload its data, run: glance image-upload --file FILE {}",
                image.id
            ))
        });
        let view = View::Record(views::image(&image, false));
        Ok(Outcome {
            notices: summary.into_iter().collect(),
            ..Outcome::from(view).failing(failure)
        })
    }
}

/// Arguments of `image-update`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Version 2 is the only supported version of the Images API (--os-image-api-version)."
)]
pub struct ImageUpdate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    #[command(flatten)]
    attributes: Attributes,
    /// Property to remove; may be repeated.
    #[arg(long, value_name = "key")]
    remove_property: Vec<String>,
}

impl Leaf<Session> for ImageUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let given = self.attributes.collect()?;
        check(session, &given).await?;
        let service = session.service().await?;
        let image = images::find(service, Reference::Id(&self.id)).await?;
        let mut changes: Vec<Change> = Vec::new();
        for name in &self.remove_property {
            // Missing properties need not be removed; a property that is also set stays. Base attributes always
            // exist, so the service rejects their removal.
            let is_there = image.property(name).is_some() || attribute_named(name).is_some();
            if is_there && !given.contains_key(name) {
                changes.push(Change::remove(name.clone()));
            }
        }
        for (name, value) in given {
            let new = attribute_named(&name).is_none() && image.property(&name).is_none();
            changes.push(if new {
                Change::add(name, value)
            } else {
                Change::replace(name, value)
            });
        }
        let image = images::update(service, image, &changes).await?;
        Ok(Outcome::from(View::Record(views::image(&image, false))))
    }
}

/// Arguments of `image-show`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Version 2 is the only supported version of the Images API (--os-image-api-version)."
)]
pub struct ImageShow {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Print the size in a human-readable format.
    #[arg(long)]
    human_readable: bool,
    /// Maximum width of a column, in characters; longer text is wrapped.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true
    )]
    max_column_width: String,
    /// Wait until the image has this status.
    #[arg(long, value_name = "STATUS", value_parser = status, hide = true)]
    wait_for: Option<ImageStatus>,
}

impl Leaf<Session> for ImageShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = match self.wait_for {
            Some(status) => {
                let reference = Reference::Id(&self.id);
                session.wait_for(reference, status).await?
            }
            None => images::find(service, Reference::Id(&self.id)).await?,
        };
        if int(&self.max_column_width).is_err() {
            let wrong = format!(
                "invalid literal for int() with base 10: '{}'",
                self.max_column_width
            );
            return Err(Error::failed(wrong).hint("Pass a whole number to --max-column-width."));
        }
        Ok(Outcome::from(View::Record(views::image(
            &image,
            self.human_readable,
        ))))
    }
}

/// Arguments of `image-delete`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDelete {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    ids: Vec<String>,
}

impl Leaf<Session> for ImageDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let mut failures = Vec::new();
        for id in &self.ids {
            let Err(error) = service.delete_image(id).await else {
                continue;
            };
            let message = match error.kind() {
                ErrorKind::Forbidden => {
                    format!("You are not permitted to delete the image '{id}'.")
                }
                ErrorKind::NotFound => format!("No image with an ID of '{id}' exists."),
                ErrorKind::Conflict => {
                    format!("Unable to delete image '{id}' because it is in use.")
                }
                ErrorKind::Interrupted => return Err(error),
                _ => format!(
                    "'{}': Unable to delete image '{id}'",
                    inline(session.grammar, &error)
                ),
            };
            let failure = Error::failed(message);
            failures.push(match error.kind() {
                ErrorKind::NotFound if is_uuid(id) => failure,
                ErrorKind::NotFound => failure.hint(takes_an_id("image-delete", id)),
                // Their messages do not have the reason.
                ErrorKind::Forbidden | ErrorKind::Conflict if error.hints().is_empty() => {
                    failure.hint(error.message())
                }
                _ => failure.hints_of(&error),
            });
        }
        Ok(Outcome::nothing().failing(failures))
    }
}

/// Arguments of `image-deactivate`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDeactivate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
}

impl Leaf<Session> for ImageDeactivate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.service().await?.deactivate_image(&self.id).await?;
        Ok(Outcome::nothing())
    }
}

/// Arguments of `image-reactivate`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageReactivate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
}

impl Leaf<Session> for ImageReactivate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.service().await?.reactivate_image(&self.id).await?;
        Ok(Outcome::nothing())
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageCreate>(
        "image-create",
        "Create an image, optionally with data",
        Output::Plain,
    )
    .creating(),
    Row::of::<ImageUpdate>("image-update", "Update an image", Output::Plain),
    Row::of::<ImageShow>("image-show", "Show an image", Output::Plain),
    Row::of::<ImageDelete>("image-delete", "Delete images", Output::Plain),
    Row::of::<ImageDeactivate>(
        "image-deactivate",
        "Deactivate an image (downloads by administrators only)",
        Output::Plain,
    ),
    Row::of::<ImageReactivate>("image-reactivate", "Reactivate an image", Output::Plain),
];
