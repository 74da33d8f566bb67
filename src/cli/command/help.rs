//! Help texts of programs, commands and topics.

use std::fmt::Write;

use clap::Command;

use super::builtins::{BUILTINS, Builtin, builtin, builtins};
use super::grammar::{Commands, Grammar, Row};
use super::parser::own;
use super::registry::Output;
use super::topics::TOPICS;
use crate::{Error, Result};

/// The layout of a command's help.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}";

/// Returns the headings of positional arguments and options, as upstream's parsers write them.
const fn headings(grammar: Grammar) -> [&'static str; 2] {
    match grammar {
        Grammar::Glance => ["Positional arguments:", "Options:"],
        Grammar::Openstack => ["positional arguments:", "options:"],
    }
}

/// Returns the help of a program: its commands and options.
pub fn program(grammar: Grammar) -> String {
    let mut text = String::new();
    let name = grammar.program();
    let [_, options_heading] = headings(grammar);
    let commands = if grammar == Grammar::Glance {
        "<subcommand> ..."
    } else {
        "<command> ..."
    };
    let _ = write!(
        text,
        "usage: {name} [options] {commands}\n\nManage OpenStack images, with or without a server.\n\n"
    );
    text.push_str(if grammar == Grammar::Glance {
        "Positional arguments:\n  <subcommand>\n"
    } else {
        "Commands:\n"
    });
    let mut groups: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for group in grammar.groups() {
        let rows = group.rows().filter(|row| !row.is_extension);
        let mut lines: Vec<_> = rows.map(|row| (row.name, row.about)).collect();
        lines.sort_unstable();
        groups.push((group.title, lines));
    }
    let others = builtins(&[grammar])
        .map(|builtin| (builtin.name, builtin.about))
        .collect();
    groups.push(("Other commands", others));
    let width = groups
        .iter()
        .flat_map(|(_, lines)| lines)
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (title, lines) in groups {
        let _ = writeln!(text, "\n  {title}:");
        for (name, about) in lines {
            let _ = writeln!(text, "    {name:width$}  {about}");
        }
    }
    let mut options = Command::new(name)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for global in grammar.globals() {
        options = options.arg(global.arg().help_heading(None::<&str>));
    }
    let options = options.help_template("{options}").render_help().to_string();
    let _ = write!(text, "\n{options_heading}\n{options}\n\n");
    let _ = writeln!(text, "See \"{name} help COMMAND\" for help on a command.");
    for (topic, body) in TOPICS {
        let title = body.lines().next().unwrap_or_default();
        let _ = writeln!(text, "See \"{name} help {topic}\": {title}.");
    }
    text
}

/// Returns the help of a command; `called` names the program in the usage line.
pub fn command(called: Grammar, grammar: Grammar, row: &'static Row) -> String {
    let help = own(called, grammar, row)
        .help_template(TEMPLATE)
        .render_help()
        .to_string();
    let [positional, options] = headings(grammar);
    let help = help
        .trim_end()
        .replacen("Usage:", "usage:", 1)
        .replacen("\nArguments:\n", &format!("\n{positional}\n"), 1)
        .replacen("\nOptions:\n", &format!("\n{options}\n"), 1);
    format!("{help}\n")
}

/// Returns the help of a built-in command.
pub fn of_builtin(called: Grammar, builtin: &Builtin) -> String {
    let [positional, options] = headings(called);
    let arguments = match called {
        Grammar::Glance => builtin.usage[0],
        Grammar::Openstack => builtin.usage[1],
    };
    let line = format!("usage: {} {} {arguments}", called.program(), builtin.name);
    let mut text = format!("{}\n\n{}\n", line.trim_end(), builtin.about);
    for (heading, entries) in [(positional, builtin.positional), (options, builtin.options)] {
        if entries.is_empty() {
            continue;
        }
        let width = entries.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        let _ = write!(text, "\n{heading}\n");
        for (name, about) in entries {
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
    }
    if builtin.name == "help" {
        let names: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
        let _ = write!(text, "\nTopics: {}.\n", names.join(", "));
    }
    text
}

/// Returns what `help WORDS` prints.
///
/// # Errors
/// `Failed` if there is no command or topic of that name.
pub fn answer(called: Grammar, words: &[String]) -> Result<String> {
    if words.is_empty() {
        return Ok(program(called));
    }
    let name = words.join(" ");
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        return Ok((*text).to_string());
    }
    if let Some(builtin) = builtin(&name) {
        return Ok(of_builtin(called, builtin));
    }
    for grammar in [called, Grammar::Glance, Grammar::Openstack] {
        if let Some(row) = grammar.find(&name) {
            return Ok(command(called, grammar, row));
        }
    }
    match called {
        Grammar::Glance => Err(Error::failed(format!("'{name}' is not a valid subcommand"))
            .hint("Run \"glance help\" to list the subcommands.")),
        Grammar::Openstack => Err(unknown(called, words)),
    }
}

