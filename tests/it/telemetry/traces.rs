//! Traces: one per request with a span per attempt, exported to an OTLP collector
//! over HTTP, without an effect on requests.

use std::sync::Arc;

use serde_json::Value;

use crate::routing::failover::{BUSY, healthy_upstream, in_order};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Upstream, refused_base_url, response};
use crate::support::wait::Semaphore;

pub const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// An OTLP collector that accepts everything.
pub fn collector() -> Upstream {
    Upstream::with_response(response::json("200 OK", "{}"))
}

/// `[traces]` with this collector.
pub fn traces_section(base_url: &str, lines: &str) -> String {
    let endpoint = base_url.strip_suffix("/v1").unwrap();
    format!("[traces]\nendpoint = \"{endpoint}\"\n{lines}\n")
}

pub fn tracing(setup: Setup, collector: &Upstream) -> Gateway {
    setup
        .section(&traces_section(&collector.base_url(), ""))
        .start()
}

/// Waits for `count` spans, then returns all received.
#[track_caller]
pub fn spans(collector: &Upstream, count: usize) -> Vec<Value> {
    crate::support::wait::until(&format!("{count} spans"), || {
        let exports = collector.requests().into_iter();
        let spans = exports.filter(|it| it.complete).flat_map(|export| {
            assert_eq!(export.target, "/v1/traces");
            assert_eq!(export.header("content-type"), Some("application/json"));
            let export: Value = serde_json::from_slice(&export.body).unwrap();
            let spans = &export["resourceSpans"][0]["scopeSpans"][0]["spans"];
            spans.as_array().unwrap().clone()
        });
        let spans: Vec<Value> = spans.collect();
        (spans.len() >= count).then_some(spans)
    })
}

/// The server span and the client spans, in order.
#[track_caller]
pub fn one_trace(spans: &[Value]) -> (&Value, Vec<&Value>) {
    let (servers, clients): (Vec<_>, Vec<_>) = spans.iter().partition(|it| it["kind"] == 2);
    let [server] = servers[..] else {
        panic!("not one request: {spans:#?}");
    };
    for client in &clients {
        assert_eq!(client["kind"], 3);
        assert_eq!(client["traceId"], server["traceId"]);
        assert_eq!(client["parentSpanId"], server["spanId"]);
        assert!(
            nanoseconds(client, "startTimeUnixNano") >= nanoseconds(server, "startTimeUnixNano")
        );
        assert!(nanoseconds(client, "endTimeUnixNano") <= nanoseconds(server, "endTimeUnixNano"));
        assert!(nanoseconds(client, "startTimeUnixNano") <= nanoseconds(client, "endTimeUnixNano"));
    }
    (server, clients)
}

fn nanoseconds(of: &Value, key: &str) -> u64 {
    text(of, key).parse().unwrap()
}

/// An attribute's value, without its type.
fn attribute(span: &Value, key: &str) -> Option<String> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|it| it["key"] == key)?;
    let (_, value) = found["value"].as_object().unwrap().iter().next()?;
    Some(
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
    )
}

#[track_caller]
pub fn assert_attributes(span: &Value, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(
            attribute(span, key).as_deref(),
            Some(*value),
            "{key}: {span:#}"
        );
    }
}

#[test]
fn a_request_is_a_trace_with_an_attempt() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    let gateway = tracing(Setup::with_upstream(&upstream), &collector);
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(response.status, 200);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["name"], "POST /v1/chat/completions");
    assert_eq!(server.get("parentSpanId"), None);
    assert_eq!(server["status"]["code"], 0);
    assert_attributes(
        server,
        &[
            ("http.route", "/v1/chat/completions"),
            ("http.response.status_code", "200"),
            ("gen_ai.request.model", "m"),
            ("trunkline.request_id", &response.request_id()),
            ("trunkline.outcome", "ok"),
        ],
    );
    let [client] = clients[..] else {
        panic!("not one attempt: {spans:#?}")
    };
    assert_eq!(client["name"], "chat real-model");
    assert_eq!(client["status"]["code"], 0);
    assert_attributes(
        client,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "up"),
            ("gen_ai.request.model", "real-model"),
            ("gen_ai.usage.input_tokens", "11"),
            ("gen_ai.usage.output_tokens", "7"),
            ("http.response.status_code", "200"),
            ("trunkline.attempt", "1"),
            ("trunkline.result", "responded"),
        ],
    );
    let sent = upstream.only_request();
    let expected = format!(
        "00-{}-{}-01",
        text(server, "traceId"),
        text(client, "spanId")
    );
    assert_eq!(sent.header_values("traceparent"), [expected]);
    let line = gateway.access_line(&response.request_id());
    assert_eq!(line["trace_id"], server["traceId"]);
    let export: Value = serde_json::from_slice(&collector.only_request().body).unwrap();
    let resource = &export["resourceSpans"][0]["resource"];
    assert_attributes(resource, &[("service.name", "trunkline")]);
}

