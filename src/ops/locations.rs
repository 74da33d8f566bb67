//! Image locations.

use serde_json::{Map, Value};

use crate::model::address::redacted;
use crate::model::{Change, Image, ImagePatch, Location, MultiHash, ValidationData};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Operation, Result};

/// Adds a location (`glance location-add`).
pub async fn add(
    service: &dyn ImageService,
    id: &str,
    location: Location,
    validation: ValidationData,
) -> Result<Image> {
    let add = ImagePatch::from(Change::add_location(location, validation));
    service.update_image(id, &add).await
}

/// Updates the metadata of a location (`glance location-update`). Unchanged metadata is not sent.
pub async fn update(
    service: &dyn ImageService,
    id: &str,
    url: &str,
    metadata: Map<String, Value>,
) -> Result<Image> {
    let mut image = service.get_image(id).await?;
    let mut locations = known(&image)?.to_vec();
    let location = locations.iter_mut().rfind(|at| at.url == url);
    let Some(location) = location else {
        return Err(Error::failed(format!(
            "Unknown URL: {}, the URL must be one of existing locations of current image",
            redacted(url)
        )));
    };
    if location.metadata != metadata {
        location.metadata = metadata;
        let replace = ImagePatch::from(Change::replace_locations(locations));
        image = service.update_image(id, &replace).await?;
    }
    Ok(image)
}

/// Removes locations (`glance location-delete`). If several have the same URL, removes the first.
pub async fn delete(service: &dyn ImageService, id: &str, urls: &[String]) -> Result<()> {
    let image = service.get_image(id).await?;
    let locations = known(&image)?;
    let place = |url: &String| locations.iter().position(|at| at.url == *url);
    let mut unknown: Vec<String> = Vec::new();
    for url in urls.iter().filter(|url| place(url).is_none()) {
        let quoted = format!("'{}'", redacted(url));
        if !unknown.contains(&quoted) {
            unknown.push(quoted);
        }
    }
    if !unknown.is_empty() {
        return Err(Error::failed(format!(
            "Unknown URL(s): [{}]",
            unknown.join(", ")
        )));
    }
    let positions: Vec<usize> = urls.iter().filter_map(place).collect();
    let remove = ImagePatch::remove_locations(locations, &positions);
    service.apply_patch(id, &remove).await
}

/// Registers a location through the location API (`glance add-location`).
pub async fn register(
    service: &dyn ImageService,
    id: &str,
    url: &str,
    expected: Option<&MultiHash>,
) -> Result<Image> {
    service.register_location(id, url, expected).await?;
    service.get_image(id).await
}

/// Deletes the copy of an image in one store (`glance stores-delete`). `inline` words an error of the service.
pub async fn delete_copy(
    service: &dyn ImageService,
    id: &str,
    store: &str,
    inline: impl Fn(&Error) -> String,
) -> Result<()> {
    let deleted = service.delete_from_store(id, store).await;
    deleted.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Error::failed("Multi Backend support is not enabled or Image/store not found.")
                .hint(Operation::ShowImage(id.to_string()))
                .hint(Operation::ListStores)
                .because(error)
        }
        _ if error.status().is_some() => {
            let why = inline(&error);
            Error::failed(format!(
                "Unable to delete image '{id}' from store '{store}'. ({why})"
            ))
            .hints_of(&error)
        }
        _ => error,
    })
}

/// Returns the locations of an image if the deployment exposes them.
fn known(image: &Image) -> Result<&[Location]> {
    image.locations.as_deref().ok_or_else(|| {
        Error::failed("The administrator has disabled API access to image locations")
            .hint("Set show_multiple_locations = true in glance-api.conf to allow it.")
    })
}
