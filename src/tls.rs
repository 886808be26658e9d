//! TLS settings shared by all TLS clients and servers of the process.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// ALPN protocol names (RFC 7301; RFC 9113, section 3.2).
pub const ALPN_H2: &[u8] = b"h2";
pub const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// For `builder_with_provider`: rustls cannot choose a default provider if a
/// dependency enables a second one.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The system's certificate authorities, or the bundled ones if it has none (a
/// container image built from scratch).
pub fn root_store() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
