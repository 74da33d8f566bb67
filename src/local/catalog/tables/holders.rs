//! The records that refer to the data at an address.
//!
//! Glance's schema has no index on addresses, and cannot be extended. To be certain that no other record refers to
//! an address, all locations must be read. [`Catalog::holders`] reads them once for a few addresses, and
//! [`IrregularLocations`] once for all addresses of a run of the scrubber.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::Result;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Transaction, Value};

/// The maximum number of values in a list of a statement: databases limit it.
const VALUES: usize = 10_000;

/// The number of irregular locations that are read by one statement.
const PAGE: usize = 10_000;

/// The number of rows that are read again: on a server, a row with a smaller number may be committed after one with
/// a larger.
const UNCOMMITTED: i64 = 1000;

/// The length of an image ID, in characters.
const ID: usize = 36;

/// The length of the suffix after the image ID in RBD addresses: `/snap`. Other suffixes of this length do no harm.
const SNAPSHOT: usize = 5;

/// The SQL condition for irregular locations, in whose address the image ID is not at one of the positions given by
/// [`ID`] and [`SNAPSHOT`]. All others are found by [`named_images`].
const IRREGULAR: &str = "NOT (length(image_id) = 36 \
     AND (substr(value, -36) = image_id OR substr(value, -5, 1) = '/' AND substr(value, -41, 36) = image_id))";

/// The SQL condition for locations of images that exist, or can be restored.
const COUNTING: &str = "image_locations.status <> 'deleted' AND images.status <> 'deleted'";

/// The row number of a location, and its address.
pub type Holder = (i64, String);

/// Locations whose address does not show their image.
pub struct IrregularLocations {
    /// Row numbers by the hash of the address.
    rows: HashMap<u64, Vec<i64>>,
    hashes: RandomState,
    /// The last row that was read.
    last: i64,
}

impl Catalog {
    /// Returns the locations with one of `addresses` whose image exists or can be restored. Reads all locations.
    pub async fn holders(&self, addresses: &[&str]) -> Result<Vec<Holder>> {
        holders(self, addresses).await
    }

    /// Returns those [`Catalog::holders`] of `addresses` that are locations of the image `id`.
    pub async fn holders_of_image(&self, id: &str, addresses: &[&str]) -> Result<Vec<Holder>> {
        let found = counting(self, "image_locations.image_id", [id.into()]).await?;
        Ok(naming(found, addresses))
    }

    /// Reads all irregular locations, for [`Catalog::holders_with`].
    pub async fn irregular_locations(&self) -> Result<IrregularLocations> {
        let mut irregular = IrregularLocations {
            rows: HashMap::new(),
            hashes: RandomState::new(),
            last: 0,
        };
        let last = self.last_location().await?;
        self.read_irregular_locations(&mut irregular, last).await?;
        Ok(irregular)
    }

    /// Returns the same as [`Catalog::holders`], but reads only locations that were added since `irregular` was
    /// read. The address of an existing location never changes.
    pub async fn holders_with(
        &self,
        irregular: &mut IrregularLocations,
        addresses: &[&str],
    ) -> Result<Vec<Holder>> {
        let last = self.last_location().await?;
        if last < irregular.last {
            // Row numbers of purged locations may have been reused.
            *irregular = self.irregular_locations().await?;
        } else {
            self.read_irregular_locations(irregular, last).await?;
        }
        let rows: HashSet<i64> = addresses
            .iter()
            .filter_map(|address| irregular.rows.get(&irregular.hashes.hash_one(*address)))
            .flatten()
            .copied()
            .collect();
        let images: HashSet<String> = addresses
            .iter()
            .flat_map(|address| named_images(address))
            .collect();
        let rows: Vec<Value> = rows.into_iter().map(Value::from).collect();
        let images: Vec<Value> = images.into_iter().map(Value::from).collect();
        let mut holders = Vec::new();
        for (column, values) in [
            ("image_locations.id", rows),
            ("image_locations.image_id", images),
        ] {
            for values in values.chunks(VALUES) {
                let found = counting(self, column, values.iter().cloned()).await?;
                holders.extend(naming(found, addresses));
            }
        }
        holders.sort_unstable();
        holders.dedup();
        Ok(holders)
    }

    /// Returns the row number of the last location; 0 if there is none.
    async fn last_location(&self) -> Result<i64> {
        let row = self
            .row(Sql::new("SELECT MAX(id) AS last FROM image_locations"))
            .await?;
        let last = row.map(|row| row.integer("last")).transpose()?.flatten();
        Ok(last.unwrap_or(0))
    }

    /// Reads the irregular locations after those already read, up to the row `last`.
    async fn read_irregular_locations(
        &self,
        irregular: &mut IrregularLocations,
        last: i64,
    ) -> Result<()> {
        let mut after = irregular.last.saturating_sub(UNCOMMITTED);
        loop {
            let sql = Sql::new("SELECT id, value FROM image_locations WHERE ").with(
                &format!(
                    "id > ? AND id <= ? AND status <> 'deleted' AND {IRREGULAR} ORDER BY id LIMIT ?"
                ),
                [
                    after.into(),
                    last.into(),
                    i64::try_from(PAGE).unwrap_or(i64::MAX).into(),
                ],
            );
            let rows = self.rows(sql).await?;
            for row in &rows {
                after = row.some_integer("id")?;
                let hash = irregular.hashes.hash_one(&*row.some_text("value")?);
                let known = irregular.rows.entry(hash).or_default();
                if !known.contains(&after) {
                    known.push(after);
                }
            }
            if rows.len() < PAGE {
                break;
            }
        }
        irregular.last = last;
        Ok(())
    }
}

