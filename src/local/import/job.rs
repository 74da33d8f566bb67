//! The execution of an import, from the lock on the image to its success or failure.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::plugins::PluginRun;
use super::{Job, check_locked, fetch, merge, subtract};
use crate::data::watch::Progress;
use crate::data::{Source, Watch, blocking};
use crate::local::Local;
use crate::local::catalog::{NewLocation, StoredImage, Transaction, is_in_doubt};
use crate::local::data::Intake;
use crate::local::events::Event;
use crate::local::journal::explained;
use crate::local::quota::Cap;
use crate::local::storing::Storing;
use crate::model::import::{FAILED, LOCK, NOT_INTO, STAGE_HOST, TO_GO};
use crate::model::{ByteRange, Image, ImageStatus, ImportMethod};
use crate::{Error, ErrorKind, Result};

/// The interval between progress messages of a task.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(15);

const MIB: u64 = 1024 * 1024;

/// The origin of an import's data, which is read once per store.
enum Origin {
    /// A file in the staging area.
    Staged(std::path::PathBuf),
    /// The data of an image in a store.
    Stored(Box<StoredImage>),
    /// A download, which can be read once.
    Fetched(Option<fetch::Fetched>),
}

/// A copy in a store under its final name, not yet recorded as the image's.
struct Copy {
    storing: Storing,
    url: String,
    store: Option<String>,
}

