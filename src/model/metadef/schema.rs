//! The JSON schemas of metadata definitions, as the API publishes them, and validation against them.
//!
//! *Source:* `get_schema` and `get_collection_schema` in `glance/api/v2/metadef_*.py` and
//! `glance/schema.py` of the reference implementation.

use serde_json::{Map, Value, json};

use super::{Definition, validation};

/// The kind of a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A namespace, possibly with its content.
    Namespace,
    /// An object.
    Object,
    /// A property.
    Property,
    /// A tag.
    Tag,
    /// A resource type of a namespace.
    ResourceType,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Namespace,
        Self::ResourceType,
        Self::Property,
        Self::Object,
        Self::Tag,
    ];

    /// Returns the names of the schemas of one and of several.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Namespace => ("namespace", "namespaces"),
            Self::Object => ("object", "objects"),
            Self::Property => ("property", "properties"),
            Self::Tag => ("tag", "tags"),
            Self::ResourceType => ("resource_type", "resource_types"),
        }
    }

    /// Returns the path of the schema in the API.
    pub fn path(self) -> String {
        format!("/v2/schemas/metadefs/{}", self.names().0)
    }

    /// Returns the titles of the schemas in the API, which differ from the names for resource types.
    const fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::ResourceType => ("resource_type_association", "resource_type_associations"),
            other => other.names(),
        }
    }

    /// Returns the API's JSON schema.
    pub fn json_schema(self) -> Value {
        let mut schema = self.bare_schema(self.required());
        self.add_definitions(&mut schema);
        schema
    }

    /// Returns the API's JSON schema of a list.
    pub fn list_schema(self) -> Value {
        let (_, name) = self.title();
        // The names of properties are the keys of their object.
        let required = self
            .required()
            .iter()
            .filter(|word| !(self == Self::Property && **word == "name"));
        let required: Vec<&str> = required.copied().collect();
        let items = self.bare_schema(&required);
        let several = if self == Self::Property {
            json!({"type": "object", "additionalProperties": items})
        } else {
            json!({"type": "array", "items": items})
        };
        let mut properties = Map::new();
        properties.insert(name.to_string(), several);
        for link in ["first", "next", "schema"] {
            properties.insert(link.to_string(), json!({"type": "string"}));
        }
        let mut schema = json!({
            "name": name,
            "properties": properties,
            "links": [
                {"rel": "first", "href": "{first}"},
                {"rel": "next", "href": "{next}"},
                {"rel": "describedby", "href": "{schema}"},
            ],
        });
        self.add_definitions(&mut schema);
        schema
    }

    /// Returns the schema with that name, of one or of several: `namespace`, `namespaces`, `object`, …
    pub fn schema_named(name: &str) -> Option<Value> {
        Self::ALL.into_iter().find_map(|kind| match kind.names() {
            (one, _) if one == name => Some(kind.json_schema()),
            (_, several) if several == name => Some(kind.list_schema()),
            _ => None,
        })
    }

    /// Validates a definition.
    ///
    /// # Errors
    /// The violation, in the wording of the reference implementation's validator.
    pub fn check(self, definition: &Definition) -> Result<(), String> {
        validation::check(definition, &self.json_schema())
    }

    /// Returns an attribute of the definition that only the service sets, if there is one.
    pub fn read_only_attribute(self, definition: &Definition) -> Option<&'static str> {
        let read_only = ["self", "schema", "created_at", "updated_at"];
        let read_only = match self {
            Self::Namespace | Self::Object => &read_only[..],
            Self::Property | Self::Tag | Self::ResourceType => &read_only[2..],
        };
        let mut read_only = read_only.iter().copied();
        read_only.find(|name| definition.contains_key(*name))
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Namespace => &["namespace"],
            Self::Property => &["type", "title", "name"],
            Self::Object | Self::Tag | Self::ResourceType => &["name"],
        }
    }

    fn bare_schema(self, required: &[&str]) -> Value {
        let (name, _) = self.title();
        json!({
            "name": name,
            "properties": self.properties(),
            "additionalProperties": false,
            "required": required,
        })
    }

    fn add_definitions(self, schema: &mut Value) {
        let definitions = match self {
            Self::Namespace | Self::Object => {
                let mut definitions = definitions(&json!({
                    "type": "array", "items": {"type": "string"}, "uniqueItems": true,
                }));
                definitions["property"] = json!({
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "required": ["title", "type"],
                        "properties": Self::Property.properties(),
                    },
                });
                definitions
            }
            Self::Property => definitions(&json!({
                "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true,
            })),
            Self::Tag | Self::ResourceType => return,
        };
        schema["definitions"] = definitions;
    }

    fn properties(self) -> Value {
        match self {
            Self::Namespace => namespace_properties(),
            Self::Object => json!({
                "name": {"type": "string", "maxLength": 80},
                "description": {"type": "string"},
                "required": {"$ref": "#/definitions/stringArray"},
                "properties": {"$ref": "#/definitions/property"},
                "schema": {"readOnly": true, "type": "string"},
                "self": {"readOnly": true, "type": "string"},
                "created_at": moment("Date and time of object creation"),
                "updated_at": moment("Date and time of the last object modification"),
            }),
            Self::Property => property_properties(),
            Self::Tag => json!({
                "name": {"type": "string", "maxLength": 80},
                "created_at": moment("Date and time of tag creation"),
                "updated_at": moment("Date and time of the last tag modification"),
            }),
            Self::ResourceType => json!({
                "name": text(80, "Name of the resource type; Heat's name if it has one"),
                "prefix": text(80, "Prefix of property names on such resources, including the \
                                    separator"),
                "properties_target": text(80, "Kind of the resource's metadata, if it has several"),
                "created_at": moment("Date and time of the association's creation"),
                "updated_at": moment("Date and time of the last modification of the association"),
            }),
        }
    }
}

