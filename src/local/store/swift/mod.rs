//! The `swift` store: objects in OpenStack Swift, or in the Swift interface of Ceph's gateway.
//!
//! An image is an object with its ID as the name. From `swift_store_large_object_size` on, or if its size is unknown, it is
//! a manifest of segments `ID-00001`, … in the same container: a list of them (SLO) where Swift offers that, otherwise
//! their prefix (DLO), as upstream writes it. Upstream reads and deletes both.
//!
//! *Source:* `glance_store/_drivers/swift/`; Swift's documentation, "Large Object Support" and "The Auth System".

mod account;
mod address;
mod buffer;
mod failure;
mod objects;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http::header::{HeaderMap, HeaderName, HeaderValue, IF_MATCH, RANGE};
use http::{Method, StatusCode};
use url::Url;

use account::{Account, Call, Storage};
use address::{Holder, SwiftAddress, in_storage, with_credentials, with_reference};
use failure::failed;
use objects::{Head, etag_of, segment_number};
use writer::{SwiftWriter, delete_objects, delete_segments};

use super::{CLOCK_SLACK, IN_TRANSIT, Removal, Store, Writer};
use crate::config::{self, Reference, SwiftAccount, SwiftAuth, Tls, Trust};
use crate::data::Source;
use crate::http::retry::Delay;
use crate::http::{CONNECT_TIMEOUT, Client, Options, Proxies, StreamingResponse, redirect};
use crate::model::{ByteRange, StoreInfo, Timestamp};
use crate::{Error, ErrorKind, Result};

/// The time limit for what a description needs of the service.
const DESCRIPTION: Duration = Duration::from_secs(5);

/// The number of images that are deleted at a time.
const DELETIONS: usize = 8;

/// A store in Swift.
pub struct SwiftStore {
    info: StoreInfo,
    /// The name of the store, for messages.
    name: Arc<str>,
    options: Arc<config::SwiftStore>,
    client: Client,
    /// The accounts that have been used, by the address of the login, the user and the key.
    accounts: Mutex<HashMap<String, Arc<Account>>>,
}

impl SwiftStore {
    /// Creates a store with the given options.
    pub fn new(info: StoreInfo, options: config::SwiftStore) -> Self {
        let client = Client::new(Options {
            tls: Tls {
                insecure: options.is_insecure,
                trust: options
                    .authorities
                    .clone()
                    .map_or_else(Trust::default, Trust::Only),
                ..Tls::default()
            },
            proxies: Proxies::Environment,
            connect_timeout: CONNECT_TIMEOUT.min(options.timeout),
            timeout: options.timeout,
            redirects: redirect::Policy {
                limit: 0,
                ..redirect::Policy::default()
            },
            ..Options::default()
        });
        Self {
            name: info.id.as_str().into(),
            info,
            options: Arc::new(options),
            client,
            accounts: Mutex::default(),
        }
    }

    /// Returns the container for the data of an image.
    ///
    /// *Source:* `get_container_name` in `glance_store/_drivers/swift/store.py`: dashes among the first digits are part
    /// of the name.
    fn container_of(&self, id: &str) -> String {
        let (name, seed) = (&self.options.container, self.options.containers_seed);
        if self.options.is_multi_tenant {
            return format!("{name}_{id}");
        }
        if seed == 0 {
            return name.clone();
        }
        let id = id.to_lowercase();
        let dashes = id.chars().take(seed).filter(|c| *c == '-').count();
        let digits: String = id.chars().take(seed + dashes).collect();
        format!("{name}_{digits}")
    }

    /// Returns whether data in a container may have been stored by this store, perhaps with another number of
    /// containers.
    fn is_own_container(&self, container: &str, object: &str) -> bool {
        let Some(rest) = container.strip_prefix(&self.options.container) else {
            return false;
        };
        match rest.strip_prefix('_') {
            Some(suffix) if self.options.is_multi_tenant => suffix == object,
            Some(suffix) => !suffix.is_empty() && object.to_lowercase().starts_with(suffix),
            None => rest.is_empty() && !self.options.is_multi_tenant,
        }
    }

