use super::{error, trial};

/// `a` in place of `b`.
fn pair(a: &str, b: &str) -> String {
    format!("[limits.a]\nconcurrent = 1\nreplaces = \"b\"\n{a}\n[limits.b]\nconcurrent = 2\n{b}")
}

#[test]
fn a_limit_replaces_another_one() {
    let cases = [
        (
            "[limits.a]\nconcurrent = 1\nreplaces = \"a\"".to_owned(),
            "limits.a.replaces: names itself; name another limit, or remove it",
        ),
        (
            "[limits.a]\nconcurrent = 1\nreplaces = \"eech\"\n[limits.each]\nconcurrent = 1"
                .to_owned(),
            "limits.a.replaces: unknown limit \"eech\"; did you mean \"each\"?",
        ),
        (
            "[limits.a]\nconcurrent = 1\nreplaces = \"other\"".to_owned(),
            "limits.a.replaces: unknown limit \"other\"; write [limits.other], or remove it",
        ),
        (
            pair("keys = [\"ci-*\"]", "teams = [\"search\"]"),
            "limits.a.replaces: never holds for a request that \"b\" holds for, so that it replaces nothing; correct what the two are for, or remove it",
        ),
        (
            pair("models = [\"fast\"]", "models = [\"l*\"]"),
            "limits.a.replaces: never holds for a request that \"b\" holds for, so that it replaces nothing; correct what the two are for, or remove it",
        ),
        (
            pair("", "keys = [\"alice\"]"),
            "limits.a.replaces: \"b\" never holds: this one replaces it for all that it is for; remove [limits.b], or say by `keys`, `teams` or `models` what this one is for",
        ),
        (
            pair("providers = [\"openai\"]", ""),
            "limits.a.replaces: \"b\" cannot be replaced: of the two, only one is for providers, and so counts attempts instead of requests",
        ),
    ];
    for (rules, expected) in cases {
        assert_eq!(error(&rules), expected, "{rules}");
    }
    for rules in [
        pair("keys = [\"ci-*\"]", ""),
        pair("models = [\"fast\"]", "keys = [\"alice\"]"),
        pair("providers = [\"openai\"]", "per = [\"provider\"]"),
    ] {
        assert_eq!(trial(&rules).errors(), Vec::<String>::new(), "{rules}");
    }
}

#[test]
fn limits_do_not_replace_each_other_in_a_circle() {
    let rules = "[limits.a]\nconcurrent = 1\nkeys = [\"alice\"]\nreplaces = \"b\"\n\
                 [limits.b]\nconcurrent = 1\nmodels = [\"fast\"]\nreplaces = \"c\"\n\
                 [limits.c]\nconcurrent = 1\nteams = [\"search\"]\nreplaces = \"a\"";
    let errors = trial(rules).errors();
    let circles = errors.iter().filter(|error| error.contains("a circle"));
    let circles: Vec<_> = circles.collect();
    assert_eq!(circles.len(), 1, "{errors:?}");
    assert!(
        circles[0].ends_with("limits.a.replaces: a circle: a -> b -> c -> a; remove one of them")
    );
}
