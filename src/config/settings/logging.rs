//! Logging of the operator's programs.
//!
//! *Source:* `oslo_log/_options.py`.

use std::path::{Path, PathBuf};

use crate::config::oslo::options::{
    DEBUG, LOG_CONFIG_APPEND, LOG_DATE_FORMAT, LOG_DIR, LOG_FILE, OptionSpec, SYSLOG_LOG_FACILITY,
    USE_JOURNAL, USE_JSON, USE_STDERR, USE_SYSLOG,
};
use crate::config::oslo::reader::Reader;
use crate::error::Result;

/// The destinations and the format of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the configuration"
)]
pub struct LogSettings {
    /// Whether debug messages are logged.
    pub debug: bool,
    /// The log file; in `directory` if it is relative and a directory is set.
    pub file: Option<PathBuf>,
    /// The directory of log files.
    pub directory: Option<PathBuf>,
    /// The format of timestamps, as for `strftime`.
    pub date_format: String,
    /// A configuration file of Python's logging, which is not supported.
    pub python_file: Option<PathBuf>,
    /// Whether lines go to stderr.
    pub use_stderr: bool,
    /// Whether lines go to syslog.
    pub use_syslog: bool,
    /// Whether lines go to the systemd journal.
    pub use_journal: bool,
    /// Whether lines are JSON.
    pub use_json: bool,
    /// The facility for syslog and the journal: `LOG_USER`, `user`.
    pub facility: String,
}

/// Reads the logging options.
pub(in crate::config) fn read_logging(reader: &Reader<'_>, base: &Path) -> Result<LogSettings> {
    let path = |option: &'static OptionSpec| {
        let path = reader.text_if_any(option)?;
        Ok::<_, crate::Error>(
            path.filter(|path| !path.value.is_empty())
                .map(|path| PathBuf::from(path.value)),
        )
    };
    let directory = path(&LOG_DIR)?.map(|directory| base.join(directory));
    let file = path(&LOG_FILE)?;
    Ok(LogSettings {
        debug: reader.boolean(&DEBUG)?,
        // A relative file is in the log directory, which another option sets.
        file: match directory {
            None => file.map(|file| base.join(file)),
            Some(_) => file,
        },
        directory,
        date_format: reader.text_or_default(&LOG_DATE_FORMAT)?.value,
        python_file: path(&LOG_CONFIG_APPEND)?,
        use_stderr: reader.boolean(&USE_STDERR)?,
        use_syslog: reader.boolean(&USE_SYSLOG)?,
        use_journal: reader.boolean(&USE_JOURNAL)?,
        use_json: reader.boolean(&USE_JSON)?,
        facility: reader.text_or_default(&SYSLOG_LOG_FACILITY)?.value,
    })
}
