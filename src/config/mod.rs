//! Configuration: oslo.config files, the typed settings of the local engine, and the selection of the
//! deployment.
//!
//! [`oslo::ini`] parses a file, [`oslo::options`] is the one table of all options, and [`Settings`] is the result for
//! the engine. Nothing here reads the process environment: it is passed in as an [`Environment`].

mod cloud;
mod deployment;
mod environment;
pub mod oslo;
pub mod preferences;
mod reason;
mod secret;
pub mod settings;
pub(crate) mod yaml;

pub use cloud::{
    Address, Challenge, Cloud, CloudOptions, Federation, Field, Grant, Interface, Keystone, Login,
    Method, Named, Need, OptionNames, Prepared, Profile, Published, Reference, Scope, Tls,
    TlsVersion, Trust, cloud_names, fields, keystone_of, root_of,
};
pub use deployment::{
    Deployment, DeploymentOptions, Place, choose_client_deployment, choose_deployment,
    platform_data_dir,
};
pub use environment::Environment;
pub use oslo::search::{ConfigSource, complete_sources};
pub use preferences::Preferences;
pub use reason::Reason;
pub use secret::Secret;
pub use settings::{
    Addressing, Broker, BrokerHost, CacheDriver, CacheSettings, CorsOrigin, DataDirectory,
    Database, Exposure, FileStore, Flavor, Formats, HttpStore, IdentityKind, KeystoneLogin,
    KeystoneSettings, LimitedEndpoint, Limits, LogSettings, LoginMethod, MysqlPool, MysqlServer,
    MysqlTls, MysqlTlsMode, NotificationDriver, NotificationSettings, PolicySettings,
    ProjectLimits, ProtectionFormat, ProtectionSettings, QueueKind, RbdStore, Reconnection,
    Registration, S3Store, ScrubberSettings, ServerSettings, ServerTls, Setting, Settings, Store,
    StoreKind, Stores, SwiftAccount, SwiftAuth, SwiftLogin, SwiftReference, SwiftService,
    SwiftStore, UnifiedLimits, is_data_dir, is_host_label, schemes,
};
