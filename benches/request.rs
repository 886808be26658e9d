//! The cost of a request besides its bytes: authentication, model lookup, metering.
//! Figures of one run compare with each other, not with those of another machine.

#![allow(clippy::expect_used, reason = "a bench panics at unexpected values")]

use std::fmt::Write as _;
use std::hint::black_box;

use divan::Bencher;
use http::{Extensions, HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use trunkline::internals::Catalog;
use trunkline::internals::Gate;
use trunkline::internals::Registry;
use trunkline::internals::RequestIds;
use trunkline::internals::endpoint::Endpoint;
use trunkline::internals::{Config, Sources, load};
use trunkline::internals::{Meter, MeteringOptions, RequestOutcome, SharedMetrics, WorkerMetrics};

/// The numbers of aliases and client keys.
const COUNTS: [usize; 3] = [1, 100, 10_000];

const METERING: MeteringOptions = MeteringOptions {
    access_log: false,
    history: true,
    ledger: None,
    key_count: 0,
    request_tokens: false,
};

fn main() {
    divan::main();
}

/// A configuration with `count` aliases and keys.
fn config(count: usize) -> Config {
    let mut text = "[providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\n".to_owned();
    for number in 0..count {
        write!(
            text,
            "[models.alias-{number}]\nprovider = \"up\"\nmodel = \"model-{number}\"\n\
             [access.keys.key-{number}]\nsha256 = \""
        )
        .expect("writing to a string");
        for byte in Sha256::digest(key(number)) {
            write!(text, "{byte:02x}").expect("writing to a string");
        }
        text.push_str("\"\n");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("bench.toml");
    std::fs::write(&file, text).expect("a file");
    let sources = Sources {
        file: Some(file),
        directory: directory.path().to_owned(),
        ..Sources::default()
    };
    load(&sources).expect("a valid configuration")
}

fn key(number: usize) -> String {
    format!("sk-bench-{number:05}")
}

/// Numbers spread over the range, the same ones each time.
fn scattered(count: usize) -> impl FnMut() -> usize {
    let mut state = 1_usize;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % count
    }
}

#[divan::bench(args = COUNTS)]
fn find_model(bencher: Bencher<'_, '_>, count: usize) {
    let catalog = Catalog::new(&config(count));
    let names: Vec<String> = (0..count).map(|number| format!("alias-{number}")).collect();
    let mut next = scattered(count);
    bencher
        .with_inputs(|| names.get(next()).cloned().unwrap_or_default())
        .bench_local_refs(|name| catalog.resolve(black_box(name), |_| true).is_ok());
}

#[divan::bench(args = COUNTS)]
fn admit_client(bencher: Bencher<'_, '_>, count: usize) {
    let (gate, none) = (Gate::new(&config(count).access), Extensions::new());
    let headers = |number| {
        let value = HeaderValue::try_from(format!("Bearer {}", key(number)));
        HeaderMap::from_iter([(http::header::AUTHORIZATION, value.expect("plain text"))])
    };
    assert!(gate.admit(&headers(0), &none).is_ok(), "the key is known");
    let mut next = scattered(count);
    bencher
        .with_inputs(|| headers(next()))
        .bench_local_refs(|headers| gate.admit(black_box(headers), black_box(&none)).is_ok());
}

/// All metering of one unary request.
#[divan::bench(args = COUNTS)]
fn record_request(bencher: Bencher<'_, '_>, count: usize) {
    let catalog = Catalog::new(&config(count));
    let metrics = WorkerMetrics::new(&SharedMetrics::new(&Registry::new(), &catalog, METERING));
    let ids = RequestIds::new();
    let mut next = scattered(count);
    bencher
        .with_inputs(|| {
            let name = format!("alias-{}", next());
            catalog.resolve(&name, |_| true).expect("a known alias")
        })
        .bench_local_values(|resolved| {
            let endpoint = Endpoint::ChatCompletions;
            let mut meter = Meter::start(&metrics, endpoint, ids.for_request(None));
            meter.set_model(resolved.model);
            meter.set_bytes_in(1024);
            meter.pause_overhead();
            meter.on_attempt(None);
            meter.resume_overhead();
            meter.on_response_head(200, false);
            meter.add_bytes_out(1024);
            meter.finish(RequestOutcome::Ok, None);
            drop(meter);
        });
}

/// The metering of one chunk of a stream.
#[divan::bench]
fn record_chunk(bencher: Bencher<'_, '_>) {
    let catalog = Catalog::new(&config(1));
    let metrics = WorkerMetrics::new(&SharedMetrics::new(&Registry::new(), &catalog, METERING));
    let resolved = catalog.resolve("alias-0", |_| true);
    let ids = RequestIds::new();
    let mut meter = Meter::start(&metrics, Endpoint::ChatCompletions, ids.for_request(None));
    meter.set_model(resolved.expect("a known alias").model);
    meter.on_response_head(200, true);
    bencher.bench_local(|| {
        meter.on_frame(black_box(true));
        meter.add_bytes_out(black_box(190));
    });
}

/// A scrape after the first request of every alias.
#[divan::bench(args = COUNTS)]
fn scrape(bencher: Bencher<'_, '_>, count: usize) {
    let catalog = Catalog::new(&config(count));
    let registry = Registry::new();
    let metrics = WorkerMetrics::new(&SharedMetrics::new(&registry, &catalog, METERING));
    let ids = RequestIds::new();
    for number in 0..count {
        let name = format!("alias-{number}");
        let resolved = catalog.resolve(&name, |_| true);
        let mut meter = Meter::start(&metrics, Endpoint::ChatCompletions, ids.for_request(None));
        meter.set_model(resolved.expect("a known alias").model);
        meter.on_response_head(200, false);
        meter.finish(RequestOutcome::Ok, None);
    }
    bencher.bench(|| registry.write_text(&mut std::io::sink()));
}
