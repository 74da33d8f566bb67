//! Events: each change is passed on once, after it was made.

use std::sync::{Arc, Mutex};

use glance_tools::config::{NotificationDriver, NotificationSettings, Settings};
use glance_tools::data::Watch;
use glance_tools::local::Engine;
use glance_tools::local::events::{Event, Events, Part, Step};
use glance_tools::local::notifier::Notifier;
use glance_tools::model::metadef::{Definition, Tag};
use glance_tools::model::{
    Caller, Change, ImagePatch, Import, ImportMethod, MemberStatus, NewImage,
};
use glance_tools::service::{
    ImageData, Images, Imports, Locations, Members, MetadefObjects, MetadefProperties, MetadefTags,
    Namespaces, ResourceTypes, Staging, Upload,
};
use serde_json::json;

use super::locations::{WITH_WEB, serve};
use crate::contract::data::pipe;
use crate::contract::locations::{add, location};
use crate::contract::raw_image;
use crate::support::glance::Server;
use crate::support::{Place, block_on};

/// Collects events: who made the change, the name of the event, and the status of what it is about, or the old name
/// of a definition.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<String>>>);

impl Collected {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Events for Collected {
    fn emit(&self, caller: &Caller, event: &Event<'_>) {
        let payload = event.payload();
        let about = payload.get("status").or(payload.get("name_old"));
        let about = about.or(payload.get("namespace_old")).unwrap();
        let line = format!(
            "{} {} {}",
            caller.user,
            event.name(),
            about.as_str().unwrap()
        );
        self.0.lock().unwrap().push(line);
    }
}

#[test]
fn each_change_is_passed_on_once_it_was_made() {
    let place = Place::new();
    block_on(async {
        let events = Collected::default();
        let settings = Settings::for_data_dir(&place.data()).unwrap();
        let engine = Engine::open_with(settings, Box::new(events.clone()));
        let engine = engine.await.unwrap();
        let local = engine.act_as(Caller::parse("demo:member:u").unwrap());
        let create = async || {
            let new = json!({"name": "x", "disk_format": "raw", "container_format": "bare", "visibility": "shared"});
            let attributes = new.as_object().unwrap().clone();
            let image = local.create_image(NewImage { attributes }).await.unwrap();
            assert_eq!(events.take(), ["u image.create queued"]);
            image.id
        };
        let id = create().await;
        local
            .update_image(&id, &Change::add("a", "b").into())
            .await
            .unwrap();
        local
            .update_image(&id, &ImagePatch::default())
            .await
            .unwrap();
        assert_eq!(events.take(), ["u image.update queued"]);
        local.add_tag(&id, "t").await.unwrap();
        local.add_tag(&id, "t").await.unwrap();
        local.remove_tag(&id, "t").await.unwrap();
        assert_eq!(events.take(), ["u image.update queued"; 2]);
        local
            .upload_image(&id, Upload::new(pipe(b"data")))
            .await
            .unwrap();
        assert_eq!(
            events.take(),
            [
                "u image.update saving",
                "u image.prepare saving",
                "u image.upload active",
                "u image.activate active",
                "u image.update active"
            ]
        );
        let refused = local.upload_image(&id, Upload::new(pipe(b"data"))).await;
        assert!(refused.is_err());
        assert!(events.take().is_empty(), "nothing was changed");
        local.deactivate_image(&id).await.unwrap();
        local.reactivate_image(&id).await.unwrap();
        assert_eq!(
            events.take(),
            ["u image.update deactivated", "u image.update active"]
        );
        local.add_member(&id, "other").await.unwrap();
        let other = engine.act_as(Caller::parse("other:member:o").unwrap());
        other
            .set_member_status(&id, "other", MemberStatus::Accepted)
            .await
            .unwrap();
        local.remove_member(&id, "other").await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u image.member.create pending",
                "o image.member.update accepted",
                "u image.member.delete accepted"
            ]
        );
        local.delete_image(&id).await.unwrap();
        assert_eq!(events.take(), ["u image.delete deleted"]);

        let id = create().await;
        let staging = Staging {
            source: pipe(b"data"),
            size: None,
            watch: Watch::default(),
        };
        local.stage_image(&id, staging).await.unwrap();
        let import = Import::new(ImportMethod::GlanceDirect);
        let running = local.import_image(&id, import, Watch::default()).await;
        assert_eq!(events.take(), ["u task.create processing"]);
        running.unwrap().await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u image.upload active",
                "u image.activate active",
                "u task.success success"
            ]
        );
    });
}

fn definition(value: serde_json::Value) -> Definition {
    serde_json::from_value(value).unwrap()
}

