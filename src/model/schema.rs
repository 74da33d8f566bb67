//! The schema of an image: one table of its attributes, for validation, for `explain`, and for the JSON
//! schema that the API publishes.
//!
//! *Source:* `get_base_properties` of the reference implementation (`glance/api/v2/images.py`).

use serde_json::{Map, Value, json};

use super::{ImageStatus, Visibility};
use crate::{Error, Result};

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text with a maximum number of characters.
    Text(usize),
    /// Such text, or null.
    OptionalText(usize),
    /// A UUID.
    Uuid,
    /// A whole number.
    Integer,
    /// A whole number, or null.
    OptionalInteger,
    /// A boolean.
    Boolean,
    /// A list of strings of at most 255 characters.
    Words,
    /// A list of locations.
    Locations,
    /// One of the visibilities.
    Visibility,
    /// One of the statuses.
    Status,
    /// One of the deployment's disk formats, or null.
    DiskFormat,
    /// One of the deployment's container formats, or null.
    ContainerFormat,
}

/// An attribute of every image.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// The name in the API.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// Whether only the service sets it.
    pub read_only: bool,
    /// The description, one sentence.
    pub about: &'static str,
}

const fn attribute(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        read_only: false,
        about,
    }
}

const fn read_only(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        read_only: true,
        about,
    }
}

/// No practical limit.
const LONG: usize = usize::MAX;

/// Maximum length of the address of a location, in characters.
const MAX_URL: usize = 255;

/// All attributes, in the order of the API's schema.
pub const ATTRIBUTES: [Attribute; 25] = [
    attribute("id", Kind::Uuid, "UUID of the image"),
    attribute(
        "name",
        Kind::OptionalText(255),
        "Display name; need not be unique",
    ),
    read_only("status", Kind::Status, "Status of the image"),
    attribute(
        "visibility",
        Kind::Visibility,
        "Projects that can see the image",
    ),
    attribute("protected", Kind::Boolean, "Prevent deletion of the image"),
    attribute(
        "os_hidden",
        Kind::Boolean,
        "Hide the image from default lists",
    ),
    read_only("checksum", Kind::OptionalText(32), "MD5 of the data"),
    read_only(
        "os_hash_algo",
        Kind::OptionalText(64),
        "Algorithm of os_hash_value",
    ),
    read_only(
        "os_hash_value",
        Kind::OptionalText(128),
        "Secure hash of the data, in hex",
    ),
    attribute(
        "owner",
        Kind::OptionalText(255),
        "Project that owns the image",
    ),
    read_only("size", Kind::OptionalInteger, "Size of the data, in bytes"),
    read_only(
        "virtual_size",
        Kind::OptionalInteger,
        "Virtual size of the disk, in bytes",
    ),
    attribute(
        "container_format",
        Kind::ContainerFormat,
        "Format of the container",
    ),
    attribute("disk_format", Kind::DiskFormat, "Format of the disk"),
    read_only(
        "created_at",
        Kind::Text(LONG),
        "Date and time of image creation",
    ),
    read_only(
        "updated_at",
        Kind::Text(LONG),
        "Date and time of the last image modification",
    ),
    attribute("tags", Kind::Words, "Tags of the image"),
    read_only(
        "direct_url",
        Kind::Text(LONG),
        "Address of the data in its store",
    ),
    attribute(
        "min_ram",
        Kind::Integer,
        "Memory required to boot the image, in MiB",
    ),
    attribute(
        "min_disk",
        Kind::Integer,
        "Disk space required to boot the image, in GiB",
    ),
    read_only("self", Kind::Text(LONG), "Path of the image in the API"),
    read_only(
        "file",
        Kind::Text(LONG),
        "Path of the image's data in the API",
    ),
    read_only(
        "stores",
        Kind::Text(LONG),
        "Stores that hold the data, separated by commas",
    ),
    read_only("schema", Kind::Text(LONG), "Path of this schema in the API"),
    attribute(
        "locations",
        Kind::Locations,
        "Addresses of the data in its stores",
    ),
];

