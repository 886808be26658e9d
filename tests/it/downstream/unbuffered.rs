//! Promise 3, unbuffered, proved by cause and not by time: the upstream sends
//! the next piece only after the client has read the last one. A relay that
//! waits for more than it has would wait for ever.

use std::sync::Arc;

use crate::support::client::{Client, Piece, Request};
use crate::support::gateway::Setup;
use crate::support::upstream::tls::{Authority, Flaw};
use crate::support::upstream::{Exchange, Upstream, reply};
use crate::support::wait::Gate;

const ROUNDS: usize = 25;

/// Sends a head, then one piece for each opening of the gate.
fn in_turns(exchange: &mut Exchange<'_>, gate: &Gate, head: &str, pieces: &[Vec<u8>]) {
    exchange.read_body();
    exchange.send(head);
    for piece in pieces {
        assert!(gate.pass(), "the client never saw the last piece");
        exchange.send(piece);
    }
}

/// Reads the pieces one by one, opening the gate for each.
#[track_caller]
fn read_in_turns(client: &mut Client, gate: &Gate, pieces: &[String]) {
    assert_eq!(client.head().status, 200);
    for piece in pieces {
        gate.open();
        assert_eq!(String::from_utf8(client.take(piece.len())).unwrap(), *piece);
    }
}

fn events() -> Vec<String> {
    let mut events: Vec<String> = (0..ROUNDS)
        .map(|n| reply::delta(&format!("word {n}")))
        .collect();
    events.push(reply::finish());
    events
}

/// Plays the pieces as a stream in chunks, and reads them one by one.
#[track_caller]
fn stream_in_turns(setup: impl Fn(&Upstream) -> Setup, pieces: &[String]) {
    let gate = Arc::new(Gate::default());
    let script = (Arc::clone(&gate), pieces.to_vec());
    let upstream = Upstream::start(move |exchange| {
        let (gate, pieces) = &script;
        let mut chunks: Vec<Vec<u8>> = pieces.iter().map(reply::chunk).collect();
        chunks.push([reply::chunk(reply::DONE).as_slice(), reply::LAST_CHUNK].concat());
        in_turns(exchange, gate, &reply::stream_head(), &chunks);
    });
    let gateway = setup(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    read_in_turns(&mut client, &gate, pieces);
    gate.open();
    assert_eq!(client.rest(), (reply::DONE.as_bytes().to_vec(), true));
    gateway.settle();
}

#[test]
fn each_event_arrives_before_the_next_is_sent() {
    stream_in_turns(Setup::over, &events());
}

#[test]
fn each_event_arrives_before_the_next_is_sent_while_usage_is_injected() {
    stream_in_turns(Setup::injecting, &events());
}

#[test]
fn a_piece_of_an_event_does_not_wait_for_the_rest_of_it() {
    let text = events().concat();
    let pieces: Vec<String> = text
        .as_bytes()
        .chunks(37)
        .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
        .collect();
    stream_in_turns(Setup::over, &pieces);
}

#[test]
fn comments_and_empty_lines_do_not_wait() {
    let mut pieces = vec![
        ": OPENROUTER PROCESSING\n\n".to_owned(),
        "\n".to_owned(),
        ": ping\n".to_owned(),
        "\n".to_owned(),
    ];
    pieces.extend(events());
    stream_in_turns(Setup::injecting, &pieces);
}

#[test]
fn the_head_of_a_stream_does_not_wait_for_its_first_event() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let body = [
            reply::chunk(reply::finish() + reply::DONE),
            reply::LAST_CHUNK.to_vec(),
        ]
        .concat();
        in_turns(exchange, &passed, &reply::stream_head(), &[body]);
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::stream("m").bytes());
    assert_eq!(client.head().status, 200);
    gate.open();
    assert!(client.rest().1);
}

#[test]
fn a_body_of_known_length_does_not_wait_either() {
    let gate = Arc::new(Gate::default());
    let passed = Arc::clone(&gate);
    let upstream = Upstream::start(move |exchange| {
        let length = format!("Content-Length: {}", ROUNDS * 10);
        let head = reply::head("200 OK", &["Content-Type: audio/mpeg", &length]);
        let pieces: Vec<Vec<u8>> = (0..ROUNDS)
            .map(|n| format!("{n:010}").into_bytes())
            .collect();
        in_turns(exchange, &passed, &head, &pieces);
    });
    let gateway = Setup::over(&upstream).start();
    let mut client = gateway.client();
    client.send(&Request::post("/v1/audio/speech", r#"{"model":"m","input":"x"}"#).bytes());
    let pieces: Vec<String> = (0..ROUNDS).map(|n| format!("{n:010}")).collect();
    read_in_turns(&mut client, &gate, &pieces);
    assert_eq!(client.piece(), Piece::End);
}

#[test]
fn neither_does_a_stream_behind_tls() {
    let gate = Arc::new(Gate::default());
    let script = (Arc::clone(&gate), events());
    let authority = Authority::new();
    let upstream = Upstream::start_tls(
        authority.server(Flaw::None, &["http/1.1"]),
        move |exchange| {
            let (gate, events) = &script;
            let mut chunks: Vec<Vec<u8>> = events.iter().map(reply::chunk).collect();
            chunks.push(reply::LAST_CHUNK.to_vec());
            in_turns(exchange, gate, &reply::stream_head(), &chunks);
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
    gate.open();
    assert!(client.rest().1);
}
