//! Help texts of programs, commands and topics.

mod group;
mod options;
mod overview;

use std::fmt::Write;

use super::builtins::{BUILTINS, Builtin, builtin, builtins};
use super::grammar::{Commands, Grammar, Row};
use super::parser::own;
use super::registry::Output;
use super::topics::{Body, TOPICS};
use super::{examples, suggest};
use crate::{Error, Result};

pub use group::{group, is_group};
pub use overview::overview;

/// The layout of a command's help.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}";

/// The width of a text that is not for a terminal: lines are not wrapped.
pub const UNLIMITED: usize = 0;

/// Returns the headings of positional arguments and options, as upstream's parsers write them.
const fn headings(grammar: Grammar) -> [&'static str; 2] {
    match grammar {
        Grammar::Glance => ["Positional arguments:", "Options:"],
        Grammar::Openstack => ["positional arguments:", "options:"],
    }
}

/// Returns the usage line of a program.
fn usage(grammar: Grammar) -> String {
    let commands = match grammar {
        Grammar::Glance => "<subcommand> ...",
        Grammar::Openstack => "<command> ...",
    };
    format!("usage: {} [options] {commands}", grammar.program())
}

/// Returns the complete help of a program: all its commands and options, in the layout of upstream's.
pub fn program(grammar: Grammar, width: usize) -> String {
    let name = grammar.program();
    let mut text = format!("{}\n\n{}.\n\n", usage(grammar), overview::ABOUT);
    text.push_str(if grammar == Grammar::Glance {
        "Positional arguments:\n  <subcommand>\n"
    } else {
        "Commands:\n"
    });
    list_commands(&mut text, grammar, false);
    let [_, heading] = headings(grammar);
    let options = options::upstream(grammar, width);
    let _ = write!(text, "\n{heading}\n{options}\n\n");
    let _ = writeln!(text, "See \"{name} help COMMAND\" for help on a command.");
    for topic in &TOPICS {
        let _ = writeln!(text, "See \"{name} help {}\": {}.", topic.name, topic.title);
    }
    text
}

/// Appends the commands of a grammar, by group, with their summaries.
fn list_commands(text: &mut String, grammar: Grammar, with_extensions: bool) {
    let mut groups: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for group in grammar.groups() {
        let rows = group
            .rows()
            .filter(|row| with_extensions || !row.is_extension);
        let mut lines: Vec<_> = rows.map(|row| (row.name, row.about)).collect();
        lines.sort_unstable();
        groups.push((group.title, lines));
    }
    let others = builtins(&[grammar])
        .filter(|builtin| with_extensions || !builtin.is_extension)
        .map(|builtin| (builtin.name, builtin.about))
        .collect();
    groups.push(("Other commands", others));
    let names = groups.iter().flat_map(|(_, lines)| lines);
    let width = names.map(|(name, _)| name.len()).max().unwrap_or_default();
    for (title, lines) in groups {
        let _ = writeln!(text, "\n  {title}:");
        for (name, about) in lines {
            let _ = writeln!(text, "    {name:width$}  {about}");
        }
    }
}

/// Returns all commands: those of the grammar that was `called`, then those of the other one that work as well.
fn all_commands(called: Grammar) -> String {
    let program = called.program();
    let mut text = format!("Commands of {program}\n");
    list_commands(&mut text, called, true);
    if called == Grammar::Glance {
        text.push_str("\nCommands of openstack, which work as \"glance image ...\" too\n");
        list_commands(&mut text, Grammar::Openstack, true);
    }
    let _ = writeln!(
        text,
        "\nSee \"{program} help COMMAND\" for help on a command."
    );
    text
}

/// Returns the help of a command; `called` names the program in the usage line.
pub fn command(called: Grammar, grammar: Grammar, row: &'static Row, width: usize) -> String {
    let help = own(called, grammar, row)
        .term_width(width)
        .help_template(TEMPLATE)
        .render_help()
        .to_string();
    let [positional, options] = headings(grammar);
    let help = help
        .trim_end()
        .replacen("Usage:", "usage:", 1)
        .replacen("\nArguments:\n", &format!("\n{positional}\n"), 1)
        .replacen("\nOptions:\n", &format!("\n{options}\n"), 1);
    format!("{help}\n{}", examples(called, grammar, row.name, width))
}

