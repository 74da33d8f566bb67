//! Output at a terminal, and the preferences of a user.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::glance::{Server, aim};
use crate::support::{GLANCE, Place, Run};

/// `glance` at a terminal of this width, as `script` of util-linux makes one.
fn at_terminal(place: &Place, columns: u16, line: &str) -> String {
    let mut command = place.command("script");
    let line = format!("stty cols {columns} rows 24; exec {GLANCE} {line}");
    command.args(["-qec", &line, "/dev/null"]);
    Run::of(command.output().unwrap())
        .text()
        .replace("\r\n", "\n")
}

fn preferences(place: &Place, text: &str) {
    let directory = place.file("../home/.config/glance");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("client.conf"), text).unwrap();
}

#[test]
fn a_long_list_is_readable_at_a_narrow_terminal() {
    let place = Place::new();
    place.image("debian", b"content");
    for columns in [80, 120] {
        let text = at_terminal(&place, columns, "image list --long");
        assert!(
            text.lines()
                .any(|line| line.starts_with("Name") && line.ends_with(" debian")),
            "{text}"
        );
        assert!(text.lines().all(|line| !line.starts_with('|')), "{text}");
    }
    let text = at_terminal(&place, 80, "image list");
    assert!(
        text.lines()
            .all(|line| line.starts_with('+') || line.starts_with('|')),
        "{text}"
    );
    let piped = place.glance(&["image", "list", "--long"]).ok();
    assert!(piped.starts_with("+--"), "{piped}");
}

#[test]
fn a_status_has_a_color_at_a_terminal_only() {
    let place = Place::new();
    let id = place.image("debian", b"content");
    let text = at_terminal(&place, 100, "image list");
    assert!(text.contains("\x1b[32mactive\x1b[0m"), "{text}");
    let text = at_terminal(&place, 100, &format!("image-show {id}"));
    assert!(text.contains("\x1b[32mactive\x1b[0m"), "{text}");
    assert!(!place.glance(&["image", "list"]).ok().contains('\x1b'));
    let text = at_terminal(&place, 100, "doctor");
    assert!(
        text.starts_with("\x1b[32mok\x1b[0m       program"),
        "{text}"
    );
    preferences(&place, "[DEFAULT]\ncolor = never\n");
    assert!(!at_terminal(&place, 100, "image list").contains('\x1b'));
}

#[test]
fn sizes_and_times_are_for_people_on_request() {
    let place = Place::new();
    let id = place.image("debian", &vec![0; 3 << 19]);
    let shown = place.glance(&["--human", "image-show", &id]).ok();
    assert!(shown.contains("| 1.50 MiB "), "{shown}");
    let shown = place
        .glance(&["image", "show", "debian", "--human", "-f", "json"])
        .ok();
    assert!(shown.contains("1572864"), "programs get bytes: {shown}");
    let local = |zone: &str| {
        let mut command = place.command(GLANCE);
        command
            .env("TZ", zone)
            .args(["--local-time", "image-show", &id]);
        Run::of(command.output().unwrap()).ok()
    };
    let created = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.contains("created_at"))
            .unwrap();
        line.split('|').nth(2).unwrap().trim().to_string()
    };
    let (east, west) = (created(&local("UTC-5")), created(&local("UTC+5")));
    assert_ne!(east, west);
    assert_eq!(east.len(), "2026-11-28 09:30:04".len(), "{east}");
}

#[test]
fn stores_are_a_table_with_their_space_at_a_terminal() {
    let place = Place::new();
    place.configure(
        "[DEFAULT]\nenabled_backends = fast:file, web:http\n[glance_store]\ndefault_backend = fast\n",
    );
    let text = at_terminal(&place, 100, "stores-info --detail");
    assert!(text.contains("| fast (default) | file | 0 "), "{text}");
    assert!(text.contains(" %"), "{text}");
    assert!(text.contains("of "), "{text}");
    let words = ["--format", "json", "stores-info", "--detail"];
    let shown: serde_json::Value = serde_json::from_str(&place.glance(&words).ok()).unwrap();
    let space = &shown["stores"][0]["space"];
    let [free, total] = ["free_bytes", "total_bytes"].map(|key| space[key].as_u64().unwrap());
    assert!(free <= total && total > 0, "{shown}");
    assert_eq!(shown["stores"][1].get("space"), None, "{shown}");
}

#[test]
fn preferences_apply_at_a_terminal() {
    let place = Place::new();
    place.image("debian", b"content");
    preferences(
        &place,
        "[DEFAULT]\nformat = json\n[columns]\nimage list = Name,Status\n",
    );
    let text = at_terminal(&place, 100, "image list");
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed, json!([{"Name": "debian", "Status": "active"}]));
    let text = at_terminal(&place, 100, "image list -f value -c Name");
    assert_eq!(text, "debian\n");
    let piped = place.glance(&["image", "list"]).ok();
    assert!(
        piped.starts_with("+--") && piped.contains("| ID "),
        "{piped}"
    );
}

