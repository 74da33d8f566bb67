//! Data on its way to a server that breaks off, lies, or keeps something else.

use super::*;

#[test]
fn an_upload_that_is_turned_away_once_is_sent_again_whole() {
    let content = data(LARGE);
    for grammar in [First, Second] {
        // Before any byte, in the middle, and after the last one.
        at_once([0, 1, 70_000, 4_000_000, LARGE as u64], |read| {
            let cloud = Cloud::new();
            let file = cloud.place.write("f.img", &content);
            cloud.server.on(
                "PUT",
                "/file",
                1..=1,
                tricks::say_early(read, unavailable()),
            );
            cloud.glance(&create(grammar, file.to_str().unwrap())).ok();
            assert_eq!(cloud.server.count("PUT", "/file"), 2);
            let image = cloud.server.only();
            assert_eq!(image.data.as_deref(), Some(&content[..]));
            assert_eq!(image.record["status"], "active");
        });
    }
}

#[test]
fn an_upload_that_is_cut_is_sent_again_whole() {
    let content = data(LARGE);
    let cloud = Cloud::new();
    let file = cloud.place.write("f.img", &content);
    let cuts = [
        0,
        1,
        100,
        65_536,
        262_144,
        1_000_000,
        LARGE as u64 - 1,
        LARGE as u64,
    ];
    for (number, cut) in cuts.into_iter().enumerate() {
        cloud
            .server
            .on("PUT", "/file", 1..=1, tricks::cut_request(cut));
        cloud.glance(&create(First, file.to_str().unwrap())).ok();
        let id = format!("{:08x}-0000-4000-8000-{:012x}", number + 1, number + 1);
        let image = cloud.server.state().find(&id).unwrap().clone();
        assert_eq!(image.data.as_deref(), Some(&content[..]), "cut at {cut}");
    }
    assert_eq!(cloud.server.count("PUT", "/file"), 2 * cuts.len());
}

#[test]
fn data_from_a_pipe_is_sent_once_and_what_is_left_is_told() {
    for trick in [
        || tricks::say_early(100_000, unavailable()),
        || tricks::cut_request(100_000),
        || tricks::say(unavailable()),
    ] {
        for grammar in [First, Second] {
            let cloud = Cloud::new();
            cloud.server.on("PUT", "/file", 1..=9, trick());
            let mut words = create(grammar, "");
            words.truncate(words.len() - 2);
            let told = complaint(cloud.piped(&words, &data(LARGE)), 1);
            assert_eq!(cloud.server.count("PUT", "/file"), 1);
            let images = cloud.server.state().images.clone();
            if grammar == First {
                assert_eq!(images[0].record["status"], "queued");
                let id = images[0].record["id"].as_str().unwrap();
                let resume = format!("image-upload --file FILE {id}");
                assert!(told.contains(&resume), "{told}");
            } else {
                assert!(images.is_empty(), "{images:?}");
            }
        }
    }
}

#[test]
fn an_upload_is_given_up_when_it_is_turned_away_again_and_again() {
    for grammar in [First, Second] {
        let cloud = Cloud::new();
        let file = cloud.place.write("f.img", data(300_000));
        cloud
            .server
            .on("PUT", "/file", 1..=99, tricks::say_early(0, unavailable()));
        let run = cloud.glance_within(15.0, &create(grammar, file.to_str().unwrap()));
        let told = complaint(run, 1);
        assert!(
            told.contains("503") && told.contains("unavailable"),
            "{told}"
        );
        assert_eq!(cloud.server.count("PUT", "/file"), 4);
        assert_eq!(
            cloud.server.state().images.len(),
            usize::from(grammar == First)
        );
    }
}