    /// Returns the address of an image's data. For a multi-tenant store the storage is that of the configured account.
    async fn address_of(&self, id: &str) -> Result<String> {
        let container = self.container_of(id);
        if !self.options.is_multi_tenant {
            return self.single_tenant_address(&container, id);
        }
        let session = self.own_storage()?.account.session().await?;
        Ok(in_storage(session.storage.as_str(), &container, id))
    }

    fn single_tenant_address(&self, container: &str, id: &str) -> Result<String> {
        Ok(match &self.options.reference {
            Some(reference) => with_reference(reference, container, id),
            None => with_credentials(self.options.account.get()?, container, id),
        })
    }

    /// Returns the account of a login, the same one for the same credentials.
    fn account(&self, login: &SwiftAccount) -> Arc<Account> {
        let key = match &login.login {
            config::SwiftLogin::Key { user, key } => {
                format!("{} {user} {}", login.auth_address, key.reveal())
            }
            config::SwiftLogin::ApplicationCredential { id, secret } => {
                format!("{} {id} {}", login.auth_address, secret.reveal())
            }
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(key).or_insert_with(|| {
            Arc::new(Account::new(
                &self.name,
                &self.client,
                login.clone(),
                self.options.service.clone(),
                self.options.expire_soon,
            ))
        });
        Arc::clone(account)
    }

    /// Returns the storage of the configured account.
    fn own_storage(&self) -> Result<Storage> {
        let login = self.options.account.get();
        let login = login.map_err(|error| error.context(format_args!("store '{}'", self.name)))?;
        Ok(Storage {
            account: self.account(login),
            url: None,
        })
    }

    /// Returns the storage that an address names.
    fn storage(&self, address: &SwiftAddress) -> Result<Storage> {
        match &address.holder {
            Holder::Reference(name) => {
                let wanted = name.to_lowercase();
                let mut known = self.options.references.iter();
                let reference = known.find(|known| known.name == wanted).ok_or_else(|| {
                    Error::invalid(format!(
                        "store '{}': the account {name} of an image is not in swift_store_config_file",
                        self.name
                    ))
                })?;
                Ok(Storage {
                    account: self.account(reference.account.get()?),
                    url: None,
                })
            }
            Holder::Credentials {
                auth_address,
                user,
                key,
            } => {
                let own = self.options.account.get().ok();
                let default = || Reference::Id("default".to_owned());
                let domains = own.map_or_else(
                    || (default(), default()),
                    |own| (own.user_domain.clone(), own.project_domain.clone()),
                );
                let version = version_of(auth_address)
                    .or(own.map(|own| own.version))
                    .unwrap_or(SwiftAuth::V3);
                let login = SwiftAccount::new(auth_address, version, user, key.clone(), domains)
                    .map_err(|error| error.context(format_args!("store '{}'", self.name)))?;
                Ok(Storage {
                    account: self.account(&login),
                    url: None,
                })
            }
            Holder::Bare(web) => {
                let own = self.own_storage()?;
                let is_login = self
                    .options
                    .account
                    .get()
                    .is_ok_and(|account| account.auth_address == *web);
                if is_login {
                    return Ok(own);
                }
                let url = Url::parse(web).ok().filter(Url::has_host).ok_or_else(|| {
                    Error::invalid(format!("'{web}' is not the address of a web server"))
                })?;
                Ok(Storage {
                    url: Some(url),
                    ..own
                })
            }
        }
    }

    /// Returns the parts of an address.
    fn place(&self, url: &str) -> Result<Place> {
        let address = SwiftAddress::parse(url)?;
        Ok(Place {
            storage: self.storage(&address)?,
            container: address.container,
            object: address.object,
            is_multi_tenant: self.options.is_multi_tenant,
        })
    }

    /// Requests a range of an object.
    async fn get(place: &Place, range: ByteRange, etag: Option<&str>) -> Result<StreamingResponse> {
        let (container, object) = (place.container.as_str(), place.object.as_str());
        let mut headers = HeaderMap::new();
        if !range.is_all() {
            // The header consists of digits.
            headers.extend(HeaderValue::try_from(range.header()).map(|value| (RANGE, value)));
        }
        if let Some(etag) = etag {
            headers.extend(HeaderValue::try_from(etag).map(|value| (IF_MATCH, value)));
        }
        let call = Call {
            headers,
            ..Call::object(Method::GET, container, object)
        };
        let response = place.storage.open(&call).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Err(place.storage.missing(container, object)),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let what = "the requested range is beyond the end of";
                let message = format!("store '{}': {what} {object}", place.storage.account.store);
                Err(Error::new(ErrorKind::RangeNotSatisfiable, message))
            }
            status if status.is_success() => {
                let is_other = response.status() == StatusCode::PARTIAL_CONTENT
                    && response.first_byte() != Some(range.start);
                if is_other || (!range.is_all() && response.status() == StatusCode::OK) {
                    return Err(place.storage.error(format_args!(
                        "another range than requested of {container}/{object} was sent"
                    )));
                }
                Ok(response)
            }
            status => Err(place.storage.refused(container, status).await),
        }
    }
}

