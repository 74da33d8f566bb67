//! Commands that are read line by line, from standard input or at a prompt.

use std::io::Write;
use std::process::Stdio;

use crate::support::{GLANCE, Place, Run};

/// The program under the name that has the second grammar alone.
fn openstack(place: &Place) -> String {
    let link = place.file("openstack");
    if !link.exists() {
        std::os::unix::fs::symlink(GLANCE, &link).unwrap();
    }
    link.to_str().unwrap().to_string()
}

/// A program whose standard input is a pipe with `lines`.
fn piped(place: &Place, program: &str, words: &[&str], lines: &str) -> Run {
    let mut command = place.command(program);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // The program may end before it has read all.
    let _ = pipe.write_all(lines.as_bytes());
    drop(pipe);
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn lines_of_standard_input_are_commands() {
    let place = Place::new();
    let lines = "\
# An image without data: standard input holds commands.
image create 'the first' -f value -c status

  image create second --tag a -f value -c status
image list -f value -c Name --sort-column Name
help help
quit
image create never
";
    for program in [openstack(&place), GLANCE.to_string()] {
        let name = if program == GLANCE {
            "glance"
        } else {
            "openstack"
        };
        let told = piped(&place, &program, &[], lines).ok();
        let (shown, help) = told.split_once("usage: ").unwrap();
        assert_eq!(shown, "queued\nqueued\nsecond\nthe first\n");
        assert!(help.starts_with(&format!("{name} help")), "{help}");
        for image in ["the first", "second"] {
            place.glance(&["image", "delete", image]).ok();
        }
        assert_eq!(place.glance(&["image", "list"]).ok(), "\n");
    }
}

#[test]
fn an_error_does_not_end_the_lines_and_the_first_one_is_the_exit_code() {
    let place = Place::new();
    let program = openstack(&place);
    for (wrong, code, said) in [
        ("image show nosuch", 1, "No Image found for nosuch"),
        ("image frobnicate", 2, ""),
        ("image show 'x", 2, "no closing quotation"),
        ("image list > file", 2, "outside of quotes"),
        (
            "image list --nonsense",
            2,
            "unrecognized arguments: --nonsense",
        ),
        ("image list -v -q", 2, "not allowed with"),
    ] {
        let lines = format!("{wrong}\nimage list -f json\nimage show nosuch\n");
        let run = piped(&place, &program, &[], &lines);
        assert_eq!(run.code, code, "{wrong}: {run:?}");
        assert!(run.text().ends_with("[]\n"), "{wrong}: {run:?}");
        assert!(run.stderr.contains(said), "{wrong}: {run:?}");
    }
    assert!(!place.file("file").exists());
}

#[test]
fn an_error_names_its_line() {
    let place = Place::new();
    let lines = "image list\nimage list 'x\n\nimage show nothing\n";
    let run = piped(&place, &openstack(&place), &[], lines);
    for number in [2, 4] {
        let hint = format!("This is line {number} of standard input.");
        assert!(run.stderr.contains(&hint), "{}", run.stderr);
    }
}

#[test]
fn options_of_the_program_count_for_every_line() {
    let place = Place::new();
    let lines = "image create mine -f value -c owner\nimage show mine -f value -c owner\n";
    let words = ["--as", "acme:member"];
    let told = piped(&place, &openstack(&place), &words, lines).ok();
    assert_eq!(told, "acme\nacme\n");
    // A line may have options of its own.
    let lines =
        "image show mine -f value -c id --as other\nimage list -f value -c Name --as acme\n";
    let run = piped(&place, &openstack(&place), &[], lines);
    assert_eq!((run.code, run.text().as_str()), (1, "mine\n"), "{run:?}");
}

#[test]
fn without_a_command_and_without_lines_nothing_is_done_well() {
    let place = Place::new();
    let program = openstack(&place);
    for input in ["/dev/null", "-"] {
        let mut command = place.command("/bin/sh");
        let script = if input == "-" {
            format!("exec '{program}' <&-")
        } else {
            format!("exec '{program}' <{input}")
        };
        let run = Run::of(command.args(["-c", &script]).output().unwrap());
        let text = run.text();
        let said = run.fails(2);
        assert_eq!(text, "");
        assert!(said.contains("arguments are required: <command>"), "{said}");
    }
    let run = piped(&place, &program, &[], "");
    assert_eq!(run.text(), "");
    let said = run.fails(2);
    assert!(said.contains("<command>"), "{said}");
    // The first grammar's client prints its help, and has one more complaint for options alone.
    let help = place.glance(&[]).ok();
    assert!(help.starts_with("usage: glance "), "{help}");
    place.glance(&["--debug"]).fails(2);
    assert!(!place.data().exists(), "nothing is made for that");
}

#[test]
fn a_terminal_has_a_prompt() {
    let place = Place::new();
    let mut command = place.command("/usr/bin/timeout");
    let program = openstack(&place);
    command
        .args(["60", "/usr/bin/script", "-qec", &program, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        println!("skipped: no script");
        return;
    };
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(b"image create typed -f value -c status\nimage show nosuch\nimage list -f json -c Name\nquit\n")
        .unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    drop(pipe);
    let shown = run.text();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(shown.contains("(openstack) "), "{shown}");
    assert!(shown.contains("queued"), "{shown}");
    assert!(shown.contains("No Image found for nosuch"), "{shown}");
    assert!(shown.contains("\"Name\": \"typed\""), "{shown}");
    let names = ["image", "list", "-f", "value", "-c", "Name"];
    assert_eq!(place.glance(&names).ok(), "typed\n");
}

#[test]
fn what_the_first_line_that_creates_has_made_is_in_the_next_list() {
    let place = Place::new();
    let words = ["-u", "GLANCE_DATA_DIR", GLANCE, "--local"];
    let lines = "image list\nimage create one -f value -c status\nimage list -f value -c Name\n";
    let told = piped(&place, "/usr/bin/env", &words, lines);
    assert_eq!(
        (told.code, told.text().trim()),
        (0, "queued\none"),
        "{}",
        told.stderr
    );
}
