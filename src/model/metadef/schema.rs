//! The JSON schemas of metadata definitions, which the API gives away, and what they let pass.
//!
//! *Source:* `get_schema` and `get_collection_schema` in `glance/api/v2/metadef_*.py` and
//! `glance/schema.py` of the reference implementation.

use serde_json::{Map, Value, json};

use super::{Definition, validation};

/// What a definition describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A namespace, maybe with all it holds.
    Namespace,
    /// An object.
    Object,
    /// A property.
    Property,
    /// A tag.
    Tag,
    /// A type of resources that a namespace describes.
    ResourceType,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Namespace,
        Self::ResourceType,
        Self::Property,
        Self::Object,
        Self::Tag,
    ];

    /// The name of its schema, and that of the schema of several of it.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Namespace => ("namespace", "namespaces"),
            Self::Object => ("object", "objects"),
            Self::Property => ("property", "properties"),
            Self::Tag => ("tag", "tags"),
            Self::ResourceType => ("resource_type", "resource_types"),
        }
    }

    /// Where the API says what it is.
    pub fn path(self) -> String {
        format!("/v2/schemas/metadefs/{}", self.names().0)
    }

    /// The API's word for it in its schema, which is another for types of resources.
    const fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::ResourceType => ("resource_type_association", "resource_type_associations"),
            other => other.names(),
        }
    }

    /// The API's JSON schema of it.
    pub fn json_schema(self) -> Value {
        let mut schema = self.bare_schema(self.required());
        self.add_definitions(&mut schema);
        schema
    }

    /// The API's JSON schema of a list of it.
    pub fn list_schema(self) -> Value {
        let (_, name) = self.title();
        // The names of properties are the keys of their list.
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

    /// The schema of that name, of one or of several: `namespace`, `namespaces`, `object`, …
    pub fn schema_named(name: &str) -> Option<Value> {
        Self::ALL.into_iter().find_map(|kind| match kind.names() {
            (one, _) if one == name => Some(kind.json_schema()),
            (_, several) if several == name => Some(kind.list_schema()),
            _ => None,
        })
    }

    /// Checks a definition by its schema.
    ///
    /// # Errors
    /// Why it does not fit, in the words of the validator of the reference implementation.
    pub fn check(self, definition: &Definition) -> Result<(), String> {
        validation::check(definition, &self.json_schema())
    }

    /// An attribute that is there and that only the service sets.
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
                "created_at": moment("When the object was made"),
                "updated_at": moment("When the object was last changed"),
            }),
            Self::Property => property_properties(),
            Self::Tag => json!({
                "name": {"type": "string", "maxLength": 80},
                "created_at": moment("When the tag was made"),
                "updated_at": moment("When the tag was last changed"),
            }),
            Self::ResourceType => json!({
                "name": text(80, "Name of the resource type, as Heat calls it where it has one"),
                "prefix": text(80, "What the names of properties begin with on such resources, with its \
                    separator"),
                "properties_target": text(80, "Which of the resource's kinds of metadata is meant, where it \
                    has several"),
                "created_at": moment("When the resource type was associated"),
                "updated_at": moment("When the association was last changed"),
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

/// What schemas refer to; a list of texts is not the same everywhere.
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
        "display_name": text(80, "Name to show to people"),
        "description": text(500, "What the namespace is for"),
        "visibility": {
            "type": "string", "description": "Who sees the namespace", "enum": ["public", "private"],
        },
        "protected": {"type": "boolean", "description": "Refuse to delete the namespace"},
        "owner": text(255, "Project that owns the namespace"),
        "created_at": moment("When the namespace was made"),
        "updated_at": moment("When the namespace was last changed"),
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
