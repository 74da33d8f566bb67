//! Tests of the decisions. The default rules as code, and as check strings, must agree.

use std::path::Path;

use super::Access::{Create, Delete, Read, Update};
use super::rules::{Parsed, parse_text};
use super::*;
use crate::ErrorKind;
use crate::config::ProtectionFormat::{Policies, Roles};
use crate::config::ProtectionSettings;
use crate::model::metadef::Namespace;
use crate::model::{Image, Timestamp, Visibility};

fn caller(text: &str) -> Caller {
    Caller::parse(text).unwrap()
}

fn image(owner: Option<&str>, visibility: Visibility) -> Image {
    let mut image = Image::queued("x".to_string(), Timestamp::EPOCH);
    image.owner = owner.map(str::to_string);
    image.visibility = visibility;
    image
}

/// Returns the settings of a deployment with its files in `directory`.
fn settings(directory: &Path) -> PolicySettings {
    PolicySettings {
        files: vec![directory.join("policy.yaml")],
        directories: vec![vec![directory.join("policy.d")]],
        default_rule: "default".to_string(),
        enforce_new_defaults: true,
        enforce_scope: true,
        protections: None,
    }
}

/// Opens a policy that does not check its files again.
fn open(settings: PolicySettings) -> Policy {
    let policy = Policy::open(settings.into());
    policy.checked.store(u64::MAX, Ordering::Relaxed);
    policy
}

/// Returns the policy of a deployment with this policy file.
fn policy_of(text: &str) -> Policy {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("policy.yaml"), text).unwrap();
    open(settings(directory.path()))
}

/// Returns the policy of a deployment without files.
fn without_files() -> Policy {
    open(settings(Path::new("/nonexistent")))
}

/// Returns callers of each kind.
fn callers() -> Vec<Caller> {
    let mut callers: Vec<Caller> = [
        "root:admin",
        "demo:member",
        "demo:reader",
        "demo:admin",
        "other:member",
        "other:reader",
        "third:member",
        "third:reader",
    ]
    .map(caller)
    .to_vec();
    for roles in [
        &["service"][..],
        &["service", "member", "reader"],
        &["custom"],
        &["member"],
        &[],
    ] {
        for project in ["demo", "other"] {
            callers.push(Caller {
                roles: roles.iter().map(ToString::to_string).collect(),
                ..Caller::new(project, Role::Reader, "user")
            });
        }
    }
    for role in [Role::Reader, Role::Member, Role::Admin] {
        callers.push(Caller {
            has_system_scope: true,
            ..Caller::new("", role, "operator")
        });
    }
    callers
}

/// Returns whether an operation asks for an action on such a target.
fn is_asked(action: Action, target: Target<'_>) -> bool {
    match target {
        Target::Deployment => true,
        Target::OwnProject => {
            let is_listing = matches!(
                action,
                Action::GetImages
                    | Action::GetMetadefNamespace
                    | Action::GetMetadefNamespaces
                    | Action::ListMetadefResourceTypes
            );
            is_listing || action.name().starts_with("add_metadef")
        }
        Target::NewImage(_) => matches!(
            action,
            Action::AddImage | Action::PublicizeImage | Action::CommunitizeImage
        ),
        Target::Image(_) => {
            let is_other = matches!(action, Action::AddImage | Action::GetImages);
            !is_other && !action.is_metadef()
        }
        Target::Member(..) => action == Action::GetMember,
        Target::Namespace(_) => action.is_metadef() && action != Action::GetMetadefNamespaces,
    }
}

