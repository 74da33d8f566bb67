//! A store that cannot be opened: of an unsupported kind, or with an invalid configuration.

use async_trait::async_trait;

use super::{Removal, Store, Writer};
use crate::config::{Setting, StoreKind, schemes};
use crate::data::Source;
use crate::model::{ByteRange, StoreInfo};
use crate::{Error, Parameter, Result};

/// A store of which only name and kind are known. Only operations that need its data fail.
pub struct UnopenedStore {
    info: StoreInfo,
    driver: String,
    kind: Setting<StoreKind>,
}

impl UnopenedStore {
    /// Creates the store that `info` describes.
    pub fn new(info: StoreInfo, driver: String, kind: Setting<StoreKind>) -> Self {
        Self { info, driver, kind }
    }

    fn refusal(&self) -> Error {
        let id = &self.info.id;
        match self.kind.get() {
            Err(error) => error.context(format_args!("store '{id}' cannot be opened")),
            Ok(_) => Error::failed(format!(
                "store '{id}' is of kind {}, which this version cannot open",
                self.driver
            ))
            .hint(Parameter::Service),
        }
    }
}

#[async_trait]
impl Store for UnopenedStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn reads(&self, url: &str) -> bool {
        let scheme = url.split("://").next().unwrap_or_default();
        schemes(&self.driver).contains(&scheme)
    }

    /// Returns false: which of several stores of a kind owns an address depends on the configuration.
    fn owns(&self, _url: &str) -> bool {
        false
    }

    /// Returns no address, for the same reason. Nothing is stored there.
    async fn addresses(&self, _id: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn create(&self, _id: &str, _size: Option<u64>) -> Result<Box<dyn Writer>> {
        Err(self.refusal())
    }

    async fn size(&self, _url: &str) -> Result<u64> {
        Err(self.refusal())
    }

    async fn open(&self, _url: &str, _range: ByteRange) -> Result<Source> {
        Err(self.refusal())
    }

    async fn check_delete(&self, _url: &str) -> Result<()> {
        Err(self.refusal())
    }

    async fn delete(&self, removals: Vec<Removal>, _dry_run: bool) -> Vec<Result<Option<u64>>> {
        removals.iter().map(|_| Err(self.refusal())).collect()
    }

    async fn clear(&self, _id: &str, _recorded: &[String]) -> Result<()> {
        Err(self.refusal())
    }
}
