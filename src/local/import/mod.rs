//! Imports: a task takes data that was staged, fetches it, or copies it, and stores it, in one store or
//! several.
//!
//! The command that asks for an import does it, and reports the image as it is before the end. An entry in the journal is
//! locked until then, and the image bears the task's id as the reference implementation's lock
//! (`os_glance_import_task`); the next command after a death undoes what was done. Where all stores must
//! succeed, the data gets its final names in all of them first, and one transaction makes it theirs;
//! else each copy is recorded on its own.
//!
//! *Source:* `import_image` in `glance/api/v2/images.py`, `glance/async_/flows/api_image_import.py` of the
//! reference implementation.

mod address;
mod convert;
mod elsewhere;
mod fetch;
mod job;
mod legacy;
mod plugins;
mod undo;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Local;
use super::catalog::{StoredImage, is_in_doubt};
use super::events::Event;
use super::journal::{Entry, Intent, Note, explained};
use super::policy::{self, Action, ImageTarget};
use crate::data::Watch;
use crate::model::import::{FAILED, LOCK, TO_GO};
use crate::model::task::IMPORT_OF_IMAGE;
use crate::model::{
    Destination, Image, ImageStatus, Import, ImportMethod, Task, TaskStatus, Timestamp,
};
use crate::service::{Imports, Running, Staging};
use crate::{Error, Operation, Result};

/// The property that holds the server that staged the data.
const STAGE_HOST: &str = "os_glance_stage_host";

/// How long the lock of a task that is not heard of holds; twice as long for one that waits for its turn.
///
/// *Source:* `_enforce_import_lock` in `glance/api/v2/images.py`.
const LOCK_HOLDS: jiff::SignedDuration = jiff::SignedDuration::from_mins(60);

/// An import under way.
struct Job {
    /// Id of the image.
    id: String,
    /// The task that does it.
    task: Task,
    /// How the data gets in.
    method: ImportMethod,
    /// Ids of the stores it goes to, without one where stores have no names; never empty.
    stores: Vec<Option<String>>,
    /// Whether it goes into all of them or none.
    all_or_none: bool,
    /// Ours while it goes on.
    entry: Entry,
}

#[async_trait]
impl Imports for Local {
    async fn stage_image(&self, id: &str, staging: Staging) -> Result<()> {
        let id = id.to_string();
        let watch = staging.watch.clone();
        let change = |local: Self, watch| async move {
            local.stage(&id, Staging { watch, ..staging }).await
        };
        self.to_its_end(&watch, change).await
    }

    async fn import_image(&self, id: &str, import: Import, watch: Watch) -> Result<Running> {
        let (local, id) = (self.clone(), id.to_string());
        let begin = async move { local.begin_import(&id, &import, None).await };
        let local = self.clone();
        let rest = |job: Option<Job>| async move {
            match job {
                Some(job) => Box::pin(local.run(job, &watch)).await,
                None => Ok(()),
            }
        };
        let ((), running) = self.begin_and_run(begin, |job| ((), job), rest).await?;
        Ok(running)
    }
}

impl Local {
    /// Runs an operation of two parts in one task that nothing but its own errors ends: `begin`, whose result
    /// `split` divides into what the caller is told and what `rest` goes on with. The rest starts when the caller
    /// awaits it, or goes away.
    pub(super) async fn begin_and_run<B, T, J, R>(
        &self,
        begin: impl Future<Output = Result<B>> + Send + 'static,
        split: impl FnOnce(B) -> (T, J) + Send + 'static,
        rest: impl FnOnce(J) -> R + Send + 'static,
    ) -> Result<(T, Running)>
    where
        B: Send + 'static,
        T: Send + 'static,
        J: Send + 'static,
        R: Future<Output = Result<()>> + Send + 'static,
    {
        let (result, caller) = oneshot::channel();
        let (start, started) = oneshot::channel::<()>();
        let running = self.spawn(async move {
            // Sending fails where the caller has gone away.
            let (outcome, job) = match begin.await.map(split) {
                Ok((told, job)) => (Ok(told), Some(job)),
                Err(error) => (Err(error), None),
            };
            let _ = result.send(outcome);
            let Some(job) = job else { return Ok(()) };
            // An error says that the caller has gone away.
            let _ = started.await;
            rest(job).await
        });
        let told = caller
            .await
            .map_err(|error| Error::internal("an import was cut off").because(error))??;
        let running = async move {
            let _ = start.send(());
            running.await
        };
        Ok((told, Box::pin(running)))
    }

