//! The address of a message broker, in oslo.messaging's notation.
//!
//! *Source:* `TransportURL.parse` in `oslo_messaging/transport.py`, `parse_host_port` in `oslo_utils/netutils.py`, and
//! `Connection` in `oslo_messaging/_drivers/impl_rabbit.py`.

use crate::config::oslo::values::{percent_decode, quoted};
use crate::config::secret::Secret;

/// The host of a broker without another one in its address.
const HOST: &str = "localhost";
const PORT: u16 = 5672;

/// The user and the password of an address without them.
const GUEST: &str = "guest";

/// An address: `rabbit://USER:PASSWORD@HOST:PORT,USER:PASSWORD@HOST:PORT/VIRTUAL_HOST?OPTION=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportUrl {
    /// The brokers, at least one.
    pub hosts: Vec<BrokerHost>,
    /// The virtual host: `/` without another one.
    pub virtual_host: String,
    /// The values of options of the section `oslo_messaging_rabbit`, which take precedence.
    pub options: Vec<(String, String)>,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerHost {
    /// The name or address; an IPv6 address has no brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl BrokerHost {
    /// Returns `HOST:PORT` for messages.
    pub fn name(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl TransportUrl {
    /// Parses an address.
    ///
    /// # Errors
    /// The reason, without the address.
    pub(in crate::config) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("the address of the broker does not begin with rabbit://")?;
        if !["rabbit", "kombu+rabbit", "kombu+amqp", "kombu+pyamqp"].contains(&scheme) {
            return Err(format!(
                "the transport {} is not supported: use rabbit://",
                quoted(scheme)
            ));
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (brokers, path) = address.split_once('/').unwrap_or((address, ""));
        let named = brokers.split(',').filter(|broker| !broker.is_empty());
        let mut hosts = named.map(parse_broker).collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() {
            hosts.push(parse_broker("")?);
        }
        let virtual_host = decode(path)?;
        let options = url::form_urlencoded::parse(query.as_bytes());
        Ok(Self {
            hosts,
            virtual_host: or_default(virtual_host, "/"),
            options: options.into_owned().collect(),
        })
    }
}

/// Parses `USER:PASSWORD@HOST:PORT`, of which each part may be missing.
fn parse_broker(text: &str) -> Result<BrokerHost, String> {
    let (login, place) = text.rsplit_once('@').unwrap_or(("", text));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').unwrap_or((rest, ""));
        (host, rest.strip_prefix(':'))
    } else if place.matches(':').count() > 1 {
        (place, None)
    } else {
        let (host, port) = place.split_once(':').unwrap_or((place, ""));
        (host, Some(port).filter(|port| !port.is_empty()))
    };
    // Neither is quoted: they may be a part of a password.
    let port = port.map_or(Ok(PORT), str::parse).map_err(|_| {
        "the port of the broker is not a number; characters like / in a password must be written as %2F"
    })?;
    Ok(BrokerHost {
        host: or_default(host.to_owned(), HOST),
        port,
        user: or_default(decode(user)?, GUEST),
        password: Secret::new(or_default(decode(password)?, GUEST)),
    })
}

fn decode(text: &str) -> Result<String, String> {
    percent_decode(text).map_err(|_| "the address of the broker is not UTF-8".to_owned())
}

fn or_default(text: String, default: &str) -> String {
    if text.is_empty() {
        return default.to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_oslo_messaging_reads_them() {
        let cases: &[(&str, &[&str], &str)] = &[
            ("rabbit://", &["guest:guest@localhost:5672"], "/"),
            ("rabbit:///", &["guest:guest@localhost:5672"], "/"),
            ("rabbit://h", &["guest:guest@h:5672"], "/"),
            ("rabbit://u:p@h:1//", &["u:p@h:1"], "/"),
            ("rabbit://u:p@h:1/%2F", &["u:p@h:1"], "/"),
            ("rabbit://u:p@h:1/v%20w", &["u:p@h:1"], "v w"),
            ("rabbit://u:p@h/a/b", &["u:p@h:5672"], "a/b"),
            ("kombu+rabbit://u:p@h/v", &["u:p@h:5672"], "v"),
            (
                "rabbit://u:p@a:1,v:q@b:2,c/v",
                &["u:p@a:1", "v:q@b:2", "guest:guest@c:5672"],
                "v",
            ),
            (
                "rabbit://u%40x:p%3A%2F%2c%25@h/v",
                &["u@x:p:/,%@h:5672"],
                "v",
            ),
            ("rabbit://u@x:p:q@h", &["u@x:p:q@h:5672"], "/"),
            (
                "rabbit://u:p@[::1]:1,[::2]/v",
                &["u:p@[::1]:1", "guest:guest@[::2]:5672"],
                "v",
            ),
            ("rabbit://u@h", &["u:guest@h:5672"], "/"),
            ("rabbit://u:p@h?ssl=1", &["u:p@h:5672"], "/"),
        ];
        for (text, hosts, virtual_host) in cases {
            let url = TransportUrl::parse(text).unwrap();
            let found = url.hosts.iter();
            let found: Vec<String> = found
                .map(|host| format!("{}:{}@{}", host.user, host.password.reveal(), host.name()))
                .collect();
            assert_eq!(&found, hosts, "{text}");
            assert_eq!(&url.virtual_host, virtual_host, "{text}");
        }
        let url = TransportUrl::parse("rabbit://h/v?ssl=1&ssl_ca_file=%2Fca").unwrap();
        let options = [("ssl", "1"), ("ssl_ca_file", "/ca")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(url.options, options);
    }

    #[test]
    fn what_is_wrong_is_explained_without_the_password() {
        for (url, part) in [
            ("", "rabbit://"),
            ("hunter2", "rabbit://"),
            ("kafka://u:hunter2@h", "'kafka'"),
            ("kombu+memory://", "'kombu+memory'"),
            ("amqp://u:hunter2@h", "'amqp'"),
            ("rabbit://u:hunter2/x@h", "port"),
            ("rabbit://u:p@h:hunter2", "port"),
            ("rabbit://u:p@h:65536", "port"),
            ("rabbit://u:%ff@h", "UTF-8"),
        ] {
            let why = TransportUrl::parse(url).unwrap_err();
            assert!(why.contains(part), "{url}: {why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        let shown = format!("{:?}", TransportUrl::parse("rabbit://u:hunter2@h").unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
