//! The words that may stand at the cursor of a command line.
//!
//! Lines are read as the programs read them, but any line has an answer: unknown words are skipped.

use clap::{Arg, ArgAction, Command};

use super::Subject;
use super::answer::{Answer, Candidate, Owner};
use super::kinds::{Kind, choices, declared, key};
use super::source::{Selection, Source};
use super::values::{Place, values};
use crate::cli::command::argparse::{longs_of, looks_like_option, takes_several};
use crate::cli::command::builtins::{self, builtin, builtins};
use crate::cli::command::globals::{self, Global, Globals};
use crate::cli::command::grammar::{Grammar, Row, SHARED};
use crate::cli::command::parser::leaf;
use crate::cli::command::topics::TOPICS;
use crate::output::escape_controls;

/// Returns the words that may stand at the cursor, after the words `before`, in place of the word `current`.
pub fn complete(
    subject: &Subject,
    before: &[String],
    current: &str,
    source: &dyn Source,
) -> Answer {
    let mut answer = match subject {
        Subject::Client(called) => client(*called, before, current, source),
        Subject::Tool { command, settings } => {
            let name = command.get_name().to_string();
            tool(command, &name, before, current, |options| {
                let selection = Selection::Tool {
                    options: options.to_vec(),
                    settings: *settings,
                };
                (selection, source)
            })
        }
    };
    let shown = |candidate: &Candidate| {
        candidate.value.starts_with(current) && is_harmless(&candidate.value)
    };
    answer.candidates.retain(shown);
    for candidate in &mut answer.candidates {
        let about = candidate.about.replace(char::is_control, " ");
        candidate.about = escape_controls(&about).into_owned();
    }
    answer.candidates.sort_by(|a, b| a.value.cmp(&b.value));
    answer.candidates.dedup_by(|a, b| a.value == b.value);
    answer
}

/// The global options at the beginning of a line.
struct Front<'a> {
    /// The options, as `--long=value`.
    options: Vec<String>,
    /// The option whose value is at the cursor.
    waiting: Option<&'static Global>,
    /// The words from the command on.
    rest: &'a [String],
}

/// Splits off the global options at the beginning of a line.
fn front(grammar: Grammar, words: &[String]) -> Front<'_> {
    let mut options = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| looks_like_option(word)) {
        at += 1;
        let Some(global) = find(grammar, word) else {
            continue;
        };
        let name = format!("--{}", global.long);
        match (global.value, word.split_once('=')) {
            (None, _) => options.push(name),
            (Some(_), Some((_, value))) => options.push(format!("{name}={value}")),
            (Some(_), None) => {
                let Some(value) = words.get(at) else {
                    return Front {
                        options,
                        waiting: Some(global),
                        rest: &[],
                    };
                };
                at += 1;
                options.push(format!("{name}={value}"));
            }
        }
    }
    Front {
        options,
        waiting: None,
        rest: &words[at..],
    }
}

/// Returns a global option of this grammar; before the command of `glance`, either grammar may follow.
fn find(grammar: Grammar, word: &str) -> Option<&'static Global> {
    let of = |grammar| globals::find(grammar, word).ok().flatten();
    match grammar {
        Grammar::Glance => of(Grammar::Glance).or_else(|| of(Grammar::Openstack)),
        Grammar::Openstack => of(Grammar::Openstack),
    }
}

