//! Heads: a request's as it is written, an answer's as it is read.

use std::fmt::Write as _;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use httparse::{ParserConfig, Status};
use memchr::memchr_iter;

use super::body::{Body, Malformed};
use crate::request_body::Extent;
use crate::upstream::header;

/// Most fields in the head of an answer.
const MOST_FIELDS: usize = 100;
/// Fields that are added to an answer's before it goes to the caller.
const FIELDS_OF_OURS: usize = 6;
/// Most bytes in the head of an answer.
const LONGEST: usize = 64 * 1024;

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// Those that may go downstream.
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Whether the connection can take another request behind the body.
    pub(super) persists: bool,
    /// How long it may rest until then, where the upstream says so.
    pub(super) rests_for: Option<Duration>,
    /// Whether what follows is a WebSocket's (RFC 6455, section 4.1).
    pub(super) opens_websocket: bool,
}

/// What every answer begins with.
const BEGINNING: &[u8] = b"HTTP/1.";
const NOT_HTTP: Malformed = Malformed("the head is not HTTP/1");
const TOO_LONG: Malformed = Malformed("the head is too long");
const BAD_LENGTH: Malformed = Malformed("the answer's length is told wrongly or twice");

/// What the fields say about the connection and the body's framing.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    rests_for: Option<Duration>,
    /// Fields that `Connection` names; they go no further.
    named: Vec<HeaderName>,
}

/// Writes the head of a request whose body goes so far (RFC 9112, sections 3 and
/// 5).
pub(super) fn encode<'f>(
    method: &Method,
    target: &str,
    host: &HeaderValue,
    extent: Extent,
    fields: impl Iterator<Item = (&'f HeaderName, &'f HeaderValue)>,
) -> Bytes {
    let most = fields.size_hint().1.unwrap_or_default();
    // Most heads fit; one that does not makes it grow.
    let mut head = BytesMut::with_capacity(target.len() + most * 48 + 128);
    head.put_slice(method.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(target.as_bytes());
    head.put_slice(b" HTTP/1.1\r\nhost: ");
    head.put_slice(host.as_bytes());
    match extent {
        Extent::Length(length) => {
            head.put_slice(b"\r\ncontent-length: ");
            // Writing into memory does not fail.
            let _ = write!(head, "{length}");
        }
        Extent::Chunked => head.put_slice(b"\r\ntransfer-encoding: chunked"),
        Extent::Absent => {}
    }
    // Not a loop: an iterator in several parts would look for its part each time.
    fields.for_each(|(name, value)| {
        head.put_slice(b"\r\n");
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
    });
    head.put_slice(b"\r\n\r\n");
    head.freeze()
}

/// Takes the head of an answer out of `arrived`; none while it is not whole.
/// `looked_at` is how much of it has been searched for the end, 0 at first.
pub(super) fn take(
    arrived: &mut BytesMut,
    looked_at: &mut usize,
) -> Result<Option<Head>, Malformed> {
    let started = arrived.iter().zip(BEGINNING);
    if started.into_iter().any(|(byte, expected)| byte != expected) {
        return Err(NOT_HTTP);
    }
    let Some(length) = end(arrived, *looked_at) else {
        *looked_at = arrived.len();
        return if arrived.len() > LONGEST {
            Err(TOO_LONG)
        } else {
            Ok(None)
        };
    };
    if length > LONGEST {
        return Err(TOO_LONG);
    }
    *looked_at = 0;
    parse(&arrived.split_to(length).freeze()).map(Some)
}

/// Where the head ends: behind the first empty line.
fn end(arrived: &[u8], looked_at: usize) -> Option<usize> {
    // The end may have begun in what was looked at.
    let from = looked_at.saturating_sub(b"\n\r".len());
    let lines = memchr_iter(b'\n', arrived.get(from..)?);
    lines
        .map(|at| from + at + 1)
        .find_map(|next| match arrived.get(next..)? {
            [b'\r', b'\n', ..] => Some(next + 2),
            [b'\n', ..] => Some(next + 1),
            _ => None,
        })
}

fn parse(bytes: &Bytes) -> Result<Head, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut head = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut head, bytes, &mut fields);
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Malformed("the head has too many fields"));
        }
        _ => return Err(NOT_HTTP),
    }
    let status = head.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed("the head has no valid status"))?;
    let is_http_1_0 = head.version == Some(0);
    let mut framing = Framing::default();
    let mut headers = HeaderMap::with_capacity(head.headers.len() + FIELDS_OF_OURS);
    for field in &*head.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| NOT_HTTP)?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value));
        let value = value.map_err(|_| NOT_HTTP)?;
        framing.note(&name, &value)?;
        if header::goes_downstream(&name) {
            headers.append(name, value);
        }
    }
    for name in &framing.named {
        headers.remove(name);
    }
    let opens_websocket = status == StatusCode::SWITCHING_PROTOCOLS
        && framing.named.contains(&UPGRADE)
        && head.headers.iter().any(|field| {
            field.name.eq_ignore_ascii_case(UPGRADE.as_str())
                && field.value.eq_ignore_ascii_case(b"websocket")
        });
    Ok(Head {
        opens_websocket,
        status,
        headers,
        persists: !framing.close && (framing.keep_alive || !is_http_1_0),
        rests_for: framing.rests_for,
        body: framing.body(status, is_http_1_0)?,
    })
}

impl Framing {
    fn note(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), Malformed> {
        match *name {
            CONTENT_LENGTH => {
                let length = std::str::from_utf8(value.as_bytes()).ok().and_then(length);
                // A second one, though it be the same, may be read differently
                // by the next reader (RFC 9112, section 6.3).
                if length.is_none() || self.length.is_some() {
                    return Err(BAD_LENGTH);
                }
                self.length = length;
            }
            TRANSFER_ENCODING => {
                // Of the codings only chunked is undone on the way.
                let chunked = value
                    .as_bytes()
                    .trim_ascii()
                    .eq_ignore_ascii_case(b"chunked");
                if !chunked || self.chunked {
                    return Err(Malformed("the answer has an unknown transfer coding"));
                }
                self.chunked = true;
            }
            CONNECTION => {
                for token in value.as_bytes().split(|byte| *byte == b',') {
                    let token = token.trim_ascii();
                    if token.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else if token.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive = true;
                    } else {
                        self.named.extend(HeaderName::from_bytes(token).ok());
                    }
                }
            }
            _ if *name == "keep-alive" => self.rests_for = header::rest_told(value),
            _ => {}
        }
        Ok(())
    }

    /// How the body is framed (RFC 9112, section 6.3), for an answer to anything
    /// but HEAD.
    fn body(&self, status: StatusCode, is_http_1_0: bool) -> Result<Body, Malformed> {
        if status.is_informational()
            || status == StatusCode::NO_CONTENT
            || status == StatusCode::NOT_MODIFIED
        {
            return Ok(Body::Ended);
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(BAD_LENGTH),
            (true, None) if is_http_1_0 => Err(Malformed("HTTP/1.0 has no chunks")),
            (true, None) => Ok(Body::chunked()),
            (false, Some(length)) => Ok(Body::of_length(length)),
            (false, None) => Ok(Body::UntilClose),
        }
    }
}

/// Digits and nothing else; `parse` alone would take a sign.
fn length(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
