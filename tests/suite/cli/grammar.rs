//! Every command and option of the real programs is understood as they understand it.
//!
//! `tests/conformance/grammar.json` was read from their own parsers (`tests/conformance/tools`); what is
//! different here by design is listed below, with the reason.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, Command};
use glance_tools::cli::command::argparse::{self, Request};
use glance_tools::cli::command::globals;
use glance_tools::cli::command::grammar::Grammar;
use glance_tools::cli::command::parser::leaf;
use glance_tools::cli::{cache_manage, manage, scrubber};
use serde_json::{Value, json};

/// Commands of the real programs that are not in the table: they are answered before it is asked.
const BUILTIN: [&str; 3] = ["bash-completion", "bash_completion", "help"];

/// Programs that are not ours, and why.
const OTHER_PROGRAMS: [(&str, &str); 3] = [
    (
        "glance-replicator",
        "it speaks an API that was removed in 2018",
    ),
    ("glance-status", "it checks upgrades of the Python program"),
    (
        "glance-control",
        "it starts and stops processes, as the system's own supervisor does",
    ),
];

/// What ours takes beyond the real one: command, `--option` or `--option=choice`, and why.
pub const MORE: [(&str, &str, &str); 18] = [
    (
        "image-create-via-import",
        "--wait",
        "the second grammar has it, and a script needs it",
    ),
    ("image-import", "--wait", "as for image-create-via-import"),
    (
        "image-import",
        "--progress",
        "an import is followed as an upload is",
    ),
    ("image import", "--progress", "as for image-import"),
    (
        "image create",
        "--disk-format=luks",
        "a disk format of the API that the real client forgot",
    ),
    (
        "image create",
        "--container-format=compressed",
        "a container format of the API that the real client forgot",
    ),
    ("image set", "--disk-format=luks", "as for image create"),
    (
        "image set",
        "--container-format=compressed",
        "as for image create",
    ),
    (
        "image-show",
        "--wait-for",
        "scripts poll for it, with a pause that is too short or too long",
    ),
    ("image show", "--wait-for", "as for image-show"),
    ("cache-clean", "--dry-run", DRY_RUN),
    ("cache-clear", "--dry-run", DRY_RUN),
    ("cache-delete", "--dry-run", DRY_RUN),
    ("cache-prune", "--dry-run", DRY_RUN),
    ("cache-queue", "--dry-run", DRY_RUN),
    ("cached image clear", "--dry-run", DRY_RUN),
    ("cached image delete", "--dry-run", DRY_RUN),
    ("cached image queue", "--dry-run", DRY_RUN),
];

const DRY_RUN: &str = "what is removed or fetched may be looked at first";

pub fn grammar() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/grammar.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The elements of an array that may be missing.
pub fn list<'a>(of: &'a Value, key: &str) -> &'a [Value] {
    of[key].as_array().map_or(&[], Vec::as_slice)
}

pub fn strings<'a>(of: &'a Value, key: &str) -> Vec<&'a str> {
    list(of, key).iter().filter_map(Value::as_str).collect()
}

fn entries(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.as_object().into_iter().flatten()
}

fn action(of: &Value) -> &str {
    of["action"].as_str().unwrap_or("store")
}

/// Whether one of argparse's arguments takes a value.
pub fn takes_value(of: &Value) -> bool {
    !matches!(
        action(of),
        "flag" | "flag-off" | "const" | "append-const" | "count" | "help" | "version"
    )
}

/// How many values it takes, from and to.
fn count(of: &Value) -> (usize, usize) {
    match of["nargs"].as_str() {
        Some("+") => (1, usize::MAX),
        Some("*") => (0, usize::MAX),
        Some("?") => (0, 1),
        _ => (1, 1),
    }
}

