//! Image records in the second grammar.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ArgGroup;

use super::attributes::{
    CONTAINER_FORMATS, DISK_FORMATS, Protection, Visible, parse_property, refuse_former,
};
use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::{image_size, int, key_value, status};
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::data::Source;
use crate::model::{ImageStatus, NewImage};
use crate::ops::Outcome;
use crate::ops::images::{self, Create, DetectedFormat, Reference};
use crate::output::View;
use crate::service::Upload;
use crate::{Error, ErrorKind, Result};

/// Arguments of `image create`.
#[derive(Debug, Clone, clap::Args)]
#[command(group = ArgGroup::new("data").args(["file", "volume"]).multiple(false))]
pub struct ImageCreate {
    /// Name of the image.
    #[arg(value_name = "image-name")]
    name: String,
    /// UUID to assign.
    #[arg(long, value_name = "id")]
    id: Option<String>,
    /// Container format; default: bare.
    #[arg(long, value_name = "container-format", value_parser = CONTAINER_FORMATS, hide_possible_values = true)]
    container_format: Option<String>,
    /// Disk format; default: raw.
    #[arg(long, value_name = "disk-format", value_parser = DISK_FORMATS, hide_possible_values = true)]
    disk_format: Option<String>,
    /// Minimum disk size to boot the image, in GiB.
    #[arg(long, value_name = "disk-gb", value_parser = int, allow_negative_numbers = true)]
    min_disk: Option<i64>,
    /// Minimum memory to boot the image, in MiB.
    #[arg(long, value_name = "ram-mb", value_parser = int, allow_negative_numbers = true)]
    min_ram: Option<i64>,
    /// Size in bytes, if it cannot be determined.
    #[arg(long, value_name = "size", value_parser = image_size, allow_negative_numbers = true)]
    size: Option<u64>,
    /// File to upload; default: standard input.
    #[arg(long, value_name = "file", conflicts_with = "volume")]
    file: Option<PathBuf>,
    /// Volume to create the image from (requires a block storage service).
    #[arg(long, value_name = "volume")]
    volume: Option<String>,
    /// Create the image even if the volume is in use.
    #[arg(long)]
    force: bool,
    /// Show a progress bar.
    #[arg(long)]
    progress: bool,
    /// Private key to sign the image with.
    #[arg(long, value_name = "sign-key-path")]
    sign_key_path: Option<PathBuf>,
    /// UUID in the key manager of the certificate to verify the signature with.
    #[arg(long, value_name = "sign-cert-id")]
    sign_cert_id: Option<String>,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    visible: Visible,
    /// Property to set; may be repeated.
    #[arg(long, value_name = "key=value", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// Tag to add; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// Project that owns the image.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Upload by staging and importing the data.
    #[arg(long)]
    import: bool,
    /// Domain of the project.
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

/// Opens the data to upload. An invalid file is reported in upstream's wording.
pub(super) fn data(
    session: &Session,
    file: Option<&Path>,
    progress: bool,
) -> Result<Option<Upload>> {
    session.upload(file, progress).map_err(|error| match file {
        Some(path) if !path.exists() => {
            Error::failed(format!("'{}' is not a valid file", path.display())).because(error)
        }
        _ => error,
    })
}

impl Leaf<Session> for ImageCreate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        refuse_former(
            "image create",
            &[
                ("location", &self.location),
                ("copy-from", &self.copy_from),
                ("checksum", &self.checksum),
                ("store", &self.store),
            ],
        )?;
        self.refuse_unsupported()?;
        if self.name.is_empty() {
            return Err(Error::failed("image create requires a name"));
        }
        if self.import {
            session.check_import()?;
        }
        let piped = session.is_piped();
        if self.size.is_some() && self.file.is_none() && !piped {
            return Err(Error::failed(
                "--size requires image data via --file or stdin",
            ));
        }
        let mut upload = data(session, self.file.as_deref(), self.progress)?;
        if let Some(upload) = &mut upload {
            upload.size = self.size;
        }
        let progress = self.progress;
        let mut notices = Vec::new();
        let mut name = self.name.clone();
        // Like openstacksdk, uploads the file whose name is given as the image's name.
        let file = Path::new(&self.name);
        if upload.is_none() && file.is_file() {
            upload = Some(session.upload_of(Source::open(file)?, self.progress));
            name = file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            notices.push(format!(
                "Uploading file {} as image {name}.",
                file.display()
            ));
        }
        let service = session.service().await?;
        let owner = match &self.project {
            Some(project) => {
                let domain = self.project_domain.as_deref();
                Some(service.find_project(project, domain).await?)
            }
            None => None,
        };
        // Without --disk-format, the disk format is raw, like upstream's.
        let is_bare = self.container_format.as_deref().unwrap_or("bare") == "bare";
        let mut detected = None;
        if let Some(upload) = &mut upload
            && self.disk_format.is_none()
            && is_bare
        {
            detected = Some(DetectedFormat::observe(&mut upload.source));
        }
        let request = Create {
            image: self.new_image(&name, owner)?,
            upload,
            undo: true,
            import: self.import,
        };
        let has_data = request.upload.is_some();
        let began = Instant::now();
        let (image, failure) = images::create(service, request).await?;
        if failure.is_none() {
            let size = image.size.filter(|_| has_data);
            notices.extend(session.stored_notice(progress, size, began));
            if let Some(detected) = detected
                && let (Some(mismatch), Some(format)) =
                    (detected.mismatch(&image), detected.format())
            {
                notices.push(format!(
                    "{mismatch} Without --disk-format, images are created as raw. If that is not intended, delete \
                     it and create it again with --disk-format {format}."
                ));
            }
        }
        let view = View::Record(views::image(&image, false));
        Ok(Outcome {
            notices,
            ..Outcome::from(view).failing(failure)
        })
    }
}

