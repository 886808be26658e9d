//! Upstreams that refuse, stall, are killed and restart under load: no client gets
//! an error that a healthy target could have prevented.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::three_targets::{ThreeTargets, good_text};
use crate::support::upstream::restarting::RestartingUpstream;
use crate::support::upstream::{Exchange, response};
use crate::support::wait::until;

/// Concurrent clients, each with its own connection.
const CLIENTS: usize = 200;

/// Every stream must be complete. All clients may be waiting for the stalled target
/// when it is ejected, so the retry budget has to cover that many at once.
fn assert_every_stream_complete(streams: usize) {
    let targets = ThreeTargets::start("500ms", "budget = 50");
    targets.assert_streams_complete(CLIENTS, streams / CLIENTS);
    let stalled = targets.stalling.requests().len();
    assert!(stalled < CLIENTS + 50, "{stalled}");
}

#[test]
fn with_one_working_target_of_three_every_stream_is_complete() {
    assert_every_stream_complete(1000);
}

#[test]
#[ignore = "slow; the same with a thousand is not ignored"]
fn with_one_working_target_of_three_ten_thousand_streams_are_complete() {
    assert_every_stream_complete(10_000);
}

// === killed and restarted upstreams ===

/// The outcomes of all requests.
#[derive(Default)]
struct Tally {
    complete_count: AtomicUsize,
    /// Truncated after the first byte, where there is no failover.
    truncated: AtomicUsize,
}

fn respond(exchange: &mut Exchange<'_>) {
    if !exchange.start_stream_if_requested() {
        return;
    }
    for event in [
        response::delta("one"),
        response::delta("two"),
        response::finish(),
    ] {
        exchange.send(response::chunk(event));
    }
    exchange.send(response::chunk(response::DONE));
    exchange.send(response::LAST_CHUNK);
}

/// Sends unary and streaming requests in turn until `stop` is set.
fn run_client(gateway: &Gateway, stop: &AtomicBool, tally: &Tally) {
    let mut client = gateway.client();
    let requests = [Request::chat("m"), Request::stream("m")];
    for request in requests.iter().cycle() {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        client.send(&request.bytes());
        let response = client.response();
        assert_eq!(response.status, 200, "preventable: {}", response.text());
        if is_complete(&response) {
            tally.complete_count.fetch_add(1, Ordering::SeqCst);
        } else {
            tally.truncated.fetch_add(1, Ordering::SeqCst);
            let text = response.text();
            let begun = text.split("data: {\"error\"").next().unwrap_or_default();
            assert!(
                begun.is_empty() || good_text().starts_with(begun),
                "not the beginning of a response: {text}"
            );
            client = gateway.client();
        }
    }
}

fn is_complete(response: &Response) -> bool {
    let text = response.text();
    response.complete && (text == good_text() || text.contains("\"content\":\"hi\""))
}

#[test]
fn killed_and_restarted_upstreams_cause_no_error() {
    let mut upstreams = [(); 3].map(|()| RestartingUpstream::start(respond));
    let mut setup = Setup::new().section(
        "[retry]\nnon_idempotent = true\n[breaker]\ncooldown = \"100ms\"\nmax_cooldown = \"400ms\"\n\
         [models.m]\ntargets = [{ provider = \"p0\" }, { provider = \"p1\" }, { provider = \"p2\" }]",
    );
    for (index, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{index}"), &upstream.base_url(), "");
    }
    let gateway = setup.start();
    let (stop, tally) = (AtomicBool::new(false), Arc::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| run_client(&gateway, &stop, &tally));
        }
        // One at a time is down, and in use again before the next one is killed.
        for round in 0..9 {
            let index = round % upstreams.len();
            let complete_count = tally.complete_count.load(Ordering::SeqCst);
            upstreams[index].kill();
            until("responses of the others", || {
                (tally.complete_count.load(Ordering::SeqCst) > complete_count + 100).then_some(())
            });
            let before = upstreams[index].requests();
            upstreams[index].restart();
            until("requests to the restarted upstream", || {
                (upstreams[index].requests() > before + 20).then_some(())
            });
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (complete_count, truncated) = (&tally.complete_count, &tally.truncated);
    let [complete_count, truncated] =
        [complete_count, truncated].map(|count| count.load(Ordering::SeqCst));
    assert!(complete_count > 9 * 100, "{complete_count}");
    assert!(truncated < 9 * 24, "{truncated} of {complete_count}");
    gateway.wait_until_idle();
}
