//! Databases of every revision, filled with rows, brought to the head by the real tool and by ours.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::MANAGE;
use super::databases::{Databases, MariaDb, Sqlite, content, real};
use crate::support::realcloud::output_of;
use crate::support::{GLANCE, Place, Random, Run, files};

/// Every revision of the chain, in an order in which each is reached from the one before or one earlier.
const REVISIONS: [&str; 29] = [
    "liberty",
    "mitaka01",
    "mitaka02",
    "ocata_expand01",
    "ocata_contract01",
    "pike_expand01",
    "pike_contract01",
    "queens_expand01",
    "queens_contract01",
    "rocky_expand01",
    "rocky_contract01",
    "rocky_expand02",
    "rocky_contract02",
    "train_expand01",
    "train_contract01",
    "ussuri_expand01",
    "ussuri_contract01",
    "wallaby_expand01",
    "wallaby_contract01",
    "xena_expand01",
    "xena_contract01",
    "yoga_expand01",
    "yoga_contract01",
    "zed_expand01",
    "zed_contract01",
    "2023_1_expand01",
    "2023_1_contract01",
    "2024_1_expand01",
    "2024_1_contract01",
];

/// Whether a database of one revision has what another one brought or dropped. One that drops implies
/// what its release adds; one that adds, what was added before.
fn includes(revision: &str, other: &str) -> bool {
    let place = |name: &str| REVISIONS.iter().position(|known| *known == name).unwrap();
    if revision.contains("expand") && other.contains("contract") {
        return false;
    }
    place(other) <= place(revision)
}

/// Runs ours.
pub fn ours(place: &Place, url: &str, words: &[&str]) -> Run {
    Run::of(command(place, url, words).output().unwrap())
}

fn command(place: &Place, url: &str, words: &[&str]) -> Command {
    let config = place.write("ours.conf", format!("[database]\nconnection = {url}\n"));
    let mut command = place.command(MANAGE);
    command
        .arg("--config-file")
        .arg(config)
        .arg("db")
        .args(words);
    command
}

/// What a program said that MUST have succeeded, whatever it has to notice.
#[track_caller]
pub fn done(run: &Run) -> String {
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.text()
}

const THEN: &str = "'2020-02-03 04:05:06'";

/// Rows as a service of that revision may have written them.
pub fn rows(revision: &str, has_triggers: bool) -> String {
    let with_visibility = includes(revision, "ocata_expand01");
    let is_kept_in_step = with_visibility && has_triggers;
    let with_public = !(is_kept_in_step || includes(revision, "ocata_contract01"));
    let mut text = String::new();
    for (id, public, visibility, deleted) in [
        ("public", 1, "public", 0),
        ("private", 0, "private", 0),
        ("shared", 0, "shared", 0),
        ("left", 0, "private", 0),
        ("gone", 1, "public", 1),
        // No service that writes `is_public` alone knows of it.
        ("community", 0, "community", 0),
    ] {
        if id == "community" && !with_visibility {
            continue;
        }
        let mut names = "id, name, size, status, created_at, updated_at, deleted, min_disk, min_ram, protected, \
             virtual_size, owner"
            .to_string();
        let mut values = format!(
            "'{id}', 'Image ''{id}''', 5000000000, 'active', {THEN}, {THEN}, {deleted}, 1, 2, 1, 7, 'me'"
        );
        if with_public {
            names += ", is_public";
            write!(values, ", {public}").unwrap();
        }
        if with_visibility {
            names += ", visibility";
            write!(values, ", '{visibility}'").unwrap();
        }
        writeln!(text, "insert into images ({names}) values ({values});").unwrap();
        for (number, key) in ["backend", "store"].iter().enumerate() {
            writeln!(
                text,
                "insert into image_locations (image_id, value, created_at, deleted, meta_data, status) values \
                 ('{id}', 'file:///i/{id}/{number}', {THEN}, {deleted}, '{{\"{key}\": \"fast\"}}', 'active');"
            )
            .unwrap();
        }
        writeln!(
            text,
            "insert into image_properties (image_id, name, value, created_at, deleted) values \
             ('{id}', 'os', 'plan9', {THEN}, {deleted});\n\
             insert into image_tags (image_id, value, created_at, deleted) values ('{id}', 't', {THEN}, {deleted});"
        )
        .unwrap();
    }
    for (id, deleted) in [("shared", 0), ("left", 1)] {
        writeln!(
            text,
            "insert into image_members (image_id, member, can_share, created_at, deleted, status) values \
             ('{id}', 'you', 0, {THEN}, {deleted}, 'accepted');"
        )
        .unwrap();
    }
    writeln!(
        text,
        "insert into tasks (id, type, status, owner, created_at, deleted) values ('t', 'import', 'success', 'me', {THEN}, 0);\n\
         insert into task_info (task_id, input, message) values ('t', '{{}}', '');\n\
         insert into metadef_namespaces (id, namespace, owner, created_at) values (7, 'N', 'me', {THEN});\n\
         insert into metadef_resource_types (id, name, protected, created_at) values \
         (3, 'OS::Nova::Instance', 0, {THEN}), (4, 'OS::Glance::Image', 1, {THEN});\n\
         insert into metadef_namespace_resource_types (resource_type_id, namespace_id, created_at) values (3, 7, {THEN});"
    )
    .unwrap();
    if !includes(revision, "pike_contract01") {
        writeln!(
            text,
            "insert into artifacts (id, name, type_name, type_version_prefix, version_prefix, visibility, state, owner, \
             created_at, updated_at) values ('a', 'a', 'a', 1, 1, 'private', 'active', 'me', {THEN}, {THEN});"
        )
        .unwrap();
    }
    text
}

