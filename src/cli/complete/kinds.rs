//! The kind of each value on a command line.
//!
//! A new argument needs a kind, even if it is [`Kind::Text`]: `every_value_has_a_kind` fails otherwise. Arguments with
//! choices, in the parser or in the placeholder of the value (`True|False`), need none.

use clap::Arg;

use crate::model::{ImageNames, ImageStatus};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text; nothing is offered.
    Text,
    /// The path of a file.
    File,
    /// The path of a directory.
    Directory,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Some of these words, separated by commas.
    ListOf(&'static [&'static str]),
    /// A sort key with an optional direction, or several, separated by commas.
    Sort,
    /// A property with a value.
    Assignment(&'static [&'static str]),
    /// A disk format.
    DiskFormat,
    /// A container format.
    ContainerFormat,
    /// A column of the command's output.
    Column,
    /// A cloud of clouds.yaml.
    Cloud,
    /// An identity in a local deployment.
    Caller,
    /// A command.
    Command,
    /// A shell.
    Shell,
    /// The ID of an image, or in the second grammar its name.
    Image(ImageNames),
    /// The ID of an image in both grammars.
    ImageId(ImageNames),
    /// A deleted image that can be restored.
    Restorable,
    /// A member of the image on the line.
    Member,
    /// A tag of the image on the line.
    Tag,
    /// A custom property of the image on the line.
    ImageProperty,
    /// A store.
    Store,
    /// Several stores, separated by commas.
    Stores,
    /// A namespace of metadata definitions.
    Namespace,
    /// An object of the namespace on the line.
    Object,
    /// A property of the namespace on the line.
    Property,
    /// A tag of the namespace on the line.
    NamespaceTag,
    /// A resource type that the namespace on the line is associated with.
    AssociatedType,
    /// A resource type.
    ResourceType,
    /// Several resource types, separated by commas.
    ResourceTypes,
    /// A task.
    Task,
}

/// The filter for all images.
const ANY: ImageNames = ImageNames {
    statuses: &[],
    unprotected: false,
};

/// Returns the filter for images with one of these statuses.
const fn with(statuses: &'static [ImageStatus]) -> ImageNames {
    ImageNames {
        statuses,
        unprotected: false,
    }
}

/// The statuses of images.
const STATUSES: &[&str] = &[
    "active",
    "deactivated",
    "deleted",
    "importing",
    "killed",
    "pending_delete",
    "queued",
    "saving",
    "uploading",
];

const VISIBILITIES: &[&str] = &["community", "private", "public", "shared"];
const IMPORT_METHODS: &[&str] = &[
    "copy-image",
    "glance-direct",
    "glance-download",
    "web-download",
];
const TASK_TYPES: &[&str] = &["api_image_import", "export", "import", "location_import"];
const TASK_STATUSES: &[&str] = &["failure", "pending", "processing", "success"];
const SERVICE_TYPES: &[&str] = &[
    "baremetal",
    "block-storage",
    "compute",
    "dns",
    "identity",
    "image",
    "key-manager",
    "load-balancer",
    "network",
    "object-store",
    "orchestration",
    "placement",
];
const INTERFACES: &[&str] = &["admin", "internal", "public"];
const MEMBER_STATUSES: &[&str] = &["accepted", "pending", "rejected"];
const JSON_TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
const HASHES: &[&str] = &["sha256", "sha384", "sha512"];
const ARCHITECTURES: &[&str] = &[
    "aarch64", "armv7l", "i686", "ppc64", "ppc64le", "riscv64", "s390x", "x86_64",
];
const DISTRIBUTIONS: &[&str] = &[
    "almalinux",
    "alpine",
    "arch",
    "centos",
    "debian",
    "fedora",
    "freebsd",
    "opensuse",
    "rhel",
    "rocky",
    "sles",
    "ubuntu",
    "windows",
];
const FACILITIES: &[&str] = &[
    "LOG_AUTH",
    "LOG_CRON",
    "LOG_DAEMON",
    "LOG_LOCAL0",
    "LOG_LOCAL1",
    "LOG_LOCAL2",
    "LOG_LOCAL3",
    "LOG_LOCAL4",
    "LOG_LOCAL5",
    "LOG_LOCAL6",
    "LOG_LOCAL7",
    "LOG_SYSLOG",
    "LOG_USER",
];

