//! The `http` store: read-only data on web servers. [`Store::filtered`] is a store of its own, whose client has the rules
//! for addresses.
//!
//! *Source:* `glance_store/_drivers/http.py` of the reference implementation, for the options, the redirects that
//! are followed, and the size of data.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use http::{Method, StatusCode};
use url::Url;

use super::{Store, Writer};
use crate::config::settings::import::Addresses;
use crate::config::{self, Tls, Trust};
use crate::data::Source;
use crate::http::{
    Client, Failure, Guard, Options, Proxies, Reason, Request, SetupError, StreamingResponse,
    redirect, retry,
};
use crate::local::import::address::Filter;
use crate::model::address::{place, redacted};
use crate::model::{ByteRange, StoreInfo};
use crate::{Error, ErrorKind, Parameter, Result};

/// The time limit for a response, and for each further piece of its body.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The maximum number of redirects.
const MAX_REDIRECTS: usize = 4;

/// A store of data on web servers.
pub struct HttpStore {
    info: StoreInfo,
    client: Client,
    filtered: Option<Box<Self>>,
}

impl HttpStore {
    /// Creates a store with the given options.
    pub fn new(info: StoreInfo, options: config::HttpStore) -> Self {
        Self {
            info,
            client: client(options, None),
            filtered: None,
        }
    }

    /// Creates a store with the given options, and with rules for the addresses that requests name.
    pub fn with_rules(info: StoreInfo, options: config::HttpStore, rules: &Addresses) -> Self {
        let proxies = Proxies::Configured(options.proxies.clone()).hosts();
        let filter = Filter::with_proxies(rules.clone(), proxies);
        let filtered = Self {
            info: info.clone(),
            client: client(options.clone(), Some(Arc::new(filter))),
            filtered: None,
        };
        Self {
            filtered: Some(Box::new(filtered)),
            ..Self::new(info, options)
        }
    }

    /// Sends a request for a range of the data at `address`, follows redirects, and returns the successful
    /// response.
    async fn request(
        &self,
        method: Method,
        address: &str,
        range: ByteRange,
    ) -> Result<StreamingResponse> {
        let mut request = Request::new(method, parse(address)?);
        if !range.is_all() {
            request.ask_for(range);
        }
        let response = self.client.open(&request).await.map_err(failed)?;
        let url = response.url();
        match response.status().as_u16() {
            200..=299 => Ok(response),
            301 | 302 => Err(refused(
                url,
                "redirects to an address that is not a web server's",
            )),
            404 => {
                let message = format!("{} was not found", place(url));
                Err(Error::not_found(message))
            }
            416 => {
                let message = format!("the requested range is beyond the end of {}", place(url));
                Err(Error::new(ErrorKind::RangeNotSatisfiable, message))
            }
            status => Err(refused(url, &format!("responded {status}"))),
        }
    }
}