/// The place of data.
#[derive(Clone)]
struct Place {
    storage: Storage,
    container: String,
    object: String,
    is_multi_tenant: bool,
}

impl Place {
    async fn head(&self) -> Result<Option<Head>> {
        self.storage.head(&self.container, &self.object).await
    }

    /// Returns the attributes of data that is to be deleted. None if it certainly does not exist: its container does.
    ///
    /// # Errors
    /// `Failed` for a missing container, whose data would reappear with it.
    async fn find(&self) -> Result<Option<Head>> {
        let found = self.head().await?;
        // The container of an image of a multi-tenant store is deleted with it.
        if found.is_none()
            && !self.is_multi_tenant
            && self.storage.room(&self.container).await?.is_none()
        {
            let error = self.storage.missing_container(&self.container).await;
            return Err(error.hint("Nothing was deleted."));
        }
        Ok(found)
    }

    /// Deletes the data with its segments, or only checks it if `dry_run`. Returns its size.
    async fn delete(&self, unless_later: Option<Timestamp>, dry_run: bool) -> Result<Option<u64>> {
        let Some(head) = self.find().await? else {
            return Ok(None);
        };
        let (storage, container, object) = (&self.storage, &self.container, &self.object);
        if let Some(moment) = unless_later {
            let is_later = |written: Timestamp| written.before(CLOCK_SLACK) > moment;
            if head.written.is_none_or(is_later) {
                return Err(storage.error(format_args!(
                    "{container}/{object} was written after the location was deleted"
                )));
            }
        }
        if dry_run {
            return Ok(Some(head.size));
        }
        if head.is_static_manifest {
            storage.delete_static(container, object).await?;
        } else {
            if let Some(manifest) = &head.manifest {
                self.delete_dynamic_segments(manifest).await?;
            }
            storage.delete(container, object).await?;
        }
        if self.is_multi_tenant {
            storage.delete_container(container).await?;
        }
        Ok(Some(head.size))
    }

    /// Deletes the segments of a manifest with a prefix.
    async fn delete_dynamic_segments(&self, manifest: &str) -> Result<()> {
        let Some((container, prefix)) = manifest.split_once('/').filter(|(_, p)| !p.is_empty())
        else {
            return Err(self.storage.error(format_args!(
                "the manifest of {}/{} names a whole container; nothing was deleted",
                self.container, self.object
            )));
        };
        if container == self.container && prefix == format!("{}-", self.object) {
            return clear_segments(&self.storage, container, &self.object).await;
        }
        let names = self.storage.list(container, prefix).await?;
        delete_objects(&self.storage, container, names).await
    }
}

