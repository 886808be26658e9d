//! TLS towards upstreams.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{Error, ErrorKind, chain};
use crate::config::HttpVersion;

/// Protocol names of ALPN (RFC 7301; RFC 9113, section 3.2).
const H2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// Makes TLS connections to one host.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
    http: HttpVersion,
}

/// Certificate authorities, loaded once: the system's, and the bundled ones
/// where the system has none (a container image made from nothing).
#[derive(Debug, Clone)]
pub(super) struct Roots(RootCertStore);

impl Roots {
    pub(super) fn load() -> Self {
        let mut store = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self(store)
    }

    /// These roots and the ones in this PEM text. The error is a sentence.
    pub(super) fn with(&self, pem: &[u8]) -> Result<Self, String> {
        let mut store = self.0.clone();
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            store.add(certificate).map_err(|error| error.to_string())?;
            any = true;
        }
        if any {
            Ok(Self(store))
        } else {
            Err("no certificate in it".to_owned())
        }
    }
}

impl Connector {
    /// A connector to `host` that trusts `roots`. The error is a sentence.
    pub(super) fn new(host: &str, roots: &Roots, http: HttpVersion) -> Result<Self, String> {
        // Named, so that no second provider in the build can make rustls
        // unable to choose one.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = match http {
            HttpVersion::Auto => vec![H2.to_vec(), HTTP_1_1.to_vec()],
            HttpVersion::Http1 => vec![HTTP_1_1.to_vec()],
            HttpVersion::Http2 => vec![H2.to_vec()],
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            name,
            http,
        })
    }

    /// The TLS handshake; true with it when HTTP/2 was agreed on.
    pub(super) async fn connect(
        &self,
        tcp: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), Error> {
        let stream = self.tls.connect(self.name.clone(), tcp).await;
        let stream = stream.map_err(|error| Error::new(ErrorKind::Tls, chain(&error)))?;
        let multiplexed = stream.get_ref().1.alpn_protocol() == Some(H2);
        if self.http == HttpVersion::Http2 && !multiplexed {
            return Err(Error::new(
                ErrorKind::Tls,
                "the upstream does not speak HTTP/2",
            ));
        }
        Ok((stream, multiplexed))
    }

    /// The TLS handshake of a connection that is to speak HTTP/1.1, whatever
    /// the others speak.
    pub(super) async fn connect_http1(
        &self,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let connector = self.tls.with_alpn(vec![HTTP_1_1.to_vec()]);
        let stream = connector.connect(self.name.clone(), tcp).await;
        stream.map_err(|error| Error::new(ErrorKind::Tls, chain(&error)))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Connector({:?})", self.name)
    }
}
