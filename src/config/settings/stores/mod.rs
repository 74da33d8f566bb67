//! The stores of a deployment.
//!
//! *Source:* `glance_store/{backend,multi_backend}.py`, `glance_store/_drivers/filesystem.py`
//! (`configure_add`), `glance/common/wsgi_app.py` (`init_app`).

mod rbd;
mod s3;
mod swift;

pub use rbd::RbdStore;
pub use s3::{Addressing, S3Store, is_host_label};
pub use swift::{SwiftAccount, SwiftAuth, SwiftLogin, SwiftReference, SwiftService, SwiftStore};

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::oslo::options::{
    CHUNK_SIZE, DATADIR, DATADIRS, DEFAULT_BACKEND, DEFAULT_STORE, ENABLED_BACKENDS, FILE_PERM,
    HTTP_PROXIES, HTTPS_CA_CERTIFICATES, HTTPS_INSECURE, STORE_DESCRIPTION, STORES,
    THIN_PROVISIONING, WEIGHT,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::oslo::values::quoted;
use crate::config::secret::Secret;
use crate::config::settings::setting::Setting;
use crate::error::{Error, Result};

/// The section of the only store if stores have no names.
const UNNAMED_SECTION: &str = "glance_store";

/// The prefix of the names of Glance's reserved stores.
const RESERVED_PREFIX: &str = "os_glance_";

/// Returns a number of seconds.
fn seconds(number: &Located<'_, i128>) -> Result<Duration> {
    let seconds = u64::try_from(number.value);
    let seconds = seconds.map_err(|_| number.refuse("too large"))?;
    Ok(Duration::from_secs(seconds))
}

/// All stores of a deployment, with at least the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stores {
    /// Whether the stores have names (`enabled_backends`). Only then a location contains its store's name
    /// and a caller can choose a store.
    pub named: bool,
    /// The identifier of the default store for uploads.
    pub default_id: Setting<String>,
    /// The stores in the order of the configuration.
    pub list: Vec<Store>,
}

/// A store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The name in `enabled_backends`; without named stores the type.
    pub id: String,
    /// The name of the driver, as in `enabled_backends`.
    pub driver: String,
    /// The kind with its settings; refused if any of its options is.
    pub kind: Setting<StoreKind>,
    /// The operator's description.
    pub description: Option<String>,
    /// The preference among copies of an image; higher first.
    pub weight: i64,
}

impl Store {
    /// Returns the first directory of a file store.
    pub fn directory(&self) -> Option<&Path> {
        match self.kind.get() {
            Ok(StoreKind::File(file)) => file.directories.first().map(|at| at.path.as_path()),
            _ => None,
        }
    }
}

/// The kinds of store in Glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A file store in directories.
    File(FileStore),
    /// Web servers, read-only.
    Http(HttpStore),
    /// OpenStack Swift.
    Swift(Box<SwiftStore>),
    /// A bucket of Amazon S3 or a compatible service.
    S3(S3Store),
    /// Images in a pool of a Ceph cluster.
    Rbd(RbdStore),
    /// OpenStack Cinder volumes.
    Cinder,
    /// VMware datastores.
    Vmware,
}

/// The settings of a store of kind `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStore {
    /// The directories to write images to, in order of preference; among equal priorities the one with the
    /// most free space is used. Never empty.
    pub directories: Vec<DataDirectory>,
    /// Permission bits of image files; None uses the deployment's default.
    pub file_permissions: Option<u32>,
    /// Bytes per read or write; visible to administrators.
    pub chunk_size: u64,
    /// Whether runs of zeros in an upload become holes.
    pub thin_provisioning: bool,
}

/// The settings of a store of kind `http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpStore {
    /// Trusted certificates, in PEM; None trusts the system's.
    pub authorities: Option<PathBuf>,
    /// Whether certificates are not verified; ignored if there are `authorities`.
    pub insecure: bool,
    /// Proxies: the scheme of an address (`http`, `https`, `all`) and its proxy. They may contain
    /// passwords.
    pub proxies: Vec<(String, Secret)>,
}

/// A directory of a file store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    /// The absolute path.
    pub path: PathBuf,
    /// The priority; higher is preferred.
    pub priority: i64,
}

impl Stores {
    /// Returns whether `id` is the default store for uploads.
    pub fn is_default(&self, id: &str) -> bool {
        self.default_id.get().is_ok_and(|default| default == id)
    }
}

