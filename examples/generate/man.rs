//! The manual pages of the programs and of the commands of `glance`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use glance_tools::cli::command::examples::{self, Example, break_line};
use glance_tools::cli::command::grammar::{Commands, Grammar};
use glance_tools::cli::command::help;
use glance_tools::cli::command::registry::{Group, Output};

use super::model::{Argument, Leaf, Program, Takes, Value};
use super::roff::{Page, capital_of_prose, escape, macro_word, sentence, small};
use super::texts::{COUNTERPARTS, DATE, DETAILS, EXIT, PAGES, Words};

/// The volume of the pages of programs.
const VOLUME: &str = "User Commands";

/// The width of a line of an example.
const EXAMPLE_WIDTH: usize = 72;

/// The help topics that are sections of the page of a program.
const TOPIC_SECTIONS: [&str; 3] = ["cloud", "local", "output"];

const GRAMMARS: [Grammar; 2] = [Grammar::Glance, Grammar::Openstack];

/// Returns the name of a command's page, which is also the name of its file. The names of both grammars differ, because
/// `glance image-list` and `glance image list` are two commands.
pub fn page_name(grammar: Grammar, command: &str) -> String {
    format!("{}-{}", grammar.program(), command.replace(' ', "-"))
}

/// Returns the page of a program.
pub fn program(program: &Program) -> String {
    let words = words(program.name);
    let mut page = Page::new(program.name, 1, DATE, VOLUME);
    page.name(program.name, words.about);
    page.section("SYNOPSIS");
    page.raw(&format!(".B {}", escape(program.name)));
    page.raw("[\\fIOPTIONS\\fR]");
    if !program.commands.is_empty() {
        page.raw("\\fICOMMAND\\fR [\\fIARGUMENTS\\fR]");
    }
    page.section("DESCRIPTION");
    page.paragraphs(words.description);
    let has_pages = !program.topics.is_empty();
    if has_pages {
        list_commands(&mut page, program);
    }
    page.section("OPTIONS");
    let [ours, theirs]: [Vec<&Argument>; 2] = [true, false].map(|ours| {
        let options = program.options.iter();
        options.filter(|option| option.ours == ours).collect()
    });
    arguments(&mut page, &theirs);
    if has_pages {
        topics(&mut page, program, &ours);
    } else if !ours.is_empty() {
        page.subsection("Additional options");
        arguments(&mut page, &ours);
    }
    if !has_pages && !program.commands.is_empty() {
        page.section("COMMANDS");
        for command in &program.commands {
            describe(&mut page, program.name, command);
        }
    }
    environment(&mut page, program);
    page.section("FILES");
    page.list(words.files);
    page.section("EXIT STATUS");
    page.list(words.exit);
    write_examples(&mut page, examples::of_program(program.name, ""));
    page.section("SEE ALSO");
    page.references(words.see_also.iter().copied());
    page.finish()
}

/// Returns the hand-written texts of a program.
fn words(program: &str) -> &'static Words {
    let words = PAGES.iter().find(|words| words.name == program);
    words.unwrap_or_else(|| panic!("no words for {program}"))
}

/// Returns the grammars of a program's commands.
fn grammars(program: &str) -> &'static [Grammar] {
    match program {
        "glance" => &GRAMMARS,
        _ => &[Grammar::Openstack],
    }
}

/// Writes the commands of both grammars by group, with references to their pages.
fn list_commands(page: &mut Page, program: &Program) {
    page.section("COMMANDS");
    let titles: Vec<&str> = grammars(program.name)
        .iter()
        .flat_map(|grammar| grammar.groups())
        .map(|group| group.title)
        .collect();
    let mut done = BTreeSet::new();
    for title in titles.into_iter().filter(|title| done.insert(*title)) {
        page.subsection(title);
        for grammar in grammars(program.name) {
            let groups = grammar.groups().iter();
            let mut rows: Vec<_> = groups
                .filter(|group| group.title == title)
                .flat_map(Group::rows)
                .collect();
            rows.sort_by_key(|row| row.name);
            for row in rows {
                page.item(&format!(".B {}", macro_word(row.name)));
                let reference = format!("{}(1).", escape(&page_name(*grammar, row.name)));
                let about = sentence(row.about);
                let about = about.split_whitespace().map(escape);
                page.escaped_words(about.chain(["See".to_string(), reference]));
            }
        }
    }
    page.subsection("Other commands");
    let others = program.commands.iter().filter(|it| it.grammar.is_none());
    for command in others {
        page.item(&format!(".B {}", macro_word(&command.name)));
        let mut about = sentence(&command.about);
        for argument in &command.arguments {
            let value = match argument.takes {
                Takes::Nothing => String::new(),
                _ => format!(" {}", bare(&argument.placeholder)),
            };
            let _ = write!(
                about,
                " {}{value}: {}",
                argument.name(),
                sentence(&small(&argument.help))
            );
        }
        page.words(&about);
    }
}

