//! The HTTP client of the library: connections, TLS, redirects, retries, limits, and the reasons of
//! failures.
//!
//! Its users differ in the values of their [`Options`]. Nothing here depends on an image service, a command
//! or an option of a program: a [`Failure`] has a typed [`Reason`], which the caller turns into a message.

mod ciphers;
mod client;
mod guard;
mod message;
mod pace;
mod proxies;
mod reason;
pub mod redirect;
mod resolve;
pub mod retry;
mod setup;
mod tls;
mod upload;
mod wire;

pub use client::{CONNECT_TIMEOUT, Client, Listener, Observer, Options, Timer, Timing};
pub use guard::Guard;
pub use message::{Request, Response, StreamingResponse};
pub use proxies::Proxies;
pub use reason::{Failure, Reason, TlsReason};
pub use setup::SetupError;
pub use tls::client_config;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
