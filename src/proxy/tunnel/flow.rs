//! One direction of a tunnel.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::Frames;

/// Bytes read at once, and so the most that waits for a slow reader. While
/// nothing does, nothing is held.
const BLOCK: usize = 16 * 1024;

/// Bytes on their way from one side to the other.
#[derive(Debug)]
pub(super) struct Flow {
    frames: Frames,
    /// What was read and not taken yet.
    held: Bytes,
    source: Source,
    sink: Sink,
    unflushed: bool,
    /// Bytes that were passed on.
    passed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Open,
    /// What comes is not wanted any more, but read: a socket closed with unread
    /// bytes resets its peer, which may lose our last words so.
    Unwanted,
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Open,
    /// To be ended behind what is held.
    Ending,
    Ended,
}

/// One end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Where bytes come from.
    Source,
    /// Where they go.
    Sink,
}

/// The side that bytes come from failed.
#[derive(Debug)]
pub(super) struct Broken;

impl Flow {
    /// One in which `early` has come already.
    pub(super) fn new(early: Bytes) -> Self {
        let mut frames = Frames::default();
        frames.pass(&early);
        Self {
            frames,
            held: early,
            source: Source::Open,
            sink: Sink::Open,
            unflushed: false,
            passed: 0,
        }
    }

    /// Whether a Close frame has passed.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_closed()
    }

    /// Which side has ended it, while it is not known otherwise.
    pub(super) fn ended_at(&self) -> Option<End> {
        match (self.sink, self.source) {
            (Sink::Open, _) => None,
            (_, Source::Ended) => Some(End::Source),
            _ => Some(End::Sink),
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn has_ended(&self) -> bool {
        self.source == Source::Ended && self.sink == Sink::Ended
    }

    /// Bytes that were passed on since this was last asked.
    pub(super) fn take_passed(&mut self) -> u64 {
        std::mem::take(&mut self.passed)
    }

    /// Passes on no more than what was read, and these last words where they
    /// can stand.
    pub(super) fn end_with(&mut self, words: &[u8]) {
        if self.sink == Sink::Open {
            self.sink = Sink::Ending;
            if self.frames.is_between() && !self.frames.is_closed() {
                self.held = [&self.held[..], words].concat().into();
            }
        }
        if self.source == Source::Open {
            self.source = Source::Unwanted;
        }
    }

    /// Passes on what it can. A side that takes no more ends its part; what
    /// the other one has sent back until then may still come.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut from: Pin<&mut impl AsyncRead>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            if self.poll_sink(context, to.as_mut()).is_pending() && self.source == Source::Open {
                return Poll::Pending;
            }
            if self.source == Source::Ended {
                return if self.has_ended() {
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
                    return Poll::Ready(Err(Broken));
                }
                // Many end TLS without a word; WebSockets have their own.
                Poll::Ready(_) => {}
            }
            let bytes = block.filled();
            if bytes.is_empty() {
                self.source = Source::Ended;
                if self.sink == Sink::Open {
                    self.sink = Sink::Ending;
                }
            } else if self.source == Source::Open {
                self.frames.pass(bytes);
                let taken = self.poll_write(context, to.as_mut(), bytes);
                self.held = Bytes::copy_from_slice(bytes.get(taken..).unwrap_or_default());
            }
        }
    }

    /// Writes what is held, and behind it the end, if it is time for that;
    /// pending while something is held.
    fn poll_sink(
        &mut self,
        context: &mut Context<'_>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<()> {
        while !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let taken = self.poll_write(context, to.as_mut(), &held);
            if self.sink == Sink::Ended {
                return Poll::Ready(());
            }
            self.held = held;
            self.held.advance(taken);
            if taken == 0 {
                return Poll::Pending;
            }
        }
        if self.unflushed && self.sink != Sink::Ended {
            match to.as_mut().poll_flush(context) {
                Poll::Pending => return Poll::Ready(()),
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.gives_up(),
            }
        }
        if self.sink == Sink::Ending && to.poll_shutdown(context).is_ready() {
            self.sink = Sink::Ended;
        }
        Poll::Ready(())
    }

    /// Bytes that were taken; none either while none can be, or when none ever
    /// will be.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        to: Pin<&mut impl AsyncWrite>,
        bytes: &[u8],
    ) -> usize {
        match to.poll_write(context, bytes) {
            Poll::Pending => 0,
            Poll::Ready(Ok(taken @ 1..)) => {
                self.unflushed = true;
                self.passed += taken as u64;
                taken
            }
            Poll::Ready(_) => {
                self.gives_up();
                bytes.len()
            }
        }
    }

    fn gives_up(&mut self) {
        self.held = Bytes::new();
        self.sink = Sink::Ended;
        if self.source == Source::Open {
            self.source = Source::Unwanted;
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

    use super::{End, Flow};

    const HELLO: &[u8] = b"\x81\x05hello";

    /// A flow and both of its ends, of which the second takes so much at once.
    struct Bench {
        flow: Flow,
        from: DuplexStream,
        to: DuplexStream,
    }

    impl Bench {
        fn new(early: &'static [u8], room: usize) -> (DuplexStream, Self, DuplexStream) {
            let (writer, from) = duplex(1 << 20);
            let (to, reader) = duplex(room);
            let flow = Flow::new(Bytes::from_static(early));
            (writer, Self { flow, from, to }, reader)
        }

        /// Moves what can be moved at once; true at the end.
        async fn turn(&mut self) -> bool {
            poll_fn(|context| {
                let (from, to) = (Pin::new(&mut self.from), Pin::new(&mut self.to));
                Poll::Ready(self.flow.poll(context, from, to).is_ready())
            })
            .await
        }

        async fn end(&mut self) {
            let ended = poll_fn(|context| {
                let (from, to) = (Pin::new(&mut self.from), Pin::new(&mut self.to));
                self.flow.poll(context, from, to)
            });
            ended.await.unwrap();
        }
    }

    async fn all(reader: &mut DuplexStream) -> Vec<u8> {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.unwrap();
        heard
    }

    #[tokio::test]
    async fn words_of_ours_stand_behind_what_is_held() {
        let (mut writer, mut bench, mut reader) = Bench::new(b"", 4);
        writer.write_all(HELLO).await.unwrap();
        assert!(!bench.turn().await);
        assert_eq!(bench.flow.ended_at(), None);
        bench.flow.end_with(b"END");
        // What comes now is not passed on any more.
        writer.write_all(HELLO).await.unwrap();
        drop(writer);
        let ((), heard) = tokio::join!(bench.end(), all(&mut reader));
        assert_eq!(heard, [HELLO, b"END"].concat());
        assert_eq!(bench.flow.take_passed(), 10);
    }

    #[tokio::test]
    async fn nothing_is_said_within_a_frame_or_behind_the_last() {
        for begun in [&HELLO[..4], b"\x88\x00"] {
            let (mut writer, mut bench, mut reader) = Bench::new(b"", 64);
            writer.write_all(begun).await.unwrap();
            assert!(!bench.turn().await);
            bench.flow.end_with(b"END");
            drop(writer);
            let ((), heard) = tokio::join!(bench.end(), all(&mut reader));
            assert_eq!(heard, begun);
        }
    }

    #[tokio::test]
    async fn no_more_is_read_than_is_taken() {
        let (mut writer, mut bench, mut reader) = Bench::new(HELLO, 16);
        writer.write_all(&vec![0; 1 << 19]).await.unwrap();
        assert!(!bench.turn().await);
        let (read, held) = (1 << 19, bench.flow.held.len());
        assert!(held <= super::BLOCK, "{held}");
        drop(writer);
        let ((), heard) = tokio::join!(bench.end(), all(&mut reader));
        assert_eq!(heard.len(), HELLO.len() + read);
        assert_eq!(bench.flow.ended_at(), Some(End::Source));
    }

    #[tokio::test]
    async fn what_nobody_takes_is_read_all_the_same() {
        let (mut writer, mut bench, reader) = Bench::new(b"", 16);
        drop(reader);
        writer.write_all(HELLO).await.unwrap();
        assert!(!bench.turn().await);
        assert_eq!(bench.flow.ended_at(), Some(End::Sink));
        writer.write_all(HELLO).await.unwrap();
        drop(writer);
        bench.end().await;
        assert_eq!(bench.flow.take_passed(), 0);
    }
}
