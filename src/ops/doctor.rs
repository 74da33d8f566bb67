//! The findings of a check-up of a deployment, see `glance doctor`.

use crate::output::{Cell, Row, Table, View};

/// The result of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// No action needed.
    Good,
    /// A warning: something will fail, or is limited.
    Warning,
    /// An error: something is broken or missing.
    Bad,
}

impl Health {
    /// Returns the word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "error",
        }
    }
}

/// The result of a check, with details.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The subject of the check, such as `database`.
    pub check: &'static str,
    /// The result.
    pub health: Health,
    /// The details, on one line.
    pub detail: String,
    /// The remedy, in sentences.
    pub cure: Option<String>,
}

/// The findings of all checks, in order.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a good result.
    pub fn good(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Health::Good, detail, None);
    }

    /// Adds a warning, with its cure.
    pub fn warn(
        &mut self,
        check: &'static str,
        detail: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.add(check, Health::Warning, detail, Some(cure.into()));
    }

    /// Adds a result.
    pub fn add(
        &mut self,
        check: &'static str,
        health: Health,
        detail: impl Into<String>,
        cure: Option<String>,
    ) {
        let detail = detail.into();
        self.0.push(Finding {
            check,
            health,
            detail,
            cure,
        });
    }

    /// Returns the findings.
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// Returns whether something does not work.
    pub fn is_bad(&self) -> bool {
        self.0.iter().any(|finding| finding.health == Health::Bad)
    }

    /// Returns the findings as a table for programs. The fields are `check`, `status` (`ok`, `warning` or `error`),
    /// `detail` and `cure`.
    pub fn table(&self) -> View<'static> {
        let rows = self.0.iter().map(|finding| {
            let cells: Row = vec![
                Cell::from(finding.check),
                Cell::from(finding.health.word()),
                Cell::from(finding.detail.as_str()),
                finding.cure.as_deref().map_or_else(Cell::none, Cell::from),
            ];
            cells
        });
        View::Table(Table::from_rows(
            ["check", "status", "detail", "cure"],
            rows.collect(),
        ))
    }
}
