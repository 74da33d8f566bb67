//! Limits on the usage of projects.
//!
//! There are two kinds of limits, as in the reference implementation: `user_storage_quota` in bytes, and four
//! limits that are in Keystone, for requests to the service, or else in the section `[local_limits]`. These four apply to the
//! caller's project, and may be exceeded by an upload of unknown size.
//!
//! *Source:* `glance/quota/keystone.py` and `check_quota` in `glance/api/common.py` of the reference
//! implementation.

mod limits;
mod unified;

pub use limits::{ConfiguredLimits, Limits};
pub use unified::KeystoneLimits;

use super::Local;
use super::catalog::{Transaction, UsageCounts};
use crate::config::ProjectLimits;
use crate::service::Usage;
use crate::{Error, Operation, Result};

/// The number of bytes in the unit of size limits.
const MIB: u64 = 1024 * 1024;

/// A limited resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quota {
    /// The size of stored data in MiB; each copy counts.
    Size,
    /// The size of staged data in MiB.
    Stage,
    /// The number of images.
    Count,
    /// The number of images that are being uploaded.
    Uploading,
}

impl Quota {
    const ALL: [Self; 4] = [Self::Size, Self::Stage, Self::Count, Self::Uploading];

    const fn name(self) -> &'static str {
        match self {
            Self::Size => "image_size_total",
            Self::Stage => "image_stage_total",
            Self::Count => "image_count_total",
            Self::Uploading => "image_count_uploading",
        }
    }

    /// Returns the limit; None if unlimited.
    const fn limit(self, limits: ProjectLimits) -> Option<u64> {
        match self {
            Self::Size => limits.size_total,
            Self::Stage => limits.stage_total,
            Self::Count => limits.count_total,
            Self::Uploading => limits.count_uploading,
        }
    }

    /// Returns the current usage.
    fn used(self, counts: &UsageCounts) -> u64 {
        let used = match self {
            Self::Size => counts.bytes,
            Self::Stage => counts.staged_bytes,
            Self::Count => counts.images,
            Self::Uploading => counts.uploading,
        };
        let used = u64::try_from(used).unwrap_or(0);
        match self {
            Self::Size | Self::Stage => used / MIB,
            Self::Count | Self::Uploading => used,
        }
    }
}

impl Local {
    /// Returns the quotas of the caller's project.
    pub(super) async fn quotas(&self) -> Result<Vec<Usage>> {
        let counts = self.catalog.usage(&self.caller.project).await?;
        let limits = self.project_limits().await?;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let usage = |quota: Quota| Usage {
            quota: quota.name().to_string(),
            limit: quota.limit(limits).map_or(-1, whole),
            usage: whole(quota.used(&counts)),
        };
        Ok(Quota::ALL.map(usage).into())
    }

    /// Returns the limits of the caller's project. They may be those of Keystone, so this MUST NOT be called in a
    /// transaction.
    ///
    /// # Errors
    /// Errors of [`Limits::limits_of`].
    pub(super) async fn project_limits(&self) -> Result<ProjectLimits> {
        let unified = if self.is_for_request() {
            self.unified_limits.get()?.as_ref()
        } else {
            None
        };
        let limits = unified.unwrap_or(&self.limits);
        limits.limits_of(&self.caller.project).await
    }

    /// Checks the limit of images. MUST be called before a new image is recorded.
    pub(super) async fn check_count(
        &self,
        transaction: &Transaction,
        limits: ProjectLimits,
    ) -> Result<()> {
        self.check(Some(transaction), limits, Quota::Count, 1).await
    }

    /// Checks the limit of uploads. MUST be called after a new upload is recorded.
    pub(super) async fn check_uploading(
        &self,
        transaction: &Transaction,
        limits: ProjectLimits,
    ) -> Result<()> {
        self.check(Some(transaction), limits, Quota::Uploading, 0)
            .await
    }

    /// Checks that `bytes` more may be stored; 0 if the size is unknown.
    pub(super) async fn check_size(&self, limits: ProjectLimits, bytes: u64) -> Result<()> {
        self.check(None, limits, Quota::Size, bytes / MIB).await
    }

    /// Checks that `bytes` more may be staged; 0 if the size is unknown.
    pub(super) async fn check_staging(&self, limits: ProjectLimits, bytes: u64) -> Result<()> {
        self.check(None, limits, Quota::Stage, bytes / MIB).await
    }

    /// Returns an error if `delta` more of a resource would exceed its limit. Reads no usage if there is no limit.
    async fn check(
        &self,
        on: Option<&Transaction>,
        limits: ProjectLimits,
        quota: Quota,
        delta: u64,
    ) -> Result<()> {
        let project = &self.caller.project;
        let Some(limit) = quota.limit(limits) else {
            return Ok(());
        };
        let counts = match on {
            Some(transaction) => transaction.usage(project).await?,
            None => self.catalog.usage(project).await?,
        };
        let used = quota.used(&counts);
        if used.saturating_add(delta) <= limit {
            return Ok(());
        }
        Err(Error::too_large(format!(
            "Project {project} is over a limit for [Resource {} is over limit of {limit} due to current \
             usage {used} and delta {delta}]",
            quota.name()
        ))
        .hint(Operation::ShowUsage)
        .hint("The limits are set in the section [local_limits] of the configuration."))
    }

    /// Checks that `owner` may store `bytes` more by `user_storage_quota`.
    pub(super) async fn check_storage(&self, owner: Option<&str>, bytes: u64) -> Result<()> {
        match self.storage_left(owner).await? {
            Some(left) if bytes > left => Err(Error::too_large(format!(
                "The size of the data {bytes} will exceed the limit. {left} bytes remaining."
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the maximum size of the data of an image of `owner`.
    pub(super) async fn room(&self, owner: Option<&str>) -> Result<Cap> {
        let one = Cap {
            bytes: self.settings.limits.image_size.copied()?,
            option: "image_size_cap",
        };
        let all = self.storage_left(owner).await?.map(|bytes| Cap {
            bytes,
            option: "user_storage_quota",
        });
        Ok(all.filter(|all| all.bytes < one.bytes).unwrap_or(one))
    }

    /// Returns the number of bytes that `user_storage_quota` leaves to `owner`; None if unlimited.
    async fn storage_left(&self, owner: Option<&str>) -> Result<Option<u64>> {
        let (Some(all), Some(owner)) = (self.settings.limits.project_storage.copied()?, owner)
        else {
            return Ok(None);
        };
        let used = u64::try_from(self.catalog.usage(owner).await?.bytes).unwrap_or(0);
        Ok(Some(all.saturating_sub(used)))
    }
}

/// The maximum size of an upload, and the option that sets it.
#[derive(Clone, Copy)]
pub(super) struct Cap {
    /// The size in bytes.
    pub(super) bytes: u64,
    /// The option that sets the limit.
    pub(super) option: &'static str,
}

impl Cap {
    /// Returns the error for data beyond this limit.
    pub(super) fn exceeded(self) -> Error {
        Error::too_large(format!(
            "The incoming image is too large: more than the {} bytes that {} allows",
            self.bytes, self.option
        ))
    }

    /// Returns a function that counts bytes, and fails when they exceed the limit.
    pub(super) fn counter(self) -> impl FnMut(&[u8]) -> Result<()> {
        let mut seen = 0_u64;
        move |bytes| {
            seen += bytes.len() as u64;
            if seen > self.bytes {
                return Err(self.exceeded());
            }
            Ok(())
        }
    }
}
