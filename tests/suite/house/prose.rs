//! Rules for the project's English that a machine can check, over doc comments, comments and string literals.
//!
//! A text that must equal upstream's is exempt if the line above it is a comment that contains [`MARK`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::source::literals;

/// The folders and files that the rules apply to.
const FOLDERS: [&str; 15] = [
    "src/amqp",
    "src/cli",
    "src/config",
    "src/data",
    "src/error",
    "src/error.rs",
    "src/http",
    "src/keystone",
    "src/local",
    "src/model",
    "src/ops",
    "src/output",
    "src/remote",
    "src/server",
    "src/service",
];

/// The mark of a literal that must equal upstream's, in a comment on the line above it.
const MARK: &str = "Upstream's text";

/// Phrases that are not used, each with what to write instead. Words match whole words.
const DENIED: &[(&str, &str)] = &[
    ("tell", "report, print, log"),
    ("tells", "reports, prints, logs"),
    ("told", "reported, printed, logged"),
    ("say", "print, report, show"),
    ("says", "prints, reports, contains"),
    ("said", "printed, reported"),
    ("look at", "check, read"),
    ("looks at", "checks, reads"),
    ("looked at", "checked, read"),
    ("look after", "manage"),
    ("looked through", "searched"),
    ("take off", "remove"),
    ("takes off", "removes"),
    ("taken off", "removed"),
    ("take away", "remove"),
    ("taken away", "removed"),
    ("gives back", "returns"),
    ("is given back", "is returned"),
    ("shall", "must, will"),
    ("whoever", "the process, the caller"),
    ("somebody", "the process, the caller, another user"),
    ("someone", "the process, the caller, another user"),
    ("nobody", "no process, no caller"),
    ("meanwhile", "concurrently, in the meantime"),
    ("anew", "again"),
    ("all the same", "anyway"),
    ("in the end", "finally"),
    ("in vain", "without effect"),
    ("by then", "already"),
    ("as it is then", "afterwards"),
    ("as there", "same as"),
    ("there is none of", "unknown"),
    ("there are none of", "unknown"),
    ("that is none", "invalid"),
    ("is none of", "is not one of"),
    ("is no text", "is not a string"),
    ("is no number", "is not a number"),
    ("is wanted", "is required, is expected"),
    ("is meant", "is selected, is used"),
    ("are meant", "are selected, are used"),
    ("unless told otherwise", "by default"),
    ("what is left to do", "the remaining work"),
    ("wants to be", "must be"),
    ("who asks", "the caller"),
    ("who is asking", "the caller"),
    ("goes on", "continues"),
    ("go on", "continue"),
    ("going on", "in progress"),
    ("broke off", "failed"),
    ("real client", "upstream"),
    ("real clients", "upstream"),
    ("real one", "upstream"),
    ("real ones", "upstream"),
    ("real program", "upstream's program"),
    ("real programs", "upstream's programs"),
    ("is ours", "is an extension"),
    ("of ours", "additional"),
    ("insist", "retry"),
    ("insists", "retries"),
    ("mishap", "transient failure"),
    ("doomed", "to be removed"),
    ("workpiece", "the data"),
    ("held to", "limited to"),
];

/// Words that no doc comment begins with: it names its subject instead.
const HEADLESS: &[&str] = &[
    "What", "Whatever", "Who", "Whom", "Whose", "Those", "That", "It", "They", "Where", "Which",
    "As", "Does",
];

/// The kind of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Consecutive `///` or `//!` lines.
    Doc,
    /// Consecutive `//` lines.
    Comment,
    /// A string literal of more than one word.
    Literal,
}

/// A text of a source file.
#[derive(Debug)]
struct Text {
    kind: Kind,
    /// The number of its first line.
    line: usize,
    /// The text on one line.
    content: String,
    /// The first line of code after a doc comment and its attributes.
    item: String,
    /// Whether an attribute of clap follows a doc comment, so that it is a help text.
    is_help: bool,
}

/// Returns the marker of a line that is a comment as a whole.
fn marker(line: &str) -> Option<&'static str> {
    ["///", "//!", "//"]
        .into_iter()
        .find(|marker| line.starts_with(marker))
}

/// Returns the texts of `source` before its unit tests.
fn texts(source: &str) -> Vec<Text> {
    // A declaration of a test module in another file may be at the top of a file.
    let tests = source
        .match_indices("\n#[cfg(test)]\nmod ")
        .find(|(at, _)| {
            let declaration = source[*at..].lines().nth(2);
            declaration.is_some_and(|line| line.ends_with('{'))
        });
    let source = tests.map_or(source, |(at, _)| &source[..at]);
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let mut found: Vec<Text> = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let Some(begin) = marker(lines[index]) else {
            index += 1;
            continue;
        };
        let start = index;
        let mut text = String::new();
        while let Some(line) = lines.get(index)
            && marker(line) == Some(begin)
        {
            // An empty line separates paragraphs.
            let more = &line[begin.len()..];
            text.push_str(if more.is_empty() { "\n" } else { more });
            index += 1;
        }
        let mut text_after = lines[index..].iter();
        let mut is_help = false;
        let item = text_after
            .find(|line| {
                is_help |= line.starts_with("#[arg") || line.starts_with("#[command");
                !line.starts_with("#[") && !line.ends_with(")]") && !line.is_empty()
            })
            .copied()
            .unwrap_or_default();
        found.push(Text {
            kind: if begin == "//" {
                Kind::Comment
            } else {
                Kind::Doc
            },
            line: start + 1,
            content: text.trim().to_string(),
            item: item.to_string(),
            is_help,
        });
    }
    for (line, text) in literals(source) {
        let above = lines.get(line.wrapping_sub(2)).copied().unwrap_or_default();
        let is_exempt = above.starts_with("//") && above.contains(MARK);
        if text.contains(' ') && !is_exempt {
            found.push(Text {
                kind: Kind::Literal,
                line,
                content: text,
                item: String::new(),
                is_help: false,
            });
        }
    }
    found
}

