//! Notifications, as the real Glance sends them and as ours does.

use std::process::Command;

use glance_tools::local::events::{Event, Part, Sent, Step};
use glance_tools::model::metadef::{Association, Definition, Namespace, Object, Tag};
use glance_tools::model::{Caller, Image, Member, Task};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::realcloud::{output_of, script, venv};

const CREATED_AT: &str = "2026-01-02T03:04:05Z";
const UPDATED_AT: &str = "2026-01-02T03:04:06Z";

/// A value of the fields that the API shows of it, with the times of the script.
fn read<T: DeserializeOwned>(mut fields: Value) -> T {
    fields["created_at"] = json!(CREATED_AT);
    fields["updated_at"] = json!(UPDATED_AT);
    serde_json::from_value(fields).unwrap()
}

/// The events that the script makes, in its order.
fn ours() -> Vec<Value> {
    let image = |status: &str| -> Image {
        read(json!({
            "id": "i", "name": "n", "status": status, "min_disk": 1, "min_ram": 2, "protected": true,
            "os_hidden": false, "checksum": "c", "owner": "o", "disk_format": "raw",
            "container_format": "bare", "size": 3, "virtual_size": 4, "visibility": "public",
            "os_glance_importing_to_stores": "a,b", "os_glance_failed_import": "", "k": "v", "tags": ["t"],
        }))
    };
    let (active, queued) = (image("active"), image("queued"));
    let member: Member = read(json!({"image_id": "i", "member_id": "m", "status": "pending"}));
    let task: Task = read(json!({
        "id": "t", "type": "import", "status": "success", "owner": "o", "message": "secret",
        "expires_at": UPDATED_AT, "input": {"password": "secret"}, "result": "secret",
    }));
    let namespace: Namespace = read(json!({
        "namespace": "N", "display_name": "D", "protected": false, "visibility": "private",
        "owner": "o", "description": "d",
    }));
    let definition = json!({
        "type": "string", "title": "T", "default": "", "minimum": 0, "maximum": 5, "enum": ["x"],
        "minLength": 1, "confidential": false, "uniqueItems": true,
    });
    let object: Object = read(json!({
        "name": "x", "properties": {"p": definition}, "required": ["p"], "description": "d",
    }));
    let definition: Definition = definition.as_object().unwrap().clone();
    let tag: Tag = read(json!({"name": "x"}));
    let association: Association = read(json!({"name": "x", "prefix": "p_"}));
    let receiver = Caller::parse("p:member:u").unwrap();
    let sent = |bytes| {
        Event::ImageSent(Sent {
            image: &queued,
            receiver: &receiver,
            bytes,
            is_complete: bytes == 3,
        })
    };
    let mut events = vec![
        Event::ImageCreated(&active),
        Event::ImageUpdated(&active),
        Event::ImageDeleted(&active),
        Event::ImagePrepared {
            image: &active,
            store: Some("fast"),
        },
        Event::ImageUploaded(&active),
        Event::ImagePrepared {
            image: &queued,
            store: None,
        },
        Event::ImageUploaded(&queued),
        Event::ImageActivated(&queued),
        sent(3),
        sent(1),
        Event::MemberCreated(&member),
        Event::MemberUpdated(&member),
        Event::MemberDeleted(&member),
        Event::TaskCreated(&task),
        Event::TaskSucceeded(&task),
        Event::TaskFailed(&task),
        Event::Namespace(Step::Created, &namespace),
        Event::Namespace(Step::Updated { old_name: "M" }, &namespace),
        Event::Namespace(Step::Deleted, &namespace),
        Event::ObjectsDeleted(&namespace),
        Event::PropertiesDeleted(&namespace),
        Event::TagsDeleted(&namespace),
    ];
    for part in [
        Part::Object(&object),
        Part::Property("x", &definition),
        Part::Tag(&tag),
        Part::ResourceType(&association),
    ] {
        events.push(Event::Part(Step::Created, "N", part));
        if !matches!(part, Part::ResourceType(_)) {
            let step = Step::Updated { old_name: "w" };
            events.push(Event::Part(step, "N", part));
        }
        events.push(Event::Part(Step::Deleted, "N", part));
    }
    let written = |event: &Event<'_>| {
        let mut payload = event.payload();
        // The moment of a deletion, of which nothing else is recorded.
        if !payload["deleted_at"].is_null() {
            payload["deleted_at"] = json!("now");
        }
        json!([event.name(), payload])
    };
    events.iter().map(written).collect()
}

#[test]
fn events_have_the_names_and_payloads_of_the_real_service() {
    let printed = output_of(
        Command::new(venv().join("bin/python"))
            .arg(script("notifications.py"))
            .env("PYTHONWARNINGS", "ignore"),
    );
    let theirs = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let theirs: Vec<Value> = theirs.collect();
    let ours = ours();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(!printed.contains("secret"), "{printed}");
}
