//! Circles of base URLs (docs/faults.md#a6).

use crate::routing::failover::unary_and_stream;
use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::websocket::handshake;

const HOPS: &str = "x-trunkline-hops";

/// A gateway whose provider `up` is set by [`lead_to`].
fn gateway(lines: &str) -> Gateway {
    Setup::new()
        .provider("up", &refused_base_url(), lines)
        .model("m", "up", "m")
        .start()
}

/// By a reload: only then is the port known.
fn lead_to(from: &Gateway, to: &Gateway) {
    let base_url = format!("http://{}/v1", to.listen);
    from.reload(|text| text.replace(&refused_url_of(&text), &base_url));
}

fn refused_url_of(text: &str) -> String {
    let (_, after) = text.split_once("[providers.up]\nbase_url = \"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}

#[track_caller]
fn assert_loop(response: &Response) {
    let message = assert_response::error(response, 508, "loop_detected", None);
    assert!(message.contains("providers.up.base_url"), "{message}");
    assert_eq!(response.header("x-should-retry"), Some("false"));
    assert_eq!(response.header("x-trunkline-provider"), Some("up"));
}

#[test]
fn a6_a_gateway_that_leads_to_itself_is_seen_at_the_second_pass() {
    let gateway = gateway("");
    lead_to(&gateway, &gateway);
    for request in unary_and_stream() {
        assert_loop(&gateway.send(&request));
    }
    // Each request passed twice: from the client, and from the gateway itself.
    let lines = gateway.access_lines(4);
    assert_eq!(lines.len(), 4);
    for line in lines {
        assert_eq!(text(&line, "status"), "508");
        assert_eq!(text(&line, "code"), "loop_detected");
    }
    let named = format!("\"base_url\":\"http://{}/v1\"", gateway.listen);
    gateway.await_log("WARN", &["loop detected", "\"provider\":\"up\"", &named], 2);
    let failed = [("model", "m"), ("provider", "up"), ("result", "failed")];
    gateway.await_metric("trunkline_attempts_total", &failed, 2.0);
    let errors = [("model", "m"), ("outcome", "upstream_error")];
    gateway.await_metric("trunkline_requests_total", &errors, 2.0);
    // It may come from anyone, and is no failure of a provider.
    let second_pass = [("model", "unknown"), ("outcome", "client_error")];
    gateway.await_metric("trunkline_requests_total", &second_pass, 2.0);
}

#[test]
fn a6_every_kind_of_request_is_seen() {
    let gateway = gateway("discover = true");
    lead_to(&gateway, &gateway);
    let upload = Request::new("POST", "/v1/uploads/u/parts")
        .header("Content-Type", "application/octet-stream")
        .body(vec![b'x'; 100_000]);
    let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--\r\n";
    let form = Request::new("POST", "/v1/audio/transcriptions")
        .header("Content-Type", "multipart/form-data; boundary=b")
        .body(form);
    for request in [
        upload,
        form,
        Request::get("/providers/up/v1/files"),
        handshake("/v1/realtime?model=m"),
    ] {
        assert_loop(&gateway.send(&request));
    }
    // Its own list is asked for once, and not by itself in turn.
    let list = gateway.send(&Request::get("/v1/models"));
    assert_eq!(list.status, 200, "{}", list.text());
    gateway.await_log("WARN", &["status 508"], 1);
}

#[test]
fn a6_two_gateways_that_lead_to_each_other_are_seen_and_no_other_target_is_tried() {
    let spare = Upstream::with_response(response::completion("hi"));
    let spared = || {
        Setup::new()
            .provider("up", &refused_base_url(), "")
            .provider("spare", &spare.base_url(), "")
            .section("[models.m]\nprovider = \"up\"\nfallbacks = [\"spare\"]")
            .model("spare", "spare", "m")
            .start()
    };
    let (one, two) = (spared(), spared());
    lead_to(&one, &two);
    lead_to(&two, &one);
    for request in unary_and_stream() {
        assert_loop(&one.send(&request));
    }
    assert_eq!(one.access_lines(4).len(), 4);
    assert_eq!(two.access_lines(2).len(), 2);
    assert!(spare.requests().is_empty());
}

#[test]
fn a6_messages_clients_get_the_error_in_their_format() {
    let gateway = gateway("dialects = [\"chat\", \"messages\"]");
    lead_to(&gateway, &gateway);
    let body = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
    let response = gateway.send(&Request::post("/v1/messages", body));
    assert_eq!(response.status, 508, "{}", response.text());
    let json = response.json();
    assert_eq!(json["type"], "error");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains("providers.up.base_url"), "{message}");
}

#[test]
fn a6_a_chain_of_gateways_is_no_loop() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let last = Setup::new()
        .provider("up", &upstream.base_url(), "")
        .model("m", "up", "m")
        .start();
    let (first, second) = (gateway(""), gateway(""));
    lead_to(&first, &second);
    lead_to(&second, &last);
    let response = first.send(&Request::chat("m"));
    assert_eq!(response.status, 200, "{}", response.text());
    let seen = upstream.only_request();
    let hops = seen.header_values(HOPS);
    assert_eq!(hops.len(), 1);
    let ids: Vec<&str> = hops[0].split(", ").collect();
    assert_eq!(ids.len(), 3, "{hops:?}");
    assert!(ids.iter().all(|id| id.len() == 16), "{hops:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
}

#[test]
fn a6_a_circle_of_replicas_ends_after_eight() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let ids = |count: usize| vec!["0123456789abcdef"; count].join(", ");
    let passed = |count| Request::chat("m").header(HOPS, &ids(count));
    assert_eq!(gateway.send(&passed(7)).status, 200);
    assert_response::error(&gateway.send(&passed(8)), 508, "loop_detected", None);
    // A client cannot pass anything on in it.
    let forged = Request::chat("m").header(HOPS, "from the client, 1");
    assert_eq!(gateway.send(&forged).status, 200);
    let seen = upstream.wait_for_requests(2);
    assert_eq!(seen[0].header_values(HOPS)[0].len(), 8 * 16 + 7 * 2);
    assert_eq!(seen[1].header_values(HOPS)[0].len(), 16);
}

#[test]
fn a_508_of_another_kind_is_an_error_like_any_other() {
    let limit = response::json("508 Resource Limit Is Reached", r#"{"error":"limit"}"#);
    let (busy, fine) = (
        Upstream::with_response(limit),
        Upstream::with_response(response::completion("hi")),
    );
    let bases = [busy.base_url(), fine.base_url()];
    let gateway = crate::routing::failover::in_order(&bases, "").start();
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(busy.requests().len(), 1);
}
