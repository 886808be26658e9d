//! One request, driven by its connection until the response head.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::catch_panic::catch_panic;
use super::state::{ActiveRequest, ConnState};
use super::tracked_body::{ServerRequestBody, TrackedBody};
use crate::drain::Phase;
use crate::routes::router::{self, ResponseFuture};
use crate::server::active_snapshot::{ActiveSnapshot, WorkerSnapshot};

/// Serves one request. Large state is boxed: hyper moves this future, and reserves
/// space for it while the body is relayed and while the connection is idle.
pub struct RequestFuture {
    snapshot: Rc<WorkerSnapshot>,
    is_http2: bool,
    /// None once the response has begun.
    active: Option<ActiveRequest>,
    response: ResponseFuture,
    /// The request's `origin` field.
    origin: Option<HeaderValue>,
}

impl RequestFuture {
    pub fn new(
        active_snapshot: &ActiveSnapshot,
        conn: &Rc<ConnState>,
        request: Request<Incoming>,
    ) -> Self {
        let active = conn.start_request();
        let snapshot = active_snapshot.get();
        let WorkerSnapshot {
            worker,
            context: http,
        } = &*snapshot;
        conn.set_limits(http.header_timeout, http.idle_timeout);
        let request = request.map(|body| ServerRequestBody::new(body, conn));
        let (response, origin) = catch_panic(
            worker,
            || router::route(worker, http, request),
            |error| (router::immediate(error), None),
        );
        Self {
            is_http2: conn.is_http2(),
            active: Some(active),
            response,
            origin,
            snapshot,
        }
    }
}

impl Future for RequestFuture {
    type Output = Result<Response<TrackedBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let WorkerSnapshot {
            worker,
            context: http,
        } = &*this.snapshot;
        let polled = catch_panic(worker, || this.response.as_mut().poll(context), Poll::Ready);
        let mut response = ready!(polled);
        http.cors
            .add_headers(this.origin.as_ref(), response.headers_mut());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let request = this.active.take();
            if let Some(request) = &request {
                request.upgrade_to(response.body_mut().take_tunnel());
            }
            return Poll::Ready(Ok(response.map(|body| TrackedBody { body, request })));
        }
        let request = this.active.take();
        // Without this field, the client would send its next request on a connection that
        // hyper closes.
        let closes = worker.drain.phase() > Phase::Serving
            || request
                .as_ref()
                .is_some_and(|request| request.has_unread_body() || request.is_last());
        if closes && !this.is_http2 {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(response.map(|body| TrackedBody { body, request })))
    }
}
