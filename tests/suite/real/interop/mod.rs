//! The real Glance and our programs on the same database and the same files.
//!
//! `tests/realcloud` makes the real one; it needs python3, and a package index the first time.

mod encrypted;
mod schemas;
mod steps;
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use glance_tools::data::{Algorithm, Hasher};
use serde_json::{Value, json};
use tempfile::TempDir;

use steps::{DISKS, Step, create, id, ids, make_disks, member_steps, step, steps};

use crate::support::drivers::Modules;
use crate::support::realcloud::{known, output_of, script, venv};
use crate::support::{GLANCE, Place, block_on};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");

/// The users of the real cloud, with what they are in local mode.
const USERS: [(&str, &str); 3] = [("admin", "admin"), ("demo", "member"), ("other", "member")];

/// A real Keystone and a real Glance, stopped when this is dropped, or else when the test ends.
struct Cloud {
    directory: TempDir,
    known: BTreeMap<String, String>,
    /// The packages that its stores need.
    modules: Option<Modules>,
}

impl Cloud {
    fn start() -> Self {
        Self::begin(None)
    }

    /// The same with further lines of Glance's configuration.
    fn start_with(configuration: &Path, modules: Modules) -> Self {
        Self::begin(Some((configuration, modules)))
    }

    fn begin(more: Option<(&Path, Modules)>) -> Self {
        let directory = TempDir::new().unwrap();
        let mut up = up(directory.path());
        if let Some((configuration, modules)) = &more {
            up.env("REALCLOUD_MORE", configuration)
                .env("REALCLOUD_MODULES", modules.path());
        }
        output_of(&mut up);
        Self {
            known: known(directory.path()),
            directory,
            modules: more.map(|(_, modules)| modules),
        }
    }

    /// Makes Glance serve a data directory in place of what it serves.
    fn serve(&self, data: &Path) {
        output_of(
            Command::new(script("down"))
                .arg(self.directory.path())
                .arg("glance"),
        );
        output_of(up(self.directory.path()).env("REALCLOUD_DATA", data));
    }

    /// Runs the real scrubber on what Glance serves.
    fn scrub(&self) {
        let program = self.directory.path().join("venv/bin/glance-scrubber");
        let mut scrubber = Command::new(program);
        scrubber
            .arg("--config-file")
            .arg(self.config_file())
            .env("PYTHONWARNINGS", "ignore");
        if let Some(modules) = &self.modules {
            scrubber.env("PYTHONPATH", modules.path());
        }
        output_of(&mut scrubber);
    }

    /// The configuration of the real Glance.
    fn config_file(&self) -> PathBuf {
        self.directory.path().join("glance/etc/glance-api.conf")
    }

    /// A user of the cloud, in the words of `GLANCE_AS`.
    fn caller(&self, user: &str, role: &str) -> String {
        let id = |what: &str| &self.known[&format!("{}_{what}", user.to_uppercase())];
        format!("{}:{role}:{}", id("PROJECT"), id("USER"))
    }

    /// A program of the real ones, as a user.
    fn run(&self, user: &str, program: &str, words: &[&str]) -> String {
        let mut command = Command::new("bash");
        command
            .args(["-c", ". \"$0\"; exec \"$@\" <&-"])
            .arg(self.directory.path().join(format!("{user}.rc")))
            .arg(self.directory.path().join("venv/bin").join(program))
            .args(words)
            .env("PYTHONWARNINGS", "ignore");
        output_of(&mut command)
    }

    /// The steps by the real client.
    fn play(&self, steps: &[Step]) {
        let steps: Vec<_> = steps
            .iter()
            .map(|step| json!([step.user, step.words, step.input]))
            .collect();
        let mut play = Command::new(self.directory.path().join("venv/bin/python"));
        play.arg(script("play.py"))
            .arg(self.directory.path())
            .arg(json!(steps).to_string());
        output_of(play.env("PYTHONWARNINGS", "ignore"));
    }

