//! Locations of image data.

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use super::{JSON, PATCH, Remote};
use crate::Result;
use crate::model::{Image, Location, MultiHash, ValidationData};
use crate::service::Locations;

impl Remote {
    /// Changes the locations of an image by a JSON patch.
    async fn patch_locations(&self, id: &str, patch: Vec<Value>) -> Result<Image> {
        let call = self
            .with_body(Method::PATCH, &["images", id], PATCH, &patch)
            .await?;
        self.read(call).await
    }
}

#[async_trait]
impl Locations for Remote {
    async fn add_location(
        &self,
        id: &str,
        location: Location,
        validation: ValidationData,
    ) -> Result<Image> {
        let mut value = location.to_api();
        if !validation.is_empty() {
            value["validation_data"] = validation.to_api().into();
        }
        let add = json!({"op": "add", "path": "/locations/-", "value": value});
        self.patch_locations(id, vec![add]).await
    }

    async fn replace_locations(&self, id: &str, locations: Vec<Location>) -> Result<Image> {
        let value: Vec<Value> = locations.iter().map(Location::to_api).collect();
        let replace = json!({"op": "replace", "path": "/locations", "value": value});
        self.patch_locations(id, vec![replace]).await
    }

    async fn remove_locations(&self, id: &str, positions: &[usize]) -> Result<Image> {
        let mut positions = positions.to_vec();
        // From the last one on, so that the others keep their positions.
        positions.sort_unstable_by(|a, b| b.cmp(a));
        positions.dedup();
        let remove = |position| json!({"op": "remove", "path": format!("/locations/{position}")});
        self.patch_locations(id, positions.into_iter().map(remove).collect())
            .await
    }

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
}
