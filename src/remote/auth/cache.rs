//! Tokens kept from one command to the next: a file for each login, which nobody else may read.
//!
//! The file's name comes from all that says who logs in where and for what, but for the secrets. Those are
//! compared with a salted digest in the file, so that a wrong password is never covered up by a token that
//! the right one got.

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

/// Seconds that a token must still be good for.
const MARGIN: i64 = 60;

/// Files that nobody has touched for that long are thrown away.
const ABANDONED: Duration = Duration::from_hours(7 * 24);

/// Seconds after which a login is made again that needs nobody to do something: roles, regions and addresses change.
const OLDEST: i64 = 3600;

/// The form of the files; others are not read.
const FORM: u32 = 2;

/// What is in a file.
#[derive(Serialize, Deserialize)]
struct Kept {
    form: u32,
    salt: String,
    proof: String,
    /// When the login was made, in seconds of Unix time.
    made: i64,
    token: AuthToken,
}

/// Where the token of a login is kept.
pub struct Place {
    path: PathBuf,
    secrets: Vec<u8>,
    /// Whether the login can be made again without anybody.
    is_silent: bool,
}

impl Place {
    /// That of a login.
    pub fn of(directory: &Path, keystone: &Keystone) -> Self {
        // `Debug` shows every field, and of a secret only that there is one.
        let name = hex(&Sha256::digest(format!("{FORM} {keystone:?}")));
        let mut secrets = Vec::new();
        for secret in keystone.secrets() {
            // No text holds a byte 0xff.
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

    /// The token, if there is one that is still good for a while and that these secrets got.
    pub fn read(&self) -> Option<AuthToken> {
        let bytes = std::fs::read(&self.path).ok()?;
        let kept: Kept = serde_json::from_slice(&bytes).ok()?;
        let now = jiff::Timestamp::now().as_second();
        let expires = kept.token.auth_info.as_ref()?.token.expires_at.timestamp();
        let good = kept.form == FORM
            && kept.proof == self.proof(&kept.salt)
            && expires > now + MARGIN
            // One from the future was made before the clock was set right.
            && (!self.is_silent || (0..OLDEST).contains(&(now - kept.made)));
        good.then_some(kept.token)
    }

    /// Keeps a token. Where that fails, the next command logs in again.
    pub fn write(&self, token: &AuthToken) {
        // A token without an end would be kept for ever.
        if token.auth_info.is_some() {
            let _ = self.try_write(token);
        }
    }

    fn try_write(&self, token: &AuthToken) -> std::io::Result<()> {
        let salt = uuid::Uuid::new_v4().to_string();
        let kept = Kept {
            form: FORM,
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

/// Forgets all tokens that are kept in `directory`; how many there were.
///
/// # Errors
/// `Io` when one cannot be removed.
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
    let Some(oldest) = SystemTime::now().checked_sub(ABANDONED) else {
        return;
    };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified < oldest) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
