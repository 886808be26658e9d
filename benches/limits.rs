//! What a request costs under limits of its client: a reservation and its settlement, by the
//! number of clients, with the allocations that it makes; and the memory of users.

#![allow(clippy::expect_used, reason = "a bench panics at unexpected values")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use sha2::{Digest, Sha256};
use trunkline::internals::{
    Catalog, Config, ExpectedUsage, LearnedUsage, LeaseAmounts, LeaseLink, LeaseResponse,
    LimitClock, LimitSet, LimitUsage, RequestSize, RequestSubject, Sources, load,
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const KEYS: [usize; 4] = [10, 100, 1_000, 10_000];
const USERS: usize = 10_000;

/// Of a request that uses all of what it reserved, so that no limit is reached.
const THREE_RULES: &str = r#"
[limits.each-key]
per = ["key"]
requests = ["100000000/second"]
tokens = ["100000000/second"]
[limits.each-team]
per = ["team"]
budget = ["1000000/day", "1000000/month"]
[limits.all]
concurrent = 100000
"#;
const RATE_PER_USER: &str = r#"
[limits.users]
per = ["user"]
requests = ["60/minute"]
"#;
const TWO_PER_USER: &str = r#"
[limits.users]
per = ["user"]
requests = ["60/minute"]
budget = ["5/day"]
"#;

fn main() {
    divan::main();
}

fn config(keys: usize, limits: &str) -> Config {
    let mut text = "[providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\n\
                    [models.m]\nprovider = \"up\"\n\
                    [prices.\"up/m\"]\ninput = \"1\"\noutput = \"2\"\n"
        .to_owned();
    for number in 0..keys {
        let team = number % 10;
        write!(
            text,
            "[access.keys.key-{number}]\nmay_name_users = true\nteam = \"team-{team}\"\nsha256 = \""
        )
        .expect("writing to a string");
        for byte in Sha256::digest(number.to_string()) {
            write!(text, "{byte:02x}").expect("writing to a string");
        }
        text.push_str("\"\n");
    }
    text.push_str(limits);
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

fn limits(keys: usize, limits: &str) -> LimitSet {
    let config = config(keys, limits);
    let limits = LimitSet::new(&config.limits, &config.access, None, None);
    limits.index_models(&Catalog::new(&config));
    limits
}

fn usage() -> ExpectedUsage {
    let usage = LimitUsage {
        requests: 1,
        input_tokens: 10,
        cached_tokens: 0,
        output_tokens: 5,
        cost: 1_200_000_000,
    };
    ExpectedUsage {
        expected: usage,
        worst: usage,
        has_own_limit: false,
    }
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

/// All that limits add to a request, with both looks at the clocks.
#[divan::bench(args = KEYS, sample_size = 1_000)]
fn reserve_and_settle_under_three_rules(bencher: Bencher<'_, '_>, keys: usize) {
    reserve_and_settle(bencher, &limits(keys, THREE_RULES), keys);
}

/// The same, of what was leased from a store.
#[divan::bench(args = [10, 1_000], sample_size = 1_000)]
fn reserve_and_settle_under_three_leased_rules(bencher: Bencher<'_, '_>, keys: usize) {
    let (config, catalog) = (config(keys, THREE_RULES), Catalog::new(&config(1, "")));
    let link = LeaseLink::new("bench", Duration::from_millis(25), 1, None);
    link.set_up(true);
    let set = LimitSet::with_link(&config.limits, &config.access, None, &link);
    set.index_models(&catalog);
    // The first request of each key finds nothing, and the store then leases plenty.
    for key in 0..keys {
        let subject = RequestSubject {
            model: "m",
            user: None,
        };
        let (caller, usage) = (set.caller(Some(key)), usage());
        let mut acquiring = pin!(caller.acquire(&subject, &usage));
        while acquiring
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            lease_plenty(&link);
        }
    }
    reserve_and_settle(bencher, &set, keys);
}

fn lease_plenty(link: &LeaseLink) {
    let now = LimitClock::now();
    for call in link.urgent_calls(now, usize::MAX) {
        let response = match call.amounts {
            LeaseAmounts::Counter { .. } => LeaseResponse::Counter {
                granted: 1 << 50,
                free: 1 << 50,
                others: 0,
                settled: 0,
                is_new: false,
            },
            LeaseAmounts::Rate { .. } => LeaseResponse::Rate {
                granted: 1 << 50,
                busy: Duration::from_secs(1),
            },
        };
        call.finish(Some(response), now);
    }
}

fn reserve_and_settle(bencher: Bencher<'_, '_>, set: &LimitSet, keys: usize) {
    let (usage, mut next) = (usage(), scattered(keys));
    let catalog = Catalog::new(&config(1, ""));
    let resolved = catalog.resolve("m", |_| true).expect("a known alias");
    bencher.bench_local(|| {
        let name = black_box("m");
        let caller = set.caller(Some(next()));
        let Some(limits) = caller.for_model(resolved.model.id_of(name), name) else {
            return false;
        };
        let acquiring = pin!(limits.acquire(None, &usage));
        let acquired = acquiring.poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(acquired)) = acquired else {
            return false;
        };
        let now = LimitClock::now();
        acquired.reservation.settle(now, black_box(&usage.expected));
        true
    });
}

#[divan::bench(sample_size = 1_000)]
fn estimate(bencher: Bencher<'_, '_>) {
    let catalog = Catalog::new(&config(1, ""));
    let resolved = catalog.resolve("m", |_| true).expect("a known alias");
    let (own, shared) = (LearnedUsage::default(), LearnedUsage::default());
    own.learn(4_000, &usage().expected, None, None);
    let size = RequestSize {
        body_bytes: 4_000,
        ..RequestSize::default()
    };
    bencher.bench_local(|| ExpectedUsage::new(black_box(&size), &resolved, &own, Some(&shared)));
}

/// The memory of users that have just made a request, with their names of ten bytes: the
/// column of the allocations, less that of the deallocations.
#[divan::bench(args = [RATE_PER_USER, TWO_PER_USER], sample_count = 5, sample_size = 1)]
fn ten_thousand_users(bencher: Bencher<'_, '_>, rules: &str) {
    let names: Vec<String> = (0..USERS)
        .map(|number| format!("user-{number:05}"))
        .collect();
    let usage = usage();
    bencher
        .with_inputs(|| limits(1, rules))
        .bench_local_values(|set| {
            for name in &names {
                let subject = RequestSubject {
                    model: "m",
                    user: Some(name),
                };
                let now = LimitClock::now();
                let taken = set.caller(Some(0)).reserve(&subject, now, &usage);
                taken.expect("room").settle(now, &usage.expected);
            }
            set
        });
}
