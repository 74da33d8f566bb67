//! The rules by which permission is decided, and the reasons of a decision.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::operator::session::Session;
use crate::local::Engine;
use crate::local::policy::rules::Explained;
use crate::local::policy::{EffectiveRule, Explanation, Policy};
use crate::model::Caller;
use crate::ops::Outcome;
use crate::output::{Cell, Record, Row as Cells, Table, View};
use crate::{Error, Result};

/// The actions on policies, sorted by name.
pub const ACTIONS: &[Row<Session>] = &[
    Row::of::<Check>(
        "check",
        "Show whether a rule allows an action, and why",
        Output::Plain,
    ),
    Row::of::<List>(
        "list",
        "Show the rules in force and where they are set",
        Output::Plain,
    ),
];

/// Show whether a rule allows an action, and why.
#[derive(Debug, clap::Args)]
struct Check {
    /// Name of the rule or action.
    #[arg(value_name = "RULE")]
    rule: String,
    /// Caller, as PROJECT[:ROLE[:USER]].
    #[arg(long = "as", value_name = "CALLER", required = true)]
    caller: String,
    /// ID of the image that the action is on.
    #[arg(long, value_name = "IMAGE_ID", conflicts_with = "target")]
    image: Option<String>,
    /// Attribute of the target, as NAME=VALUE; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    target: Vec<String>,
}

impl Leaf<Session> for Check {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let caller = Caller::parse(&self.caller)?;
        let explanation = if let Some(id) = &self.image {
            let engine = Engine::open(session.settings.clone()).await?;
            let explained = engine.explain_on_image(&caller, &self.rule, id).await;
            engine.finish().await;
            explained?
        } else {
            let policy = Policy::open(session.settings.policy.clone());
            let caller = policy.admit(caller.clone());
            if self.target.is_empty() {
                policy.explain_for_project(&caller, &self.rule)?
            } else {
                policy.explain(&caller, &self.rule, &attributes(&self.target)?)?
            }
        };
        let allowed = explanation.rule.allowed == Some(true);
        let text = describe(&explanation, &caller);
        let outcome = Outcome::text(text).with_data(View::Record(record(explanation)));
        Ok(outcome.exiting(u8::from(!allowed)))
    }
}

/// Reads the attributes of a target.
fn attributes(given: &[String]) -> Result<BTreeMap<String, String>> {
    let pairs = given.iter().map(|word| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err(Error::usage(format!("'{word}' is not NAME=VALUE"))),
    });
    pairs.collect()
}

/// Returns the decision and its reasons as text.
fn describe(explanation: &Explanation, caller: &Caller) -> String {
    let EffectiveRule {
        name, rule, origin, ..
    } = &explanation.rule;
    let decides = match explanation.rule.allowed {
        Some(true) => "allows",
        _ => "does not allow",
    };
    let rule = if rule.is_empty() { "(empty)" } else { rule };
    let refused = explanation.scope.as_ref();
    let refused = refused.map_or_else(String::new, |why| format!("refused: {why}\n"));
    let evaluation = &explanation.evaluation;
    format!("{name} {decides} {caller}\nrule: {rule}\nset in: {origin}\n{refused}{evaluation}")
}

/// Returns the decision and its reasons for programs.
fn record(explanation: Explanation) -> Record {
    let Explanation {
        rule,
        scope,
        evaluation,
    } = explanation;
    Record::from_iter([
        ("name".to_string(), Cell::from(rule.name)),
        ("rule".to_string(), Cell::from(rule.rule)),
        ("set_in".to_string(), Cell::from(rule.origin)),
        ("allowed".to_string(), Cell::new(json!(rule.allowed))),
        ("refused".to_string(), Cell::new(json!(scope))),
        ("evaluation".to_string(), Cell::new(tree(&evaluation))),
    ])
}

fn tree(explained: &Explained) -> Value {
    let parts: Vec<Value> = explained.parts.iter().map(tree).collect();
    json!({
        "check": explained.check,
        "holds": explained.holds,
        "compares": explained.compares,
        "parts": parts,
    })
}

/// Show the rules in force and where they are set.
#[derive(Debug, clap::Args)]
struct List {
    /// Caller, as PROJECT[:ROLE[:USER]], for whom the rules are evaluated in its own project.
    #[arg(long = "as", value_name = "CALLER")]
    caller: Option<String>,
}

impl Leaf<Session> for List {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let policy = Policy::open(session.settings.policy.clone());
        let caller = self.caller.as_deref().map(Caller::parse).transpose()?;
        let caller = caller.map(|caller| policy.admit(caller));
        let listed = policy.list(caller.as_ref())?;
        let of_people = ["Name", "Allowed", "Rule", "Set in"];
        let of_programs = ["name", "allowed", "rule", "set_in"];
        Ok(Outcome::from(table(&listed, of_people)).with_data(table(&listed, of_programs)))
    }
}

/// Returns the rules as a table; without a caller, it does not have the second column.
fn table(listed: &[EffectiveRule], columns: [&'static str; 4]) -> View<'static> {
    let has_caller = listed.iter().any(|rule| rule.allowed.is_some());
    let columns = columns.into_iter().enumerate();
    let columns = columns.filter(|(place, _)| *place != 1 || has_caller);
    let rows = listed.iter().map(|rule| -> Cells {
        let mut cells = vec![Cell::from(rule.name.as_str())];
        cells.extend(rule.allowed.map(Cell::from));
        cells.extend([
            Cell::from(rule.rule.as_str()),
            Cell::from(rule.origin.as_str()),
        ]);
        cells
    });
    let columns: Vec<&str> = columns.map(|(_, name)| name).collect();
    View::Table(Table::from_rows(columns, rows.collect()))
}
