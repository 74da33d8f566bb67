//! Images in the first grammar.

use std::path::PathBuf;

use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};

use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::ui::inline;
use crate::cli::values::{int, loose_bool, strict_bool};
use crate::model::schema::Allowed;
use crate::model::{
    Change, Direction, Fields, Image, ImageFilter, ImageQuery, MemberStatus, NewImage, SortKey,
};
use crate::ops::images::{self, Create, List, Reference};
use crate::ops::saving::{self, Target};
use crate::ops::{Outcome, views};
use crate::output::{Cell, Table, View};
use crate::{Error, ErrorKind, Result};

/// Attributes that the image schema gives options to.
#[derive(Debug, Clone, clap::Args)]
pub struct Attributes {
    /// Architecture of the operating system.
    #[arg(long, value_name = "ARCHITECTURE")]
    pub architecture: Option<String>,
    /// Whether to refuse to delete the image.
    #[arg(long, value_name = "True|False", value_parser = strict_bool)]
    pub protected: Option<bool>,
    /// Name for people.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Server that the image was made of.
    #[arg(long, value_name = "INSTANCE_UUID")]
    pub instance_uuid: Option<String>,
    /// GiB of disk needed to boot it.
    #[arg(long, value_name = "MIN_DISK", value_parser = int, allow_negative_numbers = true)]
    pub min_disk: Option<i64>,
    /// Who may see it: public, private, shared or community.
    #[arg(long, value_name = "VISIBILITY")]
    pub visibility: Option<String>,
    /// Image that holds the kernel, for disk images without one.
    #[arg(long, value_name = "KERNEL_ID")]
    pub kernel_id: Option<String>,
    /// Version of the operating system, in its distributor's words.
    #[arg(long, value_name = "OS_VERSION")]
    pub os_version: Option<String>,
    /// What the disk is written as: qcow2, raw, …
    #[arg(long, value_name = "DISK_FORMAT")]
    pub disk_format: Option<String>,
    /// Distribution of the operating system.
    #[arg(long, value_name = "OS_DISTRO")]
    pub os_distro: Option<String>,
    /// Project that owns it.
    #[arg(long, value_name = "OWNER")]
    pub owner: Option<String>,
    /// Image that holds the initial RAM disk, for disk images without one.
    #[arg(long, value_name = "RAMDISK_ID")]
    pub ramdisk_id: Option<String>,
    /// MiB of memory needed to boot it.
    #[arg(long, value_name = "MIN_RAM", value_parser = int, allow_negative_numbers = true)]
    pub min_ram: Option<i64>,
    /// What the disk is wrapped in: bare, ova, …
    #[arg(long, value_name = "CONTAINER_FORMAT")]
    pub container_format: Option<String>,
    /// Whether lists leave the image out.
    #[arg(long = "hidden", value_name = "True|False", value_parser = loose_bool())]
    pub os_hidden: Option<bool>,
    /// A property of your own; may be repeated.
    #[arg(long, value_name = "key=value")]
    pub property: Vec<String>,
}

impl Attributes {
    /// What was given, by the names of the API.
    ///
    /// # Errors
    /// `Failed` for a property without `=` and for a value that the schema refuses.
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
                .hint("Give properties as key=value.")
            })?;
            given.insert(name.to_string(), json!(value));
        }
        Ok(given)
    }
}

