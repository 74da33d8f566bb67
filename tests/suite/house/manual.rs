//! The manual: it is well-formed, complete, and says what the help says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glance_tools::cli::command::examples;
use glance_tools::cli::command::grammar::Grammar;
use glance_tools::cli::command::help;
use glance_tools::cli::{api, cache_manage, manage, scrubber};
use glance_tools::model::{ImageStatus, Visibility};

const GRAMMARS: [Grammar; 2] = [Grammar::Glance, Grammar::Openstack];

fn manual() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// Returns the files of the manual.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    for section in ["man1", "man5", "man7"] {
        let entries = fs::read_dir(manual().join(section)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.sort();
    pages
}

fn source(page: &str) -> String {
    let section = page.rsplit('.').next().unwrap();
    let path = manual().join(format!("man{section}")).join(page);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns a line of source as a reader sees it.
fn plain(line: &str) -> String {
    let mut text = line.to_string();
    for (source, shown) in [
        ("\\fB", ""),
        ("\\fI", ""),
        ("\\fR", ""),
        ("\\&", ""),
        ("\\(aq", "'"),
        ("\\(ga", "`"),
        ("\\(ha", "^"),
        ("\\(ti", "~"),
        ("\\(dq", "\""),
        ("\\(en", "–"),
        ("\\-", "-"),
        ("\\~", " "),
        ("\\e", "\\"),
    ] {
        text = text.replace(source, shown);
    }
    text
}

/// Returns the lines of a section.
fn section<'a>(page: &'a str, title: &str) -> Vec<&'a str> {
    let heading = format!(".SH \"{title}\"");
    page.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with(".SH"))
        .collect()
}

/// The options in a text, each with its description.
type Options = BTreeMap<String, String>;

/// Returns the name by which an option is compared: the long one if there is one.
fn key(heading: &str) -> String {
    let words = heading.split([' ', ',', '=']);
    let names: Vec<&str> = words.filter(|word| word.starts_with('-')).collect();
    let long = names.iter().find(|name| name.starts_with("--"));
    (*long.or(names.first()).unwrap_or(&"")).to_string()
}

/// Returns a description in which only its words count.
fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let ends = [" [default:", " [possible values:", " [alias"];
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    let text = &text[..end.unwrap_or(text.len())];
    text.trim_end_matches('.').replace('…', "...")
}

/// Returns the options of a manual page.
fn options_of_page(page: &str) -> Options {
    let mut options = Options::new();
    let mut lines = section(page, "OPTIONS").into_iter().peekable();
    while let Some(line) = lines.next() {
        if line != ".TP" {
            continue;
        }
        let name = key(&plain(lines.next().unwrap()));
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('.')) {
            text.push_str(&plain(line));
            text.push(' ');
        }
        if !name.is_empty() {
            options.insert(name, normalised(&text));
        }
    }
    options
}

/// Returns the options of a help text.
fn options_of_help(help: &str) -> Options {
    let mut options = Options::new();
    let mut lists_options = false;
    let mut current: Option<(usize, String, String)> = None;
    let indent = |line: &str| line.len() - line.trim_start().len();
    for line in help.lines().chain([""]) {
        let is_option = lists_options && indent(line) > 0 && line.trim_start().starts_with('-');
        let continues = current.as_ref().is_some_and(|(at, ..)| {
            !line.trim().is_empty() && indent(line) > *at + 2 && !is_option
        });
        if continues {
            if let Some((_, _, text)) = &mut current {
                text.push(' ');
                text.push_str(line.trim());
            }
            continue;
        }
        if let Some((_, name, text)) = current.take() {
            options.insert(name, normalised(&text));
        }
        if is_option {
            let (heading, text) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
            current = Some((indent(line), key(heading), text.to_string()));
        } else if indent(line) == 0 && line.ends_with(':') {
            let heading = line.to_lowercase();
            lists_options = heading.contains("option") || heading.contains("formatter");
        }
    }
    options
}

/// Compares the options of a help text with those of a manual page, which may say more about each.
fn compare(name: &str, help: &Options, page: &Options) -> Vec<String> {
    let mut wrong = Vec::new();
    let names: BTreeSet<&String> = help.keys().chain(page.keys()).collect();
    for option in names {
        match (help.get(option), page.get(option)) {
            (Some(help), Some(page)) if page.starts_with(help.as_str()) => {}
            (help, page) => wrong.push(format!("{name} {option}: help {help:?}, page {page:?}")),
        }
    }
    wrong
}

