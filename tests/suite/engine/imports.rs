//! Imports by the programs: web servers that attack, deaths in every phase, plugins, and waiting.

use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::glance::{Server, TOKEN};
use crate::support::http::{self, Answer, Exchange, Then};
use crate::support::{GLANCE, Place, Random, Run, assert_consistent, block_on, files};

/// A data directory that fetches from this machine, whatever the port, and nothing larger than 1 MiB.
fn place() -> Place {
    configured("")
}

/// The same, with more configuration.
fn configured(more: &str) -> Place {
    let place = Place::new();
    place.configure(&format!(
        "[DEFAULT]\nimage_size_cap = 1048576\nenabled_backends = fast:file, slow:file\n\
         [glance_store]\ndefault_backend = fast\n[fast]\nfilesystem_store_datadir = images\n\
         [slow]\nfilesystem_store_datadir = images2\n\
         [import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n{more}\n"
    ));
    place
}

/// A queued image; its id.
fn queued(place: &Place, disk_format: &str) -> String {
    let words = [
        "image-create",
        "--disk-format",
        disk_format,
        "--container-format",
        "bare",
    ];
    field(&place.glance(&words).ok(), "id")
}

/// A row of a table of the first grammar.
fn field(table: &str, name: &str) -> String {
    let cells = table
        .lines()
        .map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let mut rows = cells.filter(|cells| cells.get(1) == Some(&name));
    rows.next()
        .unwrap_or_else(|| panic!("no {name} in {table}"))[2]
        .to_string()
}

fn shown(place: &Place, id: &str) -> Value {
    let words = ["image", "show", id, "-f", "json"];
    serde_json::from_str(&place.glance(&words).ok()).unwrap()
}

/// The words of a web-download in the first grammar.
fn fetching<'a>(id: &'a str, uri: &'a str) -> [&'a str; 6] {
    [
        "image-import",
        "--import-method",
        "web-download",
        "--uri",
        uri,
        id,
    ]
}

fn fetch(place: &Place, id: &str, uri: &str) -> Run {
    place.glance(&fetching(id, uri))
}

/// Nothing of an import is left, and the image is queued.
#[track_caller]
fn assert_undone(place: &Place, id: &str) {
    assert_undone_beside(place, id, 0);
}

/// The same, beside the data of so many other images.
#[track_caller]
fn assert_undone_beside(place: &Place, id: &str, others: usize) {
    assert_eq!(shown(place, id)["status"], "queued");
    assert_eq!(files(&place.data().join("images")).len(), others);
    for directory in ["staging", "images2", ".journal"] {
        let left = files(&place.data().join(directory));
        assert!(left.is_empty(), "{directory}: {left:?}");
    }
}

/// What a hostile server does with a request, and what is said of it.
type Attack = (&'static str, Box<http::Handler>, &'static str);

/// Writes bytes and closes the connection.
fn says(bytes: impl Into<Vec<u8>>) -> Box<http::Handler> {
    let bytes = bytes.into();
    Box::new(move |exchange| {
        exchange.write(&bytes);
        Then::Close
    })
}

/// Writes `head`, then `block` until the client closes the connection.
fn repeats(head: &'static str, block: Vec<u8>) -> Box<http::Handler> {
    Box::new(move |exchange| {
        exchange.write(head.as_bytes());
        while exchange.write(&block) {}
        Then::Close
    })
}

fn answers(status: u16) -> Answer {
    Answer::new(status, "text/plain", "no")
}

fn leads_to(to: &str) -> Box<http::Handler> {
    says(Answer::empty(302).with("Location", to).bytes())
}

