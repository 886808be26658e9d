//! `SSL_CERT_FILE` and `SSL_CERT_DIR`, which replace the system's certificate authorities.
//! A mistake in them leaves those of Mozilla, and so is a warning.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls_native_certs::{CertificateResult, ErrorKind, load_certs_from_paths};

use super::{Checker, certificates};
use crate::config::error::{KeyPath, Location};
use crate::config::file;

const FILE: &str = "SSL_CERT_FILE";
const DIRECTORIES: &str = "SSL_CERT_DIR";
/// In bytes.
const MAX_FILE_SIZE: u64 = 16 * 1024 * 1024;

/// What one of the variables comes to.
struct Authorities {
    variable: &'static str,
    trusted: usize,
    /// With the cure.
    problem: Option<String>,
}

pub fn check(checker: &mut Checker<'_>) {
    let file = set(checker, FILE).map(from_file);
    let directories = set(checker, DIRECTORIES).map(from_directories);
    let found = [file, directories];
    let trusted: usize = found.iter().flatten().map(|it| it.trusted).sum();
    for Authorities {
        variable, problem, ..
    } in found.into_iter().flatten()
    {
        let Some(problem) = problem else { continue };
        let result = if trusted == 0 {
            "Mozilla's certificate authorities are trusted instead"
        } else {
            "only what can be read is trusted"
        };
        let location = checker.environment.location(variable);
        let text = format!("{problem} (until then, {result})");
        checker.warn(location, &KeyPath::default(), text);
    }
}

/// The value of a variable that has an effect. The library that loads the authorities
/// reads the environment of the process.
fn set<'a>(checker: &mut Checker<'a>, name: &str) -> Option<&'a str> {
    let environment = checker.environment;
    let location = environment.location(name);
    let is_from_process = matches!(location, Location::Variable { dotenv: false, .. });
    let text = match environment.get(name) {
        Some(value) if is_from_process => return Some(value),
        Some(_) => "has no effect here; set it in the environment of the process, or set ca_file",
        None if is_from_process && name == FILE && environment.has(name) => {
            "empty, so the system's certificate authorities are not read; unset it"
        }
        None => return None,
    };
    checker.warn(location, &KeyPath::default(), text);
    None
}

fn from_file(path: &str) -> Authorities {
    let found = load_certs_from_paths(Some(Path::new(path)), None);
    let mut authorities = Authorities::new(FILE, &found);
    if authorities.problem.is_none() {
        authorities.problem = skipped(path).map(str::to_owned);
    }
    authorities
}

fn from_directories(list: &str) -> Authorities {
    let mut all = CertificateResult::default();
    let paths = std::env::split_paths(list);
    for path in paths.filter(|path| !path.as_os_str().is_empty()) {
        let mut found = load_certs_from_paths(None, Some(&path));
        all.certs.append(&mut found.certs);
        all.errors.append(&mut found.errors);
    }
    Authorities::new(DIRECTORIES, &all)
}

impl Authorities {
    fn new(variable: &'static str, found: &CertificateResult) -> Self {
        let mut roots = RootCertStore::empty();
        let (trusted, damaged) = roots.add_parsable_certificates(found.certs.iter().cloned());
        let problem = match found.errors.first().map(|error| &error.kind) {
            Some(ErrorKind::Io { inner, .. }) => Some(file::read_error(inner)),
            Some(_) => Some("contains damaged PEM; replace it".to_owned()),
            None if found.certs.is_empty() => {
                Some("contains no PEM certificate; name the right one".to_owned())
            }
            None if damaged > 0 => Some("contains a damaged certificate; replace it".to_owned()),
            None => None,
        };
        Self {
            variable,
            trusted,
            problem,
        }
    }
}

/// Why the library skips a certificate of the file without an error.
fn skipped(path: &str) -> Option<&'static str> {
    let mut pem = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAX_FILE_SIZE).read_to_end(&mut pem).ok()?;
    certificates::parse(&pem).err()
}