impl Local {
    /// Runs an import. The outcome is recorded in the task, and the image becomes active, or returns to its
    /// previous state or to `queued`.
    pub(super) async fn run_import(&self, job: Job, watch: &Watch) -> Result<()> {
        let Job { id, task, .. } = &job;
        match Box::pin(self.import_data(&job, watch)).await {
            Ok(()) => {
                self.emit_imported(&job).await;
                let tidied = self.unstage(id).await;
                let tidied = tidied.map_err(|error| {
                    Error::new(
                        error.kind(),
                        format!(
                            "image {id} is imported, but its staged data was not removed: {error}"
                        ),
                    )
                    .hint("The next command removes it.")
                    .because(error)
                });
                tidied?;
                job.entry.close().await
            }
            // Recovery decides whether the data belongs to the image, and finishes an incomplete undo.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => {
                let undone = self.undo(id, task, &error).await;
                let failed = self.finished_task(task.clone(), Err(error.message().to_string()));
                self.emit(&self.caller, &Event::TaskFailed(&failed));
                let undone = match undone {
                    Ok(()) => job.entry.close().await,
                    failed => failed,
                };
                Err(explained(error, undone))
            }
        }
    }

    /// Emits the event of a successful import.
    async fn emit_imported(&self, job: &Job) {
        if !self.events.is_listening() {
            return;
        }
        if job.method != ImportMethod::CopyImage
            && let Ok(image) = self.changed_image(&job.id).await
        {
            self.emit(&self.caller, &Event::ImageUploaded(&image));
            self.emit(&self.caller, &Event::ImageActivated(&image));
        }
        if let Ok(Some(task)) = self.catalog.load_task(&job.task.id).await {
            self.emit(&self.caller, &Event::TaskSucceeded(&task));
        }
    }

    async fn import_data(&self, job: &Job, watch: &Watch) -> Result<()> {
        let stored = self
            .catalog
            .load_image(&job.id, &self.caller.project)
            .await?;
        let stored = stored.ok_or_else(gone)?;
        let cap = self.room(stored.image.owner.as_deref()).await?;
        let mut image = stored.image.clone();
        let own = stored.image.properties.clone();
        let preparation = self.prepare_data(job, stored, &mut image, cap, watch);
        let mut origin = Box::pin(preparation).await?;
        // Those that the import sets are recorded. Others may be changed by their owner in the meantime.
        image.properties.retain(|property| !own.contains(property));
        let mut copies: Vec<Copy> = Vec::new();
        let mut failures = Failures::default();
        for store in &job.stores {
            let before = image.clone();
            match self
                .copy_to(job, store.as_deref(), &mut image, &mut origin, cap, watch)
                .await
            {
                Ok(copy) if job.all_or_none => copies.push(copy),
                Ok(copy) => self.record(job, &image, vec![copy], None).await?,
                Err(error) if job.all_or_none || error.kind() == ErrorKind::Interrupted => {
                    let error = discard_all(copies, error).await;
                    // If this fails, the undo records it for all stores.
                    let _ = self.note_failure(job, store.as_deref()).await;
                    return Err(error);
                }
                Err(error) => {
                    self.note_failure(job, store.as_deref()).await?;
                    image = before;
                    failures.add(store.as_deref(), error);
                }
            }
        }
        let last = self.record(job, &image, copies, Some(&failures)).await;
        match (last, failures.last) {
            // No store took the data; the error of the last one has more details.
            (Err(e), Some(failure)) if e.kind() == ErrorKind::Failed => Err(failure),
            (last, _) => last,
        }
    }

    /// Gets the data, and applies the plugins.
    async fn prepare_data(
        &self,
        job: &Job,
        stored: StoredImage,
        image: &mut Image,
        cap: Cap,
        watch: &Watch,
    ) -> Result<Origin> {
        let plugins = self.settings.import.plugins.get()?;
        let fetched = match &job.method {
            ImportMethod::CopyImage => return Ok(Origin::Stored(Box::new(stored))),
            ImportMethod::WebDownload { uri } => {
                Some(fetch::open(uri, self.settings.import.addresses.get()?).await?)
            }
            ImportMethod::GlanceDownload(elsewhere) => {
                Some(self.fetch_from_region(elsewhere, image).await?)
            }
            ImportMethod::GlanceDirect | ImportMethod::Other(_) => {
                self.check_staged(&job.id, image.size).await?;
                None
            }
        };
        if let Some(fetched) = &fetched
            && fetched.size.is_some_and(|size| size > cap.bytes)
        {
            return Err(cap.exceeded());
        }
        let mut path = self.staged(&job.id)?;
        match fetched {
            // Unmodified data for one store does not need a staged copy.
            Some(fetched) if job.stores.len() == 1 && !PluginRun::needs_file(plugins) => {
                PluginRun::inject(plugins, image, &self.caller);
                return Ok(Origin::Fetched(Some(fetched)));
            }
            Some(fetched) => {
                let size = fetched.size;
                let metered = Meter::on(watch);
                let kept = self.keep_fetched(&job.id, fetched.source, metered.watch(), cap);
                let kept = Box::pin(self.reporting(job, &metered, kept)).await?;
                crate::local::data::check_promise(size, kept)?;
            }
            None => {}
        }
        let plugin_run = PluginRun {
            path: &mut path,
            image,
            caller: &self.caller,
            formats: self.settings.formats.get()?,
            cap,
        };
        plugin_run.run(plugins, watch).await?;
        Ok(Origin::Staged(path))
    }

    /// Copies the data into a store, under its final name there.
    async fn copy_to(
        &self,
        job: &Job,
        store: Option<&str>,
        image: &mut Image,
        origin: &mut Origin,
        cap: Cap,
        watch: &Watch,
    ) -> Result<Copy> {
        let target = self.stores.get(store)?;
        let (source, promised) = self.open_origin(origin).await?;
        let size = promised.or_else(|| source.size());
        let room = target.size_of(&source).or(size);
        let mut storing = self.begin_upload(target, &job.id, room).await?;
        let metered = Meter::on(watch);
        watch.begin(size);
        let copied = async {
            let intake = Intake {
                source,
                promised,
                allow_mismatch: matches!(job.method, ImportMethod::CopyImage),
                watch: metered.watch(),
                cap,
            };
            let taken = self.take(image.clone(), intake, &mut storing);
            let taken = self.reporting(job, &metered, taken).await?;
            check_same_data(image, &taken)?;
            let url = self
                .commit_data(&mut storing, target, &taken, watch)
                .await?;
            Ok((taken, url))
        };
        let copied = copied.await;
        watch.end();
        match copied {
            Ok((taken, url)) => {
                // A copy of an existing image does not change its record.
                if job.method != ImportMethod::CopyImage {
                    *image = taken;
                }
                Ok(Copy {
                    storing,
                    url,
                    store: store.map(str::to_string),
                })
            }
            Err(error) => Err(storing.discard(error).await),
        }
    }

    /// Opens the data from its beginning, and returns its size if known in advance.
    async fn open_origin(&self, origin: &mut Origin) -> Result<(Source, Option<u64>)> {
        match origin {
            Origin::Staged(path) => {
                let path = path.clone();
                Ok((blocking(move || Source::open(path)).await?, None))
            }
            Origin::Stored(stored) => {
                let source = self.source_of(stored, &[], ByteRange::ALL).await?;
                let source = source.ok_or_else(|| Error::conflict("the image has no data"))?;
                Ok((source, stored.image.size))
            }
            Origin::Fetched(fetched) => {
                let fetched = fetched.take();
                let fetched = fetched.ok_or_else(|| Error::internal("data was fetched once"))?;
                Ok((fetched.source, fetched.size))
            }
        }
    }

    /// Records copies as the image's. With the last of them, `over` has the failures of the import: the image MUST
    /// be active then, the lock is released, and the task succeeds.
    async fn record(
        &self,
        job: &Job,
        image: &Image,
        copies: Vec<Copy>,
        over: Option<&Failures>,
    ) -> Result<()> {
        if let Err(error) = self.try_record(job, image, &copies, over).await {
            return Err(discard_all(copies, error).await);
        }
        for copy in copies {
            copy.storing.close().await?;
        }
        Ok(())
    }

    async fn try_record(
        &self,
        job: &Job,
        image: &Image,
        copies: &[Copy],
        over: Option<&Failures>,
    ) -> Result<()> {
        self.catalog
            .write(async |transaction| {
                let stored = self.locked(&transaction, &job.id, &job.task.id).await?;
                let mut after = stored.image.clone();
                if after.status == ImageStatus::Importing && !copies.is_empty() {
                    if !transaction.activate(image, ImageStatus::Importing).await? {
                        return Err(gone());
                    }
                    after.status = ImageStatus::Active;
                }
                if job.method != ImportMethod::CopyImage {
                    after.disk_format.clone_from(&image.disk_format);
                    after.container_format.clone_from(&image.container_format);
                    for (name, value) in &image.properties {
                        after.set_property(name, value);
                    }
                }
                for copy in copies {
                    let metadata = self.location_metadata(self.stores.get(copy.store.as_deref())?);
                    let location = NewLocation {
                        url: &copy.url,
                        metadata: &metadata,
                    };
                    transaction.insert_location(&job.id, &location).await?;
                }
                let filled: Vec<&str> = copies
                    .iter()
                    .filter_map(|copy| copy.store.as_deref())
                    .collect();
                subtract(&mut after, TO_GO, &filled);
                if let Some(failures) = over {
                    if !matches!(after.status, ImageStatus::Active | ImageStatus::Deactivated) {
                        return Err(Error::failed("None of the uploads finished!"));
                    }
                    after
                        .properties
                        .retain(|(name, _)| name != LOCK && name != STAGE_HOST);
                    let mut task = job.task.clone();
                    task.message = progress_message(image.size.unwrap_or(0)) + &failures.reasons;
                    let result = json!({"image_id": job.id});
                    transaction
                        .finish_task(&self.finished_task(task, Ok(result)))
                        .await?;
                }
                after.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &after).await
            })
            .await
    }

    /// Records that a store did not take the data.
    async fn note_failure(&self, job: &Job, store: Option<&str>) -> Result<()> {
        let Some(store) = store else { return Ok(()) };
        self.catalog
            .write(async |transaction| {
                let stored = self.locked(&transaction, &job.id, &job.task.id).await?;
                let mut after = stored.image.clone();
                subtract(&mut after, TO_GO, &[store]);
                merge(&mut after, FAILED, &[store]);
                after.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &after).await
            })
            .await
    }

    /// Loads the image. Fails unless `task` still holds its import lock.
    pub(super) async fn locked(
        &self,
        transaction: &Transaction,
        id: &str,
        task: &str,
    ) -> Result<StoredImage> {
        let stored = transaction.load_image(id, &self.caller.project).await?;
        let stored = stored.ok_or_else(gone)?;
        check_locked(&stored, task)?;
        Ok(stored)
    }

    /// Runs `work`, with periodic progress messages in the task.
    async fn reporting<T>(
        &self,
        job: &Job,
        meter: &Meter,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let message = || progress_message(meter.bytes());
        self.in_progress(&job.task.id, message, work).await
    }

    /// Runs `work`, with periodic messages in a task, which is not taken for that of a crashed process then.
    pub(in crate::local) async fn in_progress<T>(
        &self,
        task: &str,
        message: impl Fn() -> String,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {
                    // A failed progress message does not fail the task.
                    let _ = self.catalog.set_task_message(task, &message()).await;
                }
            }
        }
    }
}

