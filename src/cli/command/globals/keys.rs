//! The keys of the global options that the programs read, by the kind of their values.

/// The key of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(&'static str);

/// The key of an option with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(&'static str);

/// The key of an option that may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts(&'static str);

impl Flag {
    /// Returns the name without dashes.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl Text {
    /// Returns the name without dashes.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl Texts {
    /// Returns the name without dashes.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

/// Defines keys.
macro_rules! keys {
    ($(#[$doc:meta] $key:ident: $kind:ident = $name:literal;)*) => {
        $(#[$doc] pub const $key: $kind = $kind($name);)*

        /// All keys: name, and kind.
        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($name, stringify!($kind))),*];
    };
}

keys! {
    /// Whether to accept image data that does not match its disk format.
    ALLOW_FORMAT_MISMATCH: Flag = "allow-format-mismatch";
    /// Identity in a local deployment.
    AS: Text = "as";
    /// An option of upstream without effect.
    COLLECT_TIMING: Flag = "collect-timing";
    /// Columns to print.
    COLUMN: Texts = "column";
    /// Directories of configuration files.
    CONFIG_DIR: Texts = "config-dir";
    /// Configuration files of a local deployment.
    CONFIG_FILE: Texts = "config-file";
    /// Directory of a local deployment.
    DATA_DIR: Text = "data-dir";
    /// Whether to show HTTP requests and responses.
    DEBUG: Flag = "debug";
    /// Whether to delete all cached tokens first.
    FORGET_TOKENS: Flag = "os-forget-tokens";
    /// Output format.
    FORMAT: Text = "format";
    /// Whether to use the server's schema of images.
    GET_SCHEMA: Flag = "get-schema";
    /// Whether tables show sizes with units.
    HUMAN: Flag = "human";
    /// Version of the Images API.
    IMAGE_API_VERSION: Text = "os-image-api-version";
    /// Whether to use the local deployment of this user.
    LOCAL: Flag = "local";
    /// Whether tables show times in the time zone of this host.
    LOCAL_TIME: Flag = "local-time";
    /// File for messages.
    LOG_FILE: Text = "log-file";
    /// Whether to print JSON on one line.
    NOINDENT: Flag = "noindent";
    /// HMAC key for osprofiler, in the second grammar.
    OS_PROFILE: Text = "os-profile";
    /// Number of parts of an image to download at a time.
    PARALLEL: Text = "parallel";
    /// Whether to print empty tables.
    PRINT_EMPTY: Flag = "print-empty";
    /// HMAC key for osprofiler, in the first grammar.
    PROFILE: Text = "profile";
    /// Whether to omit messages about the deployment and transfers.
    QUIET: Flag = "quiet";
    /// When to quote values in CSV.
    QUOTE: Text = "quote";
    /// Whether to skip the verification of uploads.
    SKIP_VERIFICATION: Flag = "skip-verification";
    /// Columns to sort by.
    SORT_COLUMN: Texts = "sort-column";
    /// Whether to sort in descending order.
    SORT_DESCENDING: Flag = "sort-descending";
    /// Whether to write runs of zeros as holes.
    SPARSE: Flag = "sparse";
    /// Whether to print the durations of requests.
    TIMING: Flag = "timing";
    /// Whether to show the result again and again.
    WATCH: Flag = "watch";
    /// Whether to read stored data back from its store.
    VERIFY_STORED: Flag = "verify-stored";
    /// More columns in the first grammar, more messages in the second.
    VERBOSE: Flag = "verbose";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::globals::Global;
    use crate::cli::command::grammar::Grammar;

    #[test]
    fn every_key_is_an_option_of_its_kind() {
        let options = || {
            let both = [Grammar::Glance, Grammar::Openstack];
            both.into_iter().flat_map(Grammar::globals)
        };
        for (name, kind) in ALL {
            let is_kind = |global: &Global| match *kind {
                "Flag" => global.value.is_none(),
                "Text" => global.value.is_some() && !global.repeated,
                _ => global.value.is_some() && global.repeated,
            };
            let mut found = options().filter(|global| global.long == *name).peekable();
            assert!(found.peek().is_some(), "{name}");
            assert!(found.all(is_kind), "{name}: {kind}");
        }
    }
}
