//! `[server.tls]`.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Checker, certificates};
use crate::config::error::KeyPath;
use crate::config::{ClientAuth, Tls, file, raw};
use crate::tls::crypto_provider;
use crate::wall_clock;

/// In bytes.
const MAX_FILE_SIZE: u64 = 4 * 1024 * 1024;

/// None for a listener without TLS.
pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Tls) -> Option<Tls> {
    let path = KeyPath::new(["server", "tls"]);
    let provider = crypto_provider();
    let clients = client_verification(checker, &path, raw, &provider);
    let (Some(chain), Some(key)) = (&raw.cert_file, &raw.key_file) else {
        let is_unused = raw.cert_file.is_none()
            && raw.key_file.is_none()
            && raw.client_ca_file.is_none()
            && raw.client_auth == ClientAuth::Off;
        if !is_unused && !checker.is_pruned(&path) {
            checker.error(&path, "TLS needs both cert_file and key_file; set both");
        }
        return None;
    };
    let certificate = read_certified_key(checker, &path, chain, key)?;
    let (authorities, verifier) = clients.unzip();
    Some(Tls {
        certificate: Arc::new(certificate),
        verifier,
        authorities: authorities.unwrap_or_default(),
        client_auth: raw.client_auth,
    })
}

/// The files of `cert_file` and `key_file` below this path.
pub fn read_certified_key(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    chain: &str,
    key: &str,
) -> Option<CertifiedKey> {
    let chain = read_chain(checker, &path.key("cert_file"), chain);
    let key = read_key(checker, &path.key("key_file"), key);
    certified_key(checker, path, chain?, key?, &crypto_provider())
}

fn certified_key(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Option<CertifiedKey> {
    let found = CertifiedKey::from_der(chain, key, provider);
    // The library's error is not shown: it may quote the key file.
    let text = match found {
        Ok(certified) => return Some(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            "does not match the first certificate in cert_file; set a matching pair"
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            let text = "the first certificate is damaged; replace it";
            checker.error(&path.key("cert_file"), text);
            return None;
        }
        Err(_) => "unsupported key type; use an ECDSA, Ed25519 or RSA key",
    };
    checker.error(&path.key("key_file"), text);
    None
}

fn read_chain(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<Vec<CertificateDer<'static>>> {
    let chain = read_certificates(checker, path, name)?;
    if let Some(first) = chain.first() {
        warn_if_expired(checker, path, first);
    }
    Some(chain)
}

/// Only a warning: clients report an expired certificate more clearly than a
/// closed port.
fn warn_if_expired(checker: &mut Checker<'_>, path: &KeyPath, certificate: &CertificateDer<'_>) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return;
    };
    let end = parsed.validity().not_after.timestamp();
    if let Ok(end) = Timestamp::from_second(end)
        && SystemTime::from(end) <= wall_clock::now()
    {
        let text = format!("{path}: the certificate expired at {end}; renew it");
        checker.warnings.push(text);
    }
}

fn read_certificates(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = read_file(checker, path, name)?;
    let found = certificates::parse(file::without_mark(&pem));
    let found = found.map(Some).map_err(str::to_owned);
    checker.or_fallback(path, found, None)
}

fn read_key(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<PrivateKeyDer<'static>> {
    let pem = read_file(checker, path, name)?;
    let text = match PrivateKeyDer::from_pem_slice(file::without_mark(&pem)) {
        Ok(key) => return Some(key),
        Err(PemError::NoItemsFound) if memchr::memmem::find(&pem, b"ENCRYPTED").is_some() => {
            "the key is encrypted; decrypt it (openssl pkey -in FILE -out FILE)"
        }
        Err(PemError::NoItemsFound) => {
            "the file contains no private key in PEM; convert it (openssl pkey -inform der)"
        }
        Err(_) => "the file is damaged PEM; replace it",
    };
    checker.error(path, text);
    None
}

fn read_file(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    match checker.files.read(name, MAX_FILE_SIZE) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let text = format!("the file cannot be read: {}", file::read_error(&error));
            checker.error(path, text);
            None
        }
    }
}

/// Authorities of client certificates, and their verifier.
type ClientVerification = (Vec<CertificateDer<'static>>, Arc<dyn ClientCertVerifier>);

fn client_verification(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Tls,
    provider: &Arc<CryptoProvider>,
) -> Option<ClientVerification> {
    let (authorities, auth) = (path.key("client_ca_file"), path.key("client_auth"));
    let Some(name) = &raw.client_ca_file else {
        if raw.client_auth != ClientAuth::Off && !checker.is_pruned(path) {
            let text = "needs client_ca_file, the authorities that issue client certificates";
            checker.error(&auth, text);
        }
        return None;
    };
    if raw.client_auth == ClientAuth::Off {
        if !checker.is_pruned(&auth) {
            let text = "is not used while client_auth is \"off\"; set that to \"required\" or \"optional\", or remove this line";
            checker.error(&authorities, text);
        }
        return None;
    }
    let found = read_certificates(checker, &authorities, name)?;
    let roots = match certificates::root_store(&found) {
        Ok(roots) => roots,
        Err(text) => {
            checker.error(&authorities, text);
            return None;
        }
    };
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let builder = match raw.client_auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    let built = builder
        .build()
        .map_err(|error| format!("{error}; name another file"));
    let verification = built.map(|verifier| Some((found, verifier as Arc<dyn ClientCertVerifier>)));
    checker.or_fallback(&authorities, verification, None)
}