/// Returns the examples of a command as a section of its help.
fn examples(called: Grammar, grammar: Grammar, name: &str, width: usize) -> String {
    let mut text = String::new();
    for example in examples::of(grammar, name) {
        let line = example.called(called);
        let lines = match width {
            UNLIMITED => vec![line],
            width => examples::break_line(&line, width.saturating_sub(4)),
        };
        let heading = if text.is_empty() { "\nExamples:\n" } else { "" };
        let _ = write!(
            text,
            "{heading}  {}:\n    {}\n",
            example.about,
            lines.join("\n    ")
        );
    }
    text
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
        let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
        let _ = write!(text, "\nTopics: {}.\n", names.join(", "));
    }
    text
}

/// Breaks the lines of a text that are longer than `width`, at spaces. What follows is indented as the description on the
/// line is, which two spaces separate from a name.
pub fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    let whole;
    let text = if width == UNLIMITED {
        text
    } else {
        whole = joined(text);
        &whole
    };
    for line in text.lines() {
        let start = line.len() - line.trim_start().len();
        let indent = line[start..].find("  ").map_or(start, |gap| {
            let after = start + gap;
            after + line[after..].len() - line[after..].trim_start().len()
        });
        let indent = if indent * 2 > width { start } else { indent };
        let mut rest = line.to_string();
        while width != UNLIMITED && rest.chars().count() > width {
            let room = rest
                .char_indices()
                .nth(width)
                .map_or(rest.len(), |(at, _)| at);
            let end = room + rest[room..].chars().next().map_or(0, char::len_utf8);
            let Some(at) = rest[..end].rfind(' ').filter(|at| rest[..*at].trim() != "") else {
                break;
            };
            fitted.push_str(rest[..at].trim_end());
            fitted.push('\n');
            rest = format!("{}{}", " ".repeat(indent), rest[at..].trim_start());
        }
        fitted.push_str(&rest);
        fitted.push('\n');
    }
    fitted
}

/// Returns a text with each paragraph of unindented lines as one line.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    let mut continues = false;
    for line in text.lines() {
        let is_prose = !line.is_empty() && !line.starts_with(' ') && !line.contains("  ");
        if continues && is_prose {
            joined.push(' ');
        } else if !joined.is_empty() {
            joined.push('\n');
        }
        joined.push_str(line);
        continues = is_prose && !line.ends_with(':');
    }
    joined.push('\n');
    joined
}

/// Returns whether a topic has this name.
pub fn is_topic(name: &str) -> bool {
    TOPICS.iter().any(|topic| topic.name == name)
}

/// Returns what `help WORDS` prints; `words` are not empty.
///
/// # Errors
/// `Failed` if there is no command or topic of that name.
pub fn answer(called: Grammar, words: &[String], width: usize) -> Result<String> {
    let name = words.join(" ");
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == name) {
        return Ok(match topic.body {
            Body::Text(text) => fit(&format!("{}\n\n{text}", topic.title), width),
            Body::Commands => fit(&all_commands(called), width),
            Body::Options => options::by_category(called, width),
        });
    }
    if let Some(builtin) = builtin(&name) {
        return Ok(of_builtin(called, builtin));
    }
    for grammar in [called, Grammar::Glance, Grammar::Openstack] {
        if let Some(row) = grammar.find(&name) {
            return Ok(command(called, grammar, row, width));
        }
    }
    if is_group(words) {
        return Ok(fit(&group(called, words), width));
    }
    match called {
        Grammar::Glance => {
            let error = Error::failed(format!("'{name}' is not a valid subcommand"));
            Err(error.hint(hint(&name, "glance help ")))
        }
        Grammar::Openstack => Err(unknown(words)),
    }
}

/// Returns the hint for an unknown command of `glance`: what it may mean, else how to list the commands. `prefix` is
/// what stands before the command on the command line.
pub fn hint(name: &str, prefix: &str) -> String {
    let quoted = |name: &str| format!("\"{prefix}{name}\"");
    if let Some(same) = other_spelling(name) {
        return format!("Did you mean {}?", quoted(same));
    }
    let grammars: &[Grammar] = if name.contains(' ') {
        &[Grammar::Openstack]
    } else {
        &[Grammar::Glance]
    };
    let names = grammars
        .iter()
        .flat_map(|grammar| grammar.rows())
        .map(|row| row.name)
        .chain(BUILTINS.iter().map(|builtin| builtin.name));
    suggest::hint(&suggest::commands(name, names), quoted)
        .unwrap_or_else(|| "Run \"glance help commands\" to list the commands.".to_string())
}

