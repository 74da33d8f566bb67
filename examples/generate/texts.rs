//! The texts of manual pages that the command table does not provide.

/// The date of the last revision of these texts.
pub const DATE: &str = "2026-11-28";

/// A name with its text.
pub type Entry = (&'static str, &'static str);

/// The texts of a program's page.
pub struct Words {
    /// The name of the program.
    pub name: &'static str,
    /// The purpose of the program, in a line without a full stop.
    pub about: &'static str,
    /// The paragraphs of the description.
    pub description: &'static [&'static str],
    /// The files that the program uses.
    pub files: &'static [Entry],
    /// The exit codes.
    pub exit: &'static [Entry],
    /// Related pages.
    pub see_also: &'static [&'static str],
}

const DATA_DIRECTORY: &[Entry] = &[
    (
        "~/.local/share/glance",
        "Default data directory of a user; $XDG_DATA_HOME/glance if that variable is set.",
    ),
    (
        "DIR/glance.db",
        "SQLite database of a data directory, with the schema of the image service.",
    ),
    ("DIR/images/ID", "Data of an image."),
    (
        "DIR/glance-api.conf",
        "Configuration of a data directory; optional. See glance.conf(5).",
    ),
    (
        "clouds.yaml, clouds-public.yaml, secure.yaml",
        "Clouds and logins, in the current directory, ~/.config/openstack or /etc/openstack.",
    ),
    (
        "~/.cache/glance",
        "Tokens of clouds, for at most an hour, readable by their owner only.",
    ),
];

const SERVICE: Entry = (
    "/etc/glance/glance-api.conf",
    "Configuration of a service on this host, if no option names one. Files named after the program, and those in \
     ~/.glance, ~ and /etc, are searched for as well. See glance.conf(5).",
);

/// The exit codes of every program and command.
pub const EXIT: &[Entry] = &[
    (
        "0",
        "Success, including when standard output was closed early.",
    ),
    ("1", "Failure."),
    ("2", "Usage error."),
    ("130", "Interrupted."),
];

