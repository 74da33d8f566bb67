//! Loading and exporting of metadata definitions by the operator.
//!
//! *Source:* `glance/db/sqlalchemy/metadata.py` of the reference implementation. Here, loading is one transaction.

use std::path::Path;

use super::files::{self, FileNames};
use crate::local::catalog::{Catalog, StoredNamespace};
use crate::model::metadef::{Namespace, NamespaceQuery};
use crate::{Error, Result};

pub use crate::local::catalog::Merge;

/// Loads the namespaces of a file, or of all files in a directory, in one transaction. Returns the reasons for
/// skipped files.
///
/// # Errors
/// Errors of the catalogue. Nothing was loaded then.
pub async fn load(catalog: &Catalog, path: &Path, merge: Merge) -> Result<Vec<Error>> {
    let mut left_out = Vec::new();
    let mut documents = Vec::new();
    let files = match files::list(path) {
        Ok(files) => files,
        Err(error) => return Ok(vec![error]),
    };
    for file in files {
        match files::read(&file) {
            Ok(document) => documents.push(document),
            Err(error) => left_out.push(error),
        }
    }
    catalog
        .write(async |transaction| {
            transaction.lock_invariants().await?;
            let mut loader = transaction.metadef_loader(merge, catalog.now()).await?;
            for document in &documents {
                loader.load(document).await?;
            }
            loader.finish().await?;
            Ok(())
        })
        .await?;
    Ok(left_out)
}

/// Removes all metadata definitions and resource types.
pub async fn unload(catalog: &Catalog) -> Result<()> {
    catalog
        .write(async |transaction| {
            transaction.lock_invariants().await?;
            transaction.metadefs().clear().await
        })
        .await
}

/// Writes each namespace to a file in an existing directory. Replaces files of the same names. Returns warnings
/// about files that were written in place.
///
/// # Errors
/// `Io` for the directory and the files; errors of the catalogue.
pub async fn export(catalog: &Catalog, directory: &Path) -> Result<Vec<String>> {
    // A missing directory is an error even if there is nothing to write.
    std::fs::read_dir(directory).map_err(|e| Error::io("write to", directory, e))?;
    // One transaction, so that all files show the same moment.
    let namespaces = catalog
        .write(async |transaction| {
            transaction.lock_invariants().await?;
            let rows = transaction.metadefs();
            let query = NamespaceQuery::default();
            let mut stored = rows.namespaces(&query, None, None).await?;
            stored.sort_by_key(|stored| stored.id);
            let mut namespaces = Vec::new();
            for StoredNamespace { id, namespace } in stored {
                namespaces.push(Namespace {
                    resource_type_associations: rows.associations_of(id).await?,
                    properties: rows.written_properties(id).await?,
                    objects: rows.written_objects(id).await?,
                    tags: rows.tags(id).await?.into_iter().rev().collect(),
                    ..namespace
                });
            }
            Ok(namespaces)
        })
        .await?;
    let mut names = FileNames::default();
    let mut notices = Vec::new();
    for namespace in &namespaces {
        let name = names.next(namespace);
        let document = files::document(namespace);
        notices.extend(files::write(directory, &name, &document)?);
    }
    Ok(notices)
}
