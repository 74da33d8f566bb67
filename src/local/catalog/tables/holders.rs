//! The records that refer to the data at an address.
//!
//! Glance's schema has no index on addresses, and cannot be extended. To be certain that no other record refers to
//! an address, all locations must be read. [`Catalog::holders`] reads them once for a few addresses, and
//! [`IrregularLocations`] once for all addresses of a run of the scrubber.
//!
//! Encrypted addresses are read, decrypted and compared here, because each encryption of an address is different. A
//! location whose address cannot be decrypted may refer to data that is named after its image, or after no image:
//! such data is not removed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::Result;
use crate::local::catalog::db::addresses::{AddressCipher, unreadable};
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Transaction, Value};
use crate::model::schema::is_uuid;

/// The maximum number of values in a list of a statement: databases limit it.
const VALUES: usize = 10_000;

/// The number of locations that are read by one statement.
const PAGE: usize = 10_000;

/// The number of rows that are read again: on a server, a row with a smaller number may be committed after one with
/// a larger.
const UNCOMMITTED: i64 = 1000;

/// The length of an image ID, in characters.
const ID: usize = 36;

/// The length of the suffix after the image ID in RBD addresses: `/snap`. Other suffixes of this length do no harm.
const SNAPSHOT: usize = 5;

/// The SQL condition for irregular locations, in whose address the image ID is not at one of the positions given by
/// [`ID`] and [`SNAPSHOT`]. All others are found by [`named_images`]. Encrypted addresses are irregular.
const IRREGULAR: &str = "NOT (length(image_id) = 36 \
     AND (substr(value, -36) = image_id OR substr(value, -5, 1) = '/' AND substr(value, -41, 36) = image_id))";

/// The SQL condition for locations of images that exist, or can be restored.
const COUNTING: &str = "image_locations.status <> 'deleted' AND images.status <> 'deleted'";

/// The locations that refer to the data at some addresses, or may do so, of images that exist or can be restored.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Row numbers by the address.
    known: HashMap<String, BTreeSet<i64>>,
    /// Row numbers of locations whose address cannot be decrypted, by the ID of their image.
    unreadable: HashMap<String, BTreeSet<i64>>,
}

impl Holders {
    /// Returns whether a location other than the rows of `except` refers to the data at `address`, one of those
    /// that were asked for.
    ///
    /// # Errors
    /// `Failed` if a location whose address cannot be decrypted may refer to it.
    pub fn refer_to(&self, address: &str, except: &HashSet<i64>) -> Result<bool> {
        let counts = |rows: &BTreeSet<i64>| rows.iter().any(|row| !except.contains(row));
        if self.known.get(address).is_some_and(counts) {
            return Ok(true);
        }
        let suspect = if is_irregular(address) {
            let suspects = self.unreadable.iter().filter(|(_, rows)| counts(rows));
            suspects.map(|(image, _)| image.as_str()).min()
        } else {
            named_images(address).find_map(|id| {
                let (image, rows) = self.unreadable.get_key_value(&id)?;
                counts(rows).then_some(image.as_str())
            })
        };
        suspect.map_or(Ok(false), |image| {
            Err(unreadable(image).context("the data of an image may belong to another one"))
        })
    }

    /// Adds the locations of `found` with one of `addresses`, and those that may have one of them.
    fn extend(&mut self, found: Vec<Found>, addresses: &HashSet<&str>) {
        for Found {
            row,
            image,
            address,
        } in found
        {
            let rows = match address {
                // A server ignores case when it compares.
                Some(address) if !addresses.contains(address.as_str()) => continue,
                Some(address) => self.known.entry(address).or_default(),
                None => self.unreadable.entry(image).or_default(),
            };
            rows.insert(row);
        }
    }
}

/// A location that was read.
struct Found {
    row: i64,
    /// The ID of the image.
    image: String,
    /// None if it cannot be decrypted.
    address: Option<String>,
}

/// Reads the columns `id`, `image_id` and `value` of a location.
fn read_found(row: &Row, cipher: &AddressCipher) -> Result<Found> {
    let image = row.some_owned("image_id")?;
    let address = cipher.read(&image, row.some_owned("value")?).ok();
    Ok(Found {
        row: row.some_integer("id")?,
        image,
        address,
    })
}

/// Locations whose address does not show their image.
pub struct IrregularLocations {
    /// Row numbers by the hash of the address.
    rows: HashMap<u64, Vec<i64>>,
    hashes: RandomState,
    /// Row numbers of locations whose address cannot be decrypted.
    unreadable: HashSet<i64>,
    /// The last row that was read.
    last: i64,
}

