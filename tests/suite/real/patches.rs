//! JSON patches, as the real Glance reads them and as ours does.

use std::io::Write;
use std::process::{Command, Stdio};

use glance_tools::ErrorKind;
use glance_tools::model::schema::Allowed;
use glance_tools::model::{Change, ImagePatch, LocationValue, PatchFormat, Position};
use serde_json::{Value, json};

use crate::support::realcloud::{script, venv};

/// Operations that are tried in both formats: what they do, a path, and a value.
fn operations() -> Vec<Value> {
    let url = "http://host/x";
    let location = json!({"url": url, "metadata": {}});
    let hashes =
        |hashes: Value| json!({"url": url, "metadata": {"k": "v"}, "validation_data": hashes});
    let mut all = Vec::new();
    for path in [
        "/name",
        "name",
        "",
        "/",
        "//",
        "///",
        "//name",
        "/ /name",
        "// ",
        " /name",
        "/name/",
        "/name//x",
        "/name/ /x",
        "/ name\u{1f}\u{a0}",
        "/a~1b~0c",
        "/~01",
        "/~",
        "/a~2",
        "/a~\n",
        "/a/b",
        "/tags",
        "/tags/-",
        "/locations",
        "/locations/",
        "/locations/-",
        "/locations/0",
        "/ locations / - ",
        "/locations/x",
        "/locations/-1",
        "/locations/0/url",
        "/location",
        "/deleted",
        "/deleted_at",
        "/os_glance_x",
        "/os_glanced",
        "/os_hash_value",
        "/id",
        "/status",
        "/self",
        "/schema",
        "/file",
        "/direct_url",
        "/size",
        "/created_at",
        "/owner",
        "/visibility",
        "/é 漢",
    ] {
        for value in [
            json!("x"),
            json!(["x"]),
            location.clone(),
            json!([location]),
        ] {
            all.push(json!([path, value]));
        }
    }
    for (name, values) in [
        ("name", json!([null, 1, "x".repeat(255), "x".repeat(256)])),
        ("disk_format", json!([null, "raw", "floppy", 1])),
        ("container_format", json!([null, "bare", "crate"])),
        ("visibility", json!(["public", "secret", null, true])),
        ("protected", json!([true, "true", 1, null])),
        ("os_hidden", json!([false, "false"])),
        ("min_disk", json!([0, -1, "1", 1.0, 1.5, true, null])),
        ("min_ram", json!([1, 2_147_483_648_u64])),
        ("owner", json!([null, "x", 1])),
        (
            "tags",
            json!([
                [],
                ["a", "a"],
                [1],
                ["x".repeat(255)],
                ["x".repeat(256)],
                null,
                {}
            ]),
        ),
        ("custom", json!([null, 1, true, "", [], {}])),
    ] {
        for value in values.as_array().unwrap() {
            all.push(json!([format!("/{name}"), value]));
        }
    }
    let sha = json!({"os_hash_algo": "sha512", "os_hash_value": "ab"});
    for value in [
        json!({}),
        json!({"url": url}),
        json!({"metadata": {}}),
        json!({"url": 1, "metadata": {}}),
        json!({"url": url, "metadata": []}),
        json!({"url": url, "metadata": {"a": 1}}),
        json!({"url": url, "metadata": {}, "more": 1}),
        json!({"url": "x".repeat(255), "metadata": {}}),
        json!({"url": "x".repeat(256), "metadata": {}}),
        hashes(json!(null)),
        hashes(json!({})),
        hashes(sha.clone()),
        hashes(json!({"os_hash_algo": "sha512"})),
        hashes(json!({"os_hash_value": "ab"})),
        hashes(json!({"os_hash_algo": 1, "os_hash_value": "ab"})),
        hashes(json!({"os_hash_algo": "x".repeat(65), "os_hash_value": "ab"})),
        hashes(json!({"os_hash_algo": "x", "os_hash_value": "a".repeat(129)})),
        hashes(json!({"os_hash_algo": "x", "os_hash_value": "ab", "checksum": "a".repeat(32)})),
        hashes(json!({"os_hash_algo": "x", "os_hash_value": "ab", "checksum": "a"})),
        hashes(json!({"os_hash_algo": "x", "os_hash_value": "ab", "more": "x"})),
    ] {
        all.push(json!(["/locations/-", value]));
        all.push(json!(["/locations", [value]]));
        all.push(json!(["/locations", [location, value]]));
    }
    all.push(json!(["/locations", []]));
    all
}

