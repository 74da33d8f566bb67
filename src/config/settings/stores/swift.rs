//! The settings of a store of kind `swift`.
//!
//! *Source:* `glance_store/_drivers/swift/{store,utils,buffered}.py`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Layout, seconds};
use crate::config::cloud::{Address, Interface, Keystone, Method, Named, Reference, Scope};
use crate::config::oslo::ini::{Ini, normalize_section};
use crate::config::oslo::options::{
    DEFAULT_SWIFT_REFERENCE, SWIFT_ADMIN_TENANTS, SWIFT_AUTH_ADDRESS, SWIFT_AUTH_INSECURE,
    SWIFT_AUTH_VERSION, SWIFT_BUFFER_ON_UPLOAD, SWIFT_CACERT, SWIFT_CHUNK_SIZE, SWIFT_CONFIG_FILE,
    SWIFT_CONTAINER, SWIFT_CREATE_CONTAINER, SWIFT_CREDENTIAL_ID, SWIFT_CREDENTIAL_SECRET,
    SWIFT_ENDPOINT, SWIFT_ENDPOINT_TYPE, SWIFT_EXPIRE_SOON_INTERVAL, SWIFT_KEY,
    SWIFT_LARGE_OBJECT_SIZE, SWIFT_MULTI_TENANT, SWIFT_MULTIPLE_CONTAINERS_SEED, SWIFT_PROJECT_ID,
    SWIFT_PROJECT_NAME, SWIFT_REGION, SWIFT_RETRY_GET_COUNT, SWIFT_SERVICE_TYPE,
    SWIFT_SSL_COMPRESSION, SWIFT_TIMEOUT, SWIFT_UPLOAD_BUFFER_DIR, SWIFT_USE_TRUSTS, SWIFT_USER,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::oslo::values::quoted;
use crate::config::secret::Secret;
use crate::config::settings::setting::Setting;
use crate::error::{Error, Result};

/// The bytes of a "MB" in this store's options: 1000 × 1024.
const MEGABYTE: u64 = 1_024_000;

/// The domain of users and projects if none is named.
const DEFAULT_DOMAIN: &str = "default";

/// The settings of a store of kind `swift`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftStore {
    /// The account that images are stored in; refused if it has no valid address and credentials.
    pub account: Setting<SwiftAccount>,
    /// The name that addresses have instead of the credentials, if those are in `swift_store_config_file`.
    pub reference: Option<String>,
    /// The accounts of `swift_store_config_file`.
    pub references: Vec<SwiftReference>,
    /// The container of the images, or the beginning of the names of several containers.
    pub container: String,
    /// The number of digits of an image's ID that select one of several containers; 0 for a single container.
    pub containers_seed: usize,
    /// Whether a missing container is created by an upload.
    pub creates_containers: bool,
    /// Whether each image has a container of its own, in an account that its address names.
    pub is_multi_tenant: bool,
    /// The IDs of projects that may read and write the containers of a multi-tenant store.
    pub admin_projects: Vec<String>,
    /// The size in bytes from which on an image is stored in segments.
    pub large_object_size: u64,
    /// The size of a segment in bytes.
    pub chunk_size: u64,
    /// The endpoint of Swift.
    pub service: SwiftService,
    /// Whether certificates are not verified.
    pub is_insecure: bool,
    /// The trusted certificates, in PEM; None trusts the system's.
    pub authorities: Option<PathBuf>,
    /// The maximum number of times that an interrupted download is continued.
    pub retry_get_count: usize,
    /// The time limit for a response, for each further piece of its body, and for a service that accepts no data.
    pub timeout: Duration,
    /// The remaining validity below which a token is replaced.
    pub expire_soon: Duration,
    /// The directory in which segments are buffered, so that they can be sent again; None does not buffer.
    pub buffer_dir: Option<PathBuf>,
}

/// An account of `swift_store_config_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftReference {
    /// The name of its section, in lower case.
    pub name: String,
    /// The account.
    pub account: Setting<SwiftAccount>,
}

/// The endpoint of Swift: an address, or how to find it in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftService {
    /// The storage address of the account, which is used instead of that in the catalogue.
    pub endpoint: Option<Address>,
    /// The type of the service.
    pub service_type: String,
    /// The region; None accepts any.
    pub region: Option<String>,
    /// The interface.
    pub interface: Interface,
}

