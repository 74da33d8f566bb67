//! Metadata definitions as the programs meet them: in and out of files, and what was made to hurt.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Place, Run, files};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

/// `glance-manage db …` on the data directory.
fn manage(place: &Place, words: &[&str]) -> Run {
    let mut command = place.command(MANAGE);
    command.arg("db").args(words);
    Run::of(command.output().unwrap())
}

/// A data directory with a database.
fn synced() -> Place {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    let synced = manage(&place, &["sync"]);
    assert_eq!(synced.code, 0, "{}", synced.stderr);
    place
}

/// What is said on stderr: one line, and maybe a hint.
#[track_caller]
fn one_line(stderr: &str) {
    let lines: Vec<&str> = stderr.lines().collect();
    let fits = match lines[..] {
        [line] => line.len() < 400,
        [line, hint] => line.len() < 400 && hint.starts_with("Hint: ") && hint.len() < 400,
        _ => false,
    };
    assert!(fits, "{stderr}");
}

fn definitions(description: &str, tags: &[&str]) -> String {
    let tags: Vec<Value> = tags.iter().map(|tag| json!({"name": tag})).collect();
    let namespace = json!({
        "namespace": "N::S", "display_name": "A name", "description": description, "visibility": "public",
        "resource_type_associations": [{"name": "R", "prefix": "r_"}], "tags": tags,
        "properties": {"p": {"title": "P", "type": "string", "description": description}},
        "objects": [{"name": "o", "description": description, "required": ["x"],
            "properties": {"x": {"title": "X", "type": "number", "minimum": 1.5}}}],
    });
    namespace.to_string()
}

fn shown(place: &Place, words: &[&str]) -> Value {
    let words = [&["--format", "json"], words].concat();
    serde_json::from_str(&place.glance(&words).ok()).unwrap()
}

#[test]
fn files_are_loaded_and_merged_as_asked() {
    let place = synced();
    let file = place.write("defs.json", definitions("first", &["a"]));
    let path = file.to_str().unwrap().to_string();
    let load = |more: &[&str]| {
        let words = [&["load_metadefs", "--path", &path], more].concat();
        manage(&place, &words).ok();
    };
    let described = || {
        let namespace = shown(&place, &["md-namespace-show", "N::S"]);
        let property = shown(&place, &["md-property-show", "N::S", "p"]);
        (
            namespace["description"].clone(),
            property["description"].clone(),
            namespace["tags"].clone(),
        )
    };
    load(&[]);
    assert_eq!(described(), (json!("first"), json!("first"), json!(["a"])));
    place.write("defs.json", definitions("second", &["b"]));
    load(&[]);
    assert_eq!(described(), (json!("first"), json!("first"), json!(["a"])));
    load(&["--merge"]);
    let mut merged = described();
    merged
        .2
        .as_array_mut()
        .unwrap()
        .sort_by_key(Value::to_string);
    assert_eq!(merged, (json!("first"), json!("first"), json!(["a", "b"])));
    load(&["--merge", "--prefer_new"]);
    let preferred = described();
    assert_eq!(
        (preferred.0, preferred.1),
        (json!("second"), json!("second"))
    );
    assert_eq!(preferred.2.as_array().unwrap().len(), 2);
    load(&["--merge", "--overwrite"]);
    assert_eq!(
        described(),
        (json!("second"), json!("second"), json!(["b"]))
    );
    let object = shown(&place, &["md-object-show", "N::S", "o"]);
    assert_eq!(object["required"], json!(["x"]));
    manage(&place, &["unload_metadefs"]).ok();
    assert_eq!(shown(&place, &["md-namespace-list"]), json!([]));
    assert_eq!(shown(&place, &["md-resource-type-list"]), json!([]));
}

