//! What the programs print in local mode, compared with what the real ones print against a server.
//!
//! `tests/conformance` holds the scenarios, the recordings and the runner; this starts it, a test a
//! scenario, so that they run side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The least part of the commands that must match, in percent.
const FLOOR: usize = 97;

macro_rules! scenarios {
    ($($test:ident = $name:literal),* $(,)?) => {
        /// The scenarios that local mode must pass.
        const SCENARIOS: &[&str] = &[$($name),*];

        $(
            #[test]
            fn $test() {
                differs_only_as_declared($name);
            }
        )*
    };
}

scenarios! {
    create_glance_is_as_recorded = "create-glance",
    create_openstack_is_as_recorded = "create-openstack",
    list_glance_is_as_recorded = "list-glance",
    list_openstack_is_as_recorded = "list-openstack",
    set_unset_is_as_recorded = "set-unset",
    states_is_as_recorded = "states",
    download_is_as_recorded = "download",
    names_is_as_recorded = "names",
    formatters_is_as_recorded = "formatters",
    errors_is_as_recorded = "errors",
    help_is_as_recorded = "help",
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn declared_file() -> PathBuf {
    here().join("differences-local.json")
}

/// Plays a scenario with our programs; panics unless the commands that differ from the recording are
/// exactly those that `differences-local.json` names.
fn differs_only_as_declared(scenario: &str) {
    let results = tempfile::tempdir().expect("a temporary directory");
    let programs = Path::new(env!("CARGO_BIN_EXE_glance"))
        .parent()
        .expect("the directory of the programs");
    let played = Command::new(here().join("run"))
        .arg("--bin")
        .arg(programs)
        .args(["--mode", "local", "--only", scenario, "--out"])
        .arg(results.path())
        .output()
        .expect("python3 to run tests/conformance/run");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        played.status.success(),
        "{}{}",
        said(&played.stdout),
        said(&played.stderr)
    );
    let complaints = said(&played.stderr);
    assert!(complaints.is_empty(), "{complaints}");

    let compared = Command::new(here().join("compare"))
        .arg(results.path())
        .args(["--only", scenario, "--show", "1000", "--declared"])
        .arg(declared_file())
        .output()
        .expect("python3 to run tests/conformance/compare");
    assert!(
        compared.status.success(),
        "{}{}",
        said(&compared.stdout),
        said(&compared.stderr)
    );
}

#[test]
fn at_least_97_percent_of_the_commands_match() {
    let text = std::fs::read_to_string(declared_file()).expect("differences-local.json");
    let declared: BTreeMap<String, String> =
        serde_json::from_str(&text).expect("an object of texts");
    let mut left = declared.clone();
    let mut total = 0;
    for scenario in SCENARIOS {
        let recorded = std::fs::read_to_string(here().join(format!("recorded/{scenario}.jsonl")))
            .expect(scenario);
        for number in 1..=recorded.lines().count() {
            total += 1;
            let why = left.remove(&format!("{scenario}:{number}"));
            assert!(
                why.is_none_or(|why| !why.trim().is_empty()),
                "{scenario}:{number} has no reason"
            );
        }
    }
    assert!(left.is_empty(), "no such commands: {left:?}");
    let matching = total - declared.len();
    assert!(
        matching * 100 >= total * FLOOR,
        "{matching} of {total} commands match"
    );
}
