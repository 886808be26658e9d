//! Encodes request heads and parses response heads.

use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::{ParserConfig, Status};
use memchr::memchr_iter;

use super::body::{Body, Malformed};
use crate::request_body::Framing;
use crate::upstream::header;
use crate::wire::token_list::tokens;

/// Of a response.
const MAX_FIELDS: usize = 100;
/// Capacity for the fields that the gateway adds to a response.
const ADDED_FIELDS: usize = 6;
/// Bytes of a response head.
const MAX_HEAD: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct ParsedHead {
    pub(super) status: StatusCode,
    /// Only those that are forwarded downstream.
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Whether another request can follow on the connection.
    pub(super) keep_alive: bool,
    /// How long the upstream keeps the idle connection, if it sent that.
    pub(super) keep_alive_hint: Option<Duration>,
    /// Whether a WebSocket follows (RFC 6455, section 4.1).
    pub(super) opens_websocket: bool,
}

const START: &[u8] = b"HTTP/1.";
const NOT_HTTP: Malformed = Malformed("response head is not HTTP/1");
const TOO_LONG: Malformed = Malformed("response head too long");
const INVALID_LENGTH: Malformed = Malformed("invalid or ambiguous content length");

/// The fields about framing and the connection.
#[derive(Default)]
struct FramingFields {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    keep_alive_hint: Option<Duration>,
    /// Fields that `Connection` names: hop-by-hop.
    connection_options: Vec<HeaderName>,
}

/// Encodes a request head (RFC 9112, sections 3 and 5).
pub(super) fn encode<'f>(
    method: &Method,
    target: &str,
    host: &HeaderValue,
    framing: Framing,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
) -> Bytes {
    let max_fields = fields.size_hint().1.unwrap_or_default();
    // An estimate that most heads fit into.
    let mut head = BytesMut::with_capacity(target.len() + max_fields * 48 + 128);
    head.put_slice(method.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(target.as_bytes());
    head.put_slice(b" HTTP/1.1\r\nhost: ");
    head.put_slice(host.as_bytes());
    match framing {
        Framing::Length(length) => {
            head.put_slice(b"\r\ncontent-length: ");
            // Writing to memory cannot fail.
            let _ = write!(head, "{length}");
        }
        Framing::Chunked => head.put_slice(b"\r\ntransfer-encoding: chunked"),
        Framing::Empty => {}
    }
    // Not a loop: a chained iterator would check which part it is in each time.
    fields.for_each(|(name, value)| {
        head.put_slice(b"\r\n");
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
    });
    head.put_slice(b"\r\n\r\n");
    head.freeze()
}

/// Takes a response head out of `buffer`; None while it is incomplete. `searched` is the
/// count of bytes already searched for its end, 0 at first.
pub(super) fn take_head(
    buffer: &mut BytesMut,
    searched: &mut usize,
) -> Result<Option<ParsedHead>, Malformed> {
    let start = buffer.iter().zip(START);
    if start.into_iter().any(|(byte, expected)| byte != expected) {
        return Err(NOT_HTTP);
    }
    let Some(length) = end(buffer, *searched) else {
        *searched = buffer.len();
        return if buffer.len() > MAX_HEAD {
            Err(TOO_LONG)
        } else {
            Ok(None)
        };
    };
    if length > MAX_HEAD {
        return Err(TOO_LONG);
    }
    *searched = 0;
    parse(&buffer.split_to(length).freeze()).map(Some)
}

/// The end of the head: after the first empty line.
fn end(buffer: &[u8], searched: usize) -> Option<usize> {
    // The searched bytes may include a part of the end.
    let from = searched.saturating_sub(b"\n\r".len());
    let lines = memchr_iter(b'\n', buffer.get(from..)?);
    lines
        .map(|index| from + index + 1)
        .find_map(|next| match buffer.get(next..)? {
            [b'\r', b'\n', ..] => Some(next + 2),
            [b'\n', ..] => Some(next + 1),
            _ => None,
        })
}

fn parse(bytes: &Bytes) -> Result<ParsedHead, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut head, bytes, &mut fields);
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Malformed("too many header fields"));
        }
        _ => return Err(NOT_HTTP),
    }
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed("invalid status"))?;
    let is_http10 = head.version == Some(0);
    let mut framing = FramingFields::default();
    let mut headers = HeaderMap::with_capacity(head.headers.len() + ADDED_FIELDS);
    for field in &*head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| NOT_HTTP)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value));
        let value = value.map_err(|_| NOT_HTTP)?;
        framing.record(&name, &value)?;
        if header::forwards_downstream(&name) {
            headers.append(name, value);
        }
    }
    for name in &framing.connection_options {
        headers.remove(name);
    }
    let opens_websocket = status == StatusCode::SWITCHING_PROTOCOLS
        && framing.connection_options.contains(&UPGRADE)
        && head.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case(UPGRADE.as_str())
                && field.value.eq_ignore_ascii_case(b"websocket")
        });
    Ok(ParsedHead {
        opens_websocket,
        status,
        headers,
        keep_alive: !framing.close && (framing.keep_alive || !is_http10),
        keep_alive_hint: framing.keep_alive_hint,
        body: framing.body(status, is_http10)?,
    })
}

impl FramingFields {
    fn record(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Malformed> {
        match *name {
            CONTENT_LENGTH => {
                let length = std::str::from_utf8(value.as_bytes()).ok().and_then(length);
                // Other parsers may treat a duplicate differently, even an equal one
                // (RFC 9112, section 6.3).
                if length.is_none() || self.length.is_some() {
                    return Err(INVALID_LENGTH);
                }
                self.length = length;
            }
            TRANSFER_ENCODING => {
                // No other transfer coding is decoded.
                let chunked = value
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked");
                if !chunked || self.chunked {
                    return Err(Malformed("unsupported transfer coding"));
                }
                self.chunked = true;
            }
            CONNECTION => {
                for token in tokens(value.as_bytes()) {
                    if token.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else if token.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive = true;
                    } else {
                        self.connection_options
                            .extend(HeaderName::from_bytes(token).ok());
                    }
                }
            }
            _ if *name == "keep-alive" => self.keep_alive_hint = header::keep_alive_timeout(value),
            _ => {}
        }
        Ok(())
    }

    /// The body's framing (RFC 9112, section 6.3), for any method except HEAD.
    fn body(&self, status: StatusCode, is_http10: bool) -> Result<Body, Malformed> {
        if status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
        {
            return Ok(Body::Ended);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(INVALID_LENGTH),
            (true, None) if is_http10 => Err(Malformed("chunked encoding in HTTP/1.0")),
            (true, None) => Ok(Body::chunked()),
            (false, Some(length)) => Ok(Body::with_length(length)),
            (false, None) => Ok(Body::UntilClose),
        }
    }
}

/// Only digits; `parse` alone would accept a sign.
fn length(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
