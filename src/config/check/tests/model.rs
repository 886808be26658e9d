use std::time::Duration;

use crate::config::tests::Trial;
use crate::config::{TargetConfig, Timeouts};

#[test]
fn an_alias_is_the_upstream_name_by_default() {
    let config = Trial::file(
        "[models.a]\nprovider = \"groq\"\n[models.b]\nprovider = \"groq\"\nmodel = \"c\"",
    )
    .config();
    assert_eq!(config.models["a"].targets[0].upstream_model, "a");
    assert_eq!(config.models["b"].targets[0].upstream_model, "c");
    assert!(!config.models["a"].builtin);
    assert!(config.models["gpt-4o"].builtin);
}

#[test]
fn an_alias_may_be_a_pattern() {
    let config = Trial::file(
        "[models.\"claude-*\"]\nprovider = \"groq\"\nmodel = \"c\"\n[models.\"*\"]\ntargets = [{ provider = \"groq\" }, { provider = \"xai\", model = \"g?\" }]",
    )
    .config();
    let names = |alias: &str| {
        let targets = config.models[alias].targets.iter();
        let names = targets.map(|it| (it.upstream_model.as_str(), it.named_by_client));
        names.collect::<Vec<_>>()
    };
    assert_eq!(names("claude-*"), [("c", false)]);
    assert_eq!(names("*"), [("*", true), ("g?", false)]);
    let error = Trial::file("[models.\"a/*\"]\nprovider = \"groq\"\nmodel = \"b/*\"").error();
    assert_eq!(
        error,
        "trunkline.toml:3: models.\"a/*\".model: `*` is not replaced here; remove model to send the name that the client asked for, or name one model"
    );
    let error = Trial::file(
        "[models.\"a-*\"]\nprovider = \"groq\"\n[models.b]\nprovider = \"groq\"\nfallbacks = [\"a-*\"]",
    )
    .error();
    assert_eq!(
        error,
        "trunkline.toml:5: models.b.fallbacks[0]: a pattern names no model; write the alias of one"
    );
}

#[test]
fn limits_and_names_for_people_are_those_of_the_target() {
    let config = Trial::file(
        "[models.a]\nprovider = \"groq\"\ncontext = 8192\nmax_output = 512\ndisplay_name = \"Model A\"\n[models.gpt-4o]\nprovider = \"groq\"",
    )
    .config();
    let a = &config.models["a"];
    assert_eq!((a.context, a.max_output), (Some(8192), Some(512)));
    assert_eq!(a.display_name.as_deref(), Some("Model A"));
    let moved = &config.models["gpt-4o"];
    assert_eq!((moved.context, moved.max_output), (None, None));
    let builtin = &Trial::file("").config().models["gpt-4o"];
    assert_eq!(
        (builtin.context, builtin.max_output),
        (Some(128_000), Some(16_384))
    );
    let error = Trial::file("[models.a]\nprovider = \"groq\"\ndisplay_name = \"a\\nb\"").error();
    assert!(
        error.starts_with("trunkline.toml:3: models.a.display_name:"),
        "{error}"
    );
}

#[test]
fn a_default_provider_is_one_that_the_configuration_names() {
    let config = Trial::file("default_provider = \"ollama\"").config();
    assert!(config.providers["ollama"].is_ready());
    let config = Trial::file("default_provider = \"groq\"").config();
    assert_eq!(
        config.warnings,
        ["provider \"groq\" is not ready: set GROQ_API_KEY"]
    );
}

#[test]
fn a_built_in_alias_can_be_changed_or_moved() {
    let config = Trial::file(
        "[models.mistral-small]\nmodel = \"m2\"\n[models.mistral-large]\nprovider = \"together\"",
    )
    .config();
    let small = &config.models["mistral-small"].targets[0];
    assert_eq!(
        (small.provider.as_str(), small.upstream_model.as_str()),
        ("mistral", "m2")
    );
    let large = &config.models["mistral-large"].targets[0];
    assert_eq!(
        (large.provider.as_str(), large.upstream_model.as_str()),
        ("together", "mistral-large")
    );
    let builtin = |alias| config.models[alias].builtin;
    assert!(!builtin("mistral-small") && !builtin("mistral-large"));
}

#[test]
fn an_alias_needs_a_provider_that_exists() {
    let error = Trial::file("[models.a]\nmodel = \"b\"").error();
    assert_eq!(
        error,
        "trunkline.toml:1: models.a: provider is missing; name one, such as provider = \"openai\""
    );
    let error = Trial::file("[models.a]\nprovider = \"nowhere\"").error();
    assert!(
        error.ends_with("write a [providers] table for it, or name a built-in one"),
        "{error}"
    );
}

