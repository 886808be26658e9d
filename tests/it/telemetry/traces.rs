//! Traces: one for each request, with a span for each attempt, taken by a real
//! collector that speaks OTLP over HTTP; and requests that feel nothing of it.

use std::sync::Arc;

use serde_json::Value;

use crate::routing::failover::{BUSY, good, in_order};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Upstream, refused_base_url, reply};
use crate::support::wait::Gate;

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// Takes all that it gets, as an OpenTelemetry collector does.
pub fn collector() -> Upstream {
    Upstream::answering(reply::json("200 OK", "{}"))
}

/// `[traces]` with this collector.
pub fn to(base_url: &str, lines: &str) -> String {
    let endpoint = base_url.strip_suffix("/v1").unwrap();
    format!("[traces]\nendpoint = \"{endpoint}\"\n{lines}\n")
}

fn tracing(setup: Setup, collector: &Upstream) -> Gateway {
    setup.section(&to(&collector.base_url(), "")).start()
}

/// Waits for so many spans, then yields all that came.
#[track_caller]
fn spans(collector: &Upstream, count: usize) -> Vec<Value> {
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

/// The server's span, and the clients' in their order.
#[track_caller]
fn one_trace(spans: &[Value]) -> (&Value, Vec<&Value>) {
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
fn says(span: &Value, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(
            attribute(span, key).as_deref(),
            Some(*value),
            "{key}: {span:#}"
        );
    }
}

#[test]
fn a_collector_behind_tls_is_known_by_its_authority() {
    let authority = Authority::new();
    let secure = |flaw| {
        Upstream::start_tls(authority.server(flaw, &[]), |exchange| {
            exchange.read_body();
            exchange.send(reply::json("200 OK", "{}"));
        })
    };
    let upstream = Upstream::answering(reply::completion("hi"));
    let start = |collector: &Upstream, lines: &str| {
        let setup = Setup::over(&upstream);
        setup.file("ca.pem", authority.pem().as_bytes());
        setup.section(&to(&collector.base_url(), lines)).start()
    };
    let collector = secure(Flaw::None);
    let gateway = start(&collector, "ca_file = \"ca.pem\"");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    one_trace(&spans(&collector, 2));
    for (flaw, lines) in [(Flaw::None, ""), (Flaw::WrongName, "ca_file = \"ca.pem\"")] {
        let collector = secure(flaw);
        let gateway = start(&collector, lines);
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
        gateway.await_metric("trunkline_spans_lost_total", &[], 2.0);
        assert!(collector.requests().is_empty());
    }
}

#[test]
fn a_request_is_a_trace_with_an_attempt() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    let gateway = tracing(Setup::over(&upstream), &collector);
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 200);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["name"], "POST /v1/chat/completions");
    assert_eq!(server.get("parentSpanId"), None);
    assert_eq!(server["status"]["code"], 0);
    says(
        server,
        &[
            ("http.route", "/v1/chat/completions"),
            ("http.response.status_code", "200"),
            ("gen_ai.request.model", "m"),
            ("trunkline.request_id", &answer.request_id()),
            ("trunkline.outcome", "ok"),
        ],
    );
    let [client] = clients[..] else {
        panic!("not one attempt: {spans:#?}")
    };
    assert_eq!(client["name"], "chat real-model");
    assert_eq!(client["status"]["code"], 0);
    says(
        client,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "up"),
            ("gen_ai.request.model", "real-model"),
            ("gen_ai.usage.input_tokens", "11"),
            ("gen_ai.usage.output_tokens", "7"),
            ("http.response.status_code", "200"),
            ("trunkline.attempt", "1"),
            ("trunkline.result", "answered"),
        ],
    );
    let sent = upstream.only();
    let expected = format!(
        "00-{}-{}-01",
        text(server, "traceId"),
        text(client, "spanId")
    );
    assert_eq!(sent.all("traceparent"), [expected]);
    let line = gateway.access_line(&answer.request_id());
    assert_eq!(line["trace_id"], server["traceId"]);
    let export: Value = serde_json::from_slice(&collector.only().body).unwrap();
    let resource = &export["resourceSpans"][0]["resource"];
    says(resource, &[("service.name", "trunkline")]);
}