#[test]
fn a_record_is_taken_back_though_the_connection_breaks() {
    let cloud = Cloud::new();
    let file = cloud.place.write("f.img", data(1000));
    let refusal = tricks::say(Answer::page(400, "no"));
    cloud.server.on("PUT", "/file", 1..=1, refusal);
    let hang_up = Box::new(|_: &mut crate::support::glance::Exchange<'_>| Then::Close);
    cloud.server.on("DELETE", "/images/", 1..=1, hang_up);
    complaint(cloud.glance(&create(Second, file.to_str().unwrap())), 1);
    assert_eq!(cloud.server.state().images.len(), 0);
}

#[test]
fn a_record_is_taken_back_though_the_server_is_busy() {
    for busy in [503, 429, 500] {
        let cloud = Cloud::new();
        let file = cloud.place.write("f.img", data(1000));
        let refusal = tricks::say(Answer::page(400, "no"));
        cloud.server.on("PUT", "/file", 1..=1, refusal);
        let busy = tricks::say(Answer::page(busy, "busy"));
        cloud.server.on("DELETE", "/images/", 1..=2, busy);
        complaint(cloud.glance(&create(Second, file.to_str().unwrap())), 1);
        assert_eq!(cloud.server.state().images.len(), 0);
        assert_eq!(cloud.server.count("DELETE", "/images/"), 3);
    }
}

#[test]
fn a_refusal_is_told_though_the_data_was_not_taken() {
    let refusals = [
        (413, "over the quota"),
        (403, "not yours"),
        (409, "not now"),
        (400, "no"),
    ];
    at_once(refusals, |(status, text)| {
        for _ in 0..3 {
            let cloud = Cloud::new();
            let file = cloud.place.write("f.img", data(LARGE));
            cloud.server.on(
                "PUT",
                "/file",
                1..=9,
                tricks::say_early(1000, Answer::page(status, text)),
            );
            let told = complaint(cloud.glance(&create(First, file.to_str().unwrap())), 1);
            assert!(
                told.contains(&format!("HTTP {status}")) && told.contains(text),
                "{told}"
            );
            assert_eq!(cloud.server.count("PUT", "/file"), 1);
        }
    });
}

#[test]
fn what_the_server_says_about_waiting_is_respected() {
    let cloud = Cloud::new();
    let id = cloud.server.image("n", "x");
    let busy = |after: &str| tricks::say(unavailable().with("Retry-After", after));
    cloud.server.on("GET", &id, 1..=1, busy("1"));
    let began = Instant::now();
    cloud.glance(&["image-show", &id]).ok();
    let took = began.elapsed().as_secs_f64();
    assert!((1.0..8.0).contains(&took), "{took}");
    // Nobody waits for an hour; the error is shown at once.
    for after in [
        "3600",
        "18446744073709551615",
        "Tue, 31 Dec 2199 23:59:59 GMT",
    ] {
        cloud.server.on("GET", &id, 1..=1, busy(after));
        let told = complaint(cloud.glance_within(5.0, &["image-show", &id]), 1);
        assert!(told.contains("503"), "{told}");
    }
    // What cannot be meant is as good as nothing.
    let odd = [
        "-1",
        "soon",
        "99999999999999999999999",
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "",
    ];
    at_once(odd, |after| {
        let cloud = Cloud::new();
        let id = cloud.server.image("n", "x");
        cloud.server.on("GET", &id, 1..=1, busy(after));
        cloud.glance_within(5.0, &["image-show", &id]).ok();
    });
    // An upload waits too, and does not wait for ever.
    let cloud = Cloud::new();
    let file = cloud.place.write("f.img", data(1000));
    cloud.server.on("PUT", "/file", 1..=1, busy("1"));
    cloud.glance(&create(Second, file.to_str().unwrap())).ok();
    cloud.server.on("PUT", "/file", 1..=1, busy("3600"));
    complaint(
        cloud.glance_within(5.0, &create(Second, file.to_str().unwrap())),
        1,
    );
}

#[test]
fn what_changes_something_is_not_sent_twice() {
    let words: [(&str, &str, Vec<&str>); 4] = [
        ("POST", "/v2/images", vec!["image-create", "--name", "n"]),
        (
            "PATCH",
            "/v2/images",
            vec![
                "image-update",
                "--name",
                "m",
                "00000001-0000-4000-8000-000000000001",
            ],
        ),
        (
            "DELETE",
            "/v2/images",
            vec!["image-delete", "00000001-0000-4000-8000-000000000001"],
        ),
        (
            "POST",
            "/actions",
            vec!["image-deactivate", "00000001-0000-4000-8000-000000000001"],
        ),
    ];
    at_once(words, |(method, part, words)| {
        for trick in [
            tricks::say(unavailable()),
            tricks::cut_answer(0),
            tricks::cut_request(0),
        ] {
            let cloud = Cloud::new();
            cloud.server.image("n", "x");
            cloud.server.on(method, part, 1..=9, trick);
            complaint(cloud.glance_within(5.0, &words), 1);
            assert_eq!(cloud.server.count(method, part), 1, "{words:?}");
        }
    });
}

#[test]
fn data_that_was_stored_wrong_is_not_kept() {
    // What the server does to the data, or to the record of it.
    type Harm = fn(&mut crate::support::glance::State);
    let flip: Harm = |state| {
        let id = state.images[0].record["id"].as_str().unwrap().to_string();
        let mut bytes = state.images[0].data.clone().unwrap();
        bytes[70_000] ^= 1;
        state.store(&id, bytes);
    };
    let shorten: Harm = |state| {
        let id = state.images[0].record["id"].as_str().unwrap().to_string();
        state.store(&id, Vec::new());
    };
    let lie: Harm = |state| drop(state.images[0].record.insert("size".to_string(), json!(1)));
    let forget: Harm = |state| {
        let record = &mut state.images[0].record;
        for name in ["size", "checksum", "os_hash_algo", "os_hash_value"] {
            record.insert(name.to_string(), Value::Null);
        }
    };
    for harm in [flip, shorten, lie, forget] {
        for grammar in [First, Second] {
            let cloud = Cloud::new();
            let file = cloud.place.write("f.img", data(300_000));
            let trick = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
                let answer = exchange.usual().unwrap();
                harm(&mut exchange.state());
                exchange.send(&answer)
            });
            cloud.server.on("PUT", "/file", 1..=9, trick);
            let told = complaint(cloud.glance(&create(grammar, file.to_str().unwrap())), 1);
            assert!(told.contains("stored different data"), "{told}");
            assert!(cloud.server.state().images.is_empty(), "{told}");
            assert!(
                told.contains("The image was deleted. Create it again."),
                "{told}"
            );
        }
        // An image that was there before is not ours to delete.
        let cloud = Cloud::new();
        let file = cloud.place.write("f.img", data(300_000));
        cloud
            .glance(&[
                "image-create",
                "--disk-format",
                "raw",
                "--container-format",
                "bare",
            ])
            .ok();
        let id = cloud.server.only().record["id"]
            .as_str()
            .unwrap()
            .to_string();
        let trick = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
            let answer = exchange.usual().unwrap();
            harm(&mut exchange.state());
            exchange.send(&answer)
        });
        cloud.server.on("PUT", "/file", 1..=9, trick);
        let words = ["image-upload", "--file", file.to_str().unwrap(), &id];
        let told = complaint(cloud.glance(&words), 1);
        assert!(
            told.contains("stored different data") && told.contains("was deactivated"),
            "{told}"
        );
        assert_eq!(cloud.server.only().record["status"], "deactivated");
    }
}

