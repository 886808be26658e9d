//! A model of several targets: where its requests go, and with which key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::Request;
use crate::support::gateway::{Setup, run};
use crate::support::upstream::{Upstream, refused_base_url, reply};
use crate::support::wait::Gate;

#[test]
fn what_cannot_be_reached_gives_way_to_the_next_priority_and_then_to_a_fallback() {
    let [second, last] = [(); 2].map(|()| Upstream::answering(reply::completion("hi")));
    let gateway = Setup::new()
        .provider("first", &refused_base_url(), "")
        .provider("second", &second.base_url(), "")
        .provider("last", &last.base_url(), "")
        .section(
            "[models.m]\ntargets = [{ provider = \"second\", model = \"s\", priority = 1 }, { provider = \"first\" }]\n\
             [models.n]\nprovider = \"first\"\nfallbacks = [\"spare\"]\n\
             [models.spare]\nprovider = \"last\"\nmodel = \"l\"",
        )
        .start();
    for (model, upstream, name) in [("m", &second, "s"), ("n", &last, "l")] {
        for request in [Request::chat(model), Request::stream(model)] {
            assert_eq!(gateway.ask(&request).status, 200, "{model}");
        }
        let name = format!("\"model\":\"{name}\"");
        let seen = upstream.requests();
        assert!(seen.iter().all(|seen| seen.text().contains(&name)));
        assert_eq!(seen.len(), 2);
    }
}

#[test]
fn one_key_of_several_is_enough() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ env = \"GONE\" }}, {{ env = \"HERE\" }}]\n\
             [models.m]\nprovider = \"up\"",
            upstream.base_url()
        ))
        .variable("HERE", "key-here")
        .start();
    for model in ["m", "up/x"] {
        assert_eq!(gateway.ask(&Request::chat(model)).status, 200);
    }
    let seen = upstream.requests();
    assert!(
        seen.iter()
            .all(|seen| seen.all("authorization") == ["Bearer key-here"])
    );
}

#[test]
fn a_circle_of_fallbacks_is_refused_at_the_start() {
    let setup = Setup::new().section(
        "[models.a]\nprovider = \"groq\"\nfallbacks = [\"b\"]\n[models.b]\nprovider = \"groq\"\nfallbacks = [\"a\"]",
    );
    let (status, _, stderr) = run(&setup, &["check"]);
    assert!(!status.success());
    assert!(
        stderr.contains("leads back to itself: a -> b -> a"),
        "{stderr}"
    );
}

#[test]
fn the_less_busy_target_gets_the_request() {
    let gate = Arc::new(Gate::default());
    let is_first = Arc::new(AtomicBool::new(true));
    let [one, two] = [(); 2].map(|()| {
        let (gate, is_first) = (Arc::clone(&gate), Arc::clone(&is_first));
        Upstream::start(move |exchange| {
            exchange.read_body();
            if is_first.swap(false, Ordering::SeqCst) {
                gate.pass();
            }
            exchange.send(reply::completion("hi"));
        })
    });
    let gateway = Setup::new()
        .provider("one", &one.base_url(), "")
        .provider("two", &two.base_url(), "")
        .section(
            "[models.m]\nbalance = \"least_loaded\"\ntargets = [{ provider = \"one\" }, { provider = \"two\" }]",
        )
        .start();
    let mut held = gateway.client();
    held.send(&Request::chat("m").bytes());
    crate::support::wait::until("the first request", || {
        (one.requests().len() + two.requests().len() == 1).then_some(())
    });
    for _ in 0..6 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    let mut seen = [one.requests().len(), two.requests().len()];
    seen.sort_unstable();
    assert_eq!(seen, [1, 6]);
    gate.open_for_good();
    assert_eq!(held.answer().status, 200);
}
