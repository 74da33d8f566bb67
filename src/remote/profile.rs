//! Profiles of clouds that their servers publish, fetched and cached.
//!
//! *Source:* openstacksdk, `openstack/config/vendors/__init__.py` (`get_profile`).

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use sha2::{Digest, Sha256};

use super::{client, failure};
use crate::config::Profile;
use crate::http::{Observer, Request};
use crate::{Error, Result};

/// The time for which a cached profile is used without a request.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The default timeout. After that, an older cached profile is used.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the document of a profile: one that was cached for less than a day, or the server's current one,
/// or, if the server does not respond, an older cached one.
///
/// # Errors
/// `Failed` if the server has none; errors of the connection if none is cached.
pub async fn fetch_profile(profile: &Profile, observer: Observer) -> Result<String> {
    let place = profile
        .directory
        .as_deref()
        .map(|directory| place(directory, profile));
    if let Some(kept) = place.as_deref().and_then(|place| read(place, MAX_AGE)) {
        return Ok(kept);
    }
    match ask(profile, observer).await {
        Ok(document) => {
            if let Some(place) = &place {
                // Without it, the next command fetches the profile again.
                let _ = keep(place, &document);
            }
            Ok(document)
        }
        Err(error) => {
            let kept = place
                .as_deref()
                .and_then(|place| read(place, Duration::MAX));
            kept.ok_or(error)
        }
    }
}

async fn ask(profile: &Profile, observer: Observer) -> Result<String> {
    let url = &profile.published.url;
    let timeout = profile.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let http = client(&profile.tls, Some(timeout), observer);
    let request = Request::new(Method::GET, url.clone());
    let answer = http.call(&request).await.map_err(failure::failed)?;
    let document = String::from_utf8(answer.body.to_vec()).ok();
    let document = document.filter(|text| {
        let value = serde_json::from_str::<serde_json::Value>(text);
        answer.status.is_success() && value.is_ok_and(|value| value["profile"].is_object())
    });
    document.ok_or_else(|| {
        let name = profile.published.name.escape_debug();
        let status = answer.status.as_u16();
        Error::failed(format!(
            "profile '{name}' is not published at {url} (HTTP {status})"
        ))
        .hint("Give the cloud an auth_url of its own in clouds.yaml.")
    })
}

/// Returns the file of a cached profile.
fn place(directory: &Path, profile: &Profile) -> PathBuf {
    let digest = Sha256::digest(profile.published.url.as_str());
    let mut name = String::new();
    for byte in digest {
        let _ = write!(name, "{byte:02x}");
    }
    directory.join(format!("{name}.json"))
}

/// Returns a document that was cached for less than `age`.
fn read(place: &Path, age: Duration) -> Option<String> {
    let modified = std::fs::metadata(place).ok()?.modified().ok()?;
    // A file from the future counts as new.
    let is_fresh = modified.elapsed().map_or(true, |elapsed| elapsed < age);
    is_fresh.then(|| std::fs::read_to_string(place).ok())?
}

fn keep(place: &Path, document: &str) -> std::io::Result<()> {
    let directory = place.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(document.as_bytes())?;
    file.persist(place)?;
    Ok(())
}
