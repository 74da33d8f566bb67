//! Rows of namespaces.

use super::MetadefRows;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Sql, Value};
use crate::model::metadef::{Namespace, NamespaceQuery, NamespaceSort, PUBLIC, private};
use crate::model::{Direction, Timestamp};
use crate::{Error, Result};

/// The columns of [`read`].
const COLUMNS: &str = "id, namespace, display_name, description, visibility, protected, owner, created_at, \
     updated_at";

/// A namespace with its row number, without contents.
#[derive(Clone, Debug)]
pub struct StoredNamespace {
    /// The row number.
    pub id: i64,
    /// The namespace.
    pub namespace: Namespace,
}

fn read(row: &impl Columns) -> Result<StoredNamespace> {
    let namespace = Namespace {
        name: row.some_owned("namespace")?,
        display_name: row.owned("display_name")?,
        description: row.owned("description")?,
        visibility: row.owned("visibility")?.unwrap_or_else(private),
        protected: row.flag("protected")?,
        owner: row.owned("owner")?,
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
        ..Namespace::default()
    };
    Ok(StoredNamespace {
        id: row.some_integer("id")?,
        namespace,
    })
}

impl<R: Run> MetadefRows<'_, R> {
    /// Returns the namespace with that name, regardless of its visibility.
    pub async fn namespace(&self, name: &str) -> Result<Option<StoredNamespace>> {
        let sql = Sql::new("SELECT ").text(COLUMNS).with(
            " FROM metadef_namespaces WHERE namespace = ?",
            [name.into()],
        );
        self.0.row(sql).await?.as_ref().map(read).transpose()
    }

    /// Returns the matching namespaces that `project` may see (None: all), after the row number `after`.
    pub async fn namespaces(
        &self,
        query: &NamespaceQuery,
        project: Option<&str>,
        after: Option<i64>,
    ) -> Result<Vec<StoredNamespace>> {
        let mut sql = Sql::new("SELECT ")
            .text(COLUMNS)
            .text(" FROM metadef_namespaces WHERE 1 = 1");
        if let Some(project) = project {
            let values = [PUBLIC.into(), project.into()];
            sql = sql.with(" AND (visibility = ? OR owner = ?)", values);
        }
        if let Some(visibility) = &query.visibility {
            sql = sql.with(" AND visibility = ?", [visibility.as_str().into()]);
        }
        if let Some(names) = &query.resource_types {
            sql = sql
                .text(
                    " AND id IN (SELECT a.namespace_id FROM metadef_namespace_resource_types AS a \
                     JOIN metadef_resource_types AS t ON t.id = a.resource_type_id WHERE t.name IN ",
                )
                .list(names.iter().map(|name| name.as_str().into()))
                .text(")");
        }
        let (key, direction) = query.sort;
        let (beyond, word) = match direction {
            Direction::Ascending => (">", "ASC"),
            Direction::Descending => ("<", "DESC"),
        };
        let key = match key {
            NamespaceSort::CreatedAt => "created_at",
            NamespaceSort::Name => "namespace",
        };
        if let Some(id) = after {
            // The subquery compares the marker's timestamp in its stored form.
            let marker = format!("(SELECT {key} FROM metadef_namespaces WHERE id = ?)");
            let condition =
                format!(" AND ({key} {beyond} {marker} OR ({key} = {marker} AND id {beyond} ?))");
            sql = sql.with(&condition, [id.into(), id.into(), id.into()]);
        }
        sql = sql.text(&format!(" ORDER BY {key} {word}, id {word}"));
        if let Some(limit) = query.limit {
            sql = sql.with(" LIMIT ?", [Value::rows(limit)]);
        }
        self.0.rows(sql).await?.iter().map(read).collect()
    }

    /// Inserts a namespace without contents, and returns its row number. Its name MUST be free.
    pub async fn insert_namespace(&self, namespace: &Namespace, now: Timestamp) -> Result<i64> {
        let now = now.to_catalog();
        let columns = "INSERT INTO metadef_namespaces (namespace, display_name, description, visibility, \
             protected, owner, created_at, updated_at) VALUES ";
        self.0
            .execute(Sql::new(columns).list([
                namespace.name.as_str().into(),
                namespace.display_name.clone().into(),
                namespace.description.clone().into(),
                namespace.visibility.as_str().into(),
                namespace.protected.into(),
                namespace.owner.clone().into(),
                now.as_str().into(),
                now.as_str().into(),
            ]))
            .await?;
        let sql = Sql::new("SELECT id FROM metadef_namespaces")
            .with(" WHERE namespace = ?", [namespace.name.as_str().into()]);
        match self.0.row(sql).await? {
            Some(row) => row.some_integer("id"),
            None => Err(Error::internal(
                "a namespace is missing after it was inserted",
            )),
        }
    }

    /// Replaces the attributes of a namespace.
    pub async fn update_namespace(
        &self,
        id: i64,
        namespace: &Namespace,
        now: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new("UPDATE metadef_namespaces SET ").with(
            "namespace = ?, display_name = ?, description = ?, visibility = ?, protected = ?, owner = ?, \
             updated_at = ? WHERE id = ?",
            [
                namespace.name.as_str().into(),
                namespace.display_name.clone().into(),
                namespace.description.clone().into(),
                namespace.visibility.as_str().into(),
                namespace.protected.into(),
                namespace.owner.clone().into(),
                now.to_catalog().into(),
                id.into(),
            ],
        );
        self.0.execute(sql).await?;
        Ok(())
    }

    /// Deletes a namespace with its contents.
    pub async fn delete_namespace(&self, id: i64) -> Result<()> {
        for table in [
            "metadef_tags",
            "metadef_objects",
            "metadef_properties",
            "metadef_namespace_resource_types",
        ] {
            let sql = Sql::new(format!("DELETE FROM {table}"))
                .with(" WHERE namespace_id = ?", [id.into()]);
            self.0.execute(sql).await?;
        }
        let sql = Sql::new("DELETE FROM metadef_namespaces").with(" WHERE id = ?", [id.into()]);
        self.0.execute(sql).await?;
        Ok(())
    }
}
