//! Stores, copies in them, and quotas.
//!
//! *Source:* `glance/api/v2/discovery.py`, `ImagesController.delete_from_store` in `glance/api/v2/images.py` of the
//! reference implementation.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::routes::routes;
use crate::ErrorKind;
use crate::model::StoreInfo;
use crate::{Error, Result};

routes! {
    "/info/stores" => GET list;
    "/info/stores/detail" => GET list_in_detail;
    only "/info/usage" => GET usage;
    "/stores/{store}/{image}" => DELETE delete_copy;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    listed(call.service.list_stores(false).await)
}

async fn list_in_detail(call: Call) -> Answer {
    call.refuse_body()?;
    listed(call.service.list_stores(true).await)
}

fn listed(stores: Result<Vec<StoreInfo>>) -> Answer {
    let stores = stores.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::not_found("Multi backend is not supported at this site."),
        _ => error,
    })?;
    let stores: Vec<_> = stores.iter().map(shown).collect();
    json_of(StatusCode::OK, &json!({"stores": stores}))
}

/// Returns the representation of a store. Its space is not a part of upstream's.
fn shown(store: &StoreInfo) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_string(), value);
    set("id", store.id.as_str().into());
    if let Some(description) = &store.description {
        set("description", description.as_str().into());
    }
    if store.is_default {
        set("default", "true".into());
    }
    if store.read_only {
        set("read-only", "true".into());
    }
    if let Some(detail) = &store.detail {
        set("type", detail.kind.as_str().into());
        set("properties", detail.properties.clone().into());
        set("weight", detail.weight.into());
    }
    body
}

async fn usage(call: Call) -> Answer {
    let usage = call.service.usage().await?.into_iter().map(|one| {
        let counts = json!({"usage": one.usage, "limit": one.limit});
        (one.quota, counts)
    });
    json_of(
        StatusCode::OK,
        &json!({"usage": usage.collect::<Map<_, _>>()}),
    )
}

async fn delete_copy(call: Call) -> Answer {
    call.refuse_body()?;
    let (store, image) = (call.parameter("store"), call.parameter("image"));
    call.service.delete_from_store(image, store).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