/// The argument that goes by this flag.
fn by_flag<'a>(command: &'a Command, flag: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        if let Some(long) = flag.strip_prefix("--") {
            arg.get_long() == Some(long)
                || arg.get_all_aliases().unwrap_or_default().contains(&long)
        } else {
            let letter = flag.chars().nth(1);
            letter.is_some() && arg.get_short() == letter
                || letter
                    .is_some_and(|l| arg.get_all_short_aliases().unwrap_or_default().contains(&l))
        }
    })
}

fn choices(arg: &Arg) -> BTreeSet<String> {
    arg.get_possible_values()
        .iter()
        .map(|value| value.get_name().to_string())
        .collect()
}

/// What is different in one command.
struct Check<'a> {
    name: &'a str,
    command: Command,
    wrong: Vec<String>,
}

impl<'a> Check<'a> {
    fn new(name: &'a str, mut command: Command) -> Self {
        command.build();
        Self {
            name,
            command,
            wrong: Vec::new(),
        }
    }

    fn wrong(&mut self, what: impl AsRef<str>) {
        self.wrong.push(format!("{}: {}", self.name, what.as_ref()));
    }

    /// Each of their options is one of ours, and takes what theirs takes.
    fn options(&mut self, theirs: &[Value]) {
        for option in theirs {
            let flags = strings(option, "flags");
            let found: Vec<Option<Arg>> = flags
                .iter()
                .map(|flag| by_flag(&self.command, flag).cloned())
                .collect();
            for (flag, arg) in flags.iter().zip(&found) {
                if arg.is_none() {
                    self.wrong(format!("{flag} is missing"));
                }
            }
            let Some(arg) = found.iter().flatten().next() else {
                continue;
            };
            if found
                .iter()
                .flatten()
                .any(|other| other.get_id() != arg.get_id())
            {
                self.wrong(format!("{} are not one option", flags.join(", ")));
            }
            self.option(flags[0], option, arg);
        }
    }

    fn option(&mut self, flag: &str, theirs: &Value, arg: &Arg) {
        let takes = takes_value(theirs);
        if arg.get_action().takes_values() != takes {
            self.wrong(format!("{flag}: takes a value: {takes} there"));
            return;
        }
        // -h and the version need no more.
        if matches!(action(theirs), "help" | "version") {
            return;
        }
        if takes {
            self.values(flag, theirs, arg);
        }
        let repeatable = theirs["repeatable"] == true;
        if repeatable != matches!(arg.get_action(), ArgAction::Append | ArgAction::Count) {
            self.wrong(format!("{flag}: may be repeated: {repeatable} there"));
        }
        let required = theirs["required"] == true;
        if required != arg.is_required_set() {
            self.wrong(format!("{flag}: required: {required} there"));
        }
        if theirs["hidden"] != true && arg.is_hide_set() && !globals::Global::is_after_command(arg)
        {
            self.wrong(format!("{flag} is shown in help there"));
        }
    }

    fn values(&mut self, flag: &str, theirs: &Value, arg: &Arg) {
        let ours = arg
            .get_num_args()
            .map_or((1, 1), |range| (range.min_values(), range.max_values()));
        if ours != count(theirs) {
            self.wrong(format!(
                "{flag}: {ours:?} values, {:?} there",
                count(theirs)
            ));
        }
        let wanted: BTreeSet<String> = strings(theirs, "choices")
            .into_iter()
            .map(str::to_string)
            .collect();
        let mut known = choices(arg);
        let name = self.name;
        known.retain(|word| {
            let spelled = format!("{flag}={word}");
            !MORE
                .iter()
                .any(|(command, more, _)| *command == name && *more == spelled)
        });
        if known != wanted {
            self.wrong(format!("{flag}: choices {known:?}, {wanted:?} there"));
        }
    }

