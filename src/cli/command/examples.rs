//! Examples of all commands, for the help and the manual pages.
//!
//! Upper-case words such as `IMAGE_ID` stand for the reader's own values.

use super::grammar::Grammar;

/// An example of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Example {
    /// The command line, which begins with the name of the program. It may end with a pipe or a redirection.
    pub line: &'static str,
    /// The effect of the command line, without a full stop.
    pub about: &'static str,
}

impl Example {
    /// Returns the line with the name of the program that was called: `glance` also has the commands of `openstack`.
    pub fn called(&self, program: Grammar) -> String {
        match self.line.strip_prefix("openstack ") {
            Some(rest) => format!("{} {rest}", program.program()),
            None => self.line.to_string(),
        }
    }
}

/// Breaks a command line at spaces outside of quotes, for pages of limited width. All parts but the last one end with
/// a backslash, and all but the first one are indented. A word that is longer than `width` is kept whole.
pub fn break_line(line: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    for word in words(line) {
        // An option is kept with its value.
        let room = width.saturating_sub(2);
        if !current.trim().is_empty() && current.len() + 1 + word.len() > room {
            lines.push(format!("{current} \\"));
            current = " ".repeat(4);
        }
        if !current.trim().is_empty() {
            current.push(' ');
        }
        current.push_str(&word);
    }
    lines.push(current);
    lines
}

/// Splits a command line at spaces outside of quotes, which it keeps. An option and its value are one word.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for character in line.chars() {
        match character {
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            other => {
                quoted ^= other == '\'';
                word.push(other);
            }
        }
    }
    words.push(word);
    let mut joined: Vec<String> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(last) if is_bare_option(last) && !word.starts_with('-') => {
                last.push(' ');
                last.push_str(&word);
            }
            Some(last) if matches!(last.as_str(), "|" | "<") => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// Returns whether a word is an option without a value.
fn is_bare_option(word: &str) -> bool {
    word.starts_with('-') && !word.contains(' ')
}

/// The examples of a program's commands, by the name of the command, which is empty for the program itself.
type Table = &'static [(&'static str, &'static [Example])];

const fn example(line: &'static str, about: &'static str) -> Example {
    Example { line, about }
}

/// Returns the examples of a command of a grammar, or of its program if the name is empty.
pub fn of(grammar: Grammar, name: &str) -> &'static [Example] {
    of_program(grammar.program(), name)
}

/// Returns the examples of a command of a program, or of the program itself if the name is empty.
pub fn of_program(program: &str, command: &str) -> &'static [Example] {
    let table = match program {
        "glance" => GLANCE,
        "openstack" => OPENSTACK,
        "glance-manage" => MANAGE,
        "glance-api" => API,
        "glance-scrubber" => SCRUBBER,
        "glance-cache-manage" => CACHE_MANAGE,
        "glance-cache-pruner" => CACHE_PRUNER,
        "glance-cache-cleaner" => CACHE_CLEANER,
        "glance-cache-prefetcher" => CACHE_PREFETCHER,
        _ => &[],
    };
    let found = table.iter().find(|(name, _)| *name == command);
    found.map_or(&[], |(_, examples)| examples)
}

