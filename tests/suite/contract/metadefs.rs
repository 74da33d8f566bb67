//! Metadata definitions.

use futures_util::TryStreamExt;
use glance_tools::ErrorKind::{Conflict, Forbidden, Invalid, NotFound};
use glance_tools::model::Direction;
use glance_tools::model::metadef::{
    Definition, Kind, Namespace, NamespaceQuery, NamespaceSort, Object, Tag,
};
use glance_tools::service::ImageService;
use serde_json::{Value, json};

use super::{Deployment, contract, kind};

contract! {
    a_namespace_is_made_with_all_it_holds
    a_namespace_that_cannot_be_made_leaves_nothing
    namespaces_are_seen_by_those_they_are_for
    only_administrators_change_definitions
    what_is_protected_is_not_deleted
    a_namespace_is_replaced_and_keeps_what_it_holds
    names_are_taken_once
    lists_of_namespaces_are_filtered_sorted_and_paged
    a_prefix_is_put_before_the_names_of_properties
    objects_are_made_replaced_and_deleted
    properties_are_made_replaced_and_deleted
    tags_are_made_renamed_and_deleted
    several_tags_are_made_or_none
    types_of_resources_are_associated_and_taken_away
    what_the_schema_refuses_is_refused
    names_are_what_they_are
    schemas_are_the_same_everywhere;

    local:
    // The real one answers 500, or makes what nobody can name or show.
    what_cannot_be_kept_is_refused
    a_new_name_that_is_taken_is_refused
    // The real one finds nothing by a name with a letter outside ASCII, or a slash, and hangs up on one
    // of several lines.
    names_may_have_any_letter
}

