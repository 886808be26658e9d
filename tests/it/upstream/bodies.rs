//! Upstream bodies with wrong framing, and event streams in every legal spelling
//! (docs/faults.md#u-11, #u-12, #u-25, #u-29).

use crate::support::assert_response;
use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const JSON: &str = "Content-Type: application/json";
const EVENTS: &str = "Content-Type: text/event-stream";

/// Sends these bytes, then ends the connection.
fn closing(bytes: impl AsRef<[u8]>) -> (Upstream, Gateway) {
    let bytes = bytes.as_ref().to_vec();
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(&bytes);
        exchange.shutdown_write();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

/// Asserts that no client can mistake the response for a complete one.
#[track_caller]
fn assert_not_complete(response: &Response, codes: &[&str]) {
    if response.status == 502 {
        let code = response.json()["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(codes.contains(&code.as_str()), "{code}");
        assert_response::error(response, 502, &code, None);
    } else if response.complete {
        let code = codes.iter().find(|code| response.text().contains(*code));
        assert_response::stream_error(response, code.unwrap_or(&"an error event"));
    }
}

#[test]
fn u11_a_unary_body_shorter_than_its_length_is_aborted_or_an_error() {
    let head = response::head("200 OK", &[JSON, "Content-Length: 1000"]);
    for sent in [String::new(), "{\"choices\":".to_owned(), "x".repeat(999)] {
        let (upstream, gateway) = closing(head.clone() + &sent);
        let response = gateway.send(&Request::chat("m"));
        assert_not_complete(
            &response,
            &[
                "upstream_truncated",
                "upstream_disconnected",
                "upstream_protocol_error",
            ],
        );
        assert!(
            response.status == 502 || !response.complete,
            "looks complete: {}",
            response.text()
        );
        upstream.wait_for_closed(1);
        gateway.wait_until_idle();
    }
}

#[test]
fn u11_a_stream_shorter_than_its_length_is_an_error_event_or_aborted() {
    let head = response::head("200 OK", &[EVENTS, "Content-Length: 100000"]);
    let (_upstream, gateway) = closing(head + &response::delta("one"));
    let response = gateway.send(&Request::stream("m"));
    assert_not_complete(&response, &["upstream_disconnected"]);
    gateway.wait_until_idle();
}

#[test]
fn u11_bytes_after_a_body_never_reach_the_next_response() {
    let poison = response::json("200 OK", r#"{"stolen":true}"#);
    let upstream = Upstream::start(move |exchange| {
        let first = exchange.index == 0;
        exchange.read_body();
        let mut bytes = response::json("200 OK", r#"{"mine":true}"#);
        if first {
            bytes.extend(&poison);
        }
        exchange.send(bytes);
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    let mut client = gateway.client();
    for _ in 0..10 {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.response().text(), r#"{"mine":true}"#);
    }
    assert!(
        upstream.connections() >= 2,
        "the poisoned connection was used again"
    );
}

#[test]
fn u12_heads_that_frame_a_body_twice_are_protocol_errors() {
    for framing in [
        "Content-Length: 2\r\nContent-Length: 5",
        "Content-Length: 2, 5",
        "Content-Length: x",
        "Content-Length: -1",
    ] {
        let (upstream, gateway) = closing(response::head("200 OK", &[JSON, framing]) + "{}");
        let response = gateway.send(&Request::chat("m"));
        assert_not_complete(
            &response,
            &["upstream_protocol_error", "upstream_disconnected"],
        );
        assert!(
            response.status == 502 || !response.complete,
            "{framing}: {}",
            response.text()
        );
        upstream.wait_for_closed(1);
    }
}

#[test]
fn an_unsupported_transfer_coding_is_a_protocol_error() {
    for coding in ["gzip", "chunked, gzip", "gzip, chunked"] {
        let coding = format!("Transfer-Encoding: {coding}");
        let body = if coding.ends_with("chunked") {
            "2\r\n{}\r\n0\r\n\r\n"
        } else {
            "{}"
        };
        let (_upstream, gateway) = closing(response::head("200 OK", &[JSON, &coding]) + body);
        let response = gateway.send(&Request::chat("m"));
        assert_not_complete(&response, &["upstream_protocol_error"]);
        assert!(
            response.status == 502 || !response.complete,
            "{coding}: {}",
            response.text()
        );
    }
}

#[test]
fn u12_a_length_and_chunks_together_leave_no_bytes_behind() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::head(
            "200 OK",
            &[JSON, "Content-Length: 2", "Transfer-Encoding: chunked"],
        ));
        exchange.send(
            [
                response::chunk("{\"a\":1}").as_slice(),
                response::LAST_CHUNK,
            ]
            .concat(),
        );
    });
    let gateway = Setup::with_upstream(&upstream)
        .server("workers = 1")
        .start();
    let mut client = gateway.client();
    for _ in 0..5 {
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        if response.status == 200 {
            assert_eq!(response.text(), "{\"a\":1}");
        } else {
            assert_response::error(&response, 502, "upstream_protocol_error", None);
        }
    }
}

#[test]
fn u12_invalid_chunks_abort() {
    for tail in [
        "zz\r\nx\r\n",
        "-5\r\nx\r\n",
        "5\r\nabcdeXX",
        "fffffffffffffffff\r\nx",
        "5\r\nabc",
    ] {
        let head = response::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
        let (upstream, gateway) = closing(head + "3\r\n{\"a\r\n" + tail);
        let response = gateway.send(&Request::chat("m"));
        assert!(
            response.status == 502 || !response.complete,
            "{tail:?} looks complete: {}",
            response.text()
        );
        upstream.wait_for_closed(1);
        gateway.wait_until_idle();
    }
}

#[test]
fn u12_chunks_without_their_end_abort() {
    let head = response::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
    let bytes = [head.as_bytes(), &response::chunk("{\"a\":1}")].concat();
    let (_upstream, gateway) = closing(bytes);
    let response = gateway.send(&Request::chat("m"));
    assert!(
        response.status == 502 || !response.complete,
        "looks complete: {}",
        response.text()
    );
}

#[test]
fn a_unary_body_that_ends_with_the_connection_is_complete() {
    let (_upstream, gateway) = closing(response::head("200 OK", &[JSON]) + "{\"a\":1}");
    let response = gateway.send(&Request::chat("m"));
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "{\"a\":1}")
    );
    assert!(response.complete);
}

