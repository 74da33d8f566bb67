//! Suggestions for mistyped commands and options.

/// Verbs of other programs, each with the one that our commands have.
const SYNONYMS: [(&str, &str); 14] = [
    ("ls", "list"),
    ("index", "list"),
    ("rm", "delete"),
    ("remove", "delete"),
    ("get", "show"),
    ("describe", "show"),
    ("inspect", "show"),
    ("pull", "download"),
    ("fetch", "download"),
    ("push", "upload"),
    ("edit", "update"),
    ("rename", "update"),
    ("new", "create"),
    ("share", "member-create"),
];

/// The number of suggestions at most.
const MOST: usize = 3;

/// Returns the commands of `names` that `word` may mean, best first: those with a similar name, else those with the
/// word, or a synonym, in their name. Words are separated by blanks or dashes.
pub fn commands<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.to_lowercase().replace(['_', ' '], "-");
    let names: Vec<&str> = names.into_iter().collect();
    let near = nearest(
        &word,
        names.iter().map(|name| (name.replace(' ', "-"), *name)),
    );
    if !near.is_empty() || word.is_empty() {
        return near;
    }
    let meant = SYNONYMS.iter().find(|(synonym, _)| *synonym == word);
    let meant = meant.map_or(word.as_str(), |(_, verb)| verb);
    let having = |part: &str| {
        let mut having: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| *name == part || name.split([' ', '-']).any(|word| word == part))
            .collect();
        // What newcomers look for comes first.
        having.sort_by_key(|name| (!name.starts_with("image"), name.len()));
        having
    };
    let mut found = having(meant);
    if let Some(singular) = meant.strip_suffix('s').filter(|_| found.is_empty()) {
        // The name of many things asks for a list of them.
        found = having(singular);
        let is_list = |name: &&str| name.ends_with("list");
        found.sort_by_key(|name| !is_list(name));
        found.truncate(1);
    }
    found.truncate(MOST);
    found
}

/// Returns the options of `names`, which have no dashes, that `word` may mean, best first. `word` may have dashes and a
/// value.
pub fn options<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word = word.split('=').next().unwrap_or(word);
    let Some(word) = word.strip_prefix("--") else {
        return Vec::new();
    };
    let word = word.to_lowercase().replace('_', "-");
    nearest(
        &word,
        names.into_iter().map(|name| (name.to_string(), name)),
    )
}

/// Returns the hint for suggestions, each written by `word`; None without any.
pub fn hint(suggestions: &[&str], word: impl Fn(&str) -> String) -> Option<String> {
    let mut words: Vec<String> = suggestions.iter().map(|name| word(name)).collect();
    let last = words.pop()?;
    Some(if words.is_empty() {
        format!("Did you mean {last}?")
    } else {
        format!("Did you mean {} or {last}?", words.join(", "))
    })
}

/// Returns the names whose spelling is nearest to `word`, if it can be a typing error.
fn nearest<'a>(word: &str, spellings: impl Iterator<Item = (String, &'a str)>) -> Vec<&'a str> {
    let allowed = (word.chars().count() / 4).clamp(1, 3);
    let mut near: Vec<(usize, &str)> = spellings
        .map(|(spelling, name)| (strsim::osa_distance(word, &spelling), name))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance == best);
    near.dedup();
    near.truncate(MOST);
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::grammar::{Commands, Grammar};
    use crate::cli::command::registry::Group;

    fn suggested(grammar: Grammar, word: &str) -> Vec<&'static str> {
        commands(
            word,
            grammar
                .groups()
                .iter()
                .flat_map(Group::rows)
                .map(|row| row.name),
        )
    }

    #[test]
    fn a_mistyped_command_suggests_the_near_one() {
        for (word, expected) in [
            ("image-lst", &["image-list"][..]),
            ("image_list", &["image-list"]),
            ("imagelist", &["image-list"]),
            ("Image-List", &["image-list"]),
            ("image list", &["image-list"]),
            ("image-craete", &["image-create"]),
            ("md-namespace-lst", &["md-namespace-list"]),
            ("images", &["image-list"]),
            ("members", &["member-list"]),
            ("tasks", &["image-tasks"]),
            ("ls", &["image-list", "task-list", "cache-list"]),
            (
                "create",
                &["image-create", "image-create-via-import", "task-create"],
            ),
            ("download", &["image-download"]),
            ("pull", &["image-download"]),
            ("share", &["member-create"]),
            ("frobnicate", &[]),
            ("", &[]),
        ] {
            assert_eq!(suggested(Grammar::Glance, word), expected, "{word}");
        }
        for (word, expected) in [
            ("image lst", &["image list"][..]),
            ("image sow", &["image show"]),
            (
                "image metadef namepace list",
                &["image metadef namespace list"],
            ),
            ("image nonsense", &[]),
        ] {
            assert_eq!(suggested(Grammar::Openstack, word), expected, "{word}");
        }
    }

    #[test]
    fn a_mistyped_option_suggests_the_near_one() {
        let names = [
            "disk-format",
            "container-format",
            "name",
            "min-disk",
            "file",
        ];
        for (word, expected) in [
            ("--disk-fromat", &["disk-format"][..]),
            ("--disk_format=raw", &["disk-format"]),
            ("--diskformat", &["disk-format"]),
            ("--nmae", &["name"]),
            ("--fil", &["file"]),
            ("--frobnicate", &[]),
            ("-n", &[]),
        ] {
            assert_eq!(options(word, names), expected, "{word}");
        }
    }

    #[test]
    fn a_hint_lists_the_suggestions() {
        let quoted = |name: &str| format!("\"{name}\"");
        assert_eq!(hint(&[], quoted), None);
        let hint = |names: &[&str]| hint(names, quoted).unwrap_or_default();
        assert_eq!(hint(&["a"]), "Did you mean \"a\"?");
        assert_eq!(
            hint(&["a", "b", "c"]),
            "Did you mean \"a\", \"b\" or \"c\"?"
        );
    }
}