#[test]
fn the_clients_trace_continues_upstream() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    // Requests of other clients are not recorded.
    let gateway = Setup::with_upstream(&upstream)
        .section(&traces_section(&collector.base_url(), "ratio = \"0\""))
        .start();
    let request = Request::chat("m")
        .header("traceparent", CLIENT)
        .header("tracestate", "a=1,b=2");
    gateway.send(&request);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["traceId"], TRACE);
    assert_eq!(server["parentSpanId"], SPAN);
    let sent = upstream.only_request();
    let expected = format!("00-{TRACE}-{}-01", text(clients[0], "spanId"));
    assert_eq!(sent.header_values("traceparent"), [expected]);
    assert_eq!(sent.header_values("tracestate"), ["a=1,b=2"]);
    // A trace that is not sampled is forwarded unchanged.
    let unsampled = CLIENT.replace("-01", "-00");
    for value in [&*unsampled, "nonsense"] {
        let before = upstream.requests().len();
        let request = Request::chat("m")
            .header("traceparent", value)
            .header("tracestate", "a=1");
        let response = gateway.send(&request);
        let sent = &upstream.wait_for_requests(before + 1)[before];
        assert_eq!(sent.header_values("traceparent"), [value]);
        assert_eq!(sent.header_values("tracestate"), ["a=1"]);
        assert_eq!(
            gateway.access_line(&response.request_id()).get("trace_id"),
            None
        );
    }
    gateway.send(&Request::chat("m").header("traceparent", CLIENT));
    let all = crate::telemetry::traces::spans(&collector, 4);
    assert!(all.iter().all(|span| span["traceId"] == TRACE), "{all:#?}");
}

#[test]
fn an_invalid_trace_context_starts_a_new_trace() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    let gateway = tracing(Setup::with_upstream(&upstream), &collector);
    let request = Request::chat("m")
        .header("traceparent", &CLIENT.to_uppercase())
        .header("tracestate", "a=1");
    gateway.send(&request);
    let spans = spans(&collector, 2);
    let (server, _) = one_trace(&spans);
    assert_eq!(server.get("parentSpanId"), None);
    let sent = upstream.only_request();
    assert_eq!(sent.header_values("traceparent").len(), 1);
    assert!(
        sent.header("traceparent")
            .unwrap()
            .contains(&text(server, "traceId"))
    );
    assert!(sent.header_values("tracestate").is_empty());
}

#[test]
fn without_tracing_the_clients_headers_are_forwarded_unchanged() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let request = Request::chat("m")
        .header("TraceParent", CLIENT)
        .header("tracestate", "a=1");
    let response = gateway.send(&request);
    let sent = upstream.only_request();
    assert_eq!(sent.header_values("traceparent"), [CLIENT]);
    assert_eq!(sent.header_values("tracestate"), ["a=1"]);
    assert_eq!(
        gateway.access_line(&response.request_id()).get("trace_id"),
        None
    );
}

#[test]
fn each_attempt_has_a_span_and_its_own_id_upstream() {
    let failing = Upstream::with_response(response::json("500 Oops", BUSY));
    let (fine, collector) = (healthy_upstream(), collector());
    let bases = [refused_base_url(), failing.base_url(), fine.base_url()];
    let gateway = tracing(in_order(&bases, ""), &collector);
    assert_eq!(gateway.send(&Request::stream("m")).status, 200);
    let spans = spans(&collector, 4);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["status"]["code"], 0);
    assert_eq!(clients.len(), 3);
    for (index, client) in clients.iter().enumerate() {
        let provider = format!("p{index}");
        assert_eq!(client["name"], format!("chat model-{index}"));
        assert_attributes(
            client,
            &[
                ("trunkline.provider", &provider),
                ("trunkline.attempt", &(index + 1).to_string()),
            ],
        );
        let failed = index < 2;
        assert_eq!(client["status"]["code"], if failed { 2 } else { 0 });
        let result = attribute(client, "trunkline.result").unwrap();
        let metrics = gateway.metrics();
        let labels = [("provider", &*provider), ("result", &*result)];
        assert_eq!(metrics.sum("trunkline_attempts_total", &labels), Some(1.0));
        let error = attribute(client, "error.type");
        assert_eq!(error, failed.then_some(result));
    }
    assert_attributes(clients[1], &[("http.response.status_code", "500")]);
    assert_eq!(attribute(clients[0], "http.response.status_code"), None);
    for (upstream, client) in [(&failing, clients[1]), (&fine, clients[2])] {
        let sent = upstream.only_request();
        let named = sent.header_values("traceparent");
        assert_eq!(named.len(), 1);
        assert!(named[0].contains(&text(client, "spanId")), "{named:?}");
    }
}

