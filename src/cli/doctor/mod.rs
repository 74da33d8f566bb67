//! `glance doctor`: whether the deployment works, and what to do where it does not. An extension.

mod cloud;
mod local;
mod report;

use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::version;
use crate::cli::run::session::Session;
use crate::config::{Deployment, Reason};
use crate::ops::Outcome;
use crate::ops::doctor::{Findings, Health};
use crate::{Error, Result};

/// Check the deployment that commands use: configuration, login, service, database, disks.
#[derive(Debug, Clone, clap::Args)]
pub struct Doctor {}

impl Leaf<Session> for Doctor {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut findings = Findings::default();
        findings.good("program", version::line(session.grammar));
        if let Err(error) = session.preferences.get() {
            fail(&mut findings, "preferences", session, &error);
        }
        match session.deployment() {
            Ok(Deployment::Local { place, reason }) => {
                local::check(session, place, &reason, &mut findings).await;
            }
            Ok(Deployment::Remote { reason }) => {
                cloud::check(session, &reason, &mut findings).await;
            }
            Err(error) => fail(&mut findings, "deployment", session, &error),
        }
        let code = u8::from(findings.is_bad());
        Ok(Outcome::from(report::report(&findings))
            .with_data(findings.table())
            .exiting(code))
    }
}

/// Adds an error as a finding, with its hints as the cure.
fn fail(findings: &mut Findings, check: &'static str, session: &Session, error: &Error) {
    let cure = session.hints(error);
    findings.add(check, Health::Bad, error.message(), cure);
}

/// Returns why a deployment is used.
fn because(reason: &Reason) -> String {
    match reason {
        Reason::Option => "an option selects it".to_string(),
        Reason::Variable(name) => format!("{name} selects it"),
        Reason::OnlyCloud { files, .. } => format!("the only cloud in {files}"),
        Reason::Preferences(file) => format!("{file} selects it"),
        Reason::Default => "no option, variable or clouds.yaml selects a cloud".to_string(),
    }
}

/// The commands of this file.
pub const ROWS: &[Row<Session>] = &[Row::extension::<Doctor>(
    "doctor",
    "Check the deployment that commands use",
    Output::Plain,
)];
