//! Upstreams that refuse, stall, die and come back, and callers who notice
//! nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::routing::failover::{good, over};
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::three_targets::{Trio, stream_all};
use crate::support::upstream::{Upstream, reply};

#[test]
fn one_refuses_one_stalls_one_answers_and_every_stream_comes_whole() {
    let trio = Trio::start("200ms", "");
    trio.streams_come_whole(16, 125);
    let stalled = trio.stalling.requests().len();
    assert!(stalled < 100, "{stalled}");
}

#[test]
fn a_target_that_fails_is_left_out_and_comes_back() {
    let works = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicUsize::new(0));
    let (answers, count) = (Arc::clone(&works), Arc::clone(&seen));
    let flapping = Upstream::start(move |exchange| {
        exchange.read_body();
        count.fetch_add(1, Ordering::SeqCst);
        let answer = if answers.load(Ordering::SeqCst) {
            reply::good_stream()
        } else {
            reply::json("500 Internal Server Error", "{}")
        };
        exchange.send(answer);
    });
    let spare = good();
    let bases = [flapping.base_url(), spare.base_url()];
    let gateway = crate::routing::failover::in_order(&bases, "")
        .section("[breaker]\nfailures = 2\ncooldown = \"300ms\"")
        .start();
    stream_all(&gateway, 1, 20);
    let before = seen.load(Ordering::SeqCst);
    assert!((2..20).contains(&before), "{before}");
    works.store(true, Ordering::SeqCst);
    crate::support::wait::until("the target to be back", || {
        stream_all(&gateway, 1, 1);
        let metrics = gateway.metrics();
        let ejected = metrics.sum("trunkline_targets_ejected", &[("provider", "p0")]);
        (ejected == Some(0.0)).then_some(())
    });
    let spared = spare.requests().len();
    stream_all(&gateway, 1, 5);
    assert_eq!(spare.requests().len(), spared);
}

#[test]
fn the_only_targets_left_answer_for_themselves() {
    let failing = [(); 2].map(|()| Upstream::answering(reply::json("500 Oops", "{\"a\":1}")));
    let gateway = over(&failing.each_ref(), "");
    for _ in 0..30 {
        let answer = gateway.ask(&Request::chat("m"));
        assert_eq!(
            (answer.status, answer.text()),
            (500, "{\"a\":1}".to_owned())
        );
    }
    assert!(failing[0].requests().len() >= 30);
}

#[test]
fn a_refused_key_is_benched_and_the_providers_other_keys_go_on() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let answer = if exchange.request().all("authorization") == ["Bearer bad"] {
            reply::json("401 Unauthorized", "{}")
        } else {
            reply::completion("hi")
        };
        exchange.send(answer);
    });
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ key = \"bad\" }}, {{ key = \"good\" }}]\n\
             [models.m]\nprovider = \"up\"",
            upstream.base_url()
        ))
        .start();
    for _ in 0..40 {
        for model in ["m", "up/other"] {
            assert_eq!(gateway.ask(&Request::chat(model)).status, 200);
        }
    }
    let seen = upstream.requests();
    let bad = seen
        .iter()
        .filter(|seen| seen.all("authorization") == ["Bearer bad"]);
    assert_eq!(bad.count(), 1);
}
