//! The check of the report of `qemu-img info`.

use serde_json::Value;

/// Checks that `qemu-img` finds the format `driver`, no encryption, and no other file than `name`, and, for VMDK
/// images, a type in `vmdk_types`.
///
/// # Errors
/// The reason for a refusal, as a lowercase fragment.
pub(super) fn check(
    report: &Value,
    driver: &str,
    name: &str,
    vmdk_types: &[String],
) -> Result<(), String> {
    if report["format"].as_str() != Some(driver) {
        return Err("qemu-img finds another format than declared".to_string());
    }
    let data = &report["format-specific"]["data"];
    if ["backing-filename", "full-backing-filename"]
        .iter()
        .any(|key| report.get(key).is_some())
    {
        return Err("it has a backing file".to_string());
    }
    if !data["data-file"].is_null() || data["data-file-raw"].as_bool() == Some(true) {
        return Err("it stores its data in an external file".to_string());
    }
    if report["encrypted"].as_bool() == Some(true) || data.get("encrypt").is_some() {
        return Err("it is encrypted".to_string());
    }
    check_children(report, name)?;
    if let Some(other) = other_file(report, name) {
        return Err(format!("it refers to another file: {other:?}"));
    }
    if driver == "vmdk" {
        let create_type = data["create-type"].as_str().unwrap_or_default();
        if !vmdk_types.iter().any(|allowed| allowed == create_type) {
            return Err(format!(
                "its VMDK create type {create_type:?} is not in vmdk_allowed_types"
            ));
        }
    }
    Ok(())
}

/// Checks that the image is read from its one file. Older versions of `qemu-img` do not report children.
fn check_children(report: &Value, name: &str) -> Result<(), String> {
    let Some(children) = report.get("children") else {
        return Ok(());
    };
    let only = match children.as_array().map(Vec::as_slice) {
        Some([only]) => &only["info"],
        _ => return Err("it consists of more than one file".to_string()),
    };
    let is_leaf = only["children"].as_array().is_none_or(Vec::is_empty);
    let is_file = only["format"].as_str() == Some("file");
    if is_leaf && is_file && only["filename"].as_str() == Some(name) {
        return Ok(());
    }
    Err("it is not read directly from its file".to_string())
}

/// Returns the first file name in a report that is not `name`.
fn other_file<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    match report {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            let is_file = key == "filename" || key.ends_with("-filename") || key.ends_with("-file");
            match value.as_str().filter(|_| is_file) {
                Some(other) if other != name => Some(other),
                _ => other_file(value, name),
            }
        }),
        Value::Array(values) => values.iter().find_map(|value| other_file(value, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn types() -> Vec<String> {
        vec!["monolithicSparse".to_string()]
    }

    fn sound(format: &str, data: &Value) -> Value {
        json!({
            "children": [{"name": "file", "info": {
                "children": [], "filename": "./x", "format": "file", "virtual-size": 1,
            }}],
            "filename": "./x", "format": format, "virtual-size": 1,
            "format-specific": {"type": format, "data": data},
        })
    }

    fn sound_vmdk() -> Value {
        sound(
            "vmdk",
            &json!({
                "create-type": "monolithicSparse", "cid": 1,
                "extents": [{"filename": "./x", "format": ""}],
            }),
        )
    }

    #[test]
    fn reports_of_one_file_pass() {
        let data = json!({"compat": "1.1", "corrupt": false});
        check(&sound("qcow2", &data), "qcow2", "./x", &types()).unwrap();
        check(&sound_vmdk(), "vmdk", "./x", &types()).unwrap();
        // As versions before 8.1 report it.
        let old = json!({"filename": "./x", "format": "vpc"});
        check(&old, "vpc", "./x", &types()).unwrap();
    }

    #[test]
    fn reports_of_another_file_are_refused() {
        let changed = |pointer: &str, key: &str, value: Value| {
            let mut report = sound("qcow2", &json!({}));
            report.pointer_mut(pointer).unwrap()[key] = value;
            report
        };
        let child = json!({"name": "data-file", "info": {"filename": "/S", "format": "raw"}});
        let leaf = json!([{"name": "file", "info": {"filename": "./x", "format": "file"}}]);
        let both = json!([leaf[0], child]);
        let nested = json!([{"name": "file", "info": {
            "filename": "./x", "format": "file", "children": [child],
        }}]);
        let extent = {
            let mut report = sound_vmdk();
            report["format-specific"]["data"]["extents"][0]["filename"] = json!("/S");
            report
        };
        let flat = {
            let mut report = sound_vmdk();
            report["format-specific"]["data"]["create-type"] = json!("monolithicFlat");
            report
        };
        let inner = "/format-specific/data";
        for (name, report, driver) in [
            (
                "another format",
                changed("", "format", json!("vmdk")),
                "qcow2",
            ),
            (
                "a backing file",
                changed("", "backing-filename", json!("/S")),
                "qcow2",
            ),
            (
                "a backing file's path",
                changed("", "full-backing-filename", json!("/S")),
                "qcow2",
            ),
            (
                "a data file",
                changed(inner, "data-file", json!("/S")),
                "qcow2",
            ),
            (
                "a raw data file",
                changed(inner, "data-file-raw", json!(true)),
                "qcow2",
            ),
            ("encryption", changed("", "encrypted", json!(true)), "qcow2"),
            (
                "encryption by LUKS",
                changed(inner, "encrypt", json!({"format": "luks"})),
                "qcow2",
            ),
            ("no children", changed("", "children", json!([])), "qcow2"),
            (
                "children of another kind",
                changed("", "children", json!("x")),
                "qcow2",
            ),
            ("two children", changed("", "children", both), "qcow2"),
            ("a child's child", changed("", "children", nested), "qcow2"),
            (
                "another name",
                changed("", "filename", json!("/S")),
                "qcow2",
            ),
            (
                "a child of another name",
                changed("/children/0/info", "filename", json!("/S")),
                "qcow2",
            ),
            (
                "a child on a network",
                changed("/children/0/info", "format", json!("nbd")),
                "qcow2",
            ),
            ("an extent", extent, "vmdk"),
            ("a flat VMDK", flat, "vmdk"),
        ] {
            assert!(check(&report, driver, "./x", &types()).is_err(), "{name}");
        }
        assert!(check(&sound_vmdk(), "vmdk", "./x", &[]).is_err());
    }
}