/// Completes a line of `glance` or `openstack`.
fn client(called: Grammar, before: &[String], current: &str, source: &dyn Source) -> Answer {
    let mut grammar = called;
    let mut front = front(called, before);
    let first = front.rest.first().map(String::as_str);
    if called == Grammar::Glance && first.is_some_and(|word| Grammar::Openstack.begins_with(word)) {
        grammar = Grammar::Openstack;
        front = self::front(grammar, before);
    }
    let Front {
        options,
        waiting,
        rest,
    } = front;
    let select = |after: &[(String, String)]| Selection::Client(selected(grammar, &options, after));
    if let Some(global) = waiting {
        let place = Place {
            command: "",
            grammar,
            line: &[],
            selection: &|| select(&[]),
            source,
        };
        return of_value(&global.arg(), &place, "", current);
    }
    let Some(first) = rest.first() else {
        if current.starts_with('-') {
            let parser = globals::before(grammar);
            let place = Place {
                command: "",
                grammar,
                line: &[],
                selection: &|| select(&[]),
                source,
            };
            if let Some((arg, name, value)) = inline(&parser, current) {
                return of_value(arg, &place, name, value);
            }
            let mut answer = Answer::of(parser.get_arguments().filter_map(option).collect());
            answer.candidates.push(help_option());
            return answer;
        }
        return first_words(called, current);
    };
    if let Some(builtin) = builtin(first) {
        return of_builtin(called, builtin, &rest[1..], current);
    }
    let (row, taken) = match grammar {
        Grammar::Glance => (Grammar::Glance.find(first), 1),
        Grammar::Openstack => second(rest),
    };
    let Some(row) = row else {
        let words = following(Grammar::Openstack, rest);
        if words.is_empty() && called == Grammar::Openstack {
            return Answer::foreign();
        }
        let mut answer = Answer::of(words);
        if called == Grammar::Openstack && SHARED.contains(&first.as_str()) {
            answer.owner = Owner::Both;
        }
        return answer;
    };
    let command = leaf(called, grammar, row);
    let walk = Walk::along(&command, &rest[taken..]);
    let place = Place {
        command: row.name,
        grammar,
        line: &walk.values,
        selection: &|| select(&walk.values),
        source,
    };
    let offered = |arg: &Arg| is_offered(grammar, arg, current);
    let mut answer = walk.complete(&place, current, &offered);
    if rest.len() == taken && !current.starts_with('-') {
        // The name of a longer command may follow: `image import info`.
        answer.candidates.extend(following(grammar, rest));
    }
    answer
}

/// Returns the command of the second grammar at the beginning of `words`, and the number of its words.
fn second(words: &[String]) -> (Option<&'static Row>, usize) {
    let leading = words.iter().take_while(|word| !looks_like_option(word));
    let leading: Vec<&str> = leading.map(String::as_str).collect();
    for taken in (1..=leading.len()).rev() {
        if let Some(row) = Grammar::Openstack.find(&leading[..taken].join(" ")) {
            return (Some(row), taken);
        }
    }
    (None, 0)
}

/// Returns the global options as a real run would have them.
fn selected(grammar: Grammar, front: &[String], after: &[(String, String)]) -> Globals {
    let known = |option: &String| matches!(globals::find(grammar, option), Ok(Some(_)));
    let later = after.iter().map(|(option, value)| {
        if value.is_empty() {
            option.clone()
        } else {
            format!("{option}={value}")
        }
    });
    let is_global = |option: &String| {
        let long = option.trim_start_matches("--");
        let long = long.split_once('=').map_or(long, |(long, _)| long);
        option.starts_with("--") && matches!(globals::find_after(grammar, long), Ok(Some(_)))
    };
    let words = front.iter().filter(|option| known(option)).cloned();
    let words: Vec<String> = words.chain(later.filter(is_global)).collect();
    let nothing = Command::new("").no_binary_name(true);
    let parsed = globals::before(grammar).try_get_matches_from(words);
    match (parsed, nothing.try_get_matches_from([""; 0])) {
        (Ok(before), Ok(after)) => Globals::from_matches(grammar, &before, &after),
        _ => Globals::default(),
    }
}

/// Returns the first words of commands.
fn first_words(called: Grammar, current: &str) -> Answer {
    let mut candidates = following(Grammar::Openstack, &[]);
    if called == Grammar::Glance {
        candidates.extend(
            Grammar::Glance
                .rows()
                .iter()
                .map(|row| described(row.name, row.about)),
        );
    }
    let grammars = [called];
    candidates.extend(builtins(&grammars).map(|one| described(one.name, one.about)));
    let is_ours = candidates.iter().any(|one| one.value.starts_with(current));
    Answer {
        candidates,
        owner: match called {
            Grammar::Glance => Owner::Ours,
            Grammar::Openstack if is_ours => Owner::Both,
            Grammar::Openstack => Owner::Other,
        },
        ..Answer::default()
    }
}

/// The number of words that the description of a group of commands lists.
const MAX_LISTED: usize = 6;

