//! Requests that belong together go to the same target, across connections, workers
//! and gateways, while it is available and has capacity.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::routing::failover::healthy_upstream;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::Semaphore;

/// A model `m` over these targets, all of one priority.
fn with_affinity(upstreams: &[&Upstream], affinity: &str, lines: &str) -> Setup {
    let mut setup = Setup::new().server("workers = 3");
    let mut targets = Vec::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{index}"), &upstream.base_url(), "");
        targets.push(format!("{{ provider = \"p{index}\" }}"));
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

fn provider_of(gateway: &Gateway, request: &Request) -> String {
    let response = gateway.send(request);
    assert_eq!(response.status, 200, "{}", response.text());
    response.header("x-trunkline-provider").unwrap().to_owned()
}

#[test]
fn a_user_keeps_its_target_across_connections_workers_and_gateways() {
    let upstreams = [(); 3].map(|()| healthy_upstream());
    let start = || with_affinity(&upstreams.each_ref(), "by = \"user\"", "").start();
    let gateways = [start(), start()];
    let mut targets: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for user in 0..24 {
        let request = of_user(&format!("user-{user}"));
        let target = provider_of(&gateways[0], &request);
        for gateway in &gateways {
            // While these are open, the next clients go to other workers.
            let mut open_clients = Vec::new();
            for _ in 0..4 {
                assert_eq!(provider_of(gateway, &request), target);
                open_clients.push(gateway.client());
            }
        }
        targets.entry(target).or_default().push(user);
    }
    assert_eq!(targets.len(), 3, "{targets:?}");
    let metrics = gateways[1].metrics();
    let hits = [("model", "m"), ("result", "hit")];
    assert_eq!(
        metrics.sum("trunkline_affinity_total", &hits),
        Some(24.0 * 4.0)
    );
    assert_eq!(
        metrics.sum("trunkline_affinity_total", &[]),
        Some(24.0 * 4.0)
    );
}

#[test]
fn a_session_is_identified_by_its_header_and_a_conversation_by_its_prefix() {
    let upstreams = [(); 3].map(|()| healthy_upstream());
    let by_header = "by = \"header\", header = \"X-Session\"";
    let gateway = with_affinity(&upstreams.each_ref(), by_header, "").start();
    let user = r#"{"role":"user","content":"hi"}"#;
    let mut targets = Vec::new();
    for session in 0..12 {
        let request = |turn: usize| {
            let messages = vec![user; turn].join(",");
            chat("", &messages).header("x-session", &session.to_string())
        };
        let target = provider_of(&gateway, &request(1));
        assert!((2..5).all(|turn| provider_of(&gateway, &request(turn)) == target));
        targets.push(target);
    }
    targets.sort_unstable();
    targets.dedup();
    assert!(targets.len() > 1);

    let gateway = with_affinity(&upstreams.each_ref(), "by = \"prompt\"", "").start();
    let mut targets = Vec::new();
    for topic in 0..12 {
        let mut messages = format!(
            r#"{{"role":"system","content":"be kind"}},{{"role":"user","content":"about {topic}"}}"#
        );
        let target = provider_of(&gateway, &chat("", &messages));
        for turn in 0..3 {
            let response = format!(r#"{{"role":"assistant","content":"{turn}"}}"#);
            messages = [messages.as_str(), &response, user].join(",");
            let members = format!(r#","temperature":{turn},"user":"{turn}""#);
            assert_eq!(provider_of(&gateway, &chat(&members, &messages)), target);
        }
        targets.push(target);
    }
    targets.sort_unstable();
    targets.dedup();
    assert!(targets.len() > 1);
    assert_eq!(
        provider_of(&gateway, &chat(",\"stream\":true", user)),
        provider_of(&gateway, &chat("", user))
    );
}

#[test]
fn a_user_whose_target_fails_moves_to_one_other_and_returns() {
    let failing = Arc::new(AtomicBool::new(false));
    let upstreams = [(); 3].map(|()| {
        let failing = Arc::clone(&failing);
        Upstream::start(move |exchange| {
            exchange.read_body();
            let response = if failing.load(Ordering::SeqCst) {
                response::json("500 Oops", "{}")
            } else {
                response::completion("hi")
            };
            exchange.send(response);
        })
    });
    let lines = "[breaker]\nfailures = 1\ncooldown = \"1s\"";
    let gateway = with_affinity(&upstreams.each_ref(), "by = \"user\"", lines).start();
    let request = of_user("user");
    let target = provider_of(&gateway, &request);
    let preferred = &upstreams[target[1..].parse::<usize>().unwrap()];
    let before = preferred.requests().len();
    // All fail once, and the client's own upstream is tried first.
    failing.store(true, Ordering::SeqCst);
    assert_eq!(gateway.send(&request).status, 500);
    assert_eq!(preferred.requests().len(), before + 1);
    failing.store(false, Ordering::SeqCst);
    crate::support::wait::until("the request to reach its affine target", || {
        (provider_of(&gateway, &request) == target).then_some(())
    });
    assert_eq!(provider_of(&gateway, &request), target);
}

#[test]
fn an_ejected_targets_clients_each_have_one_substitute() {
    let failing = Upstream::with_response(response::json("500 Oops", "{}"));
    let [one, two] = [healthy_upstream(), healthy_upstream()];
    let lines = "[breaker]\nfailures = 1\ncooldown = \"60s\"";
    let all = [&failing, &one, &two];
    let gateway = with_affinity(&all, "by = \"user\"", lines).start();
    let mut substitutes = Vec::new();
    for user in 0..30 {
        let request = of_user(&user.to_string());
        let first = provider_of(&gateway, &request);
        assert_eq!(provider_of(&gateway, &request), first);
        substitutes.push(first);
    }
    assert_eq!(failing.requests().len(), 1);
    // Clients that lost their target are spread over the others, too.
    let at_one = substitutes
        .iter()
        .filter(|provider| *provider == "p1")
        .count();
    assert!((5..26).contains(&at_one), "{at_one}");
    let metrics = gateway.metrics();
    let moved = metrics.sum("trunkline_affinity_total", &[("result", "moved")]);
    assert!(moved > Some(2.0), "{moved:?}");
}

#[test]
fn a_target_with_more_than_its_share_is_skipped() {
    for (bound, most) in [("", 3), (", max_load = 0", 6)] {
        let gate = Arc::new(Semaphore::default());
        let upstreams = [(); 3].map(|()| {
            let gate = Arc::clone(&gate);
            Upstream::start(move |exchange| {
                exchange.read_body();
                gate.acquire();
                exchange.send(response::completion("hi"));
            })
        });
        let affinity = format!("by = \"user\"{bound}");
        let gateway = with_affinity(&upstreams.each_ref(), &affinity, "").start();
        let seen = || upstreams.each_ref().map(|it| it.requests().len());
        let mut open_clients = Vec::new();
        for count in 1..=6 {
            let mut client = gateway.client();
            client.send(&of_user("busy").bytes());
            open_clients.push(client);
            crate::support::wait::until("the request upstream", || {
                (seen().iter().sum::<usize>() == count).then_some(())
            });
        }
        assert_eq!(seen().into_iter().max(), Some(most), "{:?}", seen());
        gate.release_all();
        for mut client in open_clients {
            assert_eq!(client.response().status, 200);
        }
        gateway.wait_until_idle();
    }
}

/// What Claude Code sends: a line that is new with each request, and the prompt.
fn claude_code(count: usize, prompt: &str) -> Request {
    let line = format!(
        "x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=000{count:02};"
    );
    let system =
        format!(r#"[{{"type":"text","text":"{line}"}},{{"type":"text","text":"{prompt}"}}]"#);
    let message = r#"{"role":"user","content":"hi"}"#;
    let body =
        format!(r#"{{"model":"m","max_tokens":64,"messages":[{message}],"system":{system}}}"#);
    Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01")
}

#[test]
fn wt10_a_line_that_is_new_with_each_request_does_not_move_a_conversation() {
    let upstreams = [(); 2].map(|()| healthy_upstream());
    let gateway = with_affinity(&upstreams.each_ref(), "by = \"prompt\"", "").start();
    let target = provider_of(&gateway, &claude_code(0, "You are an agent."));
    for count in 1..20 {
        let request = claude_code(count, "You are an agent.");
        assert_eq!(provider_of(&gateway, &request), target);
    }
    let hits = [("model", "m"), ("result", "hit")];
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("trunkline_affinity_total", &hits), Some(20.0));
}

#[test]
fn wt10_agents_with_other_system_prompts_are_spread() {
    let upstreams = [(); 3].map(|()| healthy_upstream());
    let gateway = with_affinity(&upstreams.each_ref(), "by = \"prompt\"", "").start();
    let mut targets = Vec::new();
    for agent in 0..12 {
        let prompt = format!("You are agent {agent}.");
        let target = provider_of(&gateway, &claude_code(0, &prompt));
        assert_eq!(provider_of(&gateway, &claude_code(1, &prompt)), target);
        targets.push(target);
    }
    targets.sort_unstable();
    targets.dedup();
    assert!(targets.len() > 1);
}
