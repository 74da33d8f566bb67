//! The log of the operators' programs: destinations and upstream's formats.
//!
//! Messages printed on standard error, such as failures, are also logged.
//!
//! *Source:* `oslo_log/_options.py`, `log.py`, `formatters.py` and `handlers.py`.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use syslog::{Facility, Formatter3164, Logger, LoggerBackend};

use super::options::OsloOptions;
use crate::cli::command::grammar::Grammar;
use crate::cli::run::{hints, ui};
use crate::config::LogSettings;
use crate::model::Timestamp;
use crate::output::escape_controls;
use crate::server::LogContext;
use crate::{Error, Result};

/// The socket of the systemd journal.
const JOURNAL: &str = "/run/systemd/journal/socket";

/// The log of a program.
pub struct Log {
    sinks: Arc<Mutex<Sinks>>,
    debug: bool,
}

impl Log {
    /// Opens the log of `program` (such as `glance-scrubber`) according to its command line and configuration.
    /// `name` is the logger's name in each line. Only a log file is opened immediately.
    ///
    /// # Errors
    /// `Io` if the log file cannot be opened; `Usage` for unsupported options.
    pub fn begin(
        program: &'static str,
        name: &'static str,
        options: &OsloOptions,
        settings: &LogSettings,
    ) -> Result<Self> {
        if let Some(path) = &options.log_config_append {
            return Err(Error::usage(format!(
                "--log-config-append {} is not supported: {program} does not use Python's logging",
                path.display()
            ))
            .hint("Use --log-file, --use-syslog, --use-journal or --use-json instead."));
        }
        let date_format = options.log_date_format.as_deref();
        let date_format = date_format.unwrap_or(&settings.date_format).to_string();
        if Timestamp::EPOCH.to_local(&date_format).is_none() {
            return Err(Error::failed(format!(
                "log_date_format '{date_format}' is not a valid date format"
            ))
            .hint("The default is %Y-%m-%d %H:%M:%S."));
        }
        let facility = options.syslog_log_facility.as_deref();
        let facility = facility.unwrap_or(&settings.facility);
        let facility = Facility::from_str(facility).map_err(|()| {
            Error::failed(format!("unknown syslog facility '{facility}'"))
                .hint("Use LOG_USER, LOG_DAEMON, LOG_LOCAL0 or another facility of syslog(3).")
        })?;
        let path = file(program, options, settings);
        let file = path.as_deref().map(ui::open_log).transpose()?;
        let wants = |option: Option<bool>, setting| option.unwrap_or(setting);
        let syslog = wants(options.use_syslog, settings.use_syslog);
        let journal = wants(options.use_journal, settings.use_journal);
        let format = LineFormat {
            name,
            date_format,
            json: wants(options.use_json, settings.use_json),
        };
        let sinks = Arc::new(Mutex::new(Sinks {
            use_stderr: settings.use_stderr || file.is_none() && !syslog && !journal,
            file,
            syslog: syslog.then(|| Syslog::new(program, facility)),
            journal: journal.then(|| Journal::new(program, name, facility)),
            format,
        }));
        ui::record(Box::new(StderrCopy(Arc::clone(&sinks))));
        let log = Self {
            sinks,
            debug: wants(options.debug, settings.debug),
        };
        if let Some(path) = &settings.python_file {
            log.warning(&Error::failed(format!(
                "log_config_append = {} is ignored: Python's logging configuration is not supported",
                path.display()
            )));
        }
        Ok(log)
    }

    /// Lets the messages of the library be lines of this log: those of a service that runs on. Without it, they are notices on
    /// standard error, too.
    pub fn take_messages(&self) {
        let level = if self.debug {
            log::LevelFilter::Debug
        } else {
            log::LevelFilter::Info
        };
        ui::log_with(Box::new(Messages(Arc::clone(&self.sinks))), level);
    }

    /// Returns whether debug messages are logged.
    pub fn is_debug(&self) -> bool {
        self.debug
    }

    /// Logs a debug message.
    pub fn debug(&self, text: &str) {
        if self.debug {
            self.write("DEBUG", text);
        }
    }

    /// Logs a completed action.
    pub fn info(&self, text: &str) {
        self.write("INFO", text);
    }

    /// Logs a warning.
    pub fn warning(&self, error: &Error) {
        self.write("WARNING", &with_hints(error));
    }

    /// Logs an error.
    pub fn error(&self, error: &Error) {
        self.write("ERROR", &with_hints(error));
    }

