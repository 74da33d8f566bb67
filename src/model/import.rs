//! Ways for the data of an image to get in that are not an upload.

/// The property that an image bears while a task imports its data: the task's id. Nobody else may import
/// meanwhile.
pub const LOCK: &str = "os_glance_import_task";

/// The property that lists the stores that an import has still to fill, separated by commas.
pub const TO_GO: &str = "os_glance_importing_to_stores";

/// What precedes, in the message of a task that succeeded, the stores that did not take the data, each with the
/// reason.
pub const NOT_INTO: &str = "; not imported into ";

/// The property that lists the stores in which an import failed, separated by commas.
pub const FAILED: &str = "os_glance_failed_import";

/// How the data gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportMethod {
    /// It was staged.
    GlanceDirect,
    /// From a web server.
    WebDownload {
        /// Address, http or https.
        uri: String,
    },
    /// From the store that has it into others.
    CopyImage,
    /// From the image service of another region.
    GlanceDownload(Elsewhere),
    /// One that this program does not know; the service may.
    Other(String),
}

/// An image of another region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The region.
    pub region: String,
    /// Id of the image there.
    pub image_id: String,
    /// Interface of the image service there: `public`, `internal`, `admin`; None: as the service thinks.
    pub interface: Option<String>,
}

impl ImportMethod {
    /// The methods that the reference implementation has.
    pub const USUAL: [&str; 4] = [
        "glance-direct",
        "web-download",
        "copy-image",
        "glance-download",
    ];

    /// The API's word for it.
    pub fn name(&self) -> &str {
        match self {
            Self::GlanceDirect => "glance-direct",
            Self::WebDownload { .. } => "web-download",
            Self::CopyImage => "copy-image",
            Self::GlanceDownload(_) => "glance-download",
            Self::Other(name) => name,
        }
    }
}

/// Where the data goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// Into the default store.
    #[default]
    Default,
    /// Into the store of this id.
    One(String),
    /// Into each of these stores.
    Several(Vec<String>),
    /// Into every store there is.
    All,
}

/// An import that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// How the data gets in.
    pub method: ImportMethod,
    /// Where it goes.
    pub to: Destination,
    /// Whether the import fails, and is undone, where any of several stores fails; None: as the service
    /// thinks, which is yes.
    pub all_must_succeed: Option<bool>,
}

impl Import {
    /// An import into the default store.
    pub fn new(method: ImportMethod) -> Self {
        Self {
            method,
            to: Destination::Default,
            all_must_succeed: None,
        }
    }

    /// The body of the API's request for it.
    ///
    /// *Source:* API reference, "Import an image".
    pub fn to_api(&self) -> serde_json::Value {
        let mut method = serde_json::Map::new();
        method.insert("name".to_string(), self.method.name().into());
        match &self.method {
            ImportMethod::WebDownload { uri } => {
                method.insert("uri".to_string(), uri.as_str().into());
            }
            ImportMethod::GlanceDownload(elsewhere) => {
                if let Some(interface) = &elsewhere.interface {
                    let interface = interface.as_str().into();
                    method.insert("glance_service_interface".to_string(), interface);
                }
                method.insert(
                    "glance_region".to_string(),
                    elsewhere.region.as_str().into(),
                );
                let image = elsewhere.image_id.as_str().into();
                method.insert("glance_image_id".to_string(), image);
            }
            _ => {}
        }
        let mut body = serde_json::Map::new();
        body.insert("method".to_string(), method.into());
        match &self.to {
            Destination::Default | Destination::One(_) => {}
            Destination::Several(stores) => {
                body.insert("stores".to_string(), stores.clone().into());
            }
            Destination::All => {
                body.insert("all_stores".to_string(), true.into());
            }
        }
        if let Some(must) = self.all_must_succeed {
            body.insert("all_stores_must_succeed".to_string(), must.into());
        }
        body.into()
    }
}