/// The examples of `glance` and of the commands of the first grammar.
const GLANCE: Table = &[
    (
        "",
        &[
            example(
                "glance --data-dir ./images image list",
                "List the images of a local directory",
            ),
            example(
                "glance --os-cloud mycloud image-list",
                "List the images of a cloud in clouds.yaml",
            ),
            example(
                "glance image create debian-13 --disk-format qcow2 --file debian-13.qcow2",
                "Create an image from a file",
            ),
            example(
                "glance --format json image-show IMAGE_ID",
                "Show an image as JSON",
            ),
            example("glance help image-create", "Show the options of a command"),
        ],
    ),
    (
        "add-location",
        &[example(
            "glance add-location IMAGE_ID --url https://example.org/debian-13.qcow2",
            "Make a queued image use data on a web server",
        )],
    ),
    (
        "bash-completion",
        &[example(
            "glance bash-completion",
            "Print the words that a completion script needs",
        )],
    ),
    (
        "completion",
        &[
            example(
                "glance completion bash",
                "Print the completion script for bash",
            ),
            example(
                "glance completion zsh --name openstack",
                "Print one for openstack, beside that of upstream's client",
            ),
        ],
    ),
    (
        "cache-clean",
        &[
            example(
                "glance cache-clean",
                "Remove what failed or interrupted downloads left in the cache",
            ),
            example("glance cache-clean --dry-run", "Show what would be removed"),
        ],
    ),
    (
        "cache-clear",
        &[
            example("glance cache-clear", "Empty the cache and the queue"),
            example("glance cache-clear --target queue", "Empty only the queue"),
        ],
    ),
    (
        "cache-delete",
        &[example(
            "glance cache-delete IMAGE_ID",
            "Remove an image from the cache",
        )],
    ),
    (
        "cache-list",
        &[example(
            "glance cache-list",
            "List what is in the cache and in the queue",
        )],
    ),
    (
        "cache-nodes-list",
        &[example(
            "glance cache-nodes-list IMAGE_ID",
            "Show which hosts have a cached copy",
        )],
    ),
    (
        "cache-prune",
        &[
            example(
                "glance cache-prune",
                "Remove the images that were used least recently, down to image_cache_max_size",
            ),
            example("glance cache-prune --dry-run", "Show what would be removed"),
        ],
    ),
    (
        "cache-queue",
        &[example(
            "glance cache-queue IMAGE_ID",
            "Have an image downloaded into the cache before it is needed",
        )],
    ),
    (
        "doctor",
        &[
            example(
                "glance doctor",
                "Show which deployment commands use and why, and what is wrong with it",
            ),
            example(
                "glance --os-cloud mycloud doctor",
                "Check a cloud and the login",
            ),
        ],
    ),
    (
        "explain",
        &[example(
            "glance explain image",
            "Show the attributes of an image, with their types",
        )],
    ),
    (
        "help",
        &[
            example("glance help", "List the commands"),
            example("glance help image-create", "Show the options of a command"),
            example("glance help local", "Read about working without a server"),
        ],
    ),
    (
        "image-create",
        &[
            example(
                "glance image-create --name debian-13 --disk-format qcow2 --container-format bare --file debian-13.qcow2",
                "Create an image from a file",
            ),
            example(
                "glance image-create --name data --disk-format raw --container-format bare < disk.raw",
                "Create an image from standard input",
            ),
            example(
                "glance image-create --name debian-13 --visibility shared --property os_distro=debian",
                "Create a record; its data can be uploaded later",
            ),
        ],
    ),
    (
        "image-create-via-import",
        &[
            example(
                "glance image-create-via-import --import-method web-download --uri https://example.org/debian-13.qcow2 --name debian-13 --disk-format qcow2 --container-format bare --wait",
                "Let the service download the data, and wait until it is done",
            ),
            example(
                "glance image-create-via-import --import-method glance-direct --file debian-13.qcow2 --name debian-13 --disk-format qcow2 --container-format bare --stores fast,slow",
                "Upload a file to two stores",
            ),
        ],
    ),
    (
        "image-deactivate",
        &[example(
            "glance image-deactivate IMAGE_ID",
            "Stop downloads of an image while it is examined",
        )],
    ),
    (
        "image-delete",
        &[
            example(
                "glance image-delete IMAGE_ID",
                "Delete an image and its data",
            ),
            example(
                "glance image-update IMAGE_ID --protected False",
                "Permit the deletion of a protected image first",
            ),
        ],
    ),
    (
        "image-download",
        &[
            example(
                "glance image-download IMAGE_ID --file debian-13.qcow2",
                "Save the data to a file, verified",
            ),
            example(
                "glance image-download IMAGE_ID | qemu-img dd -f raw -O raw if=/dev/stdin of=/dev/vdb",
                "Write the data to standard output",
            ),
        ],
    ),
    (
        "image-import",
        &[
            example(
                "glance image-import IMAGE_ID --import-method web-download --uri https://example.org/debian-13.qcow2",
                "Let the service download the data of a queued image",
            ),
            example(
                "glance image-import IMAGE_ID --import-method copy-image --stores slow --wait",
                "Copy an image to another store, and wait for the result",
            ),
            example(
                "glance image-import IMAGE_ID",
                "Import what image-stage uploaded",
            ),
        ],
    ),
    (
        "image-list",
        &[
            example("glance image-list", "List the images"),
            example(
                "glance image-list --visibility public --property-filter os_distro=debian --sort created_at:desc",
                "List public images of a distribution, newest first",
            ),
            example(
                "glance --format csv --column ID --column Name image-list",
                "Print only some columns, as CSV",
            ),
            example("glance image-list --hidden", "List hidden images"),
        ],
    ),
    (
        "image-reactivate",
        &[example(
            "glance image-reactivate IMAGE_ID",
            "Permit downloads of a deactivated image again",
        )],
    ),
    (
        "image-show",
        &[
            example("glance image-show IMAGE_ID", "Show all attributes"),
            example(
                "glance image-show IMAGE_ID --human-readable",
                "Show the size in MiB or GiB",
            ),
            example(
                "glance --format value --column checksum image-show IMAGE_ID",
                "Print one attribute, for a script",
            ),
        ],
    ),
    (
        "image-stage",
        &[example(
            "glance image-stage IMAGE_ID --file debian-13.qcow2",
            "Upload a file to the staging area; image-import imports it",
        )],
    ),
    (
        "image-tag-delete",
        &[example(
            "glance image-tag-delete IMAGE_ID approved",
            "Remove a tag",
        )],
    ),
    (
        "image-tag-update",
        &[example(
            "glance image-tag-update IMAGE_ID approved",
            "Add a tag",
        )],
    ),
    (
        "image-tasks",
        &[example(
            "glance image-tasks IMAGE_ID",
            "Show the imports of an image and their messages",
        )],
    ),
    (
        "image-update",
        &[
            example(
                "glance image-update IMAGE_ID --name debian-13.1 --min-disk 5",
                "Rename an image and set the minimum disk size",
            ),
            example(
                "glance image-update IMAGE_ID --property os_distro=debian --remove-property build",
                "Set one property and remove another",
            ),
            example(
                "glance image-update IMAGE_ID --visibility public --protected True",
                "Publish an image and protect it from deletion",
            ),
        ],
    ),
    (
        "image-upload",
        &[
            example(
                "glance image-upload IMAGE_ID --file debian-13.qcow2 --progress",
                "Upload the data of a queued image",
            ),
            example(
                "glance image-upload IMAGE_ID --store fast < debian-13.qcow2",
                "Upload standard input to a store",
            ),
        ],
    ),
    (
        "import-info",
        &[example(
            "glance import-info",
            "Show which values --import-method can have",
        )],
    ),
    (
        "location-add",
        &[
            example(
                "glance location-add IMAGE_ID --url https://example.org/debian-13.qcow2",
                "Make an image use data on a web server",
            ),
            example(
                r#"glance location-add IMAGE_ID --url file:///srv/images/debian-13.qcow2 --metadata '{"store": "slow"}'"#,
                "Add a location in a named store",
            ),
        ],
    ),
    (
        "location-delete",
        &[example(
            "glance location-delete IMAGE_ID --url https://example.org/debian-13.qcow2",
            "Remove a location",
        )],
    ),
    (
        "location-update",
        &[example(
            r#"glance location-update IMAGE_ID --url https://example.org/debian-13.qcow2 --metadata '{"rack": "b7"}'"#,
            "Replace the metadata of a location",
        )],
    ),
    (
        "md-namespace-create",
        &[example(
            "glance md-namespace-create OS::Example::Disk --display-name 'Disk options' --visibility public",
            "Create a namespace that every project can see",
        )],
    ),
    (
        "md-namespace-delete",
        &[example(
            "glance md-namespace-delete OS::Example::Disk",
            "Delete a namespace and all that is in it",
        )],
    ),
    (
        "md-namespace-import",
        &[example(
            "glance md-namespace-import --file compute-watchdog.json",
            "Create a namespace from a file",
        )],
    ),
    (
        "md-namespace-list",
        &[
            example("glance md-namespace-list", "List the namespaces"),
            example(
                "glance md-namespace-list --resource-types OS::Glance::Image --visibility public",
                "List the public namespaces for images",
            ),
        ],
    ),
    (
        "md-namespace-objects-delete",
        &[example(
            "glance md-namespace-objects-delete OS::Example::Disk",
            "Delete all objects of a namespace",
        )],
    ),
    (
        "md-namespace-properties-delete",
        &[example(
            "glance md-namespace-properties-delete OS::Example::Disk",
            "Delete all properties of a namespace",
        )],
    ),
    (
        "md-namespace-resource-type-list",
        &[example(
            "glance md-namespace-resource-type-list OS::Example::Disk",
            "Show what kinds of resources a namespace describes",
        )],
    ),
    (
        "md-namespace-show",
        &[
            example(
                "glance md-namespace-show OS::Example::Disk",
                "Show a namespace",
            ),
            example(
                "glance md-namespace-show OS::Example::Disk --resource-type OS::Glance::Image",
                "Show property names as images have them",
            ),
        ],
    ),
    (
        "md-namespace-tags-delete",
        &[example(
            "glance md-namespace-tags-delete OS::Example::Disk",
            "Delete all tags of a namespace",
        )],
    ),
    (
        "md-namespace-update",
        &[
            example(
                "glance md-namespace-update OS::Example::Disk --protected True",
                "Protect a namespace from deletion",
            ),
            example(
                "glance md-namespace-update OS::Example::Disk --namespace OS::Example::Storage",
                "Rename a namespace",
            ),
        ],
    ),
    (
        "md-object-create",
        &[example(
            r#"glance md-object-create OS::Example::Disk --name Cache --schema '{"description": "Cache options", "properties": {"mode": {"title": "Mode", "type": "string"}}}'"#,
            "Create an object with one property",
        )],
    ),
    (
        "md-object-delete",
        &[example(
            "glance md-object-delete OS::Example::Disk Cache",
            "Delete an object",
        )],
    ),
    (
        "md-object-list",
        &[example(
            "glance md-object-list OS::Example::Disk",
            "List the objects of a namespace",
        )],
    ),
    (
        "md-object-property-show",
        &[example(
            "glance md-object-property-show OS::Example::Disk Cache mode",
            "Show one property of an object",
        )],
    ),
    (
        "md-object-show",
        &[example(
            "glance md-object-show OS::Example::Disk Cache",
            "Show an object with its properties",
        )],
    ),
    (
        "md-object-update",
        &[example(
            "glance md-object-update OS::Example::Disk Cache --name CacheOptions",
            "Rename an object",
        )],
    ),
    (
        "md-property-create",
        &[example(
            r#"glance md-property-create OS::Example::Disk --name bus --title 'Disk bus' --type string --schema '{"enum": ["virtio", "scsi"]}'"#,
            "Create a property with two possible values",
        )],
    ),
    (
        "md-property-delete",
        &[example(
            "glance md-property-delete OS::Example::Disk bus",
            "Delete a property",
        )],
    ),
    (
        "md-property-list",
        &[example(
            "glance md-property-list OS::Example::Disk",
            "List the properties of a namespace",
        )],
    ),
    (
        "md-property-show",
        &[example(
            "glance md-property-show OS::Example::Disk bus",
            "Show a property",
        )],
    ),
    (
        "md-property-update",
        &[example(
            "glance md-property-update OS::Example::Disk bus --title 'Bus of the disk'",
            "Change the display name of a property",
        )],
    ),
    (
        "md-resource-type-associate",
        &[example(
            "glance md-resource-type-associate OS::Example::Disk --name OS::Glance::Image --prefix hw_",
            "Use a namespace for images, whose properties begin with hw_",
        )],
    ),
    (
        "md-resource-type-deassociate",
        &[example(
            "glance md-resource-type-deassociate OS::Example::Disk OS::Glance::Image",
            "Use a namespace for images no longer",
        )],
    ),
    (
        "md-resource-type-list",
        &[example(
            "glance md-resource-type-list",
            "List the kinds of resources that a namespace can be associated with",
        )],
    ),
    (
        "md-tag-create",
        &[example(
            "glance md-tag-create OS::Example::Disk --name ssd",
            "Create a tag",
        )],
    ),
    (
        "md-tag-create-multiple",
        &[example(
            "glance md-tag-create-multiple OS::Example::Disk --names ssd,nvme --append",
            "Add two tags to those of a namespace",
        )],
    ),
    (
        "md-tag-delete",
        &[example(
            "glance md-tag-delete OS::Example::Disk ssd",
            "Delete a tag",
        )],
    ),
    (
        "md-tag-list",
        &[example(
            "glance md-tag-list OS::Example::Disk",
            "List the tags of a namespace",
        )],
    ),
    (
        "md-tag-show",
        &[example(
            "glance md-tag-show OS::Example::Disk ssd",
            "Show a tag",
        )],
    ),
    (
        "md-tag-update",
        &[example(
            "glance md-tag-update OS::Example::Disk ssd --name flash",
            "Rename a tag",
        )],
    ),
    (
        "member-create",
        &[example(
            "glance member-create IMAGE_ID PROJECT_ID",
            "Share an image, whose visibility is shared, with a project",
        )],
    ),
    (
        "member-delete",
        &[example(
            "glance member-delete IMAGE_ID PROJECT_ID",
            "Stop sharing an image with a project",
        )],
    ),
    (
        "member-get",
        &[example(
            "glance member-get IMAGE_ID PROJECT_ID",
            "Show whether a project has accepted an image",
        )],
    ),
    (
        "member-list",
        &[example(
            "glance member-list --image-id IMAGE_ID",
            "List the projects that an image is shared with",
        )],
    ),
    (
        "member-update",
        &[example(
            "glance member-update IMAGE_ID PROJECT_ID accepted",
            "Accept an image that another project shares; it is then listed",
        )],
    ),
    (
        "scrub",
        &[
            example(
                "glance --config-file /etc/glance/glance-api.conf scrub --dry-run",
                "Show what would be removed, and its size",
            ),
            example(
                "glance --config-file /etc/glance/glance-api.conf scrub",
                "Remove the data of deleted images",
            ),
            example(
                "glance scrub --restore IMAGE_ID",
                "Restore a deleted image whose data still exists",
            ),
        ],
    ),
    (
        "stores-delete",
        &[example(
            "glance stores-delete IMAGE_ID --store slow",
            "Delete the copy of an image in one store",
        )],
    ),
    (
        "stores-info",
        &[
            example("glance stores-info", "List the stores"),
            example(
                "glance stores-info --detail",
                "Show the type and the configuration of each store",
            ),
        ],
    ),
    (
        "task-create",
        &[example(
            r#"glance task-create --type import --input '{"import_from": "https://example.org/debian-13.qcow2", "import_from_format": "qcow2", "image_properties": {"name": "debian-13", "disk_format": "qcow2", "container_format": "bare"}}'"#,
            "Import an image with a task",
        )],
    ),
    (
        "task-list",
        &[example(
            "glance task-list --status failure",
            "List failed tasks",
        )],
    ),
    (
        "task-show",
        &[example(
            "glance task-show TASK_ID",
            "Show the state, input and result of a task",
        )],
    ),
    (
        "version",
        &[
            example("glance version", "Show the version"),
            example(
                "glance version --json",
                "Show version, commit, date, target and compiler as JSON",
            ),
        ],
    ),
    (
        "usage",
        &[example(
            "glance usage",
            "Show how much of its quota the project has used",
        )],
    ),
];