    /// Takes the image for an import, by `task` if there is one already; None when there is nothing to do.
    async fn begin_import(
        &self,
        id: &str,
        import: &Import,
        task: Option<Task>,
    ) -> Result<Option<Job>> {
        let name = import.method.name();
        let methods = self.settings.import.methods.get()?;
        self.settings.import.task_hours.get()?;
        if !methods.iter().any(|known| known == name) {
            return Err(
                Error::invalid(format!("Unknown import method name '{name}'."))
                    .hint(format!("There are: {}.", methods.join(", "))),
            );
        }
        if let ImportMethod::WebDownload { uri } = &import.method {
            address::check(uri, self.settings.import.addresses.get()?)?;
        }
        // What nobody may see, and what is no image, has no entry in a journal.
        let found = self.find(id).await?;
        self.check_import(&found, &import.method)?;
        let size = found.image.size.unwrap_or(0);
        if import.method == ImportMethod::GlanceDirect {
            self.check_size(size).await?;
        } else {
            // What is fetched or copied counts as staged meanwhile.
            self.check_size(0).await?;
            self.check_staging(size).await?;
        }
        let id = found.image.id;
        let task_id = match &task {
            Some(task) => task.id.clone(),
            None => Uuid::new_v4().to_string(),
        };
        let entry = self.note_import(&id, &task_id, None).await?;
        let prepared = self.take_image(&id, import, task, &task_id).await;
        match prepared {
            Ok(Some((task, stores))) => {
                self.emit(&self.caller, &Event::TaskCreated(&task));
                Ok(Some(Job {
                    id,
                    task,
                    method: import.method.clone(),
                    stores,
                    all_or_none: import.all_must_succeed != Some(false),
                    entry,
                }))
            }
            Ok(None) => {
                entry.close().await?;
                Ok(None)
            }
            // The entry of the journal stays, and recovery finds out.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, entry.close().await)),
        }
    }

    /// Notes in the journal that this process does an import by `task`: of image `id`, or of a task that has yet to
    /// create its image, where `id` is the task's and `image` that of the image, if it is known.
    async fn note_import(&self, id: &str, task: &str, image: Option<&str>) -> Result<Entry> {
        let note = Note {
            task: Some(task.to_string()),
            image: image.map(str::to_string),
            ..Note::default()
        };
        self.note(id, &Intent::Import, Some(note), || busy(id))
            .await
    }

    /// In one transaction: looks at everything, locks the image, and records the task, by the id that the journal
    /// has of it.
    async fn take_image(
        &self,
        id: &str,
        import: &Import,
        task: Option<Task>,
        task_id: &str,
    ) -> Result<Option<(Task, Vec<Option<String>>)>> {
        self.catalog
            .write(async |transaction| {
                let found = transaction.load_image(id, &self.caller.project).await?;
                let found = self.visible(found, id)?;
                self.check_import(&found, &import.method)?;
                if let Some(other) = found.image.property(LOCK) {
                    let other = transaction.load_task(other).await?;
                    check_lock(id, other.as_ref())?;
                }
                let stores = self.targets(&found, import)?;
                if stores.is_empty() {
                    return Ok(None);
                }
                let cap = self.room(found.image.owner.as_deref()).await?;
                if found.image.size.is_some_and(|size| size > cap.bytes) {
                    return Err(cap.exceeded());
                }
                let is_new = task.is_none();
                let task = task.clone().unwrap_or_else(|| {
                    let input = json!({
                        "image_id": id,
                        "import_req": import.to_api(),
                        "backend": stores,
                    });
                    Task {
                        id: task_id.to_string(),
                        ..self.new_task(IMPORT_OF_IMAGE, input, Some(id))
                    }
                });

                let mut image = found.image.clone();
                let named: Vec<&str> = stores.iter().flatten().map(String::as_str).collect();
                image.set_property(LOCK, &task.id);
                merge(&mut image, TO_GO, &named);
                subtract(&mut image, FAILED, &named);
                image.properties.retain(|(name, _)| name != STAGE_HOST);
                image.updated_at = self.catalog.now();
                transaction.update_image(&found.image, &image).await?;
                if import.method != ImportMethod::CopyImage {
                    let from = found.image.status;
                    transaction
                        .set_status(id, from, ImageStatus::Importing)
                        .await?;
                    self.check_uploading(&transaction).await?;
                }
                if is_new {
                    transaction.insert_task(&task).await?;
                }
                Ok(Some((task, stores)))
            })
            .await
    }

