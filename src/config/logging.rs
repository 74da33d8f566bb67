//! Where the operator's programs log, and how.
//!
//! *Source:* `oslo_log/_options.py`.

use std::path::{Path, PathBuf};

use super::options::{
    DEBUG, LOG_CONFIG_APPEND, LOG_DATE_FORMAT, LOG_DIR, LOG_FILE, OptionSpec, SYSLOG_LOG_FACILITY,
    USE_JOURNAL, USE_JSON, USE_STDERR, USE_SYSLOG,
};
use super::reader::Reader;
use crate::error::Result;

/// Where log lines go, and what they look like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the configuration"
)]
pub struct LogSettings {
    /// Whether lines are written that only those want who look for a fault.
    pub debug: bool,
    /// The file; in `directory` where it is relative and there is one.
    pub file: Option<PathBuf>,
    /// Directory of log files.
    pub directory: Option<PathBuf>,
    /// How a line has the time, as for `strftime`.
    pub date_format: String,
    /// A file that configures the logging of Python; nothing else can read it.
    pub python_file: Option<PathBuf>,
    /// Whether lines go to stderr.
    pub use_stderr: bool,
    /// Whether they go to syslog.
    pub use_syslog: bool,
    /// Whether they go to the journal of systemd.
    pub use_journal: bool,
    /// Whether they are JSON.
    pub use_json: bool,
    /// The facility in syslog and the journal: `LOG_USER`, `user`.
    pub facility: String,
}

/// Reads the options of logging.
pub(super) fn read_logging(reader: &Reader<'_>, base: &Path) -> Result<LogSettings> {
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
        // Relative to the directory of the logs, which may come from elsewhere.
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
