//! What one target does not answer, another one does: at most once where the
//! request may have been processed, and with the last word an upstream's own.

use crate::support::assert_response;
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, reply};

/// A model `m` that tries these in this order.
pub fn in_order(bases: &[String], lines: &str) -> Setup {
    let mut setup = Setup::new();
    let mut targets = Vec::new();
    for (place, base) in bases.iter().enumerate() {
        let name = format!("p{place}");
        setup = setup.keyed_provider(&name, base, &format!("key-{place}"), "");
        targets.push(format!(
            "{{ provider = \"{name}\", model = \"model-{place}\", priority = {place} }}"
        ));
    }
    let targets = targets.join(", ");
    setup.section(&format!("[models.m]\ntargets = [{targets}]\n{lines}"))
}

pub fn over(upstreams: &[&Upstream], lines: &str) -> Gateway {
    let bases: Vec<String> = upstreams.iter().map(|it| it.base_url()).collect();
    in_order(&bases, lines).start()
}

pub fn good() -> Upstream {
    Upstream::start(|exchange| {
        let streams = String::from_utf8_lossy(&exchange.read_body()).contains("\"stream\":true");
        let answer = if streams {
            reply::good_stream()
        } else {
            reply::completion("hi")
        };
        exchange.send(answer);
    })
}

pub fn both() -> [Request; 2] {
    [Request::chat("m"), Request::stream("m")]
}

pub const BUSY: &str =
    r#"{"error":{"message":"busy","type":"rate_limit_error","param":null,"code":"slow_down"}}"#;

#[test]
fn u27_one_refuses_one_fails_and_one_answers() {
    let failing = Upstream::answering(reply::json("500 Internal Server Error", BUSY));
    let fine = good();
    let bases = [refused_base_url(), failing.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "").start();
    for (index, request) in both().into_iter().enumerate() {
        let answer = gateway.ask(
            &request
                .header("Connection", "close, x-a")
                .header("x-b", "c"),
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.complete);
        for (upstream, place) in [(&failing, 1), (&fine, 2)] {
            let seen = &upstream.arrived(index + 1)[index];
            assert_eq!(seen.all("authorization"), [format!("Bearer key-{place}")]);
            assert_eq!(seen.all("x-b"), ["c"]);
            assert!(
                seen.text()
                    .contains(&format!("\"model\":\"model-{place}\""))
            );
            assert!(seen.complete);
        }
    }
    assert_eq!((failing.requests().len(), fine.requests().len()), (2, 2));
    gateway.settle();
}

#[test]
fn every_kind_of_failure_with_an_answer_goes_to_the_next() {
    let page = "<html>login</html>";
    let html = ["Content-Type: text/html"];
    for bad in [
        reply::json("429 Too Many Requests", BUSY),
        reply::json("503 Service Unavailable", BUSY),
        reply::json("529 Overloaded", BUSY),
        reply::json("401 Unauthorized", BUSY),
        reply::json("402 Payment Required", BUSY),
        reply::json("403 Forbidden", BUSY),
        reply::json("404 Not Found", BUSY),
        reply::whole("502 Bad Gateway", &html, page),
        reply::whole("200 OK", &html, page),
        reply::whole("500 Internal Server Error", &[], ""),
        reply::whole("307 Temporary Redirect", &["Location: /x"], ""),
    ] {
        // A gateway for each, since the first may leave the target out.
        for request in both() {
            let (failing, fine) = (Upstream::answering(&bad), good());
            let answer = over(&[&failing, &fine], "").ask(&request);
            let bad = String::from_utf8_lossy(&bad);
            assert_eq!(answer.status, 200, "{bad}: {}", answer.text());
            assert_eq!((failing.requests().len(), fine.requests().len()), (1, 1));
        }
    }
}

#[test]
fn the_callers_own_fault_is_told_at_once() {
    let strict = Upstream::answering(reply::json("400 Bad Request", BUSY));
    let fine = good();
    let gateway = over(&[&strict, &fine], "");
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!((answer.status, answer.text()), (400, BUSY.to_owned()));
    assert!(fine.requests().is_empty());
}

#[test]
fn when_all_fail_an_upstreams_own_error_is_the_last_word() {
    let headers = ["Content-Type: application/json", "Retry-After: 7"];
    let busy = Upstream::answering(reply::whole("429 Too Many Requests", &headers, BUSY));
    let denied = Upstream::answering(reply::json("401 Unauthorized", "{\"key\":\"key-1\"}"));
    let bases = [busy.base_url(), denied.base_url(), refused_base_url()];
    let gateway = in_order(&bases, "").start();
    for request in both() {
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.text()), (429, BUSY.to_owned()));
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
    let gateway = in_order(&[refused_base_url(), denied.base_url()], "").start();
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        502,
        "upstream_auth_failed",
        None,
    );
    let gateway = in_order(&[refused_base_url(), refused_base_url()], "").start();
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        502,
        "upstream_connect_failed",
        None,
    );
}

