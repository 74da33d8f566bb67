//! Commands of other services: `openstack` leaves them to the next program of that name on the `PATH`.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::command::argparse::Request;
use crate::cli::command::builtins::builtin;
use crate::cli::command::grammar::{Grammar, SHARED};
use crate::cli::command::help;
use crate::config::Environment;
use crate::{Error, Result};

/// The name of the program.
const NAME: &str = "openstack";

/// The variable set for the other program, so that two programs of this project do not call each other endlessly.
const MARK: &str = "GLANCE_HANDED_OVER";

/// Returns whether a command line of `openstack`, read as `request`, is for another program.
pub fn is_foreign<W: AsRef<OsStr>>(
    called: Grammar,
    words: &[W],
    request: &Result<Request>,
) -> bool {
    if called != Grammar::Openstack {
        return false;
    }
    match request {
        Ok(Request::Unknown(words)) => !is_ours(words),
        Ok(Request::Builtin { name, words }) if name == "help" => words
            .first()
            .is_some_and(|word| !is_ours(words) && !help::is_topic(word)),
        // Options of other services are not known here.
        Err(_) => {
            let words: Vec<&str> = words
                .iter()
                .filter_map(|word| word.as_ref().to_str())
                .collect();
            // A lone word may be the value of an option.
            let is_lone = |at: usize| at + 1 == words.len() && SHARED.contains(&words[at]);
            !(0..words.len()).any(|at| is_ours(&words[at..]) && !is_lone(at))
        }
        Ok(_) => false,
    }
}

/// Returns whether our commands begin with the first of these words; in shared groups, with the first two.
fn is_ours<W: AsRef<str>>(words: &[W]) -> bool {
    let mut words = words.iter().map(AsRef::as_ref);
    let Some(first) = words.next() else {
        return false;
    };
    let Some(second) = words.next().filter(|_| SHARED.contains(&first)) else {
        return builtin(first).is_some() || Grammar::Openstack.begins_with(first);
    };
    let mut rows = Grammar::Openstack.rows().into_iter();
    rows.any(|row| {
        let mut name = row.name.split(' ');
        name.next() == Some(first) && name.next() == Some(second)
    })
}

/// Replaces this process with the other `openstack`. Returns only without one, or with an error if it cannot be run.
pub fn replace(words: &[OsString], environment: &Environment) -> Option<Error> {
    let other = other(environment)?;
    let error = Command::new(&other).args(words).env(MARK, "1").exec();
    Some(Error::io("run", &other, error))
}

/// Runs the other `openstack` for a line of a batch or of a prompt, and returns its exit code; None without another
/// program. The commands on standard input are not for it.
///
/// # Errors
/// `Io` if it cannot be run.
pub fn run<W: AsRef<OsStr>>(
    words: &[W],
    environment: &Environment,
    reads_commands: bool,
) -> Option<Result<u8>> {
    let other = other(environment)?;
    let mut command = Command::new(&other);
    command.args(words).env(MARK, "1");
    if reads_commands {
        command.stdin(Stdio::null());
    }
    let ended = command.status().map_err(|e| Error::io("run", &other, e));
    Some(ended.map(|status| {
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        code.unwrap_or(1)
    }))
}

/// Returns the next `openstack` on the `PATH` that is not this program.
fn other(environment: &Environment) -> Option<PathBuf> {
    if environment.get(MARK).is_some() {
        return None;
    }
    let own = std::env::current_exe().ok()?;
    let own = identity(&own)?;
    let mut candidates =
        std::env::split_paths(environment.get("PATH")?).map(|path| path.join(NAME));
    candidates.find(|path| is_program(path) && identity(path).is_some_and(|file| file != own))
}

/// Returns what identifies a file, whatever its name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

fn is_program(path: &Path) -> bool {
    let file = std::fs::metadata(path);
    file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::argparse::read_words;

    fn foreign(called: Grammar, line: &str) -> bool {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        let request = read_words(called, words.clone());
        is_foreign(called, &words, &request)
    }

    #[test]
    fn commands_of_other_services_are_for_the_other_program() {
        for line in [
            "server list",
            "--os-cloud x server list",
            "--os-compute-api-version 2.90 --os-baremetal-api-version 1 baremetal node list",
            "help server list",
            "token issue -f json",
            "role add --project service --user glance admin",
            "--os-baremetal-api-version 1 user list --project service",
            "--os-baremetal-api-version 1 role add --project service --user glance admin",
            "service provider list",
            "endpoint group list",
            "help endpoint add project",
        ] {
            assert!(foreign(Grammar::Openstack, line), "{line}");
            assert!(!foreign(Grammar::Glance, line), "{line}");
        }
        for line in [
            "image list",
            "image lst",
            "image",
            "--nonsense image list",
            "image list --nonsense",
            "help image",
            "help cloud",
            "help",
            "--help",
            "complete",
            "cached image list",
            "service list",
            "--nonsense endpoint list",
            "endpoint create --nonsense",
            "help service",
        ] {
            assert!(!foreign(Grammar::Openstack, line), "{line}");
        }
    }
}
