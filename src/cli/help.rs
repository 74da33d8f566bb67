//! Help texts of programs, commands and topics.

use std::fmt::Write;

use clap::Command;

use super::argparse::own;
use super::registry::{Grammar, Output, Row};
use crate::{Error, Result};

/// The layout of a command's help.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}";

/// Help topics (extensions), each with its text.
pub const TOPICS: [(&str, &str); 3] = [("cloud", CLOUD), ("local", LOCAL), ("output", OUTPUT)];

/// A built-in command, such as `help`. It works without a deployment and is not in the command table.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The name.
    pub name: &'static str,
    /// A hidden second spelling; empty if there is none.
    pub alias: &'static str,
    /// The grammar whose program lists the command; `None` for both.
    pub grammar: Option<Grammar>,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// The arguments in the usage line, in the first and in the second grammar.
    usage: [&'static str; 2],
    /// The positional arguments, each with its help.
    positional: &'static [(&'static str, &'static str)],
    /// The options, each with its help.
    pub options: &'static [(&'static str, &'static str)],
}

/// The built-in commands, sorted by name.
pub const BUILTINS: [Builtin; 3] = [
    Builtin {
        name: "bash-completion",
        alias: "bash_completion",
        grammar: Some(Grammar::Glance),
        about: "Print all commands and options, for shell completion",
        usage: ["", ""],
        positional: &[],
        options: &[],
    },
    Builtin {
        name: "complete",
        alias: "",
        grammar: Some(Grammar::Openstack),
        about: "Print a shell completion script",
        usage: ["[--name <command_name>] [--shell <shell>]"; 2],
        positional: &[],
        options: &[
            (
                "--name <command_name>",
                "Command to complete; default: the program's name",
            ),
            (
                "--shell <shell>",
                "bash, or none for the completion data alone; default: bash",
            ),
        ],
    },
    Builtin {
        name: "help",
        alias: "",
        grammar: None,
        about: "Show help for a program, a command or a topic",
        usage: ["[<subcommand>]", "[cmd ...]"],
        positional: &[("<subcommand>", "Command or topic to show help for")],
        options: &[],
    },
];

/// Returns the built-in commands listed by a program that has the commands of `grammars`.
pub fn builtins(grammars: &[Grammar]) -> impl Iterator<Item = &'static Builtin> {
    BUILTINS.iter().filter(|builtin| {
        let of = builtin.grammar;
        of.is_none_or(|of| grammars.contains(&of))
    })
}

/// Returns the built-in command named `word`.
pub fn builtin(word: &str) -> Option<&'static Builtin> {
    BUILTINS
        .iter()
        .find(|builtin| builtin.name == word || !word.is_empty() && builtin.alias == word)
}

/// Returns the headings of positional arguments and options, as upstream's parsers write them.
const fn headings(grammar: Grammar) -> [&'static str; 2] {
    match grammar {
        Grammar::Glance => ["Positional arguments:", "Options:"],
        Grammar::Openstack => ["positional arguments:", "options:"],
    }
}

const CLOUD: &str = "\
Connecting to a cloud

The cloud and the credentials are taken from options before the command, from OS_* environment
variables and from clouds.yaml, in that order. clouds.yaml, clouds-public.yaml and secure.yaml are
searched for in ./, ~/.config/openstack and /etc/openstack; OS_CLIENT_CONFIG_FILE names another file.
If nothing names a cloud and clouds.yaml has exactly one, that one is used.

Authentication:

  --os-cloud CLOUD      cloud name in clouds.yaml [env OS_CLOUD]
  --os-auth-url URL     Keystone URL, with --os-username, --os-password, --os-project-name, and so on;
                        prompts for a missing password if standard input is a terminal
  --os-auth-type TYPE   password, token, v3applicationcredential, v3totp, v3multifactor,
                        v3oidcpassword, v3oidcclientcredentials, v3oidcauthcode,
                        v3oidcdeviceauthz, v3oidcaccesstoken, v3oauth2clientcredential, admin_token,
                        http_basic or none; derived from the other options, except for v3o… types
  --os-identity-provider NAME --os-protocol NAME --os-client-id ID --os-discovery-endpoint URL
                        OpenID Connect
  --os-auth-token TOKEN --os-image-url URL
                        use a token and an endpoint directly, without Keystone

