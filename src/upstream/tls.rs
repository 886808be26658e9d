//! TLS connections to upstreams.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{Error, ErrorKind, with_causes};
use crate::config::HttpVersion;
use crate::tls::{ALPN_H2, ALPN_HTTP_1_1, crypto_provider, root_store};

/// Connects to one host.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    name: ServerName<'static>,
    http: HttpVersion,
}

/// Trusted certificate authorities, loaded once.
#[derive(Debug, Clone)]
pub(super) struct Roots(RootCertStore);

impl Roots {
    pub(super) fn load() -> Self {
        Self(root_store())
    }

    /// These roots and those of a PEM file. The error is a message for the operator.
    pub(super) fn with_pem(&self, pem: &[u8]) -> Result<Self, String> {
        let mut store = self.0.clone();
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            store.add(certificate).map_err(|error| error.to_string())?;
            found = true;
        }
        if found {
            Ok(Self(store))
        } else {
            Err("no certificate found".to_owned())
        }
    }
}

impl Connector {
    /// The error is a message for the operator.
    pub(super) fn new(host: &str, roots: &Roots, http: HttpVersion) -> Result<Self, String> {
        let mut config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = match http {
            HttpVersion::Auto => vec![ALPN_H2.to_vec(), ALPN_HTTP_1_1.to_vec()],
            HttpVersion::Http1 => vec![ALPN_HTTP_1_1.to_vec()],
            HttpVersion::Http2 => vec![ALPN_H2.to_vec()],
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            name,
            http,
        })
    }

    /// Performs the handshake; true if HTTP/2 was negotiated.
    pub(super) async fn connect(
        &self,
        tcp: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), Error> {
        let stream = self.tls.connect(self.name.clone(), tcp).await;
        let stream = stream.map_err(|error| Error::new(ErrorKind::Tls, with_causes(&error)))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_H2);
        if self.http == HttpVersion::Http2 && !is_http2 {
            return Err(Error::new(
                ErrorKind::Tls,
                "upstream does not support HTTP/2",
            ));
        }
        Ok((stream, is_http2))
    }

    /// Performs the handshake of an HTTP/1.1 connection, regardless of the configuration.
    pub(super) async fn connect_http1(
        &self,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let connector = self.tls.with_alpn(vec![ALPN_HTTP_1_1.to_vec()]);
        let stream = connector.connect(self.name.clone(), tcp).await;
        stream.map_err(|error| Error::new(ErrorKind::Tls, with_causes(&error)))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Connector({:?})", self.name)
    }
}
