use tempfile::TempDir;

use crate::config::tests::Trial;

const MOZILLA: &str = "(until then, Mozilla's certificate authorities are trusted instead)";

fn certificate() -> String {
    rcgen::generate_simple_self_signed(["a.test".to_owned()])
        .unwrap()
        .cert
        .pem()
}

/// A file below a directory of its own, as the value of a variable.
fn file(content: &str) -> (TempDir, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, content).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn warnings(variables: &[(&str, &str)]) -> Vec<String> {
    let trial = Trial::file("");
    let add = |trial: Trial, (name, value): &(&str, &str)| trial.variable(name, value);
    variables.iter().fold(trial, add).warnings()
}

#[test]
fn wo05_readable_authorities_are_no_warning() {
    let (directory, path) = file(&format!("# R\r\n{}{}", certificate(), certificate()));
    let directory = directory.path().to_str().unwrap();
    assert!(warnings(&[("SSL_CERT_FILE", &path)]).is_empty());
    assert!(warnings(&[("SSL_CERT_DIR", directory)]).is_empty());
    assert!(warnings(&[("SSL_CERT_FILE", &path), ("SSL_CERT_DIR", directory)]).is_empty());
}

#[test]
fn wo05_authorities_that_cannot_be_read_are_a_warning() {
    let (directory, garbage) = file("garbage");
    let (_kept, damaged) = file("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let (_kept, not_der) = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let empty = TempDir::new().unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let gone = text(&directory.path().join("gone"));
    for (name, value, expected) in [
        (
            "SSL_CERT_FILE",
            &gone,
            "no such file; name a file that exists",
        ),
        ("SSL_CERT_FILE", &garbage, "contains no PEM certificate"),
        ("SSL_CERT_FILE", &damaged, "contains damaged PEM"),
        ("SSL_CERT_FILE", &not_der, "contains a damaged certificate"),
        ("SSL_CERT_FILE", &text(directory.path()), "is a directory"),
        ("SSL_CERT_DIR", &gone, "no such file"),
        (
            "SSL_CERT_DIR",
            &text(empty.path()),
            "contains no PEM certificate",
        ),
        (
            "SSL_CERT_DIR",
            &text(directory.path()),
            "contains no PEM certificate",
        ),
    ] {
        let warnings = warnings(&[(name, value)]);
        let [warning] = &warnings[..] else {
            panic!("{expected}: {warnings:?}");
        };
        assert!(warning.starts_with(&format!("{name}: ")), "{warning}");
        assert!(warning.contains(expected), "{warning}");
        assert!(warning.ends_with(MOZILLA), "{warning}");
    }
}

#[test]
fn wo05_one_damaged_certificate_among_others_is_a_warning() {
    let good = certificate();
    let (_kept, path) = file(&format!(
        "{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    ));
    let expected = "SSL_CERT_FILE: contains a damaged certificate; replace it (until then, only what can be read is trusted)";
    assert_eq!(warnings(&[("SSL_CERT_FILE", &path)]), [expected]);
    let (_kept, path) = file(&good);
    let list = "/no/such/directory";
    let warnings = warnings(&[("SSL_CERT_FILE", &path), ("SSL_CERT_DIR", list)]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("SSL_CERT_DIR: "), "{warnings:?}");
}

#[test]
fn wo05_a_certificate_that_would_be_skipped_is_a_warning() {
    let (one, other) = (certificate(), certificate());
    for pem in [format!("\u{feff}{one}{other}"), format!("{one}  {other}")] {
        let (_kept, path) = file(&pem);
        let warnings = warnings(&[("SSL_CERT_FILE", &path)]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let start = "SSL_CERT_FILE: one of its certificates cannot be read; ";
        assert!(warnings[0].starts_with(start), "{warnings:?}");
    }
}

#[test]
fn wo05_a_variable_without_effect_is_a_warning() {
    let trial = Trial::file("").with(".env", "SSL_CERT_FILE=/etc/ssl/cert.pem\n");
    assert_eq!(
        trial.warnings(),
        [
            "SSL_CERT_FILE (from .env): has no effect here; set it in the environment of the process, or set ca_file"
        ]
    );
    let warnings = warnings(&[("SSL_CERT_FILE", "")]);
    assert_eq!(
        warnings,
        ["SSL_CERT_FILE: empty, so the system's certificate authorities are not read; unset it"]
    );
    let trial = Trial::file("").with(".env", "SSL_CERT_FILE=\n");
    assert!(trial.variable("SSL_CERT_DIR", "").warnings().is_empty());
}

#[test]
fn wo05_a_ca_file_is_read_whole_or_not_at_all() {
    let (one, other) = (certificate(), certificate());
    let load =
        |pem: &str| Trial::file("[providers.openai]\nca_file = \"ca.pem\"").with("ca.pem", pem);
    let marked = format!("\u{feff}# R\r\n{one}\r\n{other}");
    for pem in [one.clone(), marked] {
        let provider = load(&pem).provider("openai");
        let pem = provider.ca_pem.unwrap();
        assert!(pem.starts_with(b"-----BEGIN") || pem.starts_with(b"# R"));
    }
    for (pem, expected) in [
        (
            format!("{one}  {other}"),
            "one of its certificates cannot be read",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            "contains a damaged certificate",
        ),
        (one.replace('M', "!"), "is damaged PEM"),
        ("garbage".to_owned(), "contains no PEM certificate"),
    ] {
        let error = load(&pem).error();
        assert!(
            error.contains("providers.openai.ca_file: ") && error.contains(expected),
            "{error}"
        );
    }
}
