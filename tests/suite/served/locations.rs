//! Addresses of data that callers register.

use glance_tools::server::Limits;
use http::Method;
use serde_json::json;

use super::{Body, Site};
use crate::support::{Place, block_on};

#[test]
fn an_address_that_only_the_host_reaches_is_refused_unless_it_is_allowed() {
    for (allowed, is_refused) in [
        ("", true),
        ("allowed_hosts = [127.0.0.1]\nallowed_ports = []", false),
    ] {
        let place = Place::new();
        place.configure(&format!(
            "[DEFAULT]\nshow_multiple_locations = true\n[glance_store]\nstores = file,http\n\
             [import_filtering_opts]\n{allowed}\n"
        ));
        block_on(async {
            let site = Site::start(&place.data(), Limits::default(), |_, _, _| {}).await;
            let id = site.queued().await;
            // Nobody listens there.
            let url = "http://127.0.0.1:1/secret";
            let target = format!("/images/{id}/locations");
            let registered = site.call(Method::POST, &target, json!({"url": url})).await;
            let patch = json!([{"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {}}}]);
            let patch = Body {
                kind: Some("application/openstack-images-v2.1-json-patch"),
                bytes: patch.to_string().into(),
            };
            let added = site
                .call(Method::PATCH, &format!("/images/{id}"), patch)
                .await;
            for response in [registered, added] {
                assert!(
                    response.status.is_client_error() || !is_refused,
                    "{}",
                    response.status
                );
                let text = String::from_utf8_lossy(&response.body).into_owned();
                let is_filtered = text.contains("does not pass filtering");
                assert_eq!(is_filtered, is_refused, "{text}");
            }
            assert_eq!(site.status(&id).await, "queued");
            site.stop().await;
        });
    }
}
