//! A statement of a revision: checks whether it was executed, and executes it.
//!
//! The revisions are written once for both databases, in the syntax of MySQL. Markers in braces stand for
//! differences. SQLite changes a column by copying the table.

use crate::Result;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Dialect, Sql};

/// The markers with their text in each database: the marker, SQLite, MySQL.
const MARKERS: [(&str, &str, &str); 5] = [
    (
        "{serial}",
        "INTEGER NOT NULL",
        "INTEGER NOT NULL AUTO_INCREMENT",
    ),
    (
        "{bigserial}",
        "INTEGER NOT NULL",
        "BIGINT NOT NULL AUTO_INCREMENT",
    ),
    ("{bigint}", "INTEGER", "BIGINT"),
    (
        "{visibility}",
        "VARCHAR(9)",
        "ENUM('private', 'public', 'shared', 'community')",
    ),
    ("{engine}", "", " ENGINE=InnoDB CHARSET=utf8"),
];

/// Returns the statements of a script in the syntax of a database.
pub(super) fn statements(script: &str, dialect: Dialect) -> Vec<String> {
    let lines = script.lines().filter(|line| !line.starts_with("--"));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    for (marker, sqlite, mysql) in MARKERS {
        let words = match dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Mysql => mysql,
        };
        text = text.replace(marker, words);
    }
    let statements = text.split(';').map(str::trim);
    statements
        .filter(|statement| !statement.is_empty())
        .map(str::to_string)
        .collect()
}

/// A statement of a revision.
pub(super) struct Statement<'a> {
    text: &'a str,
    kind: Kind<'a>,
}

/// The kind of a statement.
enum Kind<'a> {
    Create(Object<'a>),
    Drop(Object<'a>),
    /// Changes a column's type.
    Modify(&'a str, &'a str, String),
    /// Changes rows; has no effect when repeated.
    Rows,
}

/// An object of the schema; all but tables and triggers with their table.
#[derive(Clone, Copy)]
pub(super) enum Object<'a> {
    Table(&'a str),
    Column(&'a str, &'a str),
    Index(&'a str, &'a str),
    Trigger(&'a str),
}

impl<'a> Statement<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let kind = match words[..] {
            ["CREATE", "TABLE", table, ..] => Kind::Create(Object::Table(table)),
            ["CREATE", "INDEX", index, "ON", table, ..] => {
                Kind::Create(Object::Index(table, index))
            }
            ["ALTER", "TABLE", table, "ADD", "COLUMN", column, ..] => {
                Kind::Create(Object::Column(table, column))
            }
            ["DROP", "TABLE", table] => Kind::Drop(Object::Table(table)),
            ["DROP", "INDEX", index, "ON", table] => Kind::Drop(Object::Index(table, index)),
            ["DROP", "TRIGGER", trigger] => Kind::Drop(Object::Trigger(trigger)),
            ["ALTER", "TABLE", table, "DROP", "COLUMN", column] => {
                Kind::Drop(Object::Column(table, column))
            }
            [
                "ALTER",
                "TABLE",
                table,
                "MODIFY",
                "COLUMN",
                column,
                ref definition @ ..,
            ] => Kind::Modify(table, column, definition.join(" ")),
            _ => Kind::Rows,
        };
        Self { text, kind }
    }

    /// Executes the statement unless its effect exists, so that an interrupted upgrade can continue.
    pub(super) async fn carry_out(&self, run: &impl Run, dialect: Dialect) -> Result<()> {
        match (&self.kind, dialect) {
            (Kind::Create(object), _) if object.exists(run, dialect).await? => Ok(()),
            (Kind::Drop(object), _) if !object.exists(run, dialect).await? => Ok(()),
            (Kind::Drop(Object::Index(_, index)), Dialect::Sqlite) => {
                run.batch(&format!("DROP INDEX {index}")).await
            }
            (Kind::Modify(table, column, definition), Dialect::Sqlite) => {
                modify(run, table, column, definition).await
            }
            _ => run.batch(self.text).await,
        }
    }
}

