//! Help of the commands that begin with the same words, such as `image metadef`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::grammar::{Grammar, Row};

/// The number of commands with a common word from which a group shows the word instead of the commands.
const MANY: usize = 8;

/// Returns whether commands of the second grammar begin with `words`, and none is just these.
pub fn is_group(words: &[String]) -> bool {
    !words.is_empty() && !members(words).is_empty()
}

/// Returns the commands that begin with `words`.
fn members(words: &[String]) -> Vec<&'static Row> {
    let prefix = format!("{} ", words.join(" "));
    let mut rows = Grammar::Openstack.rows();
    rows.retain(|row| row.name.starts_with(&prefix));
    rows
}

/// Returns the help of the commands that begin with `words`. `called` is the grammar of the program that was called.
pub fn group(called: Grammar, words: &[String]) -> String {
    let program = called.program();
    let name = words.join(" ");
    let next = |row: &Row| row.name.split(' ').nth(words.len()).unwrap_or_default();
    let rows = members(words);
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *count.entry(next(row)).or_default() += 1;
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    for row in rows {
        let word = next(row);
        if count[word] <= MANY {
            lines.push((row.name.to_string(), row.about.to_string()));
        } else if count.len() == 1 {
            // All commands have the same next word.
            return group(called, &[words, &[word.to_string()]].concat());
        } else {
            let line = (
                format!("{name} {word} ..."),
                format!("See \"{program} help {name} {word}\"."),
            );
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    let width = lines.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = format!("usage: {program} [options] {name} <command> ...\n\nCommands:\n");
    for (name, about) in lines {
        let _ = writeln!(text, "  {name:width$}  {about}");
    }
    let _ = write!(
        text,
        "\nSee \"{program} help COMMAND\" for help on a command.\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn words_that_commands_begin_with_are_a_group() {
        for line in [
            "image",
            "image metadef",
            "image member",
            "cached image",
            "cached",
        ] {
            assert!(is_group(&words(line)), "{line}");
        }
        for line in ["image show", "image-list", "nonsense", ""] {
            assert!(!is_group(&words(line)), "{line}");
        }
        assert!(!is_group(&[]));
    }

    #[test]
    fn a_group_lists_its_commands_and_shortens_what_is_many() {
        let text = group(Grammar::Glance, &words("image"));
        assert!(
            text.starts_with("usage: glance [options] image <command> ...\n"),
            "{text}"
        );
        assert!(text.contains("\n  image save "), "{text}");
        assert!(text.contains("\n  image metadef ... "), "{text}");
        assert!(!text.contains("image metadef namespace"), "{text}");
        assert!(text.lines().count() < 40, "{text}");
        let text = group(Grammar::Openstack, &words("image metadef"));
        assert!(
            text.contains("\n  image metadef namespace create "),
            "{text}"
        );
    }
}
