//! `glance` and `openstack`.

use std::ffi::OsString;
use std::process::ExitCode;

use super::answer::answer;
use super::execute::{open_session, perform};
use super::lines;
use super::print::fail;
use super::runtime::{block_on, block_on_reading};
use super::{handover, hints};
use crate::cli::command::argparse::{self, Parsed, Request};
use crate::cli::command::grammar::Grammar;
use crate::config::Environment;
use crate::data::Watch;

/// Runs a command line of the program that was `called`.
pub fn run(called: Grammar, words: &[OsString], environment: Environment) -> ExitCode {
    hints::note_called(called);
    let request = argparse::read(called, words.to_vec());
    if handover::is_foreign(called, words, &request)
        && let Some(error) = handover::replace(words, &environment)
    {
        return fail(called, &error);
    }
    match request {
        Ok(Request::NoCommand(options)) => lines::run(called, options, environment),
        Ok(Request::Leaf(parsed)) => run_command(called, &parsed, environment),
        Ok(request) => answer(called, request, &environment),
        Err(error) => fail(called, &error),
    }
}

/// Runs one command as the only one of the process.
fn run_command(called: Grammar, parsed: &Parsed, environment: Environment) -> ExitCode {
    let grammar = parsed.grammar;
    let watch = Watch::default();
    let session = match open_session(parsed, environment, &watch) {
        Ok(session) => session,
        Err(error) => return fail(called, &error),
    };
    let work = async {
        let result = perform(parsed, &session).await;
        session.finish().await;
        result
    };
    let result = if parsed.row.reads() {
        block_on_reading(&watch, work)
    } else {
        block_on(&watch, work)
    };
    session.forget();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => fail(grammar, &error),
    }
}
