//! Imports and waiting for their completion.

use std::time::Duration;

use serde_json::Value;

use crate::data::Watch;
use crate::model::import::{FAILED, LOCK, NOT_INTO, TO_GO};
use crate::model::task::IMPORT_OF_IMAGE;
use crate::model::{Image, Import, Task, TaskStatus, Timestamp};
use crate::service::{ImageService, Running};
use crate::{Error, ErrorKind, Operation, Parameter, Result};

/// Initial and maximum delay between checks of an image.
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Number of checks of a task after its image is unlocked: the task's status is updated slightly later.
const FINAL_CHECKS: usize = 20;

/// Maximum time without progress of a task; equals the lifetime of its lock.
const STALL_TIMEOUT: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// How to wait for an import.
pub struct Waiting<'a> {
    /// Called with a description of the progress whenever it changes.
    pub report: Option<&'a (dyn Fn(&str) + Sync)>,
    /// Interrupts waiting.
    pub watch: Watch,
}

/// Waits for the import of an image to finish and returns the updated image.
///
/// Polls the image rather than its tasks: services write to their database when tasks are listed, which can
/// make the task's own write fail on SQLite.
///
/// # Errors
/// `Failed` with the task's message if it fails, or if it makes no progress for an hour.
pub async fn wait(service: &dyn ImageService, id: &str, waiting: &Waiting<'_>) -> Result<Image> {
    let mut pause = POLL_INTERVALS.0;
    let mut reported = String::new();
    let mut image = service.get_image(id).await?;
    while let Some(task) = image.property(LOCK).map(str::to_string) {
        if Timestamp::now().since(image.updated_at) > STALL_TIMEOUT {
            let newest = newest(service, id).await?;
            if Timestamp::now().since(newest.updated_at) > STALL_TIMEOUT {
                return Err(Error::failed(format!(
                    "task {task} has made no progress since {}",
                    newest.updated_at
                ))
                .hint(Operation::ListTasks(id.to_string())));
            }
        }
        waiting.watch.sleep(pause).await?;
        pause = (pause * 3 / 2).min(POLL_INTERVALS.1);
        image = service.get_image(id).await?;
        if let Some(report) = waiting.report {
            let now = describe(&newest(service, id).await?, &image);
            if now != reported {
                report(&now);
                reported = now;
            }
        }
    }
    let mut task = newest(service, id).await?;
    for _ in 0..FINAL_CHECKS {
        if task.status.is_final() {
            break;
        }
        tokio::time::sleep(POLL_INTERVALS.0).await;
        task = newest(service, id).await?;
    }
    result_of(image, &task)
}

/// Returns the latest import task of an image.
async fn newest(service: &dyn ImageService, id: &str) -> Result<Task> {
    let tasks = match service.image_tasks(id).await {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(match service.get_image(id).await {
                Ok(_) => Error::failed("the service does not list the tasks of an image")
                    .hint(Parameter::NoWait)
                    .hint("Check the status of the image instead."),
                Err(gone) => gone,
            });
        }
        other => other?,
    };
    tasks
        .into_iter()
        .filter(|task| task.kind == IMPORT_OF_IMAGE)
        // Timestamps may have a precision of one second. Among equal ones, prefer unfinished tasks, then the
        // latest update, then success.
        .max_by_key(|task| {
            let succeeded = task.status == TaskStatus::Success;
            let goes_on = !task.status.is_final();
            (task.created_at, goes_on, task.updated_at, succeeded)
        })
        .ok_or_else(|| Error::failed(format!("image {id} has no import task")))
}

/// Returns the result of a finished import.
fn result_of(image: Image, task: &Task) -> Result<Image> {
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
                .hint("The other stores have it.")
                .hint(Operation::CopyImage(id)),
        );
    }
    Err(failure(&id, &task.message, image.status.name()))
}

/// Returns the stores of a task whose import failed. The image may list others from earlier imports.
fn failed_stores<'a>(image: &'a Image, task: &Task) -> Vec<&'a str> {
    let asked = task.input.as_ref().map(|input| &input["backend"]);
    let asked = asked.and_then(Value::as_array);
    let was_asked = |store: &str| asked.is_none_or(|asked| asked.iter().any(|id| id == store));
    let failed = image.property(FAILED).unwrap_or_default().split(',');
    failed
        .filter(|store| !store.is_empty() && was_asked(store))
        .collect()
}

/// Returns the error for a failed import, with the task's message.
pub fn failure(id: &str, message: &str, status: &str) -> Error {
    let message = if message.is_empty() {
        "the task gives no reason"
    } else {
        message
    };
    Error::failed(format!("the import of image {id} failed: {message}"))
        .hint(format!("The status of the image is {status}."))
}

/// Describes a task in one line: its status and its stores.
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

/// Imports the data of an image. With waiting, returns the image after the import; otherwise the image as the
/// import begins, and the rest of the work.
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