/// Returns the words that may follow `words` in the names of a grammar's commands, each with its description: that of the
/// command, or the words that follow in turn.
fn following(grammar: Grammar, words: &[String]) -> Vec<Candidate> {
    let mut found: Vec<(&str, Option<&Row>, Vec<&str>)> = Vec::new();
    for row in grammar.rows() {
        let mut rest = row.name.split(' ');
        if !words.iter().all(|word| rest.next() == Some(word)) {
            continue;
        }
        let Some(word) = rest.next() else { continue };
        let next = rest.next();
        let known = found.iter().position(|(known, ..)| *known == word);
        let at = known.unwrap_or_else(|| {
            found.push((word, None, Vec::new()));
            found.len() - 1
        });
        match next {
            None => found[at].1 = Some(row),
            Some(next) if found[at].2.contains(&next) => {}
            Some(next) => found[at].2.push(next),
        }
    }
    found
        .into_iter()
        .map(|(word, row, mut next)| {
            if let Some(row) = row {
                return described(word, row.about);
            }
            let dots = if next.len() > MAX_LISTED { ", …" } else { "" };
            next.truncate(MAX_LISTED);
            described(word, &format!("{}{dots}", next.join(", ")))
        })
        .collect()
}

fn described(value: &str, about: &str) -> Candidate {
    Candidate {
        value: value.to_string(),
        about: about.to_string(),
        is_id: false,
    }
}

fn help_option() -> Candidate {
    described("--help", "Show help")
}

/// Completes a line of a built-in command.
fn of_builtin(
    called: Grammar,
    builtin: &builtins::Builtin,
    words: &[String],
    current: &str,
) -> Answer {
    if builtin.name == "help" {
        let mut answer = if words.is_empty() {
            first_words(called, current)
        } else {
            Answer::of(following(Grammar::Openstack, words))
        };
        if words.is_empty() {
            let topics = TOPICS.iter();
            answer
                .candidates
                .extend(topics.map(|topic| described(topic.name, topic.title)));
        }
        let is_foreign = answer.candidates.is_empty() && called == Grammar::Openstack;
        return if is_foreign {
            Answer::foreign()
        } else {
            answer
        };
    }
    let last = words.last().map(String::as_str).unwrap_or_default();
    let word_of = |option: &str| option.split(' ').next().unwrap_or_default().to_string();
    let valued = builtin
        .options
        .iter()
        .find(|(option, _)| option.contains(' ') && word_of(option) == last);
    let choices_of = |kind| match kind {
        Some(Kind::Words(words)) => words.iter().map(|word| described(word, "")).collect(),
        Some(Kind::Shell) => super::shells::NAMES
            .map(|name| described(name, ""))
            .to_vec(),
        _ => Vec::new(),
    };
    if valued.is_some() {
        return Answer::of(choices_of(declared(builtin.name, last)));
    }
    if current.starts_with('-') {
        let options = builtin.options.iter();
        let options = options.map(|(option, about)| described(&word_of(option), about));
        return Answer::of(options.chain([help_option()]).collect());
    }
    let positional = builtin.positional.first().filter(|_| words.is_empty());
    let kind =
        positional.and_then(|(name, _)| declared(builtin.name, name.trim_matches(['<', '>'])));
    Answer::of(choices_of(kind))
}

/// Completes a line of an operator's program.
fn tool<'s>(
    command: &Command,
    name: &str,
    before: &[String],
    current: &str,
    select: impl Fn(&[(String, String)]) -> (Selection, &'s dyn Source),
) -> Answer {
    let (mut command, mut name, mut words) = (command.clone(), name.to_string(), before);
    let mut earlier = Vec::new();
    loop {
        command.build();
        let walk = Walk::along(&command, words);
        let inner = walk.stopped.and_then(|at| {
            let inner = command.find_subcommand(&words[at])?;
            Some((at, inner.clone()))
        });
        if let Some((at, inner)) = inner {
            earlier.extend(walk.values);
            name = format!("{name} {}", inner.get_name());
            (command, words) = (inner, &words[at + 1..]);
            continue;
        }
        if walk.stopped.is_some() {
            return Answer::default();
        }
        let all: Vec<(String, String)> = earlier.into_iter().chain(walk.values.clone()).collect();
        let (_, source) = select(&[]);
        let place = Place {
            command: &name,
            grammar: Grammar::Glance,
            line: &all,
            selection: &|| select(&all).0,
            source,
        };
        let mut answer = walk.complete(&place, current, &|arg| is_of_tool(arg));
        if command.has_subcommands() && !current.starts_with('-') && walk.is_free() {
            let inner = command.get_subcommands();
            answer.candidates = inner
                .map(|inner| {
                    let about = inner.get_about().map(ToString::to_string);
                    described(inner.get_name(), &about.unwrap_or_default())
                })
                .collect();
        }
        return answer;
    }
}