/// The examples of `openstack` and of the commands of the second grammar.
const OPENSTACK: Table = &[
    (
        "",
        &[
            example(
                "openstack --os-cloud mycloud image list",
                "List the images of a cloud in clouds.yaml",
            ),
            example(
                "openstack --data-dir ./images image create debian-13 --disk-format qcow2 --file debian-13.qcow2",
                "Create an image in a local directory, without a server",
            ),
            example(
                "openstack image list --long -f value -c Name -c Size",
                "Print names and sizes, for a script",
            ),
            example(
                "openstack help image create",
                "Show the options of a command",
            ),
        ],
    ),
    (
        "cached image clear",
        &[
            example(
                "openstack cached image clear",
                "Empty the cache and the queue",
            ),
            example(
                "openstack cached image clear --queue",
                "Empty only the queue",
            ),
        ],
    ),
    (
        "cached image delete",
        &[example(
            "openstack cached image delete debian-13",
            "Remove an image from the cache",
        )],
    ),
    (
        "cached image list",
        &[example(
            "openstack cached image list",
            "List what is in the cache and in the queue",
        )],
    ),
    (
        "cached image queue",
        &[example(
            "openstack cached image queue debian-13",
            "Have an image downloaded into the cache before it is needed",
        )],
    ),
    (
        "complete",
        &[example(
            "openstack complete --shell bash",
            "Print a completion script for bash",
        )],
    ),
    (
        "endpoint create",
        &[
            example(
                "openstack endpoint create --region RegionOne image public http://controller:9292",
                "Add the public address of the image service",
            ),
            example(
                "openstack endpoint create --region RegionOne image internal http://10.0.0.11:9292 -f value -c id",
                "Add an internal address, and print its ID for a script",
            ),
        ],
    ),
    (
        "endpoint delete",
        &[example(
            "openstack endpoint delete ENDPOINT_ID",
            "Remove an address from the catalogue",
        )],
    ),
    (
        "endpoint list",
        &[
            example(
                "openstack endpoint list --service image",
                "List the addresses of the image service",
            ),
            example(
                "openstack endpoint list --interface public --region RegionOne -f value -c URL",
                "Print the public addresses in a region",
            ),
        ],
    ),
    (
        "endpoint set",
        &[example(
            "openstack endpoint set --url https://images.example.org ENDPOINT_ID",
            "Change an address",
        )],
    ),
    (
        "endpoint show",
        &[example(
            "openstack endpoint show ENDPOINT_ID",
            "Show an address and its service",
        )],
    ),
    (
        "help",
        &[
            example("openstack help", "List the commands"),
            example(
                "openstack help image create",
                "Show the options of a command",
            ),
        ],
    ),
    (
        "image add project",
        &[example(
            "openstack image add project debian-13 PROJECT_ID",
            "Share an image, whose visibility is shared, with a project",
        )],
    ),
    (
        "image create",
        &[
            example(
                "openstack image create debian-13 --disk-format qcow2 --file debian-13.qcow2",
                "Create an image from a file",
            ),
            example(
                "openstack image create data < disk.raw",
                "Create a raw image from standard input",
            ),
            example(
                "openstack image create debian-13 --disk-format qcow2 --file debian-13.qcow2 --public --protected --property os_distro=debian --tag approved",
                "Create an image that every project can see, with a property and a tag",
            ),
        ],
    ),
    (
        "image delete",
        &[
            example(
                "openstack image delete debian-13 debian-12",
                "Delete two images and their data",
            ),
            example(
                "openstack image delete debian-13 --store slow",
                "Delete only the copy in one store",
            ),
        ],
    ),
    (
        "image import",
        &[
            example(
                "openstack image import debian-13 --method web-download --uri https://example.org/debian-13.qcow2 --wait",
                "Let the service download the data, and wait until it is done",
            ),
            example(
                "openstack image import debian-13 --method copy-image --store slow",
                "Copy an image to another store",
            ),
            example(
                "openstack image import debian-13",
                "Import what image stage uploaded",
            ),
        ],
    ),
    (
        "image import info",
        &[example(
            "openstack image import info",
            "Show which values --method can have",
        )],
    ),
    (
        "image list",
        &[
            example("openstack image list", "List the images"),
            example(
                "openstack image list --public --property os_distro=debian --sort created_at:desc",
                "List public images of a distribution, newest first",
            ),
            example(
                "openstack image list --long -f csv -c ID -c Name -c Size",
                "Print only some columns, as CSV",
            ),
            example(
                "openstack image list --name debian-13 -f value -c ID",
                "Print the ID of an image, for a script",
            ),
        ],
    ),
    (
        "image member get",
        &[example(
            "openstack image member get debian-13 PROJECT_ID",
            "Show whether a project has accepted an image",
        )],
    ),
    (
        "image member list",
        &[example(
            "openstack image member list debian-13",
            "List the projects that an image is shared with",
        )],
    ),
    (
        "image metadef namespace create",
        &[example(
            "openstack image metadef namespace create OS::Example::Disk --display-name 'Disk options' --public",
            "Create a namespace that every project can see",
        )],
    ),
    (
        "image metadef namespace delete",
        &[example(
            "openstack image metadef namespace delete OS::Example::Disk",
            "Delete a namespace and all that is in it",
        )],
    ),
    (
        "image metadef namespace list",
        &[
            example(
                "openstack image metadef namespace list",
                "List the namespaces",
            ),
            example(
                "openstack image metadef namespace list --resource-types OS::Glance::Image --visibility public",
                "List the public namespaces for images",
            ),
        ],
    ),
    (
        "image metadef namespace set",
        &[example(
            "openstack image metadef namespace set OS::Example::Disk --protected --tag ssd",
            "Protect a namespace from deletion, and add a tag",
        )],
    ),
    (
        "image metadef namespace show",
        &[example(
            "openstack image metadef namespace show OS::Example::Disk",
            "Show a namespace",
        )],
    ),
    (
        "image metadef namespace unset",
        &[example(
            "openstack image metadef namespace unset OS::Example::Disk --tag ssd",
            "Remove a tag",
        )],
    ),
    (
        "image metadef object create",
        &[example(
            "openstack image metadef object create Cache --namespace OS::Example::Disk",
            "Create an object",
        )],
    ),
    (
        "image metadef object delete",
        &[example(
            "openstack image metadef object delete OS::Example::Disk Cache",
            "Delete an object",
        )],
    ),
    (
        "image metadef object list",
        &[example(
            "openstack image metadef object list OS::Example::Disk",
            "List the objects of a namespace",
        )],
    ),
    (
        "image metadef object property show",
        &[example(
            "openstack image metadef object property show OS::Example::Disk Cache mode",
            "Show one property of an object",
        )],
    ),
    (
        "image metadef object show",
        &[example(
            "openstack image metadef object show OS::Example::Disk Cache",
            "Show an object with its properties",
        )],
    ),
    (
        "image metadef object update",
        &[example(
            "openstack image metadef object update OS::Example::Disk Cache --name CacheOptions",
            "Rename an object",
        )],
    ),
    (
        "image metadef property create",
        &[example(
            r#"openstack image metadef property create OS::Example::Disk --name bus --title 'Disk bus' --type string --schema '{"enum": ["virtio", "scsi"]}'"#,
            "Create a property with two possible values",
        )],
    ),
    (
        "image metadef property delete",
        &[example(
            "openstack image metadef property delete OS::Example::Disk bus",
            "Delete a property",
        )],
    ),
    (
        "image metadef property list",
        &[example(
            "openstack image metadef property list OS::Example::Disk",
            "List the properties of a namespace",
        )],
    ),
    (
        "image metadef property set",
        &[example(
            "openstack image metadef property set OS::Example::Disk bus --title 'Bus of the disk'",
            "Change the display name of a property",
        )],
    ),
    (
        "image metadef property show",
        &[example(
            "openstack image metadef property show OS::Example::Disk bus",
            "Show a property",
        )],
    ),
    (
        "image metadef resource type association create",
        &[example(
            "openstack image metadef resource type association create OS::Example::Disk OS::Glance::Image",
            "Use a namespace for images",
        )],
    ),
    (
        "image metadef resource type association delete",
        &[example(
            "openstack image metadef resource type association delete OS::Example::Disk OS::Glance::Image",
            "Use a namespace for images no longer",
        )],
    ),
    (
        "image metadef resource type association list",
        &[example(
            "openstack image metadef resource type association list OS::Example::Disk",
            "Show what kinds of resources a namespace describes",
        )],
    ),
    (
        "image metadef resource type list",
        &[example(
            "openstack image metadef resource type list",
            "List the kinds of resources that a namespace can be associated with",
        )],
    ),
    (
        "image remove project",
        &[example(
            "openstack image remove project debian-13 PROJECT_ID",
            "Stop sharing an image with a project",
        )],
    ),
    (
        "image save",
        &[
            example(
                "openstack image save debian-13 --file debian-13.qcow2",
                "Save the data to a file, verified",
            ),
            example(
                "openstack image save debian-13 | sha512sum",
                "Write the data to standard output",
            ),
        ],
    ),
    (
        "image set",
        &[
            example(
                "openstack image set debian-13 --name debian-13.1 --min-disk 5",
                "Rename an image and set the minimum disk size",
            ),
            example(
                "openstack image set debian-13 --property os_distro=debian --tag approved",
                "Set a property and add a tag",
            ),
            example(
                "openstack image set debian-13 --public --protected",
                "Publish an image and protect it from deletion",
            ),
            example(
                "openstack image set IMAGE_ID --accept",
                "Accept an image that another project shares; it is then listed",
            ),
        ],
    ),
    (
        "image show",
        &[
            example("openstack image show debian-13", "Show all attributes"),
            example(
                "openstack image show debian-13 --human-readable",
                "Show the size in MiB or GiB",
            ),
            example(
                "openstack image show debian-13 -f json -c id -c checksum",
                "Print two attributes as JSON",
            ),
        ],
    ),
    (
        "image stage",
        &[example(
            "openstack image stage debian-13 --file debian-13.qcow2",
            "Upload a file to the staging area; image import imports it",
        )],
    ),
    (
        "image stores list",
        &[
            example("openstack image stores list", "List the stores"),
            example(
                "openstack image stores list --detail",
                "Show the type and the configuration of each store",
            ),
        ],
    ),
    (
        "image task list",
        &[example(
            "openstack image task list --status failure",
            "List failed tasks",
        )],
    ),
    (
        "image task show",
        &[example(
            "openstack image task show TASK_ID",
            "Show the state, input and result of a task",
        )],
    ),
    (
        "image unset",
        &[example(
            "openstack image unset debian-13 --tag approved --property build",
            "Remove a tag and a property",
        )],
    ),
    (
        "service create",
        &[example(
            "openstack service create --name glance --description 'OpenStack Image' image",
            "Add the image service to the catalogue",
        )],
    ),
    (
        "service delete",
        &[example(
            "openstack service delete glance",
            "Remove a service and its addresses from the catalogue",
        )],
    ),
    (
        "service list",
        &[example(
            "openstack service list --long",
            "List the services with their descriptions",
        )],
    ),
    (
        "service set",
        &[example(
            "openstack service set --disable glance",
            "Omit a service from the catalogue of tokens",
        )],
    ),
    (
        "service show",
        &[example(
            "openstack service show image",
            "Show a service by its type",
        )],
    ),
    (
        "version",
        &[example(
            "openstack version --json",
            "Show version, commit, date, target and compiler as JSON",
        )],
    ),
];

