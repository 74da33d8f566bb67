//! How many rows of a large catalogue an operation reads on a server, whose plans depend on what is in the tables.
//! What SQLite does is checked of every statement that a test runs: see `watch_plans`.

use futures_util::TryStreamExt;
use glance_tools::data::Watch;
use glance_tools::model::{Change, ImageFilter, ImageQuery};
use glance_tools::service::{Images, Members};
use serde_json::json;

use crate::contract::new_image;
use crate::support::mariadb::Schema;
use crate::support::{Place, block_on};

/// Images of the catalogue; each has three properties, a tag and a location.
const IMAGES: u64 = 20_000;

/// Rows that are few: of one image, or of a page.
const FEW: u64 = 500;

/// Random ids, times in no order; a quarter of the images waits for the scrubber.
async fn fill(schema: &Schema) {
    let id =
        "INSERT(INSERT(INSERT(INSERT(MD5(seq), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-')";
    let created = "TIMESTAMP('2020-01-01') + INTERVAL CRC32(seq) % 100000000 SECOND";
    let gone = "IF(deleted, '2024-01-01', NULL)";
    let filled = "WHERE images.name LIKE 'image %'";
    for sql in [
        format!(
            "INSERT INTO images (id, name, size, status, created_at, updated_at, deleted_at, deleted, owner, min_disk, \
             min_ram, protected, visibility, os_hidden) SELECT {id}, CONCAT('image ', seq), 4, \
             IF(seq % 4, 'active', 'pending_delete'), {created}, {created}, IF(seq % 4, NULL, '2024-01-01'), seq % 4 = 0, \
             CONCAT('project ', seq % 100), 0, 0, 0, 'shared', 0 FROM seq_1_to_{IMAGES}"
        ),
        format!(
            "INSERT INTO image_properties (image_id, name, value, created_at, deleted_at, deleted) \
             SELECT id, CONCAT('property ', seq), 'x', created_at, {gone}, deleted FROM images, seq_1_to_3 {filled}"
        ),
        format!(
            "INSERT INTO image_tags (image_id, value, created_at, deleted_at, deleted) \
             SELECT id, 'tag', created_at, {gone}, deleted FROM images {filled}"
        ),
        format!(
            "INSERT INTO image_locations (image_id, value, created_at, deleted_at, deleted, meta_data, status) \
             SELECT id, CONCAT('file:///nowhere/', id), created_at, {gone}, deleted, '{{}}', status FROM images {filled}"
        ),
        "ANALYZE TABLE images, image_properties, image_tags, image_locations, image_members"
            .to_string(),
        "SET GLOBAL userstat = 1".to_string(),
    ] {
        schema.run(&sql).await;
    }
}

/// The rows of the catalogue that were read until now.
async fn rows_read(schema: &Schema) -> u64 {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(rows_read), 0) AS CHAR) FROM information_schema.table_statistics \
         WHERE table_schema = '{}'",
        schema.name()
    );
    schema.texts(&sql).await[0].parse().unwrap()
}

#[test]
fn operations_on_a_large_catalogue_read_few_rows_of_it() {
    block_on(async {
        let place = Place::on_mariadb().await;
        let local = place.open().await;
        let schema = place.schema().unwrap();
        let [id, doomed] = ["one of many", "to be deleted"].map(|name| place.image(name, b"data"));
        fill(schema).await;
        let mut before = rows_read(schema).await;
        let mut spent = async |what: &str, most: u64| {
            let now = rows_read(schema).await;
            assert!(now - before <= most, "{what} read {} rows", now - before);
            before = now;
        };

        local.get_image(&id).await.unwrap();
        spent("show", FEW).await;
        let value = json!("blue");
        let change = Change::Add {
            name: "colour".to_string(),
            value,
        };
        local.update_image(&id, &change.into()).await.unwrap();
        spent("update", FEW).await;
        local.add_tag(&id, "new").await.unwrap();
        local.remove_tag(&id, "new").await.unwrap();
        spent("tags", FEW).await;
        local.add_member(&id, "acme").await.unwrap();
        local.list_members(&id).await.unwrap();
        spent("members", FEW).await;
        local
            .create_image(new_image(json!({"name": "new"})))
            .await
            .unwrap();
        spent("create", FEW).await;
        local.delete_image(&doomed).await.unwrap();
        spent("delete", FEW).await;
        let page = ImageQuery {
            limit: Some(20),
            ..ImageQuery::default()
        };
        let images = local.list_images(page.clone()).try_concat().await.unwrap();
        assert_eq!(images.len(), 20);
        spent("a page", FEW).await;
        let marker = images.last().map(|image| image.id.clone());
        let next = ImageQuery { marker, ..page };
        local.list_images(next).try_concat().await.unwrap();
        spent("the next page", FEW).await;
        let filter = ImageFilter {
            attributes: vec![("owner".to_string(), "project 7".to_string())],
            ..ImageFilter::default()
        };
        let owned = ImageQuery {
            filter,
            limit: Some(20),
            ..ImageQuery::default()
        };
        local.list_images(owned).try_concat().await.unwrap();
        spent("a page of a project", 2 * FEW).await;

        let scrubbed = local
            .scrub(true, &Watch::default(), &mut |_| {})
            .await
            .unwrap();
        assert_eq!(scrubbed.locations + scrubbed.failures, IMAGES / 4);
        // Images and locations once, locations that were taken off once, and some for each that waits.
        spent("a dry run of the scrubber, in six batches", 5 * IMAGES).await;
        local.close().await.unwrap();
    });
}
