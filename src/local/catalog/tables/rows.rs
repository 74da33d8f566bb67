//! Lists of images from a MySQL database: a stream of rows.

use async_stream::try_stream;
use futures_core::Stream;
use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlRow, MySqlTransaction};

use crate::Result;
use crate::local::catalog::Sql;
use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::failure::failed;
use crate::local::catalog::db::plans;
use crate::local::catalog::tables::images::{Child, Parents, read_image};
use crate::model::{Fields, Image};

/// The number of images in a chunk, whose children are loaded together.
const CHUNK: usize = 500;

/// The statements that begin a list: a snapshot that the reader may consume for hours, as with a pager. MariaDB
/// alone reads the comment: without the larger limit it would sort without the rows' data, and read each row a
/// second time.
const SNAPSHOT: &str = "SET SESSION net_write_timeout = 86400 /*M! , max_length_for_sort_data = 65536 */; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
     START TRANSACTION WITH CONSISTENT SNAPSHOT";

/// Returns the images that `sql` selects, with the parts in `fields`, all from one snapshot.
///
/// A connection executes one statement at a time. While it returns more images, their children are read on another
/// connection with its own, slightly later snapshot. A list that fits into one chunk does not need it.
pub(in crate::local::catalog) fn list(
    pool: &MySqlPool,
    sql: Sql,
    fields: Fields,
    cipher: AddressCipher,
) -> impl Stream<Item = Result<Vec<Image>>> {
    try_stream! {
        let mut snapshot = begin(pool).await?;
        let mut aside = None;
        plans::check(&sql.text);
        let mut rows = sql.query().fetch(&mut *snapshot);
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
                load_children(aside, &mut images, fields, &cipher).await?;
            }
            yield images;
        };
        drop(rows);
        if !last.is_empty() {
            let mut images = last;
            load_children(&mut snapshot, &mut images, fields, &cipher).await?;
            yield images;
        }
    }
}

/// Returns the next images: fewer than a chunk at the end.
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

/// Loads the children of `images` that `fields` requires.
async fn load_children(
    on: &mut MySqlConnection,
    images: &mut [Image],
    fields: Fields,
    cipher: &AddressCipher,
) -> Result<()> {
    let mut parents = Parents::new(images, fields, cipher);
    for child in Child::asked(fields) {
        let sql = parents.select(child);
        plans::check(&sql.text);
        let mut rows = sql.query().fetch(&mut *on);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            parents.adopt(child, &row)?;
        }
    }
    Ok(())
}