#[test]
fn the_callers_trace_goes_on_upstream() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    // Nobody else's request is recorded.
    let gateway = Setup::over(&upstream)
        .section(&to(&collector.base_url(), "ratio = \"0\""))
        .start();
    let request = Request::chat("m")
        .header("traceparent", CALLER)
        .header("tracestate", "a=1,b=2");
    gateway.ask(&request);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["traceId"], TRACE);
    assert_eq!(server["parentSpanId"], SPAN);
    let sent = upstream.only();
    let expected = format!("00-{TRACE}-{}-01", text(clients[0], "spanId"));
    assert_eq!(sent.all("traceparent"), [expected]);
    assert_eq!(sent.all("tracestate"), ["a=1,b=2"]);
    // What is not recorded passes as it came.
    let unsampled = CALLER.replace("-01", "-00");
    for value in [&*unsampled, "nonsense"] {
        let before = upstream.requests().len();
        let request = Request::chat("m")
            .header("traceparent", value)
            .header("tracestate", "a=1");
        let answer = gateway.ask(&request);
        let sent = &upstream.arrived(before + 1)[before];
        assert_eq!(sent.all("traceparent"), [value]);
        assert_eq!(sent.all("tracestate"), ["a=1"]);
        assert_eq!(
            gateway.access_line(&answer.request_id()).get("trace_id"),
            None
        );
    }
    gateway.ask(&Request::chat("m").header("traceparent", CALLER));
    let all = crate::telemetry::traces::spans(&collector, 4);
    assert!(all.iter().all(|span| span["traceId"] == TRACE), "{all:#?}");
}

#[test]
fn a_trace_that_is_not_understood_is_begun_anew() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    let gateway = tracing(Setup::over(&upstream), &collector);
    let request = Request::chat("m")
        .header("traceparent", &CALLER.to_uppercase())
        .header("tracestate", "a=1");
    gateway.ask(&request);
    let spans = spans(&collector, 2);
    let (server, _) = one_trace(&spans);
    assert_eq!(server.get("parentSpanId"), None);
    let sent = upstream.only();
    assert_eq!(sent.all("traceparent").len(), 1);
    assert!(
        sent.header("traceparent")
            .unwrap()
            .contains(&text(server, "traceId"))
    );
    assert!(sent.all("tracestate").is_empty());
}

#[test]
fn without_traces_the_callers_headers_pass_untouched() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream).start();
    let request = Request::chat("m")
        .header("TraceParent", CALLER)
        .header("tracestate", "a=1");
    let answer = gateway.ask(&request);
    let sent = upstream.only();
    assert_eq!(sent.all("traceparent"), [CALLER]);
    assert_eq!(sent.all("tracestate"), ["a=1"]);
    assert_eq!(
        gateway.access_line(&answer.request_id()).get("trace_id"),
        None
    );
}

#[test]
fn each_attempt_has_a_span_and_its_own_name_upstream() {
    let failing = Upstream::answering(reply::json("500 Oops", BUSY));
    let (fine, collector) = (good(), collector());
    let bases = [refused_base_url(), failing.base_url(), fine.base_url()];
    let gateway = tracing(in_order(&bases, ""), &collector);
    assert_eq!(gateway.ask(&Request::stream("m")).status, 200);
    let spans = spans(&collector, 4);
    let (server, clients) = one_trace(&spans);
    assert_eq!(server["status"]["code"], 0);
    assert_eq!(clients.len(), 3);
    for (place, client) in clients.iter().enumerate() {
        let provider = format!("p{place}");
        assert_eq!(client["name"], format!("chat model-{place}"));
        says(
            client,
            &[
                ("trunkline.provider", &provider),
                ("trunkline.attempt", &(place + 1).to_string()),
            ],
        );
        let failed = place < 2;
        assert_eq!(client["status"]["code"], if failed { 2 } else { 0 });
        let result = attribute(client, "trunkline.result").unwrap();
        let metrics = gateway.metrics();
        let labels = [("provider", &*provider), ("result", &*result)];
        assert_eq!(metrics.sum("trunkline_attempts_total", &labels), Some(1.0));
        let error = attribute(client, "error.type");
        assert_eq!(error, failed.then_some(result));
    }
    says(clients[1], &[("http.response.status_code", "500")]);
    assert_eq!(attribute(clients[0], "http.response.status_code"), None);
    for (upstream, client) in [(&failing, clients[1]), (&fine, clients[2])] {
        let sent = upstream.only();
        let named = sent.all("traceparent");
        assert_eq!(named.len(), 1);
        assert!(named[0].contains(&text(client, "spanId")), "{named:?}");
    }
}

