//! Image records and uploads.

use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_stream::try_stream;
use futures_util::{StreamExt, TryStreamExt};

use super::fields::field_text;
use crate::data::format::{Detected, Format, Inspector};
use crate::data::source::ByteStream;
use crate::data::{Source, Watch};
use crate::model::schema::is_uuid;
use crate::model::{
    Change, Direction, Fields, Image, ImageFilter, ImagePatch, ImageQuery, ImageStatus, Import,
    ImportMethod, NewImage, SortKey,
};
use crate::service::{ImageService, Staging, Upload};
use crate::{Error, ErrorKind, Result};

/// A reference to an image.
#[derive(Clone, Copy, Debug)]
pub enum Reference<'a> {
    /// By ID only, as in the first grammar.
    Id(&'a str),
    /// By ID or name, as in the second grammar.
    IdOrName(&'a str),
}

/// Finds an image.
///
/// A word in the form of a UUID is looked up as an ID first. Otherwise it is a name; hidden images are searched
/// only if no visible image has that name.
///
/// # Errors
/// `NotFound` for an unknown ID; `Failed` for a name with no image or with several.
pub async fn find(service: &dyn ImageService, reference: Reference<'_>) -> Result<Image> {
    let word = match reference {
        Reference::Id(id) => return service.get_image(id).await,
        Reference::IdOrName(word) => word,
    };
    if is_uuid(word) {
        match service.get_image(word).await {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            other => return other,
        }
    }
    for hidden in [false, true] {
        let filter = ImageFilter {
            name: Some(word.to_string()),
            hidden,
            ..ImageFilter::default()
        };
        let query = ImageQuery {
            filter,
            limit: Some(8),
            ..ImageQuery::default()
        };
        let mut found: Vec<Image> = service.list_images(query).try_concat().await?;
        if found.len() > 1 {
            let ids: Vec<&str> = found.iter().map(|image| image.id.as_str()).collect();
            return Err(Error::failed(format!(
                "More than one Image exists with the name '{word}'."
            ))
            .hint(format!("Pass one of these IDs: {}", ids.join(", "))));
        }
        if let Some(image) = found.pop() {
            return Ok(image);
        }
    }
    let missing = Error::failed(format!("No Image found for {word}"));
    Err(match nearest(service, word).await[..] {
        [] => missing,
        ref names => missing.hint(format!("Did you mean {}?", names.join(", "))),
    })
}

/// The first and the longest pause between two requests for an image.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Waits until an image has a status, and returns it. Calls `waiting` with the image each time that it does not have it
/// yet.
///
/// # Errors
/// `Failed` if the image has a status that does not lead to it; `Interrupted`; the errors of [`find`].
pub async fn wait_for(
    service: &dyn ImageService,
    reference: Reference<'_>,
    wanted: ImageStatus,
    watch: &Watch,
    waiting: impl Fn(&Image),
) -> Result<Image> {
    let mut image = find(service, reference).await?;
    let mut pause = PAUSES.0;
    while image.status != wanted {
        if !image.status.leads_to(wanted) {
            return Err(Error::failed(format!(
                "image {} is {}, and will not become {wanted}",
                image.id, image.status
            )));
        }
        waiting(&image);
        watch.sleep(pause).await?;
        pause = (pause * 3 / 2).min(PAUSES.1);
        image = service.get_image(&image.id).await?;
    }
    Ok(image)
}

/// Number of newest images whose names are compared to suggest a similar one. Bounded, so that the hint does
/// not delay the error.
const MAX_COMPARED: u64 = 100;

/// Minimum similarity of a suggested name, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.88;

/// Returns at most three names similar to `word`; none if images cannot be listed.
async fn nearest(service: &dyn ImageService, word: &str) -> Vec<String> {
    let query = ImageQuery {
        limit: Some(MAX_COMPARED),
        fields: Fields::SHORT,
        ..ImageQuery::default()
    };
    let images: Vec<Image> = match service.list_images(query).try_concat().await {
        Ok(images) => images,
        Err(_) => return Vec::new(),
    };
    let wanted = word.to_lowercase();
    let mut names: Vec<(f64, String)> = images
        .into_iter()
        .filter_map(|image| image.name)
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= MIN_SIMILARITY)
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    names.dedup_by(|a, b| a.1 == b.1);
    names.into_iter().take(3).map(|(_, name)| name).collect()
}

