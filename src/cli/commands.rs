//! The command tables of both grammars.

use super::registry::{Grammar, Row};
use super::{glance, openstack};

impl Grammar {
    /// Returns all commands, sorted by name.
    pub fn rows(self) -> Vec<&'static Row> {
        let groups: &[&'static [Row]] = match self {
            Self::Glance => glance::GROUPS,
            Self::Openstack => openstack::GROUPS,
        };
        let mut rows: Vec<&Row> = groups.iter().flat_map(|rows| rows.iter()).collect();
        rows.sort_by_key(|row| row.name);
        rows
    }

    /// Returns the commands that upstream has, too, sorted by name.
    pub fn shown_rows(self) -> Vec<&'static Row> {
        let mut rows = self.rows();
        rows.retain(|row| !row.is_ours);
        rows
    }

    /// Returns the command with exactly this name.
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
