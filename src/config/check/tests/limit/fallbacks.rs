use super::{error, trial};

#[test]
fn a_fallback_is_another_alias() {
    for (rule, expected) in [
        (
            "providers = [\"openai\"]\nat_limit = \"fallback:fast\"",
            "a provider that has nothing left is passed over; write `fallbacks` of the model instead, and remove this",
        ),
        (
            "keys = [\"ci-*\"]\nat_limit = \"fallback:large\"",
            "no client that the limit is for may use \"large\"; add it to `models` of the key",
        ),
        (
            "models = [\"large\"]\nat_limit = \"fallback:fsat\"",
            "unknown model \"fsat\"; did you mean \"fast\"?",
        ),
        (
            "models = [\"large\"]\nat_limit = \"fallback:other\"",
            "unknown model \"other\"; write [models.other]",
        ),
        (
            "models = [\"large\"]\nat_limit = \"fallback:f*\"",
            "a pattern names no model; write the alias of one",
        ),
        (
            "models = [\"fast\"]\nat_limit = \"fallback:fast\"",
            "the limit is for \"fast\" alone; write the alias of another model",
        ),
        (
            "at_limit = \"fallback:fast\"",
            "the limit holds for \"fast\" as well, so that it would refuse the request there too; leave that out by `models`, or write a limit with models = [\"fast\"] and replaces = \"a\"",
        ),
    ] {
        let found = error(&format!("[limits.a]\nconcurrent = 1\n{rule}"));
        assert_eq!(found, format!("limits.a.at_limit: {expected}"), "{rule}");
    }
}

#[test]
fn a_fallback_with_amounts_of_its_own_is_none_to_refuse() {
    let general = "[limits.a]\nconcurrent = 1\nat_limit = \"fallback:fast\"\n";
    for rest in [
        "per = [\"model\"]",
        "models = [\"large\"]",
        "models = [\"l*\"]",
        "[limits.cheap]\nmodels = [\"fast\"]\nconcurrent = 9\nreplaces = \"a\"",
    ] {
        let trial = trial(&format!("{general}{rest}"));
        assert_eq!(trial.errors(), Vec::<String>::new(), "{rest}");
    }
}

#[test]
fn fallbacks_of_limits_form_no_circle() {
    let rules = "[limits.a]\nconcurrent = 1\nmodels = [\"large\"]\nat_limit = \"fallback:fast\"\n\
                 [limits.b]\nconcurrent = 1\nmodels = [\"fast\"]\nat_limit = \"fallback:local\"\n\
                 [limits.c]\nconcurrent = 1\nmodels = [\"local\"]\nat_limit = \"fallback:large\"";
    assert_eq!(
        error(rules),
        "limits.a.at_limit: fallbacks of limits in a circle: fast -> local -> large -> fast; remove one of them"
    );
    let chain = rules.replace("fallback:large", "refuse");
    assert_eq!(trial(&chain).errors(), Vec::<String>::new());
}

/// Each of many teams has a chain of its own, and each chain could go on as any other: to
/// follow all of these ways would take hours.
#[test]
fn chains_of_many_teams_are_checked_at_once() {
    use std::fmt::Write as _;

    const TEAMS: usize = 60;
    const CHAIN: [&str; 5] = ["a", "b", "c", "d", "fast"];
    let mut text = String::new();
    for alias in &CHAIN[..4] {
        write!(
            text,
            "[models.{alias}]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\n"
        )
        .unwrap();
    }
    for team in 0..TEAMS {
        let key = format!("[access.keys.k{team}]\nsha256 = \"{:064x}\"", team + 16);
        writeln!(text, "{key}\nteam = \"t{team}\"").unwrap();
        for pair in CHAIN.windows(2) {
            let (alias, next) = (pair[0], pair[1]);
            let rule = format!("[limits.{alias}-{team}]\nteams = [\"t{team}\"]\nconcurrent = 1");
            let fallback = format!("models = [\"{alias}\"]\nat_limit = \"fallback:{next}\"");
            writeln!(text, "{rule}\n{fallback}").unwrap();
        }
    }
    assert_eq!(trial(&text).errors(), Vec::<String>::new());
}
