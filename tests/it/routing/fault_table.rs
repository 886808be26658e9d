//! The faults of upstreams, each with another target beside it: the caller gets
//! the healthy one's answer where docs/routing.md says that it may be tried
//! again, and is told otherwise.
//!
//! Each row is played for whole answers and for streams, with one and with two
//! faulty targets before the healthy one, and once more where the model allows
//! what may have been processed to be sent again.

use std::io::{Read as _, Write as _};

use h2::Reason;

use crate::routing::failover::{both, good};
use crate::support::client::Request;
use crate::support::fault_case::Then::{Broken, Cut, Next, Own, Told};
use crate::support::fault_case::{Bad, row};
use crate::support::upstream::tls::Flaw;
use crate::support::upstream::{Exchange, Upstream, refused_base_url, reply};
use crate::upstream::faults::full_listener;
use crate::upstream::http2_faults::Act;

const JSON: &str = "Content-Type: application/json";
const EVENTS: &str = "Content-Type: text/event-stream";
const ERROR: &str =
    r#"{"error":{"message":"no","type":"server_error","param":null,"code":"some_code"}}"#;

fn wants_stream(exchange: &mut Exchange<'_>) -> bool {
    String::from_utf8_lossy(&exchange.read_body()).contains("\"stream\":true")
}

/// An error, and the word that the connection ends with it: one that closed
/// without it could take the next request with it.
fn last_word(status: &str) -> String {
    let length = format!("Content-Length: {}", ERROR.len());
    let head = reply::head(status, &[JSON, "Connection: close", &length]);
    head + ERROR
}

/// A head, and one event or half an object behind it.
fn begin(exchange: &mut Exchange<'_>) {
    if wants_stream(exchange) {
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(reply::delta("one")));
    } else {
        exchange.send(reply::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]));
        exchange.send(reply::chunk("{\"choices\":["));
    }
}

// ===== Before the request is sent =====

#[test]
fn u01_u02_connections_that_are_refused_or_dropped() {
    row(
        "U-01 refused",
        || Bad::new(refused_base_url(), "", ()),
        Next,
        Next,
    );
    let deaf = || {
        let (listener, queue) = full_listener();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let limit = "timeouts = { connect = \"150ms\" }";
        Bad::new(format!("http://{address}/v1"), limit, (listener, queue))
    };
    row("U-02 dropped", deaf, Next, Next);
}

#[test]
fn u04_tls_that_fails() {
    for flaw in [Flaw::Expired, Flaw::WrongName, Flaw::SelfSigned] {
        row(&format!("U-04 {flaw:?}"), || Bad::tls(flaw), Next, Next);
    }
    let plain = || {
        let upstream = Upstream::raw("https", |mut socket| {
            let _ = socket.read(&mut [0; 64]);
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        });
        Bad::new(upstream.base_url(), "", upstream)
    };
    row("U-04 plain HTTP", plain, Next, Next);
    let stalling = || {
        let upstream = Upstream::raw("https", |mut socket| {
            let _ = std::io::copy(&mut socket, &mut std::io::sink());
        });
        let limit = "timeouts = { connect = \"150ms\" }";
        Bad::new(upstream.base_url(), limit, upstream)
    };
    row("U-04 stalled handshake", stalling, Next, Next);
}

// ===== Before an answer =====

#[test]
fn u05_silence_and_a_connection_that_ends() {
    let lost = Told(504, "upstream_timeout");
    let silent: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.gateway_left();
    };
    row("U-05 silent", || Bad::script(silent), lost, lost);
    let half: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: app");
        exchange.gateway_left();
    };
    row("U-05 half a head", || Bad::script(half), lost, lost);
    let gone = Told(502, "upstream_disconnected");
    let leaving: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.close();
    };
    row("closed", || Bad::script(leaving), gone, gone);
    let resetting: fn(&mut Exchange<'_>) = |exchange| {
        exchange.read_body();
        exchange.reset();
    };
    row("reset", || Bad::script(resetting), gone, gone);
}

#[test]
fn u12_u17_heads_that_are_none() {
    let none = Told(502, "upstream_protocol_error");
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        row(
            &format!("U-12, U-17 {head:?}"),
            || Bad::answer(head),
            none,
            none,
        );
    }
    let many: String = (0..2000).map(|n| format!("X-{n}: x\r\n")).collect();
    let large = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n");
    row("U-17 many headers", || Bad::answer(&large), none, none);
}

// ===== Answers to avoid, and answers for the caller =====

