use super::Trial;

const CANARY: &str = "Canary7Qx9";

fn reveals(text: &str) -> bool {
    // Any eight consecutive characters count as a leak.
    let letters: Vec<char> = CANARY.chars().collect();
    letters
        .windows(8)
        .any(|part| text.contains(&part.iter().collect::<String>()))
}

#[test]
fn debug_output_contains_no_secret() {
    let trial = Trial::file(&format!(
        "[providers.a]\nbase_url = \"https://a/v1\"\napi_key = \"{CANARY}1\"\n\
         headers = {{ x-secret = \"{CANARY}2\" }}\n\
         [store]\nurl_env = \"VALKEY_URL\"\n\
         [providers.b]\nbase_url = \"https://b/v1\"\napi_key_file = \"key\"\n"
    ))
    .with("key", format!("{CANARY}3\n"))
    .with(".env", format!("GROQ_API_KEY={CANARY}4"))
    .variable("OPENAI_API_KEY", &format!("{CANARY}5"))
    .variable("VALKEY_URL", &format!("redis://a:{CANARY}6@cache"));
    let config = trial.config();
    let ready = |name: &str| config.providers[name].is_ready();
    assert!(["a", "b", "groq", "openai"].into_iter().all(ready));
    let text = format!("{config:?} {config:#?}");
    assert!(text.contains("***"));
    assert!(!reveals(&text));
}

#[test]
fn debug_output_of_the_environment_contains_names_only() {
    let environment = crate::config::Environment::from_iter([("NAME", CANARY)]);
    let text = format!("{environment:?}");
    assert!(text.contains("NAME") && !reveals(&text));
}

#[test]
fn no_error_quotes_a_value() {
    let keys = [
        "api_key = \"Canary7Qx9 \"",
        "api_key = \"Canary7Qx9\\n\"",
        "api_key_env = \"Canary7Qx9\"",
        "api_key_file = \"Canary7Qx9\"",
        "base_url_env = \"Canary7Qx9\"",
        "base_url = \"https://user:Canary7Qx9@host/v1\"",
        "base_url = \"https://host/v1?key=Canary7Qx9\"",
        "base_url = \"Canary7Qx9\"",
        "base_url = \"Canary7Qx9://x\"",
        "base_url = \"http://:Canary7Qx9\"",
        "auth = \"Canary7Qx9 x\"",
        "auth = \"Bearer Canary7Qx9\"",
        "headers = { authorization = \"Canary7Qx9\" }",
        "headers = { x-a = \"Canary7Qx9\\n\" }",
        "organization = \"Canary7Qx9\\n\"",
        "stream_usage = \"Canary7Qx9\"",
        "http = \"Canary7Qx9\"",
        "ca_file = \"Canary7Qx9\"",
        "timeouts = { response_header = \"Canary7Qx9\" }",
        "timeouts = \"Canary7Qx9\"",
        "api_key = [\"Canary7Qx9\"]",
        "api_key = Canary7Qx9",
        "api_key = \"Canary7Qx9",
    ];
    for key in keys {
        let errors = Trial::file(&format!("[providers.openai]\n{key}\n")).errors();
        assert!(!errors.is_empty(), "{key} is accepted");
        assert!(!reveals(&errors.join("\n")), "{key}: {errors:?}");
    }
    let errors =
        Trial::file("[access.keys.a]\nsha256 = \"Canary7Qx9\"\nexpires = \"Canary7Qx9\"").errors();
    assert!(
        errors.len() == 2 && !reveals(&errors.join("\n")),
        "{errors:?}"
    );
}

#[test]
fn no_warning_quotes_a_value() {
    let warnings = Trial::file("[providers.openai]\napi_key = \"Canary7Qx9\"").warnings();
    assert_eq!(
        warnings,
        [
            "trunkline.toml:2: providers.openai.api_key: a key in the file; prefer api_key_env or api_key_file"
        ]
    );
}

#[test]
fn a_certificate_file_with_a_private_key_is_rejected() {
    let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let both = format!("{}{}", pair.cert.pem(), pair.signing_key.serialize_pem());
    let trial = Trial::file("[providers.openai]\nca_file = \"ca.pem\"").with("ca.pem", both);
    assert!(trial.error().contains("private key"));
}