#[test]
fn each_change_of_a_definition_is_passed_on() {
    let place = Place::new();
    block_on(async {
        let events = Collected::default();
        let settings = Settings::for_data_dir(&place.data()).unwrap();
        let engine = Engine::open_with(settings, Box::new(events.clone()));
        let engine = engine.await.unwrap();
        let local = engine.act_as(Caller::parse("admin:admin:u").unwrap());

        let whole = definition(json!({
            "namespace": "N",
            "resource_type_associations": [{"name": "R"}],
            "objects": [{"name": "o"}],
            "properties": {"p": {"title": "P", "type": "string"}},
            "tags": [{"name": "t"}, {"name": "s"}],
        }));
        local.create_namespace(whole.clone()).await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u metadef_namespace.create N",
                "u metadef_resource_type.create R",
                "u metadef_object.create o",
                "u metadef_tag.create t",
                "u metadef_tag.create s",
                "u metadef_property.create p",
            ]
        );
        assert!(local.create_namespace(whole).await.is_err());
        let demo = engine.act_as(Caller::parse("demo:member:d").unwrap());
        assert!(demo.delete_namespace("N").await.is_err());
        assert!(local.delete_object("N", "absent").await.is_err());
        assert!(events.take().is_empty(), "nothing was changed");

        let object = |name: &str| definition(json!({"name": name, "required": []}));
        local.create_object("N", object("a")).await.unwrap();
        local.replace_object("N", "a", object("b")).await.unwrap();
        let is = local.get_object("N", "b").await.unwrap();
        local
            .revise_object("N", "b", &is, object("c"))
            .await
            .unwrap();
        local.delete_object("N", "c").await.unwrap();
        local.delete_objects("N").await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u metadef_object.create a",
                "u metadef_object.update a",
                "u metadef_object.update b",
                "u metadef_object.delete c",
                "u metadef_namespace.delete_objects N",
            ]
        );

        let property =
            |name: &str| definition(json!({"name": name, "title": "T", "type": "string"}));
        local.create_property("N", property("a")).await.unwrap();
        local
            .replace_property("N", "a", property("b"))
            .await
            .unwrap();
        local.delete_property("N", "b").await.unwrap();
        local.delete_properties("N").await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u metadef_property.create a",
                "u metadef_property.update a",
                "u metadef_property.delete b",
                "u metadef_namespace.delete_properties N",
            ]
        );

        local.create_tag("N", "a").await.unwrap();
        local.rename_tag("N", "a", "b").await.unwrap();
        local.delete_tag("N", "b").await.unwrap();
        let names = ["x", "y"].map(str::to_string);
        local.create_tags("N", &names, true).await.unwrap();
        local.delete_tags("N").await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u metadef_tag.create a",
                "u metadef_tag.update a",
                "u metadef_tag.delete b",
                "u metadef_tag.create x",
                "u metadef_tag.create y",
                "u metadef_namespace.delete_tags N",
            ]
        );

        local
            .associate("N", definition(json!({"name": "S", "prefix": "s_"})))
            .await
            .unwrap();
        local.dissociate("N", "S").await.unwrap();
        let renamed = definition(json!({"namespace": "M"}));
        local.replace_namespace("N", renamed).await.unwrap();
        local.delete_namespace("M").await.unwrap();
        assert_eq!(
            events.take(),
            [
                "u metadef_resource_type.create S",
                "u metadef_resource_type.delete S",
                "u metadef_namespace.update N",
                "u metadef_namespace.delete M",
            ]
        );
    });
}

#[test]
fn changes_of_locations_are_passed_on() {
    let place = Place::new();
    place.configure(WITH_WEB);
    let server = Server::start();
    serve(&server, "/a.img", b"0123456789");
    let url = |query: &str| format!("{}/a.img?{query}", server.url());
    block_on(async {
        let events = Collected::default();
        let settings = Settings::for_data_dir(&place.data()).unwrap();
        let engine = Engine::open_with(settings, Box::new(events.clone()));
        let engine = engine.await.unwrap();
        let local = engine.act_as(Caller::parse("admin:admin:u").unwrap());
        let registered = raw_image(&local, "x").await;
        let patched = raw_image(&local, "y").await;
        events.take();
        let id = &registered.id;
        local.register_location(id, &url("1"), None).await.unwrap();
        assert_eq!(events.take(), ["u image.update active"]);
        let id = &patched.id;
        let refused = add(location("file:///etc/hostname"));
        assert!(local.update_image(id, &refused).await.is_err());
        assert!(events.take().is_empty(), "nothing was changed");
        for query in ["1", "2"] {
            let patch = add(location(&url(query)));
            local.update_image(id, &patch).await.unwrap();
        }
        local
            .update_image(id, &ImagePatch::remove_locations(&[], &[0]))
            .await
            .unwrap();
        assert_eq!(events.take(), ["u image.update active"; 3]);
    });
}

/// A logger that keeps what is logged.
struct Kept(Mutex<Vec<(String, String)>>);

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = (record.target().to_string(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

#[test]
fn events_are_logged_as_oslo_messaging_does() {
    static LOG: Kept = Kept(Mutex::new(Vec::new()));
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let caller = Caller::parse("demo:member:u").unwrap();
    let events = Notifier::new(NotificationSettings {
        drivers: vec![NotificationDriver::Log],
        publisher_id: "image.host".to_string(),
        ..NotificationSettings::default()
    });
    let tag = Tag::named("é");
    let event = Event::Part(Step::Created, "N", Part::Tag(&tag));
    events.emit(&caller, &event);
    let lines = LOG.0.lock().unwrap();
    let name = "oslo.messaging.notification.metadef_tag.create";
    let line = lines.iter().find(|(target, _)| target == name);
    let (_, line) = line.expect("the event was logged");
    assert!(line.is_ascii(), "{line}");
    let message: serde_json::Value = serde_json::from_str(line).unwrap();
    let keys: Vec<&String> = message.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "message_id",
            "publisher_id",
            "event_type",
            "priority",
            "payload",
            "timestamp"
        ]
    );
    assert_eq!(message["publisher_id"], "image.host");
    assert_eq!(message["event_type"], "metadef_tag.create");
    assert_eq!(message["priority"], "INFO");
    assert_eq!(message["payload"]["name"], "é");
    assert!(message["timestamp"].as_str().unwrap().len() == 26);
}
