//! What upstreams do to themselves before, in and after an answer (FAULTS, U
//! rows): silence, early answers, broken heads, endless bodies.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::support::assert_response;
use crate::support::client::{Answer, Request};
use crate::support::gateway::{Gateway, Setup, text};
use crate::support::upstream::{Exchange, Upstream, refused_base_url, reply};

fn over(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> (Upstream, Gateway) {
    let upstream = Upstream::start(script);
    let gateway = Setup::over(&upstream).start();
    (upstream, gateway)
}

/// Both kinds of request.
fn both() -> [Request; 2] {
    [Request::chat("m"), Request::stream("m")]
}

#[track_caller]
fn ends_as(gateway: &Gateway, answer: &Answer, outcome: &str) {
    assert_eq!(
        text(&gateway.access_line(&answer.request_id()), "outcome"),
        outcome
    );
}

#[test]
fn u01_a_refused_connection_is_told_at_once() {
    let gateway = Setup::new()
        .provider("up", &refused_base_url(), "")
        .model("m", "up", "x")
        .start();
    for request in both() {
        let start = Instant::now();
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 502, "upstream_connect_failed", None);
        // FAULTS says 100 ms; a busy machine gets more, a retry loop does not.
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
        ends_as(&gateway, &answer, "upstream_error");
    }
    gateway.settle();
}

/// A listener that drops every SYN: nobody accepts, and its queue is full of
/// these connections.
pub fn full_listener() -> (Socket, Vec<TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting = Duration::from_millis(200);
    let queue: Vec<_> = (0..64)
        .map_while(|_| TcpStream::connect_timeout(&address, waiting).ok())
        .collect();
    assert!(queue.len() < 64, "the queue has no end");
    (listener, queue)
}

#[test]
fn u02_a_dropped_syn_is_a_timeout_of_the_connection() {
    let (listener, _queue) = full_listener();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let gateway = Setup::new()
        .provider(
            "up",
            &format!("http://{address}/v1"),
            "timeouts.connect = \"300ms\"",
        )
        .model("m", "up", "x")
        .start();
    for request in both() {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 504, "upstream_connect_timeout", None);
        ends_as(&gateway, &answer, "timeout");
    }
    gateway.settle();
}

#[test]
fn u05_silence_is_a_timeout_of_the_head() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        assert!(exchange.gateway_left());
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\nhead = \"200ms\"")
        .start();
    for (index, request) in both().into_iter().enumerate() {
        let answer = gateway.ask(&request);
        assert_response::error(&answer, 504, "upstream_timeout", None);
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        ends_as(&gateway, &answer, "timeout");
        upstream.ended(index + 1);
    }
    assert_eq!(
        upstream.requests().len(),
        2,
        "a request that may have run was sent again"
    );
    gateway.settle();
}

#[test]
fn u05_half_a_head_is_silence_too() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Type: app");
        exchange.gateway_left();
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\nhead = \"200ms\"")
        .start();
    assert_response::error(
        &gateway.ask(&Request::chat("m")),
        504,
        "upstream_timeout",
        None,
    );
    upstream.ended(1);
}

#[test]
fn u06_a_slow_answer_within_the_limit_is_an_answer() {
    let (_upstream, gateway) = over(|exchange| {
        exchange.read_body();
        std::thread::sleep(Duration::from_millis(700));
        exchange.send(reply::completion("late"));
    });
    assert!(gateway.ask(&Request::chat("m")).text().contains("late"));
}

