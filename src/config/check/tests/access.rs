use crate::config::tests::Trial;

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn key(lines: &str) -> Trial {
    Trial::file(&format!("[access.keys.a]\n{lines}\n"))
}

#[test]
fn a_key_is_its_hash() {
    let config = key(&format!("sha256 = \"{}\"", HASH.to_uppercase())).config();
    let [key] = config.access.keys.as_slice() else {
        panic!("one key");
    };
    assert_eq!(
        (key.name.as_str(), key.sha256[0], key.sha256[31]),
        ("a", 0xBA, 0xAD)
    );
    assert!(key.models.is_none() && key.expires.is_none());
    assert!(!config.access.is_open());
}

#[test]
fn a_hash_has_sixty_four_digits() {
    assert!(key("").error().contains("access.keys.a: sha256 is missing"));
    for hash in [
        "",
        "abc",
        &HASH[1..],
        &format!("{HASH}0"),
        &HASH.replace('b', "g"),
        &"é".repeat(32),
        &format!("+{}", &HASH[1..]),
    ] {
        let error = key(&format!("sha256 = \"{hash}\"")).error();
        assert!(
            error.starts_with("trunkline.toml:2: access.keys.a.sha256: not a SHA-256"),
            "{error}"
        );
    }
}

#[test]
fn two_clients_cannot_share_a_key() {
    let error = key(&format!(
        "sha256 = \"{HASH}\"\n[access.keys.b]\nsha256 = \"{HASH}\""
    ))
    .error();
    assert_eq!(
        error,
        "trunkline.toml:4: access.keys.b.sha256: the same key as access.keys.a; make one for each client"
    );
}

#[test]
fn a_day_lasts_until_its_end_in_utc() {
    for written in [
        "2199-06-30",
        "\"2199-06-30\"",
        "\"2199-07-01T00:00:00Z\"",
        "2199-07-01T02:00:00+02:00",
        "2199-07-01 00:00:00Z",
    ] {
        let config = key(&format!("sha256 = \"{HASH}\"\nexpires = {written}")).config();
        let expires = config.access.keys[0].expires.unwrap();
        assert_eq!(expires.to_string(), "2199-07-01T00:00:00Z");
    }
}

#[test]
fn a_time_without_a_zone_is_rejected() {
    for text in [
        "",
        "soon",
        "2199-06-30T12:00:00",
        "2199-13-01",
        "9999-12-31",
        "2199-06-30 ",
    ] {
        let error = key(&format!("sha256 = \"{HASH}\"\nexpires = \"{text}\"")).error();
        assert!(error.contains("expires: not a time"), "{text}: {error}");
    }
}

#[test]
fn an_expired_key_is_a_warning() {
    let warnings = key(&format!("sha256 = \"{HASH}\"\nexpires = 2020-01-01")).warnings();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("access.keys.a.expires has passed"));
}

#[test]
fn models_are_globs() {
    let config = key(&format!(
        "sha256 = \"{HASH}\"\nmodels = [\"gpt-*\", \"fast\"]"
    ))
    .config();
    let globs = config.access.keys[0].models.as_ref().unwrap();
    let allows = |name: &str| globs.iter().any(|glob| glob.matches(name));
    assert!(allows("gpt-4o") && allows("fast") && !allows("faster"));
    assert!(
        key(&format!("sha256 = \"{HASH}\"\nmodels = [\"\"]"))
            .error()
            .contains("models[0]")
    );
}

#[test]
fn names_can_be_logged() {
    let error = Trial::file(&format!("[access.keys.\"a\\nb\"]\nsha256 = \"{HASH}\"")).error();
    assert!(
        error.contains(r#"access.keys."a\nb": not a valid name"#),
        "{error}"
    );
}

#[test]
fn the_hash_of_no_key_is_an_error() {
    for hash in [
        // sha256sum of nothing, and of `echo "$UNSET"`.
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b",
    ] {
        let error = key(&format!("sha256 = \"{hash}\"")).error();
        assert!(
            error.contains("access.keys.a.sha256: the SHA-256 of an empty key; trunkline keygen"),
            "{error}"
        );
    }
}

#[test]
fn models_of_a_client_that_allow_nothing_are_a_warning() {
    let warnings = |models: &str, rest: &str| {
        let text = format!(
            "{rest}\n[models.fast]\nprovider = \"groq\"\n[access.keys.a]\nsha256 = \"{HASH}\"\nmodels = {models}"
        );
        Trial::file(&text).variable("GROQ_API_KEY", "k").warnings()
    };
    for models in [
        "[\"fast\"]",
        "[\"f*\"]",
        "[\"*\"]",
        "[\"demo\"]",
        "[\"gpt-4o\"]",
        "[\"openai/*\"]",
        "[\"openai/any\"]",
        "[\"gro*\"]",
        "[\"*/any\"]",
    ] {
        assert_eq!(warnings(models, ""), [""; 0], "{models}");
    }
    for (models, rest, expected) in [
        ("[]", "", "models: empty, so the client may use no model"),
        (
            "[\"fasst\"]",
            "",
            "models[0]: \"fasst\" matches no model; did you mean \"fast\"?",
        ),
        (
            "[\"fast\", \"nosuch/*\"]",
            "",
            "models[1]: \"nosuch/*\" matches no model; `trunkline models",
        ),
        (
            "[\"openai/*\"]",
            "strict_models = true",
            "models[0]: \"openai/*\" matches no model",
        ),
    ] {
        let found = warnings(models, rest);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{models}: {found:?}"
        );
    }
    let certificate = "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n\
        client_ca_file = \"ca.crt\"\nclient_auth = \"required\"\n\
        [access.certificates.b]\nsan = \"b.test\"\nmodels = []";
    let found = Trial::file(certificate).with_certificates().warnings();
    assert!(
        found[0].contains("access.certificates.b.models: empty"),
        "{found:?}"
    );
}
