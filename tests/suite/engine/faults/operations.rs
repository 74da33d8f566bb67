//! Every operation of the four programs that changes anything.

use super::deployment::{CACHE, Deployment, KEPT, MANAGE, SCRUBBER, SECOND, SUBJECT};
use crate::support::GLANCE;

/// The command after a fault, which MUST put everything right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// `glance image-list`
    List,
    /// `glance-cache-manage clean`
    CleanCache,
    /// `glance-manage db version`: of a database that other commands refuse.
    Version,
}

impl Next {
    /// Its program and words.
    pub fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::List => (GLANCE, &["image-list"]),
            Self::CleanCache => (CACHE, &["clean"]),
            Self::Version => (MANAGE, &["db", "version"]),
        }
    }
}

type Words = Vec<String>;

/// A command that changes a deployment.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of an operation, in any combination"
)]
pub struct Operation {
    pub name: &'static str,
    /// More configuration; it begins in `[DEFAULT]`. None for a directory without any.
    pub configuration: Option<&'static str>,
    /// Whether there are images that it must leave alone.
    pub has_bystanders: bool,
    pub prepare: fn(&Deployment),
    pub program: &'static str,
    pub words: fn(&Deployment) -> Words,
    /// The input that is piped in.
    pub input: Option<&'static str>,
    pub next: Next,
    /// States that it may leave when it fails, beside the old and the new one: each made from the old one.
    pub between: Vec<fn(&Deployment)>,
    /// Whether it does several things of which some may be done when it fails.
    pub is_partial: bool,
    /// Whether it ends well when it has recorded a task, which then says whether the work failed.
    pub is_task: bool,
    /// Whether a power cut may take what it did, even after its end: a cache is filled again.
    pub is_volatile: bool,
    /// What the names of files begin with that may be left until the operation is repeated.
    pub residue: Option<&'static str>,
}

impl Operation {
    /// An operation of `glance` on a deployment with named stores.
    pub fn new(name: &'static str, words: fn(&Deployment) -> Words) -> Self {
        Self {
            name,
            configuration: Some(""),
            has_bystanders: true,
            prepare: |_| {},
            program: GLANCE,
            words,
            input: None,
            next: Next::List,
            between: Vec::new(),
            is_partial: false,
            is_task: false,
            is_volatile: false,
            residue: None,
        }
    }

    fn of(mut self, program: &'static str) -> Self {
        self.program = program;
        self
    }

    fn after(mut self, prepare: fn(&Deployment)) -> Self {
        self.prepare = prepare;
        self
    }

    fn configured(mut self, configuration: &'static str) -> Self {
        self.configuration = Some(configuration);
        self
    }

    fn with_input(mut self, input: &'static str) -> Self {
        self.input = Some(input);
        self
    }

    fn followed_by(mut self, next: Next) -> Self {
        self.next = next;
        self
    }

    fn or(mut self, between: fn(&Deployment)) -> Self {
        self.between.push(between);
        self
    }

    fn partial(mut self) -> Self {
        self.is_partial = true;
        self
    }

    /// Which ends well when a task says that it failed.
    fn by_task(mut self) -> Self {
        self.is_task = true;
        self
    }

    /// In a directory where nothing is yet.
    fn unconfigured(mut self) -> Self {
        self.configuration = None;
        self.alone()
    }

    fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    fn alone(mut self) -> Self {
        self.has_bystanders = false;
        self
    }

    fn leaving(mut self, residue: &'static str) -> Self {
        self.residue = Some(residue);
        self
    }

    /// Makes the deployment that it works on.
    pub fn set_up(&self, deployment: &Deployment) {
        deployment.clear();
        if let Some(configuration) = self.configuration {
            deployment.configure(configuration);
        }
        if self.has_bystanders {
            deployment.add_bystanders();
        }
        (self.prepare)(deployment);
        deployment.keep_template();
    }
}

fn words(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_string()).collect()
}

/// `image-create` of the image that an operation is about.
fn creation(more: &[&str]) -> Words {
    let first = ["image-create", "--id", SUBJECT, "--name", "an image"];
    let formats = ["--disk-format", "raw", "--container-format", "bare"];
    words(&[&first[..], &formats, more].concat())
}

fn queued(deployment: &Deployment) {
    deployment.create(SUBJECT, &[]);
}

fn active(deployment: &Deployment) {
    deployment.create_active(SUBJECT);
}

