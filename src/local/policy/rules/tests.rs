//! A table of rules, and what they are for callers and targets.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Returns a caller with attributes of every kind.
fn creds() -> Map<String, Value> {
    let creds = json!({
        "user_id": "u1", "project_id": "p1", "domain_id": null, "system_scope": "all",
        "roles": ["Member", "reader"], "is_admin": true, "level": 3,
        "token": {"project": {"domain": {"id": "d1"}}, "methods": ["password", "totp"]},
        "groups": [{"id": "g1"}, {"id": "g2"}],
    });
    creds.as_object().unwrap().clone()
}

fn target() -> BTreeMap<String, String> {
    [
        ("owner", "p1"),
        ("project_id", "p2"),
        ("target.image.owner", "p1"),
        ("visibility", "public"),
        ("protected", "True"),
        ("size", "10"),
        ("nothing", "None"),
        ("role", "reader"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_string(), value.to_string()))
    .collect()
}

fn set() -> RuleSet {
    let rules = [
        ("default", "!"),
        ("yes", "@"),
        ("no", "!"),
        ("owner", "project_id:%(owner)s"),
        ("nested", "rule:owner and rule:yes"),
    ];
    let rules = rules.into_iter().map(|(name, text)| {
        let rule = Rule {
            check: parse_text(text).check,
            text: text.to_string(),
            origin: Origin::Default,
        };
        (name.to_string(), rule)
    });
    let (set, faults) = RuleSet::new(rules.collect(), Some("default".to_string()));
    assert!(faults.is_empty());
    set
}

/// Returns whether a rule is true, after checking that its explanation agrees.
fn holds(check: &Check) -> bool {
    let (creds, target) = (creds(), target());
    let facts = Facts {
        caller: &creds,
        target: &target,
    };
    let holds = check.holds(&set(), facts);
    assert_eq!(check.explain(&set(), facts).holds, holds);
    holds
}

