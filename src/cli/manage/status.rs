//! The revision of a database, and the upgrade step that is due.
//!
//! *Source:* messages and exit codes of `glance/cmd/manage.py` in the reference implementation.

use serde_json::json;

use super::arguments::{Action, Nothing};
use crate::Result;
use crate::cli::command::registry::Leaf;
use crate::cli::operator::session::Session;
use crate::local::catalog::{Catalog, Due, State, superseded};
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};

/// Show the current schema revision.
pub struct Version;

impl Leaf<Session> for Action<Version, Nothing> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let state = match Catalog::open_unchanged(&session.settings).await? {
            Some(catalog) => catalog.state().await?,
            None => State::Empty,
        };
        Ok(match state {
            State::At(heads) if !heads.is_empty() => {
                let mut outcome = Outcome::text(heads.join("\n")).with_data(revisions(&heads));
                outcome.notices.extend(not_heads(&heads));
                outcome
            }
            State::At(_)
            | State::Empty
            | State::Foreign
            | State::Legacy(_)
            | State::Uncontrolled => Outcome::text(
                "Database is either not under migration control or under legacy migration control, please run \
                 \"glance-manage db sync\" to place the database under alembic migration control.",
            )
            .with_data(revisions(&[])),
        })
    }
}

/// Returns the recorded revisions for programs.
fn revisions(heads: &[String]) -> View<'static> {
    let revisions = Cell::new(json!(heads));
    View::Record(Record::from_iter([("revisions".to_string(), revisions)]))
}

/// Returns a message about rows of `alembic_version` that are not heads; `None` if there are none or one is
/// unknown.
fn not_heads(noted: &[String]) -> Option<String> {
    let left = superseded(noted).ok().filter(|left| !left.is_empty())?;
    Some(format!(
        "Rows of alembic_version that are not heads: {}. \"glance-manage db sync\" removes them.",
        left.join(", ")
    ))
}

/// Report which upgrade step is due.
pub struct Check;

impl Leaf<Session> for Action<Check, Nothing> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut heading = None;
        let due = match Catalog::open_unchanged(&session.settings).await? {
            Some(catalog) => match catalog.state().await? {
                State::At(heads) => {
                    heading = not_heads(&heads);
                    catalog.due(&heads).await
                }
                State::Empty | State::Foreign | State::Legacy(_) | State::Uncontrolled => {
                    Ok(Due::Expand)
                }
            },
            None => Ok(Due::Expand),
        };
        let mut outcome = match due {
            Ok(due) => report(due),
            Err(error) => Outcome::nothing().failing([error]),
        };
        outcome.heading = heading;
        Ok(outcome)
    }
}

/// Returns the report on the upgrade step that is due; the exit code names the step.
fn report(due: Due) -> Outcome<'static> {
    let (text, code) = match due {
        Due::Nothing => ("Database is up to date. No upgrades needed.", 0),
        Due::Expand => (
            "Your database is not up to date. Your first step is to run `glance-manage db expand`.",
            3,
        ),
        Due::Migrate => (
            "Your database is not up to date. Your next step is to run `glance-manage db migrate`.",
            4,
        ),
        Due::Contract => (
            "Your database is not up to date. Your next step is to run `glance-manage db contract`.",
            5,
        ),
    };
    let next = match due {
        Due::Nothing => None,
        Due::Expand => Some("expand"),
        Due::Migrate => Some("migrate"),
        Due::Contract => Some("contract"),
    };
    let data = Record::from_iter([
        ("up_to_date".to_string(), Cell::from(next.is_none())),
        ("next_step".to_string(), Cell::new(json!(next))),
    ]);
    Outcome::text(text)
        .with_data(View::Record(data))
        .exiting(code)
}
