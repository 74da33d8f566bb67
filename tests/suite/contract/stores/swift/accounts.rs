//! Accounts and containers: those that are missing, full, or refuse.

use super::*;

#[test]
fn containers_are_chosen_by_the_image_and_created_if_configured() {
    for site in [Objects::in_segments(), Objects::of_gateway()] {
        assert_containers(&site);
    }
}

fn assert_containers(site: &Objects) {
    let missing = "swift_store_multiple_containers_seed = 10\n";
    let store = site.store_with(missing);
    let refused = block_on(store.create(ID, None)).err().unwrap();
    let container = format!("{}_11111111-22", site.container);
    assert!(refused.message().contains(&container), "{refused}");
    assert!(refused.message().starts_with("store 's': "), "{refused}");
    let store = site.store_with(&format!(
        "{missing}swift_store_create_container_on_put = true\n"
    ));
    for sent in [data(7), data(700_001)] {
        let url = block_on(store_data(&store, Some(sent.len() as u64), &sent)).unwrap();
        assert!(url.ends_with(&format!("/{container}/{ID}")), "{url}");
        // A store with another number of containers has it, too.
        assert!(site.store().owns(&url) && store.owns(&url));
        assert!(block_on(read(&*site.store(), &url, ByteRange::ALL)).unwrap() == sent);
        block_on(delete(&store, &url)).unwrap();
        assert!(site.storage.names(&container).is_empty());
    }
    site.storage.remove(&container);
    let other = format!("{}2", site.container);
    assert!(
        !site
            .store()
            .owns(&site.put(ID, b"").replace(&site.container, &other))
    );
}

#[test]
fn nothing_is_deleted_in_a_missing_container() {
    for site in [Objects::in_segments(), Objects::of_gateway()] {
        assert_no_deletion(&site);
    }
}

