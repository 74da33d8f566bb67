//! Images, servers and options that attack, and processes at their limits.

mod foreign_options;
mod images;
mod limits;
mod server;
pub mod tls;
