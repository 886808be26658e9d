//! Failover: at most one attempt that may have been processed, and in the end an
//! upstream's own error where there is one.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, response};

/// A model `m` with these targets, in this order.
pub fn in_order(bases: &[String], lines: &str) -> Setup {
    let mut setup = Setup::new();
    let mut targets = Vec::new();
    for (index, base) in bases.iter().enumerate() {
        let name = format!("p{index}");
        setup = setup.provider_with_key(&name, base, &format!("key-{index}"), "");
        targets.push(format!(
            "{{ provider = \"{name}\", model = \"model-{index}\", priority = {index} }}"
        ));
    }
    let targets = targets.join(", ");
    setup.section(&format!("[models.m]\ntargets = [{targets}]\n{lines}"))
}

pub fn gateway_over(upstreams: &[&Upstream], lines: &str) -> Gateway {
    let bases: Vec<String> = upstreams.iter().map(|it| it.base_url()).collect();
    in_order(&bases, lines).start()
}

pub fn healthy_upstream() -> Upstream {
    Upstream::start(|exchange| {
        let streams = String::from_utf8_lossy(&exchange.read_body()).contains("\"stream\":true");
        let response = if streams {
            response::good_stream()
        } else {
            response::completion("hi")
        };
        exchange.send(response);
    })
}

pub fn unary_and_stream() -> [Request; 2] {
    [Request::chat("m"), Request::stream("m")]
}

pub const BUSY: &str =
    r#"{"error":{"message":"busy","type":"rate_limit_error","param":null,"code":"slow_down"}}"#;

#[test]
fn u27_one_refuses_one_fails_and_one_works() {
    let failing = Upstream::with_response(response::json("500 Internal Server Error", BUSY));
    let fine = healthy_upstream();
    let bases = [refused_base_url(), failing.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "").start();
    for (index, request) in unary_and_stream().into_iter().enumerate() {
        let response = gateway.send(
            &request
                .header("Connection", "close, x-a")
                .header("x-b", "c"),
        );
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(response.complete);
        for (upstream, target) in [(&failing, 1), (&fine, 2)] {
            let seen = &upstream.wait_for_requests(index + 1)[index];
            assert_eq!(
                seen.header_values("authorization"),
                [format!("Bearer key-{target}")]
            );
            assert_eq!(seen.header_values("x-b"), ["c"]);
            assert!(
                seen.text()
                    .contains(&format!("\"model\":\"model-{target}\""))
            );
            assert!(seen.complete);
        }
    }
    assert_eq!((failing.requests().len(), fine.requests().len()), (2, 2));
    gateway.wait_until_idle();
}

#[test]
fn every_kind_of_failed_response_fails_over() {
    let page = "<html>login</html>";
    let html = ["Content-Type: text/html"];
    for bad in [
        response::json("429 Too Many Requests", BUSY),
        response::json("503 Service Unavailable", BUSY),
        response::json("529 Overloaded", BUSY),
        response::json("401 Unauthorized", BUSY),
        response::json("402 Payment Required", BUSY),
        response::json("403 Forbidden", BUSY),
        response::json("404 Not Found", BUSY),
        response::with_body("502 Bad Gateway", &html, page),
        response::with_body("200 OK", &html, page),
        response::with_body("500 Internal Server Error", &[], ""),
        response::with_body("307 Temporary Redirect", &["Location: /x"], ""),
    ] {
        // A gateway for each, since the first failure may eject the target.
        for request in unary_and_stream() {
            let (failing, fine) = (Upstream::with_response(&bad), healthy_upstream());
            let response = gateway_over(&[&failing, &fine], "").send(&request);
            let bad = String::from_utf8_lossy(&bad);
            assert_eq!(response.status, 200, "{bad}: {}", response.text());
            let seen = (failing.requests(), fine.requests());
            assert_eq!((seen.0.len(), seen.1.len()), (1, 1), "{bad}: {seen:?}");
        }
    }
}

#[test]
fn a_client_error_is_returned_at_once() {
    let strict = Upstream::with_response(response::json("400 Bad Request", BUSY));
    let fine = healthy_upstream();
    let gateway = gateway_over(&[&strict, &fine], "");
    let response = gateway.send(&Request::chat("m"));
    assert_eq!((response.status, response.text()), (400, BUSY.to_owned()));
    assert!(fine.requests().is_empty());
}

#[test]
fn when_all_fail_an_upstreams_own_error_is_returned() {
    let headers = ["Content-Type: application/json", "Retry-After: 7"];
    let busy =
        Upstream::with_response(response::with_body("429 Too Many Requests", &headers, BUSY));
    let denied = Upstream::with_response(response::json("401 Unauthorized", "{\"key\":\"key-1\"}"));
    let bases = [busy.base_url(), denied.base_url(), refused_base_url()];
    let gateway = in_order(&bases, "").start();
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_eq!((response.status, response.text()), (429, BUSY.to_owned()));
        assert_eq!(response.header("retry-after"), Some("7"));
    }
    let gateway = in_order(&[refused_base_url(), denied.base_url()], "").start();
    assert_response::error(
        &gateway.send(&Request::chat("m")),
        502,
        "upstream_auth_failed",
        None,
    );
    let gateway = in_order(&[refused_base_url(), refused_base_url()], "").start();
    assert_response::error(
        &gateway.send(&Request::chat("m")),
        502,
        "upstream_connect_failed",
        None,
    );
}

