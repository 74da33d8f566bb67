//! Commands: one row per command, in tables.
//!
//! A command's arguments are built only if it is the one named on the command line, or to generate help,
//! completions or manual pages.

use std::future::Future;
use std::pin::Pin;

use clap::{ArgMatches, Command};

use crate::ops::Outcome;
use crate::{Error, Result};

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

/// A function that runs a command with its parsed arguments. `C` is the context of the run: what the options of the
/// program select.
pub type Run<C> = for<'a> fn(&'a ArgMatches, &'a C) -> Running<'a>;

/// A command.
pub struct Row<C> {
    /// The name, such as `image-list` or `image list`.
    pub name: &'static str,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// The formatter options that the command takes.
    pub output: Output,
    /// Adds the command's arguments to a parser.
    pub args: fn(Command) -> Command,
    /// Runs the command.
    pub run: Run<C>,
    /// Whether the command is an extension; omitted from listings that must match upstream's.
    pub is_extension: bool,
    /// Whether the command creates something that belongs to nothing else, such as an image, a task or a namespace,
    /// and thus may create the data directory.
    pub creates: bool,
}

/// Commands under one heading of a program's help.
pub struct Group<C: 'static> {
    /// The heading.
    pub title: &'static str,
    /// The tables of commands.
    pub tables: &'static [&'static [Row<C>]],
}

impl<C> Group<C> {
    /// Returns the commands.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row<C>> + use<C> {
        self.tables.iter().copied().flatten()
    }
}

/// The arguments of a command that runs in the context `C`.
pub trait Leaf<C>: clap::Args {
    /// Runs the command.
    fn run(self, context: &C) -> impl Future<Output = Result<Outcome<'_>>> + '_;
}

impl<C> Row<C> {
    /// Returns the row of a command.
    pub const fn of<A: Leaf<C> + 'static>(
        name: &'static str,
        about: &'static str,
        output: Output,
    ) -> Self {
        fn run<'a, C, A: Leaf<C> + 'static>(
            matches: &'a ArgMatches,
            context: &'a C,
        ) -> Running<'a> {
            Box::pin(async move {
                let arguments = A::from_arg_matches(matches).map_err(|error| {
                    let text = error.to_string();
                    Error::usage(text.trim_start_matches("error: ").trim_end())
                })?;
                arguments.run(context).await
            })
        }
        Self {
            name,
            about,
            output,
            args: A::augment_args,
            run: run::<C, A>,
            is_extension: false,
            creates: false,
        }
    }

    /// Returns whether the command only reads, according to its name.
    pub fn reads(&self) -> bool {
        let last = self.name.rsplit([' ', '-']).next();
        matches!(
            last,
            Some("list" | "show" | "info" | "usage" | "tasks" | "doctor")
        )
    }

    /// Returns the row of a command that [creates](Self::creates) something.
    #[must_use]
    pub const fn creating(self) -> Self {
        Self {
            creates: true,
            ..self
        }
    }

    /// Returns the row of a command that upstream does not have.
    pub const fn extension<A: Leaf<C> + 'static>(
        name: &'static str,
        about: &'static str,
        output: Output,
    ) -> Self {
        Self {
            is_extension: true,
            ..Self::of::<A>(name, about, output)
        }
    }
}
