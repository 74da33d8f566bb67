//! Image members.

use serde_json::json;

use super::{Outcome, views};
use crate::model::{Member, MemberStatus};
use crate::output::{Cell, Table, View};
use crate::service::ImageService;
use crate::{Error, ErrorKind, Result};

/// Returns the table of members, as both grammars print it.
pub fn table(members: &[Member]) -> View<'static> {
    let row = |member: &Member| {
        [
            json!(member.image_id),
            json!(member.member_id),
            json!(member.status.name()),
        ]
        .map(Cell::new)
        .into()
    };
    View::Table(Table::from_rows(
        vec!["Image ID", "Member ID", "Status"],
        members.iter().map(row).collect(),
    ))
}

/// Returns a member, as both grammars print it.
pub fn record(member: &Member) -> View<'static> {
    View::Record(views::member(member))
}

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
