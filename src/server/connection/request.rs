//! The work on one request, as its connection drives it.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::catch_panic::rescued;
use super::state::{Inbound, Outbound, Turn, Vigil};
use crate::drain::Phase;
use crate::routes::router;
use crate::routes::router::Work;
use crate::server::active_snapshot::{Current, Generation};

/// The work on one request. What is large in it lies behind a pointer: hyper
/// would keep room for it while the answer is passed on and while the
/// connection rests, and moves it about before.
pub struct Answering {
    generation: Rc<Generation>,
    is_http2: bool,
    /// None once the request has been answered.
    turn: Option<Turn>,
    work: Work,
    /// The page that asks.
    origin: Option<HeaderValue>,
}

impl Answering {
    /// Begins the work on a request.
    pub fn begin(current: &Current, vigil: &Rc<Vigil>, request: Request<Incoming>) -> Self {
        let turn = vigil.begin();
        let generation = current.get();
        let Generation { worker, site } = &*generation;
        vigil.go_by(site.head_timeout, site.idle_timeout);
        let request = request.map(|body| Inbound::new(body, vigil));
        let (work, origin) = rescued(
            worker,
            || router::route(worker, site, request),
            |broken| (router::at_once(broken), None),
        );
        Self {
            is_http2: vigil.multiplexes(),
            turn: Some(turn),
            work,
            origin,
            generation,
        }
    }
}

impl Future for Answering {
    type Output = Result<Response<Outbound>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Generation { worker, site } = &*this.generation;
        let polled = rescued(worker, || this.work.as_mut().poll(context), Poll::Ready);
        let mut response = ready!(polled);
        site.cors
            .allow(this.origin.as_ref(), response.headers_mut());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let turn = this.turn.take();
            if let Some(turn) = &turn {
                turn.becomes(response.body_mut().take_tunnel());
            }
            return Poll::Ready(Ok(response.map(|body| Outbound { body, turn })));
        }
        // A caller that is not told would send its next request on a connection
        // that hyper closes.
        let ends = this.turn.as_ref().is_some_and(Turn::leaves_unread);
        if (ends || worker.curfew.phase() > Phase::Serving) && !this.is_http2 {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let turn = this.turn.take();
        Poll::Ready(Ok(response.map(|body| Outbound { body, turn })))
    }
}
