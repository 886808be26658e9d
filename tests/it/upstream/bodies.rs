//! Bodies of upstreams that lie about themselves, and event streams in every
//! legal spelling (FAULTS, U-11, U-12, U-25, U-29).

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, reply};

const JSON: &str = "Content-Type: application/json";
const EVENTS: &str = "Content-Type: text/event-stream";

/// Sends these bytes, then ends the connection.
fn closing(bytes: impl AsRef<[u8]>) -> (Upstream, Gateway) {
    let bytes = bytes.as_ref().to_vec();
    let upstream = Upstream::start(move |exchange| {
        exchange.read_body();
        exchange.send(&bytes);
        exchange.finish();
    });
    let gateway = Setup::over(&upstream).start();
    (upstream, gateway)
}

/// Checks that no client can take the answer for a whole one.
#[track_caller]
fn not_whole(answer: &Answer, codes: &[&str]) {
    if answer.status == 502 {
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(codes.contains(&code.as_str()), "{code}");
        assert_response::error(answer, 502, &code, None);
    } else if answer.complete {
        let code = codes.iter().find(|code| answer.text().contains(*code));
        assert_response::stream_error(answer, code.unwrap_or(&"an error event"));
    }
}

#[test]
fn u11_a_unary_body_shorter_than_it_says_is_cut_or_an_error() {
    let head = reply::head("200 OK", &[JSON, "Content-Length: 1000"]);
    for sent in [String::new(), "{\"choices\":".to_owned(), "x".repeat(999)] {
        let (upstream, gateway) = closing(head.clone() + &sent);
        let answer = gateway.ask(&Request::chat("m"));
        not_whole(
            &answer,
            &[
                "upstream_truncated",
                "upstream_disconnected",
                "upstream_protocol_error",
            ],
        );
        assert!(
            answer.status == 502 || !answer.complete,
            "looks whole: {}",
            answer.text()
        );
        upstream.ended(1);
        gateway.settle();
    }
}

#[test]
fn u11_a_stream_shorter_than_it_says_is_an_error_event_or_cut() {
    let head = reply::head("200 OK", &[EVENTS, "Content-Length: 100000"]);
    let (_upstream, gateway) = closing(head + &reply::delta("one"));
    let answer = gateway.ask(&Request::stream("m"));
    not_whole(&answer, &["upstream_disconnected"]);
    gateway.settle();
}

#[test]
fn u11_what_follows_a_body_never_reaches_the_next_answer() {
    let poison = reply::json("200 OK", r#"{"stolen":true}"#);
    let upstream = Upstream::start(move |exchange| {
        let first = exchange.index == 0;
        exchange.read_body();
        let mut bytes = reply::json("200 OK", r#"{"mine":true}"#);
        if first {
            bytes.extend(&poison);
        }
        exchange.send(bytes);
    });
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    let mut client = gateway.client();
    for _ in 0..10 {
        client.send(&Request::chat("m").bytes());
        assert_eq!(client.answer().text(), r#"{"mine":true}"#);
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
        let (upstream, gateway) = closing(reply::head("200 OK", &[JSON, framing]) + "{}");
        let answer = gateway.ask(&Request::chat("m"));
        not_whole(
            &answer,
            &["upstream_protocol_error", "upstream_disconnected"],
        );
        assert!(
            answer.status == 502 || !answer.complete,
            "{framing}: {}",
            answer.text()
        );
        upstream.ended(1);
    }
}

#[test]
fn a_coding_that_we_do_not_undo_is_a_protocol_error() {
    for coding in ["gzip", "chunked, gzip", "gzip, chunked"] {
        let coding = format!("Transfer-Encoding: {coding}");
        let body = if coding.ends_with("chunked") {
            "2\r\n{}\r\n0\r\n\r\n"
        } else {
            "{}"
        };
        let (_upstream, gateway) = closing(reply::head("200 OK", &[JSON, &coding]) + body);
        let answer = gateway.ask(&Request::chat("m"));
        not_whole(&answer, &["upstream_protocol_error"]);
        assert!(
            answer.status == 502 || !answer.complete,
            "{coding}: {}",
            answer.text()
        );
    }
}

#[test]
fn u12_a_length_and_chunks_together_leave_no_bytes_behind() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::head(
            "200 OK",
            &[JSON, "Content-Length: 2", "Transfer-Encoding: chunked"],
        ));
        exchange.send([reply::chunk("{\"a\":1}").as_slice(), reply::LAST_CHUNK].concat());
    });
    let gateway = Setup::over(&upstream).server("workers = 1").start();
    let mut client = gateway.client();
    for _ in 0..5 {
        client.send(&Request::chat("m").bytes());
        let answer = client.answer();
        if answer.status == 200 {
            assert_eq!(answer.text(), "{\"a\":1}");
        } else {
            assert_response::error(&answer, 502, "upstream_protocol_error", None);
        }
    }
}

