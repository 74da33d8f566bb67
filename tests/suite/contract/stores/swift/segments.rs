//! Images in segments, and the objects beside them.

use super::*;

/// Images of every size around the boundaries are stored as they should be, are read back, and deleted completely.
fn assert_boundaries(site: &Objects, manifest: &str) {
    let before = site.contents();
    let (large, chunk) = site.sizes;
    let store = site.store();
    let sizes = [
        0,
        1,
        large - 1,
        large,
        large + 1,
        2 * chunk - 1,
        2 * chunk,
        2 * chunk + 1,
        3 * chunk,
    ];
    for size in sizes {
        for declared in [Some(size), None] {
            let sent = data(size);
            let what = format!("{size} bytes, {declared:?} declared");
            let url = block_on(store_data(&*store, declared, &sent));
            let url = url.unwrap_or_else(|error| panic!("{what}: {error}"));
            let path = format!("{}/{ID}", site.container);
            let (status, headers, stored) = site.storage.send(Method::GET, &path, &[], Vec::new());
            assert!(status == 200 && stored == sent, "{what}: {status}");
            let names = site.storage.names(&site.container);
            let segments = names
                .iter()
                .filter(|name| name.starts_with(&format!("{ID}-")));
            let expected = if size >= large || declared.is_none() && size > 262_144 {
                size.div_ceil(chunk)
            } else {
                0
            };
            assert_eq!(segments.count() as u64, expected, "{what}: {names:?}");
            assert_eq!(headers.contains_key(manifest), expected > 0, "{what}");
            block_on(async {
                assert_eq!(store.size(&url).await.unwrap(), size, "{what}");
                let read = read(&*store, &url, ByteRange::ALL).await.unwrap();
                assert!(read == sent, "{what}");
                if size > 0 {
                    assert_ranges(&*store, &url, &sent).await;
                }
                assert_eq!(delete(&*store, &url).await.unwrap(), Some(size), "{what}");
            });
            assert_eq!(
                names_of(site),
                before.keys().cloned().collect::<Vec<_>>(),
                "{what}"
            );
        }
    }
}

#[test]
fn images_around_the_boundaries_are_lists_of_segments() {
    assert_boundaries(&Objects::in_segments(), "x-static-large-object");
    let large_segments = Objects::new(Account::new(), (400_000, 300_000));
    assert_boundaries(&large_segments, "x-static-large-object");
    assert_boundaries(&Objects::of_gateway(), "x-static-large-object");
}

#[test]
fn images_around_the_boundaries_are_segments_of_a_prefix() {
    assert_boundaries(&Objects::in_segments_of_a_prefix(), "x-object-manifest");
    assert_boundaries(&Objects::of_gateway_with_prefixes(), "x-object-manifest");
}

#[test]
fn buffered_segments_are_stored_alike() {
    let site = Objects::in_segments();
    let directory = tempfile::tempdir().unwrap();
    let options = format!(
        "swift_buffer_on_upload = true\nswift_upload_buffer_dir = {}\n",
        directory.path().display()
    );
    let store = site.store_with(&options);
    let sent = data(700_001);
    for declared in [None, Some(700_001)] {
        let url = block_on(store_data(&store, declared, &sent)).unwrap();
        assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
        assert_eq!(names_of(&site).len(), 1 + 1 + 4);
        block_on(delete(&store, &url)).unwrap();
        assert_eq!(names_of(&site), ["beside"]);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_declared_size_that_is_not_that_of_the_data_is_refused() {
    for site in [
        Objects::in_segments(),
        Objects::whole(),
        Objects::of_gateway(),
        Objects::of_gateway_whole(),
    ] {
        let store = site.store();
        for size in [1, 299_999, 700_000] {
            for declared in [size - 1, size + 1, size + 300_000] {
                let refused = block_on(store_data(&*store, Some(declared), &data(size)));
                let refused = refused.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
                let message = refused.message();
                assert!(message.contains(&declared.to_string()), "{message}");
                assert_eq!(names_of(&site), ["beside"], "{size} of {declared}");
            }
        }
    }
}

#[test]
fn objects_that_are_not_segments_of_the_image_stay() {
    for (site, is_prefix) in [
        (Objects::in_segments(), false),
        (Objects::in_segments_of_a_prefix(), true),
        (Objects::of_gateway(), false),
        (Objects::of_gateway_with_prefixes(), true),
    ] {
        let store = site.store();
        let sent = data(700_001);
        let url = block_on(store_data(&*store, None, &sent)).unwrap();
        let others = [
            format!("{ID}-1"),
            format!("{ID}-00001-x"),
            format!("{ID}x-00001"),
        ];
        for other in &others {
            site.put(other, b"other");
        }
        block_on(async {
            delete(&*store, &url).await.unwrap();
            store.clear(ID, &[]).await.unwrap();
        });
        for other in &others {
            assert!(names_of(&site).contains(other), "{other}");
        }
        if is_prefix {
            // It would be part of the image.
            let refused = block_on(store_data(&*store, None, &sent)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict);
        }
        assert_eq!(names_of(&site).len(), 1 + others.len());
    }
}

#[test]
fn a_crashed_upload_of_another_host_does_not_become_part_of_an_image() {
    for site in [
        Objects::in_segments_of_a_prefix(),
        Objects::of_gateway_with_prefixes(),
    ] {
        for number in [1, 2, 7, 100_000] {
            site.put(&format!("{ID}-{number:05}"), b"left");
        }
        let (store, sent) = (site.store(), data(700_001));
        let url = block_on(store_data(&*store, None, &sent)).unwrap();
        assert!(block_on(read(&*store, &url, ByteRange::ALL)).unwrap() == sent);
        block_on(delete(&*store, &url)).unwrap();
        assert_eq!(names_of(&site), ["beside"]);
    }
}
