use crate::config::tests::Trial;

/// The resulting price, as `check` shows it.
fn price(text: &str, provider: &str, model: &str) -> Option<String> {
    let config = Trial::file(text).variable("OPENAI_API_KEY", "a").config();
    let price = config.providers[provider].prices.get(model);
    price.map(ToString::to_string)
}

#[test]
fn built_in_prices_apply_at_the_built_in_base_url() {
    let of = |model| price("", "openai", model);
    let shown = Some("2.5 in, 1.25 cached, 10 out");
    assert_eq!(of("gpt-4o").as_deref(), shown);
    assert_eq!(of("gpt-4o-2024-08-06").as_deref(), shown);
    assert_eq!(of("text-embedding-3-small").as_deref(), Some("0.02 in"));
    for unknown in ["gpt-4o-audio-preview", "gpt-4", "GPT-4o", "", "gpt-4o-2024"] {
        assert_eq!(of(unknown).as_deref(), None, "{unknown}");
    }
    assert_eq!(price("", "groq", "gpt-4o"), None);
    assert_eq!(
        price("", "groq", "openai/gpt-oss-120b").as_deref(),
        Some("0.15 in, 0.075 cached, 0.6 out")
    );
    let same = "[providers.openai]\nbase_url = \"https://api.openai.com/v1/\"";
    assert_eq!(price(same, "openai", "gpt-4o").as_deref(), shown);
    let elsewhere = "[providers.openai]\nbase_url = \"https://llm.example/v1\"";
    assert_eq!(price(elsewhere, "openai", "gpt-4o"), None);
}

#[test]
fn a_provider_can_use_the_prices_of_a_built_in_one() {
    let text = "[providers.team-b]\nbase_url = \"https://llm.example/v1\"\nprices = \"openai\"";
    assert_eq!(
        price(text, "team-b", "gpt-4o-mini").as_deref(),
        Some("0.15 in, 0.075 cached, 0.6 out")
    );
    let error = Trial::file("[providers.openai]\nprices = \"mistral\"").error();
    assert_eq!(
        error,
        "trunkline.toml:2: providers.openai.prices: no built-in prices for \"mistral\"; available: anthropic, gemini, groq, openai"
    );
}

#[test]
fn configured_prices_override_built_in_ones() {
    let text = r#"
[prices."openai/gpt-4o"]
input = "2.00"
output = "8"
[prices."openai/gpt-4*"]
input = "1"
[prices."openai/gpt-4o-m*"]
input = "0.1"
output = "0.2"
[prices."openai/gpt-4.1"]
[prices."*/free-*"]
input = "0"
output = "0"
"#;
    for (model, expected) in [
        // As a whole: what it does not set is not taken from the built-in row.
        ("gpt-4o", Some("2 in, 8 out")),
        // A pattern overrides a built-in name; the longer pattern comes first.
        ("gpt-4o-2024-05-13", Some("1 in")),
        ("gpt-4o-mini", Some("0.1 in, 0.2 out")),
        // An empty row removes the price.
        ("gpt-4.1", None),
        (
            "gpt-5",
            Some("1.25 in, 0.125 cached, 10 out; priority: 2.5 in, 0.25 cached, 20 out"),
        ),
        ("free-chat", Some("0 in, 0 out")),
    ] {
        let found = price(text, "openai", model);
        assert_eq!(found.as_deref(), expected, "{model}");
    }
    let found = price(text, "ollama", "free-chat");
    assert_eq!(found.as_deref(), Some("0 in, 0 out"));
}

#[test]
fn kinds_long_prompts_and_tiers_have_prices_of_their_own() {
    let text = r#"
[prices."openai/x"]
input = "2"
cache_write = "2.5"
cache_write_1h = "4"
output = "8"
audio_input = "32"
audio_output = "64"
image_input = "3"
image_output = "5"
web_search = "10"
[prices."openai/x".long_prompt]
above = 200000
input = "4"
output = "12"
[prices."openai/x".tiers.flex]
input = "1"
cached_input = "0.1"
"#;
    let shown = "2 in, 8 out, 2.5 cache write, 4 cache write for 1h, 32 audio in, 64 audio out, \
                 3 image in, 5 image out, 10 per 1000 searches; \
                 prompts above 200000 tokens: 4 in, 12 out; flex: 1 in, 0.1 cached";
    assert_eq!(price(text, "openai", "x").as_deref(), Some(shown));
}

