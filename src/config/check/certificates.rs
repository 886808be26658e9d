//! PEM files of certificates.

use memchr::memmem;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::config::file;

/// All certificates of a file, at least one; none is skipped. The error names the cure.
pub fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.len() < begin_lines(pem) => Err(
            "one of its certificates cannot be read; put its BEGIN line at the start of a line, as openssl x509 prints it",
        ),
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) if file::is_utf16(pem) => Err("encoded in UTF-16; save it as UTF-8"),
        Ok(_) => Err("the file contains no PEM certificate; convert it (openssl x509 -inform der)"),
        Err(_) => Err("the file is damaged PEM; replace it"),
    }
}

/// The store of these authorities; the error names the cure.
pub fn root_store(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate.clone());
        added.map_err(|_| "contains a damaged certificate; replace it")?;
    }
    Ok(roots)
}

/// Certificates with a BEGIN line, `TRUSTED CERTIFICATE` included. The parser skips those
/// whose line does not begin with it.
fn begin_lines(pem: &[u8]) -> usize {
    let begin = memmem::Finder::new(b"-----BEGIN ");
    let labels = begin.find_iter(pem).filter_map(|at| {
        let label = pem.get(at + begin.needle().len()..)?;
        label.get(..memmem::find(label, b"-----")?)
    });
    labels
        .filter(|label| label.ends_with(b"CERTIFICATE"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::{parse, root_store};

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(["a.test".to_owned()])
            .unwrap()
            .cert
            .pem()
    }

    #[test]
    fn every_certificate_is_read() {
        let (one, other) = (certificate(), certificate());
        let crlf = format!("# one\n{one}\n# other\n{other}").replace('\n', "\r\n");
        for pem in [format!("{one}{other}"), crlf] {
            let found = parse(pem.as_bytes()).unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!(root_store(&found).unwrap().len(), 2);
        }
    }

    #[test]
    fn a_certificate_that_would_be_skipped_is_an_error() {
        let (one, other) = (certificate(), certificate());
        let trusted = other.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        for pem in [
            format!("\u{feff}{one}{other}"),
            format!("{one}    {other}"),
            format!("{one}{trusted}"),
        ] {
            let error = parse(pem.as_bytes()).unwrap_err();
            assert!(error.starts_with("one of its certificates"), "{error}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_an_error() {
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let found = parse(damaged.as_bytes()).unwrap();
        assert!(root_store(&found).is_err());
        for (pem, expected) in [
            (&b""[..], "no PEM certificate"),
            (b"garbage", "no PEM certificate"),
            (b"\xFF\xFE-\0-\0", "UTF-16"),
            (
                b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                "damaged",
            ),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "damaged"),
        ] {
            let error = parse(pem).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
