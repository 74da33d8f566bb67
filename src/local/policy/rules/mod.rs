//! The rule language of policy files: parsing, evaluation and explanation. Knows neither images nor actions.
//!
//! *Source:* `oslo_policy/_checks.py` and `oslo_policy/policy.py` for the meaning of each check.

mod explain;
mod parser;
mod set;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub use explain::Explained;
pub use parser::{Parsed, parse_list, parse_text};
pub use set::{Origin, Rule, RuleSet};
pub use template::Template;
pub use value::text_of;

use serde_json::{Map, Value};

/// A rule, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// `not …`
    Not(Box<Check>),
    /// `… and …`
    All(Vec<Check>),
    /// `… or …`
    Any(Vec<Check>),
    /// A check without parts.
    Test(Test),
}

/// A check without parts, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The check as it was written.
    pub text: String,
    /// The condition.
    pub condition: Condition,
}

/// The condition of a [`Test`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `@`, or an empty rule.
    Always,
    /// `!`, or a check that cannot be understood.
    Never,
    /// `rule:NAME`
    Rule(String),
    /// `role:NAME`, in any case.
    Role(Template),
    /// `NAME:VALUE`: an attribute of the caller, by its path, has this value.
    Caller(Vec<String>, Template),
    /// `'TEXT':VALUE`: a constant has this value. The constant is text as Python's `str` writes it.
    Constant(String, Template),
}

/// The attributes of the target of an action.
pub trait Attributes {
    /// Returns an attribute by its name, as Python's `str` writes it; None if there is none.
    fn attribute(&self, name: &str) -> Option<String>;
}

/// The facts that a rule is evaluated with.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The attributes of the caller.
    pub caller: &'a Map<String, Value>,
    /// The attributes of the target.
    pub target: &'a dyn Attributes,
}

impl Check {
    /// Returns whether the check is true. `rules` are the rules that it may refer to, none of which refers to itself.
    pub fn holds(&self, rules: &RuleSet, facts: Facts<'_>) -> bool {
        match self {
            Self::Not(check) => !check.holds(rules, facts),
            Self::All(checks) => checks.iter().all(|check| check.holds(rules, facts)),
            Self::Any(checks) => checks.iter().any(|check| check.holds(rules, facts)),
            Self::Test(test) => match &test.condition {
                Condition::Rule(name) => rules
                    .get(name)
                    .is_some_and(|rule| rule.check.holds(rules, facts)),
                condition => condition.holds(facts),
            },
        }
    }

    /// Returns a check that is always true, for an empty rule.
    pub fn always(text: &str) -> Self {
        Self::test(text, Condition::Always)
    }

    /// Returns a check that is always false.
    pub fn never(text: &str) -> Self {
        Self::test(text, Condition::Never)
    }

    fn test(text: &str, condition: Condition) -> Self {
        Self::Test(Test {
            text: text.to_string(),
            condition,
        })
    }

    /// Calls `visit` with the name of each rule that the check refers to.
    fn each_reference<'a>(&'a self, visit: &mut dyn FnMut(&'a str)) {
        match self {
            Self::Not(check) => check.each_reference(visit),
            Self::All(checks) | Self::Any(checks) => {
                for check in checks {
                    check.each_reference(visit);
                }
            }
            Self::Test(test) => {
                if let Condition::Rule(name) = &test.condition {
                    visit(name);
                }
            }
        }
    }
}

impl Condition {
    /// Returns whether a condition that refers to no rule is true.
    fn holds(&self, facts: Facts<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Never | Self::Rule(_) => false,
            Self::Role(role) => role.fill(facts.target).is_some_and(|role| {
                let role = role.to_lowercase();
                let roles = facts.caller.get("roles").and_then(Value::as_array);
                let mut roles = roles.into_iter().flatten().filter_map(Value::as_str);
                roles.any(|one| one.to_lowercase() == role)
            }),
            Self::Caller(path, value) => value
                .fill(facts.target)
                .is_some_and(|value| has_value(facts.caller, path, &value)),
            Self::Constant(constant, value) => value
                .fill(facts.target)
                .is_some_and(|value| value == *constant),
        }
    }
}

/// Returns whether the attribute at `path` is `value`; in a list, whether that of any item is.
fn has_value(of: &Map<String, Value>, path: &[String], value: &str) -> bool {
    let Some((name, rest)) = path.split_first() else {
        return false;
    };
    let is_it = |found: &Value| match (found, rest) {
        (found, []) => text_of(found) == value,
        (Value::Object(inner), rest) => has_value(inner, rest, value),
        _ => false,
    };
    match of.get(name) {
        Some(Value::Array(items)) => items.iter().any(is_it),
        Some(found) => is_it(found),
        None => false,
    }
}