/// The drivers of Glance: name, class in older files, and the schemes of addresses.
///
/// *Source:* `setup.cfg` and `get_schemes` of the drivers of `glance_store`.
const DRIVERS: [(&str, &str, &[&str]); 7] = [
    (
        "file",
        "glance.store.filesystem.Store",
        &["file", "filesystem"],
    ),
    ("http", "glance.store.http.Store", &["http", "https"]),
    (
        "swift",
        "glance.store.swift.Store",
        &["swift", "swift+http", "swift+https", "swift+config"],
    ),
    (
        "s3",
        "glance.store.s3.Store",
        &["s3", "s3+http", "s3+https"],
    ),
    ("rbd", "glance.store.rbd.Store", &["rbd"]),
    ("cinder", "glance.store.cinder.Store", &["cinder"]),
    (
        "vmware",
        "glance.store.vmware_datastore.Store",
        &["vsphere"],
    ),
];

/// Returns the name of a driver that is given by its name or its class.
fn driver_name(text: &str) -> &str {
    let known = DRIVERS.iter().find(|(_, class, _)| *class == text);
    known.map_or(text, |(name, _, _)| name)
}

/// Returns the schemes of the addresses of a driver; empty if it is unknown.
pub fn schemes(driver: &str) -> &'static [&'static str] {
    let known = DRIVERS.iter().find(|(name, _, _)| *name == driver);
    known.map_or(&[], |(_, _, schemes)| schemes)
}

/// The base directories of relative paths and of stores without a directory.
pub(in crate::config) struct Layout<'a> {
    /// The base of relative paths; absolute.
    pub(in crate::config) base: &'a Path,
    /// The data directory, if the deployment is one.
    pub(in crate::config) data_dir: Option<&'a Path>,
}

/// Reads the stores: the named ones of `enabled_backends`, or else the unnamed ones.
///
/// # Errors
/// The errors of the lists. The errors of one store are returned where that store is used.
pub(in crate::config) fn read_stores(reader: &Reader<'_>, layout: &Layout<'_>) -> Result<Stores> {
    let backends = reader.pairs(&ENABLED_BACKENDS)?;
    if backends.value.is_empty() {
        return read_unnamed_stores(reader, layout);
    }
    let default_id: Setting<String> = read_default_backend(reader, &backends).into();
    let mut list = Vec::with_capacity(backends.value.len());
    for (id, driver) in &backends.value {
        let is_default = default_id.get().is_ok_and(|default| default == id);
        let directory = if is_default {
            "images".to_owned()
        } else {
            format!("images-{id}")
        };
        let unknown = || backends.refuse_driver(driver);
        let kind = if id.starts_with(RESERVED_PREFIX) {
            let why = format!(
                "{} is reserved: {RESERVED_PREFIX}… are Glance's own stores",
                quoted(id)
            );
            Err(backends.refuse(why))
        } else {
            read_kind(reader, layout, driver_name(driver), id, &directory, unknown)
        };
        list.push(read_store(reader, id, driver_name(driver), kind));
    }
    Ok(Stores {
        named: true,
        default_id,
        list,
    })
}

fn read_default_backend(
    reader: &Reader<'_>,
    backends: &Located<'_, Vec<(String, String)>>,
) -> Result<String> {
    let Some(default) = reader.text_if_any(&DEFAULT_BACKEND)? else {
        let error = backends.refuse("no store is the default");
        return Err(error.hint("Name one with default_backend in the section [glance_store]."));
    };
    if backends.value.iter().any(|(id, _)| *id == default.value) {
        return Ok(default.value);
    }
    Err(default.refuse(format_args!(
        "{} is not in enabled_backends",
        quoted(&default.value)
    )))
}

/// Reads the stores of a configuration without `enabled_backends`: one for each type in `stores`.
fn read_unnamed_stores(reader: &Reader<'_>, layout: &Layout<'_>) -> Result<Stores> {
    let drivers = reader.list(&STORES)?;
    let mut list: Vec<Store> = Vec::with_capacity(drivers.value.len());
    for driver in &drivers.value {
        let id = driver_name(driver);
        if list.iter().any(|store| store.id == id) {
            continue;
        }
        let unknown = || drivers.refuse_driver(driver);
        let kind = read_kind(reader, layout, id, UNNAMED_SECTION, "images", unknown);
        list.push(Store {
            id: id.to_owned(),
            driver: id.to_owned(),
            kind: kind.into(),
            description: None,
            weight: 0,
        });
    }
    Ok(Stores {
        named: false,
        default_id: read_default_store(reader, &drivers, &list).into(),
        list,
    })
}