#[test]
fn what_is_exported_can_be_loaded_and_imported() {
    let place = synced();
    let file = place.write("defs.json", definitions("é \"quoted\"", &["a", "b"]));
    manage(&place, &["load_metadefs", file.to_str().unwrap()]).ok();
    place.glance(&["md-namespace-create", "No::Name"]).ok();
    let export = |to: &str| {
        let to = place.file(to);
        std::fs::create_dir(&to).unwrap();
        manage(&place, &["export_metadefs", to.to_str().unwrap()]).ok();
        to
    };
    let first = export("first");
    let names: Vec<String> = files(&first).into_iter().collect();
    assert_eq!(names, ["Aname.json", "NoName.json"]);
    let read = |directory: &Path, name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(directory.join(name)).unwrap()).unwrap()
    };
    let mut exported = read(&first, "Aname.json");
    let given: Value = serde_json::from_str(&definitions("é \"quoted\"", &["a", "b"])).unwrap();
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(exported[name], *value, "{name}");
    }

    manage(&place, &["unload_metadefs"]).ok();
    manage(
        &place,
        &["load_metadefs", "--path", first.to_str().unwrap()],
    )
    .ok();
    let second = export("second");
    for name in &names {
        assert_eq!(read(&first, name), read(&second, name), "{name}");
    }

    exported["namespace"] = json!("Other");
    let file = place.write("other.json", exported.to_string());
    let words = ["md-namespace-import", "--file", file.to_str().unwrap()];
    place.glance(&words).ok();
    let imported = shown(&place, &["md-namespace-show", "Other"]);
    assert_eq!(imported["description"], "é \"quoted\"");
}

