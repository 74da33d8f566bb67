//! The request that log lines are about.
//!
//! Messages are logged by the code of all floors, which does not know requests. The log that formats them asks for the context here.
//!
//! *Source:* `oslo_context/context.py` (`user_idt_format`), `logging_context_format_string` in `oslo_log/_options.py`.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::model::Caller;

tokio::task_local! {
    static CURRENT: Arc<LogContext>;
}

/// A request, as far as it is known yet.
#[derive(Debug, Default)]
pub struct LogContext {
    id: OnceLock<String>,
    caller: OnceLock<Who>,
    route: OnceLock<&'static str>,
}

/// The identity of a caller; empty where there is none.
#[derive(Debug)]
struct Who {
    user: String,
    project: String,
    domain: String,
    system_scope: &'static str,
}

impl LogContext {
    /// Returns that of the code that runs; None outside of a request.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Lets the messages of an operation have this context.
    pub async fn cover<F: Future>(self: Arc<Self>, operation: F) -> F::Output {
        CURRENT.scope(self, operation).await
    }

    /// Lets the messages of a function have this context.
    pub fn cover_call<R>(self: &Arc<Self>, function: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(Arc::clone(self), function)
    }

    /// Sets the ID of the request. A second call has no effect.
    pub fn set_id(&self, id: &str) {
        let _ = self.id.set(id.to_string());
    }

    /// Sets the caller. A second call has no effect.
    pub fn set_caller(&self, caller: &Caller) {
        let _ = self.caller.set(Who {
            user: caller.user.clone(),
            project: caller.project.clone(),
            domain: caller.domain.clone().unwrap_or_default(),
            system_scope: if caller.has_system_scope { "all" } else { "" },
        });
    }

    /// Sets the path of the route, with names for its variable parts. A second call has no effect.
    pub fn set_route(&self, route: &'static str) {
        let _ = self.route.set(route);
    }

    /// Returns the path of the route; None if the request has none, or does not have it yet.
    pub fn route(&self) -> Option<&'static str> {
        self.route.get().copied()
    }

    fn fields(&self) -> [&str; 5] {
        let id = self.id.get().map_or("", String::as_str);
        match self.caller.get() {
            Some(who) => [id, &who.user, &who.project, &who.domain, who.system_scope],
            None => [id, "", "", "", ""],
        }
    }

    /// Returns the text of upstream's format: the global ID, which the service does not have, the ID, the user, the project, its domain,
    /// `all` for the scope of the system, and the domains of the user and the project, which are not kept. `-` is for an empty one.
    pub fn line(&self) -> String {
        let [id, user, project, domain, scope] = self
            .fields()
            .map(|text| if text.is_empty() { "-" } else { text });
        format!("- {id} {user} {project} {domain} {scope} - -")
    }

    /// Returns the object of upstream's JSON format.
    pub fn json(&self) -> Value {
        let [id, user, project, domain, scope] =
            self.fields().map(|text| (!text.is_empty()).then_some(text));
        json!({
            "request_id": id,
            "user_id": user,
            "project_id": project,
            "domain_id": domain,
            "system_scope": scope,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    #[test]
    fn a_context_has_what_is_known_yet() {
        let context = Arc::new(LogContext::default());
        assert_eq!(context.line(), "- - - - - - - -");
        context.set_id("req-1");
        context.set_caller(&Caller::new("p", Role::Member, "u"));
        assert_eq!(context.line(), "- req-1 u p - - - -");
        let json = context.cover_call(|| LogContext::current().map(|one| one.json()));
        let expected = json!({
            "request_id": "req-1", "user_id": "u", "project_id": "p", "domain_id": null, "system_scope": null,
        });
        assert_eq!(json, Some(expected));
        assert!(LogContext::current().is_none());
    }
}