/// What the notes of the Ocata release say of the rows that came before it: today's tool no longer does
/// it, and refuses them.
const BEFORE_OCATA: &str = "update images set visibility = 'public' where is_public = 1 and visibility is null;\n\
     update images set visibility = 'private' where is_public = 0 and visibility is null;\n\
     update images set visibility = 'shared' where visibility = 'private' \
     and id in (select image_id from image_members where deleted = 0);";

/// What those of Train say of the rows that came before it.
const BEFORE_TRAIN: &str = "update image_locations set meta_data = '{\"store\": \"fast\"}' \
     where meta_data = '{\"backend\": \"fast\"}';";

/// Makes databases of every revision by the real tool, fills them, and upgrades each by both.
fn every_revision(on: &impl Databases, place: &Place) {
    let mut jobs = Vec::new();
    for revision in REVISIONS {
        for who in ["ours", "real"] {
            let url = on.url(&format!("{who}_{revision}"));
            jobs.push((url, vec!["db", "upgrade", "--version", revision]));
        }
    }
    real(&jobs);
    for revision in REVISIONS {
        for who in ["ours", "real"] {
            let name = format!("{who}_{revision}");
            on.sql(&name, &rows(revision, on.has_triggers()));
        }
    }
    for (number, revision) in REVISIONS.into_iter().enumerate() {
        let url = on.url(&format!("ours_{revision}"));
        let at_head = revision == "2024_1_contract01";
        let code = match revision {
            "2024_1_contract01" => 0,
            "2024_1_expand01" => 4,
            _ => 3,
        };
        assert_eq!(ours(place, &url, &["check"]).code, code, "{revision}");
        if number % 2 == 0 || at_head {
            done(&ours(place, &url, &["sync"]));
        } else {
            done(&ours(place, &url, &["expand"]));
            let pending = ours(place, &url, &["check"]).code == 4;
            assert_eq!(
                pending,
                !includes(revision, "train_contract01"),
                "{revision}"
            );
            if pending {
                ours(place, &url, &["contract"]).fails(1);
            }
            done(&ours(place, &url, &["migrate"]));
            done(&ours(place, &url, &["contract"]));
        }
        ours(place, &url, &["check"]).ok();
    }
    let step = |word| {
        let jobs: Vec<_> = REVISIONS
            .iter()
            .map(|revision| (on.url(&format!("real_{revision}")), vec!["db", word]))
            .collect();
        real(&jobs);
    };
    step("expand");
    for revision in REVISIONS {
        let name = format!("real_{revision}");
        if !includes(revision, "ocata_expand01") {
            on.sql(&name, BEFORE_OCATA);
        }
        if !includes(revision, "train_contract01") {
            on.sql(&name, BEFORE_TRAIN);
        }
    }
    step("contract");
    for revision in REVISIONS {
        let [ours, real] = ["ours", "real"].map(|who| format!("{who}_{revision}"));
        assert_eq!(on.schema(&ours), on.schema(&real), "{revision}");
        assert_eq!(content(on, &ours), content(on, &real), "{revision}");
        let seen = on.sql(&ours, "select visibility from images where id = 'shared'");
        assert_eq!(seen.trim(), "shared", "{revision}");
    }
}

#[test]
fn mariadb_databases_of_every_revision_come_out_as_the_real_tool_leaves_them() {
    let place = Place::new();
    every_revision(&MariaDb::new(&place), &place);
}