/// Returns the attribute with that name; None for a custom property.
pub fn attribute_named(name: &str) -> Option<&'static Attribute> {
    ATTRIBUTES.iter().find(|attribute| attribute.name == name)
}

/// Names that no custom property may have.
const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];

/// The prefix of the names of the service's own properties.
const RESERVED_PREFIX: &str = "os_glance";

/// Maximum length of the name of a custom property, in characters.
const MAX_NAME: usize = 255;

/// Returns the error for an attribute that callers cannot set.
pub fn read_only_error(name: &str) -> Error {
    Error::forbidden(format!("Attribute '{name}' is read-only."))
}

/// Checks that callers may set the attribute or property `name`.
///
/// # Errors
/// `Forbidden` for a name that is read-only or reserved, `Invalid` for one that is too long.
pub fn check_writable(name: &str) -> Result<()> {
    if attribute_named(name).is_some_and(|attribute| attribute.read_only) {
        return Err(read_only_error(name));
    }
    if RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX) {
        return Err(Error::forbidden(format!("Attribute '{name}' is reserved.")));
    }
    if name.chars().count() > MAX_NAME {
        return Err(Error::invalid(
            "Custom property should not be greater than 255 characters.",
        ));
    }
    Ok(())
}

/// The values that depend on the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The allowed disk formats.
    pub disk_formats: Vec<String>,
    /// The allowed container formats.
    pub container_formats: Vec<String>,
}

impl Allowed {
    /// Returns the reference implementation's defaults.
    pub fn usual() -> Self {
        let words = |list: &str| list.split(' ').map(str::to_string).collect();
        Self {
            disk_formats: words("ami ari aki vhd vhdx vmdk raw qcow2 vdi iso ploop"),
            container_formats: words("ami ari aki bare ovf ova docker compressed"),
        }
    }

    /// Returns the values that a deployment's JSON schema of an image allows.
    pub fn of_schema(schema: &Value) -> Self {
        let words = |name: &str| {
            let listed = schema["properties"][name]["enum"].as_array();
            listed
                .into_iter()
                .flatten()
                .filter_map(|word| Some(word.as_str()?.to_string()))
                .collect()
        };
        Self {
            disk_formats: words("disk_format"),
            container_formats: words("container_format"),
        }
    }

    /// Checks that `value` is valid for `name`, an attribute or a custom property.
    ///
    /// # Errors
    /// `Invalid` with the violation.
    pub fn validate(&self, name: &str, value: &Value) -> Result<()> {
        self.check(name, value).map_err(|why| {
            Error::invalid(format!(
                "Provided object does not match schema 'image': {name}: {why}"
            ))
        })
    }

