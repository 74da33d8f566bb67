//! A connection to a broker with its channel, and what is declared on it.
//!
//! *Source:* `notify_send` and `_publish_and_creates_default_queue` in `oslo_messaging/_drivers/impl_rabbit.py`: the sender
//! declares the exchange and a queue for each routing key, so that messages wait for a consumer that comes later.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{
    AsyncTcpStream, BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    ErrorKind, Event, ExchangeKind,
};
use tokio::task::JoinHandle;
use tokio_util::compat::TokioAsyncReadCompatExt;
use tokio_util::sync::DropGuard;

use super::link::{self, Link, LinkRuntime};
use super::publisher::Message;
use crate::config::{Broker, BrokerHost, LoginMethod, QueueKind};
use crate::{Error, Result};

/// The time to wait for the broker's response to a login or a declaration.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time to wait for the confirmation of a message, unless the broker has blocked the connection.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_mins(1);

/// The time to wait for the end of a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The maximum size of a frame, in bytes. Longer messages have several.
const FRAME_SIZE: u32 = 32 << 10;

/// The delivery mode of a message that a durable queue keeps on disk.
const PERSISTENT: u8 = 2;

/// An open connection.
pub(super) struct Session {
    broker: Broker,
    /// `HOST:PORT`.
    name: String,
    connection: Connection,
    channel: Channel,
    /// The routing keys whose queues are declared.
    declared: HashSet<String>,
    listener: JoinHandle<()>,
    /// Ends the connection.
    _guard: DropGuard,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Session {
    /// Logs in on a link, and declares the exchange.
    ///
    /// # Errors
    /// `Failed` with the name of the host: a refused login, a broker that does not respond.
    pub async fn open(
        broker: &Broker,
        host: &BrokerHost,
        (link, guard): (Link, DropGuard),
    ) -> Result<Self> {
        let opening = Self::open_channel(broker, host, link);
        let (connection, channel) = within(&host.name(), opening).await?;
        let listener = tokio::spawn(report_blocks(connection.events_listener(), host.name()));
        let mut session = Self {
            broker: broker.clone(),
            name: host.name(),
            connection,
            channel,
            declared: HashSet::new(),
            listener,
            _guard: guard,
        };
        let name = session.name.clone();
        within(&name, session.declare_exchange()).await?;
        Ok(session)
    }

    async fn open_channel(
        broker: &Broker,
        host: &BrokerHost,
        link: Link,
    ) -> lapin::Result<(Connection, Channel)> {
        let link = Mutex::new(Some(link));
        let connect = async move |_: AMQPUri, _: LinkRuntime| {
            let link = link.lock().unwrap_or_else(PoisonError::into_inner).take();
            let link = link.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted))?;
            Ok(AsyncTcpStream::Plain(link.compat()))
        };
        let name = format!("{}:{}", env!("CARGO_PKG_NAME"), std::process::id());
        let properties = ConnectionProperties::default()
            .with_client_property("product".into(), env!("CARGO_PKG_NAME").into())
            .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
            .with_connection_name(name.into());
        let connecting =
            Connection::connector(address(broker, host), link::runtime(), connect, properties);
        let connection = connecting.await?;
        let channel = open_confirmed(&connection).await?;
        Ok((connection, channel))
    }

    /// Returns `HOST:PORT` of the broker.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Publishes messages, and removes those that the broker has confirmed. Returns how many of these it has refused,
    /// because the queue is full.
    ///
    /// # Errors
    /// `Failed` if the connection is lost; the remaining messages may have been received.
    pub async fn publish(&mut self, batch: &mut VecDeque<Message>) -> Result<u64> {
        let name = self.name.clone();
        let failed = |error| failure(&name, &error);
        for message in &*batch {
            if !self.declared.contains(&message.routing_key) {
                within(&name, self.declare_queue(&message.routing_key)).await?;
                self.declared.insert(message.routing_key.clone());
            }
        }
        let mut confirmations = Vec::new();
        for message in &*batch {
            let sent = self.channel.basic_publish(
                self.broker.exchange.as_str().into(),
                message.routing_key.as_str().into(),
                BasicPublishOptions::default(),
                &message.body,
                BasicProperties::default()
                    .with_content_type("application/json".into())
                    .with_content_encoding("utf-8".into())
                    .with_headers(FieldTable::default())
                    .with_delivery_mode(PERSISTENT)
                    .with_priority(0),
            );
            confirmations.push(sent.await.map_err(failed)?);
        }
        let mut refused = 0;
        for confirmation in confirmations {
            let mut confirmation = std::pin::pin!(confirmation);
            let confirmed = loop {
                match tokio::time::timeout(CONFIRMATION_TIMEOUT, &mut confirmation).await {
                    Ok(confirmed) => break confirmed.map_err(failed)?,
                    Err(_) if self.connection.status().blocked() => {}
                    Err(_) => return Err(silent(&name)),
                }
            };
            if matches!(confirmed, Confirmation::Nack(_)) {
                refused += 1;
            }
            batch.pop_front();
        }
        Ok(refused)
    }

    /// Ends the connection.
    pub async fn close(self) {
        // The data was confirmed: an error does not matter.
        let closing = self.connection.close(200, "OK".into());
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    }

    /// Declares the exchange. One that exists with other attributes is used as it is.
    async fn declare_exchange(&mut self) -> lapin::Result<()> {
        let options = ExchangeDeclareOptions {
            durable: self.broker.durable,
            auto_delete: self.broker.auto_delete,
            ..ExchangeDeclareOptions::default()
        };
        let existing = ExchangeDeclareOptions {
            passive: true,
            ..options
        };
        match self.declare_exchange_as(options).await {
            Err(error) if differs(&error) => {
                self.warn_of_difference("exchange", &self.broker.exchange);
                self.channel = open_confirmed(&self.connection).await?;
                self.declare_exchange_as(existing).await
            }
            declared => declared,
        }
    }

    async fn declare_exchange_as(&self, options: ExchangeDeclareOptions) -> lapin::Result<()> {
        let name = self.broker.exchange.as_str().into();
        let arguments = FieldTable::default();
        self.channel
            .exchange_declare(name, ExchangeKind::Topic, options, arguments)
            .await
    }

    /// Declares the queue of a routing key, and binds it. One that exists with other attributes is used as it is.
    async fn declare_queue(&mut self, key: &str) -> lapin::Result<()> {
        let options = QueueDeclareOptions {
            durable: self.broker.durable,
            auto_delete: self.broker.auto_delete,
            ..QueueDeclareOptions::default()
        };
        let existing = QueueDeclareOptions {
            passive: true,
            ..options
        };
        match self.declare_queue_as(key, options).await {
            Err(error) if differs(&error) => {
                self.warn_of_difference("queue", key);
                self.channel = open_confirmed(&self.connection).await?;
                self.declare_queue_as(key, existing).await?;
            }
            declared => declared?,
        }
        self.channel
            .queue_bind(
                key.into(),
                self.broker.exchange.as_str().into(),
                key.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
    }

    async fn declare_queue_as(&self, key: &str, options: QueueDeclareOptions) -> lapin::Result<()> {
        let arguments = queue_arguments(self.broker.queues);
        let declared = self.channel.queue_declare(key.into(), options, arguments);
        declared.await.map(drop)
    }

    fn warn_of_difference(&self, kind: &str, name: &str) {
        log::warn!(
            "the {kind} {name} on {} has other attributes than the configuration, and is used as it is",
            self.name
        );
    }
}

