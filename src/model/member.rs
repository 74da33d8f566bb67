//! Projects that an image is shared with.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Timestamp;

/// A project's decision on an image that is shared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberStatus {
    /// No decision yet.
    Pending,
    /// The image appears in the project's lists.
    Accepted,
    /// The image does not appear in the project's lists.
    Rejected,
}

impl MemberStatus {
    /// All statuses, in the reference implementation's order.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Accepted, Self::Rejected];

    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }

    /// Returns the status with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A project that an image is shared with, and its decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Member {
    /// The ID of the image.
    pub image_id: String,
    /// The ID of the project, at most 255 characters; Keystone does not verify it.
    pub member_id: String,
    /// The project's decision.
    pub status: MemberStatus,
    /// The time when the image was first shared with the project.
    pub created_at: Timestamp,
    /// The time when it was last shared with the project, or the status changed.
    pub updated_at: Timestamp,
}

/// The path of the schema in the API.
const SCHEMA: &str = "/v2/schemas/member";

impl Member {
    /// Returns the API's representation, in the reference implementation's order.
    ///
    /// *Source:* `ResponseSerializer._format_image_member` of the reference implementation.
    pub fn to_api(&self) -> Map<String, Value> {
        let fields = [
            ("member_id", self.member_id.clone()),
            ("image_id", self.image_id.clone()),
            ("status", self.status.name().to_string()),
            ("created_at", self.created_at.to_string()),
            ("updated_at", self.updated_at.to_string()),
            ("schema", SCHEMA.to_string()),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_string(), Value::from(value)))
            .collect()
    }

    /// Returns the API's JSON schema of a member.
    pub fn json_schema() -> Value {
        let uuid = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";
        let text = |about: &str| json!({"type": "string", "description": about});
        json!({
            "name": "member",
            "properties": {
                "member_id": text("An identifier for the image member (tenantId)"),
                "image_id": {
                    "type": "string", "description": "An identifier for the image", "pattern": uuid,
                },
                "created_at": text("Date and time of image member creation"),
                "updated_at": text("Date and time of last modification of image member"),
                "status": {
                    "type": "string", "description": "The status of this image member",
                    "enum": MemberStatus::ALL.map(MemberStatus::name),
                },
                "schema": {"readOnly": true, "type": "string"},
            },
        })
    }
}

/// The part of the API's representation that is read.
#[derive(Deserialize)]
struct Written {
    image_id: String,
    member_id: String,
    status: String,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl TryFrom<Written> for Member {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let moment = |text: Option<String>| match text {
            None => Ok(Timestamp::EPOCH),
            Some(text) => Timestamp::parse(&text).ok_or_else(|| unknown(&text)),
        };
        Ok(Self {
            status: MemberStatus::parse(&written.status).ok_or_else(|| unknown(&written.status))?,
            image_id: written.image_id,
            member_id: written.member_id,
            created_at: moment(written.created_at)?,
            updated_at: moment(written.updated_at)?,
        })
    }
}

fn unknown(value: &str) -> String {
    format!("a member with an unknown value '{value}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_representation_is_read_back() {
        let member = Member {
            image_id: "8".repeat(36),
            member_id: "é".to_string(),
            status: MemberStatus::Rejected,
            created_at: Timestamp::EPOCH,
            updated_at: Timestamp::parse("2026-11-21T09:30:04Z").unwrap(),
        };
        let written = Value::Object(member.to_api()).to_string();
        assert_eq!(serde_json::from_str::<Member>(&written).unwrap(), member);
        let schema = Member::json_schema();
        for name in member.to_api().keys() {
            assert!(schema["properties"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn what_is_no_member_is_refused() {
        for text in [
            "{}",
            r#"{"image_id": "x", "member_id": "y"}"#,
            r#"{"image_id": "x", "member_id": "y", "status": "odd"}"#,
            r#"{"image_id": "x", "member_id": "y", "status": "pending", "created_at": "soon"}"#,
            r#"{"image_id": "x", "member_id": null, "status": "pending"}"#,
        ] {
            assert!(serde_json::from_str::<Member>(text).is_err(), "{text}");
        }
    }
}
