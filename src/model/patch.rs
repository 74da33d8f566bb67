//! Patches of images: the Images API's JSON patch, parsed and written.
//!
//! *Source:* Images API v2 "Update image", "Add image tag"; `RequestDeserializer.update` and `_get_locations_op_pos` in
//! `glance/api/v2/images.py` of the reference implementation.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::schema::{Allowed, check_writable, read_only_error};
use super::{Location, ValidationData};
use crate::{Error, Result};

/// The name under which a patch addresses the locations of an image.
const LOCATIONS: &str = "locations";

/// A format of JSON patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchFormat {
    /// The draft of 2011: the operation is the name of a member (`{"add": "/name", "value": "x"}`), and `add` is for
    /// what does not exist.
    V20,
    /// RFC 6902 with the operations `add`, `replace` and `remove`; `add` is for what exists as well.
    V21,
}

impl PatchFormat {
    /// All formats, in the order of their media types.
    pub const ALL: [Self; 2] = [Self::V20, Self::V21];

    /// Returns the media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::V20 => "application/openstack-images-v2.0-json-patch",
            Self::V21 => "application/openstack-images-v2.1-json-patch",
        }
    }

    /// Returns the format that a `Content-Type` header names. Parameters of the media type are ignored.
    ///
    /// # Errors
    /// `UnsupportedMedia` for any other media type.
    pub fn parse(content_type: &str) -> Result<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let mut all = Self::ALL.into_iter();
        let named = all.find(|format| format.media_type().eq_ignore_ascii_case(media_type));
        named.ok_or_else(|| {
            Error::unsupported_media(format!(
                "a patch of an image has the media type {} or {}, not '{media_type}'",
                Self::V20.media_type(),
                Self::V21.media_type(),
            ))
        })
    }
}

/// A position in the list of locations of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// From 0, in the order of the record.
    At(usize),
    /// After the last location, or the last one itself (`-`).
    End,
}

impl Position {
    /// Reads a position from a path.
    fn parse(text: &str) -> Option<Self> {
        if text == "-" {
            return Some(Self::End);
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // No list has as many locations as a number that is too large.
        is_number.then(|| Self::At(text.parse().unwrap_or(usize::MAX)))
    }

    fn written(self) -> String {
        match self {
            Self::At(position) => position.to_string(),
            Self::End => "-".to_string(),
        }
    }
}

/// A location in a patch.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationValue {
    /// The location.
    pub location: Location,
    /// The hashes that the caller provides for the data.
    pub validation: ValidationData,
}

impl From<Location> for LocationValue {
    fn from(location: Location) -> Self {
        Self {
            location,
            validation: ValidationData::default(),
        }
    }
}

impl LocationValue {
    /// Reads a location that fits the schema.
    fn parse(value: Value) -> Result<Self> {
        #[derive(Deserialize)]
        struct Written {
            url: String,
            metadata: Map<String, Value>,
            #[serde(default)]
            validation_data: ValidationData,
        }
        let written = Written::deserialize(value)
            .map_err(|e| Error::invalid("a location of the patch is invalid").because(e))?;
        Ok(Self {
            location: Location {
                url: written.url,
                metadata: written.metadata,
            },
            validation: written.validation_data,
        })
    }

    fn to_api(&self) -> Value {
        let mut value = json!(self.location);
        if !self.validation.is_empty() {
            value["validation_data"] = self.validation.to_api().into();
        }
        value
    }
}

/// One operation of a patch.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets an attribute or property, whether it exists or not.
    Add {
        /// The name of the attribute or property.
        name: String,
        /// The new value.
        value: Value,
    },
    /// Sets a property that MUST NOT exist, as [`PatchFormat::V20`] adds one. Attributes always exist.
    Create {
        /// The name of the property.
        name: String,
        /// The value.
        value: Value,
    },
    /// Sets an attribute or property that MUST exist.
    Replace {
        /// The name of the attribute or property.
        name: String,
        /// The new value.
        value: Value,
    },
    /// Removes a property that MUST exist.
    Remove {
        /// The name of the property.
        name: String,
    },
    /// Adds a tag; no effect if the image has it. Concurrent changes of other tags are preserved. JSON patches have
    /// no such operation.
    AddTag {
        /// The tag.
        tag: String,
    },
    /// Adds a location at a position of the list. The position matters to later operations of the same patch alone: a
    /// record keeps its locations in the order in which they were added.
    AddLocation {
        /// The position; one that is too large is the end.
        position: Position,
        /// The location.
        value: LocationValue,
    },
    /// Replaces the locations: the same addresses with other metadata. An image without locations accepts any.
    ReplaceLocations {
        /// The new list, which MUST NOT be empty.
        values: Vec<LocationValue>,
    },
    /// Removes a location, and the data that no other location refers to. The last one cannot be removed.
    RemoveLocation {
        /// The position.
        position: Position,
        /// The location at the position in the list that the caller read. If another caller has moved it, it is found
        /// at its new position. JSON patches have the position alone.
        known: Option<Location>,
    },
}

