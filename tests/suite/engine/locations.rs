//! Data on web servers and in several stores, met by the engine alone: real servers of the tests have no
//! store of web servers.

use glance_tools::ErrorKind::{Conflict, Corrupt, Forbidden, Invalid, NotFound, TooLarge};
use glance_tools::data::{Algorithm, Hasher};
use glance_tools::local::Local;
use glance_tools::model::{
    Change, Image, ImagePatch, ImageStatus, LocationValue, MultiHash, Position, ValidationData,
};
use glance_tools::service::{ImageData, Images, Locations, Reading, Stores, Upload};
use serde_json::json;

use crate::contract::locations::{add as add_patch, add_validated, location, replace};
use crate::contract::{kind, new_image};
use crate::support::glance::{Answer, Server, Trick, tricks};
use crate::support::{Place, block_on, files};

/// Named stores as the real servers of the tests have them.
pub const NAMED: &str = "[DEFAULT]\nenabled_backends = fast:file, slow:file\n\
    show_multiple_locations = true\n[glance_store]\ndefault_backend = fast\n";

/// Stores of files and of web servers, of which the slow one is preferred.
pub const WITH_WEB: &str = "[DEFAULT]\nenabled_backends = fast:file, slow:file, web:http\n\
    show_multiple_locations = true\nshow_image_direct_url = true\nimage_location_quota = 3\n\
    [glance_store]\ndefault_backend = fast\n[slow]\nweight = 5\n[web]\nweight = -1\n";

const CONTENT: &[u8] = b"on the web";

/// A web server that has `content` at `path`.
pub fn serve(server: &Server, path: &str, content: &[u8]) {
    let head = Answer::new(200, "text/plain", content).head();
    server.on("HEAD", path, 1..=usize::MAX, tricks::raw(head));
    let whole = Answer::new(200, "text/plain", content);
    server.on("GET", path, 1..=usize::MAX, tricks::say(whole));
}

/// What a web server says of `length` bytes that it has.
fn says(server: &Server, path: &str, length: usize) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    server.on("HEAD", path, 1..=usize::MAX, tricks::raw(head));
}

fn digest(algorithm: Algorithm, content: &[u8]) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(content);
    hasher.finish()
}

/// A deployment with a store of web servers, and a web server.
struct Web {
    place: Place,
    server: Server,
}

impl Web {
    fn new() -> Self {
        Self::configured("")
    }

    /// One whose configuration ends so.
    fn configured(more: &str) -> Self {
        let place = Place::new();
        place.configure(&format!("{WITH_WEB}{more}"));
        let server = Server::start();
        serve(&server, "/a.img", CONTENT);
        Self { place, server }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// What is saved of an image by the program, or its complaint.
    fn saved(&self, id: &str) -> Result<Vec<u8>, String> {
        let _ = std::fs::remove_file(self.place.file("out"));
        let run = self.place.glance(&["image-download", "--file", "out", id]);
        if run.code == 0 {
            return Ok(std::fs::read(self.place.file("out")).unwrap());
        }
        assert!(!self.place.file("out").exists());
        Err(run.fails(1))
    }
}

pub async fn queued(local: &Local) -> String {
    let attributes = json!({"name": "x", "disk_format": "raw", "container_format": "bare"});
    let image = local.create_image(new_image(attributes)).await.unwrap();
    image.id
}

pub async fn add(local: &Local, id: &str, url: &str) -> glance_tools::Result<Image> {
    local.update_image(id, &add_patch(location(url))).await
}

#[test]
fn an_address_makes_a_queued_image_active() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let image = add(&local, &id, &web.url("/a.img")).await.unwrap();
        assert_eq!((image.status, image.size), (ImageStatus::Active, Some(10)));
        assert_eq!((image.checksum, image.hash), (None, None), "it is not read");
        assert_eq!(image.direct_url, Some(web.url("/a.img")));
        assert_eq!(image.stores, Some(vec!["web".to_string()]));
        let methods: Vec<String> = web.server.lines();
        assert_eq!(methods, ["HEAD /a.img"]);

