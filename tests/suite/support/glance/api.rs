//! What a faithful server answers: as much of the Images API v2 as commands ask for.

use serde_json::{Map, Value, json};

use super::{Answer, Request, State, Stored};

/// Images on a page at most, as the reference implementation has it.
const LARGEST_PAGE: usize = 1000;

/// What a faithful server answers.
pub fn answer(state: &mut State, request: &Request, body: &[u8]) -> Answer {
    // The versions are for everyone.
    if request.method == "GET" && request.url().path().ends_with("/versions") {
        return Answer::json(200, &json!({"versions": [{"id": "v2.17"}, {"id": "v2.0"}]}));
    }
    if request.header("x-auth-token") != Some(super::TOKEN) {
        let error = json!({"error": {"code": 401, "title": "Unauthorized",
            "message": "The request you have made requires authentication."}});
        return Answer::json(401, &error);
    }
    let url = request.url();
    let path: Vec<String> = url.path_segments().unwrap().map(decoded).collect();
    let mount: Vec<&str> = state
        .mount
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let Some(rest) = path
        .get(mount.len()..)
        .filter(|_| path.starts_with(&mount.iter().map(ToString::to_string).collect::<Vec<_>>()))
    else {
        return not_found("The resource could not be found.");
    };
    let parts: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["v2", "images"]) => list(state, request),
        ("POST", ["v2", "images"]) => create(state, body),
        ("GET", ["v2", "info", "stores"]) => Answer::json(
            200,
            &json!({"stores": [{"id": "fast", "description": "SSD", "default": "true"}, {"id": "cheap"}]}),
        ),
        ("GET", ["v2", "info", "stores", "detail"]) => Answer::json(
            200,
            &json!({"stores": [{"id": "fast", "type": "file", "weight": 0, "default": "true",
                "properties": {"data_dir": "/srv"}}]}),
        ),
        ("GET", ["v2", "info", "import"]) => Answer::json(
            200,
            &json!({"import-methods": {"description": "Import methods available.", "type": "array",
                "value": ["glance-direct", "web-download"]}}),
        ),
        ("GET", ["v2", "info", "usage"]) => Answer::json(
            200,
            &json!({"usage": {"image_count_total": {"limit": 10, "usage": state.images.len()}}}),
        ),
        ("GET", ["v2", "tasks"]) => Answer::json(200, &json!({"tasks": [task(None)]})),
        ("POST", ["v2", "tasks"]) => Answer::json(201, &task(None)),
        ("GET", ["v2", "tasks", _]) => Answer::json(200, &task(None)),
        (_, ["v2", "metadefs", path @ ..]) => super::metadefs::answer(request, path, body),
        ("GET", ["v2", "schemas", ..]) => Answer::json(
            200,
            &json!({"name": "image", "properties": {"disk_format": {"description": "Format of the disk",
                "enum": [null, "raw", "qcow2", "odd"]}}}),
        ),
        (method, ["v2", "cache", rest @ ..]) => of_cache(state, request, method, rest),
        ("DELETE", ["v2", "stores", _, id]) if state.find(id).is_some() => Answer::empty(204),
        (method, ["v2", "images", id, rest @ ..]) => {
            of_image(state, request, body, method, id, rest)
        }
        _ => not_found("The resource could not be found."),
    }
}

fn not_found(text: &str) -> Answer {
    Answer::page(404, text)
}

fn decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap()
}

fn list(state: &State, request: &Request) -> Answer {
    let first = |name: &str| request.query(name).into_iter().next();
    let limit = first("limit")
        .and_then(|text| text.parse().ok())
        .unwrap_or(25)
        .min(LARGEST_PAGE);
    let wanted_name = first("name").map(|name| match name.strip_prefix("in:\"") {
        Some(quoted) => quoted.trim_end_matches('"').to_string(),
        None => name,
    });
    let hidden = first("os_hidden").is_some_and(|text| text == "true");
    let (tags, status) = (request.query("tag"), first("status"));
    let wanted = |image: &&Stored| {
        let record = &image.record;
        let has = |tag: &String| record["tags"].as_array().unwrap().contains(&json!(tag));
        record["os_hidden"] == hidden
            && wanted_name
                .as_ref()
                .is_none_or(|name| record["name"] == **name)
            && status
                .as_ref()
                .is_none_or(|status| record["status"] == **status)
            && tags.iter().all(has)
    };
    let mut images: Vec<&Stored> = state.images.iter().rev().filter(wanted).collect();
    if let Some(marker) = first("marker") {
        let at = images
            .iter()
            .position(|image| image.record["id"] == *marker);
        let Some(at) = at else {
            return Answer::page(400, "Invalid marker");
        };
        images.drain(..=at);
    }
    images.truncate(limit);
    let records: Vec<&Map<String, Value>> = images.iter().map(|image| &image.record).collect();
    let mut body =
        json!({"images": records, "first": "/v2/images", "schema": "/v2/schemas/images"});
    if let Some(last) = images.last().filter(|_| images.len() == limit) {
        let url = request.url();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(url.query_pairs().filter(|(name, _)| name != "marker"));
        query.append_pair("marker", last.record["id"].as_str().unwrap());
        body["next"] = json!(format!("/v2/images?{}", query.finish()));
    }
    Answer::json(200, &body)
}

