//! Keystone projects, by name or ID.
//!
//! *Source:* openstackclient, `identity/common.py` (`find_project_id_sdk`).

use http::Method;
use serde_json::Value;
use url::Url;

use super::answer::{refusal, unexpected_response};
use super::auth::Access;
use super::failure::failed;
use crate::config::{Cloud, Keystone};
use crate::http::{Client, Request};
use crate::{Error, ErrorKind, Parameter, Result};

/// The kind of resource to find.
#[derive(Clone, Copy)]
struct Kind {
    /// The name in the address.
    path: &'static str,
    /// The name in messages and responses.
    name: &'static str,
}

const PROJECT: Kind = Kind {
    path: "projects",
    name: "project",
};

const DOMAIN: Kind = Kind {
    path: "domains",
    name: "domain",
};

/// Returns the ID of the project with that name or ID. Returns the word itself if the token does not permit
/// a lookup, or without Keystone.
///
/// Needs no request for the token's project, and one for an existing ID or name.
///
/// # Errors
/// `NotFound` for no such project, `Conflict` for several; with their IDs.
pub async fn find_project(
    http: &Client,
    cloud: &Cloud,
    access: &Access,
    word: &str,
    domain: Option<&str>,
) -> Result<String> {
    let Some(keystone) = cloud.keystone() else {
        return Ok(word.to_string());
    };
    if let Some(own) = if_own(access, word, domain) {
        return Ok(own);
    }
    let look = Look {
        http,
        keystone,
        access,
    };
    let domain = match domain {
        None => None,
        Some(word) => Some(look.find(DOMAIN, word, None).await?),
    };
    look.find(PROJECT, word, domain.as_deref()).await
}

/// Returns the ID of the token's project.
///
/// # Errors
/// `Failed` if Keystone did not report it, or the token has no project.
pub fn own_project(access: &Access) -> Result<String> {
    let project = access.caller.as_ref().and_then(|who| who.project.as_ref());
    project
        .and_then(|project| project.id.clone())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Failed,
                "the caller's project is unknown: Keystone did not report it",
            )
            .hint(Parameter::Project)
        })
}

/// Returns the ID of the token's project, if `word` names it.
fn if_own(access: &Access, word: &str, domain: Option<&str>) -> Option<String> {
    let own = access.caller.as_ref()?.project.as_ref()?;
    let of_domain = own.domain.as_ref();
    let of_domain = |word| {
        of_domain
            .is_some_and(|own| own.id.as_deref() == Some(word) || own.name.as_deref() == Some(word))
    };
    let is_own = own.id.as_deref() == Some(word) || own.name.as_deref() == Some(word);
    let id = own.id.clone().filter(|_| is_own)?;
    domain.is_none_or(of_domain).then_some(id)
}

struct Look<'a> {
    http: &'a Client,
    keystone: &'a Keystone,
    access: &'a Access,
}

impl Look<'_> {
    /// Returns the ID of the resource with the name or ID `word`.
    async fn find(&self, kind: Kind, word: &str, domain: Option<&str>) -> Result<String> {
        let found = if is_id(word) {
            match self.by_id(kind, word, domain).await? {
                None => self.by_name(kind, word, domain).await?,
                found => found,
            }
        } else {
            match self.by_name(kind, word, domain).await? {
                None => self.by_id(kind, word, domain).await?,
                found => found,
            }
        };
        found.ok_or_else(|| {
            let message = format!("No {} found for {word}", kind.name);
            Error::new(ErrorKind::Failed, message)
        })
    }

    async fn by_id(&self, kind: Kind, id: &str, domain: Option<&str>) -> Result<Option<String>> {
        if matches!(id, "" | "." | "..") {
            return Ok(None);
        }
        let mut url = self.keystone.auth_url.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(kind.path).push(id);
        }
        let Some(answer) = self.get(&url).await? else {
            return Ok(Some(id.to_string()));
        };
        let found = &answer[kind.name];
        let elsewhere = domain.is_some_and(|domain| found["domain_id"].as_str() != Some(domain));
        let id = found["id"].as_str().filter(|_| !elsewhere);
        Ok(id.map(str::to_string))
    }

    async fn by_name(
        &self,
        kind: Kind,
        name: &str,
        domain: Option<&str>,
    ) -> Result<Option<String>> {
        let mut url = self.keystone.auth_url.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(kind.path);
        }
        url.query_pairs_mut().append_pair("name", name);
        if let Some(domain) = domain {
            url.query_pairs_mut().append_pair("domain_id", domain);
        }
        let Some(answer) = self.get(&url).await? else {
            return Ok(Some(name.to_string()));
        };
        let found = answer[kind.path].as_array();
        let ids: Vec<&str> = found
            .into_iter()
            .flatten()
            .filter_map(|found| found["id"].as_str())
            .collect();
        match ids[..] {
            [] => Ok(None),
            [id] => Ok(Some(id.to_string())),
            _ => Err(Error::failed(format!(
                "More than one {} exists with the name '{name}'.",
                kind.name
            ))
            .hint(format!(
                "Name its domain, or one of the ids: {}.",
                ids.join(", ")
            ))),
        }
    }

    /// Returns the JSON of a response, null for an unknown resource; None if the lookup is not permitted.
    async fn get(&self, url: &Url) -> Result<Option<Value>> {
        let mut call = Request::new(Method::GET, url.clone());
        call.headers.extend(self.access.headers.clone());
        let answer = self.http.call(&call).await.map_err(failed)?;
        match answer.status.as_u16() {
            403 => Ok(None),
            404 => Ok(Some(Value::Null)),
            _ if answer.status.is_success() => {
                let value = serde_json::from_slice(&answer.body);
                Ok(Some(value.map_err(|e| {
                    unexpected_response(url, "not JSON").because(e)
                })?))
            }
            _ => Err(refusal(&answer)),
        }
    }
}

/// Returns whether a word looks like one of Keystone's IDs, which are looked up first.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().filter(|byte| *byte != b'-');
    word == "default"
        || digits.clone().count() == 32 && digits.clone().all(|byte| byte.is_ascii_hexdigit())
}
