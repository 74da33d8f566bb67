//! The older kind of import: a task that makes the image as well, asked for by `task-create`.
//!
//! *Source:* `glance/async_/flows/base_import.py`, `glance/common/scripts/utils.py` of the reference
//! implementation.

use serde_json::{Map, Value, json};

use super::address;
use crate::data::Watch;
use crate::local::Local;
use crate::local::catalog::is_in_doubt;
use crate::local::recovery::explained;
use crate::local::store::close;
use crate::model::task::IMPORT;
use crate::model::{Import, ImportMethod, NewImage, Task, TaskStatus};
use crate::service::{Images, Running};
use crate::{Error, Result};

impl Local {
    /// Begins to make an image from an address: the task as it was asked for, and what is left to do.
    pub(in crate::local) async fn import_by_task(
        &self,
        input: Value,
    ) -> Result<(Task, Running<'_>)> {
        let asked = Asked::read(&input)?;
        address::check(&asked.uri, self.settings.import.addresses.get()?)?;
        self.settings.import.task_hours.get()?;
        let task = self.new_task(IMPORT, input, None);
        // Until the image has an import of its own, this is what tells that the task's process is dead.
        let entry = self.note_import(&task.id, &task.id).await?;
        let record = || async {
            let transaction = self.catalog.begin().await?;
            transaction.insert_task(&task).await?;
            transaction.commit().await
        };
        match self.catalog.insist(record).await {
            Ok(()) => {}
            Err(error) if is_in_doubt(&error) => return Err(error),
            Err(error) => return Err(explained(error, close(entry).await)),
        }
        let pending = Task {
            status: TaskStatus::Pending,
            ..task.clone()
        };
        let running = async move {
            let Err(error) = Box::pin(self.make(&task, asked)).await else {
                return close(entry).await;
            };
            let failed = self.over(task, Err(error.message().to_string()));
            let record = || async {
                let transaction = self.catalog.begin().await?;
                transaction.finish_task(&failed).await?;
                transaction.commit().await
            };
            self.catalog.insist(record).await?;
            close(entry).await
        };
        Ok((pending, Box::pin(running)))
    }

    async fn make(&self, task: &Task, asked: Asked) -> Result<()> {
        let image = NewImage {
            attributes: asked.attributes,
        };
        let image = self.create_image(image).await?;
        let import = Import::new(ImportMethod::WebDownload { uri: asked.uri });
        let mut task = task.clone();
        task.image_id = Some(image.id.clone());
        let imported = async {
            match self.begin_import(&image.id, &import, Some(task)).await? {
                Some(job) => self.run(job, &Watch::default()).await,
                None => Ok(()),
            }
        };
        if let Err(error) = Box::pin(imported).await {
            self.delete_image(&image.id).await?;
            return Err(error);
        }
        Ok(())
    }
}

/// What a task of this kind is asked.
struct Asked {
    uri: String,
    attributes: Map<String, Value>,
}

impl Asked {
    fn read(input: &Value) -> Result<Self> {
        let missing = |key: &str| Error::invalid(format!("Input does not contain '{key}' field"));
        let text = |key: &str| {
            let value = input.get(key).ok_or_else(|| missing(key))?;
            let text = value.as_str().filter(|text| !text.is_empty());
            text.map(str::to_string)
                .ok_or_else(|| Error::invalid(format!("'{key}' of the input is no text: {value}")))
        };
        let uri = text("import_from")?;
        let format = text("import_from_format")?;
        let properties = input.get("image_properties");
        let properties = properties.ok_or_else(|| missing("image_properties"))?;
        let mut attributes = properties
            .as_object()
            .cloned()
            .ok_or_else(|| Error::invalid("'image_properties' of the input is no object"))?;
        attributes.entry("disk_format").or_insert(json!(format));
        attributes
            .entry("container_format")
            .or_insert(json!("bare"));
        Ok(Self { uri, attributes })
    }
}
