//! Notifications on a real RabbitMQ: as upstream's sender sends them, read by upstream's receiver, and what is lost when
//! the broker is not there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use glance_tools::config::Settings;
use glance_tools::local::{Engine, Local};
use glance_tools::model::Caller;
use serde_json::{Value, json};

use crate::contract::raw_image;
use crate::support::api::Api;
use crate::support::rabbitmq::{Broker, listen, send, take};
use crate::support::{Place, block_on};

/// A configuration that sends notifications.
fn configuration(url: &str, driver: &str, more: &str) -> String {
    format!(
        "[DEFAULT]\ntransport_url = {url}\ndefault_publisher_id = image.host\n\
         [oslo_messaging_notifications]\ndriver = {driver}\n{more}"
    )
}

/// The form of a value: that of an object has its keys in their order, and short texts are part of it.
fn form(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let all = fields.iter();
            all.map(|(key, value)| json!([key, form(value)])).collect()
        }
        // Times and IDs differ.
        Value::String(text) if text.len() >= 19 => {
            let shape = |letter: char| match letter {
                letter if letter.is_ascii_hexdigit() => 'x',
                letter => letter,
            };
            Value::String(text.chars().map(shape).collect())
        }
        other => other.clone(),
    }
}

/// The form of what `take` returns: of the properties, the place, and the body; of a body in its envelope also the form
/// of the message in it.
fn forms(taken: &[Value]) -> Vec<Value> {
    let of = |message: &Value| {
        let body: Value = serde_json::from_str(message[2].as_str().unwrap()).unwrap();
        let Some(inner) = body.get("oslo.message") else {
            return json!([message[0], message[1], form(&body)]);
        };
        let inner: Value = serde_json::from_str(inner.as_str().unwrap()).unwrap();
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        json!([
            message[0],
            message[1],
            keys,
            body["oslo.version"],
            form(&inner)
        ])
    };
    taken.iter().map(of).collect()
}

#[test]
fn messages_and_queues_are_those_of_upstreams_sender() {
    let broker = Broker::start();
    let rabbit = |lines: &str| format!("[oslo_messaging_rabbit]\n{lines}");
    let cases = [
        ("messagingv2", String::new()),
        ("messaging", "topics = notifications, other\n".to_string()),
        (
            "messagingv2",
            rabbit("amqp_durable_queues = true\namqp_auto_delete = true\n"),
        ),
        (
            "messagingv2",
            rabbit("rabbit_quorum_queue = true\nrabbit_quorum_delivery_limit = 3\n"),
        ),
        (
            "messagingv2",
            rabbit("rabbit_login_method = PLAIN\nrabbit_ha_queues = true\n"),
        ),
    ];
    for (number, (driver, more)) in cases.into_iter().enumerate() {
        let (ours, theirs) = (format!("ours{number}"), format!("theirs{number}"));
        let (our_url, their_url) = (broker.virtual_host(&ours), broker.virtual_host(&theirs));
        let place = Place::new();
        place.configure(&configuration(&our_url, driver, &more));
        place.image("é\"x", b"data");
        let taken = take(&our_url, "notifications.info");
        let names = event_types(&taken);
        assert_eq!(
            names,
            [
                "image.create",
                "image.update",
                "image.prepare",
                "image.upload",
                "image.activate",
                "image.update"
            ],
            "{driver} {more}"
        );
        let first: Value = inner(&taken[0]);
        let file = place.write("theirs.conf", configuration(&their_url, driver, &more));
        send(&file, "image.create", &first["payload"]);
        let also = take(&their_url, "notifications.info");
        assert_eq!(forms(&taken[..1]), forms(&also), "{driver} {more}");
        let renamed = |declared: Vec<String>| -> Vec<String> {
            let declared = declared.iter();
            declared
                .map(|line| line.replace("theirs", "ours"))
                .collect()
        };
        assert_eq!(
            renamed(broker.declared(&ours)),
            renamed(broker.declared(&theirs)),
            "{driver} {more}"
        );
    }
}

/// The message of what `take` returns.
fn inner(taken: &Value) -> Value {
    let body: Value = serde_json::from_str(taken[2].as_str().unwrap()).unwrap();
    match body.get("oslo.message") {
        Some(inner) => serde_json::from_str(inner.as_str().unwrap()).unwrap(),
        None => body,
    }
}

fn event_types(taken: &[Value]) -> Vec<String> {
    let names = taken.iter().map(|taken| inner(taken)["event_type"].clone());
    names
        .map(|name| name.as_str().unwrap().to_string())
        .collect()
}

