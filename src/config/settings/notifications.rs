//! The notifications of changes, and the message broker that they are sent to.
//!
//! *Source:* `glance/notifier.py`, `oslo_messaging/notify/notifier.py`, `oslo_messaging/_drivers/impl_rabbit.py` and
//! `ConfigOptsProxy` in `oslo_messaging/_drivers/common.py`.

use std::path::Path;
use std::time::Duration;

use super::transport_url::{BrokerHost, TransportUrl};
use crate::config::cloud::{Tls, Trust};
use crate::config::oslo::options::{
    AMQP_AUTO_DELETE, AMQP_DURABLE_QUEUES, CONTROL_EXCHANGE, DEFAULT_PUBLISHER_ID,
    DISABLED_NOTIFICATIONS, HEARTBEAT_TIMEOUT_THRESHOLD, Kind, NOTIFICATION_DRIVER,
    NOTIFICATION_RETRY, NOTIFICATION_TOPICS, NOTIFICATION_TRANSPORT_URL, OptionSpec,
    RABBIT_HA_QUEUES, RABBIT_INTERVAL_MAX, RABBIT_LOGIN_METHOD, RABBIT_QUORUM_DELIVERY_LIMIT,
    RABBIT_QUORUM_MAX_MEMORY_BYTES, RABBIT_QUORUM_MAX_MEMORY_LENGTH, RABBIT_QUORUM_QUEUE,
    RABBIT_RETRY_BACKOFF, RABBIT_RETRY_INTERVAL, RABBIT_SSL, RABBIT_SSL_CA_FILE,
    RABBIT_SSL_CERT_FILE, RABBIT_SSL_KEY_FILE, TRANSPORT_URL,
};
use crate::config::oslo::reader::{Located, Reader};
use crate::config::oslo::values::{parse_boolean, parse_integer, quoted};
use crate::error::Result;

/// The notifications of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationSettings {
    /// The ways in which an event is sent, each once, without `noop`; empty: none is.
    pub drivers: Vec<NotificationDriver>,
    /// The topics of the messages; each event is sent to all of them.
    pub topics: Vec<String>,
    /// The name of the sender in messages.
    pub publisher_id: String,
    /// Types of events, or groups of them, that are not sent.
    pub disabled: Vec<String>,
    /// The broker; None if no driver sends messages.
    pub broker: Option<Broker>,
}

/// A way in which an event is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationDriver {
    /// A message to the broker, without an envelope.
    Messaging,
    /// A message to the broker in the envelope of version 2.0.
    MessagingV2,
    /// A line of the log.
    Log,
}

/// A message broker, and what is declared on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The hosts, of which one is used.
    pub hosts: Vec<BrokerHost>,
    /// The virtual host.
    pub virtual_host: String,
    /// The exchange.
    pub exchange: String,
    /// The login method.
    pub login: LoginMethod,
    /// The TLS configuration; None without TLS.
    pub tls: Option<Tls>,
    /// Whether exchange and queues survive a restart of the broker.
    pub durable: bool,
    /// Whether exchange and queues are deleted with their last user.
    pub auto_delete: bool,
    /// The kind of the queues.
    pub queues: QueueKind,
    /// The time after which a silent broker counts as dead, in seconds; 0 never.
    pub heartbeat: u16,
    /// The number of times that a message is sent again after a failure; None: until it is accepted.
    pub retries: Option<u64>,
    /// The pauses between attempts to connect.
    pub reconnection: Reconnection,
}

/// The pauses between attempts to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnection {
    /// The first pause.
    pub first: Duration,
    /// The time by which each pause is longer than the one before.
    pub step: Duration,
    /// The maximum pause.
    pub longest: Duration,
}

/// A login method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// User and password, in the notation of SASL.
    Plain,
    /// User and password, in that of AMQP.
    AmqPlain,
    /// The certificate of the client.
    External,
    /// User and password in two steps.
    Demo,
}

/// The kind of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// On one node.
    Classic,
    /// Mirrored to all nodes, by brokers before RabbitMQ 3.0.
    Mirrored,
    /// Replicated. A limit of 0 is none.
    Quorum {
        /// The number of deliveries after which a message is dropped.
        delivery_limit: u32,
        /// The number of messages in memory.
        max_memory_length: u32,
        /// The number of bytes in memory.
        max_memory_bytes: u32,
    },
}

/// Reads the settings. Relative paths start at `base`.
pub(super) fn read_notifications(reader: &Reader<'_>, base: &Path) -> Result<NotificationSettings> {
    let mut drivers = Vec::new();
    for name in reader.repeated(&NOTIFICATION_DRIVER)? {
        let driver = match name.value.trim() {
            "messaging" => NotificationDriver::Messaging,
            "messagingv2" => NotificationDriver::MessagingV2,
            "log" => NotificationDriver::Log,
            // The driver `test` keeps messages in memory.
            "" | "noop" | "test" => continue,
            other => {
                return Err(name.refuse(format_args!(
                    "{} is not one of messagingv2, messaging, log, noop",
                    quoted(other)
                )));
            }
        };
        if !drivers.contains(&driver) {
            drivers.push(driver);
        }
    }
    if drivers.is_empty() {
        return Ok(NotificationSettings::default());
    }
    let sends = drivers != [NotificationDriver::Log];
    Ok(NotificationSettings {
        drivers,
        topics: reader.list(&NOTIFICATION_TOPICS)?.value,
        publisher_id: reader.text_or_default(&DEFAULT_PUBLISHER_ID)?.value,
        disabled: reader.list(&DISABLED_NOTIFICATIONS)?.value,
        broker: sends.then(|| read_broker(reader, base)).transpose()?,
    })
}

