//! The floors of the house: imports only go down, and no floor names what belongs to the programs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glance_tools::cli::command::grammar::Grammar;
use glance_tools::cli::{cache_manage, manage};

use super::source::{Token, tokens};

/// The floors from the top. Modules on one floor may not import each other.
const FLOORS: [&[&str]; 9] = [
    &["cli"],
    &["ops", "server"],
    &["output", "local", "remote"],
    &["service"],
    &["amqp", "keystone"],
    &["http"],
    &["config", "data"],
    &["model"],
    &["error"],
];

/// Literals that look like words of our programs and are not: the end of a path, the literal, and the reason.
const EXEMPT: &[(&str, &str, &str)] = &[
    (
        "local/import/convert.rs",
        "--output=json",
        "qemu-img's option",
    ),
    (
        "local/import/convert.rs",
        "--image-opts",
        "qemu-img's option",
    ),
];

/// Returns the number of the floor that a module is on.
fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// A source file of the library.
struct File {
    path: PathBuf,
    /// The path of its module, without the crate.
    module: Vec<String>,
    /// Its tokens, without those of items for tests.
    tokens: Vec<(usize, Token)>,
}

/// Returns the source files of the library without those for tests.
fn files() -> Vec<File> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut for_tests = BTreeSet::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let relative = path.strip_prefix(&top).unwrap().with_extension("");
            let names = relative
                .iter()
                .map(|name| name.to_str().unwrap().to_string());
            let mut module: Vec<String> = names.collect();
            module.retain(|name| name != "mod" && name != "lib");
            let text = std::fs::read_to_string(&path).unwrap();
            let (tokens, modules) = without_tests(&tokens(&text));
            for_tests.extend(
                modules
                    .into_iter()
                    .map(|name| [&module[..], &[name]].concat()),
            );
            found.push(File {
                path,
                module,
                tokens,
            });
        }
    }
    found.retain(|file| {
        let module = &file.module;
        // The programs' main functions, and lib.rs, stand above all floors.
        !module.is_empty()
            && module[0] != "bin"
            && !(1..=module.len()).any(|length| for_tests.contains(&module[..length]))
    });
    found
}

/// Removes items with `#[cfg(test)]`. Also returns the names of modules in other files among them.
fn without_tests(all: &[(usize, Token)]) -> (Vec<(usize, Token)>, Vec<String>) {
    let attribute = tokens("#[cfg(test)]");
    let is_attribute = |at: usize| {
        let there = all.iter().skip(at).map(|(_, token)| token);
        attribute
            .iter()
            .map(|(_, token)| token)
            .eq(there.take(attribute.len()))
    };
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < all.len() {
        if !is_attribute(at) {
            kept.push(all[at].clone());
            at += 1;
            continue;
        }
        let start = at + attribute.len();
        at = start;
        let mut depth = 0;
        while at < all.len() {
            match &all[at].1 {
                Token::Mark('{' | '(' | '[') => depth += 1,
                Token::Mark('}' | ')' | ']') => depth -= 1,
                _ => {}
            }
            at += 1;
            let ends = matches!(all[at - 1].1, Token::Mark('}' | ';' | ','));
            if depth <= 0 && ends {
                break;
            }
        }
        if let [
            ..,
            (_, Token::Word(keyword)),
            (_, Token::Word(name)),
            (_, Token::Mark(';')),
        ] = &all[start..at]
            && keyword == "mod"
        {
            modules.push(name.clone());
        }
    }
    (kept, modules)
}

