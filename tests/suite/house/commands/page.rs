//! A document as blocks of commands.
//!
//! A block fenced as `console` holds commands after `$ `, each with its output below it. A command continues on the next
//! line after a backslash at the end of a line, on lines that begin with `> `, and to the end of a here-document. A line `…` in the output stands
//! for any lines. A comment on the line above a block marks it:
//!
//! - `<!-- exits with 1 -->`: the exit code of its last command; all others exit with 0
//! - `<!-- with a cloud -->`: from here on, `clouds.yaml` has the cloud `mycloud`, which the test provides
//! - `<!-- not run: REASON -->`: the block is not run. Indented blocks and blocks for a shell need this mark
//!
//! Blocks in other languages (`ini`, `yaml`, `json`, `text`) are not commands.

/// Languages of fenced blocks that hold no commands.
const DATA: [&str; 5] = ["ini", "json", "text", "toml", "yaml"];

/// A command and the output that the document shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of its first line, from 1.
    pub line: usize,
    /// The command, of one or several lines.
    pub command: String,
    /// The lines of its output.
    pub output: Vec<String>,
    /// The expected exit code.
    pub code: i32,
    /// Whether the cloud of the tests exists from here on.
    pub cloud: bool,
}

/// What a document has to run.
#[derive(Debug, Default)]
pub struct Page {
    /// Its commands, in order.
    pub steps: Vec<Step>,
    /// How many blocks are run.
    pub run: usize,
    /// The line and the reason of each block that is not run.
    pub not_run: Vec<(usize, String)>,
    /// The line and the error of each block that follows no convention.
    pub wrong: Vec<(usize, String)>,
}

/// The mark above a block.
#[derive(Debug, Default)]
struct Mark {
    code: i32,
    cloud: bool,
    reason: Option<String>,
}

/// Returns the mark in the line above a block; None if the line is none.
fn mark(line: &str) -> Option<Mark> {
    let text = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let mut mark = Mark::default();
    if let Some(reason) = text.strip_prefix("not run: ") {
        mark.reason = Some(reason.to_string());
    } else if let Some(code) = text.strip_prefix("exits with ") {
        mark.code = code.parse().ok()?;
    } else if text == "with a cloud" {
        mark.cloud = true;
    } else {
        return None;
    }
    Some(mark)
}

/// Returns the word that ends a here-document, if the command has one.
fn end_of_document(command: &str) -> Option<&str> {
    let (_, rest) = command.split_once("<<")?;
    let word = rest.split_whitespace().next()?;
    Some(word.trim_matches(['\'', '"']))
}

/// Returns the commands of a block whose first line has the number `first`.
fn steps(block: &[&str], first: usize) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = block.iter().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        let Some(command) = line.strip_prefix("$ ") else {
            let last = steps.last_mut().ok_or("the block begins with output")?;
            last.output.push((*line).to_string());
            continue;
        };
        let mut command = command.to_string();
        while command.ends_with('\\') {
            let (_, next) = lines.next().ok_or("a command has no end")?;
            command = format!("{command}\n{next}");
        }
        while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with("> ")) {
            command = format!("{command}\n{}", &next[2..]);
        }
        if let Some(end) = end_of_document(&command).map(str::to_string) {
            loop {
                let (_, next) = lines.next().ok_or("a here-document has no end")?;
                command = format!("{command}\n{next}");
                if *next == end {
                    break;
                }
            }
        }
        steps.push(Step {
            line: first + at,
            command,
            output: Vec::new(),
            code: 0,
            cloud: false,
        });
    }
    Ok(steps)
}

/// Reads a document.
pub fn read(text: &str) -> Page {
    let lines: Vec<&str> = text.lines().collect();
    let above = |at: usize| at.checked_sub(1).map_or("", |at| lines[at]);
    let mut page = Page::default();
    let mut at = 0;
    while at < lines.len() {
        let begin = at;
        let line = lines[at];
        at += 1;
        if line.starts_with("<!-- ") && mark(line).is_none() {
            page.wrong
                .push((begin + 1, format!("unknown mark: {line}")));
        }
        let language = line.strip_prefix("```");
        // An indented line after a blank line begins a block, unless it continues an item of a list.
        let indented = line.starts_with("    ")
            && (above(begin).is_empty() || mark(above(begin)).is_some())
            && !in_list(&lines[..begin]);
        if language.is_some() {
            while at < lines.len() && lines[at] != "```" {
                at += 1;
            }
            at += 1;
        } else if indented {
            while at < lines.len() && (lines[at].starts_with("    ") || lines[at].is_empty()) {
                at += 1;
            }
        } else {
            continue;
        }
        let mark = mark(above(begin)).unwrap_or_default();
        match (language, mark.reason) {
            (_, Some(reason)) => page.not_run.push((begin + 1, reason)),
            (Some("console"), None) => {
                let end = (at - 1).min(lines.len());
                match steps(&lines[begin + 1..end], begin + 2) {
                    Ok(mut steps) => {
                        if let Some(first) = steps.first_mut() {
                            first.cloud = mark.cloud;
                        }
                        if let Some(last) = steps.last_mut() {
                            last.code = mark.code;
                        }
                        page.run += 1;
                        page.steps.extend(steps);
                    }
                    Err(why) => page.wrong.push((begin + 1, why)),
                }
            }
            (Some(language), None) if DATA.contains(&language) => {}
            (_, None) => page.wrong.push((
                begin + 1,
                "a block that is neither fenced as console or data nor marked as not run".into(),
            )),
        }
    }
    page
}

/// Returns whether the last paragraph that is not indented is an item of a list.
fn in_list(lines: &[&str]) -> bool {
    let starts = lines
        .iter()
        .rev()
        .filter(|line| !line.is_empty() && !line.starts_with(' '));
    starts.take(1).any(|line| {
        line.starts_with("- ")
            || line
                .split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_commands_with_output_and_marks() {
        let page = read(
            "Text.\n\n<!-- exits with 3 -->\n```console\n$ a \\\n    b\n$ cat <<'END'\nx\nEND\nx\n\n$ c |\n> d\n…\n```\n\n\
             <!-- not run: needs a cloud -->\n    glance image-list\n\n```ini\n[a]\n```\n",
        );
        assert_eq!(page.wrong, []);
        assert_eq!(page.run, 1);
        assert_eq!(page.not_run, [(18, "needs a cloud".to_string())]);
        let known: Vec<_> = page
            .steps
            .iter()
            .map(|step| {
                (
                    step.line,
                    step.command.as_str(),
                    step.output.join("|"),
                    step.code,
                )
            })
            .collect();
        assert_eq!(
            known,
            [
                (5, "a \\\n    b", String::new(), 0),
                (7, "cat <<'END'\nx\nEND", "x|".to_string(), 0),
                (12, "c |\nd", "…".to_string(), 3),
            ]
        );
    }

    #[test]
    fn no_block_is_left_out_in_silence() {
        for text in [
            "    glance image-list\n",
            "Text.\n\n    glance image-list\n",
            "```\nglance image-list\n```\n",
            "```sh\nglance image-list\n```\n",
            "```console\nglance image-list\n```\n",
            "<!-- never run -->\n```console\n$ a\n```\n",
        ] {
            assert_eq!(read(text).wrong.len(), 1, "{text}");
        }
        assert!(read("- Item\n\n    of a list\n").wrong.is_empty());
    }
}
