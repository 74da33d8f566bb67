//! Rows of the contents of namespaces: objects, properties, tags.

use serde_json::Value;

use super::{MetadefRows, json_object, shown};
use crate::Result;
use crate::local::catalog::Sql;
use crate::local::catalog::db::columns::{Columns, Row};
use crate::local::catalog::db::transaction::Run;
use crate::model::metadef::{Definition, Object, Properties, Tag};
use crate::model::{Timestamp, json};

/// The kinds of named contents of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Objects.
    Objects,
    /// Properties.
    Properties,
    /// Tags.
    Tags,
}

impl Content {
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Objects => "metadef_objects",
            Self::Properties => "metadef_properties",
            Self::Tags => "metadef_tags",
        }
    }
}

const OBJECT: &str =
    "SELECT name, description, required, json_schema, created_at, updated_at FROM metadef_objects";
const PROPERTY: &str = "SELECT name, json_schema FROM metadef_properties";
const TAG: &str = "SELECT name, created_at, updated_at FROM metadef_tags";

/// Reads an object in its API form.
fn read_object(row: &impl Columns) -> Result<Object> {
    let object = read_written_object(row)?;
    let properties = object.properties.into_iter().flatten();
    let properties = properties.map(|(name, value)| (name, shown(value)));
    Ok(Object {
        properties: Some(properties.collect()),
        ..object
    })
}

/// Reads an object in its stored form.
fn read_written_object(row: &impl Columns) -> Result<Object> {
    let required = row.text("required")?.unwrap_or_default();
    let names = required.split(',').filter(|_| !required.is_empty());
    Ok(Object {
        name: row.some_owned("name")?,
        required: Some(names.map(str::to_string).collect()),
        description: row.owned("description")?,
        properties: Some(json_object(row, "json_schema")?),
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
    })
}

/// Returns the names of required properties as stored in the column.
fn required(object: &Object) -> Option<String> {
    let names = object.required.as_ref()?;
    (!names.is_empty()).then(|| names.join(","))
}

fn read_property(row: &impl Columns) -> Result<(String, Value)> {
    let name = row.some_owned("name")?;
    Ok((name, shown(Value::Object(json_object(row, "json_schema")?))))
}

fn read_tag(row: &impl Columns) -> Result<Tag> {
    Ok(Tag {
        name: row.some_owned("name")?,
        created_at: row.moment("created_at")?,
        updated_at: row.moment("updated_at")?,
    })
}

