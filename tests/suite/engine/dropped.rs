//! Callers that go away: an operation whose future is dropped ends by itself, in the same process.

use std::path::Path;
use std::pin::pin;

use futures_util::{StreamExt, poll, stream};
use glance_tools::data::{Source, Watch};
use glance_tools::local::Local;
use glance_tools::model::{
    Destination, Image, ImageStatus, Import, ImportMethod, NewImage, TaskQuery, TaskStatus,
};
use glance_tools::service::{ImageData, Images, Imports, Staging, Stores, Tasks, Upload};
use glance_tools::{ErrorKind, Result};
use serde_json::json;

use crate::support::{Place, block_on, files};

/// Data of an image: some blocks, so that a transfer can be stopped within.
const BLOCKS: usize = 6;

/// A block of it.
static BLOCK: [u8; 65536] = [7; 65536];

/// The most times that other tasks run before a future is dropped: more than any operation takes.
pub const LONGEST: usize = 2_000_000;

fn place() -> Place {
    let place = Place::new();
    place.configure(
        "[DEFAULT]\nenabled_backends = fast:file, slow:file\n\
         [glance_store]\ndefault_backend = fast\n[fast]\nfilesystem_store_datadir = images\n\
         [slow]\nfilesystem_store_datadir = images2\n",
    );
    place
}

/// Data that arrives block by block.
fn arriving() -> Source {
    let blocks = stream::iter(0..BLOCKS).then(|_| async {
        tokio::task::yield_now().await;
        Ok(bytes::Bytes::from_static(&BLOCK))
    });
    Source::stream(blocks)
}

/// Data that begins to arrive, and stops doing so.
fn stalled() -> Source {
    let first = stream::iter([Ok(bytes::Bytes::from_static(&BLOCK))]);
    Source::stream(first.chain(stream::pending()))
}

async fn queued(local: &Local) -> Image {
    let new = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
    let attributes = new.as_object().unwrap().clone();
    local.create_image(NewImage { attributes }).await.unwrap()
}

async fn staged(local: &Local) -> Image {
    let image = queued(local).await;
    local.stage_image(&image.id, staging()).await.unwrap();
    local.get_image(&image.id).await.unwrap()
}

fn staging() -> Staging {
    Staging {
        source: arriving(),
        size: None,
        watch: Watch::default(),
    }
}

fn import() -> Import {
    let mut import = Import::new(ImportMethod::GlanceDirect);
    import.to = Destination::All;
    import
}

/// An image in both stores.
async fn copied(local: &Local) -> Image {
    let image = staged(local).await;
    let running = local.import_image(&image.id, import(), Watch::default());
    running.await.unwrap().await.unwrap();
    local.get_image(&image.id).await.unwrap()
}

/// Lets an operation run until other tasks have run `turns` times, then drops it; whether it had ended.
pub async fn ends_within<T>(turns: usize, operation: impl Future<Output = Result<T>>) -> bool {
    let mut operation = pin!(operation);
    for _ in 0..=turns {
        if let std::task::Poll::Ready(done) = poll!(&mut operation) {
            done.map(drop).unwrap();
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Refuses whatever an operation may have left of an image that it did not finish with.
async fn assert_whole(place: &Place, local: &Local, id: &str, when: &str) {
    let data = place.data();
    let image = match local.get_image(id).await {
        Ok(image) => Some(image),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{when}");
            None
        }
    };
    let status = image.as_ref().map(|image| image.status);
    let in_stores = [files(&data.join("images")), files(&data.join("images2"))];
    let has_data = in_stores.iter().any(|files| files.contains(id));
    let is_staged = files(&data.join("staging")).contains(id);
    let expected = match status {
        None | Some(ImageStatus::Queued) => (false, false),
        Some(ImageStatus::Uploading) => (false, true),
        Some(ImageStatus::Active) => (true, false),
        other => panic!("{when}: {other:?}"),
    };
    assert_eq!((has_data, is_staged), expected, "{when}: {status:?}");
    let journal = files(&data.join(".journal"));
    assert_eq!(journal.len(), 0, "{when}: {journal:?}");
    for directory in ["images", "images2", "staging"] {
        let part = |name: &String| Path::new(name).extension().is_some();
        let parts: Vec<String> = files(&data.join(directory))
            .into_iter()
            .filter(part)
            .collect();
        assert_eq!(parts, [""; 0], "{when}");
    }
    let lock = image
        .as_ref()
        .and_then(|image| image.property("os_glance_import_task"));
    assert_eq!(lock, None, "{when}");
    let mut tasks = local.list_tasks(TaskQuery::default());
    while let Some(tasks) = tasks.next().await {
        let is_over = |task: &glance_tools::model::Task| {
            matches!(task.status, TaskStatus::Success | TaskStatus::Failure)
        };
        assert!(tasks.unwrap().iter().all(is_over), "{when}");
    }
}

/// Drops an operation at ever later moments, until it ends before that.
async fn drop_everywhere<T>(
    name: &str,
    prepare: impl AsyncFn(&Local) -> Image,
    operation: impl AsyncFn(&Local, &str) -> Result<T>,
) {
    let place = place();
    let local = place.open().await;
    let mut turns = 0;
    while turns < LONGEST {
        let image = prepare(&local).await;
        let ended = ends_within(turns, operation(&local, &image.id)).await;
        local.finish_changes().await;
        assert_whole(&place, &local, &image.id, &format!("{name} after {turns}")).await;
        if ended {
            return;
        }
        turns += 1 + turns / 4;
    }
    panic!("{name} does not end");
}

#[test]
fn an_upload_that_is_dropped_is_undone() {
    block_on(drop_everywhere("upload", queued, async |local, id| {
        local.upload_image(id, Upload::new(arriving())).await
    }));
}

#[test]
fn a_staging_that_is_dropped_is_undone() {
    block_on(drop_everywhere("stage", queued, async |local, id| {
        local.stage_image(id, staging()).await
    }));
}

#[test]
fn an_import_that_is_dropped_goes_on() {
    block_on(drop_everywhere("import", staged, async |local, id| {
        let watch = Watch::default();
        local.import_image(id, import(), watch).await?.await
    }));
}

#[test]
fn a_deletion_that_is_dropped_goes_on() {
    block_on(drop_everywhere("delete", copied, async |local, id| {
        local.delete_image(id).await
    }));
    block_on(drop_everywhere(
        "delete staged",
        staged,
        async |local, id| local.delete_image(id).await,
    ));
}

#[test]
fn a_deletion_of_a_copy_that_is_dropped_goes_on() {
    block_on(drop_everywhere(
        "delete a copy",
        copied,
        async |local, id| local.delete_from_store(id, "slow").await,
    ));
}

#[test]
fn a_transfer_whose_data_stalls_ends_with_its_caller() {
    block_on(async {
        let place = place();
        let local = place.open().await;
        let image = queued(&local).await;
        let upload = local.upload_image(&image.id, Upload::new(stalled()));
        assert!(!ends_within(20_000, upload).await);
        local.finish_changes().await;
        assert_whole(&place, &local, &image.id, "upload").await;
        let stage = local.stage_image(
            &image.id,
            Staging {
                source: stalled(),
                ..staging()
            },
        );
        assert!(!ends_within(20_000, stage).await);
        local.finish_changes().await;
        assert_whole(&place, &local, &image.id, "stage").await;
    });
}
