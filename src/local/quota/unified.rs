//! The limits of projects in Keystone.
//!
//! *Source:* `oslo_limit/limit.py` (`_EnforcerUtils`, `_FlatEnforcer`); Identity API reference v3, "Unified Limits". The
//! reference implementation asks for the model and the endpoint again for each check.

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::{Limits, Quota};
use crate::config::{LimitedEndpoint, ProjectLimits, UnifiedLimits};
use crate::http::{Client, Options, Proxies, Request};
use crate::keystone::{CurrentSession, ServiceAccount};
use crate::{Error, ErrorKind, Result};

/// The only model of enforcement that the reference implementation supports.
const FLAT: &str = "flat";

/// The limits that Keystone has for an endpoint of the image service.
pub struct KeystoneLimits {
    account: ServiceAccount,
    wanted: LimitedEndpoint,
    found: OnceCell<Endpoint>,
}

/// An endpoint of the image service.
#[derive(Clone, Debug, Deserialize)]
struct Endpoint {
    service_id: String,
    region_id: Option<String>,
}

/// A limit of a project, or of all projects that have none of their own.
#[derive(Deserialize)]
struct Limit {
    resource_name: String,
    #[serde(alias = "default_limit")]
    resource_limit: i64,
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}

#[derive(Deserialize)]
struct ModelAnswer {
    model: Model,
}

#[derive(Deserialize)]
struct EndpointAnswer {
    endpoint: Endpoint,
}

#[derive(Deserialize)]
struct EndpointsAnswer {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct ServicesAnswer {
    services: Vec<WithId>,
}

#[derive(Deserialize)]
struct LimitsAnswer {
    #[serde(alias = "registered_limits")]
    limits: Vec<Limit>,
}

impl KeystoneLimits {
    /// Creates the limits of a Keystone, which is not asked yet.
    pub fn new(settings: &UnifiedLimits) -> Self {
        Self {
            account: ServiceAccount {
                login: settings.login(),
                region: settings.region.clone(),
                interfaces: settings.interfaces.clone(),
                client: Client::new(Options {
                    tls: settings.tls.clone(),
                    proxies: Proxies::Environment,
                    ..Options::default()
                }),
                session: CurrentSession::default(),
            },
            wanted: settings.endpoint.clone(),
            found: OnceCell::new(),
        }
    }

    /// Returns the endpoint, which is looked up once.
    async fn endpoint(&self) -> Result<&Endpoint> {
        let look_up = || async {
            let model: ModelAnswer = self.get(&["limits", "model"], &[]).await?;
            if model.model.name != FLAT {
                return Err(Error::failed(format!(
                    "enforcement model {} of Keystone's limits is not supported",
                    model.model.name
                )));
            }
            self.find().await
        };
        self.found.get_or_try_init(look_up).await
    }

    async fn find(&self) -> Result<Endpoint> {
        let (service_type, service_name, region, interface) = match &self.wanted {
            LimitedEndpoint::Id(id) => {
                let answer: Result<EndpointAnswer> = self.get(&["endpoints", id], &[]).await;
                let found = answer.map_err(|error| match error.kind() {
                    ErrorKind::NotFound => refused("endpoint_id", &format!("no endpoint {id}")),
                    _ => error,
                });
                return Ok(found?.endpoint);
            }
            LimitedEndpoint::OfService {
                service_type,
                service_name,
                region,
                interface,
            } => (service_type, service_name, region, interface),
        };
        let of_service = [("type", service_type), ("name", service_name)];
        let found: ServicesAnswer = self.get(&["services"], &given(&of_service)).await?;
        let service = only("endpoint_service_type", "service", found.services)?;
        let (service, interface) = (Some(service.id), Some(interface.name().to_string()));
        let of_endpoint = [
            ("service_id", &service),
            ("region_id", region),
            ("interface", &interface),
        ];
        let found: EndpointsAnswer = self.get(&["endpoints"], &given(&of_endpoint)).await?;
        only("endpoint_interface", "endpoint", found.endpoints)
    }

