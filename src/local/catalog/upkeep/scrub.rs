//! Images whose data is pending deletion, and their final deletion or restoration.

use crate::Result;
use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::images::{bytes, read_metadata};
use crate::local::catalog::{Catalog, Dialect, Sql, Transaction, Value};
use crate::model::{ImageStatus, Location, Timestamp};

/// The status of locations that are pending deletion.
const PENDING: &str = "pending_delete";

/// The maximum number of values in a list of a statement: databases limit it.
const VALUES: usize = 10_000;

/// A location that is pending deletion.
#[derive(Debug)]
pub struct PendingLocation {
    /// The row number.
    pub row: i64,
    /// The location, or the reason why its address cannot be decrypted.
    pub location: Result<Location>,
    /// The time of the deletion request.
    pub deleted_at: Option<Timestamp>,
}

/// The position of an image in the order of the index on deleted images.
#[derive(Clone, Debug)]
pub struct Place(Value);

/// A deleted image whose data is pending deletion.
#[derive(Debug)]
pub struct PendingImage {
    /// The ID.
    pub id: String,
    /// The position of the image.
    pub place: Place,
    /// The remaining locations; empty if a scrubber crashed before it recorded the removal.
    pub locations: Vec<PendingLocation>,
}

/// A pending location that was removed from an existing image.
#[derive(Debug)]
pub struct RemovedLocation {
    /// The ID of the image.
    pub image_id: String,
    /// The status of the image.
    pub status: String,
    /// Whether the image has other locations, which are not pending deletion.
    pub has_others: bool,
    /// The location.
    pub pending: PendingLocation,
}

/// An image with the facts for a restoration.
#[derive(Debug)]
pub struct Restorable {
    /// The status.
    pub status: String,
    /// Whether it is marked as deleted.
    pub deleted: bool,
    /// The size of its data in bytes, if recorded.
    pub size: Option<u64>,
    /// The number of its locations that are not pending deletion.
    pub others: i64,
    /// The locations that are pending deletion.
    pub pending: Vec<PendingLocation>,
}

/// The tables of an image's children except locations, each with its key column.
const CHILDREN: [(&str, &str); 3] = [
    ("image_properties", "name"),
    ("image_tags", "value"),
    ("image_members", "member"),
];

/// The columns of [`read_pending`].
const PENDING_COLUMNS: &str = "image_locations.id AS location_id, image_locations.value, image_locations.meta_data, \
     image_locations.deleted_at";

/// Reads a location of an image from a row with [`PENDING_COLUMNS`].
fn read_pending(row: &Row, image: &str, cipher: &AddressCipher) -> Result<PendingLocation> {
    // The metadata only helps to find the store, so an invalid row is not an error.
    let metadata = read_metadata(row.text("meta_data")?.as_deref()).unwrap_or_default();
    let url = cipher.read(image, row.some_owned("value")?);
    Ok(PendingLocation {
        row: row.some_integer("location_id")?,
        location: url.map(|url| Location { url, metadata }),
        deleted_at: row.moment("deleted_at")?,
    })
}

