//! The command tables of both grammars.

use super::command::grammar::{Commands, Grammar};
use super::command::registry::Group;
use super::run::session::Session;
use super::{glance, openstack};

impl Commands for Grammar {
    type Context = Session;

    fn groups(self) -> &'static [Group<Session>] {
        match self {
            Self::Glance => glance::GROUPS,
            Self::Openstack => openstack::GROUPS,
        }
    }
}
