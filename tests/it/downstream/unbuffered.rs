//! No buffering, shown by cause and not by time: the upstream sends the next chunk
//! only after the client has read the last one, so a relay that waits for more
//! would wait forever.

use std::sync::Arc;

use crate::support::client::{BodyFrame, Client, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::tls::{CertificateAuthority, Flaw};
use crate::support::upstream::{Exchange, Upstream, response};
use crate::support::wait::Semaphore;

const ROUNDS: usize = 25;

/// Sends a head, then one chunk per permit of the gate.
fn send_in_turns(exchange: &mut Exchange<'_>, gate: &Semaphore, head: &str, parts: &[Vec<u8>]) {
    exchange.read_body();
    exchange.send(head);
    for part in parts {
        assert!(gate.acquire(), "the client never received the last part");
        exchange.send(part);
    }
}

/// Reads the chunks one by one, with a permit for each.
#[track_caller]
fn read_in_turns(client: &mut Client, gate: &Semaphore, parts: &[String]) {
    assert_eq!(client.head().status, 200);
    for part in parts {
        gate.release();
        assert_eq!(
            String::from_utf8(client.read_exact(part.len())).unwrap(),
            *part
        );
    }
}

fn events() -> Vec<String> {
    let mut events: Vec<String> = (0..ROUNDS)
        .map(|n| response::delta(&format!("word {n}")))
        .collect();
    events.push(response::finish());
    events
}

/// Streams the parts as HTTP chunks and reads them one by one.
#[track_caller]
fn stream_in_turns(setup: impl Fn(&Upstream) -> Setup, parts: &[String]) {
    let gate = Arc::new(Semaphore::default());
    let script = (Arc::clone(&gate), parts.to_vec());
    let upstream = Upstream::start(move |exchange| {
        let (gate, parts) = &script;
        let mut chunks: Vec<Vec<u8>> = parts.iter().map(response::chunk).collect();
        chunks.push(
            [
                response::chunk(response::DONE).as_slice(),
                response::LAST_CHUNK,
            ]
            .concat(),
        );
        send_in_turns(exchange, gate, &response::stream_head(), &chunks);
    });
    let gateway = setup(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    read_in_turns(&mut client, &gate, parts);
    gate.release();
    assert_eq!(
        client.read_body(),
        (response::DONE.as_bytes().to_vec(), true)
    );
    gateway.wait_until_idle();
}

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    stream_in_turns(Setup::with_upstream, &events());
}

#[test]
fn each_event_arrives_before_the_next_is_sent_while_usage_is_injected() {
    stream_in_turns(Setup::injecting_usage, &events());
}

#[test]
fn a_part_of_an_event_does_not_wait_for_the_rest_of_it() {
    let text = events().concat();
    let parts: Vec<String> = text
        .as_bytes()
        .chunks(37)
        .map(|part| String::from_utf8(part.to_vec()).unwrap())
        .collect();
    stream_in_turns(Setup::with_upstream, &parts);
}

#[test]
fn comments_and_empty_lines_do_not_wait() {
    let mut parts = vec![
        ": OPENROUTER PROCESSING\n\n".to_owned(),
        "\n".to_owned(),
        ": ping\n".to_owned(),
        "\n".to_owned(),
    ];
    parts.extend(events());
    stream_in_turns(Setup::injecting_usage, &parts);
}

#[test]
fn the_head_of_a_stream_does_not_wait_for_its_first_event() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let body = [
            response::chunk(response::finish() + response::DONE),
            response::LAST_CHUNK.to_vec(),
        ]
        .concat();
        send_in_turns(exchange, &passed, &response::stream_head(), &[body]);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    gate.release();
    assert!(client.read_body().1);
}

#[test]
fn a_body_of_known_length_does_not_wait_either() {
    let gate = Arc::new(Semaphore::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let length = format!("Content-Length: {}", ROUNDS * 10);
        let head = response::head("200 OK", &["Content-Type: audio/mpeg", &length]);
        let parts: Vec<Vec<u8>> = (0..ROUNDS)
            .map(|n| format!("{n:010}").into_bytes())
            .collect();
        send_in_turns(exchange, &passed, &head, &parts);
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::post("/v1/audio/speech", r#"{"model":"m","input":"x"}"#).bytes());
    let parts: Vec<String> = (0..ROUNDS).map(|n| format!("{n:010}")).collect();
    read_in_turns(&mut client, &gate, &parts);
    assert_eq!(client.next_frame(), BodyFrame::End);
}

#[test]
fn a_stream_over_tls_does_not_wait_either() {
    let gate = Arc::new(Semaphore::default());
    let script = (Arc::clone(&gate), events());
    let authority = CertificateAuthority::new();
    let upstream = Upstream::start_tls(
        authority.server(Flaw::None, &["http/1.1"]),
        move |exchange| {
            let (gate, events) = &script;
            let mut chunks: Vec<Vec<u8>> = events.iter().map(response::chunk).collect();
            chunks.push(response::LAST_CHUNK.to_vec());
            send_in_turns(exchange, gate, &response::stream_head(), &chunks);
        },
    );
    let setup = Setup::new();
    let ca = setup.file("ca.pem", authority.pem().as_bytes());
    let gateway = setup
        .provider(
            "up",
            &upstream.base_url(),
            &format!("ca_file = \"{}\"", ca.display()),
        )
        .model("m", "up", "real-model")
        .start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    read_in_turns(&mut client, &gate, &events());
    gate.release();
    assert!(client.read_body().1);
}