    /// Checks a value as [`Allowed::validate`] does.
    ///
    /// # Errors
    /// The violation, in the wording of the reference implementation's validator.
    pub fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let of_type = |fits: bool, kind: &str| {
            if fits {
                Ok(())
            } else {
                Err(format!("{} is not of type {kind}", literal(value)))
            }
        };
        let no_longer = |most: usize| match value.as_str() {
            Some(text) if text.chars().count() > most => {
                Err(format!("{} is too long", literal(value)))
            }
            _ => Ok(()),
        };
        let one_of = |optional: bool, words: &[&str]| {
            let fits = value
                .as_str()
                .map_or(optional && value.is_null(), |word| words.contains(&word));
            if fits {
                return Ok(());
            }
            let none = optional.then(|| "None".to_string());
            let words: Vec<String> = none
                .into_iter()
                .chain(words.iter().map(|word| format!("'{word}'")))
                .collect();
            Err(format!(
                "{} is not one of [{}]",
                literal(value),
                words.join(", ")
            ))
        };
        let Some(attribute) = attribute_named(name) else {
            return of_type(value.is_string(), "'string'");
        };
        let number = as_integer(value).is_some() || value.is_u64();
        match attribute.kind {
            Kind::Text(most) => {
                of_type(value.is_string(), "'string'").and_then(|()| no_longer(most))
            }
            Kind::OptionalText(most) => {
                of_type(value.is_string() || value.is_null(), "'null', 'string'")
                    .and_then(|()| no_longer(most))
            }
            Kind::Uuid => {
                of_type(value.is_string(), "'string'")?;
                if value.as_str().is_some_and(is_uuid) {
                    return Ok(());
                }
                Err(format!("{} does not look like a UUID", literal(value)))
            }
            Kind::Integer => of_type(number, "'integer'"),
            Kind::OptionalInteger => of_type(number || value.is_null(), "'null', 'integer'"),
            Kind::Boolean => of_type(value.is_boolean(), "'boolean'"),
            Kind::Words => {
                let Some(words) = value.as_array() else {
                    return of_type(false, "'array'");
                };
                for word in words {
                    match word.as_str() {
                        None => return Err(format!("{} is not of type 'string'", literal(word))),
                        Some(text) if text.chars().count() > 255 => {
                            return Err(format!("{} is too long", literal(word)));
                        }
                        Some(_) => {}
                    }
                }
                Ok(())
            }
            Kind::Locations => {
                let Some(locations) = value.as_array() else {
                    return of_type(false, "'array'");
                };
                locations.iter().try_for_each(check_location)
            }
            Kind::Visibility => one_of(false, &Visibility::ALL.map(Visibility::name)),
            Kind::Status => one_of(false, &ImageStatus::ALL.map(ImageStatus::name)),
            Kind::DiskFormat => one_of(true, &words(&self.disk_formats)),
            Kind::ContainerFormat => one_of(true, &words(&self.container_formats)),
        }
    }

    /// Returns the API's JSON schema of an image.
    pub fn image_schema(&self) -> Value {
        let properties: Map<String, Value> = ATTRIBUTES
            .iter()
            .map(|attribute| (attribute.name.to_string(), self.attribute_schema(attribute)))
            .collect();
        json!({
            "name": "image",
            "properties": properties,
            "additionalProperties": {"type": "string"},
            "links": [
                {"rel": "self", "href": "{self}"},
                {"rel": "enclosure", "href": "{file}"},
                {"rel": "describedby", "href": "{schema}"},
            ],
        })
    }

    fn attribute_schema(&self, attribute: &Attribute) -> Value {
        let mut schema = Map::new();
        let mut set = |key: &str, value: Value| schema.insert(key.to_string(), value);
        let optional = |words: &[String]| {
            json!(
                [
                    &[Value::Null][..],
                    &words.iter().map(|w| json!(w)).collect::<Vec<_>>()
                ]
                .concat()
            )
        };
        let kind = match attribute.kind {
            Kind::Text(_) | Kind::Uuid | Kind::Visibility | Kind::Status => json!("string"),
            Kind::OptionalText(_) | Kind::DiskFormat | Kind::ContainerFormat => {
                json!(["null", "string"])
            }
            Kind::Integer => json!("integer"),
            Kind::OptionalInteger => json!(["null", "integer"]),
            Kind::Boolean => json!("boolean"),
            Kind::Words | Kind::Locations => json!("array"),
        };
        set("type", kind);
        if attribute.read_only {
            set("readOnly", json!(true));
        }
        set("description", json!(attribute.about));
        match attribute.kind {
            Kind::Text(most) | Kind::OptionalText(most) if most != LONG => {
                set("maxLength", json!(most));
            }
            Kind::Uuid => {
                set(
                    "pattern",
                    json!(
                        "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
                    ),
                );
            }
            Kind::Words => {
                set("items", json!({"type": "string", "maxLength": 255}));
            }
            Kind::Locations => {
                let location = json!({"url": {"type": "string", "maxLength": 255}, "metadata": {"type": "object"}});
                set(
                    "items",
                    json!({"type": "object", "properties": location, "required": ["url", "metadata"]}),
                );
            }
            Kind::Visibility => {
                set("enum", json!(Visibility::ALL.map(Visibility::name)));
            }
            Kind::Status => {
                set("enum", json!(ImageStatus::ALL.map(ImageStatus::name)));
            }
            Kind::DiskFormat => {
                set("enum", optional(&self.disk_formats));
            }
            Kind::ContainerFormat => {
                set("enum", optional(&self.container_formats));
            }
            _ => {}
        }
        Value::Object(schema)
    }
}