#[test]
fn the_defaults_as_code_agree_with_the_check_strings() {
    let settings = settings(Path::new("/nonexistent"));
    let (rules, faults) = files::load(&settings, &[]).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
    let mut compared = 0;
    let mut compare = |caller: &Caller, action: Action, target: Target<'_>| {
        if !is_asked(action, target) {
            return;
        }
        let by_code = defaults::may(caller, action, target);
        let by_rules = rules_allow(&rules, &settings, caller, action, target);
        assert_eq!(by_code, by_rules, "{caller:?} {action:?} {target:?}");
        compared += 1;
    };
    let owners = [Some("demo"), Some("other"), None];
    for caller in callers() {
        for action in Action::ALL {
            compare(&caller, *action, Target::Deployment);
            compare(&caller, *action, Target::OwnProject);
            for (owner, visibility) in owners.iter().flat_map(|owner| {
                let pairs = Visibility::ALL.map(|visibility| (*owner, visibility));
                pairs.into_iter()
            }) {
                let image = image(owner, visibility);
                compare(&caller, *action, Target::NewImage(&image));
                for is_member in [false, true] {
                    let target = ImageTarget::new(&image, is_member);
                    // Every other action begins with finding the image.
                    if *action == Action::GetImage || visibility::may_see(&caller, target) {
                        compare(&caller, *action, target.into());
                        for member in ["demo", "other", "third"] {
                            if visibility == Visibility::Shared {
                                compare(&caller, *action, Target::Member(target, member));
                            }
                        }
                    }
                }
            }
            for owner in owners {
                for visibility in ["public", "private"] {
                    let namespace = Namespace {
                        owner: owner.map(str::to_string),
                        visibility: visibility.to_string(),
                        ..Namespace::default()
                    };
                    compare(&caller, *action, Target::Namespace(&namespace));
                }
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn every_action_has_a_rule_of_the_reference_implementation() {
    for action in Action::ALL {
        if let Some(rule) = action.rule() {
            let is_known = DEFAULT_RULES.iter().any(|known| known.name == rule);
            assert!(is_known, "{rule}");
        }
    }
    for rule in DEFAULT_RULES {
        for text in [Some(rule.check), rule.former].into_iter().flatten() {
            let Parsed { faults, .. } = parse_text(text);
            assert!(faults.is_empty(), "{text}: {faults:?}");
        }
    }
}

#[test]
fn refusals_name_the_rule_or_the_image() {
    let own = image(Some("demo"), Visibility::Private);
    for action in Action::ALL {
        let target = ImageTarget::new(&own, false).into();
        let refused = refusal(&caller("demo:reader"), *action, target, &Origin::Default);
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        let named = refused.message();
        assert!(
            !named.contains("  ") && !named.contains("image :"),
            "{named}"
        );
    }
}

#[test]
fn a_file_changes_some_rules_and_leaves_the_others() {
    let policy = policy_of("delete_image: role:admin\n\"publicize_image\": 'role:member'\n");
    let own = image(Some("demo"), Visibility::Private);
    let target = || ImageTarget::new(&own, false);
    let demo = caller("demo");
    let refused = policy.check(&demo, Action::DeleteImage, target());
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    assert_eq!(
        refused.message(),
        "You are not authorized to complete delete_image action."
    );
    policy
        .check(&demo, Action::PublicizeImage, target())
        .unwrap();
    policy.check(&demo, Action::ModifyImage, target()).unwrap();
    let root = caller("root:admin");
    policy.check(&root, Action::DeleteImage, target()).unwrap();
    let other = caller("other");
    let refused = policy.check(&other, Action::ModifyImage, target());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    let public = image(Some("demo"), Visibility::Public);
    let target = ImageTarget::new(&public, false);
    let refused = policy.check(&other, Action::ModifyImage, target);
    let refused = refused.unwrap_err();
    assert!(refused.message().contains("belongs to another project"));
}

#[test]
fn rules_name_attributes_and_properties_of_images() {
    let policy = policy_of(
        "delete_image: \"'secret':%(class)s and project_id:%(owner)s or 'queued':%(status)s and \
         True:%(protected)s\"\n",
    );
    let mut own = image(Some("demo"), Visibility::Private);
    let demo = caller("demo");
    let may = |image: &Image| {
        let target = ImageTarget::new(image, false);
        policy.may(&demo, Action::DeleteImage, target).unwrap()
    };
    assert!(!may(&own));
    own.set_property("class", "secret");
    assert!(may(&own));
    own.set_property("class", "open");
    assert!(!may(&own));
    own.protected = true;
    assert!(may(&own));
}

#[test]
fn an_image_that_the_rules_hide_is_not_found_and_none_becomes_visible() {
    let policy = policy_of("get_image: \"@\"\n");
    let private = image(Some("demo"), Visibility::Private);
    let public = image(Some("demo"), Visibility::Public);
    let other = caller("other");
    let sees = |policy: &Policy, image: &Image| {
        let target = ImageTarget::new(image, false);
        policy.may(&other, Action::GetImage, target).unwrap()
    };
    assert!(!sees(&policy, &private) && sees(&policy, &public));
    let policy = policy_of("get_image: role:admin\n");
    assert!(!sees(&policy, &public));
}

#[test]
fn metadata_definitions_are_not_found_by_callers_that_may_not_get_them() {
    let namespace = Namespace {
        name: "N".to_string(),
        owner: Some("demo".to_string()),
        visibility: "public".to_string(),
        ..Namespace::default()
    };
    let without_reader = Caller {
        roles: vec!["custom".to_string()],
        ..caller("demo")
    };
    let defaults = without_files();
    let hiding = policy_of("get_metadef_namespace: role:custom\n");
    for (policy, caller, kind) in [
        (&defaults, &caller("demo"), ErrorKind::Forbidden),
        (&defaults, &without_reader, ErrorKind::NotFound),
        (&hiding, &caller("demo"), ErrorKind::NotFound),
        (&hiding, &without_reader, ErrorKind::Forbidden),
    ] {
        for (action, target) in [
            (Action::AddMetadefNamespace, Target::OwnProject),
            (Action::AddMetadefTag, Target::Namespace(&namespace)),
        ] {
            let refused = policy.check(caller, action, target).unwrap_err();
            assert_eq!(refused.kind(), kind, "{caller:?} {action:?}");
        }
    }
    let refused = defaults.check(
        &without_reader,
        Action::GetMetadefNamespaces,
        Target::OwnProject,
    );
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn administrators_are_those_whom_the_file_makes_ones() {
    let policy = policy_of("context_is_admin: role:image_admin\n");
    let root = policy.admit(caller("root:admin"));
    assert_eq!(root.role, Role::Member);
    let mut demo = caller("demo");
    demo.roles.push("image_admin".to_string());
    let demo = policy.admit(demo);
    assert!(demo.is_admin());
    let foreign = image(Some("other"), Visibility::Private);
    let target = ImageTarget::new(&foreign, false);
    policy.check(&demo, Action::DeleteImage, target).unwrap();
    assert!(policy.check(&root, Action::DeleteImage, target).is_err());
}

#[test]
fn tokens_of_the_system_are_refused_unless_scopes_are_not_enforced() {
    let operator = Caller {
        has_system_scope: true,
        ..Caller::new("", Role::Admin, "operator")
    };
    let public = image(Some("demo"), Visibility::Public);
    let target = ImageTarget::new(&public, false);
    let refused = without_files().check(&operator, Action::DeleteImage, target);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    let refused = without_files().check(&operator, Action::GetImages, Target::OwnProject);
    assert_eq!(
        refused.unwrap_err().message(),
        "You are not authorized to complete get_images action."
    );
    let mut lenient = settings(Path::new("/nonexistent"));
    lenient.enforce_scope = false;
    let policy = open(lenient);
    policy
        .check(&operator, Action::DeleteImage, target)
        .unwrap();
}

#[test]
fn rules_of_earlier_releases_are_sufficient_if_asked_for_but_for_owners_alone() {
    let mut former = settings(Path::new("/nonexistent"));
    former.enforce_new_defaults = false;
    let policy = open(former);
    // Without any of the roles that the new rules require.
    let of = |project: &str| Caller {
        roles: vec!["_member_".to_string()],
        ..Caller::new(project, Role::Reader, "user")
    };
    let own = image(Some("demo"), Visibility::Public);
    let target = ImageTarget::new(&own, false);
    policy
        .check(&of("demo"), Action::DeleteImage, target)
        .unwrap();
    policy
        .check(&of("other"), Action::DownloadImage, target)
        .unwrap();
    let refused = policy.check(&of("other"), Action::DeleteImage, target);
    assert_eq!(refused.unwrap_err().message(), "You do not own this image");
    assert!(
        without_files()
            .check(&of("demo"), Action::DeleteImage, target)
            .is_err()
    );
}

#[test]
fn later_files_of_a_directory_take_precedence() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("policy.d")).unwrap();
    for (name, text) in [
        ("policy.yaml", "a: \"!\"\nb: \"!\"\nc: \"!\"\n"),
        ("policy.d/1.yaml", "b: \"@\"\nc: \"!\"\n"),
        (
            "policy.d/2.json",
            "{\"c\": [[\"role:admin\"], [\"role:reader\", \"role:member\"]]}",
        ),
        ("policy.d/.3.yaml", "a: \"@\"\n"),
    ] {
        std::fs::write(at(name), text).unwrap();
    }
    let policy = open(settings(directory.path()));
    let listed = policy.list(Some(&caller("demo"))).unwrap();
    let found = |name: &str| listed.iter().find(|rule| rule.name == name).unwrap();
    assert_eq!(found("a").allowed, Some(false));
    assert_eq!(found("b").allowed, Some(true));
    assert_eq!(found("c").allowed, Some(true));
    assert_eq!(
        found("b").origin,
        format!("{}:1", at("policy.d/1.yaml").display())
    );
    assert_eq!(found("get_images").origin, "default");
}

#[test]
fn rules_that_do_not_work_are_reported_with_their_places_and_are_false() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    let text = "add_image: admin\nget_images: role:admin and\na: rule:b\nb: rule:a\nc: not rule:a\n\
                d: rule:missing\ne: {x: y}\nf:\ng: http://host/check\nh: \"x:100%\"\n";
    std::fs::write(&path, text).unwrap();
    let settings = settings(directory.path());
    let (rules, faults) = files::load(&settings, &files::find(&settings)).unwrap();
    let starts = |line: usize, name: &str| {
        let start = format!("{}:{line}: rule '{name}': ", path.display());
        faults
            .iter()
            .filter(|fault| fault.starts_with(&start))
            .count()
    };
    for (line, name) in [
        (1, "add_image"),
        (2, "get_images"),
        (3, "a"),
        (4, "b"),
        (5, "c"),
        (6, "d"),
        (7, "e"),
        (8, "f"),
        (9, "g"),
        (10, "h"),
    ] {
        assert_eq!(starts(line, name), 1, "{name}: {faults:?}");
    }
    assert_eq!(faults.len(), 10, "{faults:?}");
    let root = caller("root:admin");
    for name in ["add_image", "get_images", "a", "b", "c", "e", "g", "h"] {
        assert!(!holds(&rules, name, &root, Target::OwnProject), "{name}");
    }
    // An unknown rule is the default one, which is always true.
    assert!(holds(&rules, "d", &root, Target::OwnProject));
    assert!(holds(&rules, "f", &root, Target::OwnProject));
}

#[test]
fn a_file_that_cannot_be_read_is_the_error_of_every_check() {
    for (text, why) in [
        ("- a\n- b\n", "policy.yaml:1: not a mapping of rules"),
        ("a: [\n", "policy.yaml:"),
    ] {
        let policy = policy_of(text);
        let error = policy.may(&caller("demo"), Action::AddImage, Target::Deployment);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert!(error.message().contains(why), "{}", error.message());
    }
}

#[test]
fn files_that_change_are_read_again_and_broken_ones_are_not_used() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    let settings = settings(directory.path());
    let policy = open(settings.clone());
    let mays = |policy: &Policy| {
        let demo = caller("demo");
        policy
            .may(&demo, Action::CopyImage, Target::Deployment)
            .unwrap()
    };
    let refresh = || {
        let before = Arc::clone(&policy.loaded.read().unwrap());
        policy.refresh(&settings, &before);
    };
    assert!(!mays(&policy) && !policy.has_rules().unwrap());
    for (text, may) in [
        ("copy_image: role:member\n", true),
        ("copy_image: role:other\n", false),
        ("copy_image: \"@\"\n", true),
        ("copy_image: [\n", true),
        ("copy_image: role:admin\n", false),
    ] {
        std::fs::write(&path, text).unwrap();
        refresh();
        assert_eq!(mays(&policy), may, "{text}");
    }
    std::fs::remove_file(&path).unwrap();
    refresh();
    assert!(!policy.has_rules().unwrap());
}

