//! Image records, without their data.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::import::STAGE_HOST;
use super::{ImageStatus, Location, Timestamp};

/// The properties that hosts leave for each other.
///
/// *Source:* `ResponseSerializer._hidden_properties` of the reference implementation.
const HIDDEN: [&str; 2] = [STAGE_HOST, "os_glance_hash_op_host"];

/// The set of callers that may see an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Visible to all, in every list.
    Public,
    /// Visible to all who know its ID; listed for its owner only.
    Community,
    /// Visible to its owner and to its members.
    #[default]
    Shared,
    /// Visible to its owner only.
    Private,
}

impl Visibility {
    /// All visibilities, in the API schema's order.
    pub const ALL: [Self; 4] = [Self::Community, Self::Public, Self::Private, Self::Shared];

    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Community => "community",
            Self::Shared => "shared",
            Self::Private => "private",
        }
    }

    /// Returns the visibility with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|visibility| visibility.name() == name)
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The secure hash of an image's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiHash {
    /// The algorithm in hashlib's spelling: `sha512`.
    pub algorithm: String,
    /// The hash in lowercase hex.
    pub value: String,
}

/// An image's record, as the Images API shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The UUID, in lower case with dashes unless the caller chose another spelling.
    pub id: String,
    /// The name; not unique; at most 255 characters.
    pub name: Option<String>,
    /// The status.
    pub status: ImageStatus,
    /// The visibility.
    pub visibility: Visibility,
    /// Whether the image cannot be deleted.
    pub protected: bool,
    /// Whether lists omit it.
    pub hidden: bool,
    /// The project that owns it.
    pub owner: Option<String>,
    /// Size in bytes; None until data is stored.
    pub size: Option<u64>,
    /// Virtual size of the disk, in bytes; None if it is unknown.
    pub virtual_size: Option<u64>,
    /// The format of the disk: `qcow2`, `raw`, …
    pub disk_format: Option<String>,
    /// The format of the container: `bare`, `ova`, …
    pub container_format: Option<String>,
    /// Minimum disk size to boot it, in GiB.
    pub min_disk: i64,
    /// Minimum memory to boot it, in MiB.
    pub min_ram: i64,
    /// MD5 of the data in lowercase hex; None until data is stored.
    pub checksum: Option<String>,
    /// Secure hash of the data; None until data is stored.
    pub hash: Option<MultiHash>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last change.
    pub updated_at: Timestamp,
    /// The tags, each once, in no particular order.
    pub tags: Vec<String>,
    /// Custom properties, in the order in which they were first set.
    pub properties: Vec<(String, String)>,
    /// The locations of its data; None if the deployment does not show them.
    pub locations: Option<Vec<Location>>,
    /// The address of its data; None if the deployment does not show it.
    pub direct_url: Option<String>,
    /// The IDs of the stores with its data; None if there are none or only an unnamed one.
    pub stores: Option<Vec<String>>,
}

impl Image {
    /// Creates an image without data, created at a given time, with the API's defaults.
    pub fn queued(id: String, created_at: Timestamp) -> Self {
        Self {
            id,
            name: None,
            status: ImageStatus::Queued,
            visibility: Visibility::default(),
            protected: false,
            hidden: false,
            owner: None,
            size: None,
            virtual_size: None,
            disk_format: None,
            container_format: None,
            min_disk: 0,
            min_ram: 0,
            checksum: None,
            hash: None,
            created_at,
            updated_at: created_at,
            tags: Vec::new(),
            properties: Vec::new(),
            locations: None,
            direct_url: None,
            stores: None,
        }
    }

    /// Returns the value of a custom property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Sets the value of a custom property.
    pub fn set_property(&mut self, name: &str, value: &str) {
        match self.properties.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value.to_string(),
            None => self.properties.push((name.to_string(), value.to_string())),
        }
    }

    /// Returns the API's representation as a map.
    pub fn to_api(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            // Every part of it is text, a number, a Boolean value, or a list or map of these.
            _ => Map::new(),
        }
    }

    /// Returns whether the representation has an attribute of that name, which a property cannot replace.
    fn has_attribute(&self, name: &str) -> bool {
        match name {
            "locations" => self.locations.is_some(),
            "direct_url" => self.direct_url.is_some(),
            "stores" => self.stores.is_some(),
            "name" | "disk_format" | "container_format" | "visibility" | "size"
            | "virtual_size" | "status" | "checksum" | "protected" | "min_ram" | "min_disk"
            | "owner" | "os_hidden" | "os_hash_algo" | "os_hash_value" | "id" | "created_at"
            | "updated_at" | "tags" | "self" | "file" | "schema" => true,
            _ => false,
        }
    }
}

