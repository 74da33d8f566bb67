//! Names for completion, read from a database as it is: it is not created, upgraded, locked or changed.

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use url::Url;

use super::query::visible;
use crate::config::Database;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::plans;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Value, failed};
use crate::model::{Caller, ImageNames, ImageQuery, ImageStatus, NameQuery, Named};
use crate::{Error, Result};

/// The maximum number of names.
const MAX_NAMES: u64 = 300;

/// The maximum time to wait for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_millis(50);

/// The position of the byte in an SQLite file that is 2 if its changes are in a log first.
const READ_VERSION: usize = 19;

/// Passes the names that `query` asks for to `found`, until it breaks. For images, those whose ID or name begins with
/// `prefix`; of other things there are few, and they are not filtered.
///
/// # Errors
/// `Failed` if the database cannot be read.
pub async fn read_names(
    database: &Database,
    caller: &Caller,
    query: &NameQuery,
    prefix: &str,
    found: &mut (dyn FnMut(Named) -> ControlFlow<()> + Send),
) -> Result<()> {
    let statements = statements(query, caller, prefix);
    match database {
        Database::Sqlite(path) => {
            let connection = open(path)?;
            for sql in statements {
                plans::check(&sql.text);
                let mut statement = connection.prepare(&sql.text).map_err(failed)?;
                let mut rows = statement.query(sql.params()).map_err(failed)?;
                while let Some(row) = rows.next().map_err(failed)? {
                    if found(read(row)?).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Database::Mysql(server) => {
            let catalog = Catalog::open_alone(server).await?;
            for sql in statements {
                for row in catalog.rows(sql).await? {
                    if found(read(&row)?).is_break() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

fn read(row: &impl Columns) -> Result<Named> {
    Ok(Named {
        value: row.some_owned("value")?,
        about: row.text("about")?.unwrap_or_default().into_owned(),
    })
}

/// Opens an SQLite database without changing its directory: neither the log nor the index of the log is created, locked
/// for recovery, or written to.
fn open(path: &Path) -> Result<Connection> {
    let mut url = Url::from_file_path(path)
        .map_err(|()| Error::internal(format!("{} is not absolute", path.display())))?;
    let mut index = path.as_os_str().to_os_string();
    index.push("-shm");
    let has_index = Path::new(&index).exists();
    url.set_query(match (has_log(path), has_index) {
        (true, true) => Some("readonly_shm=1"),
        // Without an index there is no other process, and SQLite would create one.
        (true, false) => Some("immutable=1"),
        (false, _) => None,
    });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(url.as_str(), flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    Ok(connection)
}

/// Returns whether changes of a database are written to a log first.
fn has_log(path: &Path) -> bool {
    let mut header = [0; READ_VERSION + 1];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[READ_VERSION] == 2
}

/// Returns the statements for a query, the most selective one first.
fn statements(query: &NameQuery, caller: &Caller, prefix: &str) -> Vec<Sql> {
    let of_image = |column: &str, about: &str, table: &str, image: &str| {
        let select = format!("SELECT {column} AS value, {about} AS about FROM {table}");
        let sql = Sql::new(select).with(" WHERE deleted + 0 = ?", [false.into()]);
        limited(within_image(sql, caller, image))
    };
    let of_namespace = |table: &str, namespace: &str| {
        let select = format!("SELECT name AS value, NULL AS about FROM metadef_{table}");
        let sql =
            Sql::new(select).text(" WHERE namespace_id IN (SELECT id FROM metadef_namespaces");
        let sql = visible_namespaces(sql, caller).with(" AND namespace = ?)", [namespace.into()]);
        vec![limited(sql)]
    };
    match query {
        NameQuery::Images(which) => images(*which, caller, prefix, true),
        NameQuery::ImageIds(which) => images(*which, caller, prefix, false),
        NameQuery::Restorable => {
            let sql = Sql::new("SELECT images.id AS value, images.name AS about FROM images").with(
                " WHERE images.status = ?",
                [ImageStatus::PendingDelete.name().into()],
            );
            vec![limited(sql)]
        }
        NameQuery::Members(image) => {
            vec![of_image("member", "status", "image_members", image)]
        }
        NameQuery::Tags(image) => vec![of_image("value", "NULL", "image_tags", image)],
        NameQuery::ImageProperties(image) => {
            vec![of_image("name", "NULL", "image_properties", image)]
        }
        NameQuery::Namespaces => {
            let select = "SELECT namespace AS value, display_name AS about FROM metadef_namespaces";
            vec![limited(visible_namespaces(Sql::new(select), caller))]
        }
        NameQuery::Objects(namespace) => of_namespace("objects", namespace),
        NameQuery::Properties(namespace) => of_namespace("properties", namespace),
        NameQuery::NamespaceTags(namespace) => of_namespace("tags", namespace),
        NameQuery::AssociatedTypes(namespace) => {
            let select = "SELECT name AS value, NULL AS about FROM metadef_resource_types \
                 WHERE id IN (SELECT resource_type_id FROM metadef_namespace_resource_types \
                 WHERE namespace_id IN (SELECT id FROM metadef_namespaces";
            let sql = visible_namespaces(Sql::new(select), caller);
            vec![limited(
                sql.with(" AND namespace = ?))", [namespace.as_str().into()]),
            )]
        }
        NameQuery::ResourceTypes => vec![limited(Sql::new(
            "SELECT name AS value, NULL AS about FROM metadef_resource_types",
        ))],
        NameQuery::Tasks => {
            let select = "SELECT id AS value, type AS about FROM tasks";
            let mut sql = Sql::new(select).with(" WHERE tasks.deleted + 0 = ?", [false.into()]);
            if !caller.is_admin() {
                sql = sql.with(" AND owner = ?", [caller.project.as_str().into()]);
            }
            // The newest ones, in the order of an index.
            vec![limited(sql.text(
                " AND updated_at IS NOT NULL ORDER BY updated_at DESC",
            ))]
        }
        // The configuration has them.
        NameQuery::Stores => Vec::new(),
    }
}

fn limited(sql: Sql) -> Sql {
    sql.with(" LIMIT ?", [Value::rows(MAX_NAMES)])
}

/// Returns the statements for images: by the beginning of the ID, then with `by_name` by that of the name; without a
/// beginning, the newest ones.
fn images(which: ImageNames, caller: &Caller, prefix: &str, by_name: bool) -> Vec<Sql> {
    let select = || {
        let sql = Sql::new("SELECT images.id AS value, images.name AS about FROM images").with(
            " WHERE images.deleted + 0 = ? AND images.status <> ?",
            [false.into(), ImageStatus::Killed.name().into()],
        );
        let mut sql = visible(sql, &ImageQuery::default(), caller)
            .with(" AND images.os_hidden + 0 = ?", [false.into()]);
        if !which.statuses.is_empty() {
            let statuses = which.statuses.iter().map(|status| status.name().into());
            sql = sql.text(" AND images.status IN ").list(statuses);
        }
        if which.unprotected {
            sql = sql.with(" AND images.protected + 0 = ?", [false.into()]);
        }
        sql
    };
    if prefix.is_empty() {
        return vec![limited(select().text(" ORDER BY images.created_at DESC"))];
    }
    let mut statements = Vec::new();
    let is_of_id = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
    if prefix.len() <= 36 && prefix.chars().all(is_of_id) {
        let end = format!("{prefix}g");
        let range = " AND images.id >= ? AND images.id < ?";
        statements.push(limited(select().with(range, [prefix.into(), end.into()])));
    }
    if !by_name {
        return statements;
    }
    let escaped = prefix
        .replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_");
    let begins = format!("{escaped}%");
    statements.push(limited(
        select().with(" AND images.name LIKE ? ESCAPE '!'", [begins.into()]),
    ));
    statements
}

/// Restricts a statement to the rows of an image that the caller may see, given by its ID or name; of images of other
/// projects, other callers than administrators see none.
fn within_image(sql: Sql, caller: &Caller, image: &str) -> Sql {
    let key = if crate::model::schema::is_uuid(image) {
        "id"
    } else {
        "name"
    };
    let images = format!(
        " AND image_id IN (SELECT images.id FROM images WHERE images.{key} = ? AND images.deleted + 0 = ?"
    );
    let sql = sql.with(&images, [image.into(), false.into()]);
    if caller.is_admin() {
        return sql.text(")");
    }
    sql.with(" AND images.owner = ?)", [caller.project.as_str().into()])
}

/// Adds the condition for namespaces that the caller may see.
fn visible_namespaces(sql: Sql, caller: &Caller) -> Sql {
    if caller.is_admin() {
        return sql.text(" WHERE 1 = 1");
    }
    sql.with(
        " WHERE (visibility = 'public' OR owner = ?)",
        [caller.project.as_str().into()],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    const ID: &str = "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11";

    fn unselective(query: &NameQuery, prefix: &str) -> Vec<String> {
        let mut steps = Vec::new();
        for caller in [Caller::default(), Caller::new("other", Role::Member, "x")] {
            for sql in statements(query, &caller, prefix) {
                assert!(sql.text.ends_with(" LIMIT ?"), "{}", sql.text);
                steps.extend(plans::unselective_steps(&sql.text).unwrap());
            }
        }
        steps
    }

    #[test]
    fn only_names_of_images_are_searched_without_an_index() {
        let id = || ID.to_string();
        for query in [
            NameQuery::Members(id()),
            NameQuery::Tags(id()),
            NameQuery::ImageProperties(id()),
            NameQuery::Namespaces,
            NameQuery::Objects("x".to_string()),
            NameQuery::Properties("x".to_string()),
            NameQuery::NamespaceTags("x".to_string()),
            NameQuery::AssociatedTypes("x".to_string()),
            NameQuery::ResourceTypes,
        ] {
            assert_eq!(unselective(&query, ""), [""; 0], "{query:?}");
        }
        let ids = NameQuery::ImageIds(ImageNames::default());
        assert_eq!(statements(&ids, &Caller::default(), "7a").len(), 1);
        let sql = &statements(&ids, &Caller::default(), "7a")[0];
        assert_eq!(plans::unselective_steps(&sql.text).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_beginning_of_an_id_is_looked_up_as_a_name_only() {
        let number = |prefix| {
            let query = NameQuery::Images(ImageNames::default());
            statements(&query, &Caller::default(), prefix).len()
        };
        assert_eq!(
            (number(""), number("deb"), number("debian"), number("7A-f")),
            (1, 2, 1, 2)
        );
    }
}
