//! Limits of projects: those of the section `[local_limits]`, and for requests those of Keystone.

use glance_tools::ErrorKind::{TooLarge, Unavailable};
use glance_tools::config::Settings;
use glance_tools::local::Engine;
use glance_tools::model::{Caller, ImageStatus};
use glance_tools::service::{Discovery, ImageData, Images, Upload};
use serde_json::json;

use crate::contract::data::pipe;
use crate::contract::{kind, new_image, raw_image};
use crate::support::{Place, block_on, keystone};

const MIB: usize = 1 << 20;

fn limited(limits: &str) -> Place {
    let place = Place::new();
    place.configure(&format!("[local_limits]\n{limits}"));
    place
}

#[test]
fn images_are_counted_by_project() {
    let place = limited("image_count_total = 2\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let first = raw_image(&demo, "1").await;
        raw_image(&demo, "2").await;
        let third = demo.create_image(new_image(json!({}))).await.unwrap_err();
        assert_eq!(third.kind(), TooLarge);
        assert_eq!(
            third.message(),
            "Project demo is over a limit for [Resource image_count_total is over limit of 2 due to \
             current usage 2 and delta 1]"
        );
        raw_image(&place.open_as("other:member:u").await, "3").await;
        demo.delete_image(&first.id).await.unwrap();
        raw_image(&demo, "4").await;
    });
}

#[test]
fn images_are_counted_once_though_many_are_made_at_a_time() {
    let place = limited("image_count_total = 3\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let made = (0..8).map(|_| demo.create_image(new_image(json!({}))));
        let made = futures_util::future::join_all(made).await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
    });
}

#[test]
fn the_size_of_all_images_is_limited() {
    let place = limited("image_size_total = 2\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let upload = async |size: usize, promised: bool| {
            let id = raw_image(&demo, "x").await.id;
            let mut upload = Upload::new(pipe(&vec![7; size]));
            upload.size = promised.then_some(size as u64);
            let image = demo.upload_image(&id, upload).await;
            if image.is_err() {
                let image = demo.get_image(&id).await.unwrap();
                assert_eq!((image.status, image.size), (ImageStatus::Queued, None));
            }
            image
        };
        assert_eq!(kind(upload(3 * MIB, true).await), TooLarge);
        assert!(upload(2 * MIB, true).await.is_ok(), "all of it");
        assert_eq!(kind(upload(MIB, true).await), TooLarge);
        // What is not promised is taken while there is no more than may be.
        assert!(upload(MIB, false).await.is_ok());
        let refused = upload(1, false).await.unwrap_err();
        assert_eq!(
            refused.message(),
            "Project demo is over a limit for [Resource image_size_total is over limit of 2 due to \
             current usage 3 and delta 0]"
        );
    });
}

#[test]
fn uploads_are_counted() {
    let place = limited("image_count_uploading = 0\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let id = raw_image(&demo, "x").await.id;
        let refused = demo.upload_image(&id, Upload::new(pipe(b"x"))).await;
        assert_eq!(kind(refused), TooLarge);
        let image = demo.get_image(&id).await.unwrap();
        assert_eq!(image.status, ImageStatus::Queued);
    });
    let place = limited("image_count_uploading = 1\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let id = raw_image(&demo, "x").await.id;
        let image = demo.upload_image(&id, Upload::new(pipe(b"x"))).await;
        assert!(image.is_ok(), "itself is the one");
    });
}

#[test]
fn what_is_used_is_shown_with_its_limits() {
    let place = limited("image_count_total = 7\nimage_size_total = 100\nimage_stage_total = -5\n");
    place.image("x", &vec![7; 3 * MIB]);
    place.glance(&["image", "create", "empty"]).ok();
    let shown = place.glance(&["usage"]).ok();
    for row in [
        ["image_size_total", "100", "3"],
        ["image_stage_total", "-1", "0"],
        ["image_count_total", "7", "2"],
        ["image_count_uploading", "-1", "0"],
    ] {
        let found = shown.lines().any(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            cells.get(1..4) == Some(&row[..])
        });
        assert!(found, "{row:?} in {shown}");
    }
    block_on(async {
        let local = place.open().await;
        assert_eq!(local.usage().await.unwrap().len(), 4);
    });
}

#[test]
fn requests_have_the_limits_of_keystone() {
    let server = keystone::Server::new(|_, asked| match asked.line.as_str() {
        "POST /v3/auth/tokens" => keystone::token_reply("own", 3600, &json!([])),
        "GET /v3/limits/model" => keystone::reply(200, json!({"model": {"name": "flat"}})),
        "GET /v3/endpoints/e" => keystone::reply(
            200,
            json!({"endpoint": {"service_id": "s", "region_id": null}}),
        ),
        "GET /v3/registered_limits?service_id=s" => {
            let names = [
                "image_size_total",
                "image_stage_total",
                "image_count_uploading",
            ];
            let mut limits: Vec<_> = names
                .iter()
                .map(|name| json!({"resource_name": name, "default_limit": 2}))
                .collect();
            limits.push(json!({"resource_name": "image_count_total", "default_limit": 0}));
            keystone::reply(200, json!({"registered_limits": limits}))
        }
        "GET /v3/limits?service_id=s&project_id=demo" => {
            let own = json!({"resource_name": "image_count_total", "resource_limit": 1});
            keystone::reply(200, json!({"limits": [own]}))
        }
        "GET /v3/limits?service_id=s&project_id=other" => {
            keystone::reply(200, json!({"limits": []}))
        }
        _ => keystone::refusal(500, "no"),
    });
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\nuse_keystone_limits = true\n[local_limits]\nimage_count_total = 9\n[oslo_limit]\n\
         auth_url = {}\nusername = glance\npassword = right\nendpoint_id = e\n",
        server.url
    ));
    block_on(async {
        let settings = Settings::for_data_dir(&place.data()).unwrap();
        let engine = Engine::open(settings).await.unwrap();
        let request = |caller: &str| {
            engine.act_as(Caller {
                request_id: Some("req-1".to_string()),
                ..Caller::parse(caller).unwrap()
            })
        };
        let demo = request("demo:member:u");
        let first = raw_image(&demo, "1").await;
        let second = demo.create_image(new_image(json!({}))).await.unwrap_err();
        assert_eq!(second.kind(), TooLarge);
        assert_eq!(
            second.message(),
            "Project demo is over a limit for [Resource image_count_total is over limit of 1 due to \
             current usage 1 and delta 1]"
        );
        let big = Upload::new(pipe(&vec![7; 3 * MIB]));
        let big = Upload {
            size: Some(3 * MIB as u64),
            ..big
        };
        assert_eq!(kind(demo.upload_image(&first.id, big).await), TooLarge);
        let usage = demo.usage().await.unwrap();
        let limits: Vec<i64> = usage.iter().map(|usage| usage.limit).collect();
        assert_eq!(limits, [2, 2, 1, 2]);
        let other = request("other:member:u")
            .create_image(new_image(json!({})))
            .await;
        assert_eq!(kind(other), TooLarge);
        let unknown = request("third:member:u")
            .create_image(new_image(json!({})))
            .await;
        assert_eq!(kind(unknown), Unavailable);
        let command = place.open_as("demo:member:u").await;
        raw_image(&command, "2").await;
    });
}