#[test]
fn there_are_no_more_attempts_than_allowed() {
    let failing = [(); 4].map(|()| Upstream::answering(reply::json("500 Oops", BUSY)));
    let gateway = over(&failing.each_ref(), "");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 500);
    let seen = failing.each_ref().map(|upstream| upstream.requests().len());
    assert_eq!(seen, [1, 1, 1, 0]);
    let gateway = over(&failing.each_ref(), "retry = { attempts = 1 }");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 500);
    assert_eq!(failing[0].requests().len(), 2);
    assert_eq!(failing[1].requests().len(), 1);
}

/// Takes the request and leaves without an answer.
fn leave(exchange: &mut Exchange<'_>) {
    exchange.read_body();
    exchange.close();
}

#[test]
fn what_may_have_been_processed_is_not_sent_again() {
    let (leaving, fine) = (Upstream::start(leave), good());
    let gateway = over(&[&leaving, &fine], "");
    for request in both() {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 502, "upstream_disconnected", None);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    assert!(fine.requests().is_empty());
}

#[test]
fn what_may_have_been_processed_is_sent_again_when_the_model_allows_it() {
    let (leaving, fine) = (Upstream::start(leave), good());
    let silent = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let bases = [leaving.base_url(), silent.base_url(), fine.base_url()];
    let gateway = in_order(&bases, "retry = { processed = true }")
        .section("[providers.p1.timeouts]\nhead = \"200ms\"")
        .start();
    for request in both() {
        assert_eq!(gateway.ask(&request).status, 200);
    }
    for upstream in [&leaving, &silent, &fine] {
        assert_eq!(upstream.requests().len(), 2);
    }
}

#[test]
fn a_busy_target_is_asked_again_when_it_says_when_and_there_is_time() {
    let headers = [
        "Content-Type: application/json",
        "Retry-After-Ms: 30",
        "Retry-After: 3600",
    ];
    let busy = reply::whole("429 Too Many Requests", &headers, BUSY);
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        let answer = if exchange.index % 2 == 0 {
            busy.clone()
        } else {
            reply::completion("hi")
        };
        exchange.send(answer);
    });
    let gateway = over(&[&upstream], "retry = { max_wait = \"5s\" }");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    assert_eq!(upstream.requests().len(), 2);
    let gateway = over(&[&upstream], "retry = { max_wait = \"20ms\" }");
    assert_eq!(gateway.ask(&Request::chat("m")).status, 429);
    assert_eq!(upstream.requests().len(), 3);
}

#[test]
fn requests_are_spread_by_weight_and_over_the_keys() {
    let [one, two] = [good(), good()];
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
        assert_eq!(client.answer().status, 200);
    }
    // Shares of 50 each; the chance of being out of these bounds is below one
    // in a million.
    let seen = one.requests();
    let with = |key: &str| {
        let key = format!("Bearer {key}");
        seen.iter()
            .filter(|seen| seen.all("authorization") == [key.as_str()])
            .count()
    };
    for count in [with("a"), with("b"), with("c"), two.requests().len()] {
        assert!((18..=82).contains(&count), "{count}");
    }
}

#[test]
fn that_it_may_have_been_processed_is_told_before_an_earlier_error() {
    let failing = Upstream::answering(reply::json("500 Oops", BUSY));
    let (leaving, spare) = (Upstream::start(leave), good());
    let gateway = over(&[&failing, &leaving, &spare], "");
    for request in both() {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 502, "upstream_disconnected", None);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
    }
    assert!(spare.requests().is_empty());
}

#[test]
fn a_full_pool_is_held_against_nobody() {
    let gate = std::sync::Arc::new(crate::support::wait::Gate::default());
    let held = std::sync::Arc::clone(&gate);
    let small = Upstream::start(move |exchange| {
        exchange.read_body();
        held.pass();
        exchange.send(reply::completion("small"));
    });
    let spare = good();
    let gateway = in_order(&[small.base_url(), spare.base_url()], "")
        .section("[providers.p0.pool]\nmax_in_flight = 1\nwait = \"0s\"")
        .start();
    let mut first = gateway.client();
    first.send(&Request::chat("m").bytes());
    small.arrived(1);
    for _ in 0..10 {
        assert_eq!(gateway.ask(&Request::chat("m")).status, 200);
    }
    assert_eq!(spare.requests().len(), 10);
    gate.open_for_good();
    assert!(first.answer().text().contains("small"));
    assert!(gateway.ask(&Request::chat("m")).text().contains("small"));
}
