//! Deployments as people have them: configurations that were written for other programs as well.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use crate::support::{GLANCE, Place, Run, block_on};

const MANAGE: &str = env!("CARGO_BIN_EXE_glance-manage");
const SCRUBBER: &str = env!("CARGO_BIN_EXE_glance-scrubber");
const CACHE_MANAGE: &str = env!("CARGO_BIN_EXE_glance-cache-manage");

fn run(place: &Place, program: &str, words: &[&str]) -> Run {
    // Standard input that is closed counts as none, as a terminal does.
    let mut command = place.command("/bin/sh");
    command
        .args([
            "-c",
            "exec \"$0\" --config-file glance-api.conf \"$@\" <&-",
            program,
        ])
        .args(words);
    Run::of(command.output().unwrap())
}

fn sql(place: &Place, statements: &str) -> String {
    let mut command = place.command("sqlite3");
    let output = command.arg("glance.db").arg(statements).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A deployment whose default store is of a kind that cannot be opened, beside a store of files.
fn on_ceph(more: &str) -> Place {
    let place = Place::new();
    let at = place.file("");
    place.write(
        "glance-api.conf",
        format!(
            "[DEFAULT]\nenabled_backends = ceph:rbd, fast:file, other:swift, odd:glusterfs\n{more}\n\
             [database]\nconnection = sqlite:///{at}glance.db\n[glance_store]\ndefault_backend = ceph\n\
             [ceph]\nrbd_store_pool = images\nweight = 3\n[fast]\nfilesystem_store_datadir = {at}fast\n\
             [os_glance_staging_store]\nfilesystem_store_datadir = {at}staging\n",
            at = at.display()
        ),
    );
    run(&place, MANAGE, &["db", "sync"]).ok();
    place.write("data.raw", "some data");
    place
}

/// Records an image whose data is in Ceph.
fn image_on_ceph(place: &Place) -> String {
    let words = ["image-create", "--name", "theirs", "--store", "fast"];
    let form = ["--disk-format", "raw", "--container-format", "bare"];
    let file = ["--file", "data.raw"];
    let made = run(place, GLANCE, &[&words[..], &form, &file].concat()).ok();
    let line = made.lines().find(|line| line.starts_with("| id ")).unwrap();
    let id = line.split('|').nth(2).unwrap().trim().to_string();
    let address = format!("rbd://fsid/images/{id}/snap");
    sql(
        place,
        &format!(
            "UPDATE image_locations SET value = '{address}', meta_data = '{{\"store\": \"ceph\"}}'
             WHERE image_id = '{id}'"
        ),
    );
    std::fs::remove_file(place.file("fast").join(&id)).unwrap();
    id
}

#[test]
fn a_store_that_cannot_be_opened_fails_what_needs_its_data_and_nothing_else() {
    let place = on_ceph("");
    let id = image_on_ceph(&place);
    for words in [
        &["image-list"][..],
        &["image-show", &id],
        &["image-update", "--name", "renamed", &id],
        &["image-tag-update", &id, "t"],
        &["member-list", "--image-id", &id],
        &["task-list"],
        &["md-namespace-list"],
        &["usage"],
        &["image-create", "--name", "empty"],
        &["image-deactivate", &id],
        &["image-reactivate", &id],
    ] {
        run(&place, GLANCE, words).ok();
    }
    let stores = run(&place, GLANCE, &["stores-info", "--detail"]).ok();
    for id in ["ceph", "fast", "other", "odd", "rbd", "swift", "glusterfs"] {
        assert!(stores.contains(id), "{id}: {stores}");
    }
    let unopened = "store 'ceph': Ceph's configuration, such as /etc/ceph/ceph.conf, was not found";
    let create =
        "image-create --name new --disk-format raw --container-format bare --file data.raw";
    let create: Vec<&str> = create.split(' ').collect();
    for words in [
        &["image-download", "--file", "out", &id][..],
        &["image-delete", &id],
        &create,
    ] {
        let said = run(&place, GLANCE, words).fails(1);
        assert!(said.contains(unopened), "{words:?}: {said}");
    }
    let said = run(&place, GLANCE, &[&create[..], &["--store", "odd"]].concat()).fails(1);
    let why = "glance-api.conf:2: [DEFAULT] enabled_backends: 'glusterfs' is not a type of store";
    assert!(said.contains("store 'odd' cannot be opened: "), "{said}");
    assert!(said.contains(why), "{said}");
    let status = run(&place, GLANCE, &["image-show", &id]).ok();
    assert!(status.contains("active"), "{status}");
    assert!(!place.file("out").exists());
    run(
        &place,
        GLANCE,
        &[&create[..], &["--store", "fast"]].concat(),
    )
    .ok();
}

#[test]
fn a_delayed_deletion_needs_no_store_and_the_scrubber_does_what_it_can() {
    let place = on_ceph("delayed_delete = true");
    let theirs = image_on_ceph(&place);
    let create = "image-create --name ours --disk-format raw --container-format bare --file data.raw --store fast";
    run(&place, GLANCE, &create.split(' ').collect::<Vec<_>>()).ok();
    let ours = sql(&place, "SELECT id FROM images WHERE name = 'ours'");
    run(&place, GLANCE, &["image-delete", &theirs, ours.trim()]).ok();
    let scrubbed = run(&place, SCRUBBER, &[]);
    assert!(
        scrubbed
            .stderr
            .contains("store 'ceph': Ceph's configuration"),
        "{}",
        scrubbed.stderr
    );
    let statuses = sql(&place, "SELECT name, status FROM images ORDER BY name");
    assert_eq!(statuses, "ours|deleted\ntheirs|pending_delete\n");
    assert!(!place.file("fast").join(ours.trim()).exists());
}

#[test]
fn what_a_command_does_not_need_of_the_configuration_does_not_stop_it() {
    let place = on_ceph(
        "image_cache_dir = /nowhere/cache\nimage_cache_driver = redis\nimage_cache_max_size = 10G\n\
         hashing_algorithm = whirlpool\nimage_tag_quota = many\nscrub_time = 1d\n\
         [image_import_opts]\nimage_import_plugins = [vendor]\n[DEFAULT]",
    );
    for (program, words) in [
        (MANAGE, &["db", "version"][..]),
        (MANAGE, &["db", "check"]),
        (GLANCE, &["image-list"]),
        (GLANCE, &["stores-info"]),
        (GLANCE, &["md-namespace-list"]),
    ] {
        run(&place, program, words).ok();
    }
    let upload =
        "image-create --disk-format raw --container-format bare --file data.raw --store fast";
    let upload: Vec<&str> = upload.split(' ').collect();
    for (program, words, option) in [
        (
            GLANCE,
            &["image-create", "--tags", "t"][..],
            ":7: [DEFAULT] image_tag_quota: 'many'",
        ),
        (SCRUBBER, &[], ":8: [DEFAULT] scrub_time: '1d'"),
        (
            CACHE_MANAGE,
            &["prune"],
            ":4: [DEFAULT] image_cache_driver: 'redis'",
        ),
    ] {
        let said = run(&place, program, words).fails(1);
        assert!(said.contains(option), "{said}");
    }
    let text = std::fs::read_to_string(place.file("glance-api.conf")).unwrap();
    place.write(
        "glance-api.conf",
        text.replace("image_tag_quota = many\n", "\n"),
    );
    let said = run(&place, GLANCE, &upload).fails(1);
    assert!(
        said.contains(":6: [DEFAULT] hashing_algorithm: 'whirlpool'"),
        "{said}"
    );
    let left = sql(
        &place,
        "SELECT status FROM images; SELECT count(*) FROM image_locations",
    );
    assert_eq!(left, "queued\n0\n");
}

#[test]
fn a_cache_of_a_file_without_a_database_is_looked_after_by_its_directory() {
    let place = Place::new();
    let at = place.file("cache");
    for part in ["incomplete", "invalid", "queue"] {
        std::fs::create_dir_all(at.join(part)).unwrap();
    }
    place.write(
        "glance-api.conf",
        format!(
            "[DEFAULT]\nimage_cache_dir = {}\nimage_cache_max_size = 10\n",
            at.display()
        ),
    );
    let id = |digit: char| format!("0000000{digit}-0000-4000-8000-000000000000");
    for digit in ['1', '2', '3'] {
        std::fs::write(at.join(id(digit)), "12345").unwrap();
    }
    std::fs::write(at.join("invalid").join(id('4')), "x").unwrap();
    run(&place, CACHE_MANAGE, &["clean"]).ok();
    assert!(!at.join("invalid").join(id('4')).exists());
    run(&place, CACHE_MANAGE, &["prune"]).ok();
    let left = ['1', '2', '3']
        .iter()
        .filter(|digit| at.join(id(**digit)).exists());
    assert_eq!(left.count(), 2);
    assert!(!at.join("cache.db").exists());
}

/// A database as the migrations before alembic have left it, at `version`.
fn legacy(version: i64) -> Place {
    let place = Place::new();
    let connection = format!("sqlite:///{}", place.file("glance.db").display());
    place.write(
        "glance-api.conf",
        format!("[database]\nconnection = {connection}\n"),
    );
    let revision = match version {
        43 => "mitaka01",
        44 => "mitaka02",
        45 => "ocata_contract01",
        _ => "liberty",
    };
    run(&place, MANAGE, &["db", "upgrade", "--version", revision]).ok();
    sql(
        &place,
        &format!(
            "DROP TABLE alembic_version;
             CREATE TABLE migrate_version (repository_id VARCHAR(250) NOT NULL PRIMARY KEY,
                 repository_path TEXT, version INTEGER);
             INSERT INTO migrate_version VALUES ('Glance Migrations', '/usr/lib/glance', {version})"
        ),
    );
    if version < 45 {
        sql(
            &place,
            "INSERT INTO images (id, name, status, is_public, created_at, deleted, min_disk, min_ram, protected)
             VALUES ('a', 'old', 'queued', 0, '2015-01-01 00:00:00', 0, 0, 0, 0)",
        );
    }
    place
}

#[test]
fn a_database_of_before_alembic_is_upgraded_from_the_version_that_it_notes() {
    for version in [42, 43, 44, 45] {
        let place = legacy(version);
        let said = run(&place, MANAGE, &["db", "version"]).ok();
        assert!(said.contains("legacy migration control"), "{said}");
        let said = run(&place, GLANCE, &["image-list"]).fails(1);
        assert!(said.contains("Run \"glance-manage db sync\""), "{said}");
        let synced = run(&place, MANAGE, &["db", "sync"]);
        assert_eq!(synced.code, 0, "{}", synced.stderr);
        let said = synced.text();
        assert!(said.contains("Database is synced successfully."), "{said}");
        let said = run(&place, MANAGE, &["db", "version"]).ok();
        assert_eq!(said, "2024_1_contract01\n");
        let listed = run(&place, GLANCE, &["image-list"]).ok();
        assert_eq!(listed.contains("old"), version < 45, "{listed}");
    }
}

#[test]
fn a_database_that_is_too_old_names_the_release_to_pass_through() {
    let place = legacy(37);
    for (program, words) in [(MANAGE, &["db", "sync"][..]), (GLANCE, &["image-list"])] {
        let said = run(&place, program, words).fails(1);
        assert!(
            said.contains("is at version 37 of the migrations before alembic"),
            "{said}"
        );
        assert!(
            said.contains("Liberty") && !said.contains("version_control"),
            "{said}"
        );
    }
    assert_eq!(sql(&place, "SELECT count(*) FROM images"), "1\n");
}

#[test]
fn a_table_that_is_not_glances_stops_no_sync_and_is_not_taken_for_glances() {
    let place = Place::new();
    let connection = format!("sqlite:///{}", place.file("glance.db").display());
    place.write(
        "glance-api.conf",
        format!("[database]\nconnection = {connection}\n"),
    );
    sql(&place, "CREATE TABLE bookmarks (id INTEGER)");
    let said = run(&place, GLANCE, &["image-list"]).fails(1);
    assert!(said.contains("has tables, but none of Glance's"), "{said}");
    assert_eq!(sql(&place, "SELECT count(*) FROM sqlite_master"), "1\n");
    run(&place, MANAGE, &["db", "sync"]).ok();
    run(&place, GLANCE, &["image-list"]).ok();
    sql(&place, "DROP TABLE alembic_version");
    let said = run(&place, MANAGE, &["db", "sync"]).fails(1);
    assert!(said.contains("has Glance's tables"), "{said}");
}

/// Gives a directory to another user; whether that is allowed.
fn given_away(path: &Path) -> bool {
    std::os::unix::fs::chown(path, Some(4242), Some(4343)).is_ok()
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_directory() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    if !given_away(&place.data()) {
        eprintln!("skipped: only root gives files to others");
        return;
    }
    place.configure("[DEFAULT]\nimage_cache_driver = sqlite\n[paste_deploy]\nflavor = caching\n");
    let id = place.image("a", b"data");
    place.glance(&["image", "save", &id, "--file", "out"]).ok();
    let words = [
        "image-create",
        "--name",
        "s",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
    ];
    let made = place.glance(&words).ok();
    let line = made.lines().find(|line| line.starts_with("| id ")).unwrap();
    let staged = line.split('|').nth(2).unwrap().trim();
    place.write("data.raw", "staged");
    place
        .glance(&["image-stage", "--file", "data.raw", staged])
        .ok();
    let mut seen = Vec::new();
    let mut open = vec![place.data()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if path
                .file_name()
                .is_some_and(|name| name != "glance-api.conf")
            {
                assert_eq!((metadata.uid(), metadata.gid()), (4242, 4343), "{path:?}");
            }
            if metadata.is_dir() {
                open.push(path.clone());
            }
            seen.push(path);
        }
    }
    assert!(seen.len() > 10, "{seen:?}");
}

