//! Imports: the data is staged, or fetched by the service, whose task stores it.

use async_trait::async_trait;
use http::Method;

use super::data::{Delivered, STORE, Sending, store_header};
use super::{JSON, Remote};
use crate::data::Watch;
use crate::http::Request;
use crate::model::{Destination, Image, ImageStatus, Import};
use crate::service::{Images, Imports, Running, Staging};
use crate::{Error, Result};

#[async_trait]
impl Imports for Remote {
    async fn stage_image(&self, id: &str, staging: Staging) -> Result<()> {
        let call = Request::new(Method::PUT, self.url(&["images", id, "stage"]).await?);
        let sending = Sending {
            id,
            call,
            size: staging.size,
            verify: false,
            watch: staging.watch,
        };
        match self.deliver(sending, staging.source).await? {
            Delivered::Taken(sent, _) => check(&self.get_image(id).await?, sent?.size),
            Delivered::Became(image, error, again) => match again.size() {
                Some(size) if image.status == ImageStatus::Uploading => check(&image, size),
                _ => Err(error),
            },
        }
    }

    async fn import_image(&self, id: &str, import: Import, _: Watch) -> Result<Running> {
        let path = ["images", id, "import"];
        let body = import.to_api();
        let mut call = self.with_body(Method::POST, &path, JSON, &body).await?;
        if let Destination::One(store) = &import.to {
            call.headers.insert(STORE, store_header(store)?);
        }
        self.succeed(call).await?;
        Ok(Box::pin(async { Ok(()) }))
    }
}

/// Checks that the service staged all of the sent data. Staged data has no hash.
fn check(image: &Image, sent: u64) -> Result<()> {
    match image.size {
        Some(size) if size != sent => Err(Error::corrupt(format!(
            "the server staged {size} bytes for image {} instead of {sent}",
            image.id
        ))
        .hint("Delete the image, and stage the data for a new one.")),
        _ => Ok(()),
    }
}