fn staged(deployment: &Deployment) {
    deployment.create_staged(SUBJECT);
}

/// An active image with a copy in each store.
fn copied(deployment: &Deployment) {
    active(deployment);
    let copy = ["image-import", "--import-method", "copy-image"];
    deployment.glance(&[&copy[..], &["--stores", "slow", SUBJECT]].concat());
}

fn shared(deployment: &Deployment) {
    active(deployment);
    deployment.share_data(SUBJECT, SECOND);
}

/// An active image whose data is in a store and on a web server.
fn on_the_web(deployment: &Deployment) {
    active(deployment);
    deployment.glance(&["location-add", SUBJECT, "--url", &deployment.url()]);
}

fn decorated(deployment: &Deployment) {
    active(deployment);
    deployment.glance(&["image-tag-update", SUBJECT, "red"]);
    deployment.glance(&["member-create", SUBJECT, "a-member"]);
    deployment.glance(&["image-update", SUBJECT, "--property", "a=1"]);
}

/// Two images that wait for the scrubber.
fn waiting(deployment: &Deployment) {
    decorated(deployment);
    deployment.create_active(SECOND);
    deployment.glance(&["image-delete", SUBJECT]);
    deployment.glance(&["image-delete", SECOND]);
}

fn cached(deployment: &Deployment) {
    active(deployment);
    let queue = ["-f", "queue-image", SUBJECT];
    deployment.run(CACHE, &queue, None).ok();
}

fn cached_twice(deployment: &Deployment) {
    cached(deployment);
    deployment.create_active(SECOND);
    deployment
        .run(CACHE, &["-f", "queue-image", SECOND], None)
        .ok();
}

/// Two images that were deleted long ago.
fn deleted(deployment: &Deployment) {
    decorated(deployment);
    deployment.create_active(SECOND);
    deployment.glance(&["image-delete", SUBJECT]);
    deployment.glance(&["image-delete", SECOND]);
    for table in [
        "images",
        "image_locations",
        "image_properties",
        "image_tags",
        "image_members",
    ] {
        deployment.sql(&format!(
            "UPDATE {table} SET deleted_at = '2020-01-01 00:00:00.000000' WHERE deleted = 1"
        ));
    }
}

fn namespace(deployment: &Deployment) {
    deployment.glance(&[
        "md-namespace-create",
        "A::Namespace",
        "--visibility",
        "public",
    ]);
}

fn definitions(deployment: &Deployment) {
    let text = r#"{"namespace": "Loaded", "display_name": "Loaded", "visibility": "public", "protected": false,
        "properties": {"one": {"title": "One", "type": "string"}, "two": {"title": "Two", "type": "integer"}},
        "tags": [{"name": "t"}], "objects": [{"name": "o", "properties": {"p": {"title": "P", "type": "string"}}}],
        "resource_type_associations": [{"name": "OS::Nova::Flavor"}]}"#;
    std::fs::create_dir_all(deployment.input("metadefs")).unwrap();
    std::fs::write(deployment.input("metadefs/loaded.json"), text).unwrap();
}

fn import(more: &[&str]) -> Words {
    words(&[&["image-import", "--wait"], more, &[SUBJECT]].concat())
}

const CACHING: &str = "image_cache_driver = sqlite\n[paste_deploy]\nflavor = caching\n";
const CENTRAL_CACHING: &str =
    "image_cache_driver = centralized_db\n[paste_deploy]\nflavor = caching\n";
const DELAYED: &str = "delayed_delete = true\n";
const UNPACKING: &str = "[image_import_opts]\nimage_import_plugins = [image_decompression]\n";

/// All of them.
pub fn table() -> Vec<Operation> {
    let mut table = images();
    table.extend(imports());
    table.extend(deletions());
    table.extend(caches());
    table.extend(databases());
    table
}

