//! What every implementation of the service traits MUST do: one suite, run on each of them.

pub mod data;
mod images;
mod lists;
mod locations;
mod members;

use glance_tools::config::{Cloud, Environment};
use glance_tools::model::{Image, NewImage};
use glance_tools::remote::Remote;
use glance_tools::remote::auth::Prompt;
use glance_tools::remote::http::Observer;
use glance_tools::service::ImageService;
use serde_json::{Value, json};

use crate::realcloud::SharedCloud;
use crate::support::Place;

/// A deployment that the suite runs on; it holds nothing at first.
pub trait Deployment {
    /// The service, as `caller` (`PROJECT:ROLE:USER`) meets it.
    async fn service(&self, caller: &str) -> Box<dyn ImageService>;

    /// The id of the project that callers call `name`, as images name their owner.
    async fn project(&self, name: &str) -> String;

    /// Has the stores `fast` (the default) and `slow`, none of web servers, and shows locations.
    async fn with_named_stores(self) -> Self;
}

impl Deployment for Place {
    async fn service(&self, caller: &str) -> Box<dyn ImageService> {
        Box::new(self.open_as(caller).await)
    }

    async fn project(&self, name: &str) -> String {
        // Without a Keystone there is no other name.
        name.to_string()
    }

    async fn with_named_stores(self) -> Self {
        self.configure(crate::locations::NAMED);
        self
    }
}

/// A real Glance, met through the client.
impl Deployment for SharedCloud {
    async fn service(&self, caller: &str) -> Box<dyn ImageService> {
        let [project, role, user] = caller.splitn(3, ':').collect::<Vec<_>>()[..] else {
            panic!("{caller} is no PROJECT:ROLE:USER")
        };
        let (_, token) = self.caller(project, role, user);
        let glance = self.glance();
        let options = |name: &str| match name {
            "os-auth-token" => Some(token.clone()),
            "os-image-url" => Some(glance.clone()),
            _ => None,
        };
        let cloud = Cloud::load(&options, &Environment::default()).unwrap();
        Box::new(
            Remote::open(cloud, Box::new(Nobody), Observer::default())
                .await
                .unwrap(),
        )
    }

    async fn project(&self, name: &str) -> String {
        self.caller(name, "member", "u").0
    }

    async fn with_named_stores(self) -> Self {
        // Every real cloud has them.
        self
    }
}

/// There is nobody to ask for a secret.
struct Nobody;

impl Prompt for Nobody {
    fn secret(&self, _: &str) -> glance_tools::Result<Option<String>> {
        Ok(None)
    }
}

/// A real cloud without images.
pub fn empty_cloud() -> SharedCloud {
    let cloud = SharedCloud::take();
    cloud.empty();
    cloud
}

/// Declares the suite's tests, for every deployment there is; those after `local:` for the engine alone.
macro_rules! contract {
    ($($name:ident)* $(; local: $($alone:ident)*)?) => {
        mod local {
            $(#[test]
            fn $name() {
                crate::support::block_on(super::$name(crate::support::Place::new()));
            })*
            $($(#[test]
            fn $alone() {
                crate::support::block_on(super::$alone(crate::support::Place::new()));
            })*)?
        }

        mod remote {
            $(#[test]
            fn $name() {
                crate::support::block_on(super::$name(crate::contract::empty_cloud()));
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
