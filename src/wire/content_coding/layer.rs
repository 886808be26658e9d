//! One coding of a body, as a reader that ends only where the body does.

use std::io::{self, BufRead, Cursor, ErrorKind, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::ContentCoding;

pub(super) type Source = Box<dyn BufRead + Send>;

/// The largest window of zstd, as a power of two: 8 MiB (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;
const BROTLI_INPUT_BUFFER: usize = 4096;

/// Decodes one coding. Data behind its end is an error, and so are more decoded bytes
/// than the limit.
pub(super) struct Layer {
    format: Format,
    /// Decoded bytes that are within the limit.
    left: usize,
}

enum Format {
    Zstd(zstd::stream::read::Decoder<'static, Source>),
    Gzip(MultiGzDecoder<Source>),
    Zlib(ZlibDecoder<Source>),
    RawDeflate(DeflateDecoder<Source>),
    Brotli(Box<Decompressor<Source>>),
}

impl Layer {
    pub(super) fn new(coding: ContentCoding, source: Source, limit: usize) -> io::Result<Self> {
        let format = match coding {
            ContentCoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Format::Zstd(decoder)
            }
            ContentCoding::Gzip => Format::Gzip(MultiGzDecoder::new(source)),
            ContentCoding::Deflate => deflate(source)?,
            ContentCoding::Brotli => {
                let mut decoder = Decompressor::new(source, BROTLI_INPUT_BUFFER);
                // A window above the 16 MiB of RFC 7932, section 9.1.
                let large_window = BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
                decoder.set_parameter(large_window, 0);
                Format::Brotli(Box::new(decoder))
            }
        };
        Ok(Self {
            format,
            left: limit,
        })
    }
}

/// The zlib format, or the bare stream where no zlib header is found.
fn deflate(mut source: Source) -> io::Result<Format> {
    let mut start = Vec::new();
    source.by_ref().take(2).read_to_end(&mut start)?;
    let is_zlib = is_zlib_header(&start);
    let whole = Box::new(Cursor::new(start).chain(source));
    Ok(if is_zlib {
        Format::Zlib(ZlibDecoder::new(whole))
    } else {
        Format::RawDeflate(DeflateDecoder::new(whole))
    })
}

/// RFC 1950, section 2.2. No encoder begins a bare stream with such bytes: its first
/// block would be a stored one, with padding other than zeros.
fn is_zlib_header(start: &[u8]) -> bool {
    const DEFLATE_METHOD: u8 = 8;
    let &[method, flags] = start else {
        return false;
    };
    method & 0x0f == DEFLATE_METHOD && u16::from_be_bytes([method, flags]) % 31 == 0
}

impl Read for Layer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.format.read(buffer)?;
        if count == 0 && !buffer.is_empty() && self.format.has_trailing_data()? {
            return Err(ErrorKind::InvalidData.into());
        }
        let left = self.left.checked_sub(count);
        self.left = left.ok_or(ErrorKind::FileTooLarge)?;
        Ok(count)
    }
}

impl Format {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zlib(decoder) => decoder.read(buffer),
            Self::RawDeflate(decoder) => decoder.read(buffer),
            Self::Brotli(decoder) => decoder.read(buffer),
        }
    }

    /// Whether the source goes on behind the end of the coded data.
    fn has_trailing_data(&mut self) -> io::Result<bool> {
        let source = match self {
            // These may consist of several frames or members, and read them all.
            Self::Zstd(_) | Self::Gzip(_) => return Ok(false),
            Self::Zlib(decoder) => decoder.get_mut(),
            Self::RawDeflate(decoder) => decoder.get_mut(),
            Self::Brotli(decoder) => {
                // An error if its own buffer is not empty.
                let _: usize = decoder.read(&mut [0])?;
                decoder.get_mut()
            }
        };
        Ok(!source.fill_buf()?.is_empty())
    }
}
