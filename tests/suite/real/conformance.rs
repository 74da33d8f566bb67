//! What the programs print, compared with what the real ones print against a real server: on a data
//! directory (local), against a real server (remote), and against ours (served); and what the real programs
//! print against ours (real-clients).
//!
//! `tests/conformance` holds the scenarios, the recordings and the runner; this starts it, a test a
//! scenario and mode, so that they run side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::realcloud::{SharedCloud, venv};

/// Declares the tests of scenarios in a mode, of which so many percent of the commands match.
macro_rules! scenarios {
    ($module:ident, $mode:literal, $floor:literal: $($test:ident = $name:literal),* $(,)?) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    super::differs_only_as_declared($mode, $name);
                }
            )*

            #[test]
            fn most_commands_match() {
                super::most_commands_match($mode, &[$($name),*], $floor);
            }
        }
    };
}

/// The scenarios of both modes, and those that only one has.
macro_rules! image_scenarios {
    ($module:ident, $mode:literal, $floor:literal: $($more:tt)*) => {
        scenarios! { $module, $mode, $floor:
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
            $($more)*
        }
    };
}

image_scenarios! { local, "local", 97: }
image_scenarios! { remote, "remote", 98: errors_auth_is_as_recorded = "errors-auth" }
scenarios! { local_sharing, "local", 97: members_is_as_recorded = "members" }
// Of the 46 commands that do not name a service by its address, 45 match.
scenarios! { local_cache, "local", 88:
    cache_is_as_recorded = "cache",
    cache_tools_is_as_recorded = "cache-tools",
}
scenarios! { remote_cache, "remote", 98:
    cache_is_as_recorded = "cache",
    cache_tools_is_as_recorded = "cache-tools",
}
scenarios! { remote_sharing, "remote", 97: members_is_as_recorded = "members" }
scenarios! { local_imports, "local", 96:
    import_stores_is_as_recorded = "import-stores",
    tasks_info_is_as_recorded = "tasks-info",
}
scenarios! { remote_imports, "remote", 98:
    import_stores_is_as_recorded = "import-stores",
    tasks_info_is_as_recorded = "tasks-info",
}
scenarios! { local_locations, "local", 96: tags_locations_is_as_recorded = "tags-locations" }
scenarios! { remote_locations, "remote", 98: tags_locations_is_as_recorded = "tags-locations" }

scenarios! { local_scrubber, "local", 87: scrubber_is_as_recorded = "scrubber" }
scenarios! { remote_scrubber, "remote", 87: scrubber_is_as_recorded = "scrubber" }

/// The scenarios of metadata definitions, through the service and in the database, and of the database.
macro_rules! metadef_scenarios {
    ($module:ident, $tool:ident, $mode:literal) => {
        scenarios! { $module, $mode, 100:
            metadefs_glance_is_as_recorded = "metadefs-glance",
            metadefs_openstack_is_as_recorded = "metadefs-openstack",
            metadefs_more_is_as_recorded = "metadefs-more",
        }
        scenarios! { $tool, $mode, 98:
            manage_db_is_as_recorded = "manage-db",
            manage_metadefs_is_as_recorded = "manage-metadefs",
        }
    };
}

metadef_scenarios! { local_metadefs, local_manage, "local" }
metadef_scenarios! { remote_metadefs, remote_manage, "remote" }

image_scenarios! { served, "served", 98:
    errors_auth_is_as_recorded = "errors-auth",
    members_is_as_recorded = "members",
    cache_is_as_recorded = "cache",
    import_stores_is_as_recorded = "import-stores",
    tasks_info_is_as_recorded = "tasks-info",
    tags_locations_is_as_recorded = "tags-locations",
    metadefs_glance_is_as_recorded = "metadefs-glance",
    metadefs_openstack_is_as_recorded = "metadefs-openstack",
    metadefs_more_is_as_recorded = "metadefs-more",
}

// The real clients need a second for each command: the scenarios that ask most of a server.
scenarios! { real_clients, "real-clients", 98:
    create_openstack_is_as_recorded = "create-openstack",
    import_stores_is_as_recorded = "import-stores",
    states_is_as_recorded = "states",
    tags_locations_is_as_recorded = "tags-locations",
}

/// The other scenarios of the real clients with a server.
mod all_of_real_clients {
    macro_rules! thorough {
        ($($test:ident = $name:literal),* $(,)?) => {$(
            #[test]
            #[ignore = "ten minutes with the others of this module"]
            fn $test() {
                super::differs_only_as_declared("real-clients", $name);
            }
        )*};
    }
    thorough! {
        cache_is_as_recorded = "cache",
        create_glance_is_as_recorded = "create-glance",
        download_is_as_recorded = "download",
        errors_is_as_recorded = "errors",
        errors_auth_is_as_recorded = "errors-auth",
        formatters_is_as_recorded = "formatters",
        list_glance_is_as_recorded = "list-glance",
        list_openstack_is_as_recorded = "list-openstack",
        members_is_as_recorded = "members",
        metadefs_glance_is_as_recorded = "metadefs-glance",
        metadefs_openstack_is_as_recorded = "metadefs-openstack",
        metadefs_more_is_as_recorded = "metadefs-more",
        names_is_as_recorded = "names",
        set_unset_is_as_recorded = "set-unset",
        tasks_info_is_as_recorded = "tasks-info",
    }
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
    let cloud = match mode {
        "local" => None,
        "remote" => Some(SharedCloud::take()),
        _ => Some(SharedCloud::take_ours()),
    };
    let results = tempfile::tempdir().expect("a temporary directory");
    let programs = match mode {
        "real-clients" => venv().join("bin"),
        _ => Path::new(env!("CARGO_BIN_EXE_glance")).with_file_name(""),
    };
    let against = if mode == "local" { "local" } else { "remote" };
    let mut run = Command::new(here().join("run"));
    run.arg("--bin")
        .arg(programs)
        .args(["--mode", against, "--only", scenario, "--out"])
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

/// The differences declared for a mode, and why.
fn declared(mode: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(declared_file(mode)).expect("the declared differences");
    serde_json::from_str(&text).expect("an object of texts")
}

/// How many commands a scenario has.
fn commands(scenario: &str) -> usize {
    let recorded = here().join(format!("recorded/{scenario}.jsonl"));
    let recorded = std::fs::read_to_string(recorded).expect(scenario);
    recorded.lines().count()
}

/// The differences that are declared for these scenarios are few.
fn most_commands_match(mode: &str, scenarios: &[&str], floor: usize) {
    let of_these = |command: &String| {
        let scenario = command.split(':').next().unwrap_or_default();
        scenarios.contains(&scenario)
    };
    let differing = declared(mode).into_keys().filter(of_these).count();
    let total: usize = scenarios.iter().map(|scenario| commands(scenario)).sum();
    let matching = total - differing;
    assert!(
        matching * 100 >= total * floor,
        "{matching} of {total} commands match"
    );
}

#[test]
fn every_declared_difference_is_that_of_a_command_and_has_a_reason() {
    for mode in ["local", "remote", "served", "real-clients"] {
        for (command, why) in declared(mode) {
            let (scenario, number) = command.split_once(':').expect("SCENARIO:NUMBER");
            let number: usize = number.parse().expect("a number");
            assert!(
                (1..=commands(scenario)).contains(&number),
                "{mode} {command}"
            );
            assert!(!why.trim().is_empty(), "{mode} {command} has no reason");
        }
    }
}