/// Returns a client with the given options and rules for addresses. It does not repeat requests; the user of the data
/// does.
fn client(options: config::HttpStore, guard: Option<Arc<dyn Guard>>) -> Client {
    Client::new(Options {
        tls: Tls {
            insecure: options.insecure && options.authorities.is_none(),
            trust: options.authorities.map_or_else(Trust::default, Trust::Only),
            ..Tls::default()
        },
        proxies: Proxies::Configured(options.proxies),
        timeout: TIMEOUT,
        redirects: redirect::Policy {
            limit: MAX_REDIRECTS,
            statuses: &[301, 302],
            guard,
        },
        retries: retry::Policy::NEVER,
        // The server may close an idle connection at the moment of its reuse. Few requests are sent, so reuse gains
        // little.
        keep_alive: false,
        ..Options::default()
    })
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn parse(address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(is_web);
    url.ok_or_else(|| {
        Error::invalid(format!(
            "{} is not the address of a web server",
            redacted(address)
        ))
    })
}

fn refused(url: &Url, how: &str) -> Error {
    Error::invalid(format!("{} {how}", place(url)))
}

/// Returns the error of the store for a failed request.
fn failed(failure: Failure) -> Error {
    let url = failure.url().clone();
    let (reason, source) = failure.into_parts();
    let error = match reason {
        Reason::Setup(error) => return not_set_up(error),
        Reason::TooManyRedirects(_) => return refused(&url, "redirects too often"),
        Reason::RedirectBlocked(error) => {
            let refusal = refused(&url, "redirects to an address that is refused");
            return refusal.hints_of(&error).because(error);
        }
        Reason::HostBlocked(why) => {
            let host = url.host_str().unwrap_or_default();
            return Error::invalid(format!("host {host} is refused: {why}"));
        }
        Reason::TooSlow(limit) => {
            let seconds = limit.as_secs();
            let message = format!("{} sent almost no data for {seconds} s", place(&url));
            Error::new(ErrorKind::Unreachable, message)
        }
        reason => {
            let message = format!("{} cannot be read: {reason}", place(&url));
            Error::new(ErrorKind::Unreachable, message)
        }
    };
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

/// Returns the error of the store for a client that cannot be created.
fn not_set_up(error: SetupError) -> Error {
    match error {
        SetupError::File(error) => error,
        SetupError::NoCertificate(_) => Error::failed(error.to_string())
            .hint("See https_ca_certificates_file in the configuration of the http store."),
        SetupError::InvalidProxy => {
            Error::failed("a proxy in http_proxy_information has an invalid address")
                .hint("Write it as http:HOST:PORT.")
        }
        error => {
            let message = format!("the http store cannot set up TLS: {error}");
            match error.into_source() {
                Some(source) => Error::failed(message).because(source),
                None => Error::failed(message),
            }
        }
    }
}

#[async_trait]
impl Store for HttpStore {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn filtered(&self) -> Option<&dyn Store> {
        self.filtered.as_deref().map(|store| store as &dyn Store)
    }

    fn reads(&self, url: &str) -> bool {
        url.starts_with("http://") || url.starts_with("https://")
    }

    fn owns(&self, url: &str) -> bool {
        self.reads(url)
    }

    async fn addresses(&self, _: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn create(&self, _: &str, _: Option<u64>) -> Result<Box<dyn Writer>> {
        let message = "Error in store configuration. Adding images to store is disabled.";
        Err(Error::new(ErrorKind::Gone, message)
            .hint("Stores on web servers are read-only.")
            .hint(Parameter::Store))
    }

    /// Returns the size that the server reports, or 0.
    async fn size(&self, url: &str) -> Result<u64> {
        let response = self.request(Method::HEAD, url, ByteRange::ALL).await?;
        Ok(response.content_length().unwrap_or(0))
    }

    /// Returns the range as a stream. If the server ignores the range, the response is cut here.
    async fn open(&self, url: &str, range: ByteRange) -> Result<Source> {
        let response = self.request(Method::GET, url, range).await?;
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        if is_part && response.first_byte() != Some(range.start) {
            let how = "sent another range than requested";
            return Err(refused(response.url(), how));
        }
        let body = response.into_stream().map_err(failed);
        let source = Source::stream(body);
        if is_part {
            Ok(source)
        } else {
            source.limited_to(range)
        }
    }

    async fn check_delete(&self, _: &str) -> Result<()> {
        Ok(())
    }

    /// Removes nothing: data is never stored on a web server.
    async fn clear(&self, _: &str, _: &[String]) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_web_servers_are_read() {
        for (address, ok) in [
            ("http://h/x", true),
            ("https://u:p@h:8443/x?y", true),
            ("file:///etc/passwd", false),
            ("http://", false),
            ("not a url", false),
            ("httpx://h/x", false),
        ] {
            assert_eq!(parse(address).is_ok(), ok, "{address}");
        }
        let error = parse("swift://user:hunter2@h/c").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn a_proxy_that_is_not_an_address_is_refused_without_its_password() {
        let options = config::HttpStore {
            proxies: vec![("http".to_string(), config::Secret::new("//:hunter2@[x"))],
            ..config::HttpStore::default()
        };
        let request = Request::new(Method::GET, parse("http://127.0.0.1:1/").unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let outcome = runtime
            .unwrap()
            .block_on(client(options, None).open(&request));
        let error = failed(outcome.err().unwrap());
        assert!(
            error.message().contains("http_proxy_information"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
}
