//! Swift, with its own logins and Keystone's, with lists of segments and without.

mod accounts;
mod cuts;
mod programs;
mod segments;
mod tokens;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use bytes::Bytes;
use futures_util::stream;
use glance_tools::config::{Settings, StoreKind};
use glance_tools::data::{Algorithm, Hasher, Source};
use glance_tools::local::store::{Removal, Store, SwiftStore};
use glance_tools::model::ByteRange;
use glance_tools::{ErrorKind, Result};
use http::Method;
use serde_json::{Value, json};

use super::{ID, OTHER, Site, Stage, assert_ranges, info, read, store_until, take};
use crate::support::drivers::Driver;
use crate::support::http::{Answer, Server, Then};
use crate::support::swift::{Account, Storage, new_name};
use crate::support::{GLANCE, Place, block_on};

/// Containers of a Swift.
pub struct Objects {
    account: Account,
    storage: Storage,
    container: String,
    /// The sizes in bytes of the smallest image with segments, and of a segment.
    sizes: (u64, u64),
    /// Whether this process removes the container.
    is_owned: bool,
}

impl Objects {
    /// A container of an account; its images have segments from a size on.
    pub fn new(account: Account, sizes: (u64, u64)) -> Self {
        let storage = account.log_in();
        let container = new_name();
        storage.expect(Method::PUT, &container, &[], Vec::new());
        let beside = format!("{container}/beside");
        storage.expect(Method::PUT, &beside, &[], b"beside".to_vec());
        Self {
            account,
            storage,
            container,
            sizes,
            is_owned: true,
        }
    }

    /// Segments that are smaller and larger than the blocks that arrive, in a list.
    pub fn in_segments() -> Self {
        Self::new(Account::new(), (300_000, 200_000))
    }

    /// Segments of a prefix.
    pub fn in_segments_of_a_prefix() -> Self {
        Self::new(Account::without_lists(), (300_000, 300_001))
    }

    /// Images in one object each if their size is known.
    pub fn whole() -> Self {
        Self::new(Account::new(), (5_000_000, 2_000_000))
    }

    /// A container of an account of Keystone.
    pub fn of_keystone() -> Self {
        Self::new(Account::of_keystone(), (300_000, 200_000))
    }

    /// Lists of segments at Ceph's gateway.
    pub fn of_gateway() -> Self {
        Self::new(Account::of_gateway(), (300_000, 200_000))
    }

    /// Segments of a prefix at Ceph's gateway.
    pub fn of_gateway_with_prefixes() -> Self {
        Self::new(Account::of_gateway_with_prefixes(), (300_000, 300_001))
    }

    /// Images in one object each at Ceph's gateway, if their size is known.
    pub fn of_gateway_whole() -> Self {
        Self::new(Account::of_gateway(), (5_000_000, 2_000_000))
    }

    /// The container of another process.
    pub fn at(place: &Path) -> Self {
        let place: Value = serde_json::from_str(place.to_str().unwrap()).unwrap();
        let text = |name: &str| place[name].as_str().unwrap().to_string();
        let account = Account {
            version: text("version"),
            auth_address: text("auth_address"),
            user: text("user"),
            key: text("key"),
        };
        let size = |number: usize| place["sizes"][number].as_u64().unwrap();
        Self {
            storage: account.log_in(),
            account,
            container: text("container"),
            sizes: (size(0), size(1)),
            is_owned: false,
        }
    }

    /// A configuration of the store with further options.
    fn configuration(&self, options: &str) -> String {
        format!(
            "[DEFAULT]\nenabled_backends = s:swift\n[glance_store]\ndefault_backend = s\n[s]\n{}\
             swift_store_container = {}\n{options}",
            self.account.configuration(),
            self.container
        )
    }

    /// The store with further options.
    pub fn store_with(&self, options: &str) -> SwiftStore {
        let directory = tempfile::tempdir().unwrap();
        let text = self.configuration(options);
        std::fs::write(directory.path().join("glance-api.conf"), text).unwrap();
        let settings = Settings::for_data_dir(directory.path()).unwrap();
        let stores = settings.stores.get().unwrap();
        let StoreKind::Swift(swift) = stores.list[0].kind.get().unwrap() else {
            panic!("{stores:?}")
        };
        let mut swift = (**swift).clone();
        (swift.large_object_size, swift.chunk_size) = self.sizes;
        SwiftStore::new(info(), swift)
    }
}

impl Site for Objects {
    fn store(&self) -> Box<dyn Store> {
        Box::new(self.store_with(""))
    }

    fn put(&self, id: &str, bytes: &[u8]) -> String {
        let path = format!("{}/{id}", self.container);
        self.storage.expect(Method::PUT, &path, &[], bytes.to_vec());
        let place = self.account.auth_address.strip_prefix("http://").unwrap();
        let user = self.account.user.replace(':', "%3A");
        format!("swift+http://{user}:{}@{place}/{path}", self.account.key)
    }

    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.storage.names(&self.container).into_iter();
        names
            .map(|name| {
                let path = format!("{}/{name}?multipart-manifest=get", self.container);
                let data = self.storage.expect(Method::GET, &path, &[], Vec::new());
                (name, data)
            })
            .collect()
    }

    fn missing(&self) -> String {
        let there = self.put("there", b"");
        let path = format!("{}/there", self.container);
        self.storage.expect(Method::DELETE, &path, &[], Vec::new());
        there
    }

    fn place(&self) -> OsString {
        let place = json!({
            "version": self.account.version,
            "auth_address": self.account.auth_address,
            "user": self.account.user,
            "key": self.account.key,
            "container": self.container,
            "sizes": [self.sizes.0, self.sizes.1],
        });
        place.to_string().into()
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if self.is_owned && !std::thread::panicking() {
            self.storage.remove(&self.container);
        }
    }
}

/// Data of some size.
fn data(size: u64) -> Vec<u8> {
    (0..=250_u8).cycle().take(size as usize).collect()
}

/// Data that arrives in pieces of 50,000 bytes.
fn arriving(data: &[u8]) -> Source {
    let pieces: Vec<Result<Bytes>> = data
        .chunks(50_000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    Source::stream(stream::iter(pieces))
}

/// Stores data of a declared size, if any; returns its address.
async fn store_data(store: &dyn Store, declared: Option<u64>, data: &[u8]) -> Result<String> {
    let mut writer = store.create(ID, declared).await?;
    let stored = async {
        take(writer.as_mut(), arriving(data)).await?;
        writer.commit().await
    };
    match stored.await {
        Ok(()) => Ok(writer.address().to_string()),
        Err(error) => {
            writer.abort().await.unwrap();
            Err(error)
        }
    }
}

fn removal(url: &str) -> Removal {
    Removal {
        url: url.to_string(),
        unless_later: None,
    }
}

async fn delete(store: &dyn Store, url: &str) -> Result<Option<u64>> {
    store.delete(vec![removal(url)], false).await.pop().unwrap()
}

fn names_of(site: &Objects) -> Vec<String> {
    site.storage.names(&site.container)
}