impl Transaction {
    /// Returns the same as [`Catalog::holders`].
    pub async fn holders(&self, addresses: &[&str]) -> Result<Vec<Holder>> {
        holders(self, addresses).await
    }
}

/// Implements [`Catalog::holders`].
async fn holders(on: &impl Run, addresses: &[&str]) -> Result<Vec<Holder>> {
    let mut holders = Vec::new();
    for chunk in addresses.chunks(VALUES) {
        let values = chunk.iter().map(|address| (*address).into());
        let found = counting(on, "image_locations.value", values).await?;
        holders.extend(naming(found, addresses));
    }
    Ok(holders)
}

/// Returns the locations with one of `values` in `column` whose image exists or can be restored.
async fn counting(
    on: &impl Run,
    column: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Holder>> {
    let sql = Sql::new(format!(
        "SELECT image_locations.id, image_locations.value FROM image_locations \
         INNER JOIN images ON images.id = image_locations.image_id WHERE {COUNTING} AND {column} IN "
    ));
    let rows = on.rows(sql.list(values)).await?;
    let read = |row: &Row| Ok((row.some_integer("id")?, row.some_owned("value")?));
    rows.iter().map(read).collect()
}

/// Filters `found` for exact `addresses`, because a server ignores case.
fn naming(mut found: Vec<Holder>, addresses: &[&str]) -> Vec<Holder> {
    let addresses: HashSet<&str> = addresses.iter().copied().collect();
    found.retain(|(_, address)| addresses.contains(address.as_str()));
    found
}

/// Returns the IDs of the images that a regular location with this address may belong to.
fn named_images(address: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = address.chars().collect();
    [0, SNAPSHOT].into_iter().filter_map(move |behind| {
        let end = characters.len().checked_sub(behind)?;
        if behind > 0 && characters.get(end) != Some(&'/') {
            return None;
        }
        let id = characters.get(end.checked_sub(ID)?..end)?;
        Some(id.iter().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Database;

    const IMAGES: [&str; 3] = [
        "0a1b2c3d-0000-4000-8000-000000000001",
        "0a1b2c3d-0000-4000-8000-000000000002",
        "short",
    ];

    /// Addresses of every kind: the store's own, another image's, with a snapshot, too short, and with nothing
    /// in it but an id.
    fn addresses() -> Vec<String> {
        let mut addresses = vec!["x".to_string(), "file:///a/é".to_string()];
        for image in IMAGES {
            addresses.push(format!("file:///images/{image}"));
            addresses.push(format!("rbd://fsid/pool/{image}/snap"));
            addresses.push(format!("https://host/{image}.img"));
            addresses.push(image.to_string());
            addresses.push(format!("1234/{image}"));
        }
        addresses
    }

    async fn catalogue() -> (tempfile::TempDir, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("glance.db");
        let catalog = Catalog::open_current(&Database::Sqlite(path))
            .await
            .unwrap();
        for image in IMAGES {
            let sql =
                "INSERT INTO images (id, status, created_at, deleted, min_disk, min_ram) VALUES ";
            let row = [
                image.into(),
                "active".into(),
                "2026-01-01".into(),
                false.into(),
            ];
            let sql = Sql::new(sql).list(row.into_iter().chain([0_i64.into(), 0_i64.into()]));
            catalog.execute(sql).await.unwrap();
        }
        (directory, catalog)
    }

    async fn add(catalog: &Catalog, image: &str, address: &str, status: &str) {
        let sql =
            "INSERT INTO image_locations (image_id, value, created_at, deleted, status) VALUES ";
        let row = [image, address, "2026-01-01"].map(Value::from);
        let row = row.into_iter().chain([false.into(), status.into()]);
        catalog.execute(Sql::new(sql).list(row)).await.unwrap();
    }

    async fn check(catalog: &Catalog, irregular: &mut IrregularLocations) {
        for address in addresses() {
            let all = catalog.holders(&[&address]).await.unwrap();
            let found = catalog.holders_with(irregular, &[&address]).await.unwrap();
            assert_eq!(found, all, "{address}");
        }
    }

    #[tokio::test]
    async fn strangers_and_ids_find_what_reading_all_locations_finds() {
        let (_directory, catalog) = catalogue().await;
        for image in IMAGES {
            for address in addresses() {
                add(&catalog, image, &address, "active").await;
                add(&catalog, image, &address, "pending_delete").await;
                add(&catalog, image, &address, "deleted").await;
            }
        }
        let mut irregular = catalog.irregular_locations().await.unwrap();
        check(&catalog, &mut irregular).await;
        let all = addresses();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let found = catalog.holders_with(&mut irregular, &all).await.unwrap();
        assert_eq!(found.len(), 2 * 3 * all.len());
        let dead = Sql::new("UPDATE images SET status = 'deleted' WHERE id = 'short'");
        catalog.execute(dead).await.unwrap();
        check(&catalog, &mut irregular).await;
    }

    #[tokio::test]
    async fn strangers_that_come_later_are_found() {
        let (_directory, catalog) = catalogue().await;
        add(&catalog, IMAGES[0], "x", "active").await;
        let mut irregular = catalog.irregular_locations().await.unwrap();
        add(&catalog, IMAGES[1], "file:///a/é", "active").await;
        check(&catalog, &mut irregular).await;
        // A purge makes room for others of the same numbers.
        let purge = Sql::new("DELETE FROM image_locations");
        catalog.execute(purge).await.unwrap();
        add(&catalog, IMAGES[2], "x", "active").await;
        check(&catalog, &mut irregular).await;
    }
}
