//! Detects HTTP/1 or HTTP/2 by the first bytes of a connection.

use tokio::io::{AsyncRead, AsyncReadExt};

use super::state::ConnState;
use crate::server::socket::Peek;

/// First bytes of the HTTP/2 preface (RFC 9113, section 3.4); no HTTP/1 request
/// starts with them.
const HTTP2_PREFACE: &[u8] = b"PRI ";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// A connection whose protocol is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    pub protocol: Protocol,
    /// What was read of the connection: a part of the preface.
    pub read_ahead: &'static [u8],
}

impl Detected {
    /// Nothing was read.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            read_ahead: b"",
        }
    }
}

/// Waits for as many bytes as the decision takes; none if the client closes before.
/// Nearly always the first look suffices, and nothing is read. A preface that arrives in
/// fragments is read: peeked bytes would stay readable, and the arrival of more could not
/// be waited for.
pub async fn detect(
    stream: &mut (impl Peek + AsyncRead + Unpin),
    state: &ConnState,
) -> Option<Detected> {
    let mut awaited = HTTP2_PREFACE;
    loop {
        let mut buffer = [0; HTTP2_PREFACE.len()];
        let count = stream.peek(buffer.get_mut(..awaited.len())?).await.ok()?;
        if count == 0 {
            return None;
        }
        state.set_head_begun();
        let fragment = buffer.get_mut(..count)?;
        let protocol = if !awaited.starts_with(fragment) {
            Some(Protocol::Http1)
        } else if fragment.len() == awaited.len() {
            Some(Protocol::Http2)
        } else {
            None
        };
        if let Some(protocol) = protocol {
            let read = HTTP2_PREFACE.len() - awaited.len();
            return Some(Detected {
                protocol,
                read_ahead: HTTP2_PREFACE.get(..read)?,
            });
        }
        stream.read_exact(fragment).await.ok()?;
        awaited = awaited.get(count..)?;
    }
}
