//! Help: of the programs, of a command, and of what is ours.

use std::fmt::Write;

use clap::Command;

use super::argparse::own;
use super::registry::{Grammar, Output, Row};
use crate::{Error, Result};

/// How help of a command is laid out.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}";

/// Topics of our own, and their text.
pub const TOPICS: [(&str, &str); 3] = [("cloud", CLOUD), ("local", LOCAL), ("output", OUTPUT)];

/// A command of the program itself, which is not in the command table: it works without a deployment.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Another spelling, which is not shown; empty where there is none.
    pub alias: &'static str,
    /// The grammar whose program lists it; None: both do.
    pub grammar: Option<Grammar>,
    /// A one-line summary without a full stop.
    pub about: &'static str,
    /// Its arguments in the usage line, in the first grammar and in the second.
    usage: [&'static str; 2],
    /// Its arguments by position, and what each is.
    positional: &'static [(&'static str, &'static str)],
    /// Its options, and what each does.
    pub options: &'static [(&'static str, &'static str)],
}

/// The commands of the programs themselves, by name.
pub const BUILTINS: [Builtin; 3] = [
    Builtin {
        name: "bash-completion",
        alias: "bash_completion",
        grammar: Some(Grammar::Glance),
        about: "Print the words that complete commands and options",
        usage: ["", ""],
        positional: &[],
        options: &[],
    },
    Builtin {
        name: "complete",
        alias: "",
        grammar: Some(Grammar::Openstack),
        about: "Print a script that completes commands and options in a shell",
        usage: ["[--name <command_name>] [--shell <shell>]"; 2],
        positional: &[],
        options: &[
            (
                "--name <command_name>",
                "Name of the command to complete; that of the program if not given",
            ),
            (
                "--shell <shell>",
                "bash, or none for the words alone; bash if not given",
            ),
        ],
    },
    Builtin {
        name: "help",
        alias: "",
        grammar: None,
        about: "Show help of a program, a command or a topic",
        usage: ["[<subcommand>]", "[cmd ...]"],
        positional: &[("<subcommand>", "Command or topic to show help of")],
        options: &[],
    },
];

/// Returns the commands of the program itself that a program with the commands of `grammars` lists.
pub fn builtins(grammars: &[Grammar]) -> impl Iterator<Item = &'static Builtin> {
    BUILTINS.iter().filter(|builtin| {
        let of = builtin.grammar;
        of.is_none_or(|of| grammars.contains(&of))
    })
}

/// Returns the command of the program itself that a word names.
pub fn builtin(word: &str) -> Option<&'static Builtin> {
    BUILTINS
        .iter()
        .find(|builtin| builtin.name == word || !word.is_empty() && builtin.alias == word)
}

/// Returns the headings of arguments by position and of options, as the parsers of the two real clients write
/// them.
const fn headings(grammar: Grammar) -> [&'static str; 2] {
    match grammar {
        Grammar::Glance => ["Positional arguments:", "Options:"],
        Grammar::Openstack => ["positional arguments:", "options:"],
    }
}

const CLOUD: &str = "\
Images of a cloud

Which cloud and who is asking is told, in either grammar, by options before the command, else by OS_*
variables, else by clouds.yaml (with clouds-public.yaml and secure.yaml; ./, ~/.config/openstack, /etc/openstack, or the
file in OS_CLIENT_CONFIG_FILE). The only cloud of clouds.yaml is used where nothing names one:

  --os-cloud CLOUD      a cloud of clouds.yaml [env OS_CLOUD]
  --os-auth-url URL     Keystone, with --os-username, --os-password, --os-project-name and so on; a
                        password that is missing is asked for at a terminal
  --os-auth-type TYPE   password, token, v3applicationcredential, v3totp, v3multifactor, v3oidcpassword,
                        v3oidcclientcredentials, v3oidcauthcode, v3oidcdeviceauthz, v3oidcaccesstoken,
                        v3oauth2clientcredential, admin_token, http_basic, none; found out from what else
                        is given, but for the v3o… ones
  --os-identity-provider NAME --os-protocol NAME --os-client-id ID --os-discovery-endpoint URL
                        of logins with OpenID Connect
  --os-auth-token TOKEN --os-image-url URL
                        no Keystone at all

Tokens are kept for the next command (in ~/.cache/glance, for your eyes only), for an hour at most:

  --os-no-cache         neither use nor keep one [env OS_NO_CACHE]
  --os-forget-tokens    forget all that are kept, and log in anew

Transfers:

  --timeout SECONDS     how long an answer may take, and data may stand still; 600
  --parallel N          ask for N parts of an image at a time, where the server keeps to them; 1
  --skip-verification   do not compare hashes of what was sent with what the server stored
  --debug               show requests and answers, without secrets

