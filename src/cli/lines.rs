//! Commands read line by line, from standard input or at a prompt.
//!
//! *Source:* `cliff/interactive.py`. As in cliff, an error does not end the input, and lines that begin with
//! `#` are comments. Unlike cliff, the exit code is that of the first command that failed, and commands do not
//! read image data from standard input.

use std::io::{BufRead, IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};

use super::argparse::{self, Parsed, Request, own};
use super::registry::Grammar;
use super::session::Session;
use super::signals::at_prompt;
use super::{answer, block_on, fail, help, open_session, perform, print, ui};
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
            print(help::program(called).trim_end(), 0)
        }
        Grammar::Openstack if !is_empty && input.is_terminal() => lines.prompt(),
        _ if is_empty || input.is_terminal() => fail(called, &argparse::missing_command(called)),
        _ => lines.run_input(),
    }
}

/// A parsed line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// A blank line or comment.
    Nothing,
    /// A request to quit.
    Quit,
    /// A command.
    Command(Vec<String>),
}

impl Line {
    /// Parses a line.
    ///
    /// # Errors
    /// `Usage` for unbalanced quotes and for shell syntax.
    fn parse(line: &str) -> Result<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return Ok(Self::Nothing);
        }
        let words = split(line)?;
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => Ok(Self::Nothing),
            ["quit" | "exit"] => Ok(Self::Quit),
            ["quit" | "exit", ..] => Err(Error::usage(format!(
                "{}: error: unrecognized arguments: {}",
                words[0],
                words[1..].join(" ")
            ))),
            _ => Ok(Self::Command(words)),
        }
    }
}

/// Splits a line into words like Python's `shlex.split`. One trailing semicolon is ignored.
fn split(line: &str) -> Result<Vec<String>> {
    let invalid = |why: &str| Error::usage(format!("invalid line: {why}"));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err(invalid("no closing quotation")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next() {
                        Some('"') => break,
                        Some('\\') => match characters.next() {
                            Some(escaped @ ('"' | '\\')) => word.push(escaped),
                            Some(other) => word.extend(['\\', other]),
                            None => return Err(invalid("no closing quotation")),
                        },
                        Some(inner) => word.push(inner),
                        None => return Err(invalid("no closing quotation")),
                    }
                }
            }
            '\\' => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err(invalid("no escaped character")),
            },
            ';' if characters.as_str().trim().is_empty() => break,
            ';' | '|' | '>' => {
                let error = invalid(&format!("'{character}' outside of quotes"));
                return Err(
                    error.hint("Write one command per line, without pipes or redirections.")
                );
            }
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The state of line-by-line execution.
struct Lines {
    called: Grammar,
    /// Global options, prepended to the words of each line.
    options: Vec<String>,
    environment: Environment,
}