fn text(most: u32, about: &str) -> Value {
    json!({"type": "string", "description": about, "maxLength": most})
}

fn moment(about: &str) -> Value {
    json!({"type": "string", "readOnly": true, "description": about, "format": "date-time"})
}

/// Returns the shared definitions of the schemas; the one of a list of strings varies.
fn definitions(string_array: &Value) -> Value {
    json!({
        "positiveInteger": {"type": "integer", "minimum": 0},
        "positiveIntegerDefault0": {"allOf": [{"$ref": "#/definitions/positiveInteger"}, {"default": 0}]},
        "stringArray": string_array,
    })
}

fn namespace_properties() -> Value {
    json!({
        "namespace": text(80, "Unique name of the namespace"),
        "display_name": text(80, "Display name"),
        "description": text(500, "Description of the namespace"),
        "visibility": {
            "type": "string", "description": "Projects that can see the namespace", "enum": ["public", "private"],
        },
        "protected": {"type": "boolean", "description": "Prevent deletion of the namespace"},
        "owner": text(255, "Project that owns the namespace"),
        "created_at": moment("Date and time of namespace creation"),
        "updated_at": moment("Date and time of the last namespace modification"),
        "schema": {"readOnly": true, "type": "string"},
        "self": {"readOnly": true, "type": "string"},
        "resource_type_associations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "prefix": {"type": "string"},
                    "properties_target": {"type": "string"},
                },
            },
        },
        "properties": {"$ref": "#/definitions/property"},
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "description": {"type": "string"},
                    "required": {"$ref": "#/definitions/stringArray"},
                    "properties": {"$ref": "#/definitions/property"},
                },
            },
        },
        "tags": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
    })
}

fn property_properties() -> Value {
    let kind = json!({
        "type": "string",
        "enum": ["array", "boolean", "integer", "number", "object", "string", null],
    });
    json!({
        "name": {"type": "string", "maxLength": 80},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "operators": {"type": "array", "items": {"type": "string"}},
        "type": kind,
        "required": {"$ref": "#/definitions/stringArray"},
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "maxLength": {"$ref": "#/definitions/positiveInteger"},
        "minLength": {"$ref": "#/definitions/positiveIntegerDefault0"},
        "pattern": {"type": "string", "format": "regex"},
        "enum": {"type": "array"},
        "readonly": {"type": "boolean"},
        "default": {},
        "items": {"type": "object", "properties": {"type": kind, "enum": {"type": "array"}}},
        "maxItems": {"$ref": "#/definitions/positiveInteger"},
        "minItems": {"$ref": "#/definitions/positiveIntegerDefault0"},
        "uniqueItems": {"type": "boolean", "default": false},
        "additionalItems": {"type": "boolean"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_found_by_its_name() {
        for kind in Kind::ALL {
            let (one, several) = kind.names();
            let schema = Kind::schema_named(one).unwrap();
            assert_eq!(schema, kind.json_schema());
            assert_eq!(Kind::schema_named(several), Some(kind.list_schema()));
            for name in kind.required() {
                assert!(schema["properties"][name].is_object(), "{one}: {name}");
            }
        }
        assert_eq!(Kind::schema_named("nonsense"), None);
    }

    #[test]
    fn attributes_of_the_service_are_found() {
        let definition = |value: Value| value.as_object().unwrap().clone();
        let with_schema = definition(json!({"schema": "x"}));
        assert_eq!(
            Kind::Namespace.read_only_attribute(&with_schema),
            Some("schema")
        );
        assert_eq!(Kind::Property.read_only_attribute(&with_schema), None);
        let with_time = definition(json!({"created_at": "x"}));
        assert_eq!(
            Kind::Property.read_only_attribute(&with_time),
            Some("created_at")
        );
    }
}
