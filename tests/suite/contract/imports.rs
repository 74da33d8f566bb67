//! Data that is staged, fetched or copied, and the tasks that do it.

use std::time::Duration;

use futures_util::TryStreamExt;
use glance_tools::ErrorKind::{Conflict, Failed, Forbidden, Invalid, NotFound};
use glance_tools::data::Watch;
use glance_tools::model::{
    Destination, Image, ImageStatus, Import, ImportMethod, Task, TaskQuery, TaskStatus,
};
use glance_tools::ops::imports::{Waiting, wait};
use glance_tools::service::{ImageService, Reading, Staging, Upload};
use serde_json::json;

use super::data::{pipe, read};
use super::{Deployment, contract, kind, new_image, raw_image};
use crate::support::http::{Answer, Server};

contract! {
    what_is_staged_becomes_the_image
    data_is_staged_once_and_by_who_may
    only_what_is_staged_is_imported_directly
    what_is_on_the_web_is_fetched
    what_is_not_on_the_web_fails_in_the_task
    an_image_is_copied_into_another_store
    what_cannot_be_asked_for_is_refused
    tasks_are_for_administrators
    an_image_that_waits_for_its_import_can_be_deleted;

    local:
    // The real one leaves the image importing for ever, and its data in both places.
    data_that_is_refused_leaves_a_queued_image
    // The real one is asked while it goes on.
    a_store_that_fails_is_noted_and_the_others_go_on
    a_store_that_fails_undoes_the_others_where_all_must_succeed
}

fn staging(content: &[u8]) -> Staging {
    Staging {
        source: pipe(content),
        size: None,
        watch: Watch::default(),
    }
}

/// The data of an image.
async fn content(service: &dyn ImageService, id: &str) -> Vec<u8> {
    read(service.open_image(id, Reading::default()).await.unwrap()).await
}

async fn upload(
    service: &dyn ImageService,
    id: &str,
    content: &[u8],
) -> glance_tools::Result<Image> {
    service.upload_image(id, Upload::new(pipe(content))).await
}

/// Imports, and waits for the end of it.
async fn import(
    service: &dyn ImageService,
    id: &str,
    import: Import,
) -> glance_tools::Result<Image> {
    let running = service.import_image(id, import, Watch::default()).await?;
    running.await?;
    let waiting = Waiting {
        report: None,
        watch: Watch::default(),
    };
    // A service that forgets a task fails the test, and does not keep it.
    let over = tokio::time::timeout(Duration::from_mins(2), wait(service, id, &waiting));
    over.await.expect("an end of the import")
}

fn direct() -> Import {
    Import::new(ImportMethod::GlanceDirect)
}

fn web(uri: String) -> Import {
    Import::new(ImportMethod::WebDownload { uri })
}

fn copy(to: Destination) -> Import {
    Import {
        to,
        ..Import::new(ImportMethod::CopyImage)
    }
}

async fn tasks(service: &dyn ImageService, query: TaskQuery) -> Vec<Task> {
    service.list_tasks(query).try_concat().await.unwrap()
}

async fn what_is_staged_becomes_the_image(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "staged").await;
    demo.stage_image(&image.id, staging(b"some data"))
        .await
        .unwrap();
    let staged = demo.get_image(&image.id).await.unwrap();
    assert_eq!(
        (staged.status, staged.size),
        (ImageStatus::Uploading, Some(9))
    );
    assert_eq!(staged.checksum, None, "nothing is known of it");

    let done = import(demo.as_ref(), &image.id, direct()).await.unwrap();
    assert_eq!((done.status, done.size), (ImageStatus::Active, Some(9)));
    assert_eq!(
        done.property("os_glance_import_task"),
        None,
        "the lock is gone"
    );
    assert_eq!(done.property("os_glance_failed_import"), Some(""));
    assert_eq!(done.property("os_glance_importing_to_stores"), Some(""));
    assert_eq!(content(demo.as_ref(), &image.id).await, b"some data");

    let known = demo.image_tasks(&image.id).await.unwrap();
    let [task] = &known[..] else {
        panic!("{known:?}")
    };
    assert_eq!(
        (task.kind.as_str(), task.status),
        ("api_image_import", TaskStatus::Success)
    );
    assert_eq!(task.image_id.as_ref(), Some(&image.id));
    assert_eq!(task.result, Some(json!({"image_id": image.id})));
    assert_eq!(task.message, "Copied 0 MiB");
    assert!(task.expires_at.is_some());
    let stranger = on.service("other:member:u").await;
    assert_eq!(kind(stranger.image_tasks(&image.id).await), NotFound);
}