fn read_default_store(
    reader: &Reader<'_>,
    drivers: &Located<'_, Vec<String>>,
    list: &[Store],
) -> Result<String> {
    let default = reader.text_or_default(&DEFAULT_STORE)?;
    let default_id = match default.value.split('+').next().unwrap_or_default() {
        "filesystem" => "file",
        "https" => "http",
        "vsphere" => "vmware",
        scheme => scheme,
    };
    if list.iter().any(|store| store.id == default_id) {
        return Ok(default_id.to_owned());
    }
    let why = format!("{} is not one of the stores", quoted(&default.value));
    Err(if reader.is_set(&DEFAULT_STORE) {
        default.refuse(why)
    } else {
        drivers.refuse(why)
    })
}

fn read_store(reader: &Reader<'_>, id: &str, driver: &str, kind: Result<StoreKind>) -> Store {
    let description = reader.text_if_any(STORE_DESCRIPTION.of(id));
    let weight = reader.integer(WEIGHT.of(id)).and_then(|weight| {
        let number = i64::try_from(weight.value);
        number.map_err(|_| weight.refuse("too large"))
    });
    let (description, weight, kind) = match (description, weight) {
        (Ok(description), Ok(weight)) => (description.map(|text| text.value), weight, kind),
        (Err(error), _) | (_, Err(error)) => (None, 0, Err(error)),
    };
    Store {
        id: id.to_owned(),
        driver: driver.to_owned(),
        kind: kind.into(),
        description,
        weight,
    }
}

/// Reads the kind that `driver` names, with its settings from `section`.
///
/// # Errors
/// The error of `unknown` for a driver that Glance does not have; the errors of the settings.
fn read_kind(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    driver: &str,
    section: &str,
    directory: &str,
    unknown: impl FnOnce() -> Error,
) -> Result<StoreKind> {
    Ok(match driver {
        "file" => StoreKind::File(read_file_store(reader, layout, section, directory)?),
        "http" => StoreKind::Http(read_http_store(reader, layout, section)?),
        "swift" => {
            let store = swift::read_swift_store(reader, layout, section)?;
            StoreKind::Swift(Box::new(store))
        }
        "s3" => StoreKind::S3(s3::read_s3_store(reader, layout, section)?),
        "rbd" => StoreKind::Rbd(rbd::read_rbd_store(reader, layout, section)?),
        "cinder" => StoreKind::Cinder,
        "vmware" => StoreKind::Vmware,
        _ => return Err(unknown()),
    })
}

impl<T> Located<'_, T> {
    /// Returns the error for a driver that Glance does not have.
    fn refuse_driver(&self, driver: &str) -> Error {
        let kinds: Vec<&str> = DRIVERS.iter().map(|(name, _, _)| *name).collect();
        self.refuse(format_args!(
            "{} is not a type of store: {}",
            quoted(driver),
            kinds.join(", ")
        ))
    }
}

fn read_file_store(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
    directory: &str,
) -> Result<FileStore> {
    let chunk_size = reader.integer(CHUNK_SIZE.of(section))?;
    Ok(FileStore {
        directories: read_directories(reader, layout, section, directory)?,
        file_permissions: read_file_permissions(reader, section)?,
        chunk_size: u64::try_from(chunk_size.value).map_err(|_| chunk_size.refuse("too large"))?,
        thin_provisioning: reader.boolean(THIN_PROVISIONING.of(section))?,
    })
}

fn read_http_store(reader: &Reader<'_>, layout: &Layout<'_>, section: &str) -> Result<HttpStore> {
    let authorities = reader.text_if_any(HTTPS_CA_CERTIFICATES.of(section))?;
    let authorities = authorities.map(|path| layout.base.join(path.value));
    let proxies = reader.pairs(HTTP_PROXIES.of(section))?;
    let schemes = ["http", "https", "all"];
    if let Some((scheme, _)) = proxies
        .value
        .iter()
        .find(|(scheme, _)| !schemes.contains(&scheme.as_str()))
    {
        let why = format!("{} is not one of http, https, all", quoted(scheme));
        return Err(proxies.refuse(why));
    }
    Ok(HttpStore {
        insecure: authorities.is_none() && reader.boolean(HTTPS_INSECURE.of(section))?,
        authorities,
        proxies: proxies
            .value
            .into_iter()
            .map(|(scheme, proxy)| (scheme, Secret::new(proxy)))
            .collect(),
    })
}

