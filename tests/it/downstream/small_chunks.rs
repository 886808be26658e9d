//! Request bodies in very small chunks, which the gateway joins while it reads
//! (docs/faults.md#a13b).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::client::{Request, find};
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    (upstream, gateway)
}

/// A body that contains what looks like the end of one.
fn json(length: usize) -> String {
    let text = "1\\r\\n0 ".repeat(length);
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)
}

fn request(body: &str, last: &str) -> Vec<u8> {
    let head = Request::post("/v1/chat/completions", "").head(CHUNKED);
    [head, one_byte_chunks(body, last)].concat()
}

fn one_byte_chunks(body: &str, last: &str) -> Vec<u8> {
    let chunks = body
        .bytes()
        .map(|byte| format!("1\r\n{}\r\n", char::from(byte)));
    let chunks = chunks.chain([last.to_owned()]).collect::<String>();
    chunks.into_bytes()
}

#[test]
fn a13b_bodies_in_one_byte_chunks_arrive_unchanged() {
    let (upstream, gateway) = start();
    let bodies = [json(1), json(300), json(9000)];
    let mut client = gateway.client();
    // One at a time, then together on the same connection.
    for body in &bodies {
        client.send(&request(body, "0\r\n\r\n"));
        assert_eq!(client.response().status, 200);
    }
    let together = [
        request(&bodies[0], "0\r\nX-Trailer: 1\r\n\r\n"),
        request(&bodies[1], "0\r\n\r\n"),
        Request::chat("m").bytes(),
    ];
    client.send(&together.concat());
    for _ in &together {
        assert_eq!(client.response().status, 200);
    }
    let received = upstream.requests();
    assert_eq!(received.len(), 6);
    let expected = bodies.iter().chain(&bodies[..2]);
    for (received, body) in received.iter().zip(expected) {
        let expected = body.replacen(r#""m""#, r#""real-model""#, 1);
        assert_eq!(String::from_utf8_lossy(&received.body), expected);
    }
}

#[test]
fn a13c_a_fault_behind_small_chunks_is_found() {
    let (upstream, gateway) = start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for fault in [
        "x\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\nx\r\n0\r\n\r\n",
        "-1\r\n\r\n",
    ] {
        let mut client = gateway.client();
        client.send(&request(&json(10), &[fault, smuggled].concat()));
        assert_eq!(client.response().status, 400, "{fault:?}");
        client.assert_closed();
    }
    assert!(upstream.requests().is_empty());
}

/// Responds to each chunked request with the number of its chunks.
fn count_chunks(mut socket: TcpStream) -> std::io::Result<()> {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let count @ 1.. = socket.read(&mut buffer)? else {
            return Ok(());
        };
        received.extend(&buffer[..count]);
        if received.ends_with(b"\r\n0\r\n\r\n") {
            let body = received.split_off(find(&received, b"\r\n\r\n").unwrap() + 4);
            received.clear();
            // Two for each chunk, as its data has none.
            let line_ends = body.windows(2).filter(|it| it == b"\r\n").count();
            let chunks = line_ends / 2 - 1;
            socket.write_all(&response::json(
                "200 OK",
                &format!(r#"{{"chunks":{chunks}}}"#),
            ))?;
        }
    }
}

/// A body that is not buffered is sent on as it is read: each of hyper's frames is a chunk.
#[test]
fn a13d_chunks_that_arrive_together_are_read_together() {
    const LENGTH: usize = 20_000;
    let upstream = Upstream::raw("http", |socket| {
        let _ = count_chunks(socket);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    let head = Request::new("POST", "/v1/uploads/u/parts")
        .header("Content-Type", "application/octet-stream")
        .head(CHUNKED);
    let body = one_byte_chunks(&"x".repeat(LENGTH), "0\r\n\r\n");
    for _ in 0..3 {
        client.send(&[&*head, &body].concat());
        let response = client.response();
        assert_eq!(response.status, 200);
        let chunks = response.json()["chunks"].as_u64().unwrap();
        assert!(chunks < LENGTH as u64 / 20, "{chunks}");
    }
}