/// The pages of the programs.
pub const PAGES: [Words; 6] = [
    Words {
        name: "glance",
        about: "manage OpenStack images, with or without a server",
        description: &[
            "glance creates, lists, shows, updates, downloads and deletes virtual machine images. It works on \
             images in a local directory, without a server, on the database and stores of an image service, or on \
             a cloud.",
            "It understands two grammars: commands of one word, as in \"glance image-list\", are those of \
             python-glanceclient; commands of several words, as in \"glance image list\", are those of \
             python-openstackclient. Both do the same; the second one also accepts names where the first one \
             needs IDs. Output is the same as upstream's.",
            "Each command has a page of its own: glance-image-list(1) describes \"glance image-list\", and \
             openstack-image-list(1) describes \"glance image list\". What the states, visibilities and formats of \
             images mean is described in glance-images(7).",
            "Which images a command works on is decided by the first of these that is given: options for a local \
             deployment (--data-dir, --config-file, --config-dir, --local); options for a cloud (--os-cloud, \
             --os-auth-url, --os-image-url, --os-endpoint and login options); GLANCE_DATA_DIR; any OS_* variable of \
             a cloud; the cloud in client.conf; the only cloud in clouds.yaml; otherwise the data directory of the user, with a message on \
             standard error.",
            "Global options are given before the command; before a command of several words, those of \
             openstack(1). The options of openstack(1) may also follow such a command, and the additional options \
             described below may follow any command, unabbreviated. Other long options may be abbreviated to a \
             unique prefix.",
            "Without a command, glance reads commands from standard input, one per line.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        see_also: &[
            "glance-images(7)",
            "glance.conf(5)",
            "glance-manage(1)",
            "glance-cache-manage(1)",
            "glance-scrubber(1)",
            "openstack(1)",
        ],
    },
    Words {
        name: "openstack",
        about: "manage OpenStack images, with or without a server",
        description: &[
            "openstack is glance(1) called by another name. It has the image commands of \
             python-openstackclient, and no others.",
            "Global options may be given before or after the command. Long options and the words of a command \
             may be abbreviated to a unique prefix. The same options can be used with \"glance image list\" and the \
             other commands of several words.",
            "Without a command, openstack reads commands from standard input, one per line, until the end of \
             input or \"quit\". At a terminal it shows a prompt with completion. Lines that begin with # are \
             comments. Every line is run; the exit code is that of the first command that failed. Global \
             options apply to all lines.",
        ],
        files: DATA_DIRECTORY,
        exit: EXIT,
        see_also: &["glance(1)", "glance-images(7)", "glance-manage(1)"],
    },
    Words {
        name: "glance-manage",
        about: "manage the database of the image service, and show its policies",
        description: &[
            "glance-manage creates and upgrades the database of an image service. Without a configuration file, \
             it works on the database of the local data directory.",
            "Actions are written as two words, as in \"glance-manage db sync\"; most may be written as one word, \
             too, as in \"glance-manage db_sync\".",
            "\"glance-manage policy list\" shows the rules of access that are in force, and where each is set. \
             \"glance-manage policy check\" shows whether a rule allows an action of a caller, and which of its parts \
             decide; it exits with 1 if the rule does not allow it.",
            "An upgrade is one step (\"db sync\", while no service runs), or three: \"db expand\" while the old \
             services run, \"db migrate\", and \"db contract\" once no old service runs any more. An SQLite database \
             with content is backed up first. An interrupted upgrade continues at the next run.",
        ],
        files: &[
            SERVICE,
            (
                "/etc/glance/metadefs",
                "Metadata definitions to load, and where they are exported to, if no path is given.",
            ),
            ("DIR/glance.db", "Database of a data directory."),
        ],
        exit: &[
            ("0", "Success."),
            ("1", "Failure."),
            ("2", "Usage error."),
            (
                "3, 4, 5",
                "\"db check\": the next upgrade step is expand, migrate or contract.",
            ),
            ("130", "Interrupted."),
        ],
        see_also: &["glance(1)", "glance-scrubber(1)", "glance.conf(5)"],
    },
    Words {
        name: "glance-api",
        about: "serve the Images API over HTTP",
        description: &[
            "glance-api is the image service of OpenStack, version 2 of its API. Without a configuration file, it \
             serves the images of the local data directory on 127.0.0.1:9292: every caller is an administrator. \
             \"flavor\" in the section [paste_deploy] of the configuration selects how callers are identified: \
             keystone by the tokens of Keystone, trusted-auth by the headers of a trusted proxy.",
            "Other programs may use the same deployment at the same time. What a killed service left is removed when \
             it starts again. SIGTERM and SIGINT stop it: requests in progress may end within a minute. SIGHUP makes it read \
             its certificate again. A socket that systemd passes is used instead of the configured address.",
            "/healthcheck on the same address responds without a login.",
        ],
        files: &[SERVICE],
        exit: EXIT,
        see_also: &["glance(1)", "glance-manage(1)", "glance.conf(5)"],
    },
    Words {
        name: "glance-scrubber",
        about: "remove the data of images pending deletion",
        description: &[
            "glance-scrubber removes the data of images with status pending_delete, and of locations that were \
             removed from images while deletion was delayed. It runs once (for cron) or, as a daemon, at \
             intervals. Without a configuration file, it works on the images of the local data directory.",
            "Several scrubbers can run at the same time, alongside the service and \"--restore\". An image whose \
             data cannot be removed is reported, keeps the status pending_delete and is tried again by the \
             next run; the exit code is 1. A summary is written to the log on standard error and, at a \
             terminal, to standard output, unless there was nothing to do.",
            "\"--restore\" checks that the data still exists, and restores the locations, properties, tags and \
             members of the image.",
        ],
        files: &[SERVICE],
        exit: EXIT,
        see_also: &["glance(1)", "glance-manage(1)", "glance.conf(5)"],
    },
    Words {
        name: "glance-cache-manage",
        about: "manage the image cache of a host",
        description: &[
            "glance-cache-manage lists, fills and clears the image cache of a host. Without an address or user, it \
             works on the cache of the local data directory.",
            "The additional commands prune, clean and prefetch work on the cache directory itself, even while a \
             service uses it. Links named glance-cache-pruner, glance-cache-cleaner and \
             glance-cache-prefetcher run these commands with the options of the upstream programs.",
            "Queueing and deleting ask for confirmation, unless --force is given. If standard input is not a \
             terminal, the answer is read from it.",
        ],
        files: &[("DIR/cache", "Cache of a data directory."), SERVICE],
        exit: EXIT,
        see_also: &["glance(1)", "glance-manage(1)", "glance.conf(5)"],
    },
];