/// Reads `filesystem_store_datadirs` if it is set, otherwise `filesystem_store_datadir`.
fn read_directories(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
    directory: &str,
) -> Result<Vec<DataDirectory>> {
    let several = reader.repeated(DATADIRS.of(section))?;
    let single = reader.text_or_default(DATADIR.of(section))?;
    if several.is_empty() {
        let path = match layout.data_dir {
            Some(data_dir) if !reader.is_set(DATADIR.of(section)) => data_dir.join(directory),
            _ if single.value.is_empty() => {
                return Err(single.refuse("a file store needs a directory"));
            }
            _ => layout.base.join(single.value),
        };
        return Ok(vec![DataDirectory { path, priority: 0 }]);
    }
    if reader.is_set(DATADIR.of(section)) && !single.value.is_empty() {
        return Err(
            single.refuse("filesystem_store_datadirs is set too, only one of them is allowed")
        );
    }
    let mut directories: Vec<DataDirectory> = Vec::with_capacity(several.len());
    for text in &several {
        let (path, priority) = text.value.rsplit_once(':').unwrap_or((&text.value, ""));
        let (path, priority) = (path.trim(), priority.trim());
        if path.is_empty() {
            return Err(text.refuse("no directory before the ':'"));
        }
        let priority = match priority {
            "" => 0,
            digits => digits.parse().map_err(|_| {
                text.refuse(format_args!(
                    "the priority {} is not a whole number",
                    quoted(digits)
                ))
            })?,
        };
        let path = layout.base.join(path);
        match directories.iter().find(|known| known.path == path) {
            Some(known) if known.priority == priority => {}
            Some(_) => return Err(text.refuse("the directory has two priorities")),
            None => directories.push(DataDirectory { path, priority }),
        }
    }
    directories.sort_by_key(|directory| std::cmp::Reverse(directory.priority));
    Ok(directories)
}

