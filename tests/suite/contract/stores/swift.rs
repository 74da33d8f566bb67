//! Swift, with its own logins and Keystone's, with lists of segments and without.

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

/// Images of every size around the boundaries are stored as they should be, are read back, and deleted completely.
fn assert_boundaries(site: &Objects, manifest: &str) {
    let before = site.contents();
    let (large, chunk) = site.sizes;
    let store = site.store();
    let sizes = [
        0,
        1,
        large - 1,
        large,
        large + 1,
        2 * chunk - 1,
        2 * chunk,
        2 * chunk + 1,
        3 * chunk,
    ];
    for size in sizes {
        for declared in [Some(size), None] {
            let sent = data(size);
            let what = format!("{size} bytes, {declared:?} declared");
            let url = block_on(store_data(&*store, declared, &sent));
            let url = url.unwrap_or_else(|error| panic!("{what}: {error}"));
            let path = format!("{}/{ID}", site.container);
            let (status, headers, stored) = site.storage.send(Method::GET, &path, &[], Vec::new());
            assert!(status == 200 && stored == sent, "{what}: {status}");
            let names = site.storage.names(&site.container);
            let segments = names
                .iter()
                .filter(|name| name.starts_with(&format!("{ID}-")));
            let expected = if size >= large || declared.is_none() && size > 262_144 {
                size.div_ceil(chunk)
            } else {
                0
            };
            assert_eq!(segments.count() as u64, expected, "{what}: {names:?}");
            assert_eq!(headers.contains_key(manifest), expected > 0, "{what}");
            block_on(async {
                assert_eq!(store.size(&url).await.unwrap(), size, "{what}");
                let read = read(&*store, &url, ByteRange::ALL).await.unwrap();
                assert!(read == sent, "{what}");
                if size > 0 {
                    assert_ranges(&*store, &url, &sent).await;
                }
                assert_eq!(delete(&*store, &url).await.unwrap(), Some(size), "{what}");
            });
            assert_eq!(
                names_of(site),
                before.keys().cloned().collect::<Vec<_>>(),
                "{what}"
            );
        }
    }
}

fn names_of(site: &Objects) -> Vec<String> {
    site.storage.names(&site.container)
}

#[test]
fn images_around_the_boundaries_are_lists_of_segments() {
    assert_boundaries(&Objects::in_segments(), "x-static-large-object");
    let large_segments = Objects::new(Account::new(), (400_000, 300_000));
    assert_boundaries(&large_segments, "x-static-large-object");
}

#[test]
fn images_around_the_boundaries_are_segments_of_a_prefix() {
    assert_boundaries(&Objects::in_segments_of_a_prefix(), "x-object-manifest");
}