/// The examples of `glance-manage`.
const MANAGE: Table = &[
    (
        "",
        &[
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf db sync",
                "Create the database of a service, or upgrade it",
            ),
            example(
                "glance-manage --data-dir ./images db version",
                "Show the revision of a local data directory",
            ),
        ],
    ),
    (
        "db check",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db check",
            "Exit with 3, 4 or 5 if the database must be expanded, migrated or contracted",
        )],
    ),
    (
        "db contract",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db contract",
            "Finish an upgrade, when no old service runs any more",
        )],
    ),
    (
        "db expand",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db expand",
            "Begin an upgrade, while old services run",
        )],
    ),
    (
        "db export_metadefs",
        &[example(
            "glance-manage --data-dir ./images db export_metadefs --path ./metadefs",
            "Write each namespace to a file in a directory",
        )],
    ),
    (
        "db load_metadefs",
        &[
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf db load_metadefs",
                "Load the definitions in /etc/glance/metadefs",
            ),
            example(
                "glance-manage --data-dir ./images db load_metadefs --path ./metadefs --merge --prefer_new",
                "Update existing definitions from a directory",
            ),
        ],
    ),
    (
        "db migrate",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db migrate",
            "Convert rows, after the expansion",
        )],
    ),
    (
        "db purge",
        &[
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf db purge --dry-run",
                "Show how many rows would be removed",
            ),
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf db purge --age_in_days 30 --max_rows -1",
                "Remove all rows that were deleted more than 30 days ago",
            ),
        ],
    ),
    (
        "db purge_images_table",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db purge_images_table --age_in_days 180",
            "Remove rows of the images table; their IDs can be used again",
        )],
    ),
    (
        "db sync",
        &[
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf db sync",
                "Create the database of a service, or upgrade it",
            ),
            example(
                "glance-manage --data-dir ./images db sync --no-backup",
                "Upgrade a local database without a backup",
            ),
        ],
    ),
    (
        "db unload_metadefs",
        &[example(
            "glance-manage --data-dir ./images db unload_metadefs",
            "Remove all metadata definitions",
        )],
    ),
    (
        "db upgrade",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db upgrade --version ussuri_contract01",
            "Upgrade to a revision",
        )],
    ),
    (
        "db version",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db version",
            "Show the revision",
        )],
    ),
    (
        "db version_control",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf db version_control --version liberty",
            "Record the revision of a database that has none",
        )],
    ),
    (
        "policy check",
        &[
            example(
                "glance-manage --data-dir ./images policy check delete_image --as demo:reader --target owner=demo",
                "Show why a reader may not delete an image of its project",
            ),
            example(
                "glance-manage --config-file /etc/glance/glance-api.conf policy check get_image --as demo --image IMAGE_ID",
                "Show why a project may or may not see an image",
            ),
        ],
    ),
    (
        "policy list",
        &[example(
            "glance-manage --config-file /etc/glance/glance-api.conf policy list --as demo:member",
            "Show the rules in force, and which are true for a member",
        )],
    ),
];