/// Writes the description of a command that has no page of its own.
fn describe(page: &mut Page, program: &str, command: &Leaf) {
    page.subsection(&command.name);
    let synopsis = synopsis(command);
    if !synopsis.is_empty() {
        page.raw(&format!("\\fB{}\\fR{synopsis}", escape(&command.name)));
        page.raw(".PP");
    }
    page.words(&sentence(&command.about));
    let described = described(command);
    arguments(page, &described);
    let shown = examples::of_program(program, &command.name);
    if !shown.is_empty() {
        page.raw(".PP\nExamples:");
        write_lines(page, shown);
    }
}

/// Returns the page of a command of `glance`.
pub fn command(program: &Program, command: &Leaf) -> String {
    let grammar = command.grammar.unwrap_or(Grammar::Glance);
    let name = page_name(grammar, &command.name);
    let mut page = Page::new(&name, 1, DATE, VOLUME);
    page.name(&name, &small(&command.about));
    page.section("SYNOPSIS");
    let synopsis = synopsis(command);
    for (index, called) in called(grammar).iter().enumerate() {
        if index > 0 {
            page.raw(".br");
        }
        let line = format!("{called} {}", command.name);
        page.raw(&format!("\\fB{}\\fR{synopsis}", escape(&line)));
    }
    page.section("DESCRIPTION");
    page.paragraph(&sentence(&command.about));
    let details = DETAILS.iter().find(|(name, _)| *name == command.name);
    page.paragraphs(details.map_or(&[], |(_, details)| details));
    let uses_id = |argument: &Argument| argument.placeholder.contains("IMAGE_ID");
    if grammar == Grammar::Glance && command.arguments.iter().any(uses_id) {
        page.paragraph(
            "IMAGE_ID is the ID of an image. The commands of several words accept names as well.",
        );
    }
    page.paragraph(
        "The options that select a deployment or a cloud, and those for the output, are described in glance(1).",
    );
    page.section("OPTIONS");
    let described = described(command);
    if described.is_empty() {
        page.words("This command has no options or arguments of its own.");
    }
    arguments(&mut page, &described);
    let formatters: Vec<&Argument> = command
        .arguments
        .iter()
        .filter(|argument| argument.formatter)
        .collect();
    if !formatters.is_empty() {
        page.subsection("Output options");
        arguments(&mut page, &formatters);
    }
    write_examples(&mut page, examples::of(grammar, &command.name));
    page.section("EXIT STATUS");
    page.list(EXIT);
    let variables = variables(command.arguments.iter());
    if !variables.is_empty() {
        page.section("ENVIRONMENT");
        write_variables(&mut page, &variables);
    }
    page.section("SEE ALSO");
    let related = related(program, grammar, command);
    page.references(related.iter().map(String::as_str));
    page.finish()
}

/// Returns the names of the programs that have the commands of a grammar.
const fn called(grammar: Grammar) -> &'static [&'static str] {
    match grammar {
        Grammar::Glance => &["glance"],
        Grammar::Openstack => &["glance", "openstack"],
    }
}

/// Returns the pages that a command's page refers to: its counterparts in the other grammar, and its neighbours.
fn related(program: &Program, grammar: Grammar, command: &Leaf) -> Vec<String> {
    let mut pages = vec!["glance(1)".to_string()];
    let mut add = |grammar: Grammar, name: &str| {
        let is_known = program.commands.iter().any(|command| command.name == name);
        assert!(is_known, "no command {name}");
        let page = format!("{}(1)", page_name(grammar, name));
        if name != command.name && !pages.contains(&page) {
            pages.push(page);
        }
    };
    for (first, second) in COUNTERPARTS {
        match grammar {
            Grammar::Glance if *first == command.name => {
                second.iter().for_each(|name| add(Grammar::Openstack, name));
            }
            Grammar::Openstack if second.contains(&command.name.as_str()) => {
                add(Grammar::Glance, first);
            }
            _ => {}
        }
    }
    for (name, page) in [
        ("cache", "glance-cache-manage(1)"),
        ("scrub", "glance-scrubber(1)"),
    ] {
        if command.name.starts_with(name) {
            pages.push(page.to_string());
        }
    }
    let about_images = !command.name.contains("md-") && !command.name.contains("metadef");
    if about_images {
        pages.push("glance-images(7)".to_string());
    }
    pages
}

