//! Metadata definitions: read-modify-write updates and output.

use serde_json::Value;

use crate::model::metadef::{Association, Definition, Kind, Namespace, Object, written};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// Attributes that callers set on a namespace, excluding its contents.
const OWN: [&str; 6] = [
    "namespace",
    "display_name",
    "description",
    "visibility",
    "protected",
    "owner",
];

/// Validates a definition before it is sent, as the first grammar's client does.
///
/// # Errors
/// `Failed` if the schema rejects it.
pub fn check(kind: Kind, definition: &Definition) -> Result<()> {
    kind.check(definition).map_err(Error::failed)
}

/// Parses a JSON object.
///
/// # Errors
/// A message fragment.
pub fn parse(text: &[u8]) -> Result<Definition, String> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("not a JSON object".to_string()),
        Err(e) => Err(e.to_string()),
    }
}

/// Updates some attributes of a namespace and keeps the others.
pub async fn update_namespace(
    service: &dyn ImageService,
    name: &str,
    changes: Definition,
) -> Result<Namespace> {
    let mut was = service.get_namespace(name, None).await?;
    loop {
        let mut with = own_attributes(&was);
        with.extend(changes.clone());
        check(Kind::Namespace, &with)?;
        let new_name = with.get("namespace").and_then(Value::as_str);
        let new_name = new_name.unwrap_or(name).to_string();
        match service.revise_namespace(name, &was, with).await {
            Ok(()) => return service.get_namespace(&new_name, None).await,
            Err(error) => {
                let read = service.get_namespace(name, None);
                was = changed_since(&was, error, read).await?;
            }
        }
    }
}

/// Returns the attributes that callers set on a namespace.
fn own_attributes(namespace: &Namespace) -> Definition {
    let mut attributes = written(namespace);
    attributes.retain(|name, _| OWN.contains(&name.as_str()));
    attributes
}

/// Updates some attributes of an object and keeps the others. Returns its name.
pub async fn update_object(
    service: &dyn ImageService,
    namespace: &str,
    name: &str,
    changes: Definition,
) -> Result<String> {
    let mut was = service.get_object(namespace, name).await?;
    loop {
        let mut with = written(&was);
        with.retain(|name, _| !["created_at", "updated_at"].contains(&name.as_str()));
        with.extend(changes.clone());
        check(Kind::Object, &with)?;
        let new_name = with.get("name").and_then(Value::as_str);
        let new_name = new_name.unwrap_or(name).to_string();
        match service.revise_object(namespace, name, &was, with).await {
            Ok(()) => return Ok(new_name),
            Err(error) => {
                let read = service.get_object(namespace, name);
                was = changed_since(&was, error, read).await?;
            }
        }
    }
}

/// Updates some attributes of a property and keeps the others.
pub async fn update_property(
    service: &dyn ImageService,
    namespace: &str,
    name: &str,
    changes: Definition,
) -> Result<Definition> {
    let mut was = service.get_property(namespace, name).await?;
    loop {
        let mut with = was.clone();
        with.insert("name".to_string(), name.into());
        with.extend(changes.clone());
        match service.revise_property(namespace, name, &was, with).await {
            Ok(kept) => return Ok(kept),
            Err(error) => {
                let read = service.get_property(namespace, name);
                was = changed_since(&was, error, read).await?;
            }
        }
    }
}

/// Returns the current definition if an update conflicted with a concurrent one, otherwise the error. Callers
/// retry for as long as other updates succeed.
async fn changed_since<T: PartialEq>(
    was: &T,
    refusal: Error,
    read: impl Future<Output = Result<T>>,
) -> Result<T> {
    if refusal.kind() != ErrorKind::Conflict {
        return Err(refusal);
    }
    let is = read.await?;
    if is == *was { Err(refusal) } else { Ok(is) }
}

/// Returns a property of an object by name.
///
/// # Errors
/// `Failed` if the object lacks it.
pub fn property_of(object: &Object, name: &str) -> Result<Definition> {
    let found = object.properties.as_ref().and_then(|all| all.get(name));
    let mut property = found.and_then(Value::as_object).cloned().ok_or_else(|| {
        Error::failed(format!(
            "Property {name} not found in object {}.",
            object.name
        ))
    })?;
    property.insert("name".to_string(), name.into());
    Ok(property)
}

/// Removes the association of a resource type with a namespace. With `force`, a protected namespace is
/// unprotected for the duration.
pub async fn dissociate(
    service: &dyn ImageService,
    namespace: &str,
    resource_type: &str,
    force: bool,
) -> Result<()> {
    if !force {
        return service.dissociate(namespace, resource_type).await;
    }
    let there = service.get_namespace(namespace, None).await?;
    if !there.protected {
        return service.dissociate(namespace, resource_type).await;
    }
    // A namespace is unprotected only if it has the association.
    let is_there = |association: &Association| association.name == resource_type;
    if !there.resource_type_associations.iter().any(is_there) {
        return service.dissociate(namespace, resource_type).await;
    }
    let protected = own_attributes(&there);
    let mut unprotected = protected.clone();
    unprotected.insert("protected".to_string(), false.into());
    service.replace_namespace(namespace, unprotected).await?;
    let dissociated = service.dissociate(namespace, resource_type).await;
    let again = service.replace_namespace(namespace, protected).await;
    dissociated.and(again.map(drop))
}

/// Maps `NotFound` to the second grammar's message; other errors are unchanged.
pub fn missing(what: &'static str, name: &str) -> impl Fn(Error) -> Error {
    let name = name.to_string();
    move |error| match error.kind() {
        ErrorKind::NotFound => {
            Error::failed(format!("No {what} found for {name}: {}", error.message()))
                .hints_of(&error)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_refused() {
        assert_eq!(parse(b"{\"a\": 1}").unwrap().len(), 1);
        let nested = [&b"{\"a\":"[..], &vec![b'['; 10_000_000]].concat();
        for text in [&b"{oops"[..], b"[]", b"1", b"", b"\xff", &nested] {
            let why = parse(text).unwrap_err();
            assert!(!why.contains('\n') && why.len() < 100, "{why}");
        }
    }

    #[test]
    fn own_attributes_leave_out_times_and_contents() {
        let namespace: Namespace = serde_json::from_str(
            r#"{"namespace": "n", "owner": "o", "created_at": "2026-11-21T09:30:04Z", "tags": [{"name": "t"}]}"#,
        )
        .unwrap();
        let names: Vec<String> = own_attributes(&namespace).keys().cloned().collect();
        assert_eq!(names, ["namespace", "visibility", "protected", "owner"]);
    }
}
