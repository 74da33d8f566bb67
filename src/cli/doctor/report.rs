//! The report for people.

use crate::ops::doctor::Findings;
use crate::output::View;

/// The width of the status at the beginning of each line.
const STATUS: usize = 7;

/// Returns the findings, one a line, with the cure of each below it.
pub fn report(findings: &Findings) -> View<'static> {
    let width = findings.all().iter().map(|finding| finding.check.len());
    let width = width.max().unwrap_or_default();
    let mut lines = Vec::new();
    for finding in findings.all() {
        let (check, word) = (finding.check, finding.health.word());
        let pad = " ".repeat(STATUS.saturating_sub(word.len()));
        lines.push((word, format!("{pad}  {check:width$}  {}", finding.detail)));
        if let Some(cure) = &finding.cure {
            let indent = " ".repeat(STATUS + 2 + width + 2);
            lines.push(("", format!("{indent}Cure: {cure}")));
        }
    }
    View::Report(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_with_its_cure_below() {
        let mut findings = Findings::default();
        findings.good("database", "SQLite");
        findings.warn("space", "1 MiB free", "Delete images.");
        let View::Report(lines) = report(&findings) else {
            panic!("not a report");
        };
        let lines: Vec<String> = lines
            .iter()
            .map(|(word, text)| format!("{word}{text}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        ok       database  SQLite
        warning  space     1 MiB free
                           Cure: Delete images.
        ");
    }
}