/// Reads the permissions: the decimal digits of the option are octal digits; zero or less is unset.
fn read_file_permissions(reader: &Reader<'_>, section: &str) -> Result<Option<u32>> {
    let digits = reader.integer(FILE_PERM.of(section))?;
    if digits.value <= 0 {
        return Ok(None);
    }
    match u32::from_str_radix(&digits.value.to_string(), 8) {
        Ok(mode) if mode > 0o7777 => Err(digits.refuse("more than permission bits")),
        Ok(mode) if mode & 0o400 == 0 => Err(digits.refuse("the owner could not read the images")),
        Ok(mode) => Ok(Some(mode)),
        Err(_) => Err(digits.refuse(format_args!("{} is not octal", digits.value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::oslo::ini::Ini;

    fn read(text: &str, data_dir: Option<&str>) -> Result<Stores> {
        let files = [Ini::parse(Path::new("x.conf"), text)?];
        let reader = Reader {
            files: &files,
            environment: None,
            defaults: Vec::new(),
        };
        let data_dir = data_dir.map(Path::new);
        read_stores(
            &reader,
            &Layout {
                base: data_dir.unwrap_or(Path::new("/cwd")),
                data_dir,
            },
        )
    }

    /// Returns the store `id`.
    fn get<'s>(stores: &'s Stores, id: &str) -> Option<&'s Store> {
        stores.list.iter().find(|store| store.id == id)
    }

    fn default_store(stores: &Stores) -> &Store {
        get(stores, stores.default_id.get().unwrap()).unwrap()
    }

    fn directories(store: &Store) -> Vec<(&str, i64)> {
        match store.kind.get() {
            Ok(StoreKind::File(file)) => file
                .directories
                .iter()
                .map(|d| (d.path.to_str().unwrap(), d.priority))
                .collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn named_stores_have_a_section_each() {
        let stores = read(
            "[DEFAULT]\nenabled_backends = Fast:file, web:http\n[glance_store]\ndefault_backend=Fast\n\
             [fast]\nfilesystem_store_datadir = images/\nweight = 5\nstore_description = \"Quick \"\n\
             filesystem_store_file_perm = 640\nfilesystem_thin_provisioning = on\n",
            None,
        )
        .unwrap();
        assert!(stores.named);
        assert_eq!(default_store(&stores).id, "Fast");
        let fast = get(&stores, "Fast").unwrap();
        assert_eq!(directories(fast), [("/cwd/images/", 0)]);
        assert_eq!(
            (fast.weight, fast.description.as_deref()),
            (5, Some("Quick "))
        );
        let StoreKind::File(file) = fast.kind.get().unwrap() else {
            panic!("{fast:?}")
        };
        assert_eq!(
            (
                file.file_permissions,
                file.chunk_size,
                file.thin_provisioning
            ),
            (Some(0o640), 65536, true)
        );
        let web = StoreKind::Http(HttpStore {
            insecure: true,
            ..HttpStore::default()
        });
        assert_eq!(get(&stores, "web").unwrap().kind, web.into());
        assert!(get(&stores, "fast").is_none());
    }

    #[test]
    fn without_names_there_is_a_store_for_each_type() {
        let stores = read("[glance_store]\nfilesystem_store_datadir = /srv\n", None).unwrap();
        assert!(!stores.named);
        assert_eq!(directories(default_store(&stores)), [("/srv", 0)]);
        assert_eq!(
            stores
                .list
                .iter()
                .map(|s| s.id.as_str())
                .collect::<Vec<_>>(),
            ["file", "http"]
        );
        let stores = read(
            "[glance_store]\nstores=file,swift\ndefault_store = swift+https\n",
            None,
        );
        assert_eq!(stores.unwrap().default_id, "swift".to_string().into());
    }

    #[test]
    fn stores_of_a_data_directory_stay_inside_it() {
        let stores = read("", Some("/data")).unwrap();
        assert_eq!(directories(default_store(&stores)), [("/data/images", 0)]);
        let text = "[DEFAULT]\nenabled_backends = a:file,b:file,c:file\n[glance_store]\ndefault_backend = b\n\
                    [c]\nfilesystem_store_datadir = mine\n";
        let stores = read(text, Some("/data")).unwrap();
        let all: Vec<_> = stores.list.iter().flat_map(directories).collect();
        assert_eq!(
            all,
            [
                ("/data/images-a", 0),
                ("/data/images", 0),
                ("/data/mine", 0)
            ]
        );
    }

    #[test]
    fn certificates_to_trust_are_looked_at() {
        let text = "[DEFAULT]\nenabled_backends = w:http\n[glance_store]\ndefault_backend = w\n[w]\n\
                    https_ca_certificates_file = ca.pem\nhttps_insecure = true\n\
                    http_proxy_information = http:u:hunter2@proxy:3128\n";
        let stores = read(text, None).unwrap();
        let StoreKind::Http(web) = stores.list[0].kind.get().unwrap() else {
            panic!("{stores:?}")
        };
        assert_eq!(web.authorities.as_deref(), Some(Path::new("/cwd/ca.pem")));
        assert!(!web.insecure);
        assert_eq!(web.proxies[0].1.reveal(), "u:hunter2@proxy:3128");
        assert!(!format!("{stores:?}").contains("hunter2"));
    }

    #[test]
    fn an_rbd_store_has_the_defaults_of_its_driver() {
        let of = |text: &str| {
            let text = format!(
                "[DEFAULT]\nenabled_backends = c:rbd\n[glance_store]\ndefault_backend = c\n[c]\n{text}"
            );
            let stores = read(&text, None).unwrap();
            match stores.list[0].kind.get() {
                Ok(StoreKind::Rbd(rbd)) => Ok(rbd.clone()),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.message().to_string()),
            }
        };
        let default = RbdStore {
            pool: "images".to_string(),
            user: None,
            ceph_conf: None,
            chunk_size: 8 << 20,
            timeout: None,
            thin_provisioning: false,
        };
        assert_eq!(default.order(), 23);
        assert_eq!(of(""), Ok(default.clone()));
        let text = "rbd_store_pool = p\nrbd_store_user = glance\nrbd_store_ceph_conf = ceph.conf\n\
                    rbd_store_chunk_size = 6\nrados_connect_timeout = 5\nrbd_thin_provisioning = true\n";
        let set = of(text).unwrap();
        let expected = RbdStore {
            pool: "p".to_string(),
            user: Some("glance".to_string()),
            ceph_conf: Some("/cwd/ceph.conf".into()),
            chunk_size: 6 << 20,
            timeout: Some(Duration::from_secs(5)),
            thin_provisioning: true,
        };
        assert_eq!((set.order(), set), (22, expected));
        for (text, message) in [
            ("rbd_store_chunk_size = 0\n", "0 is less than 1"),
            ("rbd_store_chunk_size = 64\n", "more than 32 MiB"),
            ("rbd_store_pool =\n", "an rbd store needs a pool"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    /// Reads an S3 store with these lines.
    fn s3_of(text: &str) -> Result<S3Store, String> {
        let text = format!(
            "[DEFAULT]\nenabled_backends = o:s3\n[glance_store]\ndefault_backend = o\n[o]\n{text}"
        );
        let stores = read(&text, None).unwrap();
        match stores.list[0].kind.get() {
            Ok(StoreKind::S3(s3)) => Ok(s3.clone()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.message().to_string()),
        }
    }

    const S3_KEYS: &str = "s3_store_access_key = ak\ns3_store_secret_key = hunter2\n";

    #[test]
    fn an_s3_store_has_the_defaults_of_its_driver() {
        let keys = S3_KEYS;
        let needed = format!("{keys}s3_store_host = s3.example:9000\ns3_store_bucket = images\n");
        let default = S3Store {
            host: "s3.example:9000".to_string(),
            is_secure: false,
            region: None,
            access_key: Secret::new("ak"),
            secret_key: Secret::new("hunter2"),
            bucket: "images".to_string(),
            creates_bucket: false,
            addressing: Addressing::Auto,
            large_object_size: 100 << 20,
            chunk_size: 10 << 20,
            thread_pools: 10,
            timeout: Duration::from_mins(1),
            authorities: None,
            sends_checksums: false,
            verifies_checksums: false,
        };
        assert!(!format!("{default:?}").contains("hunter2"));
        assert_eq!(s3_of(&needed), Ok(default.clone()));
        let set = s3_of(&format!(
            "{keys}s3_store_host = https://s3.example/\ns3_store_bucket = images\ns3_store_region_name = r\n\
             s3_store_create_bucket_on_put = true\ns3_store_bucket_url_format = virtual\n\
             s3_store_large_object_size = 0\ns3_store_large_object_chunk_size = 5\ns3_store_thread_pools = 1\n\
             s3_store_cacert = ca.pem\ns3_store_timeout = 7\ns3_store_enable_data_integrity_protection = true\n\
             s3_store_request_checksum_calculation = when_supported\n"
        ));
        let expected = S3Store {
            host: "s3.example".to_string(),
            is_secure: true,
            region: Some("r".to_string()),
            creates_bucket: true,
            addressing: Addressing::Virtual,
            large_object_size: 0,
            chunk_size: 5 << 20,
            thread_pools: 1,
            timeout: Duration::from_secs(7),
            authorities: Some("/cwd/ca.pem".into()),
            sends_checksums: true,
            ..default.clone()
        };
        assert_eq!(set, Ok(expected));
        let unprotected = s3_of(&format!(
            "{needed}s3_store_response_checksum_validation = when_supported\n"
        ));
        assert_eq!(
            unprotected,
            Ok(default),
            "it counts with integrity protection only"
        );
    }

    #[test]
    fn an_s3_store_with_impossible_options_is_refused_without_its_keys() {
        let needed =
            format!("{S3_KEYS}s3_store_host = s3.example:9000\ns3_store_bucket = images\n");
        for (text, message) in [
            ("", "s3_store_host: an s3 store needs it"),
            (
                "s3_store_host = h\n",
                "s3_store_bucket: an s3 store needs it",
            ),
            (
                "s3_store_host = h\ns3_store_bucket = b\n",
                "s3_store_access_key: an s3 store",
            ),
            ("s3_store_host = ftp://h\n", "neither http nor https"),
            (
                "s3_store_host = http://ak:hunter2@h\n",
                "must not contain a key",
            ),
            ("s3_store_host = h/path\n", "must be a host"),
            (
                "s3_store_host = h\ns3_store_bucket = a/b\n",
                "not the name of a bucket",
            ),
            (
                "s3_store_host = h\ns3_store_bucket = a.b\ns3_store_bucket_url_format = virtual\n",
                "a part of a host's name",
            ),
        ] {
            let error = s3_of(text).unwrap_err();
            assert!(error.contains(message), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (option, message) in [
            ("s3_store_large_object_chunk_size = 4", "4 is less than 5"),
            ("s3_store_large_object_size = -1", "-1 is less than 0"),
            ("s3_store_thread_pools = 0", "0 is less than 1"),
            ("s3_store_timeout = 0", "0 is less than 1"),
            (
                "s3_store_bucket_url_format = dns",
                "not one of auto, virtual, path",
            ),
            ("s3_store_request_checksum_calculation = x", "not one of"),
        ] {
            let error = s3_of(&format!("{needed}{option}\n")).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn several_directories_are_ordered_by_priority() {
        let text = "[glance_store]\nfilesystem_store_datadirs = /a\nfilesystem_store_datadirs = /b : 20\n\
                    filesystem_store_datadirs = /c:20\nfilesystem_store_datadirs = /d:\n\
                    filesystem_store_datadirs = /a:0\n";
        let stores = read(text, None).unwrap();
        let expected = [("/b", 20), ("/c", 20), ("/a", 0), ("/d", 0)];
        assert_eq!(directories(default_store(&stores)), expected);
    }

    #[test]
    fn faults_are_refused_with_file_and_line() {
        let named =
            "[DEFAULT]\nenabled_backends = a:file\n[glance_store]\ndefault_backend = a\n[a]\n";
        for (text, message) in [
            ("[DEFAULT]\nenabled_backends = a:nfs\n[glance_store]\ndefault_backend = a\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: 'nfs' is not a type"),
            ("[DEFAULT]\nenabled_backends = a:file\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: no store"),
            ("[DEFAULT]\nenabled_backends = a:file\n[glance_store]\ndefault_backend = b\n".to_owned(), "x.conf:4: [glance_store] default_backend: 'b' is not in"),
            ("[DEFAULT]\nenabled_backends = os_glance_x:file\n[glance_store]\ndefault_backend = os_glance_x\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: 'os_glance_x' is reserved"),
            ("[glance_store]\nstores = file, nfs\n".to_owned(), "x.conf:2: [glance_store] stores: 'nfs' is not a type"),
            ("[glance_store]\nstores = http\n".to_owned(), "x.conf:2: [glance_store] stores: 'file' is not one of"),
            ("[glance_store]\ndefault_store = nfs\n".to_owned(), "x.conf:2: [glance_store] default_store: 'nfs' is not one of"),
            ("[glance_store]\ndefault_store = rbd\n".to_owned(), "x.conf:2: [glance_store] default_store: 'rbd' is not one of"),
            (format!("{named}filesystem_store_file_perm = 648\n"), "x.conf:6: [a] filesystem_store_file_perm: 648 is not octal"),
            (format!("{named}filesystem_store_file_perm = 240\n"), "x.conf:6: [a] filesystem_store_file_perm: the owner"),
            (format!("{named}filesystem_store_file_perm = 17777\n"), "x.conf:6: [a] filesystem_store_file_perm: more than"),
            (format!("{named}filesystem_store_datadir =\n"), "x.conf:6: [a] filesystem_store_datadir: a file store needs"),
            (format!("{named}filesystem_store_datadir = /x\nfilesystem_store_datadirs = /y\n"), "x.conf:6: [a] filesystem_store_datadir: filesystem_store_datadirs"),
            (format!("{named}filesystem_store_datadirs = /y:high\n"), "x.conf:6: [a] filesystem_store_datadirs: the priority 'high'"),
            (format!("{named}filesystem_store_datadirs = :1\n"), "x.conf:6: [a] filesystem_store_datadirs: no directory"),
            (format!("{named}filesystem_store_datadirs = /y:1\nfilesystem_store_datadirs = /y:2\n"), "x.conf:7: [a] filesystem_store_datadirs: the directory has two"),
            ("[glance_store]\nhttp_proxy_information = ftp:h\n".to_owned(), "x.conf:2: [glance_store] http_proxy_information: 'ftp' is not one of"),
            (format!("{named}weight = heavy\n"), "x.conf:6: [a] weight: 'heavy' is not"),
            (format!("{named}filesystem_store_chunk_size = 0\n"), "x.conf:6: [a] filesystem_store_chunk_size: 0 is less"),
        ] {
            let error = match read(&text, None) {
                Ok(stores) => {
                    let of_stores = stores.list.iter().find_map(|store| store.kind.get().err());
                    of_stores.or(stores.default_id.get().err()).unwrap()
                }
                Err(error) => error,
            };
            assert!(error.message().starts_with(message), "{}", error.message());
        }
    }
}
