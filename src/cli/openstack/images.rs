//! Images in the second grammar.

use std::path::{Path, PathBuf};

use clap::ArgGroup;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::ui::inline;
use crate::cli::values::{int, key_value, non_negative};
use crate::data::Source;
use crate::model::{
    Change, Direction, Fields, Image, ImageFilter, ImageQuery, MemberStatus, NewImage,
};
use crate::ops::images::{self, Create, List, Reference};
use crate::ops::saving::{self, Target, Verified};
use crate::ops::{Outcome, views};
use crate::output::{Cell, Table, View};
use crate::{Error, ErrorKind, Result};

/// What `--disk-format` takes: the real client's words, and luks.
const DISK_FORMATS: [&str; 12] = [
    "ami", "ari", "aki", "vhd", "vmdk", "raw", "qcow2", "vhdx", "vdi", "iso", "ploop", "luks",
];

/// What `--container-format` takes: the real client's words, and compressed.
const CONTAINER_FORMATS: [&str; 8] = [
    "ami",
    "ari",
    "aki",
    "bare",
    "docker",
    "ova",
    "ovf",
    "compressed",
];

/// Whether an image may be deleted.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "protection", multiple = false)]
struct Protection {
    /// Refuse to delete the image.
    #[arg(long, conflicts_with = "unprotected")]
    protected: bool,
    /// Allow to delete the image.
    #[arg(long)]
    unprotected: bool,
}

impl Protection {
    fn wanted(&self) -> Option<bool> {
        chosen(self.protected, self.unprotected)
    }
}

/// Of two flags that exclude each other: true for the first, false for the second.
fn chosen(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Who may see an image.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
#[group(id = "seen-by", multiple = false)]
struct Visible {
    /// Everyone sees it.
    #[arg(long, conflicts_with_all = ["private", "community", "shared"])]
    public: bool,
    /// Its project sees it (--os-image-api-version 2.5 made shared the default).
    #[arg(long, conflicts_with_all = ["community", "shared"])]
    private: bool,
    /// Everyone who knows it sees it; it is listed for its project.
    #[arg(long, conflicts_with_all = ["shared"])]
    community: bool,
    /// Its project and its members see it.
    #[arg(long)]
    shared: bool,
}

impl Visible {
    fn wanted(&self) -> Option<&'static str> {
        let words = [
            (self.public, "public"),
            (self.private, "private"),
            (self.community, "community"),
            (self.shared, "shared"),
        ];
        words
            .into_iter()
            .find(|(given, _)| *given)
            .map(|(_, word)| word)
    }
}

/// Refuses options of the Images API v1.
fn refuse_dead(options: &[(&str, &Option<String>)]) -> Result<()> {
    match options.iter().find(|(_, given)| given.is_some()) {
        Some((name, _)) => Err(Error::failed(format!(
            "ERROR: --{name} was given, which is an Image v1 option that is no longer supported in Image v2"
        ))),
        None => Ok(()),
    }
}

