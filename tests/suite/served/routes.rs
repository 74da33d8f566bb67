//! Paths and methods, and the order of checks of a request.

use glance_tools::server::Limits;
use http::Method;
use serde_json::json;

use super::Site;
use crate::support::{Place, block_on};

/// The ID of no image.
const UNKNOWN: &str = "88888888-8888-8888-8888-888888888888";

#[test]
fn paths_whose_methods_are_not_listed_are_unknown_for_others() {
    let place = Place::new();
    block_on(async {
        let site = Site::start(&place.data(), Limits::default(), |_, server, _| {
            server.flavor.cache_management = true;
        })
        .await;
        let cached = format!("/cached_images/{UNKNOWN}");
        let queued = format!("/queued_images/{UNKNOWN}");
        for (method, path, status) in [
            (Method::GET, "/info/usage", 200),
            (Method::PUT, "/info/usage", 404),
            (Method::PUT, "/info/stores", 405),
            (Method::GET, "/cache", 200),
            (Method::GET, "/cache/", 404),
            (Method::PUT, "/tasks", 405),
            (Method::GET, "/cached_images", 200),
            (Method::POST, "/cached_images", 404),
            (Method::GET, &cached[..], 404),
            (Method::DELETE, &cached[..], 200),
            (Method::PUT, "/queued_images", 404),
            (Method::DELETE, &queued[..], 200),
        ] {
            let response = site.call(method.clone(), path, ()).await;
            assert_eq!(response.status, status, "{method} {path}");
        }
        site.stop().await;
    });
}

#[test]
fn an_image_that_is_queued_by_the_middleware_need_not_exist() {
    let place = Place::new();
    block_on(async {
        let site = Site::start(&place.data(), Limits::default(), |_, server, _| {
            server.flavor.cache_management = true;
        })
        .await;
        let path = format!("/queued_images/{UNKNOWN}");
        let queued = site.call(Method::PUT, &path, ()).await;
        assert_eq!(queued.status, 200);
        let state = json!({"cached_images": [], "queued_images": [UNKNOWN]});
        assert_eq!(site.get("/cache").await, (200, state));
        let removed = site.call(Method::DELETE, &path, ()).await;
        assert_eq!(removed.status, 200);
        let (_, queue) = site.get("/queued_images").await;
        assert_eq!(queue, json!({"queued_images": []}));
        site.stop().await;
    });
}

#[test]
fn an_unknown_status_of_a_member_is_refused_after_the_member() {
    let place = Place::new();
    block_on(async {
        let site = Site::start(&place.data(), Limits::default(), |_, _, _| {}).await;
        let id = site.queued().await;
        let decide = async |member: &str| {
            let path = format!("/images/{id}/members/{member}");
            let body = json!({"status": "nosuch"});
            site.call(Method::PUT, &path, body).await.status.as_u16()
        };
        let add = async || {
            let path = format!("/images/{id}/members");
            let body = json!({"member": "p"});
            site.call(Method::POST, &path, body).await.status.as_u16()
        };
        assert_eq!(add().await, 200);
        assert_eq!(decide("p").await, 400);
        assert_eq!(decide("q").await, 404);
        site.stop().await;
    });
}
