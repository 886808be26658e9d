//! An HTTP/2 upstream, served by hyper.

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

/// A running HTTP/2 upstream; stopped on drop.
pub struct Http2Upstream {
    address: SocketAddr,
    scheme: &'static str,
    requests: Arc<Watched<Vec<RecordedHttp2Request>>>,
    _stop: mpsc::Sender<()>,
}

type Script = Arc<dyn Fn(&[u8]) -> (u16, &'static str, &'static str) + Send + Sync>;

#[derive(Debug, Clone)]
pub struct RecordedHttp2Request {
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: Vec<u8>,
}

impl Http2Upstream {
    /// Responds to every request with this body and content type; in cleartext
    /// without `tls`.
    pub fn start(
        tls: Option<Arc<ServerConfig>>,
        content_type: &'static str,
        body: &'static str,
    ) -> Self {
        Self::scripted(tls, move |_| (200, content_type, body))
    }

    /// Responds to each body with a status, a content type and a body.
    pub fn scripted(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&[u8]) -> (u16, &'static str, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let requests = Arc::new(Watched::default());
        let (stop, mut stopped) = mpsc::channel::<()>(1);
        let recorder = Arc::clone(&requests);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, script, recorder) => {}
                    _ = stopped.recv() => {}
                }
            });
        });
        Self {
            address,
            scheme,
            requests,
            _stop: stop,
        }
    }

    pub fn base_url(&self) -> String {
        format!("{}://127.0.0.1:{}/v1", self.scheme, self.address.port())
    }

    pub fn requests(&self) -> Vec<RecordedHttp2Request> {
        self.requests.with(|requests| requests.clone())
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: Option<Arc<ServerConfig>>,
    script: Script,
    recorder: Arc<Watched<Vec<RecordedHttp2Request>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (tls, recorder) = (tls.clone(), Arc::clone(&recorder));
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                respond(request, Arc::clone(&script), Arc::clone(&recorder))
            });
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

async fn respond(
    request: http::Request<Incoming>,
    script: Script,
    recorder: Arc<Watched<Vec<RecordedHttp2Request>>>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (head, incoming) = request.into_parts();
    let bytes = incoming
        .collect()
        .await
        .map(|body| body.to_bytes().to_vec())
        .unwrap_or_default();
    let (status, content_type, body) = script(&bytes);
    recorder.with(|requests| {
        requests.push(RecordedHttp2Request {
            target: head.uri.to_string(),
            headers: head.headers,
            body: bytes,
        });
    });
    let response = Full::new(Bytes::from_static(body.as_bytes()));
    Ok(http::Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(response)
        .unwrap())
}
