//! The report for people.

use std::fmt::Write;

use crate::ops::doctor::{Findings, Health};

/// Returns the findings, one a line, with the cure of each below it.
pub fn text(findings: &Findings, colors: bool) -> String {
    let width = findings.all().iter().map(|finding| finding.check.len());
    let width = width.max().unwrap_or_default();
    let mut text = String::new();
    for finding in findings.all() {
        let (check, word, detail) = (finding.check, finding.health.word(), &finding.detail);
        let color = match finding.health {
            Health::Good => "32",
            Health::Warning => "33",
            Health::Bad => "31",
        };
        let word = if colors {
            format!("\x1b[{color}m{word:7}\x1b[0m")
        } else {
            format!("{word:7}")
        };
        let _ = writeln!(text, "{word}  {check:width$}  {detail}");
        if let Some(cure) = &finding.cure {
            let _ = writeln!(text, "{:7}  {:width$}  Cure: {cure}", "", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_its_cure_below() {
        let mut findings = Findings::default();
        findings.good("database", "SQLite");
        findings.warn("space", "1 MiB free", "Delete images.");
        let expected = "ok       database  SQLite\n\
            warning  space     1 MiB free\n                   Cure: Delete images.\n";
        assert_eq!(text(&findings, false), expected);
        assert!(text(&findings, true).contains("\x1b[33mwarning\x1b[0m"));
    }
}
