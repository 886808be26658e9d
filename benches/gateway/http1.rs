//! The part of HTTP/1.1 that mock and load generator need: one message, read
//! incrementally, with few header fields and bodies by length or in chunks.

use memchr::memchr;
use memchr::memmem::{find, find_iter};

#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// The status of a response, 0 for a request.
    pub status: u16,
    /// The message has `Connection: close`.
    pub closes: bool,
    /// The `Content-Length`.
    pub length: Option<u64>,
    chunked: bool,
}

#[derive(Debug, Default)]
pub struct Message {
    partial: Vec<u8>,
    head: Option<Head>,
    body: Body,
    /// Body bytes so far, without framing.
    pub bytes: u64,
    /// Chunks of the body so far, without the last, empty one.
    pub frames: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Body {
    #[default]
    Unknown,
    Fixed(u64),
    /// The chunk-size line: the size so far, and whether its digits have ended.
    Size(u64, bool),
    Data(u64),
    /// The line end after a chunk's data.
    DataEnd,
    /// After the last chunk: whether the current line is empty so far.
    Trailer(bool),
    Done,
}

impl Message {
    /// Reads a part of the message and passes the body bytes in it to `sink`. Nothing
    /// here pipelines, so bytes after the message are an error.
    pub fn feed(&mut self, mut input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.head.is_none() {
            let Some(rest) = self.read_head(input)? else {
                return Ok(());
            };
            input = rest;
        }
        while !input.is_empty() {
            if self.body == Body::Done {
                return Err("bytes after the end of a message".to_owned());
            }
            input = self.read_body(input, sink)?;
        }
        Ok(())
    }

    pub fn is_done(&self) -> bool {
        self.body == Body::Done
    }

    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    fn read_head<'i>(&mut self, input: &'i [u8]) -> Result<Option<&'i [u8]>, String> {
        let known = self.partial.len();
        let end = if known == 0 {
            find(input, b"\r\n\r\n")
        } else {
            self.partial.extend_from_slice(input);
            find(&self.partial, b"\r\n\r\n")
        };
        let Some(end) = end else {
            if known == 0 {
                self.partial.extend_from_slice(input);
            }
            return Ok(None);
        };
        let text = if known == 0 { input } else { &self.partial };
        let head = Head::parse(&text[..end + 2])?;
        self.body = match (head.chunked, head.length) {
            (true, _) => Body::Size(0, false),
            (false, None | Some(0)) => Body::Done,
            (false, Some(length)) => Body::Fixed(length),
        };
        self.head = Some(head);
        Ok(Some(&input[end + 4 - known..]))
    }

    fn read_body<'i>(
        &mut self,
        input: &'i [u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<&'i [u8], String> {
        let (next, used) = match self.body {
            Body::Fixed(left) => self.read_data(left, input, sink, Body::Fixed, Body::Done),
            Body::Data(left) => self.read_data(left, input, sink, Body::Data, Body::DataEnd),
            Body::DataEnd => match memchr(b'\n', input) {
                Some(at) => (Body::Size(0, false), at + 1),
                None => (Body::DataEnd, input.len()),
            },
            Body::Size(size, ended) => self.read_size(size, ended, input[0])?,
            Body::Trailer(empty) => match input[0] {
                b'\n' if empty => (Body::Done, 1),
                b'\n' => (Body::Trailer(true), 1),
                b'\r' => (Body::Trailer(empty), 1),
                _ => (Body::Trailer(false), 1),
            },
            Body::Unknown | Body::Done => return Err("a body without a head".to_owned()),
        };
        self.body = next;
        Ok(&input[used..])
    }

    fn read_data(
        &mut self,
        left: u64,
        input: &[u8],
        sink: &mut impl FnMut(&[u8]),
        more: impl Fn(u64) -> Body,
        end: Body,
    ) -> (Body, usize) {
        let used = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        sink(&input[..used]);
        self.bytes += used as u64;
        let left = left - used as u64;
        (if left == 0 { end } else { more(left) }, used)
    }

    fn read_size(&mut self, size: u64, ended: bool, byte: u8) -> Result<(Body, usize), String> {
        let next = match (byte, char::from(byte).to_digit(16)) {
            (b'\n', _) if size == 0 => Body::Trailer(true),
            (b'\n', _) => {
                self.frames += 1;
                Body::Data(size)
            }
            (_, Some(digit)) if !ended && size < 1 << 40 => {
                Body::Size(size * 16 + u64::from(digit), false)
            }
            (b'\r' | b';' | b' ', _) => Body::Size(size, true),
            _ if ended => Body::Size(size, true),
            _ => return Err(format!("byte {byte:#x} in a chunk size")),
        };
        Ok((next, 1))
    }
}

impl Head {
    fn parse(head: &[u8]) -> Result<Self, String> {
        let mut parsed = Self {
            status: 0,
            closes: false,
            length: None,
            chunked: false,
        };
        if head.starts_with(b"HTTP/1.") {
            let digits = head.get(9..12).unwrap_or_default();
            parsed.status = number(digits).ok_or("invalid status")? as u16;
        }
        for end in find_iter(head, b"\r\n") {
            let line = &head[end + 2..];
            let line = &line[..find(line, b"\r\n").unwrap_or(0)];
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                parsed.length = Some(number(value).ok_or("invalid Content-Length")?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                parsed.chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                parsed.closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        Ok(parsed)
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