#[test]
fn u13_u14_answers_that_another_one_may_better() {
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
        let busy = reply::whole("429 Too Many Requests", &[JSON, header], ERROR);
        row(&format!("U-13 {header}"), || Bad::answer(&busy), Next, Next);
    }
    for status in [
        "500 Oops",
        "502 Bad Gateway",
        "503 Unavailable",
        "529 Overloaded",
    ] {
        let failed = reply::json(status, ERROR);
        row(
            &format!("U-14 {status}"),
            || Bad::answer(&failed),
            Next,
            Next,
        );
    }
    let html = ["Content-Type: text/html"];
    for (name, answer) in [
        (
            "page of an error",
            reply::whole("502 Bad Gateway", &html, "<p>"),
        ),
        ("page", reply::whole("200 OK", &html, "<p>")),
        ("empty error", reply::whole("500 Oops", &[], "")),
        ("empty answer", reply::json("200 OK", "")),
        (
            "redirect",
            reply::whole("302 Found", &["Location: http://a/"], ""),
        ),
        ("refused key", reply::json("401 Unauthorized", ERROR)),
        ("no such model", reply::json("404 Not Found", ERROR)),
    ] {
        row(&format!("U-14 {name}"), || Bad::answer(&answer), Next, Next);
    }
}

#[test]
fn u16_u20_answers_for_the_caller() {
    let cut = reply::json("200 OK", "{\"choices\":[{\"mess");
    row("U-16 broken JSON", || Bad::answer(&cut), Own(200), Own(200));
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(last_word("400 Bad Request"));
        exchange.finish();
    };
    row("U-20 early 400", || Bad::script(early), Own(400), Own(400));
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(last_word("413 Too Large"));
        exchange.finish();
    };
    row("U-20 early 413", || Bad::script(early), Own(413), Own(413));
    let early: fn(&mut Exchange<'_>) = |exchange| {
        exchange.send(last_word("503 Unavailable"));
        exchange.finish();
    };
    row("U-20 early 503", || Bad::script(early), Next, Next);
}

// ===== Behind the head =====

#[test]
fn u11_bodies_of_another_length() {
    let excess = [reply::json("200 OK", "{\"a\": 1}"), b"EXTRA".to_vec()].concat();
    row("U-11 excess", || Bad::answer(&excess), Own(200), Own(200));
    let short: fn(&mut Exchange<'_>) = |exchange| {
        let (kind, part) = if wants_stream(exchange) {
            (EVENTS, reply::delta("one"))
        } else {
            (JSON, "{\"a\": 1".to_owned())
        };
        exchange.send(reply::head("200 OK", &[kind, "Content-Length: 9999"]));
        exchange.send(part);
        exchange.finish();
    };
    let broken = Broken("upstream_disconnected");
    row("U-11 short", || Bad::script(short), Cut, broken);
    let nothing: fn(&mut Exchange<'_>) = |exchange| {
        let kind = if wants_stream(exchange) { EVENTS } else { JSON };
        exchange.send(reply::head("200 OK", &[kind, "Content-Length: 9999"]));
        exchange.finish();
    };
    let lost = Told(502, "upstream_disconnected");
    row("U-11 nothing", || Bad::script(nothing), lost, lost);
}

#[test]
fn u07_u08_u12_answers_that_break_off() {
    let stalling: fn(&mut Exchange<'_>) = |exchange| {
        begin(exchange);
        exchange.gateway_left();
    };
    row(
        "U-07",
        || Bad::script(stalling),
        Cut,
        Broken("upstream_stalled"),
    );
    let broken = Broken("upstream_disconnected");
    let leaving: fn(&mut Exchange<'_>) = |exchange| {
        begin(exchange);
        exchange.finish();
    };
    row("U-08", || Bad::script(leaving), Cut, broken);
    let head = reply::head("200 OK", &[JSON, "Transfer-Encoding: chunked"]);
    let garbled = [head.as_bytes(), b"zz\r\nx\r\n"].concat();
    let lost = Told(502, "upstream_disconnected");
    row("U-12 bad chunk", || Bad::answer(&garbled), lost, lost);
}

#[test]
fn streams_that_break_off_before_their_first_event() {
    let silent: fn(&mut Exchange<'_>) = |exchange| {
        if begin_with_a_comment(exchange) {
            exchange.gateway_left();
        }
    };
    let late = Told(504, "upstream_timeout");
    row("silent", || Bad::script(silent), Own(200), late);
    let leaving: fn(&mut Exchange<'_>) = |exchange| {
        if begin_with_a_comment(exchange) {
            exchange.finish();
        }
    };
    let gone = Told(502, "upstream_disconnected");
    row("leaving", || Bad::script(leaving), Own(200), gone);
}

