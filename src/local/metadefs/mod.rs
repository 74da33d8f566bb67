//! Metadata definitions.
//!
//! *Source:* `glance/api/v2/metadef_*.py` of the reference implementation, for the rules and the order of the
//! checks.

mod files;
mod load;
mod namespaces;
mod objects;
mod properties;
mod resource_types;
mod tags;

pub(in crate::local) use files::{Document, WrittenObject};
pub use load::{Merge, export, load, unload};

use serde_json::Value;

use super::Local;
use super::catalog::{StoredNamespace, Transaction};
use super::events::{Event, Part, Step};
use super::policy::{Action, Target};
use super::visibility::{self, no_namespace};
use crate::model::metadef::{Definition, Kind, Namespace, Properties, property};
use crate::{Error, Operation, Result};

/// Returns an error if the namespace is protected. `what` names the item to be deleted.
fn check_not_protected(namespace: &Namespace, what: &str) -> Result<()> {
    if !namespace.protected {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Metadata definition {what} is protected and cannot be deleted."
    ))
    .hint(Operation::UnprotectNamespace(namespace.name.clone())))
}

/// The maximum number of characters of a name: the size of its column.
const MAX_LENGTH: usize = 80;

impl Local {
    /// Loads the namespace with that name, if the caller may see it. Rules are not considered.
    async fn find_namespace(&self, name: &str) -> Result<StoredNamespace> {
        let found = self.catalog.metadefs().namespace(name).await?;
        self.known_namespace(found, name)
    }

    /// Returns the namespace that was found, if the caller may see it. Rules are not considered.
    fn known_namespace(
        &self,
        found: Option<StoredNamespace>,
        name: &str,
    ) -> Result<StoredNamespace> {
        found
            .filter(|found| visibility::may_see_namespace(&self.caller, &found.namespace))
            .ok_or_else(|| no_namespace(name))
    }

    /// Returns whether the caller may perform an action on a namespace.
    fn may(&self, action: Action, found: &StoredNamespace) -> Result<bool> {
        let target = Target::Namespace(&found.namespace);
        self.policy.may(&self.caller, action, target)
    }

    /// Loads the namespace with that name to read its contents, if `action` allows the caller to.
    async fn read_namespace(&self, name: &str, action: Action) -> Result<StoredNamespace> {
        let found = self.find_namespace(name).await?;
        self.policy
            .check(&self.caller, action, Target::Namespace(&found.namespace))?;
        Ok(found)
    }

    /// Loads a namespace that will be changed in `transaction`, or whose contents will be, if `action` allows the
    /// caller to.
    async fn change_namespace(
        &self,
        transaction: &Transaction,
        name: &str,
        action: Action,
    ) -> Result<StoredNamespace> {
        transaction.lock_invariants().await?;
        let found = transaction.metadefs().namespace(name).await?;
        let found = self.known_namespace(found, name)?;
        self.policy
            .check(&self.caller, action, Target::Namespace(&found.namespace))?;
        Ok(found)
    }

    /// Emits the event of a change to what a namespace holds.
    fn emit_part(&self, step: Step<'_>, namespace: &str, part: Part<'_>) {
        self.emit(&self.caller, &Event::Part(step, namespace, part));
    }
}

/// Returns the error for a change to an item that another caller has changed since it was read.
fn changed(what: &str) -> Error {
    Error::conflict(format!("{what} was changed by another caller")).hint("Try again.")
}

/// Checks a definition against the schema of `kind`.
fn check_definition(kind: Kind, definition: &Definition) -> Result<()> {
    if let Some(name) = kind.read_only_attribute(definition) {
        return Err(Error::forbidden(format!(
            "Attribute '{name}' is read-only."
        )));
    }
    kind.check(definition).map_err(|why| {
        let (name, _) = kind.names();
        Error::invalid(format!(
            "Provided object does not match schema '{name}': {why}"
        ))
    })
}

/// Checks that a name is not empty and fits its column.
fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(format!(
            "the name of a {what} must not be empty"
        )));
    }
    if name.chars().count() > MAX_LENGTH {
        return Err(Error::invalid(format!(
            "the name of a {what} must not exceed {MAX_LENGTH} characters"
        )));
    }
    Ok(())
}

/// Returns a string of a valid definition.
fn text(definition: &Definition, name: &str) -> Option<String> {
    Some(definition.get(name)?.as_str()?.to_string())
}

/// Returns the properties of a valid definition in their stored form.
fn properties_of(definition: &Definition) -> Result<Properties> {
    let given = definition.get("properties").and_then(Value::as_object);
    let mut properties = Properties::new();
    for (name, value) in given.into_iter().flatten() {
        check_name("property", name)?;
        properties.insert(name.clone(), Value::Object(kept(name, value)?));
    }
    Ok(properties)
}

/// Returns a property of a valid definition in its stored form.
fn kept(name: &str, value: &Value) -> Result<Definition> {
    let definition = value.as_object().cloned().unwrap_or_default();
    property::kept(&definition)
        .map_err(|why| Error::invalid(format!("property {name} cannot be stored: {why}")))
}
