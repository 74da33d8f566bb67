//! Data that one host has staged, and requests for it at another.

use glance_tools::server::Limits;
use http::Method;
use serde_json::{Value, json};

use super::Site;
use crate::support::{Place, block_on, files};

/// Two hosts with one database and one store; each has a staging area.
struct Hosts {
    place: Place,
    one: Site,
    two: Site,
}

impl Hosts {
    async fn start() -> Self {
        let place = Place::new();
        Self {
            one: host(&place, "one", None).await,
            two: host(&place, "two", None).await,
            place,
        }
    }

    /// Stages data at the first one, and returns the ID of the image.
    async fn staged(&self) -> String {
        let id = self.one.queued().await;
        let target = format!("/images/{id}/stage");
        let staged = self.one.call(Method::PUT, &target, &b"data"[..]).await;
        assert_eq!(staged.status, 204);
        assert_eq!(self.two.status(&id).await, "uploading");
        id
    }

    /// The files in the staging area of the first one.
    fn area(&self) -> Vec<String> {
        let files = files(&self.place.file("staging-one"));
        files
            .into_iter()
            .filter(|name| !name.contains('.'))
            .collect()
    }
}

/// Starts a host with a name; `url` is the one it takes for its own, if that is wrong.
async fn host(place: &Place, name: &str, url: Option<&str>) -> Site {
    let area = place.file(&format!("staging-{name}"));
    let journal = place.file(&format!("journal-{name}"));
    let own = url.map(str::to_string);
    Site::start(&place.data(), Limits::default(), |settings, _, url| {
        let own = own.unwrap_or_else(|| url.to_string());
        settings.staging_dir = area.into();
        settings.journal_dir = journal.into();
        settings.self_url = Some(own).into();
    })
    .await
}

fn import() -> Value {
    json!({"method": {"name": "glance-direct"}})
}

#[test]
fn an_import_is_carried_out_by_the_host_with_the_data() {
    block_on(async {
        let hosts = Hosts::start().await;
        let id = hosts.staged().await;
        let (_, image) = hosts.two.get(&format!("/images/{id}")).await;
        assert_eq!(image.get("os_glance_stage_host"), None, "{image}");
        let target = format!("/images/{id}/import");
        let accepted = hosts.two.call(Method::POST, &target, import()).await;
        assert_eq!(accepted.status, 202);
        hosts.two.wait_for(&id, "active").await;
        let target = format!("/images/{id}/file");
        let data = hosts.two.call(Method::GET, &target, ()).await;
        assert_eq!(&data.body[..], b"data");
        // What that host refuses, this one refuses.
        let target = format!("/images/{id}/import");
        let again = hosts.two.call(Method::POST, &target, import()).await;
        assert_eq!(again.status, 409);
    });
}

#[test]
fn a_deletion_removes_the_data_of_another_host() {
    block_on(async {
        let hosts = Hosts::start().await;
        let id = hosts.staged().await;
        assert_eq!(hosts.area(), [id.as_str()]);
        let target = format!("/images/{id}");
        let deleted = hosts.two.call(Method::DELETE, &target, ()).await;
        assert_eq!(deleted.status, 204);
        assert_eq!(hosts.two.get(&target).await.0, 404);
        assert!(hosts.area().is_empty(), "{:?}", hosts.area());
    });
}

#[test]
fn a_host_that_is_down_delays_an_import_and_no_deletion() {
    block_on(async {
        let hosts = Hosts::start().await;
        let id = hosts.staged().await;
        let Hosts { place, one, two } = hosts;
        one.stop().await;
        let target = format!("/images/{id}/import");
        let refused = two.call(Method::POST, &target, import()).await;
        assert_eq!(refused.status, 504);
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(text.contains("Stage host is unavailable"), "{text}");
        assert_eq!(two.status(&id).await, "uploading");
        let target = format!("/images/{id}");
        assert_eq!(two.call(Method::DELETE, &target, ()).await.status, 204);
        assert_eq!(two.get(&target).await.0, 404);
        drop(place);
    });
}

#[test]
fn a_request_is_sent_on_once_whatever_hosts_take_for_their_addresses() {
    block_on(async {
        let hosts = Hosts::start().await;
        let id = hosts.staged().await;
        let Hosts { place, one, two } = hosts;
        one.stop().await;
        two.stop().await;
        // A host is now at an address that it does not take for its own.
        let elsewhere = host(&place, "one", Some("http://127.0.0.1:1")).await;
        let own = format!("http://{}", elsewhere.address);
        let database = rusqlite::Connection::open(place.data().join("glance.db")).unwrap();
        let sql = "UPDATE image_properties SET value = ?1 WHERE image_id = ?2 AND name = 'os_glance_stage_host'";
        assert_eq!(database.execute(sql, [&own, &id]).unwrap(), 1);
        let target = format!("/images/{id}/import");
        let refused = elsewhere.call(Method::POST, &target, import()).await;
        assert_eq!(refused.status, 502);
    });
}
