//! Requests that belong together go to the same target: over connections,
//! workers and gateways, for as long as it is there and has room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::routing::failover::good;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};
use crate::support::wait::Gate;

/// A model `m` over these, all of one priority.
fn beside(upstreams: &[&Upstream], affinity: &str, lines: &str) -> Setup {
    let mut setup = Setup::new().server("workers = 3");
    let mut targets = Vec::new();
    for (place, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{place}"), &upstream.base_url(), "");
        targets.push(format!("{{ provider = \"p{place}\" }}"));
    }
    let targets = targets.join(", ");
    setup.section(&format!(
        "[models.m]\naffinity = {{ {affinity} }}\ntargets = [{targets}]\n{lines}"
    ))
}

fn chat(members: &str, messages: &str) -> Request {
    Request::post(
        "/v1/chat/completions",
        format!(r#"{{"model":"m","messages":[{messages}]{members}}}"#),
    )
}

fn of_user(name: &str) -> Request {
    let member = format!(r#","user":"{name}""#);
    chat(&member, r#"{"role":"user","content":"hi"}"#)
}

fn place(gateway: &Gateway, request: &Request) -> String {
    let answer = gateway.ask(request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-trunkline-provider").unwrap().to_owned()
}

#[test]
fn a_user_stays_with_a_target_over_connections_workers_and_gateways() {
    let upstreams = [(); 3].map(|()| good());
    let start = || beside(&upstreams.each_ref(), "by = \"user\"", "").start();
    let gateways = [start(), start()];
    let mut homes: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for user in 0..24 {
        let request = of_user(&format!("user-{user}"));
        let home = place(&gateways[0], &request);
        for gateway in &gateways {
            // While these are open, the next callers go to other workers.
            let mut held = Vec::new();
            for _ in 0..4 {
                assert_eq!(place(gateway, &request), home);
                held.push(gateway.client());
            }
        }
        homes.entry(home).or_default().push(user);
    }
    assert_eq!(homes.len(), 3, "{homes:?}");
    let metrics = gateways[1].metrics();
    let kept = [("model", "m"), ("result", "kept")];
    assert_eq!(
        metrics.sum("trunkline_affinity_total", &kept),
        Some(24.0 * 4.0)
    );
    assert_eq!(
        metrics.sum("trunkline_affinity_total", &[]),
        Some(24.0 * 4.0)
    );
}

#[test]
fn a_session_goes_by_its_header_and_a_conversation_by_how_it_began() {
    let upstreams = [(); 3].map(|()| good());
    let by_header = "by = \"header\", header = \"X-Session\"";
    let gateway = beside(&upstreams.each_ref(), by_header, "").start();
    let user = r#"{"role":"user","content":"hi"}"#;
    let mut homes = Vec::new();
    for session in 0..12 {
        let request = |turn: usize| {
            let messages = vec![user; turn].join(",");
            chat("", &messages).header("x-session", &session.to_string())
        };
        let home = place(&gateway, &request(1));
        assert!((2..5).all(|turn| place(&gateway, &request(turn)) == home));
        homes.push(home);
    }
    homes.sort_unstable();
    homes.dedup();
    assert!(homes.len() > 1);

    let gateway = beside(&upstreams.each_ref(), "by = \"prompt\"", "").start();
    let mut homes = Vec::new();
    for topic in 0..12 {
        let mut messages = format!(
            r#"{{"role":"system","content":"be kind"}},{{"role":"user","content":"about {topic}"}}"#
        );
        let home = place(&gateway, &chat("", &messages));
        for turn in 0..3 {
            let answer = format!(r#"{{"role":"assistant","content":"{turn}"}}"#);
            messages = [messages.as_str(), &answer, user].join(",");
            let members = format!(r#","temperature":{turn},"user":"{turn}""#);
            assert_eq!(place(&gateway, &chat(&members, &messages)), home);
        }
        homes.push(home);
    }
    homes.sort_unstable();
    homes.dedup();
    assert!(homes.len() > 1);
    assert_eq!(
        place(&gateway, &chat(",\"stream\":true", user)),
        place(&gateway, &chat("", user))
    );
}

#[test]
fn who_loses_a_target_goes_to_one_other_and_comes_back() {
    let failing = Arc::new(AtomicBool::new(false));
    let upstreams = [(); 3].map(|()| {
        let failing = Arc::clone(&failing);
        Upstream::start(move |exchange| {
            exchange.read_body();
            let answer = if failing.load(Ordering::SeqCst) {
                reply::json("500 Oops", "{}")
            } else {
                reply::completion("hi")
            };
            exchange.send(answer);
        })
    });
    let lines = "[breaker]\nfailures = 1\ncooldown = \"1s\"";
    let gateway = beside(&upstreams.each_ref(), "by = \"user\"", lines).start();
    let request = of_user("somebody");
    let home = place(&gateway, &request);
    let mine = &upstreams[home[1..].parse::<usize>().unwrap()];
    let before = mine.requests().len();
    // All fail once, and the caller's own upstream is asked first.
    failing.store(true, Ordering::SeqCst);
    assert_eq!(gateway.ask(&request).status, 500);
    assert_eq!(mine.requests().len(), before + 1);
    failing.store(false, Ordering::SeqCst);
    crate::support::wait::until("the request to be where it belongs", || {
        (place(&gateway, &request) == home).then_some(())
    });
    assert_eq!(place(&gateway, &request), home);
}

#[test]
fn a_target_that_is_left_out_has_one_stand_in() {
    let failing = Upstream::answering(reply::json("500 Oops", "{}"));
    let [one, two] = [good(), good()];
    let lines = "[breaker]\nfailures = 1\ncooldown = \"60s\"";
    let all = [&failing, &one, &two];
    let gateway = beside(&all, "by = \"user\"", lines).start();
    let mut stand_ins = Vec::new();
    for user in 0..30 {
        let request = of_user(&user.to_string());
        let first = place(&gateway, &request);
        assert_eq!(place(&gateway, &request), first);
        stand_ins.push(first);
    }
    assert_eq!(failing.requests().len(), 1);
    // Those who lost their target are spread over the others, too.
    let at_one = stand_ins.iter().filter(|place| *place == "p1").count();
    assert!((5..26).contains(&at_one), "{at_one}");
    let metrics = gateway.metrics();
    let moved = metrics.sum("trunkline_affinity_total", &[("result", "moved")]);
    assert!(moved > Some(2.0), "{moved:?}");
}

#[test]
fn a_target_with_more_than_its_share_is_passed_over() {
    for (bound, most) in [("", 3), (", max_load = 0", 6)] {
        let gate = Arc::new(Gate::default());
        let upstreams = [(); 3].map(|()| {
            let gate = Arc::clone(&gate);
            Upstream::start(move |exchange| {
                exchange.read_body();
                gate.pass();
                exchange.send(reply::completion("hi"));
            })
        });
        let affinity = format!("by = \"user\"{bound}");
        let gateway = beside(&upstreams.each_ref(), &affinity, "").start();
        let seen = || upstreams.each_ref().map(|it| it.requests().len());
        let mut held = Vec::new();
        for count in 1..=6 {
            let mut client = gateway.client();
            client.send(&of_user("busy").bytes());
            held.push(client);
            crate::support::wait::until("the request upstream", || {
                (seen().iter().sum::<usize>() == count).then_some(())
            });
        }
        assert_eq!(seen().into_iter().max(), Some(most), "{:?}", seen());
        gate.open_for_good();
        for mut client in held {
            assert_eq!(client.answer().status, 200);
        }
        gateway.settle();
    }
}
