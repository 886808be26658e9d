use std::time::Duration;

use crate::config::Hedge;
use crate::config::tests::Trial;

/// A model of two places that hedges like this.
fn model(hedge: &str) -> String {
    format!(
        "[models.m]\ntargets = [{{ provider = \"groq\" }}, {{ provider = \"xai\" }}]\nhedge = {hedge}"
    )
}

#[test]
fn a_model_says_when_a_second_target_is_asked() {
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
fn what_makes_no_sense_is_told() {
    for (hedge, fault) in [
        (
            "{}",
            "models.m.hedge: does not say when; write after = \"2s\" or quantile = 95",
        ),
        (
            "{ after = \"2s\", quantile = 95 }",
            "models.m.hedge: says when in two ways; keep after or quantile",
        ),
        (
            "{ after = \"0s\" }",
            "models.m.hedge.after: must be longer than nothing, such as \"10s\"",
        ),
        (
            "{ after = \"2s\", samples = 9 }",
            "models.m.hedge.samples: belongs to quantile; leave it out",
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
            "models.m.hedge.floor: must be longer than nothing, such as \"10s\"",
        ),
    ] {
        let told = Trial::file(&model(hedge)).fault();
        assert!(told.ends_with(fault), "{told}");
    }
}

#[test]
fn it_takes_a_second_place_and_a_second_attempt() {
    let alone = "[models.m]\nprovider = \"groq\"\nhedge = { after = \"2s\" }";
    let told = Trial::file(alone).fault();
    let expected =
        "models.m.hedge: needs another place to ask; give the model targets or fallbacks";
    assert!(told.ends_with(expected), "{told}");
    Trial::file(&format!("{alone}\nfallbacks = [\"gpt-4o\"]")).config();
    let once = format!(
        "{}\nretry = {{ attempts = 1 }}",
        model("{ after = \"2s\" }")
    );
    let told = Trial::file(&once).fault();
    let expected = "models.m.hedge: takes a second attempt, and retry.attempts is 1";
    assert!(told.ends_with(expected), "{told}");
}