impl Change {
    /// Returns the attribute or property to change.
    pub fn name(&self) -> &str {
        match self {
            Self::Add { name, .. }
            | Self::Create { name, .. }
            | Self::Replace { name, .. }
            | Self::Remove { name } => name,
            Self::AddTag { .. } => "tags",
            Self::AddLocation { .. }
            | Self::ReplaceLocations { .. }
            | Self::RemoveLocation { .. } => LOCATIONS,
        }
    }

    /// Creates the change that sets `name` to `value`, whether it exists or not.
    pub fn add(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Add {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Creates the change that sets an existing `name` to `value`.
    pub fn replace(name: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Replace {
            name: name.into(),
            value: value.into(),
        }
    }

    /// Creates the change that adds `tag`.
    pub fn add_tag(tag: impl Into<String>) -> Self {
        Self::AddTag { tag: tag.into() }
    }

    /// Creates the change that removes `name`.
    pub fn remove(name: impl Into<String>) -> Self {
        Self::Remove { name: name.into() }
    }

    /// Creates the change that adds a location at the end.
    pub fn add_location(location: Location, validation: ValidationData) -> Self {
        Self::AddLocation {
            position: Position::End,
            value: LocationValue {
                location,
                validation,
            },
        }
    }

    /// Creates the change that replaces the locations.
    pub fn replace_locations(locations: impl IntoIterator<Item = Location>) -> Self {
        Self::ReplaceLocations {
            values: locations.into_iter().map(LocationValue::from).collect(),
        }
    }

    /// Checks the change against the schema, without an image.
    ///
    /// # Errors
    /// `Forbidden` for a name that is read-only or reserved; `Invalid` for a name that is too long, and for a value
    /// that violates the schema.
    fn check(&self, allowed: &Allowed) -> Result<()> {
        let name = self.name();
        if name == "id" {
            return Err(read_only_error(name));
        }
        check_writable(name)?;
        match self {
            Self::Add { value, .. } | Self::Create { value, .. } | Self::Replace { value, .. } => {
                allowed.validate(name, value)
            }
            Self::AddTag { tag } => allowed.validate(name, &json!([tag])),
            Self::AddLocation { value, .. } => allowed.validate(name, &json!([value.to_api()])),
            Self::ReplaceLocations { values } => {
                let values = values.iter().map(LocationValue::to_api);
                allowed.validate(name, &values.collect())
            }
            Self::Remove { .. } | Self::RemoveLocation { .. } => Ok(()),
        }
    }
}

/// A patch of an image: operations that are applied in order, all or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImagePatch {
    changes: Vec<Change>,
}

impl FromIterator<Change> for ImagePatch {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        Self {
            changes: changes.into_iter().collect(),
        }
    }
}

impl<const N: usize> From<[Change; N]> for ImagePatch {
    fn from(changes: [Change; N]) -> Self {
        Self::from_iter(changes)
    }
}

impl From<Change> for ImagePatch {
    fn from(change: Change) -> Self {
        Self::from([change])
    }
}

impl ImagePatch {
    /// Creates the patch that removes the locations at `positions` (from 0) of `known`, the list as the caller read
    /// it. A position out of range is left to the service to refuse.
    pub fn remove_locations(known: &[Location], positions: &[usize]) -> Self {
        let mut positions = positions.to_vec();
        // From the last one on, so that the others keep their positions.
        positions.sort_unstable_by(|a, b| b.cmp(a));
        positions.dedup();
        let remove = |position: usize| Change::RemoveLocation {
            position: Position::At(position),
            known: known.get(position).cloned(),
        };
        positions.into_iter().map(remove).collect()
    }

