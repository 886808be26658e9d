//! The built-in demo model: a small OpenAI-compatible upstream in the binary.
//!
//! The gateway reaches it over a loopback connection and with a key, as any other
//! upstream, so that no path of the gateway treats it specially. It stands for
//! another party's server and therefore shares no code with the proxy.
//!
//! Responses depend on the request alone, except for the time of their creation: ids are
//! a hash of it. `n`, `tools`, `seed` and the like are accepted and ignored.

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

mod address;
mod body;
mod chat;
mod embedding;
mod error;
mod generate;
mod request;
mod responses;
#[cfg(test)]
mod tests;

use body::{DemoBody, DemoEvent};
use chat::CompletionKind;
use error::DemoError;
use request::DemoRequest;

/// In bytes. The gateway's default limit is lower.
const MAX_BODY: usize = 64 << 20;
/// Pause after a failed `accept` (most likely too many open files).
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

enum DemoResponse {
    Json(serde_json::Value),
    Stream(Vec<DemoEvent>),
}

/// Serves requests that carry `key`, until it is dropped. Needs a local runtime.
pub async fn serve(listener: TcpListener, key: Secret) {
    let key = Rc::new(key);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                spawn_local(serve_connection(stream, Rc::clone(&key)));
            }
            Err(_) => sleep(ACCEPT_BACKOFF).await,
        }
    }
}

async fn serve_connection(stream: TcpStream, key: Rc<Secret>) {
    // Small events must not wait for the acknowledgement of the previous one. On
    // failure, they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let key = Rc::clone(&key);
        async move { Ok::<_, Infallible>(respond(request, &key).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // An error means that the client closed the connection.
    let _ = connection.await;
}

async fn respond(request: Request<Incoming>, key: &Secret) -> Response<DemoBody> {
    let (status, media_type, body) = match handle(request, key).await {
        Ok(DemoResponse::Json(value)) => (
            http::StatusCode::OK,
            "application/json",
            DemoBody::full(&value),
        ),
        Ok(DemoResponse::Stream(events)) => (
            http::StatusCode::OK,
            "text/event-stream",
            DemoBody::paced(events),
        ),
        Err(error) => (
            error.status,
            "application/json",
            DemoBody::full(&error.to_json()),
        ),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

async fn handle(request: Request<Incoming>, key: &Secret) -> Result<DemoResponse, DemoError> {
    let (head, body) = request.into_parts();
    if !is_authorized(&head.headers, key) {
        return Err(DemoError::unauthorized());
    }
    let path = head.uri.path();
    let route = path.strip_prefix("/v1").unwrap_or(path);
    let serve = match (&head.method, route) {
        (&Method::POST, "/chat/completions") => {
            |request: &DemoRequest| chat::respond(CompletionKind::Chat, request)
        }
        (&Method::POST, "/completions") => {
            |request: &DemoRequest| chat::respond(CompletionKind::Text, request)
        }
        (&Method::POST, "/responses") => responses::respond,
        (&Method::POST, "/embeddings") => embedding::respond,
        _ => return Err(DemoError::unknown_url()),
    };
    let body: Bytes = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(DemoError::body_too_large()),
    };
    let mut request = DemoRequest::parse(&body)?;
    request.base_url = address::base_url(&head.headers);
    serve(&request)
}

fn is_authorized(headers: &HeaderMap, key: &Secret) -> bool {
    let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token = sent.and_then(|value| value.strip_prefix(b"Bearer "));
    token.is_some_and(|token| bool::from(token.ct_eq(key.expose().as_bytes())))
}
