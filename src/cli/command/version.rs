//! The version of the programs, and what they were built from. See `build.rs`.

use serde_json::{Value, json};

use super::builtins::builtin;
use super::grammar::Grammar;
use super::help::of_builtin;
use crate::{Error, Result};

/// The version of all programs, with commit and date if they are known: `0.1.0 (f00baa1 2026-11-28)`.
pub const VERSION: &str = env!("GLANCE_VERSION");

/// Returns the line that `--version` prints.
pub fn line(program: Grammar) -> String {
    format!("{} {VERSION}", program.program())
}

/// Returns the output of `version`: the line of `--version`, or with `--json` an object.
///
/// # Errors
/// `Usage` for other arguments.
pub fn version(called: Grammar, words: &[String]) -> Result<String> {
    match words {
        [] => Ok(line(called)),
        [word] if word == "--json" => Ok(format!("{:#}", object(called))),
        _ => {
            let other = words.iter().find(|word| *word != "--json");
            let other = other.or(words.last()).map_or("", String::as_str);
            let usage = builtin("version").map(|builtin| of_builtin(called, builtin));
            let usage = usage.unwrap_or_default();
            let usage = usage.lines().next().unwrap_or_default();
            let program = called.program();
            Err(Error::usage(format!(
                "{usage}\n{program} version: error: unrecognized arguments: {other}"
            )))
        }
    }
}

/// Returns the version for programs. What is unknown is null.
fn object(called: Grammar) -> Value {
    let known = |text: &'static str| (!text.is_empty()).then_some(text);
    json!({
        "name": called.program(),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": known(env!("GLANCE_BUILD_COMMIT")),
        "date": known(env!("GLANCE_BUILD_DATE")),
        "target": known(env!("GLANCE_BUILD_TARGET")),
        "rustc": known(env!("GLANCE_BUILD_RUSTC")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(called: Grammar, line: &str) -> Result<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_string).collect();
        version(called, &words)
    }

    #[test]
    fn the_first_two_words_are_the_program_and_its_version() {
        for called in [Grammar::Glance, Grammar::Openstack] {
            let text = answer(called, "").unwrap();
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(words[..2], [called.program(), env!("CARGO_PKG_VERSION")]);
            let rest = words[2..].join(" ");
            assert!(rest.is_empty() || rest.starts_with('(') && rest.ends_with(')'));
            assert_eq!(text, line(called));
        }
    }

    #[test]
    fn the_object_has_the_documented_keys() {
        let text = answer(Grammar::Openstack, "--json").unwrap();
        let object: Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["name", "version", "commit", "date", "target", "rustc"]
        );
        let help = of_builtin(Grammar::Glance, builtin("version").unwrap());
        for key in keys {
            assert!(help.contains(key.as_str()), "{key}: {help}");
        }
        assert_eq!(object["name"], "openstack");
        assert_eq!(object["version"], env!("CARGO_PKG_VERSION"));
        let target = object["target"].as_str().unwrap();
        assert!(target.contains(std::env::consts::ARCH), "{target}");
        assert!(object["rustc"].as_str().unwrap().contains('.'));
        let (commit, date) = (&object["commit"], &object["date"]);
        assert!(commit.is_null() || commit.as_str().is_some_and(|commit| commit.len() >= 7));
        assert!(date.is_null() || date.as_str().is_some_and(|date| date.len() == 10));
    }

    #[test]
    fn other_arguments_are_usage_errors() {
        for line in ["--yaml", "extra", "--json extra", "--json --json"] {
            let error = answer(Grammar::Glance, line).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage, "{line}");
        }
    }
}