/// Where a program is not to be found out: it ends well, or says this.
type Outcome = Result<(), &'static str>;

/// A configuration after those that a deployment tool writes, and what the programs make of it: a list, `db
/// version`, a dry run of the scrubber, a cleaning of the cache, and an upload.
struct Shape {
    name: &'static str,
    text: &'static str,
    outcomes: [Outcome; 5],
}

const FINE: Outcome = Ok(());
const NO_CACHE: Outcome = Err("names no image cache");
const RBD: Outcome = Err("/etc/ceph/ceph.conf");
const SWIFT: Outcome = Err("swift_store_auth_address: a swift store needs the address of a login");
const NO_DATABASE: Outcome = Err("names no database");

/// `@MYSQL@` is the URL of a server without parameters, `@DIR@` a directory.
const SHAPES: [Shape; 25] = [
    Shape {
        name: "Havana packages: default_store and no section of stores",
        text: "[DEFAULT]\ndefault_store = file\nfilesystem_store_datadir = @DIR@/images/\nbind_host = 0.0.0.0\n\
               sql_connection = mysql://unused\nnotifier_strategy = noop\nscrub_time = 43200\ndelayed_delete = False\n\
               [database]\nconnection = @MYSQL@\n[paste_deploy]\nflavor = keystone\n[glance_store]\n\
               filesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "Juno: known stores by class",
        text: "[database]\nconnection = @MYSQL@&charset=utf8\n[glance_store]\n\
               stores = glance.store.filesystem.Store,glance.store.http.Store,glance.store.swift.Store\n\
               default_store = file\nfilesystem_store_datadir = @DIR@/images\nswift_store_auth_address = http://k\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "Kilo with Ceph",
        text: "[DEFAULT]\nshow_image_direct_url = True\n[database]\nconnection = @MYSQL@\nidle_timeout = 3600\n\
               [glance_store]\nstores = rbd\ndefault_store = rbd\nrbd_store_pool = images\nrbd_store_user = glance\n\
               rbd_store_ceph_conf = /etc/ceph/ceph.conf\nrbd_store_chunk_size = 8\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, RBD],
    },
    Shape {
        name: "kolla-ansible: Ceph and a cache",
        text: "[DEFAULT]\nenabled_backends = ceph:rbd, http:http, file:file\nworker_self_reference_url = http://10.0.0.1:9292\n\
               transport_url = rabbit://u:p@10.0.0.1:5672//\nimage_cache_dir = @DIR@/cache\nimage_cache_max_size = 10737418240\n\
               cinder_catalog_info = volume:cinder:internalURL\n[database]\nconnection = @MYSQL@\n\
               connection_recycle_time = 10\nmax_pool_size = 1\nmax_retries = -1\n[glance_store]\ndefault_backend = ceph\n\
               [file]\nfilesystem_store_datadir = @DIR@/images\n[ceph]\nrbd_store_pool = images\n\
               [os_glance_tasks_store]\nfilesystem_store_datadir = @DIR@/tasks\n\
               [os_glance_staging_store]\nfilesystem_store_datadir = @DIR@/staging\n[barbican]\nauth_endpoint = http://k\n",
        outcomes: [FINE, FINE, FINE, FINE, RBD],
    },
    Shape {
        name: "kolla-ansible: files",
        text: "[DEFAULT]\nenabled_backends = http:http, file:file\nlog_file = @DIR@/api.log\n[database]\n\
               connection = @MYSQL@\nmax_pool_size = 1\n[glance_store]\ndefault_backend = file\n[file]\n\
               filesystem_store_datadir = @DIR@/images\n[os_glance_staging_store]\nfilesystem_store_datadir = @DIR@/staging\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "OpenStack-Ansible: NFS and a pool",
        text: "[DEFAULT]\nfatal_deprecations = False\nscrubber_datadir = @DIR@/scrubber\nimage_cache_dir = @DIR@/cache\n\
               hashing_algorithm = sha512\n[database]\nconnection = @MYSQL@&charset=utf8mb4\nmax_overflow = 50\nmax_pool_size = 5\n\
               pool_timeout = 30\nconnection_recycle_time = 600\n[glance_store]\ndefault_store = file\nstores = file,http,cinder\n\
               filesystem_store_datadir = @DIR@/images/\n",
        outcomes: [FINE, FINE, FINE, FINE, FINE],
    },
    Shape {
        name: "TripleO: an option file and Swift",
        text: "[DEFAULT]\nenabled_import_methods=[web-download]\nnode_staging_uri=file://@DIR@/staging\nimage_member_quota=128\n\
               enabled_backends=default_backend:swift\n[database]\n\
               connection=@MYSQL@&read_default_file=/etc/my.cnf.d/tripleo.cnf&read_default_group=tripleo\n\
               [glance_store]\ndefault_backend=default_backend\n[default_backend]\nswift_store_create_container_on_put=True\n\
               [image_import_opts]\nimage_import_plugins=['no_op']\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, SWIFT],
    },
    Shape {
        name: "DevStack with a plugin of SQLAlchemy",
        text: "[DEFAULT]\nenabled_backends = fast:file, cheap:file\nlogging_exception_prefix = ERROR %(name)s\n\
               use_syslog = False\n[database]\nconnection = @MYSQL@&charset=utf8&plugin=dbcounter\n[glance_store]\n\
               default_backend = fast\n[fast]\nfilesystem_store_datadir = @DIR@/fast/\n[cheap]\n\
               filesystem_store_datadir = @DIR@/cheap/\n[os_glance_staging_store]\nfilesystem_store_datadir = @DIR@/staging/\n\
               [cors]\nallowed_origin = http://a\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "Charms: several kinds of store",
        text: "[DEFAULT]\nverbose = True\nuse_syslog = False\nenabled_backends = local:file, swift:swift, ceph:rbd\n\
               registry_host = 0.0.0.0\nimage_size_cap = 1099511627776\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               default_backend = ceph\n[local]\nfilesystem_store_datadir = @DIR@/images/\n[swift]\n\
               default_swift_reference = swift\nswift_store_config_file = /etc/glance/glance-swift.conf\n[ceph]\n\
               rbd_store_pool = glance\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, RBD],
    },
    Shape {
        name: "Helm: Ceph and a memcached of the token middleware",
        text: "[DEFAULT]\nlog_config_append = /etc/glance/logging.conf\nenabled_backends = ceph:rbd\n[database]\n\
               connection = @MYSQL@&charset=utf8mb4\nmax_retries = -1\n[glance_store]\ndefault_backend = ceph\n[ceph]\n\
               rbd_store_chunk_size = 8\n[keystone_authtoken]\nmemcache_security_strategy = ENCRYPT\n[oslo_policy]\n\
               policy_file = /etc/glance/policy.yaml\n[oslo_concurrency]\nlock_path = /tmp\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, RBD],
    },
    Shape {
        name: "Puppet: S3",
        text: "[DEFAULT]\nenabled_backends=s3:s3\n[database]\nconnection=@MYSQL@\n[glance_store]\ndefault_backend=s3\n[s3]\n\
               s3_store_host=http://127.0.0.1:1\ns3_store_access_key=a\ns3_store_secret_key=hunter2\ns3_store_bucket=glance\n",
        outcomes: [
            FINE,
            FINE,
            FINE,
            NO_CACHE,
            Err("store 's3' at http://127.0.0.1:1/glance cannot be reached"),
        ],
    },
    Shape {
        name: "Cinder as a store, and the key manager",
        text: "[DEFAULT]\nenabled_backends = cinder:cinder\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               default_backend = cinder\n[cinder]\ncinder_store_auth_address = http://k\ncinder_volume_type = fast\n\
               [key_manager]\nbackend = vault\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, Err("is of kind cinder")],
    },
    Shape {
        name: "A vendor's store",
        text: "[DEFAULT]\nenabled_backends = acme:acme_block, file:file\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               default_backend = file\n[file]\nfilesystem_store_datadir = @DIR@/images\n[acme]\nacme_secret = x\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "A vendor's import plugin and method",
        text: "[DEFAULT]\nenabled_import_methods = [glance-direct,acme-import]\n[image_import_opts]\n\
               image_import_plugins = [acme_scan]\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               filesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "RDO: the cache's file without a database",
        text: "[DEFAULT]\nimage_cache_dir = @DIR@/cache\nlog_file = @DIR@/image-cache.log\nadmin_user = glance\n\
               auth_url = http://127.0.0.1:5000/v3/\nfilesystem_store_datadir = @DIR@/images/\n",
        outcomes: [NO_DATABASE, NO_DATABASE, NO_DATABASE, FINE, NO_DATABASE],
    },
    Shape {
        name: "Ubuntu: the cache's file, a driver of its own",
        text: "[DEFAULT]\nimage_cache_dir = @DIR@/cache/\nimage_cache_driver = sqlite\nimage_cache_sqlite_db = cache.db\n\
               image_cache_stall_time = 86400\ndigest_algorithm = sha256\n",
        outcomes: [NO_DATABASE, NO_DATABASE, NO_DATABASE, FINE, NO_DATABASE],
    },
    Shape {
        name: "The scrubber's file: database and stores alone",
        text: "[DEFAULT]\nlog_file = @DIR@/scrubber.log\ndaemon = False\nwakeup_time = 300\nregistry_host = localhost\n\
               [database]\nconnection = @MYSQL@\nbackend = sqlalchemy\n[glance_store]\nfilesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "mysqlclient as driver, and sizes with a unit",
        text: "[DEFAULT]\nimage_cache_dir = @DIR@/cache\nimage_cache_max_size = 10G\nuser_storage_quota = 0\n[database]\n\
               connection = @MYSQL@&charset=latin1&init_command=SET%20SESSION%20wait_timeout%3D28800&max_allowed_packet=1073741824\n\
               [glance_store]\nfilesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, FINE, FINE],
    },
    Shape {
        name: "An SQLite database with parameters",
        text: "[database]\nconnection = sqlite:////@DIR@/glance.db?timeout=30\nsqlite_synchronous = True\n[glance_store]\n\
               filesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "Several directories by priority",
        text: "[database]\nconnection = @MYSQL@\n[glance_store]\nfilesystem_store_datadirs = @DIR@/a:200\n\
               filesystem_store_datadirs = @DIR@/b:100\nfilesystem_store_metadata_file = /etc/glance/meta.json\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
    Shape {
        name: "A store that an operator has misspelled",
        text: "[DEFAULT]\nenabled_backends = fast:file, slow:file\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               default_backend = fats\n[fast]\nfilesystem_store_datadir = @DIR@/fast\n[slow]\nweight = heavy\n",
        outcomes: [
            FINE,
            FINE,
            FINE,
            NO_CACHE,
            Err("[glance_store] default_backend: 'fats' is not in"),
        ],
    },
    Shape {
        name: "Empty numbers and an unknown hash",
        text: "[DEFAULT]\nhashing_algorithm = blake2b\nimage_tag_quota =\n[database]\nconnection = @MYSQL@\nmax_pool_size =\n\
               max_overflow =\n[glance_store]\nfilesystem_store_datadir = @DIR@/images\n",
        outcomes: [
            FINE,
            FINE,
            FINE,
            NO_CACHE,
            Err("[DEFAULT] hashing_algorithm: 'blake2b' is not one of"),
        ],
    },
    Shape {
        name: "VMware and what was removed since",
        text: "[DEFAULT]\nenable_v1_api = False\nenable_v2_api = True\nenable_v1_registry = False\nstore_type_location_strategy = x\n\
               [database]\nconnection = @MYSQL@\n[glance_store]\nstores = vmware,file\ndefault_store = vsphere\n\
               vmware_server_host = v\nvmware_datastores = a:b\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, Err("is of kind vmware")],
    },
    Shape {
        name: "A driver of the cache that nobody knows",
        text: "[DEFAULT]\nimage_cache_dir = @DIR@/cache\nimage_cache_driver = redis\n[paste_deploy]\n\
               flavor = keystone+cachemanagement\n[database]\nconnection = @MYSQL@\n[glance_store]\n\
               filesystem_store_datadir = @DIR@/images\n",
        outcomes: [
            FINE,
            FINE,
            FINE,
            Err("[DEFAULT] image_cache_driver: 'redis' is not one of"),
            FINE,
        ],
    },
    Shape {
        name: "An unknown parameter of the database",
        text: "[database]\nconnection = @MYSQL@&novel=1\nslave_connection = @MYSQL@\n[glance_store]\n\
               filesystem_store_datadir = @DIR@/images\n",
        outcomes: [FINE, FINE, FINE, NO_CACHE, FINE],
    },
];

#[test]
fn configurations_of_deployment_tools_stop_only_what_cannot_be_done() {
    let server = block_on(Place::on_mariadb());
    let schema = server.schema().unwrap();
    let url = format!("{}&ssl_disabled=true", schema.url("root"));
    server.glance(&["image", "list"]).ok();
    let upload = "image-create --disk-format raw --container-format bare --file data.raw";
    let upload: Vec<&str> = upload.split(' ').collect();
    let mut wrong = Vec::new();
    for shape in &SHAPES {
        let place = Place::new();
        let directory = place.file("d");
        std::fs::create_dir(&directory).unwrap();
        let text = shape.text.replace("@MYSQL@", &url);
        let text = text.replace("@DIR@", directory.to_str().unwrap());
        place.write("glance-api.conf", text);
        place.write("data.raw", "data");
        let commands: [(&str, &[&str]); 5] = [
            (GLANCE, &["image-list"]),
            (MANAGE, &["db", "version"]),
            (SCRUBBER, &["--dry-run"]),
            (CACHE_MANAGE, &["clean"]),
            (GLANCE, &upload),
        ];
        for ((program, words), outcome) in commands.into_iter().zip(shape.outcomes) {
            let done = run(&place, program, words);
            let as_expected = match outcome {
                Ok(()) => done.code == 0,
                Err(why) => done.code == 1 && done.stderr.contains(why),
            };
            let secret = done.stderr.contains("hunter2");
            if !as_expected || secret {
                wrong.push(format!(
                    "{}: {words:?}: {} {}",
                    shape.name, done.code, done.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_hundred_thousand_stores_are_read_in_no_time_worth_naming() {
    let place = Place::new();
    let ids: Vec<String> = (0..100_000)
        .map(|number| format!("s{number}:file"))
        .collect();
    let mut text = format!("[DEFAULT]\nenabled_backends = {}\n", ids.join(","));
    text.push_str(
        "[glance_store]\ndefault_backend = s0\n[database]\nconnection = sqlite:///g.db\n",
    );
    for number in 0..100_000 {
        text.push_str(&format!(
            "[s{number}]\nfilesystem_store_datadir = /nowhere/{number}\n"
        ));
    }
    place.write("glance-api.conf", text);
    // A bound that only what is quadratic exceeds, by far.
    let mut limited = place.command("timeout");
    let limited = limited.args([
        "100",
        MANAGE,
        "--config-file",
        "glance-api.conf",
        "db",
        "version",
    ]);
    assert!(limited.output().unwrap().status.success());
}

#[test]
fn a_value_of_a_megabyte_is_not_repeated() {
    let place = Place::new();
    let text = format!("[DEFAULT]\nimage_size_cap = {}\n", "x".repeat(1 << 20));
    place.write(
        "glance-api.conf",
        text + "[database]\nconnection = sqlite:///g.db\n",
    );
    place.write("data.raw", "data");
    let words = "image-create --disk-format raw --container-format bare --file data.raw";
    let said = run(&place, GLANCE, &words.split(' ').collect::<Vec<_>>()).fails(1);
    assert!(
        said.contains(":2: [DEFAULT] image_size_cap: 'xxx"),
        "{said}"
    );
    assert!(said.len() < 600, "{}", said.len());
}

#[test]
fn a_server_that_is_waited_for_is_named() {
    let place = Place::new();
    let url = "mysql+pymysql://g:hunter2@127.0.0.1:1/d";
    place.write(
        "glance-api.conf",
        format!("[database]\nconnection = {url}\nmax_retries = -1\n"),
    );
    let mut command = place.command(GLANCE);
    let mut waiting = command
        .args(["--config-file", "glance-api.conf", "image-list"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let stderr = waiting.stderr.take().unwrap();
    BufReader::new(stderr).read_line(&mut said).unwrap();
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert!(
        said.contains("d on 127.0.0.1:1 cannot be reached: "),
        "{said}"
    );
    assert!(
        said.contains("still trying") && !said.contains("hunter2"),
        "{said}"
    );
}