/// Returns what a command's description lists: its arguments by position and its options.
fn described(command: &Leaf) -> Vec<&Argument> {
    let own = command.arguments.iter().filter(|one| !one.formatter);
    let (by_position, options): (Vec<&Argument>, Vec<&Argument>) =
        own.partition(|one| one.is_positional());
    by_position
        .into_iter()
        .filter(|one| !one.help.is_empty())
        .chain(options)
        .collect()
}

/// Returns what follows a command's name in its synopsis.
fn synopsis(command: &Leaf) -> String {
    let own = command.arguments.iter().filter(|one| !one.formatter);
    let (by_position, options): (Vec<&Argument>, Vec<&Argument>) =
        own.partition(|one| one.is_positional());
    let mut synopsis = String::new();
    for option in options.iter().filter(|option| option.required) {
        let _ = write!(synopsis, " {}", usage(option));
    }
    if options.iter().any(|option| !option.required)
        || command.output != Output::Plain && command.grammar == Some(Grammar::Openstack)
    {
        synopsis.push_str(" [\\fIOPTIONS\\fR]");
    }
    for argument in &by_position {
        let _ = write!(synopsis, " {}", usage(argument));
    }
    synopsis
}

/// Writes the section EXAMPLES.
fn write_examples(page: &mut Page, examples: &[Example]) {
    page.section("EXAMPLES");
    write_lines(page, examples);
}

fn write_lines(page: &mut Page, examples: &[Example]) {
    for example in examples {
        page.paragraph(&format!("{}:", example.about));
        page.verbatim(&break_line(example.line, EXAMPLE_WIDTH));
    }
}

/// Writes a paragraph for each option or argument.
fn arguments(page: &mut Page, arguments: &[&Argument]) {
    for argument in arguments {
        page.item(&heading(argument));
        let mut help = sentence(&argument.help);
        if argument.required && !argument.is_positional() {
            help.push_str(" Required.");
        }
        if !argument.excludes.is_empty() {
            let _ = write!(
                help,
                " Cannot be used with {}.",
                argument.excludes.join(", ")
            );
        }
        if let Value::Word(words) = &argument.value {
            // Skipped if the help already lists the choices.
            if words.iter().any(|word| {
                !argument.help.contains(word.as_str())
                    && !argument.placeholder.contains(word.as_str())
            }) {
                let _ = write!(help, " One of {}.", words.join(", "));
            }
        }
        if help.trim().is_empty() {
            page.raw("\\&");
        }
        page.words(help.trim());
    }
}

/// Writes the help topics, and additional options that no topic mentions.
fn topics(page: &mut Page, program: &Program, ours: &[&Argument]) {
    let mut told = BTreeSet::new();
    for name in TOPIC_SECTIONS {
        // The second grammar's commands have cliff's options instead.
        if program.name == "openstack" && name == "output" {
            continue;
        }
        let text = topic_text(name);
        told.extend(
            text.split([' ', ',', '\n'])
                .filter(|word| word.starts_with("--"))
                .map(str::to_string),
        );
        let (title, body) = text.split_once('\n').unwrap_or((&text, ""));
        page.section(title);
        topic(page, body);
    }
    let untold: Vec<&Argument> = ours
        .iter()
        .filter(|option| option.names.iter().all(|name| !told.contains(name)))
        .copied()
        .collect();
    if !untold.is_empty() {
        page.section("Other additional options");
        arguments(page, &untold);
    }
}

