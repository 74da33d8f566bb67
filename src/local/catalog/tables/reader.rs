//! Long lists of an SQLite database, read with rusqlite.
//!
//! The pool passes each row from the thread that executes a statement to the requesting task, which costs several
//! times more than reading it. Here the executing thread converts rows to images, and passes them on in chunks of
//! hundreds.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::{Connection, Row, Transaction};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::local::catalog::db::addresses::AddressCipher;
use crate::local::catalog::db::plans;
use crate::local::catalog::db::sqlite::{Lingering, Options};
use crate::local::catalog::tables::images::{Child, Parents, read_image};
use crate::local::catalog::{Sql, failed};
use crate::model::{Fields, Image};
use crate::{Error, Result};

/// The number of images in a chunk, whose children are loaded together.
const CHUNK: usize = 500;

/// The number of chunks in the queue: the next one is read while this one is processed.
const AHEAD: usize = 1;

/// A list that is read by a separate thread. It ends with the list, or soon after this is dropped; then the thread keeps
/// the connection for the next list.
pub(in crate::local::catalog) struct Reader {
    chunks: Receiver<Result<Vec<Image>>>,
    /// The thread. It is not joined, because it may be waiting for another process's lock.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests wait for its end"))]
    thread: JoinHandle<()>,
}

impl Reader {
    /// Starts to read the images that `list` selects, with the parts in `fields`, all from one snapshot.
    pub(in crate::local::catalog) fn start(
        connections: &Arc<Lingering>,
        list: Sql,
        fields: Fields,
        cipher: AddressCipher,
    ) -> Result<Self> {
        plans::check(&list.text);
        let (sender, chunks) = mpsc::channel(AHEAD);
        let connections = Arc::clone(connections);
        let thread = std::thread::Builder::new()
            .name("list".to_string())
            .spawn(move || {
                let read = connections.take().and_then(|mut connection| {
                    read(&mut connection, &list, fields, &cipher, &sender)?;
                    Ok(connection)
                });
                let read = read.map_err(|error| named(error, connections.path()));
                match read {
                    Ok(connection) => {
                        drop(sender);
                        connections.keep(connection);
                    }
                    // Fails if the list was dropped.
                    Err(error) => drop(sender.blocking_send(Err(error))),
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
        let connection = Options::new(&path).open().map_err(failed)?;
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
    connection: &mut Connection,
    list: &Sql,
    fields: Fields,
    cipher: &AddressCipher,
    sender: &Sender<Result<Vec<Image>>>,
) -> Result<()> {
    let snapshot = connection.transaction().map_err(failed)?;
    let mut statement = snapshot.prepare_cached(&list.text).map_err(failed)?;
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
        let mut statement = snapshot.prepare_cached(&sql.text).map_err(failed)?;
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
    use crate::local::catalog::db::transaction::Run;

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

    /// A list, and the connection that reads it.
    struct Started(Reader, Arc<Lingering>);

    /// Starts to read a list from a database without encrypted addresses.
    fn start(path: &Path, list: &str, fields: Fields) -> Started {
        let lists = Arc::new(Lingering::new(path));
        let reader = Reader::start(&lists, Sql::new(list), fields, AddressCipher::default());
        Started(reader.unwrap(), lists)
    }

    impl Started {
        /// Reads the rest, and waits for the end of the thread.
        async fn chunks(mut self) -> Vec<Vec<Image>> {
            let mut chunks = Vec::new();
            while let Some(chunk) = self.0.next().await {
                chunks.push(chunk.unwrap());
            }
            self.end();
            chunks
        }

        /// Drops the list, and waits for the end of the thread.
        fn end(self) {
            let Self(Reader { chunks, thread }, lists) = self;
            drop(chunks);
            while !thread.is_finished() {
                lists.close();
                std::thread::yield_now();
            }
            thread.join().unwrap();
        }
    }

    #[tokio::test]
    async fn images_come_in_chunks_and_in_order_with_their_children() {
        for count in [1, CHUNK, 2 * CHUNK + 1] {
            let (_directory, path, _catalog) = catalogue(count).await;
            let fields = Fields {
                tags: true,
                ..Fields::SHORT
            };
            let chunks = start(&path, LIST, fields).chunks().await;
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
        let mut images = start(&path, LIST, Fields::SHORT).chunks().await.concat();
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
        let mut list = start(&path, LIST, fields);
        let mut seen = list.0.next().await.unwrap().unwrap().len();
        let connection = Connection::open(&path).unwrap();
        connection.execute("DELETE FROM image_tags", ()).unwrap();
        connection.execute("DELETE FROM images", ()).unwrap();
        for chunk in list.chunks().await {
            assert!(chunk.iter().all(|image| image.tags.len() == 1));
            seen += chunk.len();
        }
        assert_eq!(seen, 4 * CHUNK);
    }

    #[tokio::test]
    async fn the_thread_ends_when_the_list_is_dropped() {
        let (_directory, path, _catalog) = catalogue(5 * CHUNK).await;
        let mut list = start(&path, LIST, Fields::SHORT);
        list.0.next().await.unwrap().unwrap();
        list.end();
    }

    #[tokio::test]
    async fn the_connection_is_kept_for_the_next_list() {
        let (_directory, path, catalog) = catalogue(1).await;
        let lists = Arc::new(Lingering::new(&path));
        let kept = || {
            std::iter::repeat_with(|| lists.close())
                .inspect(|_| std::thread::yield_now())
                .find_map(|connection| connection)
                .unwrap()
        };
        let mut before = 0;
        for name in ["first", "second", "third"] {
            let sql = format!("UPDATE images SET name = '{name}'");
            catalog.execute(Sql::new(sql)).await.unwrap();
            let cipher = AddressCipher::default();
            let mut reader = Reader::start(&lists, Sql::new(LIST), Fields::SHORT, cipher).unwrap();
            let images = reader.next().await.unwrap().unwrap();
            assert_eq!(images[0].name.as_deref(), Some(name));
            assert!(reader.next().await.is_none());
            let connection = kept();
            reader.thread.join().unwrap();
            assert!(connection.is_autocommit());
            // A connection of its own has this table.
            let marked = "SELECT count(*) FROM temp.sqlite_schema";
            let marked = connection.query_row(marked, (), |row| row.get::<_, i64>(0));
            assert_eq!(marked.unwrap(), before);
            if before == 0 {
                connection
                    .execute_batch("CREATE TEMP TABLE mark (x)")
                    .unwrap();
            }
            before = 1;
            let again = Arc::clone(&lists);
            std::thread::spawn(move || again.keep(connection));
            while !lists.is_waiting() {
                std::thread::yield_now();
            }
        }
    }

    #[tokio::test]
    async fn an_error_is_reported_and_is_the_end() {
        let (_directory, path, catalog) = catalogue(1).await;
        let refused = |path: &Path, list: &str| {
            let Started(mut reader, _) = start(path, list, Fields::SHORT);
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
