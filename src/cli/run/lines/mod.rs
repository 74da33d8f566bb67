//! Commands read line by line, from standard input or at a prompt.
//!
//! *Source:* `cliff/interactive.py`. As in cliff, an error does not end the input, and lines that begin with
//! `#` are comments. Unlike cliff, the exit code is that of the first command that failed, and commands do not
//! read image data from standard input.

mod completer;
mod parse;

use std::io::{BufRead, IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use self::completer::Words;
use self::parse::Line;
use super::answer::{answer, program_help};
use super::execute::{open_session, perform};
use super::handover;
use super::print::{fail, print};
use super::runtime::block_on;
use super::session::Session;
use super::signals::at_prompt;
use super::ui;
use crate::cli::command::argparse::{self, Parsed, Request};
use crate::cli::command::grammar::Grammar;
use crate::cli::complete::source::Live;
use crate::config::Environment;
use crate::data::Watch;
use crate::output::{is_null, was_closed};
use crate::{Error, ErrorKind, Result};

/// Maximum length of a line, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Number of sessions kept open for later lines, one per set of global options.
const MAX_SESSIONS: usize = 4;

/// Interval between checks for a signal while waiting for a line.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs a program called without a command. The global `options` apply to all lines.
pub fn run(called: Grammar, options: Vec<String>, environment: Environment) -> ExitCode {
    let input = std::io::stdin();
    let is_empty = was_closed(&input) || is_null(&input);
    let lines = Lines {
        called,
        options,
        environment,
    };
    match called {
        // Upstream prints its help and reads nothing.
        Grammar::Glance if lines.options.is_empty() && (is_empty || input.is_terminal()) => {
            print(program_help(called, &lines.environment).trim_end(), 0)
        }
        Grammar::Openstack if !is_empty && input.is_terminal() => lines.prompt(),
        _ if is_empty || input.is_terminal() => fail(called, &argparse::missing_command(called)),
        _ => lines.run_input(),
    }
}

/// The request of a line.
enum Work {
    /// A request to this program.
    Own(Request),
    /// The other `openstack` ran it, and exited with this code.
    Done(u8),
}

/// The state of line-by-line execution.
struct Lines {
    called: Grammar,
    /// Global options, prepended to the words of each line.
    options: Vec<String>,
    environment: Environment,
}

impl Lines {
    /// Parses the command of a line, with the global options. Runs it if it is for the other `openstack`.
    ///
    /// # Errors
    /// The errors of [`argparse::read`]; `Io` if the other program cannot be run.
    ///
    /// A program's name at the beginning, as lines of scripts have it, is left out.
    fn read(&self, mut words: Vec<String>, reads_commands: bool) -> Result<Work> {
        if words.len() > 1 && matches!(words[0].as_str(), "glance" | "openstack") {
            words.remove(0);
        }
        let words: Vec<String> = self.options.iter().cloned().chain(words).collect();
        let request = argparse::read_words(self.called, words.clone());
        if handover::is_foreign(self.called, &words, &request)
            && let Some(code) = handover::run(&words, &self.environment, reads_commands)
        {
            return code.map(Work::Done);
        }
        request.map(Work::Own)
    }

    /// Runs the commands on standard input.
    fn run_input(&self) -> ExitCode {
        let watch = Watch::default();
        let mut batch = Batch {
            lines: self,
            watch: watch.clone(),
            sessions: Vec::new(),
            code: None,
        };
        let result = block_on(&watch, async {
            let result = batch.run().await;
            for session in &batch.sessions {
                session.finish().await;
            }
            result
        });
        let code = batch.code.unwrap_or_default();
        batch.sessions.into_iter().for_each(Session::forget);
        match result {
            Ok(true) => ExitCode::from(code),
            Ok(false) => fail(
                self.called,
                &argparse::missing_command(self.called)
                    .hint("Pass a command, or write commands to standard input."),
            ),
            Err(error) => fail(self.called, &error),
        }
    }

    /// Runs commands typed at a terminal.
    fn prompt(&self) -> ExitCode {
        let program = self.called.program();
        let config = Config::builder().auto_add_history(true).build();
        let editor = Editor::<Words, MemHistory>::with_history(config, MemHistory::new());
        let mut editor = match editor {
            Ok(editor) => editor,
            Err(e) => {
                let error = Error::failed("cannot use the terminal").because(e);
                return fail(self.called, &error);
            }
        };
        editor.set_helper(Some(Words {
            called: self.called,
            options: self.options.clone(),
            source: Box::new(Live::new(self.environment.clone())),
        }));
        loop {
            let line = match at_prompt(|| editor.readline(&format!("({program}) "))) {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return ExitCode::SUCCESS,
                Err(e) => {
                    let error = Error::failed("cannot read from the terminal").because(e);
                    return fail(self.called, &error);
                }
            };
            let request = match Line::parse(&line) {
                Ok(Line::Quit) => return ExitCode::SUCCESS,
                Ok(Line::Nothing) => continue,
                Ok(Line::Command(words)) => self.read(words, false),
                Err(error) => Err(error),
            };
            match request {
                Ok(Work::Done(_)) => {}
                Ok(Work::Own(Request::Leaf(parsed))) => self.run_typed(&parsed),
                Ok(Work::Own(request)) => {
                    answer(self.called, request, &self.environment);
                }
                Err(error) => ui::error(self.called, &error),
            }
        }
    }

    /// Runs a typed command. A signal ends the command but not the prompt.
    fn run_typed(&self, parsed: &Parsed) {
        let watch = Watch::default();
        let result = open_session(parsed, self.environment.clone(), &watch).and_then(|session| {
            block_on(&watch, async {
                let result = perform(parsed, &session).await;
                session.finish().await;
                result
            })
        });
        if let Err(error) = result {
            ui::error(parsed.grammar, &error);
        }
    }
}

/// The commands on standard input, executed on one runtime.
struct Batch<'a> {
    lines: &'a Lines,
    watch: Watch,
    /// Sessions of earlier lines, whose deployments stay open.
    sessions: Vec<Session>,
    /// The exit code of the first command that failed.
    code: Option<u8>,
}

