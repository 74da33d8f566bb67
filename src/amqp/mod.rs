//! Messages to a broker that speaks AMQP 0-9-1, such as RabbitMQ.
//!
//! A [`Publisher`] has a bounded queue in memory, and never waits for the broker. Its thread has one connection: it is made
//! at the first message, to one of the hosts, and again after each failure, with growing pauses. A message is removed from
//! the queue when the broker has confirmed it, so one whose confirmation was lost is sent twice. Nothing here knows what a
//! message is about.

mod link;
mod publisher;
mod session;

pub use publisher::{Message, Publisher};