fn definition(value: Value) -> Definition {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

fn property(title: &str) -> Value {
    json!({"title": title, "type": "string"})
}

/// A namespace with something of everything.
fn full(name: &str) -> Definition {
    definition(json!({
        "namespace": name, "display_name": "Full", "description": "All of it", "visibility": "public",
        "resource_type_associations": [{"name": "OS::A", "prefix": "a_", "properties_target": "t"}, {"name": "OS::B"}],
        "properties": {"p": {"title": "P", "type": "integer", "default": 2, "maximum": 8}, "q": property("Q")},
        "objects": [{"name": "o", "description": "O", "required": ["x"], "properties": {"x": property("X")}}],
        "tags": [{"name": "t"}, {"name": "u"}],
    }))
}

async fn make(service: &dyn ImageService, name: &str, more: Value) -> Namespace {
    let mut new = definition(json!({"namespace": name}));
    new.extend(definition(more));
    service.create_namespace(new).await.unwrap()
}

async fn listed(service: &dyn ImageService, query: NamespaceQuery) -> Vec<String> {
    let all: Vec<Namespace> = service.list_namespaces(query).try_concat().await.unwrap();
    all.into_iter().map(|namespace| namespace.name).collect()
}

fn names(tags: &[Tag]) -> Vec<&str> {
    tags.iter().map(|tag| tag.name.as_str()).collect()
}

async fn a_namespace_is_made_with_all_it_holds(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let project = on.project("admin").await;
    let made = service.create_namespace(full("F::S")).await.unwrap();
    assert_eq!(made.name, "F::S");
    assert_eq!(made.owner.as_ref(), Some(&project));
    assert_eq!(made.properties.len(), 2);
    assert_eq!(names(&made.tags), ["t", "u"]);
    assert!(made.created_at.is_some() && made.updated_at >= made.created_at);

    let got = service.get_namespace("F::S", None).await.unwrap();
    assert_eq!(got.display_name.as_deref(), Some("Full"));
    assert_eq!(got.description.as_deref(), Some("All of it"));
    assert_eq!((got.visibility.as_str(), got.protected), ("public", false));
    assert_eq!(got.created_at, made.created_at);
    let expected = json!({
        "p": {"type": "integer", "title": "P", "default": "2", "maximum": 8},
        "q": {"type": "string", "title": "Q"},
    });
    assert_eq!(json!(got.properties), expected, "defaults are texts");
    let [object] = &got.objects[..] else {
        panic!("{:?}", got.objects)
    };
    assert_eq!(object.name, "o");
    assert_eq!(object.required, Some(vec!["x".to_string()]));
    assert!(object.properties.as_ref().unwrap().contains_key("x"));
    let mut tags = names(&got.tags);
    tags.sort_unstable();
    assert_eq!(tags, ["t", "u"]);
    let [first, second] = &got.resource_type_associations[..] else {
        panic!("{:?}", got.resource_type_associations)
    };
    assert_eq!(
        (first.name.as_str(), second.name.as_str()),
        ("OS::A", "OS::B")
    );
    assert_eq!(first.prefix.as_deref(), Some("a_"));
    assert_eq!(first.properties_target.as_deref(), Some("t"));
    assert_eq!((&second.prefix, &second.properties_target), (&None, &None));

    let bare = make(service.as_ref(), "B", json!({})).await;
    assert_eq!(
        (bare.visibility.as_str(), bare.protected),
        ("private", false)
    );
    let owned = make(service.as_ref(), "O", json!({"owner": "someone"})).await;
    assert_eq!(owned.owner.as_deref(), Some("someone"));
}

async fn a_namespace_that_cannot_be_made_leaves_nothing(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for twice in [
        json!({"tags": [{"name": "t"}, {"name": "t"}]}),
        json!({"objects": [{"name": "o"}, {"name": "o"}]}),
        json!({"resource_type_associations": [{"name": "R"}, {"name": "R"}]}),
    ] {
        let mut new = definition(json!({"namespace": "N", "properties": {"p": property("P")}}));
        new.extend(definition(twice));
        assert_eq!(kind(service.create_namespace(new).await), Conflict);
        assert_eq!(kind(service.get_namespace("N", None).await), NotFound);
    }
    make(service.as_ref(), "N", json!({})).await;
}

async fn namespaces_are_seen_by_those_they_are_for(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let demo = on.project("demo").await;
    let private = json!({"owner": demo, "tags": [{"name": "t"}], "properties": {"p": property("P")},
        "objects": [{"name": "o"}], "resource_type_associations": [{"name": "R"}]});
    make(admin.as_ref(), "Private", private).await;
    make(admin.as_ref(), "Public", json!({"visibility": "public"})).await;
    make(admin.as_ref(), "Admins", json!({})).await;
    for (caller, seen) in [
        ("admin:admin:u", &["Admins", "Private", "Public"][..]),
        ("demo:member:u", &["Private", "Public"]),
        ("demo:reader:u", &["Private", "Public"]),
        ("other:member:u", &["Public"]),
    ] {
        let service = on.service(caller).await;
        let mut names = listed(service.as_ref(), NamespaceQuery::default()).await;
        names.sort();
        assert_eq!(names, seen, "{caller}");
        for name in ["Private", "Public", "Admins"] {
            let got = service.get_namespace(name, None).await;
            assert_eq!(got.is_ok(), seen.contains(&name), "{caller}: {name}");
        }
    }
    let reader = on.service("demo:reader:u").await;
    assert!(reader.get_object("Private", "o").await.is_ok());
    assert!(reader.get_property("Private", "p").await.is_ok());
    assert!(reader.get_tag("Private", "t").await.is_ok());
    let other = on.service("other:member:u").await;
    assert_eq!(kind(other.list_objects("Private").await), NotFound);
    assert_eq!(kind(other.get_object("Private", "o").await), NotFound);
    assert_eq!(kind(other.list_properties("Private").await), NotFound);
    assert_eq!(kind(other.get_property("Private", "p").await), NotFound);
    assert_eq!(kind(other.list_tags("Private").await), NotFound);
    assert_eq!(kind(other.get_tag("Private", "t").await), NotFound);
    assert_eq!(kind(other.list_associations("Private").await), NotFound);
    assert_eq!(other.list_resource_types().await.unwrap().len(), 1);
}

async fn only_administrators_change_definitions(on: impl Deployment) {
    let admin = on.service("admin:admin:u").await;
    let demo = on.project("demo").await;
    let contents = || {
        json!({"owner": demo, "tags": [{"name": "t"}], "properties": {"p": property("P")},
        "objects": [{"name": "o"}], "resource_type_associations": [{"name": "R"}]})
    };
    make(admin.as_ref(), "N", contents()).await;
    for (caller, why) in [("demo:member:u", Forbidden), ("other:member:u", NotFound)] {
        let service = on.service(caller).await;
        let own = || definition(json!({"namespace": "N"}));
        let named = |name: &str| definition(json!({"name": name}));
        let typed = || definition(json!({"name": "p", "title": "P", "type": "string"}));
        let new = service.create_namespace(definition(json!({"namespace": "X"})));
        assert_eq!(kind(new.await), Forbidden);
        assert_eq!(kind(service.replace_namespace("N", own()).await), why);
        assert_eq!(kind(service.delete_namespace("N").await), why);
        assert_eq!(kind(service.create_object("N", named("x")).await), why);
        assert_eq!(
            kind(service.replace_object("N", "o", named("o")).await),
            why
        );
        assert_eq!(kind(service.delete_object("N", "o").await), why);
        assert_eq!(kind(service.delete_objects("N").await), why);
        assert_eq!(kind(service.create_property("N", typed()).await), why);
        let replaced = service.replace_property("N", "p", typed());
        assert_eq!(kind(replaced.await), why);
        assert_eq!(kind(service.delete_property("N", "p").await), why);
        assert_eq!(kind(service.delete_properties("N").await), why);
        assert_eq!(kind(service.create_tag("N", "x").await), why);
        let several = service.create_tags("N", &["x".to_string()], true).await;
        assert_eq!(kind(several), why);
        assert_eq!(kind(service.rename_tag("N", "t", "x").await), why);
        assert_eq!(kind(service.delete_tag("N", "t").await), why);
        assert_eq!(kind(service.delete_tags("N").await), why);
        assert_eq!(kind(service.associate("N", named("X")).await), why);
        assert_eq!(kind(service.dissociate("N", "R").await), why);
    }
    let got = admin.get_namespace("N", None).await.unwrap();
    let held = (got.tags.len(), got.properties.len(), got.objects.len());
    assert_eq!(held, (1, 1, 1));
}

async fn what_is_protected_is_not_deleted(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let mut new = full("N");
    new.insert("protected".to_string(), true.into());
    service.create_namespace(new).await.unwrap();
    assert_eq!(kind(service.delete_namespace("N").await), Forbidden);
    assert_eq!(kind(service.delete_object("N", "o").await), Forbidden);
    assert_eq!(kind(service.delete_objects("N").await), Forbidden);
    assert_eq!(kind(service.delete_property("N", "p").await), Forbidden);
    assert_eq!(kind(service.delete_properties("N").await), Forbidden);
    assert_eq!(kind(service.delete_tag("N", "t").await), Forbidden);
    assert_eq!(kind(service.delete_tags("N").await), Forbidden);
    assert_eq!(kind(service.dissociate("N", "OS::A").await), Forbidden);
    assert_eq!(kind(service.delete_tag("N", "nothing").await), NotFound);
    assert_eq!(kind(service.dissociate("N", "nothing").await), NotFound);
    // It may be changed, and added to.
    service.create_tag("N", "new").await.unwrap();
    let open = definition(json!({"namespace": "N"}));
    service.replace_namespace("N", open).await.unwrap();
    service.delete_namespace("N").await.unwrap();
    assert_eq!(kind(service.get_namespace("N", None).await), NotFound);
    assert_eq!(kind(service.delete_namespace("N").await), NotFound);
    assert_eq!(kind(service.get_tag("N", "t").await), NotFound);
    let types = service.list_resource_types().await.unwrap();
    assert_eq!(types.len(), 2, "types stay known");
    make(service.as_ref(), "N", json!({})).await;
    let again = service.get_namespace("N", None).await.unwrap();
    assert!(again.tags.is_empty() && again.properties.is_empty());
}

async fn a_namespace_is_replaced_and_keeps_what_it_holds(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let project = on.project("admin").await;
    let mut new = full("N");
    new.insert("owner".to_string(), "someone".into());
    let made = service.create_namespace(new).await.unwrap();
    make(service.as_ref(), "Taken", json!({})).await;
    let with = definition(json!({"namespace": "M", "display_name": "New"}));
    service.replace_namespace("N", with).await.unwrap();
    assert_eq!(kind(service.get_namespace("N", None).await), NotFound);
    let got = service.get_namespace("M", None).await.unwrap();
    assert_eq!(got.display_name.as_deref(), Some("New"));
    assert_eq!(got.description, None, "what is left out goes");
    assert_eq!(got.visibility, "private");
    assert_eq!(got.owner, Some(project));
    assert_eq!(got.created_at, made.created_at);
    assert_eq!((got.properties.len(), got.tags.len()), (2, 2));
    let taken = definition(json!({"namespace": "Taken"}));
    assert_eq!(
        kind(service.replace_namespace("M", taken.clone()).await),
        Conflict
    );
    assert_eq!(
        kind(service.replace_namespace("Nothing", taken).await),
        NotFound
    );
}

async fn names_are_taken_once(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    service.create_namespace(full("N")).await.unwrap();
    make(service.as_ref(), "Other", json!({})).await;
    let again = service.create_namespace(definition(json!({"namespace": "N"})));
    assert_eq!(kind(again.await), Conflict);
    let named = |name: &str| definition(json!({"name": name}));
    let typed = |name: &str| definition(json!({"name": name, "title": "P", "type": "string"}));
    assert_eq!(kind(service.create_object("N", named("o")).await), Conflict);
    assert_eq!(
        kind(service.create_property("N", typed("p")).await),
        Conflict
    );
    assert_eq!(kind(service.create_tag("N", "t").await), Conflict);
    assert_eq!(kind(service.associate("N", named("OS::A")).await), Conflict);
    assert_eq!(kind(service.rename_tag("N", "t", "u").await), Conflict);
    // Each namespace has names of its own, and a name may stay what it is.
    service.create_object("Other", named("o")).await.unwrap();
    service.create_tag("Other", "t").await.unwrap();
    service.rename_tag("N", "t", "t").await.unwrap();
    service.replace_object("N", "o", named("o")).await.unwrap();
    let kept = service.replace_property("N", "p", typed("p"));
    kept.await.unwrap();
}

async fn lists_of_namespaces_are_filtered_sorted_and_paged(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    let service = service.as_ref();
    assert!(listed(service, NamespaceQuery::default()).await.is_empty());
    for (name, more) in [
        (
            "c",
            json!({"resource_type_associations": [{"name": "A"}, {"name": "B"}]}),
        ),
        (
            "a",
            json!({"visibility": "public", "resource_type_associations": [{"name": "B"}]}),
        ),
        ("b", json!({"visibility": "public"})),
    ] {
        make(service, name, more).await;
    }
    let by_name = |query: NamespaceQuery| NamespaceQuery {
        sort: (NamespaceSort::Name, Direction::Ascending),
        ..query
    };
    let all = NamespaceQuery::default;
    let types = |types: &[&str]| Some(types.iter().map(ToString::to_string).collect::<Vec<_>>());
    for (query, expected) in [
        (all(), &["b", "a", "c"][..]),
        (by_name(all()), &["a", "b", "c"]),
        (
            NamespaceQuery {
                sort: (NamespaceSort::Name, Direction::Descending),
                ..all()
            },
            &["c", "b", "a"],
        ),
        (
            NamespaceQuery {
                visibility: Some("public".to_string()),
                ..all()
            },
            &["b", "a"],
        ),
        (
            by_name(NamespaceQuery {
                resource_types: types(&["A", "B", "C"]),
                ..all()
            }),
            &["a", "c"],
        ),
        (
            NamespaceQuery {
                resource_types: types(&["C"]),
                ..all()
            },
            &[],
        ),
        (
            NamespaceQuery {
                marker: Some("b".to_string()),
                limit: Some(1),
                ..all()
            },
            &["a"],
        ),
        (
            by_name(NamespaceQuery {
                marker: Some("a".to_string()),
                page_size: Some(1),
                ..all()
            }),
            &["b", "c"],
        ),
        (
            NamespaceQuery {
                limit: Some(2),
                page_size: Some(1),
                ..all()
            },
            &["b", "a"],
        ),
    ] {
        assert_eq!(listed(service, query.clone()).await, expected, "{query:?}");
    }
    let odd = NamespaceQuery {
        visibility: Some("odd".to_string()),
        ..all()
    };
    let refused = service.list_namespaces(odd).try_concat().await;
    assert_eq!(kind::<Vec<Namespace>>(refused), Invalid);
    let lost = NamespaceQuery {
        marker: Some("odd".to_string()),
        ..all()
    };
    let refused = service.list_namespaces(lost).try_concat().await;
    assert_eq!(kind::<Vec<Namespace>>(refused), NotFound);
    let query = by_name(all());
    let all: Vec<Namespace> = service.list_namespaces(query).try_concat().await.unwrap();
    assert_eq!(all[2].resource_type_associations.len(), 2);
}

async fn a_prefix_is_put_before_the_names_of_properties(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    service.create_namespace(full("N")).await.unwrap();
    let properties = async |resource_type: &str| {
        let got = service.get_namespace("N", Some(resource_type)).await;
        let got = got.unwrap();
        let mut names: Vec<String> = got.properties.keys().cloned().collect();
        names.sort();
        (names, got.objects[0].required.clone().unwrap())
    };
    let prefixed = vec!["a_p".to_string(), "a_q".to_string()];
    assert_eq!(
        properties("OS::A").await,
        (prefixed, vec!["a_x".to_string()])
    );
    let plain = vec!["p".to_string(), "q".to_string()];
    for other in ["OS::B", "OS::Unknown"] {
        assert_eq!(
            properties(other).await,
            (plain.clone(), vec!["x".to_string()])
        );
    }
}

async fn objects_are_made_replaced_and_deleted(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(service.as_ref(), "N", json!({})).await;
    let new = definition(
        json!({"name": "b", "description": "B", "required": ["x", "y"],
        "properties": {"x": {"title": "X", "type": "number", "minimum": 1.0}}}),
    );
    let made = service.create_object("N", new).await.unwrap();
    assert!(made.created_at.is_some());
    let got = service.get_object("N", "b").await.unwrap();
    assert_eq!(got.created_at, made.created_at);
    assert_eq!(got.description.as_deref(), Some("B"));
    assert_eq!(got.required.as_ref().unwrap().len(), 2);
    let properties = json!({"x": {"type": "number", "title": "X", "minimum": 1}});
    assert_eq!(json!(got.properties), properties);

    let bare = service.create_object("N", definition(json!({"name": "a"})));
    let bare = bare.await.unwrap();
    assert_eq!((&bare.required, &bare.properties), (&None, &None));
    let got = service.get_object("N", "a").await.unwrap();
    assert_eq!(got.required, Some(Vec::new()), "none is an empty list then");
    let objects = service.list_objects("N").await.unwrap();
    let names: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);

    let with = definition(json!({"name": "c"}));
    service
        .replace_object("N", "b", with.clone())
        .await
        .unwrap();
    let got = service.get_object("N", "c").await.unwrap();
    assert_eq!((&got.description, got.created_at), (&None, made.created_at));
    assert_eq!(got.properties, Some(Definition::new()));
    for (namespace, name) in [("N", "b"), ("Nothing", "c")] {
        assert_eq!(kind(service.get_object(namespace, name).await), NotFound);
        let replaced = service.replace_object(namespace, name, with.clone());
        assert_eq!(kind(replaced.await), NotFound);
        assert_eq!(kind(service.delete_object(namespace, name).await), NotFound);
    }
    service.delete_object("N", "c").await.unwrap();
    service.delete_objects("N").await.unwrap();
    assert_eq!(
        service.list_objects("N").await.unwrap(),
        Vec::<Object>::new()
    );
    assert_eq!(kind(service.list_objects("Nothing").await), NotFound);
    assert_eq!(kind(service.delete_objects("Nothing").await), NotFound);
}

