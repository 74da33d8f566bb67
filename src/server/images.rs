//! Records of images.
//!
//! *Source:* `glance/api/v2/images.py` of the reference implementation.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::TryStreamExt;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION};
use serde::Serialize;
use serde_json::Value;

use super::Server;
use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::query::{self, Links};
use super::routes::routes;
use super::stage_host::{self, Failure};
use crate::model::schema::Allowed;
use crate::model::{Image, ImagePatch, NewImage, PatchFormat};
use crate::service::ImageService;
use crate::{Error, Result};

routes! {
    "/images" => GET list, POST create;
    "/images/{image}" => GET show, PATCH update, DELETE delete;
    "/images/{image}/actions/deactivate" => POST deactivate;
    "/images/{image}/actions/reactivate" => POST reactivate;
    "/images/{image}/tags/{tag}" => PUT add_tag, DELETE remove_tag;
}

/// The header of the enabled methods of imports.
const IMPORT_METHODS: HeaderName = HeaderName::from_static("openstack-image-import-methods");

/// The header of the stores that callers may select.
const STORES: HeaderName = HeaderName::from_static("openstack-image-store-ids");

/// The maximum number of operations of a patch.
const MAX_OPERATIONS: usize = 10_000;

/// A page of a list of images.
#[derive(Serialize)]
struct Page {
    images: Vec<Image>,
    first: String,
    schema: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let parameters = call.query();
    let listing = query::listing(&parameters, &call.server.settings)?;
    let images: Vec<Image> = if listing.limit == 0 {
        Vec::new()
    } else {
        call.service.list_images(listing.query).try_concat().await?
    };
    let links = Links::new("/v2/images", &parameters);
    let is_full = images.len() as u64 == listing.limit;
    let last = images.last().filter(|_| is_full);
    let next = last.map(|last| links.after(&last.id));
    let page = Page {
        images,
        first: links.first(),
        schema: "/v2/schemas/images",
        next,
    };
    json_of(StatusCode::OK, &page)
}

async fn create(mut call: Call) -> Answer {
    let Value::Object(attributes) = call.json().await? else {
        return Err(Error::invalid("The body of a new image is a JSON object."));
    };
    let image = call.service.create_image(NewImage { attributes }).await?;
    let mut response = json_of(StatusCode::CREATED, &image)?;
    let headers = response.headers_mut();
    headers
        .extend(HeaderValue::try_from(format!("/v2/images/{}", image.id)).map(|at| (LOCATION, at)));
    call.server.describe(&mut response);
    Ok(response)
}

impl Server {
    /// Adds the headers that name the methods of imports and the stores.
    fn describe(&self, response: &mut Response<Body>) {
        let features = &self.features;
        for (name, values) in [
            (IMPORT_METHODS, &features.import_methods),
            (STORES, &features.stores),
        ] {
            if !values.is_empty() {
                let value = HeaderValue::try_from(values.join(","));
                response
                    .headers_mut()
                    .extend(value.map(|value| (name, value)));
            }
        }
    }
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let image = call.service.get_image(call.parameter("image")).await?;
    json_of(StatusCode::OK, &image)
}

async fn update(mut call: Call) -> Answer {
    let format = PatchFormat::parse(call.content_type())?;
    let body = call.bytes().await?;
    let patch = ImagePatch::parse(format, &body, &allowed(&*call.service).await?)?;
    if patch.changes().len() > MAX_OPERATIONS {
        return Err(Error::too_large(format!(
            "The patch has more than {MAX_OPERATIONS} operations."
        )));
    }
    let image = call
        .service
        .update_image(call.parameter("image"), &patch)
        .await?;
    json_of(StatusCode::OK, &image)
}

/// Returns the formats that images may have.
async fn allowed(service: &dyn ImageService) -> Result<Allowed> {
    Ok(Allowed::of_schema(&service.schema("image").await?))
}

async fn delete(call: Call) -> Answer {
    call.refuse_body()?;
    let image = call.parameter("image");
    if let Some(host) = stage_host::of_image(&call.server, &*call.service, image).await? {
        match stage_host::send_on(&call.server.hosts, &call.parts, &host, Bytes::new()).await {
            Ok(()) => return Ok(answer::empty(StatusCode::NO_CONTENT)),
            // Its staged data is removed when that host is back.
            Err(Failure::Unavailable(_)) => {}
            Err(refused) => return Ok(refused.response(&call.parts.headers)),
        }
    }
    call.service.delete_image(image).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn deactivate(call: Call) -> Answer {
    call.refuse_body()?;
    call.service
        .deactivate_image(call.parameter("image"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn reactivate(call: Call) -> Answer {
    call.refuse_body()?;
    call.service
        .reactivate_image(call.parameter("image"))
        .await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn add_tag(call: Call) -> Answer {
    call.refuse_body()?;
    let (image, tag) = (call.parameter("image"), call.parameter("tag"));
    call.service.add_tag(image, tag).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn remove_tag(call: Call) -> Answer {
    call.refuse_body()?;
    let (image, tag) = (call.parameter("image"), call.parameter("tag"));
    call.service.remove_tag(image, tag).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}
