//! What names resolve to.

use std::borrow::Cow;
use std::sync::Arc;

use super::{config, everything, steps};
use crate::catalog::{Catalog, Target, Unresolved};

/// What the name resolves to: the label of its model, and where its first target leads.
fn route(catalog: &Catalog, name: &str) -> String {
    match catalog.resolve(name, everything) {
        Ok(resolved) => {
            let target = resolved.targets.first().unwrap();
            let model = String::from_utf8(target.encoded_model.to_vec()).unwrap();
            format!("{} {}/{model}", resolved.model.label, target.provider.name)
        }
        Err(Unresolved::NotConfigured { alias, variable }) => format!("{alias} {variable}"),
        Err(Unresolved::ProviderNotConfigured { provider, variable }) => {
            format!("{provider}/* {variable}")
        }
        Err(Unresolved::Unknown { .. }) => "unknown".to_owned(),
    }
}

#[test]
fn a_pattern_takes_the_names_that_nothing_else_has() {
    let catalog = Catalog::new(&config(
        "[models.\"claude-*\"]\nprovider = \"ready\"\nmodel = \"qwen\"\n\
         [models.\"claude-haiku-*\"]\nprovider = \"ready\"\nmodel = \"small\"\n\
         [models.\"claude-?\"]\nprovider = \"ready\"\nmodel = \"short\"\n\
         [models.\"openai/*\"]\nprovider = \"ready\"\nmodel = \"mine\"\n\
         [models.\"*\"]\nprovider = \"ready\"",
    ));
    for (name, expected) in [
        ("fast", "fast ready/\"up \\\"stream\\\"\""),
        ("claude-opus-5", "claude-* ready/\"qwen\""),
        ("claude-haiku-4-5", "claude-haiku-* ready/\"small\""),
        ("claude-3", "claude-* ready/\"qwen\""),
        ("Claude-opus-5", "* ready/\"Claude-opus-5\""),
        ("any\"thing/else", "* ready/\"any\\\"thing/else\""),
        // A name of a provider goes before a pattern, unless the pattern has it too.
        ("ready/claude-opus-5", "ready/* ready/\"claude-opus-5\""),
        ("openai/gpt-4o", "openai/* ready/\"mine\""),
        ("keyless/x", "keyless/* KEYLESS_KEY"),
        // The configuration names the alias, so that its missing key is reported.
        ("away", "away KEYLESS_KEY"),
        // Only the built-in table names these.
        ("gpt-4o", "* ready/\"gpt-4o\""),
        ("anthropic/claude-x", "* ready/\"anthropic/claude-x\""),
    ] {
        assert_eq!(route(&catalog, name), expected, "{name}");
    }
    assert_eq!(route(&catalog, &"x".repeat(257)), "unknown");
    let listed = catalog.ready_models();
    let listed: Vec<_> = listed.iter().map(|model| &*model.label).collect();
    assert_eq!(listed, ["fast", "faster"]);
    assert!(!catalog.is_alias("claude-*"));
    let resolved = catalog.resolve("claude-opus-5", everything).unwrap();
    assert!(matches!(resolved.targets, Cow::Borrowed(_)));
    let rows: Vec<_> = catalog.metric_rows().collect();
    assert!(rows.contains(&("claude-*", "ready")), "{rows:?}");
}

/// The configuration says more than the built-in table, except by `*`.
#[test]
fn a_built_in_alias_comes_between_a_pattern_and_the_catch_all() {
    let text = "[models.\"*\"]\nprovider = \"ready\"\n[models.\"gpt-3*\"]\nprovider = \"ready\"\n\
                [providers.openai]\napi_key = \"k\"";
    let catalog = Catalog::new(&config(text));
    for (name, expected) in [
        ("gpt-4o", "gpt-4o openai/\"gpt-4o\""),
        ("gpt-3.5-turbo", "gpt-3* ready/\"gpt-3.5-turbo\""),
        ("gpt-9", "* ready/\"gpt-9\""),
    ] {
        assert_eq!(route(&catalog, name), expected);
    }
}

