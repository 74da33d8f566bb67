//! The older kind of import: a task that also creates the image, from `task-create`.
//!
//! *Source:* `glance/async_/flows/base_import.py`, `glance/common/scripts/utils.py` of the reference
//! implementation.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::address;
use crate::data::Watch;
use crate::local::catalog::is_in_doubt;
use crate::local::journal::{Entry, explained};
use crate::local::{Engine, Local};
use crate::model::import::LOCK;
use crate::model::task::IMPORT;
use crate::model::{ImageStatus, Import, ImportMethod, NewImage, Task, TaskStatus};
use crate::service::{Images, Running};
use crate::{Error, Result};

impl Local {
    /// Begins an import task that creates an image from an address. Returns the initial task, and the rest of the
    /// operation.
    pub(in crate::local) async fn import_by_task(&self, input: Value) -> Result<(Task, Running)> {
        let request = TaskInput::read(&input)?;
        address::check(&request.uri, self.settings.import.addresses.get()?)?;
        self.settings.import.task_hours.get()?;
        let task = self.new_task(IMPORT, input, None);
        let pending = Task {
            status: TaskStatus::Pending,
            ..task.clone()
        };
        let local = self.clone();
        let begin = async move {
            let entry = local.begin_task(&task, &request).await?;
            Ok((task, request, entry))
        };
        let local = self.clone();
        let rest =
            |(task, request, entry)| async move { local.run_task(task, request, entry).await };
        self.begin_and_run(begin, |begun| (pending, begun), rest)
            .await
    }

    /// Records a task in the journal, then in the catalogue.
    async fn begin_task(&self, task: &Task, request: &TaskInput) -> Result<Entry> {
        // Until the image has an import of its own, this entry reveals a crash of the task's process. An ID that
        // the caller chose may be that of an existing image, which recovery must not delete.
        let entry = self
            .note_import(&task.id, &task.id, request.image_id())
            .await?;
        let committed = self
            .catalog
            .write(async |transaction| transaction.insert_task(task).await)
            .await;
        match committed {
            Ok(()) => Ok(entry),
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, entry.close().await)),
        }
    }

    /// Runs a task. A failure is recorded in the task.
    async fn run_task(&self, task: Task, request: TaskInput, entry: Entry) -> Result<()> {
        let made = request.image_id().map(str::to_string);
        let error = match Box::pin(self.create_and_import(&task, request)).await {
            Ok(()) => return entry.close().await,
            // The entry stays for recovery.
            Err(error) if is_in_doubt(&error) => return Err(error),
            Err(error) => error,
        };
        let failed = self.finished_task(task, Err(error.message().to_string()));
        self.catalog
            .write(async |transaction| transaction.finish_task(&failed).await)
            .await?;
        if let Some(id) = made
            && !self.delete_unfilled(&id).await?
        {
            return Ok(());
        }
        entry.close().await
    }

    /// Creates the image of a task, and imports its data.
    async fn create_and_import(&self, task: &Task, request: TaskInput) -> Result<()> {
        let has_own_id = request.has_own_id;
        let image = NewImage {
            attributes: request.attributes,
        };
        let image = self.create_image(image).await?;
        let import = Import::new(ImportMethod::WebDownload { uri: request.uri });
        let mut task = task.clone();
        task.image_id = Some(image.id.clone());
        let imported = async {
            match self.begin_import(&image.id, &import, Some(task)).await? {
                Some(job) => Box::pin(self.run_import(job, &Watch::default())).await,
                None => Ok(()),
            }
        };
        let imported = Box::pin(imported).await;
        if let Err(error) = &imported
            && has_own_id
            && !is_in_doubt(error)
        {
            self.delete_unfilled(&image.id).await?;
        }
        imported
    }
}

impl Engine {
    /// Deletes an image that a task created, unless data has arrived or an import holds it. Returns whether nothing
    /// is left to delete.
    pub(in crate::local) async fn delete_unfilled(&self, id: &str) -> Result<bool> {
        self.catalog
            .write(async |transaction| {
                let stored = transaction.load_image(id, "").await?;
                Ok(match stored.map(|stored| stored.image) {
                    Some(image) if image.status == ImageStatus::Queued => {
                        let is_free = image.property(LOCK).is_none();
                        if is_free {
                            transaction.delete_image(id, ImageStatus::Deleted).await?;
                        }
                        is_free
                    }
                    // Data has arrived, or the owner has staged other data.
                    Some(image) => {
                        !matches!(image.status, ImageStatus::Saving | ImageStatus::Importing)
                    }
                    None => true,
                })
            })
            .await
    }
}

/// The input of an import task.
struct TaskInput {
    uri: String,
    /// The attributes of the image to create, including its ID.
    attributes: Map<String, Value>,
    /// Whether the caller chose the ID.
    has_own_id: bool,
}

impl TaskInput {
    /// Returns the ID of the image to be created; None if the caller chose it.
    fn image_id(&self) -> Option<&str> {
        let id = self.attributes.get("id").and_then(Value::as_str);
        id.filter(|_| !self.has_own_id)
    }

    fn read(input: &Value) -> Result<Self> {
        let missing = |key: &str| Error::invalid(format!("Input does not contain '{key}' field"));
        let text = |key: &str| {
            let value = input.get(key).ok_or_else(|| missing(key))?;
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_string).ok_or_else(|| {
                Error::invalid(format!("input '{key}' must be a string, got {value}"))
            })
        };
        let uri = text("import_from")?;
        let format = text("import_from_format")?;
        let properties = input.get("image_properties");
        let properties = properties.ok_or_else(|| missing("image_properties"))?;
        let mut attributes = properties
            .as_object()
            .cloned()
            .ok_or_else(|| Error::invalid("input 'image_properties' must be an object"))?;
        attributes.entry("disk_format").or_insert(json!(format));
        attributes
            .entry("container_format")
            .or_insert(json!("bare"));
        let has_own_id = attributes.contains_key("id");
        attributes
            .entry("id")
            .or_insert_with(|| Uuid::new_v4().to_string().into());
        Ok(Self {
            uri,
            attributes,
            has_own_id,
        })
    }
}