/// A new image.
#[derive(Debug, Clone, clap::Args)]
#[command(group = ArgGroup::new("data").args(["file", "volume"]).multiple(false))]
pub struct ImageCreate {
    /// Name of the image.
    #[arg(value_name = "image-name")]
    name: String,
    /// UUID it shall have.
    #[arg(long, value_name = "id")]
    id: Option<String>,
    /// What the disk is wrapped in; bare unless told otherwise.
    #[arg(long, value_name = "container-format", value_parser = CONTAINER_FORMATS, hide_possible_values = true)]
    container_format: Option<String>,
    /// What the disk is written as; raw unless told otherwise.
    #[arg(long, value_name = "disk-format", value_parser = DISK_FORMATS, hide_possible_values = true)]
    disk_format: Option<String>,
    /// GiB of disk needed to boot it.
    #[arg(long, value_name = "disk-gb", value_parser = int, allow_negative_numbers = true)]
    min_disk: Option<i64>,
    /// MiB of memory needed to boot it.
    #[arg(long, value_name = "ram-mb", value_parser = int, allow_negative_numbers = true)]
    min_ram: Option<i64>,
    /// Bytes there will be, when that cannot be found out.
    #[arg(long, value_name = "size", value_parser = image_size, allow_negative_numbers = true)]
    size: Option<u64>,
    /// File with its data; without it, what is piped in.
    #[arg(long, value_name = "file", conflicts_with = "volume")]
    file: Option<PathBuf>,
    /// Volume to make it of (needs a block storage service).
    #[arg(long, value_name = "volume")]
    volume: Option<String>,
    /// Take the volume although it is in use.
    #[arg(long)]
    force: bool,
    /// Show how the upload goes on.
    #[arg(long)]
    progress: bool,
    /// Private key to sign the data with.
    #[arg(long, value_name = "sign-key-path")]
    sign_key_path: Option<PathBuf>,
    /// Certificate to verify that signature by (UUID in the key manager).
    #[arg(long, value_name = "sign-cert-id")]
    sign_cert_id: Option<String>,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    visible: Visible,
    /// A property; may be repeated.
    #[arg(long, value_name = "key=value", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// A tag; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// Project that shall own it.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Let the service import the data.
    #[arg(long)]
    import: bool,
    /// Domain of that project.
    #[arg(long, value_name = "project-domain")]
    project_domain: Option<String>,
    #[arg(long, hide = true)]
    location: Option<String>,
    #[arg(long, hide = true)]
    copy_from: Option<String>,
    #[arg(long, hide = true)]
    checksum: Option<String>,
    #[arg(long, hide = true)]
    store: Option<String>,
}

fn image_size(text: &str) -> std::result::Result<u64, String> {
    let size =
        int(text).map_err(|_| format!("'{text}' is not a valid size (use a positive integer)"))?;
    u64::try_from(size)
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| "Size must be a positive integer".to_string())
}

impl Leaf for ImageCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        refuse_dead(&[
            ("location", &self.location),
            ("copy-from", &self.copy_from),
            ("checksum", &self.checksum),
            ("store", &self.store),
        ])?;
        self.refuse_unbuilt()?;
        if self.name.is_empty() {
            return Err(Error::failed("an image made by this command needs a name"));
        }
        let piped = session.is_piped();
        if self.size.is_some() && self.file.is_none() && !piped {
            return Err(Error::failed(
                "--size requires image data via --file or stdin",
            ));
        }
        let mut upload = session
            .upload(self.file.as_deref(), self.progress)
            .map_err(|error| match &self.file {
                Some(path) if !path.exists() => {
                    Error::failed(format!("'{}' is not a valid file", path.display()))
                        .because(error)
                }
                _ => error,
            })?;
        if let Some(upload) = &mut upload {
            upload.size = self.size;
        }
        let mut notices = Vec::new();
        let mut name = self.name.clone();
        // openstacksdk takes a name that is a file's for that file.
        let file = Path::new(&self.name);
        if upload.is_none() && file.is_file() {
            upload = Some(session.upload_of(Source::open(file)?, self.progress));
            name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            notices.push(format!(
                "Uploading the file {} as image {name}.",
                file.display()
            ));
        }
        let service = session.service().await?;
        let request = Create {
            image: self.new_image(&name)?,
            upload,
            undo: true,
        };
        let (image, failure) = images::create(service, request).await?;
        let view = View::Record(views::openstack_image(&image, false));
        Ok(Outcome {
            notices,
            ..Outcome::from(view).failing(failure)
        })
    }
}

