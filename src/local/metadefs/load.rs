//! Metadata definitions in and out of files, for the operator.
//!
//! *Source:* `glance/db/sqlalchemy/metadata.py` of the reference implementation. Ours is one transaction,
//! and exports.

use std::path::Path;

use super::files::{self, FileNames};
use crate::local::catalog::{Catalog, StoredNamespace};
use crate::model::metadef::{Namespace, NamespaceQuery};
use crate::{Error, Result};

pub use crate::local::catalog::Merge;

/// Loads the namespaces of a file, or of all files of a directory, at once; why files were left out, or
/// why there are none.
///
/// # Errors
/// Those of the catalogue; nothing was loaded then.
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
            transaction.take_turn().await?;
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

/// Removes every metadata definition, and every type of resources.
pub async fn unload(catalog: &Catalog) -> Result<()> {
    catalog
        .write(async |transaction| {
            transaction.take_turn().await?;
            transaction.metadefs().clear().await
        })
        .await
}

/// Writes every namespace to a file of its own in a directory, which MUST be there. Files of the same
/// names are replaced; returns what the user should know of those that were written in place.
///
/// # Errors
/// `Io` for the directory and the files; those of the catalogue.
pub async fn export(catalog: &Catalog, directory: &Path) -> Result<Vec<String>> {
    // Whatever the catalogue holds, a directory that is not there is said to be none.
    std::fs::read_dir(directory).map_err(|e| Error::io("write to", directory, e))?;
    // A transaction, so that all files show one moment.
    let namespaces = catalog
        .write(async |transaction| {
            transaction.take_turn().await?;
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
