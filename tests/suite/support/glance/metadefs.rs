//! What a faithful server answers about metadata definitions: one namespace, `N`, with something of
//! everything, which stays as it is.

use serde_json::{Value, json};

use super::{Answer, Request};

const NOW: &str = "2026-01-02T03:04:05Z";

/// What is answered to a request for `path` under `/v2/metadefs`.
pub fn answer(request: &Request, path: &[&str], body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let property = json!({"name": "p", "title": "P", "type": "string", "maxLength": 5});
    let object = json!({"name": "o", "properties": {"x": property}, "required": ["x"],
        "created_at": NOW, "updated_at": NOW, "self": "/o", "schema": "/s"});
    let association = json!({"name": "R", "prefix": "r_", "created_at": NOW, "updated_at": NOW});
    let tag = json!({"name": "t", "created_at": NOW, "updated_at": NOW});
    let namespace = json!({"namespace": "N", "visibility": "public", "protected": true, "owner": "o",
        "display_name": "Full", "created_at": NOW, "updated_at": NOW, "properties": {"p": property},
        "objects": [object], "tags": [{"name": "t"}], "resource_type_associations": [association],
        "self": "/n", "schema": "/s"});
    let created = |mut value: Value| {
        value["created_at"] = json!(NOW);
        value["updated_at"] = json!(NOW);
        Answer::json(201, &value)
    };
    match (request.method.as_str(), path) {
        ("DELETE", ["namespaces", _, ..]) => Answer::empty(204),
        ("GET", ["resource_types"]) => Answer::json(200, &json!({"resource_types": [association]})),
        ("GET", ["namespaces"]) => {
            let page = json!({"namespaces": [namespace], "first": "/f", "schema": "/s"});
            Answer::json(200, &page)
        }
        ("GET", ["namespaces", _]) => Answer::json(200, &namespace),
        ("PUT", ["namespaces", ..]) => Answer::json(200, &body),
        ("GET", ["namespaces", _, "properties"]) => {
            Answer::json(200, &json!({"properties": {"p": property}}))
        }
        ("GET", ["namespaces", _, "properties", _]) => Answer::json(200, &property),
        ("GET", ["namespaces", _, "objects"]) => Answer::json(200, &json!({"objects": [object]})),
        ("GET", ["namespaces", _, "objects", _]) => Answer::json(200, &object),
        ("GET", ["namespaces", _, "tags"]) => Answer::json(200, &json!({"tags": [{"name": "t"}]})),
        ("GET", ["namespaces", _, "tags", _]) => Answer::json(200, &tag),
        ("POST", ["namespaces", _, "tags", name]) => created(json!({"name": name})),
        ("POST", ["namespaces", _, "tags"]) => Answer::json(201, &body),
        ("GET", ["namespaces", _, "resource_types"]) => {
            let list = json!({"resource_type_associations": [association]});
            Answer::json(200, &list)
        }
        ("POST", ["namespaces"] | ["namespaces", _, _]) => created(body),
        _ => Answer::page(404, "The resource could not be found."),
    }
}