/// Text of which no copy is made.
struct Text<T>(T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Writes the API's representation, without the properties that hosts leave for each other, in the reference
/// implementation's order.
///
/// *Source:* `ResponseSerializer._format_image` of the reference implementation.
impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.properties {
            if !HIDDEN.contains(&name.as_str()) && !self.has_attribute(name) {
                map.serialize_entry(name, value)?;
            }
        }
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("disk_format", &self.disk_format)?;
        map.serialize_entry("container_format", &self.container_format)?;
        map.serialize_entry("visibility", self.visibility.name())?;
        map.serialize_entry("size", &self.size)?;
        map.serialize_entry("virtual_size", &self.virtual_size)?;
        map.serialize_entry("status", self.status.name())?;
        map.serialize_entry("checksum", &self.checksum)?;
        map.serialize_entry("protected", &self.protected)?;
        map.serialize_entry("min_ram", &self.min_ram)?;
        map.serialize_entry("min_disk", &self.min_disk)?;
        map.serialize_entry("owner", &self.owner)?;
        map.serialize_entry("os_hidden", &self.hidden)?;
        let hash = self.hash.as_ref();
        map.serialize_entry("os_hash_algo", &hash.map(|hash| &hash.algorithm))?;
        map.serialize_entry("os_hash_value", &hash.map(|hash| &hash.value))?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("updated_at", &self.updated_at)?;
        if let Some(locations) = &self.locations {
            map.serialize_entry("locations", locations)?;
        }
        if let Some(url) = &self.direct_url {
            map.serialize_entry("direct_url", url)?;
        }
        map.serialize_entry("tags", &self.tags)?;
        let id = &self.id;
        map.serialize_entry("self", &Text(format_args!("/v2/images/{id}")))?;
        map.serialize_entry("file", &Text(format_args!("/v2/images/{id}/file")))?;
        map.serialize_entry("schema", "/v2/schemas/image")?;
        if let Some(stores) = &self.stores {
            map.serialize_entry("stores", &stores.join(","))?;
        }
        map.end()
    }
}

/// Reads the API's representation. Missing attributes have the API's default, and unknown ones are custom
/// properties.
impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ImageVisitor)
    }
}

struct ImageVisitor;

impl<'de> Visitor<'de> for ImageVisitor {
    type Value = Image;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an image")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Image, A::Error> {
        let mut image = Image::queued(String::new(), Timestamp::EPOCH);
        let (mut algorithm, mut value) = (None, None);
        let mut has_status = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "id" => image.id = map.next_value()?,
                "name" => image.name = map.next_value()?,
                "status" => {
                    image.status = parsed(&map.next_value::<String>()?, |text| text.parse().ok())?;
                    has_status = true;
                }
                "visibility" => {
                    image.visibility = parsed(&map.next_value::<String>()?, Visibility::parse)?;
                }
                "protected" => image.protected = map.next_value()?,
                "os_hidden" => image.hidden = map.next_value()?,
                "owner" => image.owner = map.next_value()?,
                "size" => image.size = map.next_value()?,
                "virtual_size" => image.virtual_size = map.next_value()?,
                "disk_format" => image.disk_format = map.next_value()?,
                "container_format" => image.container_format = map.next_value()?,
                "min_disk" => image.min_disk = map.next_value()?,
                "min_ram" => image.min_ram = map.next_value()?,
                "checksum" => image.checksum = map.next_value()?,
                "os_hash_algo" => algorithm = map.next_value()?,
                "os_hash_value" => value = map.next_value()?,
                "created_at" => {
                    image.created_at = parsed(&map.next_value::<String>()?, Timestamp::parse)?;
                }
                "updated_at" => {
                    image.updated_at = parsed(&map.next_value::<String>()?, Timestamp::parse)?;
                }
                "tags" => image.tags = map.next_value()?,
                "locations" => image.locations = map.next_value()?,
                "direct_url" => image.direct_url = map.next_value()?,
                "stores" => {
                    let stores: Option<String> = map.next_value()?;
                    image.stores =
                        stores.map(|stores| stores.split(',').map(str::to_string).collect());
                }
                "self" | "file" | "schema" => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    let value = match map.next_value::<Value>()? {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    image.properties.push((name, value));
                }
            }
        }
        if image.id.is_empty() || !has_status {
            return Err(de::Error::custom("an image without id or status"));
        }
        image.hash = algorithm
            .zip(value)
            .map(|(algorithm, value)| MultiHash { algorithm, value });
        Ok(image)
    }
}

fn parsed<T, E: de::Error>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, E> {
    parse(text).ok_or_else(|| E::custom(format!("an image with an unknown value '{text}'")))
}

/// The attributes of a new image; unset ones have the API's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewImage {
    /// Attributes and custom properties by their names in the API, in the order in which they were given;
    /// `id`, `name`, `tags` and all others. Values have the API's types.
    pub attributes: Map<String, Value>,
}

impl NewImage {
    /// Sets one attribute or property.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.attributes.insert(name.into(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_representation_is_read_back() {
        let mut image = Image::queued("8".repeat(36), Timestamp::EPOCH);
        image.name = Some("é".to_string());
        image.status = ImageStatus::Active;
        image.size = Some(7);
        image.checksum = Some("0".repeat(32));
        image.hash = Some(MultiHash {
            algorithm: "sha512".to_string(),
            value: "1".repeat(128),
        });
        image.tags = vec!["t".to_string()];
        image.properties = vec![("os_distro".to_string(), "debian".to_string())];
        image.locations = Some(vec![Location {
            url: "file:///x".to_string(),
            metadata: Map::new(),
        }]);
        image.stores = Some(vec!["fast".to_string(), "slow".to_string()]);
        let written = Value::Object(image.to_api()).to_string();
        assert_eq!(serde_json::from_str::<Image>(&written).unwrap(), image);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in [
            "{}",
            r#"{"id": "x"}"#,
            r#"{"id": "x", "status": "odd"}"#,
            "[]",
        ] {
            assert!(serde_json::from_str::<Image>(text).is_err(), "{text}");
        }
    }
}
