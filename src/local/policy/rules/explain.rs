//! The reasons why a rule is true or false.

use std::fmt;

use serde_json::Value;

use super::{Check, Condition, Facts, RuleSet, Template, text_of};

/// A rule or a part of one, and whether it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The check: `and`, `or`, `not`, or the text of a check without parts.
    pub check: String,
    /// Whether it is true.
    pub holds: bool,
    /// The values that a check without parts compares; empty if it compares none.
    pub compares: String,
    /// The parts, all of them evaluated.
    pub parts: Vec<Explained>,
}

impl Check {
    /// Evaluates all parts of the check. It is true exactly if [`Check::holds`].
    pub fn explain(&self, rules: &RuleSet, facts: Facts<'_>) -> Explained {
        let all = |checks: &[Self]| -> Vec<Explained> {
            let parts = checks.iter().map(|check| check.explain(rules, facts));
            parts.collect()
        };
        let (check, holds, parts) = match self {
            Self::Not(check) => {
                let part = check.explain(rules, facts);
                ("not", !part.holds, vec![part])
            }
            Self::All(checks) => {
                let parts = all(checks);
                ("and", parts.iter().all(|part| part.holds), parts)
            }
            Self::Any(checks) => {
                let parts = all(checks);
                ("or", parts.iter().any(|part| part.holds), parts)
            }
            Self::Test(test) => {
                let (holds, parts) = match &test.condition {
                    Condition::Rule(name) => {
                        let rule = rules.get(name);
                        let part = rule.map(|rule| rule.check.explain(rules, facts));
                        (
                            part.as_ref().is_some_and(|part| part.holds),
                            part.into_iter().collect(),
                        )
                    }
                    condition => (condition.holds(facts), Vec::new()),
                };
                return Explained {
                    check: match test.text.as_str() {
                        "" => "(empty)".to_string(),
                        written => written.to_string(),
                    },
                    holds,
                    compares: test.condition.compares(rules, facts),
                    parts,
                };
            }
        };
        Explained {
            check: check.to_string(),
            holds,
            compares: String::new(),
            parts,
        }
    }
}

impl Condition {
    /// Returns the values that the condition compares, for people.
    fn compares(&self, rules: &RuleSet, facts: Facts<'_>) -> String {
        let of_target = |value: &Template| {
            let names: Vec<String> = value
                .names()
                .map(|name| match facts.target.attribute(name) {
                    Some(value) => format!("{name} of the target is '{value}'"),
                    None => format!("the target has no {name}"),
                })
                .collect();
            names.join(", ")
        };
        let both = |own: String, value: &Template| match of_target(value) {
            target if target.is_empty() => own,
            target => format!("{own}, {target}"),
        };
        match self {
            Self::Always | Self::Never => String::new(),
            Self::Rule(name) if rules.has(name) => rules
                .get(name)
                .map(|rule| rule.origin.to_string())
                .unwrap_or_default(),
            Self::Rule(name) => format!("the rule '{name}' is unknown"),
            Self::Role(role) => {
                let listed = facts.caller.get("roles").and_then(Value::as_array);
                let listed: Vec<String> = listed.into_iter().flatten().map(text_of).collect();
                let own = match &listed[..] {
                    [] => "the caller has no roles".to_string(),
                    listed => format!("the caller's roles are {}", listed.join(", ")),
                };
                both(own, role)
            }
            Self::Caller(path, value) => {
                let name = path.join(".");
                let found = path
                    .split_first()
                    .and_then(|(first, rest)| Some((facts.caller.get(first)?, rest)))
                    .filter(|(_, rest)| rest.is_empty());
                let own = match found {
                    Some((value, _)) => format!("{name} of the caller is '{}'", text_of(value)),
                    None => format!("the caller has no {name}"),
                };
                both(own, value)
            }
            Self::Constant(_, value) => of_target(value),
        }
    }
}

impl fmt::Display for Explained {
    /// Writes a line for each part, indented by its depth.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Explained {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let holds = if self.holds { "true " } else { "false" };
        let indent = "  ".repeat(depth);
        write!(f, "{holds}  {indent}{}", self.check)?;
        if !self.compares.is_empty() {
            write!(f, "  ({})", self.compares)?;
        }
        for part in &self.parts {
            writeln!(f)?;
            part.write(f, depth + 1)?;
        }
        Ok(())
    }
}
