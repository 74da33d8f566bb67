//! Images that are taken back.

use std::fs;

use serde_json::Value;

use super::{Delayed, LONG_AGO};
use crate::support::Run;
use crate::support::realcloud::{output_of, script};

/// The program that purges.
const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

fn shown(place: &Delayed, id: &str) -> Value {
    let mut shown: Value =
        serde_json::from_str(&place.glance(&["--format", "json", "image-show", id]).ok()).unwrap();
    shown.as_object_mut().unwrap().remove("updated_at");
    shown
}

#[test]
fn an_image_comes_back_whole() {
    for place in Delayed::on_each("") {
        let id = place.image("a", b"data");
        let words = [
            "image-update",
            &id,
            "--property",
            "os_distro=debian",
            "--property",
            "left=x",
        ];
        assert_eq!(place.glance(&words).code, 0);
        // What its owner took off before is not given back.
        let words = ["image-update", &id, "--remove-property", "left"];
        assert_eq!(place.glance(&words).code, 0);
        for tag in ["kept", "left"] {
            place.glance(&["image-tag-update", &id, tag]).ok();
        }
        place.glance(&["image-tag-delete", &id, "left"]).ok();
        for member in ["kept", "left"] {
            assert_eq!(place.glance(&["member-create", &id, member]).code, 0);
        }
        place.glance(&["member-delete", &id, "left"]).ok();
        // A server keeps no fractions of seconds: what went in the same one is not told apart.
        for table in ["image_tags", "image_members", "image_properties"] {
            place.sql(&format!(
                "UPDATE {table} SET deleted_at = '{LONG_AGO}' WHERE deleted = 1"
            ));
        }
        let before = shown(&place, &id);
        place.glance(&["image-delete", &id]).ok();
        place.scrubber(&["--restore", &id]).ok();
        assert_eq!(shown(&place, &id), before);
        let members = place.glance(&["member-list", "--image-id", &id]).ok();
        assert!(
            members.contains("kept") && !members.contains("left"),
            "{members}"
        );
        place.glance(&["image-download", "--file", "out", &id]).ok();
        assert_eq!(fs::read(place.file("out")).unwrap(), b"data");
        // A purge looks at the time of a deletion alone.
        for table in [
            "images",
            "image_locations",
            "image_tags",
            "image_members",
            "image_properties",
        ] {
            let times = place.number(&format!(
                "SELECT count(*) FROM {table} WHERE deleted = 0 AND deleted_at IS NOT NULL"
            ));
            assert_eq!(times, 0, "{table}");
        }
        assert_eq!(place.scrubber(&[]).ok(), "");
        // And once more.
        place.glance(&["image-delete", &id]).ok();
        place.glance(&["scrub", "--restore", &id]).ok();
        assert_eq!(shown(&place, &id), before);
    }
}

#[test]
fn an_image_comes_back_whole_after_a_purge() {
    // The second was restored before by a program that leaves what belongs to an image deleted.
    let elsewhere =
        "UPDATE images SET status = 'active', deleted = 0 WHERE status = 'pending_delete'";
    for change in ["", elsewhere] {
        for place in Delayed::on_each("") {
            let id = place.image("a", b"data");
            let words = ["image-update", &id, "--property", "os_distro=debian"];
            assert_eq!(place.glance(&words).code, 0);
            for tag in ["one", "two"] {
                place.glance(&["image-tag-update", &id, tag]).ok();
            }
            assert_eq!(place.glance(&["member-create", &id, "you"]).code, 0);
            let before = shown(&place, &id);
            // What was taken off an image that lives is purged as ever.
            let other = place.image("b", b"data");
            place.glance(&["image-tag-update", &other, "gone"]).ok();
            place.glance(&["image-tag-delete", &other, "gone"]).ok();
            place.glance(&["image-delete", &id]).ok();
            if !change.is_empty() {
                place.sql(change);
            }
            for action in ["purge", "purge_images_table"] {
                let mut purge = place.command(MANAGE);
                purge.args(["db", action, "--age_in_days", "0", "--max_rows", "-1"]);
                let purged = Run::of(purge.output().unwrap());
                assert_eq!(purged.code, 0, "{}", purged.stderr);
            }
            let tags = place.texts("SELECT value FROM image_tags ORDER BY value");
            assert_eq!(tags, ["one", "two"]);
            place.scrubber(&["--restore", &id]).ok();
            assert_eq!(shown(&place, &id), before);
            let members = place.glance(&["member-list", "--image-id", &id]).ok();
            assert!(members.contains("you"), "{members}");
            place.glance(&["image-download", "--file", "out", &id]).ok();
            assert_eq!(fs::read(place.file("out")).unwrap(), b"data");
        }
    }
}

#[test]
fn only_images_that_wait_can_be_taken_back() {
    let place = Delayed::new();
    let (active, gone) = (place.image("a", b"data"), place.deleted("b", b"data"));
    let refused = |status: &str| {
        format!(
            "ERROR: cannot restore the image from {status} to active (wanted from_state=pending_delete)\n"
        )
    };
    assert_eq!(
        place.scrubber(&["--restore", &active]).fails(1),
        refused("active")
    );
    place.scrubber(&[]);
    assert_eq!(
        place.scrubber(&["--restore", &gone]).fails(1),
        refused("deleted")
    );
    let none = "00000000-0000-4000-8000-00000000000x";
    assert_eq!(
        place.scrubber(&["--restore", none]).fails(1),
        format!("ERROR: No image found with ID {none}\n")
    );
}

