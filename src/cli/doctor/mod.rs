//! `glance doctor`: whether the deployment works, and what to do where it does not. An extension.

mod cloud;
mod local;
mod report;

use crate::cli::command::grammar::Grammar;
use crate::cli::command::registry::{Leaf, Output, Row};
use crate::cli::command::version;
use crate::cli::complete::kinds;
use crate::cli::run::session::Session;
use crate::config::{Deployment, Preferences, Reason};
use crate::ops::Outcome;
use crate::ops::doctor::{Findings, Health};
use crate::output::is_same_name;
use crate::{Error, Result};

/// Check the deployment that commands use: configuration, login, service, database, disks.
#[derive(Debug, Clone, clap::Args)]
pub struct Doctor {}

impl Leaf<Session> for Doctor {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let mut findings = Findings::default();
        findings.good("program", version::line(session.grammar));
        match session.preferences.get() {
            Ok(preferences) => check_columns(preferences, &mut findings),
            Err(error) => fail(&mut findings, "preferences", session, &error),
        }
        match session.deployment() {
            Ok(Deployment::Local { place, reason }) => {
                local::check(session, place, &reason, &mut findings).await;
            }
            Ok(Deployment::Remote { reason }) => {
                cloud::check(session, &reason, &mut findings).await;
            }
            // Reported as such above.
            Err(_) if session.preferences.get().is_err() => {}
            Err(error) => fail(&mut findings, "deployment", session, &error),
        }
        let code = u8::from(findings.is_bad());
        Ok(Outcome::from(report::report(&findings))
            .with_data(findings.table())
            .exiting(code))
    }
}

/// Checks the commands and columns of the user's preferences.
fn check_columns(preferences: &Preferences, findings: &mut Findings) {
    let file = preferences.file.as_ref();
    let file = file
        .map(|file| file.display().to_string())
        .unwrap_or_default();
    for (command, columns) in preferences.all_columns() {
        let is_command = [Grammar::Glance, Grammar::Openstack]
            .iter()
            .any(|grammar| grammar.find(command).is_some());
        if !is_command {
            let detail = format!("{file}: unknown command '{command}' in [columns]");
            findings.warn("preferences", detail, "Correct the name of the command.");
            continue;
        }
        let known = kinds::short_columns(command);
        let is_unknown = |name: &&String| !known.iter().any(|known| is_same_name(known, name));
        let unknown: Vec<&String> = columns.iter().filter(is_unknown).collect();
        if let (Some(name), false) = (unknown.first(), known.is_empty()) {
            let detail = format!("{file}: unknown column '{name}' of {command}");
            let cure = format!("The columns are {}.", known.join(", "));
            findings.warn("preferences", detail, cure);
        }
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
