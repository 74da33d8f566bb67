//! Rows of host caches: the index of the driver `centralized_db`.
//!
//! *Source:* `node_reference_*`, `*_cached_*`, `insert_cache_details` and `update_hit_count` in
//! `glance/db/sqlalchemy/api.py` of the reference implementation.

use crate::config::Database;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::tables::reader;
use crate::local::catalog::{Catalog, Sql, Transaction};
use crate::model::{CachedImage, Timestamp};
use crate::{Error, Result};

/// The subquery for the ID of the host with the bound address.
const NODE: &str = "(SELECT node_reference_id FROM node_reference WHERE node_reference_url = ?)";

impl Catalog {
    /// Returns the images in the cache of the host `node`, in the order in which they were cached.
    pub async fn load_cached(&self, node: &str) -> Result<Vec<CachedImage>> {
        let columns = "image_id, last_accessed, last_modified, size, hits";
        let sql = Sql::new(format!("SELECT {columns} FROM cached_images ")).with(
            &format!("WHERE node_reference_id = {NODE} ORDER BY id"),
            [node.into()],
        );
        match self.database() {
            Database::Sqlite(path) => reader::collect(path, sql, |row| read_cached(row)).await,
            Database::Mysql(_) => self.rows(sql).await?.iter().map(read_cached).collect(),
        }
    }

    /// Returns the number of reads of an image from the cache of the host `node`; None if it is not cached there.
    pub async fn load_hits(&self, node: &str, id: &str) -> Result<Option<u64>> {
        let sql = Sql::new("SELECT hits FROM cached_images WHERE ").with(
            &format!("image_id = ? AND node_reference_id = {NODE}"),
            [id.into(), node.into()],
        );
        let row = self.row(sql).await?;
        row.map(|row| count(row.some_integer("hits")?)).transpose()
    }

    /// Returns the addresses of the hosts that have cached an image.
    pub async fn load_nodes(&self, id: &str) -> Result<Vec<String>> {
        let sql = Sql::new(
            "SELECT node_reference_url FROM node_reference JOIN cached_images \
             ON cached_images.node_reference_id = node_reference.node_reference_id ",
        )
        .with("WHERE image_id = ? ORDER BY cached_images.id", [id.into()]);
        let rows = self.rows(sql).await?;
        let url = |row: &Row| row.some_owned("node_reference_url");
        rows.iter().map(url).collect()
    }

    /// Counts a read of an image from the cache of the host `node`.
    pub async fn count_hit(&self, node: &str, id: &str) -> Result<()> {
        let sql = Sql::new("UPDATE cached_images SET hits = hits + 1, ").with(
            &format!("last_accessed = ? WHERE image_id = ? AND node_reference_id = {NODE}"),
            [self.now().to_catalog().into(), id.into(), node.into()],
        );
        self.execute(sql).await?;
        Ok(())
    }
}

impl Transaction {
    /// Records that an image of `size` bytes is in the cache of the host `node`, without hits. Replaces an earlier
    /// row.
    pub async fn insert_cached(&self, node: &str, id: &str, size: u64) -> Result<()> {
        self.delete_cached(node, std::slice::from_ref(&id)).await?;
        let known = Sql::new("SELECT node_reference_id FROM node_reference WHERE ")
            .with("node_reference_url = ?", [node.into()]);
        if self.row(known).await?.is_none() {
            let columns = "INSERT INTO node_reference (node_reference_url) VALUES ";
            self.execute(Sql::new(columns).list([node.into()])).await?;
        }
        let now = self.now().to_catalog();
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let columns = "INSERT INTO cached_images (image_id, last_accessed, last_modified, size, hits, \
             node_reference_id) ";
        let sql = Sql::new(columns).with(
            "SELECT ?, ?, ?, ?, ?, node_reference_id FROM node_reference WHERE node_reference_url = ?",
            [
                id.into(),
                now.as_str().into(),
                now.as_str().into(),
                size.into(),
                0_i64.into(),
                node.into(),
            ],
        );
        self.execute(sql).await?;
        Ok(())
    }

    /// Deletes the rows of images in the cache of the host `node`.
    pub async fn delete_cached(&self, node: &str, ids: &[&str]) -> Result<()> {
        let sql = Sql::new("DELETE FROM cached_images WHERE image_id IN ")
            .list(ids.iter().map(|id| (*id).into()))
            .with(&format!(" AND node_reference_id = {NODE}"), [node.into()]);
        self.execute(sql).await?;
        Ok(())
    }

    /// Deletes the rows of all images in the cache of the host `node`.
    pub async fn delete_all_cached(&self, node: &str) -> Result<()> {
        let sql = Sql::new("DELETE FROM cached_images WHERE ")
            .with(&format!("node_reference_id = {NODE}"), [node.into()]);
        self.execute(sql).await?;
        Ok(())
    }
}

fn read_cached(row: &impl Columns) -> Result<CachedImage> {
    let last_modified = row.moment("last_modified")?.unwrap_or(Timestamp::EPOCH);
    Ok(CachedImage {
        image_id: row.some_owned("image_id")?,
        last_accessed: row.moment("last_accessed")?.unwrap_or(Timestamp::EPOCH),
        last_modified,
        size: count(row.some_integer("size")?)?,
        hits: count(row.some_integer("hits")?)?,
    })
}

fn count(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| {
        Error::internal(format!(
            "the catalogue has {value} in a column without negative values"
        ))
    })
}
