//! Lists of images in the first grammar.

use futures_util::TryStreamExt;
use serde_json::json;

use crate::cli::registry::{Leaf, Output, Row};
use crate::cli::session::Session;
use crate::cli::values::{int, loose_bool};
use crate::model::{Direction, Fields, Image, ImageFilter, ImageQuery, MemberStatus, SortKey};
use crate::ops::Outcome;
use crate::ops::images::{self, List};
use crate::output::{Cell, Table, View};
use crate::{Error, Result};

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
            None => Some(MemberStatus::Accepted),
            Some("all") => None,
            Some(status) => match MemberStatus::parse(status) {
                None => return Err(Error::invalid(format!("Invalid status: {status}"))),
                known => known,
            },
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
            code_points: false,
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

/// The commands of this file.
pub const ROWS: &[Row] = &[Row::of::<ImageList>(
    "image-list",
    "List the images you may see",
    Output::Plain,
)];