impl Catalog {
    /// Returns the column that orders batches of images.
    fn place(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "rowid",
            Dialect::Mysql => "id",
        }
    }

    /// Returns the condition for deleted rows in batches. SQLite finds the next ones in its index, which is in the
    /// order of their positions. A server would read the index from its beginning for each batch, so it should
    /// continue in the table.
    fn marked(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "deleted",
            Dialect::Mysql => "deleted + 0",
        }
    }

    /// Returns images that were deleted at `until` or before and whose data is pending deletion: the first `limit`
    /// after the position `after`, in order.
    ///
    /// *Source:* `ScrubDBQueue` in `glance/scrubber.py` of the reference implementation.
    pub async fn pending_images(
        &self,
        until: Timestamp,
        after: Option<&Place>,
        limit: u64,
    ) -> Result<Vec<PendingImage>> {
        let (place, marked) = (self.place(), self.marked());
        let mut sql = Sql::new(format!(
            "SELECT due.id AS image_id, due.place AS place, {PENDING_COLUMNS} \
             FROM (SELECT id, {place} AS place FROM images",
        ))
        .with(
            &format!(" WHERE status = ? AND {marked} = ? AND deleted_at <= ?"),
            [
                ImageStatus::PendingDelete.name().into(),
                true.into(),
                until.to_catalog().into(),
            ],
        );
        if let Some(after) = after {
            sql = sql.with(&format!(" AND {place} > ?"), [after.0.clone()]);
        }
        let sql = sql
            .with(&format!(" ORDER BY {place} LIMIT ?"), [Value::rows(limit)])
            .with(
                ") AS due LEFT JOIN image_locations ON image_locations.image_id = due.id \
                 AND image_locations.status = ? ORDER BY due.place, image_locations.id",
                [PENDING.into()],
            );
        let mut images: Vec<PendingImage> = Vec::new();
        for row in self.rows(sql).await? {
            let id = row.some_text("image_id")?;
            if images.last().is_none_or(|last| *last.id != *id) {
                images.push(PendingImage {
                    id: id.into_owned(),
                    place: Place(match self.dialect() {
                        Dialect::Sqlite => row.some_integer("place")?.into(),
                        Dialect::Mysql => row.some_owned("place")?.into(),
                    }),
                    locations: Vec::new(),
                });
            }
            if let Some(last) = images.last_mut()
                && row.integer("location_id")?.is_some()
            {
                let pending = read_pending(&row, &last.id, self.cipher())?;
                last.locations.push(pending);
            }
        }
        Ok(images)
    }

    /// Returns pending locations that were removed from existing images at `until` or before: the first `limit`
    /// after the row `after`.
    pub async fn removed_locations(
        &self,
        until: Timestamp,
        after: i64,
        limit: u64,
    ) -> Result<Vec<RemovedLocation>> {
        let sql = Sql::new(
            "SELECT images.id AS image_id, images.status, (SELECT count(*) FROM image_locations AS other",
        )
        .with(
            " WHERE other.image_id = images.id AND other.deleted + 0 = ?) AS others, ",
            [false.into()],
        )
        .text(PENDING_COLUMNS)
        .text(
            " FROM image_locations INNER JOIN images ON images.id = image_locations.image_id",
        )
        .with(
            &format!(
                " WHERE image_locations.id > ? AND image_locations.status = ? \
                 AND image_locations.{} = ? AND image_locations.deleted_at <= ? \
                 AND images.deleted + 0 = ? ORDER BY image_locations.id LIMIT ?",
                self.marked()
            ),
            [
                after.into(),
                PENDING.into(),
                true.into(),
                until.to_catalog().into(),
                false.into(),
                Value::rows(limit),
            ],
        );
        let rows = self.rows(sql).await?;
        let read = |row: &Row| {
            let image_id = row.some_owned("image_id")?;
            let pending = read_pending(row, &image_id, self.cipher())?;
            Ok(RemovedLocation {
                image_id,
                status: row.some_owned("status")?,
                has_others: row.some_integer("others")? > 0,
                pending,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Returns the time of the oldest pending deletion of an image.
    pub async fn oldest_pending(&self) -> Result<Option<Timestamp>> {
        let sql = Sql::new("SELECT MIN(deleted_at) AS oldest FROM images").with(
            " WHERE status = ? AND deleted = ?",
            [ImageStatus::PendingDelete.name().into(), true.into()],
        );
        match self.row(sql).await? {
            Some(row) => row.moment("oldest"),
            None => Ok(None),
        }
    }

    /// Returns an image with the facts for a restoration, deleted or not.
    pub async fn restorable(&self, id: &str) -> Result<Option<Restorable>> {
        let id = id.to_string();
        self.read(move |snapshot| {
            let id = id.clone();
            async move { restorable(&*snapshot, &id).await }
        })
        .await
    }
}

/// Implements [`Catalog::restorable`].
async fn restorable(on: &impl Run, id: &str) -> Result<Option<Restorable>> {
    if id.len() > 36 {
        return Ok(None);
    }
    let sql =
        Sql::new("SELECT status, deleted, size FROM images").with(" WHERE id = ?", [id.into()]);
    let sql = sql.text(on.lock());
    let Some(image) = on.row(sql).await? else {
        return Ok(None);
    };
    let sql = Sql::new("SELECT count(*) AS others FROM image_locations").with(
        " WHERE image_id = ? AND deleted + 0 = ?",
        [id.into(), false.into()],
    );
    let others = match on.row(sql).await? {
        Some(row) => row.some_integer("others")?,
        None => 0,
    };
    let sql = Sql::new(format!("SELECT {PENDING_COLUMNS} FROM image_locations")).with(
        " WHERE image_id = ? AND status = ? ORDER BY id",
        [id.into(), PENDING.into()],
    );
    let rows = on.rows(sql).await?;
    let read = |row: &Row| read_pending(row, id, on.cipher());
    let pending: Result<_> = rows.iter().map(read).collect();
    Ok(Some(Restorable {
        status: image.some_owned("status")?,
        deleted: image.flag("deleted")?,
        size: bytes(image.integer("size")?),
        others,
        pending: pending?,
    }))
}

impl Transaction {
    /// Returns an image with the facts for a restoration, deleted or not.
    pub async fn restorable(&self, id: &str) -> Result<Option<Restorable>> {
        restorable(self, id).await
    }

    /// Records that the data of these locations was removed, and that these images are deleted. Rows that are not
    /// pending deletion any more are not changed.
    pub async fn finish_scrub(&self, locations: &[i64], images: &[&str]) -> Result<()> {
        let now = self.now().to_catalog();
        let deleted = ImageStatus::Deleted.name();
        // Images first: all transactions lock them first.
        for images in images.chunks(VALUES) {
            let sql = Sql::new("UPDATE images SET ")
                .with(
                    "status = ?, updated_at = ? WHERE status = ? AND id IN ",
                    [
                        deleted.into(),
                        now.as_str().into(),
                        ImageStatus::PendingDelete.name().into(),
                    ],
                )
                .list(images.iter().map(|id| (*id).into()));
            self.execute(sql).await?;
        }
        for locations in locations.chunks(VALUES) {
            let sql = Sql::new("UPDATE image_locations SET ")
                .with(
                    "status = ?, deleted = ?, deleted_at = ?, updated_at = ? WHERE status = ? AND id IN ",
                    [
                        deleted.into(),
                        true.into(),
                        now.as_str().into(),
                        now.as_str().into(),
                        PENDING.into(),
                    ],
                )
                .list(locations.iter().map(|row| (*row).into()));
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Restores an image with its data at these locations to status `to`, with the properties, tags and members
    /// that were deleted with it.
    ///
    /// The image and its children are never marked as deleted in between, because a purge checks only that mark.
    ///
    /// *Source:* `image_restore` in `glance/db/sqlalchemy/api.py` of the reference implementation.
    pub async fn restore_image(&self, id: &str, to: &str, locations: &[i64]) -> Result<()> {
        for (table, key) in CHILDREN {
            self.restore_children(id, table, key).await?;
        }
        let now = self.now().to_catalog();
        let sql = Sql::new("UPDATE image_locations SET ")
            .with(
                "status = ?, deleted = ?, deleted_at = NULL, updated_at = ? WHERE id IN ",
                [
                    ImageStatus::Active.name().into(),
                    false.into(),
                    now.as_str().into(),
                ],
            )
            .list(locations.iter().map(|row| (*row).into()));
        self.execute(sql).await?;
        let sql = Sql::new("UPDATE images SET ").with(
            "status = ?, deleted = ?, deleted_at = NULL, updated_at = ? WHERE id = ?",
            [to.into(), false.into(), now.as_str().into(), id.into()],
        );
        self.execute(sql).await?;
        Ok(())
    }

    /// Restores the rows of a table that were deleted together with an image.
    ///
    /// The reference implementation deletes an image's locations first, then its properties, then the image with
    /// its tags and members, each with its own timestamp.
    async fn restore_children(&self, id: &str, table: &str, key: &str) -> Result<()> {
        let moment = "SELECT deleted_at FROM images WHERE id = ?";
        let sql = Sql::new(format!("SELECT id, {key} AS name, deleted FROM {table}"))
            .with(" WHERE image_id = ? AND (deleted + 0 = ?", [id.into(), false.into()])
            .with(&format!(" OR deleted_at <= ({moment})"), [id.into()])
            .with(
                &format!(
                    " AND deleted_at >= COALESCE((SELECT MAX(gone.deleted_at) FROM image_locations AS gone \
                     WHERE gone.image_id = ? AND gone.status = ? AND gone.deleted_at <= ({moment})), ({moment})))"
                ),
                [id.into(), PENDING.into(), id.into(), id.into()],
            );
        let rows = self.rows(sql).await?;
        let mut alive = Vec::new();
        let mut gone = Vec::new();
        for row in &rows {
            let name = row.some_owned("name")?;
            if row.flag("deleted")? {
                gone.push((row.some_integer("id")?, name));
            } else {
                alive.push(name);
            }
        }
        // Children that were added after another program restored the image take precedence.
        gone.retain(|(_, name)| !alive.contains(name));
        if gone.is_empty() {
            return Ok(());
        }
        let now = self.now().to_catalog();
        let sql = Sql::new(format!("UPDATE {table} SET "))
            .with(
                "deleted = ?, deleted_at = NULL, updated_at = ? WHERE id IN ",
                [false.into(), now.as_str().into()],
            )
            .list(gone.iter().map(|(row, _)| (*row).into()));
        self.execute(sql).await?;
        Ok(())
    }
}