async fn properties_are_made_replaced_and_deleted(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(
        service.as_ref(),
        "N",
        json!({"objects": [{"name": "o", "properties": {"x": property("X")}}]}),
    )
    .await;
    let new = definition(
        json!({"maximum": 5, "name": "p", "title": "P", "type": "array",
        "items": {"type": "string", "enum": ["a"]}, "uniqueItems": true, "enum": ["a", "b"], "readonly": false}),
    );
    let made = service.create_property("N", new).await.unwrap();
    let expected = json!({"name": "p", "type": "array", "title": "P", "readonly": false, "maximum": 5,
        "enum": ["a", "b"], "items": {"type": "string", "enum": ["a"]}, "uniqueItems": true});
    assert_eq!(json!(made), expected);
    assert_eq!(
        json!(service.get_property("N", "p").await.unwrap()),
        expected
    );
    let all = service.list_properties("N").await.unwrap();
    assert_eq!(all["p"]["title"], "P");

    let with = || definition(json!({"name": "q", "title": "Q", "type": "string"}));
    let replaced = service.replace_property("N", "p", with()).await.unwrap();
    let expected = json!({"name": "q", "type": "string", "title": "Q"});
    assert_eq!(json!(replaced), expected);
    assert_eq!(
        json!(service.get_property("N", "q").await.unwrap()),
        expected
    );
    for (namespace, name) in [("N", "p"), ("Nothing", "q")] {
        assert_eq!(kind(service.get_property(namespace, name).await), NotFound);
        let replaced = service.replace_property(namespace, name, with());
        assert_eq!(kind(replaced.await), NotFound);
        let deleted = service.delete_property(namespace, name).await;
        assert_eq!(kind(deleted), NotFound);
    }
    service.delete_property("N", "q").await.unwrap();
    service.create_property("N", with()).await.unwrap();
    service.delete_properties("N").await.unwrap();
    assert!(service.list_properties("N").await.unwrap().is_empty());
    let object = service.get_object("N", "o").await.unwrap();
    assert_eq!(
        object.properties.unwrap().len(),
        1,
        "that of the object stays"
    );
    assert_eq!(kind(service.list_properties("Nothing").await), NotFound);
    assert_eq!(kind(service.delete_properties("Nothing").await), NotFound);
}

