//! Servers that take their time.

use super::*;

#[test]
fn servers_that_never_answer_are_given_up() {
    let cloud = Cloud::new();
    cloud.server.always(tricks::silence());
    let file = cloud.place.write("f.img", data(1000));
    let commands: [&[&str]; 5] = [
        &["--timeout", "1", "image-list"],
        &["--timeout", "1", "image-show", "x"],
        &["--timeout", "1", "image-create", "--name", "n"],
        &["--timeout", "1", "image", "list"],
        &[
            "--timeout",
            "1",
            "image-upload",
            "x",
            "--file",
            file.to_str().unwrap(),
        ],
    ];
    std::thread::scope(|scope| {
        for words in commands {
            let cloud = &cloud;
            scope.spawn(move || {
                let told = complaint(cloud.glance_within(5.0, words), 1);
                assert!(told.contains("did not respond within 1 s"), "{told}");
            });
        }
    });
}

#[test]
fn servers_that_only_pretend_to_answer_are_given_up() {
    let pause = Duration::from_millis(100);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: ";
    let drips: [(&str, String); 2] = [
        ("the head", format!("{head}{}", "x".repeat(10_000))),
        (
            "the body",
            format!(
                "{head}\r\nContent-Length: 10000\r\n\r\n{}",
                " ".repeat(9000)
            ),
        ),
    ];
    for (name, drip) in drips {
        let cloud = Cloud::new();
        cloud.server.always(tricks::drip(drip, pause));
        let told = complaint(
            cloud.glance_within(6.0, &["--timeout", "1", "image-list"]),
            1,
        );
        assert!(
            told.contains("did not respond within 1 s"),
            "{name}: {told}"
        );
    }
    // Image data may come slowly, but not that slowly.
    let cloud = Cloud::new();
    let id = cloud.server.image("n", data(100_000));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let slow = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
        exchange.write(head.as_bytes());
        for _ in 0..600 {
            if !exchange.write(b"x") {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Then::Close
    });
    cloud.server.on("GET", "/file", 1..=99, slow);
    let told = complaint(
        cloud.glance_within(
            15.0,
            &["--timeout", "1", "image-download", &id, "--file", "out"],
        ),
        1,
    );
    assert!(told.contains("did not respond within 1 s"), "{told}");
    assert_eq!(cloud.saved(), None);
}

#[test]
fn an_upload_that_is_not_taken_is_given_up() {
    let cloud = Cloud::new();
    let file = cloud.place.write("f.img", data(30_000_000));
    cloud.server.on(
        "PUT",
        "/file",
        1..=9,
        Box::new(|exchange| {
            exchange.read(1000);
            // Nothing more is read; the buffers of the connection fill up.
            for _ in 0..400 {
                std::thread::sleep(Duration::from_millis(20));
                if !exchange.goes_on() {
                    break;
                }
            }
            Then::Close
        }),
    );
    let mut words = vec!["--timeout", "1"];
    words.extend(create(First, file.to_str().unwrap()));
    let told = complaint(cloud.glance_within(8.0, &words), 1);
    assert!(told.contains("did not respond within 1 s"), "{told}");
}

#[test]
fn whoever_pipes_data_in_may_take_longer() {
    let cloud = Cloud::new();
    let mut command = cloud.place.command("/bin/sh");
    command.args([
        "-c",
        "(printf a; sleep 1.6; printf b) | \"$0\" --timeout 1 image create n -f value -c size",
        crate::support::GLANCE,
    ]);
    aim(&mut command, &cloud.server.url());
    assert_eq!(
        crate::support::Run::of(command.output().unwrap()).ok(),
        "2\n"
    );
}
