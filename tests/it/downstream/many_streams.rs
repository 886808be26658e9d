//! Streams that are open and say little (FAULTS, L-01): each costs little
//! memory, and requests beside them are answered.
//!
//! There are a thousand for a few seconds. `TRUNKLINE_STREAMS` says how many
//! there are to be, and `TRUNKLINE_SOAK` for how many seconds; three descriptors
//! are needed for each stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::client::{Client, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait::Watched;

const STREAMS: usize = 1000;
const SECONDS: usize = 3;
/// Requests in a second beside them.
const RATE: usize = 100;
/// Most memory for each stream, towards caller and upstream.
const MOST_KIB: usize = 40;

fn set(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Asks at a steady rate; gives how long answers took, in order.
fn ask_for(gateway: &Gateway, seconds: usize) -> Vec<Duration> {
    let mut client = gateway.client();
    let began = Instant::now();
    let mut times: Vec<Duration> = (0..seconds * RATE)
        .map(|turn| {
            let due = began + Duration::from_millis((turn * 1000 / RATE) as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            client.send(&Request::chat("m").bytes());
            let answer = client.answer();
            assert_eq!(answer.status, 200, "{}", answer.text());
            asked.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

#[test]
fn l01_idle_streams_stay_cost_little_and_slow_nobody() {
    let (count, seconds) = (
        set("TRUNKLINE_STREAMS", STREAMS),
        set("TRUNKLINE_SOAK", SECONDS),
    );
    let over = Arc::new(Watched::new(false));
    let is_over = Arc::clone(&over);
    let upstream = Upstream::start(move |exchange| {
        if !exchange.begins_stream() {
            return;
        }
        exchange.send(reply::chunk(reply::delta("one")));
        while is_over.try_wait(|over| over.then_some(())).is_none() {}
        exchange.send(reply::chunk(reply::finish() + reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let gateway = Setup::over(&upstream)
        .log("access = false")
        .server("max_connections = 30000\nmax_in_flight = 30000")
        .start();
    let alone = ask_for(&gateway, SECONDS);
    let before = (gateway.resident_kib(), gateway.descriptors());
    let mut streams: Vec<Client> = (0..count)
        .map(|_| {
            let mut client = gateway.client();
            client.send(&Request::stream("m").bytes());
            client
        })
        .collect();
    let first = reply::delta("one");
    for stream in &mut streams {
        assert_eq!(stream.head().status, 200);
        assert_eq!(stream.take(first.len()), first.as_bytes());
    }
    let beside = ask_for(&gateway, seconds);
    let open = gateway.metrics().sum("trunkline_streams_in_flight", &[]);
    assert_eq!(open, Some(count as f64));
    let each = gateway.resident_kib().saturating_sub(before.0) as f64 / count as f64;
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100];
    eprintln!(
        "{count} idle streams for {seconds} s: {each:.1} KiB each; p99 of requests {:?} alone, {:?} beside them",
        p99(&alone),
        p99(&beside),
    );
    over.with(|over| *over = true);
    let rest = reply::finish() + reply::DONE;
    for stream in &mut streams {
        let (came, complete) = stream.rest();
        assert!(complete, "a stream was cut");
        assert_eq!(String::from_utf8(came).unwrap(), rest);
    }
    drop(streams);
    gateway.settle();
    assert!(each <= MOST_KIB as f64, "{each} KiB for each stream");
}
