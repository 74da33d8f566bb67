//! Where the data of images is.

use glance_tools::ErrorKind::{Conflict, Forbidden, Invalid, NotFound};
use glance_tools::model::{
    Change, Image, ImagePatch, ImageStatus, Location, MultiHash, ValidationData,
};
use glance_tools::service::{ImageService, Upload};
use serde_json::{Map, json};

use super::data::pipe;
use super::{Deployment, contract, kind, new_image, raw_image};

contract! {
    metadata_of_locations_are_replaced
    only_the_addresses_that_an_image_has_are_replaced
    addresses_that_are_none_are_refused
    the_last_location_stays
    only_administrators_remove_locations
    locations_are_changed_by_the_owner
    data_is_registered_for_queued_images_of_the_caller
    hashes_that_are_none_are_refused
    services_and_administrators_get_the_locations
    copies_are_deleted_from_stores_that_have_them
}

pub fn location(url: &str) -> Location {
    Location {
        url: url.to_string(),
        metadata: Map::new(),
    }
}

/// The patch that adds a location.
pub fn add(location: Location) -> ImagePatch {
    add_validated(location, ValidationData::default())
}

/// The patch that adds a location, with hashes.
pub fn add_validated(location: Location, validation: ValidationData) -> ImagePatch {
    Change::add_location(location, validation).into()
}

/// The patch that replaces the locations.
pub fn replace(locations: Vec<Location>) -> ImagePatch {
    Change::replace_locations(locations).into()
}

/// The patch that removes a location of a list that was not read.
pub fn remove(position: usize) -> ImagePatch {
    ImagePatch::remove_locations(&[], &[position])
}

/// An active image of the service's caller.
async fn active(service: &dyn ImageService) -> Image {
    let image = raw_image(service, "x").await;
    let upload = Upload::new(pipe(b"data"));
    service.upload_image(&image.id, upload).await.unwrap()
}

async fn metadata_of_locations_are_replaced(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("demo:member:u").await;
    let image = active(service.as_ref()).await;
    let [at] = &image.locations.unwrap()[..] else {
        panic!("one location")
    };
    assert_eq!(at.store(), Some("fast"));
    let mut noted = at.clone();
    noted.metadata = Map::from_iter([("note".to_string(), json!({"a": ["b"]}))]);
    let changed = service
        .update_image(&image.id, &replace(vec![noted.clone()]))
        .await
        .unwrap();
    // The store that the address belongs to is put back.
    noted.metadata.insert("store".to_string(), json!("fast"));
    assert_eq!(changed.locations, Some(vec![noted.clone()]));
    assert_eq!(
        (changed.status, changed.size),
        (ImageStatus::Active, Some(4))
    );
    assert!(changed.updated_at >= image.updated_at);
    let read = service.get_image(&image.id).await.unwrap();
    assert_eq!(read.locations, Some(vec![noted]));
    assert_eq!(read.stores, Some(vec!["fast".to_string()]));
    let none = service.update_image(&image.id, &replace(Vec::new())).await;
    assert_eq!(kind(none), Forbidden);
}

async fn only_the_addresses_that_an_image_has_are_replaced(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("demo:member:u").await;
    let image = active(service.as_ref()).await;
    let own = image.locations.unwrap();
    for locations in [
        vec![location("file:///elsewhere")],
        vec![own[0].clone(), location("http://127.0.0.1/x")],
    ] {
        let replaced = service.update_image(&image.id, &replace(locations)).await;
        assert_eq!(kind(replaced), Invalid);
    }
    let read = service.get_image(&image.id).await.unwrap();
    assert_eq!(read.locations, Some(own));
    let nowhere = "66666666-6666-6666-6666-666666666666";
    let replaced = service
        .update_image(nowhere, &replace(vec![location("file:///x")]))
        .await;
    assert_eq!(kind(replaced), NotFound);
}

async fn addresses_that_are_none_are_refused(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("demo:member:u").await;
    let id = raw_image(service.as_ref(), "x").await.id;
    for url in [
        "not a url",
        "",
        "file:///etc/hostname",
        "filesystem:///etc/hostname",
        "swift+config://ref/container/object",
        "http://127.0.0.1:1/there-is-no-such-store",
        &format!("http://h/{}", "x".repeat(255)),
    ] {
        let added = service.update_image(&id, &add(location(url))).await;
        assert_eq!(kind(added), Invalid, "{url}");
        let replaced = service
            .update_image(&id, &replace(vec![location(url)]))
            .await;
        assert_eq!(kind(replaced), Invalid, "{url}");
    }
    let image = service.get_image(&id).await.unwrap();
    assert_eq!((image.status, image.size), (ImageStatus::Queued, None));
    assert_eq!(image.locations, Some(Vec::new()));
}

async fn the_last_location_stays(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref()).await.id;
    for position in [0, 5] {
        let removed = admin.update_image(&id, &remove(position)).await;
        assert_eq!(kind(removed), Forbidden);
    }
    assert_eq!(kind(admin.delete_from_store(&id, "fast").await), Forbidden);
    let image = admin.get_image(&id).await.unwrap();
    assert_eq!(image.locations.unwrap().len(), 1);
    let queued = raw_image(admin.as_ref(), "queued").await.id;
    assert_eq!(
        kind(admin.update_image(&queued, &remove(0)).await),
        Conflict
    );
}