/// A request to create an image, optionally with data.
pub struct Create {
    /// The attributes of the image.
    pub image: NewImage,
    /// The data.
    pub upload: Option<Upload>,
    /// Whether to delete the image if its data cannot be stored.
    pub undo: bool,
    /// Whether to stage and import the data instead of uploading it.
    pub import: bool,
}

/// Creates an image. If its data cannot be stored, returns the created record and the error.
pub async fn create(service: &dyn ImageService, request: Create) -> Result<(Image, Option<Error>)> {
    let image = service.create_image(request.image).await?;
    let Some(upload) = request.upload else {
        return Ok((image, None));
    };
    let stored = if request.import {
        stage_and_import(service, &image.id, upload).await
    } else {
        service.upload_image(&image.id, upload).await
    };
    match stored {
        Ok(image) => Ok((image, None)),
        // Rejected data is not kept.
        Err(error) if request.undo || error.kind() == ErrorKind::Corrupt => {
            match delete_created(service, &image.id).await {
                Ok(()) if error.kind() == ErrorKind::Corrupt => {
                    Err(error.hint("The image was deleted. Create it again."))
                }
                Ok(()) => Err(error),
                Err(left) => Err(error.hint(format!(
                    "Image {} could not be deleted: {}",
                    image.id,
                    left.message()
                ))),
            }
        }
        Err(error) => Ok((image, Some(error))),
    }
}

/// Stages data and imports it into the default store.
async fn stage_and_import(service: &dyn ImageService, id: &str, upload: Upload) -> Result<Image> {
    let Upload {
        source,
        size,
        watch,
        ..
    } = upload;
    let staging = Staging {
        source,
        size,
        watch: watch.clone(),
    };
    service.stage_image(id, staging).await?;
    let import = Import::new(ImportMethod::GlanceDirect);
    service.import_image(id, import, watch).await?.await?;
    service.get_image(id).await
}

/// Delays between attempts to delete a new image. Their sum is shorter than the grace period of an interrupted
/// command.
const RETRY_DELAYS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(1250),
];

/// Deletes an image that was just created. Retries if the service is busy or the connection breaks, as it may
/// when a server rejects data early; the outcome of the deletion is unknown then.
///
/// # Errors
/// The error of the last attempt.
pub async fn delete_created(service: &dyn ImageService, id: &str) -> Result<()> {
    let mut waits = RETRY_DELAYS.iter();
    let mut is_first = true;
    loop {
        let error = match service.delete_image(id).await {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::NotFound && !is_first => return Ok(()),
            Err(e) => e,
        };
        is_first = false;
        match waits.next() {
            Some(wait) if is_transient(&error) => tokio::time::sleep(*wait).await,
            _ => return Err(error),
        }
    }
}

/// Returns whether an error may be transient.
fn is_transient(error: &Error) -> bool {
    let too_many = error.status().is_some_and(|(status, _)| status == 429);
    too_many
        || matches!(
            error.kind(),
            ErrorKind::Unreachable | ErrorKind::Unavailable | ErrorKind::Internal
        )
}

/// A request to list images.
pub struct List {
    /// The filters and the order of the service.
    pub query: ImageQuery,
    /// Sort keys applied by the client, by field text.
    pub sort: Vec<(String, Direction)>,
    /// Attributes and properties that the client filters by.
    pub property_filter: Vec<(String, String)>,
}

