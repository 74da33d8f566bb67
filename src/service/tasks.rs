//! Tasks of a deployment.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use serde_json::Value;

use super::Running;
use crate::Result;
use crate::model::{Task, TaskQuery};

/// Tasks in chunks, in the requested order.
pub type TaskStream<'a> = BoxStream<'a, Result<Vec<Task>>>;

/// Tasks. All but those of an image are for administrators.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Returns the matching tasks, in order, without their inputs and results.
    ///
    /// # Errors
    /// In the stream: `Forbidden`; `Invalid` for an unknown status, kind, sort key or marker.
    fn list_tasks(&self, query: TaskQuery) -> TaskStream<'_>;

    /// Returns a task.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    async fn get_task(&self, id: &str) -> Result<Task>;

    /// Creates a task of kind `import`, which creates an image from an address; `input` has `import_from`,
    /// `import_from_format` and `image_properties`. Returns the task as it was created, and the rest of its
    /// work in this process. A failure of the task is not an error of that.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for another kind, and for an address that is not allowed.
    async fn create_task(&self, kind: &str, input: Value) -> Result<(Task, Running)>;

    /// Returns the tasks of an image, the oldest first.
    ///
    /// # Errors
    /// `NotFound` for an image that is not visible to the caller.
    async fn image_tasks(&self, id: &str) -> Result<Vec<Task>>;
}
