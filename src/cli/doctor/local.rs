//! Checks of a local deployment. They change nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use indicatif::HumanBytes;
use rustix::fs::{Access, access, statvfs};

use super::{because, fail};
use crate::cli::run::session::Session;
use crate::config::{ConfigSource, Database, Place, Reason, Settings, StoreKind, complete_sources};
use crate::local::catalog::{Catalog, Due, State};
use crate::local::lost_database;
use crate::local::store::{RbdStore, S3Store, file_path};
use crate::model::StoreInfo;
use crate::ops::doctor::{Findings, Health};
use crate::{Error, Result};

/// The free space below which images soon fail to be stored, in bytes.
const LITTLE_SPACE: u64 = 1 << 30;

/// The cure of an outdated database.
const SYNC: &str =
    "Run \"glance-manage db sync\", with the same --data-dir or --config-file if one was given.";

/// Checks the deployment at `place`.
pub async fn check(session: &Session, place: Place, reason: &Reason, findings: &mut Findings) {
    let settings = match place {
        Place::DataDir(directory) => {
            let detail = format!(
                "local images in {} ({})",
                directory.display(),
                because(reason)
            );
            findings.good("deployment", detail);
            if directory.is_dir() && access(&directory, Access::EXEC_OK).is_err() {
                return check_directory("directory", &directory, findings);
            }
            Settings::for_data_dir(&directory)
        }
        Place::Config(sources) => {
            let sources = complete_sources(&sources, &["glance-api"], &session.environment);
            let names: Vec<String> = sources.iter().map(name).collect();
            let detail = format!(
                "local, configured by {} ({})",
                names.join(", "),
                because(reason)
            );
            findings.good("deployment", detail);
            Settings::load(&sources, &session.environment)
        }
    };
    match session.caller() {
        Ok(caller) => {
            let roles = caller.roles.join(", ");
            let detail = format!(
                "project {}, user {}, roles {roles}",
                caller.project, caller.user
            );
            findings.good("identity", detail);
        }
        Err(error) => fail(findings, "identity", session, &error),
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return fail(findings, "configuration", session, &error),
    };
    let refusals = refusals(&settings);
    if refusals.is_empty() {
        findings.good("configuration", "all options that are read are valid");
    }
    for error in refusals {
        fail(findings, "configuration", session, &error);
    }
    if let Some(directory) = &settings.data_dir {
        if directory.exists() {
            check_directory("directory", directory, findings);
        } else {
            check_absent(directory, findings);
            return;
        }
    }
    if let Some(error) = lost_database(&settings) {
        fail(findings, "database", session, &error);
    } else if let Err(error) = settings.require_database() {
        if settings.database.get().is_ok() {
            fail(findings, "database", session, &error);
        }
    } else if let Ok(Some(database)) = settings.database.get() {
        match database_state(&settings, database).await {
            Ok((health, detail)) => {
                let cure = (health != Health::Good).then(|| SYNC.to_string());
                findings.add("database", health, detail, cure);
            }
            Err(error) => fail(findings, "database", session, &error),
        }
    }
    check_stores(&settings, session, findings).await;
    if let Err(error) = check_data(&settings, findings).await {
        fail(findings, "data", session, &error);
    }
    if let Ok(directory) = settings.staging_dir.get()
        && directory.exists()
    {
        check_directory("staging", directory, findings);
    }
    if let Ok(Some(cache)) = settings.cache.get()
        && cache.directory.exists()
    {
        check_directory("cache", &cache.directory, findings);
    }
}

/// Checks that a missing data directory can be created.
fn check_absent(directory: &Path, findings: &mut Findings) {
    let mut above = directory.ancestors().skip(1);
    let parent = above
        .find(|parent| parent.exists())
        .unwrap_or(Path::new("."));
    let shown = directory.display();
    if access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok() {
        findings.good(
            "directory",
            format!("{shown} is created when the first image is"),
        );
        return;
    }
    let detail = format!(
        "{shown} is missing, and {} cannot be written to",
        parent.display()
    );
    let cure = "Run the command as another user, or select another directory with --data-dir.";
    findings.add("directory", Health::Bad, detail, Some(cure.to_string()));
}