fn images() -> Vec<Operation> {
    vec![
        Operation::new("create-empty", |_| creation(&[])),
        Operation::new("create-from-file", |deployment| {
            creation(&["--file", &deployment.input_word("new")])
        })
        .or(queued),
        Operation::new("create-from-pipe", |_| {
            words(&["image", "create", "--id", SUBJECT, "an image"])
        })
        .with_input("new")
        .or(|deployment| {
            deployment.glance(&["image", "create", "--id", SUBJECT, "an image"]);
        }),
        Operation::new("first-command", |_| {
            words(&["image", "create", "--id", SUBJECT, "an image"])
        })
        .with_input("new")
        .unconfigured()
        .or(|deployment| {
            deployment.glance(&["image", "create", "--id", SUBJECT, "an image"]);
        })
        // A command that only reads does not create the tables, and this one does that first.
        .or(|deployment| {
            let run = deployment.run(MANAGE, &["db", "sync"], None);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }),
        Operation::new("upload", |deployment| {
            words(&[
                "image-upload",
                "--file",
                &deployment.input_word("new"),
                SUBJECT,
            ])
        })
        .after(queued),
        Operation::new("set", |_| {
            let more = [
                "--property",
                "a=b",
                "--tag",
                "blue",
                "--min-disk",
                "5",
                SUBJECT,
            ];
            words(&[&["image", "set", "--name", "renamed"], &more[..]].concat())
        })
        .after(decorated)
        .partial(),
        Operation::new("unset", |_| {
            words(&["image", "unset", "--property", "a", "--tag", "red", SUBJECT])
        })
        .after(decorated)
        .partial(),
        Operation::new("update", |_| {
            words(&[
                "image-update",
                SUBJECT,
                "--name",
                "renamed",
                "--property",
                "a=b",
            ])
        })
        .after(decorated),
        Operation::new("tag-update", |_| {
            words(&["image-tag-update", SUBJECT, "blue"])
        })
        .after(decorated),
        Operation::new("tag-delete", |_| {
            words(&["image-tag-delete", SUBJECT, "red"])
        })
        .after(decorated),
        Operation::new("member-create", |_| {
            words(&["member-create", SUBJECT, "another"])
        })
        .after(decorated),
        Operation::new("member-update", |_| {
            words(&[
                "--as",
                "a-member",
                "member-update",
                SUBJECT,
                "a-member",
                "accepted",
            ])
        })
        .after(decorated),
        Operation::new("member-delete", |_| {
            words(&["member-delete", SUBJECT, "a-member"])
        })
        .after(decorated),
        Operation::new("deactivate", |_| words(&["image-deactivate", SUBJECT])).after(active),
        Operation::new("reactivate", |_| words(&["image-reactivate", SUBJECT])).after(
            |deployment| {
                active(deployment);
                deployment.glance(&["image-deactivate", SUBJECT]);
            },
        ),
        Operation::new("add-project", |_| {
            words(&["image", "add", "project", SUBJECT, "another"])
        })
        .after(decorated),
        Operation::new("location-update", |deployment| {
            let metadata = r#"{"note": "new"}"#;
            let url = deployment.url();
            words(&[
                "location-update",
                SUBJECT,
                "--url",
                &url,
                "--metadata",
                metadata,
            ])
        })
        .after(on_the_web),
        Operation::new("location-add", |deployment| {
            words(&["location-add", SUBJECT, "--url", &deployment.url()])
        })
        .after(queued),
        Operation::new("location-delete", |deployment| {
            words(&["location-delete", SUBJECT, "--url", &deployment.url()])
        })
        .after(on_the_web),
        Operation::new("add-location", |deployment| {
            words(&["add-location", SUBJECT, "--url", &deployment.url()])
        })
        .after(queued),
        Operation::new("save-new", |_| {
            words(&["image", "save", SUBJECT, "--file", "new.img"])
        })
        .after(active)
        .leaving("out/.new.img."),
        Operation::new("save-over", |_| {
            words(&["image", "save", SUBJECT, "--file", "old.img"])
        })
        .after(|deployment| {
            active(deployment);
            std::fs::write(deployment.root().join("out/old.img"), "old").unwrap();
        })
        .leaving("out/.old.img."),
    ]
}

