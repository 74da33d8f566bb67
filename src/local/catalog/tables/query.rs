//! Queries for single images and lists.

use async_stream::try_stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;

use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::images::{StoredImage, load, selected};
use crate::local::catalog::tables::reader::Reader;
use crate::local::catalog::tables::rows;
use crate::local::catalog::{Catalog, Dialect, Sql, Transaction, Value};
use crate::model::schema::attribute_named;
use crate::model::{
    Caller, Direction, Image, ImageFilter, ImageQuery, ImageStatus, SortKey, Timestamp,
};
use crate::{Error, ErrorKind, Result};

/// The columns of images in filters; other names are custom properties.
const COLUMNS: [&str; 17] = [
    "id",
    "name",
    "size",
    "virtual_size",
    "status",
    "disk_format",
    "container_format",
    "checksum",
    "owner",
    "min_disk",
    "min_ram",
    "protected",
    "os_hash_algo",
    "os_hash_value",
    "created_at",
    "updated_at",
    "visibility",
];

impl Catalog {
    /// Loads an image regardless of its visibility; None if it does not exist or is deleted. The membership of
    /// `project` is loaded too.
    pub async fn load_image(&self, id: &str, project: &str) -> Result<Option<StoredImage>> {
        let (id, project) = (id.to_string(), project.to_string());
        self.read(move |snapshot| {
            let (id, project) = (id.clone(), project.clone());
            async move { load(&*snapshot, &id, &project).await }
        })
        .await
    }

    /// Returns a stream of chunks of the matching images that `caller` may see, all from one snapshot.
    ///
    /// One statement reads the images, and one more per chunk and kind of child.
    pub fn list_images<'a>(
        &'a self,
        query: ImageQuery,
        caller: &'a Caller,
    ) -> BoxStream<'a, Result<Vec<Image>>> {
        let chunks = try_stream! {
            let fields = query.fields;
            let sql = self.list_statement(&query, caller).await?;
            let cipher = self.cipher().clone();
            if let Some(lists) = self.lists() {
                let mut reader = Reader::start(lists, sql, fields, cipher)?;
                while let Some(images) = reader.next().await {
                    yield images?;
                }
            } else {
                let images = rows::list(self.server_pool()?, sql, fields, cipher);
                for await images in images {
                    yield images?;
                }
            }
        };
        chunks.boxed()
    }

    async fn list_statement(&self, query: &ImageQuery, caller: &Caller) -> Result<Sql> {
        let mut sql = Sql::new("SELECT ").text(selected(query.fields)).with(
            " FROM images WHERE images.deleted + 0 = ? AND images.status <> ?",
            [false.into(), ImageStatus::Killed.name().into()],
        );
        sql = visible(sql, query, caller);
        sql = filter(sql, &query.filter)?;
        let order = order(&query.sort);
        if let Some(marker) = &query.marker {
            sql = self.after(sql, marker, &order, query).await?;
        }
        sql = sql.text(" ORDER BY ");
        let walks = walks_an_index(query, caller);
        for (place, (key, direction)) in order.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            let direction = if *direction == Direction::Ascending {
                "ASC"
            } else {
                "DESC"
            };
            let term = self.sort_term(*key, query, walks);
            sql = sql.text(&format!("{separator}{term} {direction}"));
        }
        if let Some(limit) = query.limit {
            sql = sql.with(" LIMIT ?", [Value::rows(limit)]);
        }
        Ok(sql)
    }

    /// Returns the sort expression for `key`. Indexes are ordered by it only if the index should be used.
    fn sort_term(&self, key: SortKey, query: &ImageQuery, walks: bool) -> String {
        let column = format!("images.{}", key.name());
        let is_moment = matches!(key, SortKey::CreatedAt | SortKey::UpdatedAt);
        match self.dialect() {
            Dialect::Mysql if query.code_points && !is_moment && key != SortKey::Size => {
                format!("CAST(CONVERT({column} USING utf8mb4) AS BINARY)")
            }
            // A server always sorts the whole table, and sorts numbers faster than strings.
            Dialect::Mysql if query.limit.is_none() => column,
            _ if is_moment && !walks => format!("COALESCE({column}, '')"),
            _ => column,
        }
    }

    /// Adds the condition for images after the image `marker` in `order`, with NULL as the smallest value.
    async fn after(
        &self,
        mut sql: Sql,
        marker: &str,
        order: &[(SortKey, Direction)],
        query: &ImageQuery,
    ) -> Result<Sql> {
        let found = Sql::new("SELECT 1 FROM images").with(
            " WHERE id = ? AND deleted + 0 = ?",
            [marker.into(), false.into()],
        );
        if self.row(found).await?.is_none() {
            return Err(Error::invalid(format!("No image found with ID {marker}")));
        }
        let terms = order.iter().map(|(key, direction)| {
            let term = match key {
                // Indexed columns, which are never NULL.
                SortKey::CreatedAt | SortKey::Id => self.sort_term(*key, query, true),
                SortKey::Size => "COALESCE(images.size, 0)".to_string(),
                _ => format!("COALESCE({}, '')", self.sort_term(*key, query, true)),
            };
            let than = match direction {
                Direction::Ascending => ">",
                Direction::Descending => "<",
            };
            (term, than)
        });
        let terms: Vec<(String, &str)> = terms.collect();
        let keys: Vec<(&str, &str)> = terms.iter().map(|(term, than)| (&**term, *than)).collect();
        if let (Some((key @ (SortKey::CreatedAt | SortKey::Id), direction)), false) =
            (order.first(), query.code_points)
        {
            // This follows from the conditions below, but databases do not find the beginning of a page with those.
            let key = key.name();
            let than = match direction {
                Direction::Ascending => ">=",
                Direction::Descending => "<=",
            };
            sql = sql.with(
                &format!(
                    " AND images.{key} {than} (SELECT marker.{key} FROM images AS marker WHERE marker.id = ?)"
                ),
                [marker.into()],
            );
        }
        Ok(sql.text(" AND ").behind("images", &keys, marker))
    }

    /// Returns the number of images of `owner`, and the size of their data including copies.
    pub async fn usage(&self, owner: &str) -> Result<UsageCounts> {
        let owner = owner.to_string();
        self.read(move |snapshot| {
            let owner = owner.clone();
            async move { usage(&*snapshot, &owner).await }
        })
        .await
    }
}

