//! The stores of a deployment.
//!
//! *Source:* `glance_store/{backend,multi_backend}.py`, `glance_store/_drivers/filesystem.py`
//! (`configure_add`), `glance/common/wsgi_app.py` (`init_app`).

use std::path::{Path, PathBuf};

use super::options::{
    CHUNK_SIZE, DATADIR, DATADIRS, DEFAULT_BACKEND, DEFAULT_STORE, ENABLED_BACKENDS, FILE_PERM,
    HTTP_PROXIES, HTTPS_CA_CERTIFICATES, HTTPS_INSECURE, STORE_DESCRIPTION, STORES,
    THIN_PROVISIONING, WEIGHT,
};
use super::reader::{Located, Reader};
use super::secret::Secret;
use super::values::quoted;
use crate::error::{Error, Result};

/// The section of a deployment's only store, when stores have no names.
const UNNAMED_SECTION: &str = "glance_store";

/// Store names that Glance keeps for itself start with this.
const RESERVED_PREFIX: &str = "os_glance_";

/// All stores of a deployment; at least the default one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stores {
    /// Whether the stores have names (`enabled_backends`). Only then does a location carry its
    /// store's name and can a caller choose a store.
    pub named: bool,
    /// Identifier of the store that takes an upload that names none.
    pub default_id: String,
    /// In the order of the configuration.
    pub list: Vec<Store>,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its name in `enabled_backends`; without named stores its type.
    pub id: String,
    /// What kind it is, with the settings of that kind.
    pub kind: StoreKind,
    /// The operator's words about it.
    pub description: Option<String>,
    /// Preference among several copies of an image; higher first.
    pub weight: i64,
}

/// The kinds of store that Glance knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// A directory.
    File(FileStore),
    /// Web servers, to read from.
    Http(HttpStore),
    /// OpenStack Swift.
    Swift,
    /// Amazon S3 and what speaks like it.
    S3,
    /// Ceph.
    Rbd,
    /// OpenStack Cinder volumes.
    Cinder,
    /// VMware datastores.
    Vmware,
}

/// The settings of a store of kind `file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileStore {
    /// Where images are written, the preferred first; among equal priorities the one with the
    /// most free space is to be taken. Never empty.
    pub directories: Vec<DataDirectory>,
    /// Permission bits for image files; None leaves them to the deployment's rule.
    pub file_permissions: Option<u32>,
    /// Bytes per read or write; shown to administrators.
    pub chunk_size: u64,
    /// Whether runs of zeros in an upload become holes.
    pub thin_provisioning: bool,
}

/// The settings of a store of kind `http`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpStore {
    /// Certificates to trust, in PEM; None trusts those of the system.
    pub authorities: Option<PathBuf>,
    /// Whether certificates are not looked at; not so where there are `authorities`.
    pub insecure: bool,
    /// Proxies: the scheme of an address (`http`, `https`, `all`), and the proxy for it. They may hold
    /// passwords.
    pub proxies: Vec<(String, Secret)>,
}

/// One directory of a file store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    /// Absolute.
    pub path: PathBuf,
    /// Higher is preferred.
    pub priority: i64,
}

impl Stores {
    /// The store called `id`.
    pub fn get(&self, id: &str) -> Option<&Store> {
        self.list.iter().find(|store| store.id == id)
    }

    /// The store that takes an upload that names none.
    pub fn default_store(&self) -> Option<&Store> {
        self.get(&self.default_id)
    }
}

impl StoreKind {
    /// The driver's name, as in `enabled_backends`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Swift => "swift",
            Self::S3 => "s3",
            Self::Rbd => "rbd",
            Self::Cinder => "cinder",
            Self::Vmware => "vmware",
        }
    }
}

/// Where stores without a directory of their own and relative paths go.
pub(super) struct Layout<'a> {
    /// Relative paths start here; absolute.
    pub(super) base: &'a Path,
    /// The data directory, when the deployment is one.
    pub(super) data_dir: Option<&'a Path>,
}