impl Object<'_> {
    /// Returns whether the object exists in the schema.
    pub(super) async fn exists(self, run: &impl Run, dialect: Dialect) -> Result<bool> {
        let sql = match (dialect, self) {
            (Dialect::Sqlite, Self::Table(name)) => named_in_master("table", name),
            (Dialect::Sqlite, Self::Index(_, name)) => named_in_master("index", name),
            (Dialect::Sqlite, Self::Trigger(name)) => named_in_master("trigger", name),
            (Dialect::Sqlite, Self::Column(table, name)) => Sql::default().with(
                "SELECT count(*) AS number FROM pragma_table_info(?) WHERE name = ?",
                [table.into(), name.into()],
            ),
            (Dialect::Mysql, Self::Table(name)) => Sql::default().with(
                "SELECT count(*) AS number FROM information_schema.tables WHERE table_schema = database() AND table_name = ?",
                [name.into()],
            ),
            (Dialect::Mysql, Self::Trigger(name)) => Sql::default().with(
                "SELECT count(*) AS number FROM information_schema.triggers WHERE trigger_schema = database() AND trigger_name = ?",
                [name.into()],
            ),
            (Dialect::Mysql, Self::Index(table, name)) => Sql::default().with(
                "SELECT count(*) AS number FROM information_schema.statistics \
                 WHERE table_schema = database() AND table_name = ? AND index_name = ?",
                [table.into(), name.into()],
            ),
            (Dialect::Mysql, Self::Column(table, name)) => Sql::default().with(
                "SELECT count(*) AS number FROM information_schema.columns \
                 WHERE table_schema = database() AND table_name = ? AND column_name = ?",
                [table.into(), name.into()],
            ),
        };
        let row = run.row(sql).await?;
        Ok(row.map_or(Ok(0), |row| row.some_integer("number"))? > 0)
    }
}

fn named_in_master(kind: &str, name: &str) -> Sql {
    Sql::default().with(
        "SELECT count(*) AS number FROM sqlite_master WHERE type = ? AND name = ?",
        [kind.into(), name.into()],
    )
}

/// Copies a table of an SQLite database with another column definition. Its checks are lost, as in the reference
/// implementation. The table MUST NOT have unique constraints or foreign keys.
async fn modify(run: &impl Run, table: &str, changed: &str, definition: &str) -> Result<()> {
    let copy = format!("_alembic_tmp_{table}");
    let rows = run
        .rows(Sql::default().with(
            "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?)",
            [table.into()],
        ))
        .await?;
    let mut names = Vec::new();
    let mut key = Vec::new();
    let mut definitions = Vec::new();
    for row in &rows {
        let name = row.some_owned("name")?;
        let default = row.owned("dflt_value")?;
        let default = default.map_or(String::new(), |value| format!(" DEFAULT {value}"));
        let required = row.flag("notnull")?;
        let kind = row.some_owned("type")?;
        definitions.push(if name == changed {
            format!("{name} {definition}")
        } else {
            let required = if required { " NOT NULL" } else { "" };
            format!("{name} {kind}{default}{required}")
        });
        if row.some_integer("pk")? > 0 {
            key.push(name.clone());
        }
        names.push(name);
    }
    definitions.push(format!("PRIMARY KEY ({})", key.join(", ")));
    let indexes = run
        .rows(Sql::default().with(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
            [table.into()],
        ))
        .await?;
    let names = names.join(", ");
    let definitions = definitions.join(", ");
    run.batch(&format!("DROP TABLE IF EXISTS {copy}")).await?;
    run.batch(&format!("CREATE TABLE {copy} ({definitions})"))
        .await?;
    run.batch(&format!(
        "INSERT INTO {copy} ({names}) SELECT {names} FROM {table}"
    ))
    .await?;
    run.batch(&format!("DROP TABLE {table}")).await?;
    run.batch(&format!("ALTER TABLE {copy} RENAME TO {table}"))
        .await?;
    for index in &indexes {
        run.batch(&index.some_text("sql")?).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_in_the_words_of_each_database() {
        let script =
            "-- what it is; really\nCREATE TABLE a (\n    id {serial}\n){engine};\nDROP TABLE b;\n";
        assert_eq!(
            statements(script, Dialect::Sqlite),
            [
                "CREATE TABLE a (\n    id INTEGER NOT NULL\n)",
                "DROP TABLE b"
            ]
        );
        let mysql = statements(script, Dialect::Mysql);
        assert!(mysql[0].contains("AUTO_INCREMENT") && mysql[0].ends_with("CHARSET=utf8"));
    }
}
