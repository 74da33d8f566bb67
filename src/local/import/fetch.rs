//! Downloads from a web server that a caller names. The host name is resolved once and only these addresses are
//! used, each redirect is checked like the address itself, and size and time are limited.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use http::{Method, StatusCode};

use super::address::{Filter, check, refuse_host};
use crate::config::settings::import::Addresses;
use crate::data::Source;
use crate::http::{Client, Failure, Options, Proxies, Reason, Request, redirect, retry};
use crate::model::address::place;
use crate::{Error, ErrorKind, Result};

/// The maximum number of redirects.
const MAX_REDIRECTS: usize = 10;

/// The time limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit for a response, and for each further plugin_run of its body.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A download.
pub(super) struct Fetched {
    /// The data.
    pub source: Source,
    /// The size in bytes, if the server reports it.
    pub size: Option<u64>,
}

/// Opens the data at an address.
///
/// # Errors
/// `Invalid` for an address or a redirect that is not allowed; `Unreachable` and `Failed` if the server does not
/// return the data.
pub(super) async fn open(uri: &str, rules: &Addresses) -> Result<Fetched> {
    let request = Request::new(Method::GET, check(uri, rules)?);
    let response = client(rules).open(&request).await.map_err(failed)?;
    let (url, status) = (place(response.url()), response.status());
    if status.is_redirection() {
        let message = format!("{url} responded {status} without a location");
        return Err(Error::failed(message));
    }
    if status != StatusCode::OK {
        return Err(Error::failed(format!("{url} responded {status}")));
    }
    Ok(Fetched {
        size: response.content_length(),
        source: Source::stream(response.into_stream().map_err(failed)),
    })
}

/// Returns a client that allows only addresses that pass the rules.
fn client(rules: &Addresses) -> Client {
    Client::new(Options {
        // A proxy would resolve the name again, possibly to another address.
        proxies: Proxies::None,
        connect_timeout: CONNECT_TIMEOUT,
        timeout: TIMEOUT,
        redirects: redirect::Policy {
            limit: MAX_REDIRECTS,
            guard: Some(Arc::new(Filter::new(rules.clone()))),
            ..redirect::Policy::default()
        },
        retries: retry::Policy::NEVER,
        keep_alive: false,
        ..Options::default()
    })
}

/// Returns the error of the import for a failed request.
fn failed(failure: Failure) -> Error {
    let url = failure.url().clone();
    let shown = place(&url);
    let (reason, source) = failure.into_parts();
    let error = match reason {
        Reason::RedirectBlocked(error) => return error,
        Reason::HostBlocked(cause) => return refuse_host(&url, &cause),
        Reason::TooManyRedirects(limit) => {
            return Error::failed(format!("{shown} exceeds the limit of {limit} redirects"));
        }
        Reason::UnknownHost => {
            let host = url.host_str().unwrap_or_default();
            Error::invalid(format!("host {host} of {shown} cannot be resolved"))
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