/// Properties that Nova and others read, for which there is no option.
///
/// *Source:* "Useful image properties" in the administration guide of the reference implementation.
const PROPERTIES: &[&str] = &[
    "architecture=",
    "hw_architecture=",
    "hw_boot_menu=",
    "hw_cdrom_bus=",
    "hw_cpu_cores=",
    "hw_cpu_sockets=",
    "hw_cpu_threads=",
    "hw_disk_bus=",
    "hw_firmware_type=",
    "hw_machine_type=",
    "hw_mem_page_size=",
    "hw_qemu_guest_agent=",
    "hw_rng_model=",
    "hw_scsi_model=",
    "hw_serial_port_count=",
    "hw_tpm_model=",
    "hw_tpm_version=",
    "hw_vif_model=",
    "hw_vif_multiqueue_enabled=",
    "hw_video_model=",
    "hw_video_ram=",
    "hw_watchdog_action=",
    "img_config_drive=",
    "os_admin_user=",
    "os_distro=",
    "os_require_quiesce=",
    "os_secure_boot=",
    "os_type=",
    "os_version=",
];

/// Attributes that lists are filtered by.
const FILTERS: &[&str] = &[
    "checksum=",
    "container_format=",
    "disk_format=",
    "id=",
    "min_disk=",
    "min_ram=",
    "name=",
    "os_distro=",
    "os_hash_value=",
    "owner=",
    "protected=",
    "size_max=",
    "size_min=",
    "status=",
    "visibility=",
];