fn imports() -> Vec<Operation> {
    vec![
        Operation::new("stage", |deployment| {
            words(&["image-stage", "--file", &deployment.input_word("new"), SUBJECT])
        })
        .after(queued),
        Operation::new("import-direct", |_| import(&["--import-method", "glance-direct"]))
            .after(staged),
        Operation::new("import-all", |_| {
            let stores = ["--stores", "fast,slow", "--allow-failure", "False"];
            import(&[&["--import-method", "glance-direct"], &stores[..]].concat())
        })
        .after(staged),
        Operation::new("import-some", |_| {
            let stores = ["--stores", "fast,slow", "--allow-failure", "True"];
            import(&[&["--import-method", "glance-direct"], &stores[..]].concat())
        })
        .after(staged)
        .partial(),
        Operation::new("import-unpacked", |_| import(&["--import-method", "glance-direct"]))
            .configured(UNPACKING)
            .after(|deployment| {
                let packed = std::process::Command::new("gzip")
                    .args(["-k", "-f"])
                    .arg(deployment.input("new"))
                    .status();
                assert!(packed.unwrap().success());
                queued(deployment);
                let packed = deployment.input_word("new.gz");
                deployment.glance(&["image-stage", "--file", &packed, SUBJECT]);
            }),
        Operation::new("create-via-import", |deployment| {
            let mut words = creation(&["--wait", "--file", &deployment.input_word("new")]);
            words[0] = "image-create-via-import".to_string();
            words
        })
        .or(queued)
        .or(staged),
        Operation::new("web-download", |deployment| {
            import(&["--import-method", "web-download", "--uri", &deployment.url()])
        })
        .after(queued),
        Operation::new("web-download-all", |deployment| {
            let stores = ["--stores", "fast,slow", "--allow-failure", "False"];
            let uri = deployment.url();
            import(&[&["--import-method", "web-download", "--uri", &uri], &stores[..]].concat())
        })
        .after(queued),
        Operation::new("copy-image", |_| {
            import(&["--import-method", "copy-image", "--stores", "slow"])
        })
        .after(active),
        Operation::new("task-create", |deployment| {
            let input = format!(
                r#"{{"import_from": "{}", "import_from_format": "raw", "image_properties": {{"name": "by a task", "disk_format": "raw", "container_format": "bare"}}}}"#,
                deployment.url()
            );
            words(&["task-create", "--type", "import", "--input", &input])
        })
        .by_task(),
    ]
}

fn deletions() -> Vec<Operation> {
    vec![
        Operation::new("delete", |_| words(&["image-delete", SUBJECT])).after(decorated),
        Operation::new("delete-shared", |_| words(&["image-delete", SUBJECT])).after(shared),
        Operation::new("delete-copies", |_| words(&["image-delete", SUBJECT])).after(copied),
        Operation::new("delete-staged", |_| words(&["image-delete", SUBJECT])).after(staged),
        Operation::new("delete-two", |_| {
            words(&["image", "delete", SUBJECT, SECOND])
        })
        .after(|deployment| {
            active(deployment);
            deployment.create_active(SECOND);
        })
        .or(|deployment| {
            deployment.glance(&["image-delete", SUBJECT]);
        })
        .or(|deployment| {
            deployment.glance(&["image-delete", SECOND]);
        }),
        Operation::new("delete-from-store", |_| {
            words(&["stores-delete", "--store", "slow", SUBJECT])
        })
        .after(copied),
        Operation::new("delete-from-store-shared", |_| {
            words(&["stores-delete", "--store", "slow", SUBJECT])
        })
        .after(|deployment| {
            copied(deployment);
            deployment.share_data(SUBJECT, SECOND);
        }),
        Operation::new("delete-delayed", |_| words(&["image-delete", SUBJECT]))
            .configured(DELAYED)
            .after(decorated),
        Operation::new("scrub", |_| Vec::new())
            .of(SCRUBBER)
            .configured(DELAYED)
            .after(waiting)
            .partial(),
        Operation::new("scrub-shared", |_| Vec::new())
            .of(SCRUBBER)
            .configured(DELAYED)
            .after(|deployment| {
                shared(deployment);
                deployment.glance(&["image-delete", SUBJECT]);
            })
            .partial(),
        Operation::new("scrub-restore", |_| words(&["--restore", SUBJECT]))
            .of(SCRUBBER)
            .configured(DELAYED)
            .after(waiting),
    ]
}