#[test]
fn hostile_web_servers_are_refused_or_bounded_each_with_its_line() {
    let data = "HTTP/1.1 200 OK\r\n\r\n";
    let endless = repeats(data, vec![7; 8192]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"2000\r\n", &[7; 8192][..], b"\r\n"].concat();
    let chunks = repeats(chunked, chunk);
    let field = b"X-More: and more and more and more\r\n";
    let head = repeats("HTTP/1.1 200 OK\r\n", field.to_vec());
    let hops = AtomicU64::new(0);
    let for_ever = move |exchange: &mut Exchange| {
        let hop = hops.fetch_add(1, Ordering::Relaxed);
        exchange.send(&Answer::empty(302).with("Location", &format!("/{hop}")))
    };
    let filter = "does not pass filtering";
    let attacks: Vec<Attack> = vec![
        (
            "a redirect to localhost",
            leads_to("http://localhost/x"),
            filter,
        ),
        (
            "a redirect to IPv6's loopback",
            leads_to("http://[::1]/x"),
            filter,
        ),
        (
            "a redirect to IPv4's in IPv6",
            leads_to("http://[::ffff:127.0.0.1]/x"),
            filter,
        ),
        (
            "a redirect to a short address",
            leads_to("http://127.1/x"),
            filter,
        ),
        (
            "a redirect to a hexadecimal one",
            leads_to("http://0x7f000001/x"),
            filter,
        ),
        (
            "a redirect to a decimal one",
            leads_to("http://2130706433/x"),
            filter,
        ),
        (
            "a redirect to an octal one",
            leads_to("http://0177.0.0.1/x"),
            filter,
        ),
        (
            "a redirect to a private one",
            leads_to("http://10.0.0.1/x"),
            filter,
        ),
        (
            "a redirect to another private one",
            leads_to("//192.168.0.1/x"),
            filter,
        ),
        (
            "a redirect to the metadata service",
            leads_to("http://169.254.169.254/latest"),
            filter,
        ),
        (
            "a redirect to every address",
            leads_to("http://0.0.0.0/x"),
            filter,
        ),
        (
            "a redirect to a group",
            leads_to("http://224.0.0.1/x"),
            filter,
        ),
        (
            "a redirect to a file",
            leads_to("file:///etc/passwd"),
            filter,
        ),
        ("a redirect to FTP", leads_to("ftp://127.0.0.1/x"), filter),
        (
            "a redirect to gopher",
            leads_to("gopher://127.0.0.1/x"),
            filter,
        ),
        (
            "a redirect with a password",
            leads_to("http://u:sesame@127.0.0.1/x"),
            filter,
        ),
        ("a redirect to no host", leads_to("http:///x"), filter),
        ("a redirect to nonsense", leads_to("http://[/x"), filter),
        (
            "a redirect to nowhere",
            says(Answer::empty(302).bytes()),
            "without a location",
        ),
        (
            "redirects without an end",
            Box::new(for_ever),
            "exceeds the limit of",
        ),
        ("not found", says(answers(404).bytes()), "404"),
        ("an error", says(answers(500).bytes()), "500"),
        (
            "a part",
            says(answers(206).with("Content-Range", "bytes 0-1/9").bytes()),
            "206",
        ),
        ("nothing", says(""), "cannot be fetched"),
        ("garbage", says([0; 500]), "cannot be fetched"),
        ("half a head", says("HTTP/1.1 200"), "cannot be fetched"),
        ("a head without an end", head, "cannot be fetched"),
        (
            "less than promised",
            says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless"),
            "cannot be fetched",
        ),
        (
            "two lengths",
            says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nless"),
            "cannot be fetched",
        ),
        (
            "more than fits, promised",
            says("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx"),
            "too large",
        ),
        ("a body without an end", endless, "too large"),
        ("chunks without an end", chunks, "too large"),
        (
            "a chunk of no size",
            says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nno\r\n"),
            "cannot be fetched",
        ),
    ];
    assert!(attacks.len() >= 30);
    let place = place();
    for (name, attack, line) in attacks {
        let web = http::Server::start(attack);
        let id = queued(&place, "raw");
        let began = Instant::now();
        let run = fetch(&place, &id, &web.url("/x"));
        assert!(began.elapsed() < Duration::from_secs(15), "{name}");
        let said = run.fails(1);
        assert!(said.contains(line), "{name}: {said}");
        assert!(!said.contains("sesame"), "{name}: {said}");
        let lines: Vec<&str> = said.lines().collect();
        assert!(
            lines.len() <= 2 && lines.iter().skip(1).all(|line| line.starts_with("Hint: ")),
            "{name}: {said}"
        );
        assert_undone(&place, &id);
        let told = place.glance(&["image-tasks", &id]).ok();
        assert!(told.contains("failure"), "{name}: {told}");
        place.glance(&["image-delete", &id]).ok();
    }
}

