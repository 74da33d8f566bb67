//! Checks of a cloud.

use std::time::Duration;

use futures_util::TryStreamExt;

use super::{because, fail};
use crate::cli::run::prompt::Terminal;
use crate::cli::run::session::Session;
use crate::config::{Cloud, Login, Reason};
use crate::model::{ImageQuery, Timestamp};
use crate::ops::doctor::{Findings, Health};
use crate::remote::Remote;
use crate::service::Images;

/// The time to wait for each response, unless an option sets it.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The difference of the clocks from which tokens and signatures are refused, in seconds.
const CLOCKS_DIFFER: i64 = 60;

/// The time before the end of a certificate from which it is reported, in days.
const EXPIRES_SOON: i64 = 21;

/// Checks the cloud that options and environment select.
pub async fn check(session: &Session, reason: &Reason, findings: &mut Findings) {
    let mut cloud = match session.cloud().await {
        Ok(cloud) => cloud,
        Err(error) => return fail(findings, "deployment", session, &error),
    };
    let name = cloud
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" {name}"));
    findings.good("deployment", format!("cloud{name} ({})", because(reason)));
    for warning in cloud.warnings() {
        findings.warn(
            "configuration",
            warning,
            "Correct it, or ignore it if it is intended.",
        );
    }
    findings.good("login", login_in_words(&cloud));
    cloud.timeout.get_or_insert(TIMEOUT);
    let opened = Remote::open(cloud, Box::new(Terminal), session.observation.observer()).await;
    let remote = match opened {
        Ok(remote) => remote,
        Err(error) => return fail(findings, "login", session, &error),
    };
    if let Some((who, is_cached)) = remote.who().await {
        let how = if is_cached {
            ", with a cached token"
        } else {
            ""
        };
        findings.good("identity", format!("{who}{how}"));
    }
    check_service(session, &remote, findings).await;
    let query = ImageQuery {
        limit: Some(1),
        ..ImageQuery::default()
    };
    match remote.list_images(query).try_next().await {
        Ok(_) => findings.good("images", "images can be listed"),
        Err(error) => fail(findings, "images", session, &error),
    }
}

/// Returns how the login works, without secrets.
fn login_in_words(cloud: &Cloud) -> String {
    match &cloud.login {
        Login::None => "none: the service asks for no authentication".to_string(),
        Login::Token(_) => "a token, without Keystone".to_string(),
        Login::Basic { .. } => "HTTP basic authentication".to_string(),
        Login::Keystone(keystone) => format!("Keystone at {}", keystone.auth_url),
    }
}

async fn check_service(session: &Session, remote: &Remote, findings: &mut Findings) {
    let examined = match remote.examine().await {
        Ok(examined) => examined,
        Err(error) => return fail(findings, "service", session, &error),
    };
    let endpoint = &examined.endpoint;
    if let Some(version) = &examined.version {
        findings.good(
            "service",
            format!("{endpoint}, version {version} of the API"),
        );
    } else {
        let detail = format!("{endpoint} does not have version 2 of the Images API");
        let cure = "Correct the address of the image service.".to_string();
        findings.add("service", Health::Bad, detail, Some(cure));
    }
    if examined.is_exposed {
        findings.warn(
            "encryption",
            format!("{endpoint} has no TLS: tokens and images can be read on the way"),
            "Use an https:// address of the service.",
        );
    }
    if let Some(ahead) = examined.ahead {
        let (seconds, side) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
        if seconds < CLOCKS_DIFFER {
            findings.good("clock", "agrees with that of the service");
        } else {
            let detail = format!("the service's clock is {seconds} s {side} that of this machine");
            findings.warn(
                "clock",
                detail,
                "Synchronize both with NTP: logins may fail.",
            );
        }
    }
    if let Some(expiry) = examined.expiry {
        let days = expiry.since(Timestamp::now()).as_hours() / 24;
        let detail = format!("expires on {} ({days} days)", &expiry.to_iso()[..10]);
        if days < EXPIRES_SOON {
            findings.warn("certificate", detail, "Renew it at the service.");
        } else {
            findings.good("certificate", detail);
        }
    }
}
