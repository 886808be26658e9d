//! A body that is read as a whole, within limits of size, memory, time and rate.

use std::cell::Cell;
use std::future::poll_fn;
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
use crate::request_body::IncomingBody;
use crate::shared_limit::{LimitExceeded, LimitPermit};

/// A body of one frame up to this size is copied out of the connection's read buffer,
/// which is larger, could not be read into again, and would be held for as long.
const COPIED: usize = 8 * 1024;
/// Space for a body of several frames: at least this, and so many times what has
/// arrived. Not the announced length at once: the client may never send it.
const STEP: usize = 16 * 1024;
const GROWTH: usize = 4;

/// All of a body, with a permit for its bytes. While it is awaited, the request holds
/// no permit in flight.
pub(super) async fn read_whole<B>(
    worker: &Worker,
    meter: &mut Meter,
    in_flight: &mut LimitPermit,
    content_length: Option<u64>,
    body: B,
) -> Result<(Bytes, LimitPermit), ErrorResponse>
where
    B: IncomingBody,
{
    let limits = &worker.snapshot.limits;
    if content_length.is_some_and(|length| length > limits.max_body as u64) {
        return Err(error_response::request_too_large(limits.max_body));
    }
    let whole = Whole {
        first: Bytes::new(),
        joined: BytesMut::new(),
        content_length,
        permit: worker.buffered.acquire(0)?,
    };
    let received = Cell::new(0);
    let collected = pin!(collect(limits, whole, body, &received));
    let (body, permit) = with_timeouts(limits, collected, &received, meter, in_flight).await?;
    meter.set_bytes_in(body.len());
    Ok((body, permit))
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
) -> Result<(Bytes, LimitPermit), ErrorResponse>
where
    B: IncomingBody,
{
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|error| body_error(&error))?.into_data() else {
            continue;
        };
        let length = whole.len() + chunk.len();
        if length > limits.max_body {
            return Err(error_response::request_too_large(limits.max_body));
        }
        whole.push(chunk)?;
        received.set(length);
    }
    Ok(whole.finish())
}

/// The frames of a body, joined as they arrive: a frame keeps the buffer that it was
/// read into, however small it is.
struct Whole {
    /// The only frame so far.
    first: Bytes,
    /// All frames, once there are several.
    joined: BytesMut,
    content_length: Option<u64>,
    permit: LimitPermit,
}

impl Whole {
    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn push(&mut self, chunk: Bytes) -> Result<(), LimitExceeded> {
        let before = self.len();
        if before == 0 {
            self.permit.grow_to(chunk.len(), 0)?;
            self.first = chunk;
            return Ok(());
        }
        let length = before + chunk.len();
        if self.permit.amount() < length {
            self.grow(length)?;
        }
        if self.joined.is_empty() {
            self.joined
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&chunk);
        Ok(())
    }

    /// Makes room for `length` bytes and some more. All of it counts: the allocator may
    /// have given memory that is resident.
    fn grow(&mut self, length: usize) -> Result<(), LimitExceeded> {
        let known = self.content_length.map(usize::try_from);
        let wanted = match known.and_then(Result::ok) {
            Some(whole) => length.saturating_mul(GROWTH).max(STEP).min(whole),
            None => length.saturating_mul(2).max(STEP),
        };
        let wanted = wanted.max(length);
        self.permit.grow_to(length, wanted - length)?;
        // Without room for more, what is needed.
        let capacity = self.permit.amount().clamp(length, wanted);
        self.joined.reserve(capacity - self.joined.len());
        Ok(())
    }

    fn finish(self) -> (Bytes, LimitPermit) {
        let Self {
            first,
            joined,
            mut permit,
            ..
        } = self;
        if joined.is_empty() {
            let is_copied = first.len() <= COPIED;
            let only = if is_copied {
                Bytes::copy_from_slice(&first)
            } else {
                first
            };
            return (only, permit);
        }
        permit.shrink_to(joined.len());
        (joined.freeze(), permit)
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::{STEP, Whole};
    use crate::shared_limit::{LimitExceeded, LocalLimit, SharedLimit};
    use crate::telemetry::metric::Registry;

    const LIMIT: usize = 1 << 20;

    fn whole(content_length: Option<u64>) -> Whole {
        let limit = LocalLimit::new(&SharedLimit::bytes(&Registry::new(), LIMIT));
        Whole {
            first: Bytes::new(),
            joined: BytesMut::new(),
            content_length,
            permit: limit.acquire(0).unwrap(),
        }
    }

    #[test]
    fn one_byte_frames_are_joined_and_counted() {
        const SIZE: usize = 100_000;
        for content_length in [None, Some(SIZE as u64)] {
            let mut body = whole(content_length);
            let buffer = Bytes::from(vec![b'x'; 64 * 1024]);
            for _ in 0..SIZE {
                body.push(buffer.slice(..1)).unwrap();
                assert!(body.permit.amount() >= body.len());
            }
            // No frame pins the buffer that it was read into.
            assert!(buffer.try_into_mut().is_ok());
            let most = SIZE * 2 + STEP;
            assert!(body.joined.capacity() <= most, "{}", body.joined.capacity());
            let (joined, permit) = body.finish();
            assert_eq!((joined.len(), permit.amount()), (SIZE, SIZE));
        }
    }

    #[test]
    fn an_announced_length_takes_no_memory_before_it_arrives() {
        let mut body = whole(Some(LIMIT as u64));
        body.push(Bytes::from_static(b"12")).unwrap();
        body.push(Bytes::from_static(b"34")).unwrap();
        assert!(body.permit.amount() <= STEP);
        assert!(body.joined.capacity() <= 2 * STEP);
        assert_eq!(body.finish().0, "1234");
    }

    #[test]
    fn a_body_beyond_the_budget_is_refused() {
        let mut body = whole(None);
        let half = Bytes::from(vec![0; LIMIT / 2]);
        body.push(half.clone()).unwrap();
        body.push(half).unwrap();
        assert_eq!(body.push(Bytes::from_static(b"x")), Err(LimitExceeded));
    }

    #[test]
    fn a_short_body_does_not_keep_its_read_buffer() {
        let buffer = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut body = whole(Some(3));
        body.push(buffer.slice(..3)).unwrap();
        let (joined, permit) = body.finish();
        assert_eq!((&joined[..], permit.amount()), (&b"xxx"[..], 3));
        assert!(buffer.try_into_mut().is_ok());
    }
}
