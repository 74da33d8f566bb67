//! Images whose data waits to be deleted, and how they become deleted, or active again.

use crate::Result;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::images::{bytes, read_metadata};
use crate::local::catalog::{Catalog, Dialect, Sql, Transaction, Value};
use crate::model::{ImageStatus, Location, Timestamp};

/// What the rows of locations whose data waits have as their status.
const PENDING: &str = "pending_delete";

/// Values in a list of a statement at most: no database takes any number of them.
const VALUES: usize = 10_000;

/// Data that waits to be deleted.
#[derive(Clone, Debug)]
pub struct WaitingLocation {
    /// Number of its row.
    pub row: i64,
    /// Where it is.
    pub location: Location,
    /// Since when it waits.
    pub deleted_at: Option<Timestamp>,
}

/// The place of an image in the order in which the index of what is deleted has them.
#[derive(Clone, Debug)]
pub struct Place(Value);

/// A deleted image whose data waits to be deleted.
#[derive(Clone, Debug)]
pub struct WaitingImage {
    /// Its id.
    pub id: String,
    /// Its place among the images.
    pub place: Place,
    /// The data that is left of it; none where a scrubber died before it could say so.
    pub locations: Vec<WaitingLocation>,
}

/// Data that waits though its image is alive: one of its locations was taken off.
#[derive(Clone, Debug)]
pub struct StrayLocation {
    /// Id of the image.
    pub image_id: String,
    /// Status of the image.
    pub status: String,
    /// Whether the image has other locations, which do not wait.
    pub has_others: bool,
    /// It.
    pub waiting: WaitingLocation,
}

/// An image as it is looked at before it is taken back.
#[derive(Clone, Debug)]
pub struct Restorable {
    /// Its status.
    pub status: String,
    /// Whether it is marked deleted.
    pub deleted: bool,
    /// Bytes of its data, if that was recorded.
    pub size: Option<u64>,
    /// How many locations it has that do not wait.
    pub others: i64,
    /// Its data that waits to be deleted.
    pub waiting: Vec<WaitingLocation>,
}

/// What an image may have several of, apart from locations: table, and what tells them from each other.
const CHILDREN: [(&str, &str); 3] = [
    ("image_properties", "name"),
    ("image_tags", "value"),
    ("image_members", "member"),
];

/// The columns of [`read_waiting`].
const WAITING: &str = "image_locations.id AS location_id, image_locations.value, image_locations.meta_data, \
     image_locations.deleted_at";

/// Reads a location from a row of [`WAITING`].
fn read_waiting(row: &Row) -> Result<WaitingLocation> {
    Ok(WaitingLocation {
        row: row.some_integer("location_id")?,
        location: Location {
            url: row.some_owned("value")?,
            // It helps to find the store; one bad row does not keep the others.
            metadata: read_metadata(row.text("meta_data")?.as_deref()).unwrap_or_default(),
        },
        deleted_at: row.moment("deleted_at")?,
    })
}

impl Catalog {
    /// Returns the column in whose order batches of images go.
    fn place(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "rowid",
            Dialect::Mysql => "id",
        }
    }

    /// Returns the mark of deleted rows as a batch asks for it. SQLite finds the next ones in its index, which has
    /// them in the order of their places; a server would read that from its beginning for each batch, and is to read
    /// the table on from where the last batch ended.
    fn marked(&self) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => "deleted",
            Dialect::Mysql => "deleted + 0",
        }
    }

    /// Images that were deleted at `until` or before and whose data waits; of those behind the place
    /// `after`, the first `limit`, in the order of their places.
    ///
    /// *Source:* `ScrubDBQueue` in `glance/scrubber.py` of the reference implementation.
    pub async fn waiting_images(
        &self,
        until: Timestamp,
        after: Option<&Place>,
        limit: u64,
    ) -> Result<Vec<WaitingImage>> {
        let (place, marked) = (self.place(), self.marked());
        let mut sql = Sql::new(format!(
            "SELECT due.id AS image_id, due.place AS place, {WAITING} \
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
        let mut images: Vec<WaitingImage> = Vec::new();
        for row in self.rows(sql).await? {
            let id = row.some_text("image_id")?;
            if images.last().is_none_or(|last| *last.id != *id) {
                images.push(WaitingImage {
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
                last.locations.push(read_waiting(&row)?);
            }
        }
        Ok(images)
    }

    /// Locations that were taken off images that are alive, at `until` or before; of those whose rows are
    /// behind `after`, the first `limit`.
    pub async fn stray_locations(
        &self,
        until: Timestamp,
        after: i64,
        limit: u64,
    ) -> Result<Vec<StrayLocation>> {
        let sql = Sql::new(
            "SELECT images.id AS image_id, images.status, (SELECT count(*) FROM image_locations AS other",
        )
        .with(
            " WHERE other.image_id = images.id AND other.deleted + 0 = ?) AS others, ",
            [false.into()],
        )
        .text(WAITING)
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
            Ok(StrayLocation {
                image_id: row.some_owned("image_id")?,
                status: row.some_owned("status")?,
                has_others: row.some_integer("others")? > 0,
                waiting: read_waiting(row)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// When the image was deleted that waits for longest.
    pub async fn oldest_waiting(&self) -> Result<Option<Timestamp>> {
        let sql = Sql::new("SELECT MIN(deleted_at) AS oldest FROM images").with(
            " WHERE status = ? AND deleted = ?",
            [ImageStatus::PendingDelete.name().into(), true.into()],
        );
        match self.row(sql).await? {
            Some(row) => row.moment("oldest"),
            None => Ok(None),
        }
    }

    /// An image that is to be taken back, deleted or not.
    pub async fn restorable(&self, id: &str) -> Result<Option<Restorable>> {
        self.read(async |snapshot| restorable(&*snapshot, id).await)
            .await
    }
}

/// See [`Catalog::restorable`].
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
    let sql = Sql::new(format!("SELECT {WAITING} FROM image_locations")).with(
        " WHERE image_id = ? AND status = ? ORDER BY id",
        [id.into(), PENDING.into()],
    );
    let rows = on.rows(sql).await?;
    let waiting: Result<_> = rows.iter().map(read_waiting).collect();
    Ok(Some(Restorable {
        status: image.some_owned("status")?,
        deleted: image.flag("deleted")?,
        size: bytes(image.integer("size")?),
        others,
        waiting: waiting?,
    }))
}

impl Transaction {
    /// An image that is to be taken back, deleted or not.
    pub async fn restorable(&self, id: &str) -> Result<Option<Restorable>> {
        restorable(self, id).await
    }

    /// Records that the data of these locations is gone, and that nothing is left of these images. What
    /// does not wait any more stays as it is.
    pub async fn finish_scrub(&self, locations: &[i64], images: &[&str]) -> Result<()> {
        let now = self.now().to_catalog();
        let deleted = ImageStatus::Deleted.name();
        // Images first, as everybody locks them.
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

    /// Takes an image back into status `to` that has its data at these locations still, with the
    /// properties, tags and members that went when it was deleted.
    ///
    /// The image and what belongs to it are not marked as deleted at any time any more: a purge looks at
    /// that alone.
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

    /// Brings back the rows of a table that went with an image: those that were deleted when it was.
    ///
    /// The reference implementation deletes its locations first, then its properties, then the image with
    /// its tags and members, each at a moment of its own.
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
        // What was given to an image since it was taken back by another program counts.
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