    /// Sends a request to Keystone, and reads the JSON of the response.
    async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T> {
        let build = |keystone: &url::Url| {
            let mut url = keystone.clone();
            let mut parts = url
                .path_segments_mut()
                .map_err(|()| Error::internal("an address has no parts"))?;
            parts.pop_if_empty().extend(path);
            drop(parts);
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            Ok(Request::new(Method::GET, url))
        };
        let response = self.account.call(build).await?;
        let (url, status) = (path.join("/"), response.status);
        let failed = |kind, message: String| {
            Error::new(
                kind,
                format!("the limits of projects cannot be read: {message}"),
            )
        };
        match status {
            StatusCode::OK => serde_json::from_slice(&response.body).map_err(|error| {
                let message = format!("Keystone's response to {url} is not the expected JSON");
                failed(ErrorKind::Unreachable, message).because(error)
            }),
            StatusCode::NOT_FOUND => Err(failed(
                ErrorKind::NotFound,
                format!("Keystone has no {url}"),
            )),
            StatusCode::FORBIDDEN => {
                let message = format!("the user of [oslo_limit] may not read {url}");
                Err(failed(ErrorKind::Failed, message))
            }
            status => {
                let message = format!("Keystone responded {status} to {url}");
                Err(failed(ErrorKind::Unreachable, message))
            }
        }
    }
}

#[async_trait]
impl Limits for KeystoneLimits {
    async fn limits_of(&self, project: &str) -> Result<ProjectLimits> {
        let limits = async {
            let endpoint = self.endpoint().await?;
            let service = Some(endpoint.service_id.clone());
            let project = Some(project.to_string());
            let mut of = vec![("service_id", &service), ("region_id", &endpoint.region_id)];
            let defaults: LimitsAnswer = self.get(&["registered_limits"], &given(&of)).await?;
            of.push(("project_id", &project));
            let own: LimitsAnswer = self.get(&["limits"], &given(&of)).await?;
            // A project's own limit comes first.
            Ok(own
                .limits
                .into_iter()
                .chain(defaults.limits)
                .collect::<Vec<_>>())
        };
        let limits = limits.await.map_err(unavailable)?;
        let limit = |quota: Quota| {
            let found = limits
                .iter()
                .find(|limit| limit.resource_name == quota.name());
            let Some(found) = found else {
                let name = quota.name();
                log::error!("Keystone has no registered limit {name}: nothing is allowed");
                return Some(0);
            };
            u64::try_from(found.resource_limit).ok()
        };
        Ok(ProjectLimits {
            size_total: limit(Quota::Size),
            stage_total: limit(Quota::Stage),
            count_total: limit(Quota::Count),
            count_uploading: limit(Quota::Uploading),
        })
    }
}

/// Returns the parameters that have a value.
fn given<'q>(all: &[(&'q str, &'q Option<String>)]) -> Vec<(&'q str, &'q str)> {
    let known = all
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    known.collect()
}

/// Returns the only one of the services or endpoints that Keystone has found.
fn only<T>(option: &str, what: &str, found: Vec<T>) -> Result<T> {
    let count = found.len();
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(refused(option, &format!("{count} such {what}s"))),
    }
}

fn refused(option: &str, why: &str) -> Error {
    Error::failed(format!("[oslo_limit] {option}: Keystone has {why}"))
}