#[test]
fn sqlite_databases_of_every_revision_come_out_as_the_real_tool_leaves_them() {
    let place = Place::new();
    every_revision(&Sqlite(&place), &place);
    // Each was saved once before it was changed, however many steps that took.
    let saved = |name: &String| name.starts_with("ours_") && name.ends_with(".backup");
    let all = files(place.file("x").parent().unwrap());
    let backups: Vec<_> = all.into_iter().filter(saved).collect();
    for revision in REVISIONS {
        let own = format!("ours_{revision}.db.");
        let count = backups.iter().filter(|name| name.starts_with(&own)).count();
        assert_eq!(count > 0, revision != "2024_1_contract01", "{backups:?}");
    }
    let of_liberty = backups
        .iter()
        .find(|name| name.starts_with("ours_liberty.db."))
        .unwrap();
    let rows = output_of(
        Command::new("sqlite3")
            .arg(place.file(of_liberty))
            .arg("select version_num from alembic_version; select count(is_public) from images"),
    );
    assert_eq!(rows, "liberty\n5\n");
}

/// A thread that keeps a processor busy until this is dropped, so that a server is behind with its work more often
/// when a process is killed.
struct Load(Arc<AtomicBool>);

impl Load {
    fn begin() -> Self {
        let load = Self(Arc::default());
        let ended = Arc::clone(&load.0);
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        load
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Kills migrations at any moment; the next one goes on, and in the end all is as if none had been killed.
fn killed_migrations_go_on(on: &impl Databases, place: &Place) {
    const ROUNDS: usize = 4;
    let mut random = Random::new(23);
    let mut killed = 0;
    for begins_at in [None, Some("liberty"), Some("rocky_expand02")] {
        let kind = begins_at.unwrap_or("empty");
        let names: Vec<String> = (0..=ROUNDS)
            .map(|round| format!("{kind}_{round}"))
            .collect();
        if let Some(revision) = begins_at {
            let jobs: Vec<_> = names
                .iter()
                .map(|name| (on.url(name), vec!["db", "upgrade", "--version", revision]))
                .collect();
            real(&jobs);
            for name in &names {
                on.sql(name, &rows(revision, on.has_triggers()));
            }
        }
        let (whole, others) = names.split_first().unwrap();
        let began = Instant::now();
        done(&ours(place, &on.url(whole), &["sync"]));
        let most = u64::try_from(began.elapsed().as_micros()).unwrap();
        for name in others {
            for _ in 0..2 {
                let mut sync = command(place, &on.url(name), &["sync", "--no-backup"]);
                let mut child = sync.stdout(Stdio::null()).spawn().unwrap();
                // The moment is what is random here; nothing waits for anything.
                std::thread::sleep(Duration::from_micros(random.below(most)));
                child.kill().unwrap();
                killed += i32::from(!child.wait().unwrap().success());
            }
            let said = done(&ours(place, &on.url(name), &["sync", "--no-backup"]));
            assert!(!said.contains("not heads"), "{name}: {said}");
            assert_eq!(on.schema(name), on.schema(whole), "{name}");
            assert!(content(on, name) == content(on, whole), "{name}");
        }
    }
    assert!(killed > 0, "none was killed while it migrated");
}

#[test]
fn killed_migrations_of_sqlite_databases_go_on() {
    let place = Place::new();
    killed_migrations_go_on(&Sqlite(&place), &place);
}

#[test]
fn killed_migrations_of_mariadb_databases_go_on() {
    let place = Place::new();
    let _load = Load::begin();
    killed_migrations_go_on(&MariaDb::new(&place), &place);
}

#[test]
fn a_revision_that_is_not_known_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&ours(&place, &url, &["sync"]));
    on.sql("a", &rows("2024_1_contract01", false));
    on.sql("a", "update alembic_version set version_num = 'far_future'");
    let before = on.schema("a");
    for word in ["sync", "expand", "upgrade"] {
        let error = ours(&place, &url, &[word]).fails(1);
        assert!(error.contains("'far_future'"), "{error}");
    }
    let error = ours(&place, &url, &["upgrade", "--version", "nonsense"]).fails(1);
    assert!(
        error.contains("far_future") || error.contains("nonsense"),
        "{error}"
    );
    assert_eq!(ours(&place, &url, &["version"]).ok(), "far_future\n");
    assert_eq!(on.schema("a"), before);
    let all = files(place.file("x").parent().unwrap());
    assert!(!all.iter().any(|name| name.ends_with(".backup")), "{all:?}");
    let glance = place.write("a.conf", format!("[database]\nconnection = {url}\n"));
    let list = Run::of(
        place
            .command(GLANCE)
            .arg("--config-file")
            .arg(glance)
            .args(["image", "list"])
            .output()
            .unwrap(),
    );
    assert!(list.fails(1).contains("at revision far_future"));
}

