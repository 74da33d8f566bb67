//! The output of upstream's commands for completion, and of `completion`.

use std::fmt::Write;

use clap::Command;

use super::scripts::{PROGRAMS, Target, script};
use super::shells::{NAMES, Shell};
use crate::cli::command::builtins::{builtin, builtins};
use crate::cli::command::grammar::Grammar;
use crate::cli::command::help::of_builtin;
use crate::cli::command::parser::own;
use crate::{Error, Result};

/// Returns the output of `--shell_completion` of an operator's program.
///
/// # Errors
/// `Failed` for another program or shell.
pub fn script_of(program: &str, shell: &str) -> Result<String> {
    match Shell::named(shell) {
        Some(shell @ (Shell::Bash | Shell::Zsh)) if PROGRAMS.contains(&program) => {
            Ok(script(shell, Target::One(program)))
        }
        _ => Err(Error::failed(format!(
            "no {shell} completion for {program}"
        ))),
    }
}

/// The arguments of `complete` and `completion`.
struct Arguments {
    name: Option<String>,
    shell: Option<String>,
}

/// Returns the error for wrong arguments of a built-in command.
fn refusal(called: Grammar, command: &str, what: &str) -> Error {
    let program = called.program();
    let usage = builtin(command).map(|builtin| of_builtin(called, builtin));
    let usage = usage.unwrap_or_default();
    let usage = usage.lines().next().unwrap_or_default();
    Error::usage(format!("{usage}\n{program} {command}: error: {what}"))
}

/// Reads `--name` and `--shell`; with `is_positional`, the shell is a word by itself instead.
fn arguments(
    called: Grammar,
    command: &str,
    is_positional: bool,
    words: &[String],
) -> Result<Arguments> {
    let (mut name, mut shell) = (None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (option, inline) = match word.split_once('=') {
            Some((option, value)) => (option, Some(value)),
            None => (word.as_str(), None),
        };
        let target = match option {
            "--name" => &mut name,
            "--shell" if !is_positional => &mut shell,
            _ if is_positional && shell.is_none() && !word.starts_with('-') => {
                shell = Some(word.clone());
                continue;
            }
            _ => {
                let what = format!("unrecognized arguments: {word}");
                return Err(refusal(called, command, &what));
            }
        };
        let value = inline.or_else(|| words.next().map(String::as_str));
        let value = value.ok_or_else(|| {
            let what = format!("argument {option}: expected one argument");
            refusal(called, command, &what)
        })?;
        *target = Some(value.to_string());
    }
    Ok(Arguments { name, shell })
}

/// Returns the output of `completion`: the script of a shell.
///
/// # Errors
/// `Usage` for other arguments.
pub fn completion(called: Grammar, words: &[String]) -> Result<String> {
    let refuse = |what: &str| refusal(called, "completion", what);
    let Arguments { name, shell } = arguments(called, "completion", true, words)?;
    let shell = shell.ok_or_else(|| refuse("the following arguments are required: <shell>"))?;
    let known = Shell::named(&shell).ok_or_else(|| {
        let names = NAMES.map(|name| format!("'{name}'")).join(", ");
        refuse(&format!(
            "argument <shell>: invalid choice: '{shell}' (choose from {names})"
        ))
    })?;
    let target = match (&name, called) {
        (Some(name), _) => Target::named(command_name(name).map_err(|what| refuse(&what))?, called),
        (None, Grammar::Glance) => Target::All,
        (None, Grammar::Openstack) => Target::named("openstack", called),
    };
    Ok(script(known, target))
}

/// Returns the name of a command if it can stand in a script.
fn command_name(name: &str) -> std::result::Result<&str, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-+".contains(letter);
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(fits) {
        return Ok(name);
    }
    Err(format!("argument --name: invalid command name: '{name}'"))
}

/// Returns the output of `complete`: a bash script, or with `--shell none` the completion data.
///
/// # Errors
/// `Usage` for other arguments.
pub fn complete(called: Grammar, words: &[String]) -> Result<String> {
    let refuse = |what: &str| refusal(called, "complete", what);
    let Arguments { name, shell } = arguments(called, "complete", false, words)?;
    let name = name.as_deref().unwrap_or(called.program());
    let name = command_name(name).map_err(|what| refuse(&what))?;
    match shell.as_deref().unwrap_or("bash") {
        "none" => Ok(data(called)),
        "bash" if called == Grammar::Openstack => {
            Ok(script(Shell::Bash, Target::Named(name, called)))
        }
        "bash" => Ok(script(Shell::Bash, Target::named(name, called))),
        other => Err(refuse(&format!(
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
        assert!(script.contains("complete -F _glance_openstack_complete openstack\n"));
        assert!(!script.contains("image-create"));
        let other = complete_line(Grammar::Openstack, "--name=osc").unwrap();
        assert!(other.contains("complete -F _glance_osc_complete osc\n"));
        assert!(other.contains(" __complete bash openstack "), "{other}");
        for line in ["--shell fish", "--shell", "extra", "--name=a;b"] {
            let error = complete_line(Grammar::Openstack, line).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
        }
    }

    #[test]
    fn completion_prints_the_script_of_each_shell() {
        let print = |called, line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
            completion(called, &words)
        };
        for shell in NAMES {
            let all = print(Grammar::Glance, shell).unwrap();
            for program in PROGRAMS {
                assert!(all.contains(program), "{shell}: {program}");
            }
            let one = print(Grammar::Glance, &format!("{shell} --name openstack")).unwrap();
            assert!(one.contains("openstack"), "{one}");
            assert_eq!(print(Grammar::Openstack, shell).unwrap(), one);
        }
        for (line, why) in [
            ("", "required: <shell>"),
            ("tcsh", "invalid choice: 'tcsh'"),
            ("bash zsh", "unrecognized arguments: zsh"),
            ("bash --name", "expected one argument"),
            ("bash --name x;y", "invalid command name"),
        ] {
            let error = print(Grammar::Glance, line).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
            assert!(error.message().contains(why), "{error}");
        }
    }

    #[test]
    fn every_operators_program_has_a_script_for_bash_and_zsh() {
        for program in PROGRAMS {
            for shell in ["bash", "zsh"] {
                assert!(script_of(program, shell).unwrap().contains(program));
            }
        }
        assert!(script_of("glance-registry", "bash").is_err());
        assert!(script_of("glance-manage", "fish").is_err());
    }
}
