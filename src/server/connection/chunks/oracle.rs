//! Test oracle: a connection with joined chunks against hyper alone, which must receive
//! the same requests, whatever the bytes and however they are split into reads.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::detect::{Detected, Protocol};
use super::super::read_size::ReadSize;
use super::super::state::{ActiveRequest, ConnState};
use super::super::tracked_body::ServerRequestBody;
use super::super::tracked_io::TrackedIo;
use crate::drain::DrainSignal;
use crate::shared_limit::SharedLimit;
use crate::telemetry::metric::Registry;

/// What hyper made of a connection.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    requests: Vec<ReceivedRequest>,
    responses: Vec<u8>,
    error: Option<String>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct ReceivedRequest {
    head: String,
    body: Vec<u8>,
    trailers: Option<String>,
    error: Option<String>,
    is_complete: bool,
}

/// Frames of request bodies, from hyper alone and with joined chunks.
#[derive(Debug, Default, Clone, Copy)]
pub struct FrameCounts {
    pub alone: usize,
    pub joined: usize,
}

/// Serves a connection that receives `bytes` in reads of these lengths, twice. Bodies of
/// requests whose path begins with `/drop` are not read, and with `/early` only after the
/// head of the response.
///
/// # Panics
///
/// If the results differ, or nothing wakes the connection.
pub fn check_connection(bytes: &[u8], lengths: &[usize]) -> FrameCounts {
    let (alone, alone_frames) = serve(bytes, lengths, false);
    let (joined, joined_frames) = serve(bytes, lengths, true);
    assert_eq!(alone, joined);
    assert!(joined_frames <= alone_frames);
    FrameCounts {
        alone: alone_frames,
        joined: joined_frames,
    }
}

fn serve(bytes: &[u8], lengths: &[usize], is_joined: bool) -> (Outcome, usize) {
    let drain = DrainSignal::new();
    let state = ConnState::new(drain.watch(), Duration::MAX, Duration::MAX);
    let stream = ScriptedStream {
        bytes: bytes.to_vec(),
        lengths: lengths.to_vec(),
        is_available: false,
        written: Rc::default(),
    };
    let written = Rc::clone(&stream.written);
    let received = Rc::new(Received::default());
    let service = {
        let (state, received) = (Rc::clone(&state), Rc::clone(&received));
        service_fn(move |request| handle(&state, &received, request))
    };
    let mut builder = http1::Builder::new();
    builder.auto_date_header(false);
    let end = if is_joined {
        let buffers = SharedLimit::read_buffers(&Registry::new(), 1 << 20);
        let stream = Rc::new(RefCell::new(stream));
        let size = ReadSize::new(&buffers);
        let io = TrackedIo::new(Detected::new(Protocol::Http1), &stream, size, &state);
        run(builder.serve_connection(TokioIo::new(io), service))
    } else {
        run(builder.serve_connection(TokioIo::new(stream), service))
    };
    let outcome = Outcome {
        requests: received.requests.take(),
        responses: written.take(),
        error: end.err().map(|error| format!("{error:?}")),
    };
    (outcome, received.frames.get())
}

/// Polls a connection whenever it is woken.
fn run<F: Future>(connection: F) -> F::Output {
    let woken = Arc::new(WakeFlag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut connection = std::pin::pin!(connection);
    loop {
        assert!(woken.0.swap(false, Ordering::Relaxed), "nothing wakes it");
        if let Poll::Ready(output) = connection.as_mut().poll(&mut context) {
            return output;
        }
    }
}

struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Received {
    requests: RefCell<Vec<ReceivedRequest>>,
    frames: Cell<usize>,
}

/// As in [`RequestFuture`](super::super::request), a request begins before it is polled.
fn handle(
    state: &Rc<ConnState>,
    received: &Rc<Received>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<EchoBody>, Infallible>> + use<> {
    let active = state.start_request();
    let (head, body) = request.into_parts();
    let state = Rc::clone(state);
    let path = head.uri.path().to_owned();
    received.requests.borrow_mut().push(ReceivedRequest {
        head: format!("{head:?}"),
        ..ReceivedRequest::default()
    });
    let mut response = EchoBody {
        request: Some(ServerRequestBody::new(body, &state)),
        has_responded: false,
        received: Rc::clone(received),
        _active: active,
    };
    async move {
        if path.starts_with("/drop") {
            response.request = None;
        } else if !path.starts_with("/early") {
            poll_fn(|context| response.poll_request(context)).await;
        }
        let mut response = Response::new(response);
        if state.has_unread_body() {
            // hyper may read to the end of a short body, or may not.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Ok(response)
    }
}

/// Reads what is left of a request body, then has one frame.
struct EchoBody {
    request: Option<ServerRequestBody>,
    has_responded: bool,
    received: Rc<Received>,
    _active: ActiveRequest,
}

impl EchoBody {
    fn poll_request(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(body) = &mut self.request {
            let frame = std::task::ready!(Pin::new(body).poll_frame(context));
            let mut requests = self.received.requests.borrow_mut();
            let Some(request) = requests.last_mut() else {
                break;
            };
            match frame {
                None => request.is_complete = true,
                Some(Err(error)) => request.error = Some(format!("{error:?}")),
                Some(Ok(frame)) => {
                    match frame.into_data() {
                        Ok(data) => request.body.extend_from_slice(&data),
                        Err(frame) => request.trailers = Some(format!("{frame:?}")),
                    }
                    self.received.frames.set(self.received.frames.get() + 1);
                    continue;
                }
            }
            self.request = None;
        }
        Poll::Ready(())
    }
}

impl Body for EchoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_request(context).map(|()| {
            let is_first = !std::mem::replace(&mut self.has_responded, true);
            is_first.then(|| Ok(Frame::data(Bytes::from_static(b"ok"))))
        })
    }
}

/// Delivers its bytes in reads, each of which is awaited, then ends.
struct ScriptedStream {
    bytes: Vec<u8>,
    /// Of the reads; what is left then comes in one.
    lengths: Vec<usize>,
    /// The next read was awaited.
    is_available: bool,
    written: Rc<RefCell<Vec<u8>>>,
}

impl AsyncRead for ScriptedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_available {
            self.is_available = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = self.lengths.first().copied().unwrap_or(usize::MAX).max(1);
        let count = next.min(self.bytes.len()).min(buffer.remaining());
        buffer.put_slice(&self.bytes.drain(..count).collect::<Vec<u8>>());
        let has_ended = self.bytes.is_empty();
        match self.lengths.first_mut() {
            // The buffer was full: the rest of the read is there.
            Some(length) if *length > count && !has_ended => *length -= count,
            Some(_) => {
                self.lengths.remove(0);
                self.is_available = false;
            }
            None => {}
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ScriptedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
