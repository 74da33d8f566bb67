//! The engine on MariaDB: transactions that are repeated, connections that break, and what its collations and plans need.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use glance_tools::ErrorKind::Unavailable;
use glance_tools::config::{Database, Settings};
use glance_tools::local::catalog::{Catalog, is_in_doubt};
use glance_tools::model::{Image, Timestamp};

use crate::support::{Place, block_on};

/// An empty place on MariaDB, and its catalogue.
async fn catalogue() -> (Place, Catalog) {
    let place = Place::on_mariadb().await;
    let catalog = Catalog::open_current(&database(&place)).await.unwrap();
    (place, catalog)
}

fn database(place: &Place) -> Database {
    let settings = Settings::for_data_dir(&place.data()).unwrap();
    settings.require_database().unwrap().clone()
}

fn image(number: u8) -> Image {
    Image::queued(
        format!("{number:08}-0000-4000-8000-000000000000"),
        Timestamp::EPOCH,
    )
}

#[test]
fn who_is_undone_does_all_of_it_again() {
    block_on(async {
        let (place, catalog) = catalogue().await;
        let made = catalog.begin().await.unwrap();
        made.insert_image(&image(1)).await.unwrap();
        made.insert_image(&image(2)).await.unwrap();
        made.commit().await.unwrap();
        // Each locks one of two images, then wants the other: one of them has to begin again.
        let both = tokio::sync::Barrier::new(2);
        let attempts = AtomicUsize::new(0);
        let tag = async |first: Image, second: Image, tag: &str| {
            let met = AtomicUsize::new(0);
            catalog
                .write(async |transaction| {
                    attempts.fetch_add(1, Ordering::Relaxed);
                    transaction.load_image(&first.id, "p").await?;
                    if met.fetch_add(1, Ordering::Relaxed) == 0 {
                        both.wait().await;
                    }
                    transaction.load_image(&second.id, "p").await?;
                    let now = catalog.now().to_catalog();
                    transaction.insert_tag(&second.id, tag, &now).await?;
                    Ok(())
                })
                .await
        };
        let (one, other) = tokio::join!(tag(image(1), image(2), "a"), tag(image(2), image(1), "b"));
        one.unwrap();
        other.unwrap();
        assert_eq!(attempts.load(Ordering::Relaxed), 3);
        let tags = "SELECT value FROM image_tags ORDER BY value";
        assert_eq!(place.schema().unwrap().texts(tags).await, ["a", "b"]);
    });
}

