//! Projects that images are shared with.

use async_trait::async_trait;

use crate::Result;
use crate::model::{Member, MemberStatus};

/// Projects that images are shared with. Only images of visibility `shared` have members.
#[async_trait]
pub trait Members: Send + Sync {
    /// The members of an image that the caller may know of, the oldest first: all of them for its owner
    /// and for administrators, the caller's own project for anyone else.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for an image of another visibility.
    async fn list_members(&self, id: &str) -> Result<Vec<Member>>;

    /// One member of an image.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member, also for an image of another visibility.
    async fn get_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Shares an image with a project, which has answered nothing then, whatever it said to an earlier
    /// offer. Whether there is such a project is not looked at.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` when not the caller's, or of another visibility; `Invalid` for a project
    /// without a name, `Conflict` for one that is a member, `TooLarge` beyond the quota of members.
    async fn add_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Answers for a project that an image is shared with. What it said before may be said again.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` for an image of another visibility, and
    /// unless the caller acts for that project or is an administrator: the owner may not answer.
    async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<Member>;

    /// Stops sharing an image with a project.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` when the image is not the caller's, or
    /// of another visibility: a member may not remove itself.
    async fn remove_member(&self, id: &str, member: &str) -> Result<()>;
}
