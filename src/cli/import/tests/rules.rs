//! Single rules of the conversion.

use super::{Output, import, load_with_variables};

/// The configuration made of these deployments and this further text.
fn toml(deployments: &[&str], more: &str) -> String {
    converted(deployments, more).text
}

fn converted(deployments: &[&str], more: &str) -> Output {
    let mut text = String::from("model_list:\n");
    for deployment in deployments {
        text.push_str("- {");
        text.push_str(deployment);
        text.push_str("}\n");
    }
    text.push_str(more);
    let output = import(&text).unwrap_or_else(|error| panic!("{error:?}"));
    let loaded = load_with_variables(&output.text);
    assert!(loaded.is_ok(), "{}\n{}", loaded.err().unwrap(), output.text);
    output
}

#[track_caller]
fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "no {line:?} in\n{text}");
    }
}

#[test]
fn keys_that_serve_the_same_models_become_keys_of_one_provider() {
    let both = [
        "model_name: m, litellm_params: {model: groq/x, api_key: os.environ/A}",
        "model_name: m, litellm_params: {model: groq/x, api_key: os.environ/B}",
    ];
    let text = toml(&both, "");
    let keys = "api_keys = [{ env = \"A\" }, { env = \"B\" }]";
    assert_has(&text, &["[providers.groq]", keys, "provider = \"groq\""]);
}

#[test]
fn keys_that_serve_other_models_get_providers_of_their_own() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: openai/x, api_key: os.environ/A}",
            "model_name: n, litellm_params: {model: openai/y, api_key: os.environ/B}",
        ],
        "",
    );
    assert_has(
        &text,
        &[
            "[providers.openai]",
            "api_key_env = \"A\"",
            "[providers.openai-2]",
            "api_key_env = \"B\"",
            "base_url = \"https://api.openai.com/v1\"",
            "prices = \"openai\"",
            "stream_usage = \"inject\"",
        ],
    );
}

#[test]
fn the_built_in_name_goes_to_the_built_in_key() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: openai/x, api_key: sk-literal-1}",
            "model_name: n, litellm_params: {model: openai/y, api_key: os.environ/OPENAI_API_KEY}",
        ],
        "",
    );
    assert_has(
        &text,
        &[
            "[providers.openai-2]",
            "api_key_env = \"OPENAI_2_API_KEY\"",
            "provider = \"openai\"",
            "model = \"y\"",
        ],
    );
    assert!(!text.contains("[providers.openai]"), "{text}");
}

#[test]
fn the_same_model_of_the_same_provider_is_one_target() {
    let twice = ["model_name: m, litellm_params: {model: groq/x}"; 2];
    assert_has(&toml(&twice, ""), &["provider = \"groq\"", "model = \"x\""]);
}

#[test]
fn order_and_zero_weight_become_priorities() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: groq/a, order: 2, weight: 1}",
            "model_name: m, litellm_params: {model: groq/b, order: 1, weight: 3}",
            "model_name: m, litellm_params: {model: groq/c, order: 1, weight: 0}",
            "model_name: m, litellm_params: {model: groq/d}",
        ],
        "",
    );
    assert_has(
        &text,
        &[
            "    { provider = \"groq\", model = \"a\", priority = 2 },",
            "    { provider = \"groq\", model = \"b\" },",
            "    { provider = \"groq\", model = \"c\", priority = 1 },",
            "    { provider = \"groq\", model = \"d\", priority = 3 },",
        ],
    );
}

#[test]
fn limits_are_weights_only_where_litellm_shuffles() {
    let both = [
        "model_name: m, litellm_params: {model: groq/a, rpm: 100}",
        "model_name: m, litellm_params: {model: groq/b, rpm: 300}",
    ];
    let shuffled = toml(&both, "");
    assert_has(
        &shuffled,
        &["    { provider = \"groq\", model = \"b\", weight = 3 },"],
    );
    let by_load = toml(&both, "router_settings: {routing_strategy: least-busy}\n");
    let line = "    { provider = \"groq\", model = \"b\" },";
    assert_has(&by_load, &[line, "balance = \"least_loaded\""]);
}

