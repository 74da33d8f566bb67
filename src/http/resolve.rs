//! Names of hosts, resolved to addresses that a client may connect to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::redirect::Guard;

/// A resolver whose addresses the guard of a client selects. Connections go to these addresses and to no others: a name
/// cannot mean another host by the time it is connected to.
pub(super) struct GuardedResolver(pub Arc<dyn Guard>);

/// The refusal of all addresses of a host, with the reason.
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
            // The port is that of the address of the request.
            let selected = selected
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(selected) as Addrs)
        })
    }
}

/// Returns a name that no search list is applied to.
fn absolute(host: &str) -> String {
    match host {
        // Many systems know this name only without a dot.
        "localhost" => host.to_string(),
        _ if host.ends_with('.') => host.to_string(),
        _ => format!("{host}."),
    }
}
