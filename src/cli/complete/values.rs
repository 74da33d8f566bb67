//! The words of each kind of value.

use super::answer::{Answer, Candidate, Paths};
use super::kinds::{Kind, columns, declared, short_columns};
use super::source::{Selection, Source};
use crate::cli::command::grammar::Grammar;
use crate::cli::command::parser::own;
use crate::model::{NameQuery, Named, SortKey};

/// The place of a value on a command line.
pub struct Place<'a> {
    /// The command; empty before one.
    pub command: &'a str,
    /// The grammar of the command.
    pub grammar: Grammar,
    /// The arguments before it, with their values.
    pub line: &'a [(String, String)],
    /// Returns the options that select the deployment.
    pub selection: &'a dyn Fn() -> Selection,
    /// The source of the names of existing things.
    pub source: &'a dyn Source,
}

impl Place<'_> {
    /// Returns the value on the line of the argument of a kind.
    fn given(&self, fits: impl Fn(Kind) -> bool) -> Option<String> {
        let found = self
            .line
            .iter()
            .find(|(argument, _)| declared(self.command, argument).is_some_and(&fits));
        found.map(|(_, value)| value.clone())
    }

    fn image(&self) -> Option<String> {
        self.given(|kind| matches!(kind, Kind::Image(_)))
    }

    fn namespace(&self) -> Option<String> {
        self.given(|kind| kind == Kind::Namespace)
    }

    fn listed(&self, query: Option<NameQuery>, begun: &str) -> Vec<Named> {
        let list = |query| self.source.names(&(self.selection)(), &query, begun);
        query.map(list).unwrap_or_default()
    }

    /// Returns the names that a query returns.
    fn names(&self, query: Option<NameQuery>) -> Answer {
        let named = self.listed(query, "").into_iter();
        Answer::of(named.map(|one| candidate(one, false)).collect())
    }
}

fn candidate(named: Named, is_id: bool) -> Candidate {
    Candidate {
        value: named.value,
        about: named.about,
        is_id,
    }
}

fn word(value: impl Into<String>) -> Candidate {
    Candidate {
        value: value.into(),
        ..Candidate::default()
    }
}

/// Returns whether an option adds columns.
fn is_for_more(option: &str) -> bool {
    matches!(option, "--long" | "long" | "--verbose" | "-v" | "verbose")
}

/// Returns the values of a kind. Those that do not begin with `begun` are removed later.
pub fn values(kind: Kind, place: &Place<'_>, begun: &str) -> Answer {
    let words = |words: &[&str]| Answer::of(words.iter().map(|one| word(*one)).collect());
    match kind {
        Kind::Text | Kind::Command => Answer::default(),
        Kind::File => Answer {
            paths: Paths::Files,
            ..Answer::default()
        },
        Kind::Directory => Answer {
            paths: Paths::Directories,
            ..Answer::default()
        },
        Kind::Words(all) => words(all),
        Kind::ListOf(all) => several(begun, words(all)),
        Kind::Sort => sort(begun),
        Kind::Assignment(keys) => assignment(keys, begun),
        Kind::DiskFormat => formats("disk_format"),
        Kind::ContainerFormat => formats("container_format"),
        Kind::Column if place.line.iter().any(|(option, _)| is_for_more(option)) => {
            words(columns(place.command))
        }
        Kind::Column => words(short_columns(place.command)),
        Kind::Cloud => Answer::of(place.source.clouds().into_iter().map(word).collect()),
        Kind::Caller => caller(begun),
        Kind::Shell => words(&super::shells::NAMES),
        Kind::Image(which) if place.grammar == Grammar::Openstack => {
            let images = place.listed(Some(NameQuery::Images(which)), begun);
            named_images(&images, begun)
        }
        Kind::Image(which) | Kind::ImageId(which) => {
            ids(place.listed(Some(NameQuery::ImageIds(which)), begun))
        }
        Kind::Restorable => ids(place.listed(Some(NameQuery::Restorable), begun)),
        Kind::Member => place.names(place.image().map(NameQuery::Members)),
        Kind::Tag => place.names(place.image().map(NameQuery::Tags)),
        Kind::ImageProperty => place.names(place.image().map(NameQuery::ImageProperties)),
        Kind::Store => place.names(Some(NameQuery::Stores)),
        Kind::Stores => several(begun, place.names(Some(NameQuery::Stores))),
        Kind::Namespace => place.names(Some(NameQuery::Namespaces)),
        Kind::Object => place.names(place.namespace().map(NameQuery::Objects)),
        Kind::Property => place.names(place.namespace().map(NameQuery::Properties)),
        Kind::NamespaceTag => place.names(place.namespace().map(NameQuery::NamespaceTags)),
        Kind::AssociatedType => place.names(place.namespace().map(NameQuery::AssociatedTypes)),
        Kind::ResourceType => place.names(Some(NameQuery::ResourceTypes)),
        Kind::ResourceTypes => several(begun, place.names(Some(NameQuery::ResourceTypes))),
        Kind::Task => ids(place.listed(Some(NameQuery::Tasks), begun)),
    }
}

