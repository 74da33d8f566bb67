//! The rules in force, and the reasons of their decisions.

use super::credentials::attributes_of;
use super::rules::{Attributes, Explained, Facts, RuleSet};
use super::target::{Target, TargetAttributes};
use super::{Action, Policy, files, fits_scope, holds};
use crate::model::Caller;
use crate::{Error, Result};

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveRule {
    /// The name.
    pub name: String,
    /// The rule as it was written.
    pub rule: String,
    /// `default`, or `FILE:LINE`.
    pub origin: String,
    /// Whether it is true for the caller in the caller's own project; None without a caller.
    pub allowed: Option<bool>,
}

/// The decision of a rule, and its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The rule.
    pub rule: EffectiveRule,
    /// The reason why a caller who acts on the system is refused without an evaluation.
    pub scope: Option<String>,
    /// The evaluation of the rule.
    pub evaluation: Explained,
}

impl Policy {
    /// Returns all rules in force, sorted by name, and whether they are true for `caller` in its own project.
    ///
    /// # Errors
    /// `Failed` or `Io` if the rules cannot be read.
    pub fn list(&self, caller: Option<&Caller>) -> Result<Vec<EffectiveRule>> {
        let settings = self.settings.get()?;
        self.with_rules(|rules| {
            let listed = rules.iter().map(|(name, rule)| EffectiveRule {
                name: name.to_string(),
                rule: rule.text.clone(),
                origin: rule.origin.to_string(),
                allowed: caller.map(|caller| {
                    fits_scope(settings, caller, name)
                        && holds(rules, name, caller, Target::OwnProject)
                }),
            });
            listed.collect()
        })
    }

    /// Explains the decision of a rule on an image, a namespace or nothing in particular.
    ///
    /// # Errors
    /// Same as [`Policy::explain`].
    pub fn explain_on(
        &self,
        caller: &Caller,
        rule: &str,
        target: Target<'_>,
    ) -> Result<Explanation> {
        self.explain(caller, rule, &TargetAttributes { caller, target })
    }

    /// Explains the decision of a rule in the caller's own project.
    ///
    /// # Errors
    /// Same as [`Policy::explain`].
    pub fn explain_for_project(&self, caller: &Caller, rule: &str) -> Result<Explanation> {
        self.explain_on(caller, rule, Target::OwnProject)
    }

    /// Explains the decision of a rule, or of the rule that decides an action.
    ///
    /// # Errors
    /// `NotFound` for an unknown rule; `Failed` or `Io` if the rules cannot be read.
    pub fn explain(
        &self,
        caller: &Caller,
        rule: &str,
        target: &dyn Attributes,
    ) -> Result<Explanation> {
        let settings = self.settings.get()?;
        let action = Action::ALL.iter().find(|action| action.name() == rule);
        let name = match action {
            Some(action) => action.rule().unwrap_or("context_is_admin"),
            None => rule,
        };
        let explained = self.with_rules(|rules| {
            let found = rules.get(name).filter(|_| rules.has(name))?;
            let facts = Facts {
                caller: &attributes_of(caller),
                target,
            };
            let evaluation = found.check.explain(rules, facts);
            let fits = fits_scope(settings, caller, name);
            Some(Explanation {
                rule: EffectiveRule {
                    name: name.to_string(),
                    rule: found.text.clone(),
                    origin: found.origin.to_string(),
                    allowed: Some(fits && evaluation.holds),
                },
                scope: (!fits)
                    .then(|| "the rule is for tokens of projects, not of the system".to_string()),
                evaluation,
            })
        })?;
        explained.ok_or_else(|| Error::not_found(format!("there is no rule '{rule}'")))
    }

    /// Calls `use_rules` with the rules in force, which are made if the defaults decide as code.
    fn with_rules<T>(&self, use_rules: impl FnOnce(&RuleSet) -> T) -> Result<T> {
        let loaded = self.loaded();
        if let Some(rules) = loaded.rules.get()? {
            return Ok(use_rules(rules));
        }
        let (rules, _) = files::load(self.settings.get()?, &[])?;
        Ok(use_rules(&rules))
    }
}
