//! Completion for bash: a table of words, and a function that follows the line through it.
//!
//! Not generated with clap_complete, as for the other shells: it repeats the program's options in each of over a
//! hundred commands, supports only commands of one word, and offers hidden options.

use std::fmt::Write;

use super::model::{Argument, Program, Takes, Value, fill};

/// The functions at the beginning of each script. `@NAME@` is the program, `@FUNCTION@` its name as an identifier.
const WALK: &str = r#"
# Sets words, options, takes of a place on the line: the words that may follow it, its options, and
# what it takes by position.
_@FUNCTION@_place() {
    words= options= takes=
    case $1 in
@PLACES@    esac
    case $1 in
    image | image\ * | cached | cached\ *) ;;
    *) options+=' @FIRST_ONLY@' ;;
    esac
}

# Offers what begins with $2 of what $1 stands for: /file, /directory, or words with | between them.
_@FUNCTION@_offer() {
    case $1 in
    /file) compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$2") ;;
    /directory) compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$2") ;;
    *) COMPREPLY=($(compgen -W "${1//|/ }" -- "$2")) ;;
    esac
}

_@FUNCTION@() {
    local IFS=$' \t\n' line=() word known place= pending= help= literal= words options takes current i last
    COMPREPLY=()
    # Where '=' breaks words, --name=value has come as three.
    last=-1
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((last >= 0)) && [[ ( $word == = && ${line[last]} == --* ) || ${line[last]} == --*= ]]; then
            line[last]+=$word
        else
            line[++last]=$word
        fi
    done
    current=${line[last]}
    _@FUNCTION@_place ''
    for ((i = 0; i < last; i++)); do
        word=${line[i]}
        if [[ $pending ]]; then
            pending=
        elif [[ ! $literal && $word == -- ]]; then
            literal=1
        elif [[ ! $literal && $word == -?* ]]; then
            for known in $options $@OURS@; do
                [[ $known == "$word="* ]] && pending=${known#*=}
            done
        elif [[ $word == help && ! $place && ! $help && " $words " == *' help '* ]]; then
            help=1
        elif [[ " $words " == *" $word "* ]]; then
            place+=${place:+ }$word
            _@FUNCTION@_place "$place"
        fi
    done
    if [[ $help ]]; then
        [[ $place ]] || words+=@TOPICS@
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    elif [[ $pending ]]; then
        _@FUNCTION@_offer "$pending" "$current"
    elif [[ ! $literal && $current == --*=* ]]; then
        for known in $options $@OURS@; do
            if [[ $known == "${current%%=*}="* ]]; then
                _@FUNCTION@_offer "${known#*=}" "${current#*=}"
                break
            fi
        done
        [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("${COMPREPLY[@]/#/${current%%=*}=}")
    elif [[ ! $literal && $current == -* ]]; then
        words=
        for known in $options $@OURS@; do
            words+=" ${known%%=*}"
        done
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        [[ $takes ]] && _@FUNCTION@_offer "$takes" "$current"
        [[ $words ]] && COMPREPLY+=($(compgen -W "$words" -- "$current"))
    fi
    return 0
}
complete -F _@FUNCTION@ @NAME@
"#;

/// Returns the script for a program.
pub fn script(program: &Program) -> String {
    let name = program.name;
    let mut places = String::new();
    for place in program.places() {
        let words: Vec<String> = program
            .following(&place)
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        let (options, takes) = match program.command(&place) {
            Some(command) => {
                let options: Vec<String> = command.arguments.iter().flat_map(option).collect();
                let positional = command
                    .arguments
                    .iter()
                    .find(|argument| argument.is_positional());
                (options, positional.map(value).unwrap_or_default())
            }
            None if place.is_empty() => (
                program
                    .options
                    .iter()
                    .filter(|one| !one.ours)
                    .flat_map(option)
                    .collect(),
                String::new(),
            ),
            None => (Vec::new(), String::new()),
        };
        let _ = writeln!(places, "    '{place}')");
        for (variable, text) in [
            ("words", words.join(" ")),
            ("options", options.join(" ")),
            ("takes", takes),
        ] {
            if !text.is_empty() {
                let _ = writeln!(places, "        {variable}='{text}'");
            }
        }
        places.push_str("        ;;\n");
    }
    let mut ours: Vec<String> = program.ours(false).flat_map(option).collect();
    let first_only: Vec<String> = program.ours(true).flat_map(option).collect();
    ours.extend(["-h".to_string(), "--help".to_string()]);
    let topics = if program.topics.is_empty() {
        "''".to_string()
    } else {
        format!("' {}'", program.topics.join(" "))
    };
    let function = name.replace('-', "_");
    let walk = fill(
        WALK,
        &[
            ("OURS", &format!("_{function}_ours")),
            ("FIRST_ONLY", &first_only.join(" ")),
            ("TOPICS", &topics),
            ("PLACES", &places),
            ("FUNCTION", &function),
            ("NAME", name),
        ],
    );
    format!(
        "# bash completion of {name}. Written by: cargo run --example generate\n\n\
         # Options that may stand anywhere; with '=', what their value is.\n\
         _{function}_ours='{}'\n{walk}",
        ours.join(" ")
    )
}

/// Returns the names of an option, each with the kind of its value.
fn option(argument: &Argument) -> Vec<String> {
    let value = match argument.takes {
        Takes::Nothing => String::new(),
        _ => format!("={}", value(argument)),
    };
    argument
        .names
        .iter()
        .map(|name| format!("{name}{value}"))
        .collect()
}

/// Returns the kind of a value. A word that is never completed stands for text, to show that a value follows.
fn value(argument: &Argument) -> String {
    match &argument.value {
        Value::Text => "|".to_string(),
        Value::File => "/file".to_string(),
        Value::Directory => "/directory".to_string(),
        Value::Word(words) => words.join("|"),
    }
}
