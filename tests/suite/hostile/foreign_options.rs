//! No command takes an option that is not its own: not one of the other grammar, of another command, of
//! another program, or of the program where the real client takes it only before the command.
//!
//! What is a command's own is read from the real programs' parsers (`tests/conformance/grammar.json`) and
//! from the tables of what is ours alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use clap::{ArgAction, Command};
use glance_tools::ErrorKind;
use glance_tools::cli::command::argparse::{self, Request};
use glance_tools::cli::command::grammar::{Grammar, Row};
use glance_tools::cli::command::parser;
use glance_tools::cli::{api, cache_manage, manage, scrubber};
use serde_json::Value;

use crate::cli::grammar::{
    MORE, formatters, grammar as real_grammar, list, sample, strings, takes_value,
};
use crate::support::{GLANCE, Place, Run};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

/// Flags of options, whether each takes a value.
type Flags = BTreeMap<String, bool>;

/// The flags of options that are described as the real parsers describe theirs.
fn described(options: &[Value]) -> Flags {
    let mut flags = Flags::new();
    for option in options {
        for flag in strings(option, "flags") {
            flags.insert(flag.to_string(), takes_value(option));
        }
    }
    flags
}

/// The flags that clap knows of a command.
fn known_to_clap(command: &Command, hidden_alone: bool) -> Flags {
    let mut flags = Flags::new();
    for arg in command.get_arguments() {
        if hidden_alone && !arg.is_hide_set() {
            continue;
        }
        let takes = arg.get_action().takes_values();
        let longs = arg.get_long().into_iter().map(str::to_string);
        let aliases = arg.get_all_aliases().unwrap_or_default();
        let longs = longs.chain(aliases.into_iter().map(str::to_string));
        flags.extend(longs.map(|long| (format!("--{long}"), takes)));
        let letters = arg.get_short().into_iter();
        let letters = letters.chain(arg.get_all_short_aliases().unwrap_or_default());
        flags.extend(letters.map(|letter| (format!("-{letter}"), takes)));
    }
    flags
}

/// The options of the program that are ours alone, which may stand anywhere.
fn ours(grammar: Grammar) -> Flags {
    grammar
        .globals_after()
        .filter(|global| global.hidden)
        .map(|global| (format!("--{}", global.long), global.value.is_some()))
        .collect()
}

/// The options of a grammar's real program.
fn of_program(all: &Value, grammar: Grammar) -> Flags {
    described(match grammar {
        Grammar::Glance => list(&all["glance"], "options"),
        Grammar::Openstack => list(&all["openstack"]["global"], "options"),
    })
}

/// The options that a command of a grammar may be given after its name.
fn own(all: &Value, grammar: Grammar, row: &'static Row) -> Flags {
    let theirs = &all[grammar.program()];
    let command = &theirs["commands"][row.name];
    let mut flags = described(list(command, "options"));
    flags.extend(described(&formatters(theirs, &command["output"])));
    if row.is_extension {
        flags.extend(known_to_clap(&parser::own(grammar, grammar, row), false));
    }
    // Words that an option takes beyond the real one's are no options.
    let more = MORE
        .iter()
        .filter(|(name, flag, _)| *name == row.name && !flag.contains('='));
    flags.extend(more.map(|(_, flag, _)| ((*flag).to_string(), false)));
    if grammar == Grammar::Openstack {
        flags.extend(of_program(all, grammar));
    }
    flags.extend(ours(grammar));
    for help in ["-h", "--help"] {
        flags.insert(help.to_string(), false);
    }
    flags
}

/// Every option that there is anywhere.
fn vocabulary(all: &Value) -> Flags {
    let mut flags = Flags::new();
    for grammar in [Grammar::Glance, Grammar::Openstack] {
        flags.extend(of_program(all, grammar));
        flags.extend(ours(grammar));
        for row in grammar.rows() {
            flags.extend(own(all, grammar, row));
        }
    }
    flags.extend(described(list(all, "oslo_options")));
    for tool in tools(all) {
        flags.extend(known_to_clap(&tool.command, false));
        flags.extend(tool.own);
    }
    flags
}