/// Refuses values that the image schema does, before anything is sent.
async fn check(session: &Session, given: &Map<String, Value>) -> Result<()> {
    let service = session.service().await?;
    let allowed = Allowed::of_schema(&service.schema("image").await?);
    for (name, value) in given {
        // What is read-only is the service's to refuse.
        if !crate::model::schema::attribute_named(name).is_some_and(|attribute| attribute.read_only)
        {
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

/// A new image.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "The Images API has one version left, 2 (--os-image-api-version).")]
pub struct ImageCreate {
    #[command(flatten)]
    attributes: Attributes,
    /// Words to attach.
    #[arg(long, value_name = "TAGS", num_args = 1.., action = clap::ArgAction::Set)]
    tags: Option<Vec<String>>,
    /// UUID it shall have.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// File with its data; without it, what is piped in.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Not allowed here: the size is found out.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = int, allow_negative_numbers = true)]
    size: Option<i64>,
    /// Show how the upload goes on.
    #[arg(long)]
    progress: bool,
    /// Store to put the data in [env OS_IMAGE_STORE].
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf for ImageCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let piped = session.is_piped();
        if self.file.is_some() || piped {
            let formats = [
                ("--disk-format", &self.attributes.disk_format),
                ("--container-format", &self.attributes.container_format),
            ];
            let missing: Vec<&str> = formats
                .iter()
                .filter(|(_, given)| given.is_none())
                .map(|(name, _)| *name)
                .collect();
            if !missing.is_empty() {
                let source = if self.file.is_some() {
                    "--file"
                } else {
                    "stdin"
                };
                return Err(Error::failed(format!(
                    "error: Must provide {} when using {source}.",
                    missing.join(", ")
                )));
            }
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
        let store = session.or_variable(self.store.as_deref(), "OS_IMAGE_STORE");
        if store.is_some() && self.file.is_none() && !piped {
            return Err(Error::failed(
                "--store option should only be provided with --file option or stdin.",
            ));
        }
        let mut upload = readable(session, self.file.as_deref(), self.progress)?;
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
        };
        let (image, failure) = images::create(service, request).await?;
        let failure = failure.map(|error| match error.hint_text() {
            Some(_) => error,
            None => error.hint(format!(
                "The image is left queued: glance image-upload --file FILE {}",
                image.id
            )),
        });
        Ok(Outcome::from(View::Record(views::glance_image(&image, false))).failing(failure))
    }
}

/// The data to upload, a file that cannot be read refused in the real client's words.
fn readable(
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

/// Changes to an image.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "The Images API has one version left, 2 (--os-image-api-version).")]
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

impl Leaf for ImageUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let given = self.attributes.collect()?;
        check(session, &given).await?;
        let service = session.service().await?;
        let image = images::find(service, Reference::Id(&self.id)).await?;
        let mut changes: Vec<Change> = Vec::new();
        for name in &self.remove_property {
            // What is not there need not be removed.
            if image.property(name).is_some() {
                changes.push(Change::remove(name.clone()));
            }
        }
        for (name, value) in given {
            let new = crate::model::schema::attribute_named(&name).is_none()
                && image.property(&name).is_none();
            changes.push(if new {
                Change::add(name, value)
            } else {
                Change::replace(name, value)
            });
        }
        let image = images::update(service, image, &changes).await?;
        Ok(Outcome::from(View::Record(views::glance_image(
            &image, false,
        ))))
    }
}

/// A list of images.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "The Images API has one version left, 2 (--os-image-api-version).")]
pub struct ImageList {
    /// At most so many images; 0 for all of them.
    #[arg(long, value_name = "LIMIT", value_parser = int, allow_negative_numbers = true)]
    limit: Option<i64>,
    /// How many to ask a server for at a time.
    #[arg(long, value_name = "SIZE", value_parser = int, allow_negative_numbers = true)]
    page_size: Option<i64>,
    /// Only images of this visibility.
    #[arg(long, value_name = "VISIBILITY")]
    visibility: Option<String>,
    /// Only shared images whose membership is pending, accepted, rejected, or all of them.
    #[arg(long, value_name = "MEMBER_STATUS")]
    member_status: Option<String>,
    /// Only images that this project owns.
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// Only images with this attribute or property; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    property_filter: Vec<String>,
    /// Only images with this md5.
    #[arg(long, value_name = "CHECKSUM")]
    checksum: Option<String>,
    /// Only images with this secure hash.
    #[arg(long, value_name = "HASH_VALUE")]
    hash: Option<String>,
    /// Only images with this tag; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Sort by this; may be repeated.
    #[arg(long, value_parser = ["name", "status", "container_format", "disk_format", "size", "id", "created_at",
        "updated_at"], hide_possible_values = true)]
    sort_key: Vec<String>,
    /// Which way: asc or desc; may be repeated.
    #[arg(long, value_parser = ["asc", "desc"], hide_possible_values = true)]
    sort_dir: Vec<String>,
    /// Sort by these keys, each with its direction behind a colon.
    #[arg(long, value_name = "key>[:<direction")]
    sort: Option<String>,
    /// Only hidden images.
    #[arg(long, value_name = "True|False", num_args = 0..=1, default_missing_value = "True",
        value_parser = loose_bool())]
    hidden: Option<bool>,
    /// Show the stores that hold each image.
    #[arg(long, value_name = "True|False", num_args = 0..=1, default_missing_value = "True",
        value_parser = loose_bool())]
    include_stores: Option<bool>,
}

