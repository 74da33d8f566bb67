//! Imports: a task takes staged data, downloads it, or copies it, and stores it in one or more stores.
//!
//! The command that requests an import also runs it, and first reports the image with the import in progress. The
//! import's journal entry is locked until it ends, and the image has the task's ID as the reference
//! implementation's lock (`os_glance_import_task`). After a crash, the next command undoes the import. If all
//! stores must succeed, the data is first stored under its final names in all of them and then recorded in one
//! transaction. Otherwise each copy is recorded on its own.
//!
//! *Source:* `import_image` in `glance/api/v2/images.py`, `glance/async_/flows/api_image_import.py` of the
//! reference implementation.

pub(super) mod address;
mod convert;
mod derived;
mod fetch;
mod job;
mod legacy;
mod plugins;
mod region;
mod undo;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::Local;
use super::catalog::{StoredImage, Transaction, is_in_doubt};
use super::events::Event;
use super::journal::{Entry, Intent, Note, explained};
use super::policy::{Action, ImageTarget};
use crate::config::ProjectLimits;
use crate::data::Watch;
use crate::model::import::{FAILED, LOCK, STAGE_HOST, TO_GO};
use crate::model::task::IMPORT_OF_IMAGE;
use crate::model::{
    Destination, Image, ImageStatus, Import, ImportMethod, Task, TaskStatus, Timestamp,
};
use crate::service::{Imports, Running, Staging};
use crate::{Error, ErrorKind, Operation, Result};

/// The lifetime of the lock of a task without progress; twice as long for a pending one.
///
/// *Source:* `_enforce_import_lock` in `glance/api/v2/images.py`.
const LOCK_HOLDS: jiff::SignedDuration = jiff::SignedDuration::from_mins(60);

/// An import in progress.
struct Job {
    /// The ID of the image.
    id: String,
    /// The task of the import.
    task: Task,
    /// The import method.
    method: ImportMethod,
    /// The IDs of the target stores; None if stores have no names. Never empty.
    stores: Vec<Option<String>>,
    /// Whether all stores must succeed.
    all_or_none: bool,
    /// The journal entry, locked during the import.
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
                Some(job) => Box::pin(local.run_import(job, &watch)).await,
                None => Ok(()),
            }
        };
        let ((), running) = self.begin_and_run(begin, |job| ((), job), rest).await?;
        Ok(running)
    }

    async fn stage_host(&self, id: &str) -> Result<Option<String>> {
        let stored = self.find(id).await?;
        Ok(stored.image.property(STAGE_HOST).map(str::to_string))
    }
}

