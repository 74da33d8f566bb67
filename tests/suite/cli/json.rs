//! Output and messages for programs, as docs/json.md promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::support::{GLANCE, Place, Run};

/// A documented output: whether it is a list, and its fields.
type Promise = (bool, Vec<String>);

/// The documented output of each command, from docs/json.md.
fn promised() -> BTreeMap<String, Promise> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let parse = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let fields = cells[2]
            .split(", ")
            .map(|field| field.trim_matches('`').to_string());
        let command = cells[0].trim_matches('`').to_string();
        (command, (cells[1] == "list", fields.collect()))
    };
    rows.map(parse).collect()
}

fn program(place: &Place, line: &str) -> Run {
    let (name, words) = line.split_once(' ').unwrap_or((line, ""));
    let mut command = match name {
        "glance" => place.command(GLANCE),
        name => {
            let mut command = place.command("/bin/bash");
            command.args(["-c", "exec -a \"$0\" \"$@\"", name, GLANCE]);
            command
        }
    };
    command
        .args(["--format", "json"])
        .args(words.split_whitespace());
    Run::of(command.output().unwrap())
}

fn keys(object: &Value) -> Vec<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_output_has_the_fields_that_are_documented() {
    let place = Place::new();
    let id = place.image("first", b"content");
    place
        .glance(&["image-delete", &place.image("second", b"x")])
        .ok();
    let directory = place.file("definitions");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("a.json"), "{\"namespace\": \"A\"}").unwrap();
    let definitions = directory.display();
    let mut seen = BTreeSet::new();
    for line in [
        "glance doctor".to_string(),
        "glance scrub".to_string(),
        "glance-scrubber".to_string(),
        "glance-manage db version".to_string(),
        "glance-manage db check".to_string(),
        "glance-manage db sync".to_string(),
        "glance-manage db upgrade".to_string(),
        "glance-manage db expand".to_string(),
        "glance-manage db migrate".to_string(),
        "glance-manage db contract".to_string(),
        "glance-manage db purge --dry-run".to_string(),
        "glance-manage db purge".to_string(),
        "glance-manage db purge_images_table --dry-run".to_string(),
        format!("glance-manage db load_metadefs {definitions}"),
        format!("glance-manage db export_metadefs {definitions}"),
        "glance-manage db unload_metadefs".to_string(),
        "glance-manage policy list --as demo:member".to_string(),
        "glance-manage policy check get_images --as demo:reader".to_string(),
        format!("glance-cache-manage -f queue-image {id}"),
        "glance-cache-manage list-queued".to_string(),
        "glance-cache-manage --dry-run prefetch".to_string(),
        "glance-cache-manage prefetch".to_string(),
        "glance-cache-manage list-cached".to_string(),
        "glance-cache-manage prune".to_string(),
        "glance-cache-manage clean".to_string(),
        format!("glance-cache-manage -f delete-cached-image {id}"),
        format!("glance-cache-manage -f delete-queued-image {id}"),
        "glance-cache-manage -f delete-all-cached-images".to_string(),
        "glance-cache-manage -f delete-all-queued-images".to_string(),
        "glance-cache-manage list-cached".to_string(),
        "glance-manage db version_control 2024_1_contract01".to_string(),
    ] {
        let run = program(&place, &line);
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (0, ""),
            "{line}: {}",
            run.text()
        );
        let output: Value = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|e| panic!("{line}: {e}: {}", run.text()));
        let mut words = line
            .split_whitespace()
            .filter(|word| !word.starts_with('-'));
        let mut name = words.next().unwrap().to_string();
        let count = if name == "glance-manage" { 2 } else { 1 };
        for word in words.take(count) {
            name = format!("{name} {word}");
        }
        let promised = &promised()[&name];
        match &output {
            Value::Array(items) => {
                assert!(promised.0, "{line}");
                for item in items {
                    assert_eq!(keys(item), promised.1, "{line}");
                }
            }
            object => {
                assert!(!promised.0, "{line}");
                // Records are printed in the order of upstream's, by name.
                let sorted = |mut names: Vec<String>| {
                    names.sort_unstable();
                    names
                };
                assert_eq!(sorted(keys(object)), sorted(promised.1.clone()), "{line}");
            }
        }
        seen.insert(name);
    }
    let missing: Vec<String> = promised()
        .into_keys()
        .filter(|name| !seen.contains(name))
        .collect();
    assert!(missing.is_empty(), "not tried: {missing:?}");
}

#[test]
fn messages_are_json_with_json() {
    let place = Place::new();
    place.image("first", b"content");
    let objects = |run: &Run| -> Vec<Value> {
        let lines = run.stderr.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    };
    let missing = "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11";
    let run = program(&place, &format!("glance image-show {missing}"));
    assert_eq!(run.code, 1);
    let errors = objects(&run);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let error = &errors[0];
    assert_eq!(
        (&error["level"], &error["kind"]),
        (&"error".into(), &"not_found".into())
    );
    assert_eq!(
        (&error["status"], &error["exit_code"]),
        (&404.into(), &1.into())
    );
    assert!(
        error["message"].as_str().unwrap().contains(missing),
        "{error}"
    );
    assert_eq!(
        keys(error),
        ["level", "kind", "status", "exit_code", "message", "hints"]
    );

    let run = program(&place, "glance-manage db purge --age_in_days -1");
    assert_eq!(run.code, 1);
    assert_eq!(objects(&run)[0]["kind"], "failed");
    let run = program(&place, "glance-cache-manage queue-image none");
    assert_eq!((run.code, run.text().as_str()), (1, ""));
    assert!(
        objects(&run)[0]["message"]
            .as_str()
            .unwrap()
            .contains("not a valid UUID")
    );

    // The errors of the second grammar are as upstream writes them.
    let run = place.glance(&["image", "show", missing, "-f", "json"]);
    assert_eq!(
        run.stderr.lines().next(),
        Some(&*format!("No Image found for {missing}"))
    );
}