async fn tags_are_made_renamed_and_deleted(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(service.as_ref(), "N", json!({})).await;
    let made = service.create_tag("N", "t").await.unwrap();
    assert!(made.created_at.is_some());
    assert_eq!(service.get_tag("N", "t").await.unwrap(), made);
    service.create_tag("N", "u").await.unwrap();
    let tags = service.list_tags("N").await.unwrap();
    assert_eq!(tags, [Tag::named("u"), Tag::named("t")], "the newest first");
    service.rename_tag("N", "t", "v").await.unwrap();
    let renamed = service.get_tag("N", "v").await.unwrap();
    assert_eq!(renamed.created_at, made.created_at);
    for (namespace, name) in [("N", "t"), ("Nothing", "u")] {
        assert_eq!(kind(service.get_tag(namespace, name).await), NotFound);
        assert_eq!(
            kind(service.rename_tag(namespace, name, "w").await),
            NotFound
        );
        assert_eq!(kind(service.delete_tag(namespace, name).await), NotFound);
    }
    service.delete_tag("N", "v").await.unwrap();
    service.delete_tags("N").await.unwrap();
    assert!(service.list_tags("N").await.unwrap().is_empty());
    assert_eq!(kind(service.create_tag("Nothing", "t").await), NotFound);
    assert_eq!(kind(service.list_tags("Nothing").await), NotFound);
    assert_eq!(kind(service.delete_tags("Nothing").await), NotFound);
}