/// Returns a policy with these property protections and this policy file.
fn protected(protections: &str, format: ProtectionFormat, rules: &str) -> Policy {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("protections.conf");
    std::fs::write(&path, protections).unwrap();
    std::fs::write(directory.path().join("policy.yaml"), rules).unwrap();
    let mut settings = settings(directory.path());
    settings.protections = Some(ProtectionSettings {
        name: "protections.conf".to_string(),
        files: vec![path],
        format,
    });
    open(settings)
}

#[test]
fn properties_are_for_the_roles_of_the_first_section_that_matches() {
    let text = "[^x_.*]\ncreate = Admin, member\nread = @\nupdate = admin\ndelete = !\n\
                [billing]\ncreate = admin\nread = billing , admin\nupdate = admin\ndelete =\n\
                [^y_]\ncreate = @\nread = @\nupdate = @\ndelete = @\n";
    let policy = protected(text, ProtectionFormat::Roles, "");
    let of = |roles: &[&str]| Caller {
        roles: roles.iter().map(ToString::to_string).collect(),
        ..caller("demo")
    };
    for (roles, access, property, may) in [
        (&["member"][..], Create, "x_a", true),
        (&["reader"], Create, "x_a", false),
        (&["reader"], Read, "x_a", true),
        (&["member"], Update, "x_a", false),
        (&["admin"], Update, "x_a", true),
        (&["admin"], Delete, "x_a", false),
        (&["billing"], Read, "my_billing_code", true),
        (&["member"], Read, "my_billing_code", false),
        (&["admin"], Delete, "billing", false),
        (&[], Delete, "y_", true),
        (&["admin"], Read, "z", false),
        (&[], Create, "os_glance_import_task", true),
    ] {
        let allowed = policy.may_access(&of(roles), access, property).unwrap();
        assert_eq!(allowed, may, "{roles:?} {access:?} {property}");
    }
    let by_service = Caller {
        service_roles: vec!["admin".to_string()],
        ..of(&["reader"])
    };
    assert!(policy.may_access(&by_service, Update, "x_a").unwrap());
    let refused = policy.check_access(&of(&["member"]), Update, "x_a");
    let refused = refused.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    assert_eq!(refused.message(), "Attribute 'x_a' is reserved.");
}

