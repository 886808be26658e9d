mod database;
#[cfg(unix)]
mod links;
mod table;
mod windows;
mod writer;

use std::path::Path;

use super::database::{Database, Opened};
use super::error::LedgerError;
use super::usage::{UsageRow, UsageTotals};
use super::window_table::WindowOwner;
use crate::config::{LimitUnit, Period};
use crate::limits::{WindowId, WindowRecord};

/// 2026-11-30T17:00:00Z
const HOUR: i64 = 1_796_058_000;

fn row(key: &str) -> UsageRow<'_> {
    UsageRow {
        hour: HOUR,
        key,
        team: "search",
        model: "m",
        provider: "up",
        upstream_model: "real-model",
        session: "",
        outcome: "ok",
    }
}

fn requests(requests: u64) -> UsageTotals {
    UsageTotals {
        requests,
        input_tokens: 10 * requests,
        cost: 1000 * requests,
        ..UsageTotals::default()
    }
}

fn window(subject: &str, used: u64, reserved: u64) -> WindowRecord {
    WindowRecord {
        id: WindowId {
            rule: "each-key".into(),
            subject: subject.into(),
            model: None,
            user: None,
            provider: None,
            of: LimitUnit::Budget,
            period: Period::Day,
            zone: "UTC".into(),
            month_starts_on: 1,
            start: HOUR - 17 * 3600,
        },
        end: HOUR + 7 * 3600,
        used,
        reserved,
    }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::from_second(HOUR + 60).unwrap()
}

fn open(path: &Path) -> Result<Opened, LedgerError> {
    Database::open(path, now(), false)
}

fn write(database: &mut Database, usage: &[(UsageRow<'_>, UsageTotals)], windows: &[WindowRecord]) {
    let usage = usage.iter();
    let usage: Vec<_> = usage.map(|(row, totals)| (row.owned(), totals)).collect();
    let usage = usage.iter().map(|(row, totals)| (row, *totals));
    database
        .write(usage, WindowOwner::Process, windows.iter())
        .unwrap();
}