/// Returns the kind of an argument without choices; None if it has none, which is a mistake.
#[expect(clippy::too_many_lines, reason = "it is a table")]
#[expect(
    clippy::match_same_arms,
    reason = "its rows are in the order of what they are about, and the first one that fits counts"
)]
pub fn declared(command: &str, argument: &str) -> Option<Kind> {
    use ImageStatus::{Active, Deactivated, Queued, Uploading};
    Some(match (command, argument) {
        // The catalogue of services, which is not asked for names.
        (
            "service create" | "service delete" | "service set" | "service show",
            "kind" | "--type",
        ) => Kind::Words(SERVICE_TYPES),
        (
            _,
            "service" | "services" | "--service" | "endpoint" | "endpoints" | "--endpoint"
            | "--region" | "url",
        )
        | ("endpoint list", "--project") => Kind::Text,
        // The images that a command can be used on.
        ("image-reactivate", "id") => Kind::Image(with(&[Deactivated])),
        ("image-deactivate", "id") => Kind::Image(with(&[Active])),
        ("image-stage", "image_id") | ("image stage", "image") => Kind::Image(with(&[Queued])),
        ("image-upload", "id") => Kind::Image(with(&[Queued])),
        ("image-import", "image_id") | ("image import", "image") => {
            Kind::Image(with(&[Queued, Uploading, Active]))
        }
        ("image-download", "id") | ("image save", "image") => {
            Kind::Image(with(&[Active, Deactivated]))
        }
        ("cache-queue", "image_ids") | ("cached image queue", "images") => {
            Kind::Image(with(&[Active]))
        }
        ("add-location" | "location-add", "image_id") => Kind::Image(with(&[Queued, Active])),
        ("image-delete", "ids") | ("image delete", "images") => Kind::Image(ImageNames {
            unprotected: true,
            ..ANY
        }),
        (_, "--restore") => Kind::Restorable,
        ("glance-api", "--bind-host" | "--bind-port") => Kind::Text,
        // The images of an operator's program.
        ("glance-cache-manage queue-image", "image") => Kind::ImageId(with(&[Active])),
        (
            _,
            "id" | "ids" | "image" | "images" | "image_id" | "image_ids" | "--image-id"
            | "--marker",
        ) if command != "image task list" => Kind::Image(ANY),
        (_, "--kernel-id" | "--ramdisk-id") => Kind::ImageId(with(&[Active])),
        ("image task list", "--marker") => Kind::Task,
        // Parts of an image.
        ("member-create", "member_id") | ("image add project", "project") => Kind::Text,
        (_, "member_id" | "project") => Kind::Member,
        ("image-tag-delete", "tag") | ("image unset", "--tag") => Kind::Tag,
        ("image-tag-update", "tag") | ("image set", "--tag") => Kind::Tag,
        ("image-update", "--remove-property") | ("image unset", "--property") => {
            Kind::ImageProperty
        }
        ("image list", "--property") | (_, "--property-filter") => Kind::Assignment(FILTERS),
        (_, "--property") => Kind::Assignment(PROPERTIES),
        (_, "--disk-format") => Kind::DiskFormat,
        (_, "--container-format") => Kind::ContainerFormat,
        (_, "--architecture") => Kind::Words(ARCHITECTURES),
        (_, "--os-distro") => Kind::Words(DISTRIBUTIONS),
        ("image-list", "--member-status") | (_, "member_status") => Kind::Words(MEMBER_STATUSES),
        ("image-list", "--visibility") => {
            Kind::Words(&["all", "community", "private", "public", "shared"])
        }
        (
            "md-namespace-create"
            | "md-namespace-update"
            | "md-namespace-list"
            | "image metadef namespace list",
            "--visibility",
        ) => Kind::Words(&["private", "public"]),
        (_, "--visibility") => Kind::Words(VISIBILITIES),
        (_, "--import-method") => Kind::Words(IMPORT_METHODS),
        (_, "--remote-service-interface") => Kind::Words(INTERFACES),
        (_, "--hash-algo") => Kind::Words(HASHES),
        ("image list", "--status") | (_, "--wait-for") => Kind::Words(STATUSES),
        // Lists.
        ("image task list", "--sort-key") => Kind::ListOf(&[
            "created_at",
            "expires_at",
            "id",
            "status",
            "type",
            "updated_at",
        ]),
        ("image task list", "--sort-dir") => Kind::ListOf(&["asc", "desc"]),
        (_, "--sort") => Kind::Sort,
        (_, "--column" | "--sort-column") => Kind::Column,
        // Stores, tasks and metadata definitions.
        ("image create", "--store") => Kind::Text,
        (_, "--store" | "--store-preference") => Kind::Store,
        (_, "--stores" | "--prefer") => Kind::Stores,
        (_, "task" | "task_id") => Kind::Task,
        ("task-list" | "task-create", "--type") => Kind::Words(TASK_TYPES),
        ("task-list", "--status") => Kind::Words(TASK_STATUSES),
        (_, "--type") => Kind::Words(JSON_TYPES),
        ("md-namespace-create" | "image metadef namespace create", "namespace")
        | ("md-namespace-update", "--namespace") => Kind::Text,
        (_, "namespace" | "namespaces" | "--namespace") => Kind::Namespace,
        (_, "object" | "objects") => Kind::Object,
        ("md-object-property-show" | "image metadef object property show", "property") => {
            Kind::Text
        }
        (_, "property" | "properties") => Kind::Property,
        ("image metadef namespace unset" | "image metadef namespace set", "--tag")
        | ("md-tag-show" | "md-tag-delete" | "md-tag-update", "tag") => Kind::NamespaceTag,
        ("md-resource-type-deassociate", "resource_type")
        | ("image metadef resource type association delete", "names") => Kind::AssociatedType,
        ("md-resource-type-associate", "--name")
        | ("image metadef resource type association create", "name")
        | (_, "--resource-type") => Kind::ResourceType,
        ("md-namespace-create", "--resource-type-associations") | (_, "--resource-types") => {
            Kind::ResourceTypes
        }
        ("explain", "model") => Kind::Words(&["image", "images", "member", "members"]),
        // Deployments.
        (_, "--os-cloud") => Kind::Cloud,
        (_, "--as") => Kind::Caller,
        (_, "--os-endpoint-type") => Kind::Words(&["adminURL", "internalURL", "publicURL"]),
        (_, "--os-auth-type") => Kind::Words(AUTH_TYPES),
        (_, "--os-auth-methods") => {
            Kind::ListOf(&["application_credential", "password", "token", "totp"])
        }
        (_, "--os-code-challenge-method") => Kind::Words(&["S256", "plain"]),
        (_, "--os-access-token-type") => Kind::Words(&["access_token", "id_token"]),
        (_, "--os-system-scope") => Kind::Words(&["all"]),
        (_, "--os-image-api-version") => Kind::Words(&["2"]),
        (_, "--os_auth_strategy") => Kind::Words(&["keystone", "noauth"]),
        (_, "--syslog-log-facility") => Kind::Words(FACILITIES),
        (_, "--shell") => Kind::Words(&["bash", "none"]),
        (_, "shell") => Kind::Shell,
        (_, "subcommand" | "command") => Kind::Command,
        // Paths.
        (_, "--data-dir" | "--config-dir" | "--log-dir") => Kind::Directory,
        ("glance-manage db load_metadefs" | "glance-manage db export_metadefs", "--path")
        | (_, "path") => Kind::Directory,
        (
            _,
            "--file"
            | "--config-file"
            | "--os-cacert"
            | "--os-cert"
            | "--os-key"
            | "--log-file"
            | "--log-config-append"
            | "--metrics-file"
            | "--sign-key-path",
        ) => Kind::File,
        ("glance-manage policy check", "--image") => Kind::ImageId(ANY),
        ("glance-manage policy check", "--target" | "rule") => Kind::Text,
        // Numbers.
        (
            _,
            "--age_in_days" | "--chunk-size" | "--limit" | "--max-column-width" | "--max-items"
            | "--max-width" | "--max_rows" | "--min-disk" | "--min-ram" | "--page-size"
            | "--parallel" | "--port" | "--size" | "--timeout",
        ) => Kind::Text,
        // New names, texts and addresses.
        (
            _,
            "--checksum"
            | "--delim"
            | "--description"
            | "--display-name"
            | "--hash"
            | "--hash-value"
            | "--host"
            | "--id"
            | "--input"
            | "--instance-id"
            | "--instance-uuid"
            | "--log-date-format"
            | "--metadata"
            | "--name"
            | "--names"
            | "--os-version"
            | "--owner"
            | "--prefix"
            | "--profile"
            | "--project"
            | "--project-domain"
            | "--properties-target"
            | "--remote-image"
            | "--remote-image-id"
            | "--remote-region"
            | "--schema"
            | "--sign-cert-id"
            | "--tag"
            | "--tags"
            | "--title"
            | "--tls-ciphers"
            | "--uri"
            | "--url"
            | "--validation-data"
            | "--variable"
            | "--version"
            | "--volume"
            | "name"
            | "version",
        ) => Kind::Text,
        // Values by position, in the order of the options.
        (_, "action_args" | "merge" | "overwrite" | "prefer_new") => Kind::Text,
        // Options of the API v1, which are refused.
        ("image create", "--location" | "--copy-from") => Kind::Text,
        // The other options that describe a login.
        (_, login)
            if login.starts_with("--os-")
                && (command.is_empty() || command.starts_with("glance-cache-manage")) =>
        {
            Kind::Text
        }
        _ => return None,
    })
}

