//! The commands of a document, run in a shell, and their output compared.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::page::Step;

/// The home directory that documents show.
const HOME: &str = "/home/you";

/// The directories of this machine's programs.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/usr/bin", "/bin"];

/// What a command did.
#[derive(Debug)]
pub struct Done {
    /// Standard output and standard error, in order.
    pub output: Vec<String>,
    /// Its exit code.
    pub code: i32,
}

/// The directories of a run.
pub struct Shell {
    /// The home directory of the commands; they begin in an empty directory in it.
    pub home: PathBuf,
    /// A directory for the scripts.
    pub scripts: PathBuf,
    /// The directory of the programs.
    pub programs: PathBuf,
    /// A directory of further programs, after that on the path.
    pub others: Option<PathBuf>,
    /// Standard input: a terminal at which nothing is typed.
    pub terminal: Stdio,
    /// The `clouds.yaml` of steps with a cloud.
    pub clouds: String,
    /// The root directory of the commands, above the other directories; None for this machine's.
    pub root: Option<PathBuf>,
}

impl Shell {
    /// Runs the commands one after the other in one shell; one that ends the shell is the last.
    pub fn run(self, steps: &[Step]) -> Vec<Done> {
        let work = self.home.join("work");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(&self.scripts).unwrap();
        let clouds = self.scripts.join("clouds.yaml");
        fs::write(&clouds, &self.clouds).unwrap();
        // The path that commands see.
        let inside = |path: &Path| {
            let below = self
                .root
                .as_ref()
                .and_then(|root| path.strip_prefix(root).ok());
            below.map_or_else(|| path.to_path_buf(), |below| Path::new("/").join(below))
        };
        // What a document starts ends with its shell.
        let mut script = String::from(
            "trap 'kill $(jobs -p) 2> /dev/null' EXIT\nexec 2>&1\ncd ~/work\ncode=0\n",
        );
        for (number, step) in steps.iter().enumerate() {
            let part = self.scripts.join(number.to_string());
            fs::write(&part, format!("{}\n", step.command)).unwrap();
            if step.cloud {
                writeln!(
                    script,
                    "install -D -m 600 '{}' ~/.config/openstack/clouds.yaml",
                    inside(&clouds).display()
                )
                .unwrap();
            }
            // A command sees the exit code of the one before it.
            writeln!(
                script,
                "(exit $code); . '{}'\ncode=$?; printf '\\1%d\\n' $code",
                inside(&part).display()
            )
            .unwrap();
        }
        let path = self.scripts.join("all");
        fs::write(&path, script).unwrap();
        let home = inside(&self.home);
        let mut command = Command::new("timeout");
        command.arg("300");
        if let Some(root) = &self.root {
            command.arg("chroot").arg(root);
        }
        let mut path_variable = inside(&self.programs).display().to_string();
        for more in self
            .others
            .iter()
            .map(PathBuf::as_path)
            .chain(SYSTEM.map(Path::new))
        {
            write!(path_variable, ":{}", more.display()).unwrap();
        }
        let output = command
            .arg("bash")
            .arg(inside(&path))
            .env_clear()
            .env("HOME", &home)
            .env("LANG", "C.UTF-8")
            .env("PATH", path_variable)
            .env("USER", "you")
            .stdin(self.terminal)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let text = text.replace(home.to_str().unwrap(), HOME);
        let text = text.replace(self.programs.to_str().unwrap(), "/usr/local/bin");
        text.split_inclusive('\n')
            .fold(vec![(String::new(), None)], |mut parts, line| {
                let (before, code) = line.split_once('\u{1}').unwrap_or((line, ""));
                let last = parts.last_mut().unwrap();
                last.0.push_str(before);
                if let Ok(code) = code.trim().parse() {
                    last.1 = Some(code);
                    parts.push((String::new(), None));
                }
                parts
            })
            .into_iter()
            .filter_map(|(output, code)| {
                let output = output.lines().map(str::to_string).collect();
                code.map(|code| Done { output, code })
            })
            .collect()
    }
}

/// Returns the length of the UUID, time or number with a unit at the beginning of `text`, and what stands for it.
fn varying(text: &str, previous: Option<char>) -> Option<(usize, &'static str)> {
    if previous.is_some_and(char::is_alphanumeric) {
        return None;
    }
    let matches = |pattern: &str| {
        let mut chars = text.chars();
        pattern.chars().all(|wanted| match (wanted, chars.next()) {
            ('x', Some(found)) => found.is_ascii_hexdigit(),
            ('9', Some(found)) => found.is_ascii_digit(),
            (wanted, found) => found == Some(wanted),
        })
    };
    if matches("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") {
        return Some((36, "UUID"));
    }
    if matches("9999-99-99T99:99:99") || matches("9999-99-99 99:99:99") {
        let fraction = text[19..].strip_prefix(['.', ',']).unwrap_or("");
        let digits = fraction.chars().take_while(char::is_ascii_digit).count();
        return Some((19 + if digits > 0 { digits + 1 } else { 0 }, "TIME"));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    if digits == 0 {
        return None;
    }
    // Times that something took, and what a disk has: neither depends on the document.
    for unit in [" s", " ms", " GiB", " TiB", " MiB/s", " GiB/s", " %"] {
        let after = text[digits..].strip_prefix(unit);
        if after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric())) {
            return Some((digits + unit.len(), "AMOUNT"));
        }
    }
    None
}

