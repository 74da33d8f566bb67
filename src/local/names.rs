//! Names for completion, from the settings and the database of a deployment that is not opened: nothing is created,
//! recovered or upgraded.

use std::ops::ControlFlow;

use super::catalog::read_names;
use crate::Result;
use crate::config::Settings;
use crate::model::{Caller, NameQuery, Named};

/// Passes the names that `query` asks for to `found`, until it breaks; see [`read_names`].
///
/// # Errors
/// `Failed` if the database or the setting cannot be read.
pub async fn names(
    settings: &Settings,
    caller: &Caller,
    query: &NameQuery,
    prefix: &str,
    found: &mut (dyn FnMut(Named) -> ControlFlow<()> + Send),
) -> Result<()> {
    if *query == NameQuery::Stores {
        let stores = settings.stores.get()?;
        // Without names, none can be chosen.
        for store in stores.list.iter().filter(|_| stores.named) {
            let named = Named {
                value: store.id.clone(),
                about: store.description.clone().unwrap_or_default(),
            };
            if found(named).is_break() {
                break;
            }
        }
        return Ok(());
    }
    read_names(settings.require_database()?, caller, query, prefix, found).await
}
