//! Resource types, and their associations with namespaces.

use http::StatusCode;
use serde_json::json;

use super::definition;
use crate::model::metadef::written;
use crate::server::answer::{self, Answer, json_of};
use crate::server::call::Call;
use crate::server::routes::routes;

routes! {
    "/metadefs/resource_types" => GET list;
    "/metadefs/namespaces/{namespace}/resource_types" => GET associations, POST associate;
    "/metadefs/namespaces/{namespace}/resource_types/{type}" => DELETE dissociate;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let types = call.service.list_resource_types().await?;
    let types: Vec<_> = types.iter().map(written).collect();
    json_of(StatusCode::OK, &json!({"resource_types": types}))
}

async fn associations(call: Call) -> Answer {
    call.refuse_body()?;
    let list = call
        .service
        .list_associations(call.parameter("namespace"))
        .await?;
    let list: Vec<_> = list.iter().map(written).collect();
    json_of(StatusCode::OK, &json!({"resource_type_associations": list}))
}

async fn associate(mut call: Call) -> Answer {
    let new = definition(&mut call).await?;
    let association = call
        .service
        .associate(call.parameter("namespace"), new)
        .await?;
    json_of(StatusCode::CREATED, &written(&association))
}

async fn dissociate(call: Call) -> Answer {
    call.refuse_body()?;
    let (namespace, name) = (call.parameter("namespace"), call.parameter("type"));
    call.service.dissociate(namespace, name).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
