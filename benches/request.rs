//! What a request costs besides its bytes: letting the caller in, finding the
//! model, keeping the account. `cargo bench` runs it; figures from one run are
//! to be compared with each other, not with those of another machine.

#![allow(
    clippy::expect_used,
    reason = "a bench is no product code: it stops at the unexpected"
)]

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
use trunkline::internals::{Desk, Meter, Meters, Outcome};

/// How many aliases and client keys there are.
const COUNTS: [usize; 3] = [1, 100, 10_000];

fn main() {
    divan::main();
}

/// A configuration with so many aliases and keys.
fn config(count: usize) -> Config {
    let mut text = "[providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\n".to_owned();
    for number in 0..count {
        write!(
            text,
            "[models.alias-{number}]\nprovider = \"up\"\nmodel = \"model-{number}\"\n\
             [access.keys.key-{number}]\nsha256 = \""
        )
        .expect("a string takes anything");
        for byte in Sha256::digest(key(number)) {
            write!(text, "{byte:02x}").expect("a string takes anything");
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
    load(&sources).expect("a sound configuration")
}

fn key(number: usize) -> String {
    format!("sk-bench-{number:05}")
}

/// Numbers from all over the range, the same ones each time.
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
fn admit_caller(bencher: Bencher<'_, '_>, count: usize) {
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

/// Everything that is counted of one unary request.
#[divan::bench(args = COUNTS)]
fn account_request(bencher: Bencher<'_, '_>, count: usize) {
    let catalog = Catalog::new(&config(count));
    let desk = Desk::new(&Meters::new(&Registry::new(), &catalog, false, true));
    let ids = RequestIds::new();
    let mut next = scattered(count);
    bencher
        .with_inputs(|| {
            let name = format!("alias-{}", next());
            catalog.resolve(&name, |_| true).expect("a known alias")
        })
        .bench_local_values(|resolved| {
            let endpoint = Endpoint::ChatCompletions;
            let mut meter = Meter::start(&desk, endpoint, ids.for_request(None));
            meter.calls(resolved.model);
            meter.received(1024);
            meter.waits();
            meter.attempted(None);
            meter.works();
            meter.answers(200, false);
            meter.passed(1024);
            meter.ends(Outcome::Ok, None);
            drop(meter);
        });
}

/// What is counted of each piece of a stream.
#[divan::bench]
fn account_piece(bencher: Bencher<'_, '_>) {
    let catalog = Catalog::new(&config(1));
    let desk = Desk::new(&Meters::new(&Registry::new(), &catalog, false, true));
    let resolved = catalog.resolve("alias-0", |_| true);
    let ids = RequestIds::new();
    let mut meter = Meter::start(&desk, Endpoint::ChatCompletions, ids.for_request(None));
    meter.calls(resolved.expect("a known alias").model);
    meter.answers(200, true);
    bencher.bench_local(|| {
        meter.piece(black_box(true));
        meter.passed(black_box(190));
    });
}
