//! Help of the global options.

use std::fmt::Write;

use clap::Command;

use super::super::globals::Global;
use super::super::grammar::Grammar;

/// Options by what they are for. Those that are not named are for the login.
const CATEGORIES: [(&str, &[&str]); 5] = [
    (
        "Deployment: which images",
        &[
            "os-cloud",
            "os-image-url",
            "os-endpoint-override",
            "os-region-name",
            "os-interface",
            "os-endpoint-type",
            "os-service-type",
            "local",
            "data-dir",
            "config-file",
            "config-dir",
            "as",
        ],
    ),
    (
        "Output",
        &[
            "format",
            "column",
            "sort-column",
            "sort-ascending",
            "sort-descending",
            "noindent",
            "quote",
            "print-empty",
            "human",
            "watch",
            "local-time",
            "quiet",
            "verbose",
            "debug",
            "log-file",
            "timing",
            "collect-timing",
        ],
    ),
    (
        "Transfers",
        &[
            "sparse",
            "parallel",
            "skip-verification",
            "allow-format-mismatch",
            "verify-stored",
        ],
    ),
    (
        "Connection",
        &[
            "timeout",
            "insecure",
            "verify",
            "os-cacert",
            "os-cert",
            "os-key",
            "tls-ciphers",
            "tls-min-version",
        ],
    ),
    (
        "Other",
        &[
            "version",
            "get-schema",
            "force",
            "profile",
            "os-profile",
            "os-beta-command",
            "os-image-api-version",
            "os-compute-api-version",
            "os-identity-api-version",
            "os-network-api-version",
            "os-object-api-version",
            "os-volume-api-version",
            "os-share-api-version",
            "os-accelerator-api-version",
            "os-key-manager-api-version",
        ],
    ),
];

/// The heading of the options that no category names.
const LOGIN: &str = "Login";

/// Returns the heading of the category of an option.
fn category(long: &str) -> &'static str {
    let named = CATEGORIES.iter().find(|(_, names)| names.contains(&long));
    named.map_or(LOGIN, |(title, _)| title)
}

/// Returns a parser without options, to render some.
fn empty(grammar: Grammar, width: usize) -> Command {
    Command::new(grammar.program())
        .disable_help_flag(true)
        .disable_version_flag(true)
        .term_width(width)
}

/// Returns the options that upstream's program has, too.
pub(super) fn upstream(grammar: Grammar, width: usize) -> String {
    let options = grammar
        .globals()
        .map(|global| global.arg().help_heading(None::<&str>));
    let command = empty(grammar, width).args(options);
    let mut command = command.help_template("{options}");
    command.render_help().to_string()
}

/// Returns all global options of a program, by category.
pub(super) fn by_category(grammar: Grammar, width: usize) -> String {
    let mut globals: Vec<&Global> = grammar.globals().collect();
    let order = |global: &&Global| {
        for (place, (_, names)) in CATEGORIES.iter().enumerate() {
            if let Some(within) = names.iter().position(|name| *name == global.long) {
                // The login comes after what selects the deployment.
                return (place * 2, within);
            }
        }
        (1, 0)
    };
    globals.sort_by_key(order);
    let options = globals.into_iter().map(|global| {
        let title = category(global.long);
        global.arg().hide(false).help_heading(title)
    });
    let command = empty(grammar, width).args(options);
    let mut command = command.help_template("{all-args}");
    let mut text = format!("Options of {}, before the command\n\n", grammar.program());
    let _ = writeln!(text, "{}", command.render_help().to_string().trim_end());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_category() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for global in grammar.globals() {
                let is_login = global.long.starts_with("os-");
                let title = category(global.long);
                assert!(is_login || title != LOGIN, "--{}", global.long);
            }
            let text = by_category(grammar, 100);
            for title in CATEGORIES.iter().map(|(title, _)| *title).chain([LOGIN]) {
                assert!(text.contains(&format!("\n{title}:\n")), "{title}: {text}");
            }
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }

    #[test]
    fn categories_name_options_that_exist() {
        let known: Vec<&str> = [Grammar::Glance, Grammar::Openstack]
            .iter()
            .flat_map(|grammar| grammar.globals())
            .map(|global| global.long)
            .collect();
        for name in CATEGORIES.iter().flat_map(|(_, names)| *names) {
            assert!(known.contains(name), "{name}");
        }
    }
}
