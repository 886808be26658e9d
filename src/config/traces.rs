//! `[traces]`, checked.

use http::HeaderMap;
use rustls_pki_types::CertificateDer;
use url::Url;

/// `[traces]`: where spans of requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// Where the collector takes them, with its path.
    pub endpoint: Url,
    /// Share of the requests that begin a trace of their own.
    pub ratio: f64,
    /// What the gateway calls itself.
    pub service_name: String,
    /// Certificate authorities to trust besides the usual ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Added to every export; sensitive.
    pub headers: HeaderMap,
}