#[test]
fn help_and_manual_have_the_same_options_with_the_same_texts() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for grammar in GRAMMARS {
        for row in grammar.rows() {
            let name = row.name.replace(' ', "-");
            let page = source(&format!("{}-{name}.1", grammar.program()));
            let text = help::command(grammar, grammar, row, help::UNLIMITED);
            let mut of_help = options_of_help(&text);
            // Every command has it.
            of_help.remove("--help");
            let mut of_page = options_of_page(&page);
            of_page.remove("--help");
            compared += of_help.len();
            wrong.extend(compare(row.name, &of_help, &of_page));
            let summary = row.about.to_lowercase();
            let about = section(&page, "NAME").join(" ");
            if !plain(&about).to_lowercase().ends_with(&summary) {
                wrong.push(format!("{}: {about}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 300, "only {compared} options were found");
}

#[test]
fn help_and_manual_of_the_operators_programs_have_the_same_options() {
    let mut wrong = Vec::new();
    for parser in [
        api::command(),
        manage::command(),
        scrubber::command(),
        cache_manage::command(),
    ] {
        let name = parser.get_name().to_string();
        let of_help = parser.term_width(0).render_help().to_string();
        let of_help = options_of_help(&of_help);
        assert!(of_help.len() > 10, "{name}: {of_help:?}");
        let page = source(&format!("{name}.1"));
        // The additional options are not in the list of the help, but in its notes.
        let mut of_page = options_of_page(&page);
        of_page.retain(|option, _| of_help.contains_key(option));
        wrong.extend(compare(&name, &of_help, &of_page));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_of_a_program_has_its_global_options() {
    for grammar in GRAMMARS {
        let of_page = options_of_page(&source(&format!("{}.1", grammar.program())));
        for global in grammar.globals().filter(|global| !global.hidden) {
            let name = format!("--{}", global.long);
            let text = of_page
                .get(&name)
                .unwrap_or_else(|| panic!("{name} is missing"));
            assert!(text.starts_with(&normalised(global.help)), "{name}: {text}");
        }
    }
}

#[test]
fn the_overview_lists_every_command_with_its_page() {
    let page = plain(&source("glance.1"));
    for grammar in GRAMMARS {
        for row in grammar.rows() {
            let name = row.name.replace(' ', "-");
            let reference = format!("{}-{name}(1)", grammar.program());
            assert!(page.contains(&reference), "{reference}");
            assert!(page.contains(&format!(".B \"{}\"", row.name)), "{name}");
        }
    }
}

#[test]
fn every_page_of_a_command_has_the_sections_that_readers_look_for() {
    for grammar in GRAMMARS {
        for row in grammar.rows() {
            let page = source(&format!(
                "{}-{}.1",
                grammar.program(),
                row.name.replace(' ', "-")
            ));
            let titles: Vec<&str> = page
                .lines()
                .filter_map(|line| line.strip_prefix(".SH "))
                .filter(|title| *title != "\"ENVIRONMENT\"")
                .collect();
            let wanted = [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "EXIT STATUS",
                "SEE ALSO",
            ];
            assert_eq!(
                titles,
                wanted.map(|title| format!("\"{title}\"")),
                "{}",
                row.name
            );
            for example in examples::of(grammar, row.name) {
                let shown = section(&page, "EXAMPLES").join(" ");
                let text = plain(&shown).replace(" \\     ", " ");
                assert!(
                    text.contains(example.line),
                    "{}: {}",
                    row.name,
                    example.line
                );
            }
        }
    }
}

#[test]
fn every_reference_leads_to_a_page() {
    let names: BTreeSet<String> = pages()
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let (name, section) = name.rsplit_once('.').unwrap();
            format!("{name}({section})")
        })
        .collect();
    let mut found = 0;
    for path in pages() {
        let text = plain(&fs::read_to_string(&path).unwrap());
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let texts = text.lines().map(|line| match line.strip_prefix(".BR ") {
            Some(reference) => reference.replacen(" (", "(", 1),
            None => line.to_string(),
        });
        for line in texts {
            for section in ["(1)", "(5)", "(7)"] {
                for (end, _) in line.match_indices(section) {
                    let before = &line[..end];
                    let start = before.rfind(|c| !is_part(c)).map_or(0, |at| at + 1);
                    let reference = format!("{}{section}", &before[start..]);
                    assert!(
                        names.contains(&reference),
                        "{}: {reference}",
                        path.display()
                    );
                    found += 1;
                }
            }
        }
    }
    assert!(found > 400, "only {found} references were found");
}

#[test]
fn the_page_on_images_names_every_state_and_visibility_and_all_default_formats() {
    let page = plain(&source("glance-images.7"));
    let states = ImageStatus::ALL.iter().map(|state| state.name());
    let visibilities = Visibility::ALL.iter().map(|visibility| visibility.name());
    for name in states.chain(visibilities) {
        assert!(page.contains(&format!(".B \"{name}\"")), "{name}");
    }
    let configuration = include_str!("../../../docs/configuration.md");
    for option in ["disk_formats", "container_formats"] {
        let line = format!("| `{option}` |");
        let line = configuration.lines().find(|it| it.starts_with(&line));
        let cells: Vec<&str> = line.unwrap().split('|').collect();
        for name in cells[4].trim().trim_matches('`').split(',') {
            let heading = |line: &str| {
                let names = line.strip_prefix(".B \"").unwrap_or_default();
                names.split([',', ' ', '"']).any(|word| word == name)
            };
            assert!(page.lines().any(heading), "{name}");
        }
    }
}

#[test]
fn mandoc_has_no_complaints() {
    let mut mandoc = Command::new("mandoc");
    let run = mandoc.args(["-T", "lint"]).args(pages()).output();
    let Ok(output) = run else {
        eprintln!("skipped: mandoc is not installed (the Debian package mandoc)");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.is_empty() && output.status.success(), "{text}");
}

#[test]
fn man_finds_a_page_in_the_directory() {
    let mut man = Command::new("man");
    man.env("MANPATH", manual()).env("MANWIDTH", "78");
    let Ok(output) = man.args(["glance", "image-create"]).output() else {
        eprintln!("skipped: man is not installed (the Debian package man-db)");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("GLANCE-IMAGE-CREATE(1)"), "{text}");
}
