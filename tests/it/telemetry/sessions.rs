//! Sessions that clients name: in the log, for affinity, and the client's name for a
//! provider that shares its capacity by it.

use crate::support::client::Request;
use crate::support::gateway::{Setup, text};
use crate::support::upstream::{Upstream, response};

fn upstream() -> Upstream {
    Upstream::with_response(response::completion("hi"))
}

#[test]
fn the_session_of_coding_agents_is_logged() {
    let upstream = upstream();
    let gateway = Setup::with_upstream(&upstream).start();
    for (header, session) in [
        ("X-Claude-Code-Session-Id", "0b8a-claude"),
        ("session-id", "codex-1"),
        ("thread-id", "codex-2"),
        ("x-session-id", "ses_opencode"),
    ] {
        let request = Request::chat("m").header(header, session);
        assert_eq!(gateway.send(&request).status, 200);
    }
    gateway.send(&Request::chat("m").header("x-session-id", "two words"));
    gateway.send(&Request::chat("m"));
    let lines = gateway.access_lines(6);
    let sessions = lines.iter().map(|line| line.get("session").is_some());
    assert!(sessions.eq([true, true, true, true, false, false]));
    let logged = lines.iter().take(4).map(|line| text(line, "session"));
    assert!(logged.eq(["0b8a-claude", "codex-1", "codex-2", "ses_opencode"]));
    // The provider gets it as well.
    let seen = &upstream.requests()[0];
    assert_eq!(
        seen.header_values("x-claude-code-session-id"),
        ["0b8a-claude"]
    );
}

#[test]
fn the_headers_of_sessions_are_configured() {
    let upstream = upstream();
    let gateway = Setup::with_upstream(&upstream)
        .log("session_headers = [\"x-my-run\"]")
        .start();
    let request = Request::chat("m").header("x-session-id", "one");
    gateway.send(&request.header("X-My-Run", "two"));
    assert_eq!(text(&gateway.access_lines(1)[0], "session"), "two");
    let off = Setup::with_upstream(&upstream)
        .log("session_headers = []")
        .start();
    off.send(&Request::chat("m").header("x-session-id", "one"));
    assert!(off.access_lines(1)[0].get("session").is_none());
}

#[test]
fn a_session_keeps_its_target() {
    let upstreams = [(); 3].map(|()| upstream());
    let mut setup = Setup::new();
    for (index, upstream) in upstreams.iter().enumerate() {
        setup = setup.provider(&format!("p{index}"), &upstream.base_url(), "");
    }
    let gateway = setup
        .section(
            "[models.m]\naffinity = { by = \"session\" }\n\
             targets = [{ provider = \"p0\" }, { provider = \"p1\" }, { provider = \"p2\" }]",
        )
        .start();
    let provider_of = |session: u32| {
        let request = Request::chat("m").header("thread-id", &session.to_string());
        let response = gateway.send(&request);
        response.header("x-trunkline-provider").unwrap().to_owned()
    };
    let mut all = std::collections::BTreeSet::new();
    for session in 0..12 {
        let provider = provider_of(session);
        for _ in 0..3 {
            assert_eq!(provider_of(session), provider);
        }
        all.insert(provider);
    }
    assert!(all.len() > 1, "{all:?}");
    let labels = [("model", "m"), ("result", "hit")];
    gateway.await_metric("trunkline_affinity_total", &labels, 48.0);
    gateway.send(&Request::chat("m"));
    let labels = [("model", "m"), ("result", "no_key")];
    gateway.await_metric("trunkline_affinity_total", &labels, 1.0);
}

/// llm-d shares its capacity among the values of this header.
#[test]
fn a_provider_gets_the_name_of_the_clients_key() {
    let (fair, other) = (upstream(), upstream());
    let gateway = Setup::new()
        .provider(
            "fair",
            &fair.base_url(),
            "caller_header = \"x-gateway-inference-fairness-id\"\nobjective = \"interactive\"",
        )
        .provider("other", &other.base_url(), "")
        .model("m", "fair", "x")
        .model("o", "other", "x")
        .key("team-a", "tk-a", "")
        .start();
    let fairness = "x-gateway-inference-fairness-id";
    let objective = "x-gateway-inference-objective";
    // A client can neither name another one, nor have the field removed.
    let forged = |request: Request| {
        request
            .header("X-Gateway-Inference-Fairness-Id", "team-b")
            .header("x_gateway_inference_fairness_id", "team-c")
            .header("x-gateway-inference-objective", "urgent")
            .header("Connection", "x-gateway-inference-fairness-id")
            .key("tk-a")
    };
    let messages = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    for request in [
        forged(Request::chat("m")),
        forged(Request::post("/v1/messages", messages)),
        forged(Request::get("/providers/fair/v1/files")),
    ] {
        assert_eq!(gateway.send(&request).status, 200);
    }
    for seen in fair.wait_for_requests(3) {
        assert_eq!(seen.header_values(fairness), ["team-a"]);
        assert_eq!(seen.header_values(objective), ["interactive"]);
        assert!(
            seen.header_values("x_gateway_inference_fairness_id")
                .is_empty()
        );
    }
    gateway.send(&Request::chat("o").key("tk-a"));
    assert!(other.only_request().header_values(fairness).is_empty());
    let open = Setup::new()
        .provider(
            "fair",
            &fair.base_url(),
            &format!("caller_header = \"{fairness}\""),
        )
        .model("m", "fair", "x")
        .start();
    let request = Request::chat("m").header(fairness, "team-b");
    assert_eq!(open.send(&request).status, 200);
    let seen = fair.wait_for_requests(4);
    assert!(seen[3].header_values(fairness).is_empty());
}