/// Returns the text in lower case without code spans and links.
fn plain(text: &str) -> String {
    text.split('`')
        .step_by(2)
        .collect::<Vec<_>>()
        .join("_")
        .to_lowercase()
}

/// Returns whether `phrase` occurs in `text` as whole words.
fn contains(text: &str, phrase: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    text.match_indices(phrase).any(|(at, _)| {
        !text[..at].ends_with(is_word) && !text[at + phrase.len()..].starts_with(is_word)
    })
}

/// Returns whether a line of code begins a function.
fn is_function(item: &str) -> bool {
    let mut words = item.split([' ', '(']).filter(|word| {
        !matches!(*word, "pub" | "in" | "const" | "async" | "unsafe") && !word.ends_with(')')
    });
    words.next() == Some("fn")
}

/// Returns what is wrong with a text.
fn complaints(text: &Text) -> Vec<String> {
    let mut wrong = Vec::new();
    let plain = plain(&text.content);
    for (phrase, better) in DENIED {
        if contains(&plain, phrase) {
            wrong.push(format!("'{phrase}': write {better}"));
        }
    }
    if text.kind != Kind::Doc {
        return wrong;
    }
    let first = text.content.split([' ', '\n']).next().unwrap_or_default();
    if HEADLESS.contains(&first.trim_end_matches(['.', ',', ':', ';'])) {
        wrong.push(format!("begins with '{first}': name the subject"));
    }
    if is_function(&text.item) && !first.trim_end_matches(',').ends_with('s') {
        wrong.push(format!(
            "'{first}' begins the description of a function: use a third-person verb"
        ));
    }
    if text.item.ends_with(": bool,") && !text.is_help && first != "Whether" {
        wrong.push(format!(
            "'{first}' begins the description of a boolean: use Whether"
        ));
    }
    wrong
}

/// Collects the Rust files below a folder, or the file itself.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.is_file() {
        found.push(folder.to_path_buf());
        return;
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn texts_are_in_plain_english() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = String::new();
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut files_in_all = 0;
    for folder in FOLDERS {
        let mut paths = Vec::new();
        files(&top.join(folder), &mut paths);
        paths.sort();
        let mut docs = 0;
        for path in &paths {
            let source = std::fs::read_to_string(path).unwrap();
            for text in texts(&source) {
                *counts.entry(text.kind).or_default() += 1;
                docs += usize::from(text.kind == Kind::Doc);
                for complaint in complaints(&text) {
                    let path = path.strip_prefix(top).unwrap().display();
                    let _ = writeln!(wrong, "{path}:{}: {complaint}", text.line);
                }
            }
        }
        // Fewer would mean that something was not read.
        let files = paths.len();
        assert!(files > 0 && docs >= 3 * files, "{folder}: {docs}");
        files_in_all += files;
    }
    for (kind, least) in [
        (Kind::Comment, files_in_all / 2),
        (Kind::Literal, files_in_all),
    ] {
        let count = counts.get(&kind).copied().unwrap_or_default();
        println!("{count} texts of kind {kind:?} in {files_in_all} files");
        assert!(count >= least, "{count} {kind:?}");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_denied_phrase_is_found_in_every_kind_of_text() {
    for (phrase, _) in DENIED {
        for source in [
            format!("/// Returns what they {phrase}, as ever.\nfn f() {{}}\n"),
            format!("//! The module {phrase}\n"),
            format!("fn f() {{\n    // They {phrase}.\n}}\n"),
            format!("fn f() {{ let s = 'x'; g(\"they \\\n    {phrase} it\") }}\n"),
        ] {
            let found = texts(&source).iter().flat_map(complaints).count();
            assert!(found > 0, "{source}");
        }
    }
    // A phrase may continue on the next line; code and parts of words are no phrases.
    let found = |source: &str| texts(source).iter().flat_map(complaints).count();
    assert_eq!(found("// They look\n// at it.\n"), 1);
    assert_eq!(found("// Calls `tell` of the retell.\n"), 0);
    assert_eq!(found("/// Returns it.\nfn f() { g(\"a b\") }\n"), 0);
}

#[test]
fn a_description_names_its_subject() {
    let found = |source: &str| texts(source).iter().flat_map(complaints).count();
    for wrong in [
        "/// What it came to.\nstruct A;\n",
        "/// It.\nconst fn f() {}\n",
        "/// The value.\npub(super) async fn f() {}\n",
        "/// The value.\npub(in crate::cli) const fn f() {}\n",
        "/// Set for all.\n#[serde(default)]\npub all: bool,\n",
    ] {
        assert!(found(wrong) > 0, "{wrong}");
    }
    for right in [
        "/// Returns the value.\npub fn f() {}\n",
        "/// A function pointer.\ntype F = fn();\n",
        "/// Show all images.\n#[arg(long)]\npub all: bool,\n",
        "/// Whether all are shown.\npub all: bool,\n",
    ] {
        assert_eq!(found(right), 0, "{right}");
    }
}

#[test]
fn only_a_marked_literal_is_exempt() {
    let found = |source: &str| texts(source).iter().flat_map(complaints).count();
    assert_eq!(found("fn f() {\n    g(\"they say so\")\n}\n"), 1);
    let marked = format!("fn f() {{\n    // {MARK}: f.py.\n    g(\"they say so\")\n}}\n");
    assert_eq!(found(&marked), 0);
    let docs = format!("// {MARK}\n/// Texts say so.\n");
    assert_eq!(found(&docs), 1);
}
