//! Projects that images are shared with.

use async_trait::async_trait;

use crate::Result;
use crate::model::{Member, MemberStatus};

/// Projects that images are shared with. Only images of visibility `shared` have members.
#[async_trait]
pub trait Members: Send + Sync {
    /// Returns the members of an image that the caller may see, the oldest first: all of them for its owner
    /// and for administrators, only the caller's own project for others.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for an image of another visibility.
    async fn list_members(&self, id: &str) -> Result<Vec<Member>>;

    /// Returns a member of an image.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member, also for an image of another visibility.
    async fn get_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Shares an image with a project. Its status is pending, whatever it decided before. The project is
    /// not verified to exist.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if the image is not the caller's, or of another visibility; `Invalid` for an
    /// empty project, `Conflict` for a member, `TooLarge` beyond the quota of members.
    async fn add_member(&self, id: &str, member: &str) -> Result<Member>;

    /// Sets the decision of a member. It may be the same as before.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` for an image of another visibility, and
    /// unless the caller acts for that project or is an administrator: the owner must not decide.
    async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<Member>;

    /// Checks that the caller may set the decision of a member, and changes nothing. A service that cannot find out returns no
    /// error.
    ///
    /// # Errors
    /// Those of [`Members::set_member_status`].
    async fn check_may_decide(&self, _id: &str, _member: &str) -> Result<()> {
        Ok(())
    }

    /// Stops sharing an image with a project.
    ///
    /// # Errors
    /// `NotFound` for the image and for the member; `Forbidden` if the image is not the caller's, or of
    /// another visibility: a member must not remove itself.
    async fn remove_member(&self, id: &str, member: &str) -> Result<()>;
}