/// Media types and bodies that are tried.
fn cases() -> Vec<(&'static str, String)> {
    let [old, new] = PatchFormat::ALL.map(PatchFormat::media_type);
    let mut cases: Vec<(&str, String)> = Vec::new();
    for operation in operations() {
        let (path, value) = (&operation[0], &operation[1]);
        for verb in ["add", "replace", "remove"] {
            let first = json!({"op": verb, "path": path, "value": value});
            cases.push((new, json!([first]).to_string()));
            cases.push((old, json!([{verb: path, "value": value}]).to_string()));
        }
    }
    for media_type in [old, new] {
        for body in [
            "",
            "{",
            "{}",
            "null",
            "1",
            "[]",
            "[1]",
            "[[]]",
            "[null]",
            "[{}]",
            r#"[{"op": null, "path": "/a"}]"#,
            r#"[{"op": "test", "path": "/a", "value": "x"}]"#,
            r#"[{"op": "add", "value": "x"}]"#,
            r#"[{"op": "add", "path": "/a"}]"#,
            r#"[{"op": "add", "path": "/a", "value": null}]"#,
            r#"[{"op": "add", "path": "/status"}]"#,
            r#"[{"add": "/a"}]"#,
            r#"[{"add": "/a", "remove": "/a", "value": "x"}]"#,
            r#"[{"add": "/a", "op": "remove", "path": "/b", "value": "x"}]"#,
            r#"[{"op": "add", "path": "/a", "value": "1", "value": "2"}]"#,
            // The first wrong operation decides.
            r#"[{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/status"}, {"op": "remove"}]"#,
            r#"[{"op": "remove"}, {"op": "remove", "path": "/status"}]"#,
            r#"[{"remove": "/status"}, {"remove": "x"}]"#,
            r#"[{"remove": "x"}, {"remove": "/status"}]"#,
        ] {
            cases.push((media_type, body.to_string()));
        }
    }
    for media_type in ["application/json", "", "application/json-patch+json"] {
        cases.push((media_type, "[]".to_string()));
    }
    cases
}

/// Returns the results of the real deserializer.
fn theirs(cases: &[(&str, String)]) -> Vec<Value> {
    let mut reader = Command::new(venv().join("bin/python"))
        .arg(script("patch.py"))
        .env("PYTHONWARNINGS", "ignore")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = reader.stdin.take().unwrap();
    let lines: Vec<String> = cases.iter().map(|case| json!(case).to_string()).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.join("\n").as_bytes()).unwrap());
    let output = reader.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Returns the result of our parser, in the form of `patch.py`.
fn ours(media_type: &str, body: &str) -> Value {
    let parsed = PatchFormat::parse(media_type)
        .and_then(|format| ImagePatch::parse(format, body.as_bytes(), &Allowed::usual()));
    match parsed {
        Ok(patch) => patch.changes().iter().map(written).collect(),
        Err(error) => {
            let status = ErrorKind::status(error.kind());
            json!(status.map(|(status, _)| status))
        }
    }
}

fn written(change: &Change) -> Value {
    let place = |position: &Position| match position {
        Position::At(position) => position.to_string(),
        Position::End => "-".to_string(),
    };
    let location = |value: &LocationValue| {
        let mut written = json!(value.location);
        written["validation_data"] = value.validation.to_api().into();
        written
    };
    match change {
        Change::Add { name, value } | Change::Create { name, value } => {
            json!(["add", [name], value])
        }
        Change::Replace { name, value } => json!(["replace", [name], value]),
        Change::Remove { name } => json!(["remove", [name], null]),
        Change::AddTag { .. } => panic!("no JSON patch adds one tag"),
        Change::AddLocation { position, value } => {
            json!(["add", ["locations", place(position)], location(value)])
        }
        Change::ReplaceLocations { values } => {
            let values: Vec<Value> = values.iter().map(location).collect();
            json!(["replace", ["locations"], values])
        }
        Change::RemoveLocation { position, .. } => {
            json!(["remove", ["locations", place(position)], null])
        }
    }
}

#[test]
fn patches_are_read_and_refused_as_by_the_real_service() {
    let cases = cases();
    let theirs = theirs(&cases);
    assert_eq!(theirs.len(), cases.len());
    let mut differing = Vec::new();
    let (mut read, mut refused) = (0, 0);
    for ((media_type, body), theirs) in cases.iter().zip(&theirs) {
        let ours = ours(media_type, body);
        match theirs {
            Value::Number(_) => refused += 1,
            _ => read += 1,
        }
        if ours != *theirs {
            differing.push(format!(
                "{media_type} {body}\n  theirs {theirs}\n  ours   {ours}"
            ));
        }
    }
    assert!(
        read > 100 && refused > 300,
        "{read} read, {refused} refused"
    );
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
