//! Image lists in the second grammar.

use futures_util::TryStreamExt;
use serde_json::json;

use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::{key_value, non_negative};
use crate::cli::run::session::Session;
use crate::cli::run::ui;
use crate::model::{Direction, Fields, Image, ImageFilter, ImageQuery, ImageStatus, MemberStatus};
use crate::ops::Outcome;
use crate::ops::images::{self, List, Reference};
use crate::output::{Cell, Table, View};
use crate::{Error, Result};

/// Arguments of `image list`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
#[derive(Debug, Clone, clap::Args)]
pub struct ImageList {
    /// List only public images.
    #[arg(long, conflicts_with_all = ["private", "community", "shared", "all"])]
    public: bool,
    /// List only private images.
    #[arg(long, conflicts_with_all = ["community", "shared", "all"])]
    private: bool,
    /// List only community images.
    #[arg(long, conflicts_with_all = ["shared", "all"])]
    community: bool,
    /// List only shared images.
    #[arg(long, conflicts_with_all = ["all"])]
    shared: bool,
    /// List images of every visibility.
    #[arg(long)]
    all: bool,
    /// List only images with this property; may be repeated.
    #[arg(long, value_name = "key=value", value_parser = key_value)]
    property: Vec<(String, String)>,
    /// List only images with this name.
    #[arg(long, value_name = "name")]
    name: Option<String>,
    /// List only images with this status.
    #[arg(long, value_name = "status")]
    status: Option<String>,
    /// List only shared images with this membership status: accepted, pending, rejected or all.
    #[arg(long, value_name = "member-status", value_parser = ["accepted", "pending", "rejected", "all"],
        hide_possible_values = true)]
    member_status: Option<String>,
    /// List only images owned by this project.
    #[arg(long, value_name = "project")]
    project: Option<String>,
    /// Domain of the project.
    #[arg(long, value_name = "project-domain")]
    project_domain: Option<String>,
    /// List only images with this tag; may be repeated.
    #[arg(long, value_name = "tag")]
    tag: Vec<String>,
    /// List only hidden images (--os-image-api-* 2.7 or later).
    #[arg(long)]
    hidden: bool,
    /// List additional fields.
    #[arg(long)]
    long: bool,
    #[arg(long, hide = true)]
    page_size: Option<String>,
    /// Comma-separated sort keys, each with an optional direction: key[:asc|desc]; default: name:asc.
    #[arg(
        long,
        value_name = "key[:direction]",
        default_value = "name:asc",
        hide_default_value = true
    )]
    sort: String,
    /// Maximum number of images to request per page.
    #[arg(long, value_name = "limit", value_parser = non_negative, allow_negative_numbers = true)]
    limit: Option<u64>,
    /// Last image of the previous page.
    #[arg(long, value_name = "marker")]
    marker: Option<String>,
    /// Maximum number of images to list.
    #[arg(long, value_name = "max-items", value_parser = non_negative, allow_negative_numbers = true)]
    max_items: Option<u64>,
}

impl Leaf<Session> for ImageList {
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
        let unknown = self
            .status
            .as_deref()
            .filter(|word| word.parse::<ImageStatus>().is_err());
        if let Some(word) = unknown {
            let known = ImageStatus::ALL.map(ImageStatus::name).join(", ");
            ui::notice(&format!(
                "unknown status '{word}': the statuses are {known}"
            ));
        }
        filter.attributes.extend(
            self.status
                .clone()
                .map(|status| ("status".to_string(), status)),
        );
        if let Some(project) = &self.project {
            let domain = self.project_domain.as_deref();
            let owner = service.find_project(project, domain).await?;
            filter.attributes.push(("owner".to_string(), owner));
        }
        let whole = sort
            .iter()
            .any(|(key, _)| !matches!(key.as_str(), "name" | "id" | "status"));
        let query = ImageQuery {
            filter,
            member_status: match self.member_status.as_deref() {
                None => Some(MemberStatus::Accepted),
                // The only other accepted value is `all`.
                Some(word) => MemberStatus::parse(word),
            },
            // A limit of 0 means no limit; otherwise the smaller one applies.
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

/// Parses `name:asc,size:desc`.
///
/// # Errors
/// `Failed` for an unknown direction or field, in osc-lib's wording.
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

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::of::<ImageList>(
    "image list",
    "List images",
    Output::List,
)];