impl List {
    /// Moves the client's sort order into the query if the service sorts in the same way. The list is then not
    /// held in memory.
    fn push_down(&mut self, service: &dyn ImageService) {
        let whole = self.query.limit.is_none()
            && self.query.marker.is_none()
            && service.sorts_by_code_points();
        let keys: Option<Vec<(SortKey, Direction)>> = self
            .sort
            .iter()
            .map(|(name, direction)| {
                let key = SortKey::parse(name).filter(|key| *key != SortKey::Size)?;
                Some((key, *direction))
            })
            .collect();
        if let (true, Some(mut keys)) = (whole && !self.sort.is_empty(), keys) {
            // Equal items keep the order of the service.
            let mut order = self.query.sort.clone();
            order.push((
                SortKey::Id,
                order
                    .first()
                    .map_or(Direction::Descending, |(_, direction)| *direction),
            ));
            for (key, direction) in order {
                if !keys.iter().any(|(sorted, _)| *sorted == key) {
                    keys.push((key, direction));
                }
            }
            self.query.sort = keys;
            self.query.code_points = true;
            self.sort.clear();
        }
    }
}

/// Lists images, in chunks.
pub fn list(
    service: &dyn ImageService,
    mut request: List,
) -> futures_core::stream::BoxStream<'_, Result<Vec<Image>>> {
    request.push_down(service);
    let List {
        mut query,
        sort,
        property_filter,
    } = request;
    if !property_filter.is_empty() {
        query.fields = Fields::ALL;
    }
    if query.limit.is_none() && query.marker.is_none() {
        // Items that the service filters are never read. Pages are filtered after reading, as upstream does.
        let asked = property_filter.iter();
        // A missing value equals an empty one here.
        let known =
            asked.filter(|(name, value)| !value.is_empty() && service.filters_property(name));
        query.filter.attributes.extend(known.cloned());
    }
    let chunks = service.list_images(query).map_ok(move |images| {
        let mut images = images;
        images.retain(|image| {
            property_filter
                .iter()
                .all(|(name, value)| field_text(image, name).as_deref() == Some(value))
        });
        images
    });
    if sort.is_empty() {
        return chunks.boxed();
    }
    futures_util::stream::once(async move {
        let mut images: Vec<Image> = chunks.try_concat().await?;
        for (field, direction) in sort.iter().rev() {
            let key =
                |image: &Image| field_text(image, field).unwrap_or_else(|| "None".to_string());
            match direction {
                Direction::Ascending => images.sort_by_cached_key(key),
                Direction::Descending => {
                    images.sort_by_cached_key(|image| std::cmp::Reverse(key(image)));
                }
            }
        }
        Ok(images)
    })
    .boxed()
}

/// Applies changes, if any, and returns the updated image.
pub async fn update(service: &dyn ImageService, image: Image, changes: &[Change]) -> Result<Image> {
    let patch = effective(&image, changes);
    if patch.is_empty() {
        return Ok(image);
    }
    service.update_image(&image.id, &patch).await
}

/// Applies changes to an image, if any.
pub async fn apply(service: &dyn ImageService, image: &Image, changes: &[Change]) -> Result<()> {
    let patch = effective(image, changes);
    if patch.is_empty() {
        return Ok(());
    }
    service.apply_patch(&image.id, &patch).await
}

/// Returns the patch of the changes without those that set an attribute or property to its current value. Upstream's clients
/// do not send these, even if the change would be rejected.
///
/// *Source:* glanceclient and openstacksdk send the difference between the current and the wanted image.
fn effective(image: &Image, changes: &[Change]) -> ImagePatch {
    let now = image.to_api();
    let is_effective = |change: &&Change| match change {
        Change::Add { name, value } | Change::Replace { name, value } => {
            now.get(name) != Some(value)
        }
        _ => true,
    };
    changes.iter().filter(is_effective).cloned().collect()
}

/// Number of leading bytes used to detect the format; an ISO 9660 signature is at 32 KiB.
const PROBE_SIZE: usize = 128 * 1024;

/// The format of upload data, detected from its first bytes.
#[derive(Clone, Debug, Default)]
pub struct DetectedFormat(Arc<OnceLock<Format>>);

impl DetectedFormat {
    /// Detects the format of `source`: immediately for a file, otherwise while it is read.
    pub fn observe(source: &mut Source) -> Self {
        let detected = Self::default();
        match source {
            Source::File { file, .. } => {
                let mut beginning = vec![0; PROBE_SIZE];
                let mut length = 0;
                while let Ok(read @ 1..) = file.read_at(&mut beginning[length..], length as u64) {
                    length += read;
                }
                detected.decide(&beginning[..length]);
            }
            Source::Stream { stream, .. } => {
                let arriving = std::mem::replace(stream, futures_util::stream::empty().boxed());
                *stream = detected.clone().watching(arriving);
            }
        }
        detected
    }

