//! The queue of messages in memory, and the thread that publishes them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{FutureExt, select_ok};
use rustls::ClientConfig;
use tokio::sync::Notify;

use super::link::Link;
use super::session::Session;
use crate::config::Broker;
use crate::http::client_config;
use crate::{Error, Result};

/// The maximum number of messages in the queue.
const MAX_MESSAGES: usize = 10_000;

/// The maximum size of the messages in the queue, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// The number of messages that are sent before their confirmations are awaited.
const BATCH: usize = 64;

/// The time after which the next host is tried as well.
const NEXT_HOST: Duration = Duration::from_millis(300);

/// A message.
#[derive(Debug)]
pub struct Message {
    /// The routing key, also the name of the queue.
    pub routing_key: String,
    /// The content, JSON.
    pub body: Vec<u8>,
}

/// A sender of messages to a broker. Nothing is started before the first message.
pub struct Publisher {
    shared: Arc<Shared>,
}

/// The state that the callers and the thread share.
struct Shared {
    broker: Broker,
    state: Mutex<State>,
    /// Wakes the thread: there is a message, or the publisher is gone.
    work: Notify,
    /// Wakes those that wait for an empty queue.
    idle: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Message>,
    /// The size of the waiting messages, in bytes.
    bytes: usize,
    /// The number of messages that the thread has taken, and the broker has not confirmed.
    sending: usize,
    /// The number of messages that were dropped since the broker has last accepted some.
    dropped: u64,
    is_running: bool,
    is_closed: bool,
    /// The reason why the broker cannot be reached; None while it can.
    failure: Option<String>,
    /// Whether a wait for an empty queue has ended without success.
    was_given_up: bool,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.state().is_closed = true;
        self.shared.work.notify_one();
    }
}

impl Publisher {
    /// Creates a publisher, which does nothing before the first message.
    pub fn new(broker: Broker) -> Self {
        Self {
            shared: Arc::new(Shared {
                broker,
                state: Mutex::default(),
                work: Notify::new(),
                idle: Notify::new(),
            }),
        }
    }

    /// Queues a message. It is dropped, with one warning, if the queue is full.
    pub fn send(&self, message: Message) {
        let mut state = self.shared.state();
        let size = state.bytes + message.body.len();
        if state.waiting.len() >= MAX_MESSAGES || size > MAX_BYTES {
            state.dropped += 1;
            let is_first = state.dropped == 1;
            drop(state);
            if is_first {
                log::warn!(
                    "the queue of notifications is full: notifications are dropped until the broker accepts them"
                );
            }
            return;
        }
        state.bytes = size;
        state.waiting.push_back(message);
        let starts = !state.is_running;
        state.is_running = true;
        drop(state);
        self.shared.work.notify_one();
        if starts && let Err(error) = start(Arc::clone(&self.shared)) {
            // The next message tries it again.
            self.shared.state().is_running = false;
            log::warn!("cannot start the thread that sends notifications: {error}");
        }
    }

