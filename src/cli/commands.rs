//! The command table: every command of each grammar.

use super::registry::{Grammar, Row};
use super::{glance, openstack};

impl Grammar {
    /// Every command, by name.
    pub fn rows(self) -> Vec<&'static Row> {
        let groups: &[&'static [Row]] = match self {
            Self::Glance => glance::GROUPS,
            Self::Openstack => openstack::GROUPS,
        };
        let mut rows: Vec<&Row> = groups.iter().flat_map(|rows| rows.iter()).collect();
        rows.sort_by_key(|row| row.name);
        rows
    }

    /// Every command that the original has as well, by name.
    pub fn shown_rows(self) -> Vec<&'static Row> {
        let mut rows = self.rows();
        rows.retain(|row| !row.is_ours);
        rows
    }

    /// The command of exactly that name.
    pub fn find(self, name: &str) -> Option<&'static Row> {
        let groups: &[&'static [Row]] = match self {
            Self::Glance => glance::GROUPS,
            Self::Openstack => openstack::GROUPS,
        };
        groups
            .iter()
            .flat_map(|rows| rows.iter())
            .find(|row| row.name == name)
    }
}