/// The version of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwiftAuth {
    /// Swift's own: a GET request with user and key.
    V1,
    /// Keystone's API version 3.
    V3,
}

/// An address and the credentials of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftAccount {
    /// The address of the login as it was written, with a scheme and without trailing slashes. Addresses of images
    /// contain it.
    pub auth_address: String,
    /// The address, parsed.
    pub auth_url: Address,
    /// The version of the login.
    pub version: SwiftAuth,
    /// The credentials.
    pub login: SwiftLogin,
    /// The domain of the user.
    pub user_domain: Reference,
    /// The domain of the project.
    pub project_domain: Reference,
}

/// The credentials of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwiftLogin {
    /// A user and a key.
    Key {
        /// `project:user`.
        user: String,
        /// The key or password.
        key: Secret,
    },
    /// An application credential.
    ApplicationCredential {
        /// The ID.
        id: String,
        /// The secret.
        secret: Secret,
    },
}

impl SwiftAccount {
    /// Creates the account of an address that contains its credentials. `auth_address` has a scheme.
    ///
    /// # Errors
    /// `Invalid`, without the credentials, if the address is not that of a web server or the user has no project.
    pub fn new(
        auth_address: &str,
        version: SwiftAuth,
        user: &str,
        key: Secret,
        domains: (Reference, Reference),
    ) -> Result<Self> {
        let login = SwiftLogin::Key {
            user: user.to_owned(),
            key,
        };
        let (user_domain, project_domain) = domains;
        Self::of(auth_address, version, login, user_domain, project_domain).map_err(Error::invalid)
    }

    fn of(
        auth_address: &str,
        version: SwiftAuth,
        login: SwiftLogin,
        user_domain: Reference,
        project_domain: Reference,
    ) -> Result<Self, String> {
        let auth_address = auth_address.trim().trim_end_matches('/');
        let auth_address = if auth_address.contains("://") {
            auth_address.to_owned()
        } else {
            format!("https://{auth_address}")
        };
        let auth_url = Address::parse(&auth_address)?;
        if let SwiftLogin::Key { user, .. } = &login
            && user.split(':').count() != 2
        {
            return Err(format!("{} is not PROJECT:USER", quoted(user)));
        }
        if version == SwiftAuth::V1 && matches!(login, SwiftLogin::ApplicationCredential { .. }) {
            return Err("version 1 of the login has no application credentials".to_owned());
        }
        Ok(Self {
            auth_address,
            auth_url,
            version,
            login,
            user_domain,
            project_domain,
        })
    }

    /// Returns the login to Keystone.
    pub fn keystone(&self) -> Keystone {
        let mut keystone = Keystone::at(self.auth_url.0.clone());
        let named = |name: &str, domain: &Reference| Named {
            reference: Reference::Name(name.to_owned()),
            domain: Some(domain.clone()),
        };
        match &self.login {
            SwiftLogin::Key { user, key } => {
                let (project, user) = user.split_once(':').unwrap_or((user, user));
                keystone.methods = vec![Method::Password];
                keystone.user = Some(named(user, &self.user_domain));
                keystone.password = Some(key.clone());
                keystone.scope = Some(Scope::Project(named(project, &self.project_domain)));
            }
            // It has its own scope, and Keystone refuses another one.
            SwiftLogin::ApplicationCredential { id, secret } => {
                keystone.methods = vec![Method::ApplicationCredential];
                keystone.credential = Some(Reference::Id(id.clone()));
                keystone.credential_secret = Some(secret.clone());
            }
        }
        keystone
    }
}

