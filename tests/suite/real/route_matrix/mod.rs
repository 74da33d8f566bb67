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

/// The requests: method, path, what each of them is about, and body.
const REQUESTS: &str = include_str!("requests.txt");

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

/// Who prepares images: may do it with all rules.
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
    (NO_STATUS, "", [403, 400], BODY_FIRST),
    (NO_STATUS, "", [404, 400], BODY_FIRST),
    ("PUT /v2/info/usage", "", [404, 405], "the path exists"),
    ("GET /v2/cache/ ", "", [404, 200], "with a slash or without"),
    ("GET /v2/cache/ ", "", [404, 403], "with a slash or without"),
    ("PUT /v2/queued_images/", "", [403, 404], NOT_VISIBLE),
    ("DELETE /v2/queued_images/", "", [403, 200], NOT_VISIBLE),
    ("DELETE /v2/cached_images/", "", [403, 200], NOT_VISIBLE),
    (
        "PUT /v2/queued_images/",
        "queued",
        [200, 400],
        "an image without data cannot be cached",
    ),
    (
        "/v2/metadefs/",
        "",
        [404, 403],
        "the real service hides even that there are namespaces",
    ),
    (
        "/v2/metadefs/namespaces/$ns/",
        "",
        [200, 404],
        "who may not get a namespace does not get its contents",
    ),
];

const NO_STATUS: &str = r#"members/$member {"status": "nosuch"}"#;
const BODY_FIRST: &str = "the body is checked first";
const NOT_VISIBLE: &str = "nothing is done with an image that is not visible";

/// A line of the requests.
struct Row {
    method: &'static str,
    path: &'static str,
    subject: Option<Kind>,
    body: Option<&'static str>,
}

fn rows() -> Vec<Row> {
    let lines = REQUESTS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.flat_map(|line| {
        let mut fields = line.splitn(4, '|').map(str::trim);
        let mut next = || fields.next().unwrap();
        let (method, path, subjects, body) = (next(), next(), next(), next());
        let mut subjects: Vec<_> = subjects
            .split_whitespace()
            .map(Kind::of)
            .map(Some)
            .collect();
        if subjects.is_empty() {
            subjects.push(None);
        }
        subjects.into_iter().map(move |subject| Row {
            method,
            path,
            subject,
            body: Some(body).filter(|body| !body.is_empty()),
        })
    });
    rows.collect()
}

/// What is compared of a response.
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

/// Sends all requests as all callers.
fn play(side: &mut Side, rows: &[Row]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for row in rows {
        for (caller, _) in CALLERS {
            let response = side.play(caller, row.method, row.path, row.subject, row.body);
            replies.push(Reply::of(&response));
        }
    }
    replies
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
    let file = fs::read_to_string(theirs.join("etc/glance-api.conf")).unwrap();
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

/// Plays the requests on both services, with these rules.
fn compare(rules: &str, is_chosen: impl Fn(&Row) -> bool) {
    let cloud = SharedCloud::take();
    cloud.empty();
    let place = Place::new();
    let mut config = config(&cloud, &place);
    if !rules.is_empty() {
        place.write("policy.yaml", rules);
        config += &format!("policy_file = {}\n", place.file("policy.yaml").display());
    }
    let written = Rules::write(&cloud, if rules.is_empty() { "{}\n" } else { rules });
    let api = Api::start(&place, &config);
    let mut callers: Vec<_> = CALLERS
        .iter()
        .filter_map(|(name, who)| Some((*name, (*who)?)))
        .collect();
    callers.push(MAKER);
    let tokens: Vec<_> = callers
        .into_iter()
        .map(|(name, [project, role, user])| (name, cloud.caller(project, role, user)))
        .collect();
    let rows: Vec<Row> = rows().into_iter().filter(is_chosen).collect();
    let mut real = Side::new(cloud.glance(), &tokens, true);
    let mut ours = Side::new(api.url.clone(), &tokens, false);
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| play(&mut real, &rows));
        let ours = play(&mut ours, &rows);
        (theirs.join().unwrap(), ours)
    });
    drop(api);

    let cells = rows
        .iter()
        .flat_map(|row| CALLERS.iter().map(move |(caller, _)| (row, *caller)));
    let mut declared = vec![0; DECLARED.len()];
    let mut differences = Vec::new();
    for ((row, caller), (theirs, ours)) in cells.zip(theirs.iter().zip(&ours)) {
        if theirs == ours {
            continue;
        }
        let line = format!(
            "{} {} {}",
            row.method,
            row.path,
            row.body.unwrap_or_default()
        );
        let subject = row.subject.map(Kind::name).unwrap_or_default();
        let statuses = [theirs.status, ours.status];
        let known = DECLARED.iter().position(|(part, about, seen, _)| {
            line.contains(part) && (about.is_empty() || *about == subject) && *seen == statuses
        });
        match known {
            Some(known) => declared[known] += 1,
            None => differences.push(format!(
                "{line} ({subject}) as {caller}: {theirs:?}, {ours:?}"
            )),
        }
    }
    let all = theirs.len();
    let known: usize = declared.iter().sum();
    println!(
        "{} requests, {} callers: {all} responses, {} equal, {known} declared",
        rows.len(),
        CALLERS.len(),
        all - known - differences.len(),
    );
    assert!(
        differences.is_empty(),
        "{} of {all} differ; theirs, ours:\n{}",
        differences.len(),
        differences.join("\n")
    );
    drop(written);
    cloud.empty();
}

#[test]
fn every_route_responds_to_every_caller_as_the_real_service() {
    compare("", |_| true);
}

#[test]
fn rules_of_a_deployment_decide_as_in_the_real_service() {
    compare(RULES, |row| !row.path.contains("schemas"));
}