const AUTH_TYPES: &[&str] = &[
    "admin_token",
    "http_basic",
    "none",
    "password",
    "token",
    "v3applicationcredential",
    "v3multifactor",
    "v3oauth2clientcredential",
    "v3oidcaccesstoken",
    "v3oidcauthcode",
    "v3oidcclientcredentials",
    "v3oidcdeviceauthz",
    "v3oidcpassword",
    "v3password",
    "v3token",
    "v3totp",
];

/// Returns the choices of an argument, from its parser or from its placeholder.
pub fn choices(arg: &Arg) -> Vec<String> {
    let values = arg.get_possible_values();
    let shown = values.iter().filter(|value| !value.is_hide_set());
    let mut words: Vec<String> = shown.map(|value| value.get_name().to_string()).collect();
    if words.is_empty()
        && let Some([placeholder]) = arg.get_value_names()
        && placeholder.contains('|')
    {
        words = placeholder.split('|').map(str::to_string).collect();
    }
    words
}

/// Returns the key of an argument in [`declared`]: `--long`, or the ID of a positional argument.
pub fn key(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_id().to_string(),
    }
}

/// The fields of an image in the second grammar.
const IMAGE_FIELDS: &[&str] = &[
    "checksum",
    "container_format",
    "created_at",
    "disk_format",
    "file",
    "id",
    "min_disk",
    "min_ram",
    "name",
    "owner",
    "properties",
    "protected",
    "schema",
    "size",
    "status",
    "tags",
    "updated_at",
    "visibility",
];

/// Returns the columns of a command's output without options for more; empty if they are not known.
pub fn short_columns(command: &str) -> &'static [&'static str] {
    match command {
        "image list" => &["ID", "Name", "Status"],
        "image-list" => &["ID", "Name"],
        _ => columns(command),
    }
}