    /// Parses the body of a request, and checks it as [`ImagePatch::check`] does. The first operation that is wrong
    /// decides the error.
    ///
    /// # Errors
    /// `Invalid` for what is not a patch in that format, and for a path that no operation is for; the errors of
    /// [`ImagePatch::check`].
    pub fn parse(format: PatchFormat, body: &[u8], allowed: &Allowed) -> Result<Self> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|e| Error::invalid(format!("the patch is not JSON: {e}")).because(e))?;
        let Value::Array(operations) = body else {
            return Err(Error::invalid(
                "the patch is not a JSON array of operations",
            ));
        };
        let mut changes = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let change = parse_change(format, operation, allowed)
                .map_err(|error| error.context(format_args!("operation {}", index + 1)))?;
            change.check(allowed)?;
            changes.push(change);
        }
        Ok(Self { changes })
    }

    /// Checks the patch against the schema of the deployment, without an image.
    ///
    /// # Errors
    /// `Forbidden` for a name that is read-only or reserved; `Invalid` for a name that is too long, and for a value
    /// that violates the schema.
    pub fn check(&self, allowed: &Allowed) -> Result<()> {
        self.changes
            .iter()
            .try_for_each(|change| change.check(allowed))
    }

    /// Returns the operations, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Returns whether the patch has no operation.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns whether an operation is about locations.
    pub fn changes_locations(&self) -> bool {
        self.changes.iter().any(|change| {
            matches!(
                change,
                Change::AddLocation { .. }
                    | Change::ReplaceLocations { .. }
                    | Change::RemoveLocation { .. }
            )
        })
    }

    /// Returns the tags that are added one by one.
    pub fn added_tags(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().filter_map(|change| match change {
            Change::AddTag { tag } => Some(tag.as_str()),
            _ => None,
        })
    }

    /// Returns the format that has all operations of the patch. It may differ from the format that a patch was parsed
    /// from only if both have the same operations.
    pub fn format(&self) -> PatchFormat {
        let is_create = |change: &Change| matches!(change, Change::Create { .. });
        if self.changes.iter().any(is_create) {
            PatchFormat::V20
        } else {
            PatchFormat::V21
        }
    }

    /// Returns the operations as JSON in [`ImagePatch::format`], other than those on single tags, which have requests
    /// of their own.
    pub fn to_json(&self) -> Vec<Value> {
        let format = self.format();
        self.changes
            .iter()
            .filter_map(|change| write_change(format, change))
            .collect()
    }
}

/// Parses one operation. Its value is checked against the schema if it is a location, else not.
fn parse_change(format: PatchFormat, operation: Value, allowed: &Allowed) -> Result<Change> {
    let Value::Object(members) = operation else {
        return Err(Error::invalid("it is not a JSON object"));
    };
    let (verb, pointer) = match format {
        PatchFormat::V20 => parse_member(&members)?,
        PatchFormat::V21 => parse_op(&members)?,
    };
    let path = parse_pointer(pointer)?;
    let value = || {
        let value = members.get("value").cloned();
        value.ok_or_else(|| Error::invalid(format!("'{}' requires a member 'value'", verb.name())))
    };
    let locations = |values: Value| allowed.validate(LOCATIONS, &values).map(|()| values);
    let change = match (verb, &path[..]) {
        (Verb::Replace, [root]) if root == LOCATIONS => Change::ReplaceLocations {
            values: match locations(value()?)? {
                Value::Array(values) => {
                    let values = values.into_iter().map(LocationValue::parse);
                    values.collect::<Result<_>>()?
                }
                _ => Vec::new(),
            },
        },
        (Verb::Add | Verb::Remove, [root, position]) if root == LOCATIONS => {
            let position = Position::parse(position).ok_or_else(|| {
                Error::invalid(format!("'{position}' is not a position of a location"))
            })?;
            if verb == Verb::Remove {
                Change::RemoveLocation {
                    position,
                    known: None,
                }
            } else {
                let value = value()?;
                locations(json!([value]))?;
                Change::AddLocation {
                    position,
                    value: LocationValue::parse(value)?,
                }
            }
        }
        (_, [name]) if name != LOCATIONS => {
            let name = name.clone();
            match (verb, format) {
                (Verb::Add, PatchFormat::V20) => Change::Create {
                    name,
                    value: value()?,
                },
                (Verb::Add, PatchFormat::V21) => Change::Add {
                    name,
                    value: value()?,
                },
                (Verb::Replace, _) => Change::Replace {
                    name,
                    value: value()?,
                },
                (Verb::Remove, _) => Change::Remove { name },
            }
        }
        _ => {
            return Err(Error::invalid(format!(
                "'{}' does not apply to '{pointer}'",
                verb.name()
            )));
        }
    };
    Ok(change)
}

