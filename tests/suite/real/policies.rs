//! Rules of policies, as the real oslo.policy evaluates them and as ours does.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use glance_tools::local::policy::DEFAULT_RULES;
use glance_tools::local::policy::rules::{
    Facts, Origin, Parsed, Rule, RuleSet, parse_list, parse_text, text_of,
};
use serde_json::{Map, Value, json};

use crate::support::realcloud::{script, venv};

/// The number of random rules.
const CASES: usize = 20_000;

/// The rules that random rules refer to.
const SHARED: [(&str, &str); 6] = [
    ("default", "!"),
    ("owner", "project_id:%(owner)s"),
    ("admin", "role:admin or is_admin:True"),
    ("either", "rule:owner or rule:admin"),
    ("neither", "not rule:either"),
    ("all", "@"),
];

/// Checks that random rules consist of.
const CHECKS: [&str; 38] = [
    "@",
    "!",
    "role:admin",
    "role:Member",
    "role:%(role)s",
    "role:%(missing)s",
    "rule:owner",
    "rule:either",
    "rule:neither",
    "rule:all",
    "rule:unknown",
    "project_id:%(owner)s",
    "project_id:%(project_id)s",
    "project_id:p1",
    "project_id:%(target.image.owner)s",
    "user_id:%(user_id)s",
    "user_id:u1",
    "domain_id:None",
    "domain_id:%(domain_id)s",
    "system_scope:all",
    "is_admin:True",
    "is_admin:true",
    "roles:member",
    "token.project.id:p1",
    "token.methods:totp",
    "groups.id:g1",
    "missing:x",
    "'public':%(visibility)s",
    "\"shared\":%(visibility)s",
    "True:%(protected)s",
    "False:%(protected)s",
    "None:%(nothing)s",
    "10:%(size)s",
    "1.5:%(ratio)s",
    "'a%%b':%(percent)s",
    "no_colon",
    "tags:%(tags)s",
    "size:%(size)s",
];

/// A generator of pseudo-random numbers, so that each run tries the same rules.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Returns a rule of nested operators, in random spelling.
    fn rule(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 1 } else { 6 }) {
            0 => self.one_of(&CHECKS).to_string(),
            1 => format!("{} {}", self.one_of(&["not", "NOT"]), self.operand(depth)),
            2 | 3 => {
                let word = self.one_of(&["and", "or", "AND", "Or"]);
                format!("{} {word} {}", self.rule(depth - 1), self.rule(depth - 1))
            }
            _ => format!("({})", self.rule(depth - 1)),
        }
    }

    fn operand(&mut self, depth: usize) -> String {
        match self.below(2) {
            0 => self.one_of(&CHECKS).to_string(),
            _ => format!("( {} )", self.rule(depth - 1)),
        }
    }

    /// Returns words in any order, most of which are no rule.
    fn words(&mut self) -> String {
        let words = [
            "and",
            "or",
            "not",
            "(",
            ")",
            "@",
            "!",
            "'text'",
            "role:admin",
            "x",
        ];
        let chosen: Vec<&str> = (0..self.below(6)).map(|_| self.one_of(&words)).collect();
        chosen.join(" ")
    }

    fn creds(&mut self) -> Value {
        let project = self.one_of(&["p1", "p2"]);
        json!({
            "project_id": project,
            "user_id": self.one_of(&["u1", "u2"]),
            "domain_id": self.one_of(&[json!(null), json!("d1")]),
            "system_scope": self.one_of(&[json!(null), json!("all")]),
            "is_admin": self.one_of(&[true, false]),
            "roles": self.one_of(&[
                json!([]), json!(["admin", "member", "reader"]), json!(["Member", "reader"]), json!(["service"]),
            ]),
            "token": {"project": {"id": project}, "methods": ["password", "totp"]},
            "groups": [{"id": self.one_of(&["g1", "g2"])}, {"id": "g3"}],
            "tags": ["a", "b"],
            "size": 10,
        })
    }

    fn target(&mut self) -> Value {
        let mut target = json!({
            "owner": self.one_of(&["p1", "p2"]),
            "target.image.owner": "p1",
            "user_id": "u1",
            "domain_id": "d1",
            "role": self.one_of(&["member", "ADMIN"]),
            "visibility": self.one_of(&["public", "shared", "private"]),
            "protected": self.one_of(&[true, false]),
            "nothing": null,
            "size": self.one_of(&[10, 11]),
            "ratio": 1.5,
            "percent": "a%%b",
            "tags": "a",
        });
        if self.below(2) == 0 {
            target["project_id"] = json!("p2");
        }
        target
    }
}