impl Transaction {
    /// Returns the same as [`Catalog::usage`]. Other transactions that check the usage wait for this one.
    pub async fn usage(&self, owner: &str) -> Result<UsageCounts> {
        self.lock_invariants().await?;
        usage(self, owner).await
    }
}

/// The SQL condition for images that are not deleted.
const ALIVE: &str = "owner = ? AND status NOT IN ('killed', 'pending_delete', 'deleted')";

/// The SQL condition for images whose data is being uploaded or copied between stores.
const MOVING: &str = "owner = ? AND status NOT IN ('killed', 'pending_delete', 'deleted') AND (status IN (%) \
     OR EXISTS (SELECT 1 FROM image_properties WHERE image_properties.image_id = images.id \
     AND image_properties.name = 'os_glance_importing_to_stores' AND image_properties.value <> ''))";

/// Returns the usage of `owner`.
///
/// *Source:* `user_get_storage_usage` and the following functions in `glance/db/sqlalchemy/api.py` of the reference
/// implementation.
async fn usage(on: &impl Run, owner: &str) -> Result<UsageCounts> {
    let number = async |sql: Sql| -> Result<i64> {
        Ok(match on.row(sql).await? {
            Some(row) => row.integer("number")?.unwrap_or(0),
            None => 0,
        })
    };
    let count = |condition: &str| {
        Sql::new("SELECT count(*) AS number FROM images WHERE ").with(condition, [owner.into()])
    };
    let copies = Sql::new("SELECT CAST(sum(images.size) AS SIGNED INTEGER) AS number FROM images ").with(
        "JOIN image_locations ON image_locations.image_id = images.id AND image_locations.status <> 'deleted' \
         WHERE images.owner = ? AND images.size > 0 AND images.status NOT IN ('killed', 'pending_delete', 'deleted')",
        [owner.into()],
    );
    let staged = MOVING.replace('%', "'uploading', 'importing'");
    let staged = Sql::new("SELECT CAST(sum(size) AS SIGNED INTEGER) AS number FROM images WHERE ")
        .with(&staged, [owner.into()]);
    let uploading = MOVING.replace('%', "'saving', 'uploading', 'importing'");
    Ok(UsageCounts {
        images: number(count(ALIVE)).await?,
        uploading: number(count(&uploading)).await?,
        bytes: number(copies).await?,
        staged_bytes: number(staged).await?,
    })
}