/// Deletes the segments of an image, and no other objects.
///
/// A listing may lag behind: the segment after the last one, which may be in transit, is deleted as well.
async fn clear_segments(storage: &Storage, container: &str, object: &str) -> Result<()> {
    let listed = storage.list(container, &format!("{object}-")).await?;
    let numbers: Vec<usize> = listed
        .iter()
        .filter_map(|name| segment_number(object, name))
        .collect();
    let mut next = numbers.iter().max().copied().unwrap_or(0) + 1;
    delete_segments(storage, container, object, numbers).await?;
    while storage
        .delete(container, &objects::segment_name(object, next))
        .await?
    {
        next += 1;
    }
    Ok(())
}

/// Returns the version of a login by its address.
fn version_of(auth_address: &str) -> Option<SwiftAuth> {
    let last = auth_address.trim_end_matches('/').rsplit('/').next()?;
    match last.as_bytes() {
        [b'v' | b'V', b'1', ..] => Some(SwiftAuth::V1),
        [b'v' | b'V', b'3', ..] => Some(SwiftAuth::V3),
        _ => None,
    }
}

/// Returns the data of a response; continues with further requests if the connection breaks.
fn continued(
    mut response: StreamingResponse,
    place: Place,
    range: ByteRange,
    mut left: usize,
) -> impl Stream<Item = Result<bytes::Bytes>> + Send + 'static {
    let etag = etag_of(response.headers());
    let client = place.storage.account.client.clone();
    try_stream! {
        let mut at = range.start;
        loop {
            let failure = match response.chunk().await {
                Ok(Some(bytes)) => {
                    at += bytes.len() as u64;
                    yield bytes;
                    continue;
                }
                Ok(None) => break,
                Err(failure) => failed(&place.storage.account.store, failure),
            };
            let mut error = failure;
            let mut retries = client.retries();
            response = loop {
                if left == 0 {
                    Err(error)?;
                    return;
                }
                left -= 1;
                if !retries.wait(Delay::Backoff).await {
                    retries.reset();
                }
                let rest = ByteRange { start: at, ..range };
                match SwiftStore::get(&place, rest, etag.as_deref()).await {
                    Ok(response) => break response,
                    Err(again) => error = again,
                }
            };
        }
    }
}