/// Returns the random cases: a rule, a caller and a target.
fn cases() -> Vec<Value> {
    let mut random = Random(33);
    let case = |_| {
        let rule = match random.below(12) {
            0 => json!(random.words()),
            1 => {
                let lists = (0..random.below(4)).map(|_| {
                    let list = (0..random.below(3)).map(|_| random.one_of(&CHECKS));
                    list.collect::<Vec<_>>()
                });
                json!(lists.collect::<Vec<_>>())
            }
            _ => json!(random.rule(4)),
        };
        json!({"rule": rule, "creds": random.creds(), "target": random.target()})
    };
    (0..CASES).map(case).collect()
}

/// Returns the answers of the real oslo.policy to the cases, after the default rules of the real Glance.
fn theirs(default: &str, cases: &[Value]) -> Vec<Value> {
    let mut reader = Command::new(venv().join("bin/python"))
        .arg(script("policy.py"))
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = reader.stdin.take().unwrap();
    let shared: Map<String, Value> = SHARED
        .iter()
        .map(|(name, rule)| ((*name).to_string(), json!(rule)))
        .collect();
    let first = json!({"shared": shared, "default": default});
    let lines = std::iter::once(&first).chain(cases).map(Value::to_string);
    let text = lines.collect::<Vec<_>>().join("\n");
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap());
    let output = reader.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Returns our answer to a case.
fn ours(rules: &RuleSet, case: &Value) -> bool {
    let Parsed { check, .. } = match &case["rule"] {
        Value::String(text) => parse_text(text),
        lists => parse_list(&serde_json::from_value::<Vec<Vec<String>>>(lists.clone()).unwrap()),
    };
    let target: BTreeMap<String, String> = case["target"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), text_of(value)))
        .collect();
    let facts = Facts {
        caller: case["creds"].as_object().unwrap(),
        target: &target,
    };
    let holds = check.holds(rules, facts);
    assert_eq!(check.explain(rules, facts).holds, holds, "{case}");
    holds
}

#[test]
fn random_rules_are_what_they_are_for_the_real_service() {
    let cases = cases();
    for default in ["default", "all", "unknown"] {
        let rules = SHARED.iter().map(|(name, text)| {
            let rule = Rule {
                check: parse_text(text).check,
                text: (*text).to_string(),
                origin: Origin::Default,
            };
            ((*name).to_string(), rule)
        });
        let (rules, _) = RuleSet::new(rules.collect(), Some(default.to_string()));
        let answers = theirs(default, &cases);
        assert_eq!(answers.len(), cases.len() + 1);
        let mut allowed = 0;
        for (case, answer) in cases.iter().zip(&answers[1..]) {
            assert_eq!(json!(ours(&rules, case)), *answer, "{case}");
            allowed += usize::from(*answer == json!(true));
        }
        assert!((CASES / 5..CASES * 4 / 5).contains(&allowed), "{allowed}");
    }
}

#[test]
fn the_default_rules_are_those_of_the_real_service() {
    let known = theirs("default", &[]);
    let mut left: BTreeMap<&str, &Value> = known[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule[0].as_str().unwrap(), rule))
        .collect();
    for rule in DEFAULT_RULES {
        let known = left.remove(rule.name).unwrap();
        // A former rule that is the same has no effect.
        let former = rule.former.unwrap_or(rule.check);
        assert_eq!(known[1], json!(rule.check), "{}", rule.name);
        let theirs = known[2].as_str().unwrap_or(rule.check);
        assert_eq!(theirs, former, "{}", rule.name);
        assert_eq!(known[3], json!(rule.is_for_projects()), "{}", rule.name);
    }
    assert!(left.is_empty(), "{left:?}");
}
