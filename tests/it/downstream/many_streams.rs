//! Open streams that send little (docs/faults.md#l-01) cost little memory and do
//! not slow other requests.
//!
//! By default a thousand streams for a few seconds. `TRUNKLINE_STREAMS` sets their
//! number and `TRUNKLINE_SOAK` the seconds; each stream needs three file
//! descriptors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Watched;

const STREAMS: usize = 1000;
const SECONDS: usize = 3;
/// Requests per second in addition.
const RATE: usize = 100;
/// Upper bound of memory per stream, for both connections.
const MOST_KIB: usize = 40;

fn env_or(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Sends requests at a steady rate; returns their latencies, sorted.
fn request_latencies(gateway: &Gateway, seconds: usize) -> Vec<Duration> {
    let mut client = gateway.client();
    let began = Instant::now();
    let mut times: Vec<Duration> = (0..seconds * RATE)
        .map(|turn| {
            let due = began + Duration::from_millis((turn * 1000 / RATE) as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let start = Instant::now();
            client.send(&Request::chat("m").bytes());
            let response = client.response();
            assert_eq!(response.status, 200, "{}", response.text());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

#[test]
fn l01_idle_streams_cost_little_memory_and_slow_no_request() {
    let (count, seconds) = (
        env_or("TRUNKLINE_STREAMS", STREAMS),
        env_or("TRUNKLINE_SOAK", SECONDS),
    );
    let over = Arc::new(Watched::new(false));
    let is_over = Arc::clone(&over);
    let upstream = Upstream::start(move |exchange| {
        if !exchange.start_stream_if_requested() {
            return;
        }
        exchange.send(response::chunk(response::delta("one")));
        while is_over.try_wait(|over| over.then_some(())).is_none() {}
        exchange.send(response::chunk(response::finish() + response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let gateway = Setup::with_upstream(&upstream)
        .log("access = false")
        .server("max_connections = 30000\nmax_in_flight = 30000")
        .start();
    let alone = request_latencies(&gateway, SECONDS);
    let before = (gateway.resident_kib(), gateway.open_descriptors());
    let mut streams: Vec<Client> = (0..count)
        .map(|_| {
            let mut client = gateway.client();
            client.send(&Request::stream("m").bytes());
            client
        })
        .collect();
    let first = response::delta("one");
    for stream in &mut streams {
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.read_exact(first.len()), first.as_bytes());
    }
    let loaded = request_latencies(&gateway, seconds);
    let open = gateway.metrics().sum("trunkline_streams_in_flight", &[]);
    assert_eq!(open, Some(count as f64));
    let each = gateway.resident_kib().saturating_sub(before.0) as f64 / count as f64;
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    eprintln!(
        "{count} idle streams for {seconds} s: {each:.1} KiB each; p99 of requests {:?} alone, {:?} with them",
        p99(&alone),
        p99(&loaded),
    );
    over.with(|over| *over = true);
    let rest = response::finish() + response::DONE;
    for stream in &mut streams {
        let (received, complete) = stream.read_body();
        assert!(complete, "a stream was truncated");
        assert_eq!(String::from_utf8(received).unwrap(), rest);
    }
    drop(streams);
    gateway.wait_until_idle();
    assert!(each <= MOST_KIB as f64, "{each} KiB for each stream");
}
