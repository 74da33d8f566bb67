//! Policy files and property protections of a local deployment.

use std::fs;

use glance_tools::ErrorKind::{Forbidden, NotFound};
use glance_tools::data::Watch;
use glance_tools::model::{Change, Image, ImagePatch, ImageQuery, Import, ImportMethod};
use glance_tools::service::{
    Cache, CacheKeeper, ImageData, Images, Imports, Members, MetadefObjects, MetadefTags,
    Namespaces, ResourceTypes, Upload,
};
use serde_json::{Value, json};

use crate::contract::data::pipe;
use crate::contract::{kind, new_image, raw_image};
use crate::support::{GLANCE, Place, Run, all_images, block_on};

/// A data directory with this policy file.
fn with_policy(rules: &str) -> Place {
    let place = Place::new();
    place.configure("");
    fs::write(place.data().join("policy.yaml"), rules).unwrap();
    place
}

/// Runs `glance-manage` with these words.
fn manage(place: &Place, words: &[&str]) -> Run {
    let mut command = place.command("/bin/bash");
    command
        .args(["-c", "exec -a \"$0\" \"$@\"", "glance-manage", GLANCE])
        .args(words);
    Run::of(command.output().unwrap())
}

fn properties(image: &Image) -> Vec<&str> {
    image.properties.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn a_rule_of_the_file_refuses_as_the_service_does() {
    let place = with_policy("delete_image: role:admin\nget_images: \"!\"\nadd_member: \"!\"\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let image = raw_image(&demo, "a").await;
        let refused = demo.delete_image(&image.id).await.unwrap_err();
        assert_eq!(refused.kind(), Forbidden);
        assert_eq!(
            refused.message(),
            "You are not authorized to complete delete_image action."
        );
        let refused = demo.add_member(&image.id, "other").await;
        assert_eq!(kind(refused), Forbidden);
        let listed = demo.list_images(ImageQuery::default());
        let listed = futures_util::TryStreamExt::try_collect::<Vec<_>>(listed).await;
        assert_eq!(kind(listed), Forbidden);
        let root = place.open_as("root:admin:u").await;
        root.delete_image(&image.id).await.unwrap();
    });
}

#[test]
fn images_that_the_rules_hide_are_neither_found_nor_listed() {
    let rules = "get_image: role:admin or not 'secret':%(class)s\ndelete_image: role:admin\n";
    let place = with_policy(rules);
    // A property that an image does not have is never equal to anything.
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let root = place.open_as("root:admin:u").await;
        let open = raw_image(&demo, "open").await;
        let secret = new_image(json!({"name": "secret", "class": "secret"}));
        let secret = demo.create_image(secret).await.unwrap();
        assert_eq!(kind(demo.get_image(&secret.id).await), NotFound);
        assert_eq!(kind(demo.delete_image(&secret.id).await), NotFound);
        let names = |images: Vec<Image>| -> Vec<String> {
            images.into_iter().filter_map(|image| image.name).collect()
        };
        assert_eq!(names(all_images(&demo).await), ["open"]);
        assert_eq!(all_images(&root).await.len(), 2);
        demo.get_image(&open.id).await.unwrap();
        root.get_image(&secret.id).await.unwrap();
    });
}

#[test]
fn visibilities_and_namespaces_are_decided_by_the_file() {
    let place = with_policy(
        "publicize_image: project_id:%(owner)s\nmetadef_admin: role:member\n\
         get_metadef_namespace: role:member and project_id:%(project_id)s\n",
    );
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let image = raw_image(&demo, "a").await;
        let patch = ImagePatch::from([Change::replace("visibility", "public")]);
        demo.update_image(&image.id, &patch).await.unwrap();
        let Value::Object(namespace) = json!({"namespace": "N", "visibility": "public"}) else {
            unreachable!()
        };
        demo.create_namespace(namespace).await.unwrap();
        demo.get_namespace("N", None).await.unwrap();
        let other = place.open_as("other:member:u").await;
        other.get_image(&image.id).await.unwrap();
        assert_eq!(kind(other.get_namespace("N", None).await), NotFound);
    });
}

