//! Several faulty targets at once, and connections that close while idle.

use super::ERROR;
use crate::routing::failover::{healthy_upstream, in_order, unary_and_stream};
use crate::support::client::Request;
use crate::support::upstream::{Upstream, refused_base_url, response};

#[test]
fn u22_connections_that_close_while_idle_cause_no_failover() {
    let closing = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::completion("hi"));
        exchange.close();
    });
    let spare = healthy_upstream();
    let bases = [closing.base_url(), spare.base_url()];
    let gateway = in_order(&bases, "").start();
    let mut client = gateway.client();
    for count in 1..=300 {
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(closing.requests().len(), count, "a duplicate request");
        // The next request starts only after the close.
        closing.wait_for_finished(count);
    }
    assert!(spare.requests().is_empty());
}

#[test]
fn u27_three_faults_of_different_kinds() {
    let failing = Upstream::with_response(response::json("500 Oops", ERROR));
    let page = Upstream::with_response(response::with_body(
        "200 OK",
        &["Content-Type: text/html"],
        "<p>",
    ));
    let fine = healthy_upstream();
    let bases = [
        refused_base_url(),
        failing.base_url(),
        page.base_url(),
        fine.base_url(),
    ];
    let gateway = in_order(&bases, "retry = { attempts = 4 }").start();
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.header("x-trunkline-attempts"), Some("4"));
    }
    let down = [failing.base_url(), refused_base_url(), page.base_url()];
    let gateway = in_order(&down, "").start();
    for request in unary_and_stream() {
        let response = gateway.send(&request);
        assert_eq!((response.status, response.text()), (500, ERROR.to_owned()));
        assert_eq!(response.header("x-trunkline-attempts"), Some("3"));
    }
}