/// Whether a word is an abbreviation of one of these, or the whole of it.
fn may_mean(flags: &Flags, word: &str) -> bool {
    if word.starts_with("--") {
        flags.keys().any(|flag| flag.starts_with(word))
    } else {
        flags.contains_key(word)
    }
}

/// Whether every abbreviation is tried: 275,000 lines, some minutes. Otherwise the shortest one and the longest
/// one of each option are.
fn is_thorough() -> bool {
    std::env::var_os("GLANCE_TEST_THOROUGH").is_some()
}

/// The words that a command must refuse: whole flags, and abbreviations of long ones.
struct Foreign {
    whole: Vec<(String, bool)>,
    short: Vec<String>,
}

impl Foreign {
    fn to(own: &Flags, vocabulary: &Flags) -> Self {
        let whole: Vec<(String, bool)> = vocabulary
            .iter()
            .filter(|(flag, _)| !may_mean(own, flag))
            .map(|(flag, takes)| (flag.clone(), *takes))
            .collect();
        let mut short = BTreeSet::new();
        for flag in vocabulary.keys().filter(|flag| flag.starts_with("--")) {
            let words = flag.char_indices().skip(3).map(|(end, _)| &flag[..end]);
            let words: Vec<&str> = words.filter(|word| !may_mean(own, word)).collect();
            if is_thorough() {
                short.extend(words.iter().map(ToString::to_string));
            } else {
                let ends = [words.first(), words.last()].into_iter().flatten();
                short.extend(ends.map(ToString::to_string));
            }
        }
        Self {
            whole,
            short: short.into_iter().collect(),
        }
    }
}

/// What a walk found.
#[derive(Default)]
struct Walk {
    commands: usize,
    options: usize,
    lines: usize,
    wrong: Vec<String>,
}

impl Walk {
    fn add(&mut self, other: Self) {
        self.commands += other.commands;
        self.options += other.options;
        self.lines += other.lines;
        self.wrong.extend(other.wrong);
    }
}

/// A whole line for a command that nothing is wrong with, without its name.
fn base(all: &Value, grammar: Grammar, row: &'static Row) -> Vec<String> {
    let theirs = &all[grammar.program()]["commands"][row.name];
    let options = list(theirs, "options");
    let mut words: Vec<String> = list(theirs, "arguments")
        .iter()
        .filter(|one| !matches!(one["nargs"].as_str(), Some("*" | "?")))
        .map(sample)
        .collect();
    let groups = list(theirs, "exclusive").iter();
    let chosen: BTreeSet<&str> = groups
        .filter(|group| group["required"] == true)
        .filter_map(|group| strings(group, "one_of").first().copied())
        .collect();
    for option in options {
        let flag = strings(option, "flags")[0];
        if option["required"] == true || chosen.contains(flag) {
            words.push(flag.to_string());
            words.extend(takes_value(option).then(|| sample(option)));
        }
    }
    words
}

/// Whether a line is refused as wrong usage, with one message.
fn is_refused(grammar: Grammar, words: &[&str]) -> bool {
    match argparse::read(grammar, words.iter().map(OsString::from).collect()) {
        Err(error) => {
            let complaints = error.message().matches("error: ").count();
            error.kind() == ErrorKind::Usage && complaints == 1
        }
        Ok(_) => false,
    }
}