#[test]
fn data_that_is_returned_otherwise_than_it_was_stored_is_not_kept() {
    for grammar in [First, Second] {
        let cloud = Cloud::new();
        let file = cloud.place.write("f.img", data(300_000));
        let create = create(grammar, file.to_str().unwrap());
        let words = [&["--verify-stored"][..], &create].concat();
        cloud.glance(&words).ok();
        cloud.server.state().images.clear();
        let flip = Box::new(|exchange: &mut crate::support::glance::Exchange<'_>| {
            let mut state = exchange.state();
            let data = state.images[0].data.as_mut().unwrap();
            data[70_000] ^= 1;
            drop(state);
            let answer = exchange.usual().unwrap();
            exchange.send(&answer)
        });
        cloud.server.on("GET", "/file", 1..=9, flip);
        let told = complaint(cloud.glance(&words), 1);
        assert!(
            told.contains("returned other data of image") && told.contains("its sha512 is"),
            "{told}"
        );
        assert!(cloud.server.state().images.is_empty(), "{told}");
    }
}

#[test]
fn data_from_a_pipe_is_compared_too() {
    let cloud = Cloud::new();
    let flip = Box::new(|exchange: &mut crate::support::glance::Exchange<'_>| {
        let answer = exchange.usual().unwrap();
        let mut state = exchange.state();
        let id = state.images[0].record["id"].as_str().unwrap().to_string();
        let mut bytes = state.images[0].data.clone().unwrap();
        bytes[0] ^= 1;
        state.store(&id, bytes);
        drop(state);
        exchange.send(&answer)
    });
    cloud.server.on("PUT", "/file", 1..=1, flip);
    let told = complaint(cloud.piped(&["image", "create", "n"], &data(300_000)), 1);
    assert!(told.contains("stored different data"), "{told}");
}

