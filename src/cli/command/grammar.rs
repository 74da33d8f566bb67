//! The two grammars of `glance` and `openstack`, and their commands.

use super::registry::{self, Group};

/// A command-line grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// python-glanceclient's: `glance image-list`.
    Glance,
    /// python-openstackclient's: `openstack image list`, also as `glance image list`.
    Openstack,
}

/// First words of commands of the second grammar with which commands of other services begin, too, such as `service
/// provider list`.
pub const SHARED: [&str; 2] = ["endpoint", "service"];

/// The tables of commands; implemented by [`Grammar`] where the tables are.
pub trait Commands {
    /// The context that the commands run in.
    type Context: 'static;

    /// Returns the groups of commands, in the order of the help.
    fn groups(self) -> &'static [Group<Self::Context>];
}

/// A command of a grammar.
pub type Row = registry::Row<<Grammar as Commands>::Context>;

impl Grammar {
    /// Returns the grammar of a command: in the second one, names have several words.
    pub fn of(row: &Row) -> Self {
        Self::of_name(row.name)
    }

    /// Returns the grammar of the command of this name.
    pub fn of_name(name: &str) -> Self {
        if name.contains(' ') {
            Self::Openstack
        } else {
            Self::Glance
        }
    }

    /// Returns the program's name in messages.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Glance => "glance",
            Self::Openstack => "openstack",
        }
    }

    /// Returns all commands, sorted by name.
    pub fn rows(self) -> Vec<&'static Row> {
        let mut rows: Vec<&Row> = self.groups().iter().flat_map(Group::rows).collect();
        rows.sort_by_key(|row| row.name);
        rows
    }

    /// Returns whether the name of a command is this word, or begins with it.
    pub fn begins_with(self, word: &str) -> bool {
        let mut rows = self.groups().iter().flat_map(Group::rows);
        rows.any(|row| row.name.split(' ').next() == Some(word))
    }

    /// Returns the commands that upstream has, too, sorted by name.
    pub fn shown_rows(self) -> Vec<&'static Row> {
        let mut rows = self.rows();
        rows.retain(|row| !row.is_extension);
        rows
    }

    /// Returns the command with exactly this name.
    pub fn find(self, name: &str) -> Option<&'static Row> {
        let mut rows = self.groups().iter().flat_map(Group::rows);
        rows.find(|row| row.name == name)
    }
}
