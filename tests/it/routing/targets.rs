//! A model with several targets: priorities, fallbacks, and several keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::client::Request;
use crate::support::gateway::{Setup, run};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait::Semaphore;

#[test]
fn an_unreachable_target_fails_over_to_the_next_priority_and_then_to_a_fallback() {
    let [second, last] = [(); 2].map(|()| Upstream::with_response(response::completion("hi")));
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
            assert_eq!(gateway.send(&request).status, 200, "{model}");
        }
        let name = format!("\"model\":\"{name}\"");
        let seen = upstream.requests();
        assert!(seen.iter().all(|seen| seen.text().contains(&name)));
        assert_eq!(seen.len(), 2);
    }
}

#[test]
fn one_key_of_several_is_enough() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::new()
        .section(&format!(
            "[providers.up]\nbase_url = \"{}\"\napi_keys = [{{ env = \"GONE\" }}, {{ env = \"HERE\" }}]\n\
             [models.m]\nprovider = \"up\"",
            upstream.base_url()
        ))
        .env("HERE", "key-here")
        .start();
    for model in ["m", "up/x"] {
        assert_eq!(gateway.send(&Request::chat(model)).status, 200);
    }
    let seen = upstream.requests();
    assert!(
        seen.iter()
            .all(|seen| seen.header_values("authorization") == ["Bearer key-here"])
    );
}

#[test]
fn a_cycle_of_fallbacks_is_rejected_at_the_start() {
    let setup = Setup::new().section(
        "[models.a]\nprovider = \"groq\"\nfallbacks = [\"b\"]\n[models.b]\nprovider = \"groq\"\nfallbacks = [\"a\"]",
    );
    let (status, _, stderr) = run(&setup, &["check"]);
    assert!(!status.success());
    assert!(stderr.contains("fallback cycle: a -> b -> a"), "{stderr}");
}

#[test]
fn the_less_loaded_target_gets_the_request() {
    let gate = Arc::new(Semaphore::default());
    let is_first = Arc::new(AtomicBool::new(true));
    let [one, two] = [(); 2].map(|()| {
        let (gate, is_first) = (Arc::clone(&gate), Arc::clone(&is_first));
        Upstream::start(move |exchange| {
            exchange.read_body();
            if is_first.swap(false, Ordering::SeqCst) {
                gate.acquire();
            }
            exchange.send(response::completion("hi"));
        })
    });
    let gateway = Setup::new()
        .provider("one", &one.base_url(), "")
        .provider("two", &two.base_url(), "")
        .section(
            "[models.m]\nbalance = \"least_loaded\"\ntargets = [{ provider = \"one\" }, { provider = \"two\" }]",
        )
        .start();
    let mut client = gateway.client();
    client.send(&Request::chat("m").bytes());
    crate::support::wait::until("the first request", || {
        (one.requests().len() + two.requests().len() == 1).then_some(())
    });
    for _ in 0..6 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    let mut seen = [one.requests().len(), two.requests().len()];
    seen.sort_unstable();
    assert_eq!(seen, [1, 6]);
    gate.release_all();
    assert_eq!(client.response().status, 200);
}