#[test]
fn u12_broken_chunks_abort() {
    for tail in [
        "zz\r\nx\r\n",
        "-5\r\nx\r\n",
        "5\r\nabcdeXX",
        "fffffffffffffffff\r\nx",
        "5\r\nabc",
    ] {
        let head = reply::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
        let (upstream, gateway) = closing(head + "3\r\n{\"a\r\n" + tail);
        let answer = gateway.ask(&Request::chat("m"));
        assert!(
            answer.status == 502 || !answer.complete,
            "{tail:?} looks whole: {}",
            answer.text()
        );
        upstream.ended(1);
        gateway.settle();
    }
}

#[test]
fn u12_chunks_without_their_end_abort() {
    let head = reply::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
    let bytes = [head.as_bytes(), &reply::chunk("{\"a\":1}")].concat();
    let (_upstream, gateway) = closing(bytes);
    let answer = gateway.ask(&Request::chat("m"));
    assert!(
        answer.status == 502 || !answer.complete,
        "looks whole: {}",
        answer.text()
    );
}

#[test]
fn a_unary_body_that_ends_with_the_connection_is_whole() {
    let (_upstream, gateway) = closing(reply::head("200 OK", &[JSON]) + "{\"a\":1}");
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\"a\":1}"));
    assert!(answer.complete);
}

#[test]
fn a_stream_that_ends_with_the_connection_is_whole_after_done() {
    let text = reply::delta("one") + &reply::finish() + reply::DONE;
    let (_upstream, gateway) = closing(reply::head("200 OK", &[EVENTS]) + &text);
    let answer = gateway.ask(&Request::stream("m"));
    assert_eq!(answer.text(), text);
    assert!(answer.complete);
}

/// Event streams in every spelling that a client may meet.
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
fn u25_event_streams_come_through_in_every_spelling() {
    type Wiring = fn(&Upstream) -> Setup;
    for (at, text) in spellings().into_iter().enumerate() {
        for (wiring, name) in [
            (Setup::over as Wiring, "observing"),
            (Setup::injecting as Wiring, "injecting"),
        ] {
            let answer = reply::stream(std::slice::from_ref(&text));
            let upstream = Upstream::answering(&answer);
            let answer = wiring(&upstream).start().ask(&Request::stream("m"));
            assert!(answer.complete, "spelling {at}, {name}");
            assert!(
                answer.text() == text,
                "spelling {at}, {name}: {}",
                answer.text()
            );
        }
    }
}

#[test]
fn u25_one_byte_in_a_segment() {
    for (at, text) in spellings()
        .into_iter()
        .enumerate()
        .filter(|(_, text)| text.len() < 4096)
    {
        let upstream = Upstream::start(move |exchange| {
            exchange.read_body();
            exchange.send(reply::stream_head());
            exchange.send_pieces(reply::chunk(&text).chunks(1));
            exchange.send(reply::LAST_CHUNK);
        });
        let text = &spellings()[at];
        let answer = Setup::injecting(&upstream)
            .start()
            .ask(&Request::stream("m"));
        assert!(
            answer.complete && answer.text() == *text,
            "spelling {at}: {}",
            answer.text()
        );
    }
}

#[test]
fn u29_trailers_are_dropped() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::head(
            "200 OK",
            &[JSON, "Transfer-Encoding: chunked", "Trailer: X-Sum"],
        ));
        exchange.send(reply::chunk("{}"));
        exchange.send("0\r\nX-Sum: secret-sum\r\n\r\n");
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send(&Request::chat("m").bytes());
        let answer = client.answer();
        assert_eq!(answer.text(), "{}");
        assert_eq!(answer.header("trailer"), None);
        assert!(answer.complete);
    }
    assert_eq!(upstream.connections(), 1);
}
