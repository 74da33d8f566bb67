//! What is made for a shell can be given to one, whatever an image is called.

use std::process::Command;

use crate::support::{GLANCE, Place};

/// Values that a shell would expand, split or end at.
const VALUES: [&str; 14] = [
    "plain",
    "$(touch pwned)",
    "`touch pwned`",
    "\"; touch pwned; \"",
    "'; touch pwned; '",
    "a\\$(touch pwned)",
    "\\\"$(touch pwned)\\\"",
    "$HOME ${PATH} $$ $1",
    "two\nlines\n\n$(touch pwned)\n",
    "end of line \\\nand more \\",
    "! !! !touch # ; & | < > * ? [a] ~ {a,b}",
    "tab\tbell\u{7}escape\u{1b}[1m return\r",
    "größe 漢字 \u{1f600}",
    " blanks  around  ",
];

/// Names of properties that are no names of variables, and the variables they become.
const NAMES: [(&str, &str); 8] = [
    ("p;touch pwned", "p_touch_pwned"),
    ("$(touch pwned)", "__touch_pwned_"),
    ("`touch pwned`x", "_touch_pwned_x"),
    ("a=$(touch pwned)", "a___touch_pwned_"),
    ("9lives", "_9lives"),
    ("os:x-y", "os_x_y"),
    ("two\nlines", "two_lines"),
    ("größe", "gr__e"),
];

/// The value of a variable after a shell evaluated the output of a command.
fn evaluated(place: &Place, shell: &str, words: &[&str], variable: &str) -> Vec<u8> {
    let script = format!(
        "output=$(\"$GLANCE\" \"$@\") || exit 9\neval \"$output\"\nprintf '%s' \"${variable}\""
    );
    let mut command: Command = place.command(shell);
    let output = command
        .args(["-c", &script, shell])
        .args(words)
        .env("GLANCE", GLANCE)
        .output()
        .unwrap();
    assert!(output.status.success(), "{shell} {words:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{shell} {words:?}: {output:?}");
    output.stdout
}

fn assert_nothing_ran(place: &Place) {
    assert!(!place.file("pwned").exists());
}

#[test]
fn names_and_tags_are_exactly_what_they_are_after_evaluation() {
    let place = Place::new();
    for value in VALUES {
        let words = ["image", "create", "--tag", "t", "-f", "value", "-c", "id"];
        let id = place.glance(&[&words[..], &["--", value]].concat()).ok();
        let id = id.trim();
        for shell in ["/bin/sh", "/bin/dash", "/bin/bash"] {
            for (words, variable) in [
                (&["image", "show", id, "-f", "shell"][..], "name"),
                (
                    &["image", "show", id, "-f", "shell", "--prefix", "image_"],
                    "image_name",
                ),
                (&["--format", "shell", "image-show", id], "name"),
            ] {
                let name = evaluated(&place, shell, words, variable);
                assert_eq!(String::from_utf8_lossy(&name), value, "{shell} {words:?}");
            }
        }
        place.glance(&["image", "set", id, "--tag", value]).ok();
        let show = ["image", "show", id, "-f", "shell", "-c", "tags"];
        let tags = evaluated(&place, "/bin/sh", &show, "tags");
        let shown = place
            .glance(&["image", "show", id, "-f", "value", "-c", "tags"])
            .ok();
        assert_eq!(String::from_utf8_lossy(&tags), shown.trim_end_matches('\n'));
    }
    assert_nothing_ran(&place);
}

#[test]
fn properties_become_variables_of_valid_names() {
    let place = Place::new();
    let id = place.image("x", b"");
    for ((name, _), value) in NAMES.iter().zip(VALUES.iter().cycle().skip(1)) {
        let property = format!("{name}={value}");
        // The second grammar ends a name at the first sign of equality.
        if !name.contains('=') {
            place
                .glance(&["image-update", &id, "--property", &property])
                .ok();
        }
    }
    for shell in ["/bin/sh", "/bin/dash", "/bin/bash"] {
        let all = ["image", "show", &id, "-f", "shell"];
        evaluated(&place, shell, &all, "properties");
        for ((name, variable), value) in NAMES.iter().zip(VALUES.iter().cycle().skip(1)) {
            if name.contains('=') {
                continue;
            }
            let words = ["--format", "shell", "image-show", &id];
            let found = evaluated(&place, shell, &words, variable);
            assert_eq!(String::from_utf8_lossy(&found), *value, "{shell} {name:?}");
        }
        // A prefix that is no name of a variable is made one.
        let words = [
            "image",
            "show",
            &id,
            "-f",
            "shell",
            "--prefix",
            "$(touch pwned);",
        ];
        let found = evaluated(&place, shell, &words, "__touch_pwned__name");
        assert_eq!(found, b"x", "{shell}");
    }
    assert_nothing_ran(&place);
}

#[test]
fn a_property_does_not_take_the_variable_of_an_attribute() {
    let place = Place::new();
    let id = place.image("x", b"");
    let run = place.glance(&["image-update", &id, "--property", "min-disk=77"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let run = place.glance(&["--format", "shell", "image-show", &id]);
    assert_eq!(run.code, 0);
    assert!(run.text().contains("min_disk=\"0\"\n"), "{}", run.text());
    assert!(!run.text().contains("\"77\""), "{}", run.text());
    assert!(run.stderr.contains("min-disk is omitted"), "{}", run.stderr);
}