    /// Waits until all messages are confirmed, for at most `limit`; no longer at all after a wait without success. Logs how
    /// many are not.
    pub async fn flush(&self, limit: Duration) {
        let was_given_up = self.shared.state().was_given_up;
        let limit = if was_given_up { Duration::ZERO } else { limit };
        if tokio::time::timeout(limit, self.shared.drained())
            .await
            .is_ok()
        {
            return;
        }
        let mut state = self.shared.state();
        let unsent = state.waiting.len() + state.sending;
        if unsent == 0 || std::mem::replace(&mut state.was_given_up, true) {
            return;
        }
        let why = state.failure.clone();
        drop(state);
        let why = why.unwrap_or_else(|| "the broker has not confirmed them".to_string());
        log::warn!("{} not sent: {why}", counted(unsent));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no message waits, and none is being sent.
    async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            let is_drained = {
                let state = self.state();
                state.waiting.is_empty() && state.sending == 0
            };
            if is_drained {
                return;
            }
            idle.await;
        }
    }

    /// Waits for messages, and takes some; None when the publisher is gone and no message is left.
    async fn take(&self) -> Option<VecDeque<Message>> {
        loop {
            {
                let mut state = self.state();
                let count = state.waiting.len().min(BATCH);
                if count > 0 {
                    let batch: VecDeque<Message> = state.waiting.drain(..count).collect();
                    state.bytes -= batch
                        .iter()
                        .map(|message| message.body.len())
                        .sum::<usize>();
                    state.sending = count;
                    return Some(batch);
                }
                if state.is_closed {
                    return None;
                }
            }
            self.work.notified().await;
        }
    }

    /// Waits for `pause`, or until the publisher is gone.
    async fn pause(&self, pause: Duration) {
        let closed = async {
            while !self.state().is_closed {
                self.work.notified().await;
            }
        };
        let _ = tokio::time::timeout(pause, closed).await;
    }

    /// Records how many messages of a batch are left.
    fn has_left(&self, count: usize) {
        self.state().sending = count;
        if count == 0 {
            self.idle.notify_waiters();
        }
    }

    /// Records that the broker cannot be reached. Logs it once.
    fn has_failed(&self, error: &Error) {
        let message = error.message().to_string();
        let before = self.state().failure.replace(message);
        if before.is_none() {
            log::warn!("notifications wait: {}", error.message());
        }
    }

    /// Records that the broker accepts messages.
    fn has_succeeded(&self, name: &str) {
        let mut state = self.state();
        let dropped = std::mem::take(&mut state.dropped);
        let had_failed = state.failure.take().is_some();
        drop(state);
        if dropped > 0 {
            log::warn!("{} dropped: the queue was full", counted(dropped));
        }
        if had_failed {
            log::info!("notifications are sent again, to {name}");
        }
    }
}

/// Returns a number of notifications as text.
fn counted(count: impl TryInto<u64>) -> String {
    match count.try_into().unwrap_or(u64::MAX) {
        1 => "1 notification".to_string(),
        count => format!("{count} notifications"),
    }
}

/// Starts the thread.
fn start(shared: Arc<Shared>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new().name("notifications".to_string());
    let work = move || {
        runtime.block_on(Thread::new(shared).run());
        // A lookup of a name may still be running.
        runtime.shutdown_background();
    };
    thread.spawn(work).map(drop)
}

/// The work of the thread.
struct Thread {
    shared: Arc<Shared>,
    session: Option<Session>,
    /// The index of the host to try first.
    first: usize,
}

impl Thread {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            session: None,
            first: 0,
        }
    }

    /// Sends messages until the publisher is gone.
    async fn run(mut self) {
        while let Some(batch) = self.shared.take().await {
            self.deliver(batch).await;
            self.shared.has_left(0);
        }
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// Sends a batch, again and again.
    async fn deliver(&mut self, mut batch: VecDeque<Message>) {
        let broker = self.shared.broker.clone();
        let mut pause = broker.reconnection.first;
        let mut failures = 0;
        while !batch.is_empty() {
            let was_connected = self.session.is_some();
            let error = match self.attempt(&broker, &mut batch).await {
                Ok(()) => continue,
                Err(error) => error,
            };
            self.session = None;
            self.shared.has_left(batch.len());
            self.shared.has_failed(&error);
            failures += 1;
            if broker.retries.is_some_and(|retries| failures > retries) {
                log::warn!("{} dropped: {}", counted(batch.len()), error.message());
                return;
            }
            // A lost connection is made again at once.
            if !was_connected {
                self.shared.pause(pause).await;
                pause = (pause + broker.reconnection.step).min(broker.reconnection.longest);
            }
            let mut state = self.shared.state();
            if state.is_closed {
                state.waiting.clear();
                return;
            }
        }
    }

    /// Connects if there is no connection, and sends what is left of the batch.
    async fn attempt(&mut self, broker: &Broker, batch: &mut VecDeque<Message>) -> Result<()> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(connect(broker, &mut self.first).await?),
        };
        let refused = session.publish(batch).await?;
        self.shared.has_succeeded(session.name());
        if refused > 0 {
            log::warn!(
                "the broker has refused {}: a queue is full",
                counted(refused)
            );
        }
        Ok(())
    }
}

