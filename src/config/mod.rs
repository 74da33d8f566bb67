//! Configuration: oslo.config files, the typed settings of the local engine, and the selection of the
//! deployment.
//!
//! [`ini`] parses a file, [`options`] is the one table of all options, and [`Settings`] is the result for
//! the engine. Nothing here reads the process environment: it is passed in as an [`Environment`].

mod cache;
mod cloud;
mod database;
mod deployment;
mod environment;
pub mod import;
pub mod ini;
mod logging;
mod mysql;
mod option_file;
pub mod options;
mod reader;
mod scrubber;
mod search;
mod secret;
mod setting;
mod settings;
mod stores;
mod values;

pub use cache::{CacheDriver, CacheSettings};
pub use cloud::{
    Address, Challenge, Cloud, CloudOptions, Federation, Field, Grant, Interface, Keystone, Login,
    Method, Named, Need, OptionNames, Prepared, Profile, Published, Reference, Scope, Tls,
    TlsVersion, Trust, fields, root_of,
};
pub use database::Database;
pub use deployment::{
    Deployment, DeploymentOptions, Place, choose_client_deployment, choose_deployment,
    platform_data_dir,
};
pub use environment::Environment;
pub use logging::LogSettings;
pub use mysql::{MysqlPool, MysqlServer, MysqlTls, MysqlTlsMode};
pub use scrubber::ScrubberSettings;
pub use search::{ConfigSource, complete_sources};
pub use secret::Secret;
pub use setting::Setting;
pub use settings::{Exposure, Formats, Limits, ProjectLimits, Registration, Settings};
pub use stores::{DataDirectory, FileStore, HttpStore, Store, StoreKind, Stores, schemes};
