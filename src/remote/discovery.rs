//! Properties of the cloud: stores, quotas, import methods, schemas.

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Remote, projects};
use crate::model::StoreInfo;
use crate::model::store::StoreDetail;
use crate::service::{Discovery, Projects, Stores, Usage};
use crate::{ErrorKind, Result};

#[derive(Deserialize)]
struct StoreList {
    stores: Vec<WrittenStore>,
}

#[derive(Deserialize)]
struct WrittenStore {
    id: String,
    description: Option<String>,
    /// A string in most versions of the service, a boolean in some.
    #[serde(default)]
    default: Value,
    #[serde(rename = "read-only", default)]
    read_only: Value,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    weight: i64,
    #[serde(default)]
    properties: Map<String, Value>,
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true)
        || value
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

#[async_trait]
impl Stores for Remote {
    async fn list_stores(&self, detail: bool) -> Result<Vec<StoreInfo>> {
        let path: &[&str] = if detail {
            &["info", "stores", "detail"]
        } else {
            &["info", "stores"]
        };
        let list: StoreList = self.get(path).await?;
        let stores = list.stores.into_iter().map(|store| StoreInfo {
            is_default: is_true(&store.default),
            read_only: is_true(&store.read_only),
            detail: store.kind.map(|kind| StoreDetail {
                kind,
                weight: store.weight,
                properties: store.properties,
                space: None,
            }),
            id: store.id,
            description: store.description,
        });
        Ok(stores.collect())
    }

    async fn delete_from_store(&self, id: &str, store: &str) -> Result<()> {
        self.command(Method::DELETE, &["stores", store, id]).await
    }
}

#[async_trait]
impl Projects for Remote {
    async fn find_project(&self, word: &str, domain: Option<&str>) -> Result<String> {
        let access = self.access.read().await.clone();
        let found = projects::find_project(&self.http, &self.cloud, &access, word, domain).await;
        match found {
            Err(error) if error.kind() == ErrorKind::Unauthenticated && self.renew().await? => {
                let access = self.access.read().await.clone();
                projects::find_project(&self.http, &self.cloud, &access, word, domain).await
            }
            found => found,
        }
    }

    async fn own_project(&self) -> Result<String> {
        projects::own_project(&*self.access.read().await)
    }
}

#[async_trait]
impl Discovery for Remote {
    async fn import_methods(&self) -> Result<Vec<String>> {
        let info: Value = self.get(&["info", "import"]).await?;
        let methods = info["import-methods"]["value"].as_array();
        Ok(methods
            .into_iter()
            .flatten()
            .filter_map(|method| Some(method.as_str()?.to_string()))
            .collect())
    }

    async fn usage(&self) -> Result<Vec<Usage>> {
        #[derive(Deserialize)]
        struct Counts {
            limit: i64,
            usage: i64,
        }
        #[derive(Deserialize)]
        struct Answer {
            usage: Map<String, Value>,
        }
        let answer: Answer = self.get(&["info", "usage"]).await?;
        let usages = answer.usage.into_iter().filter_map(|(quota, counts)| {
            let counts: Counts = serde_json::from_value(counts).ok()?;
            Some(Usage {
                quota,
                limit: counts.limit,
                usage: counts.usage,
            })
        });
        Ok(usages.collect())
    }

    async fn schema(&self, name: &str) -> Result<Value> {
        let path: Vec<&str> = ["schemas"].into_iter().chain(name.split('/')).collect();
        self.get(&path).await
    }
}