    /// The same by position, in the same order.
    fn positionals(&mut self, theirs: &[Value]) {
        let ours: Vec<Arg> = self.command.get_positionals().cloned().collect();
        if ours.len() != theirs.len() {
            self.wrong(format!(
                "{} arguments by position, {} there",
                ours.len(),
                theirs.len()
            ));
        }
        for (arg, theirs) in ours.iter().zip(theirs) {
            let name = theirs["arg"].as_str().unwrap_or_default();
            let (least, most) = count(theirs);
            // argparse's ? and * are clap's not required.
            if arg.is_required_set() != (least > 0) {
                self.wrong(format!("{name}: required: {} there", least > 0));
            }
            let many = arg
                .get_num_args()
                .is_some_and(|range| range.max_values() > 1);
            if many != (most > 1) {
                self.wrong(format!("{name}: several values: {} there", most > 1));
            }
            self.values_of_positional(name, theirs, arg);
        }
    }

    fn values_of_positional(&mut self, name: &str, theirs: &Value, arg: &Arg) {
        let wanted: BTreeSet<String> = strings(theirs, "choices")
            .into_iter()
            .map(str::to_string)
            .collect();
        if choices(arg) != wanted {
            self.wrong(format!(
                "{name}: choices {:?}, {wanted:?} there",
                choices(arg)
            ));
        }
    }

    /// Ours has no option that theirs has not.
    fn no_more(&mut self, theirs: &[Value]) {
        let known: BTreeSet<&str> = theirs
            .iter()
            .flat_map(|option| strings(option, "flags"))
            .collect();
        let ours: Vec<String> = self
            .command
            .get_arguments()
            .filter(|arg| {
                !globals::Global::is_after_command(arg)
                    && !matches!(arg.get_id().as_str(), "help" | "version")
            })
            .flat_map(|arg| {
                let short = arg.get_short().map(|letter| format!("-{letter}"));
                let long = arg.get_long_and_visible_aliases().unwrap_or_default();
                short
                    .into_iter()
                    .chain(long.into_iter().map(|long| format!("--{long}")))
                    .collect::<Vec<_>>()
            })
            .collect();
        for flag in ours {
            if !known.contains(flag.as_str())
                && !MORE
                    .iter()
                    .any(|(name, more, _)| *name == self.name && *more == flag)
            {
                self.wrong(format!("{flag} is not known there, and not listed as ours"));
            }
        }
    }

    fn parse(&self, words: &[String]) -> Result<(), clap::Error> {
        let line = std::iter::once(String::new()).chain(words.iter().cloned());
        self.command.clone().try_get_matches_from(line).map(drop)
    }

