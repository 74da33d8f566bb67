//! The page about the installation, line by line, on a real Keystone and MariaDB; and the commands of the catalogue beside
//! those of upstream's client.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::house::commands::{page, shell};
use crate::support::api::free_port;
use crate::support::mariadb::Schema;
use crate::support::realcloud::{known, output_of, script};
use crate::support::{GLANCE, Place, Run, block_on};

/// A Keystone as it is after its bootstrap, which is stopped when this is dropped.
struct Keystone {
    directory: tempfile::TempDir,
    url: String,
    venv: String,
}

impl Keystone {
    fn start() -> Self {
        let directory = tempfile::TempDir::new().unwrap();
        let mut up = Command::new(script("up"));
        up.arg(directory.path()).arg(std::process::id().to_string());
        output_of(up.env("REALCLOUD_BARE", "1"));
        let mut known = known(directory.path());
        Self {
            url: known.remove("KEYSTONE_URL").unwrap(),
            venv: known.remove("VENV").unwrap(),
            directory,
        }
    }
}

impl Drop for Keystone {
    fn drop(&mut self) {
        let down = Command::new(script("down"))
            .arg(self.directory.path())
            .status();
        let _ = down;
    }
}

/// The database of the page, and its user.
struct Database(Schema);

impl Database {
    fn command(&self) -> Command {
        self.0.command("mariadb")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = "DROP DATABASE IF EXISTS glance; DROP USER IF EXISTS 'glance'@'localhost', 'glance'@'%'";
        let _ = self.command().args(["-e", sql]).status();
    }
}

/// Replaces Keystone's IDs.
fn without_ids(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let id = rest.len() >= 32 && rest.is_char_boundary(32);
        let id = id && rest.as_bytes()[..32].iter().all(u8::is_ascii_hexdigit);
        let length = if id { 32 } else { next.len_utf8() };
        result.push_str(if id { "ID" } else { &rest[..length] });
        rest = &rest[length..];
    }
    result
}

/// Writes a program that runs another one.
fn write_program(path: &Path, command: &Command) {
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_str().unwrap());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(quoted).collect();
    fs::write(
        path,
        format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" ")),
    )
    .unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_line_of_the_installation_prints_what_the_page_shows() {
    let (keystone, top) = (Keystone::start(), tempfile::TempDir::new().unwrap());
    let database = Database(block_on(Schema::make()));
    let (programs, others) = (top.path().join("programs"), top.path().join("others"));
    let host = top.path().join("host");
    for directory in ["etc/glance", "var/lib/glance/images", "var/log/glance"] {
        fs::create_dir_all(host.join(directory)).unwrap();
    }
    for directory in [&programs, &others] {
        fs::create_dir_all(directory).unwrap();
    }
    for name in ["glance", "glance-api", "glance-manage", "openstack"] {
        symlink(GLANCE, programs.join(name)).unwrap();
    }
    write_program(&others.join("mysql"), &database.command());
    let openstack = Command::new(format!("{}/bin/openstack", keystone.venv));
    write_program(&others.join("openstack"), &openstack);
    let port = free_port();
    let url = database.0.url("glance:GLANCE_DBPASS");
    let (_, socket) = url.split_once('?').unwrap();
    let below = |path: &str| host.join(path).display().to_string();
    let replaced = [
        (
            "http://controller:5000/v3".to_string(),
            keystone.url.clone(),
        ),
        (
            "http://controller:5000".to_string(),
            keystone.url.trim_end_matches("/v3").to_string(),
        ),
        (
            "http://controller:9292".to_string(),
            format!("http://127.0.0.1:{port}"),
        ),
        (
            "bind_host = controller".to_string(),
            format!("bind_host = 127.0.0.1\nbind_port = {port}"),
        ),
        (
            "@localhost/glance".to_string(),
            format!("@localhost/glance?{socket}&ssl_disabled=true"),
        ),
        ("ADMIN_PASS".to_string(), "secret".to_string()),
        ("/etc/glance/".to_string(), below("etc/glance/")),
        ("/var/lib/glance/".to_string(), below("var/lib/glance/")),
        ("/var/log/glance/".to_string(), below("var/log/glance/")),
    ];
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md");
    let text = fs::read_to_string(&document).unwrap();
    let mut page = page::read(&text);
    for step in &mut page.steps {
        for (shown, real) in &replaced {
            step.command = step.command.replace(shown, real);
        }
    }
    let terminal = nix::pty::openpty(None, None).unwrap();
    let run = shell::Shell {
        home: top.path().join("home"),
        scripts: top.path().join("scripts"),
        programs,
        others: Some(others),
        terminal: Stdio::from(terminal.slave),
        clouds: String::new(),
        root: None,
    };
    let mut done = run.run(&page.steps);
    drop(terminal.master);
    for line in done.iter_mut().flat_map(|done| &mut done.output) {
        for (shown, real) in &replaced {
            *line = line.replace(real, shown);
        }
    }
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        let updated = shell::updated(&text, &page.steps, &done, false);
        fs::write(&document, updated).unwrap();
    }
    let shown = page.steps.iter_mut().flat_map(|step| &mut step.output);
    let printed = done.iter_mut().flat_map(|done| &mut done.output);
    for line in shown.chain(printed) {
        *line = without_ids(line);
    }
    let errors = shell::errors(Path::new("docs/install.md"), &page.steps, &done);
    assert!(errors.is_empty(), "{}", errors.join("\n\n"));
}