/// Returns [`hint`] for the words of a line, the first of which name a command: of most words that mean something, at least
/// `least`.
pub fn hint_of(words: &[String], least: usize, prefix: &str) -> String {
    let leading = words.iter().take_while(|word| !word.starts_with('-'));
    let leading: Vec<&str> = leading.map(String::as_str).collect();
    let most = leading.len().min(MOST_WORDS);
    let hints = (least..=most).rev();
    hints
        .map(|count| hint(&leading[..count].join(" "), prefix))
        .find(|hint| hint.starts_with("Did you mean"))
        .unwrap_or_else(|| hint(&leading.join(" "), prefix))
}

/// The number of words of the longest name of a command.
const MOST_WORDS: usize = 5;

/// Returns the command of the other grammar whose name differs in dashes and blanks only.
fn other_spelling(name: &str) -> Option<&'static str> {
    let spelled = name.replace(' ', "-");
    let grammars = [Grammar::Glance, Grammar::Openstack];
    let mut rows = grammars.into_iter().flat_map(Grammar::rows);
    rows.find(|row| row.name.replace(' ', "-") == spelled)
        .map(|row| row.name)
}

/// Returns cliff's message for an unknown command of `openstack`, with what is spelled alike first. cliff prints it on
/// stdout, where scripts may read it.
pub fn unknown_text(words: &[String]) -> String {
    let name = words.join(" ");
    let mut text =
        format!("openstack: '{name}' is not an openstack command. See 'openstack --help'.\n");
    let first = words.first().map(String::as_str).unwrap_or_default();
    let rows = Grammar::Openstack.rows();
    let names = rows
        .iter()
        .map(|row| row.name)
        .chain(BUILTINS.iter().map(|builtin| builtin.name));
    let mut near: Vec<&str> = names
        .clone()
        .filter(|name| name.split(' ').any(|word| word == first))
        .collect();
    let alike = suggest::commands(&name, names);
    near.sort_by_key(|name| (!alike.contains(name), *name));
    if !near.is_empty() {
        text.push_str("Did you mean one of these?\n");
        for name in near {
            let _ = writeln!(text, "  {name}");
        }
    } else if alike.is_empty() {
        text.push_str(
            "Commands of other services need python3-openstackclient on the PATH; these are for images.\n",
        );
    }
    text
}