    /// Refuses an import that the image is in no state for, or that the caller may not ask for; in the
    /// order of the reference implementation.
    fn check_import(&self, stored: &StoredImage, method: &ImportMethod) -> Result<()> {
        let image = &stored.image;
        let name = method.name();
        let wrong = match (method, image.status) {
            (ImportMethod::CopyImage, ImageStatus::Active) => None,
            (ImportMethod::CopyImage, _) => {
                Some("Only images with status active can be targeted for copying".to_string())
            }
            (_, ImageStatus::Active) => {
                Some("Image with status active cannot be target for import".to_string())
            }
            (ImportMethod::GlanceDirect, ImageStatus::Uploading) if image.size.is_some() => None,
            (ImportMethod::GlanceDirect, ImageStatus::Importing) => return Err(busy(&image.id)),
            (ImportMethod::GlanceDirect, _) => Some(
                "Image needs to be staged before 'glance-direct' method can be used".to_string(),
            ),
            (_, ImageStatus::Queued) => None,
            _ => Some(format!(
                "Image needs to be in 'queued' state to use '{name}' method"
            )),
        };
        if let Some(wrong) = wrong {
            return Err(Error::conflict(wrong));
        }
        for (attribute, value) in [
            ("container_format", &image.container_format),
            ("disk_format", &image.disk_format),
        ] {
            // An image of another region brings its formats along.
            let needed = !matches!(method, ImportMethod::GlanceDownload(_));
            if needed && value.is_none() {
                return Err(Error::conflict(format!(
                    "'{attribute}' needs to be set before import"
                )));
            }
        }
        let target = ImageTarget::new(image, stored.is_member);
        match method {
            ImportMethod::CopyImage => policy::check(&self.caller, Action::CopyImage, target),
            _ => policy::check(&self.caller, Action::ImportImage, target),
        }
    }

    /// The stores that an import goes to; none when the image is in all of them.
    fn targets(&self, source: &StoredImage, import: &Import) -> Result<Vec<Option<String>>> {
        if !self.stores.named() {
            if import.all_must_succeed == Some(false) {
                return Err(Error::invalid(
                    "All_stores_must_succeed can only be set with enabled_backends",
                )
                .hint(
                    "The store of this deployment has no name; name several in glance-api.conf.",
                ));
            }
            return match &import.to {
                _ if import.method == ImportMethod::CopyImage => Err(Error::invalid(
                    "there is one store, and nothing to copy the image to",
                )
                .hint("Name several with enabled_backends in glance-api.conf.")),
                Destination::Several(stores) if !stores.is_empty() => {
                    Err(Error::conflict(format!(
                        "there is no store '{}': the store of this deployment has no name",
                        stores.join(", ")
                    )))
                }
                _ => Ok(vec![None]),
            };
        }
        let mut ids = match &import.to {
            Destination::Default => vec![self.stores.get(None)?.info().id.clone()],
            Destination::One(store) => vec![store.clone()],
            Destination::Several(stores) => stores.clone(),
            Destination::All => {
                let all = self.stores.iter().map(super::store::Store::info);
                all.filter(|info| !info.read_only)
                    .map(|info| info.id.clone())
                    .collect()
            }
        };
        ids.dedup();
        for id in &ids {
            let store = self.stores.get(Some(id));
            let store = store.map_err(|error| Error::conflict(error.message()).hints_of(&error))?;
            if store.info().read_only {
                return Err(Error::conflict(format!(
                    "store '{id}' can only be read from"
                )));
            }
        }
        if import.method == ImportMethod::CopyImage {
            let has = |id: &String| {
                let mut stores = source.locations.iter().filter_map(|at| at.store());
                stores.any(|store| store == id)
            };
            if import.to == Destination::All {
                ids.retain(|id| !has(id));
            } else if let Some(id) = ids.iter().find(|id| has(id)) {
                return Err(Error::invalid(format!(
                    "Image is already present at store '{id}'"
                )));
            }
        }
        Ok(ids.into_iter().map(Some).collect())
    }
}

/// An image that is being imported already.
fn busy(id: &str) -> Error {
    Error::conflict("Image has active task").hint(Operation::ListTasks(id.to_string()))
}

/// Refuses an image whose lock is held by a task, unless that was not heard of for so long that it must
/// be dead; those of our own processes that are dead were cleared before.
fn check_lock(id: &str, holder: Option<&Task>) -> Result<()> {
    let Some(task) = holder else {
        return Ok(());
    };
    let holds = match task.status {
        TaskStatus::Pending => LOCK_HOLDS * 2,
        _ => LOCK_HOLDS,
    };
    if Timestamp::now().since(task.updated_at) >= holds {
        return Ok(());
    }
    Err(busy(id))
}

/// The stores that a property of an image lists.
fn listed(image: &Image, property: &str) -> Vec<String> {
    let text = image.property(property).unwrap_or_default();
    let stores = text.split(',').filter(|store| !store.is_empty());
    stores.map(str::to_string).collect()
}

/// Adds stores to those that a property lists.
fn merge(image: &mut Image, property: &str, stores: &[&str]) {
    let mut all = listed(image, property);
    all.extend(stores.iter().map(ToString::to_string));
    all.sort();
    all.dedup();
    image.set_property(property, &all.join(","));
}

/// Takes stores off those that a property lists.
fn subtract(image: &mut Image, property: &str, stores: &[&str]) {
    let mut all = listed(image, property);
    all.retain(|store| !stores.contains(&store.as_str()));
    all.sort();
    image.set_property(property, &all.join(","));
}
