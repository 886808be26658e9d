//! The ledgers: what is remembered, and what all of them say together.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::Window;
use super::{Desk, Meter, Meters, Outcome, Times};
use crate::catalog::{Catalog, Model};
use crate::config::{self, Sources};
use crate::telemetry::metric::Registry;
use crate::telemetry::request_id::RequestIds;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Meters over the models `one` and `two`, and both models.
fn meters(keeps_ledgers: bool) -> (Arc<Meters>, [Model; 2]) {
    let text = "[providers.up]\nbase_url = \"http://127.0.0.1:1/v1\"\n\
                [models.one]\nprovider = \"up\"\n[models.two]\nprovider = \"up\"\n";
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trunkline.toml"), text).unwrap();
    let sources = Sources {
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    let catalog = Catalog::new(&config::load(&sources).unwrap());
    let registry = Registry::new();
    let models = ["one", "two"].map(|name| catalog.resolve(name, |_| true).unwrap().model.clone());
    (
        Meters::new(&registry, &catalog, false, keeps_ledgers),
        models,
    )
}

fn begin(desk: &Rc<Desk>, model: &Model) -> Meter {
    let id = RequestIds::new().for_request(None);
    let mut meter = Meter::start(desk, Endpoint::ChatCompletions, id);
    meter.calls(model);
    meter
}

fn end(mut meter: Meter, outcome: Outcome, status: u16) {
    meter.answers(status, false);
    meter.used(Some(Usage {
        input: Some(3),
        output: Some(4),
        ..Usage::default()
    }));
    meter.ends(outcome, None);
}

#[test]
fn all_workers_are_counted_together() {
    let (meters, [one, two]) = meters(true);
    let desks = [Desk::new(&meters), Desk::new(&meters)];
    for desk in &desks {
        end(begin(desk, &one), Outcome::Ok, 200);
        end(begin(desk, &two), Outcome::UpstreamError, 502);
        drop(begin(desk, &two));
    }
    let held = begin(&desks[0], &one);
    drop(Meter::start(
        &desks[0],
        Endpoint::Embeddings,
        RequestIds::new().for_request(None),
    ));
    let digest = meters.digest(20, |_| true);
    let one_is = &digest.models[&one.id];
    assert_eq!((one_is.in_flight, one_is.counts.total), (1, 2));
    assert_eq!(one_is.counts.input_tokens, 6);
    assert_eq!(one_is.counts.output_tokens, 8);
    assert_eq!(one_is.first_byte.count(), 2);
    assert!(one_is.answered.is_some() && one_is.fault.is_none());
    let two_is = &digest.models[&two.id];
    assert_eq!((two_is.in_flight, two_is.counts.total), (0, 4));
    assert_eq!((two_is.counts.failed, two_is.counts.cancelled), (2, 2));
    assert_eq!(two_is.fault.unwrap().status, 502);
    assert_eq!(digest.unknown.counts.total, 1);
    assert_eq!(digest.last.len(), 7);
    assert!(
        digest
            .last
            .is_sorted_by_key(|entry| std::cmp::Reverse(entry.ended))
    );
    drop(held);
    let digest = meters.digest(20, |_| true);
    assert_eq!(digest.models[&one.id].in_flight, 0);
}

#[test]
fn only_the_last_requests_are_remembered() {
    let (meters, [one, two]) = meters(true);
    let desk = Desk::new(&meters);
    for _ in 0..1000 {
        end(begin(&desk, &one), Outcome::Ok, 200);
    }
    end(begin(&desk, &two), Outcome::Ok, 200);
    let all = meters.digest(usize::MAX, |_| true);
    assert_eq!(all.last.len(), 128);
    assert_eq!(all.last[0].model.as_ref().unwrap().label, two.label);
    assert_eq!(all.models[&one.id].counts.total, 1000);
    assert_eq!(all.models[&one.id].first_byte.count(), 32);
    assert_eq!(meters.digest(5, |_| true).last.len(), 5);
    let shown = meters.digest(5, |entry| {
        entry
            .model
            .as_ref()
            .is_some_and(|model| model.row == Some(two.id))
    });
    assert_eq!(shown.last.len(), 1);
}

#[test]
fn nothing_is_remembered_for_nobody() {
    let (meters, [one, _]) = meters(false);
    let desk = Desk::new(&meters);
    end(begin(&desk, &one), Outcome::Ok, 200);
    let digest = meters.digest(20, |_| true);
    assert!(digest.last.is_empty() && digest.models.is_empty());
    assert!(digest.since <= Instant::now());
}

#[test]
fn quantiles_are_times_that_were_measured() {
    let of = |millis: &[u64]| {
        let mut window = Window::default();
        for time in millis {
            window.add(Some(Duration::from_millis(*time)));
        }
        window.add(None);
        Times::from(window.times())
    };
    assert_eq!(of(&[]).quantile(50), None);
    let ms = |millis| Some(Duration::from_millis(millis));
    for (times, p50, p95) in [
        (&[7][..], ms(7), ms(7)),
        (&[9, 1], ms(1), ms(9)),
        (&[3, 1, 2], ms(2), ms(3)),
    ] {
        assert_eq!((of(times).quantile(50), of(times).quantile(95)), (p50, p95));
    }
    // Of a hundred, the last 32 count: 69 to 100.
    let many: Vec<u64> = (1..=100).collect();
    assert_eq!(of(&many).quantile(50), ms(84));
    assert_eq!(of(&many).quantile(95), ms(99));
    assert_eq!(of(&[u64::MAX / 2]).count(), 1);
}
