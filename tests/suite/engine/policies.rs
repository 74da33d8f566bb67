//! Policy files and property protections of a local deployment.

use std::fs;

use glance_tools::ErrorKind::{Forbidden, NotFound};
use glance_tools::model::{Change, Image, ImagePatch, ImageQuery};
use glance_tools::service::{Images, Members, Namespaces};
use serde_json::{Value, json};

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
    let place = with_policy("get_image: role:admin or not 'secret':%(class)s\n");
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
