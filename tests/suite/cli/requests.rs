//! What each command costs: the requests it sends, all of them, in their order.

use std::collections::BTreeSet;

use glance_tools::cli::command::grammar::Grammar;
use serde_json::json;

use super::identity;
use crate::support::glance::{Server, aim};
use crate::support::{GLANCE, Place, Run};

/// A command line, and the requests it sends. In both, WEB is the id of an image called `web` (with
/// data, a tag, a property and a member), DB that of one called `db`, EMPTY that of one without data, HIDDEN that
/// of a hidden one called `hidden`, NEW that of the image the command makes, UUID a name that looks like an
/// id, FILE a file, and DEFINITION one that describes a namespace; of namespaces there is one, N.
type Cost = (&'static str, &'static [&'static str]);

/// The first grammar. With a token at hand, nothing but these goes to any server.
const GLANCE_COSTS: &[Cost] = &[
    ("doctor", &["GET /versions", "GET /v2/images?limit=1"]),
    ("image-create --name n", &["POST /v2/images"]),
    (
        "image-create --name n --disk-format raw --container-format bare --file FILE",
        &[
            "POST /v2/images",
            "PUT /v2/images/NEW/file",
            "GET /v2/images/NEW",
        ],
    ),
    (
        "image-create --id 5d1c5a5e-0000-4000-8000-000000000000 --disk-format raw --container-format bare --file FILE",
        &[
            "POST /v2/images",
            "PUT /v2/images/5d1c5a5e-0000-4000-8000-000000000000/file",
            "GET /v2/images/5d1c5a5e-0000-4000-8000-000000000000",
        ],
    ),
    (
        "image-create --disk-format raw --container-format bare --store fast --file FILE",
        &[
            "GET /v2/info/stores",
            "POST /v2/images",
            "PUT /v2/images/NEW/file",
            "GET /v2/images/NEW",
        ],
    ),
    // A value that is none of the usual ones: the server's schema knows whether it is right.
    (
        "image-create --name n --disk-format odd",
        &["GET /v2/schemas/image", "POST /v2/images"],
    ),
    (
        "--get-schema image-create --name n",
        &["GET /v2/schemas/image", "POST /v2/images"],
    ),
    (
        "image-upload --file FILE EMPTY",
        &["PUT /v2/images/EMPTY/file", "GET /v2/images/EMPTY"],
    ),
    (
        "--verify-stored image-upload --file FILE EMPTY",
        &[
            "PUT /v2/images/EMPTY/file",
            "GET /v2/images/EMPTY",
            "GET /v2/images/EMPTY/file",
        ],
    ),
    (
        "image-upload --store fast --file FILE EMPTY",
        &[
            "GET /v2/info/stores",
            "PUT /v2/images/EMPTY/file",
            "GET /v2/images/EMPTY",
        ],
    ),
    ("image-list", &["GET /v2/images?limit=1000&sort=name%3Aasc"]),
    (
        "image-list --limit 2",
        &["GET /v2/images?limit=2&sort=name%3Aasc"],
    ),
    (
        "image-list --page-size 3",
        &[
            "GET /v2/images?limit=3&sort=name%3Aasc",
            "GET /v2/images?limit=3&sort=name%3Aasc&marker=WEB",
        ],
    ),
    ("image-show WEB", &["GET /v2/images/WEB"]),
    (
        "image-update --name m WEB",
        &["GET /v2/images/WEB", "PATCH /v2/images/WEB"],
    ),
    ("image-update WEB", &["GET /v2/images/WEB"]),
    (
        "image-delete WEB DB",
        &["DELETE /v2/images/WEB", "DELETE /v2/images/DB"],
    ),
    (
        "image-download --file out WEB",
        &["GET /v2/images/WEB", "GET /v2/images/WEB/file"],
    ),
    (
        "image-deactivate WEB",
        &["POST /v2/images/WEB/actions/deactivate"],
    ),
    (
        "image-reactivate WEB",
        &["POST /v2/images/WEB/actions/reactivate"],
    ),
    (
        "image-tag-update WEB new",
        &["PUT /v2/images/WEB/tags/new", "GET /v2/images/WEB"],
    ),
    (
        "image-tag-delete WEB old",
        &["DELETE /v2/images/WEB/tags/old"],
    ),
    (
        "member-list --image-id WEB",
        &["GET /v2/images/WEB/members"],
    ),
    ("member-create WEB new", &["POST /v2/images/WEB/members"]),
    ("member-get WEB old", &["GET /v2/images/WEB/members/old"]),
    (
        "member-update WEB old accepted",
        &["PUT /v2/images/WEB/members/old"],
    ),
    (
        "member-delete WEB old",
        &["DELETE /v2/images/WEB/members/old"],
    ),
    ("cache-list", &["GET /v2/cache"]),
    ("cache-queue WEB", &["PUT /v2/cache/WEB"]),
    ("cache-delete WEB", &["DELETE /v2/cache/WEB"]),
    ("cache-delete --dry-run WEB", &["GET /v2/cache"]),
    ("cache-clear", &["DELETE /v2/cache"]),
    ("cache-clear --dry-run", &["GET /v2/cache"]),
    ("cache-clean", &["POST /v2/cache/clean"]),
    ("cache-prune", &["POST /v2/cache/prune"]),
    ("cache-nodes-list WEB", &["GET /v2/cache/nodes/WEB"]),
    (
        "location-add --url http://h/x EMPTY",
        &["PATCH /v2/images/EMPTY"],
    ),
    (
        "location-update --url file:///web --metadata {\"n\":\"y\"} WEB",
        &["GET /v2/images/WEB", "PATCH /v2/images/WEB"],
    ),
    // What is so already is left alone.
    (
        "location-update --url file:///web --metadata {\"n\":\"x\"} WEB",
        &["GET /v2/images/WEB"],
    ),
    (
        "location-delete --url file:///web WEB",
        &["GET /v2/images/WEB", "PATCH /v2/images/WEB"],
    ),
    (
        "add-location --url http://h/x EMPTY",
        &["POST /v2/images/EMPTY/locations", "GET /v2/images/EMPTY"],
    ),
    (
        "stores-delete --store fast WEB",
        &["DELETE /v2/stores/fast/WEB"],
    ),
    ("stores-info", &["GET /v2/info/stores"]),
    ("stores-info --detail", &["GET /v2/info/stores/detail"]),
    ("usage", &["GET /v2/info/usage"]),
    ("import-info", &["GET /v2/info/import"]),
    ("explain image", &["GET /v2/schemas/image"]),
    (
        "image-stage --file FILE EMPTY",
        &["PUT /v2/images/EMPTY/stage", "GET /v2/images/EMPTY"],
    ),
    (
        "image-import EMPTY",
        &["POST /v2/images/EMPTY/import", "GET /v2/images/EMPTY"],
    ),
    (
        "image-import --stores fast,cheap --import-method copy-image WEB",
        &[
            "GET /v2/info/stores",
            "POST /v2/images/WEB/import",
            "GET /v2/images/WEB",
        ],
    ),
    (
        "image-import --wait EMPTY",
        &[
            "POST /v2/images/EMPTY/import",
            "GET /v2/images/EMPTY",
            "GET /v2/images/EMPTY/tasks",
        ],
    ),
    // What the real client asks beforehand, so that no image is made in vain.
    (
        "image-create-via-import --import-method web-download --uri http://h/x --disk-format raw --container-format bare",
        &[
            "GET /v2/info/import",
            "POST /v2/images",
            "POST /v2/images/NEW/import",
            "GET /v2/images/NEW",
        ],
    ),
    ("image-tasks WEB", &["GET /v2/images/WEB/tasks"]),
    (
        "task-list",
        &["GET /v2/tasks?sort_key=status&sort_dir=desc&limit=1000"],
    ),
    ("task-show T", &["GET /v2/tasks/T"]),
    ("task-create --type import --input {}", &["POST /v2/tasks"]),
    (
        "explain metadefs/namespace",
        &["GET /v2/schemas/metadefs/namespace"],
    ),
    (
        "md-namespace-list",
        &["GET /v2/metadefs/namespaces?limit=1000"],
    ),
    (
        "md-namespace-list --page-size 5 --visibility public --resource-types A --resource-types B",
        &["GET /v2/metadefs/namespaces?limit=5&resource_types=A%2CB&visibility=public"],
    ),
    ("md-namespace-show N", &["GET /v2/metadefs/namespaces/N"]),
    (
        "md-namespace-show N --resource-type R",
        &["GET /v2/metadefs/namespaces/N?resource_type=R"],
    ),
    (
        "md-namespace-create a/b?é",
        &["POST /v2/metadefs/namespaces"],
    ),
    (
        "md-namespace-import --file DEFINITION",
        &["POST /v2/metadefs/namespaces"],
    ),
    (
        "md-namespace-update N --display-name d",
        &[
            "GET /v2/metadefs/namespaces/N",
            "PUT /v2/metadefs/namespaces/N",
            "GET /v2/metadefs/namespaces/N",
        ],
    ),
    (
        "md-namespace-delete a/b?é",
        &["DELETE /v2/metadefs/namespaces/a%2Fb%3F%C3%A9"],
    ),
    (
        "md-namespace-objects-delete N",
        &["DELETE /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "md-namespace-properties-delete N",
        &["DELETE /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "md-namespace-tags-delete N",
        &["DELETE /v2/metadefs/namespaces/N/tags"],
    ),
    (
        "md-namespace-resource-type-list N",
        &["GET /v2/metadefs/namespaces/N/resource_types"],
    ),
    (
        "md-object-create N --name o --schema {}",
        &["POST /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "md-object-list N",
        &["GET /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "md-object-show N o",
        &["GET /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "md-object-property-show N o x",
        &["GET /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "md-object-update N o --name o2",
        &[
            "GET /v2/metadefs/namespaces/N/objects/o",
            "PUT /v2/metadefs/namespaces/N/objects/o",
            "GET /v2/metadefs/namespaces/N/objects/o2",
        ],
    ),
    (
        "md-object-delete N o",
        &["DELETE /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "md-property-create N --name p --title P --type string --schema {}",
        &["POST /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "md-property-list N",
        &["GET /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "md-property-show N p",
        &["GET /v2/metadefs/namespaces/N/properties/p"],
    ),
    (
        "md-property-update N p --title Q",
        &[
            "GET /v2/metadefs/namespaces/N/properties/p",
            "PUT /v2/metadefs/namespaces/N/properties/p",
        ],
    ),
    (
        "md-property-delete N p",
        &["DELETE /v2/metadefs/namespaces/N/properties/p"],
    ),
    (
        "md-tag-create N --name t",
        &["POST /v2/metadefs/namespaces/N/tags/t"],
    ),
    (
        "md-tag-create-multiple N --names t,u",
        &["POST /v2/metadefs/namespaces/N/tags"],
    ),
    ("md-tag-list N", &["GET /v2/metadefs/namespaces/N/tags"]),
    ("md-tag-show N t", &["GET /v2/metadefs/namespaces/N/tags/t"]),
    (
        "md-tag-update N t --name u",
        &[
            "PUT /v2/metadefs/namespaces/N/tags/t",
            "GET /v2/metadefs/namespaces/N/tags/u",
        ],
    ),
    (
        "md-tag-delete N t",
        &["DELETE /v2/metadefs/namespaces/N/tags/t"],
    ),
    (
        "md-resource-type-list",
        &["GET /v2/metadefs/resource_types"],
    ),
    (
        "md-resource-type-associate N --name R",
        &["POST /v2/metadefs/namespaces/N/resource_types"],
    ),
    (
        "md-resource-type-deassociate N R",
        &["DELETE /v2/metadefs/namespaces/N/resource_types/R"],
    ),
];

/// The second grammar.
const OPENSTACK_COSTS: &[Cost] = &[
    ("image create n", &["POST /v2/images"]),
    (
        "image create n --file FILE",
        &[
            "POST /v2/images",
            "PUT /v2/images/NEW/file",
            "GET /v2/images/NEW",
        ],
    ),
    (
        "image create n --id 5d1c5a5e-0000-4000-8000-000000000000 --file FILE",
        &[
            "POST /v2/images",
            "PUT /v2/images/5d1c5a5e-0000-4000-8000-000000000000/file",
            "GET /v2/images/5d1c5a5e-0000-4000-8000-000000000000",
        ],
    ),
    ("image list", &["GET /v2/images?limit=1000"]),
    ("image list --limit 2", &["GET /v2/images?limit=2"]),
    (
        "image list --marker web",
        &[
            "GET /v2/images?limit=8&name=web",
            "GET /v2/images?limit=1000&marker=WEB",
        ],
    ),
    ("image show WEB", &["GET /v2/images/WEB"]),
    ("image show web", &["GET /v2/images?limit=8&name=web"]),
    // A name that looks like an id is one request more, and so is a hidden image's name.
    (
        "image show UUID",
        &["GET /v2/images/UUID", "GET /v2/images?limit=8&name=UUID"],
    ),
    (
        "image show hidden",
        &[
            "GET /v2/images?limit=8&name=hidden",
            "GET /v2/images?limit=8&os_hidden=true&name=hidden",
        ],
    ),
    (
        "image set --name m WEB",
        &["GET /v2/images/WEB", "PATCH /v2/images/WEB"],
    ),
    (
        "image set --name m web",
        &["GET /v2/images?limit=8&name=web", "PATCH /v2/images/WEB"],
    ),
    (
        "image set --deactivate web",
        &[
            "GET /v2/images?limit=8&name=web",
            "POST /v2/images/WEB/actions/deactivate",
        ],
    ),
    // Tags are attached one by one, so that what others attach at the same time stays.
    (
        "image set --tag new WEB",
        &["GET /v2/images/WEB", "PUT /v2/images/WEB/tags/new"],
    ),
    (
        "image set --tag new --name m --tag old --tag newer WEB",
        &[
            "GET /v2/images/WEB",
            "PATCH /v2/images/WEB",
            "PUT /v2/images/WEB/tags/new",
            "PUT /v2/images/WEB/tags/newer",
        ],
    ),
    ("image set --tag old WEB", &["GET /v2/images/WEB"]),
    (
        "image set --accept --project old web",
        &[
            "GET /v2/images?limit=8&name=web",
            "PUT /v2/images/WEB/members/old",
        ],
    ),
    (
        "image unset --tag old --property p web",
        &[
            "GET /v2/images?limit=8&name=web",
            "DELETE /v2/images/WEB/tags/old",
            "PATCH /v2/images/WEB",
        ],
    ),
    (
        "image delete WEB db",
        &[
            "GET /v2/images/WEB",
            "DELETE /v2/images/WEB",
            "GET /v2/images?limit=8&name=db",
            "DELETE /v2/images/DB",
        ],
    ),
    (
        "image delete --store fast web",
        &[
            "GET /v2/images?limit=8&name=web",
            "DELETE /v2/stores/fast/WEB",
        ],
    ),
    (
        "image save --file out WEB",
        &["GET /v2/images/WEB", "GET /v2/images/WEB/file"],
    ),
    (
        "image save --file out web",
        &["GET /v2/images?limit=8&name=web", "GET /v2/images/WEB/file"],
    ),
    (
        "image save --file out UUID",
        &[
            "GET /v2/images/UUID",
            "GET /v2/images?limit=8&name=UUID",
            "GET /v2/images/NAMED/file",
        ],
    ),
    (
        "image add project web new",
        &[
            "GET /v2/images?limit=8&name=web",
            "POST /v2/images/WEB/members",
        ],
    ),
    (
        "image member list WEB",
        &["GET /v2/images/WEB", "GET /v2/images/WEB/members"],
    ),
    (
        "image member get WEB old",
        &["GET /v2/images/WEB", "GET /v2/images/WEB/members/old"],
    ),
    (
        "image remove project WEB old",
        &["GET /v2/images/WEB", "DELETE /v2/images/WEB/members/old"],
    ),
    ("cached image list", &["GET /v2/cache"]),
    (
        "cached image queue WEB",
        &["GET /v2/images/WEB", "PUT /v2/cache/WEB"],
    ),
    (
        "cached image delete web",
        &["GET /v2/images?limit=8&name=web", "DELETE /v2/cache/WEB"],
    ),
    ("cached image clear --queue", &["DELETE /v2/cache"]),
    ("image stores list", &["GET /v2/info/stores"]),
    (
        "image stores list --detail",
        &["GET /v2/info/stores/detail"],
    ),
    ("image import info", &["GET /v2/info/import"]),
    (
        "image create n --import --file FILE",
        &[
            "POST /v2/images",
            "PUT /v2/images/NEW/stage",
            "GET /v2/images/NEW",
            "POST /v2/images/NEW/import",
            "GET /v2/images/NEW",
        ],
    ),
    (
        "image stage --file FILE EMPTY",
        &[
            "GET /v2/images/EMPTY",
            "PUT /v2/images/EMPTY/stage",
            "GET /v2/images/EMPTY",
        ],
    ),
    (
        "image import --method web-download --uri http://h/x EMPTY",
        &["GET /v2/images/EMPTY", "POST /v2/images/EMPTY/import"],
    ),
    ("image task list", &["GET /v2/tasks?limit=1000"]),
    ("image task show T", &["GET /v2/tasks/T"]),
    (
        "image metadef namespace list",
        &["GET /v2/metadefs/namespaces?limit=1000"],
    ),
    (
        "image metadef namespace list --resource-types A,B",
        &["GET /v2/metadefs/namespaces?limit=1000&resource_types=A%2CB"],
    ),
    (
        "image metadef namespace show N",
        &["GET /v2/metadefs/namespaces/N"],
    ),
    (
        "image metadef namespace create N",
        &["POST /v2/metadefs/namespaces"],
    ),
    (
        "image metadef namespace set N --public --tag t --tag u",
        &[
            "PUT /v2/metadefs/namespaces/N",
            "POST /v2/metadefs/namespaces/N/tags/t",
            "POST /v2/metadefs/namespaces/N/tags/u",
        ],
    ),
    (
        "image metadef namespace unset N --tag t",
        &["DELETE /v2/metadefs/namespaces/N/tags/t"],
    ),
    (
        "image metadef namespace unset N --all-tags",
        &["DELETE /v2/metadefs/namespaces/N/tags"],
    ),
    (
        "image metadef namespace delete N M",
        &[
            "DELETE /v2/metadefs/namespaces/N",
            "DELETE /v2/metadefs/namespaces/M",
        ],
    ),
    (
        "image metadef object create o --namespace N",
        &["POST /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "image metadef object list N",
        &["GET /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "image metadef object show N o",
        &["GET /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "image metadef object property show N o x",
        &["GET /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "image metadef object update N o --name o2",
        &[
            "GET /v2/metadefs/namespaces/N/objects/o",
            "PUT /v2/metadefs/namespaces/N/objects/o",
        ],
    ),
    (
        "image metadef object delete N o",
        &["DELETE /v2/metadefs/namespaces/N/objects/o"],
    ),
    (
        "image metadef object delete N",
        &["DELETE /v2/metadefs/namespaces/N/objects"],
    ),
    (
        "image metadef property create N --name p --title P --type string --schema {}",
        &["POST /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "image metadef property list N",
        &["GET /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "image metadef property show N p",
        &["GET /v2/metadefs/namespaces/N/properties/p"],
    ),
    (
        "image metadef property set N p --title Q",
        &[
            "GET /v2/metadefs/namespaces/N/properties/p",
            "PUT /v2/metadefs/namespaces/N/properties/p",
        ],
    ),
    (
        "image metadef property delete N p",
        &["DELETE /v2/metadefs/namespaces/N/properties/p"],
    ),
    (
        "image metadef property delete N",
        &["DELETE /v2/metadefs/namespaces/N/properties"],
    ),
    (
        "image metadef resource type list",
        &["GET /v2/metadefs/resource_types"],
    ),
    (
        "image metadef resource type association list N",
        &["GET /v2/metadefs/namespaces/N/resource_types"],
    ),
    (
        "image metadef resource type association create N R",
        &["POST /v2/metadefs/namespaces/N/resource_types"],
    ),
    (
        "image metadef resource type association delete N R",
        &["DELETE /v2/metadefs/namespaces/N/resource_types/R"],
    ),
    (
        "image metadef resource type association delete N R --force",
        &[
            "GET /v2/metadefs/namespaces/N",
            "PUT /v2/metadefs/namespaces/N",
            "DELETE /v2/metadefs/namespaces/N/resource_types/R",
            "PUT /v2/metadefs/namespaces/N",
        ],
    ),
];

/// Commands that are no business of a server.
const LOCAL: &[&str] = &["scrub"];

const UUID: &str = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

/// Runs a command against a server with the images of the table. Returns the requests that it sent.
fn requests_of(words: &str) -> Vec<String> {
    let (place, server) = (Place::new(), Server::start());
    let hidden = server.image("hidden", "hidden");
    server.set(&hidden, "os_hidden", true);
    let named = server.image(UUID, "named");
    let empty = server.image("empty", "");
    for (name, value) in [
        ("status", "queued".into()),
        ("size", serde_json::Value::Null),
    ] {
        server.set(&empty, name, value);
    }
    server.state().find(&empty).unwrap().data = None;
    let web = server.image("web", "web");
    server.set(&web, "tags", vec!["old"]);
    server.set(&web, "p", "v");
    server.state().find(&web).unwrap().members = vec![json!({
        "member_id": "old", "image_id": web, "status": "pending", "created_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:05Z", "schema": "/v2/schemas/member",
    })];
    let locations = json!([{"url": "file:///web", "metadata": {"n": "x"}}]);
    server.set(&web, "locations", locations);
    let db = server.image("db", "db");
    let other = server.image("last", "x");
    let mut known = vec![
        ("WEB", web),
        ("DB", db),
        ("EMPTY", empty),
        ("HIDDEN", hidden),
        ("NAMED", named),
        ("LAST", other),
        ("UUID", UUID.to_string()),
    ];
    let file = place.write("f.img", vec![5; 300_000]);
    let document = place.write("n.json", r#"{"namespace": "N"}"#);
    let mut command = place.command("/bin/sh");
    command.args(["-c", "exec \"$0\" \"$@\" <&-", GLANCE]);
    for word in words.split(' ') {
        match known.iter().find(|(name, _)| *name == word) {
            Some((_, value)) => command.arg(value),
            None if word == "FILE" => command.arg(&file),
            None if word == "DEFINITION" => command.arg(&document),
            None => command.arg(word),
        };
    }
    aim(&mut command, &server.url());
    let run = Run::of(command.output().unwrap());
    assert_eq!(run.code, 0, "{words}: {}", run.stderr);
    let state = server.state();
    let made = state.images.last().unwrap().record["id"]
        .as_str()
        .unwrap()
        .to_string();
    if !known.iter().any(|(_, id)| *id == made) && !words.contains("--id") {
        known.push(("NEW", made));
    }
    let named = |line: String| {
        known
            .iter()
            .fold(line, |line, (name, value)| line.replace(value, name))
    };
    server.lines().into_iter().map(named).collect()
}

#[test]
fn every_command_costs_as_few_requests_as_can_be() {
    let mut wrong = Vec::new();
    for (words, requests) in GLANCE_COSTS.iter().chain(OPENSTACK_COSTS) {
        let came = requests_of(words);
        if came != *requests {
            wrong.push(format!("{words}: {came:#?} instead of {requests:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_works_is_in_the_table() {
    for (grammar, costs) in [
        (Grammar::Glance, GLANCE_COSTS),
        (Grammar::Openstack, OPENSTACK_COSTS),
    ] {
        let rows = grammar.rows();
        // The longest name that the words begin with: `image import info`, not `image import`.
        let of = |words: &str| {
            let words = words.trim_start_matches("--get-schema ");
            let begins = |name: &&str| words == *name || words.starts_with(&format!("{name} "));
            let names = rows.iter().map(|row| row.name).filter(begins);
            names.max_by_key(|name| name.len())
        };
        let costs = costs.iter().chain(identity::COSTS);
        let known: BTreeSet<&str> = costs.filter_map(|(words, _)| of(words)).collect();
        for row in &rows {
            assert!(
                known.contains(row.name) || LOCAL.contains(&row.name),
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn a_list_costs_a_request_a_page() {
    for words in [&["image-list"][..], &["image", "list"]] {
        let (place, server) = (Place::new(), Server::start());
        for number in 0..2500 {
            server.image(&format!("image-{number}"), "");
        }
        let mut command = place.command(GLANCE);
        command.args(words);
        aim(&mut command, &server.url());
        let listed = Run::of(command.output().unwrap()).ok();
        assert_eq!(listed.lines().count(), 2500 + 4);
        let paths: Vec<String> = server
            .lines()
            .iter()
            .map(|line| line.split('?').next().unwrap().to_string())
            .collect();
        assert_eq!(paths, ["GET /v2/images"; 3], "{words:?}");
    }
}