/// Returns a line without what differs from run to run: UUIDs, times, durations, space on disks, ports, and the width of
/// columns.
pub fn normalize(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line.trim_end();
    let mut previous = None;
    while let Some(next) = rest.chars().next() {
        if let Some((length, word)) = varying(rest, previous) {
            result.push_str(word);
            rest = &rest[length..];
            previous = Some('0');
            continue;
        }
        let fills = " -".contains(next);
        if !(fills && previous == Some(next)) {
            result.push(next);
        }
        previous = Some(next);
        rest = &rest[next.len_utf8()..];
    }
    without_port(&result)
}

/// Returns a line without the port of the first address on loopback.
fn without_port(line: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let Some((start, rest)) = line.split_once(HOST) else {
        return line.to_string();
    };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{start}{HOST}PORT{rest}")
}

/// Returns whether normalized output is what is shown.
fn matches(shown: &[String], output: &[String]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=output.len()).any(|skipped| matches(rest, &output[skipped..]))
        }
        Some((first, rest)) => output
            .split_first()
            .is_some_and(|(line, others)| line == first && matches(rest, others)),
    }
}

/// Returns whether the output is what the document shows: a line `…` stands for any lines.
pub fn is_shown(shown: &[String], output: &[String]) -> bool {
    let normal = |lines: &[String]| -> Vec<String> {
        let lines = lines.iter().map(|line| normalize(line));
        let mut lines: Vec<String> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    };
    matches(&normal(shown), &normal(output))
}

/// Returns the errors of a run: commands with another output or exit code.
pub fn errors(document: &Path, steps: &[Step], done: &[Done]) -> Vec<String> {
    let mut errors = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let place = format!("{}:{}: {}", document.display(), step.line, step.command);
        let Some(done) = done.get(number) else {
            errors.push(format!("{place}\nnot reached: the shell ended"));
            break;
        };
        if done.code != step.code {
            errors.push(format!(
                "{place}\nexit code {} instead of {}:\n{}",
                done.code,
                step.code,
                done.output.join("\n")
            ));
        } else if !is_shown(&step.output, &done.output) {
            errors.push(format!(
                "{place}\nshown:\n{}\nprinted:\n{}",
                step.output.join("\n"),
                done.output.join("\n")
            ));
        }
    }
    errors
}

/// Returns the document with the output that the commands printed, where it differs from what is shown; with `all`, also
/// where only IDs, times and the like differ, unless a line `…` stands for lines.
pub fn updated(text: &str, steps: &[Step], done: &[Done], all: bool) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    for (step, done) in steps.iter().zip(done).rev() {
        let whole = !step.output.iter().any(|line| line == "…");
        if !is_shown(&step.output, &done.output) || (all && whole) {
            let first = step.line - 1 + step.command.lines().count();
            let blank = step.output.last().is_some_and(String::is_empty);
            let mut output = done.output.clone();
            output.extend(blank.then(String::new));
            lines.splice(first..first + step.output.len(), output);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_times_amounts_and_widths_are_normalized() {
        for (line, normal) in [
            (
                "| 0f0e0d0c-1111-4222-8333-444455556666 | a    |",
                "| UUID | a |",
            ),
            ("+-----+--+", "+-+-+"),
            (
                "at 2026-11-28T09:30:04Z, 2026-11-28 09:30:04.123 x",
                "at TIMEZ, TIME x",
            ),
            ("Saved 4 MiB in 2.1 s.", "Saved 4 MiB in AMOUNT."),
            (
                "48.64 GiB free of 251.97 GiB (19 %)",
                "AMOUNT free of AMOUNT (AMOUNT)",
            ),
            ("http://127.0.0.1:4711/v3", "http://127.0.0.1:PORT/v3"),
            ("size 1024", "size 1024"),
            (
                "5d41402abc4b2a76b9719d911017c592",
                "5d41402abc4b2a76b9719d911017c592",
            ),
        ] {
            assert_eq!(normalize(line), normal);
        }
    }

    #[test]
    fn other_output_is_not_what_is_shown() {
        let lines = |text: &str| -> Vec<String> { text.lines().map(str::to_string).collect() };
        assert!(is_shown(&lines("a\n…\nd\n"), &lines("a\nb\nc\nd")));
        assert!(is_shown(&lines("a\n\n"), &lines("a")));
        assert!(!is_shown(&lines("a\n…\nd"), &lines("a\nb\nc")));
        assert!(!is_shown(&lines("a"), &lines("a\nb")));
        assert!(!is_shown(&lines(""), &lines("a")));
        assert!(!is_shown(&lines("a"), &lines("")));
    }
}
