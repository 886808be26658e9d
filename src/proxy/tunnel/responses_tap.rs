//! Reads the responses in a WebSocket of the Responses API while they pass: their usage, and
//! whether the last one is complete. Each text message of the upstream is one event, with
//! the data of the event in a stream of the same API.

use std::sync::LazyLock;

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use memchr::memmem::Finder;

use super::frame_tracker::FramePart;
use crate::metering::Meter;
use crate::wire::sse_relay::{FinishRule, StreamInspector};
use crate::wire::usage::Usage;

const TEXT: u8 = 1;
/// What a sender leaves out at the end of a compressed message (RFC 7692, section 7.2.1).
const DEFLATE_END: [u8; 4] = [0, 0, 0xff, 0xff];
/// Decoded bytes of one message, beyond which no more is read: little input may stand for
/// much of it.
const MAX_DECODED: usize = 16 * 1024 * 1024;
/// Decoded at a time. Nothing decoded is kept but what the inspector keeps of an event.
const BLOCK: usize = 4096;

/// In the type of an event of a response.
static RESPONSE_EVENT: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("\"response."));

#[derive(Debug)]
pub(super) struct ResponsesTap {
    /// Of compressed messages, where the extension was negotiated.
    inflater: Option<Inflater>,
    message: Option<Message>,
    /// Of the response that is going on.
    inspector: Box<StreamInspector>,
    usage: Option<Box<Usage>>,
    /// The same since [`take_recent`](Self::take_recent).
    recent: Option<Box<Usage>>,
    /// Bytes of the client's messages since the last response ended.
    asked: u64,
    state: SessionState,
    /// Something is compressed in another way: nothing can be read any more.
    is_blind: bool,
}

#[derive(Debug)]
struct Inflater {
    decoder: Decompress,
    /// The server starts each message with an empty window.
    resets_window: bool,
    /// Bytes of the message that is going on.
    decoded: usize,
}

/// The message that is going on.
#[derive(Debug, Clone, Copy)]
struct Message {
    is_text: bool,
    is_compressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionState {
    /// Nothing was said, or not all.
    Pending,
    /// The last response is complete, and nothing was asked for since.
    Complete,
    /// The last response ended with an error, likewise.
    Failed,
}

// === impl ResponsesTap ===

impl ResponsesTap {
    /// `headers` are those of the upstream's 101 response.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        Self {
            inflater: Inflater::negotiated(headers),
            message: None,
            inspector: inspector(),
            usage: None,
            recent: None,
            asked: 0,
            state: SessionState::Pending,
            is_blind: false,
        }
    }

    /// A part of a frame of the client.
    pub(super) fn on_request(&mut self, part: FramePart<'_>) {
        if part.data_opcode().is_some() {
            self.state = SessionState::Pending;
            self.asked += part.payload.len() as u64;
        }
    }

    /// A part of a frame of the upstream.
    pub(super) fn on_response(&mut self, part: FramePart<'_>) {
        let Some(opcode) = part.data_opcode().filter(|_| !self.is_blind) else {
            return;
        };
        let message = *self.message.get_or_insert_with(|| Message {
            is_text: opcode == TEXT,
            is_compressed: part.is_compressed(),
        });
        self.read(message, part.payload);
        if part.is_last && part.is_final() {
            self.end_message(message);
        }
    }

    /// Passes on the usage of the responses that ended, and about how much of one there was
    /// that has not.
    pub(super) fn report(&mut self, meter: &mut Meter) {
        if !self.has_ended() && self.asked > 0 {
            meter.set_unended(self.asked, self.inspector.delta_tokens());
        }
        meter.set_usage(self.take_usage());
    }

    /// The sum of the responses that have ended since the last call.
    pub(super) fn take_recent(&mut self) -> Option<Box<Usage>> {
        self.recent.take()
    }

    /// The sum of the responses that ended.
    fn take_usage(&mut self) -> Option<Box<Usage>> {
        self.usage.take()
    }

    /// Whether the last response has ended, well or not.
    pub(super) fn has_ended(&self) -> bool {
        self.state != SessionState::Pending
    }

    pub(super) fn has_failed(&self) -> bool {
        self.state == SessionState::Failed
    }

    fn read(&mut self, message: Message, payload: &[u8]) {
        let Self {
            inspector, state, ..
        } = self;
        let mut on_text = |text: &[u8]| {
            // Events of other types, such as those of rate limits, begin no response.
            if *state != SessionState::Pending && RESPONSE_EVENT.find(text).is_some() {
                *state = SessionState::Pending;
            }
            feed(inspector, text);
        };
        match &mut self.inflater {
            Some(inflater) if message.is_compressed => {
                // The window goes on through messages of other kinds, of which there are
                // none in this API.
                let read = inflater.inflate(payload, on_text);
                self.is_blind |= read.is_none();
            }
            // Of an extension that is not known.
            None if message.is_compressed => self.is_blind = true,
            _ if message.is_text => on_text(payload),
            _ => {}
        }
    }

    fn end_message(&mut self, message: Message) {
        self.message = None;
        if message.is_compressed {
            self.read(message, &DEFLATE_END);
            if let Some(inflater) = &mut self.inflater {
                inflater.end_message();
            }
        }
        self.inspector.feed(Bytes::from_static(b"\n\n"));
        let ended = match (self.inspector.has_error(), self.inspector.is_done()) {
            (true, _) => Some(SessionState::Failed),
            (false, true) => Some(SessionState::Complete),
            (false, false) => None,
        };
        if let Some(state) = ended {
            self.state = state;
            self.asked = 0;
            let ended = std::mem::replace(&mut self.inspector, inspector());
            if let Some(usage) = ended.usage() {
                add(&mut self.usage, usage);
                add(&mut self.recent, usage);
            }
        }
    }
}