impl Leaf for ImageList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut columns = vec!["ID", "Name"];
        let mut fields = Fields::SHORT;
        if session.globals.given("verbose") {
            columns.extend(["Disk_format", "Container_format", "Size", "Status", "Owner"]);
            fields.attributes = true;
        }
        if self.include_stores == Some(true) {
            columns.push("Stores");
            fields.locations = true;
        }
        let query = self.query(fields)?;
        let names: Vec<String> = columns.iter().map(|column| column.to_lowercase()).collect();
        let request = List {
            query,
            sort: Vec::new(),
            property_filter: Vec::new(),
        };
        let rows = images::list(session.service().await?, request)
            .map_ok(move |images| images.iter().map(|image| row(image, &names)).collect());
        Ok(Outcome::from(View::Table(
            Table::new(columns, Box::pin(rows)).blank_falsy(),
        )))
    }
}

/// What the first grammar's lists show of an image.
fn row(image: &Image, names: &[String]) -> Vec<Cell> {
    let cell = |name: &String| match name.as_str() {
        "id" => json!(image.id),
        "name" => json!(image.name),
        "disk_format" => json!(image.disk_format),
        "container_format" => json!(image.container_format),
        "size" => json!(image.size),
        "status" => json!(image.status.name()),
        "owner" => json!(image.owner),
        _ => json!(image.stores.as_ref().map(|stores| stores.join(","))),
    };
    names.iter().map(|name| Cell::new(cell(name))).collect()
}

impl ImageList {
    fn query(&self, fields: Fields) -> Result<ImageQuery> {
        let mut filter = ImageFilter {
            visibility: self.visibility.clone(),
            hidden: self.hidden == Some(true),
            tags: self.tag.clone(),
            ..ImageFilter::default()
        };
        let given = [
            ("owner", &self.owner),
            ("checksum", &self.checksum),
            ("os_hash_value", &self.hash),
        ];
        for (name, value) in given {
            filter
                .attributes
                .extend(value.clone().map(|value| (name.to_string(), value)));
        }
        for pair in &self.property_filter {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::failed(
                    "Argument --property-filter expected properties in the format KEY=VALUE",
                )
            })?;
            match name {
                "visibility" => filter.visibility = Some(value.to_string()),
                "os_hidden" => filter.hidden = value.eq_ignore_ascii_case("true"),
                "tag" => filter.tags.push(value.to_string()),
                _ => filter
                    .attributes
                    .push((name.to_string(), value.to_string())),
            }
        }
        let member_status = match self.member_status.as_deref() {
            None => MemberStatus::default(),
            Some(status) => MemberStatus::parse(status)
                .ok_or_else(|| Error::invalid(format!("Invalid status: {status}")))?,
        };
        let positive = |number: Option<i64>| match number.map(u64::try_from) {
            Some(Err(_)) => Err(Error::invalid("limit param must be positive")),
            Some(Ok(number)) => Ok(Some(number).filter(|number| *number > 0)),
            None => Ok(None),
        };
        let (limit, page_size) = (positive(self.limit)?, positive(self.page_size)?);
        Ok(ImageQuery {
            filter,
            member_status,
            sort: self.sort()?,
            limit,
            marker: None,
            fields,
            page_size,
        })
    }

    fn sort(&self) -> Result<Vec<(SortKey, Direction)>> {
        let direction = |word: &str| {
            if word == "desc" {
                Direction::Descending
            } else {
                Direction::Ascending
            }
        };
        if let Some(sort) = &self.sort {
            if !self.sort_key.is_empty() || !self.sort_dir.is_empty() {
                return Err(Error::failed(
                    "HTTP The 'sort' argument is not supported with 'sort_key' or 'sort_dir'.",
                ));
            }
            return sort.trim().split(',').map(sort_part).collect();
        }
        if self.sort_key.is_empty() && self.sort_dir.is_empty() {
            return Ok(vec![(SortKey::Name, Direction::Ascending)]);
        }
        let mut keys: Vec<SortKey> = self
            .sort_key
            .iter()
            .filter_map(|key| SortKey::parse(key))
            .collect();
        if self.sort_dir.len() > 1 && self.sort_dir.len() != keys.len() {
            return Err(Error::failed(
                "HTTP Unexpected number of sort directions: either provide a single sort direction or an equal number \
                 of sort keys and sort directions.",
            ));
        }
        if keys.is_empty() {
            keys.push(SortKey::CreatedAt);
        }
        let one = self
            .sort_dir
            .first()
            .map_or(Direction::Descending, |word| direction(word));
        let each = keys.iter().enumerate().map(|(place, key)| {
            (
                *key,
                self.sort_dir.get(place).map_or(one, |word| direction(word)),
            )
        });
        Ok(each.collect())
    }
}

