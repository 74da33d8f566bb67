//! The registration of data by its address: at once, or by a task that continues after the response.
//!
//! The task has a journal entry like an import, and the image has its ID as the lock of an import. So no import and no
//! other registration begins before its end, and after a crash the task fails and the lock is removed.
//!
//! *Source:* `add_location` in `glance/api/v2/images.py` and `glance/async_/flows/location_import.py` of the reference
//! implementation, which makes an image active before its data is read if there is no hash to compare.

use serde_json::{Map, json};
use uuid::Uuid;

use super::{Hashes, check_hash};
use crate::data::pump::{self, Sink, Taken};
use crate::data::{Algorithm, Source, Watch};
use crate::local::Local;
use crate::local::catalog::{StoredImage, is_in_doubt};
use crate::local::data::limited_to;
use crate::local::events::Event;
use crate::local::import::check_locked;
use crate::local::journal::{Entry, explained};
use crate::local::locations::wrong_status;
use crate::local::patch::{Draft, Prepared};
use crate::local::policy::{Action, ImageTarget};
use crate::local::store::Store;
use crate::model::address::redacted;
use crate::model::import::LOCK;
use crate::model::task::LOCATION_IMPORT;
use crate::model::{ByteRange, ImageStatus, Location, MultiHash, Task};
use crate::service::Running;
use crate::{Error, ErrorKind, Result};

/// The role of services that register data for users.
const SERVICE: &str = "service";

/// Data that a caller registers.
struct Registration {
    /// The ID of the image.
    id: String,
    location: Location,
    expected: Option<MultiHash>,
}

/// A registration by a task.
struct Job {
    new: Registration,
    prepared: Prepared,
    task: Task,
    /// The journal entry, locked until the end of the task.
    entry: Entry,
}

