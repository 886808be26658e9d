use crate::config::tests::Trial;
use crate::config::{ClientAuth, Identity};

const BOTH: &str = "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n";

fn trial(lines: &str) -> Trial {
    Trial::file(&format!("{BOTH}{lines}")).with_certificates()
}

#[track_caller]
fn error(trial: &Trial, prefix: &str, part: &str) {
    let error = trial.error();
    assert!(error.contains(prefix) && error.contains(part), "{error}");
}

#[test]
fn tls_needs_both_files() {
    assert!(Trial::file("").config().server.tls.is_none());
    let tls = trial("").config().server.tls.unwrap();
    assert_eq!(tls.client_auth, ClientAuth::Off);
    assert!(tls.verifier.is_none());
    for lines in ["cert_file = \"tls.crt\"", "key_file = \"tls.key\""] {
        let trial = Trial::file(&format!("[server.tls]\n{lines}")).with_certificates();
        error(&trial, "server.tls: ", "both cert_file and key_file");
    }
}

#[test]
fn a_unix_socket_has_no_tls() {
    let file = format!("[server]\nlisten = \"unix:/run/a.sock\"\n{BOTH}");
    let trial = Trial::file(&file).with_certificates();
    error(&trial, "server.tls: ", "remove server.tls");
}

#[test]
fn invalid_files_are_errors_with_a_cure() {
    let nothing = Trial::file(BOTH);
    let errors = nothing.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors
            .iter()
            .all(|error| error.contains("no such file; name a file"))
    );

    let (cert, key) = ("server.tls.cert_file: ", "server.tls.key_file: ");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (file, text, at, part) in [
        ("tls.crt", "", cert, "no PEM certificate"),
        (
            "tls.crt",
            "-----BEGIN CERTIFICATE-----\n!\n",
            cert,
            "damaged",
        ),
        (
            "tls.crt",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            cert,
            "damaged",
        ),
        ("tls.key", "", key, "no private key in PEM"),
        ("tls.key", encrypted, key, "decrypt it (openssl pkey"),
        (
            "tls.key",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            key,
            "unsupported key type",
        ),
    ] {
        error(&trial("").with(file, text), at, part);
    }
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    error(
        &trial("").with("tls.key", &other),
        key,
        "does not match the first certificate",
    );
}

#[test]
fn client_ca_file_and_client_auth_need_each_other() {
    let ca = "client_ca_file = \"ca.crt\"\n";
    for (auth, required) in [("optional", false), ("required", true)] {
        let tls = trial(&format!("{ca}client_auth = \"{auth}\""))
            .config()
            .server
            .tls;
        let verifier = tls.unwrap().verifier.unwrap();
        assert_eq!(verifier.client_auth_mandatory(), required);
        let alone = trial(&format!("client_auth = \"{auth}\""));
        error(&alone, "server.tls.client_auth: ", "needs client_ca_file");
    }
    error(
        &trial(ca),
        "server.tls.client_ca_file: ",
        "is not used while client_auth",
    );
    let empty = trial(&format!("{ca}client_auth = \"required\"")).with("ca.crt", "");
    error(&empty, "server.tls.client_ca_file: ", "no PEM certificate");
}

fn listed(lines: &str) -> Trial {
    let requesting = "client_ca_file = \"ca.crt\"\nclient_auth = \"optional\"\n";
    trial(&format!("{requesting}[access.certificates.a]\n{lines}"))
}

#[test]
fn a_certificate_is_identified_by_one_name_or_its_hash() {
    let identity = |lines: &str| {
        let access = listed(lines).config().access;
        assert!(!access.is_open());
        access.certificates[0].identity.clone()
    };
    for (name, expected) in [
        ("Chat.Example.com", Identity::Dns("chat.example.com".into())),
        (
            "spiffe://a.test/B",
            Identity::Uri("spiffe://a.test/B".into()),
        ),
        ("urn:uuid:1", Identity::Uri("urn:uuid:1".into())),
    ] {
        assert_eq!(identity(&format!("san = \"{name}\"")), expected);
    }
    for hash in ["aB".repeat(32), ["AB"; 32].join(":")] {
        let expected = Identity::Sha256([0xab; 32]);
        assert_eq!(identity(&format!("sha256 = \"{hash}\"")), expected);
    }
    for name in [
        "",
        "*.example.com",
        "10.0.0.1",
        "CN=chat",
        "chat:443",
        "a b",
    ] {
        let bad = listed(&format!("san = \"{name}\""));
        error(
            &bad,
            "access.certificates.a.san: ",
            "not a host name or URI",
        );
    }
    error(&listed("sha256 = \"ab\""), "a.sha256: ", "not a SHA-256");
    error(
        &listed(""),
        "access.certificates.a: ",
        "one of san and sha256",
    );
    let twice = "san = \"a.test\"\n[access.certificates.b]\nsan = \"A.test\"";
    error(
        &listed(twice),
        "access.certificates.b: ",
        "the same certificate as access.certificates.a",
    );
    let key = format!(
        "san = \"a.test\"\n[access.keys.a]\nsha256 = \"{}\"",
        "0".repeat(64)
    );
    error(
        &listed(&key),
        "access.certificates.a: ",
        "access.keys has this name too",
    );
}

#[test]
fn listed_certificates_must_be_requested() {
    let unrequested = trial("[access.certificates.a]\nsan = \"a.test\"");
    error(
        &unrequested,
        "access.certificates: ",
        "set server.tls.client_auth",
    );
}

#[test]
fn certificates_protect_a_listener_beyond_loopback() {
    let beyond = |auth: &str, list: &str| {
        let text = format!(
            "[server]\nlisten = \"0.0.0.0:1\"\n{BOTH}client_ca_file = \"ca.crt\"\nclient_auth = \"{auth}\"\n{list}"
        );
        Trial::file(&text).with_certificates()
    };
    assert!(beyond("required", "").load().is_ok());
    let list = "[access.certificates.a]\nsan = \"a.test\"";
    assert!(beyond("optional", list).load().is_ok());
    error(
        &beyond("optional", ""),
        "server.listen: ",
        "reachable from other machines",
    );
}

#[test]
fn common_key_types_are_accepted() {
    for kind in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ED25519,
    ] {
        let key = rcgen::KeyPair::generate_for(kind).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let config = trial("")
            .with("tls.crt", &certificate)
            .with("tls.key", key.serialize_pem())
            .config();
        assert!(config.server.tls.is_some() && config.warnings.is_empty());
    }
}

#[test]
fn wo04_a_byte_order_mark_before_a_certificate_or_key_changes_nothing() {
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let config = trial("")
        .with("tls.crt", format!("\u{feff}{certificate}"))
        .with("tls.key", format!("\u{feff}{}", key.serialize_pem()))
        .config();
    assert!(config.server.tls.is_some());
}
