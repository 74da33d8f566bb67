//! Shell completion: scripts and word lists.

use std::fmt::Write;

use clap::Command;

use super::builtins::{builtin, builtins};
use super::grammar::Grammar;
use super::help::of_builtin;
use super::parser::own;
use crate::{Error, Result};

/// The scripts for bash and zsh, written by `cargo run --example generate`.
const SCRIPTS: [(&str, &str, &str); 8] = [
    (
        "glance",
        include_str!("../../../completions/bash/glance"),
        include_str!("../../../completions/zsh/_glance"),
    ),
    (
        "openstack",
        include_str!("../../../completions/bash/openstack"),
        include_str!("../../../completions/zsh/_openstack"),
    ),
    (
        "glance-manage",
        include_str!("../../../completions/bash/glance-manage"),
        include_str!("../../../completions/zsh/_glance-manage"),
    ),
    (
        "glance-scrubber",
        include_str!("../../../completions/bash/glance-scrubber"),
        include_str!("../../../completions/zsh/_glance-scrubber"),
    ),
    (
        "glance-cache-manage",
        include_str!("../../../completions/bash/glance-cache-manage"),
        include_str!("../../../completions/zsh/_glance-cache-manage"),
    ),
    (
        "glance-cache-pruner",
        include_str!("../../../completions/bash/glance-cache-pruner"),
        include_str!("../../../completions/zsh/_glance-cache-pruner"),
    ),
    (
        "glance-cache-cleaner",
        include_str!("../../../completions/bash/glance-cache-cleaner"),
        include_str!("../../../completions/zsh/_glance-cache-cleaner"),
    ),
    (
        "glance-cache-prefetcher",
        include_str!("../../../completions/bash/glance-cache-prefetcher"),
        include_str!("../../../completions/zsh/_glance-cache-prefetcher"),
    ),
];

/// Returns the completion script of `program` for `shell` (`bash` or `zsh`).
///
/// # Errors
/// `Failed` for another program or shell.
pub fn script(program: &str, shell: &str) -> Result<&'static str> {
    let found = SCRIPTS.iter().find(|(name, ..)| *name == program);
    match (found, shell) {
        (Some((_, bash, _)), "bash") => Ok(bash),
        (Some((_, _, zsh)), "zsh") => Ok(zsh),
        _ => Err(Error::failed(format!(
            "no {shell} completion for {program}"
        ))),
    }
}

/// Returns the output of `complete`: a bash script, or with `--shell none` the completion data.
///
/// # Errors
/// `Usage` for other arguments.
pub fn complete(called: Grammar, words: &[String]) -> Result<String> {
    let program = called.program();
    let refuse = |what: String| {
        let usage = builtin("complete").map(|builtin| of_builtin(called, builtin));
        let usage = usage.unwrap_or_default();
        let usage = usage.lines().next().unwrap_or_default();
        Error::usage(format!("{usage}\n{program} complete: error: {what}"))
    };
    let (mut name, mut shell) = (program, "bash");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), None),
        };
        let target = match option {
            "--name" => &mut name,
            "--shell" => &mut shell,
            _ => return Err(refuse(format!("unrecognized arguments: {word}"))),
        };
        let value = inline.or_else(|| words.next().map(String::as_str));
        *target =
            value.ok_or_else(|| refuse(format!("argument {option}: expected one argument")))?;
    }
    match shell {
        "none" => Ok(data(called)),
        "bash" => {
            let script = script(program, "bash")?;
            // The last line names the command that the function completes.
            let ends = format!(" {program}\n");
            let body = script.strip_suffix(&ends).unwrap_or(script);
            Ok(format!("{body} {name}\n"))
        }
        other => Err(refuse(format!(
            "argument --shell: invalid choice: '{other}' (choose from 'bash', 'none')"
        ))),
    }
}

/// Returns cliff's completion data: a variable for each word of a command, with the words or options that may
/// follow.
///
/// *Source:* `CompleteDictionary` and `CompleteNoCode` in `cliff/complete.py`.
fn data(called: Grammar) -> String {
    let mut names: Vec<String> = Vec::new();
    let grammars: &[Grammar] = match called {
        Grammar::Glance => &[Grammar::Glance, Grammar::Openstack],
        Grammar::Openstack => &[Grammar::Openstack],
    };
    for grammar in grammars {
        names.extend(grammar.rows().iter().map(|row| row.name.to_string()));
    }
    names.extend(builtins(grammars).map(|builtin| builtin.name.to_string()));
    names.sort_unstable();
    let mut text = String::new();
    variables("", &names, called, &mut text);
    text
}

