//! What every implementation of the service traits MUST do: one suite, run on each of them.

mod data;
mod images;
mod lists;

use glance_tools::model::{Image, NewImage};
use glance_tools::service::ImageService;
use serde_json::{Value, json};

use crate::support::Place;

/// A deployment that the suite runs on.
pub trait Deployment {
    /// The service, as `caller` (`PROJECT:ROLE:USER`) meets it.
    async fn service(&self, caller: &str) -> Box<dyn ImageService>;
}

impl Deployment for Place {
    async fn service(&self, caller: &str) -> Box<dyn ImageService> {
        Box::new(self.open_as(caller).await)
    }
}

/// Declares the suite's tests for every deployment there is.
macro_rules! contract {
    ($($name:ident)*) => {
        mod local {
            $(#[test]
            fn $name() {
                crate::support::block_on(super::$name(crate::support::Place::new()));
            })*
        }
    };
}
pub(crate) use contract;

/// A new image of these attributes.
pub fn new_image(attributes: Value) -> NewImage {
    let Value::Object(attributes) = attributes else {
        panic!("attributes are an object")
    };
    NewImage { attributes }
}

/// An image that can take data.
pub async fn raw_image(service: &dyn ImageService, name: &str) -> Image {
    let attributes = json!({"name": name, "disk_format": "raw", "container_format": "bare"});
    service.create_image(new_image(attributes)).await.unwrap()
}

/// The kind of an error.
#[track_caller]
pub fn kind<T: std::fmt::Debug>(result: glance_tools::Result<T>) -> glance_tools::ErrorKind {
    result.unwrap_err().kind()
}
