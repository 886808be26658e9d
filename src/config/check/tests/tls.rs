use crate::config::tests::Trial;
use crate::config::{ClientAuth, Identity};

const BOTH: &str = "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n";

fn trial(lines: &str) -> Trial {
    Trial::file(&format!("{BOTH}{lines}")).with_certificates()
}

#[track_caller]
fn fault(trial: &Trial, prefix: &str, part: &str) {
    let fault = trial.fault();
    assert!(fault.contains(prefix) && fault.contains(part), "{fault}");
}

#[test]
fn off_unless_both_files_are_named() {
    assert!(Trial::file("").config().server.tls.is_none());
    let tls = trial("").config().server.tls.unwrap();
    assert_eq!(tls.client_auth, ClientAuth::Off);
    assert!(tls.verifier.is_none());
    for lines in ["cert_file = \"tls.crt\"", "key_file = \"tls.key\""] {
        let trial = Trial::file(&format!("[server.tls]\n{lines}")).with_certificates();
        fault(&trial, "server.tls: ", "both cert_file and key_file");
    }
}

#[test]
fn a_socket_at_a_path_speaks_no_tls() {
    let file = format!("[server]\nlisten = \"unix:/run/a.sock\"\n{BOTH}");
    let trial = Trial::file(&file).with_certificates();
    fault(&trial, "server.tls: ", "remove server.tls");
}

#[test]
fn files_that_are_unfit_are_refused_with_a_cure() {
    let nothing = Trial::file(BOTH);
    let faults = nothing.faults();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults
            .iter()
            .all(|fault| fault.contains("no such file; name a file"))
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
            "a kind of key that TLS cannot use",
        ),
    ] {
        fault(&trial("").with(file, text), at, part);
    }
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    fault(
        &trial("").with("tls.key", &other),
        key,
        "not the key of the first certificate",
    );
}

#[test]
fn the_authorities_of_callers_and_client_auth_go_together() {
    let ca = "client_ca_file = \"ca.crt\"\n";
    for (auth, required) in [("optional", false), ("required", true)] {
        let tls = trial(&format!("{ca}client_auth = \"{auth}\""))
            .config()
            .server
            .tls;
        let verifier = tls.unwrap().verifier.unwrap();
        assert_eq!(verifier.client_auth_mandatory(), required);
        let alone = trial(&format!("client_auth = \"{auth}\""));
        fault(&alone, "server.tls.client_auth: ", "needs client_ca_file");
    }
    fault(
        &trial(ca),
        "server.tls.client_ca_file: ",
        "is not used while client_auth",
    );
    let empty = trial(&format!("{ca}client_auth = \"required\"")).with("ca.crt", "");
    fault(&empty, "server.tls.client_ca_file: ", "no PEM certificate");
}

fn listed(lines: &str) -> Trial {
    let asking = "client_ca_file = \"ca.crt\"\nclient_auth = \"optional\"\n";
    trial(&format!("{asking}[access.certificates.a]\n{lines}"))
}

#[test]
fn a_certificate_is_known_by_one_name_or_by_its_hash() {
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
        fault(
            &bad,
            "access.certificates.a.san: ",
            "not a host name or URI",
        );
    }
    fault(&listed("sha256 = \"ab\""), "a.sha256: ", "not a SHA-256");
    fault(
        &listed(""),
        "access.certificates.a: ",
        "one of san and sha256",
    );
    let twice = "san = \"a.test\"\n[access.certificates.b]\nsan = \"A.test\"";
    fault(
        &listed(twice),
        "access.certificates.b: ",
        "the same certificate as access.certificates.a",
    );
    let key = format!(
        "san = \"a.test\"\n[access.keys.a]\nsha256 = \"{}\"",
        "0".repeat(64)
    );
    fault(
        &listed(&key),
        "access.certificates.a: ",
        "access.keys has this name too",
    );
}

#[test]
fn a_list_that_nobody_is_asked_for_is_a_fault() {
    let unasked = trial("[access.certificates.a]\nsan = \"a.test\"");
    fault(
        &unasked,
        "access.certificates: ",
        "set server.tls.client_auth",
    );
}

#[test]
fn certificates_guard_a_listener_beyond_loopback() {
    let beyond = |auth: &str, list: &str| {
        let text = format!(
            "[server]\nlisten = \"0.0.0.0:1\"\n{BOTH}client_ca_file = \"ca.crt\"\nclient_auth = \"{auth}\"\n{list}"
        );
        Trial::file(&text).with_certificates()
    };
    assert!(beyond("required", "").outcome().is_ok());
    let list = "[access.certificates.a]\nsan = \"a.test\"";
    assert!(beyond("optional", list).outcome().is_ok());
    fault(
        &beyond("optional", ""),
        "server.listen: ",
        "reachable from beyond",
    );
}

#[test]
fn keys_of_the_usual_kinds_are_taken() {
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
