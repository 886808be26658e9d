//! Whatever is imported is accepted by the loader.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{import, load_with_variables};

/// A value of a parameter, plausible or not.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("os.environ/SOME_KEY".to_owned()),
        Just("sk-literal-key-0123456789".to_owned()),
        Just("none".to_owned()),
        Just("http://localhost:8080/v1".to_owned()),
        Just("http://public.example.com".to_owned()),
        Just("https://r.openai.azure.com/".to_owned()),
        Just("<placeholder>".to_owned()),
        Just("2024-06-01".to_owned()),
        Just("0".to_owned()),
        Just("0.25".to_owned()),
        Just("1e-6".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("[a, b]".to_owned()),
        Just("{a: b, x-y: 'z', authorization: w}".to_owned()),
        Just("true".to_owned()),
        "[a-z*/\"' äé-]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
    ]
}

/// Only keys are secret.
fn no_key(value: &str) -> String {
    let is_key = value.starts_with("sk-");
    if is_key { "x" } else { value }.to_owned()
}

fn model() -> impl Strategy<Value = String> {
    let prefix = prop_oneof![
        Just("openai/"),
        Just("azure/"),
        Just("azure_ai/"),
        Just("anthropic/"),
        Just("groq/"),
        Just("ollama/"),
        Just("together_ai/"),
        Just("bedrock/"),
        Just("deepinfra/"),
        Just("hosted_vllm/"),
        Just("other/"),
        Just("fireworks_ai/"),
        Just(""),
    ];
    let name = prop_oneof![
        Just("gpt-4o"),
        Just("claude-x"),
        Just("*"),
        Just("a/b"),
        Just("")
    ];
    (prefix, name).prop_map(|(prefix, name)| format!("'{prefix}{name}'"))
}

const KEYS: [&str; 19] = [
    "api_key",
    "api_base",
    "api_version",
    "organization",
    "extra_headers",
    "weight",
    "rpm",
    "order",
    "timeout",
    "stream_timeout",
    "max_retries",
    "max_parallel_requests",
    "input_cost_per_token",
    "output_cost_per_token",
    "custom_llm_provider",
    "temperature",
    "litellm_credential_name",
    "cache_read_input_token_cost",
    "base_url",
];

const SETTINGS: [&str; 12] = [
    "num_retries",
    "timeout",
    "stream_timeout",
    "allowed_fails",
    "cooldown_time",
    "disable_cooldowns",
    "routing_strategy",
    "fallbacks",
    "default_fallbacks",
    "model_group_alias",
    "max_request_size_mb",
    "global_max_parallel_requests",
];

fn deployment() -> impl Strategy<Value = String> {
    let group = prop_oneof![
        Just("a"),
        Just("b"),
        Just("gpt-4o"),
        Just("'openai/*'"),
        Just("'x/y'"),
        Just("'*'")
    ];
    let params = prop::collection::vec((prop::sample::select(&KEYS[..]), value()), 0..6);
    (group, model(), params).prop_map(|(group, model, params)| {
        let mut text = format!("- model_name: {group}\n  litellm_params:\n    model: {model}\n");
        for (key, value) in params {
            let value = match key {
                "api_key" => value,
                // A variable holds a key or a URL.
                "api_base" | "base_url" => no_key(&value.replace("_KEY", "_BASE")),
                _ => no_key(&value),
            };
            writeln!(text, "    {key}: {value}").unwrap();
        }
        text
    })
}

fn settings() -> impl Strategy<Value = String> {
    let links = prop_oneof![
        value(),
        Just("[{a: [b]}, {b: [a, gpt-4o]}, {'*': [b]}]".to_owned()),
        Just("{a: b, c: a, b: {model: a}}".to_owned()),
    ];
    prop::collection::vec((prop::sample::select(&SETTINGS[..]), links), 0..5).prop_map(|pairs| {
        let mut text = String::new();
        for section in ["litellm_settings", "router_settings", "general_settings"] {
            writeln!(text, "{section}:").unwrap();
            for (key, value) in &pairs {
                let value = no_key(value);
                writeln!(text, "  {key}: {value}").unwrap();
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_imported_configuration_is_accepted(
        deployments in prop::collection::vec(deployment(), 1..8),
        settings in settings(),
    ) {
        let text = format!("model_list:\n{}{settings}", deployments.concat());
        if let Ok(output) = import(&text) {
            let loaded = load_with_variables(&output.text);
            prop_assert!(loaded.is_ok(), "{}\n{text}\n{}", loaded.err().unwrap(), output.text);
            prop_assert!(!output.text.contains("sk-literal"), "{}", output.text);
            prop_assert!(!output.notes.contains("sk-literal"), "{}", output.notes);
        }
    }

    #[test]
    fn any_text_is_converted_or_refused(text in "(?s)[ \\n\\[\\]{}:,&*<a-c'\"#-]{0,200}") {
        let _ = import(&text);
    }
}
