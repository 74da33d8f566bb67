//! Callers that a trusted proxy has identified in the headers of the request.
//!
//! *Source:* `glance/api/middleware/context.py` of the reference implementation, whose pipelines with `trusted-auth` had
//! no other check; `oslo_context/context.py` (`from_environ`).

use std::net::IpAddr;

use http::header::HeaderMap;
use http::request::Parts;
use ipnet::IpNet;

use super::regions::{CallersRegions, Catalogue};
use super::{Peer, Refusal};
use crate::config::{Secret, Tls};
use crate::model::Caller;

/// The headers that identify a caller: their names, the current one first.
const STATUS: &[&str] = &["x-identity-status"];
const USER: &[&str] = &["x-user-id", "x-user"];
const PROJECT: &[&str] = &["x-project-id", "x-tenant-id", "x-tenant"];
const PROJECT_DOMAIN: &[&str] = &["x-project-domain-id"];
const DOMAIN: &[&str] = &["x-domain-id"];
const ROLES: &[&str] = &["x-roles", "x-role"];
const SERVICE_ROLES: &[&str] = &["x-service-roles"];
const SYSTEM: &[&str] = &["openstack-system-scope"];

/// The headers with the token of a caller, and its catalogue.
const TOKEN: &[&str] = &["x-auth-token"];
const CATALOGUE: &[&str] = &["x-service-catalog"];

/// Callers identified by headers.
pub struct TrustedHeaders {
    /// The networks of the proxies, in addition to this host.
    proxies: Vec<IpNet>,
}

impl TrustedHeaders {
    /// Creates the identification by the headers of this host and of proxies in these networks.
    pub fn new(proxies: Vec<IpNet>) -> Self {
        Self { proxies }
    }

    /// Returns the caller of a request; None for one that the proxy did not identify.
    ///
    /// # Errors
    /// `Forbidden` for a request of another host, and for a header that occurs twice.
    pub fn identify(&self, request: &Parts) -> Result<Option<Caller>, Refusal> {
        let peer = request.extensions.get::<Peer>();
        let peer = peer.map(|Peer(address)| address.ip().to_canonical());
        if !peer.is_some_and(|peer| self.trusts(peer)) {
            let peer =
                peer.map_or_else(|| "an unknown address".to_string(), |peer| peer.to_string());
            log::warn!(
                "a request from {peer} is refused: it is not among the proxies of [trusted_auth]"
            );
            return Err(Refusal::Forbidden(
                "Requests are accepted from the proxies of this service only.",
            ));
        }
        let headers = &request.headers;
        if text(headers, STATUS)? != Some("Confirmed") {
            return Ok(None);
        }
        let roles = list(headers, ROLES)?;
        let project = text(headers, PROJECT)?.unwrap_or_default();
        let user = text(headers, USER)?.unwrap_or_default();
        let mut caller = Caller::with_roles(project, user, roles);
        let domain = text(headers, PROJECT_DOMAIN)?.or(text(headers, DOMAIN)?);
        caller.domain = domain.map(str::to_string);
        caller.has_system_scope = text(headers, SYSTEM)? == Some("all");
        let services = list(headers, SERVICE_ROLES)?;
        caller.service_roles = services.into_iter().map(str::to_lowercase).collect();
        Ok(Some(caller))
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        peer.is_loopback() || self.proxies.iter().any(|network| network.contains(&peer))
    }
}

/// Returns the regions of a caller that was identified by the headers; None without its token or its catalogue.
pub fn regions(headers: &HeaderMap) -> Option<CallersRegions> {
    let text = |names| text(headers, names).ok().flatten();
    Some(CallersRegions {
        token: Secret::new(text(TOKEN)?),
        catalogue: Catalogue::Header(text(CATALOGUE)?.to_string()),
        tls: Tls::default(),
    })
}

/// Returns the text of the first of the headers that there is. A header that occurs twice may have been added to the one of
/// a client.
fn text<'h>(headers: &'h HeaderMap, names: &[&str]) -> Result<Option<&'h str>, Refusal> {
    for name in names {
        let mut values = headers.get_all(*name).iter();
        let Some(value) = values.next() else { continue };
        let text = value.to_str().ok().filter(|_| values.next().is_none());
        let text = text.ok_or_else(|| {
            log::warn!("a request is refused: the header {name} occurs twice or is not text");
            Refusal::Forbidden("A header that identifies the caller is invalid.")
        })?;
        return Ok(Some(text.trim()).filter(|text| !text.is_empty()));
    }
    Ok(None)
}

/// Returns the items of a list in a header.
fn list<'h>(headers: &'h HeaderMap, names: &[&str]) -> Result<Vec<&'h str>, Refusal> {
    let items = text(headers, names)?.unwrap_or_default().split(',');
    Ok(items
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::model::Role;

    fn identify(peer: Option<&str>, headers: &[(&str, &str)]) -> Result<Option<Caller>, Refusal> {
        let proxies = vec!["10.1.0.0/16".parse().unwrap()];
        let mut request = headers
            .iter()
            .fold(Request::builder(), |request, (name, value)| {
                request.header(*name, *value)
            });
        if let Some(peer) = peer {
            let address = format!("{peer}:7").parse().unwrap();
            request = request.extension(Peer(address));
        }
        TrustedHeaders::new(proxies).identify(&request.body(()).unwrap().into_parts().0)
    }

    const CONFIRMED: (&str, &str) = ("X-Identity-Status", "Confirmed");

    #[test]
    fn headers_of_trusted_peers_identify_the_caller() {
        let headers = [
            CONFIRMED,
            ("X-User-Id", "u"),
            ("X-Tenant-Id", "p"),
            ("X-Project-Domain-Id", "d"),
            ("X-Roles", "Member, creator"),
            ("X-Service-Roles", "Service"),
        ];
        for peer in ["127.0.0.1", "10.1.2.3", "[::1]", "[::ffff:10.1.0.9]"] {
            let caller = identify(Some(peer), &headers).unwrap().unwrap();
            assert_eq!(caller.to_string(), "p:member:u");
            assert_eq!(caller.domain.as_deref(), Some("d"));
            assert_eq!(caller.roles, ["reader", "member", "creator"]);
            assert_eq!(caller.service_roles, ["service"]);
            assert!(!caller.has_system_scope);
        }
        let system = [
            CONFIRMED,
            ("OpenStack-System-Scope", "all"),
            ("X-Role", "admin"),
        ];
        let caller = identify(Some("127.0.0.1"), &system).unwrap().unwrap();
        assert!(caller.has_system_scope && caller.role == Role::Admin);
    }

    #[test]
    fn other_peers_and_repeated_headers_are_refused() {
        let headers = [CONFIRMED, ("X-Roles", "admin"), ("X-Project-Id", "p")];
        for peer in [None, Some("10.2.0.1"), Some("[2001:db8::1]")] {
            assert!(matches!(
                identify(peer, &headers),
                Err(Refusal::Forbidden(_))
            ));
        }
        let twice = [CONFIRMED, ("X-Roles", "admin"), ("X-Roles", "reader")];
        let refused = identify(Some("127.0.0.1"), &twice);
        assert!(matches!(refused, Err(Refusal::Forbidden(_))));
    }

    #[test]
    fn a_caller_who_is_not_confirmed_is_not_identified() {
        for status in [None, Some(("X-Identity-Status", "Invalid"))] {
            let headers: Vec<_> = status.into_iter().chain([("X-Roles", "admin")]).collect();
            assert_eq!(identify(Some("127.0.0.1"), &headers).unwrap(), None);
        }
    }
}