        assert_eq!(
            kind(add(&local, &id, &web.url("/a.img")).await),
            Invalid,
            "twice"
        );
        let mut other = location(&web.url("/a.img"));
        other.metadata.insert("note".to_string(), json!("x"));
        let image = local.update_image(&id, &add_patch(other)).await;
        assert_eq!(image.unwrap().locations.unwrap().len(), 2);
        let mut number = location(&web.url("/a.img"));
        number.metadata.insert("note".to_string(), json!(1));
        let refused = local.update_image(&id, &add_patch(number)).await;
        assert_eq!(kind(refused), Invalid, "metadata are text");
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
    });
}

#[test]
fn hashes_that_are_said_are_recorded_and_protect_what_is_read() {
    let web = Web::new();
    let said = |value: String| ValidationData {
        checksum: Some(digest(Algorithm::Md5, CONTENT)),
        os_hash_algo: Some("sha512".to_string()),
        os_hash_value: Some(value),
    };
    block_on(async {
        let local = web.place.open().await;
        let (right, wrong) = (queued(&local).await, queued(&local).await);
        let right_value = digest(Algorithm::Sha512, CONTENT);
        let at = || location(&web.url("/a.img"));
        let image = local
            .update_image(
                &right,
                &add_validated(at(), said(right_value.to_uppercase())),
            )
            .await;
        assert_eq!(
            image.unwrap().checksum,
            Some(digest(Algorithm::Md5, CONTENT))
        );
        local
            .update_image(&wrong, &add_validated(at(), said("a".repeat(128))))
            .await
            .unwrap();
        assert_eq!(web.saved(&right).unwrap(), CONTENT);
        let complaint = web.saved(&wrong).unwrap_err();
        assert!(complaint.contains("is corrupt"), "{complaint}");
    });
}

#[test]
fn registered_data_is_read_for_its_hashes() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let url = web.url("/a.img");
        local.register_location(&id, &url, None).await.unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!((image.status, image.size), (ImageStatus::Active, Some(10)));
        assert_eq!(image.checksum, Some(digest(Algorithm::Md5, CONTENT)));
        assert_eq!(
            image.hash.unwrap().value,
            digest(Algorithm::Sha512, CONTENT)
        );
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
        assert_eq!(
            kind(local.register_location(&id, &url, None).await),
            Conflict
        );

        let hash = |algorithm: &str, value: String| MultiHash {
            algorithm: algorithm.to_string(),
            value,
        };
        let id = queued(&local).await;
        for (expected, why) in [
            (hash("sha224", "a".repeat(56)), Invalid),
            (hash("sha256", "zz".to_string()), Invalid),
            (hash("sha256", "ab".to_string()), Invalid),
            (hash("sha256", "a".repeat(64)), Corrupt),
        ] {
            let registered = local.register_location(&id, &url, Some(&expected)).await;
            assert_eq!(kind(registered), why, "{expected:?}");
            let image = local.get_image(&id).await.unwrap();
            assert_eq!((image.status, image.size), (ImageStatus::Queued, None));
            assert_eq!(image.locations, Some(Vec::new()));
        }
        let expected = hash("sha256", digest(Algorithm::Sha256, CONTENT));
        local
            .register_location(&id, &url, Some(&expected))
            .await
            .unwrap();
        assert_eq!(local.get_image(&id).await.unwrap().hash, Some(expected));
        let missing = queued(&local).await;
        let registered = local
            .register_location(&missing, &web.url("/none"), None)
            .await;
        assert_eq!(kind(registered), Invalid);
    });
}

#[test]
fn registered_data_need_not_be_read() {
    let web = Web::configured("[DEFAULT]\ndo_secure_hash = false\n");
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let expected = MultiHash {
            algorithm: "md5".to_string(),
            value: "a".repeat(32),
        };
        let url = web.url("/a.img");
        local
            .register_location(&id, &url, Some(&expected))
            .await
            .unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!((image.checksum, image.hash), (None, Some(expected)));
        assert_eq!(web.server.lines(), ["HEAD /a.img"]);
    });
}