/// The kind of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
    Replace,
}

impl Verb {
    const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Replace];

    const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// Returns the verb and the path of an operation in [`PatchFormat::V21`].
fn parse_op(members: &Map<String, Value>) -> Result<(Verb, &str)> {
    let op = members.get("op").unwrap_or(&Value::Null);
    let verb = Verb::ALL
        .into_iter()
        .find(|verb| op.as_str() == Some(verb.name()));
    let verb = verb.ok_or_else(|| {
        Error::invalid(match op {
            Value::Null => "it requires a member 'op' (add, remove or replace)".to_string(),
            other => format!("unknown 'op' {other} (not add, remove or replace)"),
        })
    })?;
    let path = members
        .get("path")
        .ok_or_else(|| Error::invalid("it requires a member 'path'"))?;
    Ok((verb, pointer_text(path)?))
}

/// Returns the verb and the path of an operation in [`PatchFormat::V20`].
fn parse_member(members: &Map<String, Value>) -> Result<(Verb, &str)> {
    let mut named = Verb::ALL
        .into_iter()
        .filter_map(|verb| Some((verb, members.get(verb.name())?)));
    match (named.next(), named.next()) {
        (Some((verb, path)), None) => Ok((verb, pointer_text(path)?)),
        _ => Err(Error::invalid(
            "it requires exactly one of the members 'add', 'remove' and 'replace'",
        )),
    }
}

fn pointer_text(path: &Value) -> Result<&str> {
    path.as_str()
        .ok_or_else(|| Error::invalid(format!("the path {path} is not a string")))
}

/// Splits a JSON pointer into names. As in the reference implementation, several slashes at the beginning count as
/// one, and white space around a name is dropped.
fn parse_pointer(pointer: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Err(Error::invalid(format!("the path '{pointer}' {why}")));
    let Some(rest) = pointer.strip_prefix('/') else {
        return invalid("does not begin with '/'");
    };
    if rest.ends_with('/') {
        return invalid("ends with '/'");
    }
    let parts: Vec<&str> = rest.split('/').collect();
    let is_blank = |part: &&str| part.chars().all(is_python_space);
    let inner = parts.get(1..parts.len() - 1).unwrap_or_default();
    if inner.iter().any(is_blank) || (parts.len() == 2 && parts.iter().all(is_blank)) {
        return invalid("has an empty name");
    }
    let mut escapes = pointer.split('~').skip(1);
    if !escapes.all(|after| after.starts_with(['0', '1'])) {
        return invalid("has a '~' that is neither '~0' nor '~1'");
    }
    let unescape = |part: &str| {
        let part = part.replace("~1", "/").replace("~0", "~");
        part.trim_matches(is_python_space).to_string()
    };
    let names = pointer.trim_start_matches('/').split('/');
    Ok(names.map(unescape).collect())
}

