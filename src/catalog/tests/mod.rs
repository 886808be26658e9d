mod names;

use super::{Catalog, Unresolved, needs_demo};
use crate::config::{self, Config, Demo, Sources};

/// A configuration of two providers: one ready, one without its key.
pub(crate) fn config(extra: &str) -> Config {
    let text = format!(
        "[providers.ready]\nbase_url = \"http://127.0.0.1:1/v1\"\n\
         [providers.keyless]\nbase_url = \"http://127.0.0.1:2/v1\"\napi_key_env = \"KEYLESS_KEY\"\n\
         [models.fast]\nprovider = \"ready\"\nmodel = \"up \\\"stream\\\"\"\n\
         [models.faster]\nprovider = \"ready\"\n\
         [models.away]\nprovider = \"keyless\"\n{extra}"
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("trunkline.toml"), text).unwrap();
    let directory = directory.path().to_owned();
    config::load(&Sources {
        directory,
        ..Sources::default()
    })
    .unwrap()
}

fn everything(_: &str) -> bool {
    true
}

fn encoded(catalog: &Catalog, name: &str) -> String {
    let resolved = catalog.resolve(name, everything).unwrap();
    let target = resolved.targets.first().unwrap();
    String::from_utf8(target.encoded_model.to_vec()).unwrap()
}

