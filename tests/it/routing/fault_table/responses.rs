//! Responses that fail over, that are forwarded, and that are truncated.

use super::{ERROR, EVENTS, JSON, begin, error_with_close, wants_stream};
use crate::support::fault_case::Expected::{Failover, GatewayError, PassedOn, StreamError};
use crate::support::fault_case::{FaultyTarget, check_case};
use crate::support::upstream::{Exchange, response};

#[test]
fn u13_u14_responses_that_fail_over() {
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = later
        .strftime("Retry-After: %a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    for header in [
        "Retry-After: 7",
        "Retry-After-Ms: 70",
        &date,
        "x-ratelimit-remaining-requests: 0",
    ] {
        let busy = response::with_body("429 Too Many Requests", &[JSON, header], ERROR);
        check_case(
            &format!("U-13 {header}"),
            || FaultyTarget::response(&busy),
            Failover,
            Failover,
        );
    }
    for status in [
        "500 Oops",
        "502 Bad Gateway",
        "503 Unavailable",
        "529 Overloaded",
    ] {
        let failed = response::json(status, ERROR);
        check_case(
            &format!("U-14 {status}"),
            || FaultyTarget::response(&failed),
            Failover,
            Failover,
        );
    }
    let html = ["Content-Type: text/html"];
    for (name, response) in [
        (
            "page of an error",
            response::with_body("502 Bad Gateway", &html, "<p>"),
        ),
        ("page", response::with_body("200 OK", &html, "<p>")),
        ("empty error", response::with_body("500 Oops", &[], "")),
        ("empty response", response::json("200 OK", "")),
        (
            "redirect",
            response::with_body("302 Found", &["Location: http://a/"], ""),
        ),
        ("refused key", response::json("401 Unauthorized", ERROR)),
        ("no such model", response::json("404 Not Found", ERROR)),
    ] {
        check_case(
            &format!("U-14 {name}"),
            || FaultyTarget::response(&response),
            Failover,
            Failover,
        );
    }
}

#[test]
fn u16_u20_responses_that_are_forwarded() {
    let truncated = response::json("200 OK", "{\"choices\":[{\"mess");
    check_case(
        "U-16 broken JSON",
        || FaultyTarget::response(&truncated),
        PassedOn(200),
        PassedOn(200),
    );
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(error_with_close("400 Bad Request"));
        exchange.shutdown_write();
    };
    check_case(
        "U-20 early 400",
        || FaultyTarget::script(early),
        PassedOn(400),
        PassedOn(400),
    );
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(error_with_close("413 Too Large"));
        exchange.shutdown_write();
    };
    check_case(
        "U-20 early 413",
        || FaultyTarget::script(early),
        PassedOn(413),
        PassedOn(413),
    );
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(error_with_close("503 Unavailable"));
        exchange.shutdown_write();
    };
    check_case(
        "U-20 early 503",
        || FaultyTarget::script(early),
        Failover,
        Failover,
    );
}

#[test]
fn u11_bodies_of_the_wrong_length() {
    let excess = [response::json("200 OK", "{\"a\": 1}"), b"EXTRA".to_vec()].concat();
    check_case(
        "U-11 excess",
        || FaultyTarget::response(&excess),
        PassedOn(200),
        PassedOn(200),
    );
    let short: fn(&mut Exchange<'_>) = |exchange| {
        let (kind, part) = if wants_stream(exchange) {
            (EVENTS, response::delta("one"))
        } else {
            (JSON, "{\"a\": 1".to_owned())
        };
        exchange.send(response::head("200 OK", &[kind, "Content-Length: 9999"]));
        exchange.send(part);
        exchange.shutdown_write();
    };
    let stream_error = StreamError("upstream_disconnected");
    check_case(
        "U-11 short",
        || FaultyTarget::script(short),
        GatewayError(502, "upstream_disconnected"),
        stream_error,
    );
    let nothing: fn(&mut Exchange<'_>) = |exchange| {
        let kind = if wants_stream(exchange) { EVENTS } else { JSON };
        exchange.send(response::head("200 OK", &[kind, "Content-Length: 9999"]));
        exchange.shutdown_write();
    };
    let error = GatewayError(502, "upstream_disconnected");
    check_case(
        "U-11 nothing",
        || FaultyTarget::script(nothing),
        error,
        error,
    );
}

#[test]
fn u07_u08_u12_truncated_responses() {
    let stalling: fn(&mut Exchange<'_>) = |exchange| {
        begin(exchange);
        exchange.wait_for_disconnect();
    };
    check_case(
        "U-07",
        || FaultyTarget::script(stalling),
        GatewayError(504, "upstream_timeout"),
        StreamError("upstream_stalled"),
    );
    let stream_error = StreamError("upstream_disconnected");
    let disconnecting: fn(&mut Exchange<'_>) = |exchange| {
        begin(exchange);
        exchange.shutdown_write();
    };
    check_case(
        "U-08",
        || FaultyTarget::script(disconnecting),
        GatewayError(502, "upstream_disconnected"),
        stream_error,
    );
    let head = response::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
    let garbled = [head.as_bytes(), b"zz\r\nx\r\n"].concat();
    let error = GatewayError(502, "upstream_disconnected");
    check_case(
        "U-12 bad chunk",
        || FaultyTarget::response(&garbled),
        error,
        error,
    );
}
