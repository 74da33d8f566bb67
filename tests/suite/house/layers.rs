//! The floors of the house: imports only go down.

use std::path::Path;

/// The floors from the top; what stands together may not import each other.
const FLOORS: [&[&str]; 8] = [
    &["cli"],
    &["ops", "server"],
    &["output", "local", "remote"],
    &["service"],
    &["http"],
    &["config", "data"],
    &["model"],
    &["error"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn check(path: &Path, module: &str, wrong: &mut Vec<String>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            check(&entry.unwrap().path(), module, wrong);
        }
        return;
    }
    let text = std::fs::read_to_string(path).unwrap();
    let from = floor(module).unwrap_or_else(|| panic!("{module} is on no floor"));
    for (number, line) in text.lines().enumerate() {
        // Tests may look further.
        if line.trim() == "#[cfg(test)]" {
            return;
        }
        for used in line.split("crate::").skip(1) {
            let name: String = used
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let Some(to) = floor(&name) else { continue };
            if name != module && to <= from {
                wrong.push(format!(
                    "{}:{}: {module} imports {name}",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
}

#[test]
fn imports_only_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_string();
        if module != "bin" && module != "lib" {
            check(&path, &module, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
