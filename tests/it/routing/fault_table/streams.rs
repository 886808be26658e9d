//! Streams that fail before or at their first event, HTTP/2 streams, and streams that
//! are not faulty.

use h2::Reason;

use super::{ERROR, wants_stream};
use crate::routing::failover::{healthy_upstream, in_order};
use crate::support::client::Request;
use crate::support::fault_case::Expected::{Failover, GatewayError, PassedOn};
use crate::support::fault_case::{FaultyTarget, check_case};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::upstream::http2_faults::StreamAction;

#[test]
fn streams_truncated_before_their_first_event() {
    let silent: fn(&mut Exchange<'_>) = |exchange| {
        if begin_with_a_comment(exchange) {
            exchange.wait_for_disconnect();
        }
    };
    let error = GatewayError(504, "upstream_timeout");
    check_case(
        "silent",
        || FaultyTarget::script(silent),
        PassedOn(200),
        error,
    );
    let disconnecting: fn(&mut Exchange<'_>) = |exchange| {
        if begin_with_a_comment(exchange) {
            exchange.shutdown_write();
        }
    };
    let error = GatewayError(502, "upstream_disconnected");
    check_case(
        "leaving",
        || FaultyTarget::script(disconnecting),
        PassedOn(200),
        error,
    );
}

/// The head of a stream with a comment, or a complete unary response.
fn begin_with_a_comment(exchange: &mut Exchange<'_>) -> bool {
    let streams = wants_stream(exchange);
    if streams {
        exchange.send(response::stream_head());
        exchange.send(response::chunk(": wait\n\n"));
    } else {
        exchange.send(response::completion("own"));
    }
    streams
}

#[test]
fn streams_that_begin_with_an_error_or_without_an_event() {
    for (name, events) in [
        ("no event", vec![]),
        ("an error", vec![response::event(ERROR)]),
        ("[DONE] alone", vec![response::DONE.to_owned()]),
        ("a comment alone", vec![": wait\n\n".to_owned()]),
    ] {
        check_case(
            name,
            || FaultyTarget::response(response::stream(&events)),
            Failover,
            Failover,
        );
    }
}

#[test]
fn u18_more_than_the_buffer_for_the_first_event_is_a_response() {
    let comments = vec![format!(": {}\n\n", "w".repeat(1000)); 100];
    let rest = [
        response::delta("one"),
        response::finish(),
        response::DONE.to_owned(),
    ];
    let response = response::stream(&[comments, rest.to_vec()].concat());
    check_case(
        "U-18",
        || FaultyTarget::response(&response),
        PassedOn(200),
        PassedOn(200),
    );
}

#[test]
fn u24_http2_streams_that_are_refused_or_reset() {
    let refused = || FaultyTarget::http2(StreamAction::Reset(Reason::REFUSED_STREAM));
    check_case("U-24 refused", refused, Failover, Failover);
    let error = GatewayError(502, "upstream_disconnected");
    for reason in [
        Reason::CANCEL,
        Reason::INTERNAL_ERROR,
        Reason::ENHANCE_YOUR_CALM,
    ] {
        let reset = || FaultyTarget::http2(StreamAction::Reset(reason));
        check_case(&format!("U-24 {reason:?}"), reset, error, error);
    }
    check_case(
        "U-24 going away",
        || FaultyTarget::http2(StreamAction::GoAway),
        PassedOn(200),
        PassedOn(200),
    );
}

#[test]
fn u25_streams_in_every_spelling_are_taken_from_the_first_target() {
    for spelling in crate::upstream::bodies::spellings() {
        let mut ways = vec![vec![spelling.clone()]];
        if spelling.len() < 4096 {
            ways.push(spelling.chars().map(String::from).collect());
        }
        for parts in ways {
            let (first, spare) = (
                Upstream::with_response(response::stream(&parts)),
                healthy_upstream(),
            );
            let bases = [first.base_url(), spare.base_url()];
            let gateway = in_order(&bases, "").start();
            let response = gateway.send(&Request::stream("m"));
            assert_eq!(response.text(), spelling);
            assert!(response.complete && spare.requests().is_empty());
        }
    }
}
