//! Work that a deployment does for a caller: what it was asked, how far it is, and what came of it.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Direction, Timestamp};

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// It was asked for.
    Pending,
    /// It is being worked on.
    Processing,
    /// It is done.
    Success,
    /// It failed; its message says why.
    Failure,
}

impl TaskStatus {
    /// Every status, in the API schema's order.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Processing,
        Self::Success,
        Self::Failure,
    ];

    /// The API's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing more happens.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure)
    }
}

/// The kind of task that imports the data of an image.
pub const IMPORT_OF_IMAGE: &str = "api_image_import";

/// The kind of task that makes an image from an address; asked for by `task-create`.
pub const IMPORT: &str = "import";

/// A task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Task {
    /// A UUID.
    pub id: String,
    /// What is done: `api_image_import`, `import`, `location_import`, …
    pub kind: String,
    /// How far it is.
    pub status: TaskStatus,
    /// Id of the project it is done for.
    pub owner: String,
    /// What it was asked; None where only a list was asked for.
    pub input: Option<Value>,
    /// What came of it.
    pub result: Option<Value>,
    /// What people are told of it: how far it is, or why it failed. May be empty.
    pub message: String,
    /// Id of the image it works on.
    pub image_id: Option<String>,
    /// Id of the request that asked for it.
    pub request_id: Option<String>,
    /// Id of the user who asked for it.
    pub user_id: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was last heard of.
    pub updated_at: Timestamp,
    /// When it will be forgotten; None while it is not over.
    pub expires_at: Option<Timestamp>,
}

/// Which tasks to list, and in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only tasks of this kind.
    pub kind: Option<String>,
    /// Only tasks in this status.
    pub status: Option<String>,
    /// What to sort by, a name of the API: `created_at`, `id`, `status`, `type`, …; None: the service's
    /// order, the newest first.
    pub sort_key: Option<String>,
    /// Which way to sort; None: descending.
    pub direction: Option<Direction>,
    /// Begin behind the task of this id.
    pub marker: Option<String>,
    /// Tasks to ask a server for at a time; None: as many as it gives.
    pub page: Option<u64>,
    /// Tasks at most.
    pub limit: Option<u64>,
}

/// A task as an API writes it: in full, as an item of a list, or as one of an image's.
#[derive(Deserialize)]
struct Written {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    status: String,
    owner: Option<String>,
    input: Option<Value>,
    result: Option<Value>,
    message: Option<String>,
    image_id: Option<String>,
    request_id: Option<String>,
    user_id: Option<String>,
    created_at: String,
    updated_at: Option<String>,
    expires_at: Option<String>,
}

impl TryFrom<Written> for Task {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let moment =
            |text: &str| Timestamp::parse(text).ok_or_else(|| format!("no moment: {text}"));
        let created_at = moment(&written.created_at)?;
        let updated_at = written.updated_at.as_deref().map(moment).transpose()?;
        Ok(Self {
            status: TaskStatus::parse(&written.status)
                .ok_or_else(|| format!("no status of a task: {}", written.status))?,
            id: written.id,
            kind: written.kind,
            owner: written.owner.unwrap_or_default(),
            input: written.input,
            result: written.result,
            message: written.message.unwrap_or_default(),
            image_id: written.image_id,
            request_id: written.request_id,
            user_id: written.user_id,
            created_at,
            updated_at: updated_at.unwrap_or(created_at),
            expires_at: written.expires_at.as_deref().map(moment).transpose()?,
        })
    }
}

impl Task {
    /// The API's representation, in the order the reference implementation writes it.
    ///
    /// *Source:* `ResponseSerializer._format_task` of `glance/api/v2/tasks.py`.
    pub fn to_api(&self) -> Map<String, Value> {
        let text = |text: &str| Some(Value::from(text));
        let optional = |text: &Option<String>| text.as_deref().map(Value::from);
        let fields = [
            ("id", text(&self.id)),
            ("input", Some(self.input.clone().unwrap_or_default())),
            ("type", text(&self.kind)),
            ("status", text(self.status.name())),
            ("owner", text(&self.owner)),
            ("message", text(&self.message)),
            ("result", Some(self.result.clone().unwrap_or_default())),
            ("created_at", text(&self.created_at.to_string())),
            ("updated_at", text(&self.updated_at.to_string())),
            ("self", text(&format!("/v2/tasks/{}", self.id))),
            ("schema", text("/v2/schemas/task")),
            ("image_id", optional(&self.image_id)),
            ("request_id", optional(&self.request_id)),
            ("user_id", optional(&self.user_id)),
            (
                "expires_at",
                self.expires_at.map(|at| Value::from(at.to_string())),
            ),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_string(), value?)));
        given.collect()
    }

    /// The API's JSON schema of a task.
    pub fn json_schema() -> Value {
        let uuid = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";
        let text = |about: &str| json!({"type": "string", "description": about});
        let object = |about: &str| json!({"type": ["null", "object"], "description": about});
        json!({
            "name": "task",
            "properties": {
                "id": {"type": "string", "description": "An identifier for the task", "pattern": uuid},
                "type": {
                    "type": "string", "description": "The type of task represented by this content",
                    "enum": [IMPORT, IMPORT_OF_IMAGE, "location_import"],
                },
                "status": {
                    "type": "string", "description": "The current status of this task",
                    "enum": TaskStatus::ALL.map(TaskStatus::name),
                },
                "input": object("The parameters required by task, JSON blob"),
                "result": object("The result of current task, JSON blob"),
                "owner": text("An identifier for the owner of this task"),
                "message": text("What people are told of the task, mostly when it failed"),
                "image_id": text("Image associated with the task"),
                "request_id": text("Request that asked for the task"),
                "user_id": text("User who asked for the task"),
                "expires_at": {
                    "type": ["null", "string"],
                    "description": "When the task is forgotten",
                },
                "created_at": text("When the task was asked for"),
                "updated_at": text("When the task was last heard of"),
                "self": {"readOnly": true, "type": "string"},
                "schema": {"readOnly": true, "type": "string"},
            },
        })
    }
}
