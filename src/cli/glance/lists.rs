//! Image lists in the first grammar.

use futures_util::TryStreamExt;
use serde_json::json;

use crate::cli::command::globals::keys;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::values::{int, loose_bool};
use crate::cli::run::session::Session;
use crate::model::{Direction, Fields, Image, ImageFilter, ImageQuery, MemberStatus, SortKey};
use crate::ops::Outcome;
use crate::ops::images::{self, List};
use crate::output::{Cell, Table, View};
use crate::{Error, Result};

/// Arguments of `image-list`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Version 2 is the only supported version of the Images API (--os-image-api-version)."
)]
pub struct ImageList {
    /// Maximum number of images to list; 0 lists all of them.
    #[arg(long, value_name = "LIMIT", value_parser = int, allow_negative_numbers = true)]
    limit: Option<i64>,
    /// Number of images to request per page.
    #[arg(long, value_name = "SIZE", value_parser = int, allow_negative_numbers = true)]
    page_size: Option<i64>,
    /// List only images with this visibility.
    #[arg(long, value_name = "VISIBILITY")]
    visibility: Option<String>,
    /// List only shared images with this membership status: pending, accepted, rejected or all.
    #[arg(long, value_name = "MEMBER_STATUS")]
    member_status: Option<String>,
    /// List only images owned by this project.
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// List only images with this property value; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    property_filter: Vec<String>,
    /// List only images with this MD5 checksum.
    #[arg(long, value_name = "CHECKSUM")]
    checksum: Option<String>,
    /// List only images with this os_hash_value.
    #[arg(long, value_name = "HASH_VALUE")]
    hash: Option<String>,
    /// List only images with this tag; may be repeated.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Attribute to sort by; may be repeated.
    #[arg(long, value_parser = ["name", "status", "container_format", "disk_format", "size", "id", "created_at",
        "updated_at"], hide_possible_values = true)]
    sort_key: Vec<String>,
    /// Sort direction: asc or desc; may be repeated.
    #[arg(long, value_parser = ["asc", "desc"], hide_possible_values = true)]
    sort_dir: Vec<String>,
    /// Comma-separated sort keys, each with an optional direction: key[:asc|desc].
    #[arg(long, value_name = "KEY[:DIRECTION]")]
    sort: Option<String>,
    /// List only hidden images.
    #[arg(long, value_name = "True|False", num_args = 0..=1, default_missing_value = "True",
        value_parser = loose_bool())]
    hidden: Option<bool>,
    /// Include the stores of each image.
    #[arg(long, value_name = "True|False", num_args = 0..=1, default_missing_value = "True",
        value_parser = loose_bool())]
    include_stores: Option<bool>,
}

impl Leaf<Session> for ImageList {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut columns = vec!["ID", "Name"];
        let mut fields = Fields::SHORT;
        if session.globals.is_set(keys::VERBOSE) {
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

/// Returns the cells of one image in the first grammar's lists.
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

/// Parses `name:desc`. The default direction is the service's, descending.
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
pub const ROWS: &[Row<Session>] = &[Row::of::<ImageList>(
    "image-list",
    "List images",
    Output::Plain,
)];