/// Returns cliff's message for an unknown command. cliff prints it on stdout, where scripts may read it.
pub fn unknown_text(called: Grammar, words: &[String]) -> String {
    let name = words.join(" ");
    let (program, article) = match called {
        Grammar::Glance => ("glance", "a"),
        Grammar::Openstack => ("openstack", "an"),
    };
    let mut text = format!(
        "{program}: '{name}' is not {article} {program} command. See '{program} --help'.\n"
    );
    let first = words.first().map(String::as_str).unwrap_or_default();
    let mut near: Vec<&str> = Grammar::Openstack
        .rows()
        .iter()
        .map(|row| row.name)
        .chain(BUILTINS.iter().map(|builtin| builtin.name))
        .filter(|name| name.split(' ').any(|word| word == first))
        .collect();
    near.sort_unstable();
    if !near.is_empty() {
        text.push_str("Did you mean one of these?\n");
        for name in near {
            let _ = writeln!(text, "  {name}");
        }
    }
    text
}

fn unknown(called: Grammar, words: &[String]) -> Error {
    Error::usage(unknown_text(called, words).trim_end().to_string())
}

/// Returns whether a command has formatter options; used by the documentation generator.
pub fn takes_format(row: &Row) -> bool {
    row.output != Output::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_the_sections_of_upstream() {
        let section = |text: &str, heading: &str| text.lines().any(|line| line == heading);
        for (called, positional, options) in [
            (Grammar::Glance, "Positional arguments:", "Options:"),
            (Grammar::Openstack, "positional arguments:", "options:"),
        ] {
            let whole = program(called);
            assert!(section(&whole, options), "{whole}");
            assert!(!whole.contains("options of the program"), "{whole}");
            for row in called.rows() {
                let text = command(called, called, row);
                let parser = own(called, called, row);
                let has = parser.get_positionals().any(|arg| !arg.is_hide_set());
                assert_eq!(section(&text, positional), has, "{text}");
                let mut shown = parser.get_arguments().filter(|arg| !arg.is_positional());
                let has = shown.any(|arg| !arg.is_hide_set() && arg.get_help_heading().is_none());
                assert_eq!(section(&text, options), has, "{text}");
            }
        }
        assert!(section(&program(Grammar::Glance), "Positional arguments:"));
    }

    #[test]
    fn a_program_lists_each_command_once_in_a_group() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            let text = program(grammar);
            let titles = grammar.groups().iter().map(|group| group.title);
            for title in titles.chain(["Other commands"]) {
                let heading = format!("  {title}:");
                assert_eq!(text.lines().filter(|line| **line == heading).count(), 1);
            }
            let called = [grammar];
            let builtins = builtins(&called).map(|builtin| builtin.name);
            let rows = grammar.shown_rows().into_iter().map(|row| row.name);
            for name in rows.chain(builtins) {
                let begin = format!("    {name}  ");
                let listed = text.lines().filter(|line| line.starts_with(&begin)).count();
                assert_eq!(listed, 1, "{name}");
            }
        }
    }

    #[test]
    fn every_command_topic_and_builtin_has_help() {
        for called in [Grammar::Glance, Grammar::Openstack] {
            let program = called.program();
            for builtin in BUILTINS {
                let text = answer(called, &[builtin.name.to_string()]).unwrap();
                let usage = format!("usage: {program} {}", builtin.name);
                assert!(text.starts_with(&usage), "{text}");
            }
            for (topic, _) in TOPICS {
                assert!(answer(called, &[topic.to_string()]).is_ok(), "{topic}");
            }
            for row in called.rows() {
                let words: Vec<String> = row.name.split(' ').map(str::to_string).collect();
                let text = answer(called, &words).unwrap();
                let usage = format!("usage: {program} {}", row.name);
                assert!(text.starts_with(&usage), "{text}");
            }
        }
        let words = ["image".to_string(), "show".to_string()];
        let text = answer(Grammar::Glance, &words).unwrap();
        assert!(text.starts_with("usage: glance image show "), "{text}");
        assert!(answer(Grammar::Glance, &["nosuch".to_string()]).is_err());
    }

    #[test]
    fn an_unknown_command_is_one_of_the_program_that_was_called() {
        let words = ["image".to_string(), "frobnicate".to_string()];
        let text = unknown_text(Grammar::Glance, &words);
        let beginning =
            "glance: 'image frobnicate' is not a glance command. See 'glance --help'.\n";
        assert!(text.starts_with(beginning), "{text}");
        let text = unknown_text(Grammar::Openstack, &words);
        assert!(
            text.starts_with("openstack: 'image frobnicate' is not an openstack command."),
            "{text}"
        );
    }
}