#[test]
fn addresses_that_are_not_allowed_are_not_asked() {
    let place = Place::new();
    let web = http::Server::serving(b"inside");
    let id = queued(&place, "raw");
    let port = web.port();
    for uri in [
        format!("http://127.0.0.1:{port}/x"),
        format!("http://localhost:{port}/x"),
        "http://127.0.0.1/x".to_string(),
        "http://localhost/x".to_string(),
        "http://[::1]/x".to_string(),
        "file:///etc/passwd".to_string(),
        "http://user:sesame@127.0.0.1/x".to_string(),
    ] {
        let said = fetch(&place, &id, &uri).fails(1);
        assert!(said.contains("does not pass filtering"), "{uri}: {said}");
        assert!(!said.contains("sesame"), "{said}");
    }
    assert_eq!(web.lines(), Vec::<String>::new());
    assert_eq!(shown(&place, &id)["status"], "queued");
}

#[test]
fn a_redirect_to_what_is_allowed_is_followed() {
    let place = place();
    let web = http::Server::answering(|target| match target {
        "/a" => Answer::empty(301).with("Location", "b?q=1"),
        "/b?q=1" => Answer::new(200, "application/octet-stream", "at last"),
        _ => Answer::empty(404),
    });
    let id = queued(&place, "raw");
    fetch(&place, &id, &web.url("/a")).ok();
    assert_eq!(web.lines(), ["GET /a", "GET /b?q=1"]);
    let saved = place.file("saved");
    place
        .glance(&["image-download", "--file", saved.to_str().unwrap(), &id])
        .ok();
    assert_eq!(std::fs::read(saved).unwrap(), b"at last");
}

#[test]
fn what_is_printed_is_the_image_as_the_import_began_unless_it_is_waited_for() {
    let place = place();
    let web = http::Server::serving(b"data");
    let id = queued(&place, "raw");
    let printed = fetch(&place, &id, &web.url("/x")).ok();
    assert_eq!(field(&printed, "status"), "importing");
    let task = field(&printed, "os_glance_import_task");
    assert_eq!(shown(&place, &id)["status"], "active");
    let told = place.glance(&["task-show", &task]).ok();
    assert_eq!(field(&told, "status"), "success");

    let id = queued(&place, "raw");
    let uri = web.url("/x");
    let words = [&fetching(&id, &uri)[..], &["--wait"]].concat();
    let printed = place.glance(&words).ok();
    assert_eq!(field(&printed, "status"), "active");
    let id = queued(&place, "raw");
    let words = [
        "image",
        "import",
        "--method",
        "web-download",
        "--uri",
        &uri,
        "--wait",
        &id,
    ];
    assert_eq!(field(&place.glance(&words).ok(), "status"), "active");
}

#[test]
fn a_gzip_is_unwrapped_and_converted_where_that_is_configured() {
    let place = configured(
        "[image_import_opts]\nimage_import_plugins = [image_decompression, image_conversion, inject_image_metadata]\n\
         [image_conversion]\noutput_format = qcow2\n\
         [inject_metadata_properties]\ninject = made_by:us, os_glance_x:never\nignore_user_roles = nobody",
    );
    let raw = place.write("disk.raw", vec![9_u8; 65536]);
    let zipped = std::process::Command::new("gzip").arg(&raw).status();
    assert!(zipped.unwrap().success());
    let zipped = place.file("disk.raw.gz");
    let words = [
        "image-create-via-import",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "--wait",
        "--file",
        zipped.to_str().unwrap(),
        "--name",
        "n",
    ];
    let printed = place.glance(&words).ok();
    assert_eq!(field(&printed, "status"), "active");
    assert_eq!(field(&printed, "disk_format"), "qcow2");
    assert_eq!(field(&printed, "virtual_size"), "65536");
    assert_eq!(field(&printed, "made_by"), "us");
    assert!(!printed.contains("os_glance_x"));
    assert_eq!(files(&place.data().join("staging")).len(), 0);
    let id = field(&printed, "id");
    let saved = place.file("saved.qcow2");
    place
        .glance(&["image-download", "--file", saved.to_str().unwrap(), &id])
        .ok();
    let back = place.file("back.raw");
    let done = std::process::Command::new("qemu-img")
        .args(["convert", "-f", "qcow2", "-O", "raw"])
        .args([&saved, &back])
        .status();
    assert!(done.unwrap().success());
    assert!(std::fs::read(back).unwrap() == vec![9_u8; 65536]);
}

