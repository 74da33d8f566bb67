//! The states of an image and the edges between them: the only table of them.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// Where an image is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageStatus {
    /// A record without data.
    Queued,
    /// Data is being written.
    Saving,
    /// Data is being staged for an import.
    Uploading,
    /// An import is under way.
    Importing,
    /// Data is whole and may be downloaded.
    Active,
    /// Data is whole; only administrators may download it.
    Deactivated,
    /// An upload failed in a way that cannot be tried again.
    Killed,
    /// Deleted, its data waiting for the scrubber.
    PendingDelete,
    /// Deleted, data and all.
    Deleted,
}

use ImageStatus::{
    Active, Deactivated, Deleted, Importing, Killed, PendingDelete, Queued, Saving, Uploading,
};

impl ImageStatus {
    /// Every status, in the API schema's order.
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

    /// The API's word for it.
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

    /// The states that may follow this one.
    ///
    /// *Source:* the reference implementation's `domain.Image.valid_state_targets`; beside it
    /// `active → queued` (the last location of an image was removed) and
    /// `deactivated → pending_delete` (delayed delete of a deactivated image), which the
    /// reference implementation reaches by ways of their own, and `importing → uploading` (an import
    /// that broke off, while what was staged is still there to be imported).
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

    /// Whether data of the image may be in the staging area.
    pub fn may_be_staged(self) -> bool {
        matches!(self, Uploading | Importing)
    }

    /// Whether `next` may follow this one.
    pub fn may_become(self, next: Self) -> bool {
        self.targets().contains(&next)
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
