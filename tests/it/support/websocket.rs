//! WebSockets, frame by frame (RFC 6455), for tests of both sides.

use crate::support::client::{Client, Head, Request};
use crate::support::gateway::Gateway;
use crate::support::upstream::{Exchange, Upstream, reply};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;

/// The example of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// "Going away".
pub const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();

/// Either side, once the protocol has changed.
pub trait Peer {
    /// Whether its own frames are masked, which those of clients are.
    const MASKS: bool;

    fn take_bytes(&mut self, count: usize) -> Option<Vec<u8>>;
    fn put_bytes(&mut self, bytes: &[u8]) -> bool;

    /// Sends a whole message.
    fn say(&mut self, opcode: u8, payload: &[u8]) -> bool {
        self.put_bytes(&frame(opcode, payload, Self::MASKS))
    }

    /// The next frame; none when the connection ends before it.
    fn hear(&mut self) -> Option<(u8, Vec<u8>)> {
        let head = self.take_bytes(2)?;
        assert_eq!(
            head[1] & 0x80 != 0,
            !Self::MASKS,
            "masked by the wrong side"
        );
        let length = match head[1] & 0x7f {
            126 => self
                .take_bytes(2)?
                .iter()
                .fold(0, |sum, it| sum << 8 | usize::from(*it)),
            127 => self
                .take_bytes(8)?
                .iter()
                .fold(0, |sum, it| sum << 8 | usize::from(*it)),
            length => usize::from(length),
        };
        let mask = if Self::MASKS {
            vec![0; 4]
        } else {
            self.take_bytes(4)?
        };
        let mut payload = self.take_bytes(length)?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((head[0] & 0x0f, payload))
    }
}

impl Peer for Client {
    const MASKS: bool = true;

    fn take_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.take_raw(count)
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> bool {
        self.try_send(bytes).is_ok()
    }
}

impl Peer for Exchange<'_> {
    const MASKS: bool = false;

    fn take_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.take_raw(count)
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> bool {
        self.send(bytes)
    }
}

/// One frame that is a message.
pub fn frame(opcode: u8, payload: &[u8], masks: bool) -> Vec<u8> {
    let flag = if masks { 0x80 } else { 0 };
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
    let mask: &[u8] = if masks { &[7, 0, 200, 31] } else { &[0] };
    if masks {
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

/// A handshake.
pub fn handshake(target: &str) -> Request {
    Request::get(target)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
}

/// Sends a handshake and reads the head of its answer.
#[track_caller]
pub fn knock(gateway: &Gateway, request: &Request) -> (Client, Head) {
    let mut client = gateway.client();
    client.send(&request.bytes());
    let head = client.head();
    (client, head)
}

/// A WebSocket to the model `m`.
#[track_caller]
pub fn open(gateway: &Gateway) -> Client {
    let (client, head) = knock(gateway, &handshake("/v1/realtime?model=m"));
    assert_eq!(head.status, 101, "{}", String::from_utf8_lossy(&head.raw));
    client
}

/// The upstream's change of protocols, with these headers beside those it must
/// have.
pub fn switch(headers: &[&str]) -> String {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let own = ["Connection: Upgrade", "Upgrade: websocket", &accept];
    let headers = [&own[..], headers].concat();
    reply::head("101 Switching Protocols", &headers)
}

/// Says every message back, and the last word as well.
pub fn echo(exchange: &mut Exchange<'_>) {
    exchange.close();
    while let Some((opcode, payload)) = exchange.hear() {
        exchange.say(opcode, &payload);
        if opcode == CLOSE {
            break;
        }
    }
}

/// An upstream that opens every WebSocket and says every message back.
pub fn echoing() -> Upstream {
    Upstream::start(|exchange| {
        exchange.send(switch(&[]));
        echo(exchange);
    })
}

/// An upstream that opens every WebSocket and does this with it.
pub fn opening(script: impl Fn(&mut Exchange<'_>) + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |exchange| {
        exchange.send(switch(&[]));
        exchange.close();
        script(exchange);
    })
}
