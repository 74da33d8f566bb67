//! Objects of namespaces.

use http::StatusCode;
use serde_json::json;

use super::definition;
use crate::server::answer::{self, Answer, json_of};
use crate::server::call::Call;
use crate::server::routes::routes;

routes! {
    "/metadefs/namespaces/{namespace}/objects" => GET list, POST create, DELETE delete_all;
    "/metadefs/namespaces/{namespace}/objects/{object}" => GET show, PUT replace, DELETE delete;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let namespace = call.parameter("namespace");
    let objects = call.service.list_objects(namespace).await?;
    let objects: Vec<_> = objects
        .iter()
        .map(|object| object.to_api(namespace))
        .collect();
    json_of(
        StatusCode::OK,
        &json!({"objects": objects, "schema": "v2/schemas/metadefs/objects"}),
    )
}

async fn create(mut call: Call) -> Answer {
    let new = definition(&mut call).await?;
    let namespace = call.parameter("namespace");
    let object = call.service.create_object(namespace, new).await?;
    json_of(StatusCode::CREATED, &object.to_api(namespace))
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("object"));
    let object = call.service.get_object(namespace, name).await?;
    json_of(StatusCode::OK, &object.to_api(namespace))
}

async fn replace(mut call: Call) -> Answer {
    let with = definition(&mut call).await?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("object"));
    let object = call.service.replace_object(namespace, name, with).await?;
    json_of(StatusCode::OK, &object.to_api(namespace))
}

async fn delete(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("object"));
    call.service.delete_object(namespace, name).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn delete_all(call: Call) -> Answer {
    call.service
        .delete_objects(call.parameter("namespace"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
