//! Lists of images out of a MySQL database: a stream of rows.

use async_stream::try_stream;
use futures_core::Stream;
use futures_util::TryStreamExt;
use sqlx::MySql;
use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlRow, MySqlTransaction};

use crate::Result;
use crate::local::catalog::Sql;
use crate::local::catalog::db::failure::failed;
use crate::local::catalog::db::plans;
use crate::local::catalog::tables::images::{Child, Parents, read_image};
use crate::model::{Fields, Image};

/// Images that are handed over together, and whose children are fetched together.
const CHUNK: usize = 500;

/// How a list begins: it shows one moment, and whoever asked may take hours over it, as with the pager of a
/// terminal. MariaDB alone reads the comment: rows of images are longer than what it sorts without reading each row
/// a second time, at random.
const SNAPSHOT: &str = "SET SESSION net_write_timeout = 86400 /*M! , max_length_for_sort_data = 65536 */; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// The images that `sql` selects, with what `fields` asks for, all as they were at one moment.
///
/// A connection does one thing at a time: while it has more images to give, their children are asked for on
/// another one, whose moment is the next. A list that fits into one chunk needs no other.
pub(in crate::local::catalog) fn list(
    pool: &MySqlPool,
    sql: Sql,
    fields: Fields,
) -> impl Stream<Item = Result<Vec<Image>>> {
    try_stream! {
        let mut snapshot = begin(pool).await?;
        let mut aside = None;
        plans::check(&sql.text);
        let mut rows = sql.query::<MySql>().fetch(&mut *snapshot);
        let last = loop {
            let mut images = take(&mut rows, fields).await?;
            if images.len() < CHUNK {
                break images;
            }
            if Child::asked(fields).next().is_some() {
                let aside = match &mut aside {
                    Some(aside) => aside,
                    none => none.insert(begin(pool).await?),
                };
                load_children(aside, &mut images, fields).await?;
            }
            yield images;
        };
        drop(rows);
        if !last.is_empty() {
            let mut images = last;
            load_children(&mut snapshot, &mut images, fields).await?;
            yield images;
        }
    }
}

/// The images of the next rows: fewer than a chunk behind the last.
async fn take(
    rows: &mut (impl Stream<Item = sqlx::Result<MySqlRow>> + Unpin),
    fields: Fields,
) -> Result<Vec<Image>> {
    let mut images = Vec::new();
    while images.len() < CHUNK
        && let Some(row) = rows.try_next().await.map_err(failed)?
    {
        images.push(read_image(&row, fields)?);
    }
    Ok(images)
}

async fn begin(pool: &MySqlPool) -> Result<MySqlTransaction<'static>> {
    pool.begin_with(SNAPSHOT).await.map_err(failed)
}

/// Fills in what `fields` asks of the children of `images`.
async fn load_children(
    on: &mut MySqlConnection,
    images: &mut [Image],
    fields: Fields,
) -> Result<()> {
    let mut parents = Parents::new(images, fields);
    for child in Child::asked(fields) {
        let sql = parents.select(child);
        plans::check(&sql.text);
        let mut rows = sql.query::<MySql>().fetch(&mut *on);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            parents.adopt(child, &row)?;
        }
    }
    Ok(())
}
