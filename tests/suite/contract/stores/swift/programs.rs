//! Upstream's driver, and the programs.

use super::*;

#[test]
fn upstreams_driver_and_ours_read_and_delete_what_the_other_stored() {
    // The least that the options allow.
    const MEGABYTE: u64 = 1_024_000;
    let site = Objects::new(Account::of_keystone(), (MEGABYTE, MEGABYTE));
    let directory = tempfile::tempdir().unwrap();
    let references = directory.path().join("references.conf");
    let account = &site.account;
    let text = format!(
        "[ref1]\nauth_address = {}\nuser = {}\nkey = {}\n",
        account.auth_address, account.user, account.key
    );
    std::fs::write(&references, text).unwrap();
    let sizes = "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n\
                 swift_store_create_container_on_put = true\n";
    let file = format!("swift_store_config_file = {}\n", references.display());
    let several = "swift_store_multiple_containers_seed = 2\n";
    let kinds = [String::new(), file, several.to_string()];
    let file = directory.path().join("data");
    for (kind, options) in kinds.iter().enumerate() {
        let options = format!("{sizes}{options}default_swift_reference = ref1\n");
        let configuration = directory.path().join("theirs.conf");
        std::fs::write(&configuration, site.configuration(&options)).unwrap();
        let mut driver = Driver::start(&configuration, "s");
        let store = site.store_with(&options);
        let mut all = vec![0, 1, 1000, 3 * MEGABYTE];
        if kind == 0 {
            let around = |size| [size - 1, size, size + 1];
            all.extend(
                [262_144, MEGABYTE, 2 * MEGABYTE, 3 * MEGABYTE - 7]
                    .map(around)
                    .concat(),
            );
            all.extend([5 * MEGABYTE, 4 * MEGABYTE + 500_000, 100_000, 777_777]);
        }
        for size in all {
            let mut sent = data(size);
            if size == 4 * MEGABYTE + 500_000 {
                sent.fill(0);
            }
            let md5 = {
                let mut hasher = Hasher::new(Algorithm::Md5);
                hasher.update(&sent);
                hasher.finish()
            };
            let url = block_on(store_data(&store, Some(size), &sent)).unwrap();
            let got = driver.call(&json!({"get": url}));
            assert_eq!(got, json!({"size": size, "checksum": md5}));
            let known = driver.call(&json!({"size": url}));
            assert_eq!(known, json!({"size": size}));
            driver.call(&json!({"delete": url}));
            let gone = block_on(store.size(&url)).unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound, "{size}");

            std::fs::write(&file, &sent).unwrap();
            // With a known size, upstream's driver fails at segments that are not full.
            let declared = if size >= MEGABYTE { 0 } else { size };
            let added = driver.call(&json!({"add": ID, "file": file, "size": declared}));
            assert_eq!(added["url"], url, "{size}");
            assert_eq!(added["metadata"], json!({"store": "s"}));
            block_on(async {
                assert!(
                    read(&store, &url, ByteRange::ALL).await.unwrap() == sent,
                    "{size}"
                );
                assert_eq!(store.size(&url).await.unwrap(), size);
                assert_eq!(delete(&store, &url).await.unwrap(), Some(size));
            });
            for container in [site.container.clone(), format!("{}_11", site.container)] {
                let left = site.storage.names(&container);
                assert!(left.iter().all(|name| name == "beside"), "{size}: {left:?}");
            }
        }
    }
    site.storage.remove(&format!("{}_11", site.container));
}

/// A deployment with the stores `disk`, of files, and `s`, which is the default.
fn deployment(site: &Objects) -> Place {
    let place = Place::new();
    let text = site.configuration(
        "swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n",
    );
    let text = text.replace(
        "enabled_backends = s:swift",
        "enabled_backends = s:swift, disk:file",
    );
    place.configure(&format!("{text}[disk]\nfilesystem_store_datadir = disk\n"));
    place
}

#[test]
fn programs_store_copy_read_and_delete_images() {
    let site = Objects::in_segments();
    let place = deployment(&site);
    let sent = data(2_500_000);
    let id = place.image("whole", &sent);
    let shown = place.glance(&["image", "show", &id, "-f", "json"]).ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["size"], 2_500_000);
    let names = names_of(&site);
    let expected = ["", "-00001", "-00002", "-00003"].map(|end| format!("{id}{end}"));
    assert_eq!(names.len(), 1 + expected.len());
    assert!(
        expected.iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    let words = [
        "image",
        "import",
        "--method",
        "copy-image",
        "--store",
        "disk",
        "--wait",
        &id,
    ];
    let copied = place.glance(&words);
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert!(std::fs::read(place.data().join("disk").join(&id)).unwrap() == sent);
    let saved = place.file("saved");
    place
        .glance(&["image", "save", "--file", saved.to_str().unwrap(), &id])
        .ok();
    assert!(std::fs::read(&saved).unwrap() == sent);
    let stores = place.glance(&["stores-info", "--detail"]).ok();
    for shown in [&site.container, "1024000"] {
        assert!(stores.contains(shown), "{stores}");
    }
    assert!(!stores.contains(&site.account.key), "{stores}");
    place.glance(&["image", "delete", &id]).ok();
    assert_eq!(names_of(&site), ["beside"]);
}

#[test]
fn the_next_command_deletes_what_a_killed_upload_left() {
    let site = Objects::in_segments();
    let place = deployment(&site);
    let mut upload = place
        .command(GLANCE)
        .args(["image", "create", "killed"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = upload.stdin.take().unwrap();
    pipe.write_all(&data(2_500_000)).unwrap();
    // The pipe stays open: the upload does not end.
    let is_there = |name: &String| name.ends_with("-00001");
    while !names_of(&site).iter().any(is_there) {
        assert!(upload.try_wait().unwrap().is_none(), "the upload goes on");
        std::thread::yield_now();
    }
    upload.kill().unwrap();
    upload.wait().unwrap();
    place.glance(&["image", "list"]).ok();
    assert_eq!(names_of(&site), ["beside"]);
    let list = place
        .glance(&["image", "list", "-f", "value", "-c", "Status"])
        .ok();
    assert_eq!(list.trim(), "queued");
}
