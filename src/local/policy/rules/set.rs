//! Rules by their names, which refer to each other.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::Check;

/// The maximum number of rules that a rule reaches one through another.
const MAX_DEPTH: usize = 64;

/// The place of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The defaults of the reference implementation.
    Default,
    /// A policy file, and the line in it, counted from 1.
    File(Arc<Path>, usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// A rule and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rule.
    pub check: Check,
    /// The rule as it was written.
    pub text: String,
    /// The place.
    pub origin: Origin,
}

/// A set of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    rules: BTreeMap<String, Rule>,
    /// The name of the rule that counts in place of an unknown one.
    default: Option<String>,
}

impl RuleSet {
    /// Creates a set. Rules that refer to themselves, also through others, are false. Returns it with the reasons
    /// why rules do not work, each with the name of its rule.
    pub fn new(
        rules: BTreeMap<String, Rule>,
        default: Option<String>,
    ) -> (Self, Vec<(String, String)>) {
        let mut set = Self { rules, default };
        let mut faults = set.unknown();
        for name in set.endless() {
            if let Some(rule) = set.rules.get_mut(&name) {
                rule.check = Check::never(&rule.text);
            }
            let why = "it refers to itself, or to a rule that does";
            faults.push((name, why.to_string()));
        }
        (set, faults)
    }

    /// Returns a rule, or the default one in place of an unknown one; None without that.
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.rules.get(self.resolve(name)?)
    }

    /// Returns the rules, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(name, rule)| (name.as_str(), rule))
    }

    /// Returns whether the set has a rule of that name itself.
    pub fn has(&self, name: &str) -> bool {
        self.rules.contains_key(name)
    }

    /// Returns the name of the rule that counts for a name.
    fn resolve<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        if self.has(name) {
            return Some(name);
        }
        self.default.as_deref().filter(|default| self.has(default))
    }

    /// Returns the rules that refer to unknown ones, and the reasons.
    fn unknown(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        for (name, rule) in &self.rules {
            rule.check.each_reference(&mut |other| {
                if !self.has(other) {
                    let counts = match self.resolve(other) {
                        Some(default) => format!("the rule '{default}' counts in its place"),
                        None => "it counts as false".to_string(),
                    };
                    faults.push((
                        name.clone(),
                        format!("the rule '{other}' is unknown: {counts}"),
                    ));
                }
            });
        }
        faults
    }

    /// Returns the names of the rules that refer to themselves or to such a rule, sorted.
    fn endless(&self) -> Vec<String> {
        let mut known = HashMap::new();
        let mut endless = Vec::new();
        for name in self.rules.keys() {
            if !self.ends(name, &mut known, 0) {
                endless.push(name.clone());
            }
        }
        endless
    }

    /// Returns whether the references from a rule come to an end. `known` has the rules that do or do not, and those
    /// in progress as if they did not.
    fn ends<'a>(&'a self, name: &'a str, known: &mut HashMap<&'a str, bool>, depth: usize) -> bool {
        if let Some(ends) = known.get(name) {
            return *ends;
        }
        known.insert(name, false);
        let mut ends = depth < MAX_DEPTH;
        if let Some(rule) = self.rules.get(name) {
            rule.check.each_reference(&mut |other| {
                if let Some(other) = self.resolve(other) {
                    ends = ends && self.ends(other, known, depth + 1);
                }
            });
        }
        known.insert(name, ends);
        ends
    }
}