#[test]
fn rules_of_the_contents_of_a_namespace_decide_about_them_alone() {
    let place = with_policy(
        "get_metadef_namespace: role:admin\nget_metadef_object: role:admin\n\
         get_metadef_resource_type: role:admin\ndelete_metadef_tags: role:member\n\
         modify_metadef_object: role:member\n",
    );
    block_on(async {
        let root = place.open_as("root:admin:u").await;
        for visibility in ["public", "private"] {
            let Value::Object(namespace) = json!({
                "namespace": visibility,
                "visibility": visibility,
                "objects": [{"name": "o"}],
                "tags": [{"name": "t"}],
                "resource_type_associations": [{"name": "OS::A"}],
            }) else {
                unreachable!()
            };
            root.create_namespace(namespace).await.unwrap();
        }
        let demo = place.open_as("demo:member:u").await;
        assert_eq!(kind(demo.get_namespace("public", None).await), NotFound);
        assert_eq!(demo.list_tags("public").await.unwrap().len(), 1);
        assert_eq!(kind(demo.list_tags("private").await), NotFound);
        // A change of an object is answered without the right to get it.
        let Value::Object(object) = json!({"name": "o", "description": "d"}) else {
            unreachable!()
        };
        let replaced = demo.replace_object("public", "o", object).await.unwrap();
        assert_eq!(replaced.description.as_deref(), Some("d"));
        // Each in a list is decided about by itself.
        assert!(demo.list_objects("public").await.unwrap().is_empty());
        assert!(demo.list_associations("public").await.unwrap().is_empty());
        assert_eq!(kind(demo.get_object("public", "o").await), NotFound);
        // To delete all of a kind is as much as to delete the namespace.
        assert_eq!(kind(demo.delete_tags("public").await), NotFound);
        assert_eq!(root.list_objects("public").await.unwrap().len(), 1);
        root.delete_tags("public").await.unwrap();
        root.delete_objects("public").await.unwrap();
    });
}

#[test]
fn what_rules_allow_is_done_with_an_image_that_they_hide() {
    let rules = "get_image: role:admin\nmodify_image: role:admin\nupload_image: role:member\n";
    let place = with_policy(rules);
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let id = raw_image(&demo, "hidden").await.id;
        assert_eq!(kind(demo.get_image(&id).await), NotFound);
        // Its status is for callers that may get it.
        let import = Import::new(ImportMethod::GlanceDirect);
        let begun = demo.import_image(&id, import, Watch::default()).await;
        assert_eq!(kind(begun.map(drop)), NotFound);
        assert_eq!(demo.stage_host(&id).await.unwrap(), None);
        let uploaded = demo.upload_image(&id, Upload::new(pipe(b"data"))).await;
        assert_eq!(uploaded.unwrap().size, Some(4));
    });
}

#[test]
fn who_may_not_see_members_changes_none() {
    let place = with_policy("get_member: role:admin\n");
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let image = new_image(json!({"visibility": "shared"}));
        let id = demo.create_image(image).await.unwrap().id;
        demo.add_member(&id, "other").await.unwrap();
        for member in ["other", "nobody"] {
            assert_eq!(kind(demo.get_member(&id, member).await), NotFound);
            assert_eq!(kind(demo.remove_member(&id, member).await), Forbidden);
            assert_eq!(kind(demo.check_may_decide(&id, member).await), Forbidden);
        }
        assert_eq!(demo.list_members(&id).await.unwrap(), []);
    });
}

#[test]
fn one_rule_decides_about_the_routes_of_the_cache_middleware() {
    let place = with_policy("manage_image_cache: role:member\n");
    let unknown = "88888888-8888-8888-8888-888888888888";
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        demo.queue(unknown).await.unwrap();
        assert_eq!(demo.list_queued().await.unwrap(), [unknown]);
        demo.delete_cached(unknown).await.unwrap();
        assert_eq!(demo.delete_all_queued().await.unwrap(), 1);
        assert_eq!(kind(demo.cache_state().await), Forbidden);
        let reader = place.open_as("demo:reader:u").await;
        assert_eq!(kind(reader.queue(unknown).await), Forbidden);
        assert_eq!(kind(reader.list_cached().await), Forbidden);
    });
}

