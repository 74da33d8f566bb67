//! Progress on a terminal's stderr: bytes of a transfer, rows of a table.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::data::watch::Progress;

/// The cells beside the bar of a transfer at most, of usual sizes.
const TEXT_WIDTH: usize = 60;

/// The progress bar of a transfer.
pub struct Bar(ProgressBar);

impl Bar {
    /// Creates a bar that is drawn when the transfer begins.
    pub fn new() -> Self {
        Self(ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::hidden(),
        ))
    }

    fn style(total: bool) -> ProgressStyle {
        // Fits a terminal of 80 columns, and shrinks with narrower ones.
        let columns = rustix::termios::tcgetwinsize(std::io::stderr())
            .map_or(80, |size| usize::from(size.ws_col));
        let bar = columns.saturating_sub(TEXT_WIDTH).clamp(4, 30);
        let template = if total {
            format!(
                "{{bar:{bar}}} {{percent:>3}}%  {{bytes}} of {{total_bytes}}  {{bytes_per_sec}}  {{eta}} left"
            )
        } else {
            "{spinner} {bytes}  {bytes_per_sec}".to_string()
        };
        ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ")
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Bar {
    fn begin(&self, total: Option<u64>) {
        match total {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
        self.0.set_style(Self::style(total.is_some()));
        self.0
            .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        self.0.reset();
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// Returns a summary of a finished transfer. `verb` is what was done (`Saved`), `verified` the algorithm used
/// for verification.
pub fn summary(verb: &str, bytes: u64, elapsed: Duration, verified: Option<&str>) -> String {
    let size = HumanBytes(bytes).to_string().replace(".00 ", " ");
    let seconds = elapsed.as_secs_f64();
    let verified = verified.map_or_else(String::new, |name| format!(", verified by {name}"));
    format!("{verb} {size} in {seconds:.1} s{verified}.")
}

/// A counter of processed things, such as rows of a table, drawn on a terminal only.
pub struct Rows(ProgressBar);

impl Rows {
    /// Creates a counter at zero. `unit` is what it counts, in the plural.
    pub fn new(unit: &'static str) -> Self {
        let template = format!("{{spinner}} {{msg}} {{human_pos}} {unit}  {{per_sec}}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let target = ProgressDrawTarget::stderr_with_hz(10);
        Self(ProgressBar::with_draw_target(None, target).with_style(style))
    }

    /// Adds processed things; `what` names the table or the work.
    pub fn advance(&self, what: &str, more: u64) {
        if self.0.message() != what {
            self.0.set_message(what.to_string());
        }
        self.0.inc(more);
    }

    /// Removes the counter.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// A line with what is waited for and the time since the beginning, drawn on a terminal only.
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Creates a line that is drawn when it has a text.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let target = ProgressDrawTarget::stderr_with_hz(10);
        Self(ProgressBar::with_draw_target(None, target).with_style(style))
    }

    /// Shows a text.
    pub fn show(&self, text: &str) {
        self.0.set_message(text.to_string());
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    /// Removes the line.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_summed_up_in_a_sentence() {
        let elapsed = Duration::from_millis(2120);
        assert_eq!(
            summary("Saved", 300 << 20, elapsed, Some("sha512")),
            "Saved 300 MiB in 2.1 s, verified by sha512."
        );
        assert_eq!(
            summary("Stored", 1536, Duration::ZERO, None),
            "Stored 1.50 KiB in 0.0 s."
        );
        assert_eq!(
            summary("Saved", 0, Duration::ZERO, None),
            "Saved 0 B in 0.0 s."
        );
    }
}
