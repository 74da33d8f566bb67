//! The location API.

use async_trait::async_trait;
use http::Method;
use serde_json::json;

use super::{JSON, Remote};
use crate::Result;
use crate::model::{Location, MultiHash};
use crate::service::Locations;

#[async_trait]
impl Locations for Remote {
    async fn register_location(
        &self,
        id: &str,
        url: &str,
        expected: Option<&MultiHash>,
    ) -> Result<()> {
        let expected = expected.map_or_else(
            || json!({}),
            |hash| json!({"os_hash_algo": hash.algorithm, "os_hash_value": hash.value}),
        );
        let body = json!({"url": url, "validation_data": expected});
        let call = self
            .with_body(Method::POST, &["images", id, "locations"], JSON, &body)
            .await?;
        self.succeed(call).await?;
        Ok(())
    }

    async fn locations(&self, id: &str) -> Result<Vec<Location>> {
        self.get(&["images", id, "locations"]).await
    }
}
