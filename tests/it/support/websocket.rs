//! WebSocket frames (RFC 6455) for clients and upstreams.

use crate::support::client::{Client, Head, Request};
use crate::support::gateway::Gateway;
use crate::support::upstream::{Exchange, Upstream, response};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// The sample nonce of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Close code 1001.
pub const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// One side of an open WebSocket.
pub trait Peer {
    /// Whether frames of this side are masked; those of clients are.
    const MASKED: bool;

    fn read_bytes(&mut self, count: usize) -> Option<Vec<u8>>;
    fn write_bytes(&mut self, bytes: &[u8]) -> bool;

    /// Sends a message in one frame; false if the connection is closed.
    fn send_message(&mut self, opcode: u8, payload: &[u8]) -> bool {
        self.write_bytes(&frame(opcode, payload, Self::MASKED))
    }

    /// The next frame; `None` if the connection ends first.
    fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.read_bytes(2)?;
        assert_eq!(
            head[1] & 0x80 != 0,
            !Self::MASKED,
            "masked by the wrong side"
        );
        let length = match head[1] & 0x7f {
            126 => self
                .read_bytes(2)?
                .iter()
                .fold(0, |sum, it| sum << 8 | usize::from(*it)),
            127 => self
                .read_bytes(8)?
                .iter()
                .fold(0, |sum, it| sum << 8 | usize::from(*it)),
            length => usize::from(length),
        };
        let mask = if Self::MASKED {
            vec![0; 4]
        } else {
            self.read_bytes(4)?
        };
        let mut payload = self.read_bytes(length)?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((head[0] & 0x0f, payload))
    }
}

impl Peer for Client {
    const MASKED: bool = true;

    fn read_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.read_raw(count)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> bool {
        self.try_send(bytes).is_ok()
    }
}

impl Peer for Exchange<'_> {
    const MASKED: bool = false;

    fn read_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.read_raw(count)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> bool {
        self.send(bytes)
    }
}

/// A final frame with this payload.
pub fn frame(opcode: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let flag = if masked { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => bytes.push(flag | u8::try_from(length).unwrap()),
        length @ 126..65536 => {
            bytes.push(flag + 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(flag + 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    let mask: &[u8] = if masked { &[7, 0, 200, 31] } else { &[0] };
    if masked {
        bytes.extend(mask);
    }
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

pub fn handshake(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// Sends a handshake and reads the response head.
#[track_caller]
pub fn send_handshake(gateway: &Gateway, request: &Request) -> (Client, Head) {
    let mut client = gateway.client();
    client.send(&request.bytes());
    let head = client.head();
    (client, head)
}

/// Opens a WebSocket for the model `m`.
#[track_caller]
pub fn open_websocket(gateway: &Gateway) -> Client {
    let (client, head) = send_handshake(gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
    client
}

/// A `101` head with these headers in addition to the required ones.
pub fn switching_protocols(headers: &[&str]) -> String {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let own = ["Connection: Upgrade", "Upgrade: websocket", &accept];
    let headers = [&own[..], headers].concat();
    response::head("101 Switching Protocols", &headers)
}

/// Echoes every message, including the Close frame.
pub fn echo(exchange: &mut Exchange<'_>) {
    exchange.close();
    while let Some((opcode, payload)) = exchange.read_frame() {
        exchange.send_message(opcode, &payload);
        if opcode == CLOSE {
            break;
        }
    }
}

/// An upstream that accepts every WebSocket and echoes its messages.
pub fn echo_upstream() -> Upstream {
    Upstream::start(|exchange| {
        exchange.send(switching_protocols(&[]));
        echo(exchange);
    })
}

/// An upstream that accepts every WebSocket and then runs the script.
pub fn websocket_upstream(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.send(switching_protocols(&[]));
        exchange.close();
        script(exchange);
    })
}
