//! Namespaces, and the removal of all objects, properties or tags of one.

use futures_util::TryStreamExt;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::{Map, Value, json};

use super::definition;
use crate::model::Direction;
use crate::model::metadef::{Namespace, NamespaceQuery, NamespaceSort, PUBLIC, private};
use crate::server::answer::{self, Answer, json_of};
use crate::server::call::Call;
use crate::server::query::{self, Links};
use crate::server::routes::routes;
use crate::{Error, Result};

routes! {
    "/metadefs/namespaces" => GET list, POST create;
    "/metadefs/namespaces/{namespace}" => GET show, PUT replace, DELETE delete;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let parameters = call.query();
    let query = read(&parameters, &call)?;
    let limit = query.limit;
    let namespaces: Vec<Namespace> = match limit {
        Some(0) => Vec::new(),
        _ => call.service.list_namespaces(query).try_concat().await?,
    };
    let links = Links::new("/v2/metadefs/namespaces", &parameters);
    let mut body = json!({
        "namespaces": namespaces.iter().map(listed).collect::<Vec<_>>(),
        "first": links.first(),
        "schema": "/v2/schemas/metadefs/namespaces",
    });
    if let Some(last) = namespaces.last()
        && limit == Some(namespaces.len() as u64)
    {
        body["next"] = links.after(&last.name).into();
    }
    json_of(StatusCode::OK, &body)
}

/// Returns a namespace as lists show it: without its content.
fn listed(namespace: &Namespace) -> Map<String, Value> {
    let mut body = namespace.to_api();
    for name in ["objects", "properties", "tags"] {
        body.shift_remove(name);
    }
    body
}

/// Reads the parameters of a list.
fn read(parameters: &[(String, String)], call: &Call) -> Result<NamespaceQuery> {
    let settings = &call.server.settings;
    let mut query = NamespaceQuery::default();
    let mut limit = settings.default_limit;
    for (name, value) in parameters {
        match name.as_str() {
            "limit" => limit = query::limit(value)?,
            "marker" => query.marker = Some(value.clone()),
            "sort_key" => {
                query.sort.0 = match value.as_str() {
                    "created_at" => NamespaceSort::CreatedAt,
                    "namespace" => NamespaceSort::Name,
                    other => {
                        return Err(Error::invalid(format!(
                            "Invalid sort key: {other}. It must be one of the following: created_at, namespace."
                        )));
                    }
                }
            }
            "sort_dir" => {
                query.sort.1 = Direction::parse(value)
                    .ok_or_else(|| Error::invalid(format!("Invalid sort direction: {value}")))?;
            }
            "visibility" if *value == PUBLIC || *value == private() => {
                query.visibility = Some(value.clone());
            }
            "visibility" => {
                return Err(Error::invalid(format!("Invalid visibility value: {value}")));
            }
            "resource_types" => {
                let names = value.split(',').map(str::to_string).collect();
                query.resource_types = Some(names);
            }
            _ => {}
        }
    }
    query.limit = Some(limit.min(settings.maximum_limit));
    Ok(query)
}

async fn create(mut call: Call) -> Answer {
    let new = definition(&mut call).await?;
    let namespace = call.service.create_namespace(new).await?;
    let mut response = json_of(StatusCode::CREATED, &namespace.to_api())?;
    let location = HeaderValue::try_from(format!("/v2/metadefs/namespaces/{}", namespace.name));
    response
        .headers_mut()
        .extend(location.map(|at| (LOCATION, at)));
    Ok(response)
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let query = call.query();
    let resource_type = query.iter().find(|(name, _)| name == "resource_type");
    let resource_type = resource_type.map(|(_, value)| value.as_str());
    let name = call.parameter("namespace");
    let namespace = call.service.get_namespace(name, resource_type).await?;
    json_of(StatusCode::OK, &namespace.to_api())
}

async fn replace(mut call: Call) -> Answer {
    let with = definition(&mut call).await?;
    let name = call.parameter("namespace");
    let namespace = call.service.replace_namespace(name, with).await?;
    json_of(StatusCode::OK, &listed(&namespace))
}

async fn delete(call: Call) -> Answer {
    call.refuse_body()?;
    call.service
        .delete_namespace(call.parameter("namespace"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
