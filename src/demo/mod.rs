//! The built-in demo model: a small OpenAI-compatible upstream within the
//! binary.
//!
//! It is reached over a real loopback connection and by a key, as any other
//! upstream is, so that it takes no path of its own through the gateway. It
//! plays somebody else's server and hence shares nothing with the gateway's
//! side.
//!
//! Its answers depend on the request alone: ids are a hash of it, and the time
//! of creation is a constant, since the SDKs take any number there. `n`,
//! `tools`, `seed` and the like are accepted and have no effect.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::secret::Secret;

mod answer;
mod call;
mod chat;
mod embedding;
mod fault;
mod pace;
mod responses;
#[cfg(test)]
mod tests;

use call::Call;
use chat::Style;
use fault::Fault;
use pace::{Body, Piece};

/// Most bytes in one request. The gateway's own limit is met first by default.
const MAX_BODY: usize = 64 << 20;
/// Rest after an accept that failed: most often descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What every answer gives as the time of its creation: 2025-01-01, UTC.
const CREATED: u64 = 1_735_689_600;

/// What the caller gets.
enum Reply {
    /// JSON in one piece.
    Json(serde_json::Value),
    /// An event stream.
    Stream(Vec<Piece>),
}

/// Serves the demo model on `listener` to those who have `key`, until the
/// future is dropped. It must run where local tasks can be spawned.
pub async fn serve(listener: TcpListener, key: Secret) {
    let key = Rc::new(key);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                spawn_local(converse(stream, Rc::clone(&key)));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn converse(stream: TcpStream, key: Rc<Secret>) {
    // Small events must not wait for the acknowledgement of the last one. A
    // socket that cannot be told so still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let key = Rc::clone(&key);
        async move { Ok::<_, Infallible>(respond(request, &key).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A caller that leaves in the middle of a stream is no fault of anyone's.
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, key: &Secret) -> Response<Body> {
    let (status, kind, body) = match answer(request, key).await {
        Ok(Reply::Json(value)) => (
            http::StatusCode::OK,
            "application/json",
            Body::whole(&value),
        ),
        Ok(Reply::Stream(pieces)) => (
            http::StatusCode::OK,
            "text/event-stream",
            Body::paced(pieces),
        ),
        Err(fault) => (
            fault.status,
            "application/json",
            Body::whole(&fault.to_json()),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn answer(request: Request<Incoming>, key: &Secret) -> Result<Reply, Fault> {
    let (head, body) = request.into_parts();
    if !admits(&head.headers, key) {
        return Err(Fault::unauthorized());
    }
    let path = head.uri.path();
    let route = path.strip_prefix("/v1").unwrap_or(path);
    let serve = match (&head.method, route) {
        (&Method::POST, "/chat/completions") => |call: &Call| chat::reply(Style::Chat, call),
        (&Method::POST, "/completions") => |call: &Call| chat::reply(Style::Text, call),
        (&Method::POST, "/responses") => responses::reply,
        (&Method::POST, "/embeddings") => embedding::reply,
        _ => return Err(Fault::unknown_url()),
    };
    let body: Bytes = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Fault::unreadable()),
    };
    serve(&Call::parse(&body)?)
}

fn admits(headers: &HeaderMap, key: &Secret) -> bool {
    let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = sent.and_then(|value| value.strip_prefix(b"Bearer "));
    token.is_some_and(|token| bool::from(token.ct_eq(key.expose().as_bytes())))
}