    /// Whole lines: all that may stand together does, what excludes each other does, and what is needed is.
    fn lines(&mut self, theirs: &Value) {
        let options = list(theirs, "options");
        let groups: Vec<Vec<&str>> = list(theirs, "exclusive")
            .iter()
            .map(|group| strings(group, "one_of"))
            .collect();
        let positionals: Vec<String> = list(theirs, "arguments")
            .iter()
            .filter(|one| count(one).0 > 0)
            .map(sample)
            .collect();
        let of_flag = |flag: &str| {
            options
                .iter()
                .find(|option| strings(option, "flags").contains(&flag))
        };
        let spelled = |option: &Value| {
            let flag = strings(option, "flags")[0].to_string();
            if takes_value(option) {
                vec![flag, sample(option)]
            } else {
                vec![flag]
            }
        };
        // Options first, `--` before what stands by position: some take any number of values.
        let line = |chosen: &[&Value]| {
            let mut words: Vec<String> = chosen.iter().flat_map(|option| spelled(option)).collect();
            if !positionals.is_empty() {
                words.push("--".to_string());
                words.extend(positionals.iter().cloned());
            }
            words
        };
        let excluded = |option: &Value| {
            groups
                .iter()
                .any(|group| group[1..].contains(&strings(option, "flags")[0]))
        };
        let all: Vec<&Value> = options.iter().filter(|option| !excluded(option)).collect();
        if let Err(error) = self.parse(&line(&all)) {
            self.wrong(format!(
                "{:?} is refused: {}",
                line(&all),
                first_line(&error)
            ));
        }
        let required: Vec<&Value> = options
            .iter()
            .filter(|option| option["required"] == true)
            .collect();
        for (group, theirs) in groups.iter().zip(list(theirs, "exclusive")) {
            for (index, one) in group.iter().enumerate() {
                for other in &group[index + 1..] {
                    let (Some(one), Some(other)) = (of_flag(one), of_flag(other)) else {
                        continue;
                    };
                    let mut chosen = required.clone();
                    chosen.extend([one, other]);
                    let words = line(&chosen);
                    match self.parse(&words) {
                        Err(error) if error.kind() == ErrorKind::ArgumentConflict => {}
                        Err(error) => {
                            self.wrong(format!("{words:?} is refused for {:?}", error.kind()));
                        }
                        Ok(()) => self.wrong(format!(
                            "{words:?} is accepted, although they exclude each other there"
                        )),
                    }
                }
            }
            if theirs["required"] == true && self.parse(&line(&required)).is_ok() {
                self.wrong(format!(
                    "none of {group:?} is accepted, although one is required there"
                ));
            }
        }
        for option in options
            .iter()
            .filter(|option| option["type"] == "int" || action(option) == "NonNegativeAction")
        {
            let flag = strings(option, "flags")[0];
            let mut words = vec![flag.to_string(), "many".to_string()];
            words.extend(line(&required));
            match self.parse(&words) {
                Err(error) if error.kind() == ErrorKind::ValueValidation => {}
                _ => self.wrong(format!("{flag} takes a word that is no number")),
            }
        }
        // argparse lets the last one win; so may ours, whatever stands before.
        for option in options.iter().filter(|option| !excluded(option)) {
            let mut chosen = required.clone();
            chosen.extend([option, option]);
            if let Err(error) = self.parse(&line(&chosen)) {
                self.wrong(format!(
                    "twice {}: {}",
                    strings(option, "flags")[0],
                    first_line(&error)
                ));
            }
        }
        if !positionals.is_empty()
            && self
                .parse(&line(&required)[..line(&required).len() - 1])
                .is_ok()
        {
            self.wrong("a line without its last argument is accepted");
        }
    }
}

/// A value that one of their arguments takes.
pub fn sample(theirs: &Value) -> String {
    let choice = list(theirs, "choices").iter().find_map(Value::as_str);
    let named = theirs["metavar"].as_str().unwrap_or_default();
    match choice {
        Some(word) => word.to_string(),
        None if theirs["type"] == "int" || action(theirs) == "NonNegativeAction" => "1".to_string(),
        None if action(theirs).starts_with("KeyValue") || named.contains("key=value") => {
            "key=value".to_string()
        }
        None if named.contains("True|False") => "True".to_string(),
        None if named.contains("size") => "1".to_string(),
        None => "value".to_string(),
    }
}