/// Checks one of a list of locations. Its values are not shown: an address may contain credentials.
fn check_location(value: &Value) -> Result<(), String> {
    let location = object("location", value)?;
    check_text("url", require(location, "url")?, 0, MAX_URL)?;
    object("metadata", require(location, "metadata")?)?;
    let Some(hashes) = location.get("validation_data") else {
        return Ok(());
    };
    let hashes = object("validation_data", hashes)?;
    for (name, value) in hashes {
        match name.as_str() {
            "checksum" => check_text(name, value, 32, 32)?,
            "os_hash_algo" => check_text(name, value, 0, 64)?,
            "os_hash_value" => check_text(name, value, 0, 128)?,
            _ => return Err(format!("'{name}' was unexpected")),
        }
    }
    require(hashes, "os_hash_algo")?;
    require(hashes, "os_hash_value")?;
    Ok(())
}

fn object<'v>(name: &str, value: &'v Value) -> Result<&'v Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("'{name}' is not of type 'object'"))
}

fn require<'v>(object: &'v Map<String, Value>, name: &str) -> Result<&'v Value, String> {
    object
        .get(name)
        .ok_or_else(|| format!("'{name}' is a required property"))
}

/// Checks that a value is a string whose number of characters is within limits.
fn check_text(name: &str, value: &Value, min: usize, max: usize) -> Result<(), String> {
    let Some(text) = value.as_str() else {
        return Err(format!("'{name}' is not of type 'string'"));
    };
    match text.chars().count() {
        length if length < min => Err(format!("'{name}' of {length} characters is too short")),
        length if length > max => Err(format!("'{name}' of {length} characters is too long")),
        _ => Ok(()),
    }
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

/// Returns a value in Python's notation.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}

/// Returns a whole number, however it is written: `1.0` is 1. None for one that is too large.
pub fn as_integer(value: &Value) -> Option<i64> {
    let whole = || {
        let number = value.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number}").parse().ok()
    };
    value.as_i64().or_else(whole)
}

/// Returns whether `text` is a UUID as the API accepts it: 8-4-4-4-12 hex digits of any case.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> Allowed {
        Allowed {
            disk_formats: vec!["raw".to_string()],
            container_formats: vec!["bare".to_string()],
        }
    }

    #[test]
    fn values_are_refused_in_the_validators_words() {
        let refused = |name: &str, value: Value| allowed().check(name, &value).unwrap_err();
        assert_eq!(
            refused("disk_format", json!("floppy")),
            "'floppy' is not one of [None, 'raw']"
        );
        assert_eq!(
            refused("visibility", json!("x")),
            "'x' is not one of ['community', 'public', 'private', 'shared']"
        );
        assert_eq!(
            refused("os_hidden", json!("true")),
            "'true' is not of type 'boolean'"
        );
        assert_eq!(
            refused("min_disk", json!("3")),
            "'3' is not of type 'integer'"
        );
        assert_eq!(refused("custom", json!(3)), "3 is not of type 'string'");
        assert!(refused("name", json!("n".repeat(256))).ends_with("is too long"));
        assert!(refused("id", json!("no")).contains("UUID"));
        assert!(refused("tags", json!(["ok", 1])).contains("'string'"));
    }

    #[test]
    fn values_of_the_right_shape_pass() {
        for (name, value) in [
            ("disk_format", json!(null)),
            ("disk_format", json!("raw")),
            ("name", json!("é".repeat(255))),
            ("min_disk", json!(-1)),
            ("tags", json!(["a"])),
            ("anything", json!("")),
            ("id", json!("22222222-2222-2222-2222-222222222222")),
        ] {
            assert_eq!(allowed().check(name, &value), Ok(()), "{name}");
        }
    }

    #[test]
    fn the_json_schema_names_every_attribute() {
        let schema = allowed().image_schema();
        assert_eq!(schema["properties"].as_object().unwrap().len(), 25);
        assert_eq!(
            schema["properties"]["disk_format"]["enum"],
            json!([null, "raw"])
        );
        assert_eq!(schema["properties"]["size"]["readOnly"], json!(true));
    }
}
