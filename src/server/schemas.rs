//! JSON schemas.
//!
//! *Source:* `glance/api/v2/schemas.py` of the reference implementation.

use http::StatusCode;

use super::answer::{Answer, json_of};
use super::call::Call;
use super::routes::routes;

routes! {
    "/schemas/{name}" => GET show;
    "/schemas/metadefs/{name}" => GET show_of_metadefs;
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    json_of(
        StatusCode::OK,
        &call.service.schema(call.parameter("name")).await?,
    )
}

async fn show_of_metadefs(call: Call) -> Answer {
    call.refuse_body()?;
    let name = format!("metadefs/{}", call.parameter("name"));
    json_of(StatusCode::OK, &call.service.schema(&name).await?)
}