fn first_line(error: &clap::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_string()
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The options of theirs that come from cliff's formatters.
pub fn formatters(theirs: &Value, output: &Value) -> Vec<Value> {
    let kind = output.as_str().unwrap_or_default();
    entries(&theirs["formatters"][kind])
        .flat_map(|(_, options)| options.as_array().cloned().unwrap_or_default())
        .collect()
}

fn commands(grammar: Grammar) -> Vec<String> {
    let all = self::grammar();
    let theirs = &all[grammar.program()];
    let mut wrong = Vec::new();
    for (name, command) in entries(&theirs["commands"]) {
        if grammar == Grammar::Glance && BUILTIN.contains(&name.as_str()) {
            let read = argparse::read(grammar, vec![OsString::from(name)]);
            if !matches!(read, Ok(Request::Builtin { .. })) {
                wrong.push(format!("{name} is no command"));
            }
            continue;
        }
        let Some(row) = grammar.find(name) else {
            wrong.push(format!("{name} is missing"));
            continue;
        };
        let mut command = command.clone();
        let mut options = list(&command, "options").to_vec();
        options.extend(formatters(theirs, &command["output"]));
        command["options"] = Value::Array(options);
        let mut check = Check::new(name, leaf(grammar, grammar, row));
        check.options(list(&command, "options"));
        check.positionals(list(&command, "arguments"));
        check.no_more(list(&command, "options"));
        check.lines(&command);
        wrong.append(&mut check.wrong);
    }
    for row in grammar.rows() {
        if theirs["commands"].get(row.name).is_none() != row.is_extension {
            wrong.push(format!("{} is known there, or is not", row.name));
        }
    }
    wrong
}

#[test]
fn first_grammar_is_python_glanceclients() {
    assert_none(&commands(Grammar::Glance));
}

#[test]
fn second_grammar_is_python_openstackclients() {
    assert_none(&commands(Grammar::Openstack));
}

/// The options of one command of theirs, and how they may be abbreviated.
struct Abbreviations<'a> {
    grammar: Grammar,
    name: &'a str,
    theirs: &'a Value,
    /// Long flags of the command.
    flags: Vec<&'a str>,
    /// Long flags of the program, which may stand anywhere.
    globals: Vec<String>,
}

impl<'a> Abbreviations<'a> {
    /// The flags of the command that a word may stand for.
    fn meant(&self, word: &str) -> Vec<&'a str> {
        if let Some(exact) = self.flags.iter().find(|flag| **flag == word) {
            return vec![exact];
        }
        // Every command has this one.
        let flags = self.flags.iter().copied().chain(["--help"]);
        flags.filter(|flag| flag.starts_with(word)).collect()
    }

    /// A whole line with one of the options, spelled so.
    fn line(&self, option: &Value, spelled: &str) -> Vec<OsString> {
        let mut words: Vec<String> = self.name.split(' ').map(str::to_string).collect();
        words.push(spelled.to_string());
        words.extend(takes_value(option).then(|| sample(option)));
        let required = list(self.theirs, "options").iter();
        for other in required.filter(|other| other["required"] == true && *other != option) {
            words.push(strings(other, "flags")[0].to_string());
            words.extend(takes_value(other).then(|| sample(other)));
        }
        words.push("--".to_string());
        let positionals = list(self.theirs, "arguments").iter();
        words.extend(positionals.filter(|one| count(one).0 > 0).map(sample));
        words.into_iter().map(OsString::from).collect()
    }

    /// What is wrong with the abbreviations of an option: the shortest that mean it alone do, those that
    /// could mean others are refused.
    fn check(&self, option: &Value, flag: &str) -> Option<String> {
        let ours = leaf(self.grammar, self.grammar, self.grammar.find(self.name)?);
        let id = by_flag(&ours, flag)?.get_id().to_string();
        for end in 3..flag.len() {
            let word = &flag[..end];
            // What could mean an option of the program too is not for the command to say.
            let of_program = self.globals.iter().any(|global| global.starts_with(word));
            // So is help in the first grammar.
            let help = self.grammar == Grammar::Glance && "--help".starts_with(word);
            let meant = self.meant(word);
            let another = meant == [word] && !strings(option, "flags").contains(&word);
            if of_program || help || another {
                continue;
            }
            let same = meant
                .iter()
                .all(|flag| strings(option, "flags").contains(flag));
            let read = argparse::read(self.grammar, self.line(option, word));
            match read {
                Ok(Request::Leaf(parsed)) if same => {
                    let given = parsed.matches.value_source(&id);
                    if given != Some(ValueSource::CommandLine) {
                        return Some(format!("{} {word}: is not {flag}", self.name));
                    }
                    return None;
                }
                Err(error) if !same && error.message().contains("ambiguous option") => {}
                Err(error) => return Some(format!("{} {word}: {error}", self.name)),
                Ok(_) => return Some(format!("{} {word}: means one of {meant:?}", self.name)),
            }
        }
        None
    }
}

