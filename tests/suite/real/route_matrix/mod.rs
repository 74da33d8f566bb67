//! Every route, as every kind of caller: the real image service and ours respond with the same status.
//!
//! Both use one Keystone and the same configuration. The requests of `requests.txt` are sent to both in the same order; each
//! image and namespace that they are about is used until a request changes it.

mod side;

use std::fs;
use std::path::PathBuf;

use glance_tools::http::Response;

use super::server_identity::Api;
use crate::support::Place;
use crate::support::realcloud::SharedCloud;
use side::{Kind, Side};

/// Rules that deployments change.
const RULES: &str = include_str!("policy.yaml");

/// The callers: a name, and project, roles and user; none for one without a token. Those that may do least come first, so
/// that most requests are refused and leave their image as it is.
const CALLERS: &[(&str, Option<[&str; 3]>)] = &[
    ("none", None),
    ("auditor", Some(["matrix", "auditor", "c"])),
    ("stranger", Some(["stranger", "member", "s"])),
    ("reader", Some(["matrix", "reader", "r"])),
    ("service", Some(["services", "service", "v"])),
    ("uploader", Some(["matrix", "uploader", "u"])),
    ("owner", Some(["matrix", "member", "o"])),
    ("admin", Some(["admins", "admin", "a"])),
];

/// The caller that prepares images, which any of the rules allow it to.
const MAKER: (&str, [&str; 3]) = ("maker", ["matrix", "admin,member,uploader,auditor", "k"]);

/// Differences that are known: a part of method, path and body, about this (all where it is empty), the statuses of the real
/// service and of ours, and the reason.
const DECLARED: &[(&str, &str, [u16; 2], &str)] = &[
    (
        "PUT /v2/images/$image/file",
        "staged",
        [204, 409],
        "the real service forgets that an image is staged when it refuses an upload into it",
    ),
    (
        "POST /v2/images/$image/import",
        "",
        [409, 404],
        "the real service reveals the status of an image that the caller may not get",
    ),
    (
        "DELETE /v2/images/$image/locations",
        "private",
        [405, 405],
        "GET is allowed, and the real service does not list it",
    ),
];

/// A request.
struct Row {
    method: &'static str,
    path: &'static str,
    subject: Option<Kind>,
    body: Option<&'static str>,
    /// Whether it is the first of its line.
    is_first: bool,
    /// Its marks, as `requests.txt` explains them.
    marks: &'static str,
}

impl Row {
    /// Whether it is sent as a caller. Without a token or with roles of no rule, all that a line is about is the same.
    fn is_for(&self, caller: &str, has_rules: bool) -> bool {
        match caller {
            "none" => self.is_first && !has_rules,
            "service" => self.is_first && !has_rules && !self.has_mark('-'),
            "uploader" => has_rules,
            "auditor" | "admin" => true,
            _ => !self.has_mark('-'),
        }
    }

    fn has_mark(&self, mark: char) -> bool {
        self.marks.contains(mark)
    }
}

/// The requests of `requests.txt`.
fn rows() -> Vec<Row> {
    let lines = include_str!("requests.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.flat_map(|line| {
        let mut fields = line.splitn(4, '|').map(str::trim);
        let mut next = || fields.next().unwrap();
        let (method, path, subjects, body) = (next(), next(), next(), next());
        let mut subjects: Vec<_> = subjects.split_whitespace().collect();
        if subjects.is_empty() {
            subjects.push("");
        }
        subjects
            .into_iter()
            .enumerate()
            .map(move |(index, subject)| {
                let name = subject.trim_end_matches(['*', '=', '-']);
                Row {
                    method,
                    path,
                    subject: (!name.is_empty()).then(|| Kind::of(name)),
                    body: Some(body).filter(|body| !body.is_empty()),
                    is_first: index == 0,
                    marks: &subject[name.len()..],
                }
            })
    });
    rows.collect()
}

/// The compared parts of a response.
#[derive(Debug, PartialEq)]
struct Reply {
    status: u16,
    allow: String,
}

impl Reply {
    fn of(response: &Response) -> Self {
        let allow = response.headers.get("allow");
        Self {
            status: response.status.as_u16(),
            allow: allow
                .map(|value| value.to_str().unwrap().to_string())
                .unwrap_or_default(),
        }
    }
}

