//! What `build.rs` says of the version.

#[path = "../../../build.rs"]
#[expect(
    dead_code,
    clippy::print_stdout,
    reason = "a build script, of which only some parts are tested"
)]
mod build;

#[test]
fn a_date_is_that_of_the_calendar() {
    // The last day of a leap year, and the days around the end of February in leap years and others.
    let mut seconds: Vec<i64> = vec![0, 86_399, 86_400, 951_782_400, 951_868_800, 978_220_800];
    seconds.extend((0..200).map(|step| step * 31_556_952 / 3));
    for seconds in seconds {
        let time = jiff_date(seconds);
        assert_eq!(build::date(seconds), time, "{seconds}");
    }
}

fn jiff_date(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap();
    time.strftime("%Y-%m-%d").to_string()
}

#[test]
fn a_hash_is_hexadecimal_and_not_shorter_than_what_is_printed() {
    assert!(build::is_hash("f00baa1"));
    assert!(build::is_hash("0123456789abcdef0123456789abcdef01234567"));
    for other in ["", "f00baa", "$Format:%H", "f00baa1-dirty", "f00baag"] {
        assert!(!build::is_hash(other), "{other}");
    }
}

#[test]
fn an_archive_of_git_and_a_package_of_cargo_carry_their_commit() {
    let place = tempfile::tempdir().unwrap();
    let top = place.path();
    let hash = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(build::from_archive(top), None);
    assert_eq!(build::from_package(top), None);
    assert_eq!(build::from_git(top), None, "the directory is no repository");

    let archived = top.join(".git_archival.txt");
    std::fs::write(&archived, "$Format:%H %ct$\n").unwrap();
    assert_eq!(build::from_archive(top), None, "as in a checkout");
    std::fs::write(&archived, format!("{hash} 1700000000\n")).unwrap();
    let commit = build::from_archive(top).unwrap();
    assert_eq!(commit.name, hash);
    assert_eq!(commit.seconds, Some(1_700_000_000));

    let packaged = top.join(".cargo_vcs_info.json");
    let text = format!("{{\n  \"git\": {{\n    \"sha1\": \"{hash}\"\n  }}\n}}");
    std::fs::write(packaged, text).unwrap();
    assert_eq!(build::from_package(top).unwrap().name, hash);
}

#[test]
fn an_archive_of_this_repository_carries_its_commit() {
    let git = |words: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(env!("CARGO_MANIFEST_DIR")).args(words);
        git.output().ok().filter(|output| output.status.success())
    };
    let Some(head) = git(&["rev-parse", "HEAD"]) else {
        eprintln!("skipped: the source is no repository of git");
        return;
    };
    // The attributes are those of the commit.
    let archive = git(&["archive", "HEAD", ".git_archival.txt"]).unwrap();
    let text = String::from_utf8_lossy(&archive.stdout).into_owned();
    let head = String::from_utf8_lossy(&head.stdout).into_owned();
    assert!(text.contains(head.trim_end()), "{text}");
}