impl Local {
    /// Runs an operation of two parts in one task, which continues if the caller goes away. `split` divides the
    /// result of `begin` into the caller's result and the input of `rest`. `rest` starts when the caller awaits it,
    /// or goes away.
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
            // Sending fails if the caller has gone away.
            let (outcome, job) = match begin.await.map(split) {
                Ok((response, job)) => (Ok(response), Some(job)),
                Err(error) => (Err(error), None),
            };
            let _ = result.send(outcome);
            let Some(job) = job else { return Ok(()) };
            // An error means that the caller has gone away.
            let _ = started.await;
            rest(job).await
        });
        let response = caller
            .await
            .map_err(|error| Error::internal("an import's task ended early").because(error))??;
        let running = async move {
            let _ = start.send(());
            running.await
        };
        Ok((response, Box::pin(running)))
    }

    /// Locks the image for an import by `task`, or by a new task; None if there is nothing to do.
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
                    .hint(format!("Known methods: {}.", methods.join(", "))),
            );
        }
        if let ImportMethod::WebDownload { uri } = &import.method {
            address::check(uri, self.settings.import.addresses.get()?)?;
        }
        // No journal entry for an image that does not exist or that the caller may not see.
        let found = self.find(id).await?;
        self.check_import(&found, &import.method)?;
        let size = found.image.size.unwrap_or(0);
        let limits = self.project_limits().await?;
        if import.method == ImportMethod::GlanceDirect {
            self.check_size(limits, size).await?;
        } else {
            // Data that is downloaded or copied counts as staged during the import.
            self.check_size(limits, 0).await?;
            self.check_staging(limits, size).await?;
        }
        let id = found.image.id;
        let task_id = match &task {
            Some(task) => task.id.clone(),
            None => Uuid::new_v4().to_string(),
        };
        let entry = self.note_import(&id, &task_id, None).await?;
        let prepared = self.lock_image(&id, import, task, &task_id, limits).await;
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
            // The journal entry stays, and recovery decides.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, entry.close().await)),
        }
    }

    /// Records in the journal that this process imports by `task`: into image `id`, or for a task that has yet to
    /// create its image. Then `id` is the task's ID, and `image` that of the image, if known.
    pub(super) async fn note_import(
        &self,
        id: &str,
        task: &str,
        image: Option<&str>,
    ) -> Result<Entry> {
        let note = Note {
            task: Some(task.to_string()),
            image: image.map(str::to_string),
            ..Note::default()
        };
        self.note(id, &Intent::Import, Some(note), || busy(id))
            .await
    }

    /// Checks all conditions, locks the image, and records the task with the ID in the journal, in one transaction.
    async fn lock_image(
        &self,
        id: &str,
        import: &Import,
        task: Option<Task>,
        task_id: &str,
        limits: ProjectLimits,
    ) -> Result<Option<(Task, Vec<Option<String>>)>> {
        self.catalog
            .write(async |transaction| {
                let found = transaction.load_image(id, &self.caller.project).await?;
                let found = self.visible(found, id)?;
                self.check_import(&found, &import.method)?;
                self.check_unlocked(&transaction, &found.image).await?;
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
                image.updated_at = self.catalog.now();
                transaction.update_image(&found.image, &image).await?;
                if import.method != ImportMethod::CopyImage {
                    let from = found.image.status;
                    transaction
                        .set_status(id, from, ImageStatus::Importing)
                        .await?;
                    self.check_uploading(&transaction, limits).await?;
                }
                if is_new {
                    transaction.insert_task(&task).await?;
                }
                Ok(Some((task, stores)))
            })
            .await
    }

    /// Checks that no task holds the image's lock.
    pub(super) async fn check_unlocked(
        &self,
        transaction: &Transaction,
        image: &Image,
    ) -> Result<()> {
        let Some(holder) = image.property(LOCK) else {
            return Ok(());
        };
        let holder = transaction.load_task(holder).await?;
        check_lock(&image.id, holder.as_ref())
    }

    /// Checks that the image's state and the caller's role allow the import, in the order of the reference
    /// implementation.
    fn check_import(&self, stored: &StoredImage, method: &ImportMethod) -> Result<()> {
        let image = &stored.image;
        let name = method.name();
        let target = ImageTarget::new(image, stored.is_member);
        let action = match method {
            ImportMethod::CopyImage => Action::CopyImage,
            _ => Action::ImportImage,
        };
        let allowed = self.policy.check(&self.caller, action, target);
        // The status of an image is for callers that may get it.
        if let Err(error) = &allowed
            && error.kind() == ErrorKind::NotFound
        {
            return allowed;
        }
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
            // An image of another region has its own formats.
            let needed = !matches!(method, ImportMethod::GlanceDownload(_));
            if needed && value.is_none() {
                return Err(Error::conflict(format!(
                    "'{attribute}' needs to be set before import"
                )));
            }
        }
        allowed
    }

    /// Returns the stores of an import; none if all of them have the image already.
    fn targets(&self, source: &StoredImage, import: &Import) -> Result<Vec<Option<String>>> {
        if !self.stores.named() {
            if import.all_must_succeed == Some(false) {
                return Err(Error::invalid(
                    "All_stores_must_succeed can only be set with enabled_backends",
                )
                .hint(
                    "The store of this deployment has no name. Configure named stores in glance-api.conf.",
                ));
            }
            return match &import.to {
                _ if import.method == ImportMethod::CopyImage => Err(Error::invalid(
                    "copying an image requires a deployment with several stores",
                )
                .hint("Configure several with enabled_backends in glance-api.conf.")),
                Destination::Several(stores) if !stores.is_empty() => {
                    Err(Error::conflict(format!(
                        "unknown store '{}': the store of this deployment has no name",
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
                return Err(Error::conflict(format!("store '{id}' is read-only")));
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

/// Returns the error for an image with another import in progress.
fn busy(id: &str) -> Error {
    Error::conflict("Image has active task").hint(Operation::ListTasks(id.to_string()))
}

/// Returns an error if a task holds the image's lock, unless it made no progress for so long that it must have
/// crashed. Crashed processes of this node have been cleared before.
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

/// Checks that a task still holds the image's lock.
pub(super) fn check_locked(stored: &StoredImage, task: &str) -> Result<()> {
    let image = &stored.image;
    if image.property(LOCK) == Some(task) {
        return Ok(());
    }
    let id = &image.id;
    Err(Error::conflict(format!(
        "image {id} is locked by another task"
    )))
}

/// Returns the stores in a list property of an image.
fn listed(image: &Image, property: &str) -> Vec<String> {
    let text = image.property(property).unwrap_or_default();
    let stores = text.split(',').filter(|store| !store.is_empty());
    stores.map(str::to_string).collect()
}

/// Adds stores to a list property of an image.
fn merge(image: &mut Image, property: &str, stores: &[&str]) {
    let mut all = listed(image, property);
    all.extend(stores.iter().map(ToString::to_string));
    all.sort();
    all.dedup();
    image.set_property(property, &all.join(","));
}

/// Removes stores from a list property of an image.
fn subtract(image: &mut Image, property: &str, stores: &[&str]) {
    let mut all = listed(image, property);
    all.retain(|store| !stores.contains(&store.as_str()));
    all.sort();
    image.set_property(property, &all.join(","));
}
