//! The files that operators copy: their commands are ours, and systemd takes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Run};

const PROGRAMS: [(&str, &str); 4] = [
    ("glance-api", env!("CARGO_BIN_EXE_glance-api")),
    ("glance-scrubber", env!("CARGO_BIN_EXE_glance-scrubber")),
    (
        "glance-cache-manage",
        env!("CARGO_BIN_EXE_glance-cache-manage"),
    ),
    ("glance-manage", env!("CARGO_BIN_EXE_glance-manage")),
];

fn contrib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib")
}

/// The units of systemd: names and texts.
fn units() -> Vec<(String, String)> {
    let entries = fs::read_dir(contrib().join("systemd")).unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    let mut units: Vec<(String, String)> = entries.map(read).collect();
    units.sort();
    units
}

#[test]
fn every_command_is_one_of_ours_and_works() {
    let place = Place::new();
    place.configure("[DEFAULT]\ndelayed_delete = true\n");
    let id = place.image("a", b"data");
    place.glance(&["image-delete", &id]).ok();
    let mut commands: Vec<String> = units()
        .iter()
        .flat_map(|(_, text)| text.lines())
        .filter_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/"))
        .map(|command| command.replace("%S/glance-metrics/", ""))
        .collect();
    assert_eq!(commands.len(), 7);
    // The service does not end by itself.
    let service = "glance-api --config-file /etc/glance/glance-api.conf";
    commands.retain(|command| command != service);
    assert_eq!(commands.len(), 6);
    let cron = fs::read_to_string(contrib().join("cron/glance-tools")).unwrap();
    for line in cron.lines().filter(|line| line.contains("/etc/glance/")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[5], "glance", "{line}");
        commands.push(words[6..].join(" ").replace(" >/dev/null", ""));
    }
    assert_eq!(commands.len(), 11);
    for command in commands {
        // The daemon does not end by itself.
        let words = command.replace(" --daemon", " --nodaemon");
        let (name, words) = words.split_once(' ').unwrap();
        let words = words.replace("--config-file /etc/glance/glance-api.conf", "");
        let (_, program) = PROGRAMS.iter().find(|(known, _)| *known == name).unwrap();
        let mut run: Command = place.command(program);
        let run = Run::of(run.args(words.split_whitespace()).output().unwrap());
        assert_eq!(run.code, 0, "{command}: {}", run.stderr);
    }
    assert!(place.file("scrubber.prom").exists());
}

#[test]
fn every_timer_has_a_service_and_no_service_may_do_much() {
    let units = units();
    let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).collect();
    let readme = fs::read_to_string(contrib().join("README.md")).unwrap();
    for (name, text) in &units {
        if let Some(of) = name.strip_suffix(".timer").or(name.strip_suffix(".socket")) {
            assert!(names.contains(&format!("{of}.service").as_str()), "{name}");
            assert!(readme.contains(name.as_str()), "{name}");
            continue;
        }
        for line in [
            "User=glance",
            "ProtectSystem=strict",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "SystemCallFilter=@system-service",
        ] {
            assert!(text.lines().any(|known| known == line), "{name}: {line}");
        }
    }
}

#[test]
fn systemd_takes_the_units() {
    let installed = Command::new("systemd-analyze").arg("--version").output();
    if installed.is_err() {
        // There is no systemd here, and nobody to ask.
        return;
    }
    let place = Place::new();
    let mut paths = Vec::new();
    for (name, text) in units() {
        let mut text = text;
        for (program, path) in PROGRAMS {
            text = text.replace(&format!("/usr/local/bin/{program} "), &format!("{path} "));
        }
        // Manual pages are installed with the programs.
        let lines = text
            .lines()
            .filter(|line| !line.starts_with("Documentation="));
        paths.push(place.write(&name, lines.collect::<Vec<_>>().join("\n")));
    }
    let mut verify = place.command("systemd-analyze");
    let verified = Run::of(verify.arg("verify").args(&paths).output().unwrap());
    let complaints: Vec<&str> = verified
        .stderr
        .lines()
        .filter(|line| line.contains("glance-"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert_eq!(verified.code, 0, "{}", verified.stderr);
}
