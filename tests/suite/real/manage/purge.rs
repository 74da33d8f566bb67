//! Purging: which rows go, which stay, and what is said of it.

use std::process::Command;

use super::MANAGE;
use super::databases::{Databases, MariaDb, Sqlite, content, real};
use super::revisions::done;
use crate::support::realcloud::output_of;
use crate::support::{Place, Run};

/// A database at the head with deleted and live rows; `dead` images with everything that belongs to them.
fn fill(on: &impl Databases, name: &str, dead: usize) {
    let mut text = String::from("begin;\n");
    let image = |id: &str, status: &str, deleted: &str| {
        let flag = i32::from(deleted != "null");
        format!(
            "insert into images (id, name, status, created_at, deleted_at, deleted, min_disk, min_ram, protected, \
             visibility, os_hidden) values ('{id}', 'n', '{status}', '2019-01-01 00:00:00', {deleted}, {flag}, 0, 0, 0, \
             'shared', 0);\n\
             insert into image_properties (image_id, name, value, created_at, deleted_at, deleted) values \
             ('{id}', 'p', 'v', '2019-01-01 00:00:00', {deleted}, {flag});\n\
             insert into image_tags (image_id, value, created_at, deleted_at, deleted) values \
             ('{id}', 't', '2019-01-01 00:00:00', {deleted}, {flag});\n\
             insert into image_members (image_id, member, can_share, created_at, deleted_at, deleted, status) values \
             ('{id}', 'm', 0, '2019-01-01 00:00:00', {deleted}, {flag}, 'pending');\n\
             insert into image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status) values \
             ('{id}', 'file:///{id}', '2019-01-01 00:00:00', {deleted}, {flag}, '{{}}', '{status}');\n"
        )
    };
    for number in 0..dead {
        // The newest first, so that the order of the keys is not that of the deletions.
        let second = 10_000 - number;
        let moment = format!(
            "'2020-01-01 {:02}:{:02}:{:02}'",
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        text += &image(&format!("dead{number:05}"), "deleted", &moment);
    }
    text += &image("alive", "active", "null");
    text += &image("yesterday", "deleted", "'2999-01-01 00:00:00'");
    for (id, deleted) in [("old", "'2020-01-01 00:00:00'"), ("new", "null")] {
        let flag = i32::from(deleted != "null");
        text += &format!(
            "insert into tasks (id, type, status, owner, created_at, deleted_at, deleted) values \
             ('{id}', 'import', 'success', 'me', '2019-01-01 00:00:00', {deleted}, {flag});\n\
             insert into task_info (task_id, input) values ('{id}', '{{}}');\n"
        );
    }
    on.sql(name, &(text + "commit;"));
}

fn purge(place: &Place, url: &str, words: &[&str]) -> Run {
    let config = place.write("glance.conf", format!("[database]\nconnection = {url}\n"));
    let mut manage = place.command(MANAGE);
    manage.arg("--config-file").arg(config).args(words);
    Run::of(manage.output().unwrap())
}

/// Purges the same rows as the real tool, whatever the limit.
fn same_rows_as_the_real_tool(on: &impl Databases, place: &Place) {
    let names = ["purge_ours", "purge_real"];
    for name in names {
        done(&purge(place, &on.url(name), &["db", "sync"]));
        fill(on, name, 30);
    }
    let [ours, theirs] = names.map(|name| on.url(name));
    for words in [
        &["db", "purge", "--max_rows", "7"][..],
        &["db", "purge", "--age_in_days", "999", "--max_rows", "0"],
        &["db", "purge", "10", "9"],
        &[
            "db",
            "purge_images_table",
            "--age_in_days",
            "10",
            "--max_rows",
            "5",
        ],
        &["db", "purge", "--max_rows", "-1"],
        &["db", "purge_images_table", "--max_rows", "4"],
        &["db", "purge_images_table", "--max_rows", "-1"],
    ] {
        done(&purge(place, &ours, words));
        real(&[(theirs.clone(), words.to_vec())]);
        assert!(content(on, names[0]) == content(on, names[1]), "{words:?}");
    }
    assert_eq!(
        on.sql(names[0], "select id from images order by id"),
        "alive\nyesterday\n"
    );
    assert_eq!(
        on.sql(names[0], "select count(*) from image_tags").trim(),
        "2"
    );
    assert_eq!(on.sql(names[0], "select id from tasks").trim(), "new");
}

#[test]
fn the_same_rows_go_as_with_the_real_tool_on_sqlite() {
    let place = Place::new();
    same_rows_as_the_real_tool(&Sqlite(&place), &place);
}

#[test]
fn the_same_rows_go_as_with_the_real_tool_on_mariadb() {
    let place = Place::new();
    same_rows_as_the_real_tool(&MariaDb::new(&place), &place);
}

/// What belongs to an image that can be restored stays, neither counted nor taken for one of the oldest rows.
fn what_waits_for_the_scrubber_stays(on: &impl Databases, place: &Place) {
    const DETAILS: [&str; 4] = [
        "image_properties",
        "image_tags",
        "image_members",
        "image_locations",
    ];
    let url = on.url("a");
    done(&purge(place, &url, &["db_sync"]));
    fill(on, "a", 3);
    let left = |table: &str| {
        let rows = on.sql("a", &format!("select image_id from {table} order by 1"));
        rows.lines().map(str::to_string).collect::<Vec<_>>()
    };
    // The oldest waits; the next was restored by a program that left what belongs to it deleted.
    on.sql(
        "a",
        "update images set status = 'pending_delete' where id = 'dead00002';\n\
         update images set status = 'active', deleted = 0 where id = 'dead00001';\n\
         update image_locations set status = 'pending_delete' where image_id in ('dead00001', 'dead00002')",
    );
    let said = purge(place, &url, &["db_purge", "--dry-run", "--max_rows", "-1"]).ok();
    for table in DETAILS {
        assert!(said.contains(&format!("1 row(s) of {table}, ")), "{said}");
    }
    done(&purge(place, &url, &["db_purge", "--max_rows", "1"]));
    for table in DETAILS {
        let stays = ["alive", "dead00001", "dead00002", "yesterday"];
        assert_eq!(left(table), stays, "{table}");
    }
    done(&purge(place, &url, &["db_purge", "--max_rows", "-1"]));
    done(&purge(
        place,
        &url,
        &["db_purge_images_table", "--max_rows", "-1"],
    ));
    for table in DETAILS {
        assert_eq!(left(table).len(), 4, "{table}");
    }
    assert_eq!(on.sql("a", "select count(*) from images").trim(), "4");
    // Once they are scrubbed, they go.
    on.sql(
        "a",
        "update image_locations set status = 'deleted' where status = 'pending_delete';\n\
         update images set status = 'deleted', deleted = 1 where id like 'dead%'",
    );
    done(&purge(place, &url, &["db_purge"]));
    done(&purge(place, &url, &["db_purge_images_table"]));
    for table in DETAILS {
        assert_eq!(left(table), ["alive", "yesterday"], "{table}");
    }
    assert_eq!(on.sql("a", "select count(*) from images").trim(), "2");
}

#[test]
fn what_waits_for_the_scrubber_stays_on_sqlite() {
    let place = Place::new();
    what_waits_for_the_scrubber_stays(&Sqlite(&place), &place);
}

#[test]
fn what_waits_for_the_scrubber_stays_on_mariadb() {
    let place = Place::new();
    what_waits_for_the_scrubber_stays(&MariaDb::new(&place), &place);
}

#[test]
fn images_stay_while_rows_of_theirs_do() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&purge(&place, &url, &["db_sync"]));
    fill(&on, "a", 5);
    on.sql(
        "a",
        "delete from image_locations where image_id = 'dead00002'; delete from image_tags \
         where image_id = 'dead00002'; delete from image_members where image_id = 'dead00002'",
    );
    done(&purge(&place, &url, &["db", "purge_images_table"]));
    assert_eq!(on.sql("a", "select count(*) from images").trim(), "7");
    on.sql(
        "a",
        "delete from image_properties where image_id = 'dead00002'",
    );
    done(&purge(&place, &url, &["db", "purge_images_table"]));
    assert_eq!(on.sql("a", "select count(*) from images").trim(), "6");
}