/// Opens a channel on which each message is confirmed.
async fn open_confirmed(connection: &Connection) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    Ok(channel)
}

/// Returns the address and the login for lapin.
fn address(broker: &Broker, host: &BrokerHost) -> AMQPUri {
    let mechanism = match broker.login {
        LoginMethod::Plain => SASLMechanism::Plain,
        LoginMethod::AmqPlain => SASLMechanism::AMQPlain,
        LoginMethod::External => SASLMechanism::External,
        LoginMethod::Demo => SASLMechanism::RabbitCrDemo,
    };
    AMQPUri {
        // The link may have TLS.
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: host.user.clone(),
                password: host.password.reveal().to_string(),
            },
            host: host.host.clone(),
            port: host.port,
        },
        vhost: broker.virtual_host.clone(),
        query: AMQPQueryString {
            heartbeat: Some(broker.heartbeat),
            auth_mechanism: Some(mechanism),
            // Determines the buffers in memory.
            frame_max: Some(FRAME_SIZE),
            ..AMQPQueryString::default()
        },
    }
}

/// Returns the arguments of a declaration of a queue.
fn queue_arguments(queues: QueueKind) -> FieldTable {
    let mut arguments = FieldTable::default();
    let mut insert = |name: &str, value: AMQPValue| {
        arguments.insert(name.into(), value);
    };
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    match queues {
        QueueKind::Classic => {}
        QueueKind::Mirrored => insert("x-ha-policy", text("all")),
        QueueKind::Quorum {
            delivery_limit,
            max_memory_length,
            max_memory_bytes,
        } => {
            insert("x-queue-type", text("quorum"));
            for (name, limit) in [
                ("x-delivery-limit", delivery_limit),
                ("x-max-in-memory-length", max_memory_length),
                ("x-max-in-memory-bytes", max_memory_bytes),
            ] {
                match i32::try_from(limit) {
                    Ok(0) => {}
                    Ok(limit) => insert(name, AMQPValue::LongInt(limit)),
                    Err(_) => insert(name, AMQPValue::LongLongInt(i64::from(limit))),
                }
            }
        }
    }
    arguments
}

/// Logs that the broker accepts no messages for now, and that it does again.
async fn report_blocks(events: impl Stream<Item = Event> + Send, name: String) {
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                log::warn!("the broker {name} accepts no notifications for now: {reason}");
            }
            Event::ConnectionUnblocked => {
                log::info!("the broker {name} accepts notifications again");
            }
            _ => {}
        }
    }
}

/// Returns whether a declaration was refused because the exchange or queue exists with other attributes.
fn differs(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return false;
    };
    matches!(
        error.kind(),
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED)
    )
}

/// Waits for a response of the broker `name`.
async fn within<T>(name: &str, response: impl Future<Output = lapin::Result<T>>) -> Result<T> {
    match tokio::time::timeout(RESPONSE_TIMEOUT, response).await {
        Ok(done) => done.map_err(|error| failure(name, &error)),
        Err(_) => Err(silent(name)),
    }
}

fn silent(name: &str) -> Error {
    Error::failed(format!("the broker {name} does not respond"))
}

/// Returns the error for what lapin reports about the broker `name`.
fn failure(name: &str, error: &lapin::Error) -> Error {
    let why = match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        _ => error.to_string(),
    };
    Error::failed(format!("the broker {name}: {why}")).because(error.clone())
}