async fn several_tags_are_made_or_none(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(service.as_ref(), "N", json!({"tags": [{"name": "old"}]})).await;
    let create = async |namespace: &str, words: &[&str], append: bool| {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        service.create_tags(namespace, &words, append).await
    };
    let has = async |expected: &[&str]| {
        let tags = service.list_tags("N").await.unwrap();
        let mut names = names(&tags);
        names.sort_unstable();
        assert_eq!(names, expected);
    };
    let made = create("N", &["b", "a"], true).await.unwrap();
    assert_eq!(names(&made), ["b", "a"]);
    has(&["a", "b", "old"]).await;
    assert_eq!(kind(create("N", &["c", "c"], false).await), Conflict);
    assert_eq!(kind(create("N", &["c", "a"], true).await), Conflict);
    has(&["a", "b", "old"]).await;
    assert!(create("N", &[], false).await.unwrap().is_empty());
    has(&["a", "b", "old"]).await;
    create("N", &["a", "d"], false).await.unwrap();
    has(&["a", "d"]).await;
    assert_eq!(kind(create("Nothing", &["a"], false).await), NotFound);
}

async fn types_of_resources_are_associated_and_taken_away(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for name in ["N", "M"] {
        make(service.as_ref(), name, json!({})).await;
    }
    let new = definition(json!({"name": "R", "prefix": "r:", "properties_target": "image"}));
    let made = service.associate("N", new.clone()).await.unwrap();
    assert_eq!(made.prefix.as_deref(), Some("r:"));
    assert!(made.created_at.is_some());
    assert_eq!(service.list_associations("N").await.unwrap(), [made]);
    assert!(service.list_associations("M").await.unwrap().is_empty());
    service.associate("M", new.clone()).await.unwrap();
    let types = service.list_resource_types().await.unwrap();
    assert_eq!(types.len(), 1, "one type, however many namespaces");
    service.dissociate("N", "R").await.unwrap();
    assert_eq!(kind(service.dissociate("N", "R").await), NotFound);
    assert_eq!(service.list_associations("M").await.unwrap().len(), 1);
    assert_eq!(service.list_resource_types().await.unwrap(), types);
    assert_eq!(kind(service.associate("Nothing", new).await), NotFound);
    assert_eq!(kind(service.dissociate("Nothing", "R").await), NotFound);
    assert_eq!(kind(service.list_associations("Nothing").await), NotFound);
}

