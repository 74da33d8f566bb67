//! The execution of a parsed command of `glance` or `openstack`.

use std::time::Duration;

use super::hints;
use super::observation::Observation;
use super::outcome::{Style, finish};
use super::print;
use super::session::Session;
use super::ui;
use crate::cli::command::argparse::Parsed;
use crate::cli::command::formatters;
use crate::cli::command::globals::Globals;
use crate::cli::command::globals::keys;
use crate::cli::command::grammar::{Grammar, Row};
use crate::config::{Environment, Preferences, Setting};
use crate::data::Watch;
use crate::output::StandardOutput;
use crate::{Error, Result};

/// Validates the global options and creates a session that has not opened anything.
///
/// # Errors
/// `Usage` for contradictory options; `Failed` for an unsupported API version; `Io` for a log file.
pub fn open_session(parsed: &Parsed, environment: Environment, watch: &Watch) -> Result<Session> {
    let (grammar, globals) = (parsed.grammar, &parsed.globals);
    globals.refuse_contradictions(parsed.row.name)?;
    check_versions(grammar, globals)?;
    // In the second grammar, the format is an option of upstream's, whose errors scripts know.
    if grammar == Grammar::Glance && globals.value(keys::FORMAT) == Some("json") {
        ui::write_json();
    }
    let observation = Observation::begin(grammar, globals, &environment)?;
    let watch = watch.clone();
    let preferences = Preferences::read(&environment).into();
    let mut session = Session::new(grammar, globals.clone(), environment, watch, observation);
    session.preferences = preferences;
    session.creates = parsed.row.creates;
    Ok(session)
}

/// Runs a command and prints its result. Returns the exit code.
pub async fn perform(parsed: &Parsed, session: &Session) -> Result<u8> {
    let Parsed {
        grammar,
        row,
        matches,
        globals,
        ..
    } = parsed;
    // What is wrong with the preferences is a finding of the check.
    let checks = row.name == "doctor" && session.preferences.get().is_err();
    let usual = Setting::from(Preferences::default());
    let options = formatters::options(
        *grammar,
        row.name,
        matches,
        globals,
        &session.environment,
        if checks { &usual } else { &session.preferences },
    )?;
    let once = async || {
        let advise = |error| hints::advise(error, *grammar, row, matches);
        let mut outcome = (row.run)(matches, session).await.map_err(advise)?;
        outcome.failures = outcome.failures.into_iter().map(advise).collect();
        if globals.is_set(keys::WATCH) && options.is_terminal {
            print::clear_screen();
        }
        finish(outcome, Style::of(*grammar), &options).await
    };
    let done = if globals.is_set(keys::WATCH) {
        repeat(row, session, once).await
    } else {
        once().await
    };
    let mut out = StandardOutput::open()?;
    session.observation.end(options.format, &mut out).await?;
    done
}

/// Runs a command that only reads again and again, until it fails or is interrupted.
async fn repeat(row: &Row, session: &Session, once: impl AsyncFn() -> Result<u8>) -> Result<u8> {
    if !row.reads() {
        return Err(Error::usage(format!(
            "--watch cannot be used with {}",
            row.name
        )));
    }
    loop {
        let code = once().await?;
        if code != 0 {
            return Ok(code);
        }
        session.watch.sleep(WATCH_INTERVAL).await?;
    }
}

/// The time between two rounds of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Checks the requested version of the Images API.
fn check_versions(grammar: Grammar, globals: &Globals) -> Result<()> {
    let Some(version) = globals.value(keys::IMAGE_API_VERSION) else {
        return Ok(());
    };
    let major = version.split('.').next().unwrap_or_default();
    match (grammar, major.parse::<u32>()) {
        (_, Ok(2)) => Ok(()),
        (Grammar::Glance, Ok(1)) => Err(Error::failed("the Images API v1 is not supported")
            .hint("Omit --os-image-api-version.")),
        (Grammar::Glance, _) => Err(Error::failed(
            "Invalid API version parameter. Supported values are [1, 2]",
        )
        .hint("Omit --os-image-api-version: version 2 is the only one.")),
        (Grammar::Openstack, _) => Err(Error::failed(format!(
            "Images API version {version} is not supported"
        ))
        .hint("Omit --os-image-api-version: version 2 is the only one.")),
    }
}