fn assert_no_deletion(site: &Objects) {
    let url = site
        .put(ID, b"x")
        .replace(&site.container, "no-such-container");
    let store = site.store();
    block_on(async {
        for refused in [
            store.check_delete(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
        ] {
            assert_eq!(refused.kind(), ErrorKind::Failed);
            assert!(
                refused.message().contains("'no-such-container'"),
                "{refused}"
            );
        }
        assert_eq!(
            store.size(&url).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn a_quota_is_refused_as_a_full_store() {
    let site = Objects::in_segments();
    assert_quota(&site);
    assert_reported_quota(&site);
    // Ceph's gateway does not report quotas.
    assert_quota(&Objects::of_gateway());
}

/// Checks that a container of 500,000 bytes takes no more.
fn assert_quota(site: &Objects) {
    let quota = [("x-container-meta-quota-bytes", "500000")];
    site.storage
        .expect(Method::POST, &site.container, &quota, Vec::new());
    let store = site.store();
    for (declared, size) in [(Some(700_000), 700_000), (None, 700_000), (None, 500_001)] {
        let refused = block_on(store_data(&*store, declared, &data(size))).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
        let message = refused.message();
        assert!(
            message.starts_with("Image storage media is full: store 's': "),
            "{message}"
        );
        assert!(message.contains(&site.container), "{message}");
        assert_eq!(names_of(site), ["beside"]);
    }
}

/// Checks that the store reports what is left of the quota.
fn assert_reported_quota(site: &Objects) {
    let store = site.store();
    let free = || {
        let space = block_on(store.describe()).detail.unwrap().space.unwrap();
        assert_eq!(space.total, 500_000);
        space.free
    };
    let before = free();
    let url = block_on(store_data(&*store, None, &data(400_000))).unwrap();
    // The manifest takes some bytes, too.
    assert!((before - 401_000..=before - 400_000).contains(&free()));
    block_on(delete(&*store, &url)).unwrap();
}

#[test]
fn refused_credentials_name_the_store_and_not_the_key() {
    for mut account in [
        Account::new(),
        Account::of_keystone(),
        Account::of_gateway(),
    ] {
        let site = Objects::new(account.clone(), (300_000, 200_000));
        let key = format!(":{}@", account.key);
        let url = site.put(ID, b"x").replace(&key, ":wrong-hunter2@");
        account.key = "wrong-hunter2".to_string();
        let at = &account.auth_address;
        let wrong = Objects {
            account: account.clone(),
            storage: site.storage.clone(),
            container: site.container.clone(),
            is_owned: false,
            ..site
        };
        let store = wrong.store();
        block_on(async {
            let mut errors = vec![
                store.create(ID, None).await.err().unwrap(),
                store.size(&url).await.unwrap_err(),
                store.check_delete(&url).await.unwrap_err(),
                store.clear(ID, &[]).await.unwrap_err(),
                delete(&*store, &url).await.unwrap_err(),
            ];
            errors.extend(store.open(&url, ByteRange::ALL).await.err());
            assert_eq!(errors.len(), 6);
            for error in errors {
                let message = error.message();
                let expected = format!("store 's': {at}");
                assert!(message.starts_with(&expected), "{message}");
                assert!(
                    message.ends_with("refused user test:tester (HTTP 401)")
                        || message.ends_with("refused user service:glance (HTTP 401)")
                        || message.ends_with("refused user glance:swift (HTTP 401)"),
                    "{message}"
                );
                assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            }
        });
        site.storage.remove(&site.container);
    }
}

#[test]
fn a_user_without_rights_is_refused() {
    let site = Objects::in_segments();
    let reader = Objects {
        account: Account {
            user: "test:reader".to_string(),
            key: "reading".to_string(),
            ..site.account.clone()
        },
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    let refused = block_on(reader.store().create(ID, None)).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Failed);
    assert!(
        refused.message().ends_with("access denied (HTTP 403)"),
        "{refused}"
    );
}

#[test]
fn a_store_that_is_down_is_named_with_the_reason() {
    let site = Objects::in_segments();
    let url = site.put(ID, b"x");
    let nothing = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", nothing.local_addr().unwrap());
    drop(nothing);
    let up = site.account.auth_address.replace("/auth/v1.0", "");
    let gone = Objects {
        account: Account {
            auth_address: site.account.auth_address.replace(&up, &down),
            ..site.account.clone()
        },
        storage: site.storage.clone(),
        container: site.container.clone(),
        sizes: site.sizes,
        is_owned: false,
    };
    let url = url.replace(
        up.strip_prefix("http://").unwrap(),
        down.strip_prefix("http://").unwrap(),
    );
    let store = gone.store();
    block_on(async {
        for error in [
            store.create(ID, None).await.err().unwrap(),
            store.size(&url).await.unwrap_err(),
            delete(&*store, &url).await.unwrap_err(),
            store.clear(ID, &[]).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unreachable);
            let expected = format!("store 's': {down} cannot be reached: Connection refused");
            assert_eq!(error.message(), expected);
        }
    });
}

#[test]
fn accounts_of_a_file_are_named_in_addresses() {
    let site = Objects::in_segments();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("swift.conf");
    let account = &site.account;
    let text = format!(
        "[Images]\nauth_version = 1\nauth_address = {}\nuser = {}\nkey = \"{}\"\n[other]\nkey = x\n",
        account.auth_address, account.user, account.key
    );
    std::fs::write(&file, text).unwrap();
    let options = format!(
        "swift_store_config_file = {}\ndefault_swift_reference = Images\n",
        file.display()
    );
    let store = site.store_with(&options);
    let sent = data(700_001);
    let url = block_on(store_data(&store, None, &sent)).unwrap();
    assert_eq!(
        url,
        format!("swift+config://Images/{}/{ID}", site.container)
    );
    assert!(store.is_exclusive(&url, ID) && store.owns(&url));
    assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
    // So can be the address of the time before the file.
    let old = site.put(OTHER, b"old");
    assert_eq!(
        block_on(read(&store, &old, ByteRange::ALL)).unwrap(),
        b"old"
    );
    for reference in ["other", "none"] {
        let unknown = url.replace("Images", reference);
        let refused = block_on(store.size(&unknown)).unwrap_err();
        assert!(refused.message().contains(reference), "{refused}");
    }
    block_on(delete(&store, &url)).unwrap();
}

#[test]
fn images_of_a_multi_tenant_store_have_containers_of_their_own() {
    let site = Objects::of_keystone();
    let options = "swift_store_multi_tenant = true\nswift_store_create_container_on_put = true\n\
                   swift_store_admin_tenants = p1, p2\n";
    let store = site.store_with(options);
    let container = format!("{}_{ID}", site.container);
    for size in [7, 700_001] {
        let sent = data(size);
        let url = block_on(store_data(&store, Some(size), &sent)).unwrap();
        let storage = site.storage.url.as_str().strip_prefix("http://").unwrap();
        assert_eq!(url, format!("swift+http://{storage}/{container}/{ID}"));
        assert!(store.owns(&url) && !site.store().owns(&url));
        let (_, headers, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
        assert_eq!(headers["x-container-write"], "p1:*,p2:*");
        assert!(block_on(read(&store, &url, ByteRange::ALL)).unwrap() == sent);
        assert_eq!(block_on(delete(&store, &url)).unwrap(), Some(size));
        let (status, _, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
        assert_eq!(status, 404);
        assert_eq!(block_on(delete(&store, &url)).unwrap(), None);
        // The token is not sent to another server.
        let elsewhere = url.replace(storage, "127.0.0.1:9/v1/KEY_x");
        let refused = block_on(store.size(&elsewhere)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    // A killed upload leaves no container either.
    let writer = block_on(store_until(&store, Stage::Taken));
    drop(writer);
    block_on(store.clear(ID, &[])).unwrap();
    let (status, _, _) = site.storage.send(Method::HEAD, &container, &[], Vec::new());
    assert_eq!(status, 404);
}