async fn data_is_staged_once_and_by_who_may(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "staged").await;
    let other = on.service("other:member:u").await;
    assert_eq!(
        kind(other.stage_image(&image.id, staging(b"x")).await),
        NotFound
    );
    assert_eq!(
        kind(
            demo.stage_image("11111111-1111-4111-8111-111111111111", staging(b"x"))
                .await
        ),
        NotFound
    );
    demo.stage_image(&image.id, staging(b"first"))
        .await
        .unwrap();
    assert_eq!(
        kind(demo.stage_image(&image.id, staging(b"second")).await),
        Conflict
    );
    assert_eq!(
        kind(upload(demo.as_ref(), &image.id, b"third").await),
        Conflict
    );
    let active = raw_image(demo.as_ref(), "active").await;
    upload(demo.as_ref(), &active.id, b"data").await.unwrap();
    assert_eq!(
        kind(demo.stage_image(&active.id, staging(b"x")).await),
        Conflict
    );
    let done = import(demo.as_ref(), &image.id, direct()).await.unwrap();
    assert_eq!(done.size, Some(5));
    assert_eq!(content(demo.as_ref(), &image.id).await, b"first");
}

async fn only_what_is_staged_is_imported_directly(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "queued").await;
    assert_eq!(
        kind(import(demo.as_ref(), &image.id, direct()).await),
        Conflict
    );
    upload(demo.as_ref(), &image.id, b"data").await.unwrap();
    assert_eq!(
        kind(import(demo.as_ref(), &image.id, direct()).await),
        Conflict
    );
    let bare = demo
        .create_image(new_image(json!({"name": "no formats"})))
        .await
        .unwrap();
    demo.stage_image(&bare.id, staging(b"data")).await.unwrap();
    assert_eq!(
        kind(import(demo.as_ref(), &bare.id, direct()).await),
        Conflict
    );
    let other = on.service("other:member:u").await;
    assert_eq!(
        kind(import(other.as_ref(), &bare.id, direct()).await),
        NotFound
    );
}

async fn what_is_on_the_web_is_fetched(on: impl Deployment) {
    on.with_imports();
    let page = Server::serving(b"from the web");
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "fetched").await;
    let done = import(demo.as_ref(), &image.id, web(page.url("/x")))
        .await
        .unwrap();
    assert_eq!((done.status, done.size), (ImageStatus::Active, Some(12)));
    assert_eq!(content(demo.as_ref(), &image.id).await, b"from the web");
    let again = import(demo.as_ref(), &image.id, web(page.url("/x"))).await;
    assert_eq!(kind(again), Conflict);
}

async fn what_is_not_on_the_web_fails_in_the_task(on: impl Deployment) {
    on.with_imports();
    let page = Server::answering(|_| Answer::empty(404));
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "missing").await;
    let failed = import(demo.as_ref(), &image.id, web(page.url("/x"))).await;
    assert_eq!(kind(failed), Failed);
    let after = demo.get_image(&image.id).await.unwrap();
    assert_eq!((after.status, after.size), (ImageStatus::Queued, None));
    assert_eq!(after.property("os_glance_import_task"), None);
    let known = demo.image_tasks(&image.id).await.unwrap();
    assert_eq!(known[0].status, TaskStatus::Failure);
    assert_ne!(known[0].message, "");
    // It can be tried again.
    let page = Server::serving(b"now it is there");
    import(demo.as_ref(), &image.id, web(page.url("/x")))
        .await
        .unwrap();
}

