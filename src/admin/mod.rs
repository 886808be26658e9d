//! The admin listener: `/metrics`, `/livez`, `/readyz`, `/config`, `/log`, `/limits`.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HOST, ORIGIN};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;
use tokio_io_timeout::TimeoutWriter;

use crate::descriptors;
use crate::proxy::Snapshot;
use crate::routes::host::HostCheck;
use crate::server::listener::Listener;
use crate::server::log_limiter::LogLimiter;
use crate::server::socket::ClientSocket;
use crate::telemetry::log::LogLevelControl;
use crate::telemetry::metric::Registry;

mod body;
pub mod config_dump;
mod connections;
mod limit_dump;
mod limit_gauges;
mod limits;
mod log_level;
mod metrics;
mod set_used;

use body::{json_text, text};
use connections::{Activity, AdminConnections};
use limit_gauges::LimitGauges;
use metrics::ScrapeBody;

/// Time for the first request head: probes send theirs at once.
const FIRST_HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a further one, from the response before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
const READ_ONLY: &str = "nothing can be changed here (admin.read_only)\n";
/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Admin {
    pub registry: Registry,
    /// The one that is served.
    snapshot: RefCell<Arc<Snapshot>>,
    /// The response body of `/config`.
    pub config: RefCell<Bytes>,
    pub log: LogLevelControl,
    pub access: RefCell<AdminAccess>,
    /// False once the process is shutting down.
    pub ready: Cell<bool>,
}

/// Which requests are accepted.
#[derive(Clone, Debug)]
pub struct AdminAccess {
    pub hosts: HostCheck,
    /// Those that change something are refused.
    pub read_only: bool,
}

/// Accepts until it is dropped; open connections continue.
pub async fn serve(listener: Listener, admin: Rc<Admin>) {
    let connections = AdminConnections::default();
    let accept_errors = LogLimiter::default();
    loop {
        let make_room = || connections.make_room(true);
        let socket = listener
            .accept_with_backoff(&accept_errors, make_room)
            .await;
        connections.make_room(descriptors::is_short_for_admin(&socket));
        // Frees the descriptor of a connection that was closed to make room.
        yield_now().await;
        let activity = Activity::new();
        let serving = serve_socket(socket, Rc::clone(&admin), Rc::clone(&activity));
        connections.insert(activity, spawn_local(serving).abort_handle());
    }
}

async fn serve_socket(socket: ClientSocket, admin: Rc<Admin>, activity: Rc<Activity>) {
    match socket {
        ClientSocket::Tcp(tcp) => {
            // On failure, responses are only slower.
            let _ = tcp.set_nodelay(true);
            serve_connection(tcp, admin, activity).await;
        }
        ClientSocket::Unix(unix) => serve_connection(unix, admin, activity).await,
    }
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    admin: Rc<Admin>,
    activity: Rc<Activity>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        activity.record_request();
        let admin = Rc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.respond(request).await) }
    });
    let mut stream = pin!(TimeoutWriter::new(stream));
    stream.as_mut().set_timeout_pinned(Some(WRITE_TIMEOUT));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    let stream = TokioIo::new(stream);
    let mut connection = pin!(builder.serve_connection(stream, service));
    // An error means that the client closed the connection, or read nothing.
    tokio::select! {
        _ = &mut connection => return,
        () = sleep(FIRST_HEADER_TIMEOUT) => {}
    }
    if activity.has_requested() {
        let _ = connection.await;
    }
}

impl Admin {
    #[must_use]
    pub fn new(
        registry: &Registry,
        log: &LogLevelControl,
        snapshot: &Arc<Snapshot>,
        config: Bytes,
        access: AdminAccess,
    ) -> Rc<Self> {
        let admin = Self {
            registry: registry.clone(),
            snapshot: RefCell::new(Arc::clone(snapshot)),
            config: RefCell::new(config),
            log: log.clone(),
            access: RefCell::new(access),
            ready: Cell::new(true),
        };
        admin.show(snapshot);
        Rc::new(admin)
    }

    /// Shows what clients use of this snapshot's limits, from now on.
    pub fn show(&self, snapshot: &Arc<Snapshot>) {
        self.snapshot.replace(Arc::clone(snapshot));
        let gauges = LimitGauges(Arc::clone(snapshot));
        self.registry.set_computed(Arc::new(gauges));
        snapshot.metrics.retain_limits();
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<ScrapeBody> {
        if let Err(reason) = self.admit(&request) {
            return text(StatusCode::FORBIDDEN, reason).map(Either::Left);
        }
        let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
        if request.uri().path() == "/metrics" && is_read {
            return metrics::respond(&self.registry, request.method(), request.headers());
        }
        self.respond_whole(request, is_read).await.map(Either::Left)
    }

    async fn respond_whole(
        &self,
        request: Request<Incoming>,
        is_read: bool,
    ) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/log" | "/limits"
                if request.method() == Method::PUT && self.access.borrow().read_only =>
            {
                text(StatusCode::FORBIDDEN, READ_ONLY)
            }
            "/log" if request.method() == Method::PUT => {
                log_level::change(&self.log, request).await
            }
            "/log" if is_read => log_level::show(&self.log),
            "/limits" if request.method() == Method::PUT => {
                limits::change(|| self.snapshot(), request).await
            }
            "/limits" if is_read => limits::show(self.snapshot(), request.uri().query()).await,
            "/log" | "/limits" => method_not_allowed("GET, HEAD, PUT"),
            _ if !is_read => method_not_allowed("GET, HEAD"),
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" if self.ready.get() => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/config" => json_text(self.config.borrow().clone()),
            _ => text(
                StatusCode::NOT_FOUND,
                "/metrics /livez /readyz /config /log /limits\n",
            ),
        }
    }

    /// The one that is served.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Rejects requests of web pages in a local browser, since this listener needs no
    /// key: DNS rebinding by the host name, other pages by the `origin`, which browsers
    /// send with every request except plain reads. Probes come by any name or address, and
    /// learn nothing.
    fn admit(&self, request: &Request<Incoming>) -> Result<(), &'static str> {
        let headers = request.headers();
        if headers.contains_key(ORIGIN) {
            return Err("requests from web pages are not allowed\n");
        }
        let access = self.access.borrow();
        let is_known = |host: &HeaderValue| {
            let host = host.to_str();
            host.is_ok_and(|host| access.hosts.admit(host).is_ok())
        };
        let is_probe = matches!(request.uri().path(), "/livez" | "/readyz");
        // Health checks over HTTP/1.0 send no host; browsers always do.
        if is_probe || headers.get_all(HOST).iter().all(is_known) {
            return Ok(());
        }
        Err("unknown host name; use localhost, or add it to server.allowed_hosts\n")
    }
}

fn method_not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    response
}
