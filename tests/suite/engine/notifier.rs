//! Notifications without a broker: what is connected to, and how long anything waits.

use std::io::{self, Read};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::Place;
use crate::support::api::{API, Api};

/// A configuration that sends notifications to a port of this machine.
fn configuration(port: u16) -> String {
    format!(
        "[DEFAULT]\ntransport_url = rabbit://u:hunter2@127.0.0.1:{port}/\n\
         [oslo_messaging_notifications]\ndriver = messagingv2\n"
    )
}

/// A port to which connections are made, and never answered.
fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_broker_is_connected_to_for_an_event_only() {
    let (listener, port) = silent();
    listener.set_nonblocking(true).unwrap();
    let is_untouched = || listener.accept().unwrap_err().kind() == io::ErrorKind::WouldBlock;
    let place = Place::new();
    place.configure("");
    place.image("x", b"data");
    place.configure(&configuration(port));
    place.glance(&["image", "list"]).ok();
    place.glance(&["image", "show", "x"]).ok();
    place.glance(&["image", "show", "absent"]).fails(1);
    assert!(is_untouched(), "no command of these has an event");
    place.configure(&configuration(port).replace("messagingv2", "noop"));
    place
        .glance(&["image", "set", "x", "--property", "a=b"])
        .ok();
    assert!(is_untouched(), "no driver sends");
    let disabled = format!(
        "{}[DEFAULT]\ndisabled_notifications = image\n",
        configuration(port)
    );
    place.configure(&disabled);
    place
        .glance(&["image", "set", "x", "--property", "a=c"])
        .ok();
    assert!(is_untouched(), "the event is disabled");
    place.configure(&configuration(port));
    let run = place.glance(&["image", "set", "x", "--property", "a=d"]);
    assert_eq!(run.code, 0);
    let (mut connection, _) = listener.accept().unwrap();
    let mut greeting = [0; 8];
    connection.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"AMQP\0\0\x09\x01");
}

#[test]
fn a_silent_broker_delays_a_command_for_two_seconds_with_one_warning() {
    let (_listener, port) = silent();
    let place = Place::new();
    place.configure(&configuration(port));
    let began = Instant::now();
    let run = place.glance_with(
        &["image", "create", "x", "-f", "value", "-c", "name"],
        b"data",
    );
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(2) && took < Duration::from_secs(5),
        "{took:?}"
    );
    assert_eq!((run.code, &*run.stdout), (0, &b"x\n"[..]));
    assert_eq!(
        run.stderr,
        "6 notifications not sent: the broker has not confirmed them\n"
    );
}

#[test]
fn a_refused_setting_is_reported_at_the_first_event() {
    let place = Place::new();
    place.configure(&configuration(1).replace("rabbit://", "kafka://"));
    let list = place.glance(&["image", "list"]);
    assert_eq!(list.stderr, "");
    let run = place.glance(&["image", "create", "x"]);
    assert_eq!(run.code, 0);
    let warnings = run.stderr;
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    assert!(warnings.contains("'kafka' is not supported"), "{warnings}");
    assert!(!warnings.contains("hunter2"), "{warnings}");
    let mut api = place.command(API);
    let refused = api.args(["--bind-port", "0"]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("'kafka'"));
}

#[test]
fn the_service_logs_notifications_as_oslo_messaging_does() {
    let place = Place::new();
    place.configure("[oslo_messaging_notifications]\ndriver = log\ndriver = noop\n");
    let api = Api::start(&place);
    let json = "content-type: application/json";
    api.curl(
        &place,
        &["-H", json, "-d", r#"{"name": "x"}"#],
        "/v2/images",
    );
    let logged = api.line_with("oslo.messaging.notification.image.create [- req-");
    assert!(logged.contains(" INFO oslo."), "{logged}");
    assert!(
        logged.contains(r#""event_type": "image.create""#),
        "{logged}"
    );
}
