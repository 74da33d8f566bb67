//! Connections for long lists of an SQLite database, between two lists.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

/// The number of connections that are kept.
const KEPT: usize = 2;

/// Connections that wait for the next list: the file stays mapped, and the schema is not read again. Clones share them.
#[derive(Clone, Default)]
pub(in crate::local::catalog) struct Idle(Arc<Mutex<Vec<Connection>>>);

impl Idle {
    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a connection, if there is one.
    pub(in crate::local::catalog) fn take(&self) -> Option<Connection> {
        self.connections().pop()
    }

    /// Keeps a connection, or closes it if there are enough.
    pub(in crate::local::catalog) fn keep(&self, connection: Connection) {
        let mut connections = self.connections();
        if connections.len() < KEPT {
            connections.push(connection);
        }
    }

    /// Closes the connections.
    pub(in crate::local::catalog) fn close(&self) {
        self.connections().clear();
    }
}
