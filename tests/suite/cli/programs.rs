//! The programs as a shell meets them: wiring, exit codes, what is said where.

use std::process::Stdio;

use crate::support::{GLANCE, Place, Run};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

fn program(place: &Place, program: &str, words: &[&str]) -> Run {
    Run::of(place.command(program).args(words).output().unwrap())
}

#[test]
fn the_main_job_works_in_both_grammars() {
    let place = Place::new();
    place.write("a.img", "hello image\n");
    let words = [
        "image-create",
        "--name",
        "one",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--file",
        "a.img",
    ];
    let table = place.glance(&words).ok();
    assert!(table.contains("| status           | active "), "{table}");
    let id = place
        .glance(&["image", "show", "one", "-f", "value", "-c", "id"])
        .ok();
    place
        .glance(&["image", "save", "one", "--file", "b.img"])
        .ok();
    place
        .glance(&["image-download", "--file", "c.img", id.trim()])
        .ok();
    for copy in ["b.img", "c.img"] {
        assert_eq!(std::fs::read(place.file(copy)).unwrap(), b"hello image\n");
    }
    assert_eq!(
        place.glance(&["image-download", id.trim()]).stdout,
        b"hello image\n"
    );
    place.glance(&["image", "delete", "one"]).ok();
    assert_eq!(place.glance(&["image", "list"]).ok(), "\n");
}

#[test]
fn called_openstack_it_is_the_second_grammar() {
    let place = Place::new();
    let link = place.file("openstack");
    std::os::unix::fs::symlink(GLANCE, &link).unwrap();
    std::fs::create_dir(place.data()).unwrap();
    let run = program(
        &place,
        link.to_str().unwrap(),
        &["image", "list", "-f", "json"],
    );
    assert_eq!(run.ok(), "[]\n");
    let refused = program(&place, link.to_str().unwrap(), &["image-list"]);
    assert!(refused.text().contains("is not an openstack command"));
    assert_eq!(refused.code, 2);
}

#[test]
fn every_program_says_its_version_and_helps() {
    let place = Place::new();
    for name in [GLANCE, MANAGE, SCRUBBER, CACHE_MANAGE] {
        assert!(
            program(&place, name, &["--version"])
                .ok()
                .contains(env!("CARGO_PKG_VERSION"))
        );
        assert!(
            program(&place, name, &["--help"])
                .ok()
                .to_lowercase()
                .starts_with("usage: ")
        );
    }
    assert!(!place.data().exists(), "nothing is made for that");
}

#[test]
fn a_cloud_or_a_directory_is_meant_as_options_then_variables_say() {
    let place = Place::new();
    let said = place.glance(&["--os-cloud", "x", "image", "list"]).fails(1);
    assert!(said.starts_with("Cloud x was not found"), "{said}");
    // An option decides before the environment does.
    let mut command = place.command(GLANCE);
    command
        .env_remove("GLANCE_DATA_DIR")
        .env("OS_CLOUD", "x")
        .args(["image", "list"]);
    assert!(
        Run::of(command.output().unwrap())
            .fails(1)
            .starts_with("Cloud x was not found")
    );
    let mut command = place.command(GLANCE);
    command
        .env("OS_CLOUD", "x")
        .args(["--data-dir", "elsewhere", "image", "list"]);
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.text(), "\n");
    assert!(
        run.stderr.contains("No images in elsewhere yet"),
        "{}",
        run.stderr
    );
}