#[test]
fn the_budget_of_the_proxy_is_one_of_all_clients() {
    let models = ["model_name: m, litellm_params: {model: openai/gpt-4o}"];
    for (settings, lines) in [
        (
            "max_budget: 100, budget_duration: 30d",
            vec!["budget = [\"100/month\"]"],
        ),
        (
            "max_budget: 0.5, budget_duration: 1d, timezone: Europe/Berlin",
            vec!["budget = [\"0.5/day\"]", "time_zone = \"Europe/Berlin\""],
        ),
        ("max_budget: 1e3", vec!["budget = [\"1000/total\"]"]),
    ] {
        let text = toml(&models, &format!("litellm_settings: {{{settings}}}\n"));
        assert_has(&text, &["[limits.proxy]"]);
        assert_has(&text, &lines);
    }
    for (settings, note) in [
        ("max_budget: 0", None),
        (
            "max_budget: 9, budget_duration: 10d",
            Some("litellm_settings.budget_duration: not carried over: a budget is for a day"),
        ),
        (
            "max_budget: nine",
            Some("litellm_settings.max_budget: not carried over: not a number of dollars"),
        ),
    ] {
        let output = converted(&models, &format!("litellm_settings: {{{settings}}}\n"));
        assert!(!output.text.contains("[limits.proxy]\n"), "{}", output.text);
        assert_eq!(
            output.notes.contains("budget"),
            note.is_some(),
            "{}",
            output.notes
        );
        assert!(
            output.notes.contains(note.unwrap_or_default()),
            "{}",
            output.notes
        );
    }
    let unpriced = ["model_name: m, litellm_params: {model: openai/no-such-model}"];
    let output = converted(&unpriced, "litellm_settings: {max_budget: 9}\n");
    assert_has(
        &output.text,
        &["# [limits.proxy]", "# budget = [\"9/total\"]"],
    );
    assert!(
        output.notes.contains("carried over as a comment"),
        "{}",
        output.notes
    );
}

#[test]
fn attempts_suffice_to_reach_the_last_fallback() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: groq/a}",
            "model_name: m, litellm_params: {model: xai/a}",
            "model_name: n, litellm_params: {model: groq/b}",
            "model_name: n, litellm_params: {model: xai/b}",
        ],
        "router_settings: {num_retries: 1, fallbacks: [{m: [n]}]}\n",
    );
    assert_has(
        &text,
        &[
            "attempts = 2",
            "fallbacks = [\"n\"]",
            "retry = { attempts = 4 }",
        ],
    );
}

#[test]
fn fallbacks_in_a_circle_are_cut_and_noted() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: groq/a}}\n- {model_name: b, litellm_params: {model: groq/b}}\nrouter_settings: {fallbacks: [{a: [b]}, {b: [a]}], model_group_alias: {c: a}}\n";
    let output = import(text).unwrap();
    assert!(load_with_variables(&output.text).is_ok());
    assert!(output.notes.contains("leads back"), "{}", output.notes);
    assert_eq!(output.text.matches("fallbacks = [\"b\"]").count(), 2);
}

