//! The log of the operator's programs: lines as the real ones write them.
//!
//! *Source:* `oslo_log/_options.py` and `formatters.py`.

use std::io::Write;

use crate::Error;
use crate::model::Timestamp;

/// Where a program's log goes.
pub struct Log {
    /// Who writes, as the lines name it.
    name: &'static str,
    debug: bool,
}

impl Log {
    /// The log on stderr.
    pub fn new(name: &'static str, debug: bool) -> Self {
        Self { name, debug }
    }

    /// What only those want to know who look for a fault.
    pub fn debug(&self, text: &str) {
        if self.debug {
            self.write("DEBUG", text);
        }
    }

    /// What was done.
    pub fn info(&self, text: &str) {
        self.write("INFO", text);
    }

    /// What somebody should look at.
    pub fn warning(&self, error: &Error) {
        self.write("WARNING", &whole(error));
    }

    /// What failed.
    pub fn error(&self, error: &Error) {
        self.write("ERROR", &whole(error));
    }

    fn write(&self, level: &str, text: &str) {
        let mut now = Timestamp::now().to_catalog();
        now.truncate(now.len() - 3);
        let text = crate::output::escape_controls(text);
        let (process, name) = (std::process::id(), self.name);
        // Nothing can be done when that fails.
        let _ = writeln!(
            std::io::stderr().lock(),
            "{now} {process} {level} {name} [-] {text}"
        );
    }
}

/// An error with its hint, in a line.
fn whole(error: &Error) -> String {
    match error.hint_text() {
        Some(hint) => format!("{}. {hint}", error.message()),
        None => error.message().to_string(),
    }
}