#[test]
fn data_that_cannot_be_unwrapped_or_converted_is_refused() {
    let place = configured(
        "[image_import_opts]\nimage_import_plugins = [image_decompression, image_conversion]\n\
         [image_conversion]\noutput_format = qcow2",
    );
    // A bomb: 100 MiB of nothing in 100 KiB, where 1 MiB is the most.
    let bomb = place.file("bomb");
    std::fs::write(&bomb, vec![0_u8; 100 << 20]).unwrap();
    assert!(
        std::process::Command::new("gzip")
            .arg(&bomb)
            .status()
            .unwrap()
            .success()
    );
    let bomb = std::fs::read(place.file("bomb.gz")).unwrap();
    let broken: Vec<u8> = bomb.iter().take(500).copied().collect();
    let cases = [
        ("a bomb", "raw", bomb, "too large"),
        ("half a gzip", "raw", broken, "cannot be decompressed"),
        (
            "no zip",
            "raw",
            b"PK\x03\x04 no zip at all".to_vec(),
            "cannot be decompressed",
        ),
        ("no qcow2", "qcow2", b"no qcow2".to_vec(), "qcow2"),
        ("no vmdk", "vmdk", b"no vmdk".to_vec(), "vmdk"),
        (
            "no converter",
            "ploop",
            b"anything".to_vec(),
            "cannot be converted",
        ),
    ];
    for (name, format, content, line) in cases {
        let web = http::Server::serving(&content);
        let id = queued(&place, format);
        let said = fetch(&place, &id, &web.url("/x")).fails(1);
        assert!(said.contains(line), "{name}: {said}");
        assert_undone(&place, &id);
        place.glance(&["image-delete", &id]).ok();
    }
}