fn walk_command(all: &Value, vocabulary: &Flags, grammar: Grammar, row: &'static Row) -> Walk {
    let mut walk = Walk {
        commands: 1,
        ..Walk::default()
    };
    let name: Vec<&str> = row.name.split(' ').collect();
    let base = base(all, grammar, row);
    let base: Vec<&str> = base.iter().map(String::as_str).collect();
    let whole = [&name[..], &base[..]].concat();
    let read = argparse::read(grammar, whole.iter().map(OsString::from).collect());
    if !matches!(read, Ok(Request::Leaf(_))) {
        walk.wrong.push(format!("{whole:?} itself is refused"));
        return walk;
    }
    let mut check = |called: Grammar, words: &[&str]| {
        walk.lines += 1;
        if !is_refused(called, words) {
            walk.wrong.push(format!("{} {words:?}", called.program()));
        }
    };
    let after = Foreign::to(&own(all, grammar, row), vocabulary);
    for (flag, takes) in &after.whole {
        let flag = flag.as_str();
        check(grammar, &[&name[..], &[flag], &base].concat());
        check(grammar, &[&whole[..], &[flag]].concat());
        let joined = match (flag.starts_with("--"), *takes) {
            (true, _) => format!("{flag}=json"),
            (false, _) => format!("{flag}json"),
        };
        check(grammar, &[&whole[..], &[flag, "json"]].concat());
        check(grammar, &[&whole[..], &[&joined]].concat());
        if grammar == Grammar::Openstack {
            check(Grammar::Glance, &[&whole[..], &[flag, "json"]].concat());
        }
    }
    for word in &after.short {
        check(grammar, &[&whole[..], &[word, "json"]].concat());
    }
    // Before the command the options of the program are known, and no other.
    let mut known = of_program(all, grammar);
    known.extend(ours(grammar));
    known.extend([("-h".to_string(), false), ("--help".to_string(), false)]);
    let before = Foreign::to(&known, vocabulary);
    for (flag, takes) in &before.whole {
        let value: &[&str] = if *takes { &["json"] } else { &[] };
        let line = [&[flag.as_str()], value, &whole[..]].concat();
        check(Grammar::Glance, &line);
        check(grammar, &line);
    }
    walk.options += after.whole.len() + after.short.len() + before.whole.len();
    walk
}

#[test]
fn no_command_of_either_grammar_takes_an_option_that_is_not_its_own() {
    let all = real_grammar();
    let vocabulary = vocabulary(&all);
    let rows = [Grammar::Glance, Grammar::Openstack]
        .into_iter()
        .flat_map(|grammar| grammar.rows().into_iter().map(move |row| (grammar, row)));
    let left: Mutex<Vec<(Grammar, &'static Row)>> = Mutex::new(rows.collect());
    let total = Mutex::new(Walk::default());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = left.lock().unwrap().pop();
                    let Some((grammar, row)) = next else { break };
                    let walk = walk_command(&all, &vocabulary, grammar, row);
                    total.lock().unwrap().add(walk);
                }
            });
        }
    });
    let walk = total.into_inner().unwrap();
    report("grammars", &walk);
    assert!(walk.commands > 110 && walk.lines > 90_000, "{}", walk.lines);
}

/// One command of the operators' programs.
struct Tool {
    name: String,
    command: Command,
    /// The words of the command.
    words: Vec<String>,
    /// What may stand after them.
    own: Flags,
}

/// Every command of the operators' programs, as the real parsers and the hidden options of ours have them.
fn tools(all: &Value) -> Vec<Tool> {
    let theirs = |program: &str| described(list(&all["tools"][program], "options"));
    let oslo = described(list(all, "oslo_options"));
    let mut tools = Vec::new();
    let mut add = |name: &str, command: Command, words: &[&str], real: Flags, hidden: &Command| {
        let mut own = real;
        own.extend(known_to_clap(hidden, true));
        own.extend(["-h", "--help", "--version"].map(|flag| (flag.to_string(), false)));
        tools.push(Tool {
            name: format!("{name} {}", words.join(" ")),
            command,
            words: words.iter().map(ToString::to_string).collect(),
            own,
        });
    };
    let mut with_oslo = theirs("glance-scrubber");
    with_oslo.extend(oslo.clone());
    let command = scrubber::command();
    add("glance-scrubber", command.clone(), &[], with_oslo, &command);
    // Upstream's program has those of oslo.config alone.
    let command = api::command();
    let mut own = oslo.clone();
    own.extend(["--data-dir", "--bind-host", "--bind-port"].map(|flag| (flag.to_string(), true)));
    add("glance-api", command.clone(), &[], own, &command);
    for (old, _) in cache_manage::OLD_NAMES {
        let command = cache_manage::upkeep_command(old, "");
        let mut own = theirs(old);
        own.extend(oslo.clone());
        add(old, command.clone(), &[], own, &command);
    }
    let rows = cache_manage::COMMANDS.iter().chain(cache_manage::UPKEEP);
    for word in rows.map(|row| row.name) {
        let command = cache_manage::command();
        let own = theirs("glance-cache-manage");
        let id = "8d1c5a5e-0000-4000-8000-000000000000";
        let words: &[&str] = if word.ends_with("-image") {
            &[word, id]
        } else {
            &[word]
        };
        add("glance-cache-manage", command.clone(), words, own, &command);
    }
    let command = manage::command();
    let programs = &all["tools"]["glance-manage"]["commands"];
    for part in command.get_subcommands() {
        let theirs = &programs[part.get_name()];
        for action in part.get_subcommands() {
            let mut words = vec![part.get_name(), action.get_name()];
            // Upstream does not have these.
            let real = if part.get_name() == "policy" {
                known_to_clap(action, false)
            } else {
                described(list(&theirs["commands"][action.get_name()], "options"))
            };
            if words == ["policy", "check"] {
                words.extend(["get_image", "--as", "demo"]);
            }
            add("glance-manage", command.clone(), &words, real, action);
        }
        if part.get_name() != "db" {
            let real = if part.get_name().starts_with("db_purge") {
                known_to_clap(part, false)
            } else {
                described(list(theirs, "options"))
            };
            add(
                "glance-manage",
                command.clone(),
                &[part.get_name()],
                real,
                part,
            );
        }
    }
    tools
}

