//! Image locations: `glance location-*` and `glance add-location`.

use serde_json::{Map, Value};

use super::views;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::run::session::Session;
use crate::model::{Location, MultiHash, ValidationData};
use crate::ops::{Outcome, locations};
use crate::output::View;
use crate::{Error, Result};

/// Add a location to a queued image (new location API).
#[derive(Debug, Clone, clap::Args)]
pub struct AddLocation {
    /// ID of the image.
    pub image_id: String,
    /// URL of the data.
    #[arg(long)]
    pub url: String,
    /// Expected hash: JSON object with os_hash_algo and os_hash_value.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub validation_data: String,
}

impl Leaf<Session> for AddLocation {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let expected = expected_hash(&self.validation_data)?;
        let service = session.service().await?;
        let image =
            locations::register(service, &self.image_id, &self.url, expected.as_ref()).await?;
        Ok(Outcome::from(View::Record(views::image(&image, false))))
    }
}

/// Hash algorithms accepted for a location.
const HASHES: [&str; 4] = ["sha512", "sha256", "sha1", "md5"];

/// Parses the expected hash from `--validation-data`.
fn expected_hash(text: &str) -> Result<Option<MultiHash>> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else {
        return Err(Error::failed("validation-data is not a valid JSON object."));
    };
    if members.is_empty() {
        return Ok(None);
    }
    let mut take = |name: &str| members.shift_remove(name);
    let (algorithm, value) = (take("os_hash_algo"), take("os_hash_value"));
    if !members.is_empty() {
        let others: Vec<String> = members.keys().map(|name| format!("`{name}`")).collect();
        return Err(Error::failed(format!(
            "Validation Data should contain only os_hash_algo and os_hash_value. {} is not allowed",
            others.join(", ")
        )));
    }
    let text = |name: &str, value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Error::failed(format!(
            "Validation Data should contain os_hash_algo and os_hash_value: {name} must be a string"
        ))),
    };
    let algorithm = text("os_hash_algo", algorithm)?;
    if !HASHES.contains(&algorithm.as_str()) {
        let allowed = HASHES.map(|name| format!("'{name}'")).join(", ");
        return Err(Error::failed(format!(
            "os_hash_algo: `{algorithm}` is incorrect, allowed hashing algorithms: [{allowed}]"
        )));
    }
    let value = text("os_hash_value", value)?;
    Ok(Some(MultiHash { algorithm, value }))
}

/// Parses `--metadata`. Values other than objects are rejected in the service's wording.
fn metadata(text: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(metadata)) => Ok(metadata),
        Ok(other) => Err(Error::invalid(format!(
            "Provided object does not match schema 'image': {other} is not of type 'object'"
        ))),
        Err(_) => Err(Error::failed("Metadata is not a valid JSON object.")),
    }
}

/// Add a location to an image.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationAdd {
    /// ID of the image.
    pub image_id: String,
    /// URL of the data.
    #[arg(long)]
    pub url: String,
    /// Metadata of the location, as a JSON object.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub metadata: String,
    /// MD5 checksum of the data.
    #[arg(long, value_name = "STRING")]
    pub checksum: Option<String>,
    /// Hash algorithm of --hash-value.
    #[arg(long, value_name = "STRING")]
    pub hash_algo: Option<String>,
    /// Expected hash of the data.
    #[arg(long, value_name = "STRING")]
    pub hash_value: Option<String>,
}

impl Leaf<Session> for LocationAdd {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let location = Location {
            url: self.url,
            metadata: metadata(&self.metadata)?,
        };
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let validation = ValidationData {
            checksum: given(self.checksum),
            os_hash_algo: given(self.hash_algo),
            os_hash_value: given(self.hash_value),
        };
        let service = session.service().await?;
        let image = locations::add(service, &self.image_id, location, validation).await?;
        Ok(Outcome::from(View::Record(views::whole_image(&image))))
    }
}

/// Remove locations from an image.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationDelete {
    /// ID of the image.
    pub image_id: String,
    /// URL of a location to remove; may be repeated.
    #[arg(long = "url", value_name = "URL", required = true)]
    pub urls: Vec<String>,
}

impl Leaf<Session> for LocationDelete {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let service = session.service().await?;
        locations::delete(service, &self.image_id, &self.urls).await?;
        Ok(Outcome::nothing())
    }
}

/// Update the metadata of a location.
#[derive(Debug, Clone, clap::Args)]
pub struct LocationUpdate {
    /// ID of the image.
    pub image_id: String,
    /// URL of the location to update.
    #[arg(long)]
    pub url: String,
    /// New metadata of the location, as a JSON object.
    #[arg(long, value_name = "STRING", default_value = "{}")]
    pub metadata: String,
}

impl Leaf<Session> for LocationUpdate {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let metadata = metadata(&self.metadata)?;
        let emptied = metadata.is_empty();
        let service = session.service().await?;
        let image = locations::update(service, &self.image_id, &self.url, metadata).await?;
        let mut outcome = Outcome::from(View::Record(views::whole_image(&image)));
        if emptied {
            let warning = "The location's metadata were updated to an empty JSON object.";
            outcome.notices.push(warning.to_string());
        }
        Ok(outcome)
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[
    Row::of::<AddLocation>(
        "add-location",
        "Add a location to a queued image (new location API)",
        Output::Plain,
    ),
    Row::of::<LocationAdd>("location-add", "Add a location to an image", Output::Plain),
    Row::of::<LocationDelete>(
        "location-delete",
        "Remove locations from an image",
        Output::Plain,
    ),
    Row::of::<LocationUpdate>(
        "location-update",
        "Update the metadata of a location",
        Output::Plain,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_data_are_two_texts_or_nothing() {
        assert_eq!(expected_hash("{}").unwrap(), None);
        let hash = expected_hash(r#"{"os_hash_value": "ab", "os_hash_algo": "md5"}"#).unwrap();
        assert_eq!(hash.unwrap().algorithm, "md5");
        for (text, message) in [
            ("x", "is not a valid JSON object"),
            ("[]", "is not a valid JSON object"),
            (r#"{"size": 3, "x": 1}"#, "`size`, `x` is not allowed"),
            (
                r#"{"os_hash_algo": "crc", "os_hash_value": "1"}"#,
                "`crc` is incorrect",
            ),
            (r#"{"os_hash_value": "1"}"#, "os_hash_algo must be a string"),
            (
                r#"{"os_hash_algo": "md5", "os_hash_value": 1}"#,
                "os_hash_value must be a string",
            ),
        ] {
            let error = expected_hash(text).unwrap_err();
            assert!(error.message().contains(message), "{error}");
        }
    }
}
