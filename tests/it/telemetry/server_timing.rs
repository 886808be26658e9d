//! `server-timing`: the time spent in the gateway and at the upstream.

use std::time::Duration;

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::Setup;
use crate::support::upstream::{Upstream, refused_base_url, response};

fn values(response: &Response) -> Vec<&str> {
    let values = response.head.headers.iter();
    let values = values.filter(|(name, _)| name == "server-timing");
    values
        .map(|(_, value)| std::str::from_utf8(value).unwrap())
        .collect()
}

/// The gateway's own time and the upstream's, in milliseconds.
#[track_caller]
fn times(response: &Response) -> (f64, Option<f64>) {
    let values = values(response);
    let last = values.last().expect("a server-timing");
    let mut own = None;
    let mut upstream = None;
    for metric in last.split(", ") {
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
fn responses_show_the_time_here_and_upstream() {
    let upstream = Upstream::start(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        exchange.send(if body.contains("\"stream\":true") {
            response::good_stream()
        } else {
            response::completion("hi")
        });
    });
    let gateway = Setup::with_upstream(&upstream).start();
    for request in [Request::chat("m"), Request::stream("m")] {
        let (own, upstream) = times(&gateway.send(&request));
        let upstream = upstream.expect("upstream time");
        assert!(upstream >= 300.0, "{upstream}");
        assert!((0.0..upstream).contains(&own), "{own}");
    }
}

#[test]
fn gateway_errors_show_it_too() {
    let late = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&late)
        .section("[timeouts]\nresponse_header = \"200ms\"")
        .provider("gone", &refused_base_url(), "")
        .model("n", "gone", "far")
        .start();
    let (_, upstream) = times(&gateway.send(&Request::chat("m")));
    assert!(upstream.expect("upstream time") >= 200.0);
    let refused = gateway.send(&Request::chat("n"));
    assert_response::error(&refused, 502, "upstream_connect_failed", None);
    assert!(times(&refused).1.is_some());
    let unknown = gateway.send(&Request::chat("nothing"));
    assert_response::error(&unknown, 404, "model_not_found", Some("model"));
    assert_eq!(times(&unknown).1, None);
}

#[test]
fn a_slow_client_does_not_count_as_upstream_time() {
    let gateway =
        Setup::with_upstream(&Upstream::with_response(response::completion("hi"))).start();
    let bytes = Request::chat("nothing").bytes();
    let (most, last) = bytes.split_at(bytes.len() - 1);
    let mut client = gateway.client();
    client.send(most);
    gateway.await_metric("trunkline_requests_in_flight", &[], 1.0);
    client.send(last);
    assert_eq!(times(&client.response()).1, None);
}

#[test]
fn an_upstreams_own_server_timing_is_kept() {
    let headers = [
        "Content-Type: application/json",
        "Server-Timing: queue;dur=7, model;desc=\"a, b\"",
        "Server-Timing: x",
    ];
    let upstream = Upstream::with_response(response::with_body("200 OK", &headers, "{}"));
    let gateway = Setup::with_upstream(&upstream).start();
    let response = gateway.send(&Request::chat("m"));
    let values = values(&response);
    assert_eq!(values[..2], ["queue;dur=7, model;desc=\"a, b\"", "x"]);
    assert_eq!(values.len(), 3);
    assert!(times(&response).1.is_some());
}

#[test]
fn it_can_be_disabled() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream)
        .server("server_timing = false")
        .start();
    for model in ["m", "nothing"] {
        assert!(values(&gateway.send(&Request::chat(model))).is_empty());
    }
}
