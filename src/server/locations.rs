//! Registration of data by its address, and the addresses for services that read data themselves.
//!
//! *Source:* `ImagesController.add_location` and `get_locations` in `glance/api/v2/images.py` of the reference implementation.

use http::StatusCode;
use serde_json::Value;

use super::answer::{self, Answer};
use super::call::Call;
use super::continue_later;
use super::routes::routes;
use crate::model::MultiHash;
use crate::{Error, Result};

routes! {
    "/images/{image}/locations" => GET list, POST add;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let locations = call.service.locations(call.parameter("image")).await?;
    answer::json_of(StatusCode::OK, &locations)
}

async fn add(mut call: Call) -> Answer {
    let body = call.json().await?;
    let url = body.get("url").and_then(Value::as_str);
    let url = url.ok_or_else(|| Error::invalid("'url' is a required property"))?;
    let hash = expected(body.get("validation_data"))?;
    let image = call.parameter("image");
    let rest = call
        .service
        .begin_registration(image, url, hash.as_ref())
        .await?;
    continue_later(rest);
    Ok(answer::empty(StatusCode::ACCEPTED))
}

/// Reads the hash that the data must have.
fn expected(data: Option<&Value>) -> Result<Option<MultiHash>> {
    let fields = match data {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(fields)) if fields.is_empty() => return Ok(None),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(Error::invalid("'validation_data' is not an object")),
    };
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str).map(str::to_string);
        text.ok_or_else(|| Error::invalid(format!("'{name}' is a required property")))
    };
    Ok(Some(MultiHash {
        algorithm: text("os_hash_algo")?,
        value: text("os_hash_value")?,
    }))
}