impl ImageCreate {
    /// What needs another service, or comes with a later version.
    fn refuse_unbuilt(&self) -> Result<()> {
        let unbuilt = [
            (
                self.volume.is_some(),
                "--volume needs a block storage service",
            ),
            (
                self.sign_key_path.is_some() || self.sign_cert_id.is_some(),
                "signing needs a key manager",
            ),
            (self.import, "--import comes with the import commands"),
        ];
        match unbuilt.into_iter().find(|(given, _)| *given) {
            Some((_, why)) => Err(Error::failed(format!(
                "{why}, which this version does not have"
            ))),
            None => Ok(()),
        }
    }

    /// The image as openstacksdk would ask for it: with its three marks of where it came from.
    fn new_image(&self, name: &str) -> Result<NewImage> {
        let mut image = NewImage::default();
        image.set("name", name);
        if let Some(id) = &self.id {
            image.set("id", id.as_str());
        }
        image.set(
            "container_format",
            self.container_format.as_deref().unwrap_or("bare"),
        );
        image.set("disk_format", self.disk_format.as_deref().unwrap_or("raw"));
        for (name, number) in [("min_disk", self.min_disk), ("min_ram", self.min_ram)] {
            if let Some(number) = number.filter(|number| *number != 0) {
                image.set(name, number);
            }
        }
        if !self.tag.is_empty() {
            image.set("tags", self.tag.clone());
        }
        for (name, value) in &self.property {
            image.set(name, typed(name, value)?);
        }
        if let Some(protected) = self.protection.wanted() {
            image.set("protected", protected);
        }
        if let Some(visibility) = self.visible.wanted() {
            image.set("visibility", visibility);
        }
        if let Some(project) = &self.project {
            image.set("owner", project.as_str());
        }
        image.set("owner_specified.openstack.md5", "");
        image.set("owner_specified.openstack.sha256", "");
        image.set("owner_specified.openstack.object", format!("images/{name}"));
        Ok(image)
    }
}

/// A property's value as openstacksdk sends it: a few are numbers, the rest text.
fn typed(name: &str, value: &str) -> Result<Value> {
    match name {
        "min_disk" | "min_ram" | "size" | "virtual_size" => int(value)
            .map(Value::from)
            .map_err(|why| Error::failed(format!("--property {name}={value}: {why}"))),
        _ => Ok(json!(value)),
    }
}

/// Images to delete.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDelete {
    /// Names or ids of the images.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    images: Vec<String>,
    /// Delete only the copy in this store.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf for ImageDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        if self.store.is_some() {
            return Err(Error::failed(
                "deleting the copy in one store comes with the store commands",
            ));
        }
        let service = session.service().await?;
        let mut failures = Vec::new();
        for word in &self.images {
            let deleted = async {
                let image = images::find(service, Reference::IdOrName(word)).await?;
                service.delete_image(&image.id).await
            };
            let Err(error) = deleted.await else { continue };
            if error.kind() == ErrorKind::Interrupted {
                return Err(error);
            }
            let why = inline(session.grammar, &error);
            let failure = Error::failed(format!(
                "Failed to delete image with name or ID '{word}': {why}"
            ));
            failures.push(match error.hint_text() {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        }
        if !failures.is_empty() {
            let (failed, total) = (failures.len(), self.images.len());
            failures.push(Error::failed(format!(
                "Failed to delete {failed} of {total} images."
            )));
        }
        Ok(Outcome::nothing().failing(failures))
    }
}

