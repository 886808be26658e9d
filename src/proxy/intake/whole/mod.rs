//! A body that is read as a whole, within limits of size, memory, time and rate.

use std::cell::Cell;
use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::body_error;
use super::least_rate::LeastRate;
use crate::error_response::{self, ErrorResponse};
use crate::metering::Meter;
use crate::proxy::body_timeouts::{BodyTimeouts, BodyTimer};
use crate::proxy::{Limits, Worker, admit};
use crate::request_body::{IncomingBody, READ_BUFFER};
use crate::shared_limit::{LimitExceeded, LimitPermit};
use crate::wire::frames::Frames;
use crate::wire::scan::{ScanMode, Scanner};

/// A body of one frame up to this size is copied out of the connection's read buffer,
/// which is larger, could not be read into again, and would be held for as long.
const COPIED: usize = 8 * 1024;
/// Of several frames, one of at least this size is kept as it arrived. Half of what its
/// read buffer can have, so that at most as much again is held with it.
const KEPT: usize = READ_BUFFER / 2;
/// Space for copied frames: at least this, and so many times what has arrived, up to
/// [`READ_BUFFER`] at a time. Not the announced length at once: the client may never
/// send it.
const STEP: usize = 16 * 1024;
const GROWTH: usize = 4;
/// Copied frames are scanned by so many bytes: a scan for each frame of one byte took
/// 37 ns more.
const SCANNED: usize = 4 * 1024;

/// All of a body, with a permit for its memory: of one frame its length, of several
/// the buffers that hold them.
pub(super) struct WholeBody {
    pub frames: Frames,
    /// Has taken all frames, if there are several and a scan was asked for.
    pub scanner: Option<Box<Scanner>>,
    pub permit: LimitPermit,
}

/// Reads all of a body; one of several frames is scanned while it arrives if there is a
/// `mode`. While it is awaited, the request holds no permit in flight.
pub(super) async fn read_whole<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    content_length: Option<u64>,
    body: B,
    mode: Option<ScanMode>,
) -> Result<WholeBody, ErrorResponse>
where
    B: IncomingBody,
{
    let limits = &worker.snapshot.limits;
    if content_length.is_some_and(|length| length > limits.max_body as u64) {
        return Err(error_response::request_too_large(limits.max_body));
    }
    let whole = Whole::new(content_length, mode, worker.buffered.acquire(0)?);
    let received = Cell::new(0);
    let collected = pin!(collect(limits, whole, body, &received));
    let whole = with_timeouts(limits, collected, &received, meter, in_flight).await?;
    meter.set_bytes_in(received.get());
    Ok(whole)
}

/// Most bodies are complete at the first poll; those need neither clock nor timer.
async fn with_timeouts<T>(
    limits: &Limits,
    mut future: Pin<&mut impl Future<Output = Result<T, ErrorResponse>>>,
    received: &Cell<usize>,
    meter: &Meter,
    in_flight: &mut LimitPermit,
) -> Result<T, ErrorResponse> {
    let first_poll = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    if let Poll::Ready(result) = first_poll {
        return result;
    }
    admit::pause(in_flight);
    let _wait = meter.wait();
    let timeouts = BodyTimeouts {
        idle: limits.body_idle_timeout,
        first_event_by: None,
        deadline: Some(Instant::now() + limits.body_timeout),
    };
    let mut timer = BodyTimer::new(timeouts, None);
    let mut rate = LeastRate::new(limits.body_min_rate, limits.body_idle_timeout);
    let mut seen = received.get();
    // Boxed, as it is rare: otherwise the future of every request would have room for
    // the timers.
    let with_timer = Box::pin(poll_fn(move |context| {
        if let Poll::Ready(result) = future.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        if received.get() != seen {
            seen = received.get();
            timer.on_data();
        }
        let is_late = timer.poll_expired(context).is_ready()
            || rate.poll_too_slow(seen as u64, context).is_ready();
        if is_late {
            return Poll::Ready(Err(error_response::request_timeout()));
        }
        Poll::Pending
    }));
    let result = with_timer.await?;
    admit::resume(in_flight)?;
    Ok(result)
}

async fn collect<B>(
    limits: &Limits,
    mut whole: Whole,
    body: B,
    received: &Cell<usize>,
) -> Result<WholeBody, ErrorResponse>
where
    B: IncomingBody,
{
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|error| body_error(&error))?.into_data() else {
            continue;
        };
        let length = whole.len + chunk.len();
        if length > limits.max_body {
            return Err(error_response::request_too_large(limits.max_body));
        }
        whole.push(chunk)?;
        received.set(length);
    }
    Ok(whole.finish())
}

