//! Words of a line → candidates.

use std::cell::RefCell;

use super::answer::{Answer, Owner, Paths};
use super::engine::complete;
use super::source::{Selection, Source};
use super::{LoadSettings, Subject};
use crate::cli::command::grammar::Grammar;
use crate::cli::{api, cache_manage, manage, scrubber};
use crate::model::{ImageStatus, NameQuery, Named};

/// A source that has these names for any query, and keeps what it was asked for.
#[derive(Default)]
struct Fixed {
    names: Vec<Named>,
    asked: RefCell<Vec<(NameQuery, String)>>,
    /// The value of `--data-dir` or `--os-cloud` of the last query.
    selected: RefCell<Option<String>>,
}

impl Source for Fixed {
    fn names(&self, selection: &Selection, query: &NameQuery, begun: &str) -> Vec<Named> {
        self.asked
            .borrow_mut()
            .push((query.clone(), begun.to_string()));
        *self.selected.borrow_mut() = match selection {
            Selection::Client(globals) => globals
                .named("--data-dir")
                .or(globals.named("--os-cloud"))
                .map(str::to_string),
            Selection::Tool { options, .. } => {
                let mut all = options.iter();
                all.find(|(option, _)| option == "--data-dir")
                    .map(|(_, value)| value.clone())
            }
        };
        self.names.clone()
    }

    fn clouds(&self) -> Vec<String> {
        vec!["home".to_string(), "work".to_string()]
    }
}

fn images(images: &[(&str, &str)]) -> Fixed {
    let images = images.iter();
    Fixed {
        names: images
            .map(|(id, name)| Named {
                value: (*id).to_string(),
                about: (*name).to_string(),
            })
            .collect(),
        ..Fixed::default()
    }
}

/// Completes the last word of a line, which begins with the program.
fn answer(line: &str, source: &Fixed) -> Answer {
    let mut words: Vec<String> = line.split(' ').map(str::to_string).collect();
    let current = words.pop().unwrap();
    let program = words.remove(0);
    let tool = |command, settings: LoadSettings| Subject::Tool {
        command: Box::new(command),
        settings,
    };
    let subject = match &*program {
        "glance" => Subject::Client(Grammar::Glance),
        "openstack" => Subject::Client(Grammar::Openstack),
        "glance-api" => tool(api::command(), api::load_settings),
        "glance-manage" => tool(manage::command(), manage::load_settings),
        "glance-scrubber" => tool(scrubber::command(), scrubber::load_settings),
        "glance-cache-manage" => tool(
            cache_manage::completed_command(),
            cache_manage::load_settings,
        ),
        other => panic!("{other}"),
    };
    complete(&subject, &words, &current, source)
}

fn words_from(line: &str, source: &Fixed) -> Vec<String> {
    let candidates = answer(line, source).candidates.into_iter();
    candidates.map(|one| one.value).collect()
}

fn words(line: &str) -> Vec<String> {
    words_from(line, &Fixed::default())
}

/// Returns the queries for a line.
fn asked(line: &str) -> Vec<NameQuery> {
    let source = Fixed::default();
    answer(line, &source);
    let asked = source.asked.into_inner().into_iter();
    asked.map(|(query, _)| query).collect()
}

#[test]
fn commands_complete_word_by_word() {
    assert_eq!(words("glance image-rea"), ["image-reactivate"]);
    assert_eq!(words("glance imag"), {
        let mut names: Vec<&str> = Grammar::Glance.rows().iter().map(|row| row.name).collect();
        names.retain(|name| name.starts_with("image-"));
        names.insert(0, "image");
        names
    });
    assert_eq!(words("openstack imag"), ["image"]);
    assert_eq!(words("openstack image a"), ["add"]);
    assert_eq!(words("openstack image add "), ["project"]);
    assert_eq!(words("glance image metadef res"), ["resource"]);
    assert_eq!(words("openstack image import inf"), ["info"]);
    assert_eq!(words("glance --os-cloud work image sh"), ["show"]);
    assert_eq!(words("openstack --debug image sh"), ["show"]);
    assert_eq!(words("glance com"), ["completion"]);
    assert_eq!(words("glance-manage d"), {
        let command = manage::command();
        let mut names: Vec<String> = command
            .get_subcommands()
            .map(|inner| inner.get_name().to_string())
            .filter(|name| name.starts_with('d'))
            .collect();
        names.sort();
        names
    });
    assert_eq!(words("glance-manage db contr"), ["contract"]);
    assert_eq!(words("glance-manage --debug db contr"), ["contract"]);
    assert_eq!(words("glance-cache-manage queue-"), ["queue-image"]);
    assert_eq!(words("glance nosuch "), [""; 0]);
}

