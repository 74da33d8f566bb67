//! Several processes on one data directory.

use std::process::Stdio;

use crate::support::{GLANCE, Place, Random, assert_consistent, block_on};

const PROCESSES: u64 = 8;
const OPERATIONS: u64 = 200;

/// What a user would not take for a fault: another process was there first.
fn is_expected(stderr: &str) -> bool {
    [
        "No Image found for",
        "More than one Image exists",
        "is not allowed",
        "was changed by another caller",
        "No image found",
    ]
    .iter()
    .any(|text| stderr.contains(text))
}

#[test]
fn eight_processes_at_once_neither_fail_nor_disagree() {
    work_at_once(&Place::new());
}

#[test]
fn eight_processes_on_mariadb_neither_fail_nor_disagree() {
    work_at_once(&block_on(Place::on_mariadb()));
}

fn work_at_once(place: &Place) {
    let file = place.write("a.img", vec![5; 200_000]);
    let file = file.to_str().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..PROCESSES {
            scope.spawn(move || {
                let mut random = Random::new(worker + 1);
                for round in 0..OPERATIONS {
                    // Names are shared between the workers.
                    let name = format!("image-{}", random.below(12));
                    let mine = format!("mine-{worker}-{round}");
                    let out = format!("out-{worker}");
                    let words: Vec<&str> = match random.below(8) {
                        0 => vec!["image", "create", &name, "--file", file],
                        1 => vec!["image", "create", &mine],
                        2 => vec!["image", "set", &name, "--property", "a=1", "--tag", "t"],
                        3 => vec!["image", "unset", &name, "--tag", "t"],
                        4 => vec!["image", "delete", &name],
                        5 => vec!["image", "save", &name, "--file", &out],
                        6 => vec!["image", "list", "--long"],
                        _ => vec!["image", "show", &name],
                    };
                    let mut command = place.command("/bin/sh");
                    command
                        .arg("-c")
                        .arg("exec \"$0\" \"$@\" <&-")
                        .arg(GLANCE)
                        .args(&words);
                    let output = command.stdout(Stdio::null()).output().unwrap();
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    assert!(
                        output.status.success()
                            || (output.status.code() == Some(1) && is_expected(&stderr))
                            || stderr.contains("nonexistent tag"),
                        "{words:?}: {:?} {stderr}",
                        output.status
                    );
                }
            });
        }
    });
    block_on(assert_consistent(place));
}

#[test]
fn the_first_use_by_many_processes_makes_one_database() {
    use_first(&Place::new());
}

#[test]
fn the_first_use_of_mariadb_by_many_processes_makes_one_schema() {
    use_first(&block_on(Place::on_mariadb()));
}

fn use_first(place: &Place) {
    std::thread::scope(|scope| {
        for worker in 0..16 {
            scope.spawn(move || {
                place
                    .glance(&["image", "create", &format!("image-{worker}")])
                    .ok()
            });
        }
    });
    let list = place
        .glance(&["image", "list", "-f", "value", "-c", "Name"])
        .ok();
    assert_eq!(list.lines().count(), 16);
}

#[test]
fn concurrent_changes_of_one_image_are_all_kept() {
    change_at_once(&Place::new());
}

#[test]
fn concurrent_changes_of_one_image_on_mariadb_are_all_kept() {
    change_at_once(&block_on(Place::on_mariadb()));
}

