//! What projects may use.
//!
//! Two kinds of limits, as in the reference implementation: `user_storage_quota`, bytes in stores; and the
//! four that its operators keep in Keystone, and ours in the section `[local_limits]`. The latter are counted
//! for the caller's project, and are soft where the size of what comes is not known beforehand.
//!
//! *Source:* `glance/quota/keystone.py` and `check_quota` in `glance/api/common.py` of the reference
//! implementation.

mod limits;

pub use limits::{ConfiguredLimits, Limits};

use super::Local;
use super::catalog::{Transaction, UsageCounts};
use crate::config::ProjectLimits;
use crate::service::Usage;
use crate::{Error, Operation, Result};

/// Bytes in the unit of limits of sizes.
const MIB: u64 = 1024 * 1024;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quota {
    /// MiB in stores, each copy counted.
    Size,
    /// MiB that wait to be imported.
    Stage,
    /// Images.
    Count,
    /// Images whose data is on its way.
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

    /// The most that may be used; None is no limit.
    const fn limit(self, limits: ProjectLimits) -> Option<u64> {
        match self {
            Self::Size => limits.size_total,
            Self::Stage => limits.stage_total,
            Self::Count => limits.count_total,
            Self::Uploading => limits.count_uploading,
        }
    }

    /// What is used.
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
    /// The quotas of the caller's project.
    pub(super) async fn quotas(&self) -> Result<Vec<Usage>> {
        let counts = self.catalog.usage(&self.caller.project).await?;
        let limits = self.limits.limits_of(&self.caller.project).await?;
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let usage = |quota: Quota| Usage {
            quota: quota.name().to_string(),
            limit: quota.limit(limits).map_or(-1, whole),
            usage: whole(quota.used(&counts)),
        };
        Ok(Quota::ALL.map(usage).into())
    }

    /// Is there room for one more image? Asked before it is recorded.
    pub(super) async fn check_count(&self, transaction: &Transaction) -> Result<()> {
        self.check(Some(transaction), Quota::Count, 1).await
    }

    /// Is there room for one more upload? Asked when it has been recorded.
    pub(super) async fn check_uploading(&self, transaction: &Transaction) -> Result<()> {
        self.check(Some(transaction), Quota::Uploading, 0).await
    }

    /// Is there room for `bytes` more in stores? 0 where it is not known how many come.
    pub(super) async fn check_size(&self, bytes: u64) -> Result<()> {
        self.check(None, Quota::Size, bytes / MIB).await
    }

    /// Is there room for `bytes` more that wait to be imported? 0 where it is not known how many come.
    pub(super) async fn check_staging(&self, bytes: u64) -> Result<()> {
        self.check(None, Quota::Stage, bytes / MIB).await
    }

    /// Refuses `delta` more of what is limited. Nothing is counted where there is no limit.
    async fn check(&self, on: Option<&Transaction>, quota: Quota, delta: u64) -> Result<()> {
        let project = &self.caller.project;
        let Some(limit) = quota.limit(self.limits.limits_of(project).await?) else {
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
        .hint("The limits are in the section [local_limits] of the configuration."))
    }

    /// Is there room for `bytes` more of `owner` in stores, by `user_storage_quota`?
    pub(super) async fn check_storage(&self, owner: Option<&str>, bytes: u64) -> Result<()> {
        match self.storage_left(owner).await? {
            Some(left) if bytes > left => Err(Error::too_large(format!(
                "The size of the data {bytes} will exceed the limit. {left} bytes remaining."
            ))),
            _ => Ok(()),
        }
    }

    /// How much data an image of `owner` may still bring.
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

    /// Bytes that `user_storage_quota` leaves to `owner`; None where it is no limit.
    async fn storage_left(&self, owner: Option<&str>) -> Result<Option<u64>> {
        let (Some(all), Some(owner)) = (self.settings.limits.project_storage.copied()?, owner)
        else {
            return Ok(None);
        };
        let used = u64::try_from(self.catalog.usage(owner).await?.bytes).unwrap_or(0);
        Ok(Some(all.saturating_sub(used)))
    }
}

/// The most bytes that an upload may bring, and the option that says so.
#[derive(Clone, Copy)]
pub(super) struct Cap {
    /// Bytes.
    pub(super) bytes: u64,
    /// The option that sets the limit.
    pub(super) option: &'static str,
}

impl Cap {
    /// That there were more.
    pub(super) fn exceeded(self) -> Error {
        Error::too_large(format!(
            "The incoming image is too large: more than the {} bytes that {} leaves",
            self.bytes, self.option
        ))
    }

    /// Counts bytes as they go by, and fails when there are more.
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