/// Reads the settings of a `swift` store.
pub(super) fn read_swift_store(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
) -> Result<SwiftStore> {
    let text = |spec| Ok::<_, Error>(reader.text_if_any(spec)?.map(|text| text.value));
    // Compression of TLS does not exist any more, and trusts belong to the tokens of callers.
    reader.boolean(SWIFT_SSL_COMPRESSION.of(section))?;
    reader.boolean(SWIFT_USE_TRUSTS.of(section))?;
    let is_multi_tenant = reader.boolean(SWIFT_MULTI_TENANT.of(section))?;
    let file = reader.text_if_any(SWIFT_CONFIG_FILE.of(section))?;
    let reference = reader.text_or_default(DEFAULT_SWIFT_REFERENCE.of(section))?;
    if let Some(file) = file.as_ref().filter(|_| is_multi_tenant) {
        return Err(file.refuse("a store with swift_store_multi_tenant must not have it"));
    }
    let (account, references) = match &file {
        Some(file) => {
            let references = read_references(reader, layout, section, file)?;
            (referenced(&references, &reference), references)
        }
        None => (read_account(reader, section).into(), Vec::new()),
    };
    let container = reader.text_or_default(SWIFT_CONTAINER.of(section))?;
    let name = container.value.trim_matches('/').to_owned();
    if name.is_empty() || name.contains('/') {
        return Err(container.refuse("a container needs a name without slashes"));
    }
    let authorities = text(SWIFT_CACERT.of(section))?;
    Ok(SwiftStore {
        account,
        reference: file.map(|_| reference.value),
        references,
        container: name,
        containers_seed: number(&reader.integer(SWIFT_MULTIPLE_CONTAINERS_SEED.of(section))?)?,
        creates_containers: reader.boolean(SWIFT_CREATE_CONTAINER.of(section))?,
        is_multi_tenant,
        admin_projects: reader.list(SWIFT_ADMIN_TENANTS.of(section))?.value,
        large_object_size: megabytes(&reader.integer(SWIFT_LARGE_OBJECT_SIZE.of(section))?)?,
        chunk_size: megabytes(&reader.integer(SWIFT_CHUNK_SIZE.of(section))?)?,
        service: read_service(reader, section)?,
        is_insecure: reader.boolean(SWIFT_AUTH_INSECURE.of(section))?,
        authorities: authorities.map(|path| layout.base.join(path)),
        retry_get_count: number(&reader.integer(SWIFT_RETRY_GET_COUNT.of(section))?)?,
        timeout: seconds(&reader.integer(SWIFT_TIMEOUT.of(section))?)?,
        expire_soon: seconds(&reader.integer(SWIFT_EXPIRE_SOON_INTERVAL.of(section))?)?,
        buffer_dir: read_buffer_dir(reader, layout, section)?,
    })
}

fn number<T: TryFrom<i128>>(number: &Located<'_, i128>) -> Result<T> {
    T::try_from(number.value).map_err(|_| number.refuse("too large"))
}

fn megabytes(number: &Located<'_, i128>) -> Result<u64> {
    let bytes = u64::try_from(number.value).ok();
    bytes
        .and_then(|megabytes| megabytes.checked_mul(MEGABYTE))
        .ok_or_else(|| number.refuse("too large"))
}

fn read_service(reader: &Reader<'_>, section: &str) -> Result<SwiftService> {
    let endpoint = reader.text_if_any(SWIFT_ENDPOINT.of(section))?;
    let endpoint = endpoint.map(|text| Address::parse(&text.value).map_err(|why| text.refuse(why)));
    let interface = reader.text_or_default(SWIFT_ENDPOINT_TYPE.of(section))?;
    let region = reader.text_if_any(SWIFT_REGION.of(section))?;
    Ok(SwiftService {
        endpoint: endpoint.transpose()?,
        service_type: reader
            .text_or_default(SWIFT_SERVICE_TYPE.of(section))?
            .value,
        region: region.map(|region| region.value),
        interface: Interface::parse(&interface.value)
            .ok_or_else(|| interface.refuse("not an interface"))?,
    })
}

fn read_buffer_dir(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
) -> Result<Option<PathBuf>> {
    let directory = reader.text_or_default(SWIFT_UPLOAD_BUFFER_DIR.of(section))?;
    if !reader.boolean(SWIFT_BUFFER_ON_UPLOAD.of(section))? {
        return Ok(None);
    }
    if directory.value.is_empty() {
        return Err(directory.refuse("swift_buffer_on_upload needs a directory"));
    }
    Ok(Some(layout.base.join(directory.value)))
}

