//! What the operator's programs have in common: their logs, and their metrics.

#![expect(clippy::float_cmp, reason = "whole numbers, and what was copied")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::support::{Place, Run};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

/// A place where an image waits to be deleted.
fn waiting(more: &str) -> (Place, String) {
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\ndelayed_delete = true\nimage_cache_max_size = 4\n{more}"
    ));
    let id = place.image("a", b"data");
    place.glance(&["image-delete", &id]).ok();
    (place, id)
}

fn run(place: &Place, program: &str, words: &[&str]) -> Run {
    Run::of(place.command(program).args(words).output().unwrap())
}

/// Cuts the time and the process off a line of the log.
fn told(line: &str, year: &str) -> String {
    let rest = line.strip_prefix(year).unwrap_or_else(|| panic!("{line}"));
    let words: Vec<&str> = rest.splitn(4, ' ').collect();
    assert_eq!(words[0].len(), "-11-21".len(), "{line}");
    assert_eq!(words[1].len(), "10:30:04.428".len(), "{line}");
    words[2].parse::<u32>().unwrap();
    words[3].to_string()
}

const SCRUBBED: &str = "INFO glance.scrubber [-] Scrubbed 1 image(s), 1 location(s), 4 byte(s).";

#[test]
fn what_is_logged_goes_to_the_file_and_to_stderr() {
    let (place, id) = waiting("");
    let directory = place.file("logs");
    fs::create_dir(&directory).unwrap();
    let year = glance_tools::model::Timestamp::now()
        .to_local("%Y")
        .unwrap();
    let done = run(&place, SCRUBBER, &["--debug", "--log-dir", "logs"]);
    assert_eq!((done.code, done.text().as_str()), (0, ""));
    let log = fs::read_to_string(directory.join("glance-scrubber.log")).unwrap();
    assert_eq!(log, done.stderr);
    let lines: Vec<String> = log.lines().map(|line| told(line, &year)).collect();
    assert_eq!(
        lines,
        [
            format!("DEBUG glance.scrubber [-] Scrubbed image {id}, 4 byte(s)."),
            SCRUBBED.to_string()
        ]
    );
    // Failures are kept as well, behind what is there.
    let words = [
        "--log-dir",
        "logs",
        "--log-file",
        "other.log",
        "--restore",
        &id,
    ];
    let failed = run(&place, SCRUBBER, &words).fails(1);
    assert!(
        failed.starts_with("ERROR: cannot restore the image from deleted"),
        "{failed}"
    );
    let log = fs::read_to_string(directory.join("other.log")).unwrap();
    assert_eq!(
        told(log.trim_end(), &year),
        format!("ERROR glance.scrubber [-] {}", failed.trim_end())
    );
    run(&place, SCRUBBER, &["--log-file", "no/such/directory.log"]).fails(1);
}

#[test]
fn the_configuration_says_where_to_log_too() {
    let (place, _) =
        waiting("log_file = scrubber.log\nuse_stderr = false\nlog_date_format = at %H\n");
    run(&place, SCRUBBER, &[]).ok();
    let log = fs::read_to_string(place.data().join("scrubber.log")).unwrap();
    assert!(
        log.starts_with("at ") && log.trim_end().ends_with(SCRUBBED),
        "{log}"
    );

    let (place, _) = waiting("log_config_append = logging.conf\n");
    let done = run(&place, SCRUBBER, &[]);
    assert_eq!(done.code, 0);
    let lines: Vec<&str> = done.stderr.lines().collect();
    assert!(
        lines[0].ends_with(
            "log_config_append = logging.conf is ignored: Python's logging configuration is not supported"
        ),
        "{}",
        lines[0]
    );
    assert!(lines[1].ends_with(SCRUBBED));
}

#[test]
fn a_line_may_be_json() {
    let (place, _) = waiting("");
    let done = run(&place, SCRUBBER, &["--use-json"]);
    let line: Value = serde_json::from_str(done.stderr.trim_end()).unwrap();
    assert_eq!(line["levelname"], "INFO");
    assert_eq!(line["levelno"], 20);
    assert_eq!(line["name"], "glance.scrubber");
    assert_eq!(
        line["message"],
        "Scrubbed 1 image(s), 1 location(s), 4 byte(s)."
    );
    assert!(line["created"].as_f64().unwrap() > 1_700_000_000.0);
}

#[test]
fn what_can_mean_nothing_is_refused_by_every_program() {
    let place = Place::new();
    place.image("a", b"data");
    let old = place.file("glance-cache-pruner");
    std::os::unix::fs::symlink(CACHE_MANAGE, &old).unwrap();
    for (program, words) in [
        (SCRUBBER, &[][..]),
        (MANAGE, &["db", "version"]),
        (old.to_str().unwrap(), &[]),
    ] {
        for (option, why, code) in [
            ("--log-config-append=x", "does not use Python's logging", 2),
            (
                "--syslog-log-facility=LOG_X",
                "unknown syslog facility 'LOG_X'",
                1,
            ),
            ("--log-date-format=%Y %", "is not a valid date format", 1),
        ] {
            let mut line = vec![option];
            line.extend(words);
            let told = run(&place, program, &line).fails(code);
            assert!(told.contains(why), "{program}: {told}");
        }
        let mut line = vec!["--log-file", "x.log", "--nodebug"];
        line.extend(words);
        assert_eq!(run(&place, program, &line).code, 0, "{program}");
    }
}

