//! TLS connections to upstreams.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, InvalidMessage, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{Error, ErrorKind, with_causes};
use crate::config::HttpVersion;
use crate::tls::{
    ALPN_H2, ALPN_HTTP_1_1, crypto_provider, is_unknown_issuer, root_store, tls_error,
};

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
        let stream = stream.map_err(|error| handshake_error(&error))?;
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
        stream.map_err(|error| handshake_error(&error))
    }
}

fn handshake_error(error: &io::Error) -> Error {
    let mut detail = with_causes(error);
    if let Some(cure) = cure(error) {
        detail.push_str("; ");
        detail.push_str(cure);
    }
    Error::new(ErrorKind::Tls, detail)
}

/// For the log: what to change, where the configuration is the usual reason.
fn cure(error: &io::Error) -> Option<&'static str> {
    match tls_error(error)? {
        error if is_unknown_issuer(error) => Some(
            "unknown issuer: to trust it, name a PEM file with the certificate of its authority in the provider's ca_file",
        ),
        // webpki's; rustls has no variant for it.
        error @ rustls::Error::InvalidCertificate(CertificateError::Other(_))
            if error.to_string().contains("CaUsedAsEndEntity") =>
        {
            Some("the server needs a certificate that is not an authority's own (CA:FALSE)")
        }
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(
            "no TLS: if the upstream speaks plain HTTP at this port, write http:// in base_url",
        ),
        _ => None,
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Connector({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsAcceptor;

    use super::{Connector, HttpVersion, RootCertStore, Roots, crypto_provider};

    /// The error of a handshake with a server that has a certificate of its own.
    async fn error(is_ca: IsCa, is_trusted: bool) -> String {
        let mut parameters = CertificateParams::new(["a.test".to_owned()]).unwrap();
        parameters.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let server = ServerConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap());
        let (tcp, accepted) = tokio::join!(tcp, listener.accept());
        let mut roots = Roots(RootCertStore::empty());
        if is_trusted {
            roots = roots.with_pem(certificate.pem().as_bytes()).unwrap();
        }
        let connector = Connector::new("a.test", &roots, HttpVersion::Auto).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let (connected, _) = tokio::join!(
            connector.connect(tcp.unwrap()),
            acceptor.accept(accepted.unwrap().0)
        );
        connected.err().unwrap().to_string()
    }

    #[tokio::test]
    async fn wo05_the_log_names_the_cure_of_a_rejected_certificate() {
        let text = error(IsCa::NoCa, false).await;
        assert!(
            text.contains("unknown issuer: ") && text.contains("ca_file"),
            "{text}"
        );
        let text = error(IsCa::Ca(BasicConstraints::Unconstrained), true).await;
        assert!(text.contains("CA:FALSE"), "{text}");
    }
}
