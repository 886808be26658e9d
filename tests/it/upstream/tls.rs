//! TLS for upstreams: certificates good and bad, made on the spot.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Wire;

/// A certificate authority for one test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What is wrong with a certificate, if anything.
#[derive(Debug, Clone, Copy)]
pub enum Flaw {
    None,
    WrongName,
    Expired,
    SelfSigned,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(parameters, key),
            pem,
        }
    }

    /// The authority's certificate, for `ca_file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server for 127.0.0.1 with a certificate of this quality.
    pub fn server(&self, flaw: Flaw, protocols: &[&str]) -> Arc<ServerConfig> {
        let name = if matches!(flaw, Flaw::WrongName) {
            "elsewhere.test"
        } else {
            "127.0.0.1"
        };
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if matches!(flaw, Flaw::Expired) {
            parameters.not_before = date_time_ymd(2019, 1, 1);
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = if matches!(flaw, Flaw::SelfSigned) {
            parameters.self_signed(&key).unwrap()
        } else {
            parameters.signed_by(&key, &self.issuer).unwrap()
        };
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Arc::new(config)
    }
}

/// Shakes hands; none when the gateway would not.
pub(super) fn accept(config: &Arc<ServerConfig>, mut socket: TcpStream) -> Option<Box<dyn Wire>> {
    let mut connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).ok()?;
    }
    Some(Box::new(rustls::StreamOwned::new(connection, socket)))
}
