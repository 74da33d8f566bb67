//! Data that a client of the server registers by its address, and what becomes of it after the response.

use glance_tools::ErrorKind::{Corrupt, Invalid};
use glance_tools::config::Settings;
use glance_tools::data::{Algorithm, Hasher};
use glance_tools::local::{Engine, Local};
use glance_tools::model::{Caller, ImageStatus, MultiHash, TaskStatus};
use glance_tools::service::{Images, Locations, Tasks};

use super::locations::{WITH_WEB, add, queued, serve};
use crate::contract::kind;
use crate::support::glance::Server;
use crate::support::{Place, block_on};

const CONTENT: &[u8] = b"on the web";

const REQUEST: &str = "req-6b1b3ff0-5d4f-4d42-a3a5-6c3a3e0a9a11";

/// The engine as a server has it for a request.
async fn open(place: &Place) -> Local {
    let settings = Settings::for_data_dir(&place.data()).unwrap();
    let engine = Engine::open(settings).await.unwrap();
    engine.act_as(Caller {
        request_id: Some(REQUEST.to_string()),
        ..Caller::parse("admin:admin:admin").unwrap()
    })
}

/// The SHA-256 of the content, or of other content.
fn expected(content: &[u8]) -> MultiHash {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(content);
    MultiHash {
        algorithm: "sha256".to_string(),
        value: hasher.finish(),
    }
}

#[test]
fn registration_by_request_is_recorded_in_task() {
    let (place, server) = (Place::new(), Server::start());
    place.configure(&format!(
        "{WITH_WEB}[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n"
    ));
    serve(&server, "/a.img", CONTENT);
    let url = format!("{}/a.img", server.url());
    block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let hash = expected(CONTENT);
        let rest = local.begin_registration(&id, &url, Some(&hash)).await;
        rest.unwrap().await.unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!(
            (image.status, image.hash),
            (ImageStatus::Active, Some(hash))
        );
        let tasks = local.image_tasks(&id).await.unwrap();
        assert_eq!(tasks.len(), 1);
        assert_eq!(tasks[0].status, TaskStatus::Success);
        assert_eq!(tasks[0].kind, "location_import");
        assert_eq!(tasks[0].request_id.as_deref(), Some(REQUEST));

        let id = queued(&local).await;
        let other = expected(b"other data");
        let rest = local.begin_registration(&id, &url, Some(&other)).await;
        assert_eq!(kind(rest.unwrap().await), Corrupt);
        let image = local.get_image(&id).await.unwrap();
        assert_eq!((image.status, image.hash), (ImageStatus::Queued, None));
        assert_eq!(image.locations.unwrap().len(), 1);
        let tasks = local.image_tasks(&id).await.unwrap();
        assert_eq!(tasks[0].status, TaskStatus::Failure);
        assert!(
            tasks[0].message.contains("not matched"),
            "{}",
            tasks[0].message
        );
    });
}

#[test]
fn addresses_that_imports_may_not_read_are_refused_to_requests() {
    let (place, server) = (Place::new(), Server::start());
    place.configure(WITH_WEB);
    serve(&server, "/a.img", CONTENT);
    let url = format!("{}/a.img", server.url());
    block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let refused = local.begin_registration(&id, &url, None).await.map(drop);
        assert!(
            refused
                .as_ref()
                .unwrap_err()
                .message()
                .contains("does not pass filtering")
        );
        assert_eq!(kind(refused), Invalid);
        assert_eq!(kind(add(&local, &id, &url).await), Invalid);
        assert_eq!(server.lines(), Vec::<String>::new());
        assert_eq!(
            local.get_image(&id).await.unwrap().status,
            ImageStatus::Queued
        );
    });
}