#[test]
fn a_hedge_is_told_from_the_attempt_that_was_given_up() {
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let (fine, collector) = (good(), collector());
    let bases = [silent.base_url(), fine.base_url()];
    let gateway = tracing(
        in_order(&bases, "hedge = { after = \"100ms\" }"),
        &collector,
    );
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let spans = spans(&collector, 3);
    let (_, clients) = one_trace(&spans);
    says(clients[0], &[("trunkline.result", "cancelled")]);
    assert_eq!(attribute(clients[0], "trunkline.hedge"), None);
    says(
        clients[1],
        &[
            ("trunkline.result", "answered"),
            ("trunkline.hedge", "true"),
        ],
    );
    assert!(clients.iter().all(|client| client["status"]["code"] == 0));
    assert!(
        nanoseconds(clients[1], "startTimeUnixNano") < nanoseconds(clients[0], "endTimeUnixNano")
    );
}

#[test]
fn a_stream_tells_of_its_first_token_and_lasts_to_its_end() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        passed.pass();
        exchange.send(reply::chunk(reply::finish()));
        exchange.send(reply::chunk(reply::usage(30, 12)));
        exchange.send(reply::chunk(reply::DONE));
        exchange.send(reply::LAST_CHUNK);
    });
    let collector = collector();
    let gateway = tracing(Setup::over(&upstream), &collector);
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    client.head();
    client.piece();
    gate.open();
    client.rest();
    let spans = spans(&collector, 2);
    let (_, clients) = one_trace(&spans);
    says(
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
fn what_failed_says_so() {
    let cut = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
        exchange.close();
    });
    let collector = collector();
    let gateway = tracing(Setup::over(&cut), &collector);
    gateway.ask(&Request::stream("m"));
    let first = spans(&collector, 2);
    let (server, clients) = one_trace(&first);
    for span in [server, clients[0]] {
        assert_eq!(span["status"]["code"], 2);
        says(span, &[("error.type", "upstream_disconnected")]);
    }
    assert_eq!(gateway.ask(&Request::chat("nobody")).status, 404);
    let spans = spans(&collector, 3);
    let (server, clients) = one_trace(&spans[2..]);
    assert!(clients.is_empty());
    assert_eq!(server["status"]["code"], 0);
    says(
        server,
        &[
            ("error.type", "model_not_found"),
            ("http.response.status_code", "404"),
        ],
    );
    assert_eq!(attribute(server, "gen_ai.request.model"), None);
}

#[test]
fn a_model_that_only_the_caller_names_is_not_named() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    let gateway = tracing(Setup::over(&upstream), &collector);
    assert_eq!(gateway.ask(&Request::chat("up/secret-plan")).status, 200);
    let spans = spans(&collector, 2);
    let (server, clients) = one_trace(&spans);
    assert_eq!(clients[0]["name"], "chat");
    says(server, &[("gen_ai.request.model", "up/*")]);
    assert!(!collector.only().text().contains("secret-plan"));
}

/// Requests are answered, and so many spans are lost.
#[track_caller]
fn harmless(gateway: &Gateway, lost: f64) {
    for _ in 0..3 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    gateway.await_metric("trunkline_spans_lost_total", &[], lost);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
}

