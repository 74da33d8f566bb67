//! Rows of locations.

use serde_json::Map;

use crate::Result;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::images::read_metadata;
use crate::local::catalog::{Catalog, Sql, Transaction};
use crate::model::{Location, json};

/// A location to be recorded.
pub struct NewLocation<'a> {
    /// Address of the data.
    pub url: &'a str,
    /// Metadata; empty if the store has no name.
    pub metadata: &'a Map<String, serde_json::Value>,
}

impl<'a> From<&'a Location> for NewLocation<'a> {
    fn from(location: &'a Location) -> Self {
        Self {
            url: &location.url,
            metadata: &location.metadata,
        }
    }
}

impl Catalog {
    /// Returns the images and addresses of the newest locations whose data is in use, at most `limit`.
    pub async fn newest_locations(&self, limit: u32) -> Result<Vec<(String, String)>> {
        let sql = Sql::new("SELECT image_id, value FROM image_locations").with(
            " WHERE status = 'active' ORDER BY id DESC LIMIT ?",
            [i64::from(limit).into()],
        );
        let rows = self.rows(sql).await?;
        let read = |row: &Row| {
            let image = row.some_owned("image_id")?;
            let address = self.cipher().read(&image, row.some_owned("value")?)?;
            Ok((image, address))
        };
        rows.iter().map(read).collect()
    }
}

impl Transaction {
    /// Returns all addresses that the record of an image has or had, including those of a deleted image.
    pub async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        let sql =
            Sql::new("SELECT value FROM image_locations").with(" WHERE image_id = ?", [id.into()]);
        let rows = self.rows(sql).await?;
        let read = |row: &Row| self.cipher().read(id, row.some_owned("value")?);
        rows.iter().map(read).collect()
    }

    /// Returns the addresses that were removed from the record of an image, without those whose data waits for the
    /// scrubber.
    pub async fn deleted_addresses(&self, id: &str) -> Result<Vec<String>> {
        let sql = Sql::new("SELECT value FROM image_locations").with(
            " WHERE image_id = ? AND +deleted = ? AND status = 'deleted'",
            [id.into(), true.into()],
        );
        let rows = self.rows(sql).await?;
        let read = |row: &Row| self.cipher().read(id, row.some_owned("value")?);
        rows.iter().map(read).collect()
    }

    /// Returns the locations of an image in the order in which they were added, each with the ID of its row.
    pub async fn load_locations(&self, id: &str) -> Result<Vec<(i64, Location)>> {
        let sql = Sql::new("SELECT id, value, meta_data FROM image_locations").with(
            " WHERE image_id = ? AND deleted + 0 = ? ORDER BY id",
            [id.into(), false.into()],
        );
        let rows = self.rows(sql).await?;
        let read = |row: &Row| {
            let location = Location {
                url: self.cipher().read(id, row.some_owned("value")?)?,
                metadata: read_metadata(row.text("meta_data")?.as_deref())?,
            };
            Ok((row.some_integer("id")?, location))
        };
        rows.iter().map(read).collect()
    }

    /// Adds a location after those that an image has.
    pub async fn insert_location(&self, id: &str, location: &NewLocation<'_>) -> Result<()> {
        let now = self.now().to_catalog();
        let address = self.cipher().write(location.url)?;
        let columns = "INSERT INTO image_locations (image_id, value, created_at, updated_at, deleted, \
             meta_data, status) VALUES ";
        self.execute(Sql::new(columns).list([
            id.into(),
            (*address).into(),
            now.as_str().into(),
            now.as_str().into(),
            false.into(),
            json::python(location.metadata).into(),
            "active".into(),
        ]))
        .await?;
        Ok(())
    }

    /// Marks a location deleted. If `later` is set, its data waits for the scrubber.
    pub async fn delete_location(&self, row: i64, later: bool) -> Result<()> {
        let now = self.now().to_catalog();
        let status = if later { "pending_delete" } else { "deleted" };
        let sql = Sql::new("UPDATE image_locations SET ").with(
            "status = ?, deleted = ?, deleted_at = ?, updated_at = ? WHERE id = ?",
            [
                status.into(),
                true.into(),
                now.as_str().into(),
                now.as_str().into(),
                row.into(),
            ],
        );
        self.execute(sql).await?;
        Ok(())
    }
}