/// Spawns a command and kills it after up to `most` microseconds.
fn kill_within(random: &mut Random, place: &Place, words: &[&str], most: u64) {
    let mut command = place.command(GLANCE);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // The moment is what is random here; nothing waits for anything.
    std::thread::sleep(Duration::from_micros(random.below(most)));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn imports_that_are_killed_are_undone_or_done_by_the_next_command() {
    let place = configured("[image_import_opts]\nimage_import_plugins = [image_decompression]");
    let mut random = Random::new(11);
    let content = random.bytes(900_000);
    let file = place.write("a.img", &content);
    let file = file.to_str().unwrap();
    let web = http::Server::serving(&content);
    let uri = web.url("/x");
    let began = Instant::now();
    let id = queued(&place, "raw");
    place.glance(&["image-stage", "--file", file, &id]).ok();
    place
        .glance(&["image-import", "--all-stores", "True", &id])
        .ok();
    let whole = u64::try_from(began.elapsed().as_micros()).unwrap();
    place.glance(&["image-delete", &id]).ok();
    let mut one = place.image("one", &content);

    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for round in 0..240 {
        let id = queued(&place, "raw");
        match round % 4 {
            0 => kill_within(
                &mut random,
                &place,
                &["image-stage", "--file", file, &id],
                whole / 2,
            ),
            1 => {
                place.glance(&["image-stage", "--file", file, &id]).ok();
                let some = if round % 8 == 1 { "True" } else { "False" };
                let words = [
                    "image-import",
                    "--all-stores",
                    "True",
                    "--allow-failure",
                    some,
                    &id,
                ];
                kill_within(&mut random, &place, &words, whole);
            }
            2 => {
                let words = fetching(&id, &uri);
                kill_within(&mut random, &place, &words, whole);
            }
            _ => {
                let words = [
                    "image-import",
                    "--import-method",
                    "copy-image",
                    "--stores",
                    "slow",
                    &one,
                ];
                kill_within(&mut random, &place, &words, whole);
                let image = shown(&place, &one);
                assert_eq!(image["status"], "active");
                let copy = place.data().join("images2").join(&one);
                let stores = image["properties"]["stores"].as_str().unwrap().to_string();
                assert_eq!(
                    stores.contains("slow"),
                    copy.exists(),
                    "round {round}: {stores}"
                );
                if copy.exists() {
                    assert!(std::fs::read(copy).unwrap() == content);
                    place.glance(&["image-delete", &one]).ok();
                    one = place.image("one", &content);
                }
            }
        }
        let image = shown(&place, &id);
        let status = image["status"].as_str().unwrap().to_string();
        assert!(
            image["properties"].get("os_glance_import_task").is_none(),
            "round {round}: {image}"
        );
        let staged = files(&place.data().join("staging"));
        match status.as_str() {
            "queued" | "active" => assert!(staged.is_empty(), "round {round}: {staged:?}"),
            "uploading" => {
                // All of it is there, and can be imported.
                assert_eq!(image["size"], content.len());
                place.glance(&["image-import", &id]).ok();
            }
            other => panic!("round {round}: {other}"),
        }
        *seen.entry(status).or_default() += 1;
        // What a store has is what the record says, and whole.
        let stores = shown(&place, &id)["properties"]["stores"].to_string();
        for (store, directory) in [("fast", "images"), ("slow", "images2")] {
            let data = std::fs::read(place.data().join(directory).join(&id)).ok();
            assert_eq!(
                data.is_some(),
                stores.contains(store),
                "round {round}: {stores}"
            );
            assert!(
                data.is_none_or(|data| data == content),
                "round {round}: {store}"
            );
        }
        place.glance(&["image-delete", &id]).ok();
        let tasks = place.glance(&["task-list", "--status", "processing"]).ok();
        assert_eq!(tasks.lines().count(), 4, "round {round}: {tasks}");
    }
    assert!(seen.len() == 3, "not every phase was hit: {seen:?}");
    place.glance(&["image-delete", &one]).ok();
    for directory in ["staging", "images2", ".journal"] {
        let left = files(&place.data().join(directory));
        assert!(left.is_empty(), "{directory}: {left:?}");
    }
    block_on(assert_consistent(&place));
}

#[test]
fn two_imports_of_an_image_do_not_meet() {
    let place = place();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let web = http::Server::start(move |exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nda");
        let _ = wait.lock().unwrap().recv_timeout(Duration::from_secs(30));
        exchange.write(b"ta");
        Then::Close
    });
    let id = queued(&place, "raw");
    let uri = web.url("/x");
    let words = fetching(&id, &uri);
    let mut command = place.command(GLANCE);
    command
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let first = command.spawn().unwrap();
    while web.lines().is_empty() {
        std::thread::yield_now();
    }
    // It is under way, and its owner lives: nobody undoes it, and nobody else may.
    assert_eq!(shown(&place, &id)["status"], "importing");
    let said = place.glance(&words).fails(1);
    assert!(
        said.contains("active task") || said.contains("'queued'"),
        "{said}"
    );
    let said = place
        .glance(&["image-upload", "--file", "/dev/null", &id])
        .fails(1);
    assert!(said.contains("409"), "{said}");
    go.send(()).unwrap();
    let first = Run::of(first.wait_with_output().unwrap());
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(shown(&place, &id)["status"], "active");
}