impl ImageCreate {
    /// Rejects options that need another service.
    fn refuse_unsupported(&self) -> Result<()> {
        let unbuilt = [
            (
                self.volume.is_some(),
                "--volume requires a block storage service",
            ),
            (
                self.sign_key_path.is_some() || self.sign_cert_id.is_some(),
                "signing requires a key manager",
            ),
        ];
        match unbuilt.into_iter().find(|(given, _)| *given) {
            Some((_, why)) => Err(Error::failed(format!("{why}, which is not supported"))),
            None => Ok(()),
        }
    }

    /// Builds the request as openstacksdk does, including its three owner_specified properties.
    fn new_image(&self, name: &str, owner: Option<String>) -> Result<NewImage> {
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
            image.set(name, parse_property(name, value)?);
        }
        if let Some(protected) = self.protection.wanted() {
            image.set("protected", protected);
        }
        if let Some(visibility) = self.visible.wanted() {
            image.set("visibility", visibility);
        }
        if let Some(owner) = owner {
            image.set("owner", owner);
        }
        image.set("owner_specified.openstack.md5", "");
        image.set("owner_specified.openstack.sha256", "");
        image.set("owner_specified.openstack.object", format!("images/{name}"));
        Ok(image)
    }
}

/// Arguments of `image delete`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageDelete {
    /// Image IDs or names.
    #[arg(value_name = "image", required = true, num_args = 1..)]
    images: Vec<String>,
    /// Delete the copy in this store only.
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
}

impl Leaf<Session> for ImageDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let mut failures = Vec::new();
        for word in &self.images {
            let deleted = async {
                let image = images::find(service, Reference::IdOrName(word)).await?;
                match &self.store {
                    Some(store) => service.delete_from_store(&image.id, store).await,
                    None => service.delete_image(&image.id).await,
                }
            };
            let Err(error) = deleted.await else { continue };
            if error.kind() == ErrorKind::Interrupted {
                return Err(error);
            }
            let why = inline(session.grammar, &error);
            let failure = Error::failed(format!(
                "Failed to delete image with name or ID '{word}': {why}"
            ));
            failures.push(failure.hints_of(&error));
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

/// Arguments of `image show`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageShow {
    /// Print the size in a human-readable format.
    #[arg(long)]
    human_readable: bool,
    /// Wait until the image has this status.
    #[arg(long, value_name = "status", value_parser = status, hide = true)]
    wait_for: Option<ImageStatus>,
    /// Image ID or name.
    #[arg(value_name = "image")]
    image: String,
}

impl Leaf<Session> for ImageShow {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        let reference = Reference::IdOrName(&self.image);
        let image = match self.wait_for {
            Some(status) => session.wait_for(reference, status).await?,
            None => images::find(service, reference).await?,
        };
        Ok(Outcome::from(View::Record(views::image(
            &image,
            self.human_readable,
        ))))
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageCreate>(
        "image create",
        "Create an image, optionally with data",
        Output::Show,
    )
    .creating(),
    Row::of::<ImageDelete>("image delete", "Delete images", Output::Plain),
    Row::of::<ImageShow>("image show", "Show an image", Output::Show),
];