#[test]
fn a_plan_never_exceeds_its_maximum() {
    let names: Vec<String> = (0..70)
        .map(|number| format!("model_name: m{number}, litellm_params: {{model: groq/x{number}}}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    toml(
        &names,
        "litellm_settings: {fallbacks: [{m0: [m1, m2]}], default_fallbacks: [m69, m68]}\n",
    );
    let many: Vec<String> = (0..70)
        .map(|number| format!("model_name: m, litellm_params: {{model: groq/x{number}}}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    toml(&many, "");
}

#[test]
fn listeners_avoid_the_ports_of_model_servers() {
    let text = toml(
        &[
            "model_name: a, litellm_params: {model: openai/a, api_base: 'http://localhost:4000/v1'}",
            "model_name: b, litellm_params: {model: openai/b, api_base: 'http://127.0.0.1:8081/v1'}",
        ],
        "",
    );
    assert_has(
        &text,
        &[
            "listen = \"127.0.0.1:4001\"",
            "[admin]",
            "listen = \"127.0.0.1:8082\"",
        ],
    );
}

#[test]
fn azure_keeps_the_api_that_its_version_means() {
    let deployment = |version: &str| {
        format!(
            "model_name: m, litellm_params: {{model: azure/d, api_key: os.environ/AZURE_API_KEY, api_base: 'https://r.openai.azure.com', {version}}}"
        )
    };
    let old = toml(&[&deployment("api_version: 2024-06-01")], "");
    let base = "base_url = \"https://r.openai.azure.com/openai\"";
    assert_has(
        &old,
        &[
            base,
            "api_version = \"2024-06-01\"",
            "api_key_env = \"AZURE_API_KEY\"",
        ],
    );
    let new = toml(&[&deployment("api_version: preview")], "");
    assert_has(
        &new,
        &["base_url = \"https://r.openai.azure.com/openai/v1\""],
    );
    assert!(!new.contains("api_version ="), "{new}");
}

#[test]
fn a_key_for_a_public_address_without_tls_is_carried_over_with_a_note() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: openai/a, api_base: 'http://llm.example.com/v1', api_key: os.environ/K}",
        ],
        "",
    );
    assert_has(&text, &["insecure_http = true"]);
}

#[test]
fn an_address_of_a_built_in_provider_is_that_provider() {
    let text = toml(
        &[
            "model_name: m, litellm_params: {model: openai/gpt-oss, api_base: 'https://api.groq.com/openai/v1/', api_key: os.environ/GROQ_API_KEY}",
        ],
        "",
    );
    assert_has(&text, &["provider = \"groq\"", "model = \"gpt-oss\""]);
    assert!(!text.contains("[providers"), "{text}");
}

#[test]
fn included_files_are_merged() {
    let directory = tempfile::TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    write(
        "a.yaml",
        "include: [b.yaml]\nmodel_list:\n- {model_name: a, litellm_params: {model: groq/a}}\n",
    );
    write(
        "b.yaml",
        "model_list:\n- {model_name: b, litellm_params: {model: groq/b, seed: 1}}\nrouter_settings: {num_retries: 4}\n",
    );
    let source = super::ImportSource::Litellm {
        file: path("a.yaml"),
        output: None,
        force: false,
    };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    super::super::write(&source, &mut out, &mut errors).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_has(&text, &["[models.a]", "[models.b]", "attempts = 5"]);
    let notes = String::from_utf8(errors).unwrap();
    assert!(notes.contains("b.yaml:2: litellm_params.seed"), "{notes}");
}

#[test]
fn a_pattern_never_gets_the_key_of_another_provider() {
    let text = "model_list:\n- {model_name: 'openai/*', litellm_params: {model: 'openai/*', api_base: 'http://10.0.0.5/v1'}}\n- {model_name: m, litellm_params: {model: groq/x}}\n";
    let output = import(text).unwrap();
    assert!(!output.text.contains("[providers"), "{}", output.text);
    assert!(
        output
            .notes
            .contains("config.yaml:2: openai/*: model_name: not carried over")
    );
}

#[test]
fn patterns_share_keys_and_differ_in_name() {
    let text = toml(
        &[
            "model_name: 'groq/*', litellm_params: {model: 'groq/*', api_key: os.environ/A}",
            "model_name: 'groq/*', litellm_params: {model: 'groq/*', api_key: os.environ/B}",
            "model_name: 'gpu/*', litellm_params: {model: 'openai/*', api_base: 'http://10.0.0.5/v1'}",
            "model_name: 'gpu/*', litellm_params: {model: 'openai/*', api_base: 'http://10.0.0.6/v1'}",
        ],
        "",
    );
    let keys = "api_keys = [{ env = \"A\" }, { env = \"B\" }]";
    let renamed = "# - line 5: model_name: carried over as gpu-2/*: another provider has this name";
    assert_has(
        &text,
        &["[providers.groq]", keys, "[providers.gpu]", renamed],
    );
}
