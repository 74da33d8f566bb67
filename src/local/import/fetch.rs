//! Data from a web server: the name is resolved once and that address connected to, each redirect is
//! looked at again, and everything is bounded.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ::http::StatusCode;
use ::http::header::{CONTENT_LENGTH, LOCATION};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::address::{Checked, check, check_redirect, choose};
use crate::config::import::Addresses;
use crate::data::Source;
use crate::{Error, ErrorKind, Result};

/// Redirects that are followed at most.
const REDIRECTS: usize = 10;

/// How long a server may take to be connected to, and how long it may be silent.
const CONNECT: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_mins(1);

/// Data that is being fetched.
pub(super) struct Fetched {
    /// The data.
    pub source: Source,
    /// Bytes, where the server promises a number.
    pub size: Option<u64>,
}

/// Fetches what is at an address.
///
/// # Errors
/// `Invalid` for an address that is not allowed, or leads to one; `Unreachable` and `Failed` when the
/// server does not give it.
pub(super) async fn open(uri: &str, rules: &Addresses) -> Result<Fetched> {
    let mut checked = check(uri, rules)?;
    for _ in 0..=REDIRECTS {
        let response = ask(&checked, rules).await?;
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(fetched(&checked, response));
        }
        if !status.is_redirection() {
            return Err(Error::failed(format!("{} answers {status}", checked.url)));
        }
        let to = response.headers().get(LOCATION);
        let to = to.and_then(|to| to.to_str().ok());
        let to = to.ok_or_else(|| {
            Error::failed(format!(
                "{} answers {status}, and not where to",
                checked.url
            ))
        })?;
        checked = check_redirect(&checked.url, to, rules)?;
    }
    Err(Error::failed(format!(
        "{uri} leads from one address to the next, {REDIRECTS} times and more"
    )))
}

/// Asks one server, at an address that is allowed.
async fn ask(checked: &Checked, rules: &Addresses) -> Result<Response> {
    let addresses = choose(checked, resolve(checked).await?, rules)?;
    let sockets: Vec<SocketAddr> = addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, checked.port))
        .collect();
    // A second installation is refused, and the first one as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .redirect(Policy::none())
        .referer(false)
        // A proxy would resolve the name again, as it likes.
        .no_proxy()
        .resolve_to_addrs(&checked.host, &sockets)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE);
    let builder = match checked.url.scheme() {
        "https" => builder,
        // Loading the system's certificates takes longer than all else.
        _ => builder.tls_certs_only([]),
    };
    let client = builder
        .build()
        .map_err(|e| Error::internal("an HTTP client cannot be made").because(e))?;
    let asked = client.get(checked.url.clone()).send().await;
    asked.map_err(|e| broken(checked, e))
}

/// The addresses of a host. A name is completed with a dot, so that it is looked up and nothing else.
async fn resolve(checked: &Checked) -> Result<Vec<IpAddr>> {
    if let Some(address) = checked.literal {
        return Ok(vec![address]);
    }
    let name = match checked.host.as_str() {
        // The one name that every system knows without a dot, and many only so.
        name @ "localhost" => name.to_string(),
        name if name.ends_with('.') => name.to_string(),
        name => format!("{name}."),
    };
    let found = tokio::net::lookup_host((name.as_str(), checked.port)).await;
    let found = found.map_err(|e| {
        Error::invalid(format!(
            "the name {} in {} cannot be resolved",
            checked.host, checked.url
        ))
        .because(e)
    })?;
    Ok(found.map(|socket| socket.ip()).collect())
}

fn fetched(checked: &Checked, response: Response) -> Fetched {
    let length = response.headers().get(CONTENT_LENGTH);
    let size = length.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let at = checked.clone();
    let body = response.bytes_stream().map_err(move |e| broken(&at, e));
    Fetched {
        source: Source::Stream(body.boxed()),
        size,
    }
}

/// A connection that could not be made or broke, in a line.
fn broken(checked: &Checked, error: reqwest::Error) -> Error {
    let mut root: &dyn std::error::Error = &error;
    while let Some(source) = root.source() {
        root = source;
    }
    let why = if error.is_timeout() {
        "it took too long".to_string()
    } else {
        root.to_string()
    };
    let message = format!("{} cannot be fetched: {why}", checked.url);
    Error::new(ErrorKind::Unreachable, message).because(error)
}