fn ids(named: Vec<Named>) -> Answer {
    let named = named.into_iter();
    Answer::of(named.map(|one| candidate(one, true)).collect())
}

/// Returns images by their names. An image is offered by its ID if it has no name of its own, or if the ID was begun.
fn named_images(images: &[Named], begun: &str) -> Answer {
    let is_only = |name: &str| images.iter().filter(|image| image.about == name).count() == 1;
    let mut candidates = Vec::new();
    for image in images {
        let name = &image.about;
        if !name.is_empty() && name.starts_with(begun) && is_only(name) {
            candidates.push(word(name.clone()));
        } else if begun.is_empty() || image.value.starts_with(begun) || name.starts_with(begun) {
            candidates.push(candidate(image.clone(), true));
        }
    }
    Answer::of(candidates)
}

/// Returns the possible continuations of a list whose parts are separated by commas.
fn several(begun: &str, mut all: Answer) -> Answer {
    let before = begun.rfind(',').map_or("", |comma| &begun[..=comma]);
    let given: Vec<&str> = before.split(',').collect();
    all.candidates
        .retain(|one| !given.contains(&one.value.as_str()));
    for one in &mut all.candidates {
        one.value.insert_str(0, before);
    }
    all
}

/// Returns sort keys, and after a colon the directions.
fn sort(begun: &str) -> Answer {
    let part = begun.rsplit(',').next().unwrap_or_default();
    let keys = SortKey::ALL.map(SortKey::name);
    let words: Vec<String> = match part.split_once(':') {
        Some((key, _)) => vec![format!("{key}:asc"), format!("{key}:desc")],
        None => keys.map(str::to_string).to_vec(),
    };
    several(begun, Answer::of(words.into_iter().map(word).collect()))
}

/// Returns keys of properties, and after the equals sign the values if there are few.
fn assignment(keys: &[&str], begun: &str) -> Answer {
    let Some((key, _)) = begun.split_once('=') else {
        return Answer::of(keys.iter().map(|key| word(*key)).collect());
    };
    let mut answer = match key {
        "disk_format" => formats("disk_format"),
        "container_format" => formats("container_format"),
        _ => {
            let option = match key {
                "status" | "visibility" => format!("--{key}"),
                "architecture" | "hw_architecture" => "--architecture".to_string(),
                "os_distro" => "--os-distro".to_string(),
                _ => return Answer::default(),
            };
            match declared("image list", &option) {
                Some(Kind::Words(words)) => {
                    Answer::of(words.iter().map(|one| word(*one)).collect())
                }
                _ => return Answer::default(),
            }
        }
    };
    for one in &mut answer.candidates {
        one.value = format!("{key}={}", one.value);
    }
    answer
}

/// Returns the formats that `image create` accepts.
fn formats(id: &str) -> Answer {
    let create = Grammar::Openstack.find("image create");
    let create = create.map(|row| own(Grammar::Openstack, Grammar::Openstack, row));
    let values = create.as_ref().and_then(|create| {
        let mut all = create.get_arguments();
        all.find(|arg| arg.get_id() == id)
            .map(super::kinds::choices)
    });
    Answer::of(values.into_iter().flatten().map(word).collect())
}

/// Returns the roles after the project of an identity.
fn caller(begun: &str) -> Answer {
    let roles = crate::model::Role::ALL.map(crate::model::Role::name);
    match begun.split(':').collect::<Vec<_>>()[..] {
        [project, _] => {
            let words = roles.iter().map(|role| word(format!("{project}:{role}")));
            Answer::of(words.collect())
        }
        [_] if begun.is_empty() => Answer::of(vec![word("admin:admin:admin")]),
        _ => Answer::default(),
    }
}
