//! Metrics of periodic jobs in the Prometheus text format, for the textfile collector of its node exporter.
//! Each program writes one file.
//!
//! Counters continue from the values in the file, so that they cover all runs.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::cli::run::ui;
use crate::data::replacement::Replacement;
use crate::model::Timestamp;
use crate::{Error, Result};

/// The metrics of one run.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// The prefix of all metric names.
    prefix: &'static str,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    name: &'static str,
    help: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The increase during this run.
    Counter(u64),
    /// A value; `None` to omit the metric.
    Gauge(Option<f64>),
}

impl Metrics {
    /// Creates metrics whose names begin with `prefix` and an underscore, such as `glance_scrubber`.
    pub fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            samples: Vec::new(),
        }
    }

    /// Adds the increase of a counter; `name` ends with `_total`.
    #[must_use]
    pub fn counter(self, name: &'static str, help: &'static str, count: u64) -> Self {
        self.with(name, help, Kind::Counter(count))
    }

    /// Adds a value that may increase and decrease.
    #[must_use]
    pub fn gauge(self, name: &'static str, help: &'static str, value: u64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "Prometheus values are floating-point numbers"
        )]
        let value = value as f64;
        self.with(name, help, Kind::Gauge(Some(value)))
    }

    /// Adds a timestamp; `name` ends with `_timestamp_seconds`. `None` omits it.
    #[must_use]
    pub fn moment(self, name: &'static str, help: &'static str, moment: Option<Timestamp>) -> Self {
        let value = moment.map(Timestamp::to_seconds);
        self.with(name, help, Kind::Gauge(value))
    }

    fn with(mut self, name: &'static str, help: &'static str, kind: Kind) -> Self {
        self.samples.push(Sample { name, help, kind });
        self
    }

    /// Writes the file at `path` atomically, with the times of the last run and the last successful run.
    /// `succeeded` refers to this run. Writing in place is reported on stderr.
    ///
    /// # Errors
    /// `Io`.
    /// `Io`.
    pub fn write(self, path: &Path, succeeded: bool) -> Result<()> {
        // A symbolic link is kept. A special file would be replaced by a regular one.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let path = target.as_path();
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::failed(format!(
                "cannot write metrics to {}: not a regular file",
                path.display()
            )));
        }
        let before = std::fs::read_to_string(path).unwrap_or_default();
        let text = self.render(&before, Timestamp::now(), succeeded);
        let failed = |e| Error::io("write", path, e);
        // The collector runs as another user.
        let new = Replacement::create_readable(path, 0o644)?;
        if let Err(e) = new.file().write_all(text.as_bytes()) {
            return Err(new.give_up(failed(e)));
        }
        if let Some(notice) = new.keep()? {
            ui::notice(&notice);
        }
        Ok(())
    }

    /// Returns the content of the file, given the previous content.
    fn render(self, before: &str, now: Timestamp, succeeded: bool) -> String {
        let known: HashMap<&str, f64> = before
            .lines()
            .filter_map(|line| {
                let (name, value) = line.split_once(' ')?;
                Some((name, value.parse().ok()?))
            })
            .collect();
        let succeeded = succeeded.then(|| now.to_seconds());
        let last_success = format!("{}_last_success_timestamp_seconds", self.prefix);
        let success = succeeded.or_else(|| known.get(last_success.as_str()).copied());
        let prefix = self.prefix;
        let all = self
            .moment(
                "last_run_timestamp_seconds",
                "Time when the last run ended.",
                Some(now),
            )
            .with(
                "last_success_timestamp_seconds",
                "Time when the last successful run ended.",
                Kind::Gauge(success),
            );
        let mut text = String::new();
        for Sample { name, help, kind } in all.samples {
            let name = format!("{prefix}_{name}");
            let (kind, value) = match kind {
                Kind::Counter(count) => {
                    let before = known.get(name.as_str()).copied().unwrap_or_default();
                    #[expect(clippy::cast_precision_loss, reason = "as above")]
                    let count = count as f64;
                    ("counter", Some(before + count))
                }
                Kind::Gauge(value) => ("gauge", value),
            };
            let Some(value) = value else { continue };
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(count: u64) -> Metrics {
        Metrics::new("glance_x")
            .counter("things_total", "Things.", count)
            .gauge("size_bytes", "Bytes.", count)
            .moment("oldest_timestamp_seconds", "The oldest.", None)
    }

    #[test]
    fn links_are_kept_and_other_than_files_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        metrics(1).write(&real, true).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        metrics(1).write(&link, true).unwrap();
        assert!(link.is_symlink());
        let text = std::fs::read_to_string(&real).unwrap();
        assert!(text.contains("glance_x_things_total 2"), "{text}");
        let error = metrics(1).write(directory.path(), true).unwrap_err();
        assert!(error.message().contains("not a regular file"), "{error}");
        let device = metrics(1).write(Path::new("/dev/null"), true);
        assert!(device.is_err());
    }

    #[test]
    fn counters_continue_and_the_last_success_stays() {
        let at = |seconds| Timestamp::from_seconds(seconds).unwrap();
        let first = metrics(3).render("", at(1000.5), true);
        assert_eq!(
            first,
            "# HELP glance_x_things_total Things.\n# TYPE glance_x_things_total counter\n\
             glance_x_things_total 3\n\
             # HELP glance_x_size_bytes Bytes.\n# TYPE glance_x_size_bytes gauge\nglance_x_size_bytes 3\n\
             # HELP glance_x_last_run_timestamp_seconds Time when the last run ended.\n\
             # TYPE glance_x_last_run_timestamp_seconds gauge\n\
             glance_x_last_run_timestamp_seconds 1000.5\n\
             # HELP glance_x_last_success_timestamp_seconds Time when the last successful run ended.\n\
             # TYPE glance_x_last_success_timestamp_seconds gauge\n\
             glance_x_last_success_timestamp_seconds 1000.5\n"
        );
        let second = metrics(4).render(&first, at(2000.0), false);
        for line in [
            "glance_x_things_total 7",
            "glance_x_size_bytes 4",
            "glance_x_last_run_timestamp_seconds 2000",
            "glance_x_last_success_timestamp_seconds 1000.5",
        ] {
            assert!(second.lines().any(|known| known == line), "{second}");
        }
    }
}
