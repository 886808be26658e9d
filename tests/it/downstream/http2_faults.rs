//! HTTP/2 clients that break the rules, in raw frames (docs/faults.md#a4).

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::gateway::{Gateway, Setup};
use crate::support::upstream::{Upstream, response};
use crate::support::wait::DEADLINE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const ERRORS: &str = "trunkline_connection_errors_total";

/// Types of frames (RFC 9113, section 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM_AND_HEADERS: u8 = 0x5;

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A field with a literal name (RFC 7541, section 6.2.2).
pub(super) fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// GET /health with these fields besides method, path and scheme.
pub(super) fn get_health(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    // Indexes of the static table: `:method: GET`, `:scheme: http`; `:path`.
    let mut block = vec![0x82, 0x86, 0x04, 7];
    block.extend(b"/health");
    for (name, value) in fields {
        block.extend(literal(name, value));
    }
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &block)
}

/// Opens a connection and sends these bytes behind SETTINGS.
pub(super) fn connect(gateway: &Gateway, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(gateway.listen).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let opening = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    socket.write_all(&[&opening, bytes].concat()).unwrap();
    socket
}

/// The next frame: type, flags and payload; none at the end of the connection.
pub(super) fn next_frame(socket: &mut TcpStream) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    socket.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    socket.read_exact(&mut payload).ok()?;
    Some((head[3], head[4], payload))
}

/// The error code of the GOAWAY by which the gateway ends the connection.
pub(super) fn goaway_reason(mut socket: TcpStream) -> Option<u32> {
    let mut reason = None;
    while let Some((kind, _, payload)) = next_frame(&mut socket) {
        if kind == GOAWAY {
            reason = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    reason
}

#[test]
fn a4_violations_are_counted() {
    let gateway = Setup::new().log("level = \"debug\"").start();
    let cases: [(&str, Vec<u8>, u32); 5] = [
        ("DATA of no stream", frame(DATA, 0, 0, b"x"), 1),
        ("WINDOW_UPDATE by 0", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), 1),
        (
            "a frame that is too long",
            frame(SETTINGS, 0, 0, &[0; 6 * 3000]),
            6,
        ),
        (
            "an even stream",
            frame(HEADERS, END_STREAM_AND_HEADERS, 2, &[0x82]),
            1,
        ),
        (
            "a field that is no HPACK",
            frame(HEADERS, END_STREAM_AND_HEADERS, 1, &[0xff; 9]),
            1,
        ),
    ];
    for (count, (name, bytes, reason)) in (1..).zip(cases) {
        assert_eq!(
            goaway_reason(connect(&gateway, &bytes)),
            Some(reason),
            "{name}"
        );
        gateway.await_metric(ERRORS, &[("kind", "malformed")], f64::from(count));
    }
    // The preface breaks off in the middle.
    let mut socket = TcpStream::connect(gateway.listen).unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        .unwrap();
    gateway.await_metric(ERRORS, &[("kind", "malformed")], 6.0);
    gateway.await_log("DEBUG", &["client connection ended", "malformed"], 6);
    gateway.await_metric(ERRORS, &[], 6.0);
}

#[test]
fn a4_a_flood_has_a_kind_of_its_own() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let gateway = Setup::new().start();
    let reset = |stream: u32| {
        let headers = get_health(stream, &[(":authority", "localhost")]);
        [headers, frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
    };
    let flood: Vec<u8> = (0..2000).flat_map(|count| reset(2 * count + 1)).collect();
    let socket = connect(&gateway, &[]);
    // The gateway may have closed before it has taken all of it.
    let _ = (&socket).write_all(&flood);
    // A reset may overtake GOAWAY.
    let reason = goaway_reason(socket);
    assert!(
        matches!(reason, None | Some(ENHANCE_YOUR_CALM)),
        "{reason:?}"
    );
    gateway.await_metric(ERRORS, &[("kind", "http2_flood")], 1.0);
    gateway.await_metric(ERRORS, &[], 1.0);
}

#[test]
fn a4_what_clients_may_do_is_no_error() {
    let upstream = Upstream::with_response(response::completion("hi"));
    let gateway = Setup::with_upstream(&upstream).start();
    let health = get_health(1, &[(":authority", "localhost")]);
    let cancel = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    let away = |reason: u8| frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, reason]);
    for bytes in [
        vec![],
        health.clone(),
        [health, cancel].concat(),
        away(0),
        away(1),
    ] {
        let socket = connect(&gateway, &bytes);
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        goaway_reason(socket);
    }
    gateway.await_metric("trunkline_connections", &[], 0.0);
    gateway.await_metric(ERRORS, &[], 0.0);
}

/// The first frame of the response to GET /health with these fields.
fn status_line(gateway: &Gateway, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut socket = connect(gateway, &get_health(1, fields));
    loop {
        let (kind, _, payload) = next_frame(&mut socket).expect("a response");
        if kind == HEADERS {
            return payload;
        }
    }
}

#[test]
fn h2_10_the_host_field_stands_in_for_a_missing_authority() {
    // Of the static table.
    const STATUS_200: u8 = 0x88;
    const STATUS_400: u8 = 0x8c;
    let gateway = Setup::new().start();
    for (fields, expected) in [
        (&[(":authority", "localhost")][..], STATUS_200),
        (&[("host", "localhost")], STATUS_200),
        (
            &[(":authority", "localhost"), ("host", "localhost")],
            STATUS_200,
        ),
        (&[], STATUS_400),
        (&[("host", "localhost"), ("host", "localhost")], STATUS_400),
        (
            &[
                (":authority", "localhost"),
                ("host", "localhost"),
                ("host", "localhost"),
            ],
            STATUS_400,
        ),
        (
            &[(":authority", "localhost"), ("host", "127.0.0.1")],
            STATUS_400,
        ),
        (&[("host", "a/b")], STATUS_400),
    ] {
        assert_eq!(status_line(&gateway, fields)[0], expected, "{fields:?}");
    }
}