/// The head of a stream with a comment, or else a whole answer.
fn begin_with_a_comment(exchange: &mut Exchange<'_>) -> bool {
    let streams = wants_stream(exchange);
    if streams {
        exchange.send(reply::stream_head());
        exchange.send(reply::chunk(": wait\n\n"));
    } else {
        exchange.send(reply::completion("own"));
    }
    streams
}

#[test]
fn streams_that_begin_badly() {
    for (name, events) in [
        ("no event", vec![]),
        ("an error", vec![reply::event(ERROR)]),
        ("[DONE] alone", vec![reply::DONE.to_owned()]),
        ("a comment alone", vec![": wait\n\n".to_owned()]),
    ] {
        row(name, || Bad::answer(reply::stream(&events)), Next, Next);
    }
}

#[test]
fn u18_more_than_is_held_back_is_an_answer() {
    let comments = vec![format!(": {}\n\n", "w".repeat(1000)); 100];
    let rest = [reply::delta("one"), reply::finish(), reply::DONE.to_owned()];
    let answer = reply::stream(&[comments, rest.to_vec()].concat());
    row("U-18", || Bad::answer(&answer), Own(200), Own(200));
}

// ===== HTTP/2 =====

#[test]
fn u24_http2_streams_that_are_refused_or_reset() {
    let refused = || Bad::http2(Act::Reset(Reason::REFUSED_STREAM));
    row("U-24 refused", refused, Next, Next);
    let lost = Told(502, "upstream_disconnected");
    for reason in [
        Reason::CANCEL,
        Reason::INTERNAL_ERROR,
        Reason::ENHANCE_YOUR_CALM,
    ] {
        let reset = || Bad::http2(Act::Reset(reason));
        row(&format!("U-24 {reason:?}"), reset, lost, lost);
    }
    row(
        "U-24 going away",
        || Bad::http2(Act::GoAway),
        Own(200),
        Own(200),
    );
}

// ===== What is no fault =====

#[test]
fn u22_connections_that_close_at_rest_reach_nobody_else() {
    let closing = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::completion("hi"));
        exchange.close();
    });
    let spare = good();
    let bases = [closing.base_url(), spare.base_url()];
    let gateway = crate::routing::failover::in_order(&bases, "").start();
    let mut client = gateway.client();
    for count in 1..=300 {
        client.send(&Request::chat("m").bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(closing.requests().len(), count, "a request came twice");
        // The next request begins only after the close.
        closing.settled(count);
    }
    assert!(spare.requests().is_empty());
}

#[test]
fn u25_streams_in_every_spelling_are_the_first_targets() {
    for spelling in crate::upstream::bodies::spellings() {
        let mut ways = vec![vec![spelling.clone()]];
        if spelling.len() < 4096 {
            ways.push(spelling.chars().map(String::from).collect());
        }
        for pieces in ways {
            let (first, spare) = (Upstream::answering(reply::stream(&pieces)), good());
            let bases = [first.base_url(), spare.base_url()];
            let gateway = crate::routing::failover::in_order(&bases, "").start();
            let answer = gateway.ask(&Request::stream("m"));
            assert_eq!(answer.text(), spelling);
            assert!(answer.complete && spare.requests().is_empty());
        }
    }
}

#[test]
fn u27_three_faults_of_different_kinds() {
    let failing = Upstream::answering(reply::json("500 Oops", ERROR));
    let page = Upstream::answering(reply::whole("200 OK", &["Content-Type: text/html"], "<p>"));
    let fine = good();
    let bases = [
        refused_base_url(),
        failing.base_url(),
        page.base_url(),
        fine.base_url(),
    ];
    let gateway = crate::routing::failover::in_order(&bases, "retry = { attempts = 4 }").start();
    for request in both() {
        let answer = gateway.ask(&request);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("x-trunkline-attempts"), Some("4"));
    }
    let down = [failing.base_url(), refused_base_url(), page.base_url()];
    let gateway = crate::routing::failover::in_order(&down, "").start();
    for request in both() {
        let answer = gateway.ask(&request);
        assert_eq!((answer.status, answer.text()), (500, ERROR.to_owned()));
        assert_eq!(answer.header("x-trunkline-attempts"), Some("3"));
    }
}