#[test]
fn a_hedge_differs_from_the_superseded_attempt() {
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let (fine, collector) = (healthy_upstream(), collector());
    let bases = [silent.base_url(), fine.base_url()];
    let gateway = tracing(
        in_order(&bases, "hedge = { after = \"100ms\" }"),
        &collector,
    );
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    let spans = spans(&collector, 3);
    let (_, clients) = one_trace(&spans);
    assert_attributes(clients[0], &[("trunkline.result", "cancelled")]);
    assert_eq!(attribute(clients[0], "trunkline.hedge"), None);
    assert_attributes(
        clients[1],
        &[
            ("trunkline.result", "responded"),
            ("trunkline.hedge", "true"),
        ],
    );
    assert!(clients.iter().all(|client| client["status"]["code"] == 0));
    assert!(
        nanoseconds(clients[1], "startTimeUnixNano") < nanoseconds(clients[0], "endTimeUnixNano")
    );
}

#[test]
fn a_streams_span_has_its_first_token_and_lasts_to_its_end() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        passed.acquire();
        exchange.send(response::chunk(response::finish()));
        exchange.send(response::chunk(response::usage(30, 12)));
        exchange.send(response::chunk(response::DONE));
        exchange.send(response::LAST_CHUNK);
    });
    let collector = collector();
    let gateway = tracing(Setup::with_upstream(&upstream), &collector);
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.next_frame();
    gate.release();
    client.read_body();
    let spans = spans(&collector, 2);
    let (_, clients) = one_trace(&spans);
    assert_attributes(
        clients[0],
        &[
            ("gen_ai.request.stream", "true"),
            ("gen_ai.usage.input_tokens", "30"),
            ("gen_ai.usage.output_tokens", "12"),
        ],
    );
    let took = attribute(clients[0], "gen_ai.response.time_to_first_chunk").unwrap();
    assert!(took.parse::<f64>().unwrap() > 0.0);
    let event = &clients[0]["events"][0];
    assert_eq!(event["name"], "first token");
    let at = nanoseconds(event, "timeUnixNano");
    assert!(at > nanoseconds(clients[0], "startTimeUnixNano"));
    assert!(at < nanoseconds(clients[0], "endTimeUnixNano"));
}

#[test]
fn failed_spans_have_an_error_type() {
    let truncated = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::stream_head());
        exchange.send(response::chunk(response::delta("one")));
        exchange.close();
    });
    let collector = collector();
    let gateway = tracing(Setup::with_upstream(&truncated), &collector);
    gateway.send(&Request::stream("m"));
    let first = spans(&collector, 2);
    let (server, clients) = one_trace(&first);
    for span in [server, clients[0]] {
        assert_eq!(span["status"]["code"], 2);
        assert_attributes(span, &[("error.type", "upstream_disconnected")]);
    }
    assert_eq!(gateway.send(&Request::chat("no-such-model")).status, 404);
    let spans = spans(&collector, 3);
    let (server, clients) = one_trace(&spans[2..]);
    assert!(clients.is_empty());
    assert_eq!(server["status"]["code"], 0);
    assert_attributes(
        server,
        &[
            ("error.type", "model_not_found"),
            ("http.response.status_code", "404"),
        ],
    );
    assert_eq!(attribute(server, "gen_ai.request.model"), None);
}

#[test]
fn a_client_supplied_model_name_is_not_recorded() {
    let (upstream, collector) = (
        Upstream::with_response(response::completion("hi")),
        collector(),
    );
    let gateway = tracing(Setup::with_upstream(&upstream), &collector);
    assert_eq!(gateway.send(&Request::chat("up/secret-plan")).status, 200);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(clients[0]["name"], "chat");
    assert_attributes(server, &[("gen_ai.request.model", "up/*")]);
    assert!(!collector.only_request().text().contains("secret-plan"));
}
