//! Upgrades that were interrupted: the rows of `alembic_version` that are no heads, and statements of dead
//! processes.

use std::fmt::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use glance_tools::config::Settings;
use glance_tools::local::catalog::{Catalog, HEAD};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row};

use super::MANAGE;
use super::databases::{Databases, MariaDb, Sqlite, real};
use super::revisions::{done, ours, rows};
use crate::support::{Place, Run, block_on, files};

/// How long a condition is waited for.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Writes the rows of `alembic_version`.
fn note(on: &impl Databases, name: &str, revisions: &[&str]) {
    let mut text = "delete from alembic_version;\n".to_string();
    for revision in revisions {
        writeln!(text, "insert into alembic_version values ('{revision}');").unwrap();
    }
    on.sql(name, &text);
}

fn noted(on: &impl Databases, name: &str) -> String {
    on.sql(name, "select version_num from alembic_version order by 1")
}

/// A database at the head with rows that another row implies: named by whatever only looks, removed by whatever
/// changes the schema.
fn rows_that_are_not_heads_are_named_and_removed(on: &impl Databases, place: &Place) {
    let left = ["2024_1_expand01", HEAD, "2023_1_contract01"];
    let named = "2023_1_contract01, 2024_1_expand01";
    let words = ["sync", "contract", "expand", "migrate", "upgrade"];
    for word in words {
        let url = on.url(word);
        done(&ours(place, &url, &["sync"]));
        on.sql(word, &rows(HEAD, on.has_triggers()));
        note(on, word, &left);
        let check = ours(place, &url, &["check"]);
        assert_eq!(check.code, 5, "{}", check.text());
        assert!(
            check.text().contains(named) && !check.text().contains("up to date. No"),
            "{}",
            check.text()
        );
        let version = ours(place, &url, &["version"]);
        let said = version.text();
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["2023_1_contract01", HEAD, "2024_1_expand01"]);
        assert!(version.stderr.contains(named), "{}", version.stderr);
        // Services of today work on it meanwhile.
        assert_eq!(noted(on, word).lines().count(), 3);
        let said = done(&ours(place, &url, &[word]));
        assert!(
            said.contains(&format!(
                "Removed rows of alembic_version that are not heads: {named}"
            )),
            "{said}"
        );
        assert_eq!(noted(on, word), format!("{HEAD}\n"));
        let said = ours(place, &url, &["check"]).ok();
        assert_eq!(said, "Database is up to date. No upgrades needed.\n");
        let said = done(&ours(place, &url, &["sync"]));
        assert!(!said.contains("Removed"), "{said}");
        let version = ours(place, &url, &["version"]);
        assert!(!version.stderr.contains("not heads"), "{}", version.stderr);
    }
    // The real tool refused to go on from there: it takes what is left for requested as well.
    let jobs = words.map(|name| (on.url(name), vec!["db", "upgrade", "heads"]));
    real(&jobs);
}

#[test]
fn rows_that_are_not_heads_are_named_and_removed_on_sqlite() {
    let place = Place::new();
    let on = Sqlite(&place);
    rows_that_are_not_heads_are_named_and_removed(&on, &place);
    let all = files(place.file("x").parent().unwrap());
    let saved = |name: &&String| name.starts_with("sync.db.") && name.ends_with(".backup");
    assert_eq!(all.iter().filter(saved).count(), 1, "{all:?}");
}

#[test]
fn rows_that_are_not_heads_are_named_and_removed_on_mariadb() {
    let place = Place::new();
    rows_that_are_not_heads_are_named_and_removed(&MariaDb::new(&place), &place);
}

#[test]
fn an_upgrade_goes_on_from_rows_that_are_not_heads() {
    let place = Place::new();
    let on = Sqlite(&place);
    for (revision, also) in [
        ("2023_1_contract01", &["2023_1_expand01", "liberty"][..]),
        ("rocky_contract01", &["pike_contract01", "rocky_expand01"]),
        ("mitaka02", &["mitaka01"]),
    ] {
        let url = on.url(revision);
        done(&ours(&place, &url, &["upgrade", "--version", revision]));
        let mut all = also.to_vec();
        all.push(revision);
        note(&on, revision, &all);
        let check = ours(&place, &url, &["check"]).fails(3);
        assert!(check.is_empty(), "{check}");
        done(&ours(&place, &url, &["sync"]));
        assert_eq!(noted(&on, revision), format!("{HEAD}\n"));
        ours(&place, &url, &["check"]).ok();
    }
}

#[test]
fn an_unknown_revision_beside_the_head_is_refused_and_stays() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&ours(&place, &url, &["sync"]));
    note(&on, "a", &[HEAD, "far_future", "2023_1_contract01"]);
    assert_ne!(ours(&place, &url, &["check"]).code, 0);
    for word in ["sync", "contract", "expand"] {
        let error = ours(&place, &url, &[word]).fails(1);
        assert!(error.contains("'far_future'"), "{error}");
    }
    assert_eq!(noted(&on, "a").lines().count(), 3);
}

#[test]
fn a_database_is_placed_at_the_heads_that_a_word_stands_for() {
    let place = Place::new();
    let on = Sqlite(&place);
    let url = on.url("a");
    done(&ours(&place, &url, &["sync"]));
    for (word, heads) in [
        ("heads", HEAD),
        ("expand@head", "2024_1_expand01"),
        ("pike01", "pike_contract01"),
    ] {
        done(&ours(&place, &url, &["version_control", word]));
        assert_eq!(noted(&on, "a"), format!("{heads}\n"));
    }
}

