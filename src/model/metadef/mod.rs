//! Metadata definitions: what the properties of images, flavors, volumes and the like are called, and
//! what values they take. Namespaces hold them.

pub mod property;
pub mod schema;
mod validation;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Direction, Timestamp};

pub use schema::Kind;

/// A JSON object that describes something to the API: a whole namespace, an object, a property, an
/// association. Which attributes it has, [`Kind::json_schema`] says.
pub type Definition = Map<String, Value>;

/// Definitions of properties by the names of these, in order.
pub type Properties = Map<String, Value>;

/// A namespace, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its name, unique in the deployment; at most 80 characters.
    #[serde(rename = "namespace")]
    pub name: String,
    /// Name for people, at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `public` (every project sees it) or `private` (its own one does); files that are loaded may say
    /// something else, which counts as private.
    #[serde(default = "private")]
    pub visibility: String,
    /// Whether it, and what it holds, may not be deleted.
    #[serde(default)]
    pub protected: bool,
    /// Project that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed; None where it was loaded from a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The types of resources it describes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_type_associations: Vec<Association>,
    /// Its properties.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub properties: Properties,
    /// Its objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Object>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

/// The visibility of a namespace that says nothing of it.
pub fn private() -> String {
    "private".to_string()
}

/// The visibility of a namespace that every project sees.
pub const PUBLIC: &str = "public";

impl Namespace {
    /// The API's representation.
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

    /// The same with the prefix of a type of resources before the names of all properties; as it is
    /// where the type is not associated, or without a prefix.
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

/// A type of resources that a namespace describes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// Name of the type, such as `OS::Nova::Flavor`; at most 80 characters.
    pub name: String,
    /// What the names of properties begin with on such resources, at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Which of the resource's kinds of metadata is meant, at most 80 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties_target: Option<String>,
    /// When it was made; None in the answer to a new namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// A type of resources, whatever namespaces describe it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceType {
    /// Its name.
    pub name: String,
    /// When it was first heard of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

/// Properties that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its name, unique in its namespace; at most 80 characters.
    pub name: String,
    /// Names of the properties that it must have; None in the answer to an object made without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<Vec<String>>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its properties; None in the answer to an object made without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
    /// When it was made; None in the answer to a new namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Object {
    /// The API's representation, in a namespace of that name.
    pub fn to_api(&self, namespace: &str) -> Map<String, Value> {
        let mut api = written(self);
        let path = format!("/v2/metadefs/namespaces/{namespace}/objects/{}", self.name);
        api.insert("self".to_string(), path.into());
        api.insert("schema".to_string(), Kind::Object.path().into());
        api
    }
}

/// A word of a namespace's vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// The word, unique in its namespace; at most 80 characters.
    pub name: String,
    /// When it was made; None in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was changed; None in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Tag {
    /// A tag as lists have it.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }
}

/// A value in the API's words.
pub fn written(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        // The types of this file are objects of plain values.
        _ => Map::new(),
    }
}

/// What namespaces are sorted by; equals by their time of creation, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespaceSort {
    /// When they were made.
    #[default]
    CreatedAt,
    /// Their names.
    Name,
}

/// Which namespaces to list, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceQuery {
    /// Only those that describe one of these types of resources; None: whatever they describe.
    pub resource_types: Option<Vec<String>>,
    /// Only `public` or only `private` ones.
    pub visibility: Option<String>,
    /// How to sort them.
    pub sort: (NamespaceSort, Direction),
    /// Begin behind the namespace of this name.
    pub marker: Option<String>,
    /// Namespaces at most.
    pub limit: Option<u64>,
    /// How many to ask a server for at a time; None: as many as it gives.
    pub page_size: Option<u64>,
}

impl Default for NamespaceQuery {
    /// All of them, the newest first.
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