impl Local {
    /// Registers data, and returns when it is recorded.
    ///
    /// # Errors
    /// The errors of [`crate::service::Locations::register_location`].
    pub(in crate::local) async fn register_now(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()> {
        let new = self.new_registration(id, url, expected);
        let prepared = self.prepare_registration(&new).await?;
        let hashes = self.hashes_of(&new, &prepared).await?;
        let draft = |stored: &_| self.draft_registration(stored, &new, Some(hashes.clone()));
        self.commit_change(id, prepared, &draft).await.map(drop)
    }

    /// Begins the registration of data by a task.
    ///
    /// # Errors
    /// The errors of [`crate::service::Locations::begin_registration`].
    pub(in crate::local) async fn register_later(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<Running> {
        let new = self.new_registration(id, url, expected);
        let local = self.clone();
        let begin = async move { local.begin_location_task(new).await };
        let local = self.clone();
        let rest = |job| async move { local.run_location_task(job).await };
        let ((), running) = self.begin_and_run(begin, |job| ((), job), rest).await?;
        Ok(running)
    }

    fn new_registration(&self, id: &str, url: &str, expected: Option<&MultiHash>) -> Registration {
        Registration {
            id: id.to_string(),
            location: self.assigned(Location {
                url: url.to_string(),
                metadata: Map::new(),
            }),
            expected: expected.cloned(),
        }
    }

    /// Returns the record of an image with the new location, which is active if its hashes are known.
    fn draft_registration(
        &self,
        stored: &StoredImage,
        new: &Registration,
        hashes: Option<Hashes>,
    ) -> Result<Draft> {
        self.check_registration(stored, new)?;
        let mut draft = Draft::new(stored);
        draft.insert(usize::MAX, new.location.clone());
        draft.activate(hashes)?;
        Ok(draft)
    }

    async fn prepare_registration(&self, new: &Registration) -> Result<Prepared> {
        let draft = |stored: &_| self.draft_registration(stored, new, None);
        self.prepare_change(&new.id, &draft).await
    }

    /// Checks everything that needs no data, locks the image, and records the task.
    async fn begin_location_task(&self, new: Registration) -> Result<Job> {
        self.settings.import.task_hours.get()?;
        let prepared = self.prepare_registration(&new).await?;
        let task_id = Uuid::new_v4().to_string();
        let entry = self.note_import(&new.id, &task_id, None).await?;
        match self.lock_for_registration(&new, &task_id).await {
            Ok(task) => {
                self.emit(&self.caller, &Event::TaskCreated(&task));
                Ok(Job {
                    new,
                    prepared,
                    task,
                    entry,
                })
            }
            // The journal entry stays, and recovery decides.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => Err(explained(error, entry.close().await)),
        }
    }

    async fn lock_for_registration(&self, new: &Registration, task_id: &str) -> Result<Task> {
        let Registration { id, expected, .. } = new;
        let hash =
            |hash: &MultiHash| json!({"os_hash_algo": hash.algorithm, "os_hash_value": hash.value});
        let input = json!({
            "image_id": id,
            "loc_url": redacted(&new.location.url),
            "validation_data": expected.as_ref().map_or_else(|| json!({}), hash),
        });
        self.catalog
            .write(async |transaction| {
                let found = transaction.load_image(id, &self.caller.project).await?;
                let found = self.visible(found, id)?;
                self.check_registration(&found, new)?;
                self.check_unlocked(&transaction, &found.image).await?;
                let task = Task {
                    id: task_id.to_string(),
                    ..self.new_task(LOCATION_IMPORT, input.clone(), Some(id))
                };
                let mut image = found.image.clone();
                image.set_property(LOCK, &task.id);
                image.updated_at = self.catalog.now();
                transaction.update_image(&found.image, &image).await?;
                transaction.insert_task(&task).await?;
                Ok(task)
            })
            .await
    }

    /// Runs a registration to its end, which is recorded in the task.
    async fn run_location_task(&self, job: Job) -> Result<()> {
        let Job { new, task, .. } = &job;
        let hashing = self.hashes_of(new, &job.prepared);
        let hashes = Box::pin(self.in_progress(&task.id, String::new, hashing)).await;
        let outcome = match hashes {
            Ok(hashes) => self.record_registration(&job, Ok(hashes)).await,
            Err(error) if new.expected.is_some() && error.kind() == ErrorKind::Corrupt => {
                self.record_registration(&job, Err(error)).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            // Recovery decides.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => {
                let undone = self.undo(&new.id, task, &error).await;
                let failed = self.finished_task(task.clone(), Err(error.message().to_string()));
                self.emit(&self.caller, &Event::TaskFailed(&failed));
                let undone = match undone {
                    Ok(()) => job.entry.close().await,
                    failed => failed,
                };
                Err(explained(error, undone))
            }
            Ok(refused) => {
                job.entry.close().await?;
                refused.map_or(Ok(()), Err)
            }
        }
    }

    /// Records the location and the end of the task. The image becomes active, or stays queued if its data has another
    /// hash than expected: then it keeps the location if that is on a web server, where no data can be deleted. Returns
    /// the error of data with another hash.
    async fn record_registration(
        &self,
        job: &Job,
        hashes: Result<Hashes>,
    ) -> Result<Option<Error>> {
        let Job { new, task, .. } = job;
        let (hashes, mismatch) = match hashes {
            Ok(hashes) => (Some(hashes), None),
            Err(error) => (None, Some(error)),
        };
        let result = match &mismatch {
            None => Ok(json!({"image_id": new.id})),
            Some(error) => Err(error.message().to_string()),
        };
        let finished = self.finished_task(task.clone(), result);
        let is_on_web = new.location.url.starts_with("http");
        let draft = |stored: &StoredImage| -> Result<Draft> {
            self.check_registration(stored, new)?;
            check_locked(stored, &task.id)?;
            let mut draft = Draft::new(stored);
            if hashes.is_some() || is_on_web {
                draft.insert(usize::MAX, new.location.clone());
            }
            if hashes.is_some() {
                draft.activate(hashes.clone())?;
            }
            draft.image.properties.retain(|(name, _)| name != LOCK);
            draft.completes(finished.clone());
            Ok(draft)
        };
        self.commit_change(&new.id, job.prepared.clone(), &draft)
            .await?;
        let event = match &mismatch {
            None => Event::TaskSucceeded(&finished),
            Some(_) => Event::TaskFailed(&finished),
        };
        self.emit(&self.caller, &event);
        Ok(mismatch)
    }

    /// Checks that the caller may register data for an image.
    fn check_registration(&self, stored: &StoredImage, new: &Registration) -> Result<()> {
        let status = stored.image.status;
        if status != ImageStatus::Queued {
            return Err(wrong_status("add", status));
        }
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::AddImageLocation, target)?;
        let mut roles = self.caller.roles.iter().chain(&self.caller.service_roles);
        let url = &new.location.url;
        let on_web = |store: &dyn Store| store.info().read_only && store.reads(url);
        if !roles.any(|role| role == SERVICE) && !self.stores.iter().any(on_web) {
            return Err(Error::forbidden(
                "http store must be enabled to use location API by normal user.",
            )
            .hint("The address must be of type http or https, and a store of type http must be enabled."));
        }
        new.expected.as_ref().map_or(Ok(()), check_hash)
    }

    /// Returns the hashes of registered data: computed, or else those that the caller expects.
    async fn hashes_of(&self, new: &Registration, prepared: &Prepared) -> Result<Hashes> {
        let expected = new.expected.as_ref();
        if !self.settings.registration.get()?.secure_hash {
            return Ok(Hashes {
                checksum: None,
                hash: expected.cloned(),
            });
        }
        let size = prepared.size_at(&new.location.url).unwrap_or_default();
        let (md5, hash) = self.hash_at(&new.location, size, expected).await?;
        Ok(Hashes {
            checksum: Some(md5),
            hash: Some(hash),
        })
    }

    /// Reads the data at a location. Returns its MD5 and its secure hash, which equals `expected` if that is given.
    async fn hash_at(
        &self,
        location: &Location,
        size: u64,
        expected: Option<&MultiHash>,
    ) -> Result<(String, MultiHash)> {
        let name = match expected {
            Some(hash) => &hash.algorithm,
            None => self.settings.hashing_algorithm.get()?,
        };
        let algorithm = Algorithm::parse(name)?;
        let mut left = self.settings.registration.get()?.retries;
        let taken = loop {
            let read = async {
                let store = self.reader_of_new(self.stores.holding(location)?);
                let source =
                    limited_to(Some(size), store.open(&location.url, ByteRange::ALL).await?);
                hash(source, vec![Algorithm::Md5, algorithm]).await
            };
            match read.await {
                Ok(taken) if taken.size == size => break taken,
                Ok(_) | Err(_) if left > 0 => left -= 1,
                Ok(taken) => {
                    let place = redacted(&location.url);
                    return Err(Error::corrupt(format!(
                        "{place} has {} bytes instead of the {size} that its server reported",
                        taken.size
                    )));
                }
                Err(error) => return Err(error),
            }
        };
        let [checksum, value] = <[String; 2]>::try_from(taken.digests)
            .map_err(|_| Error::internal("the data was not hashed"))?;
        if let Some(hash) = expected.filter(|hash| !hash.value.eq_ignore_ascii_case(&value)) {
            return Err(Error::corrupt(format!(
                "os_hash_value: ({}) not matched with actual os_hash_value: ({value})",
                hash.value
            ))
            .hint("The image stays queued."));
        }
        let hash = MultiHash {
            algorithm: algorithm.name().to_string(),
            value,
        };
        Ok((checksum, hash))
    }
}

/// Hashes data.
async fn hash(source: Source, algorithms: Vec<Algorithm>) -> Result<Taken> {
    let (watch, look) = (Watch::default(), Box::new(|_: &[u8]| Ok(())));
    pump::transfer(source, Sink::Nowhere, algorithms, watch, look).await
}
