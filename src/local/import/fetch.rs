//! Data from a web server that a caller names: the name of the host is resolved once and these addresses connected to,
//! every redirect is checked like the address itself, and everything is bounded.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use http::{Method, StatusCode};
use url::Url;

use super::address::{check, check_redirect, refuse_host, select};
use crate::config::settings::import::Addresses;
use crate::data::Source;
use crate::http::{Client, Failure, Options, Proxies, Reason, Request, redirect, retry};
use crate::model::address::place;
use crate::{Error, ErrorKind, Result};

/// Redirects that are followed at most.
const MAX_REDIRECTS: usize = 10;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a response, or the next bytes of it, may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Data that is being fetched.
pub(super) struct Fetched {
    /// The data.
    pub source: Source,
    /// Size in bytes, where the server promises one.
    pub size: Option<u64>,
}

/// Fetches the data at an address.
///
/// # Errors
/// `Invalid` for an address that is not allowed, or leads to one; `Unreachable` and `Failed` when the
/// server does not give it.
pub(super) async fn open(uri: &str, rules: &Addresses) -> Result<Fetched> {
    let request = Request::new(Method::GET, check(uri, rules)?);
    let response = client(rules).open(&request).await.map_err(failed)?;
    let (url, status) = (place(response.url()), response.status());
    if status.is_redirection() {
        let message = format!("{url} answers {status}, and not where to");
        return Err(Error::failed(message));
    }
    if status != StatusCode::OK {
        return Err(Error::failed(format!("{url} answers {status}")));
    }
    Ok(Fetched {
        size: response.content_length(),
        source: Source::stream(response.into_stream().map_err(failed)),
    })
}

/// Returns a client that requests only what the rules allow.
fn client(rules: &Addresses) -> Client {
    Client::new(Options {
        // A proxy would resolve the name again, as it likes.
        proxies: Proxies::None,
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
        redirects: redirect::Policy {
            limit: MAX_REDIRECTS,
            guard: Some(Arc::new(Filter(rules.clone()))),
            ..redirect::Policy::default()
        },
        retries: retry::Policy::NEVER,
        keep_alive: false,
        ..Options::default()
    })
}

/// The rules of the configuration, as those of a client.
struct Filter(Addresses);

impl redirect::Guard for Filter {
    fn follow(&self, from: &Url, location: &str) -> Result<Url> {
        check_redirect(from, location, &self.0)
    }

    fn select(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
        select(host, found, &self.0).map_err(str::to_string)
    }
}

/// Returns the error that the failure of a request is for the caller.
fn failed(failure: Failure) -> Error {
    let url = failure.url().clone();
    let shown = place(&url);
    let (reason, source) = failure.into_parts();
    let error = match reason {
        Reason::RedirectBlocked(error) => return error,
        Reason::HostBlocked(cause) => return refuse_host(&url, &cause),
        Reason::TooManyRedirects(limit) => {
            return Error::failed(format!(
                "{shown} leads from one address to the next, {limit} times and more"
            ));
        }
        Reason::UnknownHost => {
            let host = url.host_str().unwrap_or_default();
            Error::invalid(format!("the name {host} in {shown} cannot be resolved"))
        }
        reason => {
            let message = format!("{shown} cannot be fetched: {reason}");
            Error::new(ErrorKind::Unreachable, message)
        }
    };
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}
