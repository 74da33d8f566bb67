//! The command tables of both grammars.

use super::registry::{Grammar, Group, Row};
use super::{glance, openstack};

impl Grammar {
    /// Returns the groups of commands, in the order of the help.
    pub const fn groups(self) -> &'static [Group] {
        match self {
            Self::Glance => glance::GROUPS,
            Self::Openstack => openstack::GROUPS,
        }
    }

    /// Returns all commands, sorted by name.
    pub fn rows(self) -> Vec<&'static Row> {
        let mut rows: Vec<&Row> = self
            .groups()
            .iter()
            .flat_map(|group| group.rows())
            .collect();
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
        let mut rows = self.groups().iter().flat_map(|group| group.rows());
        rows.find(|row| row.name == name)
    }
}
