//! The attributes of callers that rules may name.
//!
//! *Source:* `to_policy_values` in `oslo_context/context.py`; `Enforcer.enforce` in `oslo_policy/policy.py`.

use serde_json::{Map, Value, json};

use crate::model::Caller;

/// Returns the attributes of a caller.
pub(super) fn attributes_of(caller: &Caller) -> Map<String, Value> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let system = caller.has_system_scope.then_some("all");
    let mut attributes = Map::new();
    for (name, value) in [
        ("user_id", json!(known(&caller.user))),
        ("user_domain_id", Value::Null),
        ("system_scope", json!(system)),
        ("domain_id", Value::Null),
        ("project_id", json!(known(&caller.project))),
        ("project_domain_id", json!(caller.domain)),
        ("roles", json!(caller.roles)),
        ("is_admin_project", json!(true)),
        ("service_user_id", Value::Null),
        ("service_user_domain_id", Value::Null),
        ("service_project_id", Value::Null),
        ("service_project_domain_id", Value::Null),
        ("service_roles", json!(caller.service_roles)),
    ] {
        attributes.insert(name.to_string(), value);
    }
    if let Some(system) = system {
        attributes.insert("system".to_string(), json!(system));
    }
    attributes
}