async fn only_administrators_remove_locations(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let demo = on.service("demo:member:u").await;
    let id = active(demo.as_ref()).await.id;
    assert_eq!(kind(demo.update_image(&id, &remove(0)).await), Forbidden);
    assert_eq!(kind(demo.delete_from_store(&id, "fast").await), Forbidden);
    let stranger = on.service("other:member:u").await;
    assert_eq!(kind(stranger.update_image(&id, &remove(0)).await), NotFound);
    assert_eq!(
        kind(stranger.delete_from_store(&id, "fast").await),
        NotFound
    );
}

async fn locations_are_changed_by_the_owner(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let demo = on.service("demo:member:u").await;
    let image = active(demo.as_ref()).await;
    let own = image.locations.unwrap();
    let reader = on.service("demo:reader:u").await;
    let replaced = reader.update_image(&image.id, &replace(own.clone())).await;
    assert_eq!(kind(replaced), Forbidden);
    let admin = on.service("admin:admin:u").await;
    let replaced = admin.update_image(&image.id, &replace(own)).await;
    assert_eq!(replaced.unwrap().id, image.id);
    demo.deactivate_image(&image.id).await.unwrap();
    let added = demo.update_image(&image.id, &add(location("x://y"))).await;
    assert_eq!(kind(added), Conflict, "in no other state");
}

async fn data_is_registered_for_queued_images_of_the_caller(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let demo = on.service("demo:member:u").await;
    let active = active(demo.as_ref()).await.id;
    let queued = raw_image(demo.as_ref(), "queued").await.id;
    let register = async |caller: &str, id: &str, url: &str| {
        let service = on.service(caller).await;
        kind(service.register_location(id, url, None).await)
    };
    let web = "http://127.0.0.1:1/x";
    assert_eq!(register("demo:member:u", &active, web).await, Conflict);
    for caller in ["demo:reader:u", "admin:admin:u"] {
        assert_eq!(register(caller, &queued, web).await, Forbidden, "{caller}");
    }
    assert_eq!(register("other:member:u", &queued, web).await, NotFound);
    // No store of web servers is there; nobody but a service registers other addresses.
    for url in [web, "file:///etc/hostname", "swift://x/y", "x"] {
        assert_eq!(
            register("demo:member:u", &queued, url).await,
            Forbidden,
            "{url}"
        );
    }
    let image = demo.get_image(&queued).await.unwrap();
    assert_eq!(image.status, ImageStatus::Queued);
}

async fn hashes_that_are_none_are_refused(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("demo:member:u").await;
    let image = active(service.as_ref()).await;
    let own = || location("http://127.0.0.1/x");
    let said = |algorithm: Option<&str>, value: Option<&str>| ValidationData {
        checksum: None,
        os_hash_algo: algorithm.map(str::to_string),
        os_hash_value: value.map(str::to_string),
    };
    let queued = raw_image(service.as_ref(), "queued").await.id;
    for (algorithm, value, why) in [
        (Some("sha512"), None, Invalid),
        (None, Some("ab"), Invalid),
        (Some("sha256"), Some("ab"), Conflict),
        (Some("sha512"), Some("no hex"), Conflict),
        (Some("sha512"), Some("ab"), Conflict),
    ] {
        let added = service
            .update_image(&queued, &add_validated(own(), said(algorithm, value)))
            .await;
        assert_eq!(kind(added), why, "{algorithm:?} {value:?}");
    }
    let others = "a".repeat(128);
    let added = service
        .update_image(
            &image.id,
            &add_validated(own(), said(Some("sha512"), Some(&others))),
        )
        .await;
    assert_eq!(kind(added), Conflict, "it has another");
    // What is asked for first is whether the address may be registered at all.
    let hash = MultiHash {
        algorithm: "sha512".to_string(),
        value: "ab".to_string(),
    };
    let registered = service.register_location(&queued, "http://127.0.0.1/x", Some(&hash));
    assert_eq!(kind(registered.await), Forbidden);
}

async fn copies_are_deleted_from_stores_that_have_them(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let admin = on.service("admin:admin:u").await;
    let id = active(admin.as_ref()).await.id;
    assert_eq!(kind(admin.delete_from_store(&id, "nosuch").await), Conflict);
    assert_eq!(
        kind(
            admin
                .delete_from_store("66666666-6666-6666-6666-666666666666", "fast")
                .await
        ),
        NotFound
    );
    let queued = admin.create_image(new_image(json!({}))).await.unwrap().id;
    assert_eq!(
        kind(admin.delete_from_store(&queued, "fast").await),
        Conflict
    );
}

async fn services_and_administrators_get_the_locations(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let (admin, owner) = (
        on.service("admin:admin:u").await,
        on.service("demo:member:u").await,
    );
    let image = active(owner.as_ref()).await;
    let locations = admin.locations(&image.id).await.unwrap();
    let [location] = &locations[..] else {
        panic!("{locations:?}")
    };
    assert!(location.url.contains(&image.id), "{location:?}");
    assert_eq!(location.store(), Some("fast"));
    assert_eq!(kind(owner.locations(&image.id).await), Forbidden);
    let queued = raw_image(owner.as_ref(), "queued").await.id;
    assert_eq!(admin.locations(&queued).await.unwrap(), []);
    let missing = "66666666-6666-6666-6666-666666666666";
    assert_eq!(kind(admin.locations(missing).await), NotFound);
}
