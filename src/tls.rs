//! TLS settings shared by all TLS clients and servers of the process.

use std::error::Error;
use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, RootCertStore};

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

/// The TLS error among an error and its causes. In an `io::Error` it is no `source`.
pub fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inner = error.downcast_ref().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Whether a certificate was rejected since no trusted authority signed it.
#[must_use]
pub fn is_unknown_issuer(error: &rustls::Error) -> bool {
    let issuer = CertificateError::UnknownIssuer;
    matches!(error, rustls::Error::InvalidCertificate(reason) if *reason == issuer)
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustls::{CertificateError, Error};

    use super::{is_unknown_issuer, tls_error};

    #[test]
    fn a_tls_error_is_found_within_io_errors() {
        let unknown = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(unknown.clone()));
        assert_eq!(tls_error(&wrapped), Some(&unknown));
        assert!(is_unknown_issuer(&unknown));
        let expired = Error::InvalidCertificate(CertificateError::Expired);
        assert!(!is_unknown_issuer(&expired));
        assert_eq!(tls_error(&io::Error::from(io::ErrorKind::NotFound)), None);
    }
}
