use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::ledger::UsageTables;

/// What a drain takes, by key, model and session.
fn drained(tables: &UsageTables, hour: i64) -> BTreeMap<(String, String, String), u64> {
    let mut found = BTreeMap::new();
    tables.drain(hour, |row, totals| {
        let names = [&row.key, &row.model, &row.session].map(ToString::to_string);
        let [key, model, session] = names;
        *found.entry((key, model, session)).or_default() += totals.requests;
    });
    found
}

fn named(key: &str, model: &str, session: &str) -> (String, String, String) {
    (key.to_owned(), model.to_owned(), session.to_owned())
}

#[test]
fn a_drain_takes_each_request_once() {
    let tables = UsageTables::default();
    let workers = [tables.add_table(), tables.add_table()];
    for worker in &workers {
        worker.add(&row("a"), &requests(2));
        worker.add(&row("b"), &requests(1));
    }
    let expected = [(named("a", "m", ""), 4), (named("b", "m", ""), 2)];
    assert_eq!(drained(&tables, HOUR), expected.into());
    assert_eq!(drained(&tables, HOUR), BTreeMap::new());
    workers[0].add(&row("a"), &requests(1));
    assert_eq!(drained(&tables, HOUR), [(named("a", "m", ""), 1)].into());
}

#[test]
fn a_request_at_the_end_of_an_hour_stays_in_it() {
    let tables = UsageTables::default();
    let worker = tables.add_table();
    worker.add(&row("a"), &requests(1));
    let mut hours = Vec::new();
    tables.drain(HOUR + 3600, |row, _| hours.push(row.hour));
    assert_eq!(hours, [HOUR]);
}

/// As a client that names a new session with each request would have it.
#[test]
fn names_that_clients_choose_are_bounded_in_number_and_length() {
    let tables = UsageTables::default();
    let worker = tables.add_table();
    let sessions: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    for session in &sessions {
        let row = UsageRow {
            session,
            ..row("a")
        };
        worker.add(&row, &requests(1));
    }
    let found = drained(&tables, HOUR);
    assert_eq!(found.len(), 10_001);
    assert_eq!(found[&named("a", "m", "other")], 10_000);
    assert_eq!(found.values().sum::<u64>(), 20_000);
    // The next hour has them apart again.
    assert!(drained(&tables, HOUR + 3600).is_empty());
    let long = "x".repeat(200);
    worker.add(
        &UsageRow {
            session: &long,
            hour: HOUR + 3600,
            ..row("a")
        },
        &requests(1),
    );
    worker.add(
        &UsageRow {
            session: "s",
            hour: HOUR + 3600,
            ..row("a")
        },
        &requests(1),
    );
    let expected = [(named("a", "m", "other"), 1), (named("a", "m", "s"), 1)];
    assert_eq!(drained(&tables, HOUR + 3600), expected.into());
}

#[test]
fn rows_are_bounded_whatever_they_are() {
    let tables = UsageTables::default();
    let worker = tables.add_table();
    let models: Vec<String> = (0..100_010).map(|number| number.to_string()).collect();
    for model in &models {
        worker.add(&UsageRow { model, ..row("a") }, &requests(1));
    }
    let found = drained(&tables, HOUR);
    assert_eq!(found.len(), 100_001);
    assert_eq!(found[&named("a", "other", "")], 10);
}

#[test]
fn concurrent_drains_lose_nothing() {
    const REQUESTS: u64 = 200_000;
    let tables = UsageTables::default();
    let table = tables.add_table();
    let worker = std::thread::spawn(move || {
        for _ in 0..REQUESTS {
            table.add(&row("a"), &requests(1));
        }
    });
    let mut total = 0;
    while !worker.is_finished() {
        total += drained(&tables, HOUR).values().sum::<u64>();
    }
    worker.join().unwrap();
    total += drained(&tables, HOUR).values().sum::<u64>();
    assert_eq!(total, REQUESTS);
}

#[test]
fn a_worker_never_waits_for_the_writer() {
    let tables = UsageTables::default();
    let table = tables.add_table();
    table.add(&row("a"), &requests(1));
    let mut calls = 0;
    // The worker adds while its first row is being drained.
    tables.drain(HOUR, |_, _| {
        calls += 1;
        if calls == 1 {
            let (table, done) = (Arc::clone(&table), std::sync::mpsc::channel());
            std::thread::spawn(move || {
                table.add(&row("a"), &requests(1));
                done.0.send(()).unwrap();
            });
            done.1
                .recv_timeout(std::time::Duration::from_secs(10))
                .unwrap();
        }
    });
    assert_eq!(calls, 2);
}
