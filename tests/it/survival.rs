//! Upstreams that refuse, stall, die and come back under load: no caller gets
//! an error that a healthy target could have prevented.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::client::{Answer, Request};
use crate::failover::good;
use crate::gateway::{Gateway, Setup};
use crate::upstream::mortal::Mortal;
use crate::upstream::{Exchange, Upstream, refused_base_url, reply};
use crate::wait::until;

/// Callers at the same time, each with a connection of its own.
const CALLERS: usize = 200;

/// One target refuses, one stalls and one answers; every stream must come
/// whole. All callers may be at the stalling one when it is found out, so the
/// retry budget has to bear that many at once.
fn every_stream_comes_whole(streams: usize) {
    let stalling = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let fine = good();
    let gateway = Setup::new()
        .provider("refusing", &refused_base_url(), "")
        .provider(
            "stalling",
            &stalling.base_url(),
            "timeouts = { head = \"500ms\" }",
        )
        .provider("fine", &fine.base_url(), "")
        .section(
            "[retry]\nbudget = 50\nprocessed = true\n[models.m]\ntargets = [\
             { provider = \"refusing\" }, { provider = \"stalling\" }, { provider = \"fine\" }]",
        )
        .start();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut client = gateway.client();
                for _ in 0..streams / CALLERS {
                    client.send(&Request::stream("m").bytes());
                    let answer = client.answer();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(answer.complete && answer.text() == good_text());
                }
            });
        }
    });
    assert_eq!(fine.requests().len(), streams);
    // Both were left out soon, and tried out now and then.
    let stalled = stalling.requests().len();
    assert!(stalled < CALLERS + 50, "{stalled}");
    let metrics = gateway.metrics();
    for provider in ["refusing", "stalling"] {
        let labels = [("provider", provider)];
        assert_eq!(metrics.sum("trunkline_targets_ejected", &labels), Some(1.0));
    }
    gateway.settle();
}

fn good_text() -> String {
    let events = [reply::delta("one"), reply::delta("two"), reply::finish()];
    events.concat() + reply::DONE
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
    if !String::from_utf8_lossy(&exchange.read_body()).contains("\"stream\":true") {
        exchange.send(reply::completion("hi"));
        return;
    }
    exchange.send(reply::stream_head());
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
