//! What the programs print, compared with what the real ones print against a real server: on a data
//! directory (local), and against a real server as well (remote).
//!
//! `tests/conformance` holds the scenarios, the recordings and the runner; this starts it, a test a
//! scenario and mode, so that they run side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::realcloud::SharedCloud;

/// Declares the tests of scenarios that a mode must pass, of which so many percent of the commands match.
macro_rules! scenarios {
    ($mode:ident, $floor:literal: $($test:ident = $name:literal),* $(,)?) => {
        mod $mode {
            $(
                #[test]
                fn $test() {
                    super::differs_only_as_declared(stringify!($mode), $name);
                }
            )*

            #[test]
            fn most_commands_match() {
                super::most_commands_match(stringify!($mode), &[$($name),*], $floor);
            }
        }
    };
}

scenarios! { local, 97:
    create_glance_is_as_recorded = "create-glance",
    create_openstack_is_as_recorded = "create-openstack",
    list_glance_is_as_recorded = "list-glance",
    list_openstack_is_as_recorded = "list-openstack",
    set_unset_is_as_recorded = "set-unset",
    states_is_as_recorded = "states",
    members_is_as_recorded = "members",
    download_is_as_recorded = "download",
    names_is_as_recorded = "names",
    formatters_is_as_recorded = "formatters",
    errors_is_as_recorded = "errors",
    help_is_as_recorded = "help",
}

scenarios! { remote, 97:
    create_glance_is_as_recorded = "create-glance",
    create_openstack_is_as_recorded = "create-openstack",
    list_glance_is_as_recorded = "list-glance",
    list_openstack_is_as_recorded = "list-openstack",
    set_unset_is_as_recorded = "set-unset",
    states_is_as_recorded = "states",
    members_is_as_recorded = "members",
    download_is_as_recorded = "download",
    names_is_as_recorded = "names",
    formatters_is_as_recorded = "formatters",
    errors_is_as_recorded = "errors",
    help_is_as_recorded = "help",
    errors_auth_is_as_recorded = "errors-auth",
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// The commands that differ in a mode, each with its reason.
fn declared_file(mode: &str) -> PathBuf {
    here().join(format!("differences-{mode}.json"))
}

/// Plays a scenario with our programs; panics unless the commands that differ from the recording are
/// exactly those that are declared to differ in that mode.
fn differs_only_as_declared(mode: &str, scenario: &str) {
    let cloud = (mode == "remote").then(SharedCloud::take);
    let results = tempfile::tempdir().expect("a temporary directory");
    let programs = Path::new(env!("CARGO_BIN_EXE_glance"))
        .parent()
        .expect("the directory of the programs");
    let mut run = Command::new(here().join("run"));
    run.arg("--bin")
        .arg(programs)
        .args(["--mode", mode, "--only", scenario, "--out"])
        .arg(results.path());
    if let Some(cloud) = &cloud {
        run.arg("--cloud").arg(cloud.directory());
    }
    let played = run.output().expect("python3 to run tests/conformance/run");
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
        .arg(declared_file(mode))
        .output()
        .expect("python3 to run tests/conformance/compare");
    assert!(
        compared.status.success(),
        "{}{}",
        said(&compared.stdout),
        said(&compared.stderr)
    );
}

/// Every declared difference is that of a command, has a reason, and they are few.
fn most_commands_match(mode: &str, scenarios: &[&str], floor: usize) {
    let text = std::fs::read_to_string(declared_file(mode)).expect("the declared differences");
    let declared: BTreeMap<String, String> =
        serde_json::from_str(&text).expect("an object of texts");
    let mut left = declared.clone();
    let mut total = 0;
    for scenario in scenarios {
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
        matching * 100 >= total * floor,
        "{matching} of {total} commands match"
    );
}