/// The usage of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageCounts {
    /// The number of images that are not deleted.
    pub images: i64,
    /// The number of images whose data is being uploaded.
    pub uploading: i64,
    /// The size of the data in stores, in bytes.
    pub bytes: i64,
    /// The size of the data in the staging area, in bytes.
    pub staged_bytes: i64,
}

/// The largest page that is read in the order of an index: reading a whole table in that order takes longer than
/// sorting it.
const MAX_WALK: u64 = 10_000;

/// Returns whether images are read in the order of an index until there are enough, because nearly all of them
/// match. Otherwise matching images are found first, then sorted.
fn walks_an_index(query: &ImageQuery, caller: &Caller) -> bool {
    let ImageFilter {
        visibility,
        hidden,
        tags,
        attributes,
        name,
        status,
    } = &query.filter;
    let is_common = |(name, value): &(String, String)| name == "status" && value == "active";
    caller.is_admin()
        && query.limit.is_some_and(|limit| limit <= MAX_WALK)
        && !is_rare(visibility.as_deref())
        && !hidden
        && tags.is_empty()
        && name.is_none()
        && status.is_none_or(|status| status == ImageStatus::Active)
        && attributes.iter().all(is_common)
}

/// Returns whether few images have a visibility, so that its index is selective.
fn is_rare(visibility: Option<&str>) -> bool {
    matches!(visibility, Some("public" | "community"))
}

/// Returns the requested sort keys, followed by creation time and ID in the direction of the first key.
fn order(sort: &[(SortKey, Direction)]) -> Vec<(SortKey, Direction)> {
    let mut order = sort.to_vec();
    let direction = sort
        .first()
        .map_or(Direction::Descending, |(_, direction)| *direction);
    for key in [SortKey::CreatedAt, SortKey::Id] {
        if !order.iter().any(|(sorted, _)| *sorted == key) {
            order.push((key, direction));
        }
    }
    order
}

/// Adds the condition for images that the caller may see in a list.
///
/// *Source:* `_select_images_query` and `_image_get_all` of the reference implementation.
pub(super) fn visible(mut sql: Sql, query: &ImageQuery, caller: &Caller) -> Sql {
    let project = || Value::from(caller.project.as_str());
    if !caller.is_admin() {
        sql = sql
            .with(" AND (images.visibility IN ('public', 'community') OR images.owner = ?", [project()])
            .with(
                // By ID, because most images may have this visibility.
                " OR (COALESCE(images.visibility, '') = 'shared' AND images.id IN (SELECT image_id FROM image_members \
                 WHERE member = ? AND deleted + 0 = ?",
                [project(), false.into()],
            );
        if let Some(status) = query.member_status {
            sql = sql.with(" AND status = ?", [status.name().into()]);
        }
        sql = sql.text(")))");
    }
    match query.filter.visibility.as_deref() {
        Some("all") => sql,
        Some(one) if is_rare(Some(one)) => sql.with(" AND images.visibility = ?", [one.into()]),
        Some(one) => sql.with(" AND COALESCE(images.visibility, '') = ?", [one.into()]),
        None => sql.with(
            " AND (images.owner = ? OR images.visibility <> 'community')",
            [project()],
        ),
    }
}

