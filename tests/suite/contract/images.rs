//! Image records.

use glance_tools::ErrorKind::{Conflict, Forbidden, Invalid, NotFound, TooLarge};
use glance_tools::model::{Change, ImagePatch, ImageStatus, Visibility};
use glance_tools::service::{Reading, Upload};
use serde_json::json;

use super::{Deployment, contract, kind, new_image, raw_image};

contract! {
    a_new_image_has_the_defaults_of_the_api
    attributes_and_properties_are_kept
    an_id_is_used_once
    values_outside_the_schema_are_refused
    read_only_and_reserved_attributes_are_refused
    changes_are_applied_in_order_and_all_or_none
    a_property_that_was_removed_can_come_back
    formats_are_fixed_once_there_is_data
    protected_images_are_not_deleted
    deleted_images_are_gone
    activation_follows_the_states
    tags_are_attached_once_and_taken_off
    tags_that_others_attach_stay
    quotas_are_enforced
    strangers_see_what_they_are_offered
    only_owners_and_administrators_change_images
}

async fn a_new_image_has_the_defaults_of_the_api(on: impl Deployment) {
    let service = on.service("demo:member:u").await;
    let image = service.create_image(new_image(json!({}))).await.unwrap();
    assert_eq!(image.status, ImageStatus::Queued);
    assert_eq!(image.visibility, Visibility::Shared);
    assert_eq!(image.owner, Some(on.project("demo").await));
    assert_eq!(
        (image.min_disk, image.min_ram, image.protected, image.hidden),
        (0, 0, false, false)
    );
    assert_eq!(
        (image.name.clone(), image.size, image.checksum.clone()),
        (None, None, None)
    );
    assert_eq!(image.created_at, image.updated_at);
    assert_eq!(service.get_image(&image.id).await.unwrap(), image);
}

async fn attributes_and_properties_are_kept(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let other = on.project("other").await;
    let attributes = json!({
        "id": "22222222-2222-2222-2222-222222222222", "name": "é 漢字", "visibility": "public", "protected": true,
        "os_hidden": true, "owner": other, "min_disk": 3, "min_ram": 512, "disk_format": "qcow2",
        "container_format": "bare", "tags": ["b", "a", "b"], "z": "1", "a": "", "os_distro": "debian",
    });
    let image = service.create_image(new_image(attributes)).await.unwrap();
    assert_eq!(image.id, "22222222-2222-2222-2222-222222222222");
    assert_eq!(image.name.as_deref(), Some("é 漢字"));
    assert_eq!(image.owner, Some(other));
    let properties = [("z", "1"), ("a", ""), ("os_distro", "debian")]
        .map(|(k, v)| (k.to_string(), v.to_string()));
    assert_eq!(image.properties, properties, "in the order they were given");
    let mut tags = service.get_image(&image.id).await.unwrap().tags;
    tags.sort();
    assert_eq!(tags, ["a", "b"]);
}

async fn an_id_is_used_once(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let attributes = json!({"id": "33333333-3333-3333-3333-333333333333"});
    service
        .create_image(new_image(attributes.clone()))
        .await
        .unwrap();
    assert_eq!(
        kind(service.create_image(new_image(attributes.clone())).await),
        Conflict
    );
    service
        .delete_image("33333333-3333-3333-3333-333333333333")
        .await
        .unwrap();
    assert_eq!(
        kind(service.create_image(new_image(attributes)).await),
        Conflict,
        "not even after its deletion"
    );
}

async fn values_outside_the_schema_are_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for attributes in [
        json!({"disk_format": "floppy"}),
        json!({"container_format": "crate"}),
        json!({"visibility": "secret"}),
        json!({"name": "n".repeat(256)}),
        json!({"id": "not-a-uuid"}),
        json!({"min_disk": -1}),
        json!({"min_ram": 1_i64 << 40}),
        json!({"min_disk": "3"}),
        json!({"protected": "yes"}),
        json!({"tags": ["t".repeat(256)]}),
        json!({"custom": 3}),
        json!({"k".repeat(256): "v"}),
        // Before it is seen that it is read-only.
        json!({"status": "active", "size": "large"}),
    ] {
        assert_eq!(
            kind(service.create_image(new_image(attributes.clone())).await),
            Invalid,
            "{attributes}"
        );
    }
}

async fn read_only_and_reserved_attributes_are_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service.create_image(new_image(json!({}))).await.unwrap();
    for (name, value) in [
        ("status", json!("active")),
        ("checksum", json!("0cc175b9c0f1b6a831c399e269772661")),
        ("size", json!(5)),
        ("created_at", json!("2000-01-01T00:00:00Z")),
        ("direct_url", json!("file:///x")),
        ("deleted", json!("True")),
        ("os_glance_x", json!("x")),
    ] {
        let attributes = json!({name: value});
        assert_eq!(
            kind(service.create_image(new_image(attributes)).await),
            Forbidden,
            "{name}"
        );
        let change = ImagePatch::from([Change::replace(name, value)]);
        assert_eq!(
            kind(service.update_image(&image.id, &change).await),
            Forbidden,
            "{name}"
        );
    }
    // The real one takes it for a new image, and forgets it.
    let change = ImagePatch::from([Change::replace("os_hash_value", "0")]);
    assert_eq!(
        kind(service.update_image(&image.id, &change).await),
        Forbidden
    );
    let change = ImagePatch::from([Change::replace(
        "id",
        "44444444-4444-4444-4444-444444444444",
    )]);
    assert_eq!(
        kind(service.update_image(&image.id, &change).await),
        Forbidden
    );
}