/// The failures of individual stores in an import that succeeds.
#[derive(Default)]
struct Failures {
    /// The part of the task's message about them; empty if there are none.
    reasons: String,
    /// The error of the last of them.
    last: Option<Error>,
}

impl Failures {
    fn add(&mut self, store: Option<&str>, error: Error) {
        self.reasons += if self.reasons.is_empty() {
            NOT_INTO
        } else {
            "; "
        };
        self.reasons += store.unwrap_or_default();
        self.reasons += ": ";
        self.reasons += error.message();
        self.last = Some(error);
    }
}

/// Discards copies that are not recorded, after `error`.
async fn discard_all(copies: Vec<Copy>, mut error: Error) -> Error {
    for copy in copies {
        error = copy.storing.discard(error).await;
    }
    error
}

/// Returns the progress message of a task in the text of the reference implementation.
fn progress_message(bytes: u64) -> String {
    format!("Copied {} MiB", bytes / MIB)
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Gone,
        "the image was deleted while it was being imported",
    )
}

/// Checks that the data has the known hashes and size of an earlier copy, or of the record.
fn check_same_data(known: &Image, taken: &Image) -> Result<()> {
    let hash = match (&known.hash, &taken.hash) {
        (Some(known), Some(taken)) if known.algorithm == taken.algorithm => {
            known.value == taken.value
        }
        _ => true,
    };
    let checksum = known.checksum.is_none() || known.checksum == taken.checksum;
    let size = known.checksum.is_none() && known.hash.is_none() || known.size == taken.size;
    if hash && checksum && size {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the data of image {} does not match its record",
        known.id
    )))
}

/// Counts the bytes of a transfer, and forwards its progress.
struct Meter {
    count: Arc<Count>,
    watch: Watch,
}

struct Count {
    bytes: AtomicU64,
    next: Watch,
}

impl Meter {
    fn on(watch: &Watch) -> Self {
        let count = Arc::new(Count {
            bytes: AtomicU64::new(0),
            next: watch.clone(),
        });
        Self {
            watch: watch
                .clone()
                .with_progress(Arc::clone(&count) as Arc<dyn Progress>),
            count,
        }
    }

    fn watch(&self) -> Watch {
        self.watch.clone()
    }

    fn bytes(&self) -> u64 {
        self.count.bytes.load(Ordering::Relaxed)
    }
}

impl Progress for Count {
    fn begin(&self, total: Option<u64>) {
        self.next.begin(total);
    }

    fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // The watch itself is checked for an interruption elsewhere.
        let _ = self.next.advance(bytes);
    }

    fn end(&self) {
        self.next.end();
    }
}