#[test]
fn files_that_cannot_be_loaded_are_left_out_and_said() {
    let place = synced();
    let directory = place.file("defs");
    std::fs::create_dir(&directory).unwrap();
    let wrong = [
        ("broken", "{oops".to_string()),
        ("list", "[]".to_string()),
        ("nameless", "{}".to_string()),
        ("typed", r#"{"namespace": 1}"#.to_string()),
        ("deep", "[".repeat(10_000_000)),
        ("latin", "{\"namespace\": \"\u{e9}\"}".replace('é', "\u{0}")),
        ("long", format!(r#"{{"namespace": "{}"}}"#, "x".repeat(81))),
    ];
    for (name, text) in &wrong {
        std::fs::write(directory.join(format!("{name}.json")), text).unwrap();
    }
    std::fs::write(directory.join("good.json"), definitions("d", &[])).unwrap();
    std::fs::write(directory.join("other.txt"), "not read").unwrap();
    let run = manage(
        &place,
        &["load_metadefs", "--path", directory.to_str().unwrap()],
    );
    // Scripts count on the code of the real one.
    assert_eq!(run.code, 0);
    assert_eq!(run.stderr.lines().count(), wrong.len(), "{}", run.stderr);
    for (line, name) in run.stderr.lines().zip(["broken", "deep", "latin", "list"]) {
        assert!(line.contains(name) && line.len() < 300, "{line}");
    }
    assert_eq!(
        shown(&place, &["md-namespace-list"]),
        json!([{"namespace": "N::S"}])
    );

    let empty = place.file("empty");
    std::fs::create_dir(&empty).unwrap();
    for path in [empty.to_str().unwrap(), "no/such"] {
        let run = manage(&place, &["load_metadefs", "--path", path]);
        assert_eq!(run.code, 0);
        one_line(&run.stderr);
    }
    for words in [
        &["--prefer_new"][..],
        &["--merge", "--prefer_new", "--overwrite"],
    ] {
        let words = [&["load_metadefs", "--path", "no/such"], words].concat();
        let run = manage(&place, &words);
        assert_eq!(run.code, 0);
        one_line(&run.stderr);
    }
    let run = manage(&place, &["export_metadefs", "--path", "no/such"]);
    one_line(&run.fails(1));
    let fresh = Place::new();
    for action in ["load_metadefs", "unload_metadefs", "export_metadefs"] {
        let said = manage(&fresh, &[action]).fails(1);
        assert!(said.contains("db sync"), "{said}");
    }
}

#[test]
fn what_is_no_definition_is_refused_in_a_line() {
    let place = synced();
    place.glance(&["md-namespace-create", "N"]).ok();
    let property = |schema: &str| {
        let words = [
            "md-property-create",
            "N",
            "--name",
            "p",
            "--title",
            "P",
            "--type",
            "string",
        ];
        place.glance(&[&words[..], &["--schema", schema]].concat())
    };
    let long = format!(r#"{{"enum": "{}"}}"#, "x".repeat(100_000));
    for schema in [
        "",
        "{oops",
        "[]",
        "null",
        "1e999",
        r#"{"type": 1}"#,
        r#"{"odd\nname": 1}"#,
        r#"{"minimum": "x"}"#,
        r#"{"items": {"type": "string", "odd": 1}}"#,
        r#"{"default": "é"}"#,
        &long,
        &"[".repeat(100_000),
    ] {
        one_line(&property(schema).fails(1));
    }
    for (document, code) in [
        ("[".repeat(10_000_000), 1),
        (
            format!("{{\"namespace\":{}", "{\"a\":".repeat(2_000_000)),
            1,
        ),
        (
            format!(r#"{{"namespace": "x", "tags": {}}}"#, "1".repeat(1_000_000)),
            1,
        ),
        (String::new(), 1),
        (
            r#"{"namespace": "X", "objects": [{"name": "o", "properties": {"p": {}}}]}"#
                .to_string(),
            1,
        ),
        (r#"{"namespace": "from/a\npipe 🦀"}"#.to_string(), 0),
    ] {
        let run = place.glance_with(&["md-namespace-import"], document.as_bytes());
        assert_eq!(run.code, code, "{}", run.stderr);
        if code != 0 {
            one_line(&run.fails(code));
        }
    }
    place.glance(&["md-namespace-show", "from/a\npipe 🦀"]).ok();
    one_line(&place.glance(&["md-namespace-import"]).fails(1));
    one_line(
        &place
            .glance(&["md-namespace-import", "--file", "no"])
            .fails(1),
    );
    for name in ["", "../..", "%2e", "\u{1b}[31m"] {
        let said = place.glance(&["md-namespace-show", name]).fails(1);
        one_line(&said);
    }
    let words = [
        "image", "metadef", "property", "create", "N", "--name", "p", "--title", "P",
    ];
    let words = [&words[..], &["--type", "string", "--schema", "{oops"]].concat();
    let said = place.glance(&words).fails(1);
    assert!(said.starts_with("Failed to load JSON schema: "), "{said}");
}

#[test]
fn a_type_of_resources_is_taken_away_by_force_and_nothing_else() {
    let place = synced();
    let file = place.write("defs.json", definitions("kept", &["t"]));
    let words = ["md-namespace-import", "--file", file.to_str().unwrap()];
    place.glance(&words).ok();
    let words = ["md-namespace-update", "N::S", "--protected", "True"];
    place.glance(&words).ok();
    let before = shown(&place, &["md-namespace-show", "N::S"]);
    let delete = [
        "image",
        "metadef",
        "resource",
        "type",
        "association",
        "delete",
        "N::S",
    ];
    let said = place.glance(&[&delete[..], &["R"]].concat()).fails(1);
    assert!(
        said.contains("1 of 1 resource type failed to delete."),
        "{said}"
    );
    let said = place
        .glance(&[&delete[..], &["Odd", "--force"]].concat())
        .fails(1);
    assert!(said.contains("Odd"), "{said}");
    place
        .glance(&[&delete[..], &["R", "--force"]].concat())
        .ok();
    let mut after = shown(&place, &["md-namespace-show", "N::S"]);
    for changed in ["resource_type_associations", "updated_at"] {
        after[changed] = before[changed].clone();
    }
    assert_eq!(after, before);
}