#[test]
fn properties_are_for_those_whom_a_policy_allows() {
    let text = "[^x_]\ncreate = creators\nread = @\nupdate = missing\ndelete = context_is_admin\n";
    let rules = "creators: role:member\ndefault: \"!\"\n";
    let policy = protected(text, ProtectionFormat::Policies, rules);
    let may = |who: &str, access| policy.may_access(&caller(who), access, "x_a").unwrap();
    assert!(may("demo", Access::Create) && !may("demo:reader", Access::Create));
    assert!(!may("root:admin", Access::Update));
    assert!(may("root:admin", Access::Delete) && !may("demo", Access::Delete));
}

#[test]
fn protections_that_cannot_be_read_are_errors() {
    for (text, format, why) in [
        (
            "[a(]\ncreate=@\nread=@\nupdate=@\ndelete=@\n",
            Roles,
            ":1: [a(] is not a regular expression",
        ),
        (
            "[a]\ncreate=@\nread=@\nupdate=@\n",
            Roles,
            ":1: section [a] has no delete",
        ),
        (
            "[a]\ncreate=@,!\nread=@\nupdate=@\ndelete=@\n",
            Roles,
            ":2: [a] create: @ and ! exclude",
        ),
        (
            "[a]\ncreate=b,c\nread=@\nupdate=@\ndelete=@\n",
            Policies,
            ":2: [a] create: 'b,c' is more",
        ),
        (
            "[a]\ncreate=@\nread=@\nupdate=@\ndelete=@\n[a]\n",
            Roles,
            ":6: section [a] is there twice",
        ),
    ] {
        let policy = protected(text, format, "");
        let error = policy.may_access(&caller("demo"), Access::Read, "a");
        let error = error.unwrap_err();
        assert!(error.message().contains(why), "{}", error.message());
    }
}

#[test]
fn an_explanation_names_the_values_that_decide() {
    let policy =
        policy_of("delete_image: rule:owner and not role:reader\nowner: project_id:%(owner)s\n");
    let own = image(Some("demo"), Visibility::Private);
    let target = Target::Image(ImageTarget::new(&own, false));
    let explained = policy
        .explain_on(&caller("demo"), "delete_image", target)
        .unwrap();
    assert_eq!(explained.rule.allowed, Some(false));
    let shown = explained.evaluation.to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "false  and");
    assert!(lines[1].starts_with("true     rule:owner  ("), "{shown}");
    assert_eq!(
        lines[2],
        "true       project_id:%(owner)s  (project_id of the caller is 'demo', owner of the target is 'demo')"
    );
    assert_eq!(lines[3], "false    not");
    assert_eq!(
        lines[4],
        "true       role:reader  (the caller's roles are reader, member)"
    );
    let unknown = policy.explain_on(&caller("demo"), "nothing", target);
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
}
