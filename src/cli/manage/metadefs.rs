//! Loading and exporting metadata definitions.

use serde_json::{Value, json};

use super::arguments::{Action, Export, Load, Nothing};
use super::catalog::open;
use crate::Result;
use crate::cli::command::registry::Leaf;
use crate::cli::operator::session::Session;
use crate::local::metadefs::{self, Merge};
use crate::ops::Outcome;
use crate::output::{Cell, Record, View};

/// Load metadata definitions from files. Invalid options and files are reported, and the exit code is 0, which
/// scripts rely on.
pub struct LoadMetadefs;

impl Leaf<Session> for Action<LoadMetadefs, Load> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let Load {
            path,
            merge,
            prefer_new,
            overwrite,
        } = self.0;
        let merge = match (merge, prefer_new, overwrite) {
            (false, false, false) => Merge::Skip,
            (false, ..) => {
                return Ok(with_notices([
                    "To use --prefer_new or --overwrite you need to combine of these options with --merge \
                     option."
                        .to_string(),
                ]));
            }
            (true, true, true) => {
                return Ok(with_notices([
                    "Please provide no more than one option from this list: --prefer_new, --overwrite"
                        .to_string(),
                ]));
            }
            (true, true, false) => Merge::PreferNew,
            (true, false, true) => Merge::Overwrite,
            (true, false, false) => Merge::Keep,
        };
        let catalog = open(&session.settings).await?;
        let path = match &path {
            Some(path) => path,
            None => session.settings.metadef_dir.get()?,
        };
        let left_out = metadefs::load(&catalog, path, merge).await;
        catalog.finish().await;
        let left_out = left_out?.into_iter();
        let left_out: Vec<String> = left_out.map(|why| why.message().to_string()).collect();
        let data = record("skipped", json!(left_out));
        Ok(with_notices(left_out).with_data(data))
    }
}

/// Remove all metadata definitions.
pub struct UnloadMetadefs;

impl Leaf<Session> for Action<UnloadMetadefs, Nothing> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let catalog = open(&session.settings).await?;
        let unloaded = metadefs::unload(&catalog).await;
        catalog.finish().await;
        unloaded.map(|()| Outcome::nothing().with_data(record("unloaded", json!(true))))
    }
}

/// Export each namespace to a file.
pub struct ExportMetadefs;

impl Leaf<Session> for Action<ExportMetadefs, Export> {
    async fn run(self, session: &Session) -> Result<Outcome<'_>> {
        let path = match &self.0.path {
            Some(path) => path,
            None => session.settings.metadef_dir.get()?,
        };
        let notices = metadefs::export(&open(&session.settings).await?, path).await?;
        let data = record("directory", json!(path.display().to_string()));
        Ok(with_notices(notices).with_data(data))
    }
}

/// Returns a result with one field for programs.
fn record(name: &str, value: Value) -> View<'static> {
    View::Record(Record::from_iter([(name.to_string(), Cell::new(value))]))
}

fn with_notices(notices: impl IntoIterator<Item = String>) -> Outcome<'static> {
    let mut outcome = Outcome::nothing();
    outcome.notices.extend(notices);
    outcome
}