#[test]
fn a_preferred_format_applies_where_it_can() {
    let place = Place::new();
    place.image("debian", b"content");
    preferences(
        &place,
        "[DEFAULT]\nformat = csv\n[columns]\nimage list = Name\n",
    );
    let text = at_terminal(&place, 100, "image list");
    assert_eq!(text, "\"Name\"\n\"debian\"\n");
    let text = at_terminal(&place, 100, "image show debian");
    assert!(text.starts_with("+--"), "{text}");
    // The option for more columns is not overridden.
    let text = at_terminal(&place, 200, "image list --long");
    assert!(text.contains("Checksum"), "{text}");
}

#[test]
fn invalid_preferences_are_refused_where_they_are_needed() {
    let place = Place::new();
    place.image("debian", b"content");
    preferences(&place, "[DEFAULT]\nclod = x\n");
    let refusal = "client.conf:2: unknown option";
    let text = at_terminal(&place, 100, "image list");
    assert!(text.contains(refusal), "{text}");
    place.glance(&["image", "list"]).ok();
    let text = at_terminal(&place, 100, "doctor");
    assert!(text.contains("preferences"), "{text}");
    assert!(
        text.contains("database"),
        "the other checks are made: {text}"
    );
    // Nothing else selects a deployment.
    let mut command = place.command(GLANCE);
    command
        .env_remove("GLANCE_DATA_DIR")
        .args(["image", "list"]);
    let refused = Run::of(command.output().unwrap()).fails(1);
    assert!(refused.contains(refusal), "{refused}");
    let doctor = place.glance(&["doctor"]);
    assert_eq!(doctor.code, 1);
    assert!(
        doctor.text().contains("error    preferences"),
        "{}",
        doctor.text()
    );
    preferences(&place, "[columns]\nimage list = Nmae\nimage lst = Name\n");
    let text = at_terminal(&place, 100, "image list");
    assert!(text.contains("client.conf selects the columns"), "{text}");
    let doctor = place.glance(&["doctor"]).text();
    assert!(
        doctor.contains("unknown column 'Nmae' of image list"),
        "{doctor}"
    );
    assert!(doctor.contains("unknown command 'image lst'"), "{doctor}");
}

#[test]
fn ids_are_whole_while_the_other_columns_are_readable() {
    let place = Place::new();
    let name = "a name that is much longer than a column at this terminal has room for";
    place.image(name, b"content");
    let text = at_terminal(&place, 80, "image-list");
    let id = place
        .glance(&["image", "list", "-f", "value", "-c", "ID"])
        .ok();
    assert!(text.contains(id.trim()), "{text}");
    assert!(text.contains("a name that is much"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn a_preferred_cloud_is_used_if_nothing_else_is_selected() {
    let place = Place::new();
    let directory = place.file("../home/.config/openstack");
    fs::create_dir_all(&directory).unwrap();
    let clouds = "clouds: {a: {auth_type: none, endpoint: 'http://127.0.0.1:1'}, \
                  b: {auth_type: none, endpoint: 'http://127.0.0.1:2'}}";
    fs::write(directory.join("clouds.yaml"), clouds).unwrap();
    preferences(&place, "[DEFAULT]\ncloud = b\n");
    let run = |words: &[&str]| {
        let mut command = place.command(GLANCE);
        command.env_remove("GLANCE_DATA_DIR").args(words);
        Run::of(command.output().unwrap())
    };
    assert!(run(&["image-list"]).stderr.contains("127.0.0.1:2"));
    assert!(
        run(&["--os-cloud", "a", "image-list"])
            .stderr
            .contains("127.0.0.1:1")
    );
    assert!(run(&["doctor"]).text().contains("client.conf selects it"));
    assert_eq!(run(&["--local", "image-list"]).code, 0);
}

#[test]
fn an_image_is_waited_for_until_it_has_a_status() {
    let place = Place::new();
    let server = Server::start();
    let id = server.image("debian", b"content");
    server.set(&id, "status", "importing");
    let run = |words: &[&str]| {
        let mut command = place.command(GLANCE);
        aim(&mut command, &server.url());
        Run::of(command.args(words).output().unwrap())
    };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&["image-show", &id, "--wait-for", "active"]));
        // Once it was looked at twice, the import ends.
        for _ in 0..1000 {
            if server.count("GET", &id) >= 2 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        server.set(&id, "status", "active");
        let shown = waiting.join().unwrap().ok();
        assert!(shown.contains("| active "), "{shown}");
    });
    server.set(&id, "status", "killed");
    let run = run(&["image-show", &id, "--wait-for", "active"]);
    assert!(run.fails(1).contains("will not become active"));
    let refused = place
        .glance(&["image", "show", &id, "--wait-for", "ready"])
        .fails(2);
    assert!(refused.contains("invalid choice: 'ready'"), "{refused}");
}

#[test]
fn only_what_reads_can_be_watched() {
    let place = Place::new();
    let refused = place.glance(&["image-delete", "x", "--watch"]).fails(2);
    assert!(
        refused.contains("--watch cannot be used with image-delete"),
        "{refused}"
    );
}