#[async_trait]
impl Store for SwiftStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn reads(&self, url: &str) -> bool {
        let scheme = url.split("://").next().unwrap_or_default();
        config::schemes("swift").contains(&scheme)
    }

    /// Returns whether the address is in a container of this store, in its account. The key may have been changed
    /// since.
    fn owns(&self, url: &str) -> bool {
        let Ok(address) = SwiftAddress::parse(url) else {
            return false;
        };
        if !self.is_own_container(&address.container, &address.object) {
            return false;
        }
        let own = self.options.account.get().ok();
        match &address.holder {
            Holder::Reference(name) => {
                let reference = self.options.reference.as_ref();
                reference.is_some_and(|own| own.eq_ignore_ascii_case(name))
            }
            Holder::Credentials {
                auth_address, user, ..
            } => own.is_some_and(|own| {
                let config::SwiftLogin::Key { user: known, .. } = &own.login else {
                    return false;
                };
                own.auth_address == *auth_address && known == user
            }),
            Holder::Bare(web) if self.options.is_multi_tenant => {
                let endpoint = self.options.service.endpoint.as_ref();
                let url = Url::parse(web).ok();
                // Without an endpoint, the service's own is unknown until the login.
                endpoint.is_none_or(|endpoint| {
                    url.is_some_and(|url| url.origin() == endpoint.0.origin())
                })
            }
            Holder::Bare(web) => own.is_some_and(|own| own.auth_address == *web),
        }
    }

    /// Returns the description with the space that quotas leave, as far as the service responds within a short time.
    async fn describe(&self) -> StoreInfo {
        let mut info = self.info.clone();
        let has_one_container = !self.options.is_multi_tenant && self.options.containers_seed == 0;
        let container = has_one_container.then_some(self.options.container.as_str());
        let space = async { self.own_storage()?.space(container).await };
        if let Some(detail) = &mut info.detail
            && let Ok(Ok(space)) = tokio::time::timeout(DESCRIPTION, space).await
        {
            detail.space = space;
        }
        info
    }

    async fn addresses(&self, id: &str) -> Result<Vec<String>> {
        Ok(vec![self.address_of(id).await?])
    }

    /// Returns whether the address names an account of the configuration, because no caller can add such an address.
    ///
    /// *Source:* `validate_external_location` in `glance/common/store_utils.py`.
    fn is_exclusive(&self, url: &str, id: &str) -> bool {
        let own = || self.single_tenant_address(&self.container_of(id), id);
        self.options.reference.is_some() && own().is_ok_and(|own| own == url)
    }

    async fn create(&self, id: &str, size: Option<u64>) -> Result<Box<dyn Writer>> {
        let storage = self.own_storage()?;
        let address = self.address_of(id).await?;
        let container = self.container_of(id);
        let room = storage.room(&container).await?;
        if room.is_none() && !self.options.creates_containers {
            let error = storage.missing_container(&container).await;
            return Err(error.hint(
                "Create it, or set swift_store_create_container_on_put to have it created.",
            ));
        }
        if room.is_some() && storage.head(&container, id).await?.is_some() {
            return Err(storage.taken(&container, id));
        }
        let bytes = room.and_then(|room| room.bytes);
        if bytes.is_some_and(|bytes| size.is_some_and(|size| size > bytes)) {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return Err(storage.refused(&container, status).await);
        }
        Ok(Box::new(SwiftWriter {
            new_container: room.is_none().then(|| self.container_headers()),
            storage,
            options: Arc::clone(&self.options),
            container,
            object: id.to_owned(),
            address,
            size,
            room: room.unwrap_or_default(),
            received: 0,
            held: None,
            part: None,
            begun: 0,
            segments: Vec::new(),
            committing: None,
        }))
    }

    async fn size(&self, url: &str) -> Result<u64> {
        let place = self.place(url)?;
        let head = place.head().await?;
        let missing = || place.storage.missing(&place.container, &place.object);
        head.map(|head| head.size).ok_or_else(missing)
    }

    /// Returns the data as a stream. An interrupted one is continued as often as `swift_store_retry_get_count` allows.
    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        let place = self.place(url)?;
        let response = Self::get(&place, range, None).await?;
        let size = response.content_length();
        let data = continued(response, place, range, self.options.retry_get_count);
        Ok(Source::Stream {
            stream: data.boxed(),
            size,
        })
    }

    async fn check_delete(&self, url: &str) -> Result<()> {
        self.place(url)?.find().await.map(drop)
    }

    async fn delete(&self, removals: Vec<Removal>, dry_run: bool) -> Vec<Result<Option<u64>>> {
        let deletions = removals.into_iter().map(|removal| async move {
            let place = self.place(&removal.url)?;
            place.delete(removal.unless_later, dry_run).await
        });
        let deletions: Vec<_> = deletions.collect();
        stream::iter(deletions).buffered(DELETIONS).collect().await
    }

    async fn clear(&self, id: &str, recorded: &[String]) -> Result<()> {
        let container = self.container_of(id);
        let is_recorded = recorded.iter().any(|url| {
            let address = SwiftAddress::parse(url);
            address.is_ok_and(|at| at.container == container && at.object == id)
        });
        if is_recorded {
            return Ok(());
        }
        let storage = self.own_storage()?;
        // Without its segments, a list that is still in transit is refused.
        clear_segments(&storage, &container, id).await?;
        storage.delete(&container, id).await?;
        // One whose segments Swift had already checked may be stored after this deletion.
        tokio::time::sleep(IN_TRANSIT).await;
        storage.delete(&container, id).await?;
        if self.options.is_multi_tenant {
            storage.delete_container(&container).await?;
        }
        Ok(())
    }
}

impl SwiftStore {
    /// Returns the headers of a new container.
    fn container_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let projects = &self.options.admin_projects;
        if self.options.is_multi_tenant && !projects.is_empty() {
            let all: Vec<String> = projects.iter().map(|id| format!("{id}:*")).collect();
            let name = HeaderName::from_static("x-container-write");
            headers.extend(HeaderValue::try_from(all.join(",")).map(|value| (name, value)));
        }
        headers
    }
}