/// Returns whether an option of an operator's program is offered: extensions are hidden from its help only.
fn is_of_tool(arg: &Arg) -> bool {
    !arg.is_positional()
}

/// Returns whether an option is offered after a command. As long as nothing but dashes is typed, the options of upstream's
/// program and those of a login are not, because there are a hundred.
fn is_offered(grammar: Grammar, arg: &Arg, current: &str) -> bool {
    if !Global::is_after_command(arg) {
        return !arg.is_hide_set();
    }
    let is_begun = !current.trim_start_matches('-').is_empty();
    let long = arg.get_long().unwrap_or_default();
    let is_own = globals::find_after(grammar, long)
        .ok()
        .flatten()
        .is_some_and(|global| global.hidden);
    is_begun || is_own && !long.starts_with("os-")
}

/// A command line up to the cursor.
struct Walk<'a> {
    command: &'a Command,
    /// The option whose value is at the cursor, and whether it has a value already.
    waiting: Option<(&'a Arg, bool)>,
    /// The number of positional arguments with a value.
    filled: usize,
    /// Whether the last one takes more words.
    is_open: bool,
    /// Whether no option follows.
    is_literal: bool,
    /// The arguments and their values, by their [`key`]; a flag has an empty one.
    values: Vec<(String, String)>,
    /// The options.
    used: Vec<&'a Arg>,
    /// The position of a word that may be a subcommand.
    stopped: Option<usize>,
}

impl<'a> Walk<'a> {
    /// Reads the words of a command, in the same way as the parser.
    fn along(command: &'a Command, words: &[String]) -> Self {
        let mut walk = Self {
            command,
            waiting: None,
            filled: 0,
            is_open: false,
            is_literal: false,
            values: Vec::new(),
            used: Vec::new(),
            stopped: None,
        };
        for (at, word) in words.iter().enumerate() {
            if walk.is_literal || !looks_like_option(word) {
                if walk.waiting.is_none() && command.has_subcommands() {
                    walk.stopped = Some(at);
                    break;
                }
                walk.take_word(word);
            } else if word == "--" {
                walk.is_literal = true;
                walk.waiting = None;
            } else {
                walk.take_option(word);
            }
        }
        walk
    }

    fn take_word(&mut self, word: &str) {
        if let Some((arg, has_value)) = self.waiting {
            self.values.push((key(arg), word.to_string()));
            self.waiting = Some((arg, true)).filter(|_| takes_several(arg));
            if !has_value || self.waiting.is_some() {
                return;
            }
        }
        if let Some(arg) = self.positional() {
            self.values.push((key(arg), word.to_string()));
            if !self.is_open {
                self.filled += 1;
                self.is_open = takes_several(arg);
            }
        }
    }

    fn take_option(&mut self, word: &str) {
        self.waiting = None;
        if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
            for (at, letter) in letters.char_indices() {
                let mut all = self.command.get_arguments();
                let Some(arg) = all.find(|arg| arg.get_short() == Some(letter)) else {
                    return;
                };
                self.used.push(arg);
                if !arg.get_action().takes_values() {
                    self.values.push((key(arg), String::new()));
                    continue;
                }
                let value = &letters[at + letter.len_utf8()..];
                if value.is_empty() {
                    self.waiting = Some((arg, false));
                } else {
                    self.values.push((key(arg), value.to_string()));
                }
                return;
            }
            return;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(arg) = long(self.command, name) else {
            return;
        };
        self.is_open = self.is_open && Global::is_after_command(arg);
        self.used.push(arg);
        match value {
            Some(value) => self.values.push((key(arg), value.to_string())),
            None if arg.get_action().takes_values() => self.waiting = Some((arg, false)),
            None => self.values.push((key(arg), String::new())),
        }
    }

