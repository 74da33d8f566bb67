//! Completion for fish: a line for each command and option, with the words that it follows.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::model::{Argument, Program, Takes, Value, fill};

const WALK: &str = r#"
# The words of the command on the line so far; $argv are the options whose value may stand apart.
function __@FUNCTION@_place
    set -l pending 0
    set -l place
    for word in (commandline -opc)[2..]
        if test $pending = 1
            set pending 0
        else if string match -q -- '-*' $word
            contains -- $word $__@FUNCTION@_valued; and set pending 1
        else
            set -a place $word
        end
    end
    string join ' ' -- $place
end

# Whether the line is at one of these places, or behind the whole command that one of them is.
function __@FUNCTION@_at
    set -l place (__@FUNCTION@_place)
    contains -- "$place" $argv
end

# Whether it is not in a command of the second grammar, which has output options of its own.
function __@FUNCTION@_first
    set -l place (__@FUNCTION@_place)
    not string match -qr '^(image|cached)( |$)' -- "$place"
end

function __@FUNCTION@_in
    set -l line (__@FUNCTION@_place)
    while test -n "$line"; and not contains -- "$line" $__@FUNCTION@_commands
        set line (string replace -r ' ?[^ ]*$' '' -- $line)
    end
    contains -- "$line" $argv
end
"#;

/// Returns the script for a program.
pub fn script(program: &Program) -> String {
    let name = program.name;
    let function = name.replace('-', "_");
    let mut text =
        format!("# fish completion of {name}. Written by: cargo run --example generate\n");
    let commands: Vec<String> = program
        .commands
        .iter()
        .map(|command| quoted(&command.name))
        .collect();
    let _ = write!(
        text,
        "\nset -g __{function}_commands {}\n",
        commands.join(" ")
    );
    // Before the command, where a value could be mistaken for it.
    let valued: Vec<&str> = program
        .options
        .iter()
        .filter(|option| option.takes != Takes::Nothing)
        .flat_map(|option| option.names.iter().map(String::as_str))
        .collect();
    let _ = writeln!(text, "set -g __{function}_valued {}", valued.join(" "));
    text.push_str(&fill(WALK, &[("FUNCTION", &function)]));
    let _ = write!(text, "\ncomplete -c {name} -f\n");
    for place in program.places() {
        for (word, about) in program.following(&place) {
            let mut at = quoted(&place);
            if program.topics.is_empty() || word == "help" {
            } else if place.is_empty() {
                at.push_str(" help");
            } else {
                at = format!("{at} {}", quoted(&format!("help {place}")));
            }
            let _ = writeln!(
                text,
                "complete -c {name} -n {} -a {} -d {}",
                quoted(&format!("__{function}_at {at}").replace('\'', "\"")),
                quoted(&word),
                quoted(&about)
            );
        }
    }
    for topic in &program.topics {
        let _ = writeln!(
            text,
            "complete -c {name} -n '__{function}_at help' -a {topic} -d 'A topic'"
        );
    }
    let before = if program.commands.is_empty() {
        String::new()
    } else {
        format!(" -n '__{function}_in \"\"'")
    };
    for option in &program.options {
        let condition = match (option.ours, option.first_only) {
            (true, true) => format!(" -n __{function}_first"),
            (true, false) => String::new(),
            (false, _) => before.clone(),
        };
        let _ = writeln!(text, "complete -c {name}{condition}{}", option_line(option));
    }
    // The same option of several commands is one line.
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for command in &program.commands {
        for argument in &command.arguments {
            let line = if argument.is_positional() {
                positional_line(argument)
            } else {
                Some(option_line(argument))
            };
            if let Some(line) = line {
                lines
                    .entry(line)
                    .or_default()
                    .push(format!("\"{}\"", command.name));
            }
        }
    }
    for (line, commands) in lines {
        let _ = writeln!(
            text,
            "complete -c {name} -n '__{function}_in {}'{line}",
            commands.join(" ")
        );
    }
    text
}

fn option_line(option: &Argument) -> String {
    let mut line = String::new();
    for name in &option.names {
        let _ = match name.strip_prefix("--") {
            Some(long) => write!(line, " -l {long}"),
            None => write!(line, " -s {}", name.trim_start_matches('-')),
        };
    }
    if !matches!(option.takes, Takes::Nothing | Takes::OneOrNone) {
        // Files are offered only for file options.
        line.push_str(if option.value == Value::File {
            " -r"
        } else {
            " -x"
        });
    }
    if option.takes != Takes::Nothing {
        line.push_str(&values(option).unwrap_or_default());
    }
    let _ = write!(line, " -d {}", quoted(&option.help));
    line
}

fn positional_line(argument: &Argument) -> Option<String> {
    values(argument)
}

fn values(argument: &Argument) -> Option<String> {
    match &argument.value {
        Value::Text => None,
        Value::File => Some(" -F".to_string()),
        Value::Directory => Some(" -a '(__fish_complete_directories)'".to_string()),
        Value::Word(words) => Some(format!(" -a {}", quoted(&words.join(" ")))),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
