//! Doing an import: from the lock on the image to its end, good or bad.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::plugins::Workpiece;
use super::{Job, fetch, merge, subtract};
use crate::data::watch::Progress;
use crate::data::{Source, Watch, blocking};
use crate::local::Local;
use crate::local::catalog::{NewLocation, StoredImage, Transaction, is_in_doubt};
use crate::local::data::Intake;
use crate::local::events::Event;
use crate::local::journal::explained;
use crate::local::quota::Cap;
use crate::local::storing::Storing;
use crate::model::import::{FAILED, LOCK, NOT_INTO, TO_GO};
use crate::model::{ByteRange, Image, ImageStatus, ImportMethod};
use crate::service::Images;
use crate::{Error, ErrorKind, Result};

/// How often a task tells how far it is.
const REPORTS: Duration = Duration::from_secs(15);

const MIB: u64 = 1024 * 1024;

/// The data of an import, ready to be stored, several times where it goes to several stores.
enum Feed {
    /// A file in the staging area.
    Staged(std::path::PathBuf),
    /// What one of the stores has.
    Stored(Box<StoredImage>),
    /// From a network, once.
    Fetched(Option<fetch::Fetched>),
}

/// A copy in a store: under its final name, but not the image's yet.
struct Copy {
    storing: Storing,
    url: String,
    store: Option<String>,
}

impl Local {
    /// Does an import. Whatever happens, the task says it, and the image is as it was, queued, or active.
    pub(super) async fn run(&self, job: Job, watch: &Watch) -> Result<()> {
        let Job { id, task, .. } = &job;
        match Box::pin(self.work(&job, watch)).await {
            Ok(()) => {
                self.emit_imported(&job).await;
                let tidied = self.unstage(id).await;
                let tidied = tidied.map_err(|error| {
                    Error::new(
                        error.kind(),
                        format!(
                            "image {id} is imported, but what was staged is not removed: {error}"
                        ),
                    )
                    .hint("The next command removes it.")
                    .because(error)
                });
                tidied?;
                job.entry.close().await
            }
            // Whether the data is the image's is for recovery to find out; so is what is not undone.
            Err(error) if is_in_doubt(&error) => Err(error),
            Err(error) => {
                let undone = self.undo(id, task, &error).await;
                let failed = self.over(task.clone(), Err(error.message().to_string()));
                self.emit(&self.caller, &Event::TaskFailed(&failed));
                let undone = match undone {
                    Ok(()) => job.entry.close().await,
                    failed => failed,
                };
                Err(explained(error, undone))
            }
        }
    }

    /// Passes on that an import has succeeded.
    async fn emit_imported(&self, job: &Job) {
        if !self.events.is_listening() {
            return;
        }
        if job.method != ImportMethod::CopyImage
            && let Ok(image) = self.get_image(&job.id).await
        {
            self.emit(&self.caller, &Event::ImageUploaded(&image));
            self.emit(&self.caller, &Event::ImageActivated(&image));
        }
        if let Ok(Some(task)) = self.catalog.load_task(&job.task.id).await {
            self.emit(&self.caller, &Event::TaskSucceeded(&task));
        }
    }

