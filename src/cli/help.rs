//! Help: of the programs, of a command, and of what is ours.

use std::fmt::Write;

use clap::Command;

use super::argparse::own;
use super::registry::{Grammar, Output, Row};
use crate::{Error, Result};

/// How help of a command is laid out.
const TEMPLATE: &str = "{usage-heading} {usage}\n\n{about}\n\n{all-args}{after-help}";

/// Topics of our own, and their text.
const TOPICS: [(&str, &str); 3] = [("cloud", CLOUD), ("local", LOCAL), ("output", OUTPUT)];

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

/// Help of a program: its commands and options.
pub fn program(grammar: Grammar) -> String {
    let mut text = String::new();
    let name = grammar.program();
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
    if grammar == Grammar::Glance {
        lines.push((
            "bash-completion",
            "Print the words that complete commands and options",
        ));
        lines.push(("help", "Show help of a program, a command or a topic"));
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
        options = options.arg(global.arg());
    }
    let options = options
        .help_template("{all-args}")
        .render_help()
        .to_string();
    let _ = write!(text, "\n{options}\n");
    let _ = writeln!(text, "See \"{name} help COMMAND\" for help of a command.");
    for (topic, body) in TOPICS {
        let title = body.lines().next().unwrap_or_default();
        let _ = writeln!(text, "See \"{name} help {topic}\": {title}.");
    }
    text
}

/// Help of a command.
pub fn command(grammar: Grammar, row: &'static Row) -> String {
    let help = own(grammar, row)
        .help_template(TEMPLATE)
        .render_help()
        .to_string();
    let help = help.trim_end().replacen("Usage:", "usage:", 1);
    format!("{help}\n")
}

/// What `help WORDS` prints.
///
/// # Errors
/// `Failed` when there is neither a command nor a topic of that name.
pub fn answer(grammar: Grammar, words: &[String]) -> Result<String> {
    if words.is_empty() {
        return Ok(program(grammar));
    }
    let name = words.join(" ");
    if let Some((_, text)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        return Ok((*text).to_string());
    }
    for grammar in [grammar, Grammar::Glance, Grammar::Openstack] {
        if let Some(row) = grammar.find(&name) {
            return Ok(command(grammar, row));
        }
    }
    match grammar {
        Grammar::Glance => Err(Error::failed(format!("'{name}' is not a valid subcommand"))
            .hint("See glance help for all of them.")),
        Grammar::Openstack => Err(unknown(words)),
    }
}

/// What cliff says of a command that there is none of. It says so on stdout, and scripts may look there.
pub fn unknown_text(words: &[String]) -> String {
    let name = words.join(" ");
    let mut text =
        format!("openstack: '{name}' is not an openstack command. See 'openstack --help'.\n");
    let first = words.first().map(String::as_str).unwrap_or_default();
    let mut near: Vec<&str> = Grammar::Openstack
        .rows()
        .iter()
        .map(|row| row.name)
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

fn unknown(words: &[String]) -> Error {
    Error::usage(unknown_text(words).trim_end().to_string())
}

/// Which formatter options a command takes, for those who document it.
pub fn takes_format(row: &Row) -> bool {
    row.output != Output::Plain
}