#[test]
fn upstreams_listener_reads_the_events_of_the_service() {
    let broker = Broker::start();
    let url = broker.virtual_host("v");
    let place = Place::new();
    place.configure(&configuration(&url, "messagingv2", "").replace(
        "[DEFAULT]\n",
        "[DEFAULT]\ndisabled_notifications = image.member, metadef_tag.create\n",
    ));
    let api = Api::start(&place);
    let json_body = ["-H", "content-type: application/json", "-d"];
    let post =
        |body: &str, target: &str| api.curl(&place, &[&json_body[..], &[body]].concat(), target);
    let new = r#"{"name": "x", "disk_format": "raw", "container_format": "bare", "visibility": "shared"}"#;
    let image: Value = serde_json::from_str(&post(new, "/v2/images")).unwrap();
    let id = image["id"].as_str().unwrap();
    let file = format!("/v2/images/{id}/file");
    let octets = ["-H", "content-type: application/octet-stream", "-T-"];
    // Without formats nothing is stored, and nothing has begun; more than is declared is refused.
    let data = place.write("data", b"0123456789");
    let put = ["-X", "PUT", octets[0], octets[1], "--data-binary"];
    api.curl(
        &place,
        &[&put[..], &[&format!("@{}", data.display())]].concat(),
        &file,
    );
    assert_eq!(api.curl(&place, &[], &file), "0123456789");
    assert_eq!(api.curl(&place, &["-r", "2-4"], &file), "234");
    post(
        r#"{"member": "other"}"#,
        &format!("/v2/images/{id}/members"),
    );
    post(r#"{"namespace": "N"}"#, "/v2/metadefs/namespaces");
    api.curl(&place, &["-X", "POST"], "/v2/metadefs/namespaces/N/tags/t");
    api.curl(&place, &["-X", "DELETE"], &format!("/v2/images/{id}"));
    let took = api.stop();
    assert!(took < Duration::from_secs(4), "{took:?}");
    let expected = [
        "image.create",
        "image.update",
        "image.prepare",
        "image.upload",
        "image.activate",
        "image.update",
        "image.send",
        "image.send",
        "metadef_namespace.create",
        "image.delete",
    ];
    let received = listen(&url, expected.len(), &[]);
    let names: Vec<&str> = received
        .iter()
        .map(|one| one[3].as_str().unwrap())
        .collect();
    assert_eq!(names, expected);
    for one in &received {
        assert_eq!((&one[0], &one[2]), (&json!("info"), &json!("image.host")));
    }
    let sent: Vec<&Value> = received.iter().map(|one| &one[4]).skip(6).take(2).collect();
    assert_eq!(
        (&sent[0]["bytes_sent"], &sent[1]["bytes_sent"]),
        (&json!(10), &json!(3))
    );
    let keys: Vec<&String> = sent[0].as_object().unwrap().keys().collect();
    let theirs = [
        "bytes_sent",
        "image_id",
        "owner_id",
        "receiver_tenant_id",
        "receiver_user_id",
    ];
    assert_eq!(keys, theirs);
    assert_eq!(sent[0]["image_id"], id);
    assert_eq!(received[9][4]["deleted"], true);
    assert!(take(&url, "notifications.info").is_empty());
}

/// The engine of a data directory.
async fn engine(place: &Place) -> (Arc<Engine>, Local) {
    let settings = Settings::for_data_dir(&place.data()).unwrap();
    let engine = Engine::open(settings).await.unwrap();
    let local = engine.act_as(Caller::parse("demo:member:u").unwrap());
    (engine, local)
}

/// Creates images, each of which MUST take less than a second.
async fn create(local: &Local, count: usize) {
    for number in 0..count {
        let began = Instant::now();
        raw_image(local, &number.to_string()).await;
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn no_event_is_lost_while_the_broker_is_away() {
    let broker = Broker::start();
    let place = Place::new();
    let url = broker.virtual_host("v");
    let more = "[oslo_messaging_rabbit]\namqp_durable_queues = true\nrabbit_retry_backoff = 0\n";
    place.configure(&configuration(&url, "messagingv2", more));
    block_on(async {
        let (engine, local) = engine(&place).await;
        create(&local, 5).await;
        engine.finish().await;
        broker.kill();
        create(&local, 200).await;
        broker.start_again();
        let end = Instant::now() + Duration::from_mins(1);
        // A wait without success is not repeated: the broker itself is asked.
        while messages(&broker) < 205 {
            assert!(Instant::now() < end, "{} arrived", messages(&broker));
        }
        create(&local, 1).await;
        engine.close().await.unwrap();
    });
    let taken = take(&url, "notifications.info");
    let mut ids: Vec<Value> = taken
        .iter()
        .map(|one| inner(one)["message_id"].clone())
        .collect();
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 206);
}

/// The number of messages in the queues of the virtual host `v`.
fn messages(broker: &Broker) -> usize {
    let listed = broker.ctl(&["list_queues", "-p", "v", "name", "messages"]);
    let counts = listed
        .lines()
        .filter_map(|line| line.strip_prefix("notifications.info\t"));
    counts.map(|count| count.parse::<usize>().unwrap()).sum()
}

#[test]
fn a_blocked_broker_delays_no_request_and_loses_nothing() {
    let broker = Broker::start();
    let place = Place::new();
    let url = broker.virtual_host("v");
    place.configure(&configuration(&url, "messagingv2", ""));
    block_on(async {
        let (engine, local) = engine(&place).await;
        create(&local, 1).await;
        engine.finish().await;
        broker.ctl(&["set_vm_memory_high_watermark", "0.0000001"]);
        create(&local, 100).await;
        let began = Instant::now();
        engine.finish().await;
        let took = began.elapsed();
        assert!((2..4).contains(&took.as_secs()), "{took:?}");
        assert!(messages(&broker) < 101);
        broker.ctl(&["set_vm_memory_high_watermark", "0.4"]);
        let end = Instant::now() + Duration::from_mins(1);
        while messages(&broker) < 101 {
            assert!(Instant::now() < end, "{} arrived", messages(&broker));
        }
        engine.close().await.unwrap();
    });
    assert_eq!(take(&url, "notifications.info").len(), 101);
}

#[test]
fn logins_and_certificates_are_verified_and_hosts_are_tried_in_turn() {
    let broker = Broker::start();
    let url = broker.virtual_host("v");
    let place = Place::new();
    let dead = "guest:x@127.0.0.1:1";
    let good = broker.place("port");
    let tls = broker.place("tls.port");
    let ca = broker.file("ca.pem").display().to_string();
    let rabbit = |lines: &str| format!("[oslo_messaging_rabbit]\n{lines}");
    let trusted = rabbit(&format!("ssl = true\nssl_ca_file = {ca}\n"));
    for (number, (address, more, why)) in [
        (format!("rabbit://{dead},{good}/v"), String::new(), None),
        (format!("rabbit://{tls}/v"), trusted.clone(), None),
        (
            format!("rabbit://{}/v", tls.replace("127.0.0.1", "localhost")),
            trusted,
            None,
        ),
        (
            format!("rabbit://{tls}/v?ssl=1&ssl_ca_file={ca}"),
            String::new(),
            None,
        ),
        (
            format!("rabbit://{tls}/v"),
            rabbit("ssl = true\n"),
            Some("invalid peer certificate: UnknownIssuer"),
        ),
        (
            format!("rabbit://{}/v", good.replace("s3cr%40t", "hunter2")),
            String::new(),
            Some("ACCESS_REFUSED"),
        ),
        (
            format!("rabbit://{good}/absent"),
            String::new(),
            Some("vhost absent not found"),
        ),
        (
            format!("rabbit://{tls}/v"),
            String::new(),
            Some("broker 127.0.0.1"),
        ),
        (
            format!("rabbit://{dead}/v"),
            String::new(),
            Some("Connection refused"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        place.configure(&configuration(&address, "messagingv2", &more));
        let name = format!("image-{number}");
        let began = Instant::now();
        let run = place.glance(&["image", "create", &name, "-f", "value", "-c", "name"]);
        assert!(began.elapsed() < Duration::from_secs(6), "{address}");
        assert_eq!(
            (run.code, String::from_utf8_lossy(&run.stdout).trim()),
            (0, &*name)
        );
        let warnings = run.stderr;
        let sent = take(&url, "notifications.info").len();
        match why {
            None => assert_eq!((sent, warnings.as_str()), (1, ""), "{address}"),
            Some(why) => {
                assert_eq!(sent, 0, "{address}");
                assert!(warnings.contains(why), "{address}: {warnings}");
                assert!(warnings.contains("1 notification not sent"), "{warnings}");
                assert!(!warnings.contains("hunter2"), "{warnings}");
            }
        }
    }
}

#[test]
fn what_exists_with_other_attributes_is_used() {
    let broker = Broker::start();
    let place = Place::new();
    let url = broker.virtual_host("v");
    for more in ["", "[oslo_messaging_rabbit]\namqp_durable_queues = true\n"] {
        place.configure(&configuration(&url, "messagingv2", more));
        let run = place.glance(&["image", "create", "x"]);
        assert_eq!(
            run.stderr.contains("has other attributes"),
            !more.is_empty()
        );
        assert_eq!(take(&url, "notifications.info").len(), 1, "{more}");
    }
}

#[test]
fn a_failed_upload_is_an_error() {
    let broker = Broker::start();
    let place = Place::new();
    let url = broker.virtual_host("v");
    place.configure(&format!(
        "{}[DEFAULT]\nimage_size_cap = 3\n",
        configuration(&url, "messagingv2", "")
    ));
    let words = ["image", "create", "x"];
    place.glance_with(&words, b"0123456789").fails(1);
    let failed = take(&url, "notifications.error");
    assert_eq!(event_types(&failed), ["image.upload"]);
    let failed = inner(&failed[0]);
    assert_eq!(failed["priority"], "ERROR");
    assert!(failed["payload"].is_string(), "{failed}");
}
