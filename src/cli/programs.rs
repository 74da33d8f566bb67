//! The programs, by the name that they are called by.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use super::command::grammar::Grammar;
use super::complete::{self, Subject};
use super::run::{client, limits, print, ui};
use super::{api, cache_manage, manage, scrubber};
use crate::config::Environment;

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `glance` and `openstack`.
    Glance,
    /// `glance-api`.
    Api,
    /// `glance-manage`.
    Manage,
    /// `glance-cache-manage`.
    CacheManage,
    /// `glance-scrubber`.
    Scrubber,
}

impl Program {
    /// Returns the program that is called `name`; `glance` for any unknown name.
    fn named(name: Option<&str>) -> Self {
        match name {
            Some(api::NAME) => Self::Api,
            Some("glance-manage") => Self::Manage,
            Some("glance-scrubber") => Self::Scrubber,
            Some("glance-cache-manage") => Self::CacheManage,
            Some(old) if cache_manage::old_name(old).is_some() => Self::CacheManage,
            _ => Self::Glance,
        }
    }
}

/// Runs the program that the process is called by the name of, with its arguments and environment.
pub fn main() -> ExitCode {
    limits::within(|| print::exit_code(run()))
}

fn run() -> ExitCode {
    let mut words = std::env::args_os();
    let called = words.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(OsStr::to_str);
    let words: Vec<OsString> = words.collect();
    let environment: Environment = std::env::vars_os().collect();
    if words.first().is_some_and(|word| word == complete::WORD) {
        // Nothing is logged, and it cannot fail: a shell is in the middle of a line.
        let answer = complete::answer(words[1..].to_vec(), &environment, completed);
        return print::print_silently(&answer);
    }
    ui::listen();
    let program = Program::named(name);
    if let Some(name) = name.filter(|_| program != Program::Glance) {
        name_process(name);
    }
    match program {
        Program::Glance => {
            let grammar = match name {
                Some("openstack") => Grammar::Openstack,
                _ => Grammar::Glance,
            };
            client::run(grammar, &words, environment)
        }
        Program::Api => api::run(words, &environment),
        Program::Manage => manage::run(words, &environment),
        Program::CacheManage => match name.and_then(cache_manage::old_name) {
            Some(name) => cache_manage::run_old(name, words, environment),
            None => cache_manage::run(words, environment),
        },
        Program::Scrubber => scrubber::run(words, &environment),
    }
}

/// Returns the program whose command line is completed.
fn completed(name: &str) -> Subject {
    let tool = |command, settings| Subject::Tool {
        command: Box::new(command),
        settings,
    };
    match Program::named(Some(name)) {
        Program::Glance if name == "openstack" => Subject::Client(Grammar::Openstack),
        Program::Glance => Subject::Client(Grammar::Glance),
        Program::Api => tool(api::command(), api::load_settings),
        Program::Manage => tool(manage::command(), manage::load_settings),
        Program::Scrubber => tool(scrubber::command(), scrubber::load_settings),
        Program::CacheManage => {
            let command = match cache_manage::old_name(name) {
                Some(old) => cache_manage::upkeep_command(old, ""),
                None => cache_manage::completed_command(),
            };
            tool(command, cache_manage::load_settings)
        }
    }
}

/// Names the process as the program, for `ps` and `pgrep`: a launcher that was replaced leaves the name `glance`.
fn name_process(name: &str) {
    let _ = std::fs::write("/proc/self/comm", name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use crate::cli::command::argparse::{Request, read_words};
    use crate::cli::run::hints::use_operation;

    fn operations() -> Vec<Operation> {
        let id = || "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11".to_string();
        vec![
            Operation::ShowImage(id()),
            Operation::UnprotectImage(id()),
            Operation::UnprotectNamespace("space".to_string()),
            Operation::ShareImage(id()),
            Operation::CopyImage(id()),
            Operation::RestoreImage(id()),
            Operation::ListTasks(id()),
            Operation::ListStores,
            Operation::ShowUsage,
            Operation::AddLocation,
            Operation::SyncDatabase,
            Operation::MigrateRows,
            Operation::RecordRevision,
            Operation::PreviewPrune,
            Operation::Prefetch,
        ]
    }

    #[test]
    fn every_command_line_of_a_hint_is_accepted_by_its_program() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for operation in operations() {
                let sentence = use_operation(grammar, &operation);
                let line = sentence.split('"').nth(1).unwrap();
                // The placeholder of the command that the database is given by its number.
                let line = line.replace("REVISION", "23");
                let (program, rest) = line.split_once(' ').unwrap();
                let words: Vec<String> = rest.split(' ').map(str::to_string).collect();
                let tool = match program {
                    "glance" | "openstack" => {
                        let called = if program == "glance" {
                            Grammar::Glance
                        } else {
                            Grammar::Openstack
                        };
                        let read = read_words(called, words);
                        assert!(
                            matches!(read, Ok(Request::Leaf(_) | Request::Builtin { .. })),
                            "{line}"
                        );
                        continue;
                    }
                    "glance-manage" => manage::command(),
                    "glance-scrubber" => scrubber::command(),
                    "glance-cache-manage" => cache_manage::command(),
                    other => panic!("{other}"),
                };
                let read = tool.try_get_matches_from(line.split(' '));
                assert!(read.is_ok(), "{line}: {read:?}");
            }
        }
    }
}