impl Batch<'_> {
    /// Runs all lines. Returns whether there were any.
    ///
    /// # Errors
    /// `Interrupted`, `ClosedPipe`, or `Io` if standard input cannot be read.
    async fn run(&mut self) -> Result<bool> {
        let called = self.lines.called;
        let mut is_any = false;
        let mut number: u64 = 0;
        while let Some(line) = self.next_line().await? {
            is_any = true;
            number += 1;
            let here =
                |error: Error| error.hint(format!("This is line {number} of standard input."));
            let text = String::from_utf8(line);
            let line = text
                .map_err(|_| Error::usage("invalid line: not UTF-8"))
                .and_then(|text| Line::parse(&text));
            let request = match line {
                Ok(Line::Nothing) => continue,
                Ok(Line::Quit) => break,
                Ok(Line::Command(words)) => self.lines.read(words, true),
                Err(error) => Err(error),
            };
            match request {
                Ok(Work::Done(code)) => self.note(code),
                Ok(Work::Own(Request::Leaf(parsed))) => match self.run_command(&parsed).await {
                    Ok(code) => self.note(code),
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::Interrupted | ErrorKind::ClosedPipe
                        ) =>
                    {
                        return Err(error);
                    }
                    Err(error) => self.report(parsed.grammar, &here(error)),
                },
                Ok(Work::Own(request)) => {
                    let is_incomplete = matches!(
                        request,
                        Request::Unknown(_)
                            | Request::GroupHelp {
                                is_asked: false,
                                ..
                            }
                    );
                    answer(called, request, &self.lines.environment);
                    self.note(if is_incomplete { 2 } else { 0 });
                }
                Err(error) => self.report(called, &here(error)),
            }
        }
        Ok(is_any)
    }

    fn report(&mut self, grammar: Grammar, error: &Error) {
        ui::error(grammar, error);
        self.note(error.kind().exit_code());
    }

    /// Records the exit code of the first command that failed.
    fn note(&mut self, code: u8) {
        if code != 0 {
            self.code.get_or_insert(code);
        }
    }

    async fn run_command(&mut self, parsed: &Parsed) -> Result<u8> {
        parsed.globals.refuse_contradictions(parsed.row.name)?;
        let is_same = |session: &Session| {
            session.grammar == parsed.grammar
                && session.globals == parsed.globals
                // The default data directory may have been created in the meantime.
                && !session.is_empty_deployment()
        };
        let known = self.sessions.iter().position(is_same);
        let place = if let Some(place) = known {
            place
        } else {
            if self.sessions.len() == MAX_SESSIONS {
                let oldest = self.sessions.remove(0);
                oldest.finish().await;
            }
            let environment = self.lines.environment.clone();
            let mut session = open_session(parsed, environment, &self.watch)?;
            session.reads_commands = true;
            self.sessions.push(session);
            self.sessions.len() - 1
        };
        perform(parsed, &self.sessions[place]).await
    }

    /// Reads the next line of standard input without blocking signals; `None` at the end.
    async fn next_line(&self) -> Result<Option<Vec<u8>>> {
        let read = tokio::task::spawn_blocking(|| {
            let mut line = Vec::new();
            let mut input = std::io::stdin().lock().take(MAX_LINE + 1);
            let read = input.read_until(b'\n', &mut line);
            read.map_err(|e| Error::io("read", "standard input", e))?;
            if line.len() as u64 > MAX_LINE {
                return Err(Error::usage(format!(
                    "a line of standard input is longer than {MAX_LINE} bytes"
                )));
            }
            Ok(Some(line).filter(|line| !line.is_empty()))
        });
        let mut read = std::pin::pin!(read);
        loop {
            tokio::select! {
                line = &mut read => {
                    return line.map_err(|e| Error::internal("the reading thread failed").because(e))?;
                }
                () = tokio::time::sleep(POLL_INTERVAL) => self.watch.check()?,
            }
        }
    }
}
