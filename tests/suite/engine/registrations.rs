//! Data that a client of the server registers by its address, and what becomes of it after the response.

use glance_tools::ErrorKind::{Conflict, Corrupt, Forbidden, Invalid};
use glance_tools::config::Settings;
use glance_tools::data::{Algorithm, Hasher, Watch};
use glance_tools::local::{Engine, Local};
use glance_tools::model::{
    Caller, Image, ImageStatus, Import, ImportMethod, MultiHash, Task, TaskStatus,
};
use glance_tools::service::{ImageData, Images, Imports, Locations, Reading, Tasks};

use super::dropped::{LONGEST, ends_within};
use super::locations::{WITH_WEB, add, queued, serve};
use crate::contract::kind;
use crate::support::glance::{Answer, Server, tricks};
use crate::support::{Place, block_on, files};

const CONTENT: &[u8] = b"on the web";

/// The host of the test's server, at any port, is the only one that requests may name.
const ALLOWED: &str = "[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n";

/// The property with the ID of the task that holds an image.
const LOCK: &str = "os_glance_import_task";

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
    place.configure(&format!("{WITH_WEB}{ALLOWED}"));
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
        assert!(tasks[0].expires_at.is_some());

        let id = queued(&local).await;
        let other = expected(b"other data");
        let rest = local.begin_registration(&id, &url, Some(&other)).await;
        assert_eq!(kind(rest.unwrap().await), Corrupt);
        let image = local.get_image(&id).await.unwrap();
        assert_eq!(image.property(LOCK), None);
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

/// The image and its last task.
async fn state(local: &Local, id: &str) -> (Image, Option<Task>) {
    let image = local.get_image(id).await.unwrap();
    (image, local.image_tasks(id).await.unwrap().pop())
}

/// A deployment for requests, and a web server with the content at `/a.img`. The data at `/slow` never arrives.
fn with_web() -> (Place, Server) {
    let (place, server) = (Place::new(), Server::start());
    place.configure(&format!("{WITH_WEB}{ALLOWED}"));
    serve(&server, "/a.img", CONTENT);
    let head = Answer::new(200, "text/plain", CONTENT).head();
    server.on("HEAD", "/slow", 1..=usize::MAX, tricks::raw(head));
    server.on("GET", "/slow", 1..=usize::MAX, tricks::silence());
    (place, server)
}

#[test]
fn registration_in_progress_holds_the_image_and_a_crash_ends_it() {
    let (place, server) = with_web();
    let slow = format!("{}/slow", server.url());
    let id = block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let mut rest = local.begin_registration(&id, &slow, None).await.unwrap();
        let read = async {
            while server.count("GET", "/slow") == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = &mut rest => panic!("the data has arrived"),
            () = read => {}
        }
        let (image, task) = state(&local, &id).await;
        let task = task.unwrap();
        assert_eq!(image.property(LOCK), Some(task.id.as_str()));
        assert_eq!(task.status, TaskStatus::Processing);
        let second = local.begin_registration(&id, &slow, None).await;
        assert_eq!(kind(second.map(drop)), Conflict);
        let uri = format!("{}/a.img", server.url());
        let import = Import::new(ImportMethod::WebDownload { uri });
        let import = local.import_image(&id, import, Watch::default()).await;
        assert_eq!(kind(import.map(drop)), Conflict);
        id
    });
    // The process ends with the runtime. The next one finds the journal entry.
    block_on(async {
        let local = open(&place).await;
        let (image, task) = state(&local, &id).await;
        let task = task.unwrap();
        assert_eq!(
            (image.status, image.property(LOCK)),
            (ImageStatus::Queued, None)
        );
        assert_eq!(image.locations, Some(Vec::new()));
        let stores = ["os_glance_importing_to_stores", "os_glance_failed_import"];
        assert_eq!(stores.map(|name| image.property(name)), [None, None]);
        assert_eq!(task.status, TaskStatus::Failure);
        assert!(task.message.contains("crashed"), "{}", task.message);
        assert_eq!(files(&place.data().join(".journal")).len(), 0);
        let url = format!("{}/a.img", server.url());
        let rest = local.begin_registration(&id, &url, None).await.unwrap();
        rest.await.unwrap();
        assert_eq!(state(&local, &id).await.0.status, ImageStatus::Active);
    });
}

#[test]
fn registration_whose_caller_goes_away_goes_on() {
    let (place, server) = with_web();
    let url = format!("{}/a.img", server.url());
    block_on(async {
        let local = open(&place).await;
        let mut turns = 0;
        while turns < LONGEST {
            let id = queued(&local).await;
            let registration = async { local.begin_registration(&id, &url, None).await?.await };
            let ended = ends_within(turns, registration).await;
            local.finish_changes().await;
            let (image, task) = state(&local, &id).await;
            assert_eq!(image.property(LOCK), None, "after {turns}");
            match task {
                Some(task) => {
                    assert_eq!(task.status, TaskStatus::Success, "after {turns}");
                    assert_eq!(image.status, ImageStatus::Active, "after {turns}");
                }
                None => assert_eq!(image.status, ImageStatus::Queued, "after {turns}"),
            }
            let journal = files(&place.data().join(".journal"));
            assert_eq!(journal.len(), 0, "after {turns}: {journal:?}");
            if ended {
                return;
            }
            turns += 1 + turns / 2;
        }
        panic!("the registration does not end");
    });
}