#[test]
fn options_that_do_nothing_say_so() {
    let place = Place::new();
    let run = place.glance(&["--collect-timing", "image-list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("has no effect"), "{}", run.stderr);
}

#[test]
fn a_data_directory_is_private_to_its_owner_and_group() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let id = place.image("x", b"data");
    let mode = |name: &str| {
        std::fs::metadata(place.data().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(""), mode("images")), (0o750, 0o750));
    assert_eq!(
        (mode("glance.db"), mode(&format!("images/{id}"))),
        (0o640, 0o640)
    );
}

#[test]
fn commands_that_store_nothing_do_not_create_a_data_directory() {
    let place = Place::new();
    let missing = place.file("missing").display().to_string();
    for words in [
        &["image-list"][..],
        &["image", "list", "--long"],
        &["cache-list"],
    ] {
        let line: Vec<&str> = ["--data-dir", &missing]
            .iter()
            .chain(words)
            .copied()
            .collect();
        let run = place.glance(&line);
        assert_eq!(run.code, 0, "{words:?}: {}", run.stderr);
        assert!(
            run.stderr.contains("the directory does not exist"),
            "{}",
            run.stderr
        );
        assert!(!place.file("missing").exists(), "{words:?}");
    }
    place
        .glance(&["--data-dir", &missing, "image-show", "x"])
        .fails(1);
    assert!(!place.file("missing").exists());
    // A directory of something else stays as it is.
    std::fs::create_dir(place.file("other")).unwrap();
    let run = place.glance(&["--data-dir", "other", "image", "list"]);
    assert_eq!(run.ok(), "\n");
    assert_eq!(std::fs::read_dir(place.file("other")).unwrap().count(), 0);
}

#[test]
fn a_lost_database_is_not_replaced_while_there_is_data() {
    let place = Place::new();
    let id = place.image("x", b"data");
    let database = place.data().join("glance.db");
    let saved = std::fs::read(&database).unwrap();
    for lose in [
        |path: &std::path::Path| std::fs::remove_file(path),
        |path: &std::path::Path| std::fs::write(path, ""),
    ] {
        lose(&database).unwrap();
        for words in [
            &["image-list"][..],
            &["image", "create", "y"],
            &["image-show", &id],
        ] {
            let refused = place.glance(words).fails(1);
            assert!(refused.contains("is missing or empty"), "{refused}");
            assert!(refused.contains("glance-manage db sync"), "{refused}");
        }
        let doctor = place.glance(&["doctor"]);
        assert_eq!(doctor.code, 1);
        assert!(
            doctor.text().contains("is missing or empty"),
            "{}",
            doctor.text()
        );
    }
    std::fs::write(&database, saved).unwrap();
    assert!(place.glance(&["image-list"]).ok().contains(&id));
    // An operator can decide otherwise.
    std::fs::remove_file(&database).unwrap();
    program(&place, MANAGE, &["db", "sync"]).ok();
    assert_eq!(place.glance(&["image", "list"]).ok(), "\n");
}

#[test]
fn an_operators_program_suggests_what_was_meant() {
    let place = Place::new();
    for (line, usage, hint) in [
        (
            "db snyc",
            "usage: glance-manage db ACTION",
            "Did you mean sync?",
        ),
        (
            "bd sync",
            "usage: glance-manage [OPTIONS]",
            "Did you mean db?",
        ),
        (
            "--dta-dir x db sync",
            "usage: glance-manage [OPTIONS]",
            "Did you mean --data-dir?",
        ),
        (
            "db purge --age-in-days 3",
            "usage: glance-manage db purge",
            "Did you mean --age_in_days?",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let refused = program(&place, MANAGE, &words).fails(2);
        assert!(refused.starts_with(usage), "{refused}");
        assert!(refused.contains(hint), "{refused}");
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let place = Place::new();
    for number in 0..50 {
        place.image(&format!("image-{number}"), b"");
    }
    for words in [
        "image list --long",
        "image-list",
        "help",
        "image list -f json",
    ] {
        let mut command = place.command("/bin/bash");
        let script = format!("set -o pipefail; '{GLANCE}' {words} | head -c 1 >/dev/null");
        let output = command.args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        assert!(output.stderr.is_empty(), "{words}: {output:?}");
    }
}

#[test]
fn an_existing_file_survives_every_failed_download() {
    let place = Place::new();
    let id = place.image("x", &vec![7; 500_000]);
    let kept = place.write("kept", "what was there");
    let stored = place.data().join("images").join(&id);
    let mut bytes = std::fs::read(&stored).unwrap();
    // One flipped byte, then too little, then too much, then nothing at all.
    bytes[250_000] ^= 1;
    std::fs::write(&stored, &bytes).unwrap();
    let check = |what: &str| {
        for words in [
            &["image-download", "--file", "kept", &id][..],
            &["image", "save", "x", "--file", "kept"],
        ] {
            let said = place.glance(words).fails(1);
            assert!(said.contains(what), "{said}");
            assert_eq!(std::fs::read(&kept).unwrap(), b"what was there");
        }
        assert_eq!(
            crate::support::files(&place.file("")).len(),
            1,
            "nothing is left"
        );
    };
    check("corrupt");
    std::fs::write(&stored, &bytes[..100]).unwrap();
    check("corrupt");
    std::fs::write(&stored, vec![7; 500_001]).unwrap();
    check("corrupt");
    std::fs::remove_file(&stored).unwrap();
    check("cannot be read");
}

#[test]
fn the_caller_decides_what_is_seen() {
    let place = Place::new();
    place
        .glance(&["--as", "demo", "image", "create", "mine"])
        .ok();
    let names = |caller: &str| {
        place
            .glance(&["--as", caller, "image", "list", "-f", "value", "-c", "Name"])
            .ok()
    };
    assert_eq!(names("demo"), "mine\n");
    assert_eq!(names("other"), "");
    assert_eq!(names("root:admin"), "mine\n");
    assert!(
        place
            .glance(&["--as", "other", "image", "show", "mine"])
            .fails(1)
            .contains("No Image found")
    );
    assert!(
        place
            .glance(&["--as", "x:king", "image", "list"])
            .fails(2)
            .contains("'king' is not a role")
    );
    let refused = place
        .glance(&["--as", "demo", "image", "create", "--public", "x"])
        .fails(1);
    assert!(refused.starts_with("ForbiddenException: 403"), "{refused}");
}

#[test]
fn names_that_several_images_bear_are_listed_with_their_ids() {
    let place = Place::new();
    let ids = [place.image("twin", b"a"), place.image("twin", b"b")];
    let said = place.glance(&["image", "show", "twin"]).fails(1);
    assert!(said.starts_with("More than one Image exists with the name 'twin'."));
    assert!(ids.iter().all(|id| said.contains(id)), "{said}");
}

#[test]
fn a_name_in_the_form_of_an_id_is_found() {
    let place = Place::new();
    let name = "99999999-9999-9999-9999-999999999999";
    place.image(name, b"x");
    assert_eq!(
        place
            .glance(&["image", "show", name, "-f", "value", "-c", "name"])
            .ok()
            .trim(),
        name
    );
    // And so is one that looks like a filter, and one that is hidden.
    place.image("in:a,b", b"x");
    place.glance(&["image", "set", "--hidden", "in:a,b"]).ok();
    place.glance(&["image", "show", "in:a,b"]).ok();
}

#[test]
fn deleting_goes_on_behind_a_failure() {
    let place = Place::new();
    for name in ["a", "b"] {
        place.image(name, b"x");
    }
    let said = place
        .glance(&["image", "delete", "a", "nowhere", "b"])
        .fails(1);
    assert!(said.contains("Failed to delete 1 of 3 images."), "{said}");
    assert_eq!(place.glance(&["image", "list"]).ok(), "\n");
}

#[test]
fn long_options_may_be_abbreviated() {
    let place = Place::new();
    let words = [
        "image-create",
        "--na",
        "x",
        "--disk",
        "raw",
        "--cont=bare",
        "--min-d",
        "3",
    ];
    assert!(
        place
            .glance(&words)
            .ok()
            .contains("| min_disk         | 3 ")
    );
    assert!(
        place
            .glance(&["image-create", "--os", "x"])
            .fails(2)
            .contains("ambiguous option: --os could match")
    );
}

#[test]
fn the_first_grammar_formats_as_well() {
    let place = Place::new();
    let id = place.image("x", b"data");
    let json = place.glance(&["image-show", &id, "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (json["name"].as_str(), json["size"].as_i64()),
        (Some("x"), Some(4))
    );
    let csv = place
        .glance(&["image-list", "--format", "csv", "--column", "Name"])
        .ok();
    assert_eq!(csv, "\"Name\"\n\"x\"\n");
    assert!(
        place
            .glance(&["image-list", "--format", "odd"])
            .fails(2)
            .contains("invalid choice: 'odd'")
    );
}

#[test]
fn data_is_taken_from_a_pipe_and_from_a_redirected_file() {
    let place = Place::new();
    let words = [
        "image-create",
        "--disk-format",
        "raw",
        "--container-format",
        "ovf",
        "--format",
        "value",
        "--column",
        "size",
    ];
    assert_eq!(place.glance_with(&words, b"from a pipe").ok(), "11\n");
    let file = std::fs::File::open(place.write("a.img", "from a file!")).unwrap();
    let output = place
        .command(GLANCE)
        .args(words)
        .stdin(Stdio::from(file))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "12\n");
    let refused = place
        .glance_with(&["image-create", "--name", "x"], b"")
        .fails(1);
    assert!(
        refused.contains("Must provide --disk-format, --container-format when using stdin"),
        "{refused}"
    );
}

#[test]
fn control_characters_reach_no_terminal() {
    let place = Place::new();
    place.image("\x1b]0;owned\x07x", b"data");
    let words = format!("{GLANCE} image list -c Name");
    // `script` runs a command on a terminal of its own.
    let output = place
        .command("/usr/bin/script")
        .args(["-qec", &words, "/dev/null"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("owned"), "{shown}");
    assert!(!shown.contains("\x1b]"), "{shown:?}");
    let said = program(&place, GLANCE, &["image", "show", "\x1b[31mred"]).fails(1);
    assert!(!said.contains('\x1b'), "{said:?}");
}

#[test]
fn a_sparse_download_leaves_holes() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let mut bytes = vec![0; 8_000_000];
    bytes[4_000_000] = 1;
    let id = place.image("x", &bytes);
    place
        .glance(&["image-download", &id, "--file", "out", "--sparse"])
        .ok();
    assert!(std::fs::read(place.file("out")).unwrap() == bytes);
    assert!(std::fs::metadata(place.file("out")).unwrap().blocks() * 512 < 100_000);
}

#[test]
fn the_database_is_made_and_known_by_glance_manage() {
    let place = Place::new();
    let run = |words: &[&str]| program(&place, MANAGE, words);
    assert!(
        run(&["db", "version"])
            .ok()
            .contains("not under migration control")
    );
    assert!(
        !place.data().join("glance.db").exists(),
        "asking makes nothing"
    );
    assert_eq!(run(&["db_check"]).code, 3);
    assert!(
        run(&["db", "sync"])
            .ok()
            .ends_with("Database is synced successfully.\n")
    );
    assert_eq!(
        run(&["db_sync"]).ok(),
        "Database is up to date. No migrations needed.\n"
    );
    assert_eq!(run(&["db_version"]).ok(), "2024_1_contract01\n");
    assert_eq!(
        run(&["db", "check"]).ok(),
        "Database is up to date. No upgrades needed.\n"
    );
    assert_eq!(run(&["db", "nonsense"]).code, 2);
}

#[test]
fn a_database_that_is_not_ours_is_refused_in_words() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(
        place.data().join("glance.db"),
        "this is no database, but long enough to look like one",
    )
    .unwrap();
    let said = place.glance(&["image", "list"]).fails(1);
    assert!(said.contains("not an SQLite database"), "{said}");
}

#[test]
fn bad_configuration_is_refused_with_file_and_line() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(
        place.data().join("glance-api.conf"),
        "[DEFAULT]\nimage_size_cap = huge\n",
    )
    .unwrap();
    place.glance(&["image", "list"]).ok();
    let said = place.glance_with(&["image", "create", "x"], b"x").fails(1);
    assert!(said.contains("glance-api.conf:2:"), "{said}");
}

#[test]
fn limits_of_the_configuration_hold() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(
        place.data().join("glance-api.conf"),
        "[DEFAULT]\nimage_size_cap = 1000\n",
    )
    .unwrap();
    place.write("a.img", [1; 1001]);
    let words = ["image", "create", "x"];
    let said = place.glance_with(&words, &[1; 1001]).fails(1);
    assert!(said.contains("too large"), "{said}");
    assert!(said.contains("image_size_cap"), "{said}");
    let said = place
        .glance(&["image", "create", "x", "--file", "a.img"])
        .fails(1);
    assert!(said.contains("image_size_cap"), "{said}");
    assert_eq!(
        place.glance(&["image", "list"]).ok(),
        "\n",
        "a failed create removes its record"
    );
    place.image("x", &[1; 1000]);
}