    /// Returns the same data, whose format is detected from the first bytes that pass.
    fn watching(self, mut stream: ByteStream) -> ByteStream {
        let watching = try_stream! {
            let mut beginning = Some(Vec::new());
            while let Some(bytes) = stream.next().await {
                let bytes = bytes?;
                if let Some(collected) = &mut beginning {
                    let left = PROBE_SIZE - collected.len();
                    collected.extend_from_slice(&bytes[..bytes.len().min(left)]);
                    if collected.len() == PROBE_SIZE {
                        self.decide(collected);
                        beginning = None;
                    }
                }
                yield bytes;
            }
            if let Some(collected) = beginning {
                self.decide(&collected);
            }
        };
        watching.boxed()
    }

    /// Returns the format if it is a valid disk format other than raw.
    pub fn format(&self) -> Option<Format> {
        self.0.get().copied()
    }

    /// Returns a warning if the data has another format than raw but the disk format of the image is raw.
    pub fn mismatch(&self, image: &Image) -> Option<String> {
        let format = self.format()?;
        let is_raw = image.disk_format.as_deref() == Some(Format::Raw.name())
            && image.container_format.as_deref() == Some("bare");
        let id = &image.id;
        is_raw.then(|| format!("The data is {format}, but the disk format of image {id} is raw."))
    }

    fn decide(&self, beginning: &[u8]) {
        let mut inspector = Inspector::new();
        inspector.push(beginning);
        if let Detected::One(format) = inspector.finish().detected()
            && format != Format::Raw
            && format.is_disk_format()
        {
            // The format is set only once.
            let _ = self.0.set(format);
        }
    }
}

/// Opens the upload data: the given file, or piped standard input, or nothing.
///
/// # Errors
/// `Failed` for a file that cannot be read.
pub fn open_data(file: Option<&std::path::Path>, piped: bool) -> Result<Option<Source>> {
    match file {
        Some(path) => Source::open(path).map(Some),
        None if piped => Source::standard_input().map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::model::{ImageStatus, Timestamp};

    #[test]
    fn what_an_image_has_already_is_no_change() {
        let id = "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11";
        let mut image = Image::queued(id.to_string(), Timestamp::now());
        image.status = ImageStatus::Active;
        image.set_property("os_distro", "debian");
        let changes = [
            Change::replace("status", "active"),
            Change::add("os_distro", "debian"),
            Change::replace("min_disk", json!(0)),
            Change::replace("id", id),
            Change::replace("os_distro", "fedora"),
            Change::replace("status", "queued"),
            Change::remove("os_distro"),
            Change::add_tag("x"),
        ];
        assert_eq!(effective(&image, &changes).changes(), &changes[4..]);
    }

    #[tokio::test]
    async fn data_is_recognised_in_files_and_pipes() {
        let mut qcow2 = b"QFI\xfb\0\0\0\x03".to_vec();
        qcow2.resize(300_000, 0);
        let directory = tempfile::tempdir().unwrap();
        for (data, format) in [
            (qcow2.clone(), Some(Format::Qcow2)),
            (qcow2[..600].to_vec(), Some(Format::Qcow2)),
            (vec![7; 300_000], None),
            (Vec::new(), None),
        ] {
            let path = directory.path().join("data");
            std::fs::write(&path, &data).unwrap();
            let mut source = Source::open(&path).unwrap();
            assert_eq!(DetectedFormat::observe(&mut source).format(), format);
            let mut source = Source::reader(std::io::Cursor::new(data.clone()), "a pipe");
            let detected = DetectedFormat::observe(&mut source);
            let blocks: Vec<Bytes> = source.into_stream().try_collect().await.unwrap();
            assert!(blocks.concat() == data, "passed on as it was");
            assert_eq!(detected.format(), format);
        }
    }
}
