//! Upstreams that refuse, stall, fail and recover, without an error for clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::routing::failover::{gateway_over, healthy_upstream};
use crate::support::client::Request;
use crate::support::gateway::Setup;
use crate::support::three_targets::{ThreeTargets, stream_all};
use crate::support::upstream::{Upstream, response};

#[test]
fn with_one_working_target_of_three_every_stream_is_complete() {
    let targets = ThreeTargets::start("200ms", "");
    targets.assert_streams_complete(16, 125);
    let stalled = targets.stalling.requests().len();
    assert!(stalled < 100, "{stalled}");
}

#[test]
fn a_failing_target_is_ejected_and_restored() {
    let works = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicUsize::new(0));
    let (responses, count) = (Arc::clone(&works), Arc::clone(&seen));
    let flapping = Upstream::start(move |exchange| {
        exchange.read_body();
        count.fetch_add(1, Ordering::SeqCst);
        let response = if responses.load(Ordering::SeqCst) {
            response::good_stream()
        } else {
            response::json("500 Internal Server Error", "{}")
        };
        exchange.send(response);
    });
    let spare = healthy_upstream();
    let bases = [flapping.base_url(), spare.base_url()];
    let gateway = crate::routing::failover::in_order(&bases, "")
        .section("[breaker]\nfailures = 2\ncooldown = \"300ms\"")
        .start();
    stream_all(&gateway, 1, 20);
    let before = seen.load(Ordering::SeqCst);
    assert!((2..20).contains(&before), "{before}");
    works.store(true, Ordering::SeqCst);
    crate::support::wait::until("the target to be restored", || {
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
fn the_only_targets_are_used_even_while_they_fail() {
    let failing =
        [(); 2].map(|()| Upstream::with_response(response::json("500 Oops", "{\"a\":1}")));
    let gateway = gateway_over(&failing.each_ref(), "");
    for _ in 0..30 {
        let response = gateway.send(&Request::chat("m"));
        assert_eq!(
            (response.status, response.text()),
            (500, "{\"a\":1}".to_owned())
        );
    }
    assert!(failing[0].requests().len() >= 30);
}

#[test]
fn a_rejected_key_is_ejected_and_the_providers_other_keys_are_used() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        let response = if exchange.request().header_values("authorization") == ["Bearer bad"] {
            response::json("401 Unauthorized", "{}")
        } else {
            response::completion("hi")
        };
        exchange.send(response);
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
            assert_eq!(gateway.send(&Request::chat(model)).status, 200);
        }
    }
    let seen = upstream.requests();
    let bad = seen
        .iter()
        .filter(|seen| seen.header_values("authorization") == ["Bearer bad"]);
    assert_eq!(bad.count(), 1);
}
