//! Cached tokens: a file for each login, which only its user can read.
//!
//! The file's name is derived from all parameters of the login except the secrets. Those are compared with
//! a salted digest in the file, so that a wrong password is never hidden by a token that the right one
//! obtained.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use openstack_sdk_auth_core::AuthToken;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Keystone;
use crate::data::digest::hex;
use crate::{Error, Result};

/// The minimum remaining validity of a token, in seconds.
const MARGIN: i64 = 60;

/// The age after which unused files are removed.
const MAX_UNUSED: Duration = Duration::from_hours(7 * 24);

/// The maximum age in seconds of a token whose login can be repeated without interaction: roles, regions
/// and addresses may change.
const MAX_AGE: i64 = 3600;

/// The version of the file format; files of other versions are not read.
const VERSION: u32 = 2;

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct CachedToken {
    form: u32,
    salt: String,
    proof: String,
    /// The time of the login, in seconds of Unix time.
    made: i64,
    token: AuthToken,
}

/// The place of a login's cached token.
pub struct Place {
    path: PathBuf,
    secrets: Vec<u8>,
    /// Whether the login can be repeated without interaction.
    is_silent: bool,
}

impl Place {
    /// Returns the place for a login.
    pub fn of(directory: &Path, keystone: &Keystone) -> Self {
        // `Debug` shows every field, but of a secret only whether it is set.
        let name = hex(&Sha256::digest(format!("{VERSION} {keystone:?}")));
        let mut secrets = Vec::new();
        for secret in keystone.secrets() {
            // No text contains a byte 0xff.
            secrets.extend(secret.map_or(&b""[..], |secret| secret.reveal().as_bytes()));
            secrets.push(0xff);
        }
        let path = directory.join(format!("{name}.json"));
        let is_silent = keystone.logs_in_silently();
        Self {
            path,
            secrets,
            is_silent,
        }
    }

    /// Returns the token, if there is one that is valid for a while and was obtained with these secrets.
    pub fn read(&self) -> Option<AuthToken> {
        let bytes = std::fs::read(&self.path).ok()?;
        let kept: CachedToken = serde_json::from_slice(&bytes).ok()?;
        let now = jiff::Timestamp::now().as_second();
        let expires = kept.token.auth_info.as_ref()?.token.expires_at.timestamp();
        let good = kept.form == VERSION
            && kept.proof == self.proof(&kept.salt)
            && expires > now + MARGIN
            // A token from the future was created before the clock was corrected.
            && (!self.is_silent || (0..MAX_AGE).contains(&(now - kept.made)));
        good.then_some(kept.token)
    }

    /// Stores a token. If that fails, the next command logs in again.
    pub fn write(&self, token: &AuthToken) {
        // A token without an expiry would be stored for ever.
        if token.auth_info.is_some() {
            let _ = self.try_write(token);
        }
    }

    fn try_write(&self, token: &AuthToken) -> std::io::Result<()> {
        let salt = uuid::Uuid::new_v4().to_string();
        let kept = CachedToken {
            form: VERSION,
            proof: self.proof(&salt),
            salt,
            made: jiff::Timestamp::now().as_second(),
            token: token.clone(),
        };
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        throw_away_abandoned(directory);
        let mut file = tempfile::Builder::new().make_in(directory, |path| {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(path)
        })?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.persist(&self.path)?;
        Ok(())
    }

    fn proof(&self, salt: &str) -> String {
        let digest = Sha256::new()
            .chain_update(salt)
            .chain_update(&self.secrets)
            .finalize();
        hex(&digest)
    }
}

/// Removes all tokens in `directory`, and returns their number.
///
/// # Errors
/// `Io` if one cannot be removed.
pub fn forget_tokens(directory: &Path) -> Result<usize> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(Error::io("read", directory, e)),
    };
    let mut forgotten = 0;
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read", directory, e))?.path();
        if path.is_dir() {
            continue;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => forgotten += 1,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("remove", &path, e)),
        }
    }
    Ok(forgotten)
}

fn throw_away_abandoned(directory: &Path) {
    let Some(oldest) = SystemTime::now().checked_sub(MAX_UNUSED) else {
        return;
    };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified < oldest) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