/// A process that upgrades a database of a server, which tests hold up by locks.
struct Upgrade {
    place: Place,
}

impl Upgrade {
    /// A database where the last revision is due, and nothing else.
    fn due() -> Self {
        let place = block_on(Place::on_mariadb());
        let upgrade = Self { place };
        upgrade.manage(&["upgrade", "--version", "2023_1_contract01"]);
        upgrade.manage(&["upgrade", "--version", "2024_1_expand01"]);
        let noted = block_on(upgrade.noted());
        assert_eq!(noted, ["2023_1_contract01", "2024_1_expand01"]);
        upgrade
    }

    fn manage(&self, words: &[&str]) -> String {
        let mut command = self.place.command(MANAGE);
        let run = Run::of(command.arg("db").args(words).output().unwrap());
        done(&run)
    }

    fn sync(&self) -> Child {
        let mut command = self.place.command(MANAGE);
        let command = command.args(["db", "sync"]).stdout(Stdio::piped());
        command.spawn().unwrap()
    }

    async fn connect(&self) -> MySqlConnection {
        self.place.schema().unwrap().connect().await
    }

    async fn noted(&self) -> Vec<String> {
        let sql = "SELECT version_num FROM alembic_version ORDER BY 1";
        self.place.schema().unwrap().texts(sql).await
    }

    /// Waits until so many sessions of the database, apart from the one that asks, are as `condition` says.
    async fn wait_for(&self, count: i64, condition: &str) {
        let sql = format!(
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() \
             AND id <> connection_id() AND ({condition})"
        );
        let mut connection = self.connect().await;
        let begun = Instant::now();
        loop {
            let row = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
            let row = row.fetch_one(&mut connection).await.unwrap();
            if row.get_unchecked::<i64, _>(0) == count {
                return;
            }
            assert!(begun.elapsed() < TIMEOUT, "{count} sessions: {condition}");
        }
    }
}

async fn run(on: &mut MySqlConnection, sql: &str) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    sql.execute(on).await.unwrap();
}

#[test]
fn a_process_that_is_killed_while_it_notes_a_revision_leaves_no_row_behind() {
    let upgrade = Upgrade::due();
    block_on(async {
        // What is noted can be read, but not changed: the server finishes the first change after its client died.
        let mut blocker = upgrade.connect().await;
        run(&mut blocker, "LOCK TABLES alembic_version READ").await;
        let mut sync = upgrade.sync();
        let waits = "info LIKE 'SELECT%FOR UPDATE' OR info LIKE 'INSERT INTO alembic%'";
        upgrade.wait_for(1, waits).await;
        sync.kill().unwrap();
        sync.wait().unwrap();
        run(&mut blocker, "UNLOCK TABLES").await;
        drop(blocker);
        upgrade.wait_for(0, "TRUE").await;
        let noted = upgrade.noted().await;
        assert!(
            noted == [HEAD] || noted == ["2023_1_contract01", "2024_1_expand01"],
            "{noted:?}"
        );
        upgrade.manage(&["sync"]);
        assert_eq!(upgrade.noted().await, [HEAD]);
    });
}

#[test]
fn a_statement_of_a_dead_process_has_ended_before_the_next_one_reads_the_revision() {
    let upgrade = Upgrade::due();
    block_on(async {
        // The dead process: it has the lock of the schema, and its last statement waits for a table.
        let mut dead = upgrade.connect().await;
        let name = upgrade.place.schema().unwrap().name();
        run(
            &mut dead,
            &format!("DO GET_LOCK('glance/schema/{name}', 0)"),
        )
        .await;
        let mut blocker = upgrade.connect().await;
        run(&mut blocker, "LOCK TABLES alembic_version WRITE").await;
        let late = format!("INSERT INTO alembic_version VALUES ('{HEAD}')");
        let late = tokio::spawn(async move { run(&mut dead, &late).await });
        upgrade
            .wait_for(1, "info LIKE 'INSERT INTO alembic%'")
            .await;
        late.abort();
        assert!(late.await.unwrap_err().is_cancelled());
        let sync = upgrade.sync();
        upgrade.wait_for(1, "state = 'User lock'").await;
        run(&mut blocker, "UNLOCK TABLES").await;
        let said = done(&Run::of(sync.wait_with_output().unwrap()));
        assert!(
            said.contains("not heads: 2023_1_contract01, 2024_1_expand01"),
            "{said}"
        );
        assert_eq!(upgrade.noted().await, [HEAD]);
    });
}

#[test]
fn a_migration_that_loses_its_connection_and_so_its_lock_ends() {
    let place = block_on(Place::on_mariadb());
    block_on(async {
        let settings = Settings::for_data_dir(&place.data()).unwrap();
        let database = settings.require_database().unwrap();
        let (catalog, _lock) = Catalog::open_with_schema_lock(database).await.unwrap();
        let schema = place.schema().unwrap();
        schema.kill_connections().await;
        let error = catalog.upgrade(HEAD).await.unwrap_err();
        assert!(error.message().contains("was lost"), "{error}");
        assert!(catalog.state().await.is_err());
        let tables =
            "SELECT table_name FROM information_schema.tables WHERE table_schema = database()";
        assert!(schema.texts(tables).await.is_empty());
        // The next one has the lock.
        let (catalog, _lock) = Catalog::open_with_schema_lock(database).await.unwrap();
        catalog.upgrade(HEAD).await.unwrap();
        assert!(catalog.state().await.unwrap().is_current());
    });
}