/// The examples of `glance-api`.
const API: Table = &[(
    "",
    &[
        example(
            "glance-api --data-dir ./images",
            "Serve the images of a directory on 127.0.0.1:9292, without a login",
        ),
        example(
            "glance-api --data-dir ./images --bind-host 0.0.0.0 --bind-port 8080",
            "Serve them on all addresses of this host: everyone who can reach it is an administrator",
        ),
        example(
            "glance-api --config-file /etc/glance/glance-api.conf",
            "Serve a deployment as its configuration describes it",
        ),
    ],
)];

/// The examples of `glance-scrubber`.
const SCRUBBER: Table = &[(
    "",
    &[
        example(
            "glance-scrubber --config-file /etc/glance/glance-api.conf --dry-run",
            "Show what would be removed, and its size",
        ),
        example(
            "glance-scrubber --config-file /etc/glance/glance-api.conf",
            "Remove the data of deleted images once, as from cron",
        ),
        example(
            "glance-scrubber --config-file /etc/glance/glance-api.conf --daemon",
            "Do the same at the intervals of wakeup_time",
        ),
        example(
            "glance-scrubber --config-file /etc/glance/glance-api.conf --restore IMAGE_ID",
            "Restore an image that was deleted by mistake",
        ),
    ],
)];

/// The examples of `glance-cache-manage`.
const CACHE_MANAGE: Table = &[
    (
        "",
        &[
            example(
                "glance-cache-manage --host 127.0.0.1 list-cached",
                "List the images in the cache of a running service",
            ),
            example(
                "glance-cache-manage --config-file /etc/glance/glance-api.conf --dry-run prune",
                "Show what pruning the cache of this host would remove",
            ),
        ],
    ),
    (
        "clean",
        &[example(
            "glance-cache-manage --config-file /etc/glance/glance-api.conf clean",
            "Remove what failed or interrupted downloads left in the cache",
        )],
    ),
    (
        "delete-all-cached-images",
        &[example(
            "glance-cache-manage --host 127.0.0.1 --force delete-all-cached-images",
            "Empty the cache, without a question",
        )],
    ),
    (
        "delete-all-queued-images",
        &[example(
            "glance-cache-manage --host 127.0.0.1 delete-all-queued-images",
            "Empty the queue",
        )],
    ),
    (
        "delete-cached-image",
        &[example(
            "glance-cache-manage --host 127.0.0.1 delete-cached-image IMAGE_ID",
            "Remove an image from the cache",
        )],
    ),
    (
        "delete-queued-image",
        &[example(
            "glance-cache-manage --host 127.0.0.1 delete-queued-image IMAGE_ID",
            "Remove an image from the queue",
        )],
    ),
    (
        "help",
        &[example(
            "glance-cache-manage help queue-image",
            "Show the usage of a command",
        )],
    ),
    (
        "list-cached",
        &[example(
            "glance-cache-manage --host 127.0.0.1 list-cached",
            "List cached images with their sizes and hits",
        )],
    ),
    (
        "list-queued",
        &[example(
            "glance-cache-manage --config-file /etc/glance/glance-api.conf list-queued",
            "List the queue of this host",
        )],
    ),
    (
        "prefetch",
        &[example(
            "glance-cache-manage --config-file /etc/glance/glance-api.conf prefetch",
            "Download the queued images into the cache",
        )],
    ),
    (
        "prune",
        &[example(
            "glance-cache-manage --config-file /etc/glance/glance-api.conf prune",
            "Remove the images that were used least recently, down to image_cache_max_size",
        )],
    ),
    (
        "queue-image",
        &[example(
            "glance-cache-manage --host 127.0.0.1 --force queue-image IMAGE_ID",
            "Have an image downloaded into the cache before it is needed",
        )],
    ),
];