async fn changes_are_applied_in_order_and_all_or_none(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service
        .create_image(new_image(json!({"name": "before", "a": "1"})))
        .await
        .unwrap();
    let changes = ImagePatch::from([
        Change::replace("name", "after"),
        Change::add("b", "2"),
        Change::replace("a", "3"),
        Change::remove("a"),
        Change::add("tags", json!(["x", "y"])),
        Change::replace("visibility", "community"),
        Change::add("protected", true),
        Change::add("os_hidden", true),
    ]);
    let after = service.update_image(&image.id, &changes).await.unwrap();
    assert_eq!(after.name.as_deref(), Some("after"));
    assert_eq!(after.properties, [("b".to_string(), "2".to_string())]);
    assert_eq!(after.visibility, Visibility::Community);
    assert!(after.protected && after.hidden && after.updated_at >= image.updated_at);
    assert_eq!(service.get_image(&image.id).await.unwrap().tags.len(), 2);
    for (wrong, why) in [
        (Change::remove("absent"), Conflict),
        (Change::replace("absent", "x"), Conflict),
        (Change::remove("name"), Forbidden),
        (Change::add("disk_format", "floppy"), Invalid),
    ] {
        let changes = ImagePatch::from([Change::replace("name", "half"), wrong]);
        assert_eq!(kind(service.update_image(&image.id, &changes).await), why);
        assert_eq!(
            service.get_image(&image.id).await.unwrap().name.as_deref(),
            Some("after")
        );
    }
    assert_eq!(
        kind(service.update_image("nowhere", &changes).await),
        NotFound
    );
}

async fn a_property_that_was_removed_can_come_back(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service
        .create_image(new_image(json!({"a": "1"})))
        .await
        .unwrap();
    service
        .update_image(&image.id, &Change::remove("a").into())
        .await
        .unwrap();
    let image = service
        .update_image(&image.id, &Change::add("a", "2").into())
        .await
        .unwrap();
    assert_eq!(image.property("a"), Some("2"));
    assert_eq!(
        service.get_image(&image.id).await.unwrap().property("a"),
        Some("2")
    );
}

async fn formats_are_fixed_once_there_is_data(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    service
        .update_image(&image.id, &Change::replace("disk_format", "iso").into())
        .await
        .unwrap();
    service
        .update_image(&image.id, &Change::replace("disk_format", "raw").into())
        .await
        .unwrap();
    service
        .upload_image(&image.id, Upload::new(super::data::pipe(b"data")))
        .await
        .unwrap();
    let change = ImagePatch::from([Change::replace("disk_format", "iso")]);
    assert_eq!(
        kind(service.update_image(&image.id, &change).await),
        Forbidden
    );
}

async fn protected_images_are_not_deleted(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service
        .create_image(new_image(json!({"protected": true})))
        .await
        .unwrap();
    assert_eq!(kind(service.delete_image(&image.id).await), Forbidden);
    service
        .update_image(&image.id, &Change::replace("protected", false).into())
        .await
        .unwrap();
    service.delete_image(&image.id).await.unwrap();
}

async fn deleted_images_are_gone(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    service
        .upload_image(&image.id, Upload::new(super::data::pipe(b"data")))
        .await
        .unwrap();
    service.delete_image(&image.id).await.unwrap();
    assert_eq!(kind(service.get_image(&image.id).await), NotFound);
    assert_eq!(kind(service.delete_image(&image.id).await), NotFound);
    assert_eq!(
        service
            .open_image(&image.id, Reading::default())
            .await
            .err()
            .map(|e| e.kind()),
        Some(NotFound)
    );
    assert_eq!(kind(service.add_tag(&image.id, "t").await), NotFound);
}

async fn activation_follows_the_states(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = raw_image(service.as_ref(), "x").await;
    assert_eq!(
        kind(service.deactivate_image(&image.id).await),
        Forbidden,
        "a queued image"
    );
    service
        .upload_image(&image.id, Upload::new(super::data::pipe(b"data")))
        .await
        .unwrap();
    for _ in 0..2 {
        service.deactivate_image(&image.id).await.unwrap();
    }
    assert_eq!(
        service.get_image(&image.id).await.unwrap().status,
        ImageStatus::Deactivated
    );
    for _ in 0..2 {
        service.reactivate_image(&image.id).await.unwrap();
    }
    assert_eq!(
        service.get_image(&image.id).await.unwrap().status,
        ImageStatus::Active
    );
}