fn change_at_once(place: &Place) {
    place.glance(&["image", "create", "shared"]).ok();
    std::thread::scope(|scope| {
        for worker in 0..8 {
            scope.spawn(move || {
                for round in 0..5 {
                    let property = format!("p{worker}_{round}=x");
                    let tags = [format!("t{worker}_{round}"), format!("T{worker}_{round}")];
                    let words = ["image", "set", "shared", "--property", &property];
                    place
                        .glance(&[&words[..], &["--tag", &tags[0], "--tag", &tags[1]]].concat())
                        .ok();
                    place
                        .glance(&["image", "unset", "shared", "--tag", &tags[1]])
                        .ok();
                }
            });
        }
    });
    let columns = ["-c", "properties", "-c", "tags"];
    let shown = place
        .glance(&[&["image", "show", "shared", "-f", "json"], &columns[..]].concat())
        .ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let kept = shown["properties"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| name.starts_with('p'))
        .count();
    assert_eq!(kept, 40, "no update is lost");
    let mut tags: Vec<&str> = shown["tags"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    tags.sort_unstable();
    let expected: Vec<String> = (0..8)
        .flat_map(|worker| (0..5).map(move |round| format!("t{worker}_{round}")))
        .collect();
    assert_eq!(tags, expected, "no tag is lost, and none comes back");
}

#[test]
fn an_image_is_read_as_it_was_at_one_moment() {
    read_while_changing(&Place::new());
}

#[test]
fn an_image_on_mariadb_is_read_as_it_was_at_one_moment() {
    read_while_changing(&block_on(Place::on_mariadb()));
}

/// Changes the name and a property of an image together, and reads it.
fn read_while_changing(place: &Place) {
    use glance_tools::model::{Change, NewImage};
    use glance_tools::service::Images;
    use serde_json::{Value, json};
    use std::sync::atomic::{AtomicBool, Ordering};
    let attributes = |number: u32| json!({"name": number.to_string(), "same": number.to_string()});
    let image = block_on(async {
        let attributes = attributes(0).as_object().unwrap().clone();
        let new = NewImage { attributes };
        place.open().await.create_image(new).await.unwrap()
    });
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            block_on(async {
                let local = place.open().await;
                for number in 1..300 {
                    let values = attributes(number);
                    let change = |(name, value): (&String, &Value)| Change::Replace {
                        name: name.clone(),
                        value: value.clone(),
                    };
                    let patch = values.as_object().unwrap().iter().map(change).collect();
                    local.update_image(&image.id, &patch).await.unwrap();
                }
            });
            ended.store(true, Ordering::Relaxed);
        });
        block_on(async {
            let local = place.open().await;
            while !ended.load(Ordering::Relaxed) {
                let read = local.get_image(&image.id).await.unwrap();
                assert_eq!(read.name.as_deref(), read.property("same"));
            }
        });
    });
}

#[test]
fn tags_that_several_callers_attach_on_a_server_are_all_kept() {
    let (place, server) = (Place::new(), crate::support::glance::Server::start());
    let id = server.image("shared", "data");
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (place, id, url) = (&place, &id, server.url());
            scope.spawn(move || {
                for round in 0..3 {
                    let tag = format!("t{worker}_{round}");
                    let mut command = place.command("/bin/sh");
                    command
                        .args(["-c", "exec \"$0\" \"$@\" <&-", GLANCE])
                        .args(["image", "set", id, "--tag", &tag]);
                    crate::support::glance::aim(&mut command, &url);
                    crate::support::Run::of(command.output().unwrap()).ok();
                }
            });
        }
    });
    let tags = server.only().record["tags"].as_array().unwrap().len();
    assert_eq!(tags, 24, "no tag is lost");
}

#[test]
fn changes_of_one_definition_by_several_callers_are_all_kept() {
    use glance_tools::ops::metadefs::{update_namespace, update_object, update_property};
    use glance_tools::service::{MetadefObjects, MetadefProperties, Namespaces};
    use serde_json::{Map, Value, json};
    fn definition(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }
    let place = Place::new();
    block_on(async {
        let local = place.open().await;
        local
            .create_namespace(definition(json!({
                "namespace": "N",
                "objects": [{"name": "o"}],
                "properties": {"p": {"title": "p", "type": "string"}},
            })))
            .await
            .unwrap();
    });
    std::thread::scope(|scope| {
        // Each changes attributes that the other one leaves alone.
        for (of_namespace, of_object, of_property) in [
            ("display_name", "description", "title"),
            ("description", "required", "description"),
        ] {
            let place = &place;
            scope.spawn(move || {
                block_on(async {
                    let local = place.open().await;
                    for round in 0..40 {
                        let text = json!(round.to_string());
                        let change = definition(json!({ of_namespace: text }));
                        update_namespace(&local, "N", change).await.unwrap();
                        let value = match of_object {
                            "required" => json!([text]),
                            _ => text.clone(),
                        };
                        let change = definition(json!({ of_object: value }));
                        update_object(&local, "N", "o", change).await.unwrap();
                        let change = definition(json!({ of_property: text }));
                        update_property(&local, "N", "p", change).await.unwrap();
                        let namespace = local.get_namespace("N", None).await.unwrap();
                        let namespace = serde_json::to_value(namespace).unwrap();
                        assert_eq!(namespace[of_namespace], text, "namespace");
                        let object = local.get_object("N", "o").await.unwrap();
                        let object = serde_json::to_value(object).unwrap();
                        assert_eq!(object[of_object], value, "object");
                        let property = local.get_property("N", "p").await.unwrap();
                        assert_eq!(property[of_property], text, "property");
                    }
                });
            });
        }
    });
}