/// Returns the columns of a command's output; empty if they are not known.
#[expect(
    clippy::too_many_lines,
    reason = "a table, with a row for each command"
)]
pub fn columns(command: &str) -> &'static [&'static str] {
    match command {
        "image list" => &[
            "ID",
            "Name",
            "Status",
            "Disk Format",
            "Container Format",
            "Size",
            "Checksum",
            "Visibility",
            "Protected",
            "Project",
            "Hash Algorithm",
            "Hash Value",
            "Tags",
        ],
        "image create" | "image show" | "image import" => IMAGE_FIELDS,
        "image member list" => &["Image ID", "Member ID", "Status"],
        "image add project" | "image member get" => &[
            "created_at",
            "image_id",
            "member_id",
            "schema",
            "status",
            "updated_at",
        ],
        "image import info" => &["import-methods"],
        "image stores list" => &["ID", "Description", "Default", "Properties"],
        "image task list" => &["ID", "Type", "Status", "Owner"],
        "image metadef namespace list" => &["namespace"],
        "image metadef namespace show" | "image metadef namespace create" => &[
            "created_at",
            "description",
            "display_name",
            "namespace",
            "owner",
            "protected",
            "tags",
            "updated_at",
            "visibility",
        ],
        "image metadef object list" => &["name", "description"],
        "image metadef object show" | "image metadef object create" => &[
            "created_at",
            "description",
            "name",
            "namespace_name",
            "properties",
            "required",
            "updated_at",
        ],
        "image metadef property list" => &["name", "title", "type"],
        "image metadef resource type list" => &["Name"],
        "cached image list" => &[
            "ID",
            "State",
            "Last Accessed (UTC)",
            "Last Modified (UTC)",
            "Size",
            "Hits",
        ],
        "service list" => &["ID", "Name", "Type", "Description", "Enabled"],
        "service create" | "service show" => &["id", "name", "type", "enabled", "description"],
        "endpoint list" => &[
            "ID",
            "Region",
            "Service Name",
            "Service Type",
            "Enabled",
            "Interface",
            "URL",
        ],
        "endpoint create" | "endpoint show" => &[
            "enabled",
            "id",
            "interface",
            "region",
            "region_id",
            "service_id",
            "url",
            "service_name",
            "service_type",
        ],
        "image-list" => &[
            "ID",
            "Name",
            "Disk_format",
            "Container_format",
            "Size",
            "Status",
            "Owner",
        ],
        "image-show" | "image-create" | "image-update" | "image-create-via-import" => &[
            "checksum",
            "container_format",
            "created_at",
            "disk_format",
            "id",
            "min_disk",
            "min_ram",
            "name",
            "os_hash_algo",
            "os_hash_value",
            "os_hidden",
            "owner",
            "protected",
            "size",
            "status",
            "tags",
            "updated_at",
            "virtual_size",
            "visibility",
        ],
        "member-list" | "member-get" | "member-create" | "member-update" => {
            &["Image ID", "Member ID", "Status"]
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::cli::command::globals::before;
    use crate::cli::command::grammar::Grammar;
    use crate::cli::command::parser::own;
    use crate::cli::{api, cache_manage, manage, scrubber};

    fn check(name: &str, mut command: Command, missing: &mut Vec<String>) {
        command.build();
        for arg in command.get_arguments() {
            if arg.get_action().takes_values()
                && choices(arg).is_empty()
                && declared(name, &key(arg)).is_none()
            {
                missing.push(format!("{name}: {}", key(arg)));
            }
        }
        for inner in command.get_subcommands() {
            let name = format!("{name} {}", inner.get_name());
            check(&name, inner.clone(), missing);
        }
    }

    #[test]
    fn every_value_has_a_kind() {
        let mut missing = Vec::new();
        for grammar in [Grammar::Glance, Grammar::Openstack] {
            for row in grammar.rows() {
                check(row.name, own(grammar, grammar, row), &mut missing);
            }
            check("", before(grammar), &mut missing);
        }
        check("glance-manage", manage::command(), &mut missing);
        check("glance-api", api::command(), &mut missing);
        check("glance-scrubber", scrubber::command(), &mut missing);
        let caches = cache_manage::completed_command();
        check("glance-cache-manage", caches, &mut missing);
        assert_eq!(missing, [""; 0]);
        assert_eq!(declared("image-show", "--new"), None);
    }
}
