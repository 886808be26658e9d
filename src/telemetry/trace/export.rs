//! Sends spans to a collector, in batches, on a thread of its own (OTLP
//! specification, "OTLP/HTTP").

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};
use url::Url;

use super::Order;
use super::metric::Counter;
use super::span::{Attributes, Export, Span};
use crate::config::Traces;
use crate::wall_clock;

/// Spans that are sent at once.
const BATCH: usize = 512;
/// Longest wait of a span for others.
const GATHER: Duration = Duration::from_secs(1);
/// Longest wait for a collector's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Tries for one batch.
const TRIES: u32 = 4;
/// Pause after the first try; doubled after each further one.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause that a collector may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Most bytes of an answer that are read.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Connections to a collector.
type Sender = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What sends spans to one collector.
#[derive(Debug)]
pub(super) struct Exporter {
    client: Sender,
    endpoint: Url,
    headers: HeaderMap,
    resource: Attributes,
    lost: Counter,
    /// Whether the last batch arrived.
    arrives: bool,
}

/// Why a batch was not taken.
struct Refused {
    /// In words for the operator: no address, and nothing that was received.
    why: String,
    /// How long to wait for another try, or none where that cannot help.
    again: Option<Duration>,
}

/// A collector's answer to a batch that it took (OTLP specification, "Partial
/// Success").
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Taken {
    partial_success: PartialSuccess,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    /// A 64-bit number, which JSON may hold as text.
    rejected_spans: serde_json::Value,
}

impl Exporter {
    pub(super) fn new(traces: &Traces, lost: Counter) -> io::Result<Self> {
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
            lost,
            arrives: true,
        })
    }

    /// Begins to export what comes.
    pub(super) fn start(self, orders: Receiver<Order>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || runtime.block_on(self.run(orders)))?;
        Ok(())
    }

    async fn run(mut self, mut orders: Receiver<Order>) {
        let mut batch = Vec::new();
        while let Some(order) = orders.recv().await {
            let due = Instant::now() + GATHER;
            let mut next = Some(order);
            let mut waiting = None;
            while let Some(order) = next.take() {
                match order {
                    Order::Export(spans) => batch.extend(spans),
                    Order::Flush(reply) => waiting = Some(reply),
                }
                if batch.len() < BATCH && waiting.is_none() {
                    next = timeout_at(due, orders.recv()).await.ok().flatten();
                }
            }
            if !batch.is_empty() {
                self.deliver(&batch).await;
                batch.clear();
            }
            if let Some(reply) = waiting {
                let _ = reply.send(());
            }
        }
    }

    /// Sends a batch, again where that can help, and counts what is lost.
    async fn deliver(&mut self, batch: &[Span]) {
        let export = Export::new(&self.resource, batch);
        let Ok(body) = serde_json::to_vec(&export).map(Bytes::from) else {
            self.lost.increment(batch.len() as u64);
            return;
        };
        let mut tries = 0;
        let refused = loop {
            tries += 1;
            match self.send(body.clone()).await {
                Ok(rejected) => {
                    self.lost.increment(rejected.min(batch.len() as u64));
                    if !self.arrives {
                        info!("traces are exported again");
                    }
                    self.arrives = true;
                    return;
                }
                Err(refused) => match refused.again {
                    Some(asked) if tries < TRIES => sleep(pause(tries).max(asked)).await,
                    _ => break refused,
                },
            }
        };
        self.lost.increment(batch.len() as u64);
        if self.arrives {
            let why = refused.why;
            warn!(why, spans = batch.len(), "traces are lost");
        }
        self.arrives = false;
    }

    /// One try. Says how many spans the collector did not want.
    async fn send(&self, body: Bytes) -> Result<u64, Refused> {
        let sent = timeout(ANSWER_WITHIN, self.exchange(body)).await;
        sent.unwrap_or_else(|_| Err(Refused::for_now("no answer in time")))
    }

    async fn exchange(&self, body: Bytes) -> Result<u64, Refused> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        let uri = self.endpoint.as_str().parse();
        *request.uri_mut() = uri.map_err(|_| Refused::for_good("the endpoint is no URI"))?;
        *request.headers_mut() = self.headers.clone();
        let answer = self.client.request(request).await.map_err(|error| {
            Refused::for_now(if error.is_connect() {
                "no connection"
            } else {
                "no answer"
            })
        })?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Refused::by(status, answer.headers()));
        }
        let body = Limited::new(answer.into_body(), LARGEST_ANSWER);
        // It was taken, whatever else is said.
        let Ok(body) = body.collect().await else {
            return Ok(0);
        };
        let taken: Taken = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        let rejected = taken.partial_success.rejected_spans;
        let in_text = || rejected.as_str()?.parse().ok();
        Ok(rejected.as_u64().or_else(in_text).unwrap_or(0))
    }
}

/// Goes by the system's certificate authorities, or the bundled ones where
/// there are none, and by `more`.
fn client(more: &[CertificateDer<'static>]) -> io::Result<Sender> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in more {
        roots.add(certificate.clone()).map_err(io::Error::other)?;
    }
    // Named, so that no second provider in the build can make rustls unable to
    // choose one.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(io::Error::other)?;
    let tls = builder.with_root_certificates(roots).with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls);
    let connector = connector.https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Between a third less and a third more than it would be, so that gateways do
/// not come back together.
fn pause(tries: u32) -> Duration {
    let pause = PAUSE * 2_u32.pow(tries.saturating_sub(1));
    pause.mul_f64(fastrand::f64().mul_add(0.66, 0.67))
}

impl Refused {
    fn for_now(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            again: Some(Duration::ZERO),
        }
    }

    fn for_good(why: &str) -> Self {
        Self {
            why: why.to_owned(),
            again: None,
        }
    }

    /// Some statuses say that another try may help (OTLP specification,
    /// "Retryable Response Codes"), and when.
    fn by(status: StatusCode, headers: &HeaderMap) -> Self {
        let may_help = matches!(status.as_u16(), 429 | 502 | 503 | 504);
        let asked = headers.get(RETRY_AFTER).and_then(|value| {
            let text = value.to_str().ok()?.trim();
            let seconds = text.parse().map(Duration::from_secs).ok();
            seconds.or_else(|| {
                let date = httpdate::parse_http_date(text).ok()?;
                date.duration_since(wall_clock::now()).ok()
            })
        });
        let asked = asked.unwrap_or_default().min(LONGEST_PAUSE);
        Self {
            why: format!("status {}", status.as_u16()),
            again: may_help.then_some(asked),
        }
    }
}
