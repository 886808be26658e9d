//! One direction of a tunnel: bytes from a source to a sink.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame_tracker::{FramePart, FrameTracker};

/// Bytes of one read, and so the most that is buffered for a slow sink. Nothing is
/// buffered otherwise.
const BLOCK: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Half {
    frames: FrameTracker,
    /// Bytes read and not yet written.
    buffered: Bytes,
    source: Source,
    sink: Sink,
    needs_flush: bool,
    /// Since [`Self::take_bytes_written`].
    bytes_written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Open,
    /// Still read: a socket closed with unread bytes resets its peer, which may then
    /// lose our Close frame.
    Discarding,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Open,
    /// To be shut down behind what is buffered.
    Closing,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Sink,
}

/// Reading failed.
#[derive(Debug)]
pub(super) struct SourceFailed;

impl Half {
    /// `early` was read already.
    pub(super) fn new(early: Bytes, on_part: impl FnMut(FramePart<'_>)) -> Self {
        let mut frames = FrameTracker::default();
        frames.on_bytes(&early, on_part);
        Self {
            frames,
            buffered: early,
            source: Source::Open,
            sink: Sink::Open,
            needs_flush: false,
            bytes_written: 0,
        }
    }

    /// Whether a Close frame was read.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// The side that ended this direction first.
    pub(super) fn ended_by(&self) -> Option<End> {
        match (self.sink, self.source) {
            (Sink::Open, _) => None,
            (_, Source::Ended) => Some(End::Source),
            _ => Some(End::Sink),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.source == Source::Ended && self.sink == Sink::Ended
    }

    /// Bytes written since the last call.
    pub(super) fn take_bytes_written(&mut self) -> u64 {
        std::mem::take(&mut self.bytes_written)
    }

    /// Writes what is buffered, then `close_frame` if a frame can begin there.
    pub(super) fn close_with(&mut self, close_frame: &[u8]) {
        if self.sink == Sink::Open {
            self.sink = Sink::Closing;
            if self.frames.at_frame_boundary() && !self.frames.is_closed() {
                self.buffered = [&self.buffered[..], close_frame].concat().into();
            }
        }
        if self.source == Source::Open {
            self.source = Source::Discarding;
        }
    }

    /// Copies what it can, and shows what it reads. A failed sink ends this direction only: what that side sent
    /// before may still be read.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut from: Pin<&mut impl AsyncRead>,
        mut to: Pin<&mut impl AsyncWrite>,
        mut on_part: impl FnMut(FramePart<'_>),
    ) -> Poll<Result<(), SourceFailed>> {
        loop {
            if self.poll_sink(context, to.as_mut()).is_pending() && self.source == Source::Open {
                return Poll::Pending;
            }
            if self.source == Source::Ended {
                return if self.is_finished() {
                    Poll::Ready(Ok(()))
                } else {
                    Poll::Pending
                };
            }
            let mut block = [MaybeUninit::uninit(); BLOCK];
            let mut block = ReadBuf::uninit(&mut block);
            match from.as_mut().poll_read(context, &mut block) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) if error.kind() != ErrorKind::UnexpectedEof => {
                    self.source = Source::Ended;
                    return Poll::Ready(Err(SourceFailed));
                }
                // Many end TLS without close_notify; a WebSocket has its Close frame.
                Poll::Ready(_) => {}
            }
            let bytes = block.filled();
            if bytes.is_empty() {
                self.source = Source::Ended;
                if self.sink == Sink::Open {
                    self.sink = Sink::Closing;
                }
            } else if self.source == Source::Open {
                self.frames.on_bytes(bytes, &mut on_part);
                let written = self.poll_write(context, to.as_mut(), bytes);
                self.buffered = Bytes::copy_from_slice(bytes.get(written..).unwrap_or_default());
            }
        }
    }