Certificates are verified: with those of --os-cacert FILE, else REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else
the system's, SSL_CERT_FILE and SSL_CERT_DIR. --insecure takes any, and warns. HTTP_PROXY, HTTPS_PROXY,
ALL_PROXY (also socks5h://) and NO_PROXY are respected.
";

const LOCAL: &str = "\
Images without a server

Every command works on a data directory as it does on a cloud. The directory holds a database, the
data of the images and, if you like, a glance-api.conf; it is made when it is first used.

  --data-dir DIR        the directory [env GLANCE_DATA_DIR]
  --local               the directory of this user, whatever OS_* variables are set
  --config-file FILE    the deployment that a glance-api.conf describes; may be repeated
  --config-dir DIR      every *.conf in DIR, behind the files; may be repeated
  --as PROJECT[:ROLE[:USER]]
                        who is asking, where there is no Keystone: the role is admin, member or
                        reader; admin:admin:admin unless told otherwise [env GLANCE_AS]

Options say which deployment is meant before the environment does, and within each, the local ones
before the remote ones (--os-cloud, --os-auth-url, --os-image-url, --os-endpoint, options of a login;
variables of a cloud, the only cloud of clouds.yaml). When nothing says, it is the directory of this
user, which a line on standard error says.

Image data:

  --sparse              leave holes for zeros in a file that data is saved to
  --allow-format-mismatch
                        take data that is not what its disk format says; unsafe data is still refused

The image cache is in cache/. Downloads go through it where the directory's glance-api.conf has
\"flavor = caching\" in [paste_deploy]; cache-queue fetches an image at once.

  --dry-run             of the commands that change the cache: only say what would be done

Data that waits to be deleted, where the configuration has \"delayed_delete = true\":

  scrub [--dry-run]     remove it, as glance-scrubber does
  scrub --restore IMAGE_ID
                        take a deleted image back whose data is there still

An import is done by the command that asks for it, which shows the image as it is when it begins.
These are for clouds as well:

  --wait                of image-import, image-create-via-import and image import: show the image as it
                        is when the import is over, and fail if it failed
  --progress            tell what the import is doing, in which store
";

const OUTPUT: &str = "\
Output of every command of the first grammar (the second one's commands list their own)

  --format FORMAT       table, json, yaml, csv (lists), value, or shell (one thing)
  --column COLUMN       print this column; may be repeated
  --sort-column COLUMN  sort by this column; may be repeated
  --sort-ascending, --sort-descending
  --noindent            JSON in one line
  --quote MODE          what to quote in CSV: all, minimal, none, nonnumeric
  --print-empty         print a table even when it is empty

They stand before the command or after it. After it they are spelled out.

What a command prints goes to standard output, everything else to standard error. NO_COLOR is
respected. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
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
        "usage: {name} [options] {commands}\n\nImages of OpenStack, with a server or without.\n\n"
    );
    text.push_str(if grammar == Grammar::Glance {
        "Positional arguments:\n  <subcommand>\n"
    } else {
        "Commands:\n"
    });
    let indent = if grammar == Grammar::Glance {
        "    "
    } else {
        "  "
    };
    let mut lines: Vec<(&str, &str)> = grammar
        .shown_rows()
        .iter()
        .map(|row| (row.name, row.about))
        .collect();
    lines.extend(builtins(&[grammar]).map(|builtin| (builtin.name, builtin.about)));
    if grammar == Grammar::Openstack {
        lines.sort_unstable();
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    for (name, about) in lines {
        let _ = writeln!(text, "{indent}{name:width$}  {about}");
    }
    let mut options = Command::new(name)
        .disable_help_flag(true)
        .disable_version_flag(true);
    for global in grammar.globals() {
        options = options.arg(global.arg().help_heading(None::<&str>));
    }
    let options = options.help_template("{options}").render_help().to_string();
    let _ = write!(text, "\n{options_heading}\n{options}\n\n");
    let _ = writeln!(text, "See \"{name} help COMMAND\" for help of a command.");
    for (topic, body) in TOPICS {
        let title = body.lines().next().unwrap_or_default();
        let _ = writeln!(text, "See \"{name} help {topic}\": {title}.");
    }
    text
}

/// Returns the help of a command, as a command of the program that was `called`.
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

/// Returns the help of a command of the program itself.
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
/// `Failed` when there is neither a command nor a topic of that name.
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
            .hint("See glance help for all of them.")),
        Grammar::Openstack => Err(unknown(called, words)),
    }
}

/// What cliff says of a command that there is none of. It says so on stdout, and scripts may look there.
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

/// Which formatter options a command takes, for those who document it.
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
