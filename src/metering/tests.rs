use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::LatencyWindow;
use super::{
    AttemptResult, HedgeOutcome, LatencySamples, Meter, MeteringOptions, RequestOutcome,
    SharedMetrics, WorkerMetrics,
};
use crate::catalog::{Catalog, Model};
use crate::config::{self, Sources};
use crate::routing::{AffinityResult, AttemptOutcome, Reason};
use crate::telemetry::metric::Registry;
use crate::telemetry::metric::label::{
    self, Label, LabelValues, affinity_result, attempt_result, ejection_reason, hedge_result,
    outcome,
};
use crate::telemetry::request_id::RequestIds;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Metrics of a catalog with the models `one` and `two`, and these models.
fn metrics(keeps_history: bool) -> (Arc<SharedMetrics>, [Model; 2]) {
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
    let options = MeteringOptions {
        history: keeps_history,
        ..MeteringOptions::default()
    };
    let models = ["one", "two"].map(|name| catalog.resolve(name, |_| true).unwrap().model.clone());
    (SharedMetrics::new(&registry, &catalog, options), models)
}

fn start(worker: &Rc<WorkerMetrics>, model: &Model) -> Meter {
    let id = RequestIds::new().for_request(None);
    let mut meter = Meter::start(worker, Endpoint::ChatCompletions, id);
    meter.set_model(model);
    meter
}

fn finish(mut meter: Meter, outcome: RequestOutcome, status: u16) {
    meter.on_response_head(status, false);
    meter.set_usage(Some(Box::new(Usage {
        input: Some(3),
        output: Some(4),
        ..Usage::default()
    })));
    meter.finish(outcome, None);
}

#[test]
fn all_workers_are_counted_together() {
    let (metrics, [one, two]) = metrics(true);
    let workers = [WorkerMetrics::new(&metrics), WorkerMetrics::new(&metrics)];
    for worker in &workers {
        finish(start(worker, &one), RequestOutcome::Ok, 200);
        finish(start(worker, &two), RequestOutcome::UpstreamError, 502);
        drop(start(worker, &two));
    }
    let in_flight = start(&workers[0], &one);
    drop(Meter::start(
        &workers[0],
        Endpoint::Embeddings,
        RequestIds::new().for_request(None),
    ));
    let summary = metrics.history_summary(20, |_| true);
    let stats_one = &summary.models[&one.id];
    assert_eq!((stats_one.in_flight, stats_one.counts.total), (1, 2));
    assert_eq!(stats_one.counts.input_tokens, 6);
    assert_eq!(stats_one.counts.output_tokens, 8);
    assert_eq!(stats_one.first_byte.count(), 2);
    assert!(stats_one.last_success.is_some() && stats_one.last_error.is_none());
    let stats_two = &summary.models[&two.id];
    assert_eq!((stats_two.in_flight, stats_two.counts.total), (0, 4));
    assert_eq!(
        (stats_two.counts.failed, stats_two.counts.cancelled),
        (2, 2)
    );
    assert_eq!(stats_two.last_error.unwrap().status, 502);
    assert_eq!(summary.unknown.counts.total, 1);
    assert_eq!(summary.recent.len(), 7);
    assert!(
        summary
            .recent
            .is_sorted_by_key(|record| std::cmp::Reverse(record.ended))
    );
    drop(in_flight);
    let summary = metrics.history_summary(20, |_| true);
    assert_eq!(summary.models[&one.id].in_flight, 0);
}

#[test]
fn only_the_last_requests_are_kept() {
    let (metrics, [one, two]) = metrics(true);
    let worker = WorkerMetrics::new(&metrics);
    for _ in 0..1000 {
        finish(start(&worker, &one), RequestOutcome::Ok, 200);
    }
    finish(start(&worker, &two), RequestOutcome::Ok, 200);
    let all = metrics.history_summary(usize::MAX, |_| true);
    assert_eq!(all.recent.len(), 128);
    assert_eq!(all.recent[0].model.as_ref().unwrap().label, two.label);
    assert_eq!(all.models[&one.id].counts.total, 1000);
    assert_eq!(all.models[&one.id].first_byte.count(), 32);
    assert_eq!(metrics.history_summary(5, |_| true).recent.len(), 5);
    let shown = metrics.history_summary(5, |record| {
        record
            .model
            .as_ref()
            .is_some_and(|model| model.row == Some(two.id))
    });
    assert_eq!(shown.recent.len(), 1);
}

#[test]
fn nothing_is_kept_without_a_history() {
    let (metrics, [one, _]) = metrics(false);
    let worker = WorkerMetrics::new(&metrics);
    finish(start(&worker, &one), RequestOutcome::Ok, 200);
    let summary = metrics.history_summary(20, |_| true);
    assert!(summary.recent.is_empty() && summary.models.is_empty());
    assert!(summary.since <= Instant::now());
}

#[test]
fn quantiles_are_measured_values() {
    let of = |millis: &[u64]| {
        let mut window = LatencyWindow::default();
        for time in millis {
            window.add(Some(Duration::from_millis(*time)));
        }
        window.add(None);
        LatencySamples::from(window.times())
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
    // Only the last 32 of a hundred count: 69 to 100.
    let many: Vec<u64> = (1..=100).collect();
    assert_eq!(of(&many).quantile(50), ms(84));
    assert_eq!(of(&many).quantile(95), ms(99));
    assert_eq!(of(&[u64::MAX / 2]).count(), 1);
}

#[test]
fn every_outcome_has_its_label_in_the_table() {
    let failures = [
        AttemptOutcome::NotProcessed,
        AttemptOutcome::MaybeProcessed,
        AttemptOutcome::Throttled(None),
        AttemptOutcome::Unauthorized,
        AttemptOutcome::Rejected,
        AttemptOutcome::Failed,
    ];
    let after = failures.map(AttemptOutcome::label);
    let results = failures.map(AttemptResult::Failed).into_iter();
    let results = results.chain([AttemptResult::Responded, AttemptResult::Cancelled]);
    let hedges = [
        HedgeOutcome::Won,
        HedgeOutcome::Superseded,
        HedgeOutcome::Failed,
        HedgeOutcome::Abandoned,
        HedgeOutcome::OverBudget,
    ];
    let affinity = [
        AffinityResult::Hit,
        AffinityResult::Moved,
        AffinityResult::NoKey,
    ];
    let reasons = [
        Reason::Failed,
        Reason::BrokenResponses,
        Reason::Throttled,
        Reason::Unauthorized,
        Reason::RateLimited,
    ];
    let outcomes = RequestOutcome::ALL.map(RequestOutcome::label);
    let rows: [(Label, BTreeSet<&str>); 6] = [
        (label::AFTER, after.into()),
        (outcome::LABEL, outcomes.into()),
        (
            attempt_result::LABEL,
            results.map(AttemptResult::label).collect(),
        ),
        (hedge_result::LABEL, hedges.map(HedgeOutcome::label).into()),
        (
            affinity_result::LABEL,
            affinity.map(AffinityResult::label).into(),
        ),
        (ejection_reason::LABEL, reasons.map(Reason::label).into()),
    ];
    for (label, used) in rows {
        let LabelValues::OneOf(values) = label.values else {
            panic!("{label:?}");
        };
        assert_eq!(
            values
                .iter()
                .map(|(value, _)| *value)
                .collect::<BTreeSet<_>>(),
            used
        );
    }
}
