//! The `http` store: data on web servers, which is only read.
//!
//! *Source:* `glance_store/_drivers/http.py` of the reference implementation, for the options, the redirects
//! that are followed, and how large data is.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use reqwest::header::{CONTENT_LENGTH, LOCATION};
use reqwest::{Certificate, Client, Method, Proxy, Response};
use url::Url;

use super::{Delete, Put, Residue, Store};
use crate::config;
use crate::data::Source;
use crate::data::pace::Pace;
use crate::data::source::ByteStream;
use crate::model::StoreInfo;
use crate::model::address::{discreet, place};
use crate::{Error, ErrorKind, Result};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait for an answer, or for the next bytes of one.
const PATIENCE: Duration = Duration::from_mins(1);

/// Requests for one address at most, redirects followed.
const REQUESTS: usize = 5;

/// Web servers.
pub struct HttpStore {
    info: StoreInfo,
    options: config::HttpStore,
    /// Made when the first address is read: few commands read any.
    client: OnceLock<Client>,
}

impl HttpStore {
    /// Web servers that are read as `options` say.
    pub fn new(info: StoreInfo, options: config::HttpStore) -> Self {
        Self {
            info,
            options,
            client: OnceLock::new(),
        }
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = client(&self.options)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// The answer to a request for `address`, or for where that redirects to; a success.
    async fn ask(&self, method: Method, address: &str) -> Result<Response> {
        let mut url = parse(address)?;
        for _ in 0..REQUESTS {
            let request = self.client()?.request(method.clone(), url.clone());
            let answer = tokio::time::timeout(PATIENCE, request.send()).await;
            let response = answer
                .map_err(|_| stalled(&url))?
                .map_err(|e| unreachable(&url, e))?;
            match response.status().as_u16() {
                200..=299 => return Ok(response),
                301 | 302 => {
                    let next = response.headers().get(LOCATION);
                    let next = next.and_then(|next| next.to_str().ok());
                    let next = next.and_then(|next| url.join(next).ok());
                    url = next
                        .filter(is_web)
                        .ok_or_else(|| refused(&url, "redirects to no web server"))?;
                }
                404 => {
                    return Err(Error::not_found(format!(
                        "there is nothing at {}",
                        place(&url)
                    )));
                }
                status => return Err(refused(&url, &format!("answers {status}"))),
            }
        }
        Err(refused(&url, "redirects too often"))
    }
}

/// The client of servers that `options` let be read.
fn client(options: &config::HttpStore) -> Result<Client> {
    // A second installation is refused, and the first one as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // A connection that is used again may be closed at that very moment; few are worth it here.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("glance-tools/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &options.authorities {
        let pem = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let certificates = Certificate::from_pem_bundle(&pem).ok();
        let certificates = certificates.filter(|certificates| !certificates.is_empty());
        let certificates = certificates.ok_or_else(|| {
            Error::failed(format!("{} holds no certificate in PEM", path.display()))
                .hint("See https_ca_certificates_file in the configuration of the http store.")
        })?;
        builder = builder.tls_certs_only(certificates);
    } else if options.insecure {
        builder = builder
            .tls_certs_only([])
            .tls_danger_accept_invalid_certs(true);
    }
    for (scheme, proxy) in &options.proxies {
        let proxy = match scheme.as_str() {
            "http" => Proxy::http(proxy.reveal()),
            "https" => Proxy::https(proxy.reveal()),
            _ => Proxy::all(proxy.reveal()),
        };
        // What is wrong with it is not told: it may hold a password.
        let proxy = proxy.map_err(|_| {
            Error::failed("http_proxy_information names a proxy that is no address")
                .hint("Write it as http:HOST:PORT.")
        })?;
        builder = builder.proxy(proxy);
    }
    builder
        .build()
        .map_err(|e| Error::failed("the http store cannot set up TLS").because(e.without_url()))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn parse(address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(is_web);
    url.ok_or_else(|| {
        Error::invalid(format!(
            "{} is no address of a web server",
            discreet(address)
        ))
    })
}

fn refused(url: &Url, how: &str) -> Error {
    Error::invalid(format!("{} {how}", place(url)))
}

fn stalled(url: &Url) -> Error {
    let seconds = PATIENCE.as_secs();
    let message = format!("{} sent next to nothing for {seconds} s", place(url));
    Error::new(ErrorKind::Unreachable, message)
}

/// Why no answer came. The error underneath names the address, which is left out.
fn unreachable(url: &Url, error: reqwest::Error) -> Error {
    if error.is_timeout() {
        return stalled(url);
    }
    let error = error.without_url();
    let mut root: &dyn std::error::Error = &error;
    while let Some(source) = root.source() {
        root = source;
    }
    let message = format!("{} cannot be read: {root}", place(url));
    Error::new(ErrorKind::Unreachable, message).because(error)
}

/// The body of an answer, as long as it comes at a pace worth waiting for.
fn body(url: Url, mut response: Response) -> ByteStream {
    let stream = try_stream! {
        let mut pace = Pace::new(PATIENCE);
        loop {
            let began = Instant::now();
            let bytes = response.chunk().await.map_err(|e| unreachable(&url, e))?;
            let Some(bytes) = bytes else { break };
            if !pace.keeps_up(bytes.len() as u64, began.elapsed()) {
                Err(stalled(&url))?;
            }
            yield bytes;
        }
    };
    stream.boxed()
}

#[async_trait]
impl Store for HttpStore {
    fn info(&self) -> StoreInfo {
        self.info.clone()
    }

    fn reads(&self, url: &str) -> bool {
        url.starts_with("http://") || url.starts_with("https://")
    }

    fn owns(&self, url: &str) -> bool {
        self.reads(url)
    }

    async fn begin(&self, _: &str, _: Option<u64>) -> Result<Box<dyn Put>> {
        let message = "Error in store configuration. Adding images to store is disabled.";
        Err(Error::new(ErrorKind::Gone, message)
            .hint("Web servers are only read: name another store with --store."))
    }

    /// What the server says, 0 where it does not.
    async fn size(&self, url: &str) -> Result<u64> {
        let response = self.ask(Method::HEAD, url).await?;
        let length = response.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
        Ok(length.unwrap_or(0))
    }

    async fn open(&self, url: &str) -> Result<Source> {
        let response = self.ask(Method::GET, url).await?;
        Ok(Source::Stream(body(response.url().clone(), response)))
    }

    async fn check_delete(&self, _: &str) -> Result<()> {
        Ok(())
    }

    /// Nothing is deleted on a web server.
    async fn begin_delete(&self, _: &str, _: &[String]) -> Result<Box<dyn Delete>> {
        Ok(Box::new(Kept))
    }

    async fn residue(&self) -> Result<Vec<Residue>> {
        Ok(Vec::new())
    }
}

/// Data that stays where it is.
struct Kept;

#[async_trait]
impl Delete for Kept {
    fn noted(&self) -> Option<&[String]> {
        Some(&[])
    }

    fn is_own(&self, _: &str, _: &str) -> bool {
        false
    }

    async fn finish(self: Box<Self>, _: &[String]) -> Result<()> {
        Ok(())
    }

    async fn abandon(self: Box<Self>) -> Result<()> {
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
    fn a_proxy_that_is_none_is_refused_without_its_password() {
        let options = config::HttpStore {
            proxies: vec![("http".to_string(), config::Secret::new("//:hunter2@[x"))],
            ..config::HttpStore::default()
        };
        let error = client(&options).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
}
