use std::time::Duration;

use crate::config::Hedge;
use crate::config::tests::Trial;

/// A model with two targets.
fn model(hedge: &str) -> String {
    format!(
        "[models.m]\ntargets = [{{ provider = \"groq\" }}, {{ provider = \"xai\" }}]\nhedge = {hedge}"
    )
}

#[test]
fn hedging_is_configured_per_model() {
    let hedge = |text| Trial::file(&model(text)).config().models["m"].hedge;
    let after = Hedge::After(Duration::from_secs(2));
    assert_eq!(hedge("{ after = \"2s\" }"), Some(after));
    let quantile = |percent, floor, samples| Hedge::Quantile {
        percent,
        floor: Duration::from_millis(floor),
        samples,
    };
    let found = hedge("{ quantile = 95 }");
    assert_eq!(found, Some(quantile(95, 250, 20)));
    let found = hedge("{ quantile = 90, floor = \"1s\", samples = 50 }");
    assert_eq!(found, Some(quantile(90, 1000, 50)));
    let untouched = Trial::file("").config();
    assert!(untouched.models.values().all(|model| model.hedge.is_none()));
}

#[test]
fn contradictory_hedging_is_an_error() {
    for (hedge, expected) in [
        (
            "{}",
            "models.m.hedge: has no delay; write after = \"2s\" or quantile = 95",
        ),
        (
            "{ after = \"2s\", quantile = 95 }",
            "models.m.hedge: has both after and quantile; keep one",
        ),
        (
            "{ after = \"0s\" }",
            "models.m.hedge.after: must be more than zero, such as \"10s\"",
        ),
        (
            "{ after = \"2s\", samples = 9 }",
            "models.m.hedge.samples: applies only with quantile; remove it",
        ),
        (
            "{ quantile = 100 }",
            "models.m.hedge.quantile: must be from 50 to 99",
        ),
        (
            "{ quantile = 95, samples = 129 }",
            "models.m.hedge.samples: must be from 5 to 128",
        ),
        (
            "{ quantile = 95, floor = \"0s\" }",
            "models.m.hedge.floor: must be more than zero, such as \"10s\"",
        ),
    ] {
        let error = Trial::file(&model(hedge)).error();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn hedging_needs_a_second_target_and_a_second_attempt() {
    let alone = "[models.m]\nprovider = \"groq\"\nhedge = { after = \"2s\" }";
    let error = Trial::file(alone).error();
    let expected = "models.m.hedge: needs a second target; add targets or fallbacks";
    assert!(error.ends_with(expected), "{error}");
    Trial::file(&format!("{alone}\nfallbacks = [\"gpt-4o\"]")).config();
    let once = format!(
        "{}\nretry = {{ attempts = 1 }}",
        model("{ after = \"2s\" }")
    );
    let error = Trial::file(&once).error();
    let expected = "models.m.hedge: needs a second attempt, but retry.attempts is 1";
    assert!(error.ends_with(expected), "{error}");
}