/// Commands after which both clients are compared: those that fail, too.
const LINES: [&str; 30] = [
    "service list",
    "service list --long",
    "service create --name one --description text kind-one",
    "service create --disable --name two kind-two -f json",
    "service show one",
    "service show kind-one -f yaml",
    "service show two -f shell",
    "service show none",
    "service set two --enable --name three --type kind-three --description changed",
    "service set three",
    "service show three -f value",
    "service list --long -f csv",
    "service list -f json -c Name --sort-column Name",
    "endpoint create --region RegionOne one public http://h/%(project_id)s",
    "endpoint create kind-one internal http://h --disable -f json",
    "endpoint create --region Nowhere one admin http://h",
    "endpoint create one admin nonsense",
    "endpoint create none admin http://h",
    "endpoint create one other http://h",
    "endpoint list --service one",
    "endpoint list --service one --interface internal -f value",
    "endpoint list --region Nowhere",
    "endpoint list --region RegionOne -f json",
    "endpoint list --project admin",
    "endpoint show none",
    "endpoint set none --url http://h",
    "endpoint delete none",
    "endpoint list --project a --endpoint b",
    "service delete one three none",
    "service list -f value -c Name",
];

#[test]
fn commands_of_the_catalogue_print_what_upstreams_client_prints() {
    let (keystone, place) = (Keystone::start(), Place::new());
    let run = |program: &str, line: &str| {
        let mut command = place.command(program);
        command
            .env_remove("GLANCE_DATA_DIR")
            .env("OS_AUTH_URL", &keystone.url);
        let login = [
            ("OS_USERNAME", "admin"),
            ("OS_PASSWORD", "secret"),
            ("OS_PROJECT_NAME", "admin"),
            ("OS_USER_DOMAIN_NAME", "Default"),
            ("OS_PROJECT_DOMAIN_NAME", "Default"),
        ];
        command.envs(login).env("PYTHONWARNINGS", "ignore");
        let run = Run::of(command.args(line.split(' ')).output().unwrap());
        (run.code, without_ids(&run.text()), run.stderr)
    };
    // Each client has all services and endpoints to itself.
    let mut results = Vec::new();
    for program in [
        format!("{}/bin/openstack", keystone.venv),
        GLANCE.to_string(),
    ] {
        results.push(LINES.map(|line| run(&program, line)));
    }
    let [theirs, ours] = results.try_into().unwrap();
    let mut wrong = Vec::new();
    for (line, (theirs, ours)) in LINES.iter().zip(theirs.into_iter().zip(ours)) {
        if (theirs.0, &theirs.1) != (ours.0, &ours.1) {
            wrong.push(format!("{line}\ntheirs: {theirs:?}\nours: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