#[test]
fn what_a_broken_connection_left_undone_is_done_again() {
    block_on(async {
        let (place, catalog) = catalogue().await;
        let schema = place.schema().unwrap();
        let attempts = AtomicUsize::new(0);
        catalog
            .write(async |transaction| {
                transaction.insert_image(&image(1)).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) == 0 {
                    schema.kill_connections().await;
                }
                transaction
                    .insert_tag(&image(1).id, "t", "2026-11-21 09:30:04")
                    .await?;
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(attempts.load(Ordering::Relaxed), 2);
        schema.kill_connections().await;
        let stored = catalog
            .load_image(&image(1).id, "p")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.image.tags, ["t"]);
    });
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_repeated() {
    block_on(async {
        let (place, catalog) = catalogue().await;
        let schema = place.schema().unwrap();
        let attempts = AtomicUsize::new(0);
        let error = catalog
            .write(async |transaction| {
                attempts.fetch_add(1, Ordering::Relaxed);
                transaction.insert_image(&image(1)).await?;
                schema.kill_connections().await;
                Ok(())
            })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Unavailable);
        assert!(is_in_doubt(&error), "{error}");
        assert_eq!(attempts.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn work_that_one_process_does_ends_with_its_connection() {
    block_on(async {
        let (place, catalog) = catalogue().await;
        let other = Catalog::open(&database(&place), false).await.unwrap();
        let take = async |catalog: &Catalog, purpose| {
            let taken = catalog.exclusive(purpose, Duration::ZERO).await;
            taken.unwrap()
        };
        let mut turn = take(&catalog, "scrub").await.unwrap();
        assert!(turn.is_held().await);
        assert!(take(&other, "scrub").await.is_none());
        assert!(take(&other, "purge").await.is_some());
        place.schema().unwrap().kill_connections().await;
        assert!(!turn.is_held().await);
        let turn = take(&other, "scrub").await;
        assert!(turn.is_some());
        drop(turn);
    });
}

#[test]
fn properties_and_tags_are_told_apart_as_the_database_can() {
    let place = block_on(Place::on_mariadb());
    place
        .glance(&[
            "image",
            "create",
            "one",
            "--property",
            "Key=1",
            "--tag",
            "t",
            "--tag",
            "T",
        ])
        .ok();
    // One name would overwrite the other.
    let refused = place
        .glance(&["image", "set", "one", "--property", "key=2"])
        .fails(1);
    assert!(refused.contains("already has this row"), "{refused}");
    place.glance(&["image", "unset", "one", "--tag", "T"]).ok();
    place
        .glance(&["image", "unset", "one", "--property", "Key"])
        .ok();
    place
        .glance(&["image", "set", "one", "--property", "key=2"])
        .ok();
    let shown = place.glance(&["image", "show", "one", "-f", "json"]).ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["tags"], serde_json::json!(["t"]));
    assert_eq!(shown["properties"]["key"], "2");
    assert_eq!(shown["properties"].get("Key"), None);
    let refused = place.glance(&["image", "create", "\u{1f980}"]).fails(1);
    assert!(refused.contains("cannot store a character"), "{refused}");
}

#[test]
fn quotas_hold_for_those_who_come_at_once() {
    let place = block_on(Place::on_mariadb());
    place.configure("[local_limits]\nimage_count_total = 5\n");
    let made: usize = std::thread::scope(|scope| {
        let create = |worker: usize| {
            let place = &place;
            move || place.glance(&["image", "create", &format!("image-{worker}")])
        };
        let workers: Vec<_> = (0..12).map(|worker| scope.spawn(create(worker))).collect();
        let ended = workers.into_iter().map(|worker| worker.join().unwrap());
        ended.filter(|run| run.code == 0).count()
    });
    assert_eq!(made, 5);
}

#[test]
fn what_keeps_from_a_database_is_said_without_its_password() {
    let place = block_on(Place::on_mariadb());
    let schema = place.schema().unwrap();
    let user = format!("u{}", std::process::id());
    block_on(async {
        schema
            .run(&format!(
                "CREATE USER {user}@localhost IDENTIFIED BY 'hunter2:/@'"
            ))
            .await;
    });
    let with = |url: &str| {
        let configuration = format!("[database]\nconnection = {url}\nmax_retries = 0\n");
        let file = place.write("glance.conf", configuration);
        place.glance(&["--config-file", file.to_str().unwrap(), "image", "list"])
    };
    let url = schema.url(&format!("{user}:hunter2%3A%2F%40"));
    for (url, why) in [
        (schema.url(&format!("{user}:hunter2")), "refused user"),
        (url.clone(), "may not use database"),
        (
            format!("mysql+pymysql://{user}:hunter2@127.0.0.1:1/d"),
            "cannot be reached",
        ),
        (url.clone() + "&ssl_verify_cert=true", "cannot be encrypted"),
        (url.clone() + "&ssl_ca=/none.pem", "cannot read /none.pem"),
    ] {
        let said = with(&url).fails(1);
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    block_on(async {
        let everything = format!("GRANT ALL ON *.* TO {user}@localhost");
        schema.run(&everything).await;
    });
    let missing = url.replace("/glance_", "/missing_");
    let said = with(&missing).fails(1);
    assert!(
        said.contains("database missing_") && said.contains("does not exist"),
        "{said}"
    );
    assert!(said.contains("CREATE DATABASE"), "{said}");
    // An empty one is made use of.
    assert_eq!(with(&url).ok().trim(), "");
    block_on(schema.run(&format!("DROP USER {user}@localhost")));
}

#[test]
fn connections_are_encrypted_as_asked() {
    let place = block_on(Place::on_mariadb());
    let schema = place.schema().unwrap();
    let user = format!("t{}", std::process::id());
    block_on(schema.run(&format!(
        "CREATE USER {user}@localhost IDENTIFIED BY 'p' REQUIRE SSL; GRANT ALL ON *.* TO {user}@localhost"
    )));
    let with_host = |host: &str, parameters: &str| {
        let url = schema.url(&format!("{user}:p")).replace("@localhost", host);
        let configuration = format!("[database]\nconnection = {url}{parameters}\n");
        let file = place.write("glance.conf", configuration);
        place.glance(&["--config-file", file.to_str().unwrap(), "image", "list"])
    };
    let with = |parameters: &str| with_host("@localhost", parameters);
    let authority = format!("&ssl_ca={}", schema.certificate().display());
    // Where the server can, as PyMySQL does.
    with("").ok();
    with(&authority).ok();
    let verified = authority + "&ssl_verify_identity=true";
    with(&verified).ok();
    let other = with_host("@127.0.0.1", &verified).fails(1);
    assert!(other.contains("not valid for name"), "{other}");
    assert!(with("&ssl_disabled=true").fails(1).contains("refused user"));
    let untrusted = with("&ssl_verify_cert=true").fails(1);
    assert!(untrusted.contains("cannot be encrypted"), "{untrusted}");
    block_on(schema.run(&format!("DROP USER {user}@localhost")));
}

#[test]
fn a_schema_that_was_left_half_made_is_finished_and_another_is_left_alone() {
    let place = block_on(Place::on_mariadb());
    let schema = place.schema().unwrap();
    block_on(schema.run("CREATE TABLE others (id INTEGER)"));
    let refused = place.glance(&["image", "list"]).fails(1);
    assert!(
        refused.contains("has tables, but none of Glance's"),
        "{refused}"
    );
    block_on(schema.run("DROP TABLE others"));
    place.glance(&["image", "create", "one"]).ok();
    block_on(
        schema.run("DELETE FROM alembic_version; DROP TABLE cached_images; DROP TABLE task_info"),
    );
    let list = place
        .glance(&["image", "list", "-f", "value", "-c", "Name"])
        .ok();
    assert_eq!(list, "one\n");
    assert_eq!(
        block_on(schema.texts("SELECT version_num FROM alembic_version")).len(),
        1
    );
    assert!(block_on(schema.texts("SELECT id FROM cached_images")).is_empty());
}

#[test]
fn pages_are_without_gaps_where_names_and_moments_are_not_told_apart() {
    use futures_util::TryStreamExt;
    use glance_tools::model::{Direction, ImageQuery, SortKey};
    use glance_tools::service::Images;

    block_on(async {
        let place = Place::on_mariadb().await;
        let local = place.open().await;
        for name in ["b", "A", "a", "B", "a", "é", "E"] {
            place.glance(&["image", "create", name]).ok();
        }
        for key in [
            SortKey::Name,
            SortKey::CreatedAt,
            SortKey::UpdatedAt,
            SortKey::Size,
        ] {
            for direction in [Direction::Ascending, Direction::Descending] {
                let query = |marker: Option<String>, limit| ImageQuery {
                    sort: vec![(key, direction)],
                    marker,
                    limit,
                    ..ImageQuery::default()
                };
                let list = async |query: ImageQuery| -> Vec<String> {
                    let images: Vec<Image> = local.list_images(query).try_concat().await.unwrap();
                    images.into_iter().map(|image| image.id).collect()
                };
                let all = list(query(None, None)).await;
                assert_eq!(all.len(), 7);
                let mut paged: Vec<String> = Vec::new();
                loop {
                    let page = list(query(paged.last().cloned(), Some(2))).await;
                    if page.is_empty() {
                        break;
                    }
                    paged.extend(page);
                }
                assert_eq!(paged, all, "{key:?} {direction:?}");
            }
        }
        // The client sorts as ever.
        let names = place
            .glance(&["image", "list", "-f", "value", "-c", "Name"])
            .ok();
        assert_eq!(
            names.lines().collect::<Vec<_>>(),
            ["A", "B", "E", "a", "a", "b", "é"]
        );
    });
}

#[test]
fn a_long_list_shows_one_moment() {
    use futures_util::TryStreamExt;
    use glance_tools::model::ImageQuery;
    use glance_tools::service::Images;

    block_on(async {
        let place = Place::on_mariadb().await;
        let local = place.open().await;
        let schema = place.schema().unwrap();
        let columns = "id, name, status, created_at, deleted, min_disk, min_ram, owner";
        schema.run(&format!(
            "INSERT INTO images ({columns}) SELECT CONCAT(LPAD(seq, 8, '0'), '-0000-4000-8000-000000000000'), \
             CONCAT('image ', seq), 'active', '2026-11-21 09:30:04', 0, 0, 0, 'admin' FROM seq_1_to_1700; \
             INSERT INTO image_tags (image_id, value, created_at, deleted) \
             SELECT id, name, created_at, 0 FROM images"
        )).await;
        let mut chunks = local.list_images(ImageQuery::default());
        let mut images = chunks.try_next().await.unwrap().unwrap();
        schema
            .run("DELETE FROM image_tags WHERE image_id > '00001600'; UPDATE images SET name = 'x'")
            .await;
        while let Some(chunk) = chunks.try_next().await.unwrap() {
            images.extend(chunk);
        }
        // All of one second: by their ids, the last first.
        for (place, image) in images.iter().enumerate() {
            let name = format!("image {}", 1700 - place);
            assert_eq!(image.name.as_deref(), Some(&*name));
            assert_eq!(image.tags, [name]);
        }
        assert_eq!(images.len(), 1700);
    });
}