#[test]
fn reading_registered_data_is_tried_again() {
    let web = Web::new();
    let cut = || tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\non th");
    says(&web.server, "/flaky", CONTENT.len());
    web.server.on("GET", "/flaky", 1..=3, cut());
    let whole = Answer::new(200, "text/plain", CONTENT);
    web.server
        .on("GET", "/flaky", 4..=usize::MAX, tricks::say(whole));
    says(&web.server, "/broken", CONTENT.len());
    web.server.on("GET", "/broken", 1..=usize::MAX, cut());
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        local
            .register_location(&id, &web.url("/flaky"), None)
            .await
            .unwrap();
        let id = queued(&local).await;
        let failed = local
            .register_location(&id, &web.url("/broken"), None)
            .await;
        assert!(failed.is_err());
        let requests = web.server.lines();
        let broken = requests.iter().filter(|line| *line == "GET /broken");
        assert_eq!(broken.count(), 4, "once, and http_retries times");
        assert_eq!(
            local.get_image(&id).await.unwrap().status,
            ImageStatus::Queued
        );
    });
}

#[test]
fn servers_that_do_not_answer_well_are_refused() {
    let web = Web::new();
    let own = web.server.url();
    let redirect = |to: &str| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        tricks::raw(head)
    };
    let status =
        |status: u16| tricks::raw(format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n"));
    let every = |path: &str, trick: fn() -> Trick| {
        web.server.on("HEAD", path, 1..=usize::MAX, trick());
    };
    every("/hangs-up", || tricks::cut_request(0));
    every("/no-length", || tricks::raw("HTTP/1.1 200 OK\r\n\r\n"));
    every("/minus", || {
        tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n")
    });
    every("/nonsense", || tricks::raw("what?\r\n\r\n"));
    for (path, trick) in [
        ("/gone", status(404)),
        ("/teapot", status(418)),
        ("/broken", status(500)),
        ("/see-other", status(303)),
        ("/other-scheme", redirect("file:///etc/passwd")),
        ("/no-address", redirect("http://")),
        ("/in-circles", redirect("/in-circles")),
    ] {
        web.server.on("HEAD", path, 1..=usize::MAX, trick);
    }
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        for path in [
            "/hangs-up",
            "/no-length",
            "/minus",
            "/nonsense",
            "/gone",
            "/teapot",
            "/broken",
            "/see-other",
            "/other-scheme",
            "/no-address",
            "/in-circles",
        ] {
            let secret = own.replace("http://", "http://user:sesame@");
            let error = add(&local, &id, &format!("{secret}{path}?token=sesame")).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind(), Invalid, "{path}: {error}");
            assert!(
                !format!("{error:?}").contains("sesame"),
                "{path}: {error:?}"
            );
        }
        assert_eq!(
            local.get_image(&id).await.unwrap().status,
            ImageStatus::Queued
        );
        let circles = web.server.lines();
        let circles = circles.iter().filter(|line| line.ends_with("/in-circles"));
        assert_eq!(circles.count(), 4, "followed, and not for ever");
    });
}

#[test]
fn redirects_are_followed() {
    let web = Web::new();
    for method in ["HEAD", "GET"] {
        let to = web.url("/a.img");
        let head = format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        web.server
            .on(method, "/moved", 1..=usize::MAX, tricks::raw(head));
    }
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        add(&local, &id, &web.url("/moved")).await.unwrap();
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
    });
}

#[test]
fn what_is_not_as_long_as_it_was_is_not_kept() {
    let web = Web::new();
    let block = vec![7; 1 << 20];
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    for (path, trick) in [
        ("/endless", tricks::endless(head, block)),
        ("/short", tricks::raw(format!("{head}on th"))),
        ("/long", tricks::raw(format!("{head}on the web and more"))),
        (
            "/cut",
            tricks::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\non th"),
        ),
        (
            "/gone",
            tricks::raw("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
        ),
    ] {
        says(&web.server, path, CONTENT.len());
        web.server.on("GET", path, 1..=usize::MAX, trick);
    }
    block_on(async {
        let local = web.place.open().await;
        for path in ["/endless", "/short", "/long", "/cut", "/gone"] {
            let id = queued(&local).await;
            let secret = web.url(path).replace("http://", "http://user:sesame@");
            add(&local, &id, &secret).await.unwrap();
            let complaint = web.saved(&id).unwrap_err();
            assert!(!complaint.contains("sesame"), "{path}: {complaint}");
            assert!(complaint.lines().count() <= 2, "{path}: {complaint}");
        }
    });
}

#[test]
fn credentials_of_an_address_are_sent_and_not_told() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let secret = web.url("/a.img").replace("http://", "http://user:sesame@");
        add(&local, &id, &secret).await.unwrap();
        let error = add(&local, &id, &secret).await.unwrap_err();
        assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
        let seen = web.server.requests();
        // user:sesame
        assert_eq!(
            seen[0].header("authorization"),
            Some("Basic dXNlcjpzZXNhbWU=")
        );
    });
}

