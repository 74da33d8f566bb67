//! The check of the addresses that requests go to.

use std::net::IpAddr;

use url::Url;

use crate::Error;

/// Rules for the addresses that a client may request.
pub trait Guard: Send + Sync {
    /// Returns the target of a redirect: `location`, which may be relative to `from`.
    ///
    /// # Errors
    /// Any, for an address that is not allowed.
    fn follow(&self, from: &Url, location: &str) -> Result<Url, Error>;

    /// Returns the allowed addresses of a host. Not called for hosts that are IP addresses.
    ///
    /// # Errors
    /// The reason why none is allowed.
    fn select(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, String>;
}