/// Commands of the first grammar, each with those of the second one that do the same.
pub const COUNTERPARTS: &[(&str, &[&str])] = &[
    ("cache-clear", &["cached image clear"]),
    ("cache-delete", &["cached image delete"]),
    ("cache-list", &["cached image list"]),
    ("cache-queue", &["cached image queue"]),
    ("image-create", &["image create"]),
    ("image-create-via-import", &["image create", "image import"]),
    ("image-deactivate", &["image set"]),
    ("image-delete", &["image delete"]),
    ("image-download", &["image save"]),
    ("image-import", &["image import"]),
    ("image-list", &["image list"]),
    ("image-reactivate", &["image set"]),
    ("image-show", &["image show"]),
    ("image-stage", &["image stage"]),
    ("image-tag-delete", &["image unset"]),
    ("image-tag-update", &["image set"]),
    ("image-tasks", &["image task list"]),
    ("image-update", &["image set", "image unset"]),
    ("image-upload", &["image create"]),
    ("import-info", &["image import info"]),
    ("md-namespace-create", &["image metadef namespace create"]),
    ("md-namespace-delete", &["image metadef namespace delete"]),
    ("md-namespace-list", &["image metadef namespace list"]),
    ("md-namespace-show", &["image metadef namespace show"]),
    (
        "md-namespace-objects-delete",
        &["image metadef object delete"],
    ),
    (
        "md-namespace-properties-delete",
        &["image metadef property delete"],
    ),
    (
        "md-namespace-resource-type-list",
        &["image metadef resource type association list"],
    ),
    (
        "md-namespace-tags-delete",
        &["image metadef namespace unset"],
    ),
    (
        "md-namespace-update",
        &[
            "image metadef namespace set",
            "image metadef namespace unset",
        ],
    ),
    ("md-object-create", &["image metadef object create"]),
    ("md-object-delete", &["image metadef object delete"]),
    ("md-object-list", &["image metadef object list"]),
    (
        "md-object-property-show",
        &["image metadef object property show"],
    ),
    ("md-object-show", &["image metadef object show"]),
    ("md-object-update", &["image metadef object update"]),
    ("md-property-create", &["image metadef property create"]),
    ("md-property-delete", &["image metadef property delete"]),
    ("md-property-list", &["image metadef property list"]),
    ("md-property-show", &["image metadef property show"]),
    ("md-property-update", &["image metadef property set"]),
    (
        "md-resource-type-associate",
        &["image metadef resource type association create"],
    ),
    (
        "md-resource-type-deassociate",
        &["image metadef resource type association delete"],
    ),
    (
        "md-resource-type-list",
        &["image metadef resource type list"],
    ),
    ("md-tag-create", &["image metadef namespace set"]),
    ("md-tag-create-multiple", &["image metadef namespace set"]),
    ("md-tag-delete", &["image metadef namespace unset"]),
    ("member-create", &["image add project"]),
    ("member-delete", &["image remove project"]),
    ("member-get", &["image member get"]),
    ("member-list", &["image member list"]),
    ("member-update", &["image set"]),
    ("stores-delete", &["image delete"]),
    ("stores-info", &["image stores list"]),
    ("task-list", &["image task list"]),
    ("task-show", &["image task show"]),
];

const UPLOAD: &str = "The data is verified: hashes are computed while it is sent and compared with those that were \
                      stored. Data that does not match the disk format, or that refers to other files, is refused.";

const DOWNLOAD: &str = "The data is verified against the hash of the image. A file gets its name once it is complete; \
                        until then a file of that name stays as it is. A file that cannot be replaced, for example in a \
                        directory that is not writable, is written in place, with a message.";

const IMPORT: &str = "Without a server, the command carries out the import itself, and prints the image as it was when \
                      the import began. With --wait it prints the imported image, on a cloud too, and exits with 1 if \
                      the import fails. With --progress it reports what is being done. An import downloads \
                      (web-download, glance-download), takes what was staged (glance-direct), or copies the data to \
                      other stores (copy-image).";

