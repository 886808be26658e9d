//! Sends exports to a collector, and again where that can help (OTLP specification,
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
use tokio::time::{sleep, timeout};
use url::Url;

use crate::config::Collector;
use crate::tls::{crypto_provider, is_unknown_issuer, root_store, tls_error};
use crate::wall_clock;
use crate::wire::retry_after;

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
/// For one export.
const MAX_TRIES: u32 = 4;
/// After the first try; doubled after each further one.
const BACKOFF: Duration = Duration::from_millis(500);
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// In bytes.
const MAX_RESPONSE: usize = 64 * 1024;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

#[derive(Debug)]
pub struct CollectorClient {
    client: HttpsClient,
    endpoint: Url,
    headers: HeaderMap,
}

/// Why an export was not accepted.
#[derive(Debug)]
pub struct ExportError {
    /// For the log: without addresses and received text.
    pub reason: String,
    /// None if a retry cannot help.
    retry_after: Option<Duration>,
}

/// Response to an accepted export (OTLP specification, "Partial Success").
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ExportResponse {
    partial_success: PartialSuccess,
}

/// 64-bit numbers, which JSON may contain as strings.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    rejected_spans: serde_json::Value,
    rejected_data_points: serde_json::Value,
}

// === impl CollectorClient ===

impl CollectorClient {
    pub fn new(collector: &Collector) -> io::Result<Self> {
        let mut headers = collector.headers.clone();
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
        let agent = concat!("trunkline/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        Ok(Self {
            client: client(&collector.authorities)?,
            endpoint: collector.endpoint.clone(),
            headers,
        })
    }

    /// Sends an export, with retries if they can help. Returns the number of spans or
    /// data points that the collector rejected.
    pub async fn export(&self, body: Bytes) -> Result<u64, ExportError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.send(body.clone()).await {
                Err(ExportError {
                    retry_after: Some(wait),
                    ..
                }) if tries < MAX_TRIES => sleep(backoff(tries).max(wait)).await,
                result => return result,
            }
        }
    }

    /// One try.
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
            let is_unknown_issuer = tls_error(&error).is_some_and(is_unknown_issuer);
            ExportError::retryable(if is_unknown_issuer {
                "unknown issuer of its certificate; name the authority in traces.ca_file"
            } else if error.is_connect() {
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
        // The export was accepted, even if the body cannot be read.
        let Ok(body) = body.collect().await else {
            return Ok(0);
        };
        let accepted: ExportResponse = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        Ok(accepted.partial_success.rejected())
    }
}

/// Trusts `authorities` in addition to [`root_store`].
fn client(authorities: &[CertificateDer<'static>]) -> io::Result<HttpsClient> {
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

// === impl PartialSuccess ===

impl PartialSuccess {
    /// A response has only the number for its own kind of data.
    fn rejected(&self) -> u64 {
        let number = |value: &serde_json::Value| {
            let as_text = || value.as_str()?.parse().ok();
            value.as_u64().or_else(as_text)
        };
        let rejected = number(&self.rejected_spans).or_else(|| number(&self.rejected_data_points));
        rejected.unwrap_or(0)
    }
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

    /// True if the collector is missing or busy; false if it refused this export.
    pub fn is_retryable(&self) -> bool {
        self.retry_after.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::ExportResponse;

    #[test]
    fn rejected_data_may_be_a_number_or_text() {
        for (body, rejected) in [
            ("{}", 0),
            (r#"{"partialSuccess":{"errorMessage":"look"}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"2"}}"#, 2),
            (r#"{"partialSuccess":{"rejectedDataPoints":3}}"#, 3),
            (r#"{"partialSuccess":{"rejectedDataPoints":-3}}"#, 0),
        ] {
            let response: ExportResponse = serde_json::from_str(body).unwrap();
            assert_eq!(response.partial_success.rejected(), rejected, "{body}");
        }
    }
}
