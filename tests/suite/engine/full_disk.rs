//! A file system that fills up during uploads and downloads.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{GLANCE, Place, assert_consistent, block_on, files};

/// The exit code of a script whose file system the kernel refuses to mount.
const REFUSED: i32 = 99;

/// Runs a script in a mount namespace of its own, where `$1` is a file system of 8 MiB; returns its output.
///
/// Needs the right to mount, as root or through a user namespace: None where the kernel refuses that, as in
/// containers.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn on_small_disk(place: &Path, script: &str) -> Option<String> {
    let mount = format!(
        "mkdir -p \"$1\" && {{ mount -t tmpfs -o size=8m none \"$1\" || exit {REFUSED}; }} && cd \"$1\" && "
    );
    let output = Command::new("unshare")
        .args(["--mount", "--map-root-user", "/bin/sh", "-c"])
        .arg(format!("{mount}{script}"))
        .arg(GLANCE)
        .arg(place)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", place)
        .env("GLANCE_DATA_DIR", "data")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(REFUSED) || said.starts_with("unshare: ") {
        eprintln!("skipped: no file system can be mounted here: {said}");
        return None;
    }
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{said}");
    Some(told)
}

#[test]
fn a_disk_that_fills_up_during_an_upload_is_one_line_and_nothing_is_leaked() {
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(
        &top.path().join("disk"),
        r#"head -c 20000000 /dev/zero | tr '\0' x | "$0" image create big >out 2>err; echo "exit $?"
           grep -c . err; grep -o 'storage media is full' err; wc -c <out
           ls data/images data/.journal; "$0" image list -f value -c Name <&-"#,
    ) else {
        return;
    };
    assert_eq!(
        said,
        "exit 1\n2\nstorage media is full\n0\ndata/.journal:\n\ndata/images:\n"
    );
}

#[test]
fn a_disk_that_is_too_small_refuses_before_it_writes() {
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(
        &top.path().join("disk"),
        r#""$0" image create probe <&- >/dev/null; head -c 20000000 /dev/zero >../large
           "$0" image-create --name big --disk-format raw --container-format bare --file ../large >out 2>err <&-; echo "exit $?"
           grep -o 'storage media is full' err; grep -o '| status .*queued' out | tr -s ' '; ls data/images"#,
    ) else {
        return;
    };
    assert!(
        said.starts_with("exit 1\nstorage media is full\n| status | queued"),
        "{said}"
    );
}

#[test]
fn a_sparse_file_larger_than_the_disk_is_stored_with_its_holes() {
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(
        &top.path().join("disk"),
        r#"printf data >../sparse; truncate -s 40M ../sparse; printf end >>../sparse
           "$0" image create large --file ../sparse -f value -c size -c status <&-; echo "exit $?"
           cmp ../sparse data/images/* && test "$(du -sk data/images | cut -f1)" -lt 1000 && echo holes
           "$0" image-create-via-import --name staged --disk-format raw --container-format bare \
               --import-method glance-direct --file ../sparse >/dev/null <&-; echo "exit $?"; "$0" image list -f value -c Status <&-"#,
    ) else {
        return;
    };
    assert_eq!(
        said,
        "41943043\nactive\nexit 0\nholes\nexit 0\nactive\nactive\n"
    );
}

#[test]
fn a_disk_that_fills_up_during_a_download_is_one_line_and_nothing_is_leaked() {
    let place = Place::within(TempDir::new().unwrap());
    place.image("big", &vec![b'x'; 20_000_000]);
    let script = format!(
        r#"export GLANCE_DATA_DIR={}
           echo old >there.img
           "$0" image save big --file there.img 2>err <&-; echo "exit $?"; cat there.img; grep -c . err
           grep -o 'No space left on device' err; "$0" image save big --file new.img 2>/dev/null <&-; echo "exit $?"; ls -A"#,
        place.data().display()
    );
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(&top.path().join("disk"), &script) else {
        return;
    };
    assert_eq!(
        said,
        "exit 1\nold\n1\nNo space left on device\nexit 1\nerr\nthere.img\n"
    );
    block_on(assert_consistent(&place));
    assert_eq!(files(&place.data().join("images")).len(), 1);
}

#[test]
fn a_full_disk_is_rescued_by_a_deletion() {
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(
        &top.path().join("disk"),
        r#"head -c 300000 /dev/urandom >../data; "$0" image create one --file ../data >/dev/null <&-
           "$0" image create two --file ../data >/dev/null <&-
           cat /dev/zero >fill 2>/dev/null; "$0" image list -f value -c Name <&-
           "$0" image save one --file ../saved <&- && cmp ../data ../saved && echo saved
           "$0" image delete one <&-; echo "exit $?"; rm fill
           "$0" image list -f value -c Name <&-; ls data/images data/.journal | grep -c -"#,
    ) else {
        return;
    };
    assert_eq!(said, "one\ntwo\nsaved\nexit 0\ntwo\n1\n");
}

#[test]
fn what_is_on_a_read_only_file_system_can_be_read() {
    let top = TempDir::new().unwrap();
    let Some(said) = on_small_disk(
        &top.path().join("disk"),
        r#"printf data >../data; "$0" image create one --file ../data >/dev/null <&-
           cp -r data dead; mkfifo ../pipe; "$0-manage" --data-dir data db sync >/dev/null; ls data | grep -c wal
           "$0" --data-dir dead image create two <../pipe >/dev/null & exec 3>../pipe; tries=0
           until [ "$("$0" --data-dir dead image list -f value -c Name <&- | wc -l)" = 2 ] || [ $tries = 500 ]
           do tries=$((tries + 1)); done
           kill -9 $!; wait; ls dead | grep -c wal
           mount -o remount,ro "$1"
           for place in data dead; do
               "$0" --data-dir $place image list -f value -c Name <&-; rm -f ../saved
               "$0" --data-dir $place image save one --file ../saved <&- && cmp ../data ../saved && echo saved
               "$0" --data-dir $place image show one -f value -c status <&-
               "$0-manage" --data-dir $place db version
               "$0" --data-dir $place image create three <&- 2>../err; echo "exit $?"
               grep -o 'read-only' ../err
               "$0" --data-dir $place image delete one <&- 2>../err; grep -o 'Read-only file system' ../err
           done"#,
    ) else {
        return;
    };
    let rest = "saved\nactive\n2024_1_contract01\nexit 1\nread-only\nRead-only file system\n";
    assert_eq!(said, format!("0\n1\none\n{rest}one\ntwo\n{rest}"));
}