async fn an_image_is_copied_into_another_store(on: impl Deployment) {
    on.with_imports();
    let admin = on.service("admin:admin:u").await;
    let image = raw_image(admin.as_ref(), "copied").await;
    let image = upload(admin.as_ref(), &image.id, b"to be copied")
        .await
        .unwrap();
    assert_eq!(image.stores, Some(vec!["fast".to_string()]));
    let demo = on.service("demo:member:u").await;
    let shared = raw_image(demo.as_ref(), "of demo").await;
    upload(demo.as_ref(), &shared.id, b"data").await.unwrap();
    let to_slow = || copy(Destination::Several(vec!["slow".to_string()]));
    assert_eq!(
        kind(import(demo.as_ref(), &shared.id, to_slow()).await),
        Forbidden
    );

    let done = import(admin.as_ref(), &image.id, to_slow()).await.unwrap();
    let mut stores = done.stores.clone().unwrap();
    stores.sort();
    assert_eq!(stores, ["fast", "slow"]);
    assert_eq!(
        (done.status, &done.checksum, done.size),
        (ImageStatus::Active, &image.checksum, image.size)
    );
    assert_eq!(
        kind(import(admin.as_ref(), &image.id, to_slow()).await),
        Invalid
    );
    let nowhere = copy(Destination::Several(vec!["nowhere".to_string()]));
    assert_eq!(
        kind(import(admin.as_ref(), &image.id, nowhere).await),
        Conflict
    );
    // It is everywhere already: nothing is left to do.
    let running = admin
        .import_image(&image.id, copy(Destination::All), Watch::default())
        .await
        .unwrap();
    running.await.unwrap();
    assert_eq!(admin.image_tasks(&image.id).await.unwrap().len(), 1);
    let queued = raw_image(admin.as_ref(), "queued").await;
    assert_eq!(
        kind(import(admin.as_ref(), &queued.id, to_slow()).await),
        Conflict
    );
}

async fn what_cannot_be_asked_for_is_refused(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "queued").await;
    let odd = Import::new(ImportMethod::Other("teleport".to_string()));
    assert_eq!(kind(import(demo.as_ref(), &image.id, odd).await), Invalid);
    for uri in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "nonsense",
        "http://127.1/x",
        "http://[::1]/x",
    ] {
        let refused = import(demo.as_ref(), &image.id, web(uri.to_string())).await;
        assert_eq!(kind(refused), Invalid, "{uri}");
    }
    assert_eq!(
        demo.get_image(&image.id).await.unwrap().status,
        ImageStatus::Queued
    );
    assert_eq!(demo.image_tasks(&image.id).await.unwrap(), []);
}

async fn tasks_are_for_administrators(on: impl Deployment) {
    on.with_imports();
    let (admin, demo) = (
        on.service("admin:admin:u").await,
        on.service("demo:member:u").await,
    );
    let mut made = Vec::new();
    for name in ["one", "two", "three"] {
        let image = raw_image(demo.as_ref(), name).await;
        demo.stage_image(&image.id, staging(name.as_bytes()))
            .await
            .unwrap();
        import(demo.as_ref(), &image.id, direct()).await.unwrap();
        made.push(demo.image_tasks(&image.id).await.unwrap().remove(0).id);
    }
    on.spread("tasks", &made).await;
    let all: Vec<String> = tasks(admin.as_ref(), TaskQuery::default())
        .await
        .into_iter()
        .map(|task| task.id)
        .filter(|id| made.contains(id))
        .collect();
    assert_eq!(
        all,
        made.iter().rev().cloned().collect::<Vec<_>>(),
        "the newest first"
    );
    let behind = TaskQuery {
        marker: Some(made[2].clone()),
        page: Some(1),
        ..TaskQuery::default()
    };
    let behind = tasks(admin.as_ref(), behind).await;
    assert_eq!(
        behind[..2].iter().map(|task| &task.id).collect::<Vec<_>>(),
        [&made[1], &made[0]]
    );
    let failed = TaskQuery {
        status: Some("failure".to_string()),
        ..TaskQuery::default()
    };
    assert!(
        !tasks(admin.as_ref(), failed)
            .await
            .iter()
            .any(|task| made.contains(&task.id))
    );
    let odd = TaskQuery {
        status: Some("odd".to_string()),
        ..TaskQuery::default()
    };
    let listed: glance_tools::Result<Vec<Task>> = admin.list_tasks(odd).try_concat().await;
    assert_eq!(kind(listed), Invalid);

    let task = admin.get_task(&made[0]).await.unwrap();
    assert_eq!(task.owner, on.project("demo").await);
    assert_eq!(
        task.input.unwrap()["import_req"],
        json!({"method": {"name": "glance-direct"}})
    );
    let missing = "11111111-1111-4111-8111-111111111111";
    assert_eq!(kind(admin.get_task(missing).await), NotFound);
    assert_eq!(kind(demo.get_task(&made[0]).await), Forbidden);
    let listed: glance_tools::Result<Vec<Task>> =
        demo.list_tasks(TaskQuery::default()).try_concat().await;
    assert_eq!(kind(listed), Forbidden);
    let asked = demo.create_task("import", json!({})).await;
    assert_eq!(asked.err().map(|error| error.kind()), Some(Forbidden));
}

