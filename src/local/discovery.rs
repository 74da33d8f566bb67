//! Information about the deployment: stores, quotas, import methods, schemas.

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::Local;
use super::policy::{Action, Target};
use super::store::Store;
use crate::model::metadef::Kind;
use crate::model::{Member, StoreInfo, Task};
use crate::service::{Discovery, Projects, Stores, Usage};
use crate::{Error, Result};

#[async_trait]
impl Stores for Local {
    async fn list_stores(&self, detail: bool) -> Result<Vec<StoreInfo>> {
        if !self.stores.named() {
            return Err(
                Error::not_found("the stores of this deployment have no names")
                    .hint("Name them with enabled_backends in glance-api.conf."),
            );
        }
        if detail {
            self.policy
                .check(&self.caller, Action::StoresInfoDetail, Target::Deployment)?;
        }
        if detail {
            // Each waits for its own store.
            return Ok(join_all(self.stores.iter().map(Store::describe)).await);
        }
        let known = self.stores.iter().map(|store| store.info().clone());
        let known = known.map(|info| StoreInfo {
            detail: None,
            ..info
        });
        Ok(known.collect())
    }

    async fn delete_from_store(&self, id: &str, store: &str) -> Result<()> {
        self.delete_copy(id, store).await
    }
}

#[async_trait]
impl Projects for Local {
    /// Returns the name itself: there is no Keystone, and a project's name is its ID.
    async fn find_project(&self, word: &str, _domain: Option<&str>) -> Result<String> {
        Ok(word.to_string())
    }

    async fn own_project(&self) -> Result<String> {
        Ok(self.caller.project.clone())
    }
}

#[async_trait]
impl Discovery for Local {
    async fn import_methods(&self) -> Result<Vec<String>> {
        self.settings.import.methods.get().cloned()
    }

    async fn usage(&self) -> Result<Vec<Usage>> {
        self.quotas().await
    }

    async fn schema(&self, name: &str) -> Result<Value> {
        match name {
            "image" => Ok(self.allowed()?.image_schema()),
            "images" => Ok(collection(name, &self.allowed()?.image_schema())),
            "member" => Ok(Member::json_schema()),
            "members" => Ok(collection(name, &Member::json_schema())),
            "task" => Ok(Task::json_schema()),
            "tasks" => Ok(collection(name, &Task::json_schema())),
            _ => {
                let metadef = name.strip_prefix("metadefs/").and_then(Kind::schema_named);
                metadef.ok_or_else(|| {
                    Error::not_found(format!("unknown schema '{name}'"))
                        .hint("Known schemas: image, images, member, members, task, tasks, metadefs/namespace, …")
                })
            }
        }
    }
}

/// Returns the API's JSON schema for a list of `items`.
fn collection(name: &str, items: &Value) -> Value {
    let mut properties = Map::new();
    properties.insert(name.to_string(), json!({"type": "array", "items": items}));
    for name in ["first", "next", "schema"] {
        properties.insert(name.to_string(), json!({"type": "string"}));
    }
    json!({
        "name": name,
        "properties": properties,
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })
}