#[test]
fn rules_are_true_or_false() {
    for (text, is_true) in [
        ("", true),
        ("@", true),
        ("!", false),
        ("not !", true),
        ("not @", false),
        ("not not @", true),
        ("NOT !", true),
        ("@ and @", true),
        ("@ AND !", false),
        ("! or @", true),
        ("! Or !", false),
        ("@ or ! and !", true),
        ("(@ or !) and !", false),
        ("! and ! or @", true),
        ("! and (! or @)", false),
        ("not ! and !", false),
        ("not (! and !)", true),
        ("((@))", true),
        ("( @ and ( ! or @ ) )", true),
        ("@ or (@ and !) and !", true),
        ("! or (@ and @) and !", false),
        ("\t@\nand\r\n@ ", true),
        ("role:member", true),
        ("role:MEMBER", true),
        ("role:admin", false),
        ("role:", false),
        ("role:%(role)s", true),
        ("role:%(missing)s", false),
        ("Role:member", false),
        ("rule:yes", true),
        ("rule:no", false),
        ("rule:owner", true),
        ("rule:nested", true),
        ("rule:missing", false),
        ("not rule:missing", true),
        ("project_id:p1", true),
        ("project_id:p2", false),
        ("project_id:%(owner)s", true),
        ("project_id:%(project_id)s", false),
        ("project_id:%(target.image.owner)s", true),
        ("project_id:%(missing)s", false),
        ("not project_id:%(missing)s", true),
        ("project_id:", false),
        ("missing:p1", false),
        ("user_id:u1 and project_id:p1", true),
        ("system_scope:all", true),
        ("domain_id:None", true),
        ("domain_id:%(nothing)s", true),
        ("is_admin:True", true),
        ("is_admin:true", false),
        ("is_admin:1", false),
        ("level:3", true),
        ("level:%(size)s", false),
        ("token.project.domain.id:d1", true),
        ("token.project.domain:d1", false),
        ("token.project.missing.id:d1", false),
        ("token.methods:totp", true),
        ("token.methods:otp", false),
        ("groups.id:g2", true),
        ("groups.id:g3", false),
        ("groups:g1", false),
        ("roles:Member", true),
        ("roles:member", false),
        ("'public':%(visibility)s", true),
        ("\"public\":%(visibility)s", true),
        ("'private':%(visibility)s", false),
        ("'':%(visibility)s", false),
        ("True:%(protected)s", true),
        ("False:%(protected)s", false),
        ("None:%(nothing)s", true),
        ("10:%(size)s", true),
        ("+10:%(size)s", true),
        ("10.0:%(size)s", false),
        ("-1:-1", true),
        ("'a':a", true),
        ("'100%':100%%", true),
        ("project_id:p%(missing)s", false),
        ("user_id:%%(owner)s", false),
        ("project_id:p1:x", false),
        ("(project_id:%(owner)s)", true),
        ("(project_id:%(owner)s) and (role:reader)", true),
    ] {
        let Parsed { check, faults } = parse_text(text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
        assert_eq!(holds(&check), is_true, "{text}");
    }
}

#[test]
fn rules_that_cannot_be_understood_are_false_and_the_reason_is_given() {
    for (text, why) in [
        (" ", "a check is missing at the end"),
        ("and", "a check is missing before 'and'"),
        ("@ and", "a check is missing at the end"),
        ("@ and or @", "a check is missing before 'or'"),
        ("or @", "a check is missing before 'or'"),
        ("not", "a check is missing at the end"),
        ("@ @", "'and' or 'or' is missing before '@'"),
        ("@ not @", "'and' or 'or' is missing before 'not'"),
        ("@ (@)", "'and' or 'or' is missing before '('"),
        ("(@", "')' is missing"),
        ("(@ @)", "')' is missing before '@'"),
        ("@)", "')' closes nothing"),
        ("()", "a check is missing before ')'"),
        // An operator is a word of its own.
        (
            "not(role:admin)",
            "'not(role' cannot be the name of an attribute",
        ),
        ("'text'", "'text' is a text and not a check"),
        ("\"role:admin\"", "is a text and not a check"),
        ("'a':'b'", "is a text and not a check"),
        ("http://host/", "asks a server"),
        ("https:x", "asks a server"),
        ("x:100%", "is not followed by (NAME)s"),
        ("x:%s", "is not followed by (NAME)s"),
        (":x", "cannot be the name of an attribute"),
        ("a..b:x", "cannot be the name of an attribute"),
        ("'a:b", "is neither a text in quotes nor a number"),
        ("007:x", "is neither a text in quotes nor a number"),
        ("'a\\n':x", "contains a quote or a backslash"),
    ] {
        let Parsed { check, faults } = parse_text(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert!(faults[0].contains(why), "{text}: {faults:?}");
        assert!(!holds(&check), "{text}");
    }
    let deep = "(".repeat(1000) + "@" + &")".repeat(1000);
    assert!(parse_text(&deep).faults[0].contains("nested too deeply"));
    assert!(parse_text(&"not ".repeat(1000)).faults[0].contains("nested too deeply"));
}

#[test]
fn a_check_without_a_colon_is_false_in_a_rule_that_still_counts() {
    for (text, is_true) in [
        ("admin", false),
        ("admin or @", true),
        ("not admin", true),
        ("role.admin and @", false),
        ("('text')", false),
    ] {
        let Parsed { check, faults } = parse_text(text);
        assert!(faults[0].contains("not a check of the form"), "{faults:?}");
        assert_eq!(holds(&check), is_true, "{text}");
    }
}

#[test]
fn lists_of_lists_are_rules_as_well() {
    for (lists, is_true) in [
        (json!([]), true),
        (json!([[]]), false),
        (json!([["@"]]), true),
        (json!([["@", "!"]]), false),
        (json!([["!"], ["@"]]), true),
        (json!([["role:reader", "rule:owner"], ["!"]]), true),
        (json!([["role:admin", "rule:owner"], []]), false),
    ] {
        let read: Vec<Vec<String>> = serde_json::from_value(lists.clone()).unwrap();
        let Parsed { check, faults } = parse_list(&read);
        assert!(faults.is_empty(), "{lists}");
        assert_eq!(holds(&check), is_true, "{lists}");
    }
    // No part of a list is a rule with operators.
    let parsed = parse_list(&[vec!["@ or @".to_string()]]);
    assert!(!holds(&parsed.check) && parsed.faults.len() == 1);
}

proptest! {
    /// Checks that no text makes the parser or the evaluation panic, and that explanations agree with evaluations.
    #[test]
    fn any_text_is_a_rule_or_a_fault(text in "[a-z@!:()'\"%. 0-9]{0,40}") {
        holds(&parse_text(&text).check);
    }

    /// Checks that operators are evaluated as written.
    #[test]
    fn operators_bind_as_parentheses_do(values in prop::collection::vec(any::<bool>(), 1..6), all in any::<bool>()) {
        let words: Vec<&str> = values.iter().map(|value| if *value { "@" } else { "!" }).collect();
        let operator = if all { " and " } else { " or " };
        let expected = if all {
            values.iter().all(|value| *value)
        } else {
            values.iter().any(|value| *value)
        };
        let text = words.join(operator);
        prop_assert_eq!(holds(&parse_text(&text).check), expected);
        let negated = format!("not ({text})");
        prop_assert_eq!(holds(&parse_text(&negated).check), !expected);
    }
}
