use crate::config::tests::Trial;

#[test]
fn an_alias_is_its_own_upstream_name_until_told_otherwise() {
    let config = Trial::file(
        "[models.a]\nprovider = \"groq\"\n[models.b]\nprovider = \"groq\"\nmodel = \"c\"",
    )
    .config();
    assert_eq!(config.models["a"].upstream_model, "a");
    assert_eq!(config.models["b"].upstream_model, "c");
    assert!(!config.models["a"].builtin);
    assert!(config.models["gpt-4o"].builtin);
}

#[test]
fn a_built_in_alias_can_be_changed_or_moved() {
    let config = Trial::file(
        "[models.mistral-small]\nmodel = \"m2\"\n[models.mistral-large]\nprovider = \"together\"",
    )
    .config();
    let small = &config.models["mistral-small"];
    assert_eq!(
        (small.provider.as_str(), small.upstream_model.as_str()),
        ("mistral", "m2")
    );
    let large = &config.models["mistral-large"];
    assert_eq!(
        (large.provider.as_str(), large.upstream_model.as_str()),
        ("together", "mistral-large")
    );
    assert!(!small.builtin && !large.builtin);
}

#[test]
fn an_alias_needs_a_provider_that_is_there() {
    let fault = Trial::file("[models.a]\nmodel = \"b\"").fault();
    assert_eq!(
        fault,
        "trunkline.toml:1: models.a: provider is missing; name one, such as provider = \"openai\""
    );
    let fault = Trial::file("[models.a]\nprovider = \"nowhere\"").fault();
    assert!(
        fault.ends_with("write a [providers] table for it, or name a built-in one"),
        "{fault}"
    );
}

#[test]
fn a_provider_at_fault_is_still_the_one_that_is_meant() {
    let fault =
        Trial::file("[providers.house]\nbase_url = \"x\"\n[models.a]\nprovider = \"house\"")
            .fault();
    assert!(fault.contains("providers.house.base_url"), "{fault}");
}

#[test]
fn names_are_short_and_printable() {
    for name in ["", "a\\nb", "\\u001b[31m", &"a".repeat(257)] {
        let fault = Trial::file(&format!("[models.\"{name}\"]\nprovider = \"groq\"")).fault();
        assert!(fault.contains("the name of a model has"), "{fault}");
        let fault = Trial::file(&format!(
            "[models.a]\nprovider = \"groq\"\nmodel = \"{name}\""
        ))
        .fault();
        assert!(
            fault.starts_with("trunkline.toml:3: models.a.model:"),
            "{fault}"
        );
    }
    let name = "Modèle/1: 大 (v2)";
    let config = Trial::file(&format!("[models.\"{name}\"]\nprovider = \"groq\"")).config();
    assert_eq!(config.models[name].upstream_model, name);
}

#[test]
fn an_alias_of_ours_names_its_provider() {
    let config = Trial::file("[models.qwen3]\nprovider = \"ollama\"").config();
    assert!(config.providers["ollama"].is_ready());
}