/// Reads the account in the store's own section.
fn read_account(reader: &Reader<'_>, section: &str) -> Result<SwiftAccount> {
    let address = reader.text_or_default(SWIFT_AUTH_ADDRESS.of(section))?;
    if address.value.is_empty() {
        let error = address.refuse("a swift store needs the address of a login");
        return Err(error.hint("Set it and the credentials, or set swift_store_config_file."));
    }
    let text = |spec| Ok::<_, Error>(reader.text_if_any(spec)?.map(|text| text.value));
    let id = text(SWIFT_CREDENTIAL_ID.of(section))?;
    let secret = text(SWIFT_CREDENTIAL_SECRET.of(section))?;
    // An application credential is bound to its project.
    text(SWIFT_PROJECT_NAME.of(section))?;
    text(SWIFT_PROJECT_ID.of(section))?;
    let user = reader.text_or_default(SWIFT_USER.of(section))?;
    let key = reader.text_or_default(SWIFT_KEY.of(section))?;
    let login = match (id, secret) {
        (Some(id), Some(secret)) => SwiftLogin::ApplicationCredential {
            id,
            secret: Secret::new(secret),
        },
        _ if user.value.is_empty() => return Err(user.refuse("a swift store needs a user")),
        _ if key.value.is_empty() => return Err(key.refuse("a swift store needs a key")),
        _ => SwiftLogin::Key {
            user: user.value,
            key: Secret::new(key.value),
        },
    };
    let domain = || Reference::Id(DEFAULT_DOMAIN.to_owned());
    let version = read_version(reader, section)?;
    let account = SwiftAccount::of(&address.value, version, login, domain(), domain());
    account.map_err(|why| address.refuse(why))
}

fn read_version(reader: &Reader<'_>, section: &str) -> Result<SwiftAuth> {
    let version = reader.text_or_default(SWIFT_AUTH_VERSION.of(section))?;
    Ok(if version.value == "1" {
        SwiftAuth::V1
    } else {
        SwiftAuth::V3
    })
}

/// Reads the accounts of `swift_store_config_file`.
fn read_references(
    reader: &Reader<'_>,
    layout: &Layout<'_>,
    section: &str,
    file: &Located<'_, String>,
) -> Result<Vec<SwiftReference>> {
    let default_version = read_version(reader, section)?;
    let ini = Ini::read(&layout.base.join(&file.value))?;
    let mut names: Vec<&str> = ini.all().map(|(section, _)| section).collect();
    names.sort_unstable();
    names.dedup();
    let references = names.into_iter().map(|name| SwiftReference {
        name: name.to_lowercase(),
        account: read_reference(&ini, name, default_version).into(),
    });
    Ok(references.collect())
}

fn read_reference(ini: &Ini, section: &str, default_version: SwiftAuth) -> Result<SwiftAccount> {
    let get = |key: &str| {
        let entry = ini.entries(section, key).next_back();
        let value = entry.map(|entry| entry.value.clone());
        value.filter(|value| !value.is_empty())
    };
    let refuse = |why: &str| {
        let path = ini.path.display();
        Error::failed(format!("{path}: [{section}]: {why}"))
    };
    let need = |key: &str| get(key).ok_or_else(|| refuse(&format!("{key} is missing")));
    let login = match (
        get("application_credential_id"),
        get("application_credential_secret"),
    ) {
        (Some(id), Some(secret)) => SwiftLogin::ApplicationCredential {
            id,
            secret: Secret::new(secret),
        },
        _ => SwiftLogin::Key {
            user: need("user")?,
            key: Secret::new(need("key")?),
        },
    };
    let domain = |of: &str| match (
        get(&format!("{of}_domain_id")),
        get(&format!("{of}_domain_name")),
    ) {
        (Some(id), _) => Reference::Id(id),
        (None, Some(name)) => Reference::Name(name),
        (None, None) => Reference::Id(DEFAULT_DOMAIN.to_owned()),
    };
    let version = match get("auth_version").as_deref() {
        Some("1") => SwiftAuth::V1,
        Some(_) => SwiftAuth::V3,
        None => default_version,
    };
    let address = need("auth_address")?;
    SwiftAccount::of(&address, version, login, domain("user"), domain("project"))
        .map_err(|why| refuse(&why))
}