const DELETE: &str = "The data is removed as well; with delayed_delete in the configuration, it stays until it is \
                      scrubbed, and the image can be restored until then. A protected image is refused.";

const CACHE: &str = "Without a server, this needs a cache directory (image_cache_dir), which a data directory always \
                     has. On a cloud, the cache is that of the host that answers.";

const SHARING: &str = "Only an image whose visibility is shared has members. A member can see and use the image; the \
                       image is listed for the member once the member has accepted it.";

/// Texts of the pages of commands beyond the summary, by the name of the command.
pub const DETAILS: &[(&str, &[&str])] = &[
    (
        "add-location",
        &[
            "The service reads the data in order to compute its hashes, unless do_secure_hash is off. The image becomes \
           active.",
        ],
    ),
    ("cache-clean", &[CACHE]),
    ("cache-clear", &[CACHE]),
    ("cache-delete", &[CACHE]),
    ("cache-list", &[CACHE]),
    ("cache-prune", &[CACHE]),
    (
        "cache-queue",
        &[
            CACHE,
            "Without a server, the images are fetched before the command returns.",
        ],
    ),
    ("cached image clear", &[CACHE]),
    ("cached image delete", &[CACHE]),
    ("cached image list", &[CACHE]),
    (
        "cached image queue",
        &[
            CACHE,
            "Without a server, the images are fetched before the command returns.",
        ],
    ),
    ("image add project", &[SHARING]),
    (
        "image create",
        &[
            "Without --file, data is read from standard input unless that is a terminal; without data, the image is \
             queued.",
            UPLOAD,
        ],
    ),
    (
        "image-create",
        &[
            "Without --file, data is read from standard input unless that is a terminal; without data, the image is \
             queued, and image-upload or image-import adds the data.",
            UPLOAD,
        ],
    ),
    ("image-create-via-import", &[IMPORT]),
    (
        "image-deactivate",
        &["The data stays. Until the image is reactivated, only administrators can download it."],
    ),
    ("image delete", &[DELETE]),
    ("image-delete", &[DELETE]),
    (
        "image-download",
        &[
            "Without --file, the data is written to standard output, which must not be a terminal.",
            DOWNLOAD,
        ],
    ),
    ("image import", &[IMPORT]),
    ("image-import", &[IMPORT]),
    (
        "image-list",
        &[
            "All images that the caller can see are listed, in pages of --page-size. Images of visibility community, and \
           shared ones that were not accepted, are listed only if a filter asks for them.",
        ],
    ),
    (
        "image list",
        &[
            "Images of visibility community, and shared ones that were not accepted, are listed only if a filter asks for \
           them.",
        ],
    ),
    ("image remove project", &[SHARING]),
    (
        "image save",
        &[
            "Without --file, the data is written to standard output, which must not be a terminal.",
            DOWNLOAD,
        ],
    ),
    (
        "image set",
        &[
            "The options for a membership (--accept, --reject, --pending) change that of the caller's own project, or of \
           --project.",
        ],
    ),
    (
        "image-stage",
        &[
            "The staged data becomes the data of the image with \"glance image-import --import-method glance-direct\".",
        ],
    ),
    (
        "image stage",
        &[
            "The staged data becomes the data of the image with \"glance image import --method glance-direct\".",
        ],
    ),
    ("image-upload", &[UPLOAD]),
    (
        "location-add",
        &["This needs show_multiple_locations in the configuration of the service."],
    ),
    (
        "location-delete",
        &["This needs show_multiple_locations in the configuration of the service."],
    ),
    (
        "location-update",
        &["This needs show_multiple_locations in the configuration of the service."],
    ),
    ("member-create", &[SHARING]),
    ("member-delete", &[SHARING]),
    (
        "member-update",
        &["Only the project that the image is shared with can change the status."],
    ),
    (
        "scrub",
        &[
            "This works without a server only: on a data directory, or on the deployment that --config-file names. It does \
           what glance-scrubber(1) does.",
        ],
    ),
    (
        "usage",
        &[
            "Without a server, the limits are those of [local_limits] in the configuration; -1 is no limit.",
        ],
    ),
];
