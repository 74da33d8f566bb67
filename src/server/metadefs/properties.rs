//! Properties of namespaces.

use http::StatusCode;
use serde_json::json;

use super::definition;
use crate::model::metadef::Association;
use crate::server::answer::{self, Answer, json_of};
use crate::server::call::Call;
use crate::server::routes::routes;
use crate::{Error, Result};

routes! {
    "/metadefs/namespaces/{namespace}/properties" => GET list, POST create, DELETE delete_all;
    "/metadefs/namespaces/{namespace}/properties/{property}" => GET show, PUT replace, DELETE delete;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let properties = call
        .service
        .list_properties(call.parameter("namespace"))
        .await?;
    json_of(StatusCode::OK, &json!({"properties": properties}))
}

async fn create(mut call: Call) -> Answer {
    let new = definition(&mut call).await?;
    let property = call
        .service
        .create_property(call.parameter("namespace"), new)
        .await?;
    json_of(StatusCode::CREATED, &property)
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("property"));
    let query = call.query();
    let resource_type = query.iter().find(|(name, _)| name == "resource_type");
    let own = match resource_type {
        None => name,
        Some((_, resource_type)) => {
            let associations = call.service.list_associations(namespace).await?;
            without_prefix(name, resource_type, &associations)?
        }
    };
    json_of(
        StatusCode::OK,
        &call.service.get_property(namespace, own).await?,
    )
}

/// Returns the name of a property without the prefix that it has on resources of a type.
///
/// # Errors
/// `NotFound` for a type that the namespace is not associated with, and for a name without the prefix.
fn without_prefix<'n>(
    name: &'n str,
    resource_type: &str,
    associations: &[Association],
) -> Result<&'n str> {
    let mut associations = associations.iter();
    let association = associations.find(|known| known.name == resource_type);
    let association = association.ok_or_else(|| {
        Error::not_found(format!("resource type {resource_type} is not associated"))
    })?;
    let prefix = association.prefix.as_deref().unwrap_or_default();
    let own = name.strip_prefix(prefix).filter(|_| !prefix.is_empty());
    own.ok_or_else(|| {
        Error::not_found(format!(
            "Property {name} does not start with the expected resource type association prefix of '{prefix}'."
        ))
    })
}

async fn replace(mut call: Call) -> Answer {
    let with = definition(&mut call).await?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("property"));
    let property = call.service.replace_property(namespace, name, with).await?;
    json_of(StatusCode::OK, &property)
}

async fn delete(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("property"));
    call.service.delete_property(namespace, name).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn delete_all(call: Call) -> Answer {
    call.service
        .delete_properties(call.parameter("namespace"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
