//! Upstreams that refuse, stall, die and come back under load: no caller gets
//! an error that a healthy target could have prevented.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::three_targets::{Trio, good_text};
use crate::support::upstream::restarting::Mortal;
use crate::support::upstream::{Exchange, reply};
use crate::support::wait::until;

/// Callers at the same time, each with a connection of its own.
const CALLERS: usize = 200;

/// Every stream must come whole. All callers may be at the stalling target when
/// it is found out, so the retry budget has to bear that many at once.
fn every_stream_comes_whole(streams: usize) {
    let trio = Trio::start("500ms", "budget = 50");
    trio.streams_come_whole(CALLERS, streams / CALLERS);
    let stalled = trio.stalling.requests().len();
    assert!(stalled < CALLERS + 50, "{stalled}");
}

#[test]
fn one_refuses_one_stalls_one_answers_and_every_stream_comes_whole() {
    every_stream_comes_whole(1000);
}

#[test]
#[ignore = "takes a while; the same with a thousand is not ignored"]
fn one_refuses_one_stalls_one_answers_and_ten_thousand_streams_come_whole() {
    every_stream_comes_whole(10_000);
}

// ===== Killed and started again =====

/// What became of the requests.
#[derive(Default)]
struct Tally {
    whole: AtomicUsize,
    /// Broken behind the first byte, where there is no way back.
    broken: AtomicUsize,
}

fn answer(exchange: &mut Exchange<'_>) {
    if !exchange.begins_stream() {
        return;
    }
    for event in [reply::delta("one"), reply::delta("two"), reply::finish()] {
        exchange.send(reply::chunk(event));
    }
    exchange.send(reply::chunk(reply::DONE));
    exchange.send(reply::LAST_CHUNK);
}

/// Asks for streams and whole answers in turn until it is over.
fn call(gateway: &Gateway, over: &AtomicBool, tally: &Tally) {
    let mut client = gateway.client();
    let requests = [Request::chat("m"), Request::stream("m")];
    for request in requests.iter().cycle() {
        if over.load(Ordering::SeqCst) {
            break;
        }
        client.send(&request.bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200, "preventable: {}", answer.text());
        if is_whole(&answer) {
            tally.whole.fetch_add(1, Ordering::SeqCst);
        } else {
            tally.broken.fetch_add(1, Ordering::SeqCst);
            let text = answer.text();
            let begun = text.split("data: {\"error\"").next().unwrap_or_default();
            assert!(
                begun.is_empty() || good_text().starts_with(begun),
                "not the beginning of an answer: {text}"
            );
            client = gateway.client();
        }
    }
}

fn is_whole(answer: &Answer) -> bool {
    let text = answer.text();
    answer.complete && (text == good_text() || text.contains("\"content\":\"hi\""))
}

#[test]
fn upstreams_that_are_killed_and_started_again_cost_nobody_an_answer() {
    let mut upstreams = [(); 3].map(|()| Mortal::start(answer));
    let mut setup = Setup::new().section(
        "[retry]\nprocessed = true\n[breaker]\ncooldown = \"100ms\"\nmax_cooldown = \"400ms\"\n\
         [models.m]\ntargets = [{ provider = \"p0\" }, { provider = \"p1\" }, { provider = \"p2\" }]",
    );
    for (place, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{place}"), &upstream.base_url(), "");
    }
    let gateway = setup.start();
    let (over, tally) = (AtomicBool::new(false), Arc::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| call(&gateway, &over, &tally));
        }
        // One at a time is dead, and back in use before the next one dies.
        for round in 0..9 {
            let place = round % upstreams.len();
            let whole = tally.whole.load(Ordering::SeqCst);
            upstreams[place].kill();
            until("answers of the others", || {
                (tally.whole.load(Ordering::SeqCst) > whole + 100).then_some(())
            });
            let before = upstreams[place].requests();
            upstreams[place].revive();
            until("requests to the one that is back", || {
                (upstreams[place].requests() > before + 20).then_some(())
            });
        }
        over.store(true, Ordering::SeqCst);
    });
    let (whole, broken) = (&tally.whole, &tally.broken);
    let [whole, broken] = [whole, broken].map(|count| count.load(Ordering::SeqCst));
    assert!(whole > 9 * 100, "{whole}");
    assert!(broken < 9 * 24, "{broken} of {whole}");
    gateway.settle();
}
