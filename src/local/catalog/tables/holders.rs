//! Which records name the data at an address.
//!
//! Glance's schema has no index of addresses, and is not ours to extend: to be certain that nothing else names an
//! address, all locations have to be read. [`Catalog::holders`] reads them once for a few addresses, and
//! [`Strangers`] once for all the addresses of a run of the scrubber.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::Result;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Transaction, Value};

/// Values in a list of a statement at most: no database takes any number of them.
const VALUES: usize = 10_000;

/// Strangers that are read by one statement.
const PAGE: usize = 10_000;

/// Rows that are read again: on a server, one with a smaller number may be committed after one with a larger.
const UNCOMMITTED: i64 = 1000;

/// The characters of an id of the usual form.
const ID: usize = 36;

/// The characters that follow the id in addresses of RBD: `/snap`. Of other words of this length it does no harm.
const SNAPSHOT: usize = 5;

/// A condition of the locations whose address does not tell their image: it does not end in its id, and [`ID`] and
/// [`SNAPSHOT`] do not say where in it the id is. All others are found by [`named_images`].
const STRANGE: &str = "NOT (length(image_id) = 36 \
     AND (substr(value, -36) = image_id OR substr(value, -5, 1) = '/' AND substr(value, -41, 36) = image_id))";

/// A condition of the locations that count: of images that are alive, or can be restored.
const COUNTING: &str = "image_locations.status <> 'deleted' AND images.status <> 'deleted'";

/// A row of a location that names an address, and the address.
pub type Holder = (i64, String);

/// The locations that name an address without its telling so.
pub struct Strangers {
    /// Rows by the hash of their address.
    rows: HashMap<u64, Vec<i64>>,
    hashes: RandomState,
    /// The last row that was read.
    last: i64,
}

impl Catalog {
    /// Returns the locations that name one of `addresses` and count: those of images that are alive, and of images
    /// that can be restored. Reads all locations.
    pub async fn holders(&self, addresses: &[&str]) -> Result<Vec<Holder>> {
        holders(self, addresses).await
    }

    /// Returns those [`Catalog::holders`] of `addresses` that are locations of the image `id`.
    pub async fn holders_of_image(&self, id: &str, addresses: &[&str]) -> Result<Vec<Holder>> {
        let found = counting(self, "image_locations.image_id", [id.into()]).await?;
        Ok(naming(found, addresses))
    }

    /// Reads all locations, for [`Catalog::holders_beside`].
    pub async fn strangers(&self) -> Result<Strangers> {
        let mut strangers = Strangers {
            rows: HashMap::new(),
            hashes: RandomState::new(),
            last: 0,
        };
        let last = self.last_location().await?;
        self.read_strangers(&mut strangers, last).await?;
        Ok(strangers)
    }

    /// Returns the same as [`Catalog::holders`], and reads only the locations that were added since `strangers` was
    /// read. Nothing changes the address of a location that exists.
    pub async fn holders_beside(
        &self,
        strangers: &mut Strangers,
        addresses: &[&str],
    ) -> Result<Vec<Holder>> {
        let last = self.last_location().await?;
        if last < strangers.last {
            // The numbers of what was purged may have been given to others.
            *strangers = self.strangers().await?;
        } else {
            self.read_strangers(strangers, last).await?;
        }
        let rows: HashSet<i64> = addresses
            .iter()
            .filter_map(|address| strangers.rows.get(&strangers.hashes.hash_one(*address)))
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

    /// Returns the number of the last row of a location; 0 where there is none.
    async fn last_location(&self) -> Result<i64> {
        let row = self
            .row(Sql::new("SELECT MAX(id) AS last FROM image_locations"))
            .await?;
        let last = row.map(|row| row.integer("last")).transpose()?.flatten();
        Ok(last.unwrap_or(0))
    }

    /// Reads the strangers from behind those that were read up to the row `last`.
    async fn read_strangers(&self, strangers: &mut Strangers, last: i64) -> Result<()> {
        let mut after = strangers.last.saturating_sub(UNCOMMITTED);
        loop {
            let sql = Sql::new("SELECT id, value FROM image_locations WHERE ").with(
                &format!(
                    "id > ? AND id <= ? AND status <> 'deleted' AND {STRANGE} ORDER BY id LIMIT ?"
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
                let hash = strangers.hashes.hash_one(&*row.some_text("value")?);
                let known = strangers.rows.entry(hash).or_default();
                if !known.contains(&after) {
                    known.push(after);
                }
            }
            if rows.len() < PAGE {
                break;
            }
        }
        strangers.last = last;
        Ok(())
    }
}

impl Transaction {
    /// Returns the same as [`Catalog::holders`].
    pub async fn holders(&self, addresses: &[&str]) -> Result<Vec<Holder>> {
        holders(self, addresses).await
    }
}

/// See [`Catalog::holders`].
async fn holders(on: &impl Run, addresses: &[&str]) -> Result<Vec<Holder>> {
    let mut holders = Vec::new();
    for chunk in addresses.chunks(VALUES) {
        let values = chunk.iter().map(|address| (*address).into());
        let found = counting(on, "image_locations.value", values).await?;
        holders.extend(naming(found, addresses));
    }
    Ok(holders)
}

/// Returns the locations that count and whose `column` has one of `values`.
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

/// Returns those of `found` that name one of `addresses`, which a server compares without case.
fn naming(mut found: Vec<Holder>, addresses: &[&str]) -> Vec<Holder> {
    let addresses: HashSet<&str> = addresses.iter().copied().collect();
    found.retain(|(_, address)| addresses.contains(address.as_str()));
    found
}

/// Returns the ids of the images that a location with this address may belong to without being [`STRANGE`].
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

    async fn check(catalog: &Catalog, strangers: &mut Strangers) {
        for address in addresses() {
            let all = catalog.holders(&[&address]).await.unwrap();
            let found = catalog
                .holders_beside(strangers, &[&address])
                .await
                .unwrap();
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
        let mut strangers = catalog.strangers().await.unwrap();
        check(&catalog, &mut strangers).await;
        let all = addresses();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let found = catalog.holders_beside(&mut strangers, &all).await.unwrap();
        assert_eq!(found.len(), 2 * 3 * all.len());
        let dead = Sql::new("UPDATE images SET status = 'deleted' WHERE id = 'short'");
        catalog.execute(dead).await.unwrap();
        check(&catalog, &mut strangers).await;
    }

    #[tokio::test]
    async fn strangers_that_come_later_are_found() {
        let (_directory, catalog) = catalogue().await;
        add(&catalog, IMAGES[0], "x", "active").await;
        let mut strangers = catalog.strangers().await.unwrap();
        add(&catalog, IMAGES[1], "file:///a/é", "active").await;
        check(&catalog, &mut strangers).await;
        // A purge makes room for others of the same numbers.
        let purge = Sql::new("DELETE FROM image_locations");
        catalog.execute(purge).await.unwrap();
        add(&catalog, IMAGES[2], "x", "active").await;
        check(&catalog, &mut strangers).await;
    }
}
