//! Hints: ways to resolve an error.

/// A way to resolve an error, independent of the program. The programs turn it into text, since only they know the
/// command or option for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// A sentence that names no program, command or option.
    Text(String),
    /// Try again with another value of a parameter.
    Give(Parameter),
    /// Use another operation.
    Use(Operation),
}

/// A value or a choice of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// The certificates to trust.
    CaCertificates,
    /// The certificate that a server requires, and its key.
    ClientCertificate,
    /// An older version of TLS.
    OlderTls,
    /// The time to wait for a response.
    Timeout,
    /// The cloud to use.
    Cloud,
    /// The local deployment, in place of a cloud.
    LocalDeployment,
    /// The service of a local deployment, in place of its files.
    Service,
    /// The directory of a local deployment.
    DataDirectory,
    /// The address of the image service.
    ImageServiceAddress,
    /// The address of Keystone.
    KeystoneAddress,
    /// The interface in the service catalogue.
    Interface,
    /// The region in the service catalogue.
    Region,
    /// The project to log in to.
    LoginProject,
    /// Several methods of one login, by their names.
    LoginMethods(Vec<String>),
    /// The address of the identity provider's discovery document.
    DiscoveryEndpoint,
    /// The address at which the identity provider issues tokens, or its discovery document.
    TokenEndpoint,
    /// The address at which the identity provider starts logins of devices, or its discovery document.
    DeviceEndpoint,
    /// The project that an operation is for.
    Project,
    /// The store to write to.
    Store,
    /// The store to read from.
    SourceStore,
    /// Verification by MD5 where the hash cannot be computed.
    Md5,
    /// Not to wait for the end of an import.
    NoWait,
    /// Not to back up a database.
    NoBackup,
}

/// An operation that helps. Images are given by their IDs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Show an image.
    ShowImage(String),
    /// Allow an image to be deleted.
    UnprotectImage(String),
    /// Allow a namespace of metadata definitions to be deleted, by its name.
    UnprotectNamespace(String),
    /// Make an image one that is shared with projects.
    ShareImage(String),
    /// Copy the data of an image to further stores.
    CopyImage(String),
    /// Undelete an image.
    RestoreImage(String),
    /// Import data into an image.
    ImportImage,
    /// List the tasks of an image.
    ListTasks(String),
    /// Add a location to an image.
    AddLocation,
    /// List the stores.
    ListStores,
    /// Show quotas and their usage.
    ShowUsage,
    /// Create or upgrade the schema of the database.
    SyncDatabase,
    /// Migrate the rows of the database.
    MigrateRows,
    /// Record the revision of the database's schema.
    RecordRevision,
    /// Report what pruning the cache would remove, on the host of the cache.
    PreviewPrune,
    /// Fetch the images that are queued for the cache.
    Prefetch,
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Parameter> for Hint {
    fn from(parameter: Parameter) -> Self {
        Self::Give(parameter)
    }
}

impl From<Operation> for Hint {
    fn from(operation: Operation) -> Self {
        Self::Use(operation)
    }
}
