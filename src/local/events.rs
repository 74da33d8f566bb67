//! Notifications of changes to images, members, tasks and metadata definitions.
//!
//! *Source:* `glance/notifier.py` of the reference implementation, for the names and the payloads.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::Engine;
use crate::model::metadef::{Association, Definition, Namespace, Object, Tag};
use crate::model::{Caller, Image, Member, Task, Timestamp, Visibility};

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An image was created.
    ImageCreated(&'a Image),
    /// Attributes, properties, tags, locations or the activation of an image were changed.
    ImageUpdated(&'a Image),
    /// The data of an image is going to be stored.
    ImagePrepared {
        /// The image.
        image: &'a Image,
        /// The ID of the store, if stores have names.
        store: Option<&'a str>,
    },
    /// The data of an image was stored.
    ImageUploaded(&'a Image),
    /// The data of an image was not stored, for the reason of this message.
    UploadFailed(&'a str),
    /// An image became active.
    ImageActivated(&'a Image),
    /// Data of an image was sent.
    ImageSent(Sent<'a>),
    /// An image was deleted. Its data may wait to be removed.
    ImageDeleted(&'a Image),
    /// An image was shared with a project.
    MemberCreated(&'a Member),
    /// A project has accepted or rejected an image.
    MemberUpdated(&'a Member),
    /// An image is no longer shared with a project.
    MemberDeleted(&'a Member),
    /// A task was created.
    TaskCreated(&'a Task),
    /// A task has succeeded.
    TaskSucceeded(&'a Task),
    /// A task has failed.
    TaskFailed(&'a Task),
    /// A namespace of metadata definitions was created, changed or deleted.
    Namespace(Step<'a>, &'a Namespace),
    /// All objects of a namespace were deleted.
    ObjectsDeleted(&'a Namespace),
    /// All properties of a namespace were deleted.
    PropertiesDeleted(&'a Namespace),
    /// All tags of a namespace were deleted.
    TagsDeleted(&'a Namespace),
    /// Something in the namespace of that name was created, changed or deleted.
    Part(Step<'a>, &'a str, Part<'a>),
}

/// Data of an image that was sent to a caller.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// The image.
    pub image: &'a Image,
    /// The caller.
    pub receiver: &'a Caller,
    /// The number of bytes that were sent.
    pub bytes: u64,
    /// Whether all of the data was sent that the caller asked for.
    pub is_complete: bool,
}

/// The importance of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A change.
    Info,
    /// A failure.
    Error,
}

impl Priority {
    /// Returns the name in messages: `INFO`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Error => "ERROR",
        }
    }
}

/// The kind of a change to a metadata definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The definition was created.
    Created,
    /// The definition was changed.
    Updated {
        /// The name before the change.
        old_name: &'a str,
    },
    /// The definition was deleted.
    Deleted,
}

/// A part of a namespace.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// An object.
    Object(&'a Object),
    /// A property: its name and its definition.
    Property(&'a str, &'a Definition),
    /// A tag.
    Tag(&'a Tag),
    /// The association of a resource type.
    ResourceType(&'a Association),
}

impl Event<'_> {
    /// Returns the type of the event: `image.create`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ImageCreated(_) => "image.create",
            Self::ImageUpdated(_) => "image.update",
            Self::ImagePrepared { .. } => "image.prepare",
            Self::ImageUploaded(_) | Self::UploadFailed(_) => "image.upload",
            Self::ImageSent(_) => "image.send",
            Self::ImageActivated(_) => "image.activate",
            Self::ImageDeleted(_) => "image.delete",
            Self::MemberCreated(_) => "image.member.create",
            Self::MemberUpdated(_) => "image.member.update",
            Self::MemberDeleted(_) => "image.member.delete",
            Self::TaskCreated(_) => "task.create",
            Self::TaskSucceeded(_) => "task.success",
            Self::TaskFailed(_) => "task.failure",
            Self::Namespace(step, _) => step.choose(
                "metadef_namespace.create",
                "metadef_namespace.update",
                "metadef_namespace.delete",
            ),
            Self::ObjectsDeleted(_) => "metadef_namespace.delete_objects",
            Self::PropertiesDeleted(_) => "metadef_namespace.delete_properties",
            Self::TagsDeleted(_) => "metadef_namespace.delete_tags",
            Self::Part(step, _, Part::Object(_)) => step.choose(
                "metadef_object.create",
                "metadef_object.update",
                "metadef_object.delete",
            ),
            Self::Part(step, _, Part::Property(..)) => step.choose(
                "metadef_property.create",
                "metadef_property.update",
                "metadef_property.delete",
            ),
            Self::Part(step, _, Part::Tag(_)) => step.choose(
                "metadef_tag.create",
                "metadef_tag.update",
                "metadef_tag.delete",
            ),
            // There is no operation that changes an association.
            Self::Part(step, _, Part::ResourceType(_)) => step.choose(
                "metadef_resource_type.create",
                "metadef_resource_type.update",
                "metadef_resource_type.delete",
            ),
        }
    }

    /// Returns the importance of the event.
    pub fn priority(&self) -> Priority {
        match self {
            Self::UploadFailed(_) => Priority::Error,
            Self::ImageSent(sent) if !sent.is_complete => Priority::Error,
            _ => Priority::Info,
        }
    }

    /// Returns the payload of the event: the image, the member, the task or the definition.
    pub fn payload(&self) -> Value {
        let fields = match self {
            Self::ImageCreated(image) | Self::ImageUpdated(image) | Self::ImageActivated(image) => {
                image_payload(image)
            }
            Self::ImagePrepared { image, store } => {
                let mut fields = stored_payload(image);
                if let Some(store) = store {
                    fields.insert("backend".to_string(), json!(store));
                }
                fields
            }
            Self::ImageUploaded(image) => stored_payload(image),
            Self::UploadFailed(why) => return json!(why),
            Self::ImageSent(sent) => fields(json!({
                "bytes_sent": sent.bytes,
                "image_id": sent.image.id,
                "owner_id": sent.image.owner,
                "receiver_tenant_id": sent.receiver.project,
                "receiver_user_id": sent.receiver.user,
            })),
            Self::ImageDeleted(image) => deleted(image_payload(image), Some(image.updated_at)),
            Self::MemberCreated(member) | Self::MemberUpdated(member) => member_payload(member),
            Self::MemberDeleted(member) => deleted(member_payload(member), Some(member.updated_at)),
            Self::TaskCreated(task) | Self::TaskSucceeded(task) | Self::TaskFailed(task) => {
                task_payload(task)
            }
            Self::Namespace(step, namespace) => step.applied(
                namespace_payload(namespace),
                "namespace_old",
                namespace.updated_at,
            ),
            Self::ObjectsDeleted(namespace)
            | Self::PropertiesDeleted(namespace)
            | Self::TagsDeleted(namespace) => namespace_payload(namespace),
            Self::Part(step, namespace, part) => {
                let (fields, updated_at) = part_payload(namespace, *part);
                step.applied(fields, "name_old", updated_at)
            }
        };
        Value::Object(fields)
    }
}

impl Step<'_> {
    /// Returns the word for the kind of the change.
    const fn choose(
        self,
        created: &'static str,
        updated: &'static str,
        deleted: &'static str,
    ) -> &'static str {
        match self {
            Self::Created => created,
            Self::Updated { .. } => updated,
            Self::Deleted => deleted,
        }
    }

    /// Returns a payload with the old name, or as that of a deletion.
    fn applied(
        self,
        mut fields: Map<String, Value>,
        old: &str,
        updated_at: Option<Timestamp>,
    ) -> Map<String, Value> {
        match self {
            Self::Created => fields,
            Self::Updated { old_name } => {
                fields.insert(old.to_string(), json!(old_name));
                fields
            }
            Self::Deleted => deleted(fields, updated_at),
        }
    }
}

/// Returns the fields of a JSON object.
fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Returns a payload as that of a deletion.
fn deleted(mut fields: Map<String, Value>, at: Option<Timestamp>) -> Map<String, Value> {
    fields.insert("deleted".to_string(), json!(true));
    fields.insert("deleted_at".to_string(), json!(written(at)));
    fields
}

/// Returns a moment as text. A moment that is not recorded is the present one.
fn written(at: Option<Timestamp>) -> String {
    at.unwrap_or_else(Timestamp::now).to_string()
}

fn image_payload(image: &Image) -> Map<String, Value> {
    let properties: Map<String, Value> = image
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    fields(json!({
        "id": image.id,
        "name": image.name,
        "status": image.status.name(),
        "created_at": image.created_at.to_string(),
        "updated_at": image.updated_at.to_string(),
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "protected": image.protected,
        "checksum": image.checksum,
        "owner": image.owner,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "is_public": image.visibility == Visibility::Public,
        "visibility": image.visibility.name(),
        "properties": properties,
        "tags": image.tags,
        "deleted": false,
        "deleted_at": null,
    }))
}

/// Returns the payload about data of an image: also the stores that an import is for.
fn stored_payload(image: &Image) -> Map<String, Value> {
    let mut fields = image_payload(image);
    for name in ["os_glance_importing_to_stores", "os_glance_failed_import"] {
        let stores = image.property(name).filter(|stores| !stores.is_empty());
        let stores: Vec<&str> = stores
            .map(|stores| stores.split(',').collect())
            .unwrap_or_default();
        fields.insert(name.to_string(), json!(stores));
    }
    fields
}

fn member_payload(member: &Member) -> Map<String, Value> {
    fields(json!({
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status.name(),
        "created_at": member.created_at.to_string(),
        "updated_at": member.updated_at.to_string(),
        "deleted": false,
        "deleted_at": null,
    }))
}

/// Returns the payload about a task. Input, result and message may contain secrets, and are left out.
fn task_payload(task: &Task) -> Map<String, Value> {
    fields(json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status.name(),
        "result": null,
        "owner": task.owner,
        "message": null,
        "expires_at": written(task.expires_at),
        "created_at": task.created_at.to_string(),
        "updated_at": task.updated_at.to_string(),
        "deleted": false,
        "deleted_at": null,
    }))
}

fn namespace_payload(namespace: &Namespace) -> Map<String, Value> {
    fields(json!({
        "namespace": namespace.name,
        "namespace_old": namespace.name,
        "display_name": namespace.display_name,
        "protected": namespace.protected,
        "visibility": namespace.visibility,
        "owner": namespace.owner,
        "description": namespace.description,
        "created_at": written(namespace.created_at),
        "updated_at": written(namespace.updated_at),
        "deleted": false,
        "deleted_at": null,
    }))
}

/// Names of what a definition of a property has.
const PROPERTY_FIELDS: [&str; 16] = [
    "type",
    "title",
    "description",
    "default",
    "minimum",
    "maximum",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "confidential",
    "items",
    "uniqueItems",
    "minItems",
    "maxItems",
    "additionalItems",
];

/// Returns the payload about a part of a namespace, and the time of its last change.
fn part_payload(namespace: &str, part: Part<'_>) -> (Map<String, Value>, Option<Timestamp>) {
    let (name, mut more, times) = match part {
        Part::Object(object) => {
            let properties = object.properties.iter().flatten();
            let properties: Vec<Value> = properties
                .map(|(name, definition)| object_property(name, definition))
                .collect();
            let more = json!({
                "properties": properties,
                "required": object.required,
                "description": object.description,
            });
            (
                &*object.name,
                more,
                Some((object.created_at, object.updated_at)),
            )
        }
        Part::Property(name, definition) => {
            let value = |field| definition.get(field).cloned().unwrap_or_default();
            let more = PROPERTY_FIELDS.map(|field| (field.to_string(), value(field)));
            (name, more.into_iter().collect(), None)
        }
        Part::Tag(tag) => (
            &*tag.name,
            json!({}),
            Some((tag.created_at, tag.updated_at)),
        ),
        Part::ResourceType(association) => {
            let more = json!({
                "prefix": association.prefix,
                "properties_target": association.properties_target,
            });
            let times = (association.created_at, association.updated_at);
            (&*association.name, more, Some(times))
        }
    };
    if let Some((created_at, updated_at)) = times {
        more["created_at"] = json!(written(created_at));
        more["updated_at"] = json!(written(updated_at));
    }
    let mut all = fields(json!({"namespace": namespace, "name": name, "name_old": name}));
    all.extend(fields(more));
    all.insert("deleted".to_string(), json!(false));
    all.insert("deleted_at".to_string(), Value::Null);
    (all, times.and_then(|(_, updated_at)| updated_at))
}

/// Returns a property of an object. As in the reference implementation, values that Python counts as false are null.
fn object_property(name: &str, definition: &Value) -> Value {
    let value = |field: &str| {
        let value = definition.get(field).cloned().unwrap_or_default();
        let is_false = match &value {
            Value::Null => true,
            Value::Bool(value) => !value,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
        };
        if is_false { Value::Null } else { value }
    };
    let mut property = Map::new();
    property.insert("name".to_string(), json!(name));
    property.extend(PROPERTY_FIELDS.map(|field| (field.to_string(), value(field))));
    Value::Object(property)
}

/// A receiver of events. It is called after the change is durable, in the order of the changes of one caller.
#[async_trait]
pub trait Events: Send + Sync {
    /// Receives an event. MUST NOT block: an event that is to be sent is queued.
    fn emit(&self, caller: &Caller, event: &Event<'_>);

    /// Returns whether events are received. Data for an event is read only then.
    fn is_listening(&self) -> bool {
        true
    }

    /// Waits until all events are sent, for at most `limit`.
    async fn flush(&self, _limit: Duration) {}
}

/// No receiver: events are dropped.
pub struct NoEvents;

impl Events for NoEvents {
    fn emit(&self, _caller: &Caller, _event: &Event<'_>) {}

    fn is_listening(&self) -> bool {
        false
    }
}

impl Engine {
    /// Passes an event on to the receiver.
    pub(super) fn emit(&self, caller: &Caller, event: &Event<'_>) {
        self.events.emit(caller, event);
    }
}