fn caches() -> Vec<Operation> {
    let cache = |name, words| Operation::new(name, words).configured(CACHING).volatile();
    vec![
        cache("download-cached", |_| {
            words(&["image-download", "--file", "new.img", SUBJECT])
        })
        .after(active)
        // A cache that fails keeps nobody from the data.
        .or(|deployment| {
            deployment.glance(&["image-download", "--file", "new.img", SUBJECT]);
            let delete = ["-f", "delete-cached-image", SUBJECT];
            deployment.run(CACHE, &delete, None).ok();
        })
        .followed_by(Next::CleanCache)
        .partial(),
        cache("cache-queue", |_| words(&["-f", "queue-image", SUBJECT]))
            .of(CACHE)
            .after(active)
            .followed_by(Next::CleanCache)
            .partial(),
        cache("cache-queue-central", |_| words(&["-f", "queue-image", SUBJECT]))
            .of(CACHE)
            .configured(CENTRAL_CACHING)
            .after(active)
            .followed_by(Next::CleanCache)
            .partial(),
        cache("cache-delete", |_| words(&["-f", "delete-cached-image", SUBJECT]))
            .of(CACHE)
            .after(cached)
            .followed_by(Next::CleanCache),
        cache("cache-clear", |_| words(&["-f", "delete-all-cached-images"]))
            .of(CACHE)
            .after(cached_twice)
            .followed_by(Next::CleanCache)
            .partial(),
        cache("cache-prune", |_| words(&["prune"]))
            .of(CACHE)
            .configured(
                "image_cache_driver = sqlite\nimage_cache_max_size = 100000\n[paste_deploy]\nflavor = caching\n",
            )
            .after(cached_twice)
            .followed_by(Next::CleanCache)
            .partial(),
        cache("cache-clean", |_| words(&["clean"]))
            .of(CACHE)
            .after(|deployment| {
                cached(deployment);
                let invalid = deployment.data().join("cache/invalid").join(KEPT);
                std::fs::write(invalid, "not its data").unwrap();
            })
            .followed_by(Next::CleanCache)
            .partial(),
        Operation::new("delete-while-cached", |_| words(&["image-delete", SUBJECT])).configured(CACHING)
        .after(cached),
    ]
}

fn databases() -> Vec<Operation> {
    let manage = |name, words| Operation::new(name, words).of(MANAGE);
    vec![
        manage("db-sync-fresh", |_| words(&["db", "sync"])).alone(),
        manage("db-sync-upgrade", |_| words(&["db", "sync"]))
            .alone()
            .after(|deployment| {
                let old = ["db", "sync", "ussuri_contract01"];
                let run = deployment.run(MANAGE, &old, None);
                assert_eq!(run.code, 0, "{}", run.stderr);
                deployment.sql(
                    "INSERT INTO images (id, name, size, status, created_at, updated_at, deleted, min_disk, min_ram, \
                     protected, owner, visibility) VALUES ('00000000-0000-4000-8000-000000000010', 'old', NULL, \
                     'queued', '2020-02-03 04:05:06', '2020-02-03 04:05:06', 0, 0, 0, 0, 'admin', 'private')",
                );
            })
            .followed_by(Next::Version),
        manage("db-purge", |_| words(&["db", "purge", "--age_in_days", "1"]))
            .after(deleted)
            .partial(),
        manage("db-purge-images", |_| {
            words(&["db", "purge_images_table", "--age_in_days", "1"])
        })
        .after(deleted)
        .partial(),
        manage("db-load-metadefs", |deployment| {
            words(&["db", "load_metadefs", &deployment.input_word("metadefs")])
        })
        .after(definitions),
        manage("db-unload-metadefs", |_| words(&["db", "unload_metadefs"])).after(namespace),
        Operation::new("md-namespace-create", |_| {
            words(&["md-namespace-create", "A::Namespace", "--visibility", "public"])
        }),
        Operation::new("md-namespace-delete", |_| {
            words(&["md-namespace-delete", "A::Namespace"])
        })
        .after(namespace),
        Operation::new("md-tag-create-multiple", |_| {
            words(&["md-tag-create-multiple", "A::Namespace", "--names", "a,b", "--delim", ","])
        })
        .after(namespace),
        Operation::new("md-property-create", |_| {
            let more = ["--type", "string", "--schema", "{}", "A::Namespace"];
            words(&[&["md-property-create", "--name", "p", "--title", "P"], &more[..]].concat())
        })
        .after(namespace),
        Operation::new("md-object-create", |_| {
            words(&["md-object-create", "--name", "o", "--schema", "{}", "A::Namespace"])
        })
        .after(namespace),
        Operation::new("md-resource-type-associate", |_| {
            let name = ["--name", "OS::Nova::Flavor", "A::Namespace"];
            words(&[&["md-resource-type-associate"], &name[..]].concat())
        })
        .after(namespace),
        Operation::new("md-namespace-update", |_| {
            words(&["md-namespace-update", "A::Namespace", "--description", "new"])
        })
        .after(namespace),
    ]
}
