//! The filter of addresses for downloads: by default, no networks that only this machine can reach.
//!
//! *Source:* `get_validated_address` and `resolve_pinned_address` in `glance/common/utils.py` of the reference
//! implementation, which allows private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::config::settings::import::Addresses;
use crate::http::Guard;
use crate::{Error, Result};

/// The rules as a guard of an HTTP client.
pub(in crate::local) struct Filter {
    rules: Addresses,
    /// The hosts of proxies, which may have any address.
    proxies: Vec<String>,
}

impl Filter {
    /// Creates the guard of a client without proxies.
    pub(in crate::local) fn new(rules: Addresses) -> Self {
        Self::with_proxies(rules, Vec::new())
    }

    /// Creates the guard of a client with proxies, which resolve the names of other hosts themselves.
    pub(in crate::local) fn with_proxies(rules: Addresses, proxies: Vec<String>) -> Self {
        Self { rules, proxies }
    }
}

impl Guard for Filter {
    fn follow(&self, from: &Url, location: &str) -> Result<Url> {
        check_redirect(from, location, &self.rules)
    }

    fn select(&self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, String> {
        if self.proxies.iter().any(|proxy| proxy == host) {
            return Ok(found);
        }
        select(host, found, &self.rules).map_err(str::to_string)
    }
}

/// Parses an address, and checks everything that can be checked without resolving it.
///
/// # Errors
/// `Invalid` with the reason if the address is not allowed.
pub(in crate::local) fn check(text: &str, rules: &Addresses) -> Result<Url> {
    let url =
        Url::parse(text).map_err(|e| refused(text, &format!("it is not a valid address: {e}")))?;
    check_url(url, text, rules)
}

/// Checks an address like [`check`], and the addresses that its host resolves to. A name that cannot be resolved here
/// passes: the request fails, unless a proxy resolves it.
///
/// # Errors
/// Same as [`check`].
pub(in crate::local) async fn check_resolved(text: &str, rules: &Addresses) -> Result<()> {
    let url = check(text, rules)?;
    let Some(Host::Domain(host)) = url.host() else {
        return Ok(());
    };
    let Ok(found) = tokio::net::lookup_host((host, 0)).await else {
        return Ok(());
    };
    let found = found.map(|address| address.ip()).collect();
    select(host, found, rules)
        .map(drop)
        .map_err(|why| refuse_host(&url, why))
}

/// Checks the target of a redirect in the same way as [`check`].
///
/// # Errors
/// Same as [`check`].
fn check_redirect(from: &Url, to: &str, rules: &Addresses) -> Result<Url> {
    let url = from
        .join(to)
        .map_err(|e| refused(to, &format!("it is not a valid address: {e}")))?;
    let text = if Url::parse(to).is_ok() {
        to.to_string()
    } else {
        url.to_string()
    };
    check_url(url, &text, rules)
}

fn check_url(url: Url, text: &str, rules: &Addresses) -> Result<Url> {
    let scheme = url.scheme();
    if !matches!(scheme, "http" | "https") || !rules.schemes.allow(&scheme.to_string()) {
        let refused = refused(text, &format!("scheme '{scheme}' is not allowed"));
        return Err(allowed_by(refused, "scheme"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused(text, "it contains a user name or password"));
    }
    let Some(host) = url.host().map(|host| host.to_owned()) else {
        return Err(refused(text, "it has no host"));
    };
    let literal = match &host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    };
    let name = match literal {
        Some(address) => address.to_string(),
        None => host.to_string().to_lowercase(),
    };
    // Hosts that are parsed differently from how they are written: 127.1, 0x7f000001, 2130706433, names with tabs
    // or escapes.
    let written = written_host(text).unwrap_or_default();
    let odd = !written.eq_ignore_ascii_case(&name) && written.is_ascii();
    if odd && !matches!(literal, Some(IpAddr::V6(_))) {
        return Err(refused(text, &format!("ambiguous spelling of host {name}")));
    }
    if !rules.hosts.allow(&name) {
        let refused = refused(text, &format!("host '{name}' is not allowed"));
        return Err(allowed_by(refused, "host"));
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if !rules.ports.allow(&port) {
        let refused = refused(text, &format!("port {port} is not allowed"));
        return Err(allowed_by(refused, "port"));
    }
    if let Some(address) = literal {
        select(&name, vec![address], rules).map_err(|why| refuse_host(&url, why))?;
    }
    Ok(url)
}

/// Returns the host of an address as it is written.
fn written_host(text: &str) -> Option<&str> {
    let (_, rest) = text.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    Some(host.split_once(':').map_or(host, |(host, _)| host))
}

/// Returns those of the addresses of a host that may be connected to. A host that the configuration allows by name
/// may have addresses in any network.
///
/// # Errors
/// The reason why none is allowed.
fn select(
    host: &str,
    addresses: Vec<IpAddr>,
    rules: &Addresses,
) -> Result<Vec<IpAddr>, &'static str> {
    let is_trusted = rules.hosts.allowed.iter().any(|allowed| allowed == host);
    let mut why = "it has no address";
    let mut selected = Vec::new();
    for address in addresses {
        let is_disallowed =
            rules.hosts.allowed.is_empty() && rules.hosts.disallowed.contains(&address.to_string());
        match special(address) {
            Some(kind) if !is_trusted => why = kind,
            _ if is_disallowed => why = "it has an address that is not allowed",
            _ if !selected.contains(&address) => selected.push(address),
            _ => {}
        }
    }
    if selected.is_empty() {
        return Err(why);
    }
    Ok(selected)
}

/// Returns the error for an address whose host may not be connected to.
pub(super) fn refuse_host(url: &Url, why: &str) -> Error {
    let host = url.host_str().unwrap_or_default();
    refused(url.as_str(), &format!("host '{host}' is refused: {why}"))
        .hint("To allow the host, add it to allowed_hosts in [import_filtering_opts].")
}

/// Adds a hint that names the options for this `part` of an address.
fn allowed_by(refusal: Error, part: &str) -> Error {
    refusal.hint(format!(
        "The options allowed_{part}s and disallowed_{part}s in [import_filtering_opts] control this."
    ))
}

fn refused(text: &str, why: &str) -> Error {
    let shown = match Url::parse(text) {
        Ok(mut url) => {
            // A message does not show a password.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            url.to_string()
        }
        Err(_) => text.to_string(),
    };
    Error::invalid(format!(
        "URI for web-download does not pass filtering: {shown}: {why}"
    ))
}

/// Returns the kind of special network of an address, if any: networks that are not globally reachable.
///
/// *Source:* the registries of special-purpose addresses, RFC 6890 and its updates.
fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    if address.is_loopback() {
        return Some("it is an address of this machine");
    }
    if address.is_link_local() {
        return Some("it is a link-local address");
    }
    if address.is_private() || (a == 100 && (64..128).contains(&b)) {
        return Some("it is in a private network");
    }
    if address.is_multicast() {
        return Some("it is a multicast address");
    }
    let reserved = a == 0
        || a >= 240
        || address.is_documentation()
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99);
    reserved.then_some("it is in a reserved network")
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    // An IPv6 address that embeds an IPv4 address is checked as the latter: mapped, translated, 6to4.
    let embedded = match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some((high, low))
        }
        [0x2002, high, low, ..] => Some((high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    if address.is_loopback() || address.is_unspecified() {
        return Some("it is an address of this machine");
    }
    if address.is_unicast_link_local() {
        return Some("it is a link-local address");
    }
    if address.is_unique_local() || (parts[0] & 0xffc0) == 0xfec0 {
        return Some("it is in a private network");
    }
    if address.is_multicast() {
        return Some("it is a multicast address");
    }
    let reserved = matches!(
        parts,
        [0x2001, 0 | 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..]
    );
    reserved.then_some("it is in a reserved network")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::import::Lists;

    fn usual() -> Addresses {
        Addresses {
            schemes: Lists {
                allowed: vec!["http".into(), "https".into()],
                disallowed: Vec::new(),
            },
            hosts: Lists::default(),
            ports: Lists {
                allowed: vec![80, 443],
                disallowed: Vec::new(),
            },
        }
    }

    #[test]
    fn addresses_that_only_this_machine_reaches_are_refused_however_they_are_spelled() {
        for text in [
            "http://127.0.0.1/x",
            "http://127.1/x",
            "http://0x7f000001/x",
            "http://2130706433/x",
            "http://017700000001/x",
            "http://127.0.0x0.1/x",
            "http://0/x",
            "http://[::1]/x",
            "http://[::ffff:127.0.0.1]/x",
            "http://[::127.0.0.1]/x",
            "http://[64:ff9b::7f00:1]/x",
            "http://[2002:7f00:1::]/x",
            "http://[::]/x",
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/x",
            "http://10.0.0.1/x",
            "http://192.168.1.1/x",
            "http://172.16.0.1/x",
            "http://100.64.0.1/x",
            "http://[fc00::1]/x",
            "http://224.0.0.1/x",
            "http://[ff02::1]/x",
            "http://255.255.255.255/x",
            "http://240.0.0.1/x",
            "http://192.0.2.1/x",
            "http://[2001:db8::1]/x",
            "http://8.8.8.8:22/x",
            "http://user:secret@8.8.8.8/x",
            "ftp://8.8.8.8/x",
            "file:///etc/passwd",
            "gopher://8.8.8.8/x",
            "http:///x",
            "nonsense",
            "",
            "http://134744072/x",
            "http://8.8.2056/x",
        ] {
            let error = check(text, &usual()).unwrap_err();
            assert!(
                error.message().contains("does not pass filtering"),
                "{text}: {error}"
            );
            assert!(!error.message().contains("secret"), "{error}");
        }
        for text in [
            "http://8.8.8.8/x",
            "https://8.8.8.8:443/x",
            "http://[2606:4700::1]/x",
            "http://example.org/x",
            "HTTP://Example.ORG:80/x",
        ] {
            check(text, &usual()).unwrap();
        }
    }

    #[test]
    fn a_host_that_is_allowed_by_name_may_be_any_machine() {
        let mut rules = usual();
        rules.hosts.allowed = vec!["127.0.0.1".into(), "mirror.example.org".into()];
        rules.ports.allowed.clear();
        assert!(check("http://127.0.0.1:8080/x", &rules).is_ok());
        assert!(check("http://mirror.example.org/x", &rules).is_ok());
        let inside: IpAddr = "10.1.2.3".parse().unwrap();
        let selected = select("mirror.example.org", vec![inside], &rules);
        assert_eq!(selected.unwrap(), [inside]);
        // Others are not allowed at all, nor is the same machine by another spelling.
        assert!(check("http://8.8.8.8/x", &rules).is_err());
        assert!(check("http://127.1:8080/x", &rules).is_err());
    }

    #[test]
    fn of_the_addresses_of_a_name_only_those_that_are_public_are_taken() {
        let rules = usual();
        let host = "example.org";
        let [inside, outside]: [IpAddr; 2] =
            ["127.0.0.1", "8.8.8.8"].map(|text| text.parse().unwrap());
        let selected = select(host, vec![inside, outside, outside], &rules).unwrap();
        assert_eq!(selected, [outside]);
        assert!(select(host, vec![inside], &rules).is_err());
        assert!(select(host, Vec::new(), &rules).is_err());
        let mut rules = usual();
        rules.hosts.disallowed = vec!["8.8.8.8".into(), "bad.example.org".into()];
        assert!(select(host, vec![outside], &rules).is_err());
        assert!(check("http://bad.example.org/", &rules).is_err());
        assert!(
            check("http://BAD.example.org./", &rules).is_ok(),
            "another name"
        );
    }

    #[test]
    fn redirects_are_looked_at_like_addresses() {
        let from = Url::parse("http://example.org/a/b").unwrap();
        let rules = usual();
        let to = |to: &str| check_redirect(&from, to, &rules);
        assert_eq!(to("c").unwrap().as_str(), "http://example.org/a/c");
        assert!(to("//127.0.0.1/x").is_err());
        assert!(to("//0x7f.1/x").is_err());
        assert!(to("http://[::1]/x").is_err());
        assert!(to("file:///etc/passwd").is_err());
    }
}