    fn write(&self, level: &str, text: &str) {
        write(&self.sinks, env!("CARGO_CRATE_NAME"), level, text);
    }
}

/// Writes a line of a logger to all destinations. The library's own has the name of the program's.
fn write(sinks: &Mutex<Sinks>, logger: &str, level: &str, text: &str) {
    let mut sinks = sinks.lock().unwrap_or_else(PoisonError::into_inner);
    let is_of_library = logger.starts_with(env!("CARGO_CRATE_NAME"));
    let name = if is_of_library {
        sinks.format.name
    } else {
        logger
    };
    let text = escape_controls(text);
    let line = sinks.format.line_of(name, level, &text);
    if sinks.use_stderr {
        to_stderr(&line);
    }
    sinks.record(level, &text, &line);
}

/// The messages of the library as lines of a log.
struct Messages(Arc<Mutex<Sinks>>);

impl log::Log for Messages {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => "ERROR",
            log::Level::Warn => "WARNING",
            log::Level::Info => "INFO",
            log::Level::Debug | log::Level::Trace => "DEBUG",
        };
        write(&self.0, record.target(), level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Returns the path of the log file.
fn file(program: &str, options: &OsloOptions, settings: &LogSettings) -> Option<PathBuf> {
    let directory = options.log_dir.as_ref().or(settings.directory.as_ref());
    let file = options.log_file.as_ref().or(settings.file.as_ref());
    match (directory, file) {
        (Some(directory), Some(file)) => Some(directory.join(file)),
        (None, Some(file)) => Some(file.clone()),
        (Some(directory), None) => Some(directory.join(format!("{program}.log"))),
        (None, None) => None,
    }
}

/// Formats an error and its hints on one line.
fn with_hints(error: &Error) -> String {
    match hints::sentences(Grammar::Glance, error.hints()) {
        Some(hints) => format!("{}. {hints}", error.message()),
        None => error.message().to_string(),
    }
}

/// Writes a line to stderr; failures are ignored.
fn to_stderr(line: &str) {
    // In one piece, so that lines of several processes stay whole.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

/// The destinations of log lines.
struct Sinks {
    use_stderr: bool,
    file: Option<File>,
    syslog: Option<Syslog>,
    journal: Option<Journal>,
    format: LineFormat,
}

impl Sinks {
    /// Writes a line to all destinations except stderr, and reports failures there.
    fn record(&mut self, level: &str, text: &str, line: &str) {
        if let Some(file) = &mut self.file {
            let _ = file.write_all(format!("{line}\n").as_bytes());
        }
        let mut lost = Vec::new();
        if let Some(syslog) = &mut self.syslog
            && let Err(why) = syslog.send(level, line)
        {
            lost.push(format!("cannot log to syslog: {why}"));
            self.syslog = None;
        }
        if let Some(journal) = &mut self.journal
            && let Err(why) = journal.send(level, text)
        {
            lost.push(format!("cannot log to the journal: {why}"));
            self.journal = None;
        }
        for why in &lost {
            to_stderr(&self.format.line("WARNING", why));
        }
        if !lost.is_empty() && !self.use_stderr {
            to_stderr(line);
        }
    }
}

/// A copy of stderr messages in the log.
struct StderrCopy(Arc<Mutex<Sinks>>);

impl ui::Record for StderrCopy {
    fn write(&mut self, level: &str, line: &str) {
        let mut sinks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = sinks.format.line(level, line);
        sinks.record(level, line, &text);
    }

    fn write_unprinted(&mut self, logger: &str, text: &str) {
        write(&self.0, logger, "INFO", text);
    }
}

/// The format of log lines.
struct LineFormat {
    name: &'static str,
    date_format: String,
    json: bool,
}

impl LineFormat {
    fn line(&self, level: &str, text: &str) -> String {
        self.line_of(self.name, level, text)
    }

    /// Returns a line of the logger `name`.
    fn line_of(&self, name: &str, level: &str, text: &str) -> String {
        let (now, process) = (Timestamp::now(), std::process::id());
        let time = now.to_local(&self.date_format).unwrap_or_default();
        let milliseconds = now.milliseconds();
        let context = LogContext::current();
        if !self.json {
            let context = context.map_or_else(|| "-".to_string(), |context| context.line());
            return format!("{time}.{milliseconds:03} {process} {level} {name} [{context}] {text}");
        }
        json!({
            "context": context.map_or_else(|| json!({}), |context| context.json()),
            "message": text,
            "asctime": time,
            "name": name,
            "msg": text,
            "args": [],
            "levelname": level,
            "levelno": number(level),
            "created": now.to_seconds(),
            "msecs": milliseconds,
            "process": process,
            "hostname": rustix::system::uname().nodename().to_string_lossy(),
        })
        .to_string()
    }
}

/// Returns Python's numeric value of a level.
fn number(level: &str) -> u8 {
    match level {
        "DEBUG" => 10,
        "INFO" => 20,
        "WARNING" => 30,
        _ => 40,
    }
}

/// Returns the syslog priority of a level.
fn priority(level: &str) -> u8 {
    match level {
        "DEBUG" => 7,
        "INFO" => 6,
        "WARNING" => 4,
        _ => 3,
    }
}

/// The syslog of this host.
struct Syslog {
    formatter: Formatter3164,
    /// The socket, if not the default one.
    path: Option<PathBuf>,
    /// The connection, opened by the first line.
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
}

impl Syslog {
    fn new(program: &str, facility: Facility) -> Self {
        Self {
            formatter: Formatter3164 {
                facility,
                hostname: None,
                process: program.to_string(),
                pid: std::process::id(),
            },
            path: None,
            logger: None,
        }
    }

    fn send(&mut self, level: &str, line: &str) -> syslog::Result<()> {
        let logger = match &mut self.logger {
            Some(logger) => logger,
            none => none.insert(match &self.path {
                Some(path) => syslog::unix_custom(self.formatter.clone(), path)?,
                None => syslog::unix(self.formatter.clone())?,
            }),
        };
        match level {
            "DEBUG" => logger.debug(line),
            "INFO" => logger.info(line),
            "WARNING" => logger.warning(line),
            _ => logger.err(line),
        }
    }
}

/// The systemd journal, through its native protocol.
struct Journal {
    /// The fields common to all entries.
    common: String,
    socket: Option<UnixDatagram>,
    path: PathBuf,
}

impl Journal {
    fn new(program: &str, name: &str, facility: Facility) -> Self {
        let facility = facility as u32 >> 3;
        Self {
            common: format!(
                "SYSLOG_IDENTIFIER={program}\nSYSLOG_FACILITY={facility}\nLOGGER_NAME={name}\n"
            ),
            socket: None,
            path: Path::new(JOURNAL).to_path_buf(),
        }
    }

    /// Sends an entry. Values contain no line breaks, which would need the length-prefixed format.
    fn send(&mut self, level: &str, text: &str) -> io::Result<()> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(UnixDatagram::unbound()?),
        };
        let (priority, common) = (priority(level), &self.common);
        let text = text.replace('\n', " ");
        let entry = format!("MESSAGE={text}\nPRIORITY={priority}\nLOGGER_LEVEL={level}\n{common}");
        socket.send_to(entry.as_bytes(), &self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1000];
        let count = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn the_journal_gets_entries_in_its_own_protocol() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut journal = Journal::new("glance-scrubber", "glance.scrubber", Facility::LOG_DAEMON);
        journal.path = path;
        journal.send("ERROR", "it failed").unwrap();
        assert_eq!(
            received(&socket),
            "MESSAGE=it failed\nPRIORITY=3\nLOGGER_LEVEL=ERROR\nSYSLOG_IDENTIFIER=glance-scrubber\n\
             SYSLOG_FACILITY=3\nLOGGER_NAME=glance.scrubber\n"
        );
    }

    #[test]
    fn syslog_gets_lines_with_priority_and_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::new("glance-scrubber", Facility::LOG_LOCAL0);
        syslog.path = Some(path);
        syslog.send("WARNING", "look at this").unwrap();
        let line = received(&socket);
        let process = std::process::id();
        assert!(line.starts_with("<132>"), "{line}");
        assert!(
            line.ends_with(&format!("glance-scrubber[{process}]: look at this")),
            "{line}"
        );
    }

    #[test]
    fn an_unreachable_destination_is_reported_once() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::new("x", "x", Facility::LOG_USER);
        journal.path = directory.path().join("missing");
        let format = LineFormat {
            name: "x",
            date_format: "%Y".to_string(),
            json: false,
        };
        let mut sinks = Sinks {
            use_stderr: true,
            file: None,
            syslog: None,
            journal: Some(journal),
            format,
        };
        sinks.record("INFO", "text", "line");
        assert!(sinks.journal.is_none());
    }
}