impl<R: Run> MetadefRows<'_, R> {
    /// Returns the row number of the content with that name in a namespace.
    pub async fn find(&self, content: Content, namespace: i64, name: &str) -> Result<Option<i64>> {
        let sql = of_name(
            Sql::new(format!("SELECT id FROM {}", content.table())),
            namespace,
            name,
        );
        self.0
            .row(sql)
            .await?
            .map(|row| row.some_integer("id"))
            .transpose()
    }

    /// Deletes the content called `name` from a namespace, or all of it.
    pub async fn delete(&self, content: Content, namespace: i64, name: Option<&str>) -> Result<()> {
        let sql = Sql::new(format!("DELETE FROM {}", content.table()));
        let sql = match name {
            Some(name) => of_name(sql, namespace, name),
            None => of_namespace(sql, namespace),
        };
        self.0.execute(sql).await?;
        Ok(())
    }

    /// Returns an object.
    pub async fn object(&self, namespace: i64, name: &str) -> Result<Option<Object>> {
        let row = self
            .0
            .row(of_name(Sql::new(OBJECT), namespace, name))
            .await?;
        row.as_ref().map(read_object).transpose()
    }

    /// Returns the objects of a namespace.
    pub async fn objects(&self, namespace: i64) -> Result<Vec<Object>> {
        let sql = of_namespace(Sql::new(OBJECT), namespace).text(" ORDER BY name");
        self.0.rows(sql).await?.iter().map(read_object).collect()
    }

    /// Returns a property.
    pub async fn property(&self, namespace: i64, name: &str) -> Result<Option<Definition>> {
        let row = self
            .0
            .row(of_name(Sql::new(PROPERTY), namespace, name))
            .await?;
        let Some(row) = row else { return Ok(None) };
        match read_property(&row)? {
            (_, Value::Object(definition)) => Ok(Some(definition)),
            _ => Ok(None),
        }
    }

    /// Returns the properties of a namespace.
    pub async fn properties(&self, namespace: i64) -> Result<Properties> {
        let sql = of_namespace(Sql::new(PROPERTY), namespace).text(" ORDER BY name");
        self.0.rows(sql).await?.iter().map(read_property).collect()
    }

    /// Returns the objects of a namespace in their stored form, in the order of creation.
    pub async fn written_objects(&self, namespace: i64) -> Result<Vec<Object>> {
        let sql = of_namespace(Sql::new(OBJECT), namespace).text(" ORDER BY id");
        let rows = self.0.rows(sql).await?;
        rows.iter().map(read_written_object).collect()
    }

    /// Returns the properties of a namespace in their stored form, in the order of creation.
    pub async fn written_properties(&self, namespace: i64) -> Result<Properties> {
        let sql = of_namespace(Sql::new(PROPERTY), namespace).text(" ORDER BY id");
        let rows = self.0.rows(sql).await?;
        let read = |row: &Row| -> Result<(String, Value)> {
            let name = row.some_owned("name")?;
            Ok((name, Value::Object(json_object(row, "json_schema")?)))
        };
        rows.iter().map(read).collect()
    }

    /// Returns a tag.
    pub async fn tag(&self, namespace: i64, name: &str) -> Result<Option<Tag>> {
        let row = self.0.row(of_name(Sql::new(TAG), namespace, name)).await?;
        row.as_ref().map(read_tag).transpose()
    }

    /// Returns the tags of a namespace.
    pub async fn tags(&self, namespace: i64) -> Result<Vec<Tag>> {
        let sql = of_namespace(Sql::new(TAG), namespace).text(" ORDER BY created_at DESC, id DESC");
        self.0.rows(sql).await?.iter().map(read_tag).collect()
    }

    /// Inserts an object. Its name MUST be free.
    pub async fn insert_object(
        &self,
        namespace: i64,
        object: &Object,
        now: Timestamp,
    ) -> Result<()> {
        let now = now.to_catalog();
        let columns = "INSERT INTO metadef_objects (namespace_id, name, description, required, json_schema, \
             created_at, updated_at) VALUES ";
        let row = [
            namespace.into(),
            object.name.as_str().into(),
            object.description.clone().into(),
            required(object).into(),
            json::python(&object.properties.clone().unwrap_or_default()).into(),
            now.as_str().into(),
            now.as_str().into(),
        ];
        self.0.execute(Sql::new(columns).list(row)).await?;
        Ok(())
    }

    /// Replaces an object. The new name MUST be free or its own.
    pub async fn update_object(&self, id: i64, object: &Object, now: Timestamp) -> Result<()> {
        let sql = Sql::new("UPDATE metadef_objects SET ").with(
            "name = ?, description = ?, required = ?, json_schema = ?, updated_at = ? WHERE id = ?",
            [
                object.name.as_str().into(),
                object.description.clone().into(),
                required(object).into(),
                json::python(&object.properties.clone().unwrap_or_default()).into(),
                now.to_catalog().into(),
                id.into(),
            ],
        );
        self.0.execute(sql).await?;
        Ok(())
    }

    /// Inserts a property. Its name MUST be free.
    pub async fn insert_property(
        &self,
        namespace: i64,
        name: &str,
        definition: &Value,
        now: Timestamp,
    ) -> Result<()> {
        let now = now.to_catalog();
        let columns = "INSERT INTO metadef_properties (namespace_id, name, json_schema, created_at, \
             updated_at) VALUES ";
        let row = [
            namespace.into(),
            name.into(),
            json::python(definition).into(),
            now.as_str().into(),
            now.as_str().into(),
        ];
        self.0.execute(Sql::new(columns).list(row)).await?;
        Ok(())
    }

    /// Replaces a property. The new name MUST be free or its own.
    pub async fn update_property(
        &self,
        id: i64,
        name: &str,
        definition: &Definition,
        now: Timestamp,
    ) -> Result<()> {
        let sql = Sql::new("UPDATE metadef_properties SET ").with(
            "name = ?, json_schema = ?, updated_at = ? WHERE id = ?",
            [
                name.into(),
                json::python(definition).into(),
                now.to_catalog().into(),
                id.into(),
            ],
        );
        self.0.execute(sql).await?;
        Ok(())
    }

    /// Inserts a tag. Its name MUST be free.
    pub async fn insert_tag(&self, namespace: i64, name: &str, now: Timestamp) -> Result<()> {
        let now = now.to_catalog();
        let columns =
            "INSERT INTO metadef_tags (namespace_id, name, created_at, updated_at) VALUES ";
        let row = [
            namespace.into(),
            name.into(),
            now.as_str().into(),
            now.as_str().into(),
        ];
        self.0.execute(Sql::new(columns).list(row)).await?;
        Ok(())
    }

    /// Renames a tag. The new name MUST be free or its own.
    pub async fn rename_tag(&self, id: i64, name: &str, now: Timestamp) -> Result<()> {
        let sql = Sql::new("UPDATE metadef_tags SET ").with(
            "name = ?, updated_at = ? WHERE id = ?",
            [name.into(), now.to_catalog().into(), id.into()],
        );
        self.0.execute(sql).await?;
        Ok(())
    }
}

fn of_namespace(sql: Sql, namespace: i64) -> Sql {
    sql.with(" WHERE namespace_id = ?", [namespace.into()])
}

fn of_name(sql: Sql, namespace: i64, name: &str) -> Sql {
    of_namespace(sql, namespace).with(" AND name = ?", [name.into()])
}