fn create(state: &mut State, body: &[u8]) -> Answer {
    let Ok(attributes) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return Answer::page(400, "Malformed JSON in request body.");
    };
    if let Some(id) = attributes.get("id").and_then(Value::as_str)
        && state.find(id).is_some()
    {
        return Answer::page(409, &format!("Image ID {id} already exists!"));
    }
    let id = state.make(&attributes);
    Answer::json(201, &json!(state.find(&id).unwrap().record))
}

fn of_image(
    state: &mut State,
    request: &Request,
    body: &[u8],
    method: &str,
    id: &str,
    rest: &[&str],
) -> Answer {
    let Some(image) = state.find(id) else {
        return not_found(&format!("No image found with ID {id}"));
    };
    match (method, rest) {
        ("GET", []) => Answer::json(200, &json!(image.record)),
        ("PATCH", []) => patch(image, body),
        ("DELETE", []) if image.record["protected"] == true => Answer::page(
            403,
            &format!("Image {id} is protected and cannot be deleted."),
        ),
        ("DELETE", []) => {
            state.images.retain(|image| image.record["id"] != id);
            Answer::empty(204)
        }
        ("POST", ["locations"]) => Answer::empty(202),
        ("PUT", ["file"]) if image.record["status"] != "queued" => Answer::page(
            409,
            "Image status transition from active to saving is not allowed",
        ),
        ("PUT", ["file"]) => {
            state.store(id, body.to_vec());
            Answer::empty(204)
        }
        ("PUT", ["stage"]) if image.record["status"] != "queued" => Answer::page(
            409,
            "Image status transition from active to uploading is not allowed",
        ),
        ("PUT", ["stage"]) => {
            image
                .record
                .insert("status".to_string(), json!("uploading"));
            image.record.insert("size".to_string(), json!(body.len()));
            Answer::empty(204)
        }
        ("POST", ["import"]) => {
            image.record.insert("status".to_string(), json!("active"));
            Answer::new(202, "application/json", Vec::new())
        }
        ("GET", ["tasks"]) => Answer::json(200, &json!({"tasks": [task(Some(id))]})),
        ("GET", ["file"]) => file(image, request),
        ("POST", ["actions", action]) => {
            let status = if *action == "deactivate" {
                "deactivated"
            } else {
                "active"
            };
            image.record.insert("status".to_string(), json!(status));
            Answer::empty(204)
        }
        ("PUT", ["tags", tag]) => {
            let tags = image.record["tags"].as_array_mut().unwrap();
            if !tags.contains(&json!(tag)) {
                tags.push(json!(tag));
            }
            Answer::empty(204)
        }
        ("DELETE", ["tags", tag]) => {
            let tags = image.record["tags"].as_array_mut().unwrap();
            let before = tags.len();
            tags.retain(|known| known != tag);
            Answer::empty(if tags.len() < before { 204 } else { 404 })
        }
        (_, ["members", rest @ ..]) => of_members(image, body, method, rest),
        _ => not_found("The resource could not be found."),
    }
}

/// A task that is done.
fn task(image: Option<&str>) -> Value {
    json!({"id": "7a5c0000-0000-4000-8000-000000000000", "type": "api_image_import",
        "status": "success", "owner": "p", "input": {}, "result": null, "message": "", "image_id": image,
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05.000001",
        "expires_at": null})
}