#[test]
fn an_alias_may_name_a_provider_with_errors() {
    let error =
        Trial::file("[providers.house]\nbase_url = \"x\"\n[models.a]\nprovider = \"house\"")
            .error();
    assert!(error.contains("providers.house.base_url"), "{error}");
}

#[test]
fn names_are_short_and_printable() {
    for name in ["", "a\\nb", "\\u001b[31m", &"a".repeat(257)] {
        let error = Trial::file(&format!("[models.\"{name}\"]\nprovider = \"groq\"")).error();
        assert!(error.contains("not a valid model name"), "{error}");
        let error = Trial::file(&format!(
            "[models.a]\nprovider = \"groq\"\nmodel = \"{name}\""
        ))
        .error();
        assert!(
            error.starts_with("trunkline.toml:3: models.a.model:"),
            "{error}"
        );
    }
    let name = "Modèle/1: 大 (v2)";
    let config = Trial::file(&format!("[models.\"{name}\"]\nprovider = \"groq\"")).config();
    assert_eq!(config.models[name].targets[0].upstream_model, name);
}

#[test]
fn a_new_alias_must_name_its_provider() {
    let config = Trial::file("[models.qwen3]\nprovider = \"ollama\"").config();
    assert!(config.providers["ollama"].is_ready());
}

#[test]
fn an_alias_may_have_several_targets() {
    let config = Trial::file(
        "[models.a]\ntargets = [{ provider = \"groq\", model = \"b\", weight = 3 }, { provider = \"xai\", priority = 1 }]\n\
         [[models.c.targets]]\nprovider = \"groq\"\n[models.gpt-4o]\nfallbacks = [\"a\"]",
    )
    .config();
    let first = TargetConfig {
        weight: 3,
        ..TargetConfig::new("groq", "b")
    };
    let second = TargetConfig {
        priority: 1,
        ..TargetConfig::new("xai", "a")
    };
    assert_eq!(config.models["a"].targets, [first, second]);
    assert_eq!(config.models["c"].targets, [TargetConfig::new("groq", "c")]);
    let known = &config.models["gpt-4o"];
    assert_eq!(known.targets, [TargetConfig::new("openai", "gpt-4o")]);
    assert_eq!(known.fallbacks, ["a"]);
    assert_eq!(known.plan_steps(&config.models).len(), 3);
}

#[test]
fn errors_in_targets_have_the_line_of_the_target() {
    let error = |target: &str| {
        Trial::file(&format!(
            "[models.a]\ntargets = [\n  {{ provider = \"groq\" }},\n  {{ {target} }},\n]"
        ))
        .error()
    };
    for (target, expected) in [
        (
            "model = \"x\"",
            "models.a.targets[1]: provider is missing; each target names one",
        ),
        (
            "provider = \"gorq\"",
            "models.a.targets[1].provider: unknown provider \"gorq\"; did you mean \"groq\"?",
        ),
        (
            "provider = \"xai\", weight = 0",
            "models.a.targets[1].weight: must be from 1 to 1000",
        ),
        (
            "provider = \"xai\", priority = 1001",
            "models.a.targets[1].priority: must be from 0 to 1000",
        ),
        (
            "provider = \"xai\", modle = \"b\"",
            "models.a.targets[1].modle: unknown key; did you mean \"model\"?",
        ),
        (
            "provider = \"groq\"",
            "models.a.targets[1]: duplicate target; increase the weight of the first one instead",
        ),
        (
            "provider = \"xai\", model = \"\"",
            "models.a.targets[1].model: not a valid model name; use 1 to 256 bytes without control characters",
        ),
    ] {
        assert_eq!(error(target), format!("trunkline.toml:4: {expected}"));
    }
}

#[test]
fn targets_and_the_short_form_exclude_each_other() {
    let error =
        Trial::file("[models.a]\nprovider = \"groq\"\ntargets = [{ provider = \"xai\" }]").error();
    assert!(
        error.contains("models.a.targets: targets replace"),
        "{error}"
    );
}

#[test]
fn fallbacks_exist_and_form_no_cycle() {
    let error = Trial::file("[models.a]\nprovider = \"groq\"\nfallbacks = [\"gpt-40\"]").error();
    assert_eq!(
        error,
        "trunkline.toml:3: models.a.fallbacks[0]: unknown model \"gpt-40\"; did you mean \"gpt-4o\"?"
    );
    let error = Trial::file("[models.a]\nprovider = \"groq\"\nfallbacks = [\"a\"]").error();
    assert!(error.contains("fallback cycle: a -> a;"), "{error}");
    let model = |name: &str, next: &str| {
        format!("[models.{name}]\nprovider = \"groq\"\nfallbacks = [{next}]\n")
    };
    let cycle =
        model("a", "\"b\"") + &model("b", "\"d\", \"c\"") + &model("c", "\"a\"") + &model("d", "");
    let error = Trial::file(&cycle).error();
    assert_eq!(
        error,
        "trunkline.toml:3: models.a.fallbacks: fallback cycle: a -> b -> c -> a; remove one of these fallbacks"
    );
    let diamond =
        model("a", "\"b\", \"c\"") + &model("b", "\"d\"") + &model("c", "\"d\"") + &model("d", "");
    let config = Trial::file(&diamond).config();
    assert_eq!(config.models["a"].plan_steps(&config.models).len(), 4);
}

