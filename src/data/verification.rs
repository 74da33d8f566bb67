//! The comparison of stored data with its record.

use rustix::fs::{Advice, fadvise};

use super::pump::{self, Sink};
use super::{Algorithm, Source, Watch, blocking};
use crate::model::Image;
use crate::{Error, Result};

/// Reads all data of an image, and returns its difference from the size and the hashes in the record; None if it is the
/// same. A file is read from its disk rather than from memory.
///
/// # Errors
/// `Failed` if the record has no hash of a known algorithm; errors of the source; `Interrupted`.
pub async fn find_difference(
    source: Source,
    image: &Image,
    watch: &Watch,
) -> Result<Option<String>> {
    let expected = expected(image);
    if expected.is_empty() {
        let id = &image.id;
        let message = format!("the record of image {id} has no hash to compare its data with");
        return Err(Error::failed(message));
    }
    let source = uncached(source).await?;
    let algorithms = expected.iter().map(|(algorithm, _)| *algorithm).collect();
    let look = Box::new(|_: &[u8]| Ok(()));
    let read = pump::transfer(source, Sink::Nowhere, algorithms, watch.silent(), look).await?;
    if let Some(size) = image.size.filter(|size| *size != read.size) {
        return Ok(Some(format!("{} bytes instead of {size}", read.size)));
    }
    let mut found = expected.iter().zip(&read.digests);
    let differing = found.find(|((_, expected), digest)| !digest.eq_ignore_ascii_case(expected));
    Ok(differing.map(|((algorithm, expected), digest)| {
        format!("its {} is {digest} instead of {expected}", algorithm.name())
    }))
}

/// Returns the hashes in the record of an image, the secure one first.
fn expected(image: &Image) -> Vec<(Algorithm, String)> {
    let secure = image.hash.as_ref().and_then(|hash| {
        let algorithm = Algorithm::parse(&hash.algorithm).ok()?;
        Some((algorithm, hash.value.clone()))
    });
    let checksum = image.checksum.clone();
    let checksum = checksum.map(|checksum| (Algorithm::Md5, checksum));
    secure.into_iter().chain(checksum).collect()
}

/// Returns the same source, whose file the system reads again from the disk, as far as it was written there.
async fn uncached(source: Source) -> Result<Source> {
    blocking(move || {
        if let Source::File { file, .. } = &source {
            // Advice only: a file system may have no other place for the data.
            let _ = fadvise(file, 0, None, Advice::DontNeed);
        }
        Ok(source)
    })
    .await
}
