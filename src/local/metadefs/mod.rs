//! Metadata definitions.
//!
//! *Source:* `glance/api/v2/metadef_*.py` of the reference implementation, for the rules and for the
//! order in which they are looked at.

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

use super::catalog::{StoredNamespace, Transaction};
use super::events::{Event, Part, Step};
use super::policy::{self, Action, Target};
use super::{Local, visibility};
use crate::model::metadef::{Definition, Kind, Namespace, Properties, property};
use crate::{Error, Operation, Result};

/// Refuses to delete anything of a namespace that is protected. `what` names the thing.
fn check_not_protected(namespace: &Namespace, what: &str) -> Result<()> {
    if !namespace.protected {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Metadata definition {what} is protected and cannot be deleted."
    ))
    .hint(Operation::UnprotectNamespace(namespace.name.clone())))
}

/// Characters of a name at most: the catalogue has room for no more.
const LONGEST: usize = 80;

impl Local {
    /// The namespace of that name, if the caller may see it.
    async fn find_namespace(&self, name: &str) -> Result<StoredNamespace> {
        let found = self.catalog.metadefs().namespace(name).await?;
        self.known_namespace(found, name)
    }

    /// What was found, if the caller may see it.
    fn known_namespace(
        &self,
        found: Option<StoredNamespace>,
        name: &str,
    ) -> Result<StoredNamespace> {
        found
            .filter(|found| visibility::may_see_namespace(&self.caller, &found.namespace))
            .ok_or_else(|| no_namespace(name))
    }

    /// Returns a namespace that is to be changed in `transaction`, or whose contents are, if the caller may:
    /// `action` is the policy that decides that.
    async fn change_namespace(
        &self,
        transaction: &Transaction,
        name: &str,
        action: Action,
    ) -> Result<StoredNamespace> {
        transaction.take_turn().await?;
        let found = transaction.metadefs().namespace(name).await?;
        let found = self.known_namespace(found, name)?;
        policy::check(&self.caller, action, Target::Namespace(&found.namespace))?;
        Ok(found)
    }

    /// Emits the event of a change to what a namespace holds.
    fn emit_part(&self, step: Step<'_>, namespace: &str, part: Part<'_>) {
        self.emit(&self.caller, &Event::Part(step, namespace, part));
    }
}

/// The refusal of a change to what another caller changed since it was read.
fn changed(what: &str) -> Error {
    Error::conflict(format!("{what} was changed by another caller")).hint("Try again.")
}

fn no_namespace(name: &str) -> Error {
    Error::not_found(format!(
        "Metadata definition namespace={name} was not found."
    ))
}

/// Refuses a definition that is none of `kind`.
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

/// Refuses a name that nothing can be called by, or that the catalogue has no room for.
fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid(format!("a {what} needs a name")));
    }
    if name.chars().count() > LONGEST {
        return Err(Error::invalid(format!(
            "the name of a {what} has {LONGEST} characters at most"
        )));
    }
    Ok(())
}

/// A text of a definition that was checked.
fn text(definition: &Definition, name: &str) -> Option<String> {
    Some(definition.get(name)?.as_str()?.to_string())
}

/// The properties of a definition that was checked, as they are kept.
fn properties_of(definition: &Definition) -> Result<Properties> {
    let given = definition.get("properties").and_then(Value::as_object);
    let mut properties = Properties::new();
    for (name, value) in given.into_iter().flatten() {
        check_name("property", name)?;
        properties.insert(name.clone(), Value::Object(kept(name, value)?));
    }
    Ok(properties)
}

/// A property of a definition that was checked, as it is kept.
fn kept(name: &str, value: &Value) -> Result<Definition> {
    let definition = value.as_object().cloned().unwrap_or_default();
    property::kept(&definition)
        .map_err(|why| Error::invalid(format!("property {name} cannot be kept: {why}")))
}
