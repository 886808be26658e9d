//! Valid and invalid certificates, and TLS for upstreams.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Transport;

pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

pub struct IssuedCertificate {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

/// The defect of a certificate.
#[derive(Debug, Clone, Copy)]
pub enum Flaw {
    None,
    WrongName,
    Expired,
    SelfSigned,
}

impl CertificateAuthority {
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

    /// The authority's own certificate, for `ca_file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server configuration for 127.0.0.1 with such a certificate.
    pub fn server(&self, flaw: Flaw, protocols: &[&str]) -> Arc<ServerConfig> {
        let name = if matches!(flaw, Flaw::WrongName) {
            "elsewhere.test"
        } else {
            "127.0.0.1"
        };
        let issued = self.issue(name, flaw);
        let (chain, key) = (vec![issued.certificate.clone()], issued.key());
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.alpn_protocols = names(protocols);
        Arc::new(config)
    }
}

impl CertificateAuthority {
    /// Issues a certificate for a host name, an address or a URI.
    pub fn issue(&self, name: &str, flaw: Flaw) -> IssuedCertificate {
        let is_uri = name.contains("://");
        let names = if is_uri {
            vec![]
        } else {
            vec![name.to_owned()]
        };
        let mut parameters = CertificateParams::new(names).unwrap();
        if is_uri {
            let name = SanType::URI(name.try_into().unwrap());
            parameters.subject_alt_names.push(name);
        }
        // Of the same name as its issuer, OpenSSL takes a certificate for one that signed itself.
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
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
        IssuedCertificate {
            pem: certificate.pem(),
            certificate: certificate.into(),
            key,
        }
    }

    /// A client configuration that trusts this authority, offers these protocols
    /// and presents this certificate if asked for one.
    pub fn client(
        &self,
        protocols: &[&str],
        certificate: Option<&IssuedCertificate>,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            Some(certificate) => {
                let chain = vec![certificate.certificate.clone()];
                builder
                    .with_client_auth_cert(chain, certificate.key())
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = names(protocols);
        Arc::new(config)
    }
}

impl IssuedCertificate {
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate, for `cert_file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key, for `key_file`.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

fn names(protocols: &[&str]) -> Vec<Vec<u8>> {
    let bytes = protocols.iter().map(|name| name.as_bytes().to_vec());
    bytes.collect()
}

/// Performs the TLS handshake; `None` if it fails.
pub(super) fn accept(
    config: &Arc<ServerConfig>,
    mut socket: TcpStream,
) -> Option<Box<dyn Transport>> {
    let mut connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut socket).ok()?;
    }
    Some(Box::new(rustls::StreamOwned::new(connection, socket)))
}