/// A list of images.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
pub struct ImageList {
    /// Only public images.
    #[arg(long, conflicts_with_all = ["private", "community", "shared", "all"])]
    public: bool,
    /// Only private images.
    #[arg(long, conflicts_with_all = ["community", "shared", "all"])]
    private: bool,
    /// Only community images.
    #[arg(long, conflicts_with_all = ["shared", "all"])]
    community: bool,
    /// Only shared images.
    #[arg(long, conflicts_with_all = ["all"])]
    shared: bool,
    /// Images of every visibility.
    #[arg(long)]
    all: bool,
    /// Only images with this property; may be repeated.
    #[arg(long, value_name = "key=value", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// Only images of this name.
    #[arg(long, value_name = "name")]
    name: Option<String>,
    /// Only images in this status.
    #[arg(long, value_name = "status")]
    status: Option<String>,
    /// Only shared images whose membership is in this status: accepted, pending, rejected or all.
    #[arg(long, value_name = "member-status", value_parser = ["accepted", "pending", "rejected", "all"],
        hide_possible_values = true)]
    member_status: Option<String>,
    /// Only images that this project owns.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Domain of that project.
    #[arg(long, value_name = "project-domain")]
    project_domain: Option<String>,
    /// Only images with this tag; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// Only hidden images (any --os-image-api-* of 2.7 and later).
    #[arg(long)]
    hidden: bool,
    /// Show more columns.
    #[arg(long)]
    long: bool,
    #[arg(long, hide = true)]
    page_size: Option<String>,
    /// Sort by these keys, each with asc or desc behind a colon; name:asc unless told otherwise.
    #[arg(
        long,
        value_name = "key>[:<direction",
        default_value = "name:asc",
        hide_default_value = true
    )]
    sort: String,
    /// At most so many images of each request to the service.
    #[arg(long, value_name = "limit", value_parser = non_negative, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Begin behind this image.
    #[arg(long, value_name = "marker")]
    marker: Option<String>,
    /// At most so many images in all.
    #[arg(long, value_name = "max-items", value_parser = non_negative, allow_negative_numbers = true)]
    max_items: Option<u64>,
}

impl Leaf for ImageList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let sort = sort_keys(&self.sort)?;
        let marker = match &self.marker {
            Some(word) => Some(images::find(service, Reference::IdOrName(word)).await?.id),
            None => None,
        };
        let words = [
            (self.public, "public"),
            (self.private, "private"),
            (self.community, "community"),
            (self.shared, "shared"),
            (self.all, "all"),
        ];
        let mut filter = ImageFilter {
            visibility: words
                .into_iter()
                .find(|(given, _)| *given)
                .map(|(_, word)| word.to_string()),
            hidden: self.hidden,
            tags: self.tag.clone(),
            name: self.name.clone(),
            ..ImageFilter::default()
        };
        filter.attributes.extend(
            self.status
                .clone()
                .map(|status| ("status".to_string(), status)),
        );
        filter.attributes.extend(
            self.project
                .clone()
                .map(|project| ("owner".to_string(), project)),
        );
        let whole = sort
            .iter()
            .any(|(key, _)| !matches!(key.as_str(), "name" | "id" | "status"));
        let query = ImageQuery {
            filter,
            member_status: self
                .member_status
                .as_deref()
                .and_then(MemberStatus::parse)
                .unwrap_or_default(),
            // A limit of 0 is none; the smaller one of the two counts.
            limit: [self.limit.filter(|limit| *limit > 0), self.max_items]
                .into_iter()
                .flatten()
                .min(),
            marker,
            fields: if whole {
                Fields::ALL
            } else {
                Fields {
                    attributes: self.long,
                    tags: self.long,
                    ..Fields::SHORT
                }
            },
            ..ImageQuery::default()
        };
        let columns = if self.long {
            LONG_COLUMNS
        } else {
            SHORT_COLUMNS
        };
        let long = self.long;
        let rows = images::list(
            service,
            List {
                query,
                sort,
                property_filter: self.property,
            },
        )
        .map_ok(move |images| images.iter().map(|image| row(image, long)).collect());
        Ok(Outcome::from(View::Table(Table::new(
            columns.to_vec(),
            Box::pin(rows),
        ))))
    }
}

const SHORT_COLUMNS: &[&str] = &["ID", "Name", "Status"];
const LONG_COLUMNS: &[&str] = &[
    "ID",
    "Name",
    "Disk Format",
    "Container Format",
    "Size",
    "Checksum",
    "Status",
    "Visibility",
    "Protected",
    "Project",
    "Hash Algorithm",
    "Hash Value",
    "Tags",
];