fn read_broker(reader: &Reader<'_>, base: &Path) -> Result<Broker> {
    let own = reader.text_if_any(&NOTIFICATION_TRANSPORT_URL)?;
    let address = match own {
        Some(own) => own,
        None => reader.text_or_default(&TRANSPORT_URL)?,
    };
    let url = TransportUrl::parse(&address.value).map_err(|why| address.refuse(why))?;
    let options = RabbitOptions {
        reader,
        query: &url.options,
        address: &address,
    };
    let file = |option| -> Result<_> {
        let path = options.text(option)?;
        Ok(Some(path).filter(|path| !path.is_empty()))
    };
    let path = |option| -> Result<_> { Ok(file(option)?.map(|path| base.join(path))) };
    let certificate = path(&RABBIT_SSL_CERT_FILE)?;
    let (authorities, key) = (path(&RABBIT_SSL_CA_FILE)?, path(&RABBIT_SSL_KEY_FILE)?);
    let tls = options.boolean(&RABBIT_SSL)?.then(|| Tls {
        trust: authorities.map_or_else(Trust::default, Trust::Only),
        certificate,
        key,
        ..Tls::default()
    });
    let limit =
        |option| -> Result<_> { Ok(u32::try_from(options.integer(option)?).unwrap_or(u32::MAX)) };
    let quorum = QueueKind::Quorum {
        delivery_limit: limit(&RABBIT_QUORUM_DELIVERY_LIMIT)?,
        max_memory_length: limit(&RABBIT_QUORUM_MAX_MEMORY_LENGTH)?,
        max_memory_bytes: limit(&RABBIT_QUORUM_MAX_MEMORY_BYTES)?,
    };
    let is_quorum = options.boolean(&RABBIT_QUORUM_QUEUE)?;
    let queues = match (is_quorum, options.boolean(&RABBIT_HA_QUEUES)?) {
        (true, true) => {
            return Err(
                address.refuse("rabbit_quorum_queue and rabbit_ha_queues cannot both be set")
            );
        }
        (true, false) => quorum,
        (false, true) => QueueKind::Mirrored,
        (false, false) => QueueKind::Classic,
    };
    let seconds = |option| -> Result<_> {
        Ok(Duration::from_secs(
            u64::try_from(options.integer(option)?).unwrap_or(0),
        ))
    };
    let login = match &*options.text(&RABBIT_LOGIN_METHOD)? {
        "PLAIN" => LoginMethod::Plain,
        "EXTERNAL" => LoginMethod::External,
        "RABBIT-CR-DEMO" => LoginMethod::Demo,
        _ => LoginMethod::AmqPlain,
    };
    Ok(Broker {
        login,
        tls,
        durable: options.boolean(&AMQP_DURABLE_QUEUES)? || is_quorum,
        auto_delete: options.boolean(&AMQP_AUTO_DELETE)?,
        queues,
        heartbeat: u16::try_from(options.integer(&HEARTBEAT_TIMEOUT_THRESHOLD)?).unwrap_or(0),
        reconnection: Reconnection {
            first: seconds(&RABBIT_RETRY_INTERVAL)?,
            step: seconds(&RABBIT_RETRY_BACKOFF)?,
            longest: seconds(&RABBIT_INTERVAL_MAX)?,
        },
        exchange: reader.text_or_default(&CONTROL_EXCHANGE)?.value,
        retries: u64::try_from(reader.integer(&NOTIFICATION_RETRY)?.value).ok(),
        hosts: url.hosts,
        virtual_host: url.virtual_host,
    })
}

/// The options of the section `oslo_messaging_rabbit`, of which the address may set some.
struct RabbitOptions<'a> {
    reader: &'a Reader<'a>,
    query: &'a [(String, String)],
    address: &'a Located<'a, String>,
}

impl RabbitOptions<'_> {
    /// Returns the value of an option in the address; the last one counts.
    fn in_address(&self, option: &OptionSpec) -> Option<&str> {
        let all = self.query.iter().rev();
        let mut named = all.filter(|(name, _)| name == option.name);
        named.next().map(|(_, value)| value.as_str())
    }

    fn text(&self, option: &'static OptionSpec) -> Result<String> {
        let Some(text) = self.in_address(option) else {
            return Ok(self.reader.text_or_default(option)?.value);
        };
        match option.kind {
            Kind::Choice(choices) if !choices.contains(&text) => Err(self.refuse(option)),
            _ => Ok(text.to_owned()),
        }
    }

    fn boolean(&self, option: &'static OptionSpec) -> Result<bool> {
        let Some(text) = self.in_address(option) else {
            return self.reader.boolean(option);
        };
        parse_boolean(text).ok_or_else(|| self.refuse(option))
    }

    fn integer(&self, option: &'static OptionSpec) -> Result<i128> {
        let Some(text) = self.in_address(option) else {
            return Ok(self.reader.integer(option)?.value);
        };
        let Kind::Integer { minimum, maximum } = option.kind else {
            return Err(self.refuse(option));
        };
        let number = parse_integer(text).filter(|number| (minimum..=maximum).contains(number));
        number.ok_or_else(|| self.refuse(option))
    }

    /// Returns the error for an option in the address. The address is not shown.
    fn refuse(&self, option: &OptionSpec) -> crate::Error {
        let why = format!("the value of {} in the address is invalid", option.name);
        self.address.refuse(why)
    }
}