async fn what_the_schema_refuses_is_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(service.as_ref(), "N", json!({})).await;
    let long = "x".repeat(81);
    for (wrong, why) in [
        (json!({}), Invalid),
        (json!({"namespace": 1}), Invalid),
        (json!({"namespace": long}), Invalid),
        (json!({"namespace": "X", "visibility": "odd"}), Invalid),
        (json!({"namespace": "X", "protected": "yes"}), Invalid),
        (json!({"namespace": "X", "odd": 1}), Invalid),
        (
            json!({"namespace": "X", "description": "x".repeat(501)}),
            Invalid,
        ),
        (
            json!({"namespace": "X", "properties": {"p": {"type": "string"}}}),
            Invalid,
        ),
        (json!({"namespace": "X", "tags": ["t"]}), Invalid),
        (json!({"namespace": "X", "created_at": "now"}), Forbidden),
        (json!({"namespace": "X", "self": "/"}), Forbidden),
    ] {
        let wrong = definition(wrong);
        assert_eq!(
            kind(service.create_namespace(wrong.clone()).await),
            why,
            "{wrong:?}"
        );
        let replaced = service.replace_namespace("N", wrong.clone()).await;
        assert_eq!(kind(replaced), why, "{wrong:?}");
    }
    for wrong in [
        json!({}),
        json!({"name": long}),
        json!({"name": "o", "required": "x"}),
        json!({"name": "o", "required": ["x", "x"]}),
        json!({"name": "o", "properties": {"p": {"title": "P"}}}),
    ] {
        let wrong = definition(wrong);
        assert_eq!(
            kind(service.create_object("N", wrong.clone()).await),
            Invalid,
            "{wrong:?}"
        );
    }
    for wrong in [
        json!({"name": "p", "title": "P"}),
        json!({"name": "p", "title": "P", "type": "odd"}),
        json!({"name": "p", "title": "P", "type": "string", "odd": 1}),
        json!({"name": "p", "title": "P", "type": "string", "minLength": -1}),
        json!({"name": "p", "title": "P", "type": "string", "default": "é"}),
        json!({"name": long, "title": "P", "type": "string"}),
    ] {
        let wrong = definition(wrong);
        assert_eq!(
            kind(service.create_property("N", wrong.clone()).await),
            Invalid,
            "{wrong:?}"
        );
    }
    let read_only = json!({"name": "p", "title": "P", "type": "string", "updated_at": "x"});
    let refused = service.create_property("N", definition(read_only)).await;
    assert_eq!(kind(refused), Forbidden);
    assert_eq!(kind(service.create_tag("N", &long).await), Invalid);
    for wrong in [
        json!({}),
        json!({"name": long}),
        json!({"name": "r", "prefix": 1}),
    ] {
        let refused = service.associate("N", definition(wrong)).await;
        assert_eq!(kind(refused), Invalid);
    }
}