#[test]
fn an_alias_leads_to_its_upstream_name() {
    let catalog = Catalog::new(&config(""));
    assert_eq!(encoded(&catalog, "fast"), r#""up \"stream\"""#);
    assert_eq!(encoded(&catalog, "faster"), "\"faster\"");
}

#[test]
fn a_provider_prefix_resolves_any_model() {
    let catalog = Catalog::new(&config(""));
    assert_eq!(encoded(&catalog, "ready/a/b"), "\"a/b\"");
    let resolved = catalog.resolve("ready/a/b", everything).unwrap();
    assert_eq!(&*resolved.model.label, "ready/*");
    assert!(resolved.model.id < catalog.model_count());
    for name in ["ready/", "keyless/x", "unknown/x", "/x"] {
        assert!(catalog.resolve(name, everything).is_err(), "{name}");
    }
}

#[test]
fn strict_models_disable_the_prefix() {
    let mut config = config("");
    config.strict_models = true;
    let catalog = Catalog::new(&config);
    assert!(catalog.resolve("fast", everything).is_ok());
    assert!(catalog.resolve("ready/a", everything).is_err());
}

#[test]
fn a_missing_credential_is_named() {
    let catalog = Catalog::new(&config(""));
    let expected = Unresolved::NotConfigured {
        alias: "away".to_owned(),
        variable: "KEYLESS_KEY".to_owned(),
    };
    assert_eq!(catalog.resolve("away", everything).unwrap_err(), expected);
    let ready: Vec<_> = catalog
        .ready_models()
        .iter()
        .map(|model| model.label.to_string())
        .collect();
    assert_eq!(ready, ["fast", "faster"]);
}

#[test]
fn a_provider_without_its_credential_is_named_only_where_access_is_open() {
    let resolve = |text: &str, name: &str| {
        let catalog = Catalog::new(&config(text));
        catalog.resolve(name, everything).unwrap_err()
    };
    for (name, provider, variable) in [
        ("keyless/x", "keyless", "KEYLESS_KEY"),
        ("anthropic/claude-x", "anthropic", "ANTHROPIC_API_KEY"),
        ("azure/x", "azure", "AZURE_OPENAI_API_KEY"),
        (
            "ollama/llama3",
            "ollama",
            "[providers.ollama] in the config",
        ),
    ] {
        let expected = Unresolved::ProviderNotConfigured {
            provider: provider.to_owned(),
            variable: variable.to_owned(),
        };
        assert_eq!(resolve("", name), expected);
    }
    let hash = "1".repeat(64);
    let closed = format!("[access.keys.a]\nsha256 = \"{hash}\"");
    for (text, name) in [
        (&*closed, "anthropic/claude-x"),
        ("", "anthropic/"),
        ("", "nosuch/claude-x"),
        ("", "anthropic"),
    ] {
        let found = resolve(text, name);
        assert!(
            matches!(found, Unresolved::Unknown { .. }),
            "{name}: {found:?}"
        );
    }
    let mut strict = config("");
    strict.strict_models = true;
    let catalog = Catalog::new(&strict);
    let found = catalog.resolve("anthropic/x", everything);
    assert!(matches!(found, Err(Unresolved::Unknown { .. })));
}

#[test]
fn suggestions_contain_only_names_that_the_client_may_use() {
    let catalog = Catalog::new(&config(""));
    let suggestions = |visible: fn(&str) -> bool| match catalog.resolve("fsat", visible) {
        Err(Unresolved::Unknown { nearest }) => nearest,
        other => panic!("{other:?}"),
    };
    assert_eq!(suggestions(everything), ["fast", "faster"]);
    assert_eq!(suggestions(|name| name != "fast"), ["faster"]);
    assert!(suggestions(|_| false).is_empty());
    let hidden = catalog.resolve("fast", |name| name != "fast");
    assert!(matches!(hidden, Err(Unresolved::Unknown { .. })));
}

#[test]
fn the_demo_is_added_when_no_other_model_is_ready() {
    let mut config = config("");
    assert!(!needs_demo(&config));
    config.demo = Demo::On;
    assert!(needs_demo(&config));
    config.demo = Demo::Auto;
    config.providers.remove("ready");
    assert!(needs_demo(&config));
    config.demo = Demo::Off;
    assert!(!needs_demo(&config));
}

fn steps(catalog: &Catalog, name: &str) -> Vec<(usize, String, usize)> {
    let resolved = catalog.resolve(name, everything).unwrap();
    let target = |it: &super::Target| {
        let model = String::from_utf8(it.encoded_model.to_vec()).unwrap();
        (
            it.step,
            format!("{}/{model}", it.provider.name),
            it.credential,
        )
    };
    resolved.targets.iter().map(target).collect()
}

#[test]
fn targets_are_in_steps_and_none_is_listed_twice() {
    let catalog = Catalog::new(&config(
        "[providers.pair]\nbase_url = \"http://127.0.0.1:3/v1\"\napi_keys = [{ key = \"a\" }, { env = \"GONE\" }, { key = \"b\" }]\n\
         [models.many]\nfallbacks = [\"fast\", \"last\"]\ntargets = [\
         { provider = \"pair\", model = \"p\", priority = 7, weight = 4 },\
         { provider = \"keyless\" },\
         { provider = \"ready\", model = \"r\" }]\n\
         [models.last]\ntargets = [{ provider = \"ready\", model = \"r\" }, { provider = \"ready\", model = \"s\" }]",
    ));
    let expected = [
        (0, "ready/\"r\"".to_owned(), 0),
        (1, "pair/\"p\"".to_owned(), 0),
        (1, "pair/\"p\"".to_owned(), 1),
        (2, "ready/\"up \\\"stream\\\"\"".to_owned(), 0),
        (3, "ready/\"s\"".to_owned(), 0),
    ];
    assert_eq!(steps(&catalog, "many"), expected);
    let resolved = catalog.resolve("many", everything).unwrap();
    let weights: Vec<u64> = resolved.targets.iter().map(|it| it.weight).collect();
    assert_eq!(weights[1] + weights[2], 4 * weights[0]);
    assert_eq!(steps(&catalog, "pair/x").len(), 2);
}

#[test]
fn one_ready_target_makes_a_model_ready() {
    let catalog = Catalog::new(&config(
        "[models.some]\ntargets = [{ provider = \"keyless\" }, { provider = \"ready\" }]\n\
         [models.none]\ntargets = [{ provider = \"keyless\" }, { provider = \"keyless\", model = \"b\" }]\n\
         [models.rescued]\nprovider = \"keyless\"\nfallbacks = [\"fast\"]",
    ));
    assert_eq!(steps(&catalog, "some").len(), 1);
    assert_eq!(
        &*catalog
            .resolve("rescued", everything)
            .unwrap()
            .model
            .provider
            .name,
        "ready"
    );
    let missing = Unresolved::NotConfigured {
        alias: "none".to_owned(),
        variable: "KEYLESS_KEY".to_owned(),
    };
    assert_eq!(catalog.resolve("none", everything).unwrap_err(), missing);
}

#[test]
fn an_identity_does_not_depend_on_the_other_targets() {
    let identities = |keys: &str, more: &str| {
        let catalog = Catalog::new(&config(&format!(
            "[providers.pool]\nbase_url = \"http://127.0.0.1:3/v1\"\napi_keys = [{keys}]\n\
             [models.many]\ntargets = [{more}{{ provider = \"pool\", model = \"p\" }}]"
        )));
        let resolved = catalog.resolve("many", everything).unwrap();
        let all: Vec<u64> = resolved.targets.iter().map(|it| it.identity).collect();
        all
    };
    let all = identities("{ key = \"a\" }, { key = \"b\" }", "");
    assert_eq!(all, [17_410_032_260_717_663_138, 1_737_547_479_605_578_313]);
    assert_eq!(
        identities("{ env = \"GONE\" }, { key = \"new\" }, { key = \"b\" }", ""),
        all
    );
    let with_another = identities(
        "{ key = \"a\" }, { key = \"b\" }",
        "{ provider = \"ready\" }, ",
    );
    assert_eq!(with_another[1..], all);
    assert!(!all.contains(&with_another[0]));
}

/// Targets of one provider with these steps and weights; the credential is the
/// index in the list.
pub(crate) fn targets(shape: &[(usize, u64)]) -> Vec<super::Target> {
    let catalog = Catalog::new(&config(""));
    let resolved = catalog.resolve("fast", everything).unwrap();
    let mut shape: Vec<_> = shape.iter().copied().enumerate().collect();
    shape.sort_by_key(|(_, (step, _))| *step);
    let targets = shape
        .into_iter()
        .map(|(index, (step, weight))| super::Target {
            credential: index,
            state_index: index,
            identity: super::fingerprint([&index.to_le_bytes()[..]]),
            step,
            weight,
            ..resolved.targets.first().unwrap().clone()
        });
    targets.collect()
}
