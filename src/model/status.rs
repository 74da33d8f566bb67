//! The statuses of an image and the transitions between them; the only table of them.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The status of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageStatus {
    /// A record without data.
    Queued,
    /// Data is being written.
    Saving,
    /// Data is being staged for an import.
    Uploading,
    /// An import is in progress.
    Importing,
    /// The data is complete and can be downloaded.
    Active,
    /// The data is complete; only administrators can download it.
    Deactivated,
    /// An upload failed and cannot be repeated.
    Killed,
    /// Deleted; the data waits for the scrubber.
    PendingDelete,
    /// Deleted, including the data.
    Deleted,
}

use ImageStatus::{
    Active, Deactivated, Deleted, Importing, Killed, PendingDelete, Queued, Saving, Uploading,
};

impl ImageStatus {
    /// All statuses, in the API schema's order.
    pub const ALL: [Self; 9] = [
        Queued,
        Saving,
        Active,
        Killed,
        Deleted,
        Uploading,
        Importing,
        PendingDelete,
        Deactivated,
    ];

    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Queued => "queued",
            Saving => "saving",
            Uploading => "uploading",
            Importing => "importing",
            Active => "active",
            Deactivated => "deactivated",
            Killed => "killed",
            PendingDelete => "pending_delete",
            Deleted => "deleted",
        }
    }

    /// Returns the possible next statuses.
    ///
    /// *Source:* the reference implementation's `domain.Image.valid_state_targets`. In addition
    /// `active → queued` (the last location of an image was removed) and `deactivated → pending_delete`
    /// (delayed deletion of a deactivated image), which the reference implementation performs outside of
    /// that table, and `importing → uploading` (an import failed, and the staged data can still be
    /// imported).
    pub const fn targets(self) -> &'static [Self] {
        match self {
            Queued => &[Saving, Uploading, Importing, Active, Deleted],
            Saving => &[Active, Killed, Deleted, Queued],
            Uploading => &[Importing, Queued, Deleted],
            Importing => &[Active, Deleted, Queued, Uploading],
            Active => &[Queued, PendingDelete, Deleted, Deactivated],
            Deactivated => &[Active, Deleted, PendingDelete],
            Killed => &[Deleted],
            PendingDelete => &[Deleted, Active],
            Deleted => &[],
        }
    }

    /// Returns whether data of the image may be in the staging area.
    pub fn may_be_staged(self) -> bool {
        matches!(self, Uploading | Importing)
    }

    /// Returns whether a transition to `next` is possible.
    pub fn may_become(self, next: Self) -> bool {
        self.targets().contains(&next)
    }

    /// Returns whether a sequence of transitions leads to `end`.
    pub fn leads_to(self, end: Self) -> bool {
        let mut reached = vec![self];
        let mut index = 0;
        while let Some(status) = reached.get(index) {
            for next in status.targets() {
                if !reached.contains(next) {
                    reached.push(*next);
                }
            }
            index += 1;
        }
        reached.contains(&end)
    }
}

impl fmt::Display for ImageStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImageStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == text)
            .ok_or_else(|| Error::invalid(format!("Invalid image status '{text}' for image.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_edge_is_as_listed_and_no_other() {
        let legal = [
            "queued saving",
            "queued uploading",
            "queued importing",
            "queued active",
            "queued deleted",
            "saving active",
            "saving killed",
            "saving deleted",
            "saving queued",
            "uploading importing",
            "uploading queued",
            "uploading deleted",
            "importing active",
            "importing deleted",
            "importing queued",
            "importing uploading",
            "active queued",
            "active pending_delete",
            "active deleted",
            "active deactivated",
            "deactivated active",
            "deactivated deleted",
            "deactivated pending_delete",
            "killed deleted",
            "pending_delete deleted",
            "pending_delete active",
        ];
        for from in ImageStatus::ALL {
            for to in ImageStatus::ALL {
                assert_eq!(
                    from.may_become(to),
                    legal.contains(&format!("{from} {to}").as_str()),
                    "{from} → {to}"
                );
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for status in ImageStatus::ALL {
            assert_eq!(status.name().parse::<ImageStatus>().unwrap(), status);
        }
        assert!("asleep".parse::<ImageStatus>().is_err());
    }
}