#[test]
fn an_image_whose_data_is_gone_or_another_is_not_taken_back() {
    let place = Delayed::new();
    for content in [None, Some("other data")] {
        let id = place.deleted("a", b"data");
        let path = place.images().join(&id);
        match content {
            None => fs::remove_file(&path).unwrap(),
            Some(content) => fs::write(&path, content).unwrap(),
        }
        let told = place.scrubber(&["--restore", &id]).fails(1);
        assert_eq!(
            told,
            format!("ERROR: cannot restore image {id}: its data does not exist any more\n")
        );
        assert_eq!(place.status(&id), "pending_delete");
        assert_eq!(place.locations(&id), "pending_delete");
    }
}

#[test]
fn copies_that_are_gone_are_told() {
    let place = Delayed::new();
    let id = place.deleted("a", b"data");
    for (number, url) in ["file:///nowhere/at/all", "rbd://pool/x"]
        .iter()
        .enumerate()
    {
        place.sql(&format!(
            "INSERT INTO image_locations (id, image_id, value, created_at, deleted_at, deleted, meta_data, \
             status) VALUES ({}, '{id}', '{url}', '{LONG_AGO}', '{LONG_AGO}', 1, '{{}}', 'pending_delete')",
            number + 100
        ));
    }
    let run = place.scrubber(&["--restore", &id]);
    assert_eq!((run.code, run.text().as_str()), (0, ""));
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", run.stderr);
    assert!(
        lines[0].ends_with("the data at file:///nowhere/at/all is missing"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("rbd://pool/x cannot be checked"),
        "{}",
        lines[1]
    );
    assert_eq!(place.status(&id), "active");
    assert_eq!(place.locations(&id), "active,pending_delete,pending_delete");
}

#[test]
fn an_image_that_was_given_things_since_keeps_them() {
    for place in Delayed::on_each("") {
        let id = place.image("a", b"data");
        place.glance(&["image-tag-update", &id, "old"]).ok();
        place.glance(&["image-tag-update", &id, "both"]).ok();
        place.glance(&["image-delete", &id]).ok();
        // As the real scrubber takes an image back; then somebody goes on with it.
        place.sql("UPDATE images SET status = 'active', deleted = 0");
        place.glance(&["image-tag-update", &id, "both"]).ok();
        place.scrubber(&["--restore", &id]).ok();
        let tags = |place: &Delayed| {
            let mut tags = shown(place, &id)["tags"].clone();
            tags.as_array_mut()
                .unwrap()
                .sort_by_key(ToString::to_string);
            tags
        };
        assert_eq!(tags(&place), serde_json::json!(["both", "old"]));
    }
}

/// What the real Glance does to delete an image while deletion is delayed, step by step, and what it shows
/// of an image.
const REAL: &str = r"
import sys
from oslo_config import cfg
from glance.common import config
from glance import context
from glance.db.sqlalchemy import api
import glance.scrubber, glance.db
config.CONF(['--config-file', sys.argv[1]], project='glance')
admin = context.get_admin_context(show_deleted=True)
what, image = sys.argv[2:]
if what == 'delete':
    for location in api.image_get(admin, image)['locations']:
        api.image_location_delete(admin, image, location['id'], 'pending_delete')
    api.image_update(admin, image, {'status': 'pending_delete'}, purge_props=True)
    api.image_destroy(admin, image)
else:
    user = context.get_admin_context()
    found = api.image_get(user, image)
    properties = sorted((p['name'], p['value']) for p in found['properties'] if not p['deleted'])
    members = [m['member'] for m in api.image_member_find(user, image_id=image)]
    locations = [l['status'] for l in found['locations']]
    print(found['status'], properties, sorted(api.image_tag_get_all(user, image)), members, locations)
";

#[test]
fn what_the_real_service_deleted_comes_back_to_it() {
    let place = Delayed::new();
    let id = place.image("a", b"data");
    let words = [
        "image-update",
        &id,
        "--property",
        "os_distro=debian",
        "--property",
        "x=y",
    ];
    assert_eq!(place.glance(&words).code, 0);
    place.glance(&["image-tag-update", &id, "t"]).ok();
    assert_eq!(place.glance(&["member-create", &id, "acme"]).code, 0);
    let config = place.write(
        "glance.conf",
        format!(
            "[DEFAULT]\ndelayed_delete = true\n[database]\nconnection = sqlite:///{}\n",
            place.data().join("glance.db").display()
        ),
    );
    let venv = output_of(&mut std::process::Command::new(script("venv")));
    let python = std::path::Path::new(venv.trim_end()).join("bin/python");
    let real = |what: &str| {
        let mut command = place.command(python.to_str().unwrap());
        output_of(command.args(["-c", REAL]).arg(&config).args([what, &id]))
    };
    let before = real("show");
    assert!(
        before.contains("('x', 'y')") && before.contains("acme"),
        "{before}"
    );
    real("delete");
    assert_eq!(place.status(&id), "pending_delete");
    let properties = place.number("SELECT count(*) FROM image_properties WHERE deleted = 0");
    assert_eq!(properties, 0);
    place.scrubber(&["--restore", &id]).ok();
    assert_eq!(real("show"), before);
    real("delete");
    assert_eq!(place.scrubber(&[]).code, 0);
    assert_eq!(place.status(&id), "deleted");
    assert!(place.stored().is_empty());
}