    async fn work(&self, job: &Job, watch: &Watch) -> Result<()> {
        let stored = self
            .catalog
            .load_image(&job.id, &self.caller.project)
            .await?;
        let stored = stored.ok_or_else(gone)?;
        let cap = self.room(stored.image.owner.as_deref()).await?;
        let mut image = stored.image.clone();
        let mut feed = self.feed(job, stored, &mut image, cap, watch).await?;
        let mut copies: Vec<Copy> = Vec::new();
        let mut failures = Failures::default();
        for store in &job.stores {
            let before = image.clone();
            match self
                .copy_to(job, store.as_deref(), &mut image, &mut feed, cap, watch)
                .await
            {
                Ok(copy) if job.all_or_none => copies.push(copy),
                Ok(copy) => self.record(job, &image, vec![copy], None).await?,
                Err(error) if job.all_or_none || error.kind() == ErrorKind::Interrupted => {
                    let error = discard_all(copies, error).await;
                    // Where it is not noted, the undoing notes it of all stores.
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
            // None of several stores took it: why the last one did not says more.
            (Err(e), Some(failure)) if e.kind() == ErrorKind::Failed => Err(failure),
            (last, _) => last,
        }
    }

    /// Gets the data, and does to it what the plugins are for.
    async fn feed(
        &self,
        job: &Job,
        stored: StoredImage,
        image: &mut Image,
        cap: Cap,
        watch: &Watch,
    ) -> Result<Feed> {
        let plugins = self.settings.import.plugins.get()?;
        let fetched = match &job.method {
            ImportMethod::CopyImage => return Ok(Feed::Stored(Box::new(stored))),
            ImportMethod::WebDownload { uri } => {
                Some(fetch::open(uri, self.settings.import.addresses.get()?).await?)
            }
            ImportMethod::GlanceDownload(elsewhere) => {
                Some(self.fetch_elsewhere(elsewhere, image).await?)
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
            // What goes to one place as it is need not be kept in another.
            Some(fetched) if job.stores.len() == 1 && !Workpiece::needs_file(plugins) => {
                Workpiece::inject(plugins, image, &self.caller);
                return Ok(Feed::Fetched(Some(fetched)));
            }
            Some(fetched) => {
                let size = fetched.size;
                let metered = Meter::on(watch);
                let kept = self.keep_fetched(&job.id, fetched.source, metered.watch(), cap);
                let kept = self.reporting(job, &metered, kept).await?;
                crate::local::data::check_promise(size, kept)?;
            }
            None => {}
        }
        let piece = Workpiece {
            path: &mut path,
            image,
            caller: &self.caller,
            formats: self.settings.formats.get()?,
            cap,
        };
        piece.work(plugins, watch).await?;
        Ok(Feed::Staged(path))
    }

    /// Copies the data into a store, under its final name there.
    async fn copy_to(
        &self,
        job: &Job,
        store: Option<&str>,
        image: &mut Image,
        feed: &mut Feed,
        cap: Cap,
        watch: &Watch,
    ) -> Result<Copy> {
        let target = self.stores.get(store)?;
        let (source, promised) = self.open_feed(feed).await?;
        let size = promised.or_else(|| source.size());
        let room = source.stored_size().or(size);
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
            same(image, &taken)?;
            let url = storing.commit().await?;
            Ok((taken, url))
        };
        let copied = copied.await;
        watch.end();
        match copied {
            Ok((taken, url)) => {
                // A copy of an image that is known changes nothing of what is known.
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

    /// The data from its beginning, and its size where it was promised.
    async fn open_feed(&self, feed: &mut Feed) -> Result<(Source, Option<u64>)> {
        match feed {
            Feed::Staged(path) => {
                let path = path.clone();
                Ok((blocking(move || Source::open(path)).await?, None))
            }
            Feed::Stored(stored) => {
                let source = self.source_of(stored, &[], ByteRange::ALL).await?;
                let source = source.ok_or_else(|| Error::conflict("the image has no data"))?;
                Ok((source, stored.image.size))
            }
            Feed::Fetched(fetched) => {
                let fetched = fetched.take();
                let fetched = fetched.ok_or_else(|| Error::internal("data was fetched once"))?;
                Ok((fetched.source, fetched.size))
            }
        }
    }

    /// Makes copies the image's. With the last of them, told by the failures there were, the import is over: the
    /// image MUST be active then, the lock is given back, and the task has succeeded.
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
                        if after.property(name).is_none() {
                            after.set_property(name, value);
                        }
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
                    after.properties.retain(|(name, _)| name != LOCK);
                    let mut task = job.task.clone();
                    task.message = copied(image.size.unwrap_or(0)) + &failures.reasons;
                    let result = json!({"image_id": job.id});
                    transaction
                        .finish_task(&self.over(task, Ok(result)))
                        .await?;
                }
                after.updated_at = self.catalog.now();
                transaction.update_image(&stored.image, &after).await
            })
            .await
    }

    /// Notes that a store did not take the data.
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

    /// The image, if `task` still holds it.
    pub(super) async fn locked(
        &self,
        transaction: &Transaction,
        id: &str,
        task: &str,
    ) -> Result<StoredImage> {
        let stored = transaction.load_image(id, &self.caller.project).await?;
        let stored = stored.ok_or_else(gone)?;
        if stored.image.property(LOCK) != Some(task) {
            return Err(Error::conflict(format!(
                "image {id} was taken over by another import"
            )));
        }
        Ok(stored)
    }

    /// Does `work`, and has the task tell how far it is meanwhile.
    async fn reporting<T>(
        &self,
        job: &Job,
        meter: &Meter,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(REPORTS) => {
                    let message = copied(meter.bytes());
                    // A word about how far it is is no reason to give up.
                    let _ = self.catalog.set_task_message(&job.task.id, &message).await;
                }
            }
        }
    }
}

/// The stores that did not take the data of an import which succeeds all the same.
#[derive(Default)]
struct Failures {
    /// What the task's message says of them; empty where there are none.
    reasons: String,
    /// Why the last of them failed.
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

/// Undoes copies that are nobody's, after `error`.
async fn discard_all(copies: Vec<Copy>, mut error: Error) -> Error {
    for copy in copies {
        error = copy.storing.discard(error).await;
    }
    error
}

/// How far a task is, as the reference implementation says it.
fn copied(bytes: u64) -> String {
    format!("Copied {} MiB", bytes / MIB)
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Gone,
        "the image was deleted while it was being imported",
    )
}

/// Refuses data that is not what is known of it: from an earlier copy, or from the record.
fn same(known: &Image, taken: &Image) -> Result<()> {
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
        "the data of image {} is not what its record says",
        known.id
    )))
}

/// Counts the bytes of a transfer, and passes them on to whoever watches it.
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
        // Whether to stop is asked of the watch itself.
        let _ = self.next.advance(bytes);
    }

    fn end(&self) {
        self.next.end();
    }
}
