//! Downloads from the image service of another region, with the token of the caller.

use std::time::{Duration, Instant};

use glance_tools::http::Request;
use glance_tools::server::Limits;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;

use super::Site;
use crate::support::glance::{self, TOKEN};
use crate::support::{Place, block_on, keystone};

/// Returns a Keystone that knows the token of the other region's users, with two image services in its catalogue.
fn keystone_with(elsewhere: &str) -> keystone::Server {
    let elsewhere = elsewhere.to_string();
    keystone::Server::new(move |url, asked| {
        let endpoint = |region: &str, interface: &str, url: &str| json!({"id": "e", "interface": interface, "region": region, "region_id": region, "url": url});
        let catalogue = json!([{"id": "s", "name": "glance", "type": "image", "endpoints": [
            endpoint("Here", "public", url),
            endpoint("There", "public", &format!("{elsewhere}/v2")),
            endpoint("There", "internal", "no address"),
        ]}]);
        let reply = |catalogue: &Value| keystone::token_reply("own", 3600, catalogue);
        match asked.line.as_str() {
            "POST /v3/auth/tokens" => reply(&json!([])),
            line if line.starts_with("GET /v3/auth/tokens") => {
                if asked.headers.get("x-subject-token").map(String::as_str) != Some(TOKEN) {
                    return keystone::refusal(404, "no such token");
                }
                let is_short = line.contains("nocatalog");
                let mut answer = reply(if is_short { &Value::Null } else { &catalogue });
                answer.status = 200;
                answer
            }
            _ => keystone::refusal(404, "Not found."),
        }
    })
}

/// Sends a request with headers, and returns the status and the JSON of the response.
async fn ask(
    site: &Site,
    method: Method,
    target: &str,
    headers: &[(&'static str, &str)],
    body: Value,
) -> (u16, Value) {
    let url = Url::parse(&format!("http://{}/v2{target}", site.address)).unwrap();
    let mut request = Request::new(method, url);
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers.insert(*name, value);
    }
    if !body.is_null() {
        let kind = HeaderValue::from_static("application/json");
        request.headers.insert(CONTENT_TYPE, kind);
        request.body = body.to_string().into();
    }
    let response = site.send(request).await;
    let body = serde_json::from_slice(&response.body).unwrap_or_default();
    (response.status.as_u16(), body)
}

/// Imports an image of another region into a new image. Returns the image and its task at the end of the task.
async fn import(
    site: &Site,
    headers: &[(&'static str, &str)],
    region: &str,
    interface: &str,
    id: &str,
) -> (Value, Value) {
    let new = json!({"name": "x", "disk_format": "iso", "container_format": "bare", "hw_disk_bus": "ide", "own": "kept"});
    let (status, image) = ask(site, Method::POST, "/images", headers, new).await;
    assert_eq!(status, 201, "{image}");
    let target = format!("/images/{}", image["id"].as_str().unwrap());
    let method = json!({"name": "glance-download", "glance_region": region,
        "glance_image_id": id, "glance_service_interface": interface});
    let (path, body) = (format!("{target}/import"), json!({"method": method}));
    let (status, said) = ask(site, Method::POST, &path, headers, body).await;
    assert_eq!(status, 202, "{said}");
    let began = Instant::now();
    loop {
        let path = format!("{target}/tasks");
        let (_, tasks) = ask(site, Method::GET, &path, headers, Value::Null).await;
        let task = tasks["tasks"][0].clone();
        if task["status"] != "processing" && task["status"] != "pending" {
            let (_, image) = ask(site, Method::GET, &target, headers, Value::Null).await;
            return (image, task);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{task}");
    }
}

fn place(more: &str) -> Place {
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\nenabled_import_methods = [glance-download]\n{more}\n"
    ));
    place
}

#[test]
fn image_of_another_region_is_downloaded_with_the_token_of_the_caller() {
    let there = glance::Server::start();
    let theirs = there.image("theirs", "from afar");
    there.set(&theirs, "hw_disk_bus", "virtio");
    there.set(&theirs, "secret", "theirs alone");
    let keystone = keystone_with(&there.url());
    let place = place(&format!(
        "[paste_deploy]\nflavor = keystone\n[keystone_authtoken]\nauth_url = {}\nusername = glance\n\
         password = right\nproject_name = service\n",
        keystone.url
    ));
    let headers = [("x-auth-token", TOKEN)];
    block_on(async {
        let site = Site::start(&place.data(), Limits::default(), |_, _, _| {}).await;
        let (image, task) = import(&site, &headers, "there", "public", &theirs).await;
        assert_eq!(task["status"], "success", "{task}");
        assert_eq!(
            (&image["status"], &image["size"]),
            (&"active".into(), &9.into())
        );
        assert_eq!(
            (&image["hw_disk_bus"], &image["own"]),
            (&"virtio".into(), &"kept".into())
        );
        assert_eq!(image["disk_format"], "raw");
        assert_eq!(image.get("secret"), None);
        for request in there.requests() {
            assert_eq!(request.header("x-auth-token"), Some(TOKEN));
        }
        let missing = "8876c818-c40e-4b90-9742-31d231616305";
        for (region, interface, id, message) in [
            (
                "Nowhere",
                "public",
                theirs.as_str(),
                "no public endpoint of an image service in region Nowhere",
            ),
            (
                "There",
                "admin",
                &theirs,
                "no admin endpoint of an image service in region There",
            ),
            (
                "There",
                "other",
                &theirs,
                "no other endpoint of an image service in region There",
            ),
            (
                "There",
                "internal",
                &theirs,
                "invalid address for the image service of region There",
            ),
            ("There", "public", missing, missing),
        ] {
            let (image, task) = import(&site, &headers, region, interface, id).await;
            assert_eq!(
                (&task["status"], &image["status"]),
                (&"failure".into(), &"queued".into())
            );
            let said = task["message"].as_str().unwrap();
            assert!(said.contains(message) && !said.contains('\n'), "{said}");
            assert!(!said.contains(TOKEN), "{said}");
        }
        site.stop().await;
    });
}

#[test]
fn proxy_that_identifies_callers_passes_on_the_catalogue() {
    let there = glance::Server::start();
    let theirs = there.image("theirs", "from afar");
    let place = place("[paste_deploy]\nflavor = trusted-auth\n");
    let catalogue = json!([{"type": "image", "name": "glance", "endpoints": [
        {"region": "There", "publicURL": there.url()},
    ]}]);
    let catalogue = catalogue.to_string();
    let caller = [
        ("x-identity-status", "Confirmed"),
        ("x-user-id", "u"),
        ("x-project-id", "p"),
        ("x-roles", "member"),
    ];
    let with_token = [("x-auth-token", TOKEN), ("x-service-catalog", &catalogue)];
    block_on(async {
        let site = Site::start(&place.data(), Limits::default(), |_, _, _| {}).await;
        let headers = [&caller[..], &with_token].concat();
        let (image, task) = import(&site, &headers, "There", "public", &theirs).await;
        assert_eq!(
            (&task["status"], &image["status"]),
            (&"success".into(), &"active".into())
        );
        let (_, task) = import(&site, &caller, "There", "public", &theirs).await;
        assert_eq!(
            task["message"],
            "glance-download requires a token of Keystone"
        );
        site.stop().await;
    });
}