#[test]
fn no_program_of_the_operators_takes_an_option_that_is_not_its_own() {
    let all = real_grammar();
    let vocabulary = vocabulary(&all);
    let mut walk = Walk::default();
    for tool in tools(&all) {
        walk.commands += 1;
        let parse = |words: &[String]| {
            let line = std::iter::once("x".to_string()).chain(words.iter().cloned());
            tool.command.clone().try_get_matches_from(line)
        };
        if let Err(error) = parse(&tool.words) {
            walk.wrong.push(format!("{}: {error}", tool.name));
            continue;
        }
        let foreign = Foreign::to(&tool.own, &vocabulary);
        walk.options += foreign.whole.len() + foreign.short.len();
        let words = foreign.whole.iter().map(|(flag, _)| flag);
        for flag in words.chain(&foreign.short) {
            for value in [&[][..], &["json".to_string()]] {
                walk.lines += 1;
                let line = [&tool.words[..], std::slice::from_ref(flag), value].concat();
                match parse(&line) {
                    Err(error) if error.exit_code() == 2 => {}
                    _ => walk.wrong.push(format!("{} {flag}", tool.name)),
                }
            }
        }
    }
    report("programs", &walk);
    assert!(walk.commands > 30 && walk.lines > 10_000, "{}", walk.lines);
}

#[expect(
    clippy::print_stdout,
    reason = "figures and reasons of a test are for its output"
)]
#[track_caller]
fn report(what: &str, walk: &Walk) {
    println!(
        "{what}: {} commands, {} options that are not theirs, {} lines",
        walk.commands, walk.options, walk.lines
    );
    let shown = &walk.wrong[..walk.wrong.len().min(40)];
    assert!(
        walk.wrong.is_empty(),
        "{} of {} lines are not refused:\n{}",
        walk.wrong.len(),
        walk.lines,
        shown.join("\n")
    );
}

/// Every file below a directory, and its content.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.insert(path.display().to_string(), Vec::new());
            files.extend(contents(&path));
        } else {
            files.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    files
}

/// Command lines that remove or change something; ID is an image, NAME its name.
const DESTRUCTIVE: [(&str, &[&str]); 4] = [
    (
        GLANCE,
        &[
            "image-delete ID",
            "image-update --name x ID",
            "image-deactivate ID",
            "image-tag-update ID t",
            "image-tag-delete ID old",
            "member-delete ID p",
            "location-delete --url file:///x ID",
            "stores-delete --store default ID",
            "md-namespace-delete N",
            "md-namespace-objects-delete N",
            "cache-clear",
            "cache-delete ID",
            "scrub",
            "image delete NAME",
            "image delete ID",
            "image set NAME --name x",
            "image unset NAME --tag old",
            "image remove project NAME p",
            "image metadef namespace delete N",
            "image metadef object delete N o",
            "cached image clear",
            "cached image delete ID",
            "service delete NAME",
            "service set NAME --name x",
            "endpoint delete ID",
        ],
    ),
    (
        MANAGE,
        &[
            "db purge",
            "db purge_images_table",
            "db_purge",
            "db sync",
            "db_sync",
            "db unload_metadefs",
            "db_unload_metadefs",
        ],
    ),
    (SCRUBBER, &["", "--restore ID"]),
    (
        CACHE_MANAGE,
        &[
            "delete-all-cached-images",
            "delete-cached-image ID",
            "prune",
            "clean",
        ],
    ),
];