#[test]
fn an_image_of_a_cloud_is_downloaded_with_what_is_to_be_taken_over() {
    let place = Place::new();
    place.configure("[DEFAULT]\nenabled_import_methods = [glance-download]\n");
    let server = Server::start();
    let theirs = server.image("theirs", "from afar");
    server.set(&theirs, "hw_disk_bus", "virtio");
    server.set(&theirs, "secret", "theirs alone");
    let download = |id: &str, of: &str| {
        let mut command = place.command(GLANCE);
        command
            .args(["image-import", "--import-method", "glance-download"])
            .args(["--remote-region", "R", "--remote-image-id", of, id])
            .env("OS_AUTH_TOKEN", TOKEN)
            .env("OS_IMAGE_URL", server.url());
        Run::of(command.output().unwrap())
    };
    let words = ["image", "create", "ours", "-f", "value", "-c", "id"];
    let id = place.glance(&words).ok().trim().to_string();
    download(&id, &theirs).ok();
    let image = shown(&place, &id);
    assert_eq!(
        (&image["status"], &image["size"]),
        (&"active".into(), &9.into())
    );
    assert_eq!(image["properties"]["hw_disk_bus"], "virtio");
    assert_eq!(image["properties"].get("secret"), None);
    let saved = place.file("saved");
    let words = ["image-download", "--file", saved.to_str().unwrap(), &id];
    place.glance(&words).ok();
    assert_eq!(std::fs::read(saved).unwrap(), b"from afar");

    // What is not what its record says is not taken.
    let wrong = server.image("wrong", "as recorded");
    server.state().find(&wrong).unwrap().data = Some(b"as received".to_vec());
    let words = ["image", "create", "other", "-f", "value", "-c", "id"];
    let id = place.glance(&words).ok().trim().to_string();
    let said = download(&id, &wrong).fails(1);
    assert!(said.contains("does not match its record"), "{said}");
    assert_undone_beside(&place, &id, 1);
    // Without a cloud there is nothing to download from.
    let words = [
        "image-import",
        "--import-method",
        "glance-download",
        "--remote-region",
        "R",
    ];
    let words = [&words[..], &["--remote-image-id", &theirs, &id]].concat();
    place.glance(&words).fails(1);
    assert_undone_beside(&place, &id, 1);
}

#[test]
fn a_task_of_the_older_kind_makes_an_image() {
    let place = place();
    let web = http::Server::serving(b"data");
    let ask = |uri: &str| {
        let input = serde_json::json!({"import_from": uri, "import_from_format": "raw",
            "image_properties": {"name": "made", "p": "v"}});
        let words = [
            "task-create",
            "--type",
            "import",
            "--input",
            &input.to_string(),
        ];
        let printed = place.glance(&words).ok();
        assert_eq!(field(&printed, "status"), "pending");
        let told = place.glance(&["task-show", &field(&printed, "id")]).ok();
        (field(&told, "status"), told)
    };
    let (status, told) = ask(&web.url("/x"));
    assert_eq!(status, "success");
    let id = field(&told, "image_id");
    let image = shown(&place, &id);
    assert_eq!(
        (&image["name"], &image["status"]),
        (&"made".into(), &"active".into())
    );
    assert_eq!(image["properties"]["p"], "v");
    place.glance(&["image-delete", &id]).ok();

    let (status, told) = ask("http://127.0.0.1:1/x");
    assert_eq!(status, "failure", "{told}");
    assert!(told.contains("cannot be"), "{told}");
    let listed = place.glance(&["image", "list", "-f", "value"]).ok();
    assert_eq!(listed.trim(), "", "nothing is left half made");
    let words = [
        "task-create",
        "--type",
        "import",
        "--input",
        "{\"import_from\": \"file:///etc/passwd\"}",
    ];
    place.glance(&words).fails(1);
}

#[test]
fn the_second_grammar_deletes_one_copy_too() {
    let place = place();
    let id = place.image("twice", b"data");
    let words = [
        "image-import",
        "--import-method",
        "copy-image",
        "--stores",
        "slow",
        &id,
    ];
    place.glance(&words).ok();
    assert_eq!(shown(&place, &id)["properties"]["stores"], "fast,slow");
    place
        .glance(&["image", "delete", "--store", "fast", "twice"])
        .ok();
    assert_eq!(shown(&place, &id)["properties"]["stores"], "slow");
    assert!(!place.data().join("images").join(&id).exists());
    // The last one goes with the image alone, and a store that there is not holds nothing.
    for store in ["slow", "nowhere"] {
        let said = place
            .glance(&["image", "delete", "--store", store, "twice"])
            .fails(1);
        assert!(said.contains("Failed to delete 1 of 1 images."), "{said}");
    }
    assert_eq!(shown(&place, &id)["status"], "active");
}