/// The modules at the top of the crate that paths in `file` lead to, each with its line.
fn used(file: &File) -> Vec<(usize, String)> {
    let tokens = &file.tokens;
    let mut found = Vec::new();
    // Modules within the file, each with the depth of braces inside of it.
    let mut inner: Vec<(usize, String)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while at < tokens.len() {
        let is_path = is_separator(tokens, at + 1) && !(at > 1 && is_separator(tokens, at - 2));
        match &tokens[at].1 {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth -= 1;
                inner.retain(|(inside, _)| *inside <= depth);
            }
            Token::Word(word) if word == "mod" => {
                if let [(_, Token::Word(name)), (_, Token::Mark('{')), ..] = &tokens[at + 1..] {
                    inner.push((depth + 1, name.clone()));
                }
            }
            Token::Word(word) if is_path && matches!(word.as_str(), "crate" | "super" | "self") => {
                let inner = inner.iter().map(|(_, name)| name.clone());
                let base = file.module.iter().cloned().chain(inner).collect();
                // Braces of a list are balanced: counting goes on after the path.
                at = follow(tokens, at, base, &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns whether `::` is at this position.
fn is_separator(tokens: &[(usize, Token)], at: usize) -> bool {
    let is_colon = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|(_, token)| *token == Token::Mark(':'))
    };
    is_colon(at) && is_colon(at + 1)
}

/// Follows the path at `at` from the module `base`, adds the top modules that it leads to, and returns the position after
/// the part that was read.
fn follow(
    tokens: &[(usize, Token)],
    mut at: usize,
    mut base: Vec<String>,
    found: &mut Vec<(usize, String)>,
) -> usize {
    while let Some((line, token)) = tokens.get(at) {
        match token {
            Token::Word(word) if word == "crate" => base.clear(),
            Token::Word(word) if word == "super" => {
                base.pop();
            }
            Token::Word(word) if word == "self" => {}
            Token::Word(word) => {
                if base.is_empty() {
                    found.push((*line, word.clone()));
                }
                base.push(word.clone());
            }
            Token::Mark('{') => {
                at += 1;
                while tokens
                    .get(at)
                    .is_some_and(|(_, token)| *token != Token::Mark('}'))
                {
                    at = follow(tokens, at, base.clone(), found);
                    // What is left of an element: `as x`, `*`, a comma.
                    while tokens
                        .get(at)
                        .is_some_and(|(_, token)| *token != Token::Mark('}'))
                    {
                        at += 1;
                        if tokens[at - 1].1 == Token::Mark(',') {
                            break;
                        }
                    }
                }
                return at + 1;
            }
            Token::Mark(_) | Token::Literal(_) => return at,
        }
        at += 1;
        if !is_separator(tokens, at) {
            return at;
        }
        at += 2;
    }
    at
}

#[test]
fn imports_only_go_down() {
    let mut wrong = Vec::new();
    let files = files();
    for file in &files {
        let module = &file.module[0];
        let from = floor(module).unwrap_or_else(|| panic!("{module} is on no floor"));
        for (line, name) in used(file) {
            if name != *module && floor(&name).is_some_and(|to| to <= from) {
                let path = file.path.display();
                wrong.push(format!("{path}:{line}: {module} imports {name}"));
            }
        }
    }
    assert!(files.len() > 250, "{}", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_resolved_to_the_module_that_they_lead_to() {
    let names = |module: &str, source: &str| {
        let file = File {
            path: PathBuf::new(),
            module: module.split('/').map(str::to_string).collect(),
            tokens: without_tests(&tokens(source)).0,
        };
        let used = used(&file).into_iter().map(|(_, name)| name);
        used.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("local/images", "use crate::cli::ui;"), "cli");
    assert_eq!(
        names(
            "local/images",
            "use crate::{cli::ui as x, Error, model::{a, b}};"
        ),
        "cli Error model"
    );
    assert_eq!(names("local/images", "use super::super::cli::ui;"), "cli");
    assert_eq!(names("local/images", "use super::quota;"), "");
    assert_eq!(
        names(
            "local/images",
            "use super::{quota, super::{cli, http::{x, y}}, z};"
        ),
        "cli http"
    );
    assert_eq!(
        names(
            "local/images",
            "fn f() { super::super::cli::run(); g::<crate::ops::X>() }"
        ),
        "cli ops"
    );
    assert_eq!(
        names("error", "use super::cli; use self::super::http;"),
        "cli http"
    );
    // Modules within the file count.
    assert_eq!(
        names(
            "error",
            "mod a { use super::cli; mod b { use super::super::super::ops; } } use super::cli;"
        ),
        "ops cli"
    );
    assert_eq!(
        names(
            "local",
            "#[cfg(test)]\nmod tests { use crate::cli; }\nuse crate::http;"
        ),
        "http"
    );
    assert_eq!(
        names("local", "#[cfg(test)]\nuse crate::cli;\nuse crate::http;"),
        "http"
    );
    assert_eq!(
        names(
            "local",
            "// use crate::cli;\nf(\"crate::cli\"); /* crate::cli */"
        ),
        ""
    );
}

/// The words of our programs that no other floor uses.
struct Vocabulary {
    programs: BTreeSet<String>,
    commands: BTreeSet<String>,
}

impl Vocabulary {
    fn new() -> Self {
        let mut programs: BTreeSet<String> = crate::cli::grammar::grammar()["tools"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        programs.insert("glance-api".to_string());
        let rows = [Grammar::Glance, Grammar::Openstack].map(Grammar::rows);
        let mut commands: BTreeSet<String> = rows
            .iter()
            .flatten()
            .map(|row| row.name.to_string())
            // Two words may be plain English: `image import`.
            .filter(|name| name.contains('-') || name.split(' ').count() > 2)
            .collect();
        let tools = [manage::command(), cache_manage::command()];
        for tool in &tools {
            for command in tool.get_subcommands() {
                let name = command.get_name();
                let actions = command.get_subcommands().map(clap::Command::get_name);
                commands.extend(actions.map(|action| format!("{name} {action}")));
                if name.contains(['-', '_']) {
                    commands.insert(name.to_string());
                }
            }
        }
        let listed = cache_manage::COMMANDS.iter().chain(cache_manage::UPKEEP);
        commands.extend(
            listed
                .map(|row| row.name.to_string())
                .filter(|name| name.contains('-')),
        );
        Self { programs, commands }
    }

    /// Returns the first word of our programs in a literal.
    fn find<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        // `glance image-list`, but not a path or a name that is `glance`.
        for program in ["glance", "openstack"] {
            let mut at = text
                .match_indices(program)
                .filter(|(at, _)| is_whole(text, *at, program));
            if at.any(|(at, _)| {
                let rest = text[at + program.len()..].strip_prefix(' ');
                rest.is_some_and(|rest| {
                    rest.starts_with(|next: char| next.is_ascii_lowercase() || next == '-')
                })
            }) {
                return Some(program);
            }
        }
        let mut options = text.match_indices("--").filter(|(at, _)| {
            let is_start =
                !text[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '-');
            let name = &text[at + 2..];
            is_start && name.starts_with(|next: char| next.is_ascii_lowercase() || next == '{')
        });
        if let Some((at, _)) = options.next() {
            let end = text[at..]
                .find(char::is_whitespace)
                .map_or(text.len(), |end| at + end);
            return Some(&text[at..end]);
        }
        let names = self.programs.iter().chain(&self.commands);
        let mut names = names.filter(|name| {
            let mut places = text.match_indices(name.as_str());
            places.any(|(at, _)| is_whole(text, at, name))
        });
        names.next().map(String::as_str)
    }
}

/// Returns whether the word at `at` is not a part of a longer name, a path or a file name.
fn is_whole(text: &str, at: usize, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || "_-/".contains(character);
    let rest = &text[at + word.len()..];
    let is_extended = rest.starts_with(is_part)
        || rest
            .strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(is_part));
    !is_extended && !text[..at].ends_with(|before| is_part(before) || before == '.')
}

#[test]
fn only_the_programs_name_programs_commands_and_options() {
    let vocabulary = Vocabulary::new();
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<_> = EXEMPT.iter().collect();
    let mut count = 0;
    for file in files().iter().filter(|file| file.module[0] != "cli") {
        for (line, token) in &file.tokens {
            let Token::Literal(text) = token else {
                continue;
            };
            count += 1;
            let Some(word) = vocabulary.find(text) else {
                continue;
            };
            let exempt = EXEMPT
                .iter()
                .find(|(path, literal, _)| file.path.ends_with(path) && literal == text);
            if let Some(exempt) = exempt {
                unused.remove(exempt);
            } else {
                wrong.push(format!(
                    "{}:{line}: '{word}' in '{text}'",
                    file.path.display()
                ));
            }
        }
    }
    assert!(count > 4000, "{count}");
    assert!(unused.is_empty(), "{unused:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_of_the_programs_are_found_in_texts() {
    let vocabulary = Vocabulary::new();
    for (text, word) in [
        ("See glance usage.", "glance"),
        ("Run \"openstack image list\".", "openstack"),
        ("Run glance-manage first.", "glance-manage"),
        ("'glance-api'", "glance-api"),
        ("see (--store STORE)", "--store"),
        ("--os-cloud", "--os-cloud"),
        ("(--{option})", "--{option})"),
        ("Use image-list.", "image-list"),
        ("first db sync, then", "db sync"),
        ("cached image clear", "cached image clear"),
        ("list-cached shows it", "list-cached"),
    ] {
        assert_eq!(vocabulary.find(text), Some(word), "{text}");
    }
    for text in [
        "glance",
        "/etc/glance/glance-api.conf",
        "glance-direct",
        "[glance_store]",
        "the service Glance is down",
        "-- a comment",
        "a--b",
        "image import",
        "x-image-cache-clear-target",
        "glance.store.filesystem.Store",
        "sqlite:///glance.db",
    ] {
        assert_eq!(vocabulary.find(text), None, "{text}");
    }
}
