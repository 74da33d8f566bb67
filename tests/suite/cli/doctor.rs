//! `glance doctor`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::glance::{Answer, Server, aim, tricks};
use crate::support::{GLANCE, Place, Run, files};

/// The findings of a check-up: check, status and detail of each.
fn findings(run: &Run) -> Vec<[String; 3]> {
    let parsed: Vec<Value> = serde_json::from_slice(&run.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_string();
    let fields = |finding: &Value| ["check", "status", "detail"].map(|name| text(finding, name));
    parsed.iter().map(fields).collect()
}

/// The first finding of a check.
fn found(run: &Run, check: &str) -> [String; 3] {
    let all = findings(run);
    let one = all.iter().find(|finding| finding[0] == check);
    one.unwrap_or_else(|| panic!("no {check} in {all:?}"))
        .clone()
}

fn examine(place: &Place) -> Run {
    place.glance(&["--format", "json", "doctor"])
}

#[test]
fn a_deployment_that_works_is_all_right_and_stays_as_it_is() {
    let place = Place::new();
    let run = examine(&place);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!place.data().exists(), "looking creates nothing");

    place.image("first", b"content");
    let content = || fs::read(place.data().join("glance.db")).unwrap();
    let before = (files(&place.data().join("images")), content());
    let run = examine(&place);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        findings(&run).iter().all(|finding| finding[1] == "ok"),
        "{run:?}"
    );
    assert!(
        found(&run, "deployment")[2].contains("GLANCE_DATA_DIR selects it"),
        "{run:?}"
    );
    assert!(
        found(&run, "database")[2].contains("is at revision"),
        "{run:?}"
    );
    assert!((files(&place.data().join("images")), content()) == before);

    let text = place.glance(&["doctor"]).ok();
    let lines = text.lines().count();
    assert_eq!(lines, findings(&run).len(), "{text}");
    assert!(text.starts_with("ok       program "), "{text}");
}

#[test]
fn what_does_not_work_is_an_error_with_its_cure() {
    let place = Place::new();
    place.image("first", b"content");
    place.configure("[DEFAULT]\nimage_size_cap = many\n");
    let run = examine(&place);
    assert_eq!(run.code, 1);
    let [_, status, detail] = found(&run, "configuration");
    assert_eq!(status, "error");
    assert!(detail.contains("image_size_cap"), "{detail}");

    place.configure("");
    fs::write(place.data().join("glance.db"), "not a database").unwrap();
    let run = examine(&place);
    assert_eq!(
        (run.code, found(&run, "database")[1].as_str()),
        (1, "error")
    );

    let work = place.file("glance-api.conf");
    let missing = place.file("not-mounted");
    let text = format!(
        "[database]\nconnection = sqlite:///{}\n[glance_store]\nfilesystem_store_datadir = {}\n",
        place.file("other.db").display(),
        missing.display()
    );
    fs::write(&work, text).unwrap();
    let words = ["--config-file", work.to_str().unwrap(), "doctor"];
    let mut command = place.command(GLANCE);
    command.env_remove("GLANCE_DATA_DIR").args(words);
    // Without images, it may be created later.
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, 0);
    let text = run.text();
    assert!(text.contains("not-mounted is missing"), "{text}");
    assert!(
        text.contains("Cure: Create it, or mount its file system."),
        "{text}"
    );
}

#[test]
fn a_directory_that_everyone_can_change_is_a_warning() {
    let place = Place::new();
    place.image("first", b"content");
    let images = place.data().join("images");
    fs::set_permissions(&images, fs::Permissions::from_mode(0o777)).unwrap();
    let run = examine(&place);
    assert_eq!(run.code, 0);
    let [_, status, detail] = found(&run, "store");
    assert_eq!(status, "warning");
    assert!(detail.contains("can be changed by every user"), "{detail}");
}

/// A check-up of a cloud whose list of versions is `answer`.
fn examine_cloud(answer: Answer) -> Run {
    let place = Place::new();
    let server = Server::start();
    server.on("GET", "/versions", 1..=usize::MAX, tricks::say(answer));
    let mut command = place.command(GLANCE);
    aim(&mut command, &server.url());
    command.args(["--format", "json", "doctor"]);
    Run::of(command.output().unwrap())
}

/// The moment so many seconds ago, as HTTP writes it.
fn http_date(ago: i64) -> String {
    let moment = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(ago);
    jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S GMT", moment).unwrap()
}

#[test]
fn a_cloud_is_asked_for_its_version_and_its_time() {
    let versions = json!({"versions": [{"id": "v2.9"}, {"id": "v2.17"}, {"id": "v2.0"}]});
    let list = || Answer::json(300, &versions);
    let run = examine_cloud(list().with("date", &http_date(0)));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.text());
    assert!(
        found(&run, "service")[2].ends_with("version 2.17 of the API"),
        "{run:?}"
    );
    assert_eq!(found(&run, "clock")[1], "ok");
    assert_eq!(found(&run, "images")[1], "ok");
    assert!(!run.text().contains(crate::support::glance::TOKEN));

    let run = examine_cloud(list().with("date", &http_date(300)));
    assert_eq!(run.code, 0);
    let [_, status, detail] = found(&run, "clock");
    assert_eq!(status, "warning");
    assert!(detail.contains("s behind that of this machine"), "{detail}");

    let run = examine_cloud(Answer::page(200, "Welcome to nginx"));
    assert_eq!((run.code, found(&run, "service")[1].as_str()), (1, "error"));
    let old = json!({"versions": [{"id": "v1.1"}]});
    let run = examine_cloud(Answer::json(300, &old));
    assert_eq!((run.code, found(&run, "service")[1].as_str()), (1, "error"));
}

#[test]
fn a_cloud_that_does_not_answer_is_an_error() {
    let place = Place::new();
    let run = place.glance(&[
        "--os-image-url",
        "http://127.0.0.1:1",
        "--os-auth-token",
        "t",
        "doctor",
    ]);
    assert_eq!(run.code, 1);
    assert!(run.text().contains("Connection refused"), "{}", run.text());
    let run = place.glance(&["--os-cloud", "nowhere", "doctor"]);
    assert_eq!(run.code, 1);
    assert!(
        run.text().contains("Cloud nowhere was not found"),
        "{}",
        run.text()
    );
}

#[test]
fn lost_image_data_is_reported() {
    let place = Place::new();
    let id = place.image("x", b"data");
    let doctor = || place.glance(&["doctor"]);
    assert!(
        doctor()
            .ok()
            .contains("the newest 1 files of images are there")
    );
    let images = place.data().join("images");
    for lose in [
        |images: &std::path::Path| std::fs::remove_dir_all(images).unwrap(),
        |images: &std::path::Path| std::fs::create_dir(images).unwrap(),
    ] {
        lose(&images);
        let run = doctor();
        assert_eq!(run.code, 1);
        assert!(run.text().contains(&id), "{}", run.text());
        assert!(
            run.text().contains("Mount the file system"),
            "{}",
            run.text()
        );
    }
}

#[test]
fn a_configuration_without_a_database_is_an_error() {
    let place = Place::new();
    place.write("e.conf", "");
    let run = place.glance(&["--config-file", "e.conf", "doctor"]);
    assert_eq!(run.code, 1);
    assert!(run.text().contains("error    database"), "{}", run.text());
}