fn row(image: &Image, long: bool) -> Vec<Cell> {
    if !long {
        return [
            json!(image.id),
            json!(image.name),
            json!(image.status.name()),
        ]
        .map(Cell::new)
        .into();
    }
    let hash = image.hash.as_ref();
    let values = [
        json!(image.id),
        json!(image.name),
        json!(image.disk_format),
        json!(image.container_format),
        json!(image.size),
        json!(image.checksum),
        json!(image.status.name()),
        json!(image.visibility.name()),
        json!(image.protected),
        json!(image.owner),
        json!(hash.map(|hash| &hash.algorithm)),
        json!(hash.map(|hash| &hash.value)),
    ];
    values
        .map(Cell::new)
        .into_iter()
        .chain([Cell::list(json!(image.tags))])
        .collect()
}

/// `name:asc,size:desc`.
///
/// # Errors
/// `Failed` for a direction or a field that there is none of, in osc-lib's words.
fn sort_keys(text: &str) -> Result<Vec<(String, Direction)>> {
    let mut keys = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (key, direction) = match part.split_once(':') {
            Some(("", _)) => {
                return Err(Error::failed("'<empty string>'' is not a valid sort key"));
            }
            Some((key, "asc")) => (key, Direction::Ascending),
            Some((key, "desc")) => (key, Direction::Descending),
            Some((key, other)) => {
                let other = if other.is_empty() {
                    "<empty string>"
                } else {
                    other
                };
                return Err(Error::failed(format!(
                    "'{other}' is not a valid sort direction for sort key {key}, use 'asc' or 'desc' instead"
                )));
            }
            None => (part, Direction::Ascending),
        };
        let field = key.to_lowercase().replace(' ', "_");
        if !views::is_field(&field) {
            return Err(
                Error::failed(format!("Resource doesn't have field {key}")).hint(
                    "Sort by an attribute of images, such as name, status, size or created_at.",
                ),
            );
        }
        keys.push((field, direction));
    }
    Ok(keys)
}

/// An image whose data is wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageSave {
    /// Name or id of the image.
    #[arg(value_name = "image")]
    image: String,
    /// Bytes to write at a time; taken, and of no effect: what is read is written.
    #[arg(long, value_name = "chunk-size", value_parser = int, allow_negative_numbers = true)]
    chunk_size: Option<i64>,
    /// File to save the data to; without it, standard output.
    #[arg(long, value_name = "filename")]
    file: Option<PathBuf>,
    /// Store to try first; may be repeated.
    #[arg(long, value_name = "store")]
    store_preference: Vec<String>,
}

impl Leaf for ImageSave {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        if self.file.is_none() && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            return Err(Error::failed("image data does not belong on a terminal")
                .hint("Name a file with --file, or redirect the output."));
        }
        let bytes = service
            .open_image(&image.id, &self.store_preference)
            .await?;
        let target = match self.file {
            Some(path) => Target::File {
                path,
                sparse: session.globals.given("sparse"),
            },
            None => Target::Output,
        };
        // An image without data is saved as an empty file, as the real client does.
        let source = bytes.source.unwrap_or_else(|| Source::Pipe {
            reader: Box::new(std::io::empty()),
            name: "an image without data",
        });
        let verified =
            saving::save(&bytes.image, source, target, true, session.transfer(false)).await?;
        let mut outcome = Outcome::nothing();
        if verified == Verified::Unverified {
            outcome.notices.push(format!(
                "Unable to verify the integrity of image {} - no hash available",
                image.id
            ));
        }
        Ok(outcome)
    }
}

/// One image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageShow {
    /// Show its size in larger units.
    #[arg(long)]
    human_readable: bool,
    /// Name or id of the image.
    #[arg(value_name = "image")]
    image: String,
}

impl Leaf for ImageShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let image =
            images::find(session.service().await?, Reference::IdOrName(&self.image)).await?;
        Ok(Outcome::from(View::Record(views::openstack_image(
            &image,
            self.human_readable,
        ))))
    }
}