/// Connects to the host that responds first. Each is tried a moment after the one before it. After a failure, the next
/// attempt begins with the next host.
async fn connect(broker: &Broker, first: &mut usize) -> Result<Session> {
    let tls = match &broker.tls {
        Some(tls) => Some(Arc::new(tls_config(tls)?)),
        None => None,
    };
    let count = broker.hosts.len();
    let begun = (0..count).map(|number| {
        let index = (*first + number) % count;
        let (host, tls) = (&broker.hosts[index], tls.clone());
        let begin = NEXT_HOST.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        async move {
            tokio::time::sleep(begin).await;
            Link::connect(host, tls).await.map(|link| (index, link))
        }
        .boxed()
    });
    let (index, link) = select_ok(begun).await?.0;
    *first = (index + 1) % count;
    Session::open(broker, &broker.hosts[index], link).await
}

fn tls_config(tls: &crate::config::Tls) -> Result<ClientConfig> {
    client_config(tls).map_err(|error| {
        let failed = Error::failed(format!("the TLS of the broker: {error}"));
        match error.into_source() {
            Some(source) => failed.because(source),
            None => failed,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::{BrokerHost, LoginMethod, QueueKind, Reconnection, Secret};

    /// A publisher to a port on which nothing listens.
    fn publisher(retries: Option<u64>) -> Publisher {
        let pause = Duration::from_millis(10);
        Publisher::new(Broker {
            hosts: vec![BrokerHost {
                host: "127.0.0.1".to_string(),
                port: 1,
                user: String::new(),
                password: Secret::new(""),
            }],
            virtual_host: "/".to_string(),
            exchange: "e".to_string(),
            login: LoginMethod::Plain,
            tls: None,
            durable: false,
            auto_delete: false,
            queues: QueueKind::Classic,
            heartbeat: 0,
            retries,
            reconnection: Reconnection {
                first: pause,
                step: pause,
                longest: pause,
            },
        })
    }

    fn message(size: usize) -> Message {
        Message {
            routing_key: "k".to_string(),
            body: vec![0; size],
        }
    }

    /// Waits for the end of the queue, and returns how long that took.
    fn flush(publisher: &Publisher, limit: Duration) -> Duration {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let began = Instant::now();
        runtime.unwrap().block_on(publisher.flush(limit));
        began.elapsed()
    }

    #[test]
    fn what_does_not_fit_is_dropped_without_a_wait() {
        for (count, size) in [(MAX_MESSAGES + 200, 1), (100, MAX_BYTES / 20)] {
            let publisher = publisher(None);
            let began = Instant::now();
            for _ in 0..count {
                publisher.send(message(size));
            }
            assert!(began.elapsed() < Duration::from_secs(5));
            let state = publisher.shared.state();
            let kept = state.waiting.len() + state.sending;
            assert_eq!(u64::try_from(count - kept).unwrap(), state.dropped);
            assert!(state.dropped > 0 && state.bytes <= MAX_BYTES);
        }
    }

    #[test]
    fn a_wait_without_success_is_not_repeated() {
        let publisher = publisher(None);
        let none = flush(&publisher, Duration::from_secs(10));
        publisher.send(message(1));
        let limit = Duration::from_millis(200);
        let first = flush(&publisher, limit);
        let second = flush(&publisher, Duration::from_secs(10));
        assert!(none < limit && first >= limit && second < limit);
        let failure = publisher.shared.state().failure.clone().unwrap();
        assert!(
            failure.starts_with("cannot connect to 127.0.0.1:1: "),
            "{failure}"
        );
    }

    #[test]
    fn messages_are_dropped_after_the_retries() {
        let publisher = publisher(Some(2));
        publisher.send(message(1));
        assert!(flush(&publisher, Duration::from_secs(10)) < Duration::from_secs(5));
    }
}