#[test]
fn the_number_of_targets_is_limited() {
    let keys = vec!["{ env = \"K\" }"; 16].join(", ");
    let targets: Vec<String> = (0..5)
        .map(|n| format!("{{ provider = \"groq\", model = \"m{n}\" }}"))
        .collect();
    let file = format!(
        "[providers.groq]\napi_keys = [{keys}]\n[models.a]\ntargets = [{}]",
        targets.join(", ")
    );
    let error = Trial::file(&file).variable("K", "k").error();
    assert!(
        error.ends_with("models.a: has 80 targets, counting keys and fallbacks; the maximum is 64"),
        "{error}"
    );
}

#[test]
fn timeouts_of_a_model_override_those_of_its_providers() {
    let seconds = Duration::from_secs;
    let config = Trial::file(
        "[timeouts]\nresponse_header = \"60s\"\nfirst_event = \"9s\"\n\
         [models.m]\nprovider = \"groq\"\n\
         timeouts = { tls = \"2s\", first_event = \"off\", total = \"90s\" }",
    )
    .config();
    let provider = config.providers["groq"].timeouts;
    assert_eq!(
        (provider.first_event, provider.tls),
        (Some(seconds(9)), None)
    );
    let own = &config.models["m"].timeouts;
    let expected = Timeouts {
        connect: seconds(5),
        tls: Some(seconds(2)),
        response_header: seconds(60),
        first_event: None,
        idle: seconds(300),
        total: Some(seconds(90)),
    };
    assert_eq!(provider.with_overrides(own), expected);
    assert_eq!(
        config.models["gpt-4o"].timeouts,
        crate::config::TimeoutOverrides::default()
    );
}

#[test]
fn every_timeout_of_a_model_is_checked() {
    let keys = [
        "connect",
        "tls",
        "response_header",
        "first_event",
        "idle",
        "total",
    ];
    let limits = keys.map(|key| format!("{key} = \"soon\"")).join(", ");
    let text = format!("[models.m]\nprovider = \"groq\"\ntimeouts = {{ {limits} }}");
    let errors = Trial::file(&text).errors();
    assert_eq!(errors.len(), keys.len(), "{errors:#?}");
    for key in keys {
        let path = format!("models.m.timeouts.{key}: not a duration");
        assert!(errors.iter().any(|it| it.contains(&path)), "{errors:#?}");
    }
    let off = "[models.m]\nprovider = \"groq\"\ntimeouts = { idle = \"off\" }";
    assert!(Trial::file(off).error().contains("models.m.timeouts.idle"));
}

#[test]
fn the_context_is_configured_or_built_in_for_the_built_in_target() {
    let text = "[models.m]\nprovider = \"groq\"\ncontext = 4096\n\
                [models.gpt-4o]\nprovider = \"azure\"\n\
                [models.gpt-4-turbo]\nretry = { attempts = 2 }\n\
                [models.\"gpt-3.5-turbo\"]\ncontext = 4096";
    let models = Trial::file(text).config().models;
    let context = |alias: &str| models[alias].context;
    assert_eq!(context("m"), Some(4096));
    assert_eq!(context("gpt-4o"), None);
    assert_eq!(context("gpt-4-turbo"), Some(1_050_000));
    assert_eq!(context("gpt-3.5-turbo"), Some(4096));
    assert_eq!(context("llama3-8b-groq"), Some(131_072));
    assert_eq!(context("mistral-large"), None);
    for bad in ["0", "10000001"] {
        let text = format!("[models.m]\nprovider = \"groq\"\ncontext = {bad}");
        let error = Trial::file(&text).error();
        assert!(
            error.contains("models.m.context: must be from 1"),
            "{error}"
        );
    }
}

#[test]
fn of_the_built_in_aliases_those_that_the_file_names_can_be_left_alone() {
    let aliases = |file: &str| -> Vec<String> {
        let config = Trial::file(file).variable("OPENAI_API_KEY", "k").config();
        config.models.into_keys().collect()
    };
    assert!(aliases("").len() > 3);
    assert_eq!(aliases("builtin_aliases = false"), [""; 0]);
    let kept = "builtin_aliases = false\n[models.gpt-4o]\ntimeouts = { first_event = \"9s\" }";
    assert_eq!(aliases(kept), ["gpt-4o"]);
}
