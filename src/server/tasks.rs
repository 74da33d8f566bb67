//! Tasks.
//!
//! *Source:* `glance/api/v2/tasks.py`, `ImagesController.get_task_info` in `glance/api/v2/images.py` of the reference
//! implementation.

use futures_util::TryStreamExt;
use http::StatusCode;
use http::header::{ALLOW, HeaderValue, LOCATION};
use serde_json::{Map, Value, json};

use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::continue_later;
use super::query::{self, Links};
use super::routes::routes;
use crate::model::schema::is_uuid;
use crate::model::task::IMPORT;
use crate::model::{Direction, Task, TaskQuery, TaskStatus, Timestamp};
use crate::{Error, Result};

routes! {
    "/tasks" => GET list, POST create;
    "/tasks/{task}" => GET show, DELETE delete;
    "/images/{image}/tasks" => GET of_image;
}

/// The attributes of a task in a list.
const LISTED: [&str; 9] = [
    "id",
    "type",
    "status",
    "owner",
    "created_at",
    "updated_at",
    "self",
    "schema",
    "expires_at",
];

/// The attributes of a task in the list of an image.
const OF_IMAGE: [&str; 13] = [
    "id",
    "type",
    "status",
    "owner",
    "expires_at",
    "created_at",
    "updated_at",
    "message",
    "result",
    "input",
    "image_id",
    "request_id",
    "user_id",
];

/// Returns some attributes of a task.
fn part(task: &Task, names: &[&str]) -> Map<String, Value> {
    let mut all = task.to_api();
    all.retain(|name, _| names.contains(&name.as_str()));
    all
}

async fn list(call: Call) -> Answer {
    let parameters = call.query();
    let limit = limited(&parameters, &call)?;
    let tasks: Vec<Task> = match limit.limit {
        Some(0) => Vec::new(),
        _ => call.service.list_tasks(limit.clone()).try_concat().await?,
    };
    let links = Links::new("/v2/tasks", &parameters);
    let mut body = json!({
        "tasks": tasks.iter().map(|task| part(task, &LISTED)).collect::<Vec<_>>(),
        "first": links.first(),
        "schema": "/v2/schemas/tasks",
    });
    if let Some(last) = tasks.last()
        && limit.limit == Some(tasks.len() as u64)
    {
        body["next"] = links.after(&last.id).into();
    }
    json_of(StatusCode::OK, &body)
}

/// Reads the parameters of a list.
fn limited(parameters: &[(String, String)], call: &Call) -> Result<TaskQuery> {
    let mut query = TaskQuery::default();
    let settings = &call.server.settings;
    let mut limit = settings.default_limit;
    for (name, value) in parameters {
        match name.as_str() {
            "limit" => limit = query::limit(value)?,
            "marker" if is_uuid(value) => query.marker = Some(value.clone()),
            "marker" => return Err(Error::invalid("Invalid marker format")),
            "sort_key" => query.sort_key = Some(value.clone()),
            "sort_dir" => {
                let known = Direction::parse(value);
                query.direction =
                    Some(known.ok_or_else(|| {
                        Error::invalid(format!("Invalid sort direction: {value}"))
                    })?);
            }
            "status" if TaskStatus::parse(value).is_some() => query.status = Some(value.clone()),
            "status" => return Err(Error::invalid(format!("Invalid status value: {value}"))),
            "type" if value == IMPORT => query.kind = Some(value.clone()),
            "type" => return Err(Error::invalid(format!("Invalid type value: {value}"))),
            _ => {}
        }
    }
    query.limit = Some(limit.min(settings.maximum_limit));
    Ok(query)
}

async fn create(mut call: Call) -> Answer {
    let body = call.json().await?;
    for name in ["type", "input"] {
        if body.get(name).is_none() {
            return Err(Error::invalid(format!("Task '{name}' is required")));
        }
    }
    let kind = body["type"].as_str().unwrap_or_default();
    let (task, rest) = call
        .service
        .create_task(kind, body["input"].clone())
        .await?;
    continue_later(rest);
    let mut response = json_of(StatusCode::CREATED, &task.to_api())?;
    let location = HeaderValue::try_from(format!("/v2/tasks/{}", task.id));
    response
        .headers_mut()
        .extend(location.map(|at| (LOCATION, at)));
    Ok(response)
}

async fn show(call: Call) -> Answer {
    let task = call.service.get_task(call.parameter("task")).await?;
    json_of(StatusCode::OK, &task.to_api())
}

/// Refuses the deletion of a task: tasks expire.
async fn delete(call: Call) -> Answer {
    call.service.get_task(call.parameter("task")).await?;
    let refused = Error::of_status(
        405,
        "This operation is currently not permitted on Glance images details.",
    );
    let mut response = answer::refusal(&refused, &call.parts.headers);
    let allowed = HeaderValue::from_static("GET");
    response.headers_mut().insert(ALLOW, allowed);
    Ok(response)
}

/// Returns a task in the list of an image: upstream returns the rows of its database, with their times as they are.
fn of_image_part(task: &Task) -> Map<String, Value> {
    let mut fields = part(task, &OF_IMAGE);
    let expires_at = task.expires_at.map(Timestamp::to_isoformat);
    for (name, value) in [
        ("created_at", Some(task.created_at.to_isoformat())),
        ("updated_at", Some(task.updated_at.to_isoformat())),
        ("expires_at", expires_at),
        ("deleted_at", None),
    ] {
        fields.insert(name.to_string(), value.into());
    }
    fields.insert("deleted".to_string(), false.into());
    fields
}

async fn of_image(call: Call) -> Answer {
    call.refuse_body()?;
    let tasks = call.service.image_tasks(call.parameter("image")).await?;
    let tasks: Vec<_> = tasks.iter().map(of_image_part).collect();
    json_of(StatusCode::OK, &json!({"tasks": tasks}))
}