#[test]
fn a_group_is_described_by_the_words_that_follow() {
    let about = |line| {
        let mut candidates = answer(line, &Fixed::default()).candidates;
        assert_eq!(candidates.len(), 1, "{candidates:?}");
        candidates.remove(0).about
    };
    assert_eq!(about("openstack image ad"), "project");
    assert_eq!(
        about("openstack imag"),
        "add, create, delete, import, list, member, …"
    );
    assert_eq!(
        about("openstack image sav"),
        "Download the data of an image"
    );
}

#[test]
fn help_completes_commands_and_topics() {
    assert_eq!(words("glance help cl"), ["cloud"]);
    assert_eq!(words("glance help image-rea"), ["image-reactivate"]);
    assert_eq!(words("openstack help lo"), ["local"]);
    assert_eq!(words("openstack help image sav"), ["save"]);
    assert_eq!(words("glance help bash-"), ["bash-completion"]);
}

#[test]
fn arguments_of_built_in_commands_complete() {
    assert_eq!(words("openstack complete --sh"), ["--shell"]);
    assert_eq!(words("openstack complete --shell "), ["bash", "none"]);
    assert_eq!(
        words("glance completion "),
        ["bash", "elvish", "fish", "powershell", "zsh"]
    );
    assert_eq!(words("glance completion --n"), ["--name"]);
}

#[test]
fn options_complete_where_they_may_stand() {
    assert_eq!(words("glance --os-clo"), ["--os-cloud"]);
    assert_eq!(words("glance --data"), ["--data-dir"]);
    assert_eq!(words("glance image-list --sort-k"), ["--sort-key"]);
    assert_eq!(words("glance image-list --data"), ["--data-dir"]);
    assert_eq!(words("openstack image list --os-clo"), ["--os-cloud"]);
    assert_eq!(words("glance image-list --os-clo"), ["--os-cloud"]);
    assert_eq!(
        words("glance image-list --debu"),
        [""; 0],
        "upstream refuses it there"
    );
    assert_eq!(words("openstack image list --debu"), ["--debug"]);
    assert_eq!(words("glance-manage db purge --max"), ["--max_rows"]);
    assert_eq!(words("glance-manage --config-f"), ["--config-file"]);
    assert_eq!(
        words("glance-cache-manage queue-image --dry"),
        ["--dry-run"]
    );
    assert_eq!(words("glance-scrubber --rest"), ["--restore"]);
    assert_eq!(words("glance-api --bind-"), ["--bind-host", "--bind-port"]);
    // After --, nothing is an option.
    assert_eq!(words("glance image-show -- --"), [""; 0]);
}

#[test]
fn nothing_but_dashes_offers_the_options_of_the_command_and_a_few_of_ours() {
    let offered = words("openstack image list --");
    for option in ["--long", "--status", "--help", "--data-dir", "--format"] {
        assert!(offered.contains(&option.to_string()), "{option}");
    }
    for option in ["--os-username", "--debug", "--page-size"] {
        assert!(!offered.contains(&option.to_string()), "{option}");
    }
    assert_eq!(words("glance image-list "), words("glance image-list --"));
}

#[test]
fn options_that_were_given_or_are_excluded_are_not_offered() {
    assert_eq!(words("openstack image list --long --lon"), [""; 0]);
    assert_eq!(words("openstack image list --public --priv"), [""; 0]);
    assert_eq!(words("openstack image list --tag a --ta"), ["--tag"]);
}

#[test]
fn values_with_choices_complete_apart_and_after_an_equals_sign() {
    assert_eq!(words("openstack image list -f j"), ["json"]);
    assert_eq!(words("openstack image list --format=j"), ["--format=json"]);
    assert_eq!(words("glance --format j"), ["json"]);
    assert_eq!(words("glance image-create --protected T"), ["True"]);
    assert_eq!(words("glance image-create --disk-format qc"), ["qcow2"]);
    assert_eq!(
        words("glance image-create --container-format=ov"),
        ["--container-format=ova", "--container-format=ovf"]
    );
    assert_eq!(words("glance image-list --visibility c"), ["community"]);
    assert_eq!(words("openstack image list --status dea"), ["deactivated"]);
    assert_eq!(
        words("glance image-import --import-method w"),
        ["web-download"]
    );
    assert_eq!(words("glance image-list --sort-dir a"), ["asc"]);
    assert_eq!(
        words("openstack image list --long -c Disk"),
        ["Disk Format"]
    );
    assert_eq!(words("openstack image list -c Disk"), [""; 0]);
    assert_eq!(
        words("glance image-show --column os_h"),
        ["os_hash_algo", "os_hash_value", "os_hidden"]
    );
    assert_eq!(words("glance --os-cloud "), ["home", "work"]);
    assert_eq!(
        words("openstack image list --os-cloud=w"),
        ["--os-cloud=work"]
    );
    assert_eq!(words("glance --as demo:m"), ["demo:member"]);
    assert_eq!(words("glance-manage --shell_completion z"), ["zsh"]);
    assert_eq!(words("glance image-create --name "), [""; 0]);
}