#[test]
fn a_pattern_without_its_key_is_reported() {
    let catalog = Catalog::new(&config("[models.\"c-*\"]\nprovider = \"keyless\""));
    assert_eq!(route(&catalog, "c-1"), "c-* KEYLESS_KEY");
    let unresolved = catalog.resolve("c-1", everything).unwrap_err();
    let model = catalog.not_configured(&unresolved).unwrap();
    assert_eq!(&*model.label, "c-*");
    let rows: Vec<_> = catalog.unready_rows().collect();
    assert!(rows.contains(&("c-*", "keyless")), "{rows:?}");
}

#[test]
fn the_targets_of_a_pattern_are_named_by_the_client_or_by_the_configuration() {
    let catalog = Catalog::new(&config(
        "[providers.other]\nbase_url = \"http://127.0.0.1:3/v1\"\n[models.\"*\"]\nfallbacks = [\"fast\"]\n\
         targets = [{ provider = \"ready\" }, { provider = \"other\", model = \"fixed\", priority = 1 }]",
    ));
    let expected = [
        (0, "ready/\"a b\"".to_owned(), 0),
        (1, "other/\"fixed\"".to_owned(), 0),
        (2, "ready/\"up \\\"stream\\\"\"".to_owned(), 0),
    ];
    assert_eq!(steps(&catalog, "a b"), expected);
    let resolved = catalog.resolve("a b", everything).unwrap();
    let logged: Vec<_> = resolved.targets.iter().map(Target::model_for_log).collect();
    let logged: Vec<&str> = logged.iter().map(|it| &**it).collect();
    assert_eq!(logged, ["*", "fixed", "up \"stream\""]);
    let states: Vec<_> = resolved.targets.iter().map(|it| it.state_index).collect();
    let again = catalog.resolve("c", everything).unwrap();
    assert!(again.targets.iter().map(|it| it.state_index).eq(states));
}

#[test]
fn unknown_names_go_to_the_default_provider_if_it_is_configured() {
    let catalog = Catalog::new(&config(""));
    assert_eq!(route(&catalog, "llama"), "unknown");
    let text = |name: &str| {
        format!("[access]\nopen = true\n[models.\"c-*\"]\nprovider = \"{name}\"\nmodel = \"c\"")
    };
    let mut with_default = config(&text("ready"));
    with_default.default_provider = Some("ready".to_owned());
    let catalog = Catalog::new(&with_default);
    for (name, expected) in [
        ("llama", "ready/* ready/\"llama\""),
        ("c-1", "c-* ready/\"c\""),
        ("gpt-4o", "ready/* ready/\"gpt-4o\""),
        ("meta/llama", "ready/* ready/\"meta/llama\""),
        ("away", "away KEYLESS_KEY"),
        ("keyless/x", "keyless/* KEYLESS_KEY"),
    ] {
        assert_eq!(route(&catalog, name), expected, "{name}");
    }
    // Either name of the model is enough.
    for allowed in ["llama", "ready/llama"] {
        assert!(catalog.resolve("llama", |name| name == allowed).is_ok());
    }
    assert!(catalog.resolve("llama", |name| name == "ready/x").is_err());
    with_default.strict_models = true;
    let catalog = Catalog::new(&with_default);
    assert_eq!(route(&catalog, "llama"), "unknown");
    assert_eq!(route(&catalog, "c-1"), "c-* ready/\"c\"");
    let mut keyless = config("");
    keyless.default_provider = Some("keyless".to_owned());
    let catalog = Catalog::new(&keyless);
    assert_eq!(route(&catalog, "llama"), "keyless/* KEYLESS_KEY");
    assert_eq!(route(&catalog, "gpt-4o"), "keyless/* KEYLESS_KEY");
}

#[test]
fn a_named_provider_gets_its_own_names_whatever_a_pattern_says() {
    let catalog = Catalog::new(&config(
        "[providers.other]\nbase_url = \"http://127.0.0.1:3/v1\"\n\
         [models.\"ready/*\"]\nprovider = \"other\"\n[models.\"*\"]\nprovider = \"other\"",
    ));
    let ready = Arc::clone(catalog.provider("ready").unwrap());
    for (name, expected) in [
        ("x", "\"x\""),
        ("ready/x", "\"x\""),
        ("fast", "\"up \\\"stream\\\"\""),
    ] {
        let resolved = catalog.resolve_at(&ready, name, everything).unwrap();
        let target = resolved.targets.first().unwrap();
        assert_eq!(
            (&*target.provider.name, &target.encoded_model[..]),
            ("ready", expected.as_bytes())
        );
    }
}