fn filter(mut sql: Sql, filter: &ImageFilter) -> Result<Sql> {
    if let Some(visibility) = filter.visibility.as_deref()
        && visibility != "all"
        && crate::model::Visibility::parse(visibility).is_none()
    {
        return Err(Error::invalid(format!(
            "Invalid visibility value: {visibility}"
        )));
    }
    // The index is selective only for hidden images, which are few.
    let hidden = if filter.hidden {
        " AND images.os_hidden = ?"
    } else {
        " AND images.os_hidden + 0 = ?"
    };
    sql = sql.with(hidden, [filter.hidden.into()]);
    if let Some(name) = &filter.name {
        sql = sql.with(" AND images.name = ?", [name.as_str().into()]);
    }
    if let Some(status) = filter.status {
        sql = sql.with(" AND images.status = ?", [status.name().into()]);
    }
    for tag in &filter.tags {
        sql = sql.with(
            " AND images.id IN (SELECT image_id FROM image_tags WHERE value = ? AND deleted + 0 = ?)",
            [tag.as_str().into(), false.into()],
        );
    }
    for (name, value) in &filter.attributes {
        sql = attribute(sql, name, value)?;
    }
    Ok(sql)
}

/// Returns whether a filter called `name` is on a custom property.
pub fn is_property(name: &str) -> bool {
    // The API's names of columns that have other names.
    let is_alias = matches!(
        name,
        "is_hidden" | "is_protected" | "hash_algo" | "hash_value" | "owner_id" | "os_hidden"
    );
    !is_alias
        && !COLUMNS.contains(&name)
        && range(name).is_none()
        && attribute_named(name).is_none()
}

/// Returns the column and the operator of a range filter.
fn range(name: &str) -> Option<(&str, &'static str)> {
    let limits = [("_min", ">="), ("_max", "<=")];
    limits.into_iter().find_map(|(ending, sign)| {
        let column = name.strip_suffix(ending)?;
        matches!(column, "size" | "min_disk" | "min_ram" | "virtual_size").then_some((column, sign))
    })
}

fn attribute(sql: Sql, name: &str, value: &str) -> Result<Sql> {
    if let Some((column, sign)) = range(name) {
        let limit: i64 = value
            .parse()
            .map_err(|_| Error::invalid("Unable to filter on a range with a non-numeric value."))?;
        return Ok(sql.with(&format!(" AND images.{column} {sign} ?"), [limit.into()]));
    }
    match name {
        "created_at" | "updated_at" => {
            let (operator, moment) = split_operator(value);
            let sign = comparison(operator)?;
            let moment = Timestamp::parse(moment).ok_or_else(|| {
                Error::invalid(format!("Bad \"{name}\" query filter format. Use ISO 8601 DateTime notation."))
            })?;
            Ok(sql.with(&format!(" AND images.{name} {sign} ?"), [moment.to_catalog().into()]))
        }
        "name" | "id" | "status" | "container_format" | "disk_format" => match split_operator(value) {
            ("eq", value) => Ok(sql.with(&format!(" AND images.{name} = ?"), [value.into()])),
            ("in", list) => {
                let values = split_list(list)?;
                Ok(sql.text(&format!(" AND images.{name} IN ")).list(values.into_iter().map(Value::from)))
            }
            (operator, _) => Err(Error::invalid(format!("Unable to filter by unknown operator '{operator}'."))),
        },
        "protected" | "os_hidden" => match value {
            "true" | "false" => Ok(sql.with(&format!(" AND images.{name} + 0 = ?"), [(value == "true").into()])),
            _ => Err(Error::invalid(format!(
                "Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'."
            ))),
        },
        column if COLUMNS.contains(&column) => Ok(sql.with(&format!(" AND images.{column} = ?"), [value.into()])),
        property => Ok(sql.with(
            " AND images.id IN (SELECT image_id FROM image_properties WHERE name = ? AND value = ? AND deleted + 0 = ?)",
            [property.into(), value.into(), false.into()],
        )),
    }
}

/// Splits `in:a,b` into the operator `in` and `a,b`. A plain value, or a timestamp with colons, has the operator
/// `eq`.
fn split_operator(value: &str) -> (&str, &str) {
    match value.split_once(':') {
        Some((operator, rest)) if Timestamp::parse(value).is_none() => (operator, rest),
        _ => ("eq", value),
    }
}

