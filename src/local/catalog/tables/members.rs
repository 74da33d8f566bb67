//! Rows of members.
//!
//! The row of a removed member stays, marked as deleted. If the image is shared with the project again, the row is
//! reused, with its old creation time and, as in the reference implementation, its old deletion time.

use crate::local::catalog::db::columns::Columns;
use crate::local::catalog::db::transaction::Run;
use crate::local::catalog::{Catalog, Sql, Transaction};
use crate::model::{Member, MemberStatus, Timestamp};
use crate::{Error, Result};

/// Loads the members of an image, the oldest first: all, or only `member`.
async fn load(on: &impl Run, id: &str, member: Option<&str>) -> Result<Vec<Member>> {
    let mut sql = Sql::new("SELECT member, status, created_at, updated_at FROM image_members")
        .with(
            " WHERE image_id = ? AND deleted + 0 = ?",
            [id.into(), false.into()],
        );
    if let Some(member) = member {
        sql = sql.with(" AND member = ?", [member.into()]);
    }
    let rows = on.rows(sql.text(" ORDER BY id")).await?;
    rows.iter().map(|row| read(row, id)).collect()
}

fn read(row: &impl Columns, id: &str) -> Result<Member> {
    let status = row.some_text("status")?;
    let created_at = row.moment("created_at")?.unwrap_or(Timestamp::EPOCH);
    Ok(Member {
        image_id: id.to_string(),
        member_id: row.some_owned("member")?,
        status: MemberStatus::parse(&status).ok_or_else(|| {
            Error::internal(format!(
                "the catalogue has an unknown status '{status}' of a member"
            ))
        })?,
        created_at,
        updated_at: row.moment("updated_at")?.unwrap_or(created_at),
    })
}

impl Catalog {
    /// Returns the members of an image, the oldest first.
    pub async fn load_members(&self, id: &str) -> Result<Vec<Member>> {
        load(self, id, None).await
    }

    /// Returns a member of an image.
    pub async fn load_member(&self, id: &str, member: &str) -> Result<Option<Member>> {
        Ok(load(self, id, Some(member)).await?.pop())
    }
}

impl Transaction {
    /// Returns the members of an image, the oldest first.
    pub async fn load_members(&self, id: &str) -> Result<Vec<Member>> {
        load(self, id, None).await
    }

    /// Returns a member of an image.
    pub async fn load_member(&self, id: &str, member: &str) -> Result<Option<Member>> {
        Ok(load(self, id, Some(member)).await?.pop())
    }

    /// Adds a member with status `pending`.
    ///
    /// *Source:* `ImageMemberRepo.add` in `glance/db/__init__.py` of the reference implementation.
    pub async fn insert_member(&self, id: &str, member: &str) -> Result<()> {
        let now = self.now().to_catalog();
        let status = MemberStatus::Pending.name();
        let again = Sql::new("UPDATE image_members SET ").with(
            "status = ?, can_share = ?, deleted = ?, updated_at = ? WHERE id = \
             (SELECT MIN(id) FROM (SELECT id FROM image_members WHERE image_id = ? AND member = ?) AS former)",
            [
                status.into(),
                false.into(),
                false.into(),
                now.as_str().into(),
                id.into(),
                member.into(),
            ],
        );
        if self.execute(again).await? > 0 {
            return Ok(());
        }
        let columns = "INSERT INTO image_members (image_id, member, can_share, status, created_at, \
             updated_at, deleted) VALUES ";
        self.execute(Sql::new(columns).list([
            id.into(),
            member.into(),
            false.into(),
            status.into(),
            now.as_str().into(),
            now.as_str().into(),
            false.into(),
        ]))
        .await?;
        Ok(())
    }

    /// Sets the status of a member; an unchanged status leaves the row as it is.
    pub async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<()> {
        let sql = Sql::new("UPDATE image_members SET ").with(
            "status = ?, can_share = ?, updated_at = ? WHERE image_id = ? AND member = ? AND deleted + 0 = ? \
             AND (status <> ? OR can_share <> ?)",
            [
                status.name().into(),
                false.into(),
                self.now().to_catalog().into(),
                id.into(),
                member.into(),
                false.into(),
                status.name().into(),
                false.into(),
            ],
        );
        self.execute(sql).await?;
        Ok(())
    }

    /// Marks a member as deleted.
    pub async fn delete_member(&self, id: &str, member: &str) -> Result<()> {
        let now = self.now().to_catalog();
        self.delete_children("image_members", "member", id, Some(member), &now)
            .await
    }
}