/// The samples of a text of Prometheus, each with its kind; panics where it is none.
fn samples(text: &str) -> BTreeMap<String, (String, f64)> {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut all = BTreeMap::new();
    let mut lines = text.lines();
    assert!(text.ends_with('\n'));
    while let Some(help) = lines.next() {
        let help = help.strip_prefix("# HELP ").expect("help first");
        let (name, words) = help.split_once(' ').unwrap();
        assert!(is_name(name) && words.ends_with('.'), "{help}");
        let kind = lines.next().unwrap();
        let kind = kind
            .strip_prefix(&format!("# TYPE {name} "))
            .expect("its type");
        assert!(["counter", "gauge"].contains(&kind), "{kind}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        let (sample, value) = lines.next().unwrap().split_once(' ').unwrap();
        assert_eq!(sample, name);
        let sample = (kind.to_string(), value.parse().unwrap());
        assert!(
            all.insert(name.to_string(), sample).is_none(),
            "{name} twice"
        );
    }
    all
}

fn metrics(place: &Place) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(place.file("x.prom")).unwrap();
    let samples = samples(&text);
    samples
        .into_iter()
        .map(|(name, (_, value))| (name, value))
        .collect()
}

#[test]
fn metrics_of_the_scrubber_count_all_runs() {
    use std::os::unix::fs::PermissionsExt;
    let (place, _) = waiting("");
    let scrub = || run(&place, SCRUBBER, &["--metrics-file", "x.prom"]);
    assert_eq!(scrub().code, 0);
    let first = metrics(&place);
    assert_eq!(first["glance_scrubber_images_scrubbed_total"], 1.0);
    assert_eq!(first["glance_scrubber_freed_bytes_total"], 4.0);
    assert_eq!(first["glance_scrubber_failures_total"], 0.0);
    let success = first["glance_scrubber_last_success_timestamp_seconds"];
    assert!(success > 1_700_000_000.0);
    assert!(!first.contains_key("glance_scrubber_oldest_pending_delete_timestamp_seconds"));
    let mode = fs::metadata(place.file("x.prom"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o644);

    // One goes, and one stays.
    let ids = ["b", "c"].map(|name| place.image(name, b"12345"));
    for id in &ids {
        place.glance(&["image-delete", id]).ok();
    }
    let path = place.data().join("images").join(&ids[1]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(scrub().code, 1);
    let second = metrics(&place);
    assert_eq!(second["glance_scrubber_images_scrubbed_total"], 2.0);
    assert_eq!(second["glance_scrubber_freed_bytes_total"], 9.0);
    assert_eq!(second["glance_scrubber_failures_total"], 1.0);
    assert_eq!(
        second["glance_scrubber_last_success_timestamp_seconds"],
        success
    );
    assert!(second["glance_scrubber_last_run_timestamp_seconds"] > success);
    assert!(second["glance_scrubber_oldest_pending_delete_timestamp_seconds"] > success - 1.0);
    assert_eq!(
        crate::support::files(&place.file("")),
        ["x.prom".to_string()].into(),
        "nothing is left beside it"
    );
    run(&place, SCRUBBER, &["--metrics-file", "no/such.prom"]).fails(1);
}

#[test]
fn metrics_of_the_cache_say_how_large_it_is() {
    let place = Place::new();
    place.configure("[DEFAULT]\nimage_cache_max_size = 8\n[paste_deploy]\nflavor = caching\n");
    for (name, content) in [("a", "12345"), ("b", "1234567")] {
        let id = place.image(name, content.as_bytes());
        let words = ["image-download", "--file", "out", &id];
        assert_eq!(place.glance(&words).code, 0);
    }
    fs::remove_file(place.file("out")).unwrap();
    let manage = |command: &str| {
        run(&place, CACHE_MANAGE, &["--metrics-file", "x.prom", command]).ok();
    };
    manage("prune");
    let pruned = metrics(&place);
    assert_eq!(pruned["glance_cache_prune_files_total"], 1.0);
    assert_eq!(pruned["glance_cache_prune_freed_bytes_total"], 5.0);
    assert_eq!(pruned["glance_cache_prune_cache_files"], 1.0);
    assert_eq!(pruned["glance_cache_prune_cache_size_bytes"], 7.0);
    let id = place.image("c", b"abc");
    run(&place, CACHE_MANAGE, &["-f", "queue-image", &id]).ok();
    manage("prefetch");
    let fetched = metrics(&place);
    assert_eq!(fetched["glance_cache_prefetch_images_total"], 1.0);
    assert_eq!(fetched["glance_cache_prefetch_bytes_total"], 3.0);
    manage("clean");
    assert_eq!(metrics(&place)["glance_cache_clean_files_total"], 0.0);
    run(
        &place,
        CACHE_MANAGE,
        &["--metrics-file", "x.prom", "list-cached"],
    )
    .fails(2);
}

#[test]
fn metrics_of_a_purge_count_rows() {
    let (place, _) = waiting("");
    assert_eq!(run(&place, SCRUBBER, &[]).code, 0);
    let purge = [
        "db",
        "purge",
        "--age_in_days",
        "0",
        "--metrics-file",
        "x.prom",
    ];
    assert_eq!(run(&place, MANAGE, &purge).code, 0);
    let first = metrics(&place);
    assert!(first["glance_purge_rows_removed_total"] > 0.0);
    assert!(first["glance_purge_last_success_timestamp_seconds"] > 1_700_000_000.0);
    assert_eq!(run(&place, MANAGE, &purge).code, 0);
    let second = metrics(&place);
    assert_eq!(
        first["glance_purge_rows_removed_total"],
        second["glance_purge_rows_removed_total"]
    );
}
