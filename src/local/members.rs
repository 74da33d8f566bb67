//! Members: projects that images are shared with.
//!
//! *Source:* `glance/api/v2/image_members.py` of the reference implementation, for the rules and the order of the
//! checks.

use async_trait::async_trait;

use super::Local;

use super::catalog::{StoredImage, Transaction};
use super::events::Event;
use super::policy::{Action, ImageTarget, Target};
use crate::model::{Member, MemberStatus, Visibility};
use crate::service::Members;
use crate::{Error, ErrorKind, Operation, Result};

/// The maximum number of characters of a project ID: the size of its column.
const MAX_LENGTH: usize = 255;

#[async_trait]
impl Members for Local {
    async fn list_members(&self, id: &str) -> Result<Vec<Member>> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        check_has_members(target, "list")?;
        self.policy.check(&self.caller, Action::GetImage, target)?;
        self.policy
            .check(&self.caller, Action::GetMembers, target)?;
        let mut members = Vec::new();
        for member in self.catalog.load_members(id).await? {
            if self.may_know(target, &member.member_id)? {
                members.push(member);
            }
        }
        Ok(members)
    }

    async fn get_member(&self, id: &str, member: &str) -> Result<Member> {
        let stored = self.find(id).await?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        check_has_members(target, "show")
            .map_err(|error| Error::not_found(error.message()).hints_of(&error))?;
        self.policy.check(&self.caller, Action::GetImage, target)?;
        let found = self.catalog.load_member(id, member).await?;
        let known = self.known(found, &stored, member);
        known.map_err(|error| match error.kind() {
            ErrorKind::Forbidden => no_member(id, member).hints_of(&error),
            _ => error,
        })
    }

    async fn add_member(&self, id: &str, member: &str) -> Result<Member> {
        check_project(member)?;
        let added = self.catalog.write(async |transaction| {
            let stored = self.with_members(&transaction, id, "create").await?;
            let target = ImageTarget::new(&stored.image, stored.is_member);
            self.policy.check(&self.caller, Action::AddMember, target)?;
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
                self.check_decision(&transaction, id, member).await?;
                transaction.set_member_status(id, member, status).await?;
                let answered = transaction.load_member(id, member).await?;
                answered.ok_or_else(|| no_member(id, member))
            })
            .await?;
        self.emit(&self.caller, &Event::MemberUpdated(&answered));
        Ok(answered)
    }

    async fn check_may_decide(&self, id: &str, member: &str) -> Result<()> {
        self.catalog
            .write(async |transaction| self.check_decision(&transaction, id, member).await)
            .await
    }

    async fn remove_member(&self, id: &str, member: &str) -> Result<()> {
        let removed = self
            .catalog
            .write(async |transaction| {
                let stored = self.with_members(&transaction, id, "delete").await?;
                let found = transaction.load_member(id, member).await?;
                let mut removed = self.known(found, &stored, member)?;
                let target = ImageTarget::new(&stored.image, stored.is_member);
                self.policy
                    .check(&self.caller, Action::DeleteMember, target)?;
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
    /// Loads an image that the caller may see and that can have members. `verb` describes the change for the error.
    async fn with_members(
        &self,
        transaction: &Transaction,
        id: &str,
        verb: &str,
    ) -> Result<StoredImage> {
        let stored = transaction.load_image(id, &self.caller.project).await?;
        let stored = self.visible(stored, id)?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        check_has_members(target, verb)?;
        self.policy.check(&self.caller, Action::GetImage, target)?;
        Ok(stored)
    }

    /// Checks that there is such a member, and that the caller may set its decision.
    async fn check_decision(
        &self,
        transaction: &Transaction,
        id: &str,
        member: &str,
    ) -> Result<()> {
        let stored = self.with_members(transaction, id, "update").await?;
        let found = transaction.load_member(id, member).await?;
        self.known(found, &stored, member)?;
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy
            .check(&self.caller, Action::ModifyMember, target)
    }

    /// Returns whether the caller may see a member of an image.
    fn may_know(&self, target: ImageTarget<'_>, member: &str) -> Result<bool> {
        let member = Target::Member(target, member);
        self.policy.may(&self.caller, Action::GetMember, member)
    }

    /// Returns the member that was found, if the caller may see it.
    ///
    /// # Errors
    /// `Forbidden` if the caller may not see members of the image; `NotFound`.
    fn known(&self, found: Option<Member>, stored: &StoredImage, member: &str) -> Result<Member> {
        let target = ImageTarget::new(&stored.image, stored.is_member);
        self.policy.check(&self.caller, Action::GetMember, target)?;
        match found {
            Some(found) if self.may_know(target, &found.member_id)? => Ok(found),
            _ => Err(no_member(&stored.image.id, member)),
        }
    }
}

/// Checks that an image can have members: only those with visibility `shared` do, for administrators too. `verb`
/// describes the change for the error.
fn check_has_members(target: ImageTarget<'_>, verb: &str) -> Result<()> {
    if target.image.visibility == Visibility::Shared {
        return Ok(());
    }
    let id = &target.image.id;
    Err(Error::forbidden(format!(
        "Not allowed to {verb} members for image {id}: Only shared images have members."
    ))
    .hint(Operation::ShareImage(id.clone())))
}

fn no_member(id: &str, member: &str) -> Error {
    Error::not_found(format!(
        "{member} not found in the member list of the image {id}."
    ))
}

/// Checks that a string can be a project ID.
fn check_project(member: &str) -> Result<()> {
    if member.is_empty() {
        return Err(Error::invalid("Member can't be empty"));
    }
    let length = member.chars().count();
    if length > MAX_LENGTH {
        return Err(Error::invalid(format!(
            "the project ID has {length} characters; the limit is {MAX_LENGTH}"
        )));
    }
    Ok(())
}
