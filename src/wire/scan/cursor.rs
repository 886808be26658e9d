//! A cursor over a body that accepts only valid JSON (RFC 8259).

use super::nesting::Nesting;
use super::string::{JsonString, StringContent, escape_len, plain_run};
use super::{ByteSpan, ScanError, ScanErrorKind};

pub(super) struct Cursor<'b> {
    body: &'b [u8],
    at: usize,
    open: Nesting,
}

/// The token after a value inside brackets.
enum Next {
    Value,
    Closed,
}

/// Ends a visit early: enough was found, or the rest is not valid JSON.
pub(super) struct Stop;

impl From<ScanError> for Stop {
    fn from(_: ScanError) -> Self {
        Self
    }
}

/// Visits the members of a body that is an object, until `visit` stops. The body
/// may be cut off.
pub(super) fn visit_members<'b>(
    body: &'b [u8],
    visit: impl FnMut(&mut Cursor<'b>, JsonString) -> Result<(), Stop>,
) {
    let mut cursor = Cursor::new(body);
    if cursor.start().is_ok() && cursor.peek() == Some(b'{') {
        // What was found before an error counts.
        let _ = cursor.object(visit);
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

    pub(super) fn span_from(&self, start: usize) -> ByteSpan {
        ByteSpan {
            start,
            end: self.at,
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    /// Moves to the first value.
    pub(super) fn start(&mut self) -> Result<(), ScanError> {
        // RFC 8259, 8.1: a byte order mark is not allowed. Upstreams may or may not
        // accept it.
        if self.body.starts_with(b"\xEF\xBB\xBF") {
            return Err(self.error(ScanErrorKind::InvalidEncoding));
        }
        self.skip_whitespace();
        Ok(())
    }

    /// The error at the cursor.
    pub(super) fn error(&self, kind: ScanErrorKind) -> ScanError {
        self.error_at(self.at, kind)
    }

    /// The error at `offset`: `kind`, or the encoding if no character begins there.
    fn error_at(&self, offset: usize, kind: ScanErrorKind) -> ScanError {
        let next = self.body.get(offset..).unwrap_or_default();
        // A character has at most four bytes.
        let next = next.get(..4).unwrap_or(next);
        let undecodable = std::str::from_utf8(next).is_err_and(|error| error.valid_up_to() == 0);
        ScanError {
            kind: if undecodable {
                ScanErrorKind::InvalidEncoding
            } else {
                kind
            },
            offset,
        }
    }

    pub(super) fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn consume(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.consume(byte) {
            Ok(())
        } else {
            Err(self.error(ScanErrorKind::InvalidJson))
        }
    }

    /// Consumes the object at the cursor. `member` gets each key, with the cursor at
    /// the value, which it must consume.
    pub(super) fn object<E: From<ScanError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, JsonString) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut next = self.enter(true)?;
        while let Next::Value = next {
            let key = self.key()?;
            member(self, key)?;
            next = self.after_value()?;
        }
        Ok(())
    }

    /// Consumes the array at the cursor. `item` must consume the item at the cursor.
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

    /// Consumes the value at the cursor, at any depth.
    pub(super) fn skip_value(&mut self) -> Result<(), ScanError> {
        let floor = self.open.depth();
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
                if self.open.depth() == floor {
                    return Ok(());
                }
                next = self.after_value()?;
            }
            if self.open.in_object() {
                self.key()?;
            }
        }
    }

    /// Consumes an opening bracket, and the closing one if it is next.
    fn enter(&mut self, object: bool) -> Result<Next, ScanError> {
        if !self.open.enter(object) {
            return Err(self.error(ScanErrorKind::TooDeep));
        }
        self.at += 1;
        self.skip_whitespace();
        Ok(self.close(object))
    }

    /// Consumes the comma or the closing bracket after a value.
    fn after_value(&mut self) -> Result<Next, ScanError> {
        self.skip_whitespace();
        if self.consume(b',') {
            self.skip_whitespace();
            return Ok(Next::Value);
        }
        match self.close(self.open.in_object()) {
            Next::Closed => Ok(Next::Closed),
            Next::Value => Err(self.error(ScanErrorKind::InvalidJson)),
        }
    }

    fn close(&mut self, object: bool) -> Next {
        if self.consume(if object { b'}' } else { b']' }) {
            self.open.leave();
            Next::Closed
        } else {
            Next::Value
        }
    }

    /// Consumes a key and its colon, up to the value.
    fn key(&mut self) -> Result<JsonString, ScanError> {
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
            _ => Err(self.error(ScanErrorKind::InvalidJson)),
        }
    }

    fn literal(&mut self, text: &[u8]) -> Result<(), ScanError> {
        text.iter().try_for_each(|&byte| self.expect(byte))
    }

    /// RFC 8259, 6. The value is not computed, so no number is too large.
    fn number(&mut self) -> Result<(), ScanError> {
        self.consume(b'-');
        if !self.consume(b'0') {
            self.digits()?;
        }
        if self.consume(b'.') {
            self.digits()?;
        }
        if self.consume(b'e') || self.consume(b'E') {
            if !self.consume(b'+') {
                self.consume(b'-');
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
            return Err(self.error(ScanErrorKind::InvalidJson));
        }
        Ok(())
    }

    /// Consumes the string at the cursor (RFC 8259, 7).
    pub(super) fn string(&mut self) -> Result<JsonString, ScanError> {
        let start = self.at;
        self.expect(b'"')?;
        let mut escaped = false;
        loop {
            let rest = self.body.get(self.at..).unwrap_or_default();
            let run = plain_run(rest);
            if !run.ascii {
                let plain = rest.get(..run.len).unwrap_or_default();
                std::str::from_utf8(plain).map_err(|error| ScanError {
                    kind: ScanErrorKind::InvalidEncoding,
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
                        .map_err(|bad| self.error_at(self.at + bad, ScanErrorKind::InvalidJson))?;
                }
                _ => return Err(self.error(ScanErrorKind::InvalidJson)),
            }
        }
        self.at += 1;
        Ok(JsonString {
            span: self.span_from(start),
            escaped,
        })
    }

    /// Compares a string to `name`, with escapes resolved.
    pub(super) fn text_eq(&self, text: JsonString, name: &str) -> bool {
        self.text(text).is(name)
    }

    pub(super) fn text(&self, text: JsonString) -> StringContent<'b> {
        StringContent {
            content: self.content(text),
            escaped: text.escaped,
        }
    }

    pub(super) fn content(&self, text: JsonString) -> &'b [u8] {
        self.body
            .get(text.span.start + 1..text.span.end - 1)
            .unwrap_or_default()
    }
}
