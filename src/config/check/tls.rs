//! `[server.tls]`.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Check;
use crate::config::error::KeyPath;
use crate::config::{ClientAuth, Tls, file, raw};
use crate::wall_clock;

/// Most bytes of a certificate or key file.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// Checks `[server.tls]`; none when the listener is to speak without TLS.
pub fn settle(check: &mut Check<'_>, raw: &raw::Tls) -> Option<Tls> {
    let path = KeyPath::new(["server", "tls"]);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clients = clients(check, &path, raw, &provider);
    let (Some(chain), Some(key)) = (&raw.cert_file, &raw.key_file) else {
        let is_unused = raw.cert_file.is_none()
            && raw.key_file.is_none()
            && raw.client_ca_file.is_none()
            && raw.client_auth == ClientAuth::Off;
        if !is_unused && !check.is_spoiled(&path) {
            check.fault(&path, "TLS takes both cert_file and key_file; set them");
        }
        return None;
    };
    let chain = chain_of(check, &path.key("cert_file"), chain);
    let key = key_of(check, &path.key("key_file"), key);
    let certificate = certified(check, &path, chain?, key?, &provider)?;
    let (authorities, verifier) = clients.unzip();
    Some(Tls {
        certificate: Arc::new(certificate),
        verifier,
        authorities: authorities.unwrap_or_default(),
        client_auth: raw.client_auth,
    })
}

fn certified(
    check: &mut Check<'_>,
    path: &KeyPath,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Option<CertifiedKey> {
    let found = CertifiedKey::from_der(chain, key, provider);
    // What a library says of a key file is not passed on.
    let text = match found {
        Ok(certified) => return Some(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            "not the key of the first certificate in cert_file; name the two that belong together"
        }
        Err(rustls::Error::InvalidCertificate(_)) => {
            let text = "the first certificate is damaged; make it anew";
            check.fault(&path.key("cert_file"), text);
            return None;
        }
        Err(_) => "a kind of key that TLS cannot use here; make an ECDSA, Ed25519 or RSA key",
    };
    check.fault(&path.key("key_file"), text);
    None
}

fn chain_of(
    check: &mut Check<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<Vec<CertificateDer<'static>>> {
    let chain = certificates(check, path, name)?;
    if let Some(first) = chain.first() {
        warn_of_end(check, path, first);
    }
    Some(chain)
}

/// An expired certificate is served all the same: callers say more clearly
/// what is wrong than a port that is closed.
fn warn_of_end(check: &mut Check<'_>, path: &KeyPath, certificate: &CertificateDer<'_>) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return;
    };
    let end = parsed.validity().not_after.timestamp();
    if let Ok(end) = Timestamp::from_second(end)
        && SystemTime::from(end) <= wall_clock::now()
    {
        let text = format!("{path}: the certificate expired at {end}; renew it");
        check.warnings.push(text);
    }
}

fn certificates(
    check: &mut Check<'_>,
    path: &KeyPath,
    name: &str,
) -> Option<Vec<CertificateDer<'static>>> {
    let pem = read(check, path, name)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let text = match found {
        Ok(found) if !found.is_empty() => return Some(found),
        Ok(_) => "the file holds no PEM certificate; convert it (openssl x509 -inform der)",
        Err(_) => "the file is damaged PEM; make it anew",
    };
    check.fault(path, text);
    None
}

fn key_of(check: &mut Check<'_>, path: &KeyPath, name: &str) -> Option<PrivateKeyDer<'static>> {
    let pem = read(check, path, name)?;
    let text = match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => return Some(key),
        Err(PemError::NoItemsFound) if memchr::memmem::find(&pem, b"ENCRYPTED").is_some() => {
            "the key is encrypted; decrypt it (openssl pkey -in FILE -out FILE)"
        }
        Err(PemError::NoItemsFound) => {
            "the file holds no private key in PEM; convert it (openssl pkey -inform der)"
        }
        Err(_) => "the file is damaged PEM; make it anew",
    };
    check.fault(path, text);
    None
}

fn read(check: &mut Check<'_>, path: &KeyPath, name: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    match check.files.read(name, LARGEST_FILE) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let text = format!("the file cannot be read: {}", file::reason(&error));
            check.fault(path, text);
            None
        }
    }
}

/// Whose certificates are taken, and what judges them.
type Clients = (Vec<CertificateDer<'static>>, Arc<dyn ClientCertVerifier>);

fn clients(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Tls,
    provider: &Arc<CryptoProvider>,
) -> Option<Clients> {
    let (authorities, auth) = (path.key("client_ca_file"), path.key("client_auth"));
    let Some(name) = &raw.client_ca_file else {
        if raw.client_auth != ClientAuth::Off && !check.is_spoiled(path) {
            let text = "needs client_ca_file, the authorities that issue the callers' certificates";
            check.fault(&auth, text);
        }
        return None;
    };
    if raw.client_auth == ClientAuth::Off {
        if !check.is_spoiled(&auth) {
            let text = "is not used while client_auth is \"off\"; set that to \"required\" or \"optional\", or remove this line";
            check.fault(&authorities, text);
        }
        return None;
    }
    let found = certificates(check, &authorities, name)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        if roots.add(certificate.clone()).is_err() {
            check.fault(&authorities, "holds a damaged certificate; make it anew");
            return None;
        }
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let builder = match raw.client_auth {
        ClientAuth::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    let built = builder
        .build()
        .map_err(|error| format!("{error}; name another file"));
    let judge = built.map(|verifier| Some((found, verifier as Arc<dyn ClientCertVerifier>)));
    check.settle(&authorities, judge, None)
}
