//! The command table: one row per command, in both grammars.
//!
//! A command's arguments are built only if it is the one named on the command line, or to generate help,
//! completions or manual pages.

use std::future::Future;
use std::pin::Pin;

use clap::{ArgMatches, Command};

use super::session::Session;
use crate::Result;
use crate::ops::Outcome;

/// The formatter options of a command in the second grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// None: the command prints nothing, or a format of its own.
    Plain,
    /// The options of show commands.
    Show,
    /// The options of list commands.
    List,
}

/// A command's future.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Outcome<'a>>> + 'a>>;

/// A function that runs a command with its parsed arguments.
pub type Run = for<'a> fn(&'a ArgMatches, &'a Session) -> Running<'a>;

/// A command.
#[derive(Clone, Copy)]
pub struct Row {
    /// The name, such as `image-list` or `image list`.
    pub name: &'static str,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// The formatter options that the command takes.
    pub output: Output,
    /// Adds the command's arguments to a parser.
    pub args: fn(Command) -> Command,
    /// Runs the command.
    pub run: Run,
    /// Whether the command is an extension; omitted from listings that must match upstream's.
    pub is_ours: bool,
}

/// Commands under one heading of a program's help.
#[derive(Clone, Copy)]
pub struct Group {
    /// The heading.
    pub title: &'static str,
    /// The tables of commands.
    pub tables: &'static [&'static [Row]],
}

impl Group {
    /// Returns the commands.
    pub fn rows(self) -> impl Iterator<Item = &'static Row> {
        self.tables.iter().copied().flatten()
    }
}

/// The arguments of a command.
pub trait Leaf: clap::Args {
    /// Runs the command.
    fn run(self, session: &Session) -> impl Future<Output = Result<Outcome<'_>>> + '_;
}

impl Row {
    /// Returns the row of a command.
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

    /// Returns whether the command creates something independent: an image, a task or a namespace.
    pub fn creates(&self) -> bool {
        self.name.contains("create") || self.name == "md-namespace-import"
    }

    /// Returns the row of a command that upstream does not have.
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

/// A command-line grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// python-glanceclient's: `glance image-list`.
    Glance,
    /// python-openstackclient's: `openstack image list`, also as `glance image list`.
    Openstack,
}

impl Grammar {
    /// Returns the grammar of a command: in the second one, names have several words.
    pub fn of(row: &Row) -> Self {
        if row.name.contains(' ') {
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
}
