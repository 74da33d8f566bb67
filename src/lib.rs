//! The operator's toolkit for OpenStack images: the Images API v2 on local storage and on any cloud, and the command-line
//! programs that use it.
//!
//! # Map
//! The modules are floors of a house. Imports only go down, from the programs to the error type:
//!
//! | floor | module | what it holds |
//! |---|---|---|
//! | programs | [`cli`] | command lines of both grammars, help, options, signals; the only place that knows clap |
//! | operations | [`ops`] | what a command does, once for both grammars |
//! | output | [`output`] | tables, records, JSON, YAML, CSV and shell text |
//! | services | [`local`] | the Images API on a database and stores, without a server |
//! | | [`remote`] | the Images API of a cloud, through Keystone and Glance |
//! | interface | [`service`] | the Images API as traits that [`local`] and [`remote`] implement and [`ops`] uses |
//! | identity | [`keystone`] | Keystone's logins and catalogues, for [`remote`] and for stores |
//! | HTTP | [`http`] | the one HTTP client: TLS, redirects, retries, limits |
//! | configuration | [`config`] | oslo.config files, typed settings, `clouds.yaml` |
//! | bytes | [`data`] | reading, hashing, inspecting and writing image data |
//! | types | [`model`] | images, members, tasks, stores, queries: plain types |
//! | error | [`error`] | the error type, and what each kind means as HTTP status and exit code |
//!
//! A resource has the same file name on every floor: `members.rs` is the trait, the engine's part, the client's part, the
//! operation and the arguments. `ARCHITECTURE.md` explains the mechanisms.
//!
//! # Example
//! A data directory is created when it is first opened. The engine is opened once and shared; each caller has a view of
//! its own, and sees and changes what the caller's project and role allow.
//!
//! ```
//! use futures_util::TryStreamExt;
//! use glance_tools::config::Settings;
//! use glance_tools::local::Engine;
//! use glance_tools::model::{Caller, ImageQuery, NewImage};
//! use glance_tools::service::Images;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> glance_tools::Result<()> {
//! # let temporary = tempfile::tempdir().expect("a temporary directory");
//! # let directory = temporary.path();
//! let engine = Engine::open(Settings::for_data_dir(directory)?).await?;
//! let local = engine.act_as(Caller::parse("demo:member")?);
//!
//! let mut new = NewImage::default();
//! new.set("name", "debian-12");
//! let created = local.create_image(new).await?;
//!
//! let images = local.list_images(ImageQuery::default()).try_concat().await?;
//! assert_eq!(images.len(), 1);
//! assert_eq!(images[0].id, created.id);
//!
//! let stranger = engine.act_as(Caller::parse("other:member")?);
//! assert!(stranger.get_image(&created.id).await.is_err());
//! engine.close().await?;
//! # Ok(())
//! # }
//! ```

// The layout of the deepest future, in an optimized build.
#![recursion_limit = "256"]

pub mod amqp;
pub mod cli;
pub mod config;
pub mod data;
pub mod error;
pub mod http;
pub mod keystone;
pub mod local;
pub mod model;
pub mod ops;
pub mod output;
pub mod remote;
pub mod server;
pub mod service;

pub use error::{Error, ErrorKind, Hint, Operation, Parameter, Result};
