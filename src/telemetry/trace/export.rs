//! Exports spans to a collector, in batches, on a separate thread (OTLP specification,
//! "OTLP/HTTP").

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};
use url::Url;

use super::ExportCommand;
use super::metric::Counter;
use super::span::{Attributes, ExportRequest, Span};
use crate::config::Traces;
use crate::tls::{crypto_provider, root_store};
use crate::wall_clock;
use crate::wire::retry_after;

/// In spans.
const BATCH_SIZE: usize = 512;
/// How long a batch waits for further spans.
const MAX_BATCH_DELAY: Duration = Duration::from_secs(1);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// For one batch.
const MAX_TRIES: u32 = 4;
/// After the first try; doubled after each further one.
const BACKOFF: Duration = Duration::from_millis(500);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// In bytes.
const MAX_RESPONSE: usize = 64 * 1024;

type CollectorClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

#[derive(Debug)]
pub(super) struct Exporter {
    client: CollectorClient,
    endpoint: Url,
    headers: HeaderMap,
    resource: Attributes,
    dropped: Counter,
    /// True if the collector accepted the last batch.
    last_accepted: bool,
}

/// Why a batch was not accepted.
struct ExportError {
    /// For the log: without addresses and received text.
    reason: String,
    /// None if a retry cannot help.
    retry_after: Option<Duration>,
}

/// Response to an accepted batch (OTLP specification, "Partial Success").
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExportResponse {
    partial_success: PartialSuccess,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    /// A 64-bit number, which JSON may contain as a string.
    rejected_spans: serde_json::Value,
}

// === impl Exporter ===

impl Exporter {
    pub(super) fn new(traces: &Traces, dropped: Counter) -> io::Result<Self> {
        let mut headers = traces.headers.clone();
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
        let agent = concat!("trunkline/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        let mut resource = Attributes::default();
        resource.add("service.name", Some(&*traces.service_name));
        resource.add("service.version", Some(env!("CARGO_PKG_VERSION")));
        Ok(Self {
            client: client(&traces.authorities)?,
            endpoint: traces.endpoint.clone(),
            headers,
            resource,
            dropped,
            last_accepted: true,
        })
    }

    /// Starts the thread.
    pub(super) fn start(self, commands: Receiver<ExportCommand>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || runtime.block_on(self.run(commands)))?;
        Ok(())
    }

    async fn run(mut self, mut commands: Receiver<ExportCommand>) {
        let mut batch = Vec::new();
        while let Some(command) = commands.recv().await {
            let deadline = Instant::now() + MAX_BATCH_DELAY;
            let mut next = Some(command);
            let mut flush = None;
            while let Some(command) = next.take() {
                match command {
                    ExportCommand::Export(spans) => batch.extend(spans),
                    ExportCommand::Flush(done) => flush = Some(done),
                }
                if batch.len() < BATCH_SIZE && flush.is_none() {
                    next = timeout_at(deadline, commands.recv()).await.ok().flatten();
                }
            }
            if !batch.is_empty() {
                self.deliver(&batch).await;
                batch.clear();
            }
            if let Some(done) = flush {
                let _ = done.send(());
            }
        }
    }

    /// Sends a batch, with retries if they can help, and counts dropped spans.
    async fn deliver(&mut self, batch: &[Span]) {
        let export = ExportRequest::new(&self.resource, batch);
        let Ok(body) = serde_json::to_vec(&export).map(Bytes::from) else {
            self.dropped.increment(batch.len() as u64);
            return;
        };
        let mut tries = 0;
        let error = loop {
            tries += 1;
            match self.send(body.clone()).await {
                Ok(rejected) => {
                    self.dropped.increment(rejected.min(batch.len() as u64));
                    if !self.last_accepted {
                        info!("trace export restored");
                    }
                    self.last_accepted = true;
                    return;
                }
                Err(error) => match error.retry_after {
                    Some(wait) if tries < MAX_TRIES => sleep(backoff(tries).max(wait)).await,
                    _ => break error,
                },
            }
        };
        self.dropped.increment(batch.len() as u64);
        if self.last_accepted {
            let reason = error.reason;
            warn!(reason, spans = batch.len(), "trace export failed");
        }
        self.last_accepted = false;
    }

    /// One try. Returns the number of spans that the collector rejected.
    async fn send(&self, body: Bytes) -> Result<u64, ExportError> {
        let sent = timeout(RESPONSE_TIMEOUT, self.exchange(body)).await;
        sent.unwrap_or_else(|_| Err(ExportError::retryable("no response in time")))
    }

    async fn exchange(&self, body: Bytes) -> Result<u64, ExportError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        let uri = self.endpoint.as_str().parse();
        *request.uri_mut() =
            uri.map_err(|_| ExportError::permanent("the endpoint is not a URI"))?;
        *request.headers_mut() = self.headers.clone();
        let response = self.client.request(request).await.map_err(|error| {
            ExportError::retryable(if error.is_connect() {
                "no connection"
            } else {
                "no response"
            })
        })?;
        let status = response.status();
        if !status.is_success() {
            return Err(ExportError::from_status(status, response.headers()));
        }
        let body = Limited::new(response.into_body(), MAX_RESPONSE);
        // The batch was accepted, even if the body cannot be read.
        let Ok(body) = body.collect().await else {
            return Ok(0);
        };
        let accepted: ExportResponse = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        let rejected = accepted.partial_success.rejected_spans;
        let as_text = || rejected.as_str()?.parse().ok();
        Ok(rejected.as_u64().or_else(as_text).unwrap_or(0))
    }
}

/// Trusts `authorities` in addition to [`root_store`].
fn client(authorities: &[CertificateDer<'static>]) -> io::Result<CollectorClient> {
    let mut roots = root_store();
    for certificate in authorities {
        roots.add(certificate.clone()).map_err(io::Error::other)?;
    }
    let builder = ClientConfig::builder_with_provider(crypto_provider());
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let tls = builder.with_root_certificates(roots).with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
    let connector = connector.https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Exponential, with a jitter of a third, so that gateways do not retry together.
fn backoff(tries: u32) -> Duration {
    let delay = BACKOFF * 2_u32.pow(tries.saturating_sub(1));
    delay.mul_f64(fastrand::f64().mul_add(0.66, 0.67))
}

// === impl ExportError ===

impl ExportError {
    fn retryable(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            retry_after: Some(Duration::ZERO),
        }
    }

    fn permanent(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            retry_after: None,
        }
    }

    /// Retryable statuses: OTLP specification, "Retryable Response Codes".
    fn from_status(status: StatusCode, headers: &HeaderMap) -> Self {
        let is_retryable = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        let value = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let wait = value
            .and_then(|value| retry_after::delay(&[("retry-after", value)], wall_clock::now()));
        let wait = wait.unwrap_or_default().min(MAX_RETRY_AFTER);
        Self {
            reason: format!("status {}", status.as_u16()),
            retry_after: is_retryable.then_some(wait),
        }
    }
}
