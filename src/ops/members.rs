//! Image members.

use super::Outcome;
use crate::model::{Member, MemberStatus};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// Sets the membership status of a project; by default the caller's own.
pub async fn answer(
    service: &dyn ImageService,
    id: &str,
    project: Option<&str>,
    status: MemberStatus,
) -> Result<Member> {
    if let Some(project) = project {
        return service.set_member_status(id, project, status).await;
    }
    let own = service.own_project().await?;
    service.set_member_status(id, &own, status).await
}

/// Stops sharing an image with a project. If the project is not a member, adds a notice worded by `inline` and
/// succeeds: openstacksdk ignores the response, and scripts rely on the exit code.
pub async fn remove(
    service: &dyn ImageService,
    id: &str,
    project: &str,
    inline: impl Fn(&Error) -> String,
) -> Result<Outcome<'static>> {
    let mut outcome = Outcome::nothing();
    match service.remove_member(id, project).await {
        Err(error) if error.kind() == ErrorKind::NotFound => outcome.notices.push(inline(&error)),
        other => other?,
    }
    Ok(outcome)
}