Tokens are cached for at most one hour in ~/.cache/glance, readable by their owner only:

  --os-no-cache         do not read or write the token cache [env OS_NO_CACHE]
  --os-forget-tokens    delete all cached tokens, then log in

Transfers:

  --timeout SECONDS     maximum time to wait for a response, or for data during a transfer;
                        default: 600
  --parallel N          download N parts of an image at a time, if the server supports ranges;
                        default: 1
  --skip-verification   do not verify uploads against the hashes the server computed
  --debug               show HTTP requests and responses, without secrets

Server certificates are verified against --os-cacert FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, or the
certificates of the system (SSL_CERT_FILE, SSL_CERT_DIR): the first of these that is set. --insecure
disables verification and prints a warning. HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (including socks5h://) and NO_PROXY
are respected.
";

const LOCAL: &str = "\
Working without a server

Every command can work on a local data directory instead of a cloud. The directory holds a database,
the image data and, optionally, a glance-api.conf. It is created on first use.

Choosing a deployment:

  --data-dir DIR        data directory [env GLANCE_DATA_DIR]
  --local               data directory of this user, even if OS_* variables are set
  --config-file FILE    deployment configured by a glance-api.conf; may be repeated
  --config-dir DIR      every *.conf file in DIR, after the configuration files; may be repeated
  --as PROJECT[:ROLE[:USER]]
                        identity, since there is no Keystone; ROLE is admin, member or reader;
                        default: admin:admin:admin [env GLANCE_AS]

Options take precedence over environment variables, and local settings over remote ones (--os-cloud,
--os-auth-url, --os-image-url, --os-endpoint and login options; OS_* variables; a single cloud in
clouds.yaml). If nothing selects a deployment, the data directory of this user is used, and a message on
standard error names it.

Image data:

  --sparse              write runs of zeros as holes when saving to a file
  --allow-format-mismatch
                        accept image data that does not match its disk format; unsafe data is still
                        refused

The image cache is the subdirectory cache/. Downloads use it if glance-api.conf in the data directory
has \"flavor = caching\" in [paste_deploy]. cache-queue downloads an image into the cache immediately.

  --dry-run             with commands that change the cache: show what would be done

Deleted images whose data is kept until a scrub, if the configuration has \"delayed_delete = true\":

  scrub [--dry-run]     remove their data, as glance-scrubber does
  scrub --restore IMAGE_ID
                        restore a deleted image whose data has not been removed

An import is carried out by the command that requests it. The command prints the image as it is when
the import begins. These options work with clouds, too:

  --wait                image-import, image-create-via-import and image import: wait for the import,
                        print the image afterwards, and exit 1 if the import fails
  --progress            report what the import is doing, and in which store
";

const OUTPUT: &str = "\
Output formats of glance commands

Commands of two or more words, such as image list, list their own output options in their help.

  --format FORMAT       table, json, yaml, value, csv (lists only) or shell (single items only)
  --column COLUMN       column to print; may be repeated
  --sort-column COLUMN  column to sort by; may be repeated
  --sort-ascending, --sort-descending
                        sort direction
  --noindent            print JSON on one line
  --quote MODE          when to quote values in CSV: all, minimal, none or nonnumeric
  --print-empty         print a table even if it is empty

The options can be given before or after the command. After the command they cannot be abbreviated.

Results are printed on standard output, messages on standard error. NO_COLOR is respected.

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted.
";

/// Returns the help of a program: its commands and options.
pub fn program(grammar: Grammar) -> String {
    let mut text = String::new();
    let name = grammar.program();
    let [_, options_heading] = headings(grammar);
    let commands = if grammar == Grammar::Glance {
        "<subcommand> ..."
    } else {
        "<command> ..."
    };
    let _ = write!(
        text,
        "usage: {name} [options] {commands}\n\nManage OpenStack images, with or without a server.\n\n"
    );
    text.push_str(if grammar == Grammar::Glance {
        "Positional arguments:\n  <subcommand>\n"
    } else {
        "Commands:\n"
    });
    let mut groups: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
    for group in grammar.groups() {
        let rows = group.rows().filter(|row| !row.is_ours);
        let mut lines: Vec<_> = rows.map(|row| (row.name, row.about)).collect();
        lines.sort_unstable();
        groups.push((group.title, lines));
    }
    let others = builtins(&[grammar])
        .map(|builtin| (builtin.name, builtin.about))
        .collect();
    groups.push(("Other commands", others));
    let width = groups
        .iter()
        .flat_map(|(_, lines)| lines)
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (title, lines) in groups {
        let _ = writeln!(text, "\n  {title}:");
        for (name, about) in lines {
            let _ = writeln!(text, "    {name:width$}  {about}");
        }
    }
    let mut options = Command::new(name)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for global in grammar.globals() {
        options = options.arg(global.arg().help_heading(None::<&str>));
    }
    let options = options.help_template("{options}").render_help().to_string();
    let _ = write!(text, "\n{options_heading}\n{options}\n\n");
    let _ = writeln!(text, "See \"{name} help COMMAND\" for help on a command.");
    for (topic, body) in TOPICS {
        let title = body.lines().next().unwrap_or_default();
        let _ = writeln!(text, "See \"{name} help {topic}\": {title}.");
    }
    text
}

/// Returns the help of a command; `called` names the program in the usage line.
pub fn command(called: Grammar, grammar: Grammar, row: &'static Row) -> String {
    let help = own(called, grammar, row)
        .help_template(TEMPLATE)
        .render_help()
        .to_string();
    let [positional, options] = headings(grammar);
    let help = help
        .trim_end()
        .replacen("Usage:", "usage:", 1)
        .replacen("\nArguments:\n", &format!("\n{positional}\n"), 1)
        .replacen("\nOptions:\n", &format!("\n{options}\n"), 1);
    format!("{help}\n")
}

/// Returns the help of a built-in command.
pub fn of_builtin(called: Grammar, builtin: &Builtin) -> String {
    let [positional, options] = headings(called);
    let arguments = match called {
        Grammar::Glance => builtin.usage[0],
        Grammar::Openstack => builtin.usage[1],
    };
    let line = format!("usage: {} {} {arguments}", called.program(), builtin.name);
    let mut text = format!("{}\n\n{}\n", line.trim_end(), builtin.about);
    for (heading, entries) in [(positional, builtin.positional), (options, builtin.options)] {
        if entries.is_empty() {
            continue;
        }
        let width = entries.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        let _ = write!(text, "\n{heading}\n");
        for (name, about) in entries {
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
    }
    if builtin.name == "help" {
        let names: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
        let _ = write!(text, "\nTopics: {}.\n", names.join(", "));
    }
    text
}

/// Returns what `help WORDS` prints.
///
/// # Errors
/// `Failed` if there is no command or topic of that name.
pub fn answer(called: Grammar, words: &[String]) -> Result<String> {
    if words.is_empty() {
        return Ok(program(called));
    }
    let name = words.join(" ");
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        return Ok((*text).to_string());
    }
    if let Some(builtin) = builtin(&name) {
        return Ok(of_builtin(called, builtin));
    }
    for grammar in [called, Grammar::Glance, Grammar::Openstack] {
        if let Some(row) = grammar.find(&name) {
            return Ok(command(called, grammar, row));
        }
    }
    match called {
        Grammar::Glance => Err(Error::failed(format!("'{name}' is not a valid subcommand"))
            .hint("Run \"glance help\" to list the subcommands.")),
        Grammar::Openstack => Err(unknown(called, words)),
    }
}

/// Returns cliff's message for an unknown command. cliff prints it on stdout, where scripts may read it.
pub fn unknown_text(called: Grammar, words: &[String]) -> String {
    let name = words.join(" ");
    let (program, article) = match called {
        Grammar::Glance => ("glance", "a"),
        Grammar::Openstack => ("openstack", "an"),
    };
    let mut text = format!(
        "{program}: '{name}' is not {article} {program} command. See '{program} --help'.\n"
    );
    let first = words.first().map(String::as_str).unwrap_or_default();
    let mut near: Vec<&str> = Grammar::Openstack
        .rows()
        .iter()
        .map(|row| row.name)
        .chain(BUILTINS.iter().map(|builtin| builtin.name))
        .filter(|name| name.split(' ').any(|word| word == first))
        .collect();
    near.sort_unstable();
    if !near.is_empty() {
        text.push_str("Did you mean one of these?\n");
        for name in near {
            let _ = writeln!(text, "  {name}");
        }
    }
    text
}

fn unknown(called: Grammar, words: &[String]) -> Error {
    Error::usage(unknown_text(called, words).trim_end().to_string())
}

/// Returns whether a command has formatter options; used by the documentation generator.
pub fn takes_format(row: &Row) -> bool {
    row.output != Output::Plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_the_sections_of_the_real_clients() {
        let section = |text: &str, heading: &str| text.lines().any(|line| line == heading);
        for (called, positional, options) in [
            (Grammar::Glance, "Positional arguments:", "Options:"),
            (Grammar::Openstack, "positional arguments:", "options:"),
        ] {
            let whole = program(called);
            assert!(section(&whole, options), "{whole}");
            assert!(!whole.contains("options of the program"), "{whole}");
            for row in called.rows() {
                let text = command(called, called, row);
                let parser = own(called, called, row);
                let has = parser.get_positionals().any(|arg| !arg.is_hide_set());
                assert_eq!(section(&text, positional), has, "{text}");
                let mut shown = parser.get_arguments().filter(|arg| !arg.is_positional());
                let has = shown.any(|arg| !arg.is_hide_set() && arg.get_help_heading().is_none());
                assert_eq!(section(&text, options), has, "{text}");
            }
        }
        assert!(section(&program(Grammar::Glance), "Positional arguments:"));
    }

    #[test]
    fn a_program_lists_each_command_once_in_a_group() {
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            let text = program(grammar);
            let titles = grammar.groups().iter().map(|group| group.title);
            for title in titles.chain(["Other commands"]) {
                let heading = format!("  {title}:");
                assert_eq!(text.lines().filter(|line| **line == heading).count(), 1);
            }
            let called = [grammar];
            let builtins = builtins(&called).map(|builtin| builtin.name);
            let rows = grammar.shown_rows().into_iter().map(|row| row.name);
            for name in rows.chain(builtins) {
                let begin = format!("    {name}  ");
                let listed = text.lines().filter(|line| line.starts_with(&begin)).count();
                assert_eq!(listed, 1, "{name}");
            }
        }
    }

    #[test]
    fn every_command_topic_and_builtin_has_help() {
        for called in [Grammar::Glance, Grammar::Openstack] {
            let program = called.program();
            for builtin in BUILTINS {
                let text = answer(called, &[builtin.name.to_string()]).unwrap();
                let usage = format!("usage: {program} {}", builtin.name);
                assert!(text.starts_with(&usage), "{text}");
            }
            for (topic, _) in TOPICS {
                assert!(answer(called, &[topic.to_string()]).is_ok(), "{topic}");
            }
            for row in called.rows() {
                let words: Vec<String> = row.name.split(' ').map(str::to_string).collect();
                let text = answer(called, &words).unwrap();
                let usage = format!("usage: {program} {}", row.name);
                assert!(text.starts_with(&usage), "{text}");
            }
        }
        let words = ["image".to_string(), "show".to_string()];
        let text = answer(Grammar::Glance, &words).unwrap();
        assert!(text.starts_with("usage: glance image show "), "{text}");
        assert!(answer(Grammar::Glance, &["nosuch".to_string()]).is_err());
    }

    #[test]
    fn an_unknown_command_is_one_of_the_program_that_was_called() {
        let words = ["image".to_string(), "frobnicate".to_string()];
        let text = unknown_text(Grammar::Glance, &words);
        let said = "glance: 'image frobnicate' is not a glance command. See 'glance --help'.\n";
        assert!(text.starts_with(said), "{text}");
        let text = unknown_text(Grammar::Openstack, &words);
        assert!(
            text.starts_with("openstack: 'image frobnicate' is not an openstack command."),
            "{text}"
        );
    }
}
