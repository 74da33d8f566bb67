//! Long lists of an SQLite database, read with rusqlite.
//!
//! The pool passes each row from the thread that executes a statement to the requesting task, which costs several
//! times more than reading it. Here the executing thread converts rows to images, and passes them on in chunks of
//! hundreds.

use std::path::Path;
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags, Row, Transaction};
use tokio::sync::mpsc::{self, Receiver, Sender};
use url::Url;

use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::connection::{BUSY_TIMEOUT, is_frozen};
use crate::local::catalog::db::plans;
use crate::local::catalog::tables::images::{Child, Parents, read_image};
use crate::local::catalog::{Sql, failed};
use crate::model::{Fields, Image};
use crate::{Error, Result};

/// The number of images in a chunk, whose children are loaded together.
const CHUNK: usize = 500;

/// The number of chunks in the queue: the next one is read while this one is processed.
const AHEAD: usize = 1;

/// A list that is read by a separate thread. The thread ends with the list, or soon after this is dropped.
pub(in crate::local::catalog) struct Reader {
    chunks: Receiver<Result<Vec<Image>>>,
    /// The thread. It is not joined, because it may be waiting for another process's lock.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests wait for its end"))]
    thread: JoinHandle<()>,
}

impl Reader {
    /// Starts to read the images that `list` selects from the database at `path`, with the parts in `fields`, all
    /// from one snapshot.
    pub(in crate::local::catalog) fn start(
        path: &Path,
        list: Sql,
        fields: Fields,
        cipher: AddressCipher,
    ) -> Result<Self> {
        plans::check(&list.text);
        let (sender, chunks) = mpsc::channel(AHEAD);
        let path = path.to_path_buf();
        let thread = std::thread::Builder::new()
            .name("list".to_string())
            .spawn(move || {
                if let Err(error) = read(&path, &list, fields, &cipher, &sender) {
                    // Fails if the list was dropped.
                    let _ = sender.blocking_send(Err(named(error, &path)));
                }
            })
            .map_err(|e| Error::failed("no thread can be started to read a list").because(e))?;
        Ok(Self { chunks, thread })
    }

    /// Returns the next chunk; None after the last. An error ends the list.
    pub(in crate::local::catalog) async fn next(&mut self) -> Option<Result<Vec<Image>>> {
        self.chunks.recv().await
    }
}

/// Returns the results of `read` for the rows that `list` selects from the database at `path`.
pub(in crate::local::catalog) async fn collect<T: Send + 'static>(
    path: &Path,
    list: Sql,
    read: impl Fn(&Row<'_>) -> Result<T> + Send + 'static,
) -> Result<Vec<T>> {
    let (path, at) = (path.to_path_buf(), path.to_path_buf());
    plans::check(&list.text);
    let work = move || {
        let connection = open(&path)?;
        let mut statement = connection.prepare(&list.text).map_err(failed)?;
        let mut rows = statement.query(list.params()).map_err(failed)?;
        let mut collected = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            collected.push(read(row)?);
        }
        Ok(collected)
    };
    let work = move || work().map_err(|error| named(error, &at));
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::internal("the thread that reads a list failed").because(e))?
}

/// Adds the name of the database to an error.
fn named(error: Error, path: &Path) -> Error {
    error.context(format_args!("database {}", path.display()))
}

/// Sends the images of `list`, until there are no more or the receiver is dropped.
fn read(
    path: &Path,
    list: &Sql,
    fields: Fields,
    cipher: &AddressCipher,
    sender: &Sender<Result<Vec<Image>>>,
) -> Result<()> {
    let mut connection = open(path)?;
    let snapshot = connection.transaction().map_err(failed)?;
    let mut statement = snapshot.prepare(&list.text).map_err(failed)?;
    let mut rows = statement.query(list.params()).map_err(failed)?;
    loop {
        let mut images = Vec::new();
        while images.len() < CHUNK
            && let Some(row) = rows.next().map_err(failed)?
        {
            images.push(read_image(row, fields)?);
        }
        let more = images.len() == CHUNK;
        load_children(&snapshot, &mut images, fields, cipher)?;
        if images.is_empty() || sender.blocking_send(Ok(images)).is_err() || !more {
            return Ok(());
        }
    }
}

/// Opens the database for reading only. The pool has already created it and its log.
fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = if is_frozen(path) {
        let mut url = Url::from_file_path(path)
            .map_err(|()| Error::internal(format!("{} is not absolute", path.display())))?;
        url.set_query(Some("immutable=1"));
        Connection::open_with_flags(url.as_str(), flags)
    } else {
        Connection::open_with_flags(path, flags)
    };
    let connection = connection.map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    Ok(connection)
}

