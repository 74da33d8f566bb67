//! Policy files: reading them, and noticing that they have changed.
//!
//! *Source:* `Enforcer.load_rules` in `oslo_policy/policy.py`.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::defaults::DEFAULT_RULES;
use super::rules::{Check, Origin, Parsed, Rule, RuleSet, parse_list, parse_text};
use crate::config::PolicySettings;
use crate::config::yaml::{self, Node, Value};
use crate::{Error, Result};

/// The state of a file or directory, which differs after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    /// Returns the state of the first of these paths that exists; None if none does.
    pub(super) fn of_first(paths: &[PathBuf]) -> Option<Self> {
        paths.iter().find_map(|path| Self::of(path))
    }

    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            path: path.to_path_buf(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns the states of the policy files, in the order in which they are read. Directories that are missing or
/// cannot be read have none.
pub(super) fn find(settings: &PolicySettings) -> Vec<Stamp> {
    let mut found: Vec<Stamp> = Stamp::of_first(&settings.files).into_iter().collect();
    for directory in &settings.directories {
        let Some(entries) = directory
            .iter()
            .find_map(|path| std::fs::read_dir(path).ok())
        else {
            continue;
        };
        let is_hidden = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default();
            name.as_encoded_bytes().starts_with(b".")
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| !is_hidden(path) && path.is_file())
            .collect();
        paths.sort();
        found.extend(paths.iter().filter_map(|path| Stamp::of(path)));
    }
    found
}

/// Reads the files over the default rules. Returns the rules, and the reasons why rules do not work.
///
/// # Errors
/// `Io` for a file that cannot be read; `Failed`, `FILE:LINE: why`, for one that is not a mapping in YAML or JSON.
pub(super) fn load(settings: &PolicySettings, files: &[Stamp]) -> Result<(RuleSet, Vec<String>)> {
    let mut rules = BTreeMap::new();
    for rule in DEFAULT_RULES {
        let check = parse_text(rule.check).check;
        let former = rule.former.filter(|_| !settings.enforce_new_defaults);
        let (check, text) = match former {
            Some(former) => (
                Check::Any(vec![check, parse_text(former).check]),
                format!("({}) or {former}", rule.check),
            ),
            None => (check, rule.check.to_string()),
        };
        let origin = Origin::Default;
        rules.insert(
            rule.name.to_string(),
            Rule {
                check,
                text,
                origin,
            },
        );
    }
    let mut faults = Vec::new();
    for file in files {
        read(&file.path, &mut rules, &mut faults)?;
    }
    let default = Some(settings.default_rule.clone()).filter(|name| !name.is_empty());
    let (set, more) = RuleSet::new(rules, default);
    faults.extend(more);
    let described = faults.into_iter().map(|(name, why)| {
        let origin = set.get(&name).map(|rule| &rule.origin);
        let origin = origin.map(ToString::to_string).unwrap_or_default();
        format!("{origin}: rule '{name}': {why}")
    });
    let described = described.collect();
    Ok((set, described))
}

/// Adds the rules of a file.
fn read(
    path: &Path,
    rules: &mut BTreeMap<String, Rule>,
    faults: &mut Vec<(String, String)>,
) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let refuse =
        |line: usize, why: &str| Error::failed(format!("{}:{line}: {why}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| refuse(1, "not UTF-8"))?;
    let node = yaml::parse(&text).map_err(|fault| refuse(fault.line, &fault.what))?;
    let map = match node.value {
        Value::Map(map) => map,
        Value::Nothing => return Ok(()),
        Value::Text(_) | Value::List(_) => {
            return Err(refuse(node.line, "not a mapping of rules by their names"));
        }
    };
    let path: Arc<Path> = Arc::from(path);
    for (name, node) in map.iter() {
        let (parsed, text) = parse(node);
        let reasons = parsed.faults.into_iter().map(|why| (name.to_string(), why));
        faults.extend(reasons);
        let rule = Rule {
            check: parsed.check,
            text,
            origin: Origin::File(Arc::clone(&path), node.line),
        };
        rules.insert(name.to_string(), rule);
    }
    Ok(())
}

/// Parses a rule in either form. Returns it with its text.
fn parse(node: &Node) -> (Parsed, String) {
    let refused = |why: &str| {
        let (check, faults) = (Check::never(""), vec![why.to_string()]);
        (Parsed { check, faults }, String::new())
    };
    match &node.value {
        Value::Nothing => {
            let mut parsed = parse_text("");
            let why = "it has no value, and so it is always true; write \"!\" in quotes for never";
            parsed.faults.push(why.to_string());
            (parsed, String::new())
        }
        Value::Text(text) => (parse_text(text), text.clone()),
        Value::List(items) => {
            let lists: Option<Vec<Vec<String>>> = items.iter().map(texts).collect();
            let Some(lists) = lists else {
                return refused("it is a list of something else than checks and lists of checks");
            };
            let text = serde_json::to_string(&lists).unwrap_or_default();
            (parse_list(&lists), text)
        }
        Value::Map(_) => refused("it is neither a text nor a list"),
    }
}

/// Returns an inner list of checks; a check alone is a list of one.
fn texts(node: &Node) -> Option<Vec<String>> {
    match &node.value {
        Value::Nothing => Some(Vec::new()),
        Value::Text(text) if text.is_empty() => Some(Vec::new()),
        Value::Text(text) => Some(vec![text.clone()]),
        Value::List(items) => {
            let texts = items.iter().map(|item| match &item.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            });
            texts.collect()
        }
        Value::Map(_) => None,
    }
}
