//! Metadata definitions: the names and values of properties of images, flavors, volumes and other
//! resources, grouped in namespaces.

pub mod property;
pub mod schema;
mod validation;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Direction, Timestamp};

pub use schema::Kind;

/// A JSON object of the API that defines something: a whole namespace, an object, a property, an
/// association. [`Kind::json_schema`] lists its attributes.
pub type Definition = Map<String, Value>;

/// Definitions of properties by their names, in order.
pub type Properties = Map<String, Value>;

/// A namespace and its content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// The name, unique in the deployment; at most 80 characters.
    #[serde(rename = "namespace")]
    pub name: String,
    /// The display name; at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `public` (visible to every project) or `private` (visible to its own project). Files may contain
    /// other values, which count as private.
    #[serde(default = "private")]
    pub visibility: String,
    /// Whether it and its content cannot be deleted.
    #[serde(default)]
    pub protected: bool,
    /// The project that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The time of creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time of the last change; None if it was loaded from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The resource types that it applies to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_type_associations: Vec<Association>,
    /// The properties.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Properties,
    /// The objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// The tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// Returns the default visibility of a namespace.
pub fn private() -> String {
    "private".to_string()
}

/// The visibility of a namespace that every project can see.
pub const PUBLIC: &str = "public";

impl Namespace {
    /// Returns the API's representation.
    pub fn to_api(&self) -> Map<String, Value> {
        let mut api = written(self);
        if !self.objects.is_empty() {
            let objects = self.objects.iter().map(|object| object.to_api(&self.name));
            api.insert("objects".to_string(), objects.collect());
        }
        let path = format!("/v2/metadefs/namespaces/{}", self.name);
        api.insert("self".to_string(), path.into());
        api.insert("schema".to_string(), Kind::Namespace.path().into());
        api
    }

    /// Returns the namespace with the prefix of a resource type before the names of all properties;
    /// unchanged if the type is not associated or has no prefix.
    #[must_use]
    pub fn prefixed(mut self, resource_type: &str) -> Self {
        let mut associations = self.resource_type_associations.iter();
        let association = associations.find(|known| known.name == resource_type);
        let Some(prefix) = association.and_then(|known| known.prefix.clone()) else {
            return self;
        };
        let all = std::iter::once(&mut self.properties).chain(
            self.objects
                .iter_mut()
                .filter_map(|object| object.properties.as_mut()),
        );
        for properties in all {
            let prefixed = std::mem::take(properties).into_iter();
            *properties = prefixed
                .map(|(name, value)| (format!("{prefix}{name}"), value))
                .collect();
        }
        for object in &mut self.objects {
            for name in object.required.iter_mut().flatten() {
                name.insert_str(0, &prefix);
            }
        }
        self
    }
}

/// A resource type that a namespace applies to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// The name of the type, such as `OS::Nova::Flavor`; at most 80 characters.
    pub name: String,
    /// The prefix of property names on such resources; at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The kind of the resource's metadata that contains the properties; at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties_target: Option<String>,
    /// The time of creation; None in the response to a new namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A resource type, independent of namespaces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceType {
    /// The name.
    pub name: String,
    /// The time of its first use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time when it was last loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A group of properties.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The name, unique in its namespace; at most 80 characters.
    pub name: String,
    /// The names of required properties; None in the response to an object that was created without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The properties; None in the response to an object that was created without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
    /// The time of creation; None in the response to a new namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time of the last change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Object {
    /// Returns the API's representation, for a namespace with that name.
    pub fn to_api(&self, namespace: &str) -> Map<String, Value> {
        let mut api = written(self);
        let path = format!("/v2/metadefs/namespaces/{namespace}/objects/{}", self.name);
        api.insert("self".to_string(), path.into());
        api.insert("schema".to_string(), Kind::Object.path().into());
        api
    }
}

/// A tag of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// The name, unique in its namespace; at most 80 characters.
    pub name: String,
    /// The time of creation; None in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time of the last change; None in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Tag {
    /// Creates a tag as in lists.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// Returns a value in the API's representation.
pub fn written(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        // The types of this file are serialized as objects.
        _ => Map::new(),
    }
}

/// The sort key of namespaces. Equal ones are sorted by their time of creation, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespaceSort {
    /// The time of creation.
    #[default]
    CreatedAt,
    /// The name.
    Name,
}

/// A query for namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceQuery {
    /// Only namespaces for one of these resource types; None: all.
    pub resource_types: Option<Vec<String>>,
    /// Only `public` or only `private` ones.
    pub visibility: Option<String>,
    /// The sort key and direction.
    pub sort: (NamespaceSort, Direction),
    /// The name of the namespace to start after.
    pub marker: Option<String>,
    /// The maximum number of namespaces.
    pub limit: Option<u64>,
    /// The number of namespaces to request from a server at a time; None: the server's default.
    pub page_size: Option<u64>,
}

impl Default for NamespaceQuery {
    /// Returns the query for all namespaces, the newest first.
    fn default() -> Self {
        Self {
            resource_types: None,
            visibility: None,
            sort: (NamespaceSort::default(), Direction::Descending),
            marker: None,
            limit: None,
            page_size: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn namespace() -> Namespace {
        serde_json::from_value(json!({
            "namespace": "N", "created_at": "2026-11-21T09:30:04Z",
            "resource_type_associations": [{"name": "R", "prefix": "r_"}, {"name": "S"}],
            "properties": {"p": {"title": "P", "type": "string"}},
            "objects": [{"name": "o", "required": ["a"], "properties": {"a": {"title": "A", "type": "string"}}}, {"name": "q"}],
            "tags": [{"name": "t"}], "self": "x", "schema": "y",
        }))
        .unwrap()
    }

    #[test]
    fn the_representation_is_read_back() {
        let namespace = namespace();
        assert_eq!(namespace.visibility, "private");
        let api = Value::Object(namespace.to_api());
        assert_eq!(
            serde_json::from_value::<Namespace>(api.clone()).unwrap(),
            namespace
        );
        let object = &api["objects"][0];
        assert_eq!(object["self"], "/v2/metadefs/namespaces/N/objects/o");
        for text in [
            "{}",
            r#"{"namespace": 1}"#,
            r#"{"namespace": "x", "created_at": "soon"}"#,
        ] {
            assert!(serde_json::from_str::<Namespace>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_is_put_before_every_name_of_a_property() {
        let prefixed = namespace().prefixed("R");
        assert!(prefixed.properties.contains_key("r_p"));
        assert_eq!(prefixed.objects[0].required, Some(vec!["r_a".to_string()]));
        let properties = prefixed.objects[0].properties.as_ref().unwrap();
        assert!(properties.contains_key("r_a"));
        for resource_type in ["S", "unknown"] {
            assert_eq!(namespace().prefixed(resource_type), namespace());
        }
    }
}