#[test]
fn locations_have_a_quota() {
    let web = Web::configured("[DEFAULT]\nuser_storage_quota = 35B\n");
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        for name in ["1", "2"] {
            add(&local, &id, &web.url(&format!("/a.img?{name}")))
                .await
                .unwrap();
        }
        let other = queued(&local).await;
        add(&local, &other, &web.url("/a.img")).await.unwrap();
        let full = add(&local, &id, &web.url("/a.img?3")).await;
        assert_eq!(
            kind(full),
            TooLarge,
            "35 bytes are less than four times ten"
        );
        let place = Place::new();
        place.configure(WITH_WEB);
        let local = place.open().await;
        let id = queued(&local).await;
        for name in ["1", "2", "3"] {
            add(&local, &id, &web.url(&format!("/a.img?{name}")))
                .await
                .unwrap();
        }
        let full = add(&local, &id, &web.url("/a.img?4")).await;
        assert_eq!(kind(full), TooLarge);
    });
}

#[test]
fn all_locations_of_an_image_have_its_size() {
    let web = Web::new();
    serve(&web.server, "/other", b"something else");
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let both = vec![location(&web.url("/a.img")), location(&web.url("/other"))];
        assert_eq!(kind(local.update_image(&id, &replace(both)).await), Invalid);
        let twice = vec![location(&web.url("/a.img")); 2];
        assert_eq!(
            kind(local.update_image(&id, &replace(twice)).await),
            Invalid
        );
        let both = vec![location(&web.url("/a.img")), location(&web.url("/a.img?"))];
        let image = local.update_image(&id, &replace(both)).await.unwrap();
        assert_eq!((image.status, image.size), (ImageStatus::Active, Some(10)));
        assert_eq!(kind(add(&local, &id, &web.url("/other")).await), Invalid);
        assert_eq!(
            local.get_image(&id).await.unwrap().locations,
            image.locations
        );
    });
}

/// A web server with TLS, stopped in the end.
struct Secure(std::process::Child);

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn certificates_of_web_servers_are_verified_if_wanted() {
    use std::io::{BufRead, BufReader};
    let certificates = crate::hostile::tls::certificates();
    certificates.write("a.img", CONTENT);
    let script = "import http.server, ssl\n\
        server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        context.load_cert_chain('server.pem', 'server.key')\n\
        server.socket = context.wrap_socket(server.socket, server_side=True)\n\
        print(server.server_port, flush=True)\n\
        server.serve_forever()\n";
    let mut command = std::process::Command::new("python3");
    command
        .args(["-c", script])
        .current_dir(certificates.file(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut server = Secure(command.spawn().unwrap());
    let mut port = String::new();
    let told = server.0.stdout.take().unwrap();
    BufReader::new(told).read_line(&mut port).unwrap();
    let url = format!("https://127.0.0.1:{}/a.img", port.trim());
    let authority = certificates.file("ca.pem");
    for (options, trusted) in [
        (String::new(), true),
        ("https_insecure = false".to_string(), false),
        (
            format!("https_ca_certificates_file = {}", authority.display()),
            true,
        ),
    ] {
        let web = Web::configured(&format!("[web]\n{options}\n"));
        block_on(async {
            let local = web.place.open().await;
            let id = queued(&local).await;
            let added = add(&local, &id, &url).await;
            assert_eq!(added.is_ok(), trusted, "{options}: {added:?}");
            if trusted {
                assert_eq!(web.saved(&id).unwrap(), CONTENT);
            }
        });
    }
}

#[test]
fn a_proxy_is_asked_in_the_place_of_web_servers() {
    let place = Place::new();
    let server = Server::start();
    serve(&server, "a.img", CONTENT);
    let proxy = server.url().replace("http://", "http:user:sesame@");
    place.configure(&format!("{WITH_WEB}http_proxy_information = {proxy}\n"));
    block_on(async {
        let local = place.open().await;
        let id = queued(&local).await;
        let url = "http://nowhere.invalid/a.img";
        add(&local, &id, url).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen[0].line(), format!("HEAD {url}"));
        assert_eq!(
            seen[0].header("proxy-authorization"),
            Some("Basic dXNlcjpzZXNhbWU=")
        );
    });
}

#[test]
fn data_go_to_the_directory_that_is_preferred_and_leave_it_again() {
    let place = Place::new();
    place.configure(
        "[glance_store]\nfilesystem_store_datadirs = low:1\nfilesystem_store_datadirs = high:2\n\
         filesystem_store_datadirs = lowest\n[DEFAULT]\nshow_image_direct_url = true\n",
    );
    block_on(async {
        let local = place.open().await;
        let id = queued(&local).await;
        let upload = Upload::new(crate::contract::data::pipe(CONTENT));
        let image = local.upload_image(&id, upload).await.unwrap();
        let high = place.data().join("high");
        let url = format!("file://{}/{id}", high.display());
        assert_eq!(image.direct_url, Some(url));
        assert!(files(&high).contains(&id));
        assert!(files(&place.data().join("low")).is_empty());
        local.delete_image(&id).await.unwrap();
        assert!(files(&high).is_empty());
        assert!(files(&place.data().join(".journal")).is_empty());
    });
}

#[test]
fn nothing_is_stored_on_web_servers() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let mut upload = Upload::new(crate::contract::data::pipe(b"x"));
        upload.store = Some("web".to_string());
        let refused = local.upload_image(&id, upload).await.unwrap_err();
        assert_eq!(refused.kind(), glance_tools::ErrorKind::Gone);
        assert_eq!(
            local.get_image(&id).await.unwrap().status,
            ImageStatus::Queued
        );
        let stores = local.list_stores(true).await.unwrap();
        let web = stores.iter().find(|store| store.id == "web").unwrap();
        assert!(web.read_only);
        assert_eq!(web.detail.as_ref().unwrap().weight, -1);
    });
}