/// Returns whether `str.strip` of Python removes a character.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// Returns an operation as JSON; None for one on a single tag.
fn write_change(format: PatchFormat, change: &Change) -> Option<Value> {
    let field = |name: &str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let location = |position: &Position| format!("/{LOCATIONS}/{}", position.written());
    let (verb, path, value) = match change {
        Change::Add { name, value } | Change::Create { name, value } => {
            (Verb::Add, field(name), Some(value.clone()))
        }
        Change::Replace { name, value } => (Verb::Replace, field(name), Some(value.clone())),
        Change::Remove { name } => (Verb::Remove, field(name), None),
        // A patch can only replace all tags, including those that others add concurrently.
        Change::AddTag { .. } => return None,
        Change::AddLocation { position, value } => {
            (Verb::Add, location(position), Some(value.to_api()))
        }
        Change::ReplaceLocations { values } => {
            let values = values.iter().map(LocationValue::to_api).collect();
            (Verb::Replace, field(LOCATIONS), Some(values))
        }
        Change::RemoveLocation { position, .. } => (Verb::Remove, location(position), None),
    };
    let mut members = Map::new();
    match format {
        PatchFormat::V20 => {
            members.insert(verb.name().to_string(), path.into());
        }
        PatchFormat::V21 => {
            members.insert("op".to_string(), verb.name().into());
            members.insert("path".to_string(), path.into());
        }
    }
    if let Some(value) = value {
        members.insert("value".to_string(), value);
    }
    Some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind::{self, Forbidden, Invalid, UnsupportedMedia};

    fn parse(format: PatchFormat, body: &Value) -> Result<ImagePatch> {
        ImagePatch::parse(format, body.to_string().as_bytes(), &Allowed::usual())
    }

    #[track_caller]
    fn refused(format: PatchFormat, operation: &Value) -> (ErrorKind, String) {
        let error = parse(format, &json!([operation])).unwrap_err();
        (error.kind(), error.message().to_string())
    }

    /// Returns the message that refuses an operation on `path` in the newer format.
    #[track_caller]
    fn refused_path(path: &str) -> String {
        let operation = json!({"op": "add", "path": path, "value": "x"});
        let (kind, message) = refused(PatchFormat::V21, &operation);
        assert_eq!(kind, Invalid, "{path:?}");
        message
    }

    #[test]
    fn formats_are_chosen_by_media_type() {
        for format in PatchFormat::ALL {
            assert_eq!(PatchFormat::parse(format.media_type()).unwrap(), format);
        }
        let named = "Application/OpenStack-Images-v2.1-json-patch; charset=utf-8";
        assert_eq!(PatchFormat::parse(named).unwrap(), PatchFormat::V21);
        for other in ["", "application/json", "application/json-patch+json"] {
            let error = PatchFormat::parse(other).unwrap_err();
            assert_eq!(error.kind(), UnsupportedMedia, "{other}");
        }
    }

    #[test]
    fn both_formats_have_the_same_operations() {
        let old = json!([
            {"replace": "/name", "value": "n"}, {"remove": "/a"},
            {"replace": "/locations", "value": [{"url": "http://h/x", "metadata": {}}]},
            {"add": "/locations/-", "value": {"url": "http://h/y", "metadata": {"k": "v"}}},
            {"remove": "/locations/0"},
        ]);
        let new = json!([
            {"op": "replace", "path": "/name", "value": "n"}, {"op": "remove", "path": "/a"},
            {"op": "replace", "path": "/locations", "value": [{"url": "http://h/x", "metadata": {}}]},
            {"op": "add", "path": "/locations/-", "value": {"url": "http://h/y", "metadata": {"k": "v"}}},
            {"op": "remove", "path": "/locations/0"},
        ]);
        let patch = parse(PatchFormat::V21, &new).unwrap();
        assert_eq!(parse(PatchFormat::V20, &old).unwrap(), patch);
        assert_eq!(Value::from(patch.to_json()), new);
        assert_eq!(patch.changes().len(), 5);
        assert!(patch.changes_locations());
    }

    #[test]
    fn only_the_older_format_adds_what_does_not_exist() {
        let old = json!([{"add": "/a", "value": "1"}, {"remove": "/b"}]);
        let patch = parse(PatchFormat::V20, &old).unwrap();
        assert!(matches!(patch.changes()[0], Change::Create { .. }));
        assert_eq!(patch.format(), PatchFormat::V20);
        assert_eq!(Value::from(patch.to_json()), old);
        let new = json!([{"op": "add", "path": "/a", "value": "1"}]);
        let patch = parse(PatchFormat::V21, &new).unwrap();
        assert_eq!(patch, ImagePatch::from(Change::add("a", "1")));
        assert_eq!(patch.format(), PatchFormat::V21);
    }

    #[test]
    fn bodies_that_are_not_lists_of_operations_are_refused() {
        for body in ["", "{", "{}", "null", "\"x\"", "[1]", "[[]]", "[null]"] {
            let parsed = ImagePatch::parse(PatchFormat::V21, body.as_bytes(), &Allowed::usual());
            assert_eq!(parsed.unwrap_err().kind(), Invalid, "{body}");
        }
        assert!(parse(PatchFormat::V21, &json!([])).unwrap().is_empty());
    }

    #[test]
    fn an_operation_names_what_it_does_once() {
        for operation in [
            json!({"path": "/a", "value": "x"}),
            json!({"op": null, "path": "/a", "value": "x"}),
            json!({"op": "test", "path": "/a", "value": "x"}),
            json!({"op": "move", "from": "/a", "path": "/b"}),
            json!({"op": ["add"], "path": "/a", "value": "x"}),
            json!({"op": "add", "value": "x"}),
            json!({"op": "add", "path": 1, "value": "x"}),
            json!({"op": "add", "path": "/a"}),
            json!({"op": "replace", "path": "/a"}),
            json!({"add": "/a", "value": "x"}),
        ] {
            let (kind, message) = refused(PatchFormat::V21, &operation);
            assert_eq!(kind, Invalid);
            assert!(message.starts_with("operation 1: "), "{message}");
        }
        for operation in [
            json!({"value": "x"}),
            json!({"add": "/a", "replace": "/a", "value": "x"}),
            json!({"add": "/a"}),
            json!({"add": 1, "value": "x"}),
            json!({"op": "add", "path": "/a", "value": "x"}),
        ] {
            assert_eq!(refused(PatchFormat::V20, &operation).0, Invalid);
        }
    }

    #[test]
    fn paths_are_json_pointers_to_one_name() {
        assert!(refused_path("a").contains("does not begin"));
        assert!(refused_path("").contains("does not begin"));
        assert!(refused_path("/a/").contains("ends with"));
        assert!(refused_path("//").contains("ends with"));
        assert!(refused_path("/a//b").contains("an empty name"));
        assert!(refused_path("/a/ \t/b").contains("an empty name"));
        assert!(refused_path("// ").contains("an empty name"));
        for path in ["/a~", "/a~2b", "/~~0"] {
            assert!(refused_path(path).contains("'~'"), "{path}");
        }
        for path in ["/a/b", "/tags/-", "/locations", "/locations/0/url"] {
            assert!(refused_path(path).contains("does not apply"), "{path}");
        }
        for (path, name) in [
            ("/a~1b~0c", "a/b~c"),
            ("/~01", "~1"),
            ("/ a\u{1f} ", "a"),
            ("//a", "a"),
            ("/", ""),
            ("/é 漢", "é 漢"),
        ] {
            let body = json!([{"op": "remove", "path": path}]);
            let patch = parse(PatchFormat::V21, &body).unwrap();
            assert_eq!(patch.changes(), [Change::remove(name)], "{path:?}");
        }
        let patch = ImagePatch::from(Change::remove("a/b~c"));
        let written = json!([{"op": "remove", "path": "/a~1b~0c"}]);
        assert_eq!(Value::from(patch.to_json()), written);
    }

    #[test]
    fn locations_are_addressed_by_position_or_as_a_whole() {
        let at = |position: &str| json!({"op": "remove", "path": format!("/locations/{position}")});
        for (text, position) in [
            ("0", Position::At(0)),
            ("007", Position::At(7)),
            ("-", Position::End),
            ("99999999999999999999", Position::At(usize::MAX)),
        ] {
            let patch = parse(PatchFormat::V21, &json!([at(text)])).unwrap();
            let known = None;
            let remove = Change::RemoveLocation { position, known };
            assert_eq!(patch.changes(), [remove], "{text}");
        }
        for text in ["x", "-1", "+1", "1.0", "²", "url"] {
            assert_eq!(refused(PatchFormat::V21, &at(text)).0, Invalid, "{text}");
        }
        for operation in [
            json!({"op": "remove", "path": "/locations"}),
            json!({"op": "replace", "path": "/locations/0", "value": {"url": "x", "metadata": {}}}),
        ] {
            let (kind, message) = refused(PatchFormat::V21, &operation);
            assert_eq!(kind, Invalid);
            assert!(message.contains("does not apply"), "{message}");
        }
    }

    #[test]
    fn values_fit_the_schema() {
        let hashes = json!({"os_hash_algo": "sha512", "os_hash_value": "ab"});
        let url = "http://user:secret@host/x";
        for (path, value) in [
            ("/name", json!(1)),
            ("/custom", json!(1)),
            ("/custom", json!(null)),
            ("/disk_format", json!("floppy")),
            ("/tags", json!(["x".repeat(256)])),
            ("/locations/-", json!(url)),
            ("/locations/-", json!({"url": url})),
            ("/locations/-", json!({"metadata": {}})),
            ("/locations/-", json!({"url": [url], "metadata": {}})),
            ("/locations/-", json!({"url": url, "metadata": [url]})),
            (
                "/locations/-",
                json!({"url": format!("{url}{}", "x".repeat(255)), "metadata": {}}),
            ),
            (
                "/locations/-",
                json!({"url": url, "metadata": {}, "validation_data": {"os_hash_algo": "sha512"}}),
            ),
            (
                "/locations/-",
                json!({"url": url, "metadata": {}, "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "ab", "x": "y"}}),
            ),
            (
                "/locations/-",
                json!({"url": url, "metadata": {}, "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "ab", "checksum": "ab"}}),
            ),
        ] {
            let operation = json!({"op": "add", "path": path, "value": value});
            let (kind, message) = refused(PatchFormat::V21, &operation);
            assert_eq!(kind, Invalid, "{path} {value}");
            assert!(!message.contains("secret"), "{message}");
        }
        let operation = json!({"op": "add", "path": "/locations/1", "value":
            {"url": url, "metadata": {"store": "s"}, "validation_data": hashes, "unknown": 1}});
        let patch = parse(PatchFormat::V21, &json!([operation])).unwrap();
        let [Change::AddLocation { position, value }] = patch.changes() else {
            panic!("{patch:?}")
        };
        assert_eq!(*position, Position::At(1));
        assert_eq!(value.location, Location::in_store(url.to_string(), "s"));
        assert_eq!(value.validation.os_hash_value.as_deref(), Some("ab"));
    }

    #[test]
    fn what_callers_cannot_set_is_forbidden() {
        for name in ["id", "status", "size", "self", "direct_url", "os_hash_algo"] {
            let path = format!("/{name}");
            for operation in [
                json!({"op": "remove", "path": path}),
                json!({"op": "replace", "path": path, "value": [1]}),
            ] {
                let (kind, message) = refused(PatchFormat::V21, &operation);
                assert_eq!(kind, Forbidden, "{name}");
                assert!(message.contains("read-only"), "{message}");
            }
        }
        for name in ["location", "deleted", "deleted_at", "os_glance_x"] {
            let operation = json!({"op": "add", "path": format!("/{name}"), "value": "x"});
            let (kind, message) = refused(PatchFormat::V21, &operation);
            assert_eq!(kind, Forbidden, "{name}");
            assert!(message.contains("reserved"), "{message}");
        }
        let long = json!({"op": "add", "path": format!("/{}", "x".repeat(256)), "value": "x"});
        assert_eq!(refused(PatchFormat::V21, &long).0, Invalid);
    }

    #[test]
    fn the_first_wrong_operation_decides() {
        let forbidden = json!({"op": "remove", "path": "/status"});
        let invalid = json!({"op": "remove", "path": "status"});
        for (body, kind) in [
            (json!([forbidden, invalid]), Forbidden),
            (json!([invalid, forbidden]), Invalid),
        ] {
            assert_eq!(
                parse(PatchFormat::V21, &body).unwrap_err().kind(),
                kind,
                "{body}"
            );
        }
    }

    #[test]
    fn locations_are_removed_from_the_last_one_on() {
        let known = [Location::in_store("x".to_string(), "")];
        let patch = ImagePatch::remove_locations(&known, &[0, 2, 0]);
        let written = json!([{"op": "remove", "path": "/locations/2"}, {"op": "remove", "path": "/locations/0"}]);
        assert_eq!(Value::from(patch.to_json()), written);
        let [_, Change::RemoveLocation { known: first, .. }] = patch.changes() else {
            panic!("{patch:?}")
        };
        assert_eq!(first.as_ref(), known.first());
    }

    #[test]
    fn single_tags_are_not_part_of_the_json() {
        let patch = ImagePatch::from([Change::add_tag("a"), Change::add("tags", json!(["b"]))]);
        assert_eq!(patch.added_tags().collect::<Vec<_>>(), ["a"]);
        assert_eq!(patch.to_json().len(), 1);
        let long = ImagePatch::from(Change::add_tag("x".repeat(256)));
        assert_eq!(long.check(&Allowed::usual()).unwrap_err().kind(), Invalid);
    }
}