/// The cache holds the first image there is, and the last one is queued.
fn of_cache(state: &mut State, request: &Request, method: &str, rest: &[&str]) -> Answer {
    match (method, rest) {
        ("GET", []) => {
            let cached = state.images.iter().take(1).map(|image| {
                json!({"image_id": image.record["id"], "last_accessed": 1_763_717_404.5,
                    "last_modified": 1_763_717_404.25, "size": 7, "hits": 3})
            });
            let cached: Vec<Value> = cached.collect();
            let queued = state.images.iter().skip(1).next_back();
            let queued = queued.map(|image| image.record["id"].clone());
            let queued: Vec<Value> = queued.into_iter().collect();
            Answer::json(
                200,
                &json!({"cached_images": cached, "queued_images": queued}),
            )
        }
        ("DELETE", []) => match request.header("x-image-cache-clear-target") {
            None | Some("cache" | "queue") => Answer::empty(204),
            Some(_) => Answer::page(400, "no such target"),
        },
        ("POST", ["clean"]) => Answer::empty(200),
        ("POST", ["prune"]) => Answer::json(
            200,
            &json!({"total_files_pruned": 2, "total_bytes_pruned": 14}),
        ),
        ("GET", ["nodes", _]) => Answer::json(200, &json!(["http://one:9292"])),
        ("PUT", [id]) if state.find(id).is_some() => Answer::empty(202),
        ("DELETE", [id]) if state.find(id).is_some() => Answer::empty(204),
        (_, [id]) => not_found(&format!("Image {id} not found.")),
        _ => not_found("The resource could not be found."),
    }
}

fn of_members(image: &mut Stored, body: &[u8], method: &str, rest: &[&str]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let place = |id: &str| {
        let mut members = image.members.iter();
        members.position(|member| member["member_id"] == id)
    };
    match (method, rest, rest.first().and_then(|id| place(id))) {
        ("GET", [], _) => Answer::json(200, &json!({"members": image.members})),
        ("POST", [], _) => {
            let member = json!({"member_id": body["member"], "image_id": image.record["id"],
                "status": "pending", "created_at": "2026-01-02T03:04:05Z",
                "updated_at": "2026-01-02T03:04:05Z", "schema": "/v2/schemas/member"});
            image.members.push(member.clone());
            Answer::json(200, &member)
        }
        ("GET", [_], Some(at)) => Answer::json(200, &image.members[at]),
        ("PUT", [_], Some(at)) => {
            image.members[at]["status"] = body["status"].clone();
            Answer::json(200, &image.members[at])
        }
        ("DELETE", [_], Some(at)) => {
            image.members.remove(at);
            Answer::empty(204)
        }
        _ => not_found("The member could not be found."),
    }
}

fn patch(image: &mut Stored, body: &[u8]) -> Answer {
    let Ok(operations) = serde_json::from_slice::<Vec<Value>>(body) else {
        return Answer::page(
            400,
            "Request body must be a JSON array of operation objects.",
        );
    };
    for operation in operations {
        let path = operation["path"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches('/');
        let name = path.replace("~1", "/").replace("~0", "~");
        if let Some(place) = name.strip_prefix("locations/") {
            let locations = image.record.entry("locations").or_insert(json!([]));
            let locations = locations.as_array_mut().unwrap();
            match place.parse::<usize>() {
                Ok(at) => drop(locations.remove(at)),
                Err(_) => locations.push(operation["value"].clone()),
            }
            continue;
        }
        let known = image.record.contains_key(&name);
        match operation["op"].as_str() {
            Some("remove") if known => drop(image.record.remove(&name)),
            Some("replace") if known => drop(image.record.insert(name, operation["value"].clone())),
            Some("add") => drop(image.record.insert(name, operation["value"].clone())),
            _ => return Answer::page(409, &format!("Property {name} does not exist.")),
        }
    }
    Answer::json(200, &json!(image.record))
}

fn file(image: &Stored, request: &Request) -> Answer {
    let Some(data) = &image.data else {
        return Answer::empty(204);
    };
    if image.record["status"] == "deactivated" {
        return Answer::page(403, "The requested image has been deactivated.");
    }
    let size = data.len();
    let range = request.header("range").and_then(|text| {
        let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse().unwrap_or(size - 1)))
    });
    let binary = "application/octet-stream";
    match range {
        None => Answer::new(200, binary, data.clone()),
        Some((from, to)) if from <= to && to < size => Answer::new(206, binary, &data[from..=to])
            .with("Content-Range", &format!("bytes {from}-{to}/{size}")),
        Some(_) => Answer::page(416, "The requested range cannot be satisfied."),
    }
}