/// `name:desc`; without a direction the service's, which is descending.
fn sort_part(part: &str) -> Result<(SortKey, Direction)> {
    let (key, direction) = part.split_once(':').unwrap_or((part, ""));
    let direction = match direction {
        "" | "desc" => Direction::Descending,
        "asc" => Direction::Ascending,
        other => {
            return Err(Error::failed(format!(
                "HTTP Invalid sort direction: {other}. It must be one of the following: asc, desc."
            )));
        }
    };
    let known = SortKey::ALL.map(SortKey::name).join(", ");
    let key = SortKey::parse(key).ok_or_else(|| {
        Error::failed(format!(
            "HTTP Invalid sort key: {key}. It must be one of the following: {known}."
        ))
    })?;
    Ok((key, direction))
}

/// One image.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "The Images API has one version left, 2 (--os-image-api-version).")]
pub struct ImageShow {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Show its size in larger units.
    #[arg(long)]
    human_readable: bool,
    /// Widest a column may be before its text is wrapped.
    #[arg(
        long,
        value_name = "integer",
        default_value = "80",
        hide_default_value = true
    )]
    max_column_width: String,
}

impl Leaf for ImageShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let image = images::find(session.service().await?, Reference::Id(&self.id)).await?;
        if int(&self.max_column_width).is_err() {
            let wrong = format!(
                "invalid literal for int() with base 10: '{}'",
                self.max_column_width
            );
            return Err(Error::failed(wrong).hint("Give --max-column-width a whole number."));
        }
        Ok(Outcome::from(View::Record(views::glance_image(
            &image,
            self.human_readable,
        ))))
    }
}

/// Images to delete.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDelete {
    /// IDs of the images.
    #[arg(value_name = "IMAGE_ID", required = true, num_args = 1..)]
    ids: Vec<String>,
}

impl Leaf for ImageDelete {
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
            let reason = error.hint_text().unwrap_or(error.message()).to_string();
            let failure = Error::failed(message);
            let plain = error.kind() == ErrorKind::NotFound;
            failures.push(if plain { failure } else { failure.hint(reason) });
        }
        Ok(Outcome::nothing().failing(failures))
    }
}

/// An image whose data is wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDownload {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// Verify by md5 where the secure hash is unknown here [env OS_IMAGE_ALLOW_MD5_FALLBACK].
    #[arg(long)]
    allow_md5_fallback: bool,
    /// File to save the data to; without it, standard output.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show how the download goes on.
    #[arg(long)]
    progress: bool,
    /// Stores to try first, separated by commas.
    #[arg(long, value_name = "STORES")]
    prefer: Option<String>,
}

impl Leaf for ImageDownload {
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
        let opened = session.service().await?.open_image(&self.id, &prefer).await;
        let bytes = opened.map_err(|error| match error.kind().status() {
            Some(_) => {
                let text = inline(session.grammar, &error);
                let failed =
                    Error::failed(format!("Unable to download image '{}'. ({text})", self.id));
                match error.hint_text() {
                    Some(hint) => failed.hint(hint),
                    None => failed,
                }
            }
            None => error,
        })?;
        let Some(source) = bytes.source else {
            return Err(Error::failed(format!("Image {} has no data.", self.id)));
        };
        let target = match self.file {
            Some(path) => Target::File {
                path,
                sparse: session.globals.given("sparse"),
            },
            None => Target::Output,
        };
        let allow = self.allow_md5_fallback
            || session
                .environment
                .get("OS_IMAGE_ALLOW_MD5_FALLBACK")
                .is_some();
        saving::save(
            &bytes.image,
            source,
            target,
            allow,
            session.transfer(self.progress),
        )
        .await?;
        Ok(Outcome::nothing())
    }
}