impl IrregularLocations {
    /// Creates the collection before anything was read.
    fn new() -> Self {
        Self {
            rows: HashMap::new(),
            hashes: RandomState::new(),
            unreadable: HashSet::new(),
            last: 0,
        }
    }

    /// Adds a location, unless its address shows the image. An encrypted one that does was read as an irregular one.
    fn insert(&mut self, found: &Found) {
        let Found {
            row,
            image,
            address,
        } = found;
        let Some(address) = address else {
            self.unreadable.insert(*row);
            return;
        };
        if named_images(address).any(|id| id == *image) {
            return;
        }
        let known = self.rows.entry(self.hashes.hash_one(address)).or_default();
        if !known.contains(row) {
            known.push(*row);
        }
    }

    /// Returns the rows that may have one of `addresses`.
    fn candidates(&self, addresses: &[&str]) -> HashSet<i64> {
        let known = addresses
            .iter()
            .filter_map(|address| self.rows.get(&self.hashes.hash_one(*address)))
            .flatten();
        let mut rows: HashSet<i64> = known.copied().collect();
        if addresses.iter().any(|address| is_irregular(address)) {
            rows.extend(&self.unreadable);
        }
        rows
    }
}

impl Catalog {
    /// Returns the locations with one of `addresses` whose image exists or can be restored. Reads all locations.
    pub async fn holders(&self, addresses: &[&str]) -> Result<Holders> {
        holders(self, addresses).await
    }

    /// Returns those [`Catalog::holders`] of `addresses` that are locations of the image `id`.
    pub async fn holders_of_image(&self, id: &str, addresses: &[&str]) -> Result<Holders> {
        let mut holders = Holders::default();
        let found = counting(self, "image_locations.image_id", [id.into()]).await?;
        holders.extend(found, &addresses.iter().copied().collect());
        Ok(holders)
    }