/// Options of some grammar or program.
const OPTIONS: [&str; 14] = [
    "-f json",
    "-f",
    "-fjson",
    "--force",
    "--forc",
    "-q",
    "-c id",
    "-v",
    "--yes",
    "--get-schema",
    "--format=json",
    "--age_in_days 1",
    "-D",
    "--all-tags",
];

#[test]
fn options_of_others_change_nothing_when_the_programs_are_run() {
    let all = real_grammar();
    let place = Place::new();
    let id = place.image("keep", b"some data");
    place.glance(&["image", "set", "keep", "--tag", "old"]).ok();
    place.glance(&["image-list"]).ok();
    let before = contents(&place.data());
    let old_name = place.file("glance-cache-pruner");
    symlink(CACHE_MANAGE, &old_name).unwrap();
    let old: (&str, &[&str]) = (old_name.to_str().unwrap(), &[""]);
    let all_tools = tools(&all);
    let mut runs = 0;
    for (program, lines) in DESTRUCTIVE.iter().chain([&old]) {
        for line in *lines {
            let known = if *program == GLANCE {
                let grammars = [Grammar::Openstack, Grammar::Glance];
                let row = grammars.into_iter().find_map(|grammar| {
                    let rows = grammar.rows().into_iter();
                    let mut rows = rows.filter(|row| line.starts_with(row.name));
                    Some((grammar, rows.next_back()?))
                });
                let (grammar, row) = row.unwrap();
                own(&all, grammar, row)
            } else {
                let name = Path::new(program).file_name().unwrap().to_str().unwrap();
                let words: Vec<&str> = line.split(' ').collect();
                let tool = all_tools.iter().rfind(|tool| {
                    let begin = tool.words.first().map_or("", String::as_str);
                    let second = tool.words.get(1).map_or("", String::as_str);
                    tool.name.starts_with(name)
                        && (begin.is_empty() || begin == words[0])
                        && (begin != "db" || words.get(1) == Some(&second))
                });
                tool.unwrap().own.clone()
            };
            for option in OPTIONS {
                let flag = option.split([' ', '=']).next().unwrap();
                let flag = if flag.starts_with("--") {
                    flag
                } else {
                    &flag[..2]
                };
                if may_mean(&known, flag) {
                    continue;
                }
                let line = line.replace("ID", &id).replace("NAME", "keep");
                let words = line.split(' ').chain(option.split(' '));
                let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
                let output = place.command(program).args(&words).output().unwrap();
                let stderr = Run::of(output).fails(2);
                assert_eq!(stderr.matches("error: ").count(), 1, "{words:?}: {stderr}");
                let lines = stderr.lines().filter(|line| !line.starts_with("Hint: "));
                assert_eq!(lines.count(), 2, "{words:?}: {stderr}");
                assert_eq!(contents(&place.data()), before, "{words:?}");
                runs += 1;
            }
        }
    }
    println!("{runs} runs of the programs");
    assert!(runs > 250, "{runs}");
    place.glance(&["image", "show", "keep"]).ok();
}

#[test]
fn flags_of_the_vocabulary_are_those_that_scripts_know() {
    let vocabulary = vocabulary(&real_grammar());
    for flag in [
        "-f",
        "-c",
        "-q",
        "-d",
        "--force",
        "--format",
        "--age_in_days",
        "-D",
        "--os-cloud",
    ] {
        assert!(vocabulary.contains_key(flag), "{flag}");
    }
    let flags = Command::new("x").arg(clap::Arg::new("a").short('a').action(ArgAction::SetTrue));
    assert_eq!(known_to_clap(&flags, false).get("-a"), Some(&false));
}