    /// What the real Glance shows a user: see `client.py`.
    fn seen(&self, user: &str, ids: &[&str]) -> Value {
        let mut client = Command::new(self.directory.path().join("venv/bin/python"));
        client
            .arg(script("client.py"))
            .arg(self.directory.path())
            .arg(user)
            .args(ids);
        let mut seen: Value = serde_json::from_str(&output_of(&mut client)).unwrap();
        for image in seen["images"].as_object_mut().unwrap().values_mut() {
            compare_as_glance_shows(&mut image["record"]);
        }
        seen
    }
}

/// The command that starts what does not run of a cloud.
fn up(directory: &Path) -> Command {
    let mut up = Command::new(script("up"));
    up.arg(directory).arg(std::process::id().to_string());
    up
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = Command::new(script("down"))
            .arg(self.directory.path())
            .status();
    }
}

/// Brings a record of the API into the form in which `image-show` prints it.
fn compare_as_glance_shows(record: &mut Value) {
    let Some(fields) = record.as_object_mut() else {
        return;
    };
    for name in ["self", "file", "schema", "access"] {
        fields.remove(name);
    }
    if fields["virtual_size"].as_u64().unwrap_or(0) == 0 {
        fields["virtual_size"] = json!("Not available");
    }
    sort_tags(fields);
}

fn sort_tags(fields: &mut serde_json::Map<String, Value>) {
    if let Some(tags) = fields.get_mut("tags").and_then(Value::as_array_mut) {
        tags.sort_by_key(Value::to_string);
    }
}

/// Our programs on one deployment.
struct Ours<'a> {
    place: &'a Place,
    cloud: &'a Cloud,
    /// The options that choose the deployment.
    options: Vec<String>,
}

impl Ours<'_> {
    fn run(&self, user: &str, words: &[&str]) -> Output {
        let (_, role) = USERS.into_iter().find(|(name, _)| *name == user).unwrap();
        let mut command = self.place.command("/bin/sh");
        command
            .args(["-c", "exec \"$0\" \"$@\" <&-", GLANCE])
            .args(&self.options)
            .args(words)
            .env("GLANCE_AS", self.cloud.caller(user, role));
        command.output().unwrap()
    }

    /// Standard output of a command that MUST succeed.
    #[track_caller]
    fn ok(&self, user: &str, words: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(user, words);
        assert!(
            status.success(),
            "{words:?} as {user}: {}",
            String::from_utf8_lossy(&stderr)
        );
        String::from_utf8(stdout).unwrap()
    }

    /// What our programs show a user, in the form of [`Cloud::seen`].
    fn seen(&self, user: &str, ids: &[&str]) -> Value {
        let list = |words: &[&str]| -> Vec<String> {
            let rows: Value = serde_json::from_str(&self.ok(user, words)).unwrap();
            let mut ids: Vec<String> = rows
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["ID"].as_str().unwrap().to_string())
                .collect();
            ids.sort();
            ids
        };
        let look = |id: &str| {
            let shown = self.run(user, &["--format", "json", "image-show", id]);
            let mut record: Value = match shown.status.code() {
                Some(0) => serde_json::from_slice(&shown.stdout).unwrap(),
                code => {
                    let said = String::from_utf8_lossy(&shown.stderr);
                    assert!(code == Some(1) && said.contains("404"), "{said}");
                    Value::Null
                }
            };
            if let Some(fields) = record.as_object_mut() {
                sort_tags(fields);
            }
            let file = self.place.file("downloaded");
            let saved = self.run(
                user,
                &["image-download", id, "--file", file.to_str().unwrap()],
            );
            let data = saved.status.success().then(|| sha512(&file));
            let _ = fs::remove_file(&file);
            json!({"record": record, "data": data})
        };
        let images: BTreeMap<&str, Value> = ids.iter().map(|id| (*id, look(id))).collect();
        json!({
            "listed": list(&["--format", "json", "image-list"]),
            "hidden": list(&["--format", "json", "image-list", "--hidden"]),
            "images": images,
        })
    }
}

fn sha512(path: &Path) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(&fs::read(path).unwrap());
    hasher.finish()
}

