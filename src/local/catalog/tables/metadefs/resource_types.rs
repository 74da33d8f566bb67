//! Rows of resource types, and of their associations with namespaces.

use std::collections::HashMap;

use super::MetadefRows;
use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::model::Timestamp;
use crate::model::metadef::{Association, ResourceType};
use crate::{Error, Result};

impl<R: Run> MetadefRows<'_, R> {
    /// Returns all resource types, the oldest first.
    pub async fn resource_types(&self) -> Result<Vec<ResourceType>> {
        let sql = "SELECT name, created_at, updated_at FROM metadef_resource_types ORDER BY id";
        let rows = self.0.rows(Sql::new(sql)).await?;
        let read = |row: &Row| -> Result<ResourceType> {
            Ok(ResourceType {
                name: row.some_owned("name")?,
                created_at: row.moment("created_at")?,
                updated_at: row.moment("updated_at")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Returns the resource types that are associated with these namespaces, by row number, the oldest first.
    pub async fn associations(&self, namespaces: &[i64]) -> Result<HashMap<i64, Vec<Association>>> {
        let sql = Sql::new(
            "SELECT a.namespace_id, t.name, a.prefix, a.properties_target, a.created_at, a.updated_at \
             FROM metadef_namespace_resource_types AS a \
             JOIN metadef_resource_types AS t ON t.id = a.resource_type_id WHERE a.namespace_id IN ",
        );
        let sql = sql
            .list(namespaces.iter().map(|id| (*id).into()))
            .text(" ORDER BY a.created_at, t.id");
        let mut all: HashMap<i64, Vec<Association>> = HashMap::new();
        for row in &self.0.rows(sql).await? {
            let association = Association {
                name: row.some_owned("name")?,
                prefix: row.owned("prefix")?,
                properties_target: row.owned("properties_target")?,
                created_at: row.moment("created_at")?,
                updated_at: row.moment("updated_at")?,
            };
            let namespace = row.some_integer("namespace_id")?;
            all.entry(namespace).or_default().push(association);
        }
        Ok(all)
    }

    /// Returns the resource types that are associated with a namespace.
    pub async fn associations_of(&self, namespace: i64) -> Result<Vec<Association>> {
        let mut all = self.associations(&[namespace]).await?;
        Ok(all.remove(&namespace).unwrap_or_default())
    }

    /// Associates a namespace with a resource type, which MUST NOT be associated yet. Inserts an unknown resource
    /// type.
    pub async fn insert_association(
        &self,
        namespace: i64,
        association: &Association,
        now: Timestamp,
    ) -> Result<()> {
        let now = now.to_catalog();
        if self.resource_type(&association.name).await?.is_none() {
            let columns = "INSERT INTO metadef_resource_types (name, protected, created_at, updated_at) \
                 VALUES ";
            let row = [
                association.name.as_str().into(),
                false.into(),
                now.as_str().into(),
                now.as_str().into(),
            ];
            self.0.execute(Sql::new(columns).list(row)).await?;
        }
        let resource_type = self.resource_type(&association.name).await?;
        let resource_type = resource_type
            .ok_or_else(|| Error::internal("a resource type is missing after it was inserted"))?;
        let columns = "INSERT INTO metadef_namespace_resource_types (resource_type_id, namespace_id, \
             properties_target, prefix, created_at, updated_at) VALUES ";
        let row = [
            resource_type.into(),
            namespace.into(),
            association.properties_target.clone().into(),
            association.prefix.clone().into(),
            now.as_str().into(),
            now.as_str().into(),
        ];
        self.0.execute(Sql::new(columns).list(row)).await?;
        Ok(())
    }

    /// Removes the association of a namespace with a resource type; the type stays.
    pub async fn delete_association(&self, namespace: i64, name: &str) -> Result<()> {
        let sql = Sql::new("DELETE FROM metadef_namespace_resource_types").with(
            " WHERE namespace_id = ? AND resource_type_id = \
             (SELECT id FROM metadef_resource_types WHERE name = ?)",
            [namespace.into(), name.into()],
        );
        self.0.execute(sql).await?;
        Ok(())
    }

    /// Returns the row number of a resource type.
    async fn resource_type(&self, name: &str) -> Result<Option<i64>> {
        let sql = Sql::new("SELECT id FROM metadef_resource_types")
            .with(" WHERE name = ?", [name.into()]);
        self.0
            .row(sql)
            .await?
            .map(|row| row.some_integer("id"))
            .transpose()
    }
}
