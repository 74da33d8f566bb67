//! Completion for zsh: finds the words of the command first, and then calls `_arguments`.

use std::fmt::Write;

use super::model::{Argument, Program, Takes, Value, fill};

const WALK: &str = r#"
# Sets following, specs: the words that may follow a place on the line, and what it takes.
_@FUNCTION@_place() {
    following=() specs=()
    case $1 in
@PLACES@    esac
    [[ $1 == (image|cached)(| *) ]] || specs+=(
@FIRST_ONLY@    )
}

_@FUNCTION@() {
    local curcontext=$curcontext context state state_descr line place word help i taken=1
    local -A opt_args
    local -a following specs ours
    ours=(
@OURS@    )
    _@FUNCTION@_place ''
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        if [[ -z $place && $word == -* ]]; then
            # A value that stands apart is no command.
            [[ $word != *=* && -n ${(M)specs:#*${word}(=|\[*\]:)*:*} ]] && ((i++))
        elif [[ -z $place$help && $word == help && -n ${(M)following:#help:*} ]]; then
            help=1 taken=$i
        elif [[ -n ${(M)following:#${word}:*} ]] && ((i == taken + 1 || taken == 1)); then
            place+=${place:+ }$word taken=$i
            _@FUNCTION@_place "$place"
        fi
    done
    if [[ -n $help ]]; then
        [[ -n $place ]] || following+=(@TOPICS@)
        specs=()
    fi
    if ((CURRENT == taken + 1)) && [[ $words[CURRENT] != -* && -n $following ]]; then
        _describe -t commands command following && return
    fi
    if [[ -n $place ]]; then
        words=("$words[1]" "${(@)words[taken+1,-1]}")
        ((CURRENT -= taken - 1))
        [[ -z $help ]] || return
        _arguments -s -S : $specs $ours
    elif [[ $words[CURRENT] == -* || CURRENT -gt 2 || -z $following ]]; then
        _arguments -s -S : $specs $ours '*:: :->command'
        if [[ $state == command && -n $following && -z $help ]]; then
            _describe -t commands command following
        fi
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _@FUNCTION@ "$@"
else
    compdef _@FUNCTION@ @NAME@
fi
"#;

/// Returns the script for a program.
pub fn script(program: &Program) -> String {
    let name = program.name;
    let mut places = String::new();
    for place in program.places() {
        let _ = writeln!(places, "    {})", quoted(&place));
        let following = program.following(&place);
        if !following.is_empty() {
            places.push_str("        following=(\n");
            for (word, about) in following {
                let _ = writeln!(places, "            {}", quoted(&format!("{word}:{about}")));
            }
            places.push_str("        )\n");
        }
        let taken: Vec<&Argument> = match program.command(&place) {
            Some(command) => command.arguments.iter().collect(),
            None if place.is_empty() => program
                .options
                .iter()
                .filter(|option| !option.ours)
                .collect(),
            None => Vec::new(),
        };
        let is_help = |option: &&Argument| option.names.iter().any(|name| name == "--help");
        if !taken.is_empty() {
            places.push_str("        specs=(\n");
            for argument in taken.into_iter().filter(|option| !is_help(option)) {
                let _ = writeln!(places, "            {}", spec(argument));
            }
            places.push_str("        )\n");
        }
        places.push_str("        ;;\n");
    }
    let mut ours = String::new();
    let mut first_only = String::new();
    for option in program.ours(true) {
        let _ = writeln!(first_only, "        {}", spec(option));
    }
    for option in program.ours(false) {
        let _ = writeln!(ours, "        {}", spec(option));
    }
    ours.push_str("        '(- *)'{-h,--help}'[Show help and leave]'\n");
    let topics: Vec<String> = program
        .topics
        .iter()
        .map(|topic| format!("{topic}:'A topic'"))
        .collect();
    let walk = fill(
        WALK,
        &[
            ("TOPICS", &topics.join(" ")),
            ("PLACES", &places),
            ("OURS", &ours),
            ("FIRST_ONLY", &first_only),
            ("FUNCTION", &name.replace('-', "_")),
            ("NAME", name),
        ],
    );
    format!("#compdef {name}\n# Written by: cargo run --example generate\n{walk}")
}

/// Returns the specification of an argument for `_arguments`.
fn spec(argument: &Argument) -> String {
    let message = argument
        .placeholder
        .replace([':', '[', ']', '|'], " ")
        .trim()
        .to_string();
    let message = if message.is_empty() {
        "value".to_string()
    } else {
        message
    };
    let value = format!(":{message}:{}", action(argument));
    if argument.is_positional() {
        let position = match argument.takes {
            Takes::Some | Takes::Any => "*",
            _ => "",
        };
        let optional = if argument.required || position == "*" {
            ""
        } else {
            ":"
        };
        return quoted(&format!("{position}{optional}{value}"));
    }
    let text: String = argument
        .help
        .chars()
        .filter(|c| !matches!(c, '\n'))
        .collect();
    let text = text
        .replace('\\', "\\\\")
        .replace('[', "(")
        .replace(']', ")")
        .replace(':', "\\:");
    let value = match argument.takes {
        Takes::Nothing => String::new(),
        Takes::OneOrNone => format!(":{value}"),
        _ => value,
    };
    let mut excluded = argument.excludes.clone();
    if argument.names.len() > 1 && !argument.repeated {
        excluded.extend(argument.names.iter().cloned());
    }
    let excluded = match (argument.repeated, excluded.is_empty()) {
        (true, _) => "*".to_string(),
        (false, true) => String::new(),
        (false, false) => format!("({})", excluded.join(" ")),
    };
    let names: Vec<String> = argument
        .names
        .iter()
        .map(|name| match (argument.takes, name.starts_with("--")) {
            (Takes::Nothing, _) => name.clone(),
            (_, true) => format!("{name}="),
            (_, false) => format!("{name}+"),
        })
        .collect();
    match &names[..] {
        [one] => quoted(&format!("{excluded}{one}[{text}]{value}")),
        many => {
            let excluded = if excluded.is_empty() {
                String::new()
            } else {
                quoted(&excluded)
            };
            format!(
                "{excluded}{{{}}}{}",
                many.join(","),
                quoted(&format!("[{text}]{value}"))
            )
        }
    }
}

fn action(argument: &Argument) -> String {
    match &argument.value {
        Value::Text => " ".to_string(),
        Value::File => "_files".to_string(),
        Value::Directory => "_files -/".to_string(),
        Value::Word(words) => format!("({})", words.join(" ")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
