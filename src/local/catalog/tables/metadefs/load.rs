//! Bulk loading of metadata definitions from files.
//!
//! New rows get their numbers here, and are written many per statement; existing rows are looked up once. Other
//! writers wait during the load.

use std::collections::{HashMap, HashSet};

use super::{Content, MetadefRows};
use crate::Result;
use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::{Run, Transaction};
use crate::local::catalog::{Sql, Value};
use crate::local::metadefs::{Document, WrittenObject};
use crate::model::{Timestamp, json};

/// The treatment of a loaded namespace that already exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The existing namespace is not changed.
    Skip,
    /// Missing contents are added.
    Keep,
    /// Missing contents are added, and existing ones are replaced.
    PreferNew,
    /// The existing namespace is deleted first.
    Overwrite,
}

/// The maximum number of rows written by one statement.
const ROWS: usize = 200;

/// The default owner of a namespace from a file.
const OWNER: &str = "admin";

/// The tables, ordered so that none refers to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Table {
    ResourceTypes,
    Namespaces,
    Associations,
    Properties,
    Objects,
    Tags,
}

impl Table {
    const ALL: [Self; 6] = [
        Self::ResourceTypes,
        Self::Namespaces,
        Self::Associations,
        Self::Properties,
        Self::Objects,
        Self::Tags,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::ResourceTypes => "metadef_resource_types",
            Self::Namespaces => "metadef_namespaces",
            Self::Associations => "metadef_namespace_resource_types",
            Self::Properties => Content::Properties.table(),
            Self::Objects => Content::Objects.table(),
            Self::Tags => Content::Tags.table(),
        }
    }

    const fn columns(self) -> &'static str {
        match self {
            Self::ResourceTypes => "id, name, protected, created_at",
            Self::Namespaces => {
                "id, namespace, display_name, description, visibility, protected, owner, created_at"
            }
            Self::Associations => {
                "resource_type_id, namespace_id, properties_target, prefix, created_at"
            }
            Self::Properties => "id, namespace_id, name, json_schema, created_at",
            Self::Objects => {
                "id, namespace_id, name, description, required, json_schema, created_at"
            }
            Self::Tags => "id, namespace_id, name, created_at",
        }
    }
}

impl Transaction {
    /// Begins to load files.
    pub(in crate::local) async fn metadef_loader(
        &self,
        merge: Merge,
        now: Timestamp,
    ) -> Result<Loader<'_>> {
        let mut loader = Loader {
            on: self,
            merge,
            now: now.to_catalog(),
            next: HashMap::new(),
            pending: HashMap::new(),
            namespaces: HashMap::new(),
            resource_types: HashMap::new(),
            associations: HashSet::new(),
            contents: HashMap::new(),
        };
        loader.look().await?;
        Ok(loader)
    }
}

impl<R: Run> MetadefRows<'_, R> {
    /// Deletes all rows.
    pub async fn clear(&self) -> Result<()> {
        for table in Table::ALL.into_iter().rev() {
            let sql = Sql::new(format!("DELETE FROM {}", table.name()));
            self.0.execute(sql).await?;
        }
        Ok(())
    }
}

/// A load of files in progress.
pub(in crate::local) struct Loader<'t> {
    on: &'t Transaction,
    merge: Merge,
    now: String,
    /// The number of the next row in each table.
    next: HashMap<Table, i64>,
    /// The rows that are not written yet.
    pending: HashMap<Table, Vec<Vec<Value>>>,
    /// The row numbers of existing namespaces by name.
    namespaces: HashMap<String, i64>,
    resource_types: HashMap<String, i64>,
    /// The pairs of namespaces and resource types.
    associations: HashSet<(i64, i64)>,
    contents: HashMap<(Table, i64, String), i64>,
}

