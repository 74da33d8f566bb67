//! The revisions of the schema, and the progress of a database through them.
//!
//! *Source:* `glance/db/sqlalchemy/alembic_migrations/versions` of the reference implementation.

use crate::{Error, Result};

/// The revisions before the two branches.
const TRUNK: [&str; 3] = ["liberty", "mitaka01", "mitaka02"];

/// The revisions since: the expand revision of a release, with which older services still work, and its contract
/// revision. A contract revision requires that of the previous release, and the expand revision of its own.
const RELEASES: [(&str, &str); 13] = [
    ("ocata_expand01", "ocata_contract01"),
    ("pike_expand01", "pike_contract01"),
    ("queens_expand01", "queens_contract01"),
    ("rocky_expand01", "rocky_contract01"),
    ("rocky_expand02", "rocky_contract02"),
    ("train_expand01", "train_contract01"),
    ("ussuri_expand01", "ussuri_contract01"),
    ("wallaby_expand01", "wallaby_contract01"),
    ("xena_expand01", "xena_contract01"),
    ("yoga_expand01", "yoga_contract01"),
    ("zed_expand01", "zed_contract01"),
    ("2023_1_expand01", "2023_1_contract01"),
    ("2024_1_expand01", "2024_1_contract01"),
];

/// The former names of two revisions.
const ONCE: [(&str, &str); 2] = [
    ("ocata01", "ocata_contract01"),
    ("pike01", "pike_contract01"),
];

/// Returns the current name of a revision.
fn current_name(revision: &str) -> &str {
    let renamed = ONCE.iter().find(|(once, _)| *once == revision);
    renamed.map_or(revision, |(_, today)| *today)
}

/// Returns the rows of `alembic_version` that are not heads, sorted: another row implies or repeats each of them.
/// An interrupted upgrade may leave such rows.
///
/// # Errors
/// `Failed` for an unknown revision.
pub fn superseded(noted: &[String]) -> Result<Vec<String>> {
    let mut heads = Progress::of(noted)?.heads();
    let is_left = |name: &&String| {
        let found = heads.iter().position(|head| *head == current_name(name));
        found.map(|at| heads.swap_remove(at)).is_none()
    };
    let mut left: Vec<String> = noted.iter().filter(is_left).cloned().collect();
    left.sort_unstable();
    Ok(left)
}

/// The last expand revision.
pub const EXPANDED: &str = RELEASES[RELEASES.len() - 1].0;

/// The revision that this program reads and writes: the current head of the reference implementation.
pub const HEAD: &str = RELEASES[RELEASES.len() - 1].1;

/// The progress of a database: the number of applied revisions of each branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    trunk: usize,
    expanded: usize,
    contracted: usize,
}

impl Progress {
    /// The progress at the head.
    pub(super) const HEAD: Self = Self {
        trunk: TRUNK.len(),
        expanded: RELEASES.len(),
        contracted: RELEASES.len(),
    };

    /// Returns the progress of a database with these `heads`.
    ///
    /// # Errors
    /// `Failed` for an unknown revision.
    pub(super) fn of(heads: &[String]) -> Result<Self> {
        heads.iter().try_fold(Self::default(), |all, head| {
            Ok(all.joined(Self::through(head)?))
        })
    }

    /// Returns the progress of a database at a revision, or at `heads`.
    ///
    /// # Errors
    /// `Failed` for an unknown revision.
    pub(super) fn through(revision: &str) -> Result<Self> {
        let revision = current_name(revision);
        let branch = |expanded, contracted| Self {
            trunk: TRUNK.len(),
            expanded,
            contracted,
        };
        if let "heads" | "contract@head" = revision {
            return Ok(Self::HEAD);
        }
        if revision == "expand@head" {
            return Ok(branch(RELEASES.len(), 0));
        }
        if let Some(at) = TRUNK.iter().position(|name| *name == revision) {
            return Ok(Self {
                trunk: at + 1,
                ..Self::default()
            });
        }
        if let Some(at) = RELEASES.iter().position(|(name, _)| *name == revision) {
            return Ok(branch(at + 1, 0));
        }
        if let Some(at) = RELEASES.iter().position(|(_, name)| *name == revision) {
            return Ok(branch(at + 1, at + 1));
        }
        Err(Error::failed(format!(
            "Can't locate revision identified by '{revision}'"
        ))
        .hint(format!(
            "The known revisions are liberty to {HEAD}. A database with a newer revision needs a newer version of this program."
        )))
    }