#[test]
fn buffered_segments_are_stored_alike() {
    let site = Objects::in_segments();
    let directory = tempfile::tempdir().unwrap();
    let options = format!(
        "swift_buffer_on_upload = true\nswift_upload_buffer_dir = {}\n",
        directory.path().display()
    );
    let store = site.store_with(&options);
    let sent = data(700_001);
    for declared in [None, Some(700_001)] {
        let url = block_on(store_data(&store, declared, &sent)).unwrap();
        assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
        assert_eq!(names_of(&site).len(), 1 + 1 + 4);
        block_on(delete(&store, &url)).unwrap();
        assert_eq!(names_of(&site), ["beside"]);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_declared_size_that_is_not_that_of_the_data_is_refused() {
    for site in [Objects::in_segments(), Objects::whole()] {
        let store = site.store();
        for size in [1, 299_999, 700_000] {
            for declared in [size - 1, size + 1, size + 300_000] {
                let refused = block_on(store_data(&*store, Some(declared), &data(size)));
                let refused = refused.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
                let message = refused.message();
                assert!(message.contains(&declared.to_string()), "{message}");
                assert_eq!(names_of(&site), ["beside"], "{size} of {declared}");
            }
        }
    }
}

#[test]
fn objects_that_are_not_segments_of_the_image_stay() {
    for site in [Objects::in_segments(), Objects::in_segments_of_a_prefix()] {
        let store = site.store();
        let sent = data(700_001);
        let url = block_on(store_data(&*store, None, &sent)).unwrap();
        let others = [
            format!("{ID}-1"),
            format!("{ID}-00001-x"),
            format!("{ID}x-00001"),
        ];
        for other in &others {
            site.put(other, b"other");
        }
        block_on(async {
            delete(&*store, &url).await.unwrap();
            store.clear(ID, &[]).await.unwrap();
        });
        for other in &others {
            assert!(names_of(&site).contains(other), "{other}");
        }
        if site.account.auth_address == Account::without_lists().auth_address {
            // It would be part of the image.
            let refused = block_on(store_data(&*store, None, &sent)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict);
        }
        assert_eq!(names_of(&site).len(), 1 + others.len());
    }
}

#[test]
fn a_crashed_upload_of_another_host_does_not_become_part_of_an_image() {
    let site = Objects::in_segments_of_a_prefix();
    for number in [1, 2, 7, 100_000] {
        site.put(&format!("{ID}-{number:05}"), b"left");
    }
    let (store, sent) = (site.store(), data(700_001));
    let url = block_on(store_data(&*store, None, &sent)).unwrap();
    assert!(block_on(read(&*store, &url, ByteRange::ALL)).unwrap() == sent);
    block_on(delete(&*store, &url)).unwrap();
    assert_eq!(names_of(&site), ["beside"]);
}

#[test]
fn containers_are_chosen_by_the_image_and_created_if_configured() {
    let site = Objects::in_segments();
    let missing = "swift_store_multiple_containers_seed = 10\n";
    let store = site.store_with(missing);
    let refused = block_on(store.create(ID, None)).err().unwrap();
    let container = format!("{}_11111111-22", site.container);
    assert!(refused.message().contains(&container), "{refused}");
    assert!(refused.message().starts_with("store 's': "), "{refused}");
    let store = site.store_with(&format!(
        "{missing}swift_store_create_container_on_put = true\n"
    ));
    for sent in [data(7), data(700_001)] {
        let url = block_on(store_data(&store, Some(sent.len() as u64), &sent)).unwrap();
        assert!(url.ends_with(&format!("/{container}/{ID}")), "{url}");
        // A store with another number of containers has it, too.
        assert!(site.store().owns(&url) && store.owns(&url));
        assert!(block_on(read(&*site.store(), &url, ByteRange::ALL)).unwrap() == sent);
        block_on(delete(&store, &url)).unwrap();
        assert!(site.storage.names(&container).is_empty());
    }
    site.storage.remove(&container);
    let other = format!("{}2", site.container);
    assert!(
        !site
            .store()
            .owns(&site.put(ID, b"").replace(&site.container, &other))
    );
}

#[test]
fn nothing_is_deleted_in_a_missing_container() {
    let site = Objects::in_segments();
    let url = site
        .put(ID, b"x")
        .replace(&site.container, "no-such-container");
    let store = site.store();
    block_on(async {
        for refused in [
            store.check_delete(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Failed);
            assert!(
                refused.message().contains("'no-such-container'"),
                "{refused}"
            );
        }
        assert_eq!(
            store.size(&url).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn a_quota_is_refused_as_a_full_store() {
    let site = Objects::in_segments();
    let quota = [("x-container-meta-quota-bytes", "500000")];
    site.storage
        .expect(Method::POST, &site.container, &quota, Vec::new());
    let store = site.store();
    for (declared, size) in [(Some(700_000), 700_000), (None, 700_000), (None, 500_001)] {
        let refused = block_on(store_data(&*store, declared, &data(size))).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
        let message = refused.message();
        assert!(
            message.starts_with("Image storage media is full: store 's': "),
            "{message}"
        );
        assert!(message.contains(&site.container), "{message}");
        assert_eq!(names_of(&site), ["beside"]);
    }
    let free = || {
        let space = block_on(store.describe()).detail.unwrap().space.unwrap();
        assert_eq!(space.total, 500_000);
        space.free
    };
    let before = free();
    let url = block_on(store_data(&*store, None, &data(400_000))).unwrap();
    // The manifest takes some bytes, too.
    assert!((before - 401_000..=before - 400_000).contains(&free()));
    block_on(delete(&*store, &url)).unwrap();
}

#[test]
fn refused_credentials_name_the_store_and_not_the_key() {
    for mut account in [Account::new(), Account::of_keystone()] {
        let site = Objects::new(account.clone(), (300_000, 200_000));
        let key = format!(":{}@", account.key);
        let url = site.put(ID, b"x").replace(&key, ":wrong-hunter2@");
        account.key = "wrong-hunter2".to_string();
        let at = &account.auth_address;
        let wrong = Objects {
            account: account.clone(),
            storage: site.storage.clone(),
            container: site.container.clone(),
            is_owned: false,
            ..site
        };
        let store = wrong.store();
        block_on(async {
            let mut errors = vec![
                store.create(ID, None).await.err().unwrap(),
                store.size(&url).await.unwrap_err(),
                store.check_delete(&url).await.unwrap_err(),
                store.clear(ID, &[]).await.unwrap_err(),
                delete(&*store, &url).await.unwrap_err(),
            ];
            errors.extend(store.open(&url, ByteRange::ALL).await.err());
            assert_eq!(errors.len(), 6);
            for error in errors {
                let message = error.message();
                let expected = format!("store 's': {at}");
                assert!(message.starts_with(&expected), "{message}");
                assert!(
                    message.ends_with("refused user test:tester (HTTP 401)")
                        || message.ends_with("refused user service:glance (HTTP 401)"),
                    "{message}"
                );
                assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            }
        });
        site.storage.remove(&site.container);
    }
}

#[test]
fn a_user_without_rights_is_refused() {
    let site = Objects::in_segments();
    let reader = Objects {
        account: Account {
            user: "test:reader".to_string(),
            key: "reading".to_string(),
            ..site.account.clone()
        },
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    let refused = block_on(reader.store().create(ID, None)).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Failed);
    assert!(
        refused.message().ends_with("access denied (HTTP 403)"),
        "{refused}"
    );
}

#[test]
fn a_store_that_is_down_is_named_with_the_reason() {
    let site = Objects::in_segments();
    let url = site.put(ID, b"x");
    let nothing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", nothing.local_addr().unwrap());
    drop(nothing);
    let up = site.account.auth_address.replace("/auth/v1.0", "");
    let gone = Objects {
        account: Account {
            auth_address: site.account.auth_address.replace(&up, &down),
            ..site.account.clone()
        },
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    let url = url.replace(
        up.strip_prefix("http://").unwrap(),
        down.strip_prefix("http://").unwrap(),
    );
    let store = gone.store();
    block_on(async {
        for error in [
            store.create(ID, None).await.err().unwrap(),
            store.size(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
            store.clear(ID, &[]).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unreachable);
            let expected = format!("store 's': {down} cannot be reached: Connection refused");
            assert_eq!(error.message(), expected);
        }
    });
}

#[test]
fn accounts_of_a_file_are_named_in_addresses() {
    let site = Objects::in_segments();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("swift.conf");
    let account = &site.account;
    let text = format!(
        "[Images]\nauth_version = 1\nauth_address = {}\nuser = {}\nkey = \"{}\"\n[other]\nkey = x\n",
        account.auth_address, account.user, account.key
    );
    std::fs::write(&file, text).unwrap();
    let options = format!(
        "swift_store_config_file = {}\ndefault_swift_reference = Images\n",
        file.display()
    );
    let store = site.store_with(&options);
    let sent = data(700_001);
    let url = block_on(store_data(&store, None, &sent)).unwrap();
    assert_eq!(
        url,
        format!("swift+config://Images/{}/{ID}", site.container)
    );
    assert!(store.is_exclusive(&url, ID) && store.owns(&url));
    assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
    // So can be the address of the time before the file.
    let old = site.put(OTHER, b"old");
    assert_eq!(
        block_on(read(&store, &old, ByteRange::ALL)).unwrap(),
        b"old"
    );
    for reference in ["other", "none"] {
        let unknown = url.replace("Images", reference);
        let refused = block_on(store.size(&unknown)).unwrap_err();
        assert!(refused.message().contains(reference), "{refused}");
    }
    block_on(delete(&store, &url)).unwrap();
}

#[test]
fn images_of_a_multi_tenant_store_have_containers_of_their_own() {
    let site = Objects::of_keystone();
    let options = "swift_store_multi_tenant = true\nswift_store_create_container_on_put = true\n\
                   swift_store_admin_tenants = p1, p2\n";
    let store = site.store_with(options);
    let container = format!("{}_{ID}", site.container);
    for size in [7, 700_001] {
        let sent = data(size);
        let url = block_on(store_data(&store, Some(size), &sent)).unwrap();
        let storage = site.storage.url.as_str().strip_prefix("http://").unwrap();
        assert_eq!(url, format!("swift+http://{storage}/{container}/{ID}"));
        assert!(store.owns(&url) && !site.store().owns(&url));
        let (_, headers, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
        assert_eq!(headers["x-container-write"], "p1:*,p2:*");
        assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
        assert_eq!(block_on(delete(&store, &url)).unwrap(), Some(size));
        let (status, _, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
        assert_eq!(status, 404);
        assert_eq!(block_on(delete(&store, &url)).unwrap(), None);
        // The token is not sent to another server.
        let elsewhere = url.replace(storage, "127.0.0.1:9/v1/KEY_x");
        let refused = block_on(store.size(&elsewhere)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    // A killed upload leaves no container either.
    let writer = block_on(store_until(&store, Stage::Taken));
    drop(writer);
    block_on(store.clear(ID, &[])).unwrap();
    let (status, _, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
    assert_eq!(status, 404);
}

/// A proxy that passes connections on, and cuts one of them.
struct Cutter {
    address: String,
    /// The number of bytes until the cut, to the server and from it; negative: no cut.
    left: Arc<[AtomicI64; 2]>,
    is_over: Arc<AtomicBool>,
}

impl Cutter {
    fn new(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (server, left) = (server.to_string(), Arc::new([-1, -1].map(AtomicI64::new)));
        let is_over = Arc::new(AtomicBool::new(false));
        let (counters, ends) = (Arc::clone(&left), Arc::clone(&is_over));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if ends.load(Ordering::SeqCst) {
                    break;
                }
                let server = TcpStream::connect(&server).unwrap();
                for (way, from, to) in [(0, &client, &server), (1, &server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counters = Arc::clone(&counters);
                    std::thread::spawn(move || pass_on(&from, &to, &counters[way]));
                }
            }
        });
        Self {
            address,
            left,
            is_over,
        }
    }

    /// Cuts after so many bytes to the server, or from it.
    fn cut_after(&self, way: usize, bytes: i64) {
        self.left[way].store(bytes, Ordering::SeqCst);
    }

    fn has_cut(&self, way: usize) -> bool {
        self.left[way].load(Ordering::SeqCst) < 0
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicI64) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let bytes = from.read(&mut buffer).unwrap_or(0);
        let arrived = i64::try_from(bytes).unwrap();
        let before = left.load(Ordering::SeqCst);
        let is_cut = before >= 0 && left.fetch_sub(arrived, Ordering::SeqCst) < arrived;
        let bytes = match usize::try_from(before) {
            Ok(before) if is_cut => before,
            _ => bytes,
        };
        if to.write_all(&buffer[..bytes]).is_err() || bytes == 0 || is_cut {
            break;
        }
    }
    // Both ends of a connection that was cut see it.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// The same containers behind a proxy that cuts.
fn behind(site: &Objects) -> (Objects, Cutter) {
    let server = site.account.auth_address.strip_prefix("http://").unwrap();
    let server = server.strip_suffix("/auth/v1.0").unwrap();
    let cutter = Cutter::new(server);
    let account = Account {
        auth_address: site.account.auth_address.replace(server, &cutter.address),
        ..site.account.clone()
    };
    let behind = Objects {
        account,
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    (behind, cutter)
}

#[test]
fn a_connection_that_is_cut_during_an_upload_leaves_nothing() {
    for site in [Objects::in_segments(), Objects::whole()] {
        let (behind, cutter) = behind(&site);
        for at in [0, 1000, 150_000, 450_000, 699_000] {
            let store = behind.store();
            let refused = block_on(async {
                let mut writer = store.create(ID, Some(700_000)).await.unwrap();
                cutter.cut_after(0, at);
                let stored = async {
                    take(writer.as_mut(), arriving(&data(700_000))).await?;
                    writer.commit().await
                };
                let stored = stored.await;
                if stored.is_err() {
                    writer.abort().await.unwrap();
                }
                (stored, writer.address().to_string())
            });
            assert!(cutter.has_cut(0), "at {at}");
            match refused {
                // What changes nothing is sent again.
                (Ok(()), url) => {
                    assert_eq!(block_on(delete(&*store, &url)).unwrap(), Some(700_000));
                }
                (Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
                    let expected = format!("store 's': http://{} cannot be", cutter.address);
                    assert!(error.message().starts_with(&expected), "{error}");
                }
            }
            assert_eq!(names_of(&site), ["beside"], "at {at}");
        }
    }
}

#[test]
fn buffered_segments_are_sent_again_after_a_cut() {
    let site = Objects::in_segments();
    let (behind, cutter) = behind(&site);
    let directory = tempfile::tempdir().unwrap();
    let store = behind.store_with(&format!(
        "swift_buffer_on_upload = true\nswift_upload_buffer_dir = {}\n",
        directory.path().display()
    ));
    let sent = data(700_000);
    block_on(async {
        let mut writer = store.create(ID, None).await.unwrap();
        cutter.cut_after(0, 450_000);
        take(writer.as_mut(), arriving(&sent)).await.unwrap();
        writer.commit().await.unwrap();
        assert!(cutter.has_cut(0));
        let url = writer.address().to_string();
        assert!(read(&store, &url, ByteRange::ALL).await.unwrap() == sent);
        delete(&store, &url).await.unwrap();
    });
}

#[test]
fn a_download_that_is_cut_is_continued_as_often_as_configured() {
    let site = Objects::in_segments();
    let (behind, cutter) = behind(&site);
    let sent = data(2_000_000);
    for retries in [0, 1] {
        let store = behind.store_with(&format!("swift_store_retry_get_count = {retries}\n"));
        let url = block_on(store_data(&store, None, &sent)).unwrap();
        for range in [
            ByteRange::ALL,
            ByteRange {
                start: 10,
                end: Some(1_999_990),
            },
        ] {
            let all = block_on(async {
                store.size(&url).await.unwrap();
                cutter.cut_after(1, 900_000);
                read(&store, &url, range).await
            });
            assert!(cutter.has_cut(1));
            let end = range.end.unwrap_or(2_000_000) as usize;
            match all {
                Ok(all) => assert!(retries == 1 && all == sent[range.start as usize..end]),
                Err(error) => assert!(
                    retries == 0 && error.kind() == ErrorKind::Unreachable,
                    "{error}"
                ),
            }
        }
        block_on(delete(&store, &url)).unwrap();
    }
}

/// A Swift of a few lines, whose tokens are valid for a number of requests each, uploads not counted, and end after some
/// seconds.
struct Scripted {
    server: Server,
    logins: Arc<AtomicI64>,
}

impl Scripted {
    fn new(requests: i64, seconds: i64) -> Self {
        let logins = Arc::new(AtomicI64::new(0));
        let (counted, left) = (Arc::clone(&logins), AtomicI64::new(0));
        let server = Server::start(move |exchange| {
            if !exchange.read_all() {
                return Then::Close;
            }
            let request = exchange.request.clone();
            if request.target == "/auth/v1.0" {
                let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
                left.store(requests, Ordering::SeqCst);
                let answer = Answer::empty(200)
                    .with(
                        "X-Storage-Url",
                        &format!("{}/v1/AUTH_a", exchange.server_url()),
                    )
                    .with("X-Auth-Token", &format!("token-{number}"))
                    .with("X-Auth-Token-Expires", &seconds.to_string());
                return exchange.send(&answer);
            }
            let token = format!("token-{}", counted.load(Ordering::SeqCst));
            let is_current = request.header("x-auth-token") == Some(&token);
            let is_end = request.method != "PUT" && left.fetch_sub(1, Ordering::SeqCst) <= 0;
            if request.target != "/info" && (!is_current || is_end) {
                return exchange.send(&Answer::empty(401));
            }
            let mut hasher = Hasher::new(Algorithm::Md5);
            hasher.update(&exchange.body);
            exchange.send(&match (request.method.as_str(), request.target.as_str()) {
                ("PUT", _) => Answer::empty(201).with("ETag", &hasher.finish()),
                ("HEAD", "/v1/AUTH_a/glance") => Answer::empty(204),
                ("GET", "/info") => {
                    Answer::json(200, &json!({"slo": {"max_manifest_segments": 1000}}))
                }
                _ => Answer::empty(404),
            })
        });
        Self { server, logins }
    }

    fn store(&self) -> SwiftStore {
        let account = Account {
            version: "1".to_string(),
            auth_address: self.server.url("/auth/v1.0"),
            user: "a:b".to_string(),
            key: "hunter2".to_string(),
        };
        let site = Objects {
            account,
            storage: Storage::nowhere(),
            container: "glance".to_string(),
            sizes: (300_000, 200_000),
            is_owned: false,
        };
        site.store_with("")
    }

    /// The number of logins, and the names of the objects that were sent.
    fn seen(&self) -> (i64, Vec<String>) {
        let lines = self.server.lines().into_iter();
        let sent = lines.filter_map(|line| {
            let path = line.strip_prefix("PUT /v1/AUTH_a/glance/")?;
            Some(path.to_string())
        });
        (self.logins.load(Ordering::SeqCst), sent.collect())
    }
}

#[test]
fn a_token_that_is_refused_during_an_upload_is_replaced_before_the_next_segment() {
    let expected: Vec<String> = (1..=4)
        .map(|number| format!("{ID}-{number:05}"))
        .chain([format!("{ID}?multipart-manifest=put")])
        .collect();
    for (requests, logins) in [(100, 1), (5, 2), (3, 2), (2, 3)] {
        let scripted = Scripted::new(requests, 3600);
        block_on(store_data(&scripted.store(), None, &data(700_000))).unwrap();
        let (seen, sent) = scripted.seen();
        let segments: Vec<String> = sent
            .iter()
            .filter(|name| !name.contains('?'))
            .cloned()
            .collect();
        assert_eq!(segments, expected[..4], "no segment was sent twice");
        assert_eq!(sent.last(), expected.last());
        assert_eq!(seen, logins, "tokens for {requests} requests");
    }
}

#[test]
fn a_token_that_expires_soon_is_replaced() {
    for (seconds, is_kept) in [(3600, true), (61 + 60, true), (59, false)] {
        let scripted = Scripted::new(100, seconds);
        block_on(store_data(&scripted.store(), None, &data(700_000))).unwrap();
        assert_eq!(scripted.seen().0 == 1, is_kept, "{seconds} s");
    }
}

#[test]
fn a_new_token_that_is_refused_ends_the_request() {
    let scripted = Scripted::new(0, 3600);
    let refused = block_on(scripted.store().create(ID, None)).err().unwrap();
    assert!(
        refused
            .message()
            .ends_with("a new token was refused (HTTP 401)"),
        "{refused}"
    );
    assert_eq!(scripted.seen().0, 2);
}

#[test]
fn upstreams_driver_and_ours_read_and_delete_what_the_other_stored() {
    // The least that the options allow.
    const MEGABYTE: u64 = 1_024_000;
    let site = Objects::new(Account::of_keystone(), (MEGABYTE, MEGABYTE));
    let directory = tempfile::tempdir().unwrap();
    let references = directory.path().join("references.conf");
    let account = &site.account;
    let text = format!(
        "[ref1]\nauth_address = {}\nuser = {}\nkey = {}\n",
        account.auth_address, account.user, account.key
    );
    std::fs::write(&references, text).unwrap();
    let sizes = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
                 swift_store_create_container_on_put = true\n";
    let file = format!("swift_store_config_file = {}\n", references.display());
    let several = "swift_store_multiple_containers_seed = 2\n";
    let kinds = [String::new(), file, several.to_string()];
    let file = directory.path().join("data");
    for (kind, options) in kinds.iter().enumerate() {
        let options = format!("{sizes}{options}default_swift_reference = ref1\n");
        let configuration = directory.path().join("theirs.conf");
        std::fs::write(&configuration, site.configuration(&options)).unwrap();
        let mut driver = Driver::start(&configuration, "s");
        let store = site.store_with(&options);
        let mut all = vec![0, 1, 1000, 3 * MEGABYTE];
        if kind == 0 {
            let around = |size| [size - 1, size, size + 1];
            all.extend(
                [262_144, MEGABYTE, 2 * MEGABYTE, 3 * MEGABYTE - 7]
                    .map(around)
                    .concat(),
            );
            all.extend([5 * MEGABYTE, 4 * MEGABYTE + 500_000, 100_000, 777_777]);
        }
        for size in all {
            let mut sent = data(size);
            if size == 4 * MEGABYTE + 500_000 {
                sent.fill(0);
            }
            let md5 = {
                let mut hasher = Hasher::new(Algorithm::Md5);
                hasher.update(&sent);
                hasher.finish()
            };
            let url = block_on(store_data(&store, Some(size), &sent)).unwrap();
            let got = driver.call(&json!({"get": url}));
            assert_eq!(got, json!({"size": size, "checksum": md5}));
            let known = driver.call(&json!({"size": url}));
            assert_eq!(known, json!({"size": size}));
            driver.call(&json!({"delete": url}));
            let gone = block_on(store.size(&url)).unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound, "{size}");

            std::fs::write(&file, &sent).unwrap();
            // With a known size, upstream's driver fails at segments that are not full.
            let declared = if size >= MEGABYTE { 0 } else { size };
            let added = driver.call(&json!({"add": ID, "file": file, "size": declared}));
            assert_eq!(added["url"], url, "{size}");
            assert_eq!(added["metadata"], json!({"store": "s"}));
            block_on(async {
                assert!(
                    read(&store, &url, ByteRange::ALL).await.unwrap() == sent,
                    "{size}"
                );
                assert_eq!(store.size(&url).await.unwrap(), size);
                assert_eq!(delete(&store, &url).await.unwrap(), Some(size));
            });
            for container in [site.container.clone(), format!("{}_11", site.container)] {
                let left = site.storage.names(&container);
                assert!(left.iter().all(|name| name == "beside"), "{size}: {left:?}");
            }
        }
    }
    site.storage.remove(&format!("{}_11", site.container));
}

/// A deployment with the stores `disk`, of files, and `s`, which is the default.
fn deployment(site: &Objects) -> Place {
    let place = Place::new();
    let text = site.configuration(
        "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n",
    );
    let text = text.replace(
        "enabled_backends = s:swift",
        "enabled_backends = s:swift, disk:file",
    );
    place.configure(&format!("{text}[disk]\nfilesystem_store_datadir = disk\n"));
    place
}

#[test]
fn programs_store_copy_read_and_delete_images() {
    let site = Objects::in_segments();
    let place = deployment(&site);
    let sent = data(2_500_000);
    let id = place.image("whole", &sent);
    let shown = place.glance(&["image", "show", &id, "-f", "json"]).ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["size"], 2_500_000);
    let names = names_of(&site);
    let expected = ["", "-00001", "-00002", "-00003"].map(|end| format!("{id}{end}"));
    assert_eq!(names.len(), 1 + expected.len());
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    let words = [
        "image",
        "import",
        "--method",
        "copy-image",
        "--store",
        "disk",
        "--wait",
        &id,
    ];
    let copied = place.glance(&words);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert!(std::fs::read(place.data().join("disk").join(&id)).unwrap() == sent);
    let saved = place.file("saved");
    place
        .glance(&["image", "save", "--file", saved.to_str().unwrap(), &id])
        .ok();
    assert!(std::fs::read(&saved).unwrap() == sent);
    let stores = place.glance(&["stores-info", "--detail"]).ok();
    for shown in [&site.container, "1024000"] {
        assert!(stores.contains(shown), "{stores}");
    }
    assert!(!stores.contains(&site.account.key), "{stores}");
    place.glance(&["image", "delete", &id]).ok();
    assert_eq!(names_of(&site), ["beside"]);
}

#[test]
fn the_next_command_deletes_what_a_killed_upload_left() {
    let site = Objects::in_segments();
    let place = deployment(&site);
    let mut upload = place
        .command(GLANCE)
        .args(["image", "create", "killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = upload.stdin.take().unwrap();
    pipe.write_all(&data(2_500_000)).unwrap();
    // The pipe stays open: the upload does not end.
    let is_there = |name: &String| name.ends_with("-00001");
    while !names_of(&site).iter().any(is_there) {
        assert!(upload.try_wait().unwrap().is_none(), "the upload goes on");
        std::thread::yield_now();
    }
    upload.kill().unwrap();
    upload.wait().unwrap();
    place.glance(&["image", "list"]).ok();
    assert_eq!(names_of(&site), ["beside"]);
    let list = place
        .glance(&["image", "list", "-f", "value", "-c", "Status"])
        .ok();
    assert_eq!(list.trim(), "queued");
}