/// An image with data in `fast`, and a second location.
async fn with_copy(web: &Web, local: &Local) -> String {
    let id = queued(local).await;
    let upload = Upload::new(crate::contract::data::pipe(CONTENT));
    local.upload_image(&id, upload).await.unwrap();
    add(local, &id, &web.url("/a.img")).await.unwrap();
    id
}

#[test]
fn a_location_that_is_removed_takes_its_data_along() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        let images = web.place.data().join("images");
        assert_eq!(
            kind(
                local
                    .update_image(&id, &ImagePatch::remove_locations(&[], &[0, 1]))
                    .await
            ),
            glance_tools::ErrorKind::Forbidden
        );
        assert_eq!(
            kind(
                local
                    .update_image(&id, &ImagePatch::remove_locations(&[], &[2]))
                    .await
            ),
            Invalid
        );
        assert!(files(&images).contains(&id));
        let image = local
            .update_image(&id, &ImagePatch::remove_locations(&[], &[0]))
            .await
            .unwrap();
        assert_eq!(image.locations.unwrap()[0].url, web.url("/a.img"));
        assert!(!files(&images).contains(&id));
        assert!(files(&web.place.data().join(".journal")).is_empty());
        assert_eq!(web.saved(&id).unwrap(), CONTENT, "from the web");
        local.delete_image(&id).await.unwrap();
    });
}

#[test]
fn copies_are_deleted_one_by_one() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        assert_eq!(kind(local.delete_from_store(&id, "slow").await), NotFound);
        local.delete_from_store(&id, "web").await.unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!(image.stores, Some(vec!["fast".to_string()]));
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
        let id = with_copy(&web, &local).await;
        local.delete_from_store(&id, "fast").await.unwrap();
        assert!(!files(&web.place.data().join("images")).contains(&id));
    });
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn killed_deletions_of_copies_lose_nothing_and_leave_nothing() {
    use crate::support::Random;
    use crate::support::tracer::{End, is_skipped, kill_before};
    const KILLS: usize = 60;
    if is_skipped() {
        return;
    }
    let web = Web::new();
    let images = web.place.data().join("images");
    let with_new_copy = || block_on(async { with_copy(&web, &web.place.open().await).await });
    let kill = |id: &str, number| {
        let mut command = web.place.command(crate::support::GLANCE);
        command.args(["stores-delete", "--store", "fast", id]);
        kill_before(&command, &web.place.data(), number, |_| true)
    };
    let (end, whole) = kill(&with_new_copy(), 0);
    assert_eq!(end, End::Exited(0));
    let mut random = Random::new(11);
    let mut deleted = 0;
    for _ in 0..KILLS {
        let id = with_new_copy();
        kill(&id, 1 + random.below(whole));
        // The next command clears what is left.
        let image = block_on(async { web.place.open().await.get_image(&id).await.unwrap() });
        let kept = image.stores.unwrap().contains(&"fast".to_string());
        assert_eq!(
            files(&images).contains(&id),
            kept,
            "the data are where the record says"
        );
        assert!(files(&web.place.data().join(".journal")).is_empty());
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
        deleted += usize::from(!kept);
    }
    assert!((1..KILLS).contains(&deleted), "{deleted} were deleted");
}

