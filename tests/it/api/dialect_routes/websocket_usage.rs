//! Responses in a WebSocket: their tokens, and how a session without a Close frame ended.

use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, text, value};
use crate::support::setup::Setup;
use crate::support::upstream::{Exchange, Upstream};
use crate::support::websocket::{
    CLOSE, PING, Peer, TEXT, frame, handshake, send_handshake, switching_protocols,
    websocket_upstream,
};

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","status":"in_progress","usage":null}}"#;

fn ended(kind: &str, input: u32, output: u32) -> String {
    json!({
        "type": kind,
        "response": {
            "id": "resp_1", "status": "completed", "output": [{"type": "message", "text": "\"usage\""}],
            "usage": {
                "input_tokens": input, "input_tokens_details": {"cached_tokens": 1},
                "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 1},
                "total_tokens": input + output,
            },
        },
    })
    .to_string()
}

/// Reads a request, and sends these messages; then the next.
fn responder(turns: Vec<Vec<String>>) -> Upstream {
    websocket_upstream(move |exchange| {
        for messages in &turns {
            let request = exchange.read_frame();
            if request.is_none() {
                return;
            }
            for message in messages {
                exchange.send_message(TEXT, message.as_bytes());
            }
        }
        exchange.wait_for_disconnect();
    })
}

