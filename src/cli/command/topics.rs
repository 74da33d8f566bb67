//! Help topics. They are extensions.

/// A help topic.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The name, as in `glance help NAME`.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// The text.
    pub body: Body,
}

/// The text of a topic.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// A text that is the same for all programs.
    Text(&'static str),
    /// The list of all commands.
    Commands,
    /// The list of all global options.
    Options,
}

/// The topics.
pub const TOPICS: [Topic; 6] = [
    Topic {
        name: "commands",
        title: "All commands",
        body: Body::Commands,
    },
    Topic {
        name: "options",
        title: "All options before the command, by what they are for",
        body: Body::Options,
    },
    Topic {
        name: "cloud",
        title: "Connecting to a cloud",
        body: Body::Text(CLOUD),
    },
    Topic {
        name: "local",
        title: "Working without a server",
        body: Body::Text(LOCAL),
    },
    Topic {
        name: "output",
        title: "Output formats of glance commands",
        body: Body::Text(OUTPUT),
    },
    Topic {
        name: "environment",
        title: "Environment variables",
        body: Body::Text(ENVIRONMENT),
    },
];

const CLOUD: &str = "\
The cloud and the credentials are taken from options before the command, from OS_* environment
variables and from clouds.yaml, in that order. clouds.yaml, clouds-public.yaml and secure.yaml are
searched for in ./, ~/.config/openstack and /etc/openstack; OS_CLIENT_CONFIG_FILE names another file.
If nothing names a cloud, that of client.conf (see glance help output) is used, or the only one in
clouds.yaml.

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
disables verification and prints a warning. HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (including
socks5h://) and NO_PROXY are respected.
";

const LOCAL: &str = "\
Every command can work on a local data directory instead of a cloud. The directory holds a database,
the image data and, optionally, a glance-api.conf. It is created on first use.

Choosing a deployment:

  --data-dir DIR        data directory [env GLANCE_DATA_DIR]
  --local               data directory of this user, even if OS_* variables are set
  --config-file FILE    deployment configured by a glance-api.conf; may be repeated
  --config-dir DIR      every *.conf file in DIR, after the configuration files; may be repeated
  --as PROJECT[:ROLE[:USER]]
                        identity, since there is no Keystone; ROLE is admin, member (the default)
                        or reader; without --as: admin:admin:admin [env GLANCE_AS]

Options take precedence over environment variables, and local settings over remote ones (--os-cloud,
--os-auth-url, --os-image-url, --os-endpoint and login options; OS_* variables; a single cloud in
clouds.yaml, unless client.conf names a cloud). If nothing selects a deployment, the data directory of this user is used, and a message on
standard error names it.

Image data:

  --sparse              write runs of zeros as holes when saving to a file
  --allow-format-mismatch
                        accept image data that does not match its disk format; unsafe data is still
                        refused
  --verify-stored       read image data that was stored back from its store, and compare its hashes,
                        before the image becomes active; on a cloud, download an image that was
                        uploaded

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
Commands of two or more words, such as image list, list their own output options in their help.

  --format FORMAT       table, json, yaml, value, csv (lists only) or shell (single items only)
  --column COLUMN       column to print; may be repeated
  --sort-column COLUMN  column to sort by; may be repeated
  --sort-ascending, --sort-descending
                        sort direction
  --noindent            print JSON on one line
  --quote MODE          when to quote values in CSV: all, minimal, none or nonnumeric
  --print-empty         print a table even if it is empty

These are options of commands of one word, such as image-list. They can be given before or after the
command; after it they cannot be abbreviated.

For people, in tables:

  --human               show sizes with units, such as 1.50 GiB
  --local-time          show times in the time zone of this host
  --watch               show a list or an image again every two seconds
  --wait-for STATUS     image-show and image show: wait until the image has this status

At a terminal, tables fit its width, a table that is too wide becomes a list of fields, and statuses
are colored. These preferences apply at a terminal only, except cloud. They are read from
~/.config/glance/client.conf, or from the file that GLANCE_CLIENT_CONFIG names:

  [DEFAULT]
  cloud = mycloud                     used if nothing else selects a deployment
  format = table                      default output format
  color = auto                        or never, for statuses at a terminal
  sizes = human                       with units, or bytes
  times = local                       of this host, or utc
  [columns]
  image list = Name,Status            columns of a command; may be given for several

Results are printed on standard output, messages on standard error. NO_COLOR is respected.

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted.
";

const ENVIRONMENT: &str = "\
Options take precedence over these variables. An empty variable counts as unset.

  OS_CLOUD              cloud name in clouds.yaml
  OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME, OS_REGION_NAME, ...
                        login; every option --os-X has a variable OS_X
  OS_IMAGE_URL, OS_AUTH_TOKEN
                        endpoint and token, without Keystone
  OS_CLIENT_CONFIG_FILE path of clouds.yaml
  OS_NO_CACHE           do not read or write the token cache

  GLANCE_DATA_DIR       data directory of a local deployment
  GLANCE_AS             identity in a local deployment, PROJECT[:ROLE[:USER]]
  XDG_DATA_HOME         parent of the user's data directory; default: ~/.local/share
  OS_SECTION__OPTION    option of a configuration file, such as OS_DATABASE__CONNECTION

  HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY
                        proxies, also socks5:// and socks5h://
  REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR
                        trusted certificates

  CLIFF_FIT_WIDTH, CLIFF_MAX_TERM_WIDTH
                        width of tables in the second grammar
  GLANCE_CLIENT_CONFIG  file of the user's preferences; default: ~/.config/glance/client.conf
  NO_COLOR              do not use colors
";
