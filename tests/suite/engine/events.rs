//! Events: each change is passed on once, after it was made.

use std::sync::{Arc, Mutex};

use glance_tools::config::Settings;
use glance_tools::data::Watch;
use glance_tools::local::Engine;
use glance_tools::local::events::{Event, Events};
use glance_tools::model::{
    Caller, Change, ImagePatch, Import, ImportMethod, MemberStatus, NewImage,
};
use glance_tools::service::{ImageData, Images, Imports, Members, Staging, Upload};
use serde_json::json;

use crate::contract::data::pipe;
use crate::support::{Place, block_on};

/// Collects events: who made them, their names, and the ID and status of what they are about.
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
        let status = payload["status"].as_str().unwrap();
        let line = format!("{} {} {status}", caller.user, event.name());
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
                "u image.prepare queued",
                "u image.upload active",
                "u image.activate active"
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
