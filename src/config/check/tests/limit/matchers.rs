use super::{assert_errors, trial, warnings};
use crate::config::tests::Trial;

#[test]
fn a_rule_that_matches_nothing_is_an_error() {
    assert_errors(&[
        (
            "concurrent = 1\nkeys = [\"alcie\"]",
            "limits.a.keys[0]: \"alcie\" matches no key or certificate; did you mean \"alice\"?",
        ),
        (
            "concurrent = 1\nkeys = [\"alice\", \"web-*\"]",
            "limits.a.keys[1]: \"web-*\" matches no key or certificate",
        ),
        (
            "concurrent = 1\nkeys = []",
            "limits.a.keys: empty, so it never holds; remove it to match all",
        ),
        (
            "concurrent = 1\nteams = [\"serch\"]",
            "limits.a.teams[0]: \"serch\" matches no team of a key; did you mean \"search\"?",
        ),
        (
            "concurrent = 1\nmodels = [\"fsat\"]",
            "limits.a.models[0]: \"fsat\" matches no model; did you mean \"fast\"?",
        ),
        (
            "concurrent = 1\nmodels = []",
            "limits.a.models: empty, so it never holds; remove it to match all",
        ),
        (
            "concurrent = 1\nproviders = [\"opnai\"]",
            "limits.a.providers[0]: \"opnai\" matches no provider; did you mean \"openai\"?",
        ),
        (
            "concurrent = 1\nproviders = []",
            "limits.a.providers: empty, so it never holds; remove it to match all",
        ),
    ]);
}

#[test]
fn matchers_that_match_nothing_together_are_an_error() {
    assert_errors(&[
        (
            "concurrent = 1\nkeys = [\"ci-*\"]\nteams = [\"search\"]",
            "limits.a: never holds: no key or certificate that `keys` matches is in one of `teams`",
        ),
        (
            "concurrent = 1\nkeys = [\"ci-*\"]\nmodels = [\"large\"]",
            "limits.a: never holds: no client that it is for may use a model that it is for; correct `models` of the limit, or those of the key",
        ),
        (
            "concurrent = 1\nmodels = [\"fast\"]\nproviders = [\"house\"]",
            "limits.a: never holds: no model that it is for has a target at one of `providers`",
        ),
    ]);
    for rule in [
        "keys = [\"ci-?\"]\nmodels = [\"f*\"]",
        "keys = [\"alice\"]\nteams = [\"s*\"]\nmodels = [\"lo*\", \"large\"]",
        "models = [\"lo*\"]\nproviders = [\"house\"]",
    ] {
        let trial = trial(&format!("[limits.a]\nconcurrent = 1\n{rule}"));
        assert_eq!(trial.errors(), Vec::<String>::new(), "{rule}");
    }
}

#[test]
fn amounts_of_each_team_or_user_need_some() {
    assert_errors(&[
        (
            "concurrent = 1\nkeys = [\"ci-*\"]\nper = [\"team\"]",
            "limits.a.per: no client that it holds for has a team, so that all would share one amount; set `team` of the keys, or remove \"team\"",
        ),
        (
            "concurrent = 1\nper = [\"user\"]",
            "limits.a.per: no client that it holds for may name users, so that all would share one amount; set may_name_users = true of a key whose users can be believed, or remove \"user\"",
        ),
    ]);
}

#[test]
fn without_clients_no_limit_is_about_them() {
    let cure = "no client key and no certificate is configured, so it never holds; add one (trunkline keygen), or remove this";
    for (key, line) in [
        ("keys", "keys = [\"*\"]"),
        ("teams", "teams = [\"*\"]"),
        ("per", "per = [\"key\"]"),
        ("per", "per = [\"user\", \"model\"]"),
    ] {
        for access in [
            "",
            "[access]\nopen = true\n[server]\nlisten = \"0.0.0.0:1\"\n",
        ] {
            let file = format!("{access}[limits.a]\nconcurrent = 3\n{line}");
            let error = Trial::file(&file).error();
            assert!(
                error.ends_with(&format!("limits.a.{key}: {cure}")),
                "{error}"
            );
        }
    }
    for line in ["", "per = [\"model\"]", "per = [\"provider\"]"] {
        let trial = Trial::file(&format!("[limits.a]\nconcurrent = 3\n{line}"));
        assert!(trial.load().is_ok(), "{line}");
    }
}

#[test]
fn a_faulty_key_is_not_reported_by_the_limits_for_it_too() {
    let file = "[access.keys.alice]\nsha256 = \"x\"\nteam = \"search\"\n\
                [limits.a]\nkeys = [\"alice\"]\nteams = [\"search\"]\nconcurrent = 1";
    assert!(
        Trial::file(file)
            .error()
            .contains("access.keys.alice.sha256")
    );
    let file = file.replace("sha256", "sha265");
    assert!(
        Trial::file(&file)
            .error()
            .contains("access.keys.alice.sha265")
    );
}

#[test]
fn a_provider_that_is_not_ready_is_a_warning() {
    let found = warnings("[limits.a]\nconcurrent = 1\nproviders = [\"openai\", \"groq\"]");
    let expected =
        "limits.a.providers[1]: no provider that \"groq\" matches is ready; set GROQ_API_KEY";
    let [warning] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(warning.ends_with(expected), "{warning}");
}

#[test]
fn a_limit_that_another_name_avoids_is_a_warning() {
    let rule = "[limits.a]\nconcurrent = 1\nmodels = [\"fast\"]";
    assert_eq!(warnings(rule), Vec::<String>::new());
    let file = format!("{}{rule}", super::BASE.replace("strict_models = true", ""));
    let open = |file: &str| {
        let trial = Trial::file(file).variable("OPENAI_API_KEY", "a");
        trial.variable("HOUSE_KEY", "b").warnings()
    };
    let found = open(&file);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with(
            "limits.a.models: clients may request \"openai/gpt-4o-mini\" as well, for which this limit \
             does not hold; add it here, or set strict_models = true"
        ),
        "{found:?}"
    );
    // This key may use no other name.
    assert_eq!(
        open(&format!("{file}\nkeys = [\"ci-*\"]")),
        Vec::<String>::new()
    );
    let file = file.replace("[\"fast\"]\n[limits", "[\"fast\", \"openai/*\"]\n[limits");
    let with_own_name = file.replace("models = [\"fast\"]", "models = [\"fast\", \"openai/*\"]");
    assert_eq!(open(&with_own_name), Vec::<String>::new());
}
