//! Projects that images are shared with.
//!
//! *Source:* `glance/api/v2/image_members.py` of the reference implementation.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{self, Answer, json_of};
use super::call::Call;
use super::routes::routes;
use crate::model::{Member, MemberStatus};
use crate::{Error, Result};

routes! {
    "/images/{image}/members" => GET list, POST add;
    "/images/{image}/members/{member}" => GET show, PUT set_status, DELETE remove;
}

async fn list(call: Call) -> Answer {
    call.refuse_body()?;
    let members = call.service.list_members(call.parameter("image")).await?;
    let members: Vec<Value> = members
        .iter()
        .map(|member| member.to_api().into())
        .collect();
    json_of(
        StatusCode::OK,
        &json!({"members": members, "schema": "/v2/schemas/members"}),
    )
}

async fn show(call: Call) -> Answer {
    call.refuse_body()?;
    let (image, member) = (call.parameter("image"), call.parameter("member"));
    shown(&call.service.get_member(image, member).await?)
}

async fn add(mut call: Call) -> Answer {
    let body = call.json().await?;
    let project = field(&body, "member", "Member to be added not specified")?;
    if project.is_empty() {
        return Err(Error::invalid("Member can't be empty"));
    }
    shown(
        &call
            .service
            .add_member(call.parameter("image"), project)
            .await?,
    )
}

async fn set_status(mut call: Call) -> Answer {
    let body = call.json().await?;
    let status = field(&body, "status", "Status not specified")?;
    let (image, member) = (call.parameter("image"), call.parameter("member"));
    // Only callers that may set one learn which there are.
    let Some(status) = MemberStatus::parse(status) else {
        call.service.check_may_decide(image, member).await?;
        let known = MemberStatus::ALL.map(MemberStatus::name);
        return Err(Error::invalid(format!(
            "Status must be {}, {} or {}.",
            known[0], known[1], known[2]
        )));
    };
    shown(
        &call
            .service
            .set_member_status(image, member, status)
            .await?,
    )
}

async fn remove(call: Call) -> Answer {
    call.refuse_body()?;
    let (image, member) = (call.parameter("image"), call.parameter("member"));
    call.service.remove_member(image, member).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

fn shown(member: &Member) -> Answer {
    json_of(StatusCode::OK, &member.to_api())
}

/// Returns a text of a JSON object.
fn field<'b>(body: &'b Value, name: &str, missing: &str) -> Result<&'b str> {
    let Value::Object(fields) = body else {
        return Err(Error::invalid(format!(
            "Expected a {name} in the form: {{\"{name}\": \"…\"}}"
        )));
    };
    let value = fields.get(name).ok_or_else(|| Error::invalid(missing))?;
    value
        .as_str()
        .ok_or_else(|| Error::invalid(format!("'{name}' is not a string")))
}