/// Sends requests as callers.
fn play(side: &mut Side, cells: &[(&Row, &'static str)]) -> Vec<Reply> {
    let played = cells.iter().map(|(row, caller)| {
        let response = side.play(caller, row);
        Reply::of(&response)
    });
    played.collect()
}

/// The file of policies of a real service, whose rules are the defaults again in the end.
struct Rules(PathBuf);

impl Rules {
    fn write(cloud: &SharedCloud, text: &str) -> Self {
        let rules = Self(cloud.directory().join("glance/etc/policy.yaml"));
        fs::write(&rules.0, text).unwrap();
        rules
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = fs::write(&self.0, "{}\n");
    }
}

/// The configuration of the real service, with directories of ours. The defaults of all policies decide.
fn config(cloud: &SharedCloud, place: &Place) -> String {
    let theirs = cloud.directory().join("glance");
    let read = |name: &str| fs::read_to_string(theirs.join("etc").join(name)).unwrap();
    let file = read("glance-api.conf") + &read("glance-image-import.conf");
    let top = place.file("");
    for name in ["images", "images2", "cache", "staging", "tasks"] {
        fs::create_dir_all(top.join(name)).unwrap();
    }
    let lines = file.lines().filter(|line| !line.starts_with("log_file"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let directory = top.to_str().unwrap().trim_end_matches('/');
    format!(
        "{}\n[DEFAULT]\nbind_port = 0\n[oslo_policy]\nenforce_scope = true\n",
        text.replace(theirs.to_str().unwrap(), directory)
    )
}

/// Plays the requests on both services, with the rules of `policy.yaml` or without.
#[expect(
    clippy::print_stdout,
    reason = "it shows how many responses there are, and where the time goes"
)]
fn compare(has_rules: bool) {
    let cloud = SharedCloud::take();
    cloud.empty();
    let place = Place::new();
    let mut config = config(&cloud, &place);
    if has_rules {
        place.write("policy.yaml", RULES);
        config += &format!("policy_file = {}\n", place.file("policy.yaml").display());
    }
    let written = Rules::write(&cloud, if has_rules { RULES } else { "{}\n" });
    let api = Api::start(&place, &config);
    let rows: Vec<Row> = rows()
        .into_iter()
        .filter(|row| row.has_mark('*') || !has_rules)
        .collect();
    let cells: Vec<(&Row, &str)> = rows
        .iter()
        .flat_map(|row| {
            let callers = CALLERS.iter().map(|(caller, _)| *caller);
            callers
                .filter(move |caller| row.is_for(caller, has_rules))
                .map(move |caller| (row, caller))
        })
        .collect();
    let mut callers: Vec<_> = CALLERS
        .iter()
        .filter_map(|(name, who)| Some((*name, (*who)?)))
        .collect();
    callers.push(MAKER);
    let tokens: Vec<_> = callers
        .into_iter()
        .map(|(name, [project, role, user])| (name, cloud.caller(project, role, user)))
        .collect();
    let mut real = Side::new(cloud.glance(), &tokens, true);
    let mut ours = Side::new(api.url.clone(), &tokens, false);
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            let replies = play(&mut real, &cells);
            println!("the real service: {real}");
            replies
        });
        let replies = play(&mut ours, &cells);
        println!("ours: {ours}");
        (theirs.join().unwrap(), replies)
    });
    drop(api);

    let mut known = 0;
    let mut differences = Vec::new();
    for ((row, caller), (theirs, ours)) in cells.iter().zip(theirs.iter().zip(&ours)) {
        if theirs == ours {
            continue;
        }
        let (method, path) = (row.method, row.path);
        let line = format!("{method} {path} {}", row.body.unwrap_or_default());
        let subject = row.subject.map(Kind::name).unwrap_or_default();
        let statuses = [theirs.status, ours.status];
        let is_known = DECLARED.iter().any(|(part, about, seen, _)| {
            line.contains(part) && (about.is_empty() || *about == subject) && *seen == statuses
        });
        if is_known {
            known += 1;
        } else {
            differences.push(format!(
                "{line} ({subject}) as {caller}: {theirs:?}, {ours:?}"
            ));
        }
    }
    let (all, differ) = (cells.len(), differences.len());
    let equal = all - known - differ;
    println!("{all} responses, {equal} equal, {known} declared, {differ} not");
    assert!(
        differences.is_empty(),
        "{differ} of {all} differ; theirs, ours:\n{}",
        differences.join("\n")
    );
    drop(written);
    cloud.empty();
}

#[test]
fn every_route_responds_to_every_caller_as_the_real_service() {
    compare(false);
}

#[test]
fn rules_of_a_deployment_decide_as_in_the_real_service() {
    compare(true);
}
