//! Tasks: asynchronous work of a deployment, with its input, status and result.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Direction, Timestamp};

/// The status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// The task has been requested.
    Pending,
    /// The task is running.
    Processing,
    /// The task has succeeded.
    Success,
    /// The task has failed; its message has the reason.
    Failure,
}

impl TaskStatus {
    /// All statuses, in the API schema's order.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Processing,
        Self::Success,
        Self::Failure,
    ];

    /// Returns the name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    /// Returns the status with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Returns whether the task has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure)
    }
}

/// The kind of task that imports the data of an image.
pub const IMPORT_OF_IMAGE: &str = "api_image_import";

/// The kind of task that creates an image from an address; requested by `task-create`.
pub const IMPORT: &str = "import";

/// The kind of task that registers data by its address.
pub const LOCATION_IMPORT: &str = "location_import";

/// A task.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Task {
    /// The UUID.
    pub id: String,
    /// The kind: `api_image_import`, `import`, `location_import`, …
    pub kind: String,
    /// The status.
    pub status: TaskStatus,
    /// The ID of the project that owns it.
    pub owner: String,
    /// The input; None in lists.
    pub input: Option<Value>,
    /// The result.
    pub result: Option<Value>,
    /// The message for users: the progress, or the reason of a failure. May be empty.
    pub message: String,
    /// The ID of its image.
    pub image_id: Option<String>,
    /// The ID of the request that created it.
    pub request_id: Option<String>,
    /// The ID of the user who created it.
    pub user_id: Option<String>,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of the last update.
    pub updated_at: Timestamp,
    /// The time when it expires; None until it has ended.
    pub expires_at: Option<Timestamp>,
}

/// A query for tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Only tasks of this kind.
    pub kind: Option<String>,
    /// Only tasks with this status.
    pub status: Option<String>,
    /// The sort key, a name of the API: `created_at`, `id`, `status`, `type`, …; None: the service's order,
    /// newest first.
    pub sort_key: Option<String>,
    /// The sort direction; None: descending.
    pub direction: Option<Direction>,
    /// The ID of the task to start after.
    pub marker: Option<String>,
    /// The number of tasks to request from a server at a time; None: the server's default.
    pub page: Option<u64>,
    /// The maximum number of tasks.
    pub limit: Option<u64>,
}

/// A task in an API's representation: in full, as an item of a list, or as one of an image's tasks.
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
            |text: &str| Timestamp::parse(text).ok_or_else(|| format!("invalid timestamp: {text}"));
        let created_at = moment(&written.created_at)?;
        let updated_at = written.updated_at.as_deref().map(moment).transpose()?;
        Ok(Self {
            status: TaskStatus::parse(&written.status)
                .ok_or_else(|| format!("invalid task status: {}", written.status))?,
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
    /// Returns the API's representation, in the reference implementation's order.
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

    /// Returns the API's JSON schema of a task.
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
                    "enum": [IMPORT, IMPORT_OF_IMAGE, LOCATION_IMPORT],
                },
                "status": {
                    "type": "string", "description": "The current status of this task",
                    "enum": TaskStatus::ALL.map(TaskStatus::name),
                },
                "input": object("The parameters required by task, JSON blob"),
                "result": object("The result of current task, JSON blob"),
                "owner": text("An identifier for the owner of this task"),
                "message": text("Message for users, mainly the reason of a failure"),
                "image_id": text("Image associated with the task"),
                "request_id": text("Request that created the task"),
                "user_id": text("User who created the task"),
                "expires_at": {
                    "type": ["null", "string"],
                    "description": "Date and time when the task expires",
                },
                "created_at": text("Date and time of task creation"),
                "updated_at": text("Date and time of the last task update"),
                "self": {"readOnly": true, "type": "string"},
                "schema": {"readOnly": true, "type": "string"},
            },
        })
    }
}
