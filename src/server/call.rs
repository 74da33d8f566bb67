//! A request as a handler sees it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::request::Parts;
use serde_json::Value;
use url::form_urlencoded;

use super::Server;
use crate::service::ImageService;
use crate::{Error, Result};

/// The maximum length of a body in memory, in bytes: properties of an image may have 8 MiB in all.
const BODY_LIMIT: usize = 16 << 20;

/// A request of an identified caller for a resource.
pub struct Call {
    /// The server.
    pub server: Arc<Server>,
    /// The service for the caller.
    pub service: Box<dyn ImageService>,
    /// The method, the address and the headers.
    pub parts: Parts,
    /// The parts of the path that the route names.
    pub parameters: Vec<(String, String)>,
    /// The body; empty once it was read.
    pub body: Body,
}

impl Call {
    /// Returns the part of the path with this name; empty for a name that the route does not have.
    pub fn parameter(&self, name: &str) -> &str {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// Returns the text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// Returns the parameters of the query, in their order.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.parts.uri.query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect()
    }

    /// Returns the declared length of the body.
    pub fn content_length(&self) -> Option<u64> {
        self.header(CONTENT_LENGTH.as_str())?.parse().ok()
    }

    /// Returns whether there is a body.
    pub fn has_body(&self) -> bool {
        self.parts.headers.contains_key(TRANSFER_ENCODING)
            || self.content_length().is_some_and(|length| length > 0)
    }

    /// Checks that there is no body.
    ///
    /// # Errors
    /// `Invalid` if there is one.
    pub fn refuse_body(&self) -> Result<()> {
        if self.has_body() {
            return Err(Error::invalid("A body is not expected with this request."));
        }
        Ok(())
    }

    /// Returns the media type of the body, without its parameters; empty if it is not declared.
    pub fn content_type(&self) -> &str {
        let text = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim()
    }

    /// Takes the body into memory.
    ///
    /// # Errors
    /// `Invalid` without a body; `TooLarge`; `ClosedPipe` if it is broken off.
    pub async fn bytes(&mut self) -> Result<Vec<u8>> {
        if !self.has_body() {
            return Err(Error::invalid("Body expected in request."));
        }
        let too_large = || Error::too_large(format!("The body is larger than {BODY_LIMIT} bytes."));
        if self
            .content_length()
            .is_some_and(|length| length > BODY_LIMIT as u64)
        {
            return Err(too_large());
        }
        let body = std::mem::take(&mut self.body);
        match to_bytes(body, BODY_LIMIT).await {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if is_limit(&error) => Err(too_large()),
            Err(error) => {
                Err(Error::invalid("The body of the request is incomplete.").because(error))
            }
        }
    }

    /// Reads the body as a JSON object or list.
    ///
    /// # Errors
    /// Those of [`Self::bytes`]; `Invalid` for anything else.
    pub async fn json(&mut self) -> Result<Value> {
        let bytes = self.bytes().await?;
        let value: Value = serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid("Malformed JSON in request body.").because(error))?;
        if !value.is_object() && !value.is_array() {
            return Err(Error::invalid("Unexpected body type. Expected list/dict."));
        }
        Ok(value)
    }
}

/// Returns whether a body was not read because it is longer than the limit.
fn is_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}
