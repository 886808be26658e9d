//! A position in the body that only moves over well-formed JSON (RFC 8259).

use super::string::{Decoder, Text, escape_len, plain_run};
use super::{Fault, ScanError, Span};

/// The deepest nesting of objects and arrays. `serde_json` accepts just as much,
/// as many upstreams and SDKs do.
pub(super) const DEPTH_LIMIT: u32 = 127;

/// The longest form of one byte of text: `\u00xx`.
const ESCAPE_BYTES: usize = 6;

/// Reads a body from front to back.
pub(super) struct Cursor<'b> {
    body: &'b [u8],
    at: usize,
    open: Nesting,
}

/// The open brackets: one bit each, so that no input can grow a stack.
#[derive(Default)]
struct Nesting {
    depth: u32,
    /// The lowest bit is the innermost bracket; set for an object.
    kinds: u128,
}

/// What stands after a value inside brackets.
enum Next {
    Value,
    Closed,
}

// === impl Nesting ===

impl Nesting {
    fn enter(&mut self, object: bool) -> bool {
        self.depth += 1;
        self.kinds = (self.kinds << 1) | u128::from(object);
        self.depth <= DEPTH_LIMIT
    }

    fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.kinds >>= 1;
    }

    fn in_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

// === impl Cursor ===

impl<'b> Cursor<'b> {
    pub(super) fn new(body: &'b [u8]) -> Self {
        Self {
            body,
            at: 0,
            open: Nesting::default(),
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn since(&self, start: usize) -> Span {
        Span {
            start,
            end: self.at,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    /// Goes to the first byte of the first value.
    pub(super) fn start(&mut self) -> Result<(), ScanError> {
        // RFC 8259, 8.1: a byte order mark must not be there. Passing it on
        // would leave it to chance what the upstream makes of it.
        if self.body.starts_with(b"\xEF\xBB\xBF") {
            return Err(self.refuse(Fault::InvalidEncoding));
        }
        self.skip_whitespace();
        Ok(())
    }

    /// Makes sure that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), ScanError> {
        self.skip_whitespace();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.refuse(Fault::TrailingData)),
        }
    }

    /// The error for the byte at the cursor.
    pub(super) fn refuse(&self, fault: Fault) -> ScanError {
        self.refuse_at(self.at, fault)
    }

    /// The error for the byte at `offset`: `fault`, or the encoding when no
    /// character begins there.
    fn refuse_at(&self, offset: usize, fault: Fault) -> ScanError {
        let next = self.body.get(offset..).unwrap_or_default();
        // The longest character has four bytes.
        let next = next.get(..4).unwrap_or(next);
        let undecodable = std::str::from_utf8(next).is_err_and(|error| error.valid_up_to() == 0);
        ScanError {
            fault: if undecodable {
                Fault::InvalidEncoding
            } else {
                fault
            },
            offset,
        }
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.refuse(Fault::InvalidJson))
        }
    }

    /// Consumes the object at the cursor and hands over each of its keys with
    /// the cursor at the value, which `member` must consume.
    pub(super) fn object<E: From<ScanError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Text) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = self.enter(true)?;
        while let Next::Value = next {
            let key = self.key()?;
            member(self, key)?;
            next = self.after_value()?;
        }
        Ok(())
    }

    /// Consumes the array at the cursor and hands over each of its items with
    /// the cursor there, which `item` must consume.
    pub(super) fn array<E: From<ScanError>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = self.enter(false)?;
        while let Next::Value = next {
            item(self)?;
            next = self.after_value()?;
        }
        Ok(())
    }

    /// Consumes the value at the cursor, however deep it is nested.
    pub(super) fn skip_value(&mut self) -> Result<(), ScanError> {
        let floor = self.open.depth;
        loop {
            let mut next = match self.peek() {
                Some(b'{') => self.enter(true)?,
                Some(b'[') => self.enter(false)?,
                _ => {
                    self.scalar()?;
                    Next::Closed
                }
            };
            while let Next::Closed = next {
                if self.open.depth == floor {
                    return Ok(());
                }
                next = self.after_value()?;
            }
            if self.open.in_object() {
                self.key()?;
            }
        }
    }

    /// Consumes an opening bracket, and the closing one if it follows.
    fn enter(&mut self, object: bool) -> Result<Next, ScanError> {
        if !self.open.enter(object) {
            return Err(self.refuse(Fault::TooDeep));
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(self.close(object))
    }

    /// Consumes the comma or the closing bracket after a value.
    fn after_value(&mut self) -> Result<Next, ScanError> {
        self.skip_whitespace();
        if self.take(b',') {
            self.skip_whitespace();
            return Ok(Next::Value);
        }
        match self.close(self.open.in_object()) {
            Next::Closed => Ok(Next::Closed),
            Next::Value => Err(self.refuse(Fault::InvalidJson)),
        }
    }

    fn close(&mut self, object: bool) -> Next {
        if self.take(if object { b'}' } else { b']' }) {
            self.open.leave();
            Next::Closed
        } else {
            Next::Value
        }
    }

    /// Consumes a key and its colon, and goes to the value.
    fn key(&mut self) -> Result<Text, ScanError> {
        let key = self.string()?;
        self.skip_whitespace();
        self.expect(b':')?;
        self.skip_whitespace();
        Ok(key)
    }

    fn scalar(&mut self) -> Result<(), ScanError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.refuse(Fault::InvalidJson)),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), ScanError> {
        word.iter().try_for_each(|&byte| self.expect(byte))
    }

    /// RFC 8259, 6. The value is not computed, so no number is too large.
    fn number(&mut self) -> Result<(), ScanError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.refuse(Fault::InvalidJson));
        }
        Ok(())
    }

    /// Consumes the string at the cursor (RFC 8259, 7).
    pub(super) fn string(&mut self) -> Result<Text, ScanError> {
        let start = self.at;
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            let rest = self.body.get(self.at..).unwrap_or_default();
            let run = plain_run(rest);
            if !run.ascii {
                let plain = rest.get(..run.len).unwrap_or_default();
                std::str::from_utf8(plain).map_err(|error| ScanError {
                    fault: Fault::InvalidEncoding,
                    offset: self.at + error.valid_up_to(),
                })?;
            }
            self.at += run.len;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    let escape = rest.get(run.len..).unwrap_or_default();
                    self.at += escape_len(escape)
                        .map_err(|bad| self.refuse_at(self.at + bad, Fault::InvalidJson))?;
                }
                _ => return Err(self.refuse(Fault::InvalidJson)),
            }
        }
        self.at += 1;
        Ok(Text {
            span: self.since(start),
            escaped,
        })
    }

    /// Whether a string means `name`, whatever escapes it is spelled with.
    pub(super) fn spells(&self, text: Text, name: &str) -> bool {
        let content = self.content(text);
        if !text.escaped {
            return content == name.as_bytes();
        }
        // The bound keeps a huge key from being read once more.
        content.len() <= name.len() * ESCAPE_BYTES
            && Decoder::of(content)
                .map(Result::ok)
                .eq(name.chars().map(Some))
    }

    /// The length of a string in UTF-8 once its escapes are resolved; nothing
    /// when it passes the limit. Half a surrogate pair stands for no text.
    pub(super) fn decoded_len(&self, text: Text, limit: usize) -> Result<Option<usize>, ScanError> {
        let content = self.content(text);
        let len = if !text.escaped {
            content.len()
        } else if content.len() > limit * ESCAPE_BYTES {
            return Ok(None);
        } else {
            Decoder::of(content)
                .map(|next| next.map(char::len_utf8))
                .sum::<Result<usize, usize>>()
                .map_err(|at| self.refuse_at(text.span.start + 1 + at, Fault::InvalidJson))?
        };
        Ok((len <= limit).then_some(len))
    }

    pub(super) fn content(&self, text: Text) -> &'b [u8] {
        self.body
            .get(text.span.start + 1..text.span.end - 1)
            .unwrap_or_default()
    }
}
