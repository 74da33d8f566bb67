//! The removal of deleted rows.
//!
//! *Source:* messages of `glance/cmd/manage.py` in the reference implementation.

use jiff::SignedDuration;
use serde_json::json;

use super::arguments::{Action, Purge};
use super::catalog::open;
use crate::cli::command::registry::Leaf;
use crate::cli::operator::metrics::Metrics;
use crate::cli::operator::session::Session;
use crate::cli::run::progress::Rows;
use crate::local::catalog::{Purged, Scope};
use crate::model::Timestamp;
use crate::ops::Outcome;
use crate::output::{Cell, Row, Table, View};
use crate::{Error, Result};

/// Purge deleted rows from all tables except images.
pub struct Details;

impl Leaf<Session> for Action<Details, Purge<30>> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        purge(session, Scope::Details, &self.0).await
    }
}

/// Purge deleted rows from the images table.
pub struct Images;

impl Leaf<Session> for Action<Images, Purge<180>> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        purge(session, Scope::Images, &self.0).await
    }
}

/// Purges rows, or shows what would be purged.
async fn purge<const DAYS: i64>(
    session: &Session,
    scope: Scope,
    wanted: &Purge<DAYS>,
) -> Result<Outcome<'static>> {
    let (before, max_rows) = bounds(wanted)?;
    let catalog = open(&session.settings).await?;
    if wanted.dry_run {
        let tables = catalog.would_purge(scope, before, max_rows).await?;
        let lines: Vec<String> = tables.iter().map(would_purge).collect();
        return Ok(Outcome::text(lines.join("\n")).with_data(data(&tables, true)));
    }
    let rows = Rows::new("rows");
    let mut gone = 0;
    let mut removed = |table: &str, more| {
        gone += more;
        rows.advance(table, more);
    };
    let purged = catalog
        .purge(scope, before, max_rows, &session.watch, &mut removed)
        .await;
    rows.end();
    catalog.close().await?;
    if let Some(path) = &wanted.metrics_file {
        let prefix = match scope {
            Scope::Details => "glance_purge",
            Scope::Images => "glance_purge_images",
        };
        Metrics::new(prefix)
            .counter("rows_removed_total", "Rows removed.", gone)
            .write(path, purged.is_ok())?;
    }
    if purged.is_err() && gone > 0 {
        session
            .log
            .info(&format!("Purged {gone} row(s) before the failure"));
    }
    let purged = purged?;
    if gone > 0 {
        let tables = purged.iter().filter(|table| table.rows > 0);
        let tables: Vec<String> = tables
            .map(|table| format!("{} of {}", table.rows, table.table))
            .collect();
        session
            .log
            .info(&format!("Purged {gone} row(s): {}", tables.join(", ")));
    }
    Ok(Outcome::nothing().with_data(data(&purged, false)))
}

/// Returns the latest deletion time to purge, and the maximum number of rows per table.
fn bounds<const DAYS: i64>(wanted: &Purge<DAYS>) -> Result<(Timestamp, Option<u64>)> {
    if wanted.age_in_days < 0 {
        return Err(Error::failed("Must supply a non-negative value for age."));
    }
    if wanted.max_rows < -1 {
        return Err(Error::failed("Minimal rows limit is -1."));
    }
    let age = wanted
        .age_in_days
        .checked_mul(24)
        .map(SignedDuration::from_hours);
    let before = age.and_then(|age| Timestamp::now().later(-age));
    let Some(before) = before.filter(|before| *before > Timestamp::EPOCH) else {
        return Err(Error::failed("Maximal age is count of days since epoch."));
    };
    Ok((before, u64::try_from(wanted.max_rows).ok()))
}

/// Returns the purged tables for programs. Sizes and times are known by a dry run only.
fn data(tables: &[Purged], dry_run: bool) -> View<'static> {
    let row = |purged: &Purged| -> Row {
        vec![
            Cell::from(purged.table),
            Cell::from(purged.rows),
            Cell::new(json!(dry_run.then_some(purged.bytes))),
            Cell::new(json!(purged.oldest.as_ref().map(ToString::to_string))),
        ]
    };
    let columns = ["table", "rows", "bytes", "oldest_deleted_at"];
    View::Table(Table::from_rows(columns, tables.iter().map(row).collect()))
}

fn would_purge(table: &Purged) -> String {
    let Purged {
        table,
        rows,
        oldest,
        bytes,
    } = table;
    match oldest {
        Some(oldest) => format!(
            "Would purge {rows} row(s) of {table}, about {bytes} byte(s), oldest deleted at {oldest}."
        ),
        None => format!("Would purge no rows of {table}."),
    }
}
