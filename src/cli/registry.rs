//! The command table: one row per command name, in both grammars.
//!
//! A row costs nothing until it is run: its arguments are built only when it is the one named, or
//! when help, completions or manual pages are made.

use std::future::Future;
use std::pin::Pin;

use clap::{ArgMatches, Command};

use super::session::Session;
use crate::Result;
use crate::ops::Outcome;

/// Which of cliff's formatter options a command of the second grammar takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// None: the command prints nothing, or something of its own.
    Plain,
    /// Those of one thing.
    Show,
    /// Those of a list.
    List,
}

/// What a command does, still to be waited for.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome<'a>>> + 'a>>;

/// Runs a command with the arguments that were parsed for it.
pub type Run = for<'a> fn(&'a ArgMatches, &'a Session) -> Running<'a>;

/// A command.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name: `image-list`, or whole words: `image list`.
    pub name: &'static str,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// What its output can be formatted as.
    pub output: Output,
    /// Adds its arguments.
    pub args: fn(Command) -> Command,
    /// What it does.
    pub run: Run,
    /// Whether the original has no such command: lists that are compared with its own leave it out.
    pub is_ours: bool,
}

/// The arguments of a command.
pub trait Leaf: clap::Args {
    /// Does it.
    fn run(self, session: &Session) -> impl Future<Output = Result<Outcome<'_>>> + '_;
}

impl Row {
    /// A command.
    pub const fn of<A: Leaf + 'static>(
        name: &'static str,
        about: &'static str,
        output: Output,
    ) -> Self {
        fn run<'a, A: Leaf + 'static>(
            matches: &'a ArgMatches,
            session: &'a Session,
        ) -> Running<'a> {
            Box::pin(async move {
                let arguments = A::from_arg_matches(matches)
                    .map_err(|e| crate::Error::usage(e.to_string().trim_end().to_string()))?;
                arguments.run(session).await
            })
        }
        Self {
            name,
            about,
            output,
            args: A::augment_args,
            run: run::<A>,
            is_ours: false,
        }
    }

    /// Whether it creates what needs nothing else to exist: images, tasks, namespaces.
    pub fn creates(&self) -> bool {
        self.name.contains("create") || self.name == "md-namespace-import"
    }

    /// A command that the original does not have.
    pub const fn ours<A: Leaf + 'static>(
        name: &'static str,
        about: &'static str,
        output: Output,
    ) -> Self {
        let mut row = Self::of::<A>(name, about, output);
        row.is_ours = true;
        row
    }
}

/// A way of naming and spelling commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// python-glanceclient's: `glance image-list`.
    Glance,
    /// python-openstackclient's: `openstack image list`, also as `glance image list`.
    Openstack,
}

impl Grammar {
    /// Returns the grammar that a command belongs to: names of the second one have several words.
    pub fn of(row: &Row) -> Self {
        if row.name.contains(' ') {
            Self::Openstack
        } else {
            Self::Glance
        }
    }

    /// The program's name in its messages.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Glance => "glance",
            Self::Openstack => "openstack",
        }
    }
}
