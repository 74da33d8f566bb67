//! Image updates in the second grammar.

use serde_json::Value;

use super::attributes::{
    CONTAINER_FORMATS, DISK_FORMATS, Protection, Visible, either_flag, parse_property,
    refuse_former,
};
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::{int, key_value};
use crate::cli::run::session::Session;
use crate::cli::run::ui::inline;
use crate::model::{Change, Image, MemberStatus};
use crate::ops::images::{self, Reference};
use crate::ops::{Outcome, members};
use crate::{Error, ErrorKind, Result};

/// Arguments of `image set`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
pub struct ImageSet {
    /// Image ID or name.
    #[arg(value_name = "image")]
    image: String,
    /// New name of the image.
    #[arg(long, value_name = "name")]
    name: Option<String>,
    /// Minimum disk size to boot the image, in GiB.
    #[arg(long, value_name = "disk-gb", value_parser = int, allow_negative_numbers = true)]
    min_disk: Option<i64>,
    /// Minimum memory to boot the image, in MiB.
    #[arg(long, value_name = "ram-mb", value_parser = int, allow_negative_numbers = true)]
    min_ram: Option<i64>,
    /// Container format.
    #[arg(long, value_name = "container-format", value_parser = CONTAINER_FORMATS, hide_possible_values = true)]
    container_format: Option<String>,
    /// Disk format.
    #[arg(long, value_name = "disk-format", value_parser = DISK_FORMATS, hide_possible_values = true)]
    disk_format: Option<String>,
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
    /// Operating system architecture.
    #[arg(long, value_name = "architecture")]
    architecture: Option<String>,
    /// ID of the server the image was created from.
    #[arg(long, value_name = "instance-id", alias = "instance-uuid")]
    instance_id: Option<String>,
    /// Kernel image ID.
    #[arg(long, value_name = "kernel-id")]
    kernel_id: Option<String>,
    /// Name of the operating system distribution.
    #[arg(long, value_name = "os-distro")]
    os_distro: Option<String>,
    /// Operating system version.
    #[arg(long, value_name = "os-version")]
    os_version: Option<String>,
    /// RAM disk image ID.
    #[arg(long, value_name = "ramdisk-id")]
    ramdisk_id: Option<String>,
    /// Deactivate an image (downloads by administrators only).
    #[arg(long, conflicts_with = "activate")]
    deactivate: bool,
    /// Reactivate an image.
    #[arg(long)]
    activate: bool,
    /// New owner of the image, or project whose membership to update.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Domain of the project.
    #[arg(long, value_name = "project-domain")]
    project_domain: Option<String>,
    #[arg(long = "visibility", hide = true)]
    dead_visibility: Option<String>,
    /// Accept the image membership.
    #[arg(long, conflicts_with_all = ["reject", "pending"])]
    accept: bool,
    /// Reject the image membership.
    #[arg(long, conflicts_with_all = ["pending"])]
    reject: bool,
    /// Reset the image membership to pending.
    #[arg(long)]
    pending: bool,
    /// Hide the image from listings (--os-image-api-version 2.7 or later).
    #[arg(long, conflicts_with = "unhidden")]
    hidden: bool,
    /// Show the image in listings.
    #[arg(long)]
    unhidden: bool,
}

impl Leaf<Session> for ImageSet {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        refuse_former("image set", &[("visibility", &self.dead_visibility)])?;
        let service = session.service().await?;
        let image = images::find(service, Reference::IdOrName(&self.image)).await?;
        let project = match &self.project {
            Some(project) => {
                let domain = self.project_domain.as_deref();
                Some(service.find_project(project, domain).await?)
            }
            None => None,
        };
        let mut notices = Vec::new();
        if self.deactivate || self.activate {
            let result = if self.deactivate {
                service.deactivate_image(&image.id).await
            } else {
                service.reactivate_image(&image.id).await
            };
            match result {
                // openstacksdk ignores the response, and scripts rely on the exit code.
                Err(error) if error.kind() == ErrorKind::Forbidden => {
                    notices.push(inline(session.grammar, &error));
                }
                other => other?,
            }
        }
        let owner = match self.answer() {
            Some(status) => {
                members::answer(service, &image.id, project.as_deref(), status).await?;
                None
            }
            None => project,
        };
        let changes = self.changes(&image, owner)?;
        images::apply(service, &image, &changes).await?;
        Ok(Outcome {
            notices,
            ..Outcome::nothing()
        })
    }
}

impl ImageSet {
    /// Returns the membership status to set, if one is given.
    fn answer(&self) -> Option<MemberStatus> {
        let words = [
            (self.accept, MemberStatus::Accepted),
            (self.reject, MemberStatus::Rejected),
            (self.pending, MemberStatus::Pending),
        ];
        words
            .into_iter()
            .find(|(given, _)| *given)
            .map(|(_, status)| status)
    }

    fn changes(&self, image: &Image, owner: Option<String>) -> Result<Vec<Change>> {
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
            set(name, Some(parse_property(name, value)?));
        }
        set("protected", self.protection.wanted().map(Value::from));
        set("visibility", self.visible.wanted().map(Value::from));
        set("owner", owner.map(Value::from));
        set(
            "os_hidden",
            either_flag(self.hidden, self.unhidden).map(Value::from),
        );
        let attributes = wanted
            .into_iter()
            .map(|(name, value)| Change::add(name, value));
        // Tags are added one by one: replacing the list would discard concurrent changes.
        let mut tags: Vec<&String> = Vec::new();
        for tag in &self.tag {
            if !image.tags.contains(tag) && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(attributes
            .chain(tags.into_iter().map(Change::add_tag))
            .collect())
    }
}

/// Arguments of `image unset`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImageUnset {
    /// Image ID or name.
    #[arg(value_name = "image")]
    image: String,
    /// Tag to remove; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// Property to remove; may be repeated.
    #[arg(long, value_name = "property-key")]
    property: Vec<String>,
}

impl Leaf<Session> for ImageUnset {
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
        images::apply(service, &image, &changes).await?;
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
pub const ROWS: &[Row<Session>] = &[
    Row::of::<ImageSet>("image set", "Update an image", Output::Plain),
    Row::of::<ImageUnset>(
        "image unset",
        "Remove tags and properties from an image",
        Output::Plain,
    ),
];
