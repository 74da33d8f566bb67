//! Imports of image data.
//!
//! *Source:* `RequestDeserializer.import_image` and `ImagesController.import_image` in `glance/api/v2/images.py` of the
//! reference implementation.

use http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::continue_later;
use super::routes::routes;
use super::stage_host;
use crate::data::Watch;
use crate::model::{Destination, Elsewhere, Import, ImportMethod};
use crate::{Error, Result};

routes! {
    "/images/{image}/import" => POST import;
    "/info/import" => GET methods;
}

async fn methods(call: Call) -> Answer {
    call.refuse_body()?;
    let methods = json!({
        "description": "Import methods available.",
        "type": "array",
        "value": call.service.import_methods().await?,
    });
    json_of(StatusCode::OK, &json!({"import-methods": methods}))
}

async fn import(mut call: Call) -> Answer {
    let Value::Object(body) = call.json().await? else {
        return Err(Error::invalid("Import request requires a 'method' field."));
    };
    let header = call.header("x-image-meta-store").map(str::to_string);
    let import = read(&body, header)?;
    let enabled = &call.server.features.import_methods;
    if !enabled.iter().any(|name| name == import.method.name()) {
        return Err(Error::invalid(format!(
            "Unknown import method name '{}'.",
            import.method.name()
        )));
    }
    let image = call.parameter("image");
    if import.method == ImportMethod::GlanceDirect
        && let Some(host) = stage_host::of_image(&call.server, &*call.service, image).await?
    {
        let body = Value::Object(body).to_string();
        let sent = stage_host::send_on(&call.server.hosts, &call.parts, &host, body.into()).await;
        return Ok(match sent {
            Ok(()) => answer::empty(StatusCode::ACCEPTED),
            Err(failure) => failure.response(&call.parts.headers),
        });
    }
    let rest = call
        .service
        .import_image(image, import, Watch::default())
        .await?;
    continue_later(rest);
    Ok(answer::empty(StatusCode::ACCEPTED))
}

/// Reads the request. `header` is the store that a header names.
fn read(body: &Map<String, Value>, header: Option<String>) -> Result<Import> {
    let method = body
        .get("method")
        .ok_or_else(|| Error::invalid("Import request requires a 'method' field."))?;
    let name = method
        .get("name")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::invalid("Import request requires a 'name' field."))?;
    let boolean = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(Error::invalid(format!(
            "'{name}' must be boolean value only"
        ))),
    };
    let must = boolean("all_stores_must_succeed")?;
    let all = boolean("all_stores")?.unwrap_or(false);
    let stores = match body.get("stores") {
        None => Vec::new(),
        Some(list) => texts(list)
            .ok_or_else(|| Error::invalid("'stores' must be a list of the IDs of stores"))?,
    };
    let to = match (all, stores, header) {
        (true, stores, _) if !stores.is_empty() => {
            return Err(Error::invalid(
                "stores parameter conflicts with all_stores parameter",
            ));
        }
        (_, stores, Some(_)) if all || !stores.is_empty() => {
            return Err(Error::invalid(
                "stores parameter and x-image-meta-store header can't be both specified",
            ));
        }
        (true, ..) => Destination::All,
        (false, stores, _) if !stores.is_empty() => Destination::Several(stores),
        (.., Some(store)) => Destination::One(store),
        _ => Destination::Default,
    };
    let text = |key: &str| method.get(key).and_then(Value::as_str).map(str::to_string);
    let required = |key: &str| {
        text(key).ok_or_else(|| {
            Error::invalid(format!(
                "'{key}' must be provided for the import method {name}"
            ))
        })
    };
    let method = match name {
        "glance-direct" => ImportMethod::GlanceDirect,
        "web-download" => ImportMethod::WebDownload {
            uri: required("uri")?,
        },
        "copy-image" => ImportMethod::CopyImage,
        "glance-download" => ImportMethod::GlanceDownload(Elsewhere {
            region: required("glance_region")?,
            image_id: remote_id(required("glance_image_id")?)?,
            interface: text("glance_service_interface"),
        }),
        other => ImportMethod::Other(other.to_string()),
    };
    Ok(Import {
        method,
        to,
        all_must_succeed: must,
    })
}

/// Returns the ID of an image of another region, which is a UUID.
fn remote_id(id: String) -> Result<String> {
    if Uuid::parse_str(&id).is_err() {
        return Err(Error::invalid(format!(
            "the remote image id does not look like a UUID: {id}"
        )));
    }
    Ok(id)
}

/// Returns the texts of a list.
fn texts(list: &Value) -> Option<Vec<String>> {
    let texts = list.as_array()?.iter();
    texts
        .map(|text| text.as_str().map(str::to_string))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: Value, header: Option<&str>) -> Result<Import> {
        let Value::Object(body) = body else {
            panic!("not an object")
        };
        read(&body, header.map(str::to_string))
    }

    #[test]
    fn what_the_client_sends_is_read_back() {
        let method = ImportMethod::GlanceDownload(Elsewhere {
            region: "R".to_string(),
            image_id: "8876c818-c40e-4b90-9742-31d231616305".to_string(),
            interface: Some("internal".to_string()),
        });
        for import in [
            Import::new(ImportMethod::GlanceDirect),
            Import {
                to: Destination::All,
                all_must_succeed: Some(false),
                ..Import::new(ImportMethod::CopyImage)
            },
            Import {
                to: Destination::Several(vec!["a".to_string(), "b".to_string()]),
                ..Import::new(ImportMethod::WebDownload {
                    uri: "http://h/x".to_string(),
                })
            },
            Import::new(method),
        ] {
            assert_eq!(request(import.to_api(), None).unwrap(), import);
        }
        let one = request(json!({"method": {"name": "glance-direct"}}), Some("a")).unwrap();
        assert_eq!(one.to, Destination::One("a".to_string()));
    }

    #[test]
    fn contradictions_are_refused() {
        let method = json!({"name": "glance-direct"});
        for (body, header) in [
            (json!({}), None),
            (json!({"method": {}}), None),
            (json!({"method": method, "all_stores": "yes"}), None),
            (
                json!({"method": method, "all_stores": true, "stores": ["a"]}),
                None,
            ),
            (json!({"method": method, "stores": ["a"]}), Some("b")),
            (json!({"method": method, "all_stores": true}), Some("b")),
            (json!({"method": method, "stores": "a"}), None),
            (json!({"method": {"name": "web-download"}}), None),
            (
                json!({"method": {"name": "glance-download", "glance_region": "R", "glance_image_id": "i"}}),
                None,
            ),
        ] {
            let error = request(body.clone(), header).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{body}");
        }
    }
}
