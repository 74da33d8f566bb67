//! Metadata definitions: changes that begin with what is there, and how definitions look.

pub mod views;

use serde_json::Value;

use crate::model::metadef::{Association, Definition, Kind, Namespace, Object, written};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// The attributes of a namespace that callers set, other than what it holds.
const OWN: [&str; 6] = [
    "namespace",
    "display_name",
    "description",
    "visibility",
    "protected",
    "owner",
];

/// Checks a definition before it is sent anywhere, as the first grammar's client does.
///
/// # Errors
/// `Failed` for one that the schema refuses.
pub fn check(kind: Kind, definition: &Definition) -> Result<()> {
    kind.check(definition).map_err(Error::failed)
}

/// Reads a JSON object.
///
/// # Errors
/// What is wrong with it, in a fragment.
pub fn parse(text: &[u8]) -> Result<Definition, String> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("it is JSON, but no object".to_string()),
        Err(e) => Err(e.to_string()),
    }
}

/// Changes some attributes of a namespace, and leaves the others.
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

/// What callers set of a namespace.
fn own_attributes(namespace: &Namespace) -> Definition {
    let mut attributes = written(namespace);
    attributes.retain(|name, _| OWN.contains(&name.as_str()));
    attributes
}

/// Changes some attributes of an object, and leaves the others; its name then.
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

/// Changes some attributes of a property, and leaves the others.
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

/// Returns what a definition is now, where a change of it was refused because another caller had changed it;
/// else the refusal. A caller that repeats its change goes on for as long as others succeed with theirs.
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

/// The property of an object, by its name.
///
/// # Errors
/// `Failed` for one that the object has not.
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

/// Takes a type of resources away from a namespace, which is unprotected meanwhile when that is needed
/// and `force` is set.
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
    // Nothing is unprotected for a type that is not there.
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
    dissociated.and(again)
}

/// What the second grammar says of a thing that is not there; other errors are what they are.
pub fn missing(what: &'static str, name: &str) -> impl Fn(Error) -> Error {
    let name = name.to_string();
    move |error| match error.kind() {
        ErrorKind::NotFound => {
            Error::failed(format!("No {what} found for {name}: {}", error.message()))
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