/// Appends the variables of a position on the line and of the following ones.
fn variables(place: &str, names: &[String], called: Grammar, text: &mut String) {
    let after = |name: &str| -> Option<String> {
        let rest = if place.is_empty() {
            Some(name)
        } else {
            let rest = name.strip_prefix(place);
            rest.and_then(|rest| rest.strip_prefix(' '))
        };
        rest.map(|rest| rest.split(' ').next().unwrap_or(rest).to_string())
    };
    let mut following: Vec<String> = names.iter().filter_map(|name| after(name)).collect();
    following.dedup();
    let variable = std::iter::once("cmds")
        .chain(place.split(' ').filter(|word| !word.is_empty()))
        .collect::<Vec<_>>()
        .join("_")
        .replace('-', "_");
    let words = if following.is_empty() {
        options(called, place)
    } else {
        following.clone()
    };
    let _ = writeln!(text, "  {variable}='{}'", words.join(" "));
    for word in following {
        let next = if place.is_empty() {
            word
        } else {
            format!("{place} {word}")
        };
        variables(&next, names, called, text);
    }
}

/// Returns the options of a command, help first.
fn options(called: Grammar, name: &str) -> Vec<String> {
    let mut words = vec!["-h".to_string(), "--help".to_string()];
    if let Some(builtin) = builtin(name) {
        let names = builtin.options.iter();
        words.extend(names.filter_map(|(option, _)| option.split(' ').next().map(str::to_string)));
    }
    for grammar in [Grammar::Glance, Grammar::Openstack] {
        let Some(row) = grammar.find(name) else {
            continue;
        };
        let command = own(called, grammar, row);
        let shown = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_positional());
        for arg in shown.filter(|arg| arg.get_id() != "help") {
            words.extend(arg.get_short().map(|short| format!("-{short}")));
            words.extend(arg.get_long().map(|long| format!("--{long}")));
        }
    }
    words
}

/// Returns the output of `bash-completion`: commands and options of the first grammar.
pub fn words() -> Vec<String> {
    let mut words: Vec<String> = vec!["help".to_string(), "-h".to_string(), "--help".to_string()];
    for row in Grammar::Glance.shown_rows() {
        words.push(row.name.to_string());
        let command = (row.args)(Command::new(row.name));
        let shown = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_positional());
        for arg in shown {
            words.extend(arg.get_long().map(|long| format!("--{long}")));
        }
    }
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete_line(called: Grammar, line: &str) -> Result<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        complete(called, &words)
    }

    #[test]
    fn complete_prints_the_words_of_its_own_grammar() {
        let data = complete_line(Grammar::Openstack, "--shell none").unwrap();
        assert!(data.starts_with("  cmds='cached "), "{data}");
        assert!(
            data.contains("\n  cmds_image_add='project'\n")
                && data.contains("\n  cmds_image_save='-h --help --chunk-size --file ")
                && data.contains("\n  cmds_complete='-h --help --name --shell'\n"),
            "{data}"
        );
        assert!(!data.contains("image-create"), "{data}");
        let script = complete_line(Grammar::Openstack, "").unwrap();
        assert!(script.ends_with("\ncomplete -F _openstack openstack\n"));
        assert!(!script.contains("image-create"));
        let other = complete_line(Grammar::Openstack, "--name=osc").unwrap();
        assert!(other.ends_with("\ncomplete -F _openstack osc\n"));
        for line in ["--shell fish", "--shell", "extra"] {
            let error = complete_line(Grammar::Openstack, line).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
        }
    }

    #[test]
    fn every_program_has_a_script_for_either_shell() {
        for (program, ..) in SCRIPTS {
            let name = program.replace('-', "_");
            for shell in ["bash", "zsh"] {
                let script = script(program, shell).unwrap();
                assert!(script.contains(&format!("_{name}")), "{program}");
                assert!(script.contains(program), "{program}");
            }
        }
        assert!(script("glance-api", "bash").is_err());
    }
}