#[test]
fn a_collector_that_is_gone_or_fails_costs_spans_and_no_request() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let failing = Upstream::answering(reply::json("500 Oops", "{}"));
    let unwilling = Upstream::answering(reply::json(
        "200 OK",
        r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}"#,
    ));
    for base in [refused_base_url(), failing.base_url()] {
        let gateway = Setup::over(&upstream).section(&to(&base, "")).start();
        harmless(&gateway, 6.0);
        let warnings = gateway.lines_at("WARN").join("\n");
        assert!(warnings.contains("traces are lost"), "{warnings}");
        assert!(!warnings.contains("127.0.0.1"), "{warnings}");
    }
    let gateway = tracing(Setup::over(&upstream), &unwilling);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    gateway.await_metric("trunkline_spans_lost_total", &[], 2.0);
}

#[test]
fn a_collector_that_is_busy_is_asked_again() {
    let first = Arc::new(Gate::default());
    first.open();
    let collector = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(if first.pass_now() {
            let head = ["Content-Type: application/json", "Retry-After: 1"];
            reply::whole("503 Busy", &head, "{}")
        } else {
            reply::json("200 OK", "{}")
        });
    });
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = tracing(Setup::over(&upstream), &collector);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    let exports = collector.arrived(2);
    assert_eq!(
        exports[0].header("content-length"),
        exports[1].header("content-length")
    );
    let lost = gateway.metrics().sum("trunkline_spans_lost_total", &[]);
    assert_eq!(lost, Some(0.0));
}

#[test]
fn a_silent_collector_holds_up_neither_requests_nor_the_end() {
    let collector = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let upstream = Upstream::answering(reply::completion("hi"));
    let mut gateway = tracing(Setup::over(&upstream), &collector);
    for _ in 0..50 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    collector.arrived(1);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    assert!(gateway.ended().success());
}

#[test]
fn the_last_spans_leave_before_the_process_ends() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    let mut gateway = tracing(Setup::over(&upstream), &collector);
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    gateway.signal("TERM");
    assert!(gateway.ended().success());
    assert_eq!(spans(&collector, 2).len(), 2);
}

#[test]
fn a_reload_turns_traces_on_elsewhere_and_off() {
    let (upstream, one, two) = (
        Upstream::answering(reply::completion("hi")),
        collector(),
        collector(),
    );
    let gateway = Setup::over(&upstream).start();
    let ask = || gateway.ask(&Request::chat("m").header("traceparent", CALLER));
    assert_eq!(ask().status, 200);
    gateway.reload(|config| config + &to(&one.base_url(), ""));
    assert_eq!(ask().status, 200);
    let (from, into) = (one.port().to_string(), two.port().to_string());
    gateway.reload(|config| config.replace(&format!(":{from}\"\n"), &format!(":{into}\"\n")));
    assert_eq!(ask().status, 200);
    let off =
        |config: String| config.replace(&format!("endpoint = \"http://127.0.0.1:{into}\""), "");
    gateway.reload(off);
    assert_eq!(ask().status, 200);
    assert_eq!((spans(&one, 2).len(), spans(&two, 2).len()), (2, 2));
    assert_eq!(upstream.requests()[3].all("traceparent"), [CALLER]);
}

#[test]
fn the_collector_gets_its_headers_and_nobody_else_sees_them() {
    let (upstream, collector) = (Upstream::answering(reply::completion("hi")), collector());
    let lines = "endpoint_env = \"COLLECTOR\"\nheaders = { x-scope = \"sesame-one\" }\nheaders_env = \"MORE\"";
    let endpoint = collector.base_url().replace("/v1", "/tenant/");
    let gateway = Setup::over(&upstream)
        .section(&to("off/v1", lines))
        .variable("COLLECTOR", &endpoint.replace("/tenant/", ""))
        .variable("MORE", "authorization=Bearer%20sesame-two, x-other = 3")
        .variable("OTEL_SERVICE_NAME", "gate")
        .start();
    gateway.ask(&Request::chat("m"));
    let export = &collector.arrived(1)[0];
    assert_eq!(export.header("x-scope"), Some("sesame-one"));
    assert_eq!(export.header("authorization"), Some("Bearer sesame-two"));
    assert_eq!(export.header("x-other"), Some("3"));
    spans(&collector, 2);
    assert!(collector.only().text().contains("\"gate\""));
    let config = gateway.ask_admin("/config").text();
    assert!(config.contains("\"gate\""), "{config}");
    assert!(!(config + &gateway.said()).contains("sesame"));
}