/// Makes things of that name, and finds them by it.
async fn is_found_by_its_name(service: &dyn ImageService, name: &str) {
    make(service, name, json!({})).await;
    let got = service.get_namespace(name, None).await;
    assert_eq!(got.unwrap().name, name);
    service.create_tag(name, name).await.unwrap();
    assert_eq!(service.get_tag(name, name).await.unwrap().name, name);
    let object = definition(json!({"name": name, "properties": {name: property("P")}}));
    service.create_object(name, object).await.unwrap();
    let object = service.get_object(name, name).await.unwrap();
    assert!(object.properties.unwrap().contains_key(name));
    let association = definition(json!({"name": name}));
    service.associate(name, association).await.unwrap();
    service.dissociate(name, name).await.unwrap();
    service.delete_namespace(name).await.unwrap();
}

async fn names_are_what_they_are(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for name in ["a b", "100%", "a?b#c", "x+y", "..x", "'\"\\;"] {
        is_found_by_its_name(service.as_ref(), name).await;
    }
    for name in ["", ".", ".."] {
        assert_eq!(kind(service.get_namespace(name, None).await), NotFound);
        assert_eq!(kind(service.delete_namespace(name).await), NotFound);
    }
}

async fn names_may_have_any_letter(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    for name in ["é::Ü", "a/b", "名前", "tab\tline\nend"] {
        is_found_by_its_name(service.as_ref(), name).await;
    }
    if on.is_mysql() {
        assert_eq!(kind(service.create_namespace(full("🦀")).await), Invalid);
    } else {
        is_found_by_its_name(service.as_ref(), "🦀").await;
    }
}

