//! Tasks. There is no background process: a command runs the task that it requests, and the task's record remains.
//!
//! *Source:* `glance/api/v2/tasks.py`, `glance/domain/__init__.py` (`Task`) of the reference implementation.

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use serde_json::Value;
use uuid::Uuid;

use super::policy::{Action, Target};
use super::{Engine, Local};
use crate::model::task::IMPORT;
use crate::model::{Task, TaskQuery, TaskStatus};
use crate::service::{Running, TaskStream, Tasks};
use crate::{Error, Operation, Result};

/// The types of tasks in filters of lists.
const KINDS: [&str; 3] = ["import", "api_image_import", "location_import"];

#[async_trait]
impl Tasks for Local {
    fn list_tasks(&self, query: TaskQuery) -> TaskStream<'_> {
        let chunks = try_stream! {
            self.policy.check(&self.caller, Action::TasksApi, Target::Deployment)?;
            check_word("status", query.status.as_deref(), &TaskStatus::ALL.map(TaskStatus::name))?;
            check_word("type", query.kind.as_deref(), &KINDS)?;
            let mut query = query;
            while query.limit != Some(0) {
                let tasks = self.catalog.list_tasks(&query).await?;
                let Some(last) = tasks.last() else { break };
                query.marker = Some(last.id.clone());
                query.limit = query.limit.map(|limit| limit - tasks.len() as u64);
                yield tasks;
            }
        };
        chunks.boxed()
    }

    async fn get_task(&self, id: &str) -> Result<Task> {
        self.policy
            .check(&self.caller, Action::TasksApi, Target::Deployment)?;
        let task = self.catalog.load_task(id).await?;
        task.ok_or_else(|| Error::not_found(format!("Could not find task {id}")))
    }

    async fn create_task(&self, kind: &str, input: Value) -> Result<(Task, Running)> {
        self.policy
            .check(&self.caller, Action::TasksApi, Target::Deployment)?;
        if kind != IMPORT {
            return Err(Error::invalid(format!(
                "a task of type '{kind}' cannot be requested this way"
            ))
            .hint(Operation::ImportImage));
        }
        self.import_by_task(input).await
    }

    async fn image_tasks(&self, id: &str) -> Result<Vec<Task>> {
        self.find_gettable(id).await?;
        self.catalog.image_tasks(id).await
    }
}

fn check_word(what: &str, given: Option<&str>, known: &[&str]) -> Result<()> {
    match given {
        Some(word) if !known.contains(&word) => {
            Err(Error::invalid(format!("Invalid {what} value: {word}"))
                .hint(format!("Known values: {}.", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// The default lifetime of a task in hours, if the configured one has become invalid.
const TASK_HOURS: u32 = 48;

impl Local {
    /// Creates a task in progress, which is not recorded yet.
    pub(super) fn new_task(&self, kind: &str, input: Value, image_id: Option<&str>) -> Task {
        let now = self.catalog.now();
        let request_id = self.caller.request_id.clone();
        let request_id = request_id.unwrap_or_else(|| format!("req-{}", Uuid::new_v4()));
        Task {
            id: Uuid::new_v4().to_string(),
            kind: kind.to_string(),
            status: TaskStatus::Processing,
            owner: self.caller.project.clone(),
            input: Some(input),
            result: None,
            message: String::new(),
            image_id: image_id.map(str::to_string),
            request_id: Some(request_id),
            user_id: Some(self.caller.user.clone()),
            created_at: now,
            updated_at: now,
            expires_at: None,
        }
    }
}

impl Engine {
    /// Returns the task with its final status: with its result, or with the reason for its failure.
    pub(super) fn finished_task(
        &self,
        task: Task,
        outcome: std::result::Result<Value, String>,
    ) -> Task {
        let hours = self.settings.import.task_hours.copied();
        // The option was checked before the task began.
        let hours = i64::from(hours.unwrap_or(TASK_HOURS));
        let (status, result, message) = match outcome {
            Ok(result) => (TaskStatus::Success, Some(result), task.message),
            Err(message) => (TaskStatus::Failure, None, message),
        };
        let now = self.catalog.now();
        Task {
            status,
            result,
            message,
            updated_at: now,
            expires_at: now.later(jiff::SignedDuration::from_hours(hours)),
            ..task
        }
    }
}