#[test]
fn failed_registration_releases_the_image() {
    let (place, server) = with_web();
    let head = Answer::new(200, "text/plain", CONTENT).head();
    server.on("HEAD", "/lost", 1..=usize::MAX, tricks::raw(head));
    server.on(
        "GET",
        "/lost",
        1..=usize::MAX,
        tricks::say(Answer::empty(404)),
    );
    block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let url = format!("{}/lost", server.url());
        let rest = local.begin_registration(&id, &url, None).await.unwrap();
        assert!(rest.await.is_err());
        let (image, task) = state(&local, &id).await;
        assert_eq!(
            (image.status, image.property(LOCK)),
            (ImageStatus::Queued, None)
        );
        assert_eq!(image.locations, Some(Vec::new()));
        let task = task.unwrap();
        assert_eq!(task.status, TaskStatus::Failure);
        assert!(task.message.contains("/lost"), "{}", task.message);

        let id = queued(&local).await;
        let url = format!("{}/slow", server.url());
        drop(local.begin_registration(&id, &url, None).await.unwrap());
        local.delete_image(&id).await.unwrap();
    });
}

#[test]
fn services_register_addresses_of_any_store() {
    let place = Place::new();
    place.configure(WITH_WEB);
    block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let url = "rbd://cluster/pool/image/snap";
        let begun = local.begin_registration(&id, url, None).await;
        assert_eq!(kind(begun.map(drop)), Forbidden);
        let engine = Engine::open(Settings::for_data_dir(&place.data()).unwrap());
        let mut caller = Caller::parse("admin:admin:admin").unwrap();
        caller.request_id = Some(REQUEST.to_string());
        caller.service_roles = vec!["service".to_string()];
        let service = engine.await.unwrap().act_as(caller);
        let begun = service.begin_registration(&id, url, None).await;
        let error = begun.map(drop).unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid location",
            "there is no such store"
        );
        let file = service.begin_registration(&id, "file:///etc/passwd", None);
        assert_eq!(kind(file.await.map(drop)), Invalid);
    });
}

#[test]
fn requests_do_not_follow_redirects_to_refused_addresses() {
    let (place, server) = with_web();
    let refused = server.url().replace("127.0.0.1", "localhost");
    let redirect = || {
        let answer = Answer::empty(302).with("Location", &format!("{refused}/a.img"));
        tricks::say(answer)
    };
    let head = || tricks::raw(Answer::new(200, "text/plain", CONTENT).head());
    let whole = || tricks::say(Answer::new(200, "text/plain", CONTENT));
    server.on("HEAD", "/moved", 1..=usize::MAX, redirect());
    server.on("GET", "/moved", 1..=usize::MAX, redirect());
    server.on("HEAD", "/later", 1..=usize::MAX, head());
    server.on("GET", "/later", 1..=usize::MAX, redirect());
    server.on("HEAD", "/last", 1..=usize::MAX, head());
    server.on("GET", "/last", 1..=1, whole());
    server.on("GET", "/last", 2..=usize::MAX, redirect());
    block_on(async {
        let local = open(&place).await;
        let id = queued(&local).await;
        let moved = format!("{}/moved", server.url());
        let begun = local.begin_registration(&id, &moved, None).await;
        assert_eq!(kind(begun.map(drop)), Invalid);
        assert_eq!(kind(add(&local, &id, &moved).await), Invalid);
        assert_eq!(server.count("HEAD", "/a.img"), 0);

        // The data is read by the task.
        let later = format!("{}/later", server.url());
        let rest = local.begin_registration(&id, &later, None).await.unwrap();
        assert_eq!(kind(rest.await), Invalid);
        let (image, task) = state(&local, &id).await;
        assert_eq!(image.status, ImageStatus::Queued);
        let message = task.unwrap().message;
        assert!(message.contains("redirects to an address"), "{message}");

        // It is read again by a download.
        let last = format!("{}/last", server.url());
        let rest = local.begin_registration(&id, &last, None).await.unwrap();
        rest.await.unwrap();
        let opened = local.open_image(&id, Reading::default()).await;
        assert!(opened.is_err());
        assert_eq!(server.count("GET", "/a.img"), 0);

        // A command follows them.
        let command = place.open().await;
        let opened = command.open_image(&id, Reading::default()).await;
        assert!(opened.unwrap().source.is_some());
        let id = queued(&command).await;
        command.register_location(&id, &moved, None).await.unwrap();
        let image = command.get_image(&id).await.unwrap();
        assert_eq!(image.status, ImageStatus::Active);
    });
}
