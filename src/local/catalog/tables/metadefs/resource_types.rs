//! Rows of types of resources, and of what namespaces say of them.

use std::collections::HashMap;

use super::MetadefRows;
use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::model::Timestamp;
use crate::model::metadef::{Association, ResourceType};
use crate::{Error, Result};

impl<R: Run> MetadefRows<'_, R> {
    /// Every type, the oldest first.
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

    /// The types that these namespaces are associated with, by the numbers of their rows, the oldest
    /// first.
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

    /// The types that one namespace is associated with.
    pub async fn associations_of(&self, namespace: i64) -> Result<Vec<Association>> {
        let mut all = self.associations(&[namespace]).await?;
        Ok(all.remove(&namespace).unwrap_or_default())
    }

    /// Records that a namespace is associated with a type, which it is not yet; a type that is not
    /// known is from now on.
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
            .ok_or_else(|| Error::internal("a resource type that was written is not there"))?;
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

    /// Takes a type away from a namespace; the type stays.
    pub async fn delete_association(&self, namespace: i64, name: &str) -> Result<()> {
        let sql = Sql::new("DELETE FROM metadef_namespace_resource_types").with(
            " WHERE namespace_id = ? AND resource_type_id = \
             (SELECT id FROM metadef_resource_types WHERE name = ?)",
            [namespace.into(), name.into()],
        );
        self.0.execute(sql).await?;
        Ok(())
    }

    /// The number of the row of that type.
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