fn unknown(words: &[String]) -> Error {
    Error::usage(unknown_text(words).trim_end().to_string())
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
            let whole = program(called, UNLIMITED);
            assert!(section(&whole, options), "{whole}");
            assert!(!whole.contains("options of the program"), "{whole}");
            for row in called.rows() {
                let text = command(called, called, row, UNLIMITED);
                let parser = own(called, called, row);
                let has = parser.get_positionals().any(|arg| !arg.is_hide_set());
                assert_eq!(section(&text, positional), has, "{text}");
                let mut shown = parser.get_arguments().filter(|arg| !arg.is_positional());
                let has = shown.any(|arg| !arg.is_hide_set() && arg.get_help_heading().is_none());
                assert_eq!(section(&text, options), has, "{text}");
            }
        }
        assert!(section(
            &program(Grammar::Glance, UNLIMITED),
            "Positional arguments:"
        ));
    }

    #[test]
    fn a_program_lists_each_command_once_in_a_group() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            let text = program(grammar, UNLIMITED);
            let titles = grammar.groups().iter().map(|group| group.title);
            for title in titles.chain(["Other commands"]) {
                let heading = format!("  {title}:");
                assert_eq!(text.lines().filter(|line| **line == heading).count(), 1);
            }
            let called = [grammar];
            let builtins = builtins(&called).map(|it| (it.name, it.is_extension));
            let rows = grammar.rows().into_iter();
            let rows = rows.map(|row| (row.name, row.is_extension));
            let whole = all_commands(grammar);
            for (name, is_extension) in rows.chain(builtins) {
                let begin = format!("    {name}  ");
                let count =
                    |text: &str| text.lines().filter(|line| line.starts_with(&begin)).count();
                assert_eq!(count(&text), usize::from(!is_extension), "{name}");
                assert!(count(&whole) > 0, "{name}");
            }
        }
    }

    #[test]
    fn every_command_topic_and_builtin_has_help() {
        for called in [Grammar::Glance, Grammar::Openstack] {
            let program = called.program();
            for builtin in BUILTINS {
                let text = answer(called, &[builtin.name.to_string()], UNLIMITED).unwrap();
                let usage = format!("usage: {program} {}", builtin.name);
                assert!(text.starts_with(&usage), "{text}");
            }
            for topic in TOPICS {
                let words = [topic.name.to_string()];
                assert!(answer(called, &words, UNLIMITED).is_ok(), "{topic:?}");
            }
            for row in called.rows() {
                let words: Vec<String> = row.name.split(' ').map(str::to_string).collect();
                let text = answer(called, &words, UNLIMITED).unwrap();
                let usage = format!("usage: {program} {}", row.name);
                assert!(text.starts_with(&usage), "{text}");
            }
        }
        let words = ["image".to_string(), "show".to_string()];
        let text = answer(Grammar::Glance, &words, UNLIMITED).unwrap();
        assert!(text.starts_with("usage: glance image show "), "{text}");
        assert!(answer(Grammar::Glance, &["nosuch".to_string()], UNLIMITED).is_err());
    }

    #[test]
    fn an_unknown_command_of_openstack_lists_what_is_near_first() {
        let text = unknown_text(&["image".to_string(), "lst".to_string()]);
        let beginning = "openstack: 'image lst' is not an openstack command. See 'openstack --help'.\n\
            Did you mean one of these?\n  image list\n  ";
        assert!(text.starts_with(beginning), "{text}");
    }

    #[test]
    fn the_first_screen_fits_a_terminal_and_names_commands_that_exist() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            let text = overview(grammar, "Three lines\non the\ndeployment.");
            assert!(text.lines().count() < 24, "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            for (_, names) in overview::groups(grammar) {
                for name in *names {
                    let found = Grammar::of_name(name).find(name);
                    assert!(found.is_some(), "{name}");
                }
            }
        }
    }

    #[test]
    fn long_lines_break_at_spaces_and_keep_their_indentation() {
        let text = "  --name VALUE  a description that is long\n\
            plain words that are long, too, so they break\nshort\n";
        insta::assert_snapshot!(fit(text, 36), @r"
          --name VALUE  a description that
                        is long
        plain words that are long, too, so
        they break short
        ");
        assert_eq!(fit(text, UNLIMITED), text);
        for topic in &TOPICS {
            let words = [topic.name.to_string()];
            let text = answer(Grammar::Glance, &words, 80).unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", topic.name);
            }
        }
    }

    #[test]
    fn the_first_screen_is_this_one() {
        let text = overview(Grammar::Glance, "Three lines\non the\ndeployment.");
        insta::assert_snapshot!(text, @r"
        Manage OpenStack images, with or without a server.
        usage: glance [options] <subcommand> ...

          Images:             image-list, image-show, image-create, image-upload, ...
          Sharing:            member-list, member-create, member-update, ...
          Imports and tasks:  image-import, image-create-via-import, ...
          Stores and service: stores-info, usage, location-add, ...
          Cache and upkeep:   cache-list, cache-queue, scrub, ...
          Definitions:        md-namespace-list, md-property-list, ...
          As in openstack:    image list, image create, image save, image set, ...

        Examples:
          glance image create debian --disk-format qcow2 --file debian.qcow2
          glance image-list
          glance image save debian --file copy.qcow2
          glance image list --long -f json
          glance --os-cloud mycloud image-list

        Three lines
        on the
        deployment.

        More: glance help COMMAND|commands|options|cloud|local|output|environment
        ");
    }

    #[test]
    fn the_help_of_a_command_ends_with_examples() {
        let row = Grammar::Glance.find("image-delete").unwrap();
        let text = command(Grammar::Glance, Grammar::Glance, row, 60);
        insta::assert_snapshot!(text, @r"
        usage: glance image-delete <IMAGE_ID>...

        Delete images

        Positional arguments:
          <IMAGE_ID>...  IDs of the images

        Examples:
          Delete an image and its data:
            glance image-delete IMAGE_ID
          Permit the deletion of a protected image first:
            glance image-update IMAGE_ID --protected False
        ");
    }
}