#[test]
fn images_are_put_into_named_stores() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    let conf = "[DEFAULT]\nenabled_backends = fast:file, slow:file\n[glance_store]\ndefault_backend = fast\n";
    std::fs::write(place.data().join("glance-api.conf"), conf).unwrap();
    let words = [
        "image-create",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--format",
        "value",
    ];
    let stored = |more: &[&str]| {
        let words: Vec<&str> = words
            .iter()
            .copied()
            .chain(["--column", "stores"])
            .chain(more.iter().copied())
            .collect();
        place.glance_with(&words, b"data")
    };
    assert_eq!(stored(&[]).ok(), "fast\n");
    assert_eq!(stored(&["--store", "slow"]).ok(), "slow\n");
    assert!(
        stored(&["--store", "none"])
            .fails(1)
            .contains("Store 'none' is not valid")
    );
    let list = place
        .glance(&["image", "stores", "list", "-f", "value", "-c", "ID"])
        .ok();
    assert_eq!(list, "fast\nslow\n");
}

#[test]
fn a_name_that_is_a_files_uploads_that_file() {
    let place = Place::new();
    place.write("disk.img", "data");
    let run = place.glance(&[
        "image", "create", "disk.img", "-f", "value", "-c", "name", "-c", "size",
    ]);
    assert_eq!((run.code, run.text().as_str()), (0, "disk\n4\n"));
    assert!(
        run.stderr.starts_with("Uploading file disk.img"),
        "{}",
        run.stderr
    );
}

