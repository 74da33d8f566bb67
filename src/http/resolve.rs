//! Host name resolution with a filter of addresses.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::Guard;

/// A resolver that filters addresses with the guard of a client. Connections are made to the remaining
/// addresses only, so the name cannot resolve to another host between check and connection.
pub(super) struct GuardedResolver(pub Arc<dyn Guard>);

/// The error if all addresses of a host are blocked, with the reason.
#[derive(Debug)]
pub(super) struct Blocked(pub String);

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Blocked {}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((absolute(host), 0)).await?;
            let found = found.map(|address| address.ip()).collect();
            let selected = guard.select(host, found).map_err(Blocked)?;
            // The port comes from the address of the request.
            let selected = selected
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(selected) as Addrs)
        })
    }
}

/// Returns the name in a form that no search list applies to.
fn absolute(host: &str) -> String {
    match host {
        // Many systems resolve this name only without a dot.
        "localhost" => host.to_string(),
        _ if host.ends_with('.') => host.to_string(),
        _ => format!("{host}."),
    }
}
