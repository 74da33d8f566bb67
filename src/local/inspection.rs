//! The inspection of incoming data: the format inspectors with the configured policy.

use crate::config::Formats;
use crate::data::format::{Declared, Inspector, Policy, Refusal};
use crate::model::Image;
use crate::{Error, Result};

/// The inspection of one upload.
pub struct Inspection {
    inspector: Option<Inspector>,
    policy: Policy,
    disk_format: String,
    container_format: String,
}

impl Inspection {
    /// Creates an inspection of data for `image`, which MUST have its formats. With `allow_mismatch`, data that
    /// does not match `disk_format` is accepted.
    pub fn begin(image: &Image, formats: &Formats, allow_mismatch: bool) -> Self {
        let policy = Policy {
            require_image_format_match: formats.require_match,
            allow_mismatch,
            gpt_safety_checks_nonfatal: formats.gpt_checks_nonfatal.clone(),
            is_raw_exact: false,
        };
        let disk_format = image.disk_format.clone().unwrap_or_default();
        let container_format = image.container_format.clone().unwrap_or_default();
        let mut inspection = Self {
            inspector: None,
            policy,
            disk_format,
            container_format,
        };
        inspection.inspector = inspection.declared().is_inspected().then(Inspector::new);
        inspection
    }

    /// Creates an inspection of data that another program will read as `disk_format`. The data is inspected
    /// regardless of its container format and of permitted mismatches. Raw data may have no signature but that of a
    /// partition table.
    pub fn for_conversion(disk_format: &str, formats: &Formats) -> Self {
        Self {
            inspector: Some(Inspector::new()),
            policy: Policy {
                require_image_format_match: true,
                allow_mismatch: false,
                gpt_safety_checks_nonfatal: formats.gpt_checks_nonfatal.clone(),
                is_raw_exact: true,
            },
            disk_format: disk_format.to_string(),
            container_format: "bare".to_string(),
        }
    }

    fn declared(&self) -> Declared<'_> {
        Declared {
            disk_format: &self.disk_format,
            container_format: &self.container_format,
        }
    }

    /// Inspects the next bytes. Fails as soon as the data is certainly refused.
    pub fn look(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(inspector) = &mut self.inspector else {
            return Ok(());
        };
        inspector.push(bytes);
        let declared = Declared {
            disk_format: &self.disk_format,
            container_format: &self.container_format,
        };
        match self.policy.refuse_early(declared, inspector) {
            Some(refusal) => Err(refused(refusal)),
            None => Ok(()),
        }
    }

    /// Ends the inspection, and returns the virtual size in bytes to record.
    ///
    /// # Errors
    /// `UnsupportedMedia` if the data may not be stored.
    pub fn finish(&mut self) -> Result<Option<u64>> {
        let Some(inspector) = self.inspector.take() else {
            return Ok(None);
        };
        let accepted = self
            .policy
            .decide(self.declared(), &inspector.finish())
            .map_err(refused)?;
        Ok(accepted.virtual_size)
    }
}

fn refused(refusal: Refusal) -> Error {
    Error::unsupported_media(refusal.message)
}