/// Returns the name of a source of configuration.
fn name(source: &ConfigSource) -> String {
    match source {
        ConfigSource::File(path) | ConfigSource::Directory(path) => path.display().to_string(),
    }
}

/// Returns the errors of the parts of a configuration that commands need.
fn refusals(settings: &Settings) -> Vec<Error> {
    let mut refusals: Vec<Error> = [
        settings.database.get().err(),
        settings.staging_dir.get().err(),
        settings.journal_dir.get().err(),
        settings.cache.get().err(),
        settings.formats.get().err(),
        settings.exposure.get().err(),
        settings.hashing_algorithm.get().err(),
        settings.delayed_delete.get().err(),
        settings.address_key.get().err(),
        settings.limits.image_size.get().err(),
        settings.scrubber.get().err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    match settings.stores.get() {
        Ok(stores) => {
            refusals.extend(stores.default_id.get().err());
            refusals.extend(
                stores
                    .list
                    .iter()
                    .filter_map(|store| store.kind.get().err()),
            );
        }
        Err(error) => refusals.push(error),
    }
    refusals.dedup_by_key(|error| error.message().to_string());
    refusals
}

/// Returns the state of the database, in words.
async fn database_state(settings: &Settings, database: &Database) -> Result<(Health, String)> {
    let name = database.name();
    let Some(catalog) = Catalog::open_unchanged(settings).await? else {
        return Ok((
            Health::Good,
            format!("{name} is created when the first image is"),
        ));
    };
    let found = state(&catalog, &name).await;
    catalog.close().await?;
    found
}

async fn state(catalog: &Catalog, name: &str) -> Result<(Health, String)> {
    Ok(match catalog.state().await? {
        State::At(heads) => {
            let revisions = heads.join(", ");
            match catalog.due(&heads).await? {
                Due::Nothing => (Health::Good, format!("{name} is at revision {revisions}")),
                Due::Expand | Due::Migrate | Due::Contract => (
                    Health::Bad,
                    format!("{name} is at revision {revisions}, which is not the newest"),
                ),
            }
        }
        State::Empty => (Health::Warning, format!("{name} has no tables yet")),
        State::Foreign => (
            Health::Bad,
            format!("{name} has tables of another program only"),
        ),
        State::Legacy(version) => (
            Health::Bad,
            format!("{name} is at version {version} of the migrations of 2016 and earlier"),
        ),
        State::Uncontrolled => (
            Health::Bad,
            format!("{name} has Glance's tables, but no recorded revision"),
        ),
    })
}

async fn check_stores(settings: &Settings, session: &Session, findings: &mut Findings) {
    let Ok(stores) = settings.stores.get() else {
        return;
    };
    for store in &stores.list {
        let Ok(kind) = store.kind.get() else {
            continue;
        };
        match kind {
            StoreKind::File(file) => {
                for directory in &file.directories {
                    check_store_directory(&store.id, &directory.path, settings, findings);
                }
            }
            StoreKind::Http(_) => {
                findings.good("store", format!("{}: web servers, read-only", store.id));
            }
            StoreKind::Rbd(settings) => {
                let info = StoreInfo::of(&store.id);
                match RbdStore::new(info, settings.clone()).probe().await {
                    Ok(fsid) => {
                        let pool = &settings.pool;
                        let detail = format!("{}: pool {pool} of the cluster {fsid}", store.id);
                        findings.good("store", detail);
                    }
                    Err(error) => fail(findings, "store", session, &error),
                }
            }
            StoreKind::Swift(swift) => match swift.account.get() {
                Ok(account) => {
                    let (container, at) = (&swift.container, &account.auth_url);
                    findings.good(
                        "store",
                        format!("{}: Swift, container {container}, login at {at}", store.id),
                    );
                }
                Err(error) => {
                    let cure = "Set the address and the credentials of its login.".to_string();
                    let detail = format!("{}: {}", store.id, error.message());
                    findings.add("store", Health::Bad, detail, Some(cure));
                }
            },
            StoreKind::S3(settings) => {
                let info = StoreInfo::of(&store.id);
                match S3Store::new(info, settings.clone()).probe().await {
                    Ok(place) => findings.good("store", format!("{}: bucket {place}", store.id)),
                    Err(error) => fail(findings, "store", session, &error),
                }
            }
            StoreKind::Cinder | StoreKind::Vmware => findings.warn(
                "store",
                format!(
                    "{}: data in {} stores is not supported yet",
                    store.id, store.driver
                ),
                "Use the image service of this deployment for its data.",
            ),
        }
    }
}

/// The number of newest files of images whose existence is checked.
const CHECKED_FILES: u32 = 1000;

/// Checks that files of the newest images exist, which they do not if a file system is not mounted.
async fn check_data(settings: &Settings, findings: &mut Findings) -> Result<()> {
    let Some(catalog) = Catalog::open_unchanged(settings).await? else {
        return Ok(());
    };
    let is_current = matches!(catalog.state().await?, State::At(_));
    let locations = if is_current {
        catalog.newest_locations(CHECKED_FILES).await
    } else {
        Ok(Vec::new())
    };
    catalog.close().await?;
    let files = locations?.into_iter();
    let files: Vec<_> = files
        .filter_map(|(image, url)| Some((image, file_path(&url)?)))
        .collect();
    let missing = files
        .iter()
        .filter(|(_, path)| matches!(path.try_exists(), Ok(false)));
    let missing: Vec<_> = missing.collect();
    match missing.first() {
        Some((image, path)) => {
            let (count, all) = (missing.len(), files.len());
            let detail = format!(
                "{count} of the newest {all} files of images are missing, such as {} of image {image}",
                path.display()
            );
            let cure = "Mount the file system of the store, or restore its files from a backup.";
            findings.add("data", Health::Bad, detail, Some(cure.to_string()));
        }
        None if !files.is_empty() => {
            findings.good(
                "data",
                format!("the newest {} files of images are there", files.len()),
            );
        }
        None => {}
    }
    Ok(())
}

/// Checks the directory of a store. That of a data directory is created on first use.
fn check_store_directory(
    store: &str,
    directory: &Path,
    settings: &Settings,
    findings: &mut Findings,
) {
    if directory.is_dir() {
        check_directory("store", directory, findings);
    } else if settings.data_dir.is_none() {
        let detail = format!("{store}: directory {} is missing", directory.display());
        findings.warn("store", detail, "Create it, or mount its file system.");
    }
}

/// Checks that a directory can be written to, that not everyone can, and its free space.
fn check_directory(check: &'static str, directory: &Path, findings: &mut Findings) {
    let shown = directory.display();
    let metadata = match std::fs::metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => {
            let detail = format!("{shown} cannot be accessed: {error}");
            let cure = "Run the command as the owner of the images.".to_string();
            return findings.add(check, Health::Bad, detail, Some(cure));
        }
    };
    if access(
        directory,
        Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK,
    )
    .is_err()
    {
        let detail = format!("{shown} cannot be written to");
        let cure = "Run the command as the owner of the images.".to_string();
        return findings.add(check, Health::Bad, detail, Some(cure));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        let detail = format!("{shown} can be changed by every user");
        findings.warn(check, detail, format!("Run \"chmod o-w {shown}\"."));
    }
    let Ok(space) = statvfs(directory) else {
        return findings.good(check, shown.to_string());
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let total = space.f_blocks.saturating_mul(space.f_frsize).max(1);
    let percent = u128::from(free) * 100 / u128::from(total);
    let detail = format!(
        "{shown} has {} free of {} ({percent} %)",
        HumanBytes(free),
        HumanBytes(total)
    );
    if free < LITTLE_SPACE {
        findings.warn(check, detail, "Delete images, or make room.");
    } else {
        findings.good(check, detail);
    }
}