#[test]
fn deleted_copies_wait_for_the_scrubber_where_deletion_is_delayed() {
    let web = Web::configured("[DEFAULT]\ndelayed_delete = true\n");
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        local.delete_from_store(&id, "fast").await.unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!(image.stores, Some(vec!["web".to_string()]));
        assert!(files(&web.place.data().join("images")).contains(&id));
    });
}

#[test]
fn locations_are_in_the_order_of_their_stores_weights() {
    use futures_util::TryStreamExt;
    let web = Web::configured("[web]\nweight = 3\n");
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        let mut noted = location(&web.url("/a.img"));
        noted.metadata.insert("note".to_string(), json!("x"));
        let added = local.update_image(&id, &add_patch(noted)).await;
        let image = added.unwrap();
        assert_eq!(
            image.stores,
            Some(["web", "web", "fast"].map(str::to_string).to_vec())
        );
        let locations = image.locations.clone().unwrap();
        assert_eq!(locations[1].metadata["note"], json!("x"));
        let query = glance_tools::model::ImageQuery::default();
        let listed: Vec<Image> = local.list_images(query).try_concat().await.unwrap();
        assert_eq!(listed[0].locations, image.locations);
        // Positions are those of the record.
        let image = local
            .update_image(&id, &ImagePatch::remove_locations(&[], &[0, 2]))
            .await
            .unwrap();
        assert_eq!(image.locations, Some(vec![locations[1].clone()]));
    });
}

#[test]
fn a_location_that_another_caller_moved_is_removed_where_it_is() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        let mut noted = location(&web.url("/a.img"));
        noted.metadata.insert("note".to_string(), json!("x"));
        let added = local.update_image(&id, &add_patch(noted)).await;
        let known = added.unwrap().locations.unwrap();
        // Both callers read the same list.
        for positions in [[1], [2]] {
            let removed = local
                .update_image(&id, &ImagePatch::remove_locations(&known, &positions))
                .await;
            removed.unwrap();
        }
        let left = local.get_image(&id).await.unwrap().locations;
        assert_eq!(left, Some(vec![known[0].clone()]));
        let gone = [known.iter().position(|at| at.url != known[0].url).unwrap()];
        let removed = local
            .update_image(&id, &ImagePatch::remove_locations(&known, &gone))
            .await;
        assert_eq!(kind(removed), glance_tools::ErrorKind::Conflict);
    });
}

#[test]
fn what_waits_for_the_scrubber_is_not_cleared_as_left_behind() {
    let web = Web::configured("[DEFAULT]\ndelayed_delete = true\n");
    let images = web.place.data().join("images");
    block_on(async {
        let local = web.place.open().await;
        let (deleted, copied) = (with_copy(&web, &local).await, with_copy(&web, &local).await);
        local.delete_image(&deleted).await.unwrap();
        local.delete_from_store(&copied, "fast").await.unwrap();
        // As if both had been killed behind their last commit.
        for id in [&deleted, &copied] {
            let entry = web.place.data().join(format!(".journal/{id}.delete"));
            let url = format!("file://{}", images.join(id).display());
            std::fs::write(
                entry,
                json!({"version": 2, "data": [{"url": url, "store": "fast"}]}).to_string(),
            )
            .unwrap();
        }
        web.place.open().await;
        assert!(files(&images).contains(&deleted) && files(&images).contains(&copied));
        assert!(files(&web.place.data().join(".journal")).is_empty());
    });
}