#[test]
fn protected_properties_are_hidden_and_refused() {
    let place = Place::new();
    place.configure("[DEFAULT]\nproperty_protection_file = protections.conf\n");
    let protections = "[^x_]\ncreate = admin\nread = member\nupdate = admin\ndelete = admin\n\
                       [^y_]\ncreate = member\nread = admin\nupdate = admin\ndelete = admin\n\
                       [.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n";
    fs::write(place.data().join("protections.conf"), protections).unwrap();
    block_on(async {
        let demo = place.open_as("demo:member:u").await;
        let reader = place.open_as("demo:reader:u").await;
        let root = place.open_as("demo:admin:u").await;
        let refused = demo.create_image(new_image(json!({"x_a": "1"}))).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), Forbidden);
        assert_eq!(refused.message(), "Attribute 'x_a' is reserved.");
        let made = root.create_image(new_image(json!({"x_a": "1", "z": "2"})));
        let id = made.await.unwrap().id;
        assert_eq!(
            properties(&demo.get_image(&id).await.unwrap()),
            ["x_a", "z"]
        );
        assert_eq!(properties(&reader.get_image(&id).await.unwrap()), ["z"]);
        assert_eq!(properties(&all_images(&reader).await[0]), ["z"]);

        let apply =
            async |change: Change| demo.update_image(&id, &ImagePatch::from([change])).await;
        for change in [
            Change::add("x_a", "3"),
            Change::replace("x_a", "3"),
            Change::remove("x_a"),
            Change::add("x_b", "3"),
        ] {
            assert_eq!(kind(apply(change.clone()).await), Forbidden, "{change:?}");
        }
        apply(Change::replace("z", "3")).await.unwrap();
        // A caller may be allowed to create such a property, but not to read, change or remove it.
        let image = apply(Change::add("y_a", "1")).await.unwrap();
        assert_eq!(properties(&image), ["x_a", "z"]);
        for change in [Change::replace("y_a", "2"), Change::remove("y_a")] {
            let refused = apply(change).await.unwrap_err();
            assert_eq!(refused.message(), "Property y_a does not exist.");
        }
        assert_eq!(
            properties(&root.get_image(&id).await.unwrap()),
            ["x_a", "z", "y_a"]
        );
    });
}

#[test]
fn the_program_shows_the_rules_and_why_they_decide() {
    let place =
        with_policy("delete_image: rule:janitor and project_id:%(owner)s\njanitor: role:reader\n");
    let id = place.image("a", b"x");
    let listed = manage(&place, &["--format", "value", "policy", "list"]).ok();
    let line = |name: &str| {
        let mut lines = listed.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_string()
    };
    let file = place.data().join("policy.yaml");
    let at = file.display();
    assert_eq!(
        line("delete_image "),
        format!("delete_image rule:janitor and project_id:%(owner)s {at}:1")
    );
    assert!(line("copy_image ").ends_with(" default"));

    let check = |words: &[&str]| manage(&place, &[&["policy", "check"], words].concat());
    let run = check(&["delete_image", "--as", "demo", "--image", &id]);
    assert_eq!(run.code, 1, "{run:?}");
    let text = run.text();
    assert!(
        text.starts_with("delete_image does not allow demo:member:demo\n"),
        "{text}"
    );
    assert!(
        text.contains("\nfalse    project_id:%(owner)s  (project_id of the caller is 'demo', owner of the target is 'admin')"),
        "{text}"
    );
    let run = check(&["delete_image", "--as", "admin:reader", "--image", &id]);
    assert_eq!(run.code, 0, "{run:?}");
    check(&["delete_image", "--as", "demo", "--target", "owner=demo"]).ok();
    let run = check(&["nothing", "--as", "demo"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("there is no rule 'nothing'"), "{run:?}");
    let run = check(&["janitor", "--as", "demo", "--target", "owner"]);
    assert_eq!(run.code, 2);
    fs::write(&file, "odd: admin\n").unwrap();
    let run = check(&["odd", "--as", "demo"]);
    assert!(
        run.stderr.contains(&format!("{at}:1: rule 'odd': ")),
        "{run:?}"
    );
}
