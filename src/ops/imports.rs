//! Imports, and waiting for them.

use std::time::Duration;

use serde_json::Value;

use crate::data::Watch;
use crate::model::import::{FAILED, LOCK, NOT_INTO, TO_GO};
use crate::model::task::IMPORT_OF_IMAGE;
use crate::model::{Image, Import, Task, TaskStatus, Timestamp};
use crate::service::{ImageService, Running};
use crate::{Error, ErrorKind, Result};

/// How long to wait before an image is looked at first, and at most between two looks.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Looks at a task whose image is free already: it is marked as failed a moment later.
const LAST_LOOKS: usize = 20;

/// How long a task may not be heard of before it is given up: as long as its lock holds.
const PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Whether to wait for an import, and who is told how it goes on.
pub struct Waiting<'a> {
    /// Hears what the task is doing, whenever that changes.
    pub tell: Option<&'a (dyn Fn(&str) + Sync)>,
    /// Who may stop the waiting.
    pub watch: Watch,
}

/// Waits until the import of an image is over; the record as it is then.
///
/// It is the image that is looked at: services write when they are asked for its tasks, which can cost a
/// task its place in a small database.
///
/// # Errors
/// `Failed` with the task's message where it fails, or is not heard of for an hour.
pub async fn wait(service: &dyn ImageService, id: &str, waiting: &Waiting<'_>) -> Result<Image> {
    let mut pause = WAITS.0;
    let mut told = String::new();
    let mut image = service.get_image(id).await?;
    while let Some(task) = image.property(LOCK).map(str::to_string) {
        if Timestamp::now().since(image.updated_at) > PATIENCE {
            let newest = newest(service, id).await?;
            if Timestamp::now().since(newest.updated_at) > PATIENCE {
                return Err(Error::failed(format!(
                    "task {task} has not been heard of since {}",
                    newest.updated_at
                ))
                .hint(format!("See glance image-tasks {id}.")));
            }
        }
        waiting.watch.check()?;
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(WAITS.1);
        image = service.get_image(id).await?;
        if let Some(tell) = waiting.tell {
            let now = describe(&newest(service, id).await?, &image);
            if now != told {
                tell(&now);
                told = now;
            }
        }
    }
    let mut task = newest(service, id).await?;
    for _ in 0..LAST_LOOKS {
        if task.status.is_final() {
            break;
        }
        tokio::time::sleep(WAITS.0).await;
        task = newest(service, id).await?;
    }
    over(image, &task)
}

/// The import of an image that was asked for last.
async fn newest(service: &dyn ImageService, id: &str) -> Result<Task> {
    let tasks = match service.image_tasks(id).await {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(match service.get_image(id).await {
                Ok(_) => Error::failed("this service does not tell of the tasks of an image")
                    .hint("Look at the image's status instead, without --wait."),
                Err(gone) => gone,
            });
        }
        other => other?,
    };
    tasks
        .into_iter()
        .filter(|task| task.kind == IMPORT_OF_IMAGE)
        // A database may know no less than seconds: of those of one second, one that goes on, or was changed
        // last, or had an end that left nothing to do again.
        .max_by_key(|task| {
            let succeeded = task.status == TaskStatus::Success;
            let goes_on = !task.status.is_final();
            (task.created_at, goes_on, task.updated_at, succeeded)
        })
        .ok_or_else(|| Error::failed(format!("there is no import of image {id}")))
}

/// What an import that is over came to.
fn over(image: Image, task: &Task) -> Result<Image> {
    let id = image.id.clone();
    if task.status == TaskStatus::Success {
        let failed = failed_stores(&image, task);
        if failed.is_empty() {
            return Ok(image);
        }
        let reasons = task
            .message
            .split_once(NOT_INTO)
            .map(|(_, reasons)| reasons);
        let failed = reasons.map_or_else(|| failed.join(", "), str::to_string);
        return Err(
            Error::failed(format!("image {id} was not imported into {failed}"))
                .hint("It is in the others. Copy it with --import-method copy-image."),
        );
    }
    Err(failure(&id, &task.message, image.status.name()))
}

/// Those of the stores that a task was to fill in which it failed; an image may bear others, of earlier
/// imports.
fn failed_stores<'a>(image: &'a Image, task: &Task) -> Vec<&'a str> {
    let asked = task.input.as_ref().map(|input| &input["backend"]);
    let asked = asked.and_then(Value::as_array);
    let was_asked = |store: &str| asked.is_none_or(|asked| asked.iter().any(|id| id == store));
    let failed = image.property(FAILED).unwrap_or_default().split(',');
    failed
        .filter(|store| !store.is_empty() && was_asked(store))
        .collect()
}

/// An import that failed, in the task's words.
pub fn failure(id: &str, message: &str, status: &str) -> Error {
    let message = if message.is_empty() {
        "the task does not say why"
    } else {
        message
    };
    Error::failed(format!("the import of image {id} failed: {message}"))
        .hint(format!("The image is {status}."))
}

/// A task in a line: how far it is, and in which stores.
fn describe(task: &Task, image: &Image) -> String {
    let mut line = format!("import {}", task.status.name());
    if !task.message.is_empty() {
        line.push_str(": ");
        line.push_str(&task.message);
    }
    let parts = [
        (
            "done",
            image.stores.as_ref().map(|stores| stores.join(", ")),
        ),
        ("to go", image.property(TO_GO).map(str::to_string)),
        ("failed", image.property(FAILED).map(str::to_string)),
    ];
    for (what, stores) in parts {
        if let Some(stores) = stores.filter(|stores| !stores.is_empty()) {
            line.extend(["; ", what, ": ", &stores]);
        }
    }
    line
}

/// Has an image imported. With waiting: the record as it is when that is over. Without: the record as it
/// is when it has begun, and what is left to do here.
pub async fn import(
    service: &dyn ImageService,
    id: &str,
    import: Import,
    transfer: Watch,
    waiting: Option<Waiting<'_>>,
) -> Result<(Image, Option<Running>)> {
    let running = service.import_image(id, import, transfer).await?;
    match waiting {
        Some(waiting) => {
            running.await?;
            Ok((wait(service, id, &waiting).await?, None))
        }
        None => Ok((service.get_image(id).await?, Some(running))),
    }
}