// === impl Inflater ===

impl Inflater {
    fn negotiated(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let mut extensions = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        let deflate = extensions.find(|it| it.trim_start().starts_with("permessage-deflate"))?;
        Some(Self {
            decoder: Decompress::new(false),
            resets_window: deflate.contains("server_no_context_takeover"),
            decoded: 0,
        })
    }

    /// `None` if the input is not compressed so, or too much.
    fn inflate(&mut self, mut input: &[u8], mut on_text: impl FnMut(&[u8])) -> Option<()> {
        let decoder = &mut self.decoder;
        let mut block = [0; BLOCK];
        loop {
            let (consumed, produced) = (decoder.total_in(), decoder.total_out());
            let status = decoder
                .decompress(input, &mut block, FlushDecompress::Sync)
                .ok()?;
            let consumed = usize::try_from(decoder.total_in() - consumed).ok()?;
            let produced = usize::try_from(decoder.total_out() - produced).ok()?;
            self.decoded += produced;
            if self.decoded > MAX_DECODED {
                return None;
            }
            on_text(block.get(..produced)?);
            input = input.get(consumed..)?;
            let is_stuck = consumed == 0 && produced == 0;
            if status == Status::StreamEnd {
                // A message that its sender ended by itself (RFC 7692, section 7.2.3.4).
                decoder.reset(false);
            }
            if is_stuck || input.is_empty() && produced < BLOCK {
                return Some(());
            }
        }
    }

    fn end_message(&mut self) {
        self.decoded = 0;
        if self.resets_window {
            self.decoder.reset(false);
        }
    }
}

fn inspector() -> Box<StreamInspector> {
    Box::new(StreamInspector::new(FinishRule::Responses, false))
}

/// Feeds a part of a message as one of an event's data.
fn feed(inspector: &mut StreamInspector, text: &[u8]) {
    if text.is_empty() {
        return;
    }
    let prefix: &[u8] = if inspector.at_boundary() {
        b"data:"
    } else {
        b""
    };
    // Line ends between the tokens of JSON would end the line.
    let text = text.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    });
    let line: Vec<u8> = prefix.iter().copied().chain(text).collect();
    inspector.feed(line.into());
}

fn add(total: &mut Option<Box<Usage>>, usage: Usage) {
    let Some(total) = total else {
        *total = Some(Box::new(usage));
        return;
    };
    let sum = |one: &mut Option<u64>, other: Option<u64>| {
        *one = match (*one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
    };
    sum(&mut total.input, usage.input);
    sum(&mut total.output, usage.output);
    sum(&mut total.cached, usage.cached);
    sum(&mut total.cache_write, usage.cache_write);
    sum(&mut total.cache_write_1h, usage.cache_write_1h);
    sum(&mut total.reasoning, usage.reasoning);
    sum(&mut total.total, usage.total);
    sum(&mut total.audio_input, usage.audio_input);
    sum(&mut total.audio_output, usage.audio_output);
    sum(&mut total.image_input, usage.image_input);
    sum(&mut total.image_output, usage.image_output);
    sum(&mut total.searches, usage.searches);
    // Prices depend on each response: on its tier, and on the length of its prompt.
    total.inexact = true;
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use http::{HeaderMap, HeaderValue};

    use super::{MAX_DECODED, ResponsesTap, SEC_WEBSOCKET_EXTENSIONS, TEXT};
    use crate::proxy::tunnel::frame_tracker::FrameTracker;

    const COMPLETED: &str = r#"{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":2}}}"#;

    fn tap(extension: &'static str) -> ResponsesTap {
        let mut headers = HeaderMap::new();
        headers.insert(
            SEC_WEBSOCKET_EXTENSIONS,
            HeaderValue::from_static(extension),
        );
        ResponsesTap::new(&headers)
    }

    /// A frame of a server, of up to 64 KiB.
    fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[first_byte, 126][..], &length, payload].concat()
    }

    fn read(tap: &mut ResponsesTap, frames: &[u8], chunk: usize) {
        let mut tracker = FrameTracker::default();
        for chunk in frames.chunks(chunk) {
            tracker.on_bytes(chunk, |part| tap.on_response(part));
        }
    }

    fn input(tap: &mut ResponsesTap) -> Option<u64> {
        tap.take_usage()?.input
    }

    #[test]
    fn chunking_makes_no_difference() {
        let frames = frame(0x80 | TEXT, COMPLETED.as_bytes());
        for chunk in [1, 2, 7, 100, 1000] {
            let mut tap = tap("x-unknown");
            read(&mut tap, &frames, chunk);
            assert!(tap.has_ended() && !tap.has_failed());
            assert_eq!(input(&mut tap), Some(3), "{chunk}");
        }
    }

    #[test]
    fn an_unknown_compression_ends_the_reading() {
        let mut tap = tap("x-unknown");
        read(&mut tap, &frame(0xc0 | TEXT, b"any"), 100);
        read(&mut tap, &frame(0x80 | TEXT, COMPLETED.as_bytes()), 100);
        assert!(!tap.has_ended());
        assert_eq!(input(&mut tap), None);
    }

    #[test]
    fn a_message_that_expands_too_far_ends_the_reading() {
        let mut deflate = Compress::new(Compression::best(), false);
        let mut payload = Vec::with_capacity(1 << 20);
        let block = vec![b' '; 1 << 20];
        for _ in 0..=MAX_DECODED >> 20 {
            let flush = FlushCompress::Sync;
            deflate.compress_vec(&block, &mut payload, flush).unwrap();
        }
        let mut tap = tap("permessage-deflate");
        for part in payload.chunks(60_000) {
            read(&mut tap, &frame(0x40 | TEXT, part), 60_004);
        }
        assert!(tap.is_blind);
    }
}