async fn a_new_name_that_is_taken_is_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    service.create_namespace(full("N")).await.unwrap();
    let typed = definition(json!({"name": "q", "title": "P", "type": "string"}));
    let replaced = service.replace_property("N", "p", typed).await;
    assert_eq!(kind(replaced), Conflict);
    let named = |name: &str| definition(json!({"name": name}));
    service.create_object("N", named("o2")).await.unwrap();
    let replaced = service.replace_object("N", "o2", named("o")).await;
    assert_eq!(kind(replaced), Conflict);
}

/// A schema without what it says for people.
fn bare(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, value)| !(name == "description" && value.is_string()))
            .map(|(name, value)| (name, bare(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(bare).collect(),
        other => other,
    }
}

async fn schemas_are_the_same_everywhere(on: impl Deployment) {
    let service = on.service("demo:reader:u").await;
    for of in Kind::ALL {
        let (one, several) = of.names();
        for (name, ours) in [(one, of.json_schema()), (several, of.list_schema())] {
            let schema = service.schema(&format!("metadefs/{name}")).await;
            assert_eq!(bare(schema.unwrap()), bare(ours), "{name}");
        }
    }
    assert_eq!(kind(service.schema("metadefs/odd").await), NotFound);
}

async fn what_cannot_be_kept_is_refused(on: impl Deployment) {
    let service = on.service("admin:admin:u").await;
    make(service.as_ref(), "N", json!({})).await;
    for wrong in [
        json!({"enum": [1]}),
        json!({"required": ["x"]}),
        json!({"items": {}}),
    ] {
        let mut property = definition(json!({"name": "p", "title": "P", "type": "string"}));
        property.extend(definition(wrong));
        assert_eq!(
            kind(service.create_property("N", property.clone()).await),
            Invalid
        );
        let object = json!({"name": "o", "properties": {"p": property}});
        assert_eq!(
            kind(service.create_object("N", definition(object)).await),
            Invalid
        );
    }
    let long = "x".repeat(81);
    for nameless in [
        json!({"namespace": ""}),
        json!({"namespace": "X", "tags": [{"name": ""}]}),
        json!({"namespace": "X", "tags": [{}]}),
        json!({"namespace": "X", "objects": [{"name": long}]}),
        json!({"namespace": "X", "properties": {"": property("P")}}),
        json!({"namespace": "X", "resource_type_associations": [{"name": "R", "prefix": long}]}),
    ] {
        let refused = service.create_namespace(definition(nameless)).await;
        assert_eq!(kind(refused), Invalid);
        assert_eq!(kind(service.get_namespace("X", None).await), NotFound);
    }
}
