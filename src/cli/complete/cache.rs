//! The last answers of clouds: a file for each cloud, login and query, which only its user can read. It contains names and
//! IDs, and no secret.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Cloud, Environment, Login};
use crate::data::digest::hex;
use crate::model::{NameQuery, Named};

/// The time for which an answer replaces a request.
const FRESH: i64 = 60;

/// The time for which an answer is used if the cloud does not respond, and after which its file is removed.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The version of the file format.
const VERSION: u32 = 1;

/// The content of a file.
#[derive(Serialize, Deserialize)]
struct File {
    form: u32,
    /// The time of the answer, in seconds of Unix time.
    made: i64,
    /// Each value with its description.
    names: Vec<(String, String)>,
}

/// The place of an answer.
pub struct Kept {
    path: PathBuf,
}

/// An answer that was read.
pub struct Read {
    /// The names.
    pub names: Vec<Named>,
    /// Whether it replaces a request.
    pub is_fresh: bool,
}

impl Kept {
    /// Returns the place for an answer; None if nothing of this cloud is cached.
    pub fn of(cloud: &Cloud, query: &NameQuery, environment: &Environment) -> Option<Self> {
        cloud.tokens.as_ref()?;
        let directory = Cloud::name_directory(environment)?;
        // `Debug` shows every field, but of a secret only whether it is set. Tokens of different projects have different
        // answers.
        let mut digest = Sha256::new().chain_update(format!("{VERSION} {cloud:?} {query:?}"));
        if let Login::Token(token) = &cloud.login {
            digest.update(token.reveal());
        }
        let name = hex(&digest.finalize());
        Some(Self {
            path: directory.join(format!("{name}.json")),
        })
    }

    /// Returns the answer, if there is one that is less than a day old.
    pub fn read(&self) -> Option<Read> {
        let file: File = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        let age = jiff::Timestamp::now().as_second() - file.made;
        // An answer from the future was stored before the clock was corrected.
        let is_usable = u64::try_from(age).is_ok_and(|age| age < MAX_AGE.as_secs());
        (file.form == VERSION && is_usable).then(|| Read {
            names: file
                .names
                .into_iter()
                .map(|(value, about)| Named { value, about })
                .collect(),
            is_fresh: age < FRESH,
        })
    }

    /// Stores an answer. If that fails, the next completion asks again.
    pub fn write(&self, names: &[Named]) {
        let _ = self.try_write(names);
    }

    fn try_write(&self, names: &[Named]) -> std::io::Result<()> {
        let names = names.iter();
        let file = File {
            form: VERSION,
            made: jiff::Timestamp::now().as_second(),
            names: names
                .map(|name| (name.value.clone(), name.about.clone()))
                .collect(),
        };
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        remove_outdated(directory);
        let mut written = tempfile::Builder::new().make_in(directory, |path| {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(path)
        })?;
        written.write_all(&serde_json::to_vec(&file)?)?;
        written.persist(&self.path)?;
        Ok(())
    }
}

fn remove_outdated(directory: &Path) {
    let Some(oldest) = SystemTime::now().checked_sub(MAX_AGE) else {
        return;
    };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|modified| modified < oldest) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