    /// Reads all irregular locations, for [`Catalog::holders_with`].
    pub async fn irregular_locations(&self) -> Result<IrregularLocations> {
        let mut irregular = IrregularLocations::new();
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
    ) -> Result<Holders> {
        let last = self.last_location().await?;
        if last < irregular.last {
            // Row numbers of purged locations may have been reused.
            *irregular = self.irregular_locations().await?;
        } else {
            self.read_irregular_locations(irregular, last).await?;
        }
        let rows = irregular.candidates(addresses);
        let images: HashSet<String> = addresses
            .iter()
            .flat_map(|address| named_images(address))
            .collect();
        let rows: Vec<Value> = rows.into_iter().map(Value::from).collect();
        let images: Vec<Value> = images.into_iter().map(Value::from).collect();
        let addresses = addresses.iter().copied().collect();
        let mut holders = Holders::default();
        for (column, values) in [
            ("image_locations.id", rows),
            ("image_locations.image_id", images),
        ] {
            for values in values.chunks(VALUES) {
                let found = counting(self, column, values.iter().cloned()).await?;
                holders.extend(found, &addresses);
            }
        }
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
            let sql = Sql::new("SELECT id, image_id, value FROM image_locations WHERE ").with(
                &format!(
                    "id > ? AND id <= ? AND status <> 'deleted' AND {IRREGULAR} ORDER BY id LIMIT ?"
                ),
                [after.into(), last.into(), Value::rows(PAGE as u64)],
            );
            let rows = self.rows(sql).await?;
            for row in &rows {
                let found = read_found(row, self.cipher())?;
                after = found.row;
                irregular.insert(&found);
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
    pub async fn holders(&self, addresses: &[&str]) -> Result<Holders> {
        holders(self, addresses).await
    }
}

/// Implements [`Catalog::holders`].
async fn holders(on: &impl Run, addresses: &[&str]) -> Result<Holders> {
    let wanted = addresses.iter().copied().collect();
    let mut holders = Holders::default();
    if addresses.is_empty() {
        return Ok(holders);
    }
    if on.cipher().encrypts()? {
        let mut after = 0;
        loop {
            let found = counting_after(on, after).await?;
            let count = found.len();
            after = found.last().map_or(after, |found| found.row);
            holders.extend(found, &wanted);
            if count < PAGE {
                return Ok(holders);
            }
        }
    }
    for chunk in addresses.chunks(VALUES) {
        let values = chunk.iter().map(|address| (*address).into());
        let found = counting(on, "image_locations.value", values).await?;
        holders.extend(found, &wanted);
    }
    Ok(holders)
}

/// The beginning of a query for [`read_found`], up to its condition.
const SELECT: &str = "SELECT image_locations.id, image_locations.image_id, image_locations.value \
     FROM image_locations INNER JOIN images ON images.id = image_locations.image_id WHERE ";

/// Returns the locations with one of `values` in `column` whose image exists or can be restored.
async fn counting(
    on: &impl Run,
    column: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<Found>> {
    let sql = Sql::new(format!("{SELECT}{COUNTING} AND {column} IN "));
    let rows = on.rows(sql.list(values)).await?;
    let read = |row: &Row| read_found(row, on.cipher());
    rows.iter().map(read).collect()
}

/// Returns the first locations after the row `after` whose image exists or can be restored.
async fn counting_after(on: &impl Run, after: i64) -> Result<Vec<Found>> {
    let sql = Sql::new(SELECT).with(
        &format!("{COUNTING} AND image_locations.id > ? ORDER BY image_locations.id LIMIT ?"),
        [after.into(), Value::rows(PAGE as u64)],
    );
    let rows = on.rows(sql).await?;
    let read = |row: &Row| read_found(row, on.cipher());
    rows.iter().map(read).collect()
}

/// Returns whether an address has no ID of an image where stores put it.
fn is_irregular(address: &str) -> bool {
    !named_images(address).any(|id| is_uuid(&id))
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
    use crate::config::{Database, Secret};

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

    /// The same catalogue with a key.
    fn with_key(catalog: Catalog, key: &str) -> Catalog {
        catalog.with_address_key(&Some(Secret::new(key)).into())
    }

    async fn add(catalog: &Catalog, image: &str, address: &str, status: &str) {
        let sql =
            "INSERT INTO image_locations (image_id, value, created_at, deleted, status) VALUES ";
        let address = catalog.cipher().write(address).unwrap();
        let row = [image, &address, "2026-01-01"].map(Value::from);
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
        assert_eq!(found.known.values().flatten().count(), 2 * 3 * all.len());
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

    #[tokio::test]
    async fn encrypted_addresses_are_found_beside_plain_ones() {
        let (_directory, catalog) = catalogue().await;
        let addresses: Vec<String> = addresses();
        let addresses: Vec<&String> = addresses.iter().filter(|at| at.contains("://")).collect();
        for address in &addresses {
            add(&catalog, IMAGES[0], address, "active").await;
        }
        let catalog = with_key(catalog, "0123456789abcdef");
        let mut irregular = catalog.irregular_locations().await.unwrap();
        for address in &addresses {
            add(&catalog, IMAGES[1], address, "active").await;
            add(&catalog, IMAGES[1], address, "deleted").await;
        }
        for address in addresses {
            let all = catalog.holders(&[address]).await.unwrap();
            assert_eq!(all.known[address].len(), 2, "{address}");
            let transaction = catalog.begin().await.unwrap();
            assert_eq!(transaction.holders(&[address]).await.unwrap(), all);
            drop(transaction);
            let found = catalog.holders_with(&mut irregular, &[address]).await;
            assert_eq!(found.unwrap(), all, "{address}");
        }
        // Those that show their image are found by it, and are not kept in memory.
        let regular = format!("file:///images/{}", IMAGES[1]);
        let hash = irregular.hashes.hash_one(&regular);
        assert!(
            !irregular.rows[&hash].iter().any(|row| *row > 20),
            "{:?}",
            irregular.rows[&hash]
        );
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_decrypted_protects_the_data_that_it_may_name() {
        let (_directory, catalog) = catalogue().await;
        let catalog = with_key(catalog, "0123456789abcdef");
        let own = IMAGES.map(|image| format!("rbd://fsid/pool/{image}/snap"));
        add(&catalog, IMAGES[0], &own[0], "active").await;
        let catalog = with_key(catalog, "fedcba9876543210");
        add(&catalog, IMAGES[1], &own[1], "active").await;
        let mut irregular = catalog.irregular_locations().await.unwrap();
        let foreign = "https://host/disk.img";
        for address in [&own[0], &own[1], foreign] {
            let all = catalog.holders(&[address]).await.unwrap();
            let found = catalog.holders_with(&mut irregular, &[address]).await;
            for holders in [all, found.unwrap()] {
                let nothing = HashSet::new();
                match holders.refer_to(address, &nothing) {
                    Ok(refers) => assert!(refers && *address == own[1], "{address}"),
                    Err(error) => {
                        assert!(*address != own[1], "{address}");
                        assert!(error.message().contains(IMAGES[0]), "{error}");
                    }
                }
            }
        }
        // Data that is named after an image whose addresses are known.
        let holders = catalog.holders(&[&own[1]]).await.unwrap();
        assert!(!holders.refer_to(&own[1], &HashSet::from([2])).unwrap());
    }
}
