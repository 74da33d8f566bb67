//! Why a deployment is used.

/// The reason why a deployment is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An option on the command line.
    Option,
    /// An environment variable.
    Variable(&'static str),
    /// The only cloud in `clouds.yaml`.
    OnlyCloud {
        /// The name of the cloud.
        name: String,
        /// The paths of the files that describe it, for messages.
        files: String,
    },
    /// The preferences of the user, in this file.
    Preferences(String),
    /// Nothing. The user's own data directory is the default.
    Default,
}
