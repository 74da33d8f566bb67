//! Projects that images are shared with.
//!
//! *Source:* `glance/api/v2/image_members.py` of the reference implementation, for the rules and for
//! the order in which they are looked at.

use async_trait::async_trait;

use super::Local;

use super::catalog::{StoredImage, Transaction};
use super::events::Event;
use super::policy::{self, Action, ImageTarget, Target};
use crate::model::{Member, MemberStatus, Visibility};
use crate::service::Members;
use crate::{Error, Operation, Result};

/// Characters of a project's id at most: the catalogue has room for no more.
const LONGEST: usize = 255;

#[async_trait]
impl Members for Local {
    async fn list_members(&self, id: &str) -> Result<Vec<Member>> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        check_has_members(target, "list")?;
        let mut members = self.catalog.load_members(id).await?;
        members.retain(|member| self.may_know(target, &member.member_id));
        Ok(members)
    }

    async fn get_member(&self, id: &str, member: &str) -> Result<Member> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        check_has_members(target, "show")
            .map_err(|error| Error::not_found(error.message()).hints_of(&error))?;
        let found = self.catalog.load_member(id, member).await?;
        self.known(found, &stored, member)
    }

    async fn add_member(&self, id: &str, member: &str) -> Result<Member> {
        check_project(member)?;
        let added = self.catalog.write(async |transaction| {
            let stored = self.with_members(&transaction, id, "create").await?;
            let target = ImageTarget::new(&stored.image, stored.is_member);
            policy::check(&self.caller, Action::AddMember, target)?;
            let members = transaction.load_members(id).await?;
            let count = members.len() as u64 + 1;
            if let Some(limit) = self.settings.limits.members.copied()?
                && count > limit
            {
                return Err(Error::too_large(format!(
                    "Image member limit exceeded for image {id}: {count} members are more than the {limit} \
                 that image_member_quota allows"
                )));
            }
            if members.iter().any(|known| known.member_id == member) {
                return Err(Error::conflict(format!(
                    "Member {member} is duplicated for image {id}"
                )));
            }
            transaction.insert_member(id, member).await?;
            let added = transaction.load_member(id, member).await?;
            added.ok_or_else(|| no_member(id, member))
        });
        let added = added.await?;
        self.emit(&self.caller, &Event::MemberCreated(&added));
        Ok(added)
    }

    async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<Member> {
        let answered = self
            .catalog
            .write(async |transaction| {
                let stored = self.with_members(&transaction, id, "update").await?;
                let found = transaction.load_member(id, member).await?;
                self.known(found, &stored, member)?;
                let target = ImageTarget::new(&stored.image, stored.is_member);
                policy::check(&self.caller, Action::ModifyMember, target)?;
                transaction.set_member_status(id, member, status).await?;
                let answered = transaction.load_member(id, member).await?;
                answered.ok_or_else(|| no_member(id, member))
            })
            .await?;
        self.emit(&self.caller, &Event::MemberUpdated(&answered));
        Ok(answered)
    }

    async fn remove_member(&self, id: &str, member: &str) -> Result<()> {
        let removed = self
            .catalog
            .write(async |transaction| {
                let stored = self.with_members(&transaction, id, "delete").await?;
                let found = transaction.load_member(id, member).await?;
                let mut removed = self.known(found, &stored, member)?;
                let target = ImageTarget::new(&stored.image, stored.is_member);
                policy::check(&self.caller, Action::DeleteMember, target)?;
                transaction.delete_member(id, member).await?;
                removed.updated_at = transaction.now();
                Ok(removed)
            })
            .await?;
        self.emit(&self.caller, &Event::MemberDeleted(&removed));
        Ok(())
    }
}

impl Local {
    /// An image that the caller may see and that can have members. `verb` is what is about to be done
    /// to them.
    async fn with_members(
        &self,
        transaction: &Transaction,
        id: &str,
        verb: &str,
    ) -> Result<StoredImage> {
        let stored = transaction.load_image(id, &self.caller.project).await?;
        let stored = self.visible(stored, id)?;
        check_has_members(ImageTarget::new(&stored.image, stored.is_member), verb)?;
        Ok(stored)
    }

    /// Whether the caller may know of a member of an image.
    fn may_know(&self, target: ImageTarget<'_>, member: &str) -> bool {
        let member = Target::Member(target, member);
        policy::may(&self.caller, Action::GetMember, member)
    }

    /// The member that was found, if the caller may know of it.
    fn known(&self, found: Option<Member>, stored: &StoredImage, member: &str) -> Result<Member> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        found
            .filter(|found| self.may_know(target, &found.member_id))
            .ok_or_else(|| no_member(&stored.image.id, member))
    }
}

/// Refuses an image that has no members: only those of visibility `shared` have, even for administrators. `verb` is what
/// the caller is about to do to them.
fn check_has_members(target: ImageTarget<'_>, verb: &str) -> Result<()> {
    if target.visibility == Visibility::Shared {
        return Ok(());
    }
    let id = target.id;
    Err(Error::forbidden(format!(
        "Not allowed to {verb} members for image {id}: Only shared images have members."
    ))
    .hint(Operation::ShareImage(id.to_string())))
}

fn no_member(id: &str, member: &str) -> Error {
    Error::not_found(format!(
        "{member} not found in the member list of the image {id}."
    ))
}

/// Refuses what cannot be the id of a project.
fn check_project(member: &str) -> Result<()> {
    if member.is_empty() {
        return Err(Error::invalid("Member can't be empty"));
    }
    let length = member.chars().count();
    if length > LONGEST {
        return Err(Error::invalid(format!(
            "{length} characters are too many for the id of a project: {LONGEST} may be"
        )));
    }
    Ok(())
}