#[test]
fn data_in_a_store_that_cannot_be_opened_is_not_forgotten() {
    let place = Place::new();
    place.configure(NAMED);
    let id = place.image("x", b"data");
    let database = place.data().join("glance.db");
    let script = format!(
        "import sqlite3; db = sqlite3.connect('{}'); \
         db.execute(\"update image_locations set value = 'swift://c/o'\"); db.commit()",
        database.display()
    );
    let changed = std::process::Command::new("python3")
        .args(["-c", &script])
        .status();
    assert!(changed.unwrap().success());
    let told = place.glance(&["image-delete", &id]).fails(1);
    assert!(
        told.contains("cannot be deleted: no store reads swift addresses"),
        "{told}"
    );
    let shown = place
        .glance(&["image", "show", &id, "-f", "value", "-c", "status"])
        .ok();
    assert_eq!(shown, "active\n");
}

#[test]
fn the_copy_of_most_weight_is_read() {
    let web = Web::new();
    block_on(async {
        let local = web.place.open().await;
        let id = with_copy(&web, &local).await;
        let image = local.get_image(&id).await.unwrap();
        let fast = web.place.data().join("images").join(&id);
        let url = format!("file://{}", fast.display());
        assert_eq!(
            image.direct_url.as_deref(),
            Some(&*url),
            "web has less than none"
        );
        let before = web.server.lines();
        assert!(
            local
                .open_image(&id, Reading::default())
                .await
                .unwrap()
                .source
                .is_some()
        );
        assert_eq!(web.server.lines(), before);
        let reading = Reading {
            prefer: vec!["web".to_string()],
            ..Reading::default()
        };
        local.open_image(&id, reading).await.unwrap();
        let read = vec!["GET /a.img".to_string()];
        assert_eq!(web.server.lines(), [before, read].concat());
        // Where the best copy is missing, the next one is as good.
        std::fs::remove_file(fast).unwrap();
        assert_eq!(web.saved(&id).unwrap(), CONTENT);
    });
}

#[test]
fn without_names_of_stores_there_are_web_servers_too() {
    let place = Place::new();
    let server = Server::start();
    serve(&server, "/a.img", CONTENT);
    let url = format!("{}/a.img", server.url());
    block_on(async {
        let local = place.open().await;
        let id = queued(&local).await;
        let refused = add(&local, &id, &url).await;
        assert_eq!(
            kind(refused),
            glance_tools::ErrorKind::Forbidden,
            "invisible"
        );
        local.register_location(&id, &url, None).await.unwrap();
        let image = local.get_image(&id).await.unwrap();
        assert_eq!((image.locations, image.stores), (None, None));
        assert_eq!(kind(local.delete_from_store(&id, "http").await), NotFound);
    });
    let shown = place.glance(&["image-list"]).ok();
    assert!(shown.contains('x'), "{shown}");
}

