//! Imports: all ways to store data in an image except uploads.

/// The property with the URL of the service whose host has the staged data of an image.
pub const STAGE_HOST: &str = "os_glance_stage_host";

/// The property of an image whose data is being imported: the task's ID. It is a lock against other
/// imports.
pub const LOCK: &str = "os_glance_import_task";

/// The property that lists the remaining stores of an import, separated by commas.
pub const TO_GO: &str = "os_glance_importing_to_stores";

/// The separator in the message of a successful task before the stores that did not accept the data, each
/// with the reason.
pub const NOT_INTO: &str = "; not imported into ";

/// The property that lists the stores in which an import failed, separated by commas.
pub const FAILED: &str = "os_glance_failed_import";

/// The method of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportMethod {
    /// From staged data.
    GlanceDirect,
    /// From a web server.
    WebDownload {
        /// The address, http or https.
        uri: String,
    },
    /// From a store that has the data into others.
    CopyImage,
    /// From the image service of another region.
    GlanceDownload(Elsewhere),
    /// A method that this program does not know; the service may.
    Other(String),
}

/// An image of another region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The region.
    pub region: String,
    /// The ID of the image in that region.
    pub image_id: String,
    /// The interface of that region's image service: `public`, `internal`, `admin`; None: the service's
    /// default.
    pub interface: Option<String>,
}

impl ImportMethod {
    /// The methods of the reference implementation.
    pub const USUAL: [&str; 4] = [
        "glance-direct",
        "web-download",
        "copy-image",
        "glance-download",
    ];

    /// Returns the name in the API.
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

/// The target stores of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// The default store.
    #[default]
    Default,
    /// The store with this ID.
    One(String),
    /// Each of these stores.
    Several(Vec<String>),
    /// All stores.
    All,
}

/// A request for an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The method.
    pub method: ImportMethod,
    /// The target stores.
    pub to: Destination,
    /// Whether the import fails, and is undone, if any of several stores fails; None: the service's
    /// default, which is true.
    pub all_must_succeed: Option<bool>,
}

impl Import {
    /// Creates an import into the default store.
    pub fn new(method: ImportMethod) -> Self {
        Self {
            method,
            to: Destination::Default,
            all_must_succeed: None,
        }
    }

    /// Returns the body of the API's request.
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
