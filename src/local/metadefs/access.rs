//! Who may do what with metadata definitions: the reference implementation's default policies.
//!
//! *Source:* `glance/policies/metadef.py` and `glance/api/v2/policy.py` of the reference implementation.

use crate::model::Caller;
use crate::model::metadef::{Namespace, PUBLIC};
use crate::service::how_to_unprotect_namespace;
use crate::{Error, Result};

/// `get_metadef_namespace`, and those of what namespaces hold: administrators; everyone for public
/// namespaces; the project that owns one.
pub fn may_see(caller: &Caller, namespace: &Namespace) -> bool {
    caller.is_admin()
        || namespace.visibility == PUBLIC
        || namespace.owner.as_ref() == Some(&caller.project)
}

/// Whatever changes metadata definitions: administrators. `action` is the policy.
pub fn check_change(caller: &Caller, action: &str) -> Result<()> {
    if caller.is_admin() {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "You are not authorized to complete {action} action."
    ))
    .hint(format!(
        "Metadata definitions are changed by administrators; you are {caller}."
    )))
}

/// Nothing of a namespace that is protected is deleted. `what` names the thing.
pub fn check_not_protected(namespace: &Namespace, what: &str) -> Result<()> {
    if !namespace.protected {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Metadata definition {what} is protected and cannot be deleted."
    ))
    .hint(how_to_unprotect_namespace(&namespace.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(text: &str) -> Caller {
        Caller::parse(text).unwrap()
    }

    #[test]
    fn namespaces_are_seen_by_those_they_are_for() {
        for (visibility, by_others) in [("public", true), ("private", false), ("odd", false)] {
            let namespace = Namespace {
                owner: Some("demo".to_string()),
                visibility: visibility.to_string(),
                ..Namespace::default()
            };
            assert!(may_see(&caller("demo:reader"), &namespace));
            assert!(may_see(&caller("root:admin"), &namespace));
            let seen = may_see(&caller("other:member"), &namespace);
            assert_eq!(seen, by_others, "{visibility}");
        }
    }

    #[test]
    fn only_administrators_change_and_nobody_deletes_what_is_protected() {
        assert!(check_change(&caller("root:admin"), "x").is_ok());
        assert!(check_change(&caller("demo:member"), "x").is_err());
        let mut namespace = Namespace::default();
        assert!(check_not_protected(&namespace, "tag t").is_ok());
        namespace.protected = true;
        assert!(check_not_protected(&namespace, "tag t").is_err());
    }
}
