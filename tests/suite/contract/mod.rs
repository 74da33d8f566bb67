//! What every implementation of the service traits MUST do: one suite, run on each of them.

mod cache;
pub mod data;
mod images;
mod imports;
mod lists;
pub mod locations;
mod members;
mod metadefs;
mod patches;
pub mod served;
mod stores;

use glance_tools::config::{Cloud, CloudOptions, Environment};
use glance_tools::http::Observer;
use glance_tools::model::{Image, NewImage};
use glance_tools::remote::Remote;
use glance_tools::remote::auth::Prompt;
use glance_tools::service::ImageService;
use serde_json::{Value, json};

use crate::support::realcloud::SharedCloud;
use crate::support::{Place, files};

/// A deployment that the suite runs on; it holds nothing at first.
pub trait Deployment {
    /// The service, as `caller` (`PROJECT:ROLE:USER`) meets it.
    async fn service(&self, caller: &str) -> Box<dyn ImageService>;

    /// The id of the project that callers call `name`, as images name their owner.
    async fn project(&self, name: &str) -> String;

    /// Has the stores `fast`, which is the default, and `slow`, and fetches from this machine.
    fn with_imports(&self) {}

    /// The files of the staging area, where it can be looked into.
    fn staged(&self) -> Vec<String> {
        Vec::new()
    }

    /// From now on the store `slow` does not take the data of an image.
    fn break_store(&self, _id: &str) {
        panic!("the stores of a server are not ours to break");
    }

    /// Has downloads go through the cache, as the servers of the suite do; before a service is opened.
    fn cache_downloads(&self) {}

    /// Whether its database is MySQL's kind: knows whole seconds, and no characters outside of the basic plane.
    fn is_mysql(&self) -> bool {
        false
    }

    /// Makes `images` or `tasks` that were made in this order seconds apart, where they may have been made in
    /// one.
    async fn spread(&self, _table: &str, _ids: &[String]) {}

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

    fn with_imports(&self) {
        self.configure(
            "[DEFAULT]\nenabled_backends = fast:file, slow:file\n[glance_store]\ndefault_backend = fast\n\
             [fast]\nfilesystem_store_datadir = images\n[slow]\nfilesystem_store_datadir = images2\n\
             [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n",
        );
    }

    fn staged(&self) -> Vec<String> {
        files(&self.data().join("staging")).into_iter().collect()
    }

    fn break_store(&self, id: &str) {
        let slow = self.data().join("images2");
        std::fs::create_dir_all(&slow).unwrap();
        std::fs::write(slow.join(id), "somebody else's").unwrap();
    }

    fn cache_downloads(&self) {
        self.configure("[paste_deploy]\nflavor = caching\n");
    }

    fn is_mysql(&self) -> bool {
        self.schema().is_some()
    }

    async fn spread(&self, table: &str, ids: &[String]) {
        if let Some(schema) = self.schema() {
            for (ago, id) in ids.iter().rev().enumerate() {
                let earlier = format!("created_at = created_at - INTERVAL {ago} SECOND");
                schema
                    .run(&format!("UPDATE {table} SET {earlier} WHERE id = '{id}'"))
                    .await;
            }
        }
    }

    async fn with_named_stores(self) -> Self {
        self.configure(crate::engine::locations::NAMED);
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
        let variables = [("OS_AUTH_TOKEN", token), ("OS_IMAGE_URL", glance)];
        let environment: Environment = variables.into_iter().collect();
        let cloud = Cloud::load(CloudOptions::NONE, &environment).unwrap();
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

    fn tell(&self, _: &str) {}
}

/// A real cloud without images.
pub fn empty_cloud() -> SharedCloud {
    let cloud = SharedCloud::take();
    cloud.empty();
    cloud
}

/// Declares the suite's tests, for every deployment there is: the engine on SQLite (`local`) and on MariaDB, the same behind
/// a server of this project (`served`), and a real Glance (`remote`); those after `local:` for the engine alone.
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

        mod mariadb {
            $(#[test]
            fn $name() {
                crate::support::block_on(async {
                    super::$name(crate::support::Place::on_mariadb().await).await;
                });
            })*
            $($(#[test]
            fn $alone() {
                crate::support::block_on(async {
                    super::$alone(crate::support::Place::on_mariadb().await).await;
                });
            })*)?
        }

        mod served {
            $(#[test]
            fn $name() {
                crate::support::block_on(super::$name(crate::contract::served::Served::new()));
            })*
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