#[test]
fn the_commands_print_what_the_real_ones_print() {
    let web = Web::new();
    let id = web.place.image("x", b"");
    let id = id.trim();
    let words = [
        "image-create",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
    ];
    let made = web.place.glance(&words).ok();
    let queued = made.lines().find(|line| line.starts_with("| id ")).unwrap();
    let queued = queued.split('|').nth(2).unwrap().trim();
    let url = web.url("/a.img");
    let added = web
        .place
        .glance(&["location-add", "--url", &url, queued])
        .ok();
    for part in ["| file ", "| schema ", "| virtual_size ", "| None "] {
        assert!(added.contains(part), "{added}");
    }
    assert!(!added.contains("| self "));
    let metadata = ["--metadata", r#"{"n": "y"}"#];
    let words = ["location-update", queued, "--url", &url];
    let updated = web.place.glance(&[&words[..], &metadata[..]].concat()).ok();
    assert!(updated.contains(r#""n": "y""#), "{updated}");
    let emptied = web.place.glance(&words);
    assert!(
        emptied.stderr.contains("empty JSON object"),
        "{}",
        emptied.stderr
    );
    let wrong = web
        .place
        .glance(&["location-add", "--url", &url, "--metadata", "[1]", id]);
    assert!(wrong.fails(1).starts_with("HTTP 400 Bad Request: "));
    let only = web
        .place
        .glance(&["stores-delete", "--store", "fast", id])
        .fails(1);
    assert!(
        only.contains(&format!(
            "Unable to delete image '{id}' from store 'fast'. (HTTP 403"
        )),
        "{only}"
    );
    let missing = web
        .place
        .glance(&["stores-delete", "--store", "fast", "nowhere"])
        .fails(1);
    assert!(missing.starts_with("Multi Backend support is not enabled or Image/store not found."));
}

#[test]
fn locations_are_changed_with_other_attributes_or_not_at_all() {
    let web = Web::new();
    let images = web.place.data().join("images");
    let remove = |position| Change::RemoveLocation {
        position,
        known: None,
    };
    let add_at = |position, path: &str| Change::AddLocation {
        position,
        value: location(&web.url(path)).into(),
    };
    block_on(async {
        let local = web.place.open().await;
        // A queued image becomes active by its first location, in the order of the operations.
        let id = queued(&local).await;
        let patch = ImagePatch::from([
            add_at(Position::End, "/a.img"),
            Change::replace("disk_format", "iso"),
        ]);
        assert_eq!(kind(local.update_image(&id, &patch).await), Forbidden);
        assert_eq!(web.server.lines(), [] as [&str; 0], "nothing was looked up");
        let patch = ImagePatch::from([
            Change::replace("disk_format", "iso"),
            Change::add("a", "1"),
            Change::add_tag("t"),
            add_at(Position::End, "/a.img"),
            add_at(Position::At(0), "/a.img?first"),
            remove(Position::End),
        ]);
        let image = local.update_image(&id, &patch).await.unwrap();
        assert_eq!((image.status, image.size), (ImageStatus::Active, Some(10)));
        let urls: Vec<String> = image
            .locations
            .iter()
            .flatten()
            .map(|at| at.url.clone())
            .collect();
        assert_eq!(urls, [web.url("/a.img?first")]);
        assert_eq!(image.disk_format.as_deref(), Some("iso"));
        assert_eq!(
            (image.property("a"), &image.tags[..]),
            (Some("1"), &["t".to_string()][..])
        );
        assert_eq!(local.get_image(&id).await.unwrap(), image);

        // Data of a removed location is there until everything is recorded.
        let id = with_copy(&web, &local).await;
        let before = local.get_image(&id).await.unwrap();
        for last in [
            Change::replace("absent", "x"),
            remove(Position::At(7)),
            remove(Position::End),
            add_at(Position::End, "/nothing"),
            add_at(Position::End, "/a.img"),
        ] {
            let patch = ImagePatch::from([
                Change::replace("name", "half"),
                remove(Position::At(0)),
                last.clone(),
            ]);
            assert!(local.update_image(&id, &patch).await.is_err(), "{last:?}");
            assert_eq!(local.get_image(&id).await.unwrap(), before, "{last:?}");
            assert!(files(&images).contains(&id));
            assert!(files(&web.place.data().join(".journal")).is_empty());
        }
        let patch = ImagePatch::from([
            Change::replace("name", "after"),
            remove(Position::At(0)),
            add_at(Position::At(0), "/a.img?second"),
        ]);
        let image = local.update_image(&id, &patch).await.unwrap();
        assert_eq!(image.name.as_deref(), Some("after"));
        assert_eq!(image.stores, Some(vec!["web".to_string(); 2]));
        assert!(!files(&images).contains(&id));
        assert!(files(&web.place.data().join(".journal")).is_empty());
        assert_eq!(local.get_image(&id).await.unwrap(), image);
    });
}

#[test]
fn hashes_of_several_locations_agree() {
    let web = Web::new();
    let said = |value: &str| ValidationData {
        checksum: None,
        os_hash_algo: Some("sha512".to_string()),
        os_hash_value: Some(value.repeat(128)),
    };
    let value = |path: &str, hash: &str| LocationValue {
        location: location(&web.url(path)),
        validation: said(hash),
    };
    block_on(async {
        let local = web.place.open().await;
        let id = queued(&local).await;
        let both = |first, second| {
            let values = vec![value("/a.img", first), value("/a.img?", second)];
            ImagePatch::from(Change::ReplaceLocations { values })
        };
        let differing = local.update_image(&id, &both("a", "b")).await;
        assert_eq!(kind(differing), Conflict);
        let image = local.update_image(&id, &both("a", "a")).await.unwrap();
        assert_eq!(image.hash.unwrap().value, "a".repeat(128));
    });
}