/// Returns the help of a topic, which begins with its title.
fn topic_text(name: &str) -> String {
    help::answer(Grammar::Glance, &[name.to_string()], help::UNLIMITED)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes the text of a help topic: paragraphs, and indented entries, each a name and a text.
fn topic(page: &mut Page, text: &str) {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let mut text = line.trim().to_string();
        let is_item = line.starts_with("  ");
        while let Some(more) = lines.next_if(|next| {
            !next.trim().is_empty()
                && if is_item {
                    next.starts_with("      ")
                } else {
                    !next.starts_with(' ')
                }
        }) {
            text.push_str(if is_item && !text.contains("  ") {
                "  "
            } else {
                " "
            });
            text.push_str(more.trim());
        }
        if is_item {
            let (name, about) = text.split_once("  ").unwrap_or((&text, ""));
            page.list(&[(name, &sentence(&capital_of_prose(about.trim())))]);
        } else {
            page.paragraph(&text);
        }
    }
}

/// Returns the environment variables that arguments mention, each with the options that it is the default of.
fn variables<'a>(arguments: impl Iterator<Item = &'a Argument>) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for argument in arguments {
        let words: Vec<&str> = argument
            .help
            .split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',' | ';' | '='))
            .collect();
        for pair in words.windows(2) {
            let is_variable = ["OS_", "GLANCE_", "CLIFF_"]
                .iter()
                .any(|begin| pair[1].starts_with(begin));
            if matches!(pair[0], "env" | "else") && is_variable {
                variables
                    .entry(pair[1].to_string())
                    .or_default()
                    .insert(argument.name().to_string());
            }
        }
    }
    variables
        .into_iter()
        .map(|(name, options)| {
            let options: Vec<String> = options.into_iter().collect();
            (name, format!("Default value of {}.", options.join(", ")))
        })
        .collect()
}

/// Writes the environment variables of a program: those of the help topic, and those that options mention.
fn environment(page: &mut Page, program: &Program) {
    let of_commands = program.commands.iter().flat_map(|it| &it.arguments);
    let mut texts = variables(program.options.iter().chain(of_commands));
    page.section("ENVIRONMENT");
    if program.topics.is_empty() {
        for (name, text) in [
            ("GLANCE_DATA_DIR", "Default value of --data-dir."),
            ("NO_COLOR", "Disables colors if set."),
            (
                "OS_SECTION__OPTION",
                "Overrides an option in the configuration files, such as OS_DATABASE__CONNECTION. See \
                 glance.conf(5).",
            ),
        ] {
            texts.insert(name.to_string(), text.to_string());
        }
    } else {
        let text = topic_text("environment");
        let (_, body) = text.split_once('\n').unwrap_or((&text, ""));
        topic(page, body);
        let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
        let described: BTreeSet<&str> = body.split(|c| !is_part(c)).collect();
        texts.retain(|name, _| !described.contains(name.as_str()));
        page.paragraph("These variables set options that are not given:");
    }
    write_variables(page, &texts);
}

fn write_variables(page: &mut Page, variables: &BTreeMap<String, String>) {
    let texts: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    page.list(&texts);
}

/// Returns the names and value of an argument, as the heading of a paragraph.
fn heading(argument: &Argument) -> String {
    if argument.is_positional() {
        return format!(".I {}", macro_word(bare(&argument.placeholder)));
    }
    let names: Vec<String> = argument
        .names
        .iter()
        .map(|name| format!("\\fB{}\\fR", escape(name)))
        .collect();
    let value = match argument.takes {
        Takes::Nothing => String::new(),
        Takes::OneOrNone => format!(" [\\fI{}\\fR]", value_name(argument)),
        Takes::One => format!(" \\fI{}\\fR", value_name(argument)),
        Takes::Some => format!(" \\fI{}\\fR...", value_name(argument)),
        Takes::Any => format!(" [\\fI{}\\fR...]", value_name(argument)),
    };
    format!("{}{value}", names.join(", "))
}

/// Returns an argument as shown in a synopsis.
fn usage(argument: &Argument) -> String {
    let value = format!("\\fI{}\\fR", value_name(argument));
    if !argument.is_positional() {
        return format!("\\fB{}\\fR {value}", escape(argument.name()));
    }
    match (argument.takes, argument.required) {
        (Takes::Some, true) => format!("{value}..."),
        (Takes::Some | Takes::Any, _) => format!("[{value}...]"),
        (_, true) => value,
        (_, false) => format!("[{value}]"),
    }
}

fn value_name(argument: &Argument) -> String {
    escape(bare(&argument.placeholder))
}

/// Returns a value's name without brackets.
fn bare(name: &str) -> &str {
    name.strip_prefix('<')
        .and_then(|name| name.strip_suffix('>'))
        .unwrap_or(name)
}