/// Changes to an image.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
pub struct ImageSet {
    /// Name or id of the image.
    #[arg(value_name = "image")]
    image: String,
    /// New name.
    #[arg(long, value_name = "name")]
    name: Option<String>,
    /// GiB of disk needed to boot it.
    #[arg(long, value_name = "disk-gb", value_parser = int, allow_negative_numbers = true)]
    min_disk: Option<i64>,
    /// MiB of memory needed to boot it.
    #[arg(long, value_name = "ram-mb", value_parser = int, allow_negative_numbers = true)]
    min_ram: Option<i64>,
    /// What the disk is wrapped in.
    #[arg(long, value_name = "container-format", value_parser = CONTAINER_FORMATS, hide_possible_values = true)]
    container_format: Option<String>,
    /// What the disk is written as.
    #[arg(long, value_name = "disk-format", value_parser = DISK_FORMATS, hide_possible_values = true)]
    disk_format: Option<String>,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    visible: Visible,
    /// A property to set; may be repeated.
    #[arg(long, value_name = "key=value", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// A tag to attach; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// Architecture of the operating system.
    #[arg(long, value_name = "architecture")]
    architecture: Option<String>,
    /// Server that the image was made of.
    #[arg(long, value_name = "instance-id", alias = "instance-uuid")]
    instance_id: Option<String>,
    /// Image that holds the kernel.
    #[arg(long, value_name = "kernel-id")]
    kernel_id: Option<String>,
    /// Distribution of the operating system.
    #[arg(long, value_name = "os-distro")]
    os_distro: Option<String>,
    /// Version of the operating system.
    #[arg(long, value_name = "os-version")]
    os_version: Option<String>,
    /// Image that holds the initial RAM disk.
    #[arg(long, value_name = "ramdisk-id")]
    ramdisk_id: Option<String>,
    /// Keep everyone but administrators from the data.
    #[arg(long, conflicts_with = "activate")]
    deactivate: bool,
    /// Let everyone at the data again.
    #[arg(long)]
    activate: bool,
    /// Project to give the image to; or whose membership is meant.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Domain of that project.
    #[arg(long, value_name = "project-domain")]
    project_domain: Option<String>,
    #[arg(long = "visibility", hide = true)]
    dead_visibility: Option<String>,
    /// Accept that the image is shared with the project.
    #[arg(long, conflicts_with_all = ["reject", "pending"])]
    accept: bool,
    /// Reject that the image is shared with the project.
    #[arg(long, conflicts_with_all = ["pending"])]
    reject: bool,
    /// Leave it open whether the project wants the image.
    #[arg(long)]
    pending: bool,
    /// Leave the image out of lists (any --os-image-api-version from 2.7 on).
    #[arg(long, conflicts_with = "unhidden")]
    hidden: bool,
    /// Show the image in lists.
    #[arg(long)]
    unhidden: bool,
}

impl Leaf for ImageSet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        refuse_dead(&[("visibility", &self.dead_visibility)])?;
        if self.accept || self.reject || self.pending {
            return Err(Error::failed(
                "answering an offer comes with the member commands",
            ));
        }
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let mut notices = Vec::new();
        if self.deactivate || self.activate {
            let result = if self.deactivate {
                service.deactivate_image(&image.id).await
            } else {
                service.reactivate_image(&image.id).await
            };
            match result {
                // openstacksdk does not look at the answer, and scripts count on the exit code.
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    notices.push(inline(session.grammar, &error));
                }
                other => other?,
            }
        }
        let changes = self.changes(&image)?;
        images::update(service, image, &changes).await?;
        Ok(Outcome {
            notices,
            ..Outcome::nothing()
        })
    }
}