fn fields(image: &Value) -> impl Iterator<Item = &str> {
    image["record"]
        .as_object()
        .into_iter()
        .flat_map(|record| record.keys().map(String::as_str))
}

/// Panics unless every user is shown the same by the real Glance and by ours; what that is, by user.
#[track_caller]
fn assert_same(cloud: &Cloud, ours: &Ours<'_>, ids: &[&str]) -> BTreeMap<&'static str, Value> {
    let mut differences = Vec::new();
    let mut all = BTreeMap::new();
    for (user, _) in USERS {
        let theirs = cloud.seen(user, ids);
        let own = ours.seen(user, ids);
        let mut compare = |what: &str, theirs: Option<&Value>, own: Option<&Value>| {
            if theirs != own {
                let text = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
                differences.push(format!(
                    "{user}, {what}: theirs {}, ours {}",
                    text(theirs),
                    text(own)
                ));
            }
        };
        for what in ["listed", "hidden"] {
            compare(what, theirs.get(what), own.get(what));
        }
        for id in ids {
            let (theirs, own) = (&theirs["images"][id], &own["images"][id]);
            compare(
                &format!("data of {id}"),
                theirs.get("data"),
                own.get("data"),
            );
            for field in fields(theirs).chain(fields(own)).collect::<BTreeSet<_>>() {
                compare(
                    &format!("{field} of {id}"),
                    theirs["record"].get(field),
                    own["record"].get(field),
                );
            }
        }
        all.insert(user, theirs);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    all
}

/// The two layouts of a data directory that the tests use.
#[derive(Clone, Copy, Debug)]
enum Layout {
    /// One store without a name, nothing configured.
    Plain,
    /// The stores `fast` and `slow`, named by the directory's own `glance-api.conf`.
    Named,
}

impl Layout {
    fn has_named_stores(self) -> bool {
        matches!(self, Self::Named)
    }

    /// A data directory with nothing in it yet.
    fn prepare(self, data: &Path) {
        for name in ["images", "images2", "staging", "cache"] {
            fs::create_dir_all(data.join(name)).unwrap();
        }
        if self.has_named_stores() {
            let data = data.display();
            let text = format!(
                "[DEFAULT]\nenabled_backends = fast:file, slow:file\nshow_multiple_locations = true\n\
                 [glance_store]\ndefault_backend = fast\n\
                 [fast]\nfilesystem_store_datadir = {data}/images\n[slow]\nfilesystem_store_datadir = {data}/images2\n"
            );
            fs::write(format!("{data}/glance-api.conf"), text).unwrap();
        } else {
            // The real one is told to show locations; what is shown is not what is tested here.
            fs::write(
                data.join("glance-api.conf"),
                "[DEFAULT]\nshow_multiple_locations = true\n",
            )
            .unwrap();
        }
    }
}

#[test]
fn the_real_glance_serves_a_data_directory_of_ours() {
    let cloud = Cloud::start();
    for layout in [Layout::Plain, Layout::Named] {
        let place = Place::new();
        make_disks(&place);
        layout.prepare(&place.data());
        let ours = Ours {
            place: &place,
            cloud: &cloud,
            options: Vec::new(),
        };
        let steps = steps(&place, layout.has_named_stores());
        for step in steps.iter().chain(&member_steps(&cloud)) {
            ours.ok(step.user, &step.words());
        }
        cloud.serve(&place.data());

        let ids = ids();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let seen = assert_same(&cloud, &ours, &ids);
        for (number, (name, _)) in (1..).zip(DISKS) {
            assert_eq!(
                seen["admin"]["images"][id(number)]["data"],
                sha512(&place.file(name)),
                "{layout:?} {name}"
            );
        }
        assert_eq!(
            seen["admin"]["images"][id(20)]["data"],
            sha512(&place.file("disk.raw")),
            "deactivated"
        );
        assert!(
            seen["other"]["listed"]
                .as_array()
                .unwrap()
                .contains(&json!(id(15))),
            "accepted member"
        );

        // Its own programs, and changes that they make in our directory.
        let saved = place.file("saved");
        let listed = cloud.run(
            "demo",
            "openstack",
            &["image", "list", "-f", "value", "-c", "Name"],
        );
        assert!(
            listed.contains("crème 図") && listed.contains("demo's shared"),
            "{listed}"
        );
        cloud.run(
            "admin",
            "glance",
            &["image-download", &id(2), "--file", saved.to_str().unwrap()],
        );
        assert_eq!(sha512(&saved), sha512(&place.file("disk.qcow2")));
        let file = place.file("disk.qcow2");
        let words = [
            "--name",
            "theirs",
            "--disk-format",
            "qcow2",
            "--container-format",
            "bare",
            "--file",
        ];
        cloud.play(&[
            step("admin", &["image-delete", &id(1)]),
            step(
                "admin",
                &[
                    "image-update",
                    &id(3),
                    "--name",
                    "renamed",
                    "--property",
                    "by=theirs",
                ],
            ),
            create("admin", 30, &[&words, &[file.to_str().unwrap()]]),
        ]);
        ours.ok("admin", &["image-delete", &id(2)]);
        ours.ok(
            "admin",
            &[
                "image-update",
                &id(4),
                "--name",
                "renamed",
                "--property",
                "by=ours",
            ],
        );
        assert_same(&cloud, &ours, &ids);
        for (gone, number) in [(true, 1), (true, 2), (false, 3), (false, 30)] {
            assert_eq!(
                gone,
                !place.data().join("images").join(id(number)).exists(),
                "data of image {number}"
            );
        }
    }
}

#[test]
fn ours_serves_what_a_real_glance_stored() {
    let cloud = Cloud::start();
    for layout in [Layout::Named, Layout::Plain] {
        let place = Place::new();
        make_disks(&place);
        let options = if layout.has_named_stores() {
            vec![
                "--config-file".to_string(),
                cloud.config_file().display().to_string(),
            ]
        } else {
            layout.prepare(&place.data());
            cloud.serve(&place.data());
            Vec::new()
        };
        let ours = Ours {
            place: &place,
            cloud: &cloud,
            options,
        };
        cloud.play(&steps(&place, layout.has_named_stores()));
        cloud.play(&member_steps(&cloud));

        let ids = ids();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let seen = assert_same(&cloud, &ours, &ids);
        for (number, (name, _)) in (1..).zip(DISKS) {
            assert_eq!(
                seen["admin"]["images"][id(number)]["data"],
                sha512(&place.file(name)),
                "{layout:?} {name}"
            );
        }
        assert_eq!(
            seen["other"]["images"][id(15)]["data"],
            sha512(&place.file("disk.raw")),
            "accepted member"
        );

        // The same commands by ours, elsewhere: the same facts are found out about the same data.
        let own = Place::new();
        Layout::Named.prepare(&own.data());
        let elsewhere = Ours {
            place: &own,
            cloud: &cloud,
            options: Vec::new(),
        };
        for step in steps(&place, layout.has_named_stores()) {
            elsewhere.ok(step.user, &step.words());
        }
        let again = elsewhere.seen("admin", &ids);
        for id in &ids {
            for field in [
                "name",
                "status",
                "size",
                "virtual_size",
                "checksum",
                "os_hash_algo",
                "os_hash_value",
                "disk_format",
                "container_format",
                "visibility",
                "protected",
                "os_hidden",
                "min_disk",
                "min_ram",
                "owner",
                "tags",
            ] {
                let of = |seen: &Value| seen["images"][*id]["record"][field].clone();
                assert_eq!(of(&again), of(&seen["admin"]), "{field} of {id}");
            }
        }

        // Both at work on the same database.
        let file = place.file("disk.qcow2");
        let words = [
            "--name",
            "ours",
            "--visibility",
            "public",
            "--disk-format",
            "qcow2",
            "--container-format",
            "bare",
        ];
        let create = create("admin", 30, &[&words, &["--file", file.to_str().unwrap()]]);
        ours.ok(create.user, &create.words());
        ours.ok("admin", &["image-delete", &id(1)]);
        cloud.run("admin", "glance", &["image-delete", &id(2)]);
        let seen = assert_same(&cloud, &ours, &ids);
        assert_eq!(seen["other"]["images"][id(30)]["data"], sha512(&file));
        assert_eq!(seen["admin"]["images"][id(1)]["record"], Value::Null);
    }
}

#[test]
fn the_real_glance_and_ours_read_what_the_other_wrote_on_mariadb() {
    let python = venv().join("bin/python");
    let place = block_on(Place::on_mariadb());
    let config = place.write("glance.conf", place.schema().unwrap().configuration());
    let manage = venv().join("bin/glance-manage");
    output_of(
        Command::new(manage)
            .arg("--config-file")
            .arg(&config)
            .arg("db_sync"),
    );
    let theirs = |what: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mariadb/theirs.py");
        let mut code = Command::new(&python);
        code.arg(script)
            .arg(&config)
            .arg(what)
            .env("PYTHONWARNINGS", "ignore");
        output_of(&mut code)
    };
    theirs("make");
    let show = |name: &str| -> Value {
        let shown = place.glance(&["image", "show", name, "-f", "json"]).ok();
        serde_json::from_str(&shown).unwrap()
    };
    let shown = show("theirs é");
    assert_eq!(shown["size"], 5);
    assert_eq!(shown["tags"], json!(["one", "two"]));
    assert_eq!(shown["properties"]["colour"], "blue");
    let members = [
        "image",
        "member",
        "list",
        "theirs é",
        "-f",
        "value",
        "-c",
        "Member ID",
    ];
    assert_eq!(place.glance(&members).ok(), "acme\n");

    // Both images are changed by the one that did not make them, and read by the other.
    place
        .glance(&[
            "image",
            "set",
            "theirs é",
            "--property",
            "colour=red",
            "--tag",
            "three",
        ])
        .ok();
    let file = place.write("data", "hello");
    let file = file.to_str().unwrap();
    let create = [
        "image",
        "create",
        "ours",
        "--file",
        file,
        "--property",
        "ours=1",
        "--tag",
        "t",
        "--shared",
    ];
    place.glance(&create).ok();
    place
        .glance(&["image", "add", "project", "ours", "acme"])
        .ok();
    let seen: Value = serde_json::from_str(&theirs("show")).unwrap();
    assert_eq!(
        seen["theirs é"]["properties"],
        json!({"colour": "red", "empty": ""})
    );
    assert_eq!(seen["theirs é"]["tags"], json!(["one", "three", "two"]));
    let ours = &seen["ours"];
    let shown = show("ours");
    for field in [
        "id",
        "status",
        "size",
        "owner",
        "visibility",
        "disk_format",
        "min_disk",
        "checksum",
    ] {
        assert_eq!(ours[field], shown[field], "{field}");
    }
    assert_eq!(
        ours["created_at"].as_str().unwrap().to_owned() + "Z",
        shown["created_at"].as_str().unwrap()
    );
    assert_eq!(ours["properties"]["ours"], "1");
    assert_eq!(ours["tags"], json!(["t"]));
    assert_eq!(ours["members"], json!([["acme", "pending"]]));
    let id = ours["id"].as_str().unwrap();
    assert!(
        ours["locations"][0][0].as_str().unwrap().ends_with(id),
        "{ours}"
    );
}

/// A program of ours on the configuration of the running Glance; what it said on stdout.
#[track_caller]
fn operate(place: &Place, cloud: &Cloud, program: &str, words: &[&str]) -> String {
    let mut command = place.command(program);
    command
        .env_remove("GLANCE_DATA_DIR")
        .arg("--config-file")
        .arg(cloud.config_file())
        .args(words);
    output_of(&mut command)
}

/// Which of the images the real Glance shows to an administrator, and gives the right data of.
fn served(cloud: &Cloud, place: &Place, numbers: std::ops::RangeInclusive<u8>) -> Vec<u8> {
    let ids: Vec<String> = numbers.clone().map(id).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let seen = cloud.seen("admin", &ids);
    let data = sha512(&place.file("disk.raw"));
    let right = |number: &u8| seen["images"][id(*number)]["data"] == data.as_str();
    numbers.filter(right).collect()
}

#[test]
fn the_operators_programs_work_beside_a_running_glance() {
    const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
    const CACHE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");
    let cloud = Cloud::start();
    let place = Place::new();
    make_disks(&place);
    // Two of the disks fit into the cache.
    let size = fs::metadata(place.file("disk.raw")).unwrap().len();
    place.configure(&format!(
        "[DEFAULT]\ndelayed_delete = true\nscrub_time = 0\nimage_cache_max_size = {}\n",
        2 * size
    ));
    place
        .command(MANAGE)
        .args(["--data-dir"])
        .arg(place.data())
        .arg("db_sync")
        .status()
        .unwrap();
    cloud.serve(&place.data());
    let file = place.file("disk.raw");
    let words = [
        "--name",
        "disk",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
    ];
    let words = [
        &words[..],
        &["--property", "by=theirs", "--file", file.to_str().unwrap()],
    ];
    let steps: Vec<Step> = (1..=8)
        .map(|number| create("admin", number, &words))
        .collect();
    cloud.play(&steps);
    let stored = || crate::support::files(&place.data().join("images"));
    let all: BTreeSet<String> = (1..=8).map(id).collect();
    assert!(stored().is_superset(&all));

    // Deleted by Glance, scrubbed by ours, but for one that is taken back.
    let delete = |number| step("admin", &["image-delete", &id(number)]);
    cloud.play(&[delete(1), delete(2), delete(3)]);
    assert!(stored().is_superset(&all), "deletion is delayed");
    operate(&place, &cloud, SCRUBBER, &["--restore", &id(3)]);
    operate(&place, &cloud, SCRUBBER, &[]);
    assert!(!stored().contains(&id(1)) && !stored().contains(&id(2)));
    assert_eq!(served(&cloud, &place, 1..=8), [3, 4, 5, 6, 7, 8]);
    let shown = cloud.run("admin", "glance", &["image-show", &id(3)]);
    assert!(
        shown.contains("theirs") && shown.contains("active"),
        "{shown}"
    );

    // What is purged is nothing that Glance needs; the ids stay taken until the images go too.
    operate(
        &place,
        &cloud,
        MANAGE,
        &["db", "purge", "--age_in_days", "0", "--max_rows", "-1"],
    );
    assert_eq!(served(&cloud, &place, 1..=8), [3, 4, 5, 6, 7, 8]);
    let shown = cloud.run("admin", "glance", &["image-show", &id(3)]);
    assert!(shown.contains("theirs"), "{shown}");
    operate(
        &place,
        &cloud,
        MANAGE,
        &["db", "purge_images_table", "--age_in_days", "0"],
    );
    assert_eq!(served(&cloud, &place, 1..=8), [3, 4, 5, 6, 7, 8]);
    cloud.play(&[create("admin", 1, &words)]);
    assert_eq!(served(&cloud, &place, 1..=1), [1]);

    // Its cache, which it filled when it gave the data: pruned to two images, cleaned, filled from its queue.
    let listed = || operate(&place, &cloud, CACHE, &["list-cached"]);
    let count = |text: &str| (1..=8).filter(|number| text.contains(&id(*number))).count();
    assert_eq!(count(&listed()), 7);
    operate(&place, &cloud, CACHE, &["prune"]);
    assert_eq!(count(&listed()), 2);
    assert_eq!(served(&cloud, &place, 1..=8), [1, 3, 4, 5, 6, 7, 8]);
    operate(&place, &cloud, CACHE, &["-f", "delete-all-cached-images"]);
    operate(&place, &cloud, CACHE, &["clean"]);
    cloud.run("admin", "glance", &["cache-queue", &id(4)]);
    operate(&place, &cloud, CACHE, &["prefetch"]);
    assert_eq!(count(&listed()), 1);
    let theirs = cloud.run("admin", "glance", &["cache-list"]);
    assert!(theirs.contains(&id(4)) && count(&theirs) == 1, "{theirs}");
    assert_eq!(served(&cloud, &place, 4..=4), [4]);
}