/// Returns the error for the caller of the service: without the limits, nothing can be decided. The reason is in the log.
fn unavailable(error: Error) -> Error {
    log::error!("{}", error.message());
    let kind = match error.kind() {
        ErrorKind::Unreachable => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, "the limits of the project cannot be read").because(error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{ConfigSource, Environment, Settings};
    use crate::http::testing::{Answer, Exchange, Server, Then, block_on};

    /// A Keystone with limits for the endpoint `e`, which is the only public one of the service `s`.
    struct Keystone {
        limits: Mutex<Vec<Value>>,
        is_broken: AtomicBool,
    }

    impl Keystone {
        fn respond(&self, exchange: &mut Exchange) -> Then {
            exchange.read_all();
            let request = exchange.request.clone();
            if self.is_broken.load(Ordering::SeqCst) {
                return exchange.send(&Answer::empty(500));
            }
            if request.method == "POST" {
                let token = json!({"methods": ["password"], "user": {"id": "u", "name": "glance"},
                    "issued_at": "2024-01-01T00:00:00.000000Z", "expires_at": "2999-01-01T00:00:00.000000Z"});
                let answer = Answer::json(201, &json!({"token": token}));
                return exchange.send(&answer.with("X-Subject-Token", "own"));
            }
            assert_eq!(request.header("x-auth-token"), Some("own"));
            let url = request.url();
            let endpoint = json!({"id": "e", "service_id": "s", "region_id": "R"});
            let body = match url.path() {
                "/v3/limits/model" => json!({"model": {"name": "flat", "description": ""}}),
                "/v3/endpoints/e" => json!({"endpoint": endpoint}),
                "/v3/services" => json!({"services": [{"id": "s"}]}),
                "/v3/endpoints" => {
                    let is_public = request.query("interface") == ["public"];
                    let of_service = request.query("service_id") == ["s"];
                    let found = if is_public && of_service {
                        vec![endpoint]
                    } else {
                        Vec::new()
                    };
                    json!({"endpoints": found})
                }
                "/v3/registered_limits" => json!({"registered_limits": [
                    {"resource_name": "image_count_total", "default_limit": 5},
                    {"resource_name": "image_size_total", "default_limit": -1},
                    {"resource_name": "image_stage_total", "default_limit": 7},
                ]}),
                "/v3/limits" => {
                    assert_eq!(request.query("region_id"), ["R"]);
                    let own = self.limits.lock().unwrap();
                    let is_own = request.query("project_id") == ["p"];
                    json!({"limits": if is_own { own.clone() } else { Vec::new() }})
                }
                _ => return exchange.send(&Answer::json(404, &json!({}))),
            };
            exchange.send(&Answer::json(200, &body))
        }
    }

    fn limits(url: &str, endpoint: &str) -> KeystoneLimits {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.conf");
        let text = format!(
            "[DEFAULT]\nuse_keystone_limits = true\n[oslo_limit]\nauth_url = {url}\nusername = glance\n\
             password = sesame\nsystem_scope = all\n{endpoint}\n"
        );
        std::fs::write(&path, text).unwrap();
        let settings = Settings::load(&[ConfigSource::File(path)], &Environment::default());
        let settings = settings.unwrap();
        KeystoneLimits::new(settings.limits.unified.get().unwrap().as_deref().unwrap())
    }

    #[test]
    fn limits_of_the_project_come_before_registered_ones() {
        let keystone = Arc::new(Keystone {
            limits: Mutex::new(vec![
                json!({"resource_name": "image_count_total", "resource_limit": 9}),
            ]),
            is_broken: AtomicBool::new(false),
        });
        let own = Arc::clone(&keystone);
        let server = Server::start(move |exchange| own.respond(exchange));
        for endpoint in ["endpoint_id = e", "endpoint_service_type = image"] {
            let limits = limits(&server.url(""), endpoint);
            block_on(async {
                let expected = ProjectLimits {
                    size_total: None,
                    stage_total: Some(7),
                    count_total: Some(9),
                    count_uploading: Some(0),
                };
                assert_eq!(limits.limits_of("p").await.unwrap(), expected);
                let other = limits.limits_of("q").await.unwrap();
                assert_eq!(other.count_total, Some(5));
            });
        }
        let models = server
            .lines()
            .iter()
            .filter(|line| line.contains("model"))
            .count();
        assert_eq!(models, 2, "once for each");
    }

    #[test]
    fn without_keystone_nothing_is_allowed() {
        let keystone = Arc::new(Keystone {
            limits: Mutex::default(),
            is_broken: AtomicBool::new(false),
        });
        let own = Arc::clone(&keystone);
        let server = Server::start(move |exchange| own.respond(exchange));
        block_on(async {
            let cause = |error: &Error| std::error::Error::source(error).unwrap().to_string();
            let unknown = limits(&server.url(""), "endpoint_id = f")
                .limits_of("p")
                .await;
            let error = unknown.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
            assert!(cause(&error).contains("endpoint_id"), "{error:?}");
            let inside = "endpoint_service_type = image\nendpoint_interface = internal";
            let error = limits(&server.url(""), inside)
                .limits_of("p")
                .await
                .unwrap_err();
            assert!(cause(&error).contains("0 such endpoints"), "{error:?}");
            let limits = limits(&server.url(""), "endpoint_id = e");
            keystone.is_broken.store(true, Ordering::SeqCst);
            let error = limits.limits_of("p").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            keystone.is_broken.store(false, Ordering::SeqCst);
            limits.limits_of("p").await.unwrap();
        });
    }
}