async fn tags_are_attached_once_and_taken_off(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service.create_image(new_image(json!({}))).await.unwrap();
    for _ in 0..2 {
        service.add_tag(&image.id, "t").await.unwrap();
    }
    assert_eq!(service.get_image(&image.id).await.unwrap().tags, ["t"]);
    assert_eq!(
        kind(service.add_tag(&image.id, &"t".repeat(256)).await),
        Invalid
    );
    service.remove_tag(&image.id, "t").await.unwrap();
    assert_eq!(kind(service.remove_tag(&image.id, "t").await), NotFound);
    service.add_tag(&image.id, "t").await.unwrap();
    assert_eq!(service.get_image(&image.id).await.unwrap().tags, ["t"]);
}

async fn tags_that_others_attach_stay(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let image = service
        .create_image(new_image(json!({"tags": ["a"]})))
        .await
        .unwrap();
    // Both saw the same record.
    let first = ImagePatch::from([Change::add("name", "x"), Change::add_tag("b")]);
    service.apply_patch(&image.id, &first).await.unwrap();
    let second = ImagePatch::from([Change::add_tag("c"), Change::add_tag("a")]);
    let changed = service.update_image(&image.id, &second).await.unwrap();
    let mut tags = changed.tags;
    tags.sort();
    assert_eq!(tags, ["a", "b", "c"]);
    assert_eq!(changed.name.as_deref(), Some("x"));
    let long = ImagePatch::from([Change::add_tag("t".repeat(256))]);
    assert_eq!(kind(service.apply_patch(&image.id, &long).await), Invalid);
    let nowhere = "99999999-9999-4999-8999-999999999999";
    let change = ImagePatch::from([Change::add_tag("b")]);
    assert_eq!(kind(service.apply_patch(nowhere, &change).await), NotFound);
}

async fn quotas_are_enforced(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let many = |count: usize| -> serde_json::Map<String, serde_json::Value> {
        (0..count).map(|i| (format!("p{i}"), json!("x"))).collect()
    };
    let image = service
        .create_image(new_image(json!(many(128))))
        .await
        .unwrap();
    assert_eq!(
        kind(service.create_image(new_image(json!(many(129)))).await),
        TooLarge
    );
    assert_eq!(
        kind(
            service
                .update_image(&image.id, &Change::add("one-more", "x").into())
                .await
        ),
        TooLarge
    );
    let tags: Vec<String> = (0..129).map(|i| format!("t{i}")).collect();
    assert_eq!(
        kind(
            service
                .update_image(&image.id, &Change::add("tags", json!(tags)).into())
                .await
        ),
        TooLarge
    );
}

async fn strangers_see_what_they_are_offered(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let demo = on.service("demo:member:u").await;
    let other = on.service("other:member:u").await;
    let owner = on.project("demo").await;
    for (visibility, seen) in [
        ("public", true),
        ("community", true),
        ("shared", false),
        ("private", false),
    ] {
        let attributes = json!({"visibility": visibility, "owner": owner});
        let image = admin.create_image(new_image(attributes)).await.unwrap();
        assert!(
            demo.get_image(&image.id).await.is_ok(),
            "its owner sees the {visibility} image"
        );
        assert_eq!(
            other.get_image(&image.id).await.is_ok(),
            seen,
            "{visibility}"
        );
    }
    let public = json!({"visibility": "public"});
    assert_eq!(kind(demo.create_image(new_image(public)).await), Forbidden);
    let of_another = json!({"owner": on.project("other").await});
    assert_eq!(
        kind(demo.create_image(new_image(of_another)).await),
        Forbidden
    );
}

async fn only_owners_and_administrators_change_images(on: impl Deployment) {
    let demo = on.service("demo:member:u").await;
    let image = demo
        .create_image(new_image(json!({"visibility": "community"})))
        .await
        .unwrap();
    let rename = ImagePatch::from([Change::replace("name", "x")]);
    for caller in ["other:member:u", "demo:reader:u"] {
        let service = on.service(caller).await;
        assert_eq!(
            kind(service.update_image(&image.id, &rename).await),
            Forbidden,
            "{caller}"
        );
        assert_eq!(
            kind(service.delete_image(&image.id).await),
            Forbidden,
            "{caller}"
        );
        assert_eq!(
            kind(service.add_tag(&image.id, "t").await),
            Forbidden,
            "{caller}"
        );
        let upload = Upload::new(super::data::pipe(b"data"));
        assert_eq!(
            kind(service.upload_image(&image.id, upload).await),
            Forbidden,
            "{caller}"
        );
    }
    let give_away = ImagePatch::from([Change::replace("owner", on.project("other").await)]);
    assert_eq!(
        kind(demo.update_image(&image.id, &give_away).await),
        Forbidden
    );
    assert_eq!(
        kind(
            demo.update_image(&image.id, &Change::replace("visibility", "public").into())
                .await
        ),
        Forbidden
    );
    demo.update_image(&image.id, &rename).await.unwrap();
    let admin = on.service("admin:admin:u").await;
    admin.update_image(&image.id, &give_away).await.unwrap();
    assert!(demo.get_image(&image.id).await.is_ok(), "a community image");
    assert_eq!(kind(demo.update_image(&image.id, &rename).await), Forbidden);
}