    /// Writes what is buffered, and shuts down behind it when closing; pending while
    /// something is buffered.
    fn poll_sink(
        &mut self,
        context: &mut Context<'_>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<()> {
        while !self.buffered.is_empty() {
            let buffered = std::mem::take(&mut self.buffered);
            let written = self.poll_write(context, to.as_mut(), &buffered);
            if self.sink == Sink::Ended {
                return Poll::Ready(());
            }
            self.buffered = buffered;
            self.buffered.advance(written);
            if written == 0 {
                return Poll::Pending;
            }
        }
        if self.needs_flush && self.sink != Sink::Ended {
            match to.as_mut().poll_flush(context) {
                Poll::Pending => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(_)) => self.abandon_sink(),
            }
        }
        if self.sink == Sink::Closing && to.poll_shutdown(context).is_ready() {
            self.sink = Sink::Ended;
        }
        Poll::Ready(())
    }

    /// Returns how much of `bytes` is dealt with: 0 while the sink is not ready, all
    /// of it once the sink has failed.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        to: Pin<&mut impl AsyncWrite>,
        bytes: &[u8],
    ) -> usize {
        match to.poll_write(context, bytes) {
            Poll::Pending => 0,
            Poll::Ready(Ok(written @ 1..)) => {
                self.needs_flush = true;
                self.bytes_written += written as u64;
                written
            }
            Poll::Ready(_) => {
                self.abandon_sink();
                bytes.len()
            }
        }
    }

    fn abandon_sink(&mut self) {
        self.buffered = Bytes::new();
        self.sink = Sink::Ended;
        if self.source == Source::Open {
            self.source = Source::Discarding;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::{End, Half};

    const HELLO: &[u8] = b"\x81\x05hello";

    struct Harness {
        half: Half,
        from: DuplexStream,
        to: DuplexStream,
    }

    impl Harness {
        fn new(early: &'static [u8], capacity: usize) -> (DuplexStream, Self, DuplexStream) {
            let (writer, from) = duplex(1 << 20);
            let (to, reader) = duplex(capacity);
            let half = Half::new(Bytes::from_static(early), |_| {});
            (writer, Self { half, from, to }, reader)
        }

        /// Returns true at the end.
        async fn poll_once(&mut self) -> bool {
            poll_fn(|context| {
                let (from, to) = (Pin::new(&mut self.from), Pin::new(&mut self.to));
                Poll::Ready(self.half.poll(context, from, to, |_| {}).is_ready())
            })
            .await
        }

        async fn run_to_end(&mut self) {
            let ended = poll_fn(|context| {
                let (from, to) = (Pin::new(&mut self.from), Pin::new(&mut self.to));
                self.half.poll(context, from, to, |_| {})
            });
            ended.await.unwrap();
        }
    }

    async fn read_all(reader: &mut DuplexStream) -> Vec<u8> {
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.unwrap();
        received
    }

    #[tokio::test]
    async fn a_close_frame_of_ours_goes_behind_what_is_buffered() {
        let (mut writer, mut harness, mut reader) = Harness::new(b"", 4);
        writer.write_all(HELLO).await.unwrap();
        assert!(!harness.poll_once().await);
        assert_eq!(harness.half.ended_by(), None);
        harness.half.close_with(b"END");
        // What comes now is discarded.
        writer.write_all(HELLO).await.unwrap();
        drop(writer);
        let ((), received) = tokio::join!(harness.run_to_end(), read_all(&mut reader));
        assert_eq!(received, [HELLO, b"END"].concat());
        assert_eq!(harness.half.take_bytes_written(), 10);
    }

    #[tokio::test]
    async fn no_close_frame_is_sent_within_a_frame_or_behind_a_close_frame() {
        for start in [&HELLO[..4], b"\x88\x00"] {
            let (mut writer, mut harness, mut reader) = Harness::new(b"", 64);
            writer.write_all(start).await.unwrap();
            assert!(!harness.poll_once().await);
            harness.half.close_with(b"END");
            drop(writer);
            let ((), received) = tokio::join!(harness.run_to_end(), read_all(&mut reader));
            assert_eq!(received, start);
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_written() {
        let (mut writer, mut harness, mut reader) = Harness::new(HELLO, 16);
        writer.write_all(&vec![0; 1 << 19]).await.unwrap();
        assert!(!harness.poll_once().await);
        let (read, buffered) = (1 << 19, harness.half.buffered.len());
        assert!(buffered <= super::BLOCK, "{buffered}");
        drop(writer);
        let ((), received) = tokio::join!(harness.run_to_end(), read_all(&mut reader));
        assert_eq!(received.len(), HELLO.len() + read);
        assert_eq!(harness.half.ended_by(), Some(End::Source));
    }

    #[tokio::test]
    async fn bytes_for_a_closed_sink_are_read_and_discarded() {
        let (mut writer, mut harness, reader) = Harness::new(b"", 16);
        drop(reader);
        writer.write_all(HELLO).await.unwrap();
        assert!(!harness.poll_once().await);
        assert_eq!(harness.half.ended_by(), Some(End::Sink));
        writer.write_all(HELLO).await.unwrap();
        drop(writer);
        harness.run_to_end().await;
        assert_eq!(harness.half.take_bytes_written(), 0);
    }
}
