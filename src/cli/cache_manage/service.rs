//! The image service whose cache is managed, and the credentials.

use std::sync::Arc;

use clap::{Arg, ArgMatches};

use crate::cli::command::globals::cloud::OPTION_NAMES;
use crate::cli::operator::options::value;
use crate::cli::run::prompt::Terminal;
use crate::cli::run::ui;
use crate::config::{Cloud, CloudOptions, Environment};
use crate::http::{Listener, Observer};
use crate::remote::Remote;
use crate::{Error, Result};

/// The image service and the credentials. `None` falls back to the environment variable of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The address; default `0.0.0.0`.
    pub host: Option<String>,
    /// The port; default 9292.
    pub port: Option<i64>,
    /// Whether to skip verification of the certificate.
    pub insecure: bool,
    /// An authentication token.
    pub os_auth_token: Option<String>,
    /// The username.
    pub os_username: Option<String>,
    /// The password.
    pub os_password: Option<String>,
    /// The region name.
    pub os_region_name: Option<String>,
    /// The project ID.
    pub os_project_id: Option<String>,
    /// The project name.
    pub os_project_name: Option<String>,
    /// The ID of the user's domain.
    pub os_user_domain_id: Option<String>,
    /// The ID of the project's domain.
    pub os_project_domain_id: Option<String>,
    /// The domain ID; default `default`.
    pub os_domain_id: Option<String>,
    /// The Keystone URL.
    pub os_auth_url: Option<String>,
    /// The authentication strategy: `keystone` or `noauth`.
    pub os_auth_strategy: Option<String>,
}

impl Service {
    /// Returns whether the options select a service rather than a directory.
    pub fn is_named(&self) -> bool {
        *self
            != Self {
                insecure: self.insecure,
                ..Self::default()
            }
    }

    /// Returns the values of the options.
    pub fn from_matches(matches: &ArgMatches) -> Self {
        let text = |id| matches.get_one::<String>(id).cloned();
        Self {
            host: text("host"),
            port: matches.get_one::<i64>("port").copied(),
            insecure: matches.get_flag("insecure"),
            os_auth_token: text("os-auth-token"),
            os_username: text("os-username"),
            os_password: text("os-password"),
            os_region_name: text("os-region-name"),
            os_project_id: text("os-project-id"),
            os_project_name: text("os-project-name"),
            os_user_domain_id: text("os-user-domain-id"),
            os_project_domain_id: text("os-project-domain-id"),
            os_domain_id: text("os-domain-id"),
            os_auth_url: text("os-auth-url"),
            os_auth_strategy: text("os_auth_strategy"),
        }
    }

    /// Returns the service selected by options and environment.
    pub fn cloud(&self, environment: &Environment) -> Result<Cloud> {
        let host = self.host.as_deref().unwrap_or("0.0.0.0");
        let port = self.port.unwrap_or(9292);
        let url = if host.contains("://") {
            host.to_string()
        } else {
            format!("http://{host}:{port}")
        };
        let variable = |name: &str| environment.get(name)?.to_str().map(str::to_string);
        let keystone = self.os_auth_url.is_some() || environment.get("OS_AUTH_URL").is_some();
        let strategy = self
            .os_auth_strategy
            .clone()
            .or_else(|| variable("OS_AUTH_STRATEGY"));
        match strategy.as_deref() {
            None | Some("noauth") => {}
            Some("keystone") if keystone => {}
            Some("keystone") => {
                return Err(Error::failed(
                    "--os_auth_url option or OS_AUTH_URL environment variable required when keystone authentication \
                     strategy is enabled",
                ));
            }
            Some(other) => {
                return Err(Error::failed(format!(
                    "Unknown authentication strategy: '{other}'"
                )));
            }
        }
        let token = self.os_auth_token.is_some()
            || ["OS_AUTH_TOKEN", "OS_TOKEN"]
                .iter()
                .any(|name| environment.get(name).is_some());
        let value = |name: &str| match name {
            "--os-image-url" => Some(url.clone()),
            "--os-auth-type" if !keystone && !token => Some("none".to_string()),
            "--os-auth-token" => self.os_auth_token.clone(),
            "--os-username" => self.os_username.clone(),
            "--os-password" => self.os_password.clone(),
            "--os-region-name" => self.os_region_name.clone(),
            "--os-project-id" => self.os_project_id.clone(),
            "--os-project-name" => self.os_project_name.clone(),
            "--os-user-domain-id" => self.os_user_domain_id.clone(),
            "--os-project-domain-id" => self.os_project_domain_id.clone(),
            "--os-default-domain-id" => self.os_domain_id.clone(),
            "--os-auth-url" => self.os_auth_url.clone(),
            "--insecure" => self.insecure.then(|| "true".to_string()),
            _ => None,
        };
        let options = CloudOptions {
            names: OPTION_NAMES,
            value: &value,
        };
        Cloud::load(options, environment)
    }
}

/// Connects to a service. With `debug`, requests and responses are printed.
pub async fn connect(cloud: Cloud, debug: bool) -> Result<Remote> {
    for warning in cloud.warnings() {
        ui::notice(&warning);
    }
    let observer = Observer {
        listener: debug.then(|| Arc::new(ui::debug) as Listener),
        ..Observer::default()
    };
    Remote::open(cloud, Box::new(Terminal), observer).await
}

/// Returns the options for authentication. Deprecated one-letter and underscored names are hidden.
pub fn identity_args() -> [Arg; 11] {
    [
        value(
            "os-auth-token",
            "TOKEN",
            "Authentication token [env OS_AUTH_TOKEN]",
        )
        .short_alias('A')
        .aliases(["os_auth_token", "auth_token"]),
        value("os-username", "NAME", "Username [env OS_USERNAME]")
            .short_alias('I')
            .alias("os_username"),
        value("os-password", "PASSWORD", "Password [env OS_PASSWORD]")
            .short_alias('K')
            .alias("os_password"),
        value(
            "os-region-name",
            "REGION",
            "Region name [env OS_REGION_NAME]",
        )
        .short_alias('R')
        .alias("os_region_name"),
        value("os-project-id", "ID", "Project ID [env OS_PROJECT_ID]").alias("os_project_id"),
        value(
            "os-project-name",
            "NAME",
            "Project name [env OS_PROJECT_NAME]",
        )
        .short_alias('T')
        .alias("os_project_name"),
        value(
            "os-user-domain-id",
            "ID",
            "User's domain ID [env OS_USER_DOMAIN_ID]",
        ),
        value(
            "os-project-domain-id",
            "ID",
            "Project's domain ID [env OS_PROJECT_DOMAIN_ID]",
        ),
        value(
            "os-domain-id",
            "ID",
            "Domain ID; default: default [env OS_DOMAIN_ID]",
        ),
        value("os-auth-url", "URL", "Keystone URL [env OS_AUTH_URL]")
            .short_alias('N')
            .alias("os_auth_url"),
        value(
            "os_auth_strategy",
            "STRATEGY",
            "Authentication strategy: keystone or noauth",
        )
        .short('S'),
    ]
}
