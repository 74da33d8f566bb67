//! Work that a deployment does for its callers.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use serde_json::Value;

use super::Running;
use crate::Result;
use crate::model::{Task, TaskQuery};

/// Tasks in chunks, in the order asked for.
pub type TaskStream<'a> = BoxStream<'a, Result<Vec<Task>>>;

/// Tasks. All but those of one image are for administrators.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// The tasks that match, in order, without what they were asked and what came of them.
    ///
    /// # Errors
    /// In the stream: `Forbidden`; `Invalid` for a status, a kind, a sort key or a marker that is not
    /// known.
    fn list_tasks(&self, query: TaskQuery) -> TaskStream<'_>;

    /// One task.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    async fn get_task(&self, id: &str) -> Result<Task>;

    /// Asks for a task of kind `import`, which makes an image from an address; `input` has
    /// `import_from`, `import_from_format` and `image_properties`. Gives the task as it was asked for, and
    /// what is left to do here; that the task fails is no error of that.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` for another kind, and for an address that is not allowed.
    async fn create_task(&self, kind: &str, input: Value) -> Result<(Task, Running)>;

    /// The tasks that worked on an image, the oldest first.
    ///
    /// # Errors
    /// `NotFound` for an image that the caller may not see.
    async fn image_tasks(&self, id: &str) -> Result<Vec<Task>>;
}