#[test]
fn every_option_may_be_abbreviated_to_what_only_it_begins_with() {
    let all = grammar();
    let mut wrong = Vec::new();
    for grammar in [Grammar::Glance, Grammar::Openstack] {
        let theirs = &all[grammar.program()];
        let globals: Vec<String> = [Grammar::Glance, Grammar::Openstack]
            .into_iter()
            .flat_map(Grammar::globals)
            .flat_map(|global| global.aliases.iter().copied().chain([global.long]))
            .map(|long| format!("--{long}"))
            .collect();
        for (name, command) in entries(&theirs["commands"]) {
            if BUILTIN.contains(&name.as_str()) {
                continue;
            }
            let mut command = command.clone();
            let mut options = list(&command, "options").to_vec();
            options.extend(formatters(theirs, &command["output"]));
            command["options"] = Value::Array(options);
            let flags = list(&command, "options").iter();
            let flags = flags.flat_map(|option| strings(option, "flags"));
            let abbreviations = Abbreviations {
                grammar,
                name,
                theirs: &command,
                flags: flags.filter(|flag| flag.starts_with("--")).collect(),
                globals: globals.clone(),
            };
            for option in list(&command, "options") {
                for flag in strings(option, "flags") {
                    if flag.starts_with("--") && action(option) != "help" {
                        wrong.extend(abbreviations.check(option, flag));
                    }
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn options_of_the_programs_are_known_where_the_real_parsers_take_them() {
    let all = grammar();
    let tables = [
        (
            Grammar::Glance,
            list(&all["glance"], "options"),
            &["image-list"][..],
        ),
        (
            Grammar::Openstack,
            list(&all["openstack"]["global"], "options"),
            &["image", "list"][..],
        ),
    ];
    let mut wrong = Vec::new();
    for (grammar, options, command) in tables {
        for option in options {
            for flag in strings(option, "flags") {
                let name = format!("{} {flag}", grammar.program());
                if matches!(flag, "-h" | "--help") || action(option) == "version" {
                    if read(grammar, &[flag]).is_err() {
                        wrong.push(format!("{name} is missing"));
                    }
                    continue;
                }
                let Ok(Some(global)) = globals::find(grammar, flag) else {
                    wrong.push(format!("{name} is missing"));
                    continue;
                };
                if global.value.is_some() != takes_value(option) {
                    wrong.push(format!(
                        "{name}: takes a value: {} there",
                        takes_value(option)
                    ));
                    continue;
                }
                if global.repeated != (option["repeatable"] == true) {
                    wrong.push(format!(
                        "{name}: may be repeated: {} there",
                        option["repeatable"] == true
                    ));
                }
                // The version of a service that is none of ours may be any word.
                let ours = !flag.ends_with("share-api-version");
                if ours
                    && !list(option, "choices").is_empty()
                    && read(grammar, &[&[flag, "nonsense"], command].concat()).is_ok()
                {
                    wrong.push(format!("{name} takes a word that is no choice"));
                }
                let mut words = vec![flag.to_string()];
                words.extend(takes_value(option).then(|| sample(option)));
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let before = [&words, command].concat();
                if let Err(error) = read(grammar, &before) {
                    wrong.push(format!("{} {before:?}: {error}", grammar.program()));
                }
                // glance's parser hands what stands after the command to the command's.
                let after = [command, &words].concat();
                if read(grammar, &after).is_ok() != (grammar == Grammar::Openstack) {
                    wrong.push(format!("{} {after:?}", grammar.program()));
                }
            }
        }
    }
    assert_none(&wrong);
}

fn read(grammar: Grammar, words: &[&str]) -> glance_tools::Result<Request> {
    argparse::read(grammar, words.iter().map(OsString::from).collect())
}

/// The text values that a line has for an argument.
#[track_caller]
fn values(grammar: Grammar, line: &str, id: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match read(grammar, &words) {
        Ok(Request::Leaf(parsed)) => {
            let raw = parsed.matches.get_raw(id).unwrap_or_default();
            raw.map(|value| value.to_string_lossy().into_owned())
                .collect()
        }
        Ok(_) => panic!("{line} is no command"),
        Err(error) => panic!("{line}: {error}"),
    }
}

#[test]
fn options_are_read_as_argparse_reads_them() {
    use Grammar::{Glance, Openstack};
    for (grammar, line, id, wanted) in [
        (
            Glance,
            "image-create --disk qcow2",
            "disk_format",
            &["qcow2"][..],
        ),
        (
            Glance,
            "image-create --disk=qcow2",
            "disk_format",
            &["qcow2"],
        ),
        (
            Glance,
            "image-create --disk-format=raw --name=a=b",
            "name",
            &["a=b"],
        ),
        (Glance, "image-create --name x --name y", "name", &["y"]),
        (
            Glance,
            "image-create --property a=1 --property b=2",
            "property",
            &["a=1", "b=2"],
        ),
        (
            Glance,
            "image-create --tags a b --name x",
            "tags",
            &["a", "b"],
        ),
        (
            Glance,
            "image-create --tags a --tags b c",
            "tags",
            &["b", "c"],
        ),
        (
            Glance,
            "image-show ID --max-col 20",
            "max_column_width",
            &["20"],
        ),
        (
            Glance,
            "image-show --max-column-width 20 ID",
            "max_column_width",
            &["20"],
        ),
        (
            Glance,
            "--os-auth-tok x image-list --limit 3",
            "limit",
            &["3"],
        ),
        (Glance, "image list -f json", "format", &["json"]),
        (Glance, "image list -fjson", "format", &["json"]),
        (
            Openstack,
            "image create x --container ova",
            "container_format",
            &["ova"],
        ),
        (
            Openstack,
            "image create --tag a x --tag b",
            "tag",
            &["a", "b"],
        ),
        (
            Openstack,
            "image create --min-disk 1 --min-d 2 x",
            "min_disk",
            &["2"],
        ),
        (Openstack, "image create --file=-x y", "file", &["-x"]),
        (Openstack, "image create -- --x", "name", &["--x"]),
        (
            Openstack,
            "image list -c ID -c Name --col Status",
            "column",
            &["ID", "Name", "Status"],
        ),
        (
            Openstack,
            "--os-cloud x image list --limit 1 --os-clo y",
            "os-cloud",
            &["y"],
        ),
        (
            Openstack,
            "image add project i p --project-d d",
            "project_domain",
            &["d"],
        ),
    ] {
        assert_eq!(values(grammar, line, id), wanted, "{line}");
    }
}

#[test]
fn what_argparse_refuses_is_refused() {
    use Grammar::{Glance, Openstack};
    for (grammar, line, complaint) in [
        (
            Glance,
            "image-create --min-d x",
            "argument --min-disk: invalid int value: 'x'",
        ),
        (
            Glance,
            "image-create --name",
            "argument --name: expected one argument",
        ),
        (
            Glance,
            "image-create --progress=yes",
            "argument --progress: ignored explicit argument 'yes'",
        ),
        (Glance, "image-show a b", "unrecognized arguments: b"),
        (
            Glance,
            "image-delete",
            "the following arguments are required: <IMAGE_ID>",
        ),
        (
            Openstack,
            "image create --min x --file y z",
            "ambiguous option: --min could match --min-disk, --min-ram",
        ),
        (
            Openstack,
            "image create",
            "the following arguments are required: <image-name>",
        ),
        (
            Openstack,
            "image set x --public --private",
            "argument --private: not allowed with argument --public",
        ),
        (
            Openstack,
            "image list -f shell",
            "argument -f/--format: invalid choice: 'shell' (choose from 'csv', 'json', 'table', 'value', 'yaml')",
        ),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        match read(grammar, &words) {
            Err(error) => {
                let last = error.message().lines().last().unwrap_or_default();
                assert!(
                    last.ends_with(&format!("error: {complaint}")),
                    "{line}: {last}"
                );
            }
            Ok(_) => panic!("{line} was accepted"),
        }
    }
}

/// One of the operators' programs, with the options that all of them have.
fn tool(name: &'static str, command: Command, with_common: bool) -> Vec<String> {
    let all = grammar();
    let mut options = list(&all["tools"][name], "options").to_vec();
    if with_common {
        options.extend(list(&all, "oslo_options").iter().cloned());
    }
    let mut check = Check::new(name, command);
    for option in &mut options {
        // What oslo.config's own actions and types do, argparse does not know.
        match strings(option, "flags")[0] {
            "--config-file" | "--config-dir" => option["repeatable"] = Value::Bool(true),
            "--shell_completion" => option["choices"] = json!(["bash", "zsh"]),
            _ => {}
        }
    }
    check.options(&options);
    check.wrong
}

#[test]
fn scrubber_is_the_real_one() {
    assert_none(&tool("glance-scrubber", scrubber::command(), true));
}

#[test]
fn cache_manage_is_the_real_one() {
    let mut wrong = tool("glance-cache-manage", cache_manage::command(), false);
    let all = grammar();
    let theirs = &all["tools"]["glance-cache-manage"];
    let mut check = Check::new("glance-cache-manage", cache_manage::command());
    check.positionals(list(theirs, "arguments"));
    wrong.append(&mut check.wrong);
    for word in strings(theirs, "first_word") {
        let words: Vec<String> = [word, "list-cached"].map(str::to_string).to_vec();
        if cache_manage::Words::parse(&words).is_err() {
            wrong.push(format!("glance-cache-manage {word} is missing"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_programs_of_the_cache_are_the_real_ones() {
    for (name, _) in cache_manage::OLD_NAMES {
        assert_none(&tool(name, cache_manage::upkeep_command(name, ""), true));
    }
}

#[test]
fn manage_is_the_real_one_in_both_spellings() {
    let mut wrong = tool("glance-manage", manage::command(), true);
    let all = grammar();
    let command = manage::command();
    for (name, theirs) in entries(&all["tools"]["glance-manage"]["commands"]) {
        let Some(ours) = command.find_subcommand(name) else {
            wrong.push(format!("glance-manage {name} is missing"));
            continue;
        };
        if name != "db" {
            let mut check = Check::new(name, ours.clone());
            check.options(list(theirs, "options"));
            check.positionals(list(theirs, "arguments"));
            wrong.append(&mut check.wrong);
            continue;
        }
        for (action, theirs) in entries(&theirs["commands"]) {
            let Some(ours) = ours.find_subcommand(action) else {
                wrong.push(format!("glance-manage db {action} is missing"));
                continue;
            };
            let mut check = Check::new(action, ours.clone());
            let options = list(theirs, "options");
            check.options(options);
            // The real one's parser takes any number of words, and its functions those they have names for.
            let most = check
                .command
                .get_positionals()
                .next()
                .and_then(Arg::get_num_args)
                .map_or(0, |range| range.max_values());
            if most < options.len() {
                check.wrong(format!(
                    "{most} words by position, {} options",
                    options.len()
                ));
            }
            wrong.append(&mut check.wrong);
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_program_is_ours_or_has_a_reason() {
    let ours = ["glance-manage", "glance-scrubber", "glance-cache-manage"];
    let called = |name: &str| cache_manage::OLD_NAMES.iter().any(|(old, _)| *old == name);
    let all = grammar();
    for (name, _) in entries(&all["tools"]) {
        assert!(
            ours.contains(&name.as_str())
                || called(name)
                || OTHER_PROGRAMS
                    .iter()
                    .any(|(other, why)| other == name && !why.is_empty()),
            "{name}"
        );
    }
}