/// Returns the default account of `swift_store_config_file`.
fn referenced(references: &[SwiftReference], name: &Located<'_, String>) -> Setting<SwiftAccount> {
    let wanted = normalize_section(&name.value).to_lowercase();
    let found = references.iter().find(|known| known.name == wanted);
    found.map_or_else(
        || {
            let why = format!("{} is not in swift_store_config_file", quoted(&name.value));
            Err(name.refuse(why)).into()
        },
        |reference| reference.account.clone(),
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str, base: &Path) -> Result<SwiftStore> {
        let files = [Ini::parse(Path::new("x.conf"), text)?];
        let reader = Reader {
            files: &files,
            environment: None,
            defaults: Vec::new(),
        };
        let layout = Layout {
            base,
            data_dir: None,
        };
        read_swift_store(&reader, &layout, "s")
    }

    fn account(text: &str) -> Result<SwiftAccount> {
        let text = format!("[s]\nswift_store_auth_address = http://h:5000/v3/\n{text}");
        let store = read(&text, Path::new("/"))?;
        store.account.get().cloned()
    }

    #[test]
    fn sizes_are_in_units_of_1_024_000_bytes() {
        let store = read("[s]\n", Path::new("/")).unwrap();
        assert_eq!(store.large_object_size, 5_242_880_000);
        assert_eq!(store.chunk_size, 204_800_000);
    }

    #[test]
    fn an_account_has_a_key_or_an_application_credential() {
        let own =
            account("swift_store_user = service:glance\nswift_store_key = hunter2\n").unwrap();
        assert_eq!(own.auth_address, "http://h:5000/v3");
        let keystone = own.keystone();
        assert_eq!(keystone.auth_url.as_str(), "http://h:5000/v3/");
        assert_eq!(
            keystone.user.unwrap().to_string(),
            "glance of domain default"
        );
        let scope = keystone.scope.unwrap().to_string();
        assert_eq!(scope, "project service of domain default");
        assert_eq!(keystone.password.unwrap().reveal(), "hunter2");
        let credential = "swift_store_application_credential_id = i\n\
                          swift_store_application_credential_secret = hunter2\n";
        let keystone = account(credential).unwrap().keystone();
        assert_eq!(keystone.methods, [Method::ApplicationCredential]);
        assert!(keystone.scope.is_none() && keystone.user.is_none());
    }

    #[test]
    fn accounts_that_cannot_log_in_are_refused_without_their_keys() {
        for (text, why) in [
            (
                "swift_store_key = hunter2\n",
                "swift_store_user: a swift store needs a user",
            ),
            (
                "swift_store_user = a:b\n",
                "swift_store_key: a swift store needs a key",
            ),
            (
                "swift_store_user = glance\nswift_store_key = hunter2\n",
                "'glance' is not PROJECT:USER",
            ),
            (
                "swift_store_auth_version = 2\nswift_store_user = a:b\nswift_store_key = hunter2\n",
                "'2' is not one of 1, 3",
            ),
        ] {
            let error = account(text).unwrap_err();
            assert!(error.message().contains(why), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let error = read("[s]\n", Path::new("/")).unwrap();
        let error = error.account.get().unwrap_err();
        assert!(
            error.message().contains("swift_store_auth_address"),
            "{error}"
        );
        let text = "[s]\nswift_store_multi_tenant = true\nswift_store_config_file = f\n";
        let error = read(text, Path::new("/")).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("x.conf:3: [s] swift_store_config_file"),
            "{error}"
        );
    }

    #[test]
    fn accounts_of_a_file_are_refused_where_they_are_used() {
        let directory = tempfile::tempdir().unwrap();
        let text = "[Ref1]\nauth_address = h/v3\nuser = a:b\nkey = 'hunter2'\nuser_domain_name = d\n\
                    [broken]\nauth_address = h\nuser = a:b\n";
        std::fs::write(directory.path().join("f"), text).unwrap();
        let options = "[s]\nswift_store_config_file = f\ndefault_swift_reference = Ref1\n";
        let store = read(options, directory.path()).unwrap();
        let account = store.account.get().unwrap();
        assert_eq!(account.auth_address, "https://h/v3");
        assert_eq!(account.user_domain, Reference::Name("d".to_owned()));
        assert_eq!(store.reference.as_deref(), Some("Ref1"));
        let broken = store.references.iter().find(|known| known.name == "broken");
        let error = broken.unwrap().account.get().unwrap_err();
        assert!(
            error.message().ends_with("f: [broken]: key is missing"),
            "{error}"
        );
        let other = options.replace("Ref1", "other");
        let error = read(&other, directory.path()).unwrap();
        let error = error.account.get().unwrap_err();
        assert!(error.message().starts_with("x.conf:3: "), "{error}");
    }
}