/// A small QCOW2 image, of one cluster that is not allocated.
fn qcow2() -> Vec<u8> {
    let mut bytes = vec![0_u8; 0x40000];
    bytes[..4].copy_from_slice(b"QFI\xfb");
    bytes[4..8].copy_from_slice(&2_u32.to_be_bytes());
    bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
    bytes[24..32].copy_from_slice(&1_048_576_u64.to_be_bytes());
    bytes[36..40].copy_from_slice(&1_u32.to_be_bytes());
    bytes[40..48].copy_from_slice(&0x30000_u64.to_be_bytes());
    bytes[48..56].copy_from_slice(&0x10000_u64.to_be_bytes());
    bytes[56..60].copy_from_slice(&1_u32.to_be_bytes());
    bytes
}

#[test]
fn data_that_becomes_raw_unasked_is_reported() {
    let place = Place::new();
    let file = place.write("d.qcow2", qcow2());
    let file = file.to_str().unwrap();
    let by_file = place.glance(&["image", "create", "a", "--file", file]);
    let by_pipe = place.glance_with(&["image", "create", "b"], &qcow2());
    for run in [by_file, by_pipe] {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(
            run.stderr
                .starts_with("The data is qcow2, but the disk format of image ")
                && run.stderr.contains("Without --disk-format"),
            "{}",
            run.stderr
        );
    }
    for words in [
        &[
            "image",
            "create",
            "c",
            "--disk-format",
            "raw",
            "--file",
            file,
        ][..],
        &[
            "image",
            "create",
            "d",
            "--disk-format",
            "qcow2",
            "--file",
            file,
        ],
    ] {
        place.glance(words).ok();
    }
    place
        .glance_with(&["image", "create", "e"], b"no format")
        .ok();
    place.glance(&["image", "create", "f"]).ok();
    let run = place.glance(&["image", "stage", "f", "--file", file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.starts_with("The data is qcow2, but"),
        "{}",
        run.stderr
    );
    let formats = [
        "image",
        "list",
        "--long",
        "-f",
        "value",
        "-c",
        "Disk Format",
    ];
    let formats = place.glance(&formats).ok();
    assert_eq!(formats.matches("raw").count(), 5, "{formats}");
}

#[test]
fn a_mismatch_names_the_disk_format_and_no_http() {
    let place = Place::new();
    let file = place.write("d.qcow2", qcow2());
    let file = file.to_str().unwrap();
    let words = [
        "image",
        "create",
        "a",
        "--disk-format",
        "vdi",
        "--file",
        file,
    ];
    let said = place.glance(&words).fails(1);
    assert!(
        said.starts_with("Image disk_format vdi does not match"),
        "{said}"
    );
    assert!(said.contains("Pass --disk-format qcow2"), "{said}");
    assert!(!said.contains("Http"), "{said}");
    let words = [
        "image-create",
        "--disk-format",
        "vdi",
        "--container-format",
        "bare",
        "--file",
        file,
    ];
    let said = place.glance(&words).fails(1);
    assert!(said.contains("Pass --disk-format qcow2"), "{said}");
}

#[test]
fn a_name_where_an_id_is_taken_is_explained() {
    let place = Place::new();
    place.image("debian", b"data");
    for words in [
        &["image-show", "debian"][..],
        &["image-update", "--name", "x", "debian"],
        &["image-delete", "debian"],
        &["image-download", "debian", "--file", "out"],
        &["image-deactivate", "debian"],
        &["member-create", "debian", "acme"],
        &["image-tag-update", "debian", "tag"],
        &["image-tasks", "debian"],
        &["member-list", "--image-id", "debian"],
    ] {
        let said = place.glance(words).fails(1);
        let hint = format!("{} expects an image ID", words[0]);
        assert!(said.contains(&hint), "{words:?}: {said}");
        assert!(said.contains("--property-filter \"name=debian\""), "{said}");
    }
    let unknown = "7a1ec3e5-8f2f-4c34-8a1b-2d8d1e0f7f11";
    let said = place.glance(&["image-show", unknown]).fails(1);
    assert!(!said.contains("expects an image ID"), "{said}");
}

#[test]
fn what_an_image_is_already_is_no_change_and_attributes_stay() {
    let place = Place::new();
    let id = place.image("x", b"data");
    place
        .glance(&["image-update", "--property", "status=active", &id])
        .ok();
    place
        .glance(&["image", "set", "--property", "status=active", "x"])
        .ok();
    let said = place
        .glance(&["image-update", "--property", "status=queued", &id])
        .fails(1);
    assert!(said.contains("read-only"), "{said}");
    for name in ["name", "status", "size", "disk_format", "checksum", "owner"] {
        let said = place
            .glance(&["image-update", "--remove-property", name, &id])
            .fails(1);
        let refused = [
            format!("Property {name} may not be removed."),
            format!("Attribute '{name}' is read-only."),
        ];
        assert!(
            refused.iter().any(|refused| said.contains(refused)),
            "{name}: {said}"
        );
    }
    // What is not there need not be removed, and what is set as well stays.
    let words = [
        "image-update",
        "--remove-property",
        "nothing",
        "--remove-property",
        "a",
        "--property",
        "a=b",
        &id,
    ];
    let shown = place.glance(&words).ok();
    assert!(shown.contains("| a "), "{shown}");
    let shown = place
        .glance(&["image-update", "--remove-property", "a", &id])
        .ok();
    assert!(!shown.contains("| a "), "{shown}");
}

#[test]
fn options_that_contradict_each_other_are_wrong_usage() {
    let place = Place::new();
    for words in [
        &["--local", "--os-cloud", "x", "image-list"][..],
        &["image", "list", "--local", "--os-cloud", "x"],
        &["--data-dir", "d", "--os-auth-url", "http://k", "image-list"],
        &["--local", "--data-dir", "d", "image-list"],
        &["image", "list", "-v", "-q"],
    ] {
        let said = place.glance(words).fails(2);
        assert!(said.contains("not allowed with argument"), "{said}");
    }
    assert!(!place.data().exists(), "nothing is made for that");
    assert!(!place.file("d").exists(), "nothing is made for that");
}

#[test]
fn operators_programs_print_completions_and_do_nothing_else() {
    let place = Place::new();
    for old in [
        "glance-cache-pruner",
        "glance-cache-cleaner",
        "glance-cache-prefetcher",
    ] {
        std::os::unix::fs::symlink(CACHE_MANAGE, place.file(old)).unwrap();
    }
    let old = |name: &str| place.file(name).to_str().unwrap().to_string();
    for (name, words) in [
        (MANAGE.to_string(), &["db", "sync"][..]),
        (MANAGE.to_string(), &[]),
        (SCRUBBER.to_string(), &[]),
        (old("glance-cache-pruner"), &[]),
        (old("glance-cache-cleaner"), &[]),
        (old("glance-cache-prefetcher"), &[]),
    ] {
        let base = name.rsplit('/').next().unwrap();
        for (shell, mark) in [("bash", "complete -F _"), ("zsh", "#compdef ")] {
            let mut line = vec!["--shell_completion", shell];
            line.extend(words);
            let script = program(&place, &name, &line).ok();
            assert!(script.contains(mark) && script.contains(base), "{script}");
        }
    }
    assert!(!place.data().exists(), "nothing is made for that");
}

#[test]
fn a_refused_address_names_the_option() {
    let place = Place::new();
    place.configure("[import_filtering_opts]\nallowed_ports = [80,443]\n");
    let words = [
        "image-create-via-import",
        "--import-method",
        "web-download",
        "--uri",
        "http://example.org:18765/x",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--wait",
    ];
    let run = place.glance(&words);
    assert_ne!(run.code, 0);
    assert!(
        run.stderr.contains("port 18765 is not allowed"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr
            .contains("allowed_ports and disallowed_ports in [import_filtering_opts]"),
        "{}",
        run.stderr
    );
}
