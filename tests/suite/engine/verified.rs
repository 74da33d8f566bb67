//! Data that is read back from its store before an image becomes active.

use crate::support::glance::{Server, aim};
use crate::support::{GLANCE, Place, Run};

#[test]
fn verified_data_is_stored_in_both_grammars() {
    let place = Place::new();
    place.configure(
        "[DEFAULT]\nenabled_backends = fast:file, slow:file\n[glance_store]\ndefault_backend = fast\n\
         [fast]\nfilesystem_store_datadir = images\n[slow]\nfilesystem_store_datadir = images2\n",
    );
    place.write("a.img", "hello image\n");
    place.write("empty.img", "");
    let formats = ["--disk-format", "raw", "--container-format", "bare"];
    for words in [
        &["--verify-stored", "image-create", "--file", "a.img"][..],
        &[
            "image",
            "create",
            "one",
            "--file",
            "a.img",
            "--verify-stored",
        ],
        &[
            "image",
            "create",
            "two",
            "--import",
            "--file",
            "a.img",
            "--verify-stored",
        ],
        &[
            "--verify-stored",
            "image-create-via-import",
            "--stores",
            "fast,slow",
            "--wait",
            "--file",
            "a.img",
        ],
        &["--verify-stored", "image-create", "--file", "empty.img"],
    ] {
        place.glance(&[words, &formats].concat()).ok();
    }
    let statuses = place
        .glance(&["image", "list", "-f", "value", "-c", "Status"])
        .ok();
    assert_eq!(statuses, "active\n".repeat(5));
    let copy = [
        "image",
        "import",
        "one",
        "--method",
        "copy-image",
        "--store",
        "slow",
        "--verify-stored",
    ];
    place.glance(&copy).ok();
    assert_eq!(
        place.glance(&["image", "save", "one"]).ok(),
        "hello image\n"
    );
}

#[test]
fn imports_of_a_cloud_cannot_be_verified() {
    let place = Place::new();
    let server = Server::start();
    place.write("a.img", "hello image\n");
    for words in [
        &["image-create-via-import", "--file", "a.img"][..],
        &["image-import", "x", "--import-method", "glance-direct"],
        &["task-create", "--type", "import"],
        &["image", "import", "x"],
        &["image", "create", "x", "--import", "--file", "a.img"],
    ] {
        let mut command = place.command(GLANCE);
        aim(command.arg("--verify-stored").args(words), &server.url());
        let told = Run::of(command.output().unwrap()).fails(1);
        assert_eq!(
            told,
            "--verify-stored cannot be used for an import on a cloud, because the service stores the data\n\
             Hint: Download the image after its import: its data is compared with the hash of the service.\n",
            "{words:?}"
        );
    }
    assert!(server.lines().is_empty());
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn data_that_changes_in_the_store_is_removed() {
    use std::fs::{self, File};
    use std::path::PathBuf;
    use std::process::Stdio;

    use crate::support::tracer::{Answer, Call, End, Observer, is_skipped, trace};

    /// Changes the file of an image when it is opened to be read.
    struct Corruptor(PathBuf);
    impl Observer for Corruptor {
        fn enter(&mut self, call: &Call) -> Answer {
            if call.name == "openat" && call.paths.contains(&self.0) && self.0.exists() {
                fs::write(&self.0, "hullo image\n").unwrap();
            }
            Answer::Proceed
        }
    }
    if is_skipped() {
        return;
    }
    let place = Place::new();
    place.write("a.img", "hello image\n");
    let create = [
        "image",
        "create",
        "x",
        "--disk-format",
        "raw",
        "-f",
        "value",
        "-c",
        "id",
    ];
    let id = place.glance(&create).ok().trim().to_string();
    let mut upload = place.command(GLANCE);
    upload.args(["--verify-stored", "image-upload", "--file", "a.img", &id]);
    let root = fs::canonicalize(place.data()).unwrap();
    let mut corruptor = Corruptor(root.join("images").join(&id));
    let errors = File::create(place.file("errors")).unwrap();
    let outputs = [Stdio::null(), errors.into()];
    let end = trace(&upload, Stdio::null(), outputs, &[&root], &mut corruptor).unwrap();
    let told = fs::read_to_string(place.file("errors")).unwrap();
    assert_eq!(end, End::Exited(1), "{told}");
    assert!(
        told.starts_with(&format!(
            "store 'file' returned other data of image {id} than was stored: its sha512 is "
        )),
        "{told}"
    );
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(!corruptor.0.exists());
    let shown = place
        .glance(&["image", "show", &id, "-f", "value", "-c", "status"])
        .ok();
    assert_eq!(shown, "queued\n");
    place
        .glance(&["--verify-stored", "image-upload", "--file", "a.img", &id])
        .ok();
}
