//! Patches of images: attributes, properties, tags and locations at once, all or none.

use glance_tools::ErrorKind::{self, Conflict, Forbidden, Invalid, NotFound, TooLarge};
use glance_tools::model::{
    Change, Image, ImagePatch, ImageStatus, Location, Position, ValidationData,
};
use glance_tools::service::{ImageService, Upload};
use serde_json::json;

use super::data::pipe;
use super::locations::location;
use super::{Deployment, contract, kind, new_image, raw_image};

contract! {
    one_patch_changes_everything
    a_patch_that_fails_changes_nothing
    what_exists_is_not_created_again
    an_empty_patch_changes_nothing
    patches_of_others_images_are_refused
}

/// An active image with a property and a tag.
async fn active(service: &dyn ImageService) -> Image {
    let attributes = json!({"name": "x", "disk_format": "raw", "container_format": "bare", "kept": "1", "gone": "1", "tags": ["old"]});
    let image = service.create_image(new_image(attributes)).await.unwrap();
    service
        .upload_image(&image.id, Upload::new(pipe(b"data")))
        .await
        .unwrap()
}

/// The locations of an image, with a note in their metadata.
fn noted(image: &Image) -> Vec<Location> {
    let mut locations = image.locations.clone().unwrap();
    for location in &mut locations {
        location.metadata.insert("note".to_string(), json!("new"));
    }
    locations
}

async fn one_patch_changes_everything(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("demo:member:u").await;
    let image = active(service.as_ref()).await;
    let locations = noted(&image);
    let patch = ImagePatch::from([
        Change::replace("name", "after"),
        Change::add("added", "2"),
        Change::remove("gone"),
        Change::add("tags", json!(["one", "two"])),
        Change::replace_locations(locations.clone()),
        Change::replace("kept", "3"),
    ]);
    let after = service.update_image(&image.id, &patch).await.unwrap();
    let read = service.get_image(&image.id).await.unwrap();
    for image in [&after, &read] {
        assert_eq!(image.name.as_deref(), Some("after"));
        assert_eq!(image.property("added"), Some("2"));
        assert_eq!(image.property("kept"), Some("3"));
        assert_eq!(image.property("gone"), None);
        assert_eq!(image.locations, Some(locations.clone()));
        assert_eq!((image.status, image.size), (ImageStatus::Active, Some(4)));
        let mut tags = image.tags.clone();
        tags.sort();
        assert_eq!(tags, ["one", "two"]);
    }
    assert_eq!(after.updated_at, read.updated_at);
    // Tags that are added one by one join them.
    let patch = ImagePatch::from([Change::add_tag("three"), Change::replace("name", "x")]);
    let after = service.update_image(&image.id, &patch).await.unwrap();
    assert_eq!((after.tags.len(), after.name.as_deref()), (3, Some("x")));
}