#[test]
fn lists_and_properties_complete_part_by_part() {
    assert_eq!(words("openstack image list --sort na"), ["name"]);
    assert_eq!(
        words("openstack image list --sort name:"),
        ["name:asc", "name:desc"]
    );
    assert_eq!(
        words("openstack image list --sort name:asc,siz"),
        ["name:asc,size"]
    );
    assert_eq!(
        words("openstack image set x --property os_di"),
        ["os_distro="]
    );
    assert_eq!(
        words("openstack image list --property disk_format=qc"),
        ["disk_format=qcow2"]
    );
    assert_eq!(
        words("glance image-list --property-filter stat"),
        ["status="]
    );
    let stores = images(&[("fast", ""), ("slow", "")]);
    assert_eq!(
        words_from("glance image-import --stores fast,", &stores),
        ["fast,slow"]
    );
}

#[test]
fn paths_are_left_to_the_shell() {
    let paths = |line| answer(line, &Fixed::default()).paths;
    assert_eq!(paths("glance image-create --file "), Paths::Files);
    assert_eq!(paths("glance image-create --file=x"), Paths::Files);
    assert_eq!(paths("glance --os-cacert "), Paths::Files);
    assert_eq!(paths("glance --data-dir "), Paths::Directories);
    assert_eq!(
        paths("glance-manage db load_metadefs --path "),
        Paths::Directories
    );
    assert_eq!(paths("glance image-create --name "), Paths::None);
}

#[test]
fn the_first_grammar_offers_ids_with_names() {
    let source = images(&[("1a", "one"), ("1b", "two"), ("2c", "")]);
    let answer = answer("glance image-show 1", &source);
    let shown: Vec<_> = answer
        .candidates
        .iter()
        .map(|one| (&*one.value, &*one.about, one.is_id))
        .collect();
    assert_eq!(shown, [("1a", "one", true), ("1b", "two", true)]);
    assert_eq!(words_from("glance image-show on", &source), [""; 0]);
}

#[test]
fn the_second_grammar_offers_names_and_ids_where_these_are_needed() {
    let source = images(&[("1a", "one"), ("2b", "twice"), ("3c", "twice"), ("4d", "")]);
    assert_eq!(
        words_from("openstack image show ", &source),
        ["2b", "3c", "4d", "one"]
    );
    assert_eq!(words_from("openstack image show 1", &source), ["1a"]);
    assert_eq!(words_from("openstack image show o", &source), ["one"]);
}

#[test]
fn a_command_offers_the_images_it_can_be_used_on() {
    use ImageStatus::{Active, Deactivated, Queued, Uploading};
    let statuses = |line: &str| match &asked(line)[..] {
        [NameQuery::Images(which) | NameQuery::ImageIds(which)] => {
            (which.statuses.to_vec(), which.unprotected)
        }
        other => panic!("{line}: {other:?}"),
    };
    let of = |statuses: &[ImageStatus], unprotected| (statuses.to_vec(), unprotected);
    assert_eq!(
        statuses("glance image-reactivate "),
        of(&[Deactivated], false)
    );
    assert_eq!(statuses("glance image-deactivate "), of(&[Active], false));
    assert_eq!(statuses("glance image-upload "), of(&[Queued], false));
    assert_eq!(statuses("openstack image stage "), of(&[Queued], false));
    assert_eq!(
        statuses("glance image-import "),
        of(&[Queued, Uploading, Active], false)
    );
    assert_eq!(statuses("openstack image delete a b "), of(&[], true));
    assert_eq!(statuses("glance image-show "), of(&[], false));
    assert_eq!(
        statuses("glance-cache-manage queue-image "),
        of(&[Active], false)
    );
    assert_eq!(asked("glance-scrubber --restore "), [NameQuery::Restorable]);
    assert_eq!(asked("glance image-show x "), []);
    assert_eq!(asked("glance image-create "), []);
}

