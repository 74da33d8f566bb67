//! Tags of namespaces.

use http::StatusCode;
use serde_json::{Value, json};

use super::definition;
use crate::model::metadef::{Tag, written};
use crate::server::answer::{self, Answer, json_of};
use crate::server::call::Call;
use crate::server::routes::routes;
use crate::{Error, Result};

routes! {
    "/metadefs/namespaces/{namespace}/tags" => GET list, POST create_several, DELETE delete_all;
    "/metadefs/namespaces/{namespace}/tags/{tag}" => GET show, POST create, PUT rename, DELETE delete;
}

/// Returns tags as lists show them: their names.
fn listed(tags: &[Tag]) -> Value {
    let names: Vec<_> = tags.iter().map(|tag| json!({"name": tag.name})).collect();
    json!({"tags": names})
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let tags = call.service.list_tags(call.parameter("namespace")).await?;
    json_of(StatusCode::OK, &listed(&tags))
}

async fn create_several(mut call: Call) -> Answer {
    let body = definition(&mut call).await?;
    let names = names(body.get("tags"))?;
    // Any of Python's words for true.
    let append = call
        .header("x-openstack-append")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let append = matches!(append.as_str(), "true" | "1" | "yes" | "on" | "t" | "y");
    let namespace = call.parameter("namespace");
    let tags = call.service.create_tags(namespace, &names, append).await?;
    json_of(StatusCode::CREATED, &listed(&tags))
}

/// Returns the names of new tags.
fn names(tags: Option<&Value>) -> Result<Vec<String>> {
    let tags = tags.and_then(Value::as_array);
    let tags = tags.ok_or_else(|| Error::invalid("'tags' is a required property"))?;
    let name = |tag: &Value| tag.get("name").and_then(Value::as_str).map(str::to_string);
    tags.iter()
        .map(|tag| name(tag).ok_or_else(|| Error::invalid("'name' is a required property")))
        .collect()
}

async fn create(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("tag"));
    let tag = call.service.create_tag(namespace, name).await?;
    json_of(StatusCode::CREATED, &written(&tag))
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("tag"));
    json_of(
        StatusCode::OK,
        &written(&call.service.get_tag(namespace, name).await?),
    )
}

async fn rename(mut call: Call) -> Answer {
    let body = definition(&mut call).await?;
    let new = body.get("name").and_then(Value::as_str);
    let new = new.ok_or_else(|| Error::invalid("'name' is a required property"))?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("tag"));
    let renamed = call.service.rename_tag(namespace, name, new).await?;
    json_of(StatusCode::OK, &written(&renamed))
}

async fn delete(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("tag"));
    call.service.delete_tag(namespace, name).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn delete_all(call: Call) -> Answer {
    call.service
        .delete_tags(call.parameter("namespace"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
