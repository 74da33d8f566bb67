//! Notifications of changes to images, members and tasks.
//!
//! *Source:* `glance/notifier.py` of the reference implementation, for the names and the payloads.

use serde_json::{Map, Value, json};

use super::Engine;
use crate::model::{Caller, Image, Member, Task};

/// A change that was made.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// An image was created.
    ImageCreated(&'a Image),
    /// Attributes, properties, tags or locations of an image were changed.
    ImageUpdated(&'a Image),
    /// The data of an image is going to be stored.
    ImagePrepared(&'a Image),
    /// The data of an image was stored.
    ImageUploaded(&'a Image),
    /// An image became active.
    ImageActivated(&'a Image),
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
}

impl Event<'_> {
    /// Returns the type of the event: `image.create`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ImageCreated(_) => "image.create",
            Self::ImageUpdated(_) => "image.update",
            Self::ImagePrepared(_) => "image.prepare",
            Self::ImageUploaded(_) => "image.upload",
            Self::ImageActivated(_) => "image.activate",
            Self::ImageDeleted(_) => "image.delete",
            Self::MemberCreated(_) => "image.member.create",
            Self::MemberUpdated(_) => "image.member.update",
            Self::MemberDeleted(_) => "image.member.delete",
            Self::TaskCreated(_) => "task.create",
            Self::TaskSucceeded(_) => "task.success",
            Self::TaskFailed(_) => "task.failure",
        }
    }

    /// Returns what the event says of the image, the member or the task.
    pub fn payload(&self) -> Value {
        match self {
            Self::ImageCreated(image)
            | Self::ImageUpdated(image)
            | Self::ImagePrepared(image)
            | Self::ImageUploaded(image)
            | Self::ImageActivated(image) => image_payload(image, false),
            Self::ImageDeleted(image) => image_payload(image, true),
            Self::MemberCreated(member) | Self::MemberUpdated(member) => {
                member_payload(member, false)
            }
            Self::MemberDeleted(member) => member_payload(member, true),
            Self::TaskCreated(task) | Self::TaskSucceeded(task) | Self::TaskFailed(task) => {
                task_payload(task)
            }
        }
    }
}

fn image_payload(image: &Image, is_deleted: bool) -> Value {
    let properties: Map<String, Value> = image
        .properties
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
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
        "is_public": image.visibility == crate::model::Visibility::Public,
        "visibility": image.visibility.name(),
        "properties": properties,
        "tags": image.tags,
        "deleted": is_deleted,
        "deleted_at": is_deleted.then(|| image.updated_at.to_string()),
    })
}

fn member_payload(member: &Member, is_deleted: bool) -> Value {
    json!({
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status.name(),
        "created_at": member.created_at.to_string(),
        "updated_at": member.updated_at.to_string(),
        "deleted": is_deleted,
        "deleted_at": is_deleted.then(|| member.updated_at.to_string()),
    })
}

fn task_payload(task: &Task) -> Value {
    json!({
        "id": task.id,
        "type": task.kind,
        "status": task.status.name(),
        "owner": task.owner,
        "message": task.message,
        "expires_at": task.expires_at.map(|at| at.to_string()),
        "created_at": task.created_at.to_string(),
        "updated_at": task.updated_at.to_string(),
        "deleted": false,
        "deleted_at": null,
    })
}

/// A receiver of events. It is called after the change is durable, in the order of the changes that one caller makes.
pub trait Events: Send + Sync {
    /// Passes an event on. MUST NOT wait for anything: what has to be sent is queued.
    fn emit(&self, caller: &Caller, event: &Event<'_>);

    /// Whether events go anywhere: what an event needs is only read then.
    fn is_listening(&self) -> bool {
        true
    }
}

/// No receiver: events are dropped.
pub struct NoEvents;

impl Events for NoEvents {
    fn emit(&self, _caller: &Caller, _event: &Event<'_>) {}

    fn is_listening(&self) -> bool {
        false
    }
}

/// Events as lines of the log, as the driver `log` of oslo.messaging writes them.
pub struct LogEvents;

impl Events for LogEvents {
    fn emit(&self, caller: &Caller, event: &Event<'_>) {
        let name = event.name();
        let line = json!({
            "event_type": name,
            "priority": "INFO",
            "payload": event.payload(),
            "_context_project_id": caller.project,
            "_context_user_id": caller.user,
            "_context_request_id": caller.request_id,
        });
        log::info!(target: &format!("oslo.messaging.notification.{name}"), "{line}");
    }
}

impl Engine {
    /// Passes an event on.
    pub(super) fn emit(&self, caller: &Caller, event: &Event<'_>) {
        self.events.emit(caller, event);
    }
}