#[test]
fn parts_are_those_of_what_the_line_names() {
    let x = || "x".to_string();
    for (line, query) in [
        ("glance member-delete x ", NameQuery::Members(x())),
        ("openstack image remove project x ", NameQuery::Members(x())),
        ("glance image-tag-delete x ", NameQuery::Tags(x())),
        ("openstack image unset x --tag ", NameQuery::Tags(x())),
        (
            "openstack image unset x --property ",
            NameQuery::ImageProperties(x()),
        ),
        (
            "glance image-update x --remove-property ",
            NameQuery::ImageProperties(x()),
        ),
        ("glance md-object-show x ", NameQuery::Objects(x())),
        (
            "openstack image metadef object show x ",
            NameQuery::Objects(x()),
        ),
        ("glance md-property-show x ", NameQuery::Properties(x())),
        ("glance md-tag-show x ", NameQuery::NamespaceTags(x())),
        (
            "glance md-resource-type-deassociate x ",
            NameQuery::AssociatedTypes(x()),
        ),
        (
            "glance md-resource-type-associate x --name ",
            NameQuery::ResourceTypes,
        ),
        ("glance md-namespace-show ", NameQuery::Namespaces),
        (
            "openstack image metadef object create --namespace ",
            NameQuery::Namespaces,
        ),
        ("glance task-show ", NameQuery::Tasks),
        ("glance image-upload --store ", NameQuery::Stores),
        ("glance stores-delete --store ", NameQuery::Stores),
        (
            "openstack image save x --store-preference ",
            NameQuery::Stores,
        ),
    ] {
        assert_eq!(asked(line), [query], "{line}");
    }
    // A new member, and a namespace that is created, have no names yet.
    assert_eq!(asked("glance member-create x "), []);
    assert_eq!(asked("glance md-namespace-create "), []);
    // An image has to be named first.
    assert_eq!(asked("openstack image unset --tag "), []);
}

#[test]
fn the_line_selects_the_deployment() {
    let selected = |line| {
        let source = Fixed::default();
        answer(line, &source);
        source.selected.into_inner()
    };
    assert_eq!(
        selected("glance --data-dir /d image-show ").as_deref(),
        Some("/d")
    );
    assert_eq!(
        selected("glance image-show --data-dir=/d ").as_deref(),
        Some("/d")
    );
    assert_eq!(
        selected("openstack image show --os-cloud work ").as_deref(),
        Some("work")
    );
    assert_eq!(
        selected("glance --os-cloud work image show ").as_deref(),
        Some("work")
    );
    assert_eq!(
        selected("glance-scrubber --data-dir /d --restore ").as_deref(),
        Some("/d")
    );
    assert_eq!(
        selected("glance-cache-manage --data-dir /d queue-image ").as_deref(),
        Some("/d")
    );
    assert_eq!(selected("glance image-show "), None);
}

#[test]
fn openstack_leaves_the_commands_of_others_to_them() {
    let owner = |line| answer(line, &Fixed::default()).owner;
    assert_eq!(owner("openstack server "), Owner::Other);
    assert_eq!(
        owner("openstack --os-cloud work server list --"),
        Owner::Other
    );
    assert_eq!(owner("openstack serve"), Owner::Other);
    assert_eq!(owner("openstack service "), Owner::Both);
    assert_eq!(owner("openstack service provider "), Owner::Other);
    assert_eq!(owner("openstack service create "), Owner::Ours);
    assert_eq!(owner("openstack im"), Owner::Both);
    assert_eq!(owner("openstack "), Owner::Both);
    assert_eq!(owner("openstack help server "), Owner::Other);
    assert_eq!(owner("openstack image "), Owner::Ours);
    assert_eq!(owner("openstack image show "), Owner::Ours);
    assert_eq!(owner("glance ser"), Owner::Ours);
}

#[test]
fn names_that_would_break_a_line_are_not_offered() {
    let source = images(&[
        ("1a", "a\nb"),
        ("1b\u{1b}[0m", "x"),
        ("1c", "\u{1b}[31mred"),
    ]);
    assert_eq!(words_from("openstack image show 1", &source), ["1a", "1c"]);
    let answer = answer("glance image-show 1c", &source);
    assert_eq!(answer.candidates[0].about, " [31mred");
}