#[test]
fn a_server_that_takes_half_and_says_thanks_is_not_believed() {
    for (store, about) in [(true, "stored different data"), (false, "")] {
        for grammar in [First, Second] {
            let cloud = Cloud::new();
            let file = cloud.place.write("f.img", data(LARGE));
            let thanks = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
                exchange.read(300_000);
                let bytes = exchange.body.clone();
                let mut state = exchange.state();
                let id = state.images[0].record["id"].as_str().unwrap().to_string();
                if store {
                    state.store(&id, bytes);
                } else {
                    let record = &mut state.images[0].record;
                    record.insert("status".to_string(), json!("active"));
                }
                drop(state);
                exchange.send(&Answer::empty(204));
                exchange.linger()
            });
            cloud.server.on("PUT", "/file", 1..=1, thanks);
            let told = complaint(cloud.glance(&create(grammar, file.to_str().unwrap())), 1);
            assert!(
                told.contains(about) || told.contains("only a part"),
                "{told}"
            );
            let images = cloud.server.state().images.clone();
            assert!(
                images
                    .iter()
                    .all(|image| image.record["status"] != "active"),
                "{told}"
            );
        }
    }
}

#[test]
fn a_file_that_changes_its_size_while_it_is_sent_is_no_image() {
    // At a block's end, and not; by one byte, and by many.
    for before in [60 * 262_144 + 5, 60 * 262_144] {
        at_once(
            [before + 1, before + 262_144, before - 1, before / 2, 0],
            |after| {
                let cloud = Cloud::new();
                let file = cloud.place.write("f.img", data(before));
                let path = file.clone();
                let resize =
                    Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
                        exchange.read(1);
                        let file = std::fs::File::options().write(true).open(&path).unwrap();
                        file.set_len(after as u64).unwrap();
                        match exchange.usual() {
                            Some(answer) => exchange.send(&answer),
                            None => Then::Close,
                        }
                    });
                cloud.server.on("PUT", "/file", 1..=9, resize);
                let told = complaint(cloud.glance(&create(Second, file.to_str().unwrap())), 1);
                assert!(
                    told.contains("data than") || told.contains("changed while it was read"),
                    "{before} → {after}: {told}"
                );
                let left = cloud.server.state().images.clone();
                assert!(left.is_empty(), "{before} → {after}: {:?}", left[0].record);
            },
        );
    }
}

#[test]
fn a_file_that_changes_in_place_while_it_is_sent_is_no_image() {
    for size in [60 * 262_144 + 5, 60 * 262_144] {
        let cloud = Cloud::new();
        let file = cloud.place.write("f.img", data(size));
        let open =
            |path: &std::path::Path| std::fs::File::options().write(true).open(path).unwrap();
        open(&file)
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        let path = file.clone();
        let change = Box::new(move |exchange: &mut crate::support::glance::Exchange<'_>| {
            exchange.read(1);
            std::os::unix::fs::FileExt::write_all_at(&open(&path), b"other", 0).unwrap();
            match exchange.usual() {
                Some(answer) => exchange.send(&answer),
                None => Then::Close,
            }
        });
        cloud.server.on("PUT", "/file", 1..=9, change);
        let told = complaint(cloud.glance(&create(Second, file.to_str().unwrap())), 1);
        assert!(told.contains("changed while it was read"), "{told}");
        let left = cloud.server.state().images.clone();
        assert!(left.is_empty(), "{:?}", left[0].record);
    }
}

#[test]
fn a_file_whose_size_the_system_does_not_know_is_sent_whole() {
    let content = std::fs::read("/proc/version").unwrap();
    for grammar in [First, Second] {
        let cloud = Cloud::new();
        cloud.glance(&create(grammar, "/proc/version")).ok();
        let image = cloud.server.only();
        assert_eq!(image.data.as_deref(), Some(&content[..]));
        assert_eq!(image.record["status"], "active");
    }
}
