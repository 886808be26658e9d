//! HTTP/2 clients that send too much of what costs them nothing, in raw frames.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use super::http2_faults::{
    DATA, ERRORS, GOAWAY, HEADERS, RST_STREAM, connect, frame, get_health, goaway_reason, literal,
    next_frame,
};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::Upstream;
use crate::support::wait::Semaphore;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

const ENHANCE_YOUR_CALM: u32 = 11;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
/// `server::connection::STREAMS_PER_CONNECTION`
const MAX_STREAMS: u32 = 128;

/// Sends a flood; the gateway may close before it has taken all of it.
fn flood(gateway: &Gateway, bytes: &[u8]) -> Option<u32> {
    let socket = connect(gateway, &[]);
    let _ = (&socket).write_all(bytes);
    goaway_reason(socket)
}

#[track_caller]
fn assert_is_ended(gateway: &Gateway, reason: Option<u32>, count: f64) {
    // A reset may overtake GOAWAY.
    assert!(
        matches!(reason, None | Some(ENHANCE_YOUR_CALM)),
        "{reason:?}"
    );
    gateway.await_metric(ERRORS, &[("kind", "http2_flood")], count);
    let health = gateway.send(&Request::get("/health"));
    assert_eq!(health.status, 200);
}

#[test]
fn h2_04_a_flood_of_continuations_ends_the_connection() {
    let gateway = Setup::new().start();
    let begin = frame(HEADERS, END_STREAM, 1, &[0x82]);
    let field = literal("x-filler", &"a".repeat(120));
    for (count, block) in [(1.0, vec![]), (2.0, [field.clone(), field].concat())] {
        let continuation = frame(CONTINUATION, 0, 1, &block);
        let bytes = [begin.clone(), continuation.repeat(20_000)].concat();
        let reason = flood(&gateway, &bytes);
        assert_is_ended(&gateway, reason, count);
    }
}

#[test]
fn h2_04_fields_that_grow_when_they_are_decoded_are_refused() {
    let gateway = Setup::new().start();
    assert!(is_served(&gateway, 1));
    // Two megabytes of fields, from one frame.
    assert!(!is_served(&gateway, 16_000));
    assert_eq!(gateway.send(&Request::get("/health")).status, 200);
}

/// Sends a request with so many references to a field of the dynamic table (RFC 7541,
/// section 6.2.1).
fn is_served(gateway: &Gateway, references: usize) -> bool {
    let value = "a".repeat(126);
    let entry = [&[0x40, 1][..], b"x", &[126], value.as_bytes()].concat();
    let mut block = get_health(1, &[(":authority", "localhost")]).split_off(9);
    block.extend(entry);
    block.extend([0xbe].repeat(references));
    let mut socket = connect(
        gateway,
        &frame(HEADERS, END_STREAM | END_HEADERS, 1, &block),
    );
    let mut frames = std::iter::from_fn(|| next_frame(&mut socket));
    let first = frames.find(|(kind, ..)| [HEADERS, RST_STREAM, GOAWAY].contains(kind));
    // `:status: 200` of the static table.
    matches!(&first, Some((HEADERS, _, block)) if block.first() == Some(&0x88))
}

#[test]
fn h2_05_a_flood_of_empty_data_ends_the_connection() {
    let gateway = Setup::new().start();
    let head = frame(HEADERS, END_HEADERS, 1, &post_block());
    let bytes = [head, frame(DATA, 0, 1, &[]).repeat(20_000)].concat();
    let reason = flood(&gateway, &bytes);
    assert_is_ended(&gateway, reason, 1.0);
}

#[test]
fn h2_07_pings_and_settings_keep_no_connection_open() {
    let gateway = Setup::new().server("idle_timeout = \"500ms\"").start();
    for bytes in [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])] {
        let socket = connect(&gateway, &[]);
        let mut writer = socket.try_clone().unwrap();
        let flooding = thread::spawn(move || while writer.write_all(&bytes).is_ok() {});
        goaway_reason(socket);
        flooding.join().unwrap();
    }
    gateway.await_metric("trunkline_connections", &[], 0.0);
}

#[test]
fn h2_08_streams_beyond_the_limit_are_refused_and_harm_no_others() {
    let gate = Arc::new(Semaphore::default());
    let upstream = Upstream::gated(&gate);
    let gateway = Setup::with_upstream(&upstream).start();
    let mut socket = connect(&gateway, &[]);
    let streams = (0..=MAX_STREAMS).map(|count| 2 * count + 1);
    socket
        .write_all(&streams.flat_map(post).collect::<Vec<u8>>())
        .unwrap();
    let refused = await_frame(&mut socket, RST_STREAM);
    assert_eq!(refused, REFUSED_STREAM);
    gate.release_all();
    for _ in 0..MAX_STREAMS {
        // `:status: 200` of the static table.
        assert_eq!(await_frame(&mut socket, HEADERS)[0], 0x88);
    }
}

fn await_frame(socket: &mut TcpStream, wanted: u8) -> Vec<u8> {
    loop {
        let (kind, _, payload) = next_frame(socket).expect("a frame");
        if kind == wanted {
            return payload;
        }
    }
}

/// POST /v1/chat/completions
fn post_block() -> Vec<u8> {
    // Indexes of the static table: `:method: POST`, `:scheme: http`; `:path`.
    let path = b"/v1/chat/completions";
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path);
    block.extend(literal(":authority", "localhost"));
    block.extend(literal("content-type", "application/json"));
    block
}

fn post(stream: u32) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &post_block());
    let body = frame(DATA, END_STREAM, stream, b"{\"model\":\"m\"}");
    [head, body].concat()
}