    /// Returns the positional argument that the next word is a value of.
    fn positional(&self) -> Option<&'a Arg> {
        let place = if self.is_open {
            self.filled - 1
        } else {
            self.filled
        };
        self.command.get_positionals().nth(place)
    }

    /// Returns whether the cursor is at no value of an option.
    fn is_free(&self) -> bool {
        self.waiting.is_none_or(|(_, has_value)| has_value)
    }

    fn complete(&self, place: &Place<'_>, current: &str, offered: &dyn Fn(&Arg) -> bool) -> Answer {
        match self.waiting {
            Some((arg, false)) => return of_value(arg, place, "", current),
            Some((arg, true)) if !current.starts_with('-') => {
                return of_value(arg, place, "", current);
            }
            _ => {}
        }
        if !self.is_literal && current.starts_with('-') {
            if let Some((arg, name, value)) = inline(self.command, current) {
                return of_value(arg, place, name, value);
            }
            return Answer::of(self.options(offered));
        }
        match self.positional() {
            Some(arg) => of_value(arg, place, "", current),
            None if current.is_empty() && !self.is_literal && !self.command.has_subcommands() => {
                Answer::of(self.options(offered))
            }
            None => Answer::default(),
        }
    }

    /// Returns the options that may follow: those that were not given, unless they may be repeated, and that nothing
    /// excludes.
    fn options(&self, offered: &dyn Fn(&Arg) -> bool) -> Vec<Candidate> {
        let repeats = |arg: &Arg| matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        let is_used = |arg: &Arg| {
            self.used
                .iter()
                .any(|used| used.get_id() == arg.get_id() && !repeats(arg))
        };
        let named = |one: &Arg, other: &Arg| {
            let excluded = self.command.get_arg_conflicts_with(one);
            excluded.iter().any(|arg| arg.get_id() == other.get_id())
        };
        let is_excluded = |arg: &Arg| {
            let mut used = self
                .used
                .iter()
                .filter(|used| used.get_id() != arg.get_id());
            used.any(|used| named(used, arg) || named(arg, used))
        };
        let all = self.command.get_arguments().filter(|arg| offered(arg));
        let free = all.filter(|arg| !is_used(arg) && !is_excluded(arg));
        let mut options: Vec<Candidate> = free.filter_map(option).collect();
        options.push(help_option());
        options
    }
}

/// Returns the option of that name, or of a unique abbreviation of it.
fn long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let name = name.strip_prefix("--")?;
    let has = |arg: &Arg, fits: &dyn Fn(&str) -> bool| longs_of(arg).iter().any(|long| fits(long));
    let mut all = command.get_arguments();
    if let Some(arg) = all.find(|arg| has(arg, &|long| long == name)) {
        return Some(arg);
    }
    let is_own = |arg: &&Arg| !Global::is_after_command(arg);
    let own = command.get_arguments().filter(is_own);
    let begun: Vec<&Arg> = own
        .filter(|arg| has(arg, &|long| long.starts_with(name)))
        .collect();
    match begun[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// Returns the option of `--name=value`, with `--name=` and the value.
fn inline<'a, 'w>(command: &'a Command, word: &'w str) -> Option<(&'a Arg, &'w str, &'w str)> {
    let equals = word.find('=')?;
    let arg = long(command, &word[..equals])?;
    arg.get_action()
        .takes_values()
        .then(|| (arg, &word[..=equals], &word[equals + 1..]))
}

fn option(arg: &Arg) -> Option<Candidate> {
    let long = arg.get_long()?;
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let about = about.lines().next().unwrap_or_default();
    Some(described(&format!("--{long}"), about))
}

/// Returns the values of an argument that begin with `begun`, each after `before`, the part of the word that stays.
fn of_value(arg: &Arg, place: &Place<'_>, before: &str, begun: &str) -> Answer {
    let choices = choices(arg);
    let mut answer = if choices.is_empty() {
        let kind = declared(place.command, &key(arg)).unwrap_or(Kind::Text);
        values(kind, place, begun)
    } else {
        let words = choices.iter().map(|choice| described(choice, ""));
        Answer::of(words.collect())
    };
    for candidate in &mut answer.candidates {
        candidate.value.insert_str(0, before);
    }
    answer
}

/// Returns whether a terminal shows a word as it is: without control characters and overrides of the direction.
fn is_harmless(word: &str) -> bool {
    !word.contains(char::is_control) && escape_controls(word) == word
}
