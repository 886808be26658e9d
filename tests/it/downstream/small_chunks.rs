//! Request bodies in very small chunks, which the gateway joins while it reads
//! (docs/faults.md#a13b).

use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};

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
    let chunks = body
        .bytes()
        .map(|byte| format!("1\r\n{}\r\n", char::from(byte)));
    let head = Request::post("/v1/chat/completions", "").head("Transfer-Encoding: chunked\r\n");
    let chunks = chunks.chain([last.to_owned()]).collect::<String>();
    [head, chunks.into_bytes()].concat()
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

/// Time on processors in clock ticks, as in the manual of `/proc/pid/stat`.
#[cfg(target_os = "linux")]
fn processor_time(gateway: &Gateway) -> u64 {
    let stat = std::fs::read_to_string(gateway.proc_dir().join("stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let times = fields.split(' ').skip(11).take(2);
    times.map(|time| time.parse::<u64>().unwrap()).sum()
}

/// An extension, which has no meaning, ends the joining.
#[test]
#[cfg(target_os = "linux")]
fn a13b_chunks_that_arrive_together_cost_a_fraction_of_single_ones() {
    let (_upstream, gateway) = start();
    let mut client = gateway.client();
    let joined = request(&json(3000), "0\r\n\r\n");
    let extension = String::from_utf8(joined.clone()).unwrap();
    let single = extension.replacen("\r\n\r\n1\r\n", "\r\n\r\n1;x\r\n", 1);
    assert_eq!(single.len(), joined.len() + 2);
    let mut times = [0, 0];
    for _ in 0..3 {
        for (request, total) in [&*joined, single.as_bytes()].iter().zip(&mut times) {
            let before = processor_time(&gateway);
            client.send(request);
            assert_eq!(client.response().status, 200);
            *total += processor_time(&gateway) - before;
        }
    }
    let [joined, single] = times;
    assert!(joined * 3 < single, "{joined} and {single} ticks");
}
