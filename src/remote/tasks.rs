//! Tasks.

use std::collections::HashSet;

use async_stream::try_stream;
use async_trait::async_trait;
use futures_util::StreamExt;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::answer::unexpected_response;
use super::images::{PAGE, PAGES, next_page};
use super::{JSON, Remote, parse};
use crate::Result;
use crate::http::Request;
use crate::model::{Direction, Task, TaskQuery};
use crate::service::{Running, TaskStream, Tasks};

/// A page of a list.
#[derive(Deserialize)]
struct Page {
    tasks: Vec<Task>,
    next: Option<String>,
}

#[async_trait]
impl Tasks for Remote {
    fn list_tasks(&self, query: TaskQuery) -> TaskStream<'_> {
        let pages = try_stream! {
            let mut left = query.limit;
            let mut url = first_page(self.url(&["tasks"]).await?, &query);
            let mut seen = HashSet::new();
            while left != Some(0) {
                if !seen.insert(url.query().map(str::to_string)) || seen.len() > PAGES {
                    Err(unexpected_response(&url, "an endless list"))?;
                }
                let call = Request::new(Method::GET, url.clone());
                let page: Page = parse(&url, &self.succeed(call).await?)?;
                let mut tasks = page.tasks;
                if let Some(left) = &mut left {
                    tasks.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= tasks.len() as u64;
                }
                let next = page.next.filter(|_| !tasks.is_empty());
                yield tasks;
                let Some(next) = next else { break };
                url = next_page(&url, &next, left)?;
            }
        };
        pages.boxed()
    }

    async fn get_task(&self, id: &str) -> Result<Task> {
        self.get(&["tasks", id]).await
    }

    async fn create_task(&self, kind: &str, input: Value) -> Result<(Task, Running)> {
        let body = json!({"type": kind, "input": input});
        let call = self
            .with_body(Method::POST, &["tasks"], JSON, &body)
            .await?;
        let task = self.read(call).await?;
        Ok((task, Box::pin(async { Ok(()) })))
    }

    async fn image_tasks(&self, id: &str) -> Result<Vec<Task>> {
        #[derive(Deserialize)]
        struct Answer {
            tasks: Vec<Task>,
        }
        let answer: Answer = self.get(&["images", id, "tasks"]).await?;
        Ok(answer.tasks)
    }
}

/// Returns the address of the first page of a list.
fn first_page(mut url: Url, query: &TaskQuery) -> Url {
    let limit = query.page.unwrap_or(PAGE);
    let limit = query.limit.map_or(limit, |most| limit.min(most));
    let direction = query.direction.map(Direction::name);
    let limit = limit.to_string();
    let parameters = [
        ("type", query.kind.as_deref()),
        ("status", query.status.as_deref()),
        ("sort_key", query.sort_key.as_deref()),
        ("sort_dir", direction),
        ("marker", query.marker.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    for (name, value) in parameters {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    url
}