#[test]
fn tables_of_another_program_stay_beside_glances() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    on.sql(
        "a",
        "create table customers (id integer); insert into customers values (1)",
    );
    done(&ours(&place, &url, &["sync"]));
    done(&ours(&place, &on.url("b"), &["sync"]));
    let mut tables = on.tables("b");
    tables.push("customers".to_string());
    tables.sort();
    assert_eq!(on.tables("a"), tables);
    assert_eq!(on.sql("a", "select * from customers"), "1\n");
}

#[test]
fn what_was_saved_can_be_put_back_as_a_file() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    real(&[(
        url.clone(),
        vec!["db", "upgrade", "--version", "train_contract01"],
    )]);
    on.sql("a", &rows("train_contract01", false));
    let before = content(&on, "a");
    for word in ["version", "check"] {
        ours(&place, &url, &[word]);
        assert_eq!(
            on.sql("a", "pragma journal_mode"),
            "delete\n",
            "{word} only looks"
        );
    }
    for word in ["expand", "migrate", "contract"] {
        done(&ours(&place, &url, &[word]));
    }
    let directory = place.file("x").parent().unwrap().to_path_buf();
    let all: Vec<String> = files(&directory).into_iter().collect();
    assert!(!all.iter().any(|name| name.ends_with("-wal")), "{all:?}");
    let saved: Vec<&String> = all
        .iter()
        .filter(|name| name.ends_with(".backup"))
        .collect();
    assert_eq!(saved.len(), 2, "{all:?}");
    std::fs::copy(directory.join(saved[0]), place.file("a.db")).unwrap();
    assert!(content(&on, "a") == before);
    assert_eq!(ours(&place, &url, &["version"]).ok(), "train_contract01\n");
}

#[test]
fn a_database_whose_first_revision_was_begun_is_made() {
    let place = Place::new();
    let on = Sqlite(&place);
    on.sql(
        "a",
        "create table alembic_version (version_num varchar(32) not null primary key)",
    );
    done(&ours(&place, &on.url("a"), &["sync"]));
    done(&ours(&place, &on.url("b"), &["sync"]));
    assert_eq!(on.tables("a"), on.tables("b"));
    on.sql("b", "delete from alembic_version");
    let error = ours(&place, &on.url("b"), &["sync"]).fails(1);
    assert!(error.contains("but no recorded revision"), "{error}");
}

#[test]
fn a_database_that_only_the_environment_names_is_the_one_that_is_made() {
    let place = Place::new();
    let on = Sqlite(&place);
    let mut sync = place.command(MANAGE);
    sync.env_remove("GLANCE_DATA_DIR")
        .env("OS_DATABASE__CONNECTION", on.url("a"))
        .args(["db", "sync"]);
    done(&Run::of(sync.output().unwrap()));
    assert!(on.tables("a").contains(&"images".to_string()));
}

/// Whoever died before the first revision was noted, or the head: what there is decides how it goes on.
fn schemas_that_were_begun_are_finished(on: &impl Databases, place: &Place) {
    done(&ours(place, &on.url("whole"), &["sync"]));
    done(&ours(
        place,
        &on.url("first"),
        &["upgrade", "--version", "liberty"],
    ));
    on.sql(
        "first",
        "delete from alembic_version; drop table image_tags",
    );
    done(&ours(place, &on.url("first"), &["sync"]));
    assert_eq!(on.schema("first"), on.schema("whole"));
    assert!(content(on, "first") == content(on, "whole"));
    done(&ours(place, &on.url("head"), &["sync"]));
    on.sql("head", "delete from alembic_version; drop table image_tags");
    let error = ours(place, &on.url("head"), &["expand"]).fails(1);
    assert!(error.contains("no alembic revision"), "{error}");
    if on.has_triggers() {
        // SQLite makes the head whole or not at all.
        done(&ours(place, &on.url("head"), &["sync"]));
        assert_eq!(on.schema("head"), on.schema("whole"));
    }
}

#[test]
fn sqlite_schemas_that_were_begun_are_finished() {
    let place = Place::new();
    schemas_that_were_begun_are_finished(&Sqlite(&place), &place);
}

#[test]
fn mariadb_schemas_that_were_begun_are_finished() {
    let place = Place::new();
    schemas_that_were_begun_are_finished(&MariaDb::new(&place), &place);
}