    /// Returns the heads for `alembic_version`: the last revision of each branch, unless the other branch requires
    /// it.
    pub(super) fn heads(self) -> Vec<&'static str> {
        let mut heads = Vec::new();
        if self.expanded > self.contracted {
            heads.push(RELEASES[self.expanded - 1].0);
        }
        if self.contracted > 0 {
            heads.push(RELEASES[self.contracted - 1].1);
        }
        if heads.is_empty() && self.trunk > 0 {
            heads.push(TRUNK[self.trunk - 1]);
        }
        heads.sort_unstable();
        heads
    }

    /// Returns whether everything that current services write to exists.
    pub(super) fn is_expanded(self) -> bool {
        self.expanded == RELEASES.len()
    }

    /// Returns whether a revision was applied.
    pub(super) fn includes(self, revision: &str) -> bool {
        Self::through(revision).is_ok_and(|other| self.covers(other))
    }

    /// Returns the union of both.
    pub(super) fn joined(self, other: Self) -> Self {
        Self {
            trunk: self.trunk.max(other.trunk),
            expanded: self.expanded.max(other.expanded),
            contracted: self.contracted.max(other.contracted),
        }
    }

    /// Returns whether this includes everything in `other`.
    pub(super) fn covers(self, other: Self) -> bool {
        self.joined(other) == self
    }

    /// Returns the next revision on the way to `goal`, and the progress after it; None at the goal.
    pub(super) fn next(self, goal: Self) -> Option<(&'static str, Self)> {
        let mut then = self;
        if self.trunk < goal.trunk {
            then.trunk += 1;
            return Some((TRUNK[self.trunk], then));
        }
        if self.expanded < goal.expanded {
            then.expanded += 1;
            return Some((RELEASES[self.expanded].0, then));
        }
        if self.contracted < goal.contracted {
            then.contracted += 1;
            return Some((RELEASES[self.contracted].1, then));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(heads: &[&str]) -> Progress {
        let heads: Vec<String> = heads.iter().map(ToString::to_string).collect();
        Progress::of(&heads).unwrap()
    }

    #[test]
    fn a_database_names_the_revisions_that_no_other_one_implies() {
        for heads in [
            &[][..],
            &["liberty"],
            &["mitaka02"],
            &["ocata_expand01"],
            &["ocata_contract01"],
            &["2024_1_expand01"],
            &["2024_1_expand01", "rocky_contract02"],
            &["pike_contract01", "queens_expand01"],
            &["2024_1_contract01"],
        ] {
            assert_eq!(of(heads).heads(), heads);
        }
        assert_eq!(of(&["pike01"]).heads(), ["pike_contract01"]);
        assert_eq!(of(&["2024_1_contract01"]), Progress::HEAD);
    }

    #[test]
    fn what_is_added_comes_before_what_is_dropped() {
        let mut at = of(&["pike_contract01", "queens_expand01"]);
        let mut way = Vec::new();
        while let Some((revision, then)) = at.next(Progress::HEAD) {
            way.push(revision);
            at = then;
        }
        assert_eq!(way[0], "rocky_expand01");
        assert_eq!(way[9], "2024_1_expand01");
        assert_eq!(way[10], "queens_contract01");
        assert_eq!(way.len(), 21);
        assert_eq!(at, Progress::HEAD);
    }

    #[test]
    fn rows_that_another_row_implies_are_not_heads() {
        for (noted, left) in [
            (&["2024_1_contract01"][..], &[][..]),
            (&["2023_1_contract01", "2024_1_expand01"], &[]),
            (&["pike01"], &[]),
            (
                &["2024_1_expand01", "2024_1_contract01", "2023_1_contract01"],
                &["2023_1_contract01", "2024_1_expand01"],
            ),
            (&["mitaka02", "ocata_expand01"], &["mitaka02"]),
            (&["pike_expand01", "rocky_contract01"], &["pike_expand01"]),
            (&["pike01", "pike_contract01"], &["pike_contract01"]),
            (&["liberty", "liberty"], &["liberty"]),
        ] {
            let noted: Vec<String> = noted.iter().map(ToString::to_string).collect();
            assert_eq!(superseded(&noted).unwrap(), left, "{noted:?}");
        }
        assert!(superseded(&["far_future".to_string()]).is_err());
    }

    #[test]
    fn a_revision_that_is_none_is_named() {
        let error = Progress::through("far_future").unwrap_err();
        assert!(error.message().contains("'far_future'"), "{error}");
        assert!(!of(&["liberty"]).includes("far_future"));
        assert!(of(&["pike_contract01"]).includes("ocata_expand01"));
        assert!(!of(&["pike_expand01"]).includes("ocata_contract01"));
    }
}
