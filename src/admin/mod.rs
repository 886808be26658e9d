//! The listener that operators use: `/metrics`, `/livez`, `/readyz`, `/config`,
//! `/log`.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::routes::host::Hosts;
use crate::server::listener::Listener;
use crate::server::socket::Caller;
use crate::telemetry::log::Level;
use crate::telemetry::metric::Registry;

pub mod config_dump;
mod log_level;

/// Connections at once; one more waits.
const MOST_CONNECTIONS: usize = 64;
/// Longest wait for a request, on a new connection and between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused to hand out a connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON_TYPE: &str = "application/json";

/// What the admin listener can tell.
#[derive(Debug)]
pub struct Admin {
    pub registry: Registry,
    /// The configuration in JSON, without secrets.
    pub config: RefCell<Bytes>,
    /// Which log lines are written.
    pub log: Level,
    /// The names that it answers under.
    pub hosts: RefCell<Hosts>,
    /// True while new requests are welcome.
    pub ready: Cell<bool>,
}

/// Serves until it is dropped; whoever is connected then stays.
pub async fn serve(listener: Listener, admin: Rc<Admin>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok(caller) = listener.accept().await else {
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let admin = Rc::clone(&admin);
        spawn_local(async move {
            let _place = place;
            match caller {
                Caller::Tcp(tcp) => {
                    // Without it answers are only slower.
                    let _ = tcp.set_nodelay(true);
                    connection(tcp, admin).await;
                }
                Caller::Unix(unix) => connection(unix, admin).await,
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, admin: Rc<Admin>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let admin = Rc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.answer(request).await) }
    });
    // A caller who breaks off has nothing to be told.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Admin {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Err(why) = self.admit(&request) {
            return text(StatusCode::FORBIDDEN, why);
        }
        let path = request.uri().path();
        let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
        match path {
            "/log" if request.method() == Method::PUT => {
                log_level::change(&self.log, request).await
            }
            "/log" if is_read => log_level::show(&self.log),
            "/log" => method_not_allowed("GET, HEAD, PUT"),
            _ if !is_read => method_not_allowed("GET, HEAD"),
            "/metrics" => typed(StatusCode::OK, METRICS_TYPE, self.registry.render()),
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.get() => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/config" => typed(StatusCode::OK, JSON_TYPE, self.config.borrow().clone()),
            _ => text(
                StatusCode::NOT_FOUND,
                "/metrics /livez /readyz /config /log\n",
            ),
        }
    }

    /// Keeps out pages in a browser on this machine, since nobody is asked for
    /// a key here: those that point a name of theirs at us (DNS rebinding) by
    /// that name, those that send something by their origin, which browsers
    /// name with every request but plain reads.
    fn admit(&self, request: &Request<Incoming>) -> Result<(), &'static str> {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Err("not for pages in a browser\n");
        }
        let hosts = self.hosts.borrow();
        let is_known = |host: &HeaderValue| {
            let host = host.to_str();
            host.is_ok_and(|host| hosts.admit(host).is_ok())
        };
        // Health checks in HTTP/1.0 name no host; browsers do.
        if headers.get_all(HOST).iter().all(is_known) {
            return Ok(());
        }
        Err("not under this name; use localhost, or add it to server.allowed_hosts\n")
    }
}

fn method_not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