/// Data for an image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageUpload {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// File with its data; without it, what is piped in.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Bytes there will be, when that cannot be found out.
    #[arg(long, value_name = "IMAGE_SIZE", value_parser = int, allow_negative_numbers = true)]
    size: Option<i64>,
    /// Show how the upload goes on.
    #[arg(long)]
    progress: bool,
    /// Store to put the data in [env OS_IMAGE_STORE].
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf for ImageUpload {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let store = session.or_variable(self.store.as_deref(), "OS_IMAGE_STORE");
        session.check_store(store.as_deref()).await?;
        let Some(mut upload) = session.upload(self.file.as_deref(), self.progress)? else {
            return Err(Error::failed("there is no data to upload")
                .hint("Name a file with --file, or pipe it in."));
        };
        upload.store = store;
        if let Some(size) = self.size.filter(|size| *size != 0) {
            let size = u64::try_from(size)
                .map_err(|_| Error::failed(format!("--size {size} is below zero")))?;
            if let Some(actual) = upload.source.size().filter(|actual| *actual != size) {
                return Err(Error::failed(format!(
                    "Size mismatch: provided size {size} does not match the size of the image {actual}"
                )));
            }
            upload.size = Some(size);
        }
        session
            .service()
            .await?
            .upload_image(&self.id, upload)
            .await?;
        Ok(Outcome::nothing())
    }
}

/// An image to deactivate.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDeactivate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
}

impl Leaf for ImageDeactivate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.service().await?.deactivate_image(&self.id).await?;
        Ok(Outcome::nothing())
    }
}

/// An image to reactivate.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageReactivate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
}

impl Leaf for ImageReactivate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        session.service().await?.reactivate_image(&self.id).await?;
        Ok(Outcome::nothing())
    }
}

/// A tag to attach.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTagUpdate {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// The tag.
    #[arg(value_name = "TAG_VALUE")]
    tag: String,
}

impl Leaf for ImageTagUpdate {
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

/// A tag to take off.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageTagDelete {
    /// ID of the image.
    #[arg(value_name = "IMAGE_ID")]
    id: String,
    /// The tag.
    #[arg(value_name = "TAG_VALUE")]
    tag: String,
}

impl Leaf for ImageTagDelete {
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

/// A model of the API.
#[derive(Debug, Clone, clap::Args)]
pub struct Explain {
    /// Name of the model: image, images.
    #[arg(value_name = "MODEL")]
    model: String,
}

impl Leaf for Explain {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        Ok(Outcome::from(
            crate::ops::stores::explain(session.service().await?, &self.model).await?,
        ))
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::of::<ImageCreate>(
        "image-create",
        "Make an image, with or without data",
        Output::Plain,
    ),
    Row::of::<ImageUpdate>("image-update", "Change an image", Output::Plain),
    Row::of::<ImageList>("image-list", "List the images you may see", Output::Plain),
    Row::of::<ImageShow>("image-show", "Show an image", Output::Plain),
    Row::of::<ImageDelete>("image-delete", "Delete images", Output::Plain),
    Row::of::<ImageDownload>("image-download", "Save the data of an image", Output::Plain),
    Row::of::<ImageUpload>("image-upload", "Store data for an image", Output::Plain),
    Row::of::<ImageDeactivate>(
        "image-deactivate",
        "Keep everyone but administrators from the data",
        Output::Plain,
    ),
    Row::of::<ImageReactivate>(
        "image-reactivate",
        "Let everyone at the data again",
        Output::Plain,
    ),
    Row::of::<ImageTagUpdate>(
        "image-tag-update",
        "Attach a tag to an image",
        Output::Plain,
    ),
    Row::of::<ImageTagDelete>("image-tag-delete", "Take a tag off an image", Output::Plain),
    Row::of::<Explain>("explain", "Explain a model of the API", Output::Plain),
];
