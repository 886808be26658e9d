//! The ledger: totals and open windows in a database (docs/ledger.md).

mod failures;
mod restart;
mod usage;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::wait;

/// A folder for a database that outlives its gateways.
struct State(TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("usage.db")
    }

    /// Records the usage of this gateway.
    fn record(&self, setup: Setup) -> Setup {
        record(setup, &self.database())
    }

    /// Waits until a query has this result.
    #[track_caller]
    fn wait_for<T: PartialEq + rusqlite::types::FromSql>(&self, sql: &str, value: &T) {
        wait::until(sql, || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            let connection = Connection::open_with_flags(self.database(), flags).ok()?;
            let found = connection.query_row(sql, (), |row| row.get::<_, T>(0));
            found.is_ok_and(|found| found == *value).then_some(())
        });
    }

    #[track_caller]
    fn wait_for_requests(&self, count: i64) {
        self.wait_for("SELECT coalesce(sum(requests), 0) FROM usage", &count);
    }

    /// The files beside the database with this text in their names.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.path()).unwrap();
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.to_str().unwrap().contains(part))
            .collect()
    }
}

#[track_caller]
fn send_ok(gateway: &Gateway, request: &Request) {
    let response = gateway.send(request);
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.complete);
}

fn record(setup: Setup, database: &Path) -> Setup {
    setup.section(&format!("[ledger]\npath = \"{}\"", database.display()))
}