/// Loads the children of `images` that `fields` requires.
fn load_children(
    snapshot: &Transaction<'_>,
    images: &mut [Image],
    fields: Fields,
    cipher: &AddressCipher,
) -> Result<()> {
    if images.is_empty() {
        return Ok(());
    }
    let mut parents = Parents::new(images, fields, cipher);
    for child in Child::asked(fields) {
        let sql = parents.select(child);
        plans::check(&sql.text);
        let mut statement = snapshot.prepare(&sql.text).map_err(failed)?;
        let mut rows = statement.query(sql.params()).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            parents.adopt(child, row)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::ErrorKind;
    use crate::config::Database;
    use crate::local::catalog::Catalog;

    const LIST: &str = "SELECT id, name, status FROM images ORDER BY id";

    /// A catalogue of so many images with a tag each, in a directory of its own.
    async fn catalogue(count: usize) -> (tempfile::TempDir, PathBuf, Catalog) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("glance.db");
        let catalog = Catalog::open_current(&Database::Sqlite(path.clone()))
            .await
            .unwrap();
        let images = format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count}) \
             INSERT INTO images (id, name, status, created_at, deleted, min_disk, min_ram) \
             SELECT printf('%036d', i), 'image ' || i, 'active', '2026-11-21 09:30:04', 0, 0, 0 FROM n"
        );
        let tags = "INSERT INTO image_tags (image_id, value, created_at, deleted) \
             SELECT id, 'tag of ' || name, created_at, 0 FROM images";
        let connection = Connection::open(&path).unwrap();
        connection.execute(&images, ()).unwrap();
        connection.execute(tags, ()).unwrap();
        (directory, path, catalog)
    }

    /// Starts to read a list from a database without encrypted addresses.
    fn start(path: &Path, list: &str, fields: Fields) -> Result<Reader> {
        Reader::start(path, Sql::new(list), fields, AddressCipher::default())
    }

    async fn chunks(mut reader: Reader) -> Vec<Vec<Image>> {
        let mut chunks = Vec::new();
        while let Some(chunk) = reader.next().await {
            chunks.push(chunk.unwrap());
        }
        reader.thread.join().unwrap();
        chunks
    }

    #[tokio::test]
    async fn images_come_in_chunks_and_in_order_with_their_children() {
        for count in [1, CHUNK, 2 * CHUNK + 1] {
            let (_directory, path, _catalog) = catalogue(count).await;
            let fields = Fields {
                tags: true,
                ..Fields::SHORT
            };
            let chunks = chunks(start(&path, LIST, fields).unwrap()).await;
            assert_eq!(chunks.len(), count.div_ceil(CHUNK));
            assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK));
            for (index, image) in chunks.iter().flatten().enumerate() {
                assert_eq!(image.name.as_deref(), Some(&*format!("image {index}")));
                assert_eq!(image.tags, [format!("tag of image {index}")]);
            }
            assert_eq!(chunks.iter().flatten().count(), count);
        }
    }

    #[tokio::test]
    async fn children_are_found_by_their_images() {
        let (_directory, path, _catalog) = catalogue(CHUNK).await;
        let reader = start(&path, LIST, Fields::SHORT).unwrap();
        let mut images = chunks(reader).await.concat();
        let cipher = AddressCipher::default();
        let parents = Parents::new(&mut images, Fields::ALL, &cipher);
        for child in Child::asked(Fields::ALL) {
            let sql = parents.select(child);
            let steps = plans::unselective_steps(&sql.text).unwrap();
            assert_eq!(steps, [""; 0], "{}", sql.text);
        }
    }

    #[tokio::test]
    async fn what_is_changed_meanwhile_does_not_show() {
        let (_directory, path, _catalog) = catalogue(4 * CHUNK).await;
        let fields = Fields {
            tags: true,
            ..Fields::SHORT
        };
        let mut reader = start(&path, LIST, fields).unwrap();
        let mut seen = reader.next().await.unwrap().unwrap().len();
        let connection = Connection::open(&path).unwrap();
        connection.execute("DELETE FROM image_tags", ()).unwrap();
        connection.execute("DELETE FROM images", ()).unwrap();
        for chunk in chunks(reader).await {
            assert!(chunk.iter().all(|image| image.tags.len() == 1));
            seen += chunk.len();
        }
        assert_eq!(seen, 4 * CHUNK);
    }

    #[tokio::test]
    async fn the_thread_ends_when_the_list_is_dropped() {
        let (_directory, path, _catalog) = catalogue(5 * CHUNK).await;
        let mut reader = start(&path, LIST, Fields::SHORT).unwrap();
        reader.next().await.unwrap().unwrap();
        let Reader { chunks, thread } = reader;
        drop(chunks);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn an_error_is_reported_and_is_the_end() {
        let (_directory, path, catalog) = catalogue(1).await;
        let refused = |path: &Path, list: &str| {
            let mut reader = start(path, list, Fields::SHORT).unwrap();
            async move {
                let error = reader.next().await.unwrap().unwrap_err();
                assert!(reader.next().await.is_none());
                error
            }
        };
        let error = refused(&path, "SELECT colour FROM images").await;
        assert!(error.message().contains("no such column"), "{error}");
        let error = refused(&path, "SELECT id, name, 5 FROM images").await;
        assert!(error.message().contains("the wrong type"), "{error}");
        let error = refused(&path.with_extension("none"), LIST).await;
        assert_eq!(error.kind(), ErrorKind::Failed);

        catalog.close().await.unwrap();
        let damaged = path.with_extension("damaged");
        std::fs::write(&damaged, [b'x'; 4096]).unwrap();
        let error = refused(&damaged, LIST).await;
        assert!(error.message().contains("damaged"), "{error}");
    }
}