/// The examples of `glance-cache-pruner`.
const CACHE_PRUNER: Table = &[(
    "",
    &[example(
        "glance-cache-pruner --config-file /etc/glance/glance-api.conf",
        "Shrink the cache to image_cache_max_size",
    )],
)];

/// The examples of `glance-cache-cleaner`.
const CACHE_CLEANER: Table = &[(
    "",
    &[example(
        "glance-cache-cleaner --config-file /etc/glance/glance-api.conf",
        "Remove what failed or interrupted downloads left in the cache",
    )],
)];

/// The examples of `glance-cache-prefetcher`.
const CACHE_PREFETCHER: Table = &[(
    "",
    &[example(
        "glance-cache-prefetcher --config-file /etc/glance/glance-api.conf",
        "Download the queued images into the cache",
    )],
)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::argparse::{Request, read_words};
    use crate::cli::command::builtins::BUILTINS;
    use crate::cli::{api, cache_manage, manage, scrubber};

    const GRAMMARS: [Grammar; 2] = [Grammar::Glance, Grammar::Openstack];

    /// Returns the words of a line without its pipe or redirection, and without quotes.
    fn arguments(line: &str) -> Vec<String> {
        words(line)
            .iter()
            .take_while(|word| !word.starts_with(['|', '<', '>']))
            .flat_map(|word| match word.split_once(' ') {
                Some((option, value)) if option.starts_with('-') => vec![option, value],
                _ => vec![word.as_str()],
            })
            .map(|word| word.replace('\'', ""))
            .collect()
    }

    #[test]
    fn every_command_of_both_grammars_has_an_example() {
        for grammar in GRAMMARS {
            assert!(!of(grammar, "").is_empty());
            for row in grammar.rows() {
                assert!(!of(grammar, row.name).is_empty(), "{}", row.name);
            }
        }
        for builtin in BUILTINS {
            let grammars = GRAMMARS
                .iter()
                .filter(|grammar| builtin.grammar.is_none_or(|of| of == **grammar));
            for grammar in grammars {
                assert!(!of(*grammar, builtin.name).is_empty(), "{}", builtin.name);
            }
        }
    }

    #[test]
    fn every_command_of_the_operators_programs_has_an_example() {
        let manage = manage::command();
        for category in ["db", "policy"] {
            let actions = manage.find_subcommand(category).unwrap();
            for action in actions.get_subcommands() {
                let name = format!("{category} {}", action.get_name());
                assert!(!of_program("glance-manage", &name).is_empty(), "{name}");
            }
        }
        let cache = cache_manage::COMMANDS.iter().chain(cache_manage::UPKEEP);
        for name in cache.map(|row| row.name).chain(["help"]) {
            let examples = of_program("glance-cache-manage", name);
            assert!(!examples.is_empty(), "{name}");
        }
        let old = cache_manage::OLD_NAMES.iter().map(|(name, _)| *name);
        for program in old.chain([
            "glance-api",
            "glance-manage",
            "glance-scrubber",
            "glance-cache-manage",
        ]) {
            assert!(!of_program(program, "").is_empty(), "{program}");
        }
    }

    #[test]
    fn every_example_of_a_grammar_is_accepted_by_the_parser_and_names_its_command() {
        for (grammar, table) in [(Grammar::Glance, GLANCE), (Grammar::Openstack, OPENSTACK)] {
            let examples = table
                .iter()
                .flat_map(|(name, examples)| examples.iter().map(move |example| (*name, example)));
            for (name, example) in examples {
                let mut words = arguments(example.line);
                assert_eq!(words.remove(0), grammar.program());
                let named = match read_words(grammar, words) {
                    Ok(Request::Leaf(parsed)) => parsed.row.name.to_string(),
                    Ok(Request::Builtin { name, .. }) => name,
                    Ok(_) => panic!("{}: not a command", example.line),
                    Err(error) => panic!("{}: {error}", example.line),
                };
                // Some examples show a command that is needed before or after.
                let is_known =
                    named == name || name.is_empty() || example.line.contains("IMAGE_ID");
                assert!(is_known, "{name}: {}", example.line);
            }
        }
    }

    #[test]
    fn every_example_of_an_operators_program_is_accepted_by_its_parser() {
        let parsers = [
            (MANAGE, manage::command()),
            (API, api::command()),
            (SCRUBBER, scrubber::command()),
            (CACHE_MANAGE, cache_manage::command()),
        ];
        for (table, parser) in parsers {
            for (name, examples) in table {
                for example in *examples {
                    let words = arguments(example.line);
                    let read = parser.clone().try_get_matches_from(&words);
                    assert!(read.is_ok(), "{}: {read:?}", example.line);
                    assert_eq!(words[0], parser.get_name());
                    assert!(example.line.contains(name), "{name}: {}", example.line);
                }
            }
        }
        let old = [CACHE_PRUNER, CACHE_CLEANER, CACHE_PREFETCHER];
        for example in old.iter().copied().flatten().flat_map(|(_, all)| *all) {
            let words = arguments(example.line);
            let known = cache_manage::OLD_NAMES
                .iter()
                .find(|(old, _)| *old == words[0]);
            let parser = cache_manage::upkeep_command(known.unwrap().0, "");
            let read = parser.try_get_matches_from(&words);
            assert!(read.is_ok(), "{}: {read:?}", example.line);
        }
    }

    #[test]
    fn every_example_names_a_command_that_exists() {
        for (grammar, table) in [(Grammar::Glance, GLANCE), (Grammar::Openstack, OPENSTACK)] {
            for (name, _) in table {
                let is_builtin = BUILTINS.iter().any(|builtin| builtin.name == *name);
                let exists = name.is_empty() || is_builtin || grammar.find(name).is_some();
                assert!(exists, "{name}");
            }
        }
    }

    #[test]
    fn a_description_is_a_sentence_without_a_full_stop() {
        let tables = [
            GLANCE,
            OPENSTACK,
            MANAGE,
            SCRUBBER,
            CACHE_MANAGE,
            CACHE_PRUNER,
            CACHE_CLEANER,
            CACHE_PREFETCHER,
        ];
        for example in tables.iter().copied().flatten().flat_map(|(_, all)| *all) {
            let about = example.about;
            let begins = about.chars().next().is_some_and(char::is_uppercase);
            assert!(begins && !about.ends_with('.'), "{about}");
            assert!(
                !about.contains('\n') && !example.line.contains('\n'),
                "{about}"
            );
        }
    }

    #[test]
    fn an_example_of_the_second_grammar_names_the_program_that_was_called() {
        let example = of(Grammar::Openstack, "image show")[0];
        assert_eq!(
            example.called(Grammar::Glance),
            "glance image show debian-13"
        );
        assert_eq!(example.called(Grammar::Openstack), example.line);
        let example = of(Grammar::Glance, "image-show")[0];
        assert_eq!(example.called(Grammar::Openstack), example.line);
    }

    #[test]
    fn a_long_line_is_broken_outside_of_quotes_and_not_between_an_option_and_its_value() {
        let line = "glance md-tag-create NAMESPACE --name 'a b c d e f g' --append";
        let broken = break_line(line, 40);
        assert_eq!(
            broken,
            [
                "glance md-tag-create NAMESPACE \\",
                "    --name 'a b c d e f g' --append"
            ]
        );
        assert_eq!(break_line("glance help", 40), ["glance help"]);
        let joined = broken.join("\n").replace(" \\\n    ", " ");
        assert_eq!(joined, line);
    }
}
