//! As much of HTTP/1.1 as mock and load generator need: one message read as it
//! comes, heads by their few telling fields, bodies by length or in chunks.

use memchr::memchr;
use memchr::memmem::{find, find_iter};

/// The head of a message.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Status of an answer, 0 for a request.
    pub status: u16,
    /// The sender closes the connection behind this message.
    pub closes: bool,
    /// Length of the body where it is said.
    pub length: Option<u64>,
    chunked: bool,
}

/// One message being read.
#[derive(Debug, Default)]
pub struct Message {
    begun: Vec<u8>,
    head: Option<Head>,
    body: Body,
    /// Bytes of body so far, framing not counted.
    pub bytes: u64,
    /// Chunks of body so far, the empty last one not counted.
    pub frames: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Body {
    #[default]
    Unknown,
    Fixed(u64),
    /// The line that says a chunk's size: what was read of it, and whether the
    /// digits have ended.
    Size(u64, bool),
    Data(u64),
    /// The end of line behind a chunk's data.
    DataEnd,
    /// Behind the last chunk: whether the present line is empty so far.
    Trailer(bool),
    Done,
}

impl Message {
    /// Takes in what was read and shows `sink` the parts of the body in it.
    /// Nobody here pipelines, so bytes behind the message are an error.
    pub fn feed(&mut self, mut input: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.head.is_none() {
            let Some(rest) = self.read_head(input)? else {
                return Ok(());
            };
            input = rest;
        }
        while !input.is_empty() {
            if self.body == Body::Done {
                return Err("bytes behind the end of a message".to_owned());
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
        let known = self.begun.len();
        let end = if known == 0 {
            find(input, b"\r\n\r\n")
        } else {
            self.begun.extend_from_slice(input);
            find(&self.begun, b"\r\n\r\n")
        };
        let Some(end) = end else {
            if known == 0 {
                self.begun.extend_from_slice(input);
            }
            return Ok(None);
        };
        let text = if known == 0 { input } else { &self.begun };
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
            Body::Fixed(left) => self.pass(left, input, sink, Body::Fixed, Body::Done),
            Body::Data(left) => self.pass(left, input, sink, Body::Data, Body::DataEnd),
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

    fn pass(
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
            _ => return Err(format!("byte {byte:#x} in the size of a chunk")),
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
            parsed.status = number(digits).ok_or("a status that is no number")? as u16;
        }
        for end in find_iter(head, b"\r\n") {
            let line = &head[end + 2..];
            let line = &line[..find(line, b"\r\n").unwrap_or(0)];
            let Some(colon) = memchr(b':', line) else {
                continue;
            };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                parsed.length = Some(number(value).ok_or("a length that is no number")?);
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