#[test]
fn a_stream_that_ends_with_the_connection_is_complete_after_done() {
    let text = response::delta("one") + &response::finish() + response::DONE;
    let (_upstream, gateway) = closing(response::head("200 OK", &[EVENTS]) + &text);
    let response = gateway.send(&Request::stream("m"));
    assert_eq!(response.text(), text);
    assert!(response.complete);
}

/// Event streams in every legal spelling.
pub fn spellings() -> Vec<String> {
    let choice =
        r#"{"choices":[{"index":0,"delta":{"content":"grün \u00fc"},"finish_reason":null}]}"#;
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let large = format!(
        r#"{{"choices":[{{"index":0,"delta":{{"content":"{}"}}}}]}}"#,
        "y".repeat(64 * 1024)
    );
    let plain = |end: &str, colon: &str| {
        [choice, finish, "[DONE]"]
            .map(|data| format!("data:{colon}{data}{end}{end}"))
            .concat()
    };
    vec![
        plain("\n", " "),
        plain("\r\n", " "),
        plain("\r", " "),
        plain("\n", ""),
        format!("\u{feff}{}", plain("\n", " ")),
        format!(": hello\n\n:\n\n{}", plain("\n", " ")),
        format!(
            "event: chunk\nid: 7\nretry: 10\ndata: {choice}\n\n{}",
            plain("\n", " ")
        ),
        format!(
            "data: {{\"choices\":[{{\"index\":0,\ndata: \"delta\":{{}}}}]}}\n\n{}",
            plain("\n", " ")
        ),
        format!("data: {large}\n\n{}", plain("\n", " ")),
        format!("unknown: field\nnocolon\n\n{}", plain("\n", " ")),
        format!("data: {choice}\n\n\n\n\n{}", plain("\n", " ")),
        format!("data: {choice}\r\n\r\ndata: {finish}\n\ndata: [DONE]\r\r"),
    ]
}

#[test]
fn u25_event_streams_are_forwarded_in_every_spelling() {
    type Wiring = fn(&Upstream) -> Setup;
    for (at, text) in spellings().into_iter().enumerate() {
        for (wiring, name) in [
            (Setup::with_upstream as Wiring, "observing"),
            (Setup::injecting_usage as Wiring, "injecting"),
        ] {
            let response = response::stream(std::slice::from_ref(&text));
            let upstream = Upstream::with_response(&response);
            let response = wiring(&upstream).start().send(&Request::stream("m"));
            assert!(response.complete, "spelling {at}, {name}");
            assert!(
                response.text() == text,
                "spelling {at}, {name}: {}",
                response.text()
            );
        }
    }
}

#[test]
fn u25_streams_in_one_byte_segments_are_forwarded() {
    for (at, text) in spellings()
        .into_iter()
        .enumerate()
        .filter(|(_, text)| text.len() < 4096)
    {
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send(response::stream_head());
            exchange.send_segments(response::chunk(&text).chunks(1));
            exchange.send(response::LAST_CHUNK);
        });
        let text = &spellings()[at];
        let response = Setup::injecting_usage(&upstream)
            .start()
            .send(&Request::stream("m"));
        assert!(
            response.complete && response.text() == *text,
            "spelling {at}: {}",
            response.text()
        );
    }
}

#[test]
fn u29_trailers_are_dropped() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(response::head(
            "200 OK",
            &[JSON, "Transfer-Encoding: chunked", "Trailer: X-Sum"],
        ));
        exchange.send(response::chunk("{}"));
        exchange.send("0\r\nX-Sum: secret-sum\r\n\r\n");
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(&Request::chat("m").bytes());
        let response = client.response();
        assert_eq!(response.text(), "{}");
        assert_eq!(response.header("trailer"), None);
        assert!(response.complete);
    }
    assert_eq!(upstream.connections(), 1);
}
