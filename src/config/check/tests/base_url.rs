use crate::config::tests::Trial;

fn house(url: &str) -> Trial {
    Trial::file(&format!("[providers.house]\nbase_url = '{url}'"))
}

#[test]
fn wc06_check_warns_of_a_base_url_that_ends_in_an_endpoint() {
    for (path, meant) in [
        ("/v1/chat/completions", "/v1"),
        ("/v1/chat/completions/", "/v1"),
        ("/v1/completions", "/v1"),
        ("/v1/messages", "/v1"),
        ("/v1/messages/count_tokens", "/v1"),
        ("/v1/responses", "/v1"),
        ("/v1/embeddings", "/v1"),
        ("/v1/models", "/v1"),
        ("/v1/images/generations", "/v1"),
        ("/v1/audio/transcriptions", "/v1"),
        ("/chat/completions", "/"),
        ("/v1/v1", "/v1"),
        ("/api/v1/v1/", "/api/v1"),
    ] {
        let warnings = house(&format!("http://h{path}")).warnings();
        let [warning] = &warnings[..] else {
            panic!("{path}: {warnings:?}");
        };
        let ending = format!("; should it be http://h{meant}?");
        assert!(warning.ends_with(&ending), "{path}: {warning}");
        assert!(warning.contains("(set by config)"), "{warning}");
    }
    let name = "OLLAMA_BASE_URL";
    let trial = Trial::file("").variable(name, "http://h/v1/chat/completions");
    assert_eq!(
        trial.warnings(),
        [
            "base URL http://h/v1/chat/completions (set by OLLAMA_BASE_URL) ends in the path of an endpoint, which is added for each request; should it be http://h/v1?"
        ]
    );
}

#[test]
fn wc06_check_accepts_base_urls_of_every_usual_form() {
    for url in [
        "http://h/v1",
        "http://h/v1/",
        "http://h",
        "http://h/models/llama/v1",
        "http://completions/v1",
        "http://h/openai/deployments/gpt-4o",
        "https://res.services.ai.azure.com/models",
        "https://gateway.example/proxy/https://api.example.com/v1",
        "http://h/a%20b/v1",
    ] {
        assert!(house(url).warnings().is_empty(), "{url}");
    }
}

#[test]
fn what_would_be_dropped_or_escaped_in_a_base_url_is_an_error() {
    for (url, expected) in [
        ("https://h/v1 # production", "a space"),
        ("https://h /v1", "a space"),
        ("https://h/{ACCOUNT}/v1", "a placeholder"),
        ("https://h/<account>/v1", "a placeholder"),
        ("https://${HOST}/v1", "a placeholder"),
        ("https://h/v1\"", "a quote"),
        ("\"https://h/v1\"", "not a URL"),
        ("https:\\\\h\\v1", "a placeholder"),
        ("https://https://h/v1", "its scheme twice"),
    ] {
        let error = house(url).error();
        assert!(error.contains(expected), "{url}: {error}");
        assert!(error.contains("https://api.example.com/v1"), "{error}");
    }
    let error = house("https://h/openai?api-version=2024-02-01").error();
    assert!(error.contains("name the version in api_version"), "{error}");
    let trial = Trial::file("").variable("OLLAMA_BASE_URL", " http://h/v1\n");
    assert!(trial.warnings().is_empty());
    let trial = Trial::file("").variable("OLLAMA_BASE_URL", "http://h/\nv1");
    assert!(trial.error().contains("a line break"));
}
