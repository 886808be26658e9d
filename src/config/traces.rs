//! `[traces]`, checked.

use http::HeaderMap;
use rustls_pki_types::CertificateDer;
use url::Url;

/// `[traces]`: where spans are exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// URL of the collector, path included.
    pub endpoint: Url,
    /// Share of the requests without a valid `traceparent` that are traced.
    pub ratio: f64,
    pub service_name: String,
    /// Additional certificate authorities to trust.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Added to every export; sensitive.
    pub headers: HeaderMap,
}