async fn an_image_that_waits_for_its_import_can_be_deleted(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "staged").await;
    demo.stage_image(&image.id, staging(b"data")).await.unwrap();
    demo.delete_image(&image.id).await.unwrap();
    assert_eq!(
        kind(import(demo.as_ref(), &image.id, direct()).await),
        NotFound
    );
    assert_eq!(on.staged(), Vec::<String>::new());
}

async fn data_that_is_refused_leaves_a_queued_image(on: impl Deployment) {
    on.with_imports();
    let demo = on.service("demo:member:u").await;
    let attributes = json!({"name": "x", "disk_format": "qcow2", "container_format": "bare"});
    let image = demo.create_image(new_image(attributes)).await.unwrap();
    demo.stage_image(&image.id, staging(b"no qcow2"))
        .await
        .unwrap();
    let refused = import(demo.as_ref(), &image.id, direct()).await;
    assert_eq!(kind(refused), glance_tools::ErrorKind::UnsupportedMedia);
    let after = demo.get_image(&image.id).await.unwrap();
    assert_eq!((after.status, after.size), (ImageStatus::Queued, None));
    assert_eq!(on.staged(), Vec::<String>::new());
    let known = demo.image_tasks(&image.id).await.unwrap();
    assert_eq!(known[0].status, TaskStatus::Failure);
    assert!(known[0].message.contains("qcow2"), "{}", known[0].message);
    // The record can be mended, and the data staged again.
    demo.stage_image(&image.id, staging(b"no qcow2"))
        .await
        .unwrap();
}

/// A deployment with two stores, of which `slow` takes nothing.
async fn with_a_broken_store(on: &impl Deployment) -> (Box<dyn ImageService>, String) {
    let demo = on.service("demo:member:u").await;
    let image = raw_image(demo.as_ref(), "staged").await;
    demo.stage_image(&image.id, staging(b"data")).await.unwrap();
    on.break_store(&image.id);
    (demo, image.id)
}

async fn a_store_that_fails_is_noted_and_the_others_go_on(on: impl Deployment) {
    on.with_imports();
    let (demo, id) = with_a_broken_store(&on).await;
    let some = Import {
        to: Destination::All,
        all_must_succeed: Some(false),
        ..direct()
    };
    let failed = import(demo.as_ref(), &id, some).await.unwrap_err();
    assert!(failed.message().contains("slow"), "{failed}");
    let image = demo.get_image(&id).await.unwrap();
    assert_eq!(
        (image.status, image.stores.unwrap()),
        (ImageStatus::Active, vec!["fast".to_string()])
    );
    assert_eq!(content(demo.as_ref(), &id).await, b"data");
    assert_eq!(on.staged(), Vec::<String>::new());
    assert_eq!(
        demo.image_tasks(&id).await.unwrap()[0].status,
        TaskStatus::Success
    );
}

async fn a_store_that_fails_undoes_the_others_where_all_must_succeed(on: impl Deployment) {
    on.with_imports();
    let (demo, id) = with_a_broken_store(&on).await;
    let all = Import {
        to: Destination::All,
        ..direct()
    };
    assert_eq!(kind(import(demo.as_ref(), &id, all).await), Conflict);
    let image = demo.get_image(&id).await.unwrap();
    assert_eq!(
        (image.status, image.size),
        (ImageStatus::Uploading, Some(4)),
        "as it was"
    );
    assert_eq!(image.property("os_glance_failed_import"), Some("slow"));
    assert_eq!(image.property("os_glance_import_task"), None);
    assert_eq!(on.staged(), std::slice::from_ref(&id));
    // What was staged is still there.
    let done = import(demo.as_ref(), &id, direct()).await.unwrap();
    assert_eq!(done.stores.unwrap(), ["fast"]);
    assert_eq!(content(demo.as_ref(), &id).await, b"data");
}
