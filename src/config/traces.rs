//! `[traces]`, checked.

use http::HeaderMap;
use rustls_pki_types::CertificateDer;
use url::Url;

/// `[traces]`: where spans are exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    pub collector: Collector,
    /// Share of the requests without a valid `traceparent` that are traced.
    pub ratio: f64,
}

/// An OpenTelemetry collector, for traces or for metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// URL for this kind of data, path included.
    pub endpoint: Url,
    pub service_name: String,
    /// Additional certificate authorities to trust.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Added to every export; sensitive.
    pub headers: HeaderMap,
}
