//! Decodes a body in steps, within a limit of its decoded size.

use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};

use bytes::Bytes;

use super::layer::{Layer, Source};
use super::{CodingList, ContentCoding, DecodeError};

/// A body that is being decoded.
pub struct BodyDecoder {
    /// The codings that `source` has not decoded yet.
    codings: Vec<ContentCoding>,
    source: Source,
    limit: usize,
    decoded: Vec<u8>,
}

impl BodyDecoder {
    /// Does no work yet. `limit` is that of the decoded size, also between two codings.
    #[must_use]
    pub fn new(body: Bytes, codings: CodingList, limit: usize) -> Self {
        Self {
            codings: codings.0,
            source: Box::new(Cursor::new(body)),
            limit,
            decoded: Vec::new(),
        }
    }

    /// Decodes up to `step` further bytes; true at the end of the body.
    pub fn decode(&mut self, step: usize) -> Result<bool, DecodeError> {
        self.try_decode(step).map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => DecodeError::TooLarge,
            _ => DecodeError::Invalid,
        })
    }

    fn try_decode(&mut self, step: usize) -> io::Result<bool> {
        while let Some(coding) = self.codings.pop() {
            let encoded = std::mem::replace(&mut self.source, Box::new(io::empty()));
            let layer = Layer::new(coding, encoded, self.limit)?;
            self.source = Box::new(BufReader::new(layer));
        }
        let source: &mut dyn BufRead = &mut *self.source;
        let read = source.take(step as u64).read_to_end(&mut self.decoded)?;
        Ok(read < step)
    }

    /// Bytes decoded so far.
    #[must_use]
    pub fn decoded_len(&self) -> usize {
        self.decoded.len()
    }

    #[must_use]
    pub fn into_decoded(self) -> Bytes {
        self.decoded.into()
    }
}
