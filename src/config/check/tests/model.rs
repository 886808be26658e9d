use std::time::Duration;

use crate::config::tests::Trial;
use crate::config::{Target, Timeouts};

#[test]
fn an_alias_is_its_own_upstream_name_until_told_otherwise() {
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
    assert_eq!(config.models[name].targets[0].upstream_model, name);
}

#[test]
fn an_alias_of_ours_names_its_provider() {
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
    let first = Target {
        weight: 3,
        ..Target::new("groq", "b")
    };
    let second = Target {
        priority: 1,
        ..Target::new("xai", "a")
    };
    assert_eq!(config.models["a"].targets, [first, second]);
    assert_eq!(config.models["c"].targets, [Target::new("groq", "c")]);
    let known = &config.models["gpt-4o"];
    assert_eq!(known.targets, [Target::new("openai", "gpt-4o")]);
    assert_eq!(known.fallbacks, ["a"]);
    assert_eq!(known.steps(&config.models).len(), 3);
}

#[test]
fn a_target_at_fault_is_named_with_its_line() {
    let fault = |target: &str| {
        Trial::file(&format!(
            "[models.a]\ntargets = [\n  {{ provider = \"groq\" }},\n  {{ {target} }},\n]"
        ))
        .fault()
    };
    for (target, expected) in [
        (
            "model = \"x\"",
            "models.a.targets[1]: provider is missing; each target names one",
        ),
        (
            "provider = \"gorq\"",
            "models.a.targets[1].provider: no provider is called \"gorq\"; did you mean \"groq\"?",
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
            "models.a.targets[1]: stands in the list already; give the first one more weight instead",
        ),
        (
            "provider = \"xai\", model = \"\"",
            "models.a.targets[1].model: the name of a model has 1 to 256 bytes and no control characters",
        ),
    ] {
        assert_eq!(fault(target), format!("trunkline.toml:4: {expected}"));
    }
}

#[test]
fn targets_and_the_short_form_exclude_each_other() {
    let fault =
        Trial::file("[models.a]\nprovider = \"groq\"\ntargets = [{ provider = \"xai\" }]").fault();
    assert!(
        fault.contains("models.a.targets: targets stand instead of"),
        "{fault}"
    );
}

#[test]
fn fallbacks_exist_and_lead_in_no_circle() {
    let fault = Trial::file("[models.a]\nprovider = \"groq\"\nfallbacks = [\"gpt-40\"]").fault();
    assert_eq!(
        fault,
        "trunkline.toml:3: models.a.fallbacks[0]: no model is called \"gpt-40\"; did you mean \"gpt-4o\"?"
    );
    let fault = Trial::file("[models.a]\nprovider = \"groq\"\nfallbacks = [\"a\"]").fault();
    assert!(fault.contains("leads back to itself: a -> a;"), "{fault}");
    let model = |name: &str, next: &str| {
        format!("[models.{name}]\nprovider = \"groq\"\nfallbacks = [{next}]\n")
    };
    let circle =
        model("a", "\"b\"") + &model("b", "\"d\", \"c\"") + &model("c", "\"a\"") + &model("d", "");
    let fault = Trial::file(&circle).fault();
    assert_eq!(
        fault,
        "trunkline.toml:3: models.a.fallbacks: leads back to itself: a -> b -> c -> a; take one of these fallbacks out"
    );
    let diamond =
        model("a", "\"b\", \"c\"") + &model("b", "\"d\"") + &model("c", "\"d\"") + &model("d", "");
    let config = Trial::file(&diamond).config();
    assert_eq!(config.models["a"].steps(&config.models).len(), 4);
}

#[test]
fn a_plan_has_an_end() {
    let keys = vec!["{ env = \"K\" }"; 16].join(", ");
    let targets: Vec<String> = (0..5)
        .map(|n| format!("{{ provider = \"groq\", model = \"m{n}\" }}"))
        .collect();
    let file = format!(
        "[providers.groq]\napi_keys = [{keys}]\n[models.a]\ntargets = [{}]",
        targets.join(", ")
    );
    let fault = Trial::file(&file).variable("K", "k").fault();
    assert!(
        fault.ends_with(
            "models.a: comes to 80 targets, keys and fallbacks counted; at most 64 are tried"
        ),
        "{fault}"
    );
}

#[test]
fn a_model_sets_limits_in_time_over_those_of_its_providers() {
    let seconds = Duration::from_secs;
    let config = Trial::file(
        "[timeouts]\nhead = \"60s\"\nfirst_event = \"9s\"\n\
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
        head: seconds(60),
        first_event: None,
        gap: seconds(300),
        total: Some(seconds(90)),
    };
    assert_eq!(provider.with(own), expected);
    assert_eq!(
        config.models["gpt-4o"].timeouts,
        crate::config::OwnTimeouts::default()
    );
}

#[test]
fn every_limit_of_a_model_is_checked() {
    let keys = ["connect", "tls", "head", "first_event", "gap", "total"];
    let limits = keys.map(|key| format!("{key} = \"soon\"")).join(", ");
    let text = format!("[models.m]\nprovider = \"groq\"\ntimeouts = {{ {limits} }}");
    let faults = Trial::file(&text).faults();
    assert_eq!(faults.len(), keys.len(), "{faults:#?}");
    for key in keys {
        let path = format!("models.m.timeouts.{key}: not a duration");
        assert!(faults.iter().any(|it| it.contains(&path)), "{faults:#?}");
    }
    let off = "[models.m]\nprovider = \"groq\"\ntimeouts = { gap = \"off\" }";
    assert!(Trial::file(off).fault().contains("models.m.timeouts.gap"));
}

#[test]
fn the_context_is_what_is_said_or_the_built_in_figure_at_the_built_in_place() {
    let text = "[models.m]\nprovider = \"groq\"\ncontext = 4096\n\
                [models.gpt-4o]\nprovider = \"azure\"\n\
                [models.gpt-4-turbo]\nretry = { attempts = 2 }\n\
                [models.\"gpt-3.5-turbo\"]\ncontext = 4096";
    let models = Trial::file(text).config().models;
    let context = |alias: &str| models[alias].context;
    assert_eq!(context("m"), Some(4096));
    assert_eq!(context("gpt-4o"), None);
    assert_eq!(context("gpt-4-turbo"), Some(128_000));
    assert_eq!(context("gpt-3.5-turbo"), Some(4096));
    assert_eq!(context("llama3-8b-groq"), Some(8192));
    assert_eq!(context("mistral-large"), None);
    for bad in ["0", "10000001"] {
        let text = format!("[models.m]\nprovider = \"groq\"\ncontext = {bad}");
        let fault = Trial::file(&text).fault();
        assert!(
            fault.contains("models.m.context: must be from 1"),
            "{fault}"
        );
    }
}