/// The frames of a body as they arrive. Long ones are kept; short ones are copied, since
/// a frame keeps the buffer that it was read into, however short it is.
struct Whole {
    /// The only frame so far; once there are several, it is one of them.
    first: Bytes,
    frames: Vec<Bytes>,
    /// Copied frames; follows `frames`.
    tail: BytesMut,
    /// How much of `tail` the scanner has taken.
    scanned: usize,
    len: usize,
    /// Memory of `frames` and `tail`: all of what the allocator gave may be resident.
    held: usize,
    /// There is no room for kept frames.
    is_compact: bool,
    content_length: Option<u64>,
    mode: Option<ScanMode>,
    scanner: Option<Box<Scanner>>,
    permit: LimitPermit,
}

impl Whole {
    fn new(content_length: Option<u64>, mode: Option<ScanMode>, permit: LimitPermit) -> Self {
        Self {
            first: Bytes::new(),
            frames: Vec::new(),
            tail: BytesMut::new(),
            scanned: 0,
            len: 0,
            held: 0,
            is_compact: false,
            content_length,
            mode,
            scanner: None,
            permit,
        }
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), LimitExceeded> {
        if self.len == 0 {
            self.permit.grow_to(chunk.len(), 0)?;
            self.len = chunk.len();
            self.first = chunk;
            return Ok(());
        }
        if !self.first.is_empty() {
            let first = mem::take(&mut self.first);
            self.len = 0;
            self.scanner = self.mode.map(Scanner::new).map(Box::new);
            self.push_next(first)?;
        }
        self.push_next(chunk)
    }

    fn push_next(&mut self, chunk: Bytes) -> Result<(), LimitExceeded> {
        let pinned = chunk.len().max(READ_BUFFER);
        let is_kept =
            chunk.len() >= KEPT && !self.is_compact && self.permit.try_grow_to(self.held + pinned);
        if !is_kept {
            return self.copy(&chunk);
        }
        self.end_tail();
        if let Some(scanner) = &mut self.scanner {
            scanner.feed(&chunk);
        }
        self.held += pinned;
        self.len += chunk.len();
        self.frames.push(chunk);
        Ok(())
    }

    fn copy(&mut self, mut chunk: &[u8]) -> Result<(), LimitExceeded> {
        loop {
            let room = self.tail.capacity() - self.tail.len();
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            self.tail.extend_from_slice(now);
            self.len += now.len();
            if self.tail.len() - self.scanned >= SCANNED {
                self.scan_tail();
            }
            if later.is_empty() {
                return Ok(());
            }
            chunk = later;
            self.end_tail();
            self.start_tail(chunk.len())?;
        }
    }

    /// Makes room for `missing` bytes and some more, or for a part of them.
    fn start_tail(&mut self, missing: usize) -> Result<(), LimitExceeded> {
        let least = missing.min(READ_BUFFER);
        let known = self.content_length.map(usize::try_from);
        let length = self.len + missing;
        let wanted = match known.and_then(Result::ok) {
            Some(whole) => length.saturating_mul(GROWTH).max(STEP).min(whole),
            None => length.saturating_mul(2).max(STEP),
        };
        let wanted = wanted.saturating_sub(self.len).min(READ_BUFFER).max(least);
        if !self.permit.try_grow_to(self.held + wanted) {
            if self.held > self.len && !self.permit.try_grow_to(self.held + least) {
                self.compact();
            }
            self.permit.grow_to(self.held + least, 0)?;
        }
        // Without room for more, what is needed.
        let room = self.permit.amount() - self.held;
        let capacity = room.clamp(least, wanted);
        self.tail = BytesMut::with_capacity(capacity);
        self.held += capacity;
        Ok(())
    }

    /// Gives up what kept frames hold beyond their length, and keeps no more of them: a
    /// body must not be refused for its read buffers.
    fn compact(&mut self) {
        self.is_compact = true;
        for frame in &mut self.frames {
            *frame = Bytes::copy_from_slice(frame);
        }
        self.held = self.len;
        self.permit.shrink_to(self.held);
    }

    fn scan_tail(&mut self) {
        if let Some(scanner) = &mut self.scanner {
            scanner.feed(self.tail.get(self.scanned..).unwrap_or_default());
        }
        self.scanned = self.tail.len();
    }

    fn end_tail(&mut self) {
        self.scan_tail();
        self.scanned = 0;
        let tail = mem::take(&mut self.tail);
        if tail.is_empty() {
            return;
        }
        let (length, capacity) = (tail.len(), tail.capacity());
        self.frames.push(if length <= capacity / 2 {
            self.held = self.held.saturating_sub(capacity - length);
            Bytes::copy_from_slice(&tail)
        } else {
            tail.freeze()
        });
    }

    fn finish(mut self) -> WholeBody {
        if self.frames.is_empty() && self.tail.is_empty() {
            let is_copied = self.first.len() <= COPIED;
            let only = if is_copied {
                Bytes::copy_from_slice(&self.first)
            } else {
                self.first
            };
            return WholeBody {
                frames: only.into(),
                scanner: None,
                permit: self.permit,
            };
        }
        self.end_tail();
        self.permit.shrink_to(self.held);
        WholeBody {
            frames: self.frames.into(),
            scanner: self.scanner,
            permit: self.permit,
        }
    }
}

#[cfg(test)]
mod tests;