impl Lines {
    /// Parses the command of a line, with the global options.
    fn read(&self, words: Vec<String>) -> Result<Request> {
        let words = self.options.iter().cloned().chain(words).collect();
        argparse::read_words(self.called, words)
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
                Ok(Line::Command(words)) => self.read(words),
                Err(error) => Err(error),
            };
            match request {
                Ok(Request::Leaf(parsed)) => self.run_typed(&parsed),
                Ok(request) => {
                    answer(self.called, request);
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
        while let Some(line) = self.next_line().await? {
            is_any = true;
            let text = String::from_utf8(line);
            let line = text
                .map_err(|_| Error::usage("invalid line: not UTF-8"))
                .and_then(|text| Line::parse(&text));
            let request = match line {
                Ok(Line::Nothing) => continue,
                Ok(Line::Quit) => break,
                Ok(Line::Command(words)) => self.lines.read(words),
                Err(error) => Err(error),
            };
            match request {
                Ok(Request::Leaf(parsed)) => match self.run_command(&parsed).await {
                    Ok(code) => self.note(code),
                    Err(error)
                        if matches!(
                            error.kind(),
                            ErrorKind::Interrupted | ErrorKind::ClosedPipe
                        ) =>
                    {
                        return Err(error);
                    }
                    Err(error) => self.report(parsed.grammar, &error),
                },
                Ok(request) => {
                    let is_unknown = matches!(request, Request::Unknown(_));
                    answer(called, request);
                    self.note(if is_unknown { 2 } else { 0 });
                }
                Err(error) => self.report(called, &error),
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
        parsed.globals.refuse_contradictions(parsed.row)?;
        let is_same = |session: &Session| {
            session.grammar == parsed.grammar
                && session.globals == parsed.globals
                // The default data directory may have been created in the meantime.
                && !session.is_of_nothing()
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

/// The words for completion at the prompt.
struct Words {
    called: Grammar,
}

impl Words {
    /// Returns the completions of the last word of `line`, and the offset of that word.
    fn complete_line(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |space| {
            space + line[space..].chars().next().map_or(1, char::len_utf8)
        });
        let (before, last) = line.split_at(start);
        let before: Vec<&str> = before
            .split_whitespace()
            .filter(|word| !word.starts_with('-'))
            .collect();
        let (is_help, before) = match before.split_first() {
            Some((&"help", rest)) => (true, rest),
            _ => (false, &before[..]),
        };
        let mut words: Vec<String> = Vec::new();
        if last.starts_with('-') {
            let named = (1..=before.len())
                .rev()
                .find_map(|taken| self.called.find(&before[..taken].join(" ")));
            if let Some(row) = named {
                let command = own(self.called, Grammar::of(row), row);
                let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
                words
                    .extend(shown.filter_map(|arg| arg.get_long().map(|long| format!("--{long}"))));
            }
        } else {
            let mut names: Vec<&str> = self.called.rows().iter().map(|row| row.name).collect();
            if before.is_empty() && !is_help {
                names.extend(["help", "quit", "exit"]);
            }
            if before.is_empty() && is_help {
                names.extend(help::TOPICS.iter().map(|(topic, _)| *topic));
            }
            for name in names {
                let mut rest = name.split(' ');
                if before.iter().all(|word| rest.next() == Some(word)) {
                    words.extend(rest.next().map(str::to_string));
                }
            }
        }
        words.retain(|word| word.starts_with(last));
        words.sort_unstable();
        words.dedup();
        (start, words)
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.complete_line(line.get(..position).unwrap_or(line)))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        match Line::parse(line).unwrap() {
            Line::Command(words) => words,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_are_split_as_shlex_splits_them() {
        assert_eq!(words("image list"), ["image", "list"]);
        assert_eq!(
            words(r#"image set "a b" --property 'c=d "e"' f\ g "" x"y"z"#),
            [
                "image",
                "set",
                "a b",
                "--property",
                "c=d \"e\"",
                "f g",
                "",
                "xyz"
            ]
        );
        assert_eq!(
            words(r#"image show "a\"b\\c\d""#),
            ["image", "show", r#"a"b\c\d"#]
        );
        assert_eq!(words("image show #1"), ["image", "show", "#1"]);
        assert_eq!(words("image list ; "), ["image", "list"]);
        assert_eq!(words("image show 'a;b'"), ["image", "show", "a;b"]);
        for nothing in ["", "   \t", "# image delete x", "  #", ";"] {
            assert_eq!(Line::parse(nothing).unwrap(), Line::Nothing, "{nothing:?}");
        }
        for quit in ["quit", " exit "] {
            assert_eq!(Line::parse(quit).unwrap(), Line::Quit);
        }
        for wrong in [
            "image show 'a",
            "image show \"a",
            "image show \"a\\",
            "image show \\",
            "exit 3",
            "image list > file",
            "image list | head",
            "image list; image list",
        ] {
            let error = Line::parse(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{wrong}");
        }
    }

    #[test]
    fn words_of_commands_and_options_complete() {
        let helper = Words {
            called: Grammar::Openstack,
        };
        let complete = |line| helper.complete_line(line);
        assert_eq!(complete("im"), (0, vec!["image".to_string()]));
        assert_eq!(complete("q"), (0, vec!["quit".to_string()]));
        assert_eq!(complete("image sh"), (6, vec!["show".to_string()]));
        assert_eq!(complete("help image sh"), (11, vec!["show".to_string()]));
        assert_eq!(complete("help cl"), (5, vec!["cloud".to_string()]));
        assert_eq!(
            complete("image show x --hum"),
            (13, vec!["--human-readable".to_string()])
        );
        assert_eq!(complete("image show ").1, Vec::<String>::new());
        assert!(complete("image add ").1.contains(&"project".to_string()));
    }
}