#[test]
fn attempts_are_bounded() {
    let failing = [(); 4].map(|()| Upstream::with_response(response::json("500 Oops", BUSY)));
    let gateway = gateway_over(&failing.each_ref(), "");
    assert_eq!(gateway.send(&Request::chat("m")).status, 500);
    let seen = failing.each_ref().map(|upstream| upstream.requests().len());
    assert_eq!(seen, [1, 1, 1, 0]);
    let gateway = gateway_over(&failing.each_ref(), "retry = { attempts = 1 }");
    assert_eq!(gateway.send(&Request::chat("m")).status, 500);
    assert_eq!(failing[0].requests().len(), 2);
    assert_eq!(failing[1].requests().len(), 1);
}

/// Reads the request and disconnects without a response.
fn disconnect(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.close();
}

#[test]
fn a_request_that_may_have_been_processed_is_not_retried() {
    let (disconnecting, fine) = (Upstream::start(disconnect), healthy_upstream());
    let gateway = gateway_over(&[&disconnecting, &fine], "");
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_response::error(&response, 502, "upstream_disconnected", None);
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    assert!(fine.requests().is_empty());
}

#[test]
fn a_request_that_may_have_been_processed_is_retried_if_the_model_allows_it() {
    let (disconnecting, fine) = (Upstream::start(disconnect), healthy_upstream());
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let bases = [disconnecting.base_url(), silent.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "retry = { non_idempotent = true }")
        .section("[providers.p1.timeouts]\nresponse_header = \"200ms\"")
        .start();
    for request in unary_and_stream() {
        assert_eq!(gateway.send(&request).status, 200);
    }
    for upstream in [&disconnecting, &silent, &fine] {
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[test]
fn a_busy_target_is_retried_after_its_retry_after_if_there_is_time() {
    let headers = [
        "Content-Type: application/json",
        "Retry-After-Ms: 30",
        "Retry-After: 3600",
    ];
    let busy = response::with_body("429 Too Many Requests", &headers, BUSY);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let response = if exchange.index % 2 == 0 {
            busy.clone()
        } else {
            response::completion("hi")
        };
        exchange.send(response);
    });
    let gateway = gateway_over(&[&upstream], "retry = { max_wait = \"5s\" }");
    assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 2);
    let gateway = gateway_over(&[&upstream], "retry = { max_wait = \"20ms\" }");
    assert_eq!(gateway.send(&Request::chat("m")).status, 429);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn requests_are_distributed_by_weight_and_over_the_keys() {
    let [one, two] = [healthy_upstream(), healthy_upstream()];
    let gateway = Setup::new()
        .section(&format!(
            "[providers.one]\nbase_url = \"{}\"\napi_keys = [{{ key = \"a\" }}, {{ key = \"b\" }}, {{ key = \"c\" }}]",
            one.base_url()
        ))
        .provider("two", &two.base_url(), "")
        .section("[models.m]\ntargets = [{ provider = \"one\", weight = 3 }, { provider = \"two\" }]")
        .start();
    let mut client = gateway.client();
    for _ in 0..200 {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().status, 200);
    }
    // Shares of 50 each; the chance of being out of these bounds is below one
    // in a million.
    let seen = one.requests();
    let with = |key: &str| {
        let key = format!("Bearer {key}");
        seen.iter()
            .filter(|seen| seen.header_values("authorization") == [key.as_str()])
            .count()
    };
    for count in [with("a"), with("b"), with("c"), two.requests().len()] {
        assert!((18..=82).contains(&count), "{count}");
    }
}

#[test]
fn possible_processing_is_reported_rather_than_an_earlier_error() {
    let failing = Upstream::with_response(response::json("500 Oops", BUSY));
    let (disconnecting, spare) = (Upstream::start(disconnect), healthy_upstream());
    let gateway = gateway_over(&[&failing, &disconnecting, &spare], "");
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_response::error(&response, 502, "upstream_disconnected", None);
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    assert!(spare.requests().is_empty());
}

#[test]
fn a_full_pool_does_not_count_against_the_target() {
    let gate = std::sync::Arc::new(crate::support::wait::Semaphore::default());
    let gate_of_upstream = std::sync::Arc::clone(&gate);
    let small = Upstream::start(move |exchange| {
        exchange.read_body();
        gate_of_upstream.acquire();
        exchange.send(response::completion("small"));
    });
    let spare = healthy_upstream();
    let gateway = in_order(&[small.base_url(), spare.base_url()], "")
        .section("[providers.p0.pool]\nmax_in_flight = 1\nacquire_timeout = \"0s\"")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    small.wait_for_requests(1);
    for _ in 0..10 {
        assert_eq!(gateway.send(&Request::chat("m")).status, 200);
    }
    assert_eq!(spare.requests().len(), 10);
    gate.release_all();
    assert!(first.response().text().contains("small"));
    assert!(gateway.send(&Request::chat("m")).text().contains("small"));
}