fn comparison(operator: &str) -> Result<&'static str> {
    Ok(match operator {
        "lt" => "<",
        "lte" => "<=",
        "eq" => "=",
        "neq" => "<>",
        "gt" => ">",
        "gte" => ">=",
        _ => {
            return Err(Error::invalid(format!(
                "Unable to filter by unknown operator '{operator}'."
            )));
        }
    })
}

/// Splits the values of `in:…`: comma-separated, and in double quotes if they contain a comma.
fn split_list(list: &str) -> Result<Vec<String>> {
    let bad = || Error::new(ErrorKind::Invalid, format!("Invalid filter value {list}."));
    let mut values = Vec::new();
    let mut rest = list;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').ok_or_else(bad)?;
                (value, after)
            }
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if value.contains('"') {
            return Err(bad());
        }
        values.push(value.to_string());
        if after.is_empty() {
            return Ok(values);
        }
        rest = after.strip_prefix(',').ok_or_else(bad)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Database;

    #[test]
    fn operators_are_split_off_but_not_out_of_moments() {
        assert_eq!(split_operator("in:a,b"), ("in", "a,b"));
        assert_eq!(split_operator("plain"), ("eq", "plain"));
        assert_eq!(
            split_operator("2026-11-21T09:30:04Z"),
            ("eq", "2026-11-21T09:30:04Z")
        );
        assert_eq!(
            split_operator("gt:2026-11-21T09:30:04Z"),
            ("gt", "2026-11-21T09:30:04Z")
        );
    }

    #[test]
    fn quoted_values_may_hold_commas() {
        assert_eq!(split_list(r#"a,"b,c",d"#).unwrap(), ["a", "b,c", "d"]);
        assert!(split_list(r#"a,"b"#).is_err());
        assert!(split_list(r#"a"b"#).is_err());
    }

    #[test]
    fn ties_are_broken_by_age_and_id_in_the_first_direction() {
        let order = order(&[(SortKey::Name, Direction::Ascending)]);
        assert_eq!(
            order[1..],
            [
                (SortKey::CreatedAt, Direction::Ascending),
                (SortKey::Id, Direction::Ascending)
            ]
        );
    }

    #[tokio::test]
    async fn only_pages_of_common_images_are_read_in_the_order_of_an_index() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("glance.db");
        let database = Database::Sqlite(path.clone());
        let catalog = Catalog::open_current(&database).await.unwrap();
        let insert = "INSERT INTO images (id, status, created_at, deleted, min_disk, min_ram) \
             VALUES ('marker', 'active', '2026-01-01 00:00:00', 0, 0, 0)";
        catalog.execute(Sql::new(insert)).await.unwrap();
        let administrator = Caller::parse("admin:admin:admin").unwrap();
        let first_step = async |query: &ImageQuery| -> String {
            let sql = catalog.list_statement(query, &administrator).await.unwrap();
            let connection = rusqlite::Connection::open(&path).unwrap();
            let explain = format!("EXPLAIN QUERY PLAN {}", sql.text);
            let mut explain = connection.prepare(&explain).unwrap();
            let mut steps = explain.raw_query();
            steps.next().unwrap().unwrap().get(3).unwrap()
        };
        let whole = ImageQuery::default();
        assert_eq!(first_step(&whole).await, "SCAN images");
        let page = ImageQuery {
            limit: Some(20),
            ..whole
        };
        assert_eq!(
            first_step(&page).await,
            "SCAN images USING INDEX created_at_image_idx"
        );
        let next = ImageQuery {
            marker: Some("marker".to_string()),
            ..page.clone()
        };
        assert_eq!(
            first_step(&next).await,
            "SEARCH images USING INDEX created_at_image_idx (created_at<?)"
        );
        let mut named = page.clone();
        named.filter.name = Some("name".to_string());
        assert_eq!(first_step(&named).await, "SCAN images");
        let mut owned = page;
        owned.filter.attributes = vec![("owner".to_string(), "acme".to_string())];
        assert_eq!(
            first_step(&owned).await,
            "SEARCH images USING INDEX owner_image_idx (owner=?)"
        );
    }
}
