//! An upstream that speaks HTTP/2, by hyper.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::support::wait::Watched;

/// A running HTTP/2 upstream; it ends with this value.
pub struct Http2Upstream {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Watched<Vec<Seen>>>,
    _stop: mpsc::Sender<()>,
}

/// One request as the upstream saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Http2Upstream {
    /// Answers each request with this body and content type, in the clear when
    /// no TLS is given.
    pub fn start(tls: Option<Arc<ServerConfig>>, kind: &'static str, body: &'static str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Watched::default());
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        let record = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, kind, body, record) => {}
                    _ = stopped.recv() => {}
                }
            });
        });
        Self {
            address,
            scheme,
            seen,
            _stop: stop,
        }
    }

    pub fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}/v1", self.scheme, self.address.port())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.with(|seen| seen.clone())
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    kind: &'static str,
    body: &'static str,
    record: Arc<Watched<Vec<Seen>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (tls, record) = (tls.clone(), Arc::clone(&record));
        tokio::spawn(async move {
            let service =
                service_fn(move |request| answer(request, kind, body, Arc::clone(&record)));
            let server = http2::Builder::new(TokioExecutor::new());
            match tls {
                None => drop(server.serve_connection(TokioIo::new(socket), service).await),
                Some(config) => {
                    let Ok(socket) = TlsAcceptor::from(config).accept(socket).await else {
                        return;
                    };
                    drop(server.serve_connection(TokioIo::new(socket), service).await);
                }
            }
        });
    }
}

async fn answer(
    request: http::Request<Incoming>,
    kind: &'static str,
    body: &'static str,
    record: Arc<Watched<Vec<Seen>>>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, incoming) = request.into_parts();
    let bytes = incoming
        .collect()
        .await
        .map(|body| body.to_bytes().to_vec())
        .unwrap_or_default();
    record.with(|seen| {
        seen.push(Seen {
            target: head.uri.to_string(),
            headers: head.headers,
            body: bytes,
        });
    });
    let answer = Full::new(Bytes::from_static(body.as_bytes()));
    Ok(http::Response::builder()
        .header("content-type", kind)
        .body(answer)
        .unwrap())
}