async fn a_patch_that_fails_changes_nothing(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let service = on.service("admin:admin:u").await;
    let image = active(service.as_ref()).await;
    let before = service.get_image(&image.id).await.unwrap();
    let add = |url: &str| Change::add_location(location(url), ValidationData::default());
    let hashes = ValidationData {
        checksum: None,
        os_hash_algo: Some("sha512".to_string()),
        os_hash_value: Some("a".repeat(128)),
    };
    let many: Vec<String> = (0..129).map(|i| format!("t{i}")).collect();
    let remove = |position| Change::RemoveLocation {
        position,
        known: None,
    };
    let cases: [(Change, ErrorKind); 19] = [
        (Change::remove("absent"), Conflict),
        (Change::replace("absent", "x"), Conflict),
        (Change::remove("name"), Forbidden),
        (Change::remove("tags"), Forbidden),
        (Change::replace("status", "queued"), Forbidden),
        (Change::add("deleted", "x"), Forbidden),
        (Change::replace("disk_format", "iso"), Forbidden),
        (Change::add("disk_format", "floppy"), Invalid),
        (Change::add("min_disk", -1), Invalid),
        (Change::add("custom", 1), Invalid),
        (Change::add("tags", json!(many)), TooLarge),
        (Change::add("tags", json!(["t".repeat(256)])), Invalid),
        (add("file:///etc/hostname"), Invalid),
        (add("http://127.0.0.1:1/there-is-no-such-store"), Invalid),
        (
            Change::add_location(location("http://127.0.0.1:1/x"), hashes),
            Conflict,
        ),
        (Change::replace_locations([location("file:///x")]), Invalid),
        (Change::replace_locations([]), Forbidden),
        (remove(Position::At(0)), Forbidden),
        (remove(Position::End), Forbidden),
    ];
    for (last, why) in cases {
        let patch = ImagePatch::from([
            Change::replace("name", "half"),
            Change::add("added", "2"),
            Change::remove("gone"),
            Change::add("tags", json!(["one"])),
            Change::replace_locations(noted(&image)),
            last.clone(),
        ]);
        let failed = service.update_image(&image.id, &patch).await;
        assert_eq!(kind(failed), why, "{last:?}");
        let after = service.get_image(&image.id).await.unwrap();
        assert_eq!(after, before, "{last:?}");
    }
    // A queued image has the same rules; and formats that are missing are noticed before it becomes active.
    let queued = raw_image(service.as_ref(), "queued").await;
    let before = service.get_image(&queued.id).await.unwrap();
    let patch = ImagePatch::from([Change::replace("name", "half"), add("file:///etc/hostname")]);
    assert_eq!(
        kind(service.update_image(&queued.id, &patch).await),
        Invalid
    );
    let patch = ImagePatch::from([Change::replace("name", "half"), remove(Position::At(0))]);
    assert_eq!(
        kind(service.update_image(&queued.id, &patch).await),
        Conflict
    );
    let after = service.get_image(&queued.id).await.unwrap();
    assert_eq!(after, before);
}

async fn what_exists_is_not_created_again(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = service
        .create_image(new_image(json!({"name": "x", "known": "1"})))
        .await
        .unwrap();
    let create = |name: &str| Change::Create {
        name: name.to_string(),
        value: json!("2"),
    };
    for name in ["known", "name"] {
        let patch = ImagePatch::from([create("new"), create(name)]);
        let refused = service.update_image(&image.id, &patch).await;
        assert_eq!(kind(refused), Conflict, "{name}");
    }
    let unchanged = service.get_image(&image.id).await.unwrap();
    assert_eq!(unchanged.property("new"), None);
    let patch = ImagePatch::from([create("new"), Change::remove("known"), create("known")]);
    let after = service.update_image(&image.id, &patch).await.unwrap();
    assert_eq!(after.property("new"), Some("2"));
    assert_eq!(after.property("known"), Some("2"));
}

async fn an_empty_patch_changes_nothing(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = service.create_image(new_image(json!({}))).await.unwrap();
    let none = ImagePatch::default();
    assert_eq!(service.update_image(&image.id, &none).await.unwrap(), image);
    service.apply_patch(&image.id, &none).await.unwrap();
    let nowhere = "99999999-9999-4999-8999-999999999999";
    assert_eq!(kind(service.apply_patch(nowhere, &none).await), NotFound);
}

async fn patches_of_others_images_are_refused(on: impl Deployment) {
    let on = on.with_named_stores().await;
    let demo = on.service("demo:member:u").await;
    let image = active(demo.as_ref()).await;
    let patch = ImagePatch::from([
        Change::replace("name", "x"),
        Change::replace_locations(noted(&image)),
    ]);
    for (caller, why) in [("other:member:u", NotFound), ("demo:reader:u", Forbidden)] {
        let service = on.service(caller).await;
        assert_eq!(
            kind(service.update_image(&image.id, &patch).await),
            why,
            "{caller}"
        );
    }
    assert_eq!(demo.get_image(&image.id).await.unwrap().name, image.name);
}