impl ImageSet {
    fn changes(&self, image: &Image) -> Result<Vec<Change>> {
        let mut wanted: Vec<(String, Value)> = Vec::new();
        let mut set = |name: &str, value: Option<Value>| {
            wanted.extend(value.map(|value| (name.to_string(), value)));
        };
        let text = |value: &Option<String>| value.as_deref().map(Value::from);
        set("architecture", text(&self.architecture));
        set("container_format", text(&self.container_format));
        set("disk_format", text(&self.disk_format));
        set("instance_uuid", text(&self.instance_id));
        set("kernel_id", text(&self.kernel_id));
        set("min_disk", self.min_disk.map(Value::from));
        set("min_ram", self.min_ram.map(Value::from));
        set("name", text(&self.name));
        set("os_distro", text(&self.os_distro));
        set("os_version", text(&self.os_version));
        set("ramdisk_id", text(&self.ramdisk_id));
        for (name, value) in &self.property {
            set(name, Some(typed(name, value)?));
        }
        set("protected", self.protection.wanted().map(Value::from));
        set("visibility", self.visible.wanted().map(Value::from));
        set("owner", text(&self.project));
        set(
            "os_hidden",
            chosen(self.hidden, self.unhidden).map(Value::from),
        );
        if !self.tag.is_empty() {
            let mut tags = image.tags.clone();
            tags.extend(
                self.tag
                    .iter()
                    .filter(|tag| !image.tags.contains(tag))
                    .cloned(),
            );
            set("tags", Some(json!(tags)));
        }
        Ok(wanted
            .into_iter()
            .map(|(name, value)| Change::add(name, value))
            .collect())
    }
}

/// What to take off an image.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageUnset {
    /// Name or id of the image.
    #[arg(value_name = "image")]
    image: String,
    /// A tag to take off; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// A property to remove; may be repeated.
    #[arg(long, value_name = "property-key")]
    property: Vec<String>,
}

impl Leaf for ImageUnset {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let mut failures = Vec::new();
        for tag in &self.tag {
            if let Err(error) = service.remove_tag(&image.id, tag).await {
                failures.push(match error.kind() {
                    ErrorKind::NotFound => {
                        Error::failed(format!("tag unset failed, '{tag}' is a nonexistent tag"))
                    }
                    _ => error,
                });
            }
        }
        let failed_tags = failures.len();
        let mut changes = Vec::new();
        for name in &self.property {
            if image.property(name).is_some()
                || crate::model::schema::attribute_named(name).is_some()
            {
                changes.push(Change::remove(name.clone()));
            } else {
                failures.push(Error::failed(format!(
                    "property unset failed, '{name}' is a nonexistent property"
                )));
            }
        }
        let failed_properties = failures.len() - failed_tags;
        images::update(service, image, &changes).await?;
        let tags = format!("Failed to unset {failed_tags} of {} tags", self.tag.len());
        let properties = format!(
            "Failed to unset {failed_properties} of {} properties.",
            self.property.len()
        );
        match (failed_tags, failed_properties) {
            (0, 0) => {}
            (_, 0) => failures.push(Error::failed(format!("{tags}."))),
            (0, _) => failures.push(Error::failed(properties)),
            _ => failures.push(Error::failed(format!("{tags},{properties}"))),
        }
        Ok(Outcome::nothing().failing(failures))
    }
}

/// The commands of this file.
pub const ROWS: &[Row] = &[
    Row::of::<ImageCreate>(
        "image create",
        "Make an image, with or without data",
        Output::Show,
    ),
    Row::of::<ImageDelete>("image delete", "Delete images", Output::Plain),
    Row::of::<ImageList>("image list", "List the images you may see", Output::List),
    Row::of::<ImageSave>("image save", "Save the data of an image", Output::Plain),
    Row::of::<ImageSet>("image set", "Change an image", Output::Plain),
    Row::of::<ImageShow>("image show", "Show an image", Output::Show),
    Row::of::<ImageUnset>(
        "image unset",
        "Take tags and properties off an image",
        Output::Plain,
    ),
];