impl Loader<'_> {
    /// Looks up the existing rows.
    async fn look(&mut self) -> Result<()> {
        for (table, key) in [
            (Table::ResourceTypes, "name"),
            (Table::Namespaces, "namespace"),
        ] {
            let sql = Sql::new(format!("SELECT id, {key} AS name FROM {}", table.name()));
            let known = if table == Table::Namespaces {
                &mut self.namespaces
            } else {
                &mut self.resource_types
            };
            for row in self.on.rows(sql).await? {
                known.insert(row.some_owned("name")?, row.some_integer("id")?);
            }
        }
        let sql = Sql::new(format!(
            "SELECT namespace_id, resource_type_id FROM {}",
            Table::Associations.name()
        ));
        for row in self.on.rows(sql).await? {
            self.associations.insert((
                row.some_integer("namespace_id")?,
                row.some_integer("resource_type_id")?,
            ));
        }
        for table in [Table::Properties, Table::Objects, Table::Tags] {
            let sql = Sql::new(format!(
                "SELECT id, namespace_id, name FROM {}",
                table.name()
            ));
            for row in self.on.rows(sql).await? {
                let namespace = row.some_integer("namespace_id")?;
                let key = (table, namespace, row.some_owned("name")?);
                self.contents.insert(key, row.some_integer("id")?);
            }
        }
        for table in Table::ALL {
            if table != Table::Associations {
                let sql = Sql::new(format!("SELECT MAX(id) AS last FROM {}", table.name()));
                let last = match self.on.row(sql).await? {
                    Some(row) => row.integer("last")?,
                    None => None,
                };
                self.next.insert(table, last.unwrap_or_default() + 1);
            }
        }
        Ok(())
    }

    /// Loads a namespace with its contents.
    pub(in crate::local) async fn load(&mut self, document: &Document) -> Result<()> {
        let Some(namespace) = self.namespace(document).await? else {
            return Ok(());
        };
        for held in &document.resource_type_associations {
            let values = [
                held.properties_target.clone().into(),
                held.prefix.clone().into(),
            ];
            let resource_type = self.resource_type(&held.name).await?;
            self.associate(namespace, resource_type, values).await?;
        }
        for (name, definition) in &document.properties {
            let values = [("json_schema", json::python(definition).into())];
            self.hold(Table::Properties, namespace, name, &values)
                .await?;
        }
        for held in &document.objects {
            let values = [
                ("description", held.description.clone().into()),
                ("required", required(held).into()),
                ("json_schema", json::python(&held.properties).into()),
            ];
            self.hold(Table::Objects, namespace, &held.name, &values)
                .await?;
        }
        for held in &document.tags {
            self.hold(Table::Tags, namespace, &held.name, &[]).await?;
        }
        Ok(())
    }

    /// Returns the row number of the namespace; None if it exists and is not to be changed.
    async fn namespace(&mut self, document: &Document) -> Result<Option<i64>> {
        let mut known = self.namespaces.get(&document.namespace).copied();
        if let Some(id) = known
            && self.merge == Merge::Overwrite
        {
            self.flush().await?;
            self.on.metadefs().delete_namespace(id).await?;
            self.contents
                .retain(|(_, namespace, _), _| *namespace != id);
            self.associations.retain(|(namespace, _)| *namespace != id);
            known = None;
        }
        let values: [Value; 6] = [
            document.namespace.as_str().into(),
            document.display_name.clone().into(),
            document.description.clone().into(),
            document.visibility.clone().into(),
            document.protected.into(),
            document.owner.as_deref().unwrap_or(OWNER).into(),
        ];
        match (known, self.merge) {
            (None, _) => {
                let id = self.number(Table::Namespaces);
                self.add(
                    Table::Namespaces,
                    [Value::from(id)].into_iter().chain(values),
                );
                self.namespaces.insert(document.namespace.clone(), id);
                Ok(Some(id))
            }
            (Some(_), Merge::Skip) => Ok(None),
            (Some(id), Merge::PreferNew) => {
                let sql = Sql::new("UPDATE metadef_namespaces SET ").with(
                    "namespace = ?, display_name = ?, description = ?, visibility = ?, protected = ?, \
                     owner = ?, updated_at = ? WHERE id = ?",
                    values
                        .into_iter()
                        .chain([self.now.as_str().into(), id.into()]),
                );
                self.change(sql).await?;
                Ok(Some(id))
            }
            (Some(id), Merge::Keep | Merge::Overwrite) => Ok(Some(id)),
        }
    }

    /// Returns the row number of a resource type.
    async fn resource_type(&mut self, name: &str) -> Result<i64> {
        let Some(id) = self.resource_types.get(name).copied() else {
            let id = self.number(Table::ResourceTypes);
            // Resource types from files belong to the system.
            self.add(Table::ResourceTypes, [id.into(), name.into(), true.into()]);
            self.resource_types.insert(name.to_string(), id);
            return Ok(id);
        };
        if self.merge == Merge::PreferNew {
            let sql = Sql::new("UPDATE metadef_resource_types SET ").with(
                "updated_at = ? WHERE id = ?",
                [self.now.as_str().into(), id.into()],
            );
            self.change(sql).await?;
        }
        Ok(id)
    }

    async fn associate(
        &mut self,
        namespace: i64,
        resource_type: i64,
        values: [Value; 2],
    ) -> Result<()> {
        let numbers: [Value; 2] = [resource_type.into(), namespace.into()];
        if self.associations.insert((namespace, resource_type)) {
            self.add(Table::Associations, numbers.into_iter().chain(values));
        } else if self.merge == Merge::PreferNew {
            let sql = Sql::new("UPDATE metadef_namespace_resource_types SET ").with(
                "properties_target = ?, prefix = ?, updated_at = ? WHERE resource_type_id = ? AND \
                 namespace_id = ?",
                values
                    .into_iter()
                    .chain([self.now.as_str().into()])
                    .chain(numbers),
            );
            self.change(sql).await?;
        }
        Ok(())
    }

    /// Adds or replaces a named content of a namespace.
    async fn hold(
        &mut self,
        table: Table,
        namespace: i64,
        name: &str,
        values: &[(&str, Value)],
    ) -> Result<()> {
        let key = (table, namespace, name.to_string());
        let Some(id) = self.contents.get(&key).copied() else {
            let id = self.number(table);
            self.contents.insert(key, id);
            let row: [Value; 3] = [id.into(), namespace.into(), name.into()];
            let values = values.iter().map(|(_, value)| value.clone());
            self.add(table, row.into_iter().chain(values));
            return Ok(());
        };
        if self.merge == Merge::PreferNew {
            let mut sql = Sql::new(format!("UPDATE {} SET ", table.name()));
            for (column, value) in values {
                sql = sql.with(&format!("{column} = ?, "), [value.clone()]);
            }
            let sql = sql.with(
                "updated_at = ? WHERE id = ?",
                [self.now.as_str().into(), id.into()],
            );
            self.change(sql).await?;
        }
        Ok(())
    }

    /// Returns the number for a new row.
    fn number(&mut self, table: Table) -> i64 {
        let next = self.next.entry(table).or_insert(1);
        *next += 1;
        *next - 1
    }

    /// Adds a row, created now.
    fn add(&mut self, table: Table, values: impl IntoIterator<Item = Value>) {
        let row = values.into_iter().chain([self.now.as_str().into()]);
        self.pending.entry(table).or_default().push(row.collect());
    }

    /// Changes rows after all pending ones were written.
    async fn change(&mut self, sql: Sql) -> Result<()> {
        self.flush().await?;
        self.on.execute(sql).await?;
        Ok(())
    }

    /// Writes the pending rows.
    async fn flush(&mut self) -> Result<()> {
        for table in Table::ALL {
            let rows = self.pending.remove(&table).unwrap_or_default();
            for rows in rows.chunks(ROWS) {
                let mut sql = Sql::new(format!(
                    "INSERT INTO {} ({}) VALUES ",
                    table.name(),
                    table.columns()
                ));
                for (place, row) in rows.iter().enumerate() {
                    if place > 0 {
                        sql = sql.text(", ");
                    }
                    sql = sql.list(row.iter().cloned());
                }
                self.on.execute(sql).await?;
            }
        }
        Ok(())
    }

    /// Writes the remaining rows.
    pub(in crate::local) async fn finish(mut self) -> Result<()> {
        self.flush().await
    }
}

/// Returns the names of required properties as stored in the column. The reference implementation does not load
/// them.
fn required(object: &WrittenObject) -> Option<String> {
    (!object.required.is_empty()).then(|| object.required.join(","))
}