#[test]
fn a_total_limit_ends_a_stream_that_never_does() {
    let upstream = Upstream::start(|exchange| {
        exchange.read_body();
        exchange.send(reply::stream_head());
        let event = reply::chunk(reply::delta("x"));
        while exchange.send(&event) {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let gateway = Setup::over(&upstream)
        .section("[providers.up.timeouts]\ntotal = \"500ms\"")
        .start();
    let answer = gateway.ask(&Request::stream("m"));
    assert!(!answer.text().contains("[DONE]"));
    if answer.complete {
        assert_response::stream_error(&answer, "upstream_timeout");
    }
    ends_as(&gateway, &answer, "timeout");
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn u13_a_rate_limit_passes_with_every_header_and_is_not_retried() {
    let body = r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
    for value in ["20", "Fri, 31 Dec 2027 23:59:59 GMT", "0"] {
        let retry = format!("Retry-After: {value}");
        let headers = [
            "Content-Type: application/json",
            &retry,
            "x-ratelimit-limit-requests: 60",
            "x-ratelimit-reset-requests: 2m59.56s",
            "x-ms-retry-after-ms: 1200",
        ];
        let upstream = Upstream::answering(reply::whole("429 Too Many Requests", &headers, body));
        let gateway = Setup::over(&upstream).start();
        let answer = gateway.ask(&Request::stream("m"));
        assert_eq!((answer.status, answer.text().as_str()), (429, body));
        assert_eq!(answer.header("retry-after"), Some(value));
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("60"));
        assert_eq!(
            answer.header("x-ratelimit-reset-requests"),
            Some("2m59.56s")
        );
        assert_eq!(answer.header("x-ms-retry-after-ms"), Some("1200"));
        assert_eq!(upstream.requests().len(), 1);
        ends_as(&gateway, &answer, "upstream_error");
    }
}

#[test]
fn u14_a_page_for_a_stream_or_an_empty_error_is_wrapped() {
    for (status, expected) in [
        ("500 X", 500),
        ("502 X", 502),
        ("503 X", 503),
        ("529 X", 529),
    ] {
        for body in ["<html>oops</html>", "", "plain words"] {
            let (_upstream, gateway) = over(move |exchange| {
                exchange.read_body();
                exchange.send(reply::whole(status, &["Content-Type: text/html"], body));
            });
            for request in both() {
                let answer = gateway.ask(&request);
                assert_response::error(&answer, expected, "upstream_error", None);
                ends_as(&gateway, &answer, "upstream_error");
            }
        }
    }
}

#[test]
fn u16_broken_json_of_the_right_length_passes() {
    let (_upstream, gateway) = over(|exchange| {
        exchange.read_body();
        exchange.send(reply::json("200 OK", "{\"choices\":[{\"mess"));
    });
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "{\"choices\":[{\"mess")
    );
    assert!(answer.complete);
}

#[test]
fn u17_heads_that_are_none_are_protocol_errors() {
    let many: String = (0..2000).map(|n| format!("X-{n}: x\r\n")).collect();
    let heads = [
        format!(
            "HTTP/1.1 200 OK\r\nX-Huge: {}\r\nContent-Length: 0\r\n\r\n",
            "x".repeat(10_000_000)
        ),
        format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 1000 Odd\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 abc Odd\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "\0\0\0\0\0\0\0\0\r\n\r\n".to_owned(),
    ];
    for head in heads {
        let shown = head.chars().take(60).collect::<String>();
        let (upstream, gateway) = over(move |exchange| {
            exchange.read_body();
            exchange.send(&head);
            exchange.gateway_left();
        });
        let answer = gateway.ask(&Request::chat("m"));
        assert_eq!(answer.status, 502, "{shown:?}: {}", answer.text());
        assert_response::error(&answer, 502, "upstream_protocol_error", None);
        upstream.ended(1);
        gateway.settle();
    }
}

#[test]
fn interim_answers_of_an_upstream_are_no_answers() {
    let (_upstream, gateway) = over(|exchange| {
        exchange.read_body();
        exchange.send(reply::head("100 Continue", &[]));
        exchange.send(reply::head("103 Early Hints", &["Link: </x>"]));
        exchange.send(reply::completion("hi"));
    });
    let answer = gateway.ask(&Request::chat("m"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("link"), None);
}

#[test]
fn u18_an_endless_body_does_not_fill_memory() {
    let (upstream, gateway) = over(|exchange| {
        exchange.read_body();
        exchange.send(reply::head(
            "200 OK",
            &["Content-Type: audio/mpeg", "Transfer-Encoding: chunked"],
        ));
        let chunk = reply::chunk(vec![b'x'; 64 * 1024]);
        while exchange.send(&chunk) {}
    });
    let resident = || {
        let status = std::fs::read_to_string(gateway.process().join("status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap()
            .to_owned();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap()
    };
    let before = resident();
    let mut client = gateway.client();
    client.send(&Request::post("/v1/audio/speech", r#"{"model":"m","input":"x"}"#).bytes());
    assert_eq!(client.head().status, 200);
    let mut read = 0;
    while read < 256 * 1024 * 1024 {
        match client.piece() {
            crate::support::client::Piece::Data(data) => read += data.len(),
            other => panic!("{other:?} after {read} bytes"),
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more for one stream");
    drop(client);
    upstream.ended(1);
    gateway.settle();
}

#[test]
fn u20_an_early_answer_reaches_the_client() {
    let (_upstream, gateway) = over(|exchange| {
        exchange.send(reply::json(
            "400 Bad Request",
            r#"{"error":{"message":"too long"}}"#,
        ));
        exchange.finish();
    });
    let large = format!(
        r#"{{"model":"m","fill":"{}"}}"#,
        "x".repeat(8 * 1024 * 1024)
    );
    for body in [r#"{"model":"m"}"#, &large] {
        let answer = gateway.ask(&Request::post("/v1/chat/completions", body));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("too long"));
    }
    gateway.settle();
    assert_eq!(gateway.ask(&Request::chat("m")).status, 400);
}
