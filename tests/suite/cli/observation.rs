//! What runs tell of themselves: times, traces, logs.

use std::collections::BTreeSet;

use crate::support::glance::{Server, TOKEN, aim};
use crate::support::{GLANCE, Place, Run};

/// A command against a server.
fn run(place: &Place, server: &Server, words: &[&str]) -> Run {
    let mut command = place.command("/bin/sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" <&-", GLANCE])
        .args(words);
    aim(&mut command, &server.url());
    Run::of(command.output().unwrap())
}

#[test]
fn times_of_requests_are_shown_behind_the_result() {
    let (place, server) = (Place::new(), Server::start());
    let id = server.image("web", "x");
    let url = server.url();
    let shown = run(
        &place,
        &server,
        &["--timing", "image", "set", "--name", "m", &id],
    )
    .ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "", "{shown}");
    assert!(
        lines[2].starts_with("| URL ") && lines[2].ends_with(" Seconds |"),
        "{shown}"
    );
    assert!(
        lines[4].starts_with(&format!("| GET {url}/v2/images/{id} ")),
        "{shown}"
    );
    assert!(
        lines[5].starts_with(&format!("| PATCH {url}/v2/images/{id} ")),
        "{shown}"
    );
    assert!(lines[6].starts_with("| Total "), "{shown}");

    let shown = run(
        &place,
        &server,
        &["--timing", "image", "list", "-f", "value", "-c", "Name"],
    )
    .ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[..3], ["m", "", "\"URL\",\"Seconds\""]);
    let numbers: Vec<f64> = lines[3..]
        .iter()
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers.len(), 2);
    assert!(
        (numbers[0] - numbers[1]).abs() < 1e-9 && numbers[0] > 0.0,
        "{shown}"
    );

    let failed = run(
        &place,
        &server,
        &["--timing", "image", "show", "nothing", "-f", "json"],
    );
    assert_eq!(failed.code, 1);
    assert!(
        failed.text().contains("?limit=8&name=nothing\","),
        "{failed:?}"
    );
    std::fs::create_dir(place.data()).unwrap();
    let local = place
        .glance(&["--timing", "image", "list", "-f", "json"])
        .ok();
    assert_eq!(local, "[]\n\n\"URL\",\"Seconds\"\n\"Total\",0.0\n");
}

#[test]
fn a_trace_is_asked_for_with_every_request_and_its_id_is_told() {
    let (place, server) = (Place::new(), Server::start());
    let id = server.image("web", "x");
    let shown = run(
        &place,
        &server,
        &["--profile", "sesame", "image-update", "--name", "m", &id],
    )
    .ok();
    let lines: Vec<&str> = shown.lines().collect();
    let trace = lines
        .iter()
        .find_map(|line| line.strip_prefix("Profiling trace ID: "))
        .unwrap();
    assert_eq!(
        lines.last().unwrap().trim_end(),
        format!("osprofiler trace show --html {trace}")
    );
    let seen = server.requests();
    let of = |name| {
        seen.iter()
            .map(|seen| seen.header(name).unwrap())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        (
            seen.len(),
            of("x-trace-info").len(),
            of("x-trace-hmac").len()
        ),
        (2, 1, 1)
    );

    let mut command = place.command(GLANCE);
    command
        .args(["--debug", "image", "show", "m", "-f", "value", "-c", "name"])
        .env("OS_PROFILE", "sesame");
    aim(&mut command, &server.url());
    let second = Run::of(command.output().unwrap());
    assert_eq!((second.code, second.text()), (0, "m\n".to_string()));
    for part in [
        "Trace ID: ",
        "Short trace ID for OpenTracing-based drivers: ",
        "x-trace-hmac: ***",
    ] {
        assert!(second.stderr.contains(part), "{}", second.stderr);
    }
    assert!(!second.stderr.contains("sesame"));

    let local = place.glance(&["--os-profile", "k", "image", "list", "-f", "value"]);
    assert_eq!((local.code, local.text()), (0, String::new()));
    assert!(
        local.stderr.contains("--profile has no effect"),
        "{}",
        local.stderr
    );
}

#[test]
fn what_is_said_is_written_to_a_log() {
    let (place, server) = (Place::new(), Server::start());
    for words in [
        &["--log-file", "log", "image", "show", "nothing"][..],
        &["--debug", "--log-file", "log", "image", "list"],
    ] {
        run(&place, &server, words);
    }
    let log = std::fs::read_to_string(place.file("log")).unwrap();
    let first = log.lines().next().unwrap();
    assert!(
        first.ends_with(" ERROR openstack No Image found for nothing"),
        "{first}"
    );
    let time = first.get(..23).unwrap();
    assert!(
        glance_tools::model::Timestamp::parse(time).is_some(),
        "{time}"
    );
    assert!(
        log.contains(" DEBUG openstack DEBUG curl -g -i -X GET"),
        "{log}"
    );
    assert!(!log.contains(TOKEN));
    let refused = run(
        &place,
        &server,
        &["--log-file", "no/such/log", "image", "list"],
    );
    assert!(refused.fails(1).contains("cannot open no/such/log"));
}

#[test]
fn a_line_a_request_is_said_if_wanted() {
    let (place, server) = (Place::new(), Server::start());
    let said = |words: &[&str]| run(&place, &server, &[words, &["image", "list"]].concat()).stderr;
    assert_eq!(said(&[]), "");
    let once = said(&["-v"]);
    assert!(once.contains("/v2/images?limit=1000: 200 in "), "{once}");
    assert_eq!(once.lines().count(), 1);
    assert!(said(&["-v", "-v"]).contains("DEBUG curl"), "as --debug");
    place.image("x", b"data");
    let local = place.glance(&["-v", "image", "list"]);
    assert!(
        local.stderr.starts_with("Using local images in "),
        "{}",
        local.stderr
    );
}