#[test]
fn a_dry_run_says_what_would_go_and_leaves_it() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&purge(&place, &url, &["db_sync"]));
    fill(&on, "a", 3);
    let before = content(&on, "a");
    let said = purge(
        &place,
        &url,
        &["db", "purge", "--dry-run", "--max_rows", "2"],
    )
    .ok();
    assert!(
        said.contains("2 row(s) of image_tags, about")
            && said.contains("deleted at 2020-01-01T02:46:38Z"),
        "{said}"
    );
    assert!(
        said.contains("1 row(s) of tasks") && said.contains("1 row(s) of task_info"),
        "{said}"
    );
    let said = purge(&place, &url, &["db", "purge_images_table", "--dry-run"]).ok();
    assert!(said.contains("no rows of images"), "{said}");
    assert_eq!(content(&on, "a"), before);
    done(&purge(&place, &url, &["db", "purge"]));
    let said = purge(&place, &url, &["db", "purge_images_table", "--dry-run"]).ok();
    assert!(said.contains("3 row(s) of images"), "{said}");
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    let place = Place::new();
    let url = Sqlite(&place).url("a");
    for (words, said) in [
        (["--age_in_days", "-1"], "non-negative"),
        (["--age_in_days", "99999"], "since epoch"),
        (["--age_in_days", "9223372036854775807"], "since epoch"),
        (["--max_rows", "-2"], "limit is -1"),
    ] {
        let error = purge(&place, &url, &[&["db", "purge"][..], &words].concat()).fails(1);
        assert!(error.contains(said), "{error}");
    }
    let error = purge(
        &place,
        &url,
        &["db", "purge", "--max_rows", "9223372036854775807"],
    )
    .fails(1);
    assert!(error.contains("not up to date"), "{error}");
    assert!(!place.file("a.db").exists());
    for words in [
        &["5", "--age_in_days", "6"][..],
        &["--age_in_days", "5", "6", "7"],
    ] {
        let error = purge(&place, &url, &[&["db", "purge"], words].concat()).fails(2);
        assert!(
            error.contains("both as an option and by position"),
            "{error}"
        );
    }
}

#[test]
fn a_purge_that_is_killed_goes_on_the_next_time() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&purge(&place, &url, &["db_sync"]));
    fill(&on, "a", 9000);
    let config = place.write("glance.conf", format!("[database]\nconnection = {url}\n"));
    let mut rounds = 0;
    for scope in ["purge", "purge_images_table"] {
        for milliseconds in [30, 60, 90, 120] {
            let mut manage = place.command(MANAGE);
            manage
                .arg("--config-file")
                .arg(&config)
                .args(["db", scope, "--max_rows", "-1"]);
            let mut child = manage.spawn().unwrap();
            // The moment is what differs here; nothing waits for anything.
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            child.kill().unwrap();
            rounds += i32::from(!child.wait().unwrap().success());
            let check = output_of(
                Command::new("sqlite3")
                    .arg(place.file("a.db"))
                    .arg("pragma integrity_check; pragma foreign_key_check"),
            );
            assert_eq!(check, "ok\n");
        }
        done(&purge(&place, &url, &["db", scope, "--max_rows", "-1"]));
    }
    assert!(rounds > 0, "none was killed while it purged");
    let left = on.sql("a", "select id from images order by 1");
    assert_eq!(left, "alive\nyesterday\n");
}