/// Reads the stores: the named ones of `enabled_backends`, else the unnamed ones.
pub(super) fn read_stores(reader: &Reader<'_>, layout: &Layout<'_>) -> Result<Stores> {
    let backends = reader.pairs(&ENABLED_BACKENDS)?;
    if backends.value.is_empty() {
        return read_unnamed_stores(reader, layout);
    }
    let default_id = read_default_backend(reader, &backends)?;
    let mut list = Vec::with_capacity(backends.value.len());
    for (id, driver) in &backends.value {
        if id.starts_with(RESERVED_PREFIX) {
            let why = format!(
                "{} is reserved: {RESERVED_PREFIX}… are Glance's own stores",
                quoted(id)
            );
            return Err(backends.refuse(why));
        }
        let directory = if *id == default_id {
            "images".to_owned()
        } else {
            format!("images-{id}")
        };
        let kind = read_kind(reader, layout, driver, id, &directory)?
            .ok_or_else(|| refuse_driver(&backends, driver))?;
        list.push(read_store(reader, id, kind)?);
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
        let error = backends.refuse("none of the stores is the default");
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

/// The stores of a configuration without `enabled_backends`: one for each type in `stores`.
fn read_unnamed_stores(reader: &Reader<'_>, layout: &Layout<'_>) -> Result<Stores> {
    let drivers = reader.list(&STORES)?;
    let mut list: Vec<Store> = Vec::with_capacity(drivers.value.len());
    for driver in &drivers.value {
        let kind = read_kind(reader, layout, driver, UNNAMED_SECTION, "images")?
            .ok_or_else(|| refuse_driver(&drivers, driver))?;
        let id = kind.name().to_owned();
        if list.iter().all(|store| store.id != id) {
            list.push(Store {
                id,
                kind,
                description: None,
                weight: 0,
            });
        }
    }
    let default = reader.text_or_default(&DEFAULT_STORE)?;
    let default_id = match default.value.split('+').next().unwrap_or_default() {
        "filesystem" => "file",
        "https" => "http",
        "vsphere" => "vmware",
        scheme => scheme,
    };
    if list.iter().any(|store| store.id == default_id) {
        return Ok(Stores {
            named: false,
            default_id: default_id.to_owned(),
            list,
        });
    }
    let why = format!("{} is not among the stores", quoted(&default.value));
    Err(if reader.is_set(&DEFAULT_STORE) {
        default.refuse(why)
    } else {
        drivers.refuse(why)
    })
}

fn read_store(reader: &Reader<'_>, id: &str, kind: StoreKind) -> Result<Store> {
    let description = reader
        .text_if_any(STORE_DESCRIPTION.of(id))?
        .map(|text| text.value);
    let weight = reader.integer(WEIGHT.of(id))?;
    let weight = i64::try_from(weight.value).map_err(|_| weight.refuse("too large"))?;
    Ok(Store {
        id: id.to_owned(),
        kind,
        description,
        weight,
    })
}

/// The kind that `driver` names, with its settings from `section`; None when there is none.
fn read_kind(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    driver: &str,
    section: &str,
    directory: &str,
) -> Result<Option<StoreKind>> {
    Ok(Some(match driver {
        "file" | "glance.store.filesystem.Store" => {
            StoreKind::File(read_file_store(reader, layout, section, directory)?)
        }
        "http" | "glance.store.http.Store" => {
            StoreKind::Http(read_http_store(reader, layout, section)?)
        }
        "swift" | "glance.store.swift.Store" => StoreKind::Swift,
        "s3" | "glance.store.s3.Store" => StoreKind::S3,
        "rbd" | "glance.store.rbd.Store" => StoreKind::Rbd,
        "cinder" | "glance.store.cinder.Store" => StoreKind::Cinder,
        "vmware" | "glance.store.vmware_datastore.Store" => StoreKind::Vmware,
        _ => return Ok(None),
    }))
}

fn refuse_driver<T>(at: &Located<'_, T>, driver: &str) -> Error {
    let kinds = "file, http, swift, s3, rbd, cinder, vmware";
    at.refuse(format_args!(
        "{} is no type of store: {kinds}",
        quoted(driver)
    ))
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
        let why = format!("{} is none of http, https, all", quoted(scheme));
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

/// `filesystem_store_datadirs` where it is set, else `filesystem_store_datadir`.
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
        return Err(single.refuse("filesystem_store_datadirs is set too, only one of them may be"));
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

/// The decimal digits of the option are octal ones; zero or less is none.
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
    use super::super::ini::Ini;
    use super::*;

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

    fn directories(store: &Store) -> Vec<(&str, i64)> {
        match &store.kind {
            StoreKind::File(file) => file
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
        assert_eq!(stores.default_store().unwrap().id, "Fast");
        let fast = stores.get("Fast").unwrap();
        assert_eq!(directories(fast), [("/cwd/images/", 0)]);
        assert_eq!(
            (fast.weight, fast.description.as_deref()),
            (5, Some("Quick "))
        );
        let StoreKind::File(file) = &fast.kind else {
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
        assert_eq!(stores.get("web").unwrap().kind, web);
        assert!(stores.get("fast").is_none());
    }

    #[test]
    fn without_names_there_is_a_store_for_each_type() {
        let stores = read("[glance_store]\nfilesystem_store_datadir = /srv\n", None).unwrap();
        assert!(!stores.named);
        assert_eq!(directories(stores.default_store().unwrap()), [("/srv", 0)]);
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
        assert_eq!(stores.unwrap().default_id, "swift");
    }

    #[test]
    fn stores_of_a_data_directory_stay_inside_it() {
        let stores = read("", Some("/data")).unwrap();
        assert_eq!(
            directories(stores.default_store().unwrap()),
            [("/data/images", 0)]
        );
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
        let StoreKind::Http(web) = &stores.list[0].kind else {
            panic!("{stores:?}")
        };
        assert_eq!(web.authorities.as_deref(), Some(Path::new("/cwd/ca.pem")));
        assert!(!web.insecure);
        assert_eq!(web.proxies[0].1.reveal(), "u:hunter2@proxy:3128");
        assert!(!format!("{stores:?}").contains("hunter2"));
    }

    #[test]
    fn several_directories_are_ordered_by_priority() {
        let text = "[glance_store]\nfilesystem_store_datadirs = /a\nfilesystem_store_datadirs = /b : 20\n\
                    filesystem_store_datadirs = /c:20\nfilesystem_store_datadirs = /d:\n\
                    filesystem_store_datadirs = /a:0\n";
        let stores = read(text, None).unwrap();
        let expected = [("/b", 20), ("/c", 20), ("/a", 0), ("/d", 0)];
        assert_eq!(directories(stores.default_store().unwrap()), expected);
    }

    #[test]
    fn faults_are_refused_with_file_and_line() {
        let named =
            "[DEFAULT]\nenabled_backends = a:file\n[glance_store]\ndefault_backend = a\n[a]\n";
        for (text, message) in [
            ("[DEFAULT]\nenabled_backends = a:nfs\n[glance_store]\ndefault_backend = a\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: 'nfs' is no type"),
            ("[DEFAULT]\nenabled_backends = a:file\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: none of the stores"),
            ("[DEFAULT]\nenabled_backends = a:file\n[glance_store]\ndefault_backend = b\n".to_owned(), "x.conf:4: [glance_store] default_backend: 'b' is not in"),
            ("[DEFAULT]\nenabled_backends = os_glance_x:file\n[glance_store]\ndefault_backend = os_glance_x\n".to_owned(), "x.conf:2: [DEFAULT] enabled_backends: 'os_glance_x' is reserved"),
            ("[glance_store]\nstores = file, nfs\n".to_owned(), "x.conf:2: [glance_store] stores: 'nfs' is no type"),
            ("[glance_store]\nstores = http\n".to_owned(), "x.conf:2: [glance_store] stores: 'file' is not among"),
            ("[glance_store]\ndefault_store = nfs\n".to_owned(), "x.conf:2: [glance_store] default_store: 'nfs' is none of"),
            ("[glance_store]\ndefault_store = rbd\n".to_owned(), "x.conf:2: [glance_store] default_store: 'rbd' is not among"),
            (format!("{named}filesystem_store_file_perm = 648\n"), "x.conf:6: [a] filesystem_store_file_perm: 648 is not octal"),
            (format!("{named}filesystem_store_file_perm = 240\n"), "x.conf:6: [a] filesystem_store_file_perm: the owner"),
            (format!("{named}filesystem_store_file_perm = 17777\n"), "x.conf:6: [a] filesystem_store_file_perm: more than"),
            (format!("{named}filesystem_store_datadir =\n"), "x.conf:6: [a] filesystem_store_datadir: a file store needs"),
            (format!("{named}filesystem_store_datadir = /x\nfilesystem_store_datadirs = /y\n"), "x.conf:6: [a] filesystem_store_datadir: filesystem_store_datadirs"),
            (format!("{named}filesystem_store_datadirs = /y:high\n"), "x.conf:6: [a] filesystem_store_datadirs: the priority 'high'"),
            (format!("{named}filesystem_store_datadirs = :1\n"), "x.conf:6: [a] filesystem_store_datadirs: no directory"),
            (format!("{named}filesystem_store_datadirs = /y:1\nfilesystem_store_datadirs = /y:2\n"), "x.conf:7: [a] filesystem_store_datadirs: the directory has two"),
            ("[glance_store]\nhttp_proxy_information = ftp:h\n".to_owned(), "x.conf:2: [glance_store] http_proxy_information: 'ftp' is none of"),
            (format!("{named}weight = heavy\n"), "x.conf:6: [a] weight: 'heavy' is not"),
            (format!("{named}filesystem_store_chunk_size = 0\n"), "x.conf:6: [a] filesystem_store_chunk_size: 0 is less"),
        ] {
            let error = read(&text, None).unwrap_err();
            assert!(error.message().starts_with(message), "{}", error.message());
        }
    }
}
