//! The image cache of this host.
//!
//! *Source:* `glance/api/v2/cached_images.py`, `glance/api/middleware/cache_manage.py` of the reference implementation.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::continue_later;
use super::routes::routes;
use crate::model::{CacheTarget, CachedImage};
use crate::{Error, Result};

routes! {
    "/cache" => GET state, DELETE clear;
    "/cache/clean" => POST clean;
    "/cache/prune" => POST prune;
    "/cache/nodes/{image}" => GET nodes;
    "/cache/{image}" => DELETE remove, PUT queue;
    only "/cached_images" => GET old_list, DELETE old_clear;
    only "/cached_images/{image}" => DELETE old_remove;
    only "/queued_images" => GET old_queue, DELETE old_clear_queue;
    only "/queued_images/{image}" => PUT old_add, DELETE old_remove_from_queue;
}

/// Returns the representation of a cached image. Times are seconds since 1970.
fn shown(image: &CachedImage) -> Value {
    json!({
        "image_id": image.image_id,
        "last_accessed": image.last_accessed.to_seconds(),
        "last_modified": image.last_modified.to_seconds(),
        "size": image.size,
        "hits": image.hits,
        "checksum": Value::Null,
    })
}

async fn state(call: Call) -> Answer {
    let state = call.service.cache_state().await?;
    let cached: Vec<Value> = state.cached.iter().map(shown).collect();
    json_of(
        StatusCode::OK,
        &json!({"cached_images": cached, "queued_images": state.queued}),
    )
}

async fn clear(call: Call) -> Answer {
    let target = call
        .header("x-image-cache-clear-target")
        .unwrap_or_default();
    let target = match target.to_ascii_lowercase().as_str() {
        "" => CacheTarget::Both,
        "cache" => CacheTarget::Cache,
        "queue" => CacheTarget::Queue,
        _ => {
            return Err(Error::invalid(
                "If provided 'x-image-cache-clear-target' must be 'cache', 'queue' or empty string.",
            ));
        }
    };
    call.service.clear_cache(target).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn queue(call: Call) -> Answer {
    let rest = call.service.cache_image(call.parameter("image")).await?;
    continue_later(rest);
    Ok(answer::empty(StatusCode::ACCEPTED))
}

async fn remove(call: Call) -> Answer {
    call.service.uncache_image(call.parameter("image")).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn clean(call: Call) -> Answer {
    call.service.clean_cache(false).await?;
    json_of(StatusCode::OK, &Value::Null)
}

async fn prune(call: Call) -> Answer {
    let removed = call.service.prune_cache(false).await?;
    json_of(
        StatusCode::OK,
        &json!({"total_files_pruned": removed.files, "total_bytes_pruned": removed.bytes}),
    )
}

async fn nodes(call: Call) -> Answer {
    let nodes = call.service.cached_nodes(call.parameter("image")).await?;
    json_of(StatusCode::OK, &nodes)
}

/// Checks that the older routes exist.
fn check_older(call: &Call) -> Result<()> {
    if call.server.settings.flavor.cache_management {
        return Ok(());
    }
    Err(Error::not_found("The resource could not be found."))
}

async fn old_list(call: Call) -> Answer {
    check_older(&call)?;
    let cached = call.service.list_cached().await?;
    let cached: Vec<Value> = cached.iter().map(shown).collect();
    json_of(StatusCode::OK, &json!({"cached_images": cached}))
}

async fn old_queue(call: Call) -> Answer {
    check_older(&call)?;
    let queued = call.service.list_queued().await?;
    json_of(StatusCode::OK, &json!({"queued_images": queued}))
}

async fn old_clear(call: Call) -> Answer {
    check_older(&call)?;
    let count = call.service.delete_all_cached().await?;
    json_of(StatusCode::OK, &json!({"num_deleted": count}))
}

async fn old_clear_queue(call: Call) -> Answer {
    check_older(&call)?;
    let count = call.service.delete_all_queued().await?;
    json_of(StatusCode::OK, &json!({"num_deleted": count}))
}

/// Queues an image, which need not exist. It is fetched with the others of the queue at a later time.
async fn old_add(call: Call) -> Answer {
    check_older(&call)?;
    call.service.queue(call.parameter("image")).await?;
    json_of(StatusCode::OK, &Value::Null)
}

/// Removes an image from the cache. It need not be there.
async fn old_remove(call: Call) -> Answer {
    check_older(&call)?;
    call.service.delete_cached(call.parameter("image")).await?;
    json_of(StatusCode::OK, &Value::Null)
}

/// Removes an image from the queue. It need not be there.
async fn old_remove_from_queue(call: Call) -> Answer {
    check_older(&call)?;
    call.service.delete_queued(call.parameter("image")).await?;
    json_of(StatusCode::OK, &Value::Null)
}