/// Makes a request for each turn, and leaves without a Close frame.
fn session(gateway: &Gateway, turns: &[usize]) -> Value {
    let (mut client, head) = send_handshake(gateway, &handshake("/v1/responses"));
    assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
    for messages in turns {
        assert!(client.send_message(TEXT, br#"{"type":"response.create","model":"x"}"#));
        for _ in 0..*messages {
            assert!(client.read_frame().is_some());
        }
    }
    drop(client);
    gateway.access_lines(1).remove(0)
}

#[track_caller]
fn assert_usage(line: &Value, tokens: [u64; 4]) {
    let names = [
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "reasoning_tokens",
    ];
    assert_eq!(names.map(|name| value(line, name)), tokens, "{line}");
}

#[test]
fn the_tokens_of_a_session_are_the_sum_of_its_responses() {
    let turn = |input, output| {
        vec![
            CREATED.to_owned(),
            ended("response.completed", input, output),
        ]
    };
    let upstream = responder(vec![turn(10, 3), turn(20, 4)]);
    let gateway = Setup::with_upstream(&upstream).start();
    let line = session(&gateway, &[2, 2]);
    assert_usage(&line, [30, 7, 2, 2]);
    assert_eq!(text(&line, "outcome"), "ok");
    let labels = [("endpoint", "responses"), ("kind", "output")];
    gateway.await_metric("trunkline_tokens_total", &labels[1..], 7.0);
}

#[test]
fn a_session_that_leaves_within_a_response_is_cancelled() {
    for turns in [
        vec![vec![CREATED.to_owned()]],
        // Asked for, and not begun.
        vec![vec![ended("response.completed", 10, 3)], Vec::new()],
    ] {
        let counts: Vec<usize> = turns.iter().map(Vec::len).collect();
        let upstream = responder(turns);
        let gateway = Setup::with_upstream(&upstream).start();
        let line = session(&gateway, &counts);
        assert_eq!(text(&line, "outcome"), "cancelled", "{counts:?}");
    }
}

#[test]
fn a_response_that_failed_is_an_error_of_the_upstream() {
    for last in [
        ended("response.failed", 10, 0),
        r#"{"type":"error","status":400,"error":{"type":"invalid_request_error","code":"x","message":"no"}}"#.to_owned(),
    ] {
        let upstream = responder(vec![vec![CREATED.to_owned(), last.clone()]]);
        let gateway = Setup::with_upstream(&upstream).start();
        let line = session(&gateway, &[2]);
        assert_eq!(text(&line, "outcome"), "upstream_error", "{last}");
    }
    // Another one made up for it.
    let failed = ended("response.failed", 10, 0);
    let upstream = responder(vec![vec![failed], vec![ended("response.completed", 5, 2)]]);
    let gateway = Setup::with_upstream(&upstream).start();
    assert_eq!(text(&session(&gateway, &[1, 1]), "outcome"), "ok");
}

#[test]
fn a_session_ends_well_behind_events_that_are_not_of_a_response() {
    let done = ended("response.completed", 10, 3);
    for (last, outcome) in [
        (r#"{"type":"codex.rate_limits","rate_limits":{}}"#, "ok"),
        (CREATED, "cancelled"),
    ] {
        let upstream = responder(vec![vec![done.clone(), last.to_owned()]]);
        let gateway = Setup::with_upstream(&upstream).start();
        assert_eq!(text(&session(&gateway, &[2]), "outcome"), outcome, "{last}");
    }
}

#[test]
fn messages_in_parts_and_of_several_lines_are_read() {
    let upstream = websocket_upstream(|exchange| {
        assert!(exchange.read_frame().is_some());
        let event: Value = serde_json::from_str(&ended("response.completed", 10, 3)).unwrap();
        let event = serde_json::to_string_pretty(&event).unwrap();
        let (one, rest) = event.as_bytes().split_at(20);
        let (two, three) = rest.split_at(70);
        let mut first = frame(TEXT, one, false);
        first[0] = TEXT;
        let mut second = frame(0, two, false);
        second[0] = 0;
        exchange.write_bytes(&first);
        exchange.send_message(PING, b"");
        exchange.write_bytes(&second);
        exchange.write_bytes(&frame(0, three, false));
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let line = session(&gateway, &[4]);
    assert_usage(&line, [10, 3, 1, 1]);
    assert_eq!(text(&line, "outcome"), "ok");
}

/// A text message as permessage-deflate has it (RFC 7692, section 7.2.1).
fn compressed(deflate: &mut Compress, message: &str) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + 64);
    deflate
        .compress_vec(message.as_bytes(), &mut payload, FlushCompress::Sync)
        .unwrap();
    assert!(payload.ends_with(&[0, 0, 0xff, 0xff]));
    payload.truncate(payload.len() - 4);
    let mut bytes = frame(TEXT, &payload, false);
    bytes[0] |= 0x40;
    bytes
}

/// The extension is the client's and the provider's own affair; a copy is decoded.
#[test]
fn compressed_messages_are_read_and_pass_as_they_are() {
    for (parameters, takes_over) in [("", true), ("; server_no_context_takeover", false)] {
        let extension = format!("permessage-deflate{parameters}");
        let accepted = extension.clone();
        let upstream = Upstream::start(move |exchange: &mut Exchange<'_>| {
            let header = format!("Sec-WebSocket-Extensions: {accepted}");
            exchange.send(switching_protocols(&[&header]));
            exchange.close();
            let mut deflate = Compress::new(Compression::default(), false);
            for (input, output) in [(10, 3), (20, 4)] {
                assert!(exchange.read_frame().is_some());
                for message in [CREATED, &ended("response.completed", input, output)] {
                    if !takes_over {
                        deflate.reset();
                    }
                    exchange.write_bytes(&compressed(&mut deflate, message));
                }
            }
            exchange.wait_for_disconnect();
        });
        let gateway = Setup::with_upstream(&upstream).start();
        let line = session(&gateway, &[2, 2]);
        assert_usage(&line, [30, 7, 2, 2]);
        assert_eq!(text(&line, "outcome"), "ok");
    }
}

#[test]
fn what_cannot_be_read_passes_and_is_not_counted() {
    let upstream = websocket_upstream(|exchange| {
        assert!(exchange.read_frame().is_some());
        let mut strange = frame(TEXT, b"\xff\xff\xff", false);
        strange[0] |= 0x40;
        exchange.write_bytes(&strange);
        exchange.send_message(CLOSE, &1000_u16.to_be_bytes());
        exchange.wait_for_disconnect();
    });
    let gateway = Setup::with_upstream(&upstream).start();
    let line = session(&gateway, &[2]);
    assert_eq!(text(&line, "outcome"), "ok");
    assert!(
        line.get("input_tokens").is_none_or(Value::is_null),
        "{line}"
    );
}