#[test]
fn prices_of_long_prompts_and_tiers_are_checked() {
    let row = "[prices.\"openai/x\"]\ninput = \"1\"\n";
    for (rest, expected) in [
        (
            "long_prompt = { input = \"2\" }",
            "trunkline.toml:3: prices.\"openai/x\".long_prompt: above is missing; write the number of tokens above which a prompt is long",
        ),
        (
            "long_prompt = { above = 5, output = \"2\" }",
            "trunkline.toml:3: prices.\"openai/x\".long_prompt: input is missing; write it, \"0\" where the prompt is free",
        ),
        (
            "tiers.turbo = { input = \"2\" }",
            "trunkline.toml:3: prices.\"openai/x\".tiers.turbo: unknown service tier; use one of: batch, fast, flex, priority",
        ),
        (
            "tiers.flex = { input = \"-2\" }",
            "trunkline.toml:3: prices.\"openai/x\".tiers.flex.input: not a price; write dollars per million tokens in digits, such as \"2.50\"",
        ),
        (
            "cache_writes = \"2\"",
            "trunkline.toml:3: prices.\"openai/x\".cache_writes: unknown key; did you mean \"cache_write\"?",
        ),
    ] {
        assert_eq!(Trial::file(&format!("{row}{rest}")).error(), expected);
    }
    let only = "[prices.\"openai/x\"]\ntiers.flex = { input = \"2\" }";
    let expected = "trunkline.toml:1: prices.\"openai/x\": input is missing; write it, \"0\" where the prompt is free";
    assert_eq!(Trial::file(only).error(), expected);
}

#[test]
fn prices_are_exact_to_the_last_digit() {
    for (written, shown) in [
        ("0", "0 in"),
        ("0.000001", "0.000001 in"),
        ("0.1", "0.1 in"),
        ("0.30000000", "0.3 in"),
        ("007.10", "7.1 in"),
        ("1000000", "1000000 in"),
    ] {
        let text = format!("[prices.\"openai/x\"]\ninput = \"{written}\"");
        assert_eq!(price(&text, "openai", "x").as_deref(), Some(shown));
    }
}

#[test]
fn invalid_prices_are_errors_with_a_cure() {
    let none = "not a price; write dollars per million tokens in digits, such as \"2.50\"";
    let much = "must be at most \"1000000\"; it is the price of a million tokens";
    // A float in TOML may differ from the number that was written.
    let number = "must be text in quotes, such as \"2.50\", not a number";
    for (written, expected) in [
        ("'-1'", none),
        ("'$2'", none),
        ("'2,5'", none),
        ("'1e-6'", none),
        ("'.5'", none),
        ("'5.'", none),
        ("'1.2.3'", none),
        ("''", none),
        ("'0.0000001'", "has more than 6 decimal digits; round it"),
        ("'1000000.000001'", much),
        ("'99999999999999999999999'", much),
        ("2.5", number),
        ("3", number),
    ] {
        let text = format!("[prices.\"openai/x\"]\ninput = {written}");
        let error = Trial::file(&text).error();
        let expected = format!("trunkline.toml:2: prices.\"openai/x\".input: {expected}");
        assert_eq!(error, expected, "{written}");
    }
}

#[test]
fn a_price_needs_a_model_and_an_input_price() {
    for (text, expected) in [
        (
            "[prices.gpt-4o]\ninput = \"1\"",
            "trunkline.toml:1: prices.gpt-4o: not \"provider/model\"; write a key such as \"openai/gpt-4o\"",
        ),
        (
            "[prices.\"opnai/gpt-4o\"]\ninput = \"1\"",
            "trunkline.toml:1: prices.\"opnai/gpt-4o\": unknown provider \"opnai\"; did you mean \"openai\"?",
        ),
        (
            "[prices.\"openai/x\"]\noutput = \"1\"",
            "trunkline.toml:1: prices.\"openai/x\": input is missing; write it, \"0\" where the prompt is free",
        ),
    ] {
        assert_eq!(Trial::file(text).error(), expected);
    }
}

#[test]
fn a_variable_sets_a_built_in_price() {
    let config = Trial::file("")
        .variable("TRUNKLINE_PRICES__OPENAI_GPT_4O__INPUT", "1.75")
        .config();
    let price = config.providers["openai"].prices.get("gpt-4o");
    assert_eq!(price.unwrap().to_string(), "1.75 in");
}
