//! Projects that images are shared with.

use async_trait::async_trait;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{JSON, Remote};
use crate::Result;
use crate::model::{Member, MemberStatus};
use crate::service::Members;

/// All members of an image, which the API returns on one page.
#[derive(Deserialize)]
struct Answer {
    members: Vec<Member>,
}

#[async_trait]
impl Members for Remote {
    async fn list_members(&self, id: &str) -> Result<Vec<Member>> {
        let answer: Answer = self.get(&["images", id, "members"]).await?;
        Ok(answer.members)
    }

    async fn get_member(&self, id: &str, member: &str) -> Result<Member> {
        self.get(&["images", id, "members", member]).await
    }

    async fn add_member(&self, id: &str, member: &str) -> Result<Member> {
        let body = json!({"member": member});
        let call = self
            .with_body(Method::POST, &["images", id, "members"], JSON, &body)
            .await?;
        self.read(call).await
    }

    async fn set_member_status(
        &self,
        id: &str,
        member: &str,
        status: MemberStatus,
    ) -> Result<Member> {
        let body = json!({"status": status.name()});
        let path = ["images", id, "members", member];
        let call = self.with_body(Method::PUT, &path, JSON, &body).await?;
        self.read(call).await
    }

    async fn remove_member(&self, id: &str, member: &str) -> Result<()> {
        self.command(Method::DELETE, &["images", id, "members", member])
            .await
    }
}
