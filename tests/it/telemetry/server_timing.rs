//! `server-timing`: how long an answer took, here and upstream.

use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, refused_base_url, reply};

/// The values of the header, as they came.
fn values(answer: &Answer) -> Vec<&str> {
    let values = answer.head.headers.iter();
    let values = values.filter(|(name, _)| name == "server-timing");
    values
        .map(|(_, value)| std::str::from_utf8(value).unwrap())
        .collect()
}

/// Our own time and the upstream's, in milliseconds.
#[track_caller]
fn times(answer: &Answer) -> (f64, Option<f64>) {
    let values = values(answer);
    let ours = values.last().expect("a server-timing");
    let mut own = None;
    let mut upstream = None;
    for metric in ours.split(", ") {
        let (name, time) = metric.split_once(";dur=").expect("a duration");
        let time: f64 = time.parse().expect("a number");
        match name {
            "trunkline" => own = Some(time),
            "upstream" => upstream = Some(time),
            _ => panic!("{name}?"),
        }
    }
    (own.expect("our own time"), upstream)
}

#[test]
fn answers_say_how_long_they_took_here_and_upstream() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        exchange.send(if body.contains("\"stream\":true") {
            reply::good_stream()
        } else {
            reply::completion("hi")
        });
    });
    let gateway = Setup::over(&upstream).start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let (own, upstream) = times(&gateway.ask(&request));
        let upstream = upstream.expect("an upstream was asked");
        assert!(upstream >= 300.0, "{upstream}");
        assert!((0.0..upstream).contains(&own), "{own}");
    }
}

#[test]
fn errors_of_ours_say_it_too() {
    let late = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.gateway_left();
    });
    let gateway = Setup::over(&late)
        .section("[timeouts]\nhead = \"200ms\"")
        .provider("gone", &refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    let (_, upstream) = times(&gateway.ask(&Request::chat("m")));
    assert!(upstream.expect("an upstream was asked") >= 200.0);
    let refused = gateway.ask(&Request::chat("n"));
    assert_response::error(&refused, 502, "upstream_connect_failed", None);
    assert!(times(&refused).1.is_some());
    let unknown = gateway.ask(&Request::chat("nothing"));
    assert_response::error(&unknown, 404, "model_not_found", Some("model"));
    assert_eq!(times(&unknown).1, None);
}

#[test]
fn a_caller_who_is_slow_is_not_taken_for_an_upstream() {
    let gateway = Setup::over(&Upstream::answering(reply::completion("hi"))).start();
    let bytes = Request::chat("nothing").bytes();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    let mut client = gateway.client();
    client.send(most);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    client.send(last);
    assert_eq!(times(&client.answer()).1, None);
}

#[test]
fn an_upstreams_own_times_stay() {
    let headers = [
        "Content-Type: application/json",
        "Server-Timing: queue;dur=7, model;desc=\"a, b\"",
        "Server-Timing: x",
    ];
    let upstream = Upstream::answering(reply::whole("200 OK", &headers, "{}"));
    let gateway = Setup::over(&upstream).start();
    let answer = gateway.ask(&Request::chat("m"));
    let values = values(&answer);
    assert_eq!(values[..2], ["queue;dur=7, model;desc=\"a, b\"", "x"]);
    assert_eq!(values.len(), 3);
    assert!(times(&answer).1.is_some());
}

#[test]
fn it_can_be_switched_off() {
    let upstream = Upstream::answering(reply::completion("hi"));
    let gateway = Setup::over(&upstream)
        .server("server_timing = false")
        .start();
    for model in ["m", "nothing"] {
        assert!(values(&gateway.ask(&Request::chat(model))).is_empty());
    }
}
