use super::{error, trial, warnings};
use crate::config::tests::Trial;

const UNPRICED: &str = "limits.a.budget: \"local\" can go to \"llama\" of house, which has no price; write [prices.\"house/llama\"], with input and output = \"0\" if it is free, or leave the model out by `models`";

#[test]
fn every_model_under_a_budget_has_a_price() {
    let budget = "[limits.a]\nbudget = [\"5/day\"]\n";
    assert_eq!(error(budget), UNPRICED);
    assert_eq!(error(&format!("{budget}keys = [\"alice\"]")), UNPRICED);
    for rest in [
        "models = [\"fast\", \"large\"]",
        // Its key may not use that model.
        "keys = [\"ci-*\"]",
        "providers = [\"openai\"]",
        "[prices.\"house/*\"]\ninput = \"0\"",
        // There, another one holds.
        "[limits.local]\nmodels = [\"local\"]\nconcurrent = 3\nreplaces = \"a\"",
    ] {
        let trial = trial(&format!("{budget}{rest}"));
        assert_eq!(trial.errors(), Vec::<String>::new(), "{rest}");
    }
}

#[test]
fn the_targets_of_a_fallback_have_prices_too() {
    let rule = "[models.safe]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nfallbacks = [\"local\"]\n\
                [limits.a]\nmodels = [\"safe\"]\nbudget = [\"5/day\"]";
    assert_eq!(
        error(rule),
        UNPRICED.replace("\"local\" can", "\"safe\" can")
    );
}

#[test]
fn names_of_a_provider_without_prices_are_a_warning() {
    let file = "[providers.ollama]\n[limits.a]\nbudget = [\"5/day\"]\n";
    let found = Trial::file(file).warnings();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].ends_with(
            "limits.a.budget: requests for \"ollama/*\" are refused under it, as ollama has no prices for \
             them; write [prices.\"ollama/*\"], with input and output = \"0\" if they are free, or leave these models \
             out by `models`"
        ),
        "{found:?}"
    );
    let priced = format!("{file}[prices.\"ollama/*\"]\ninput = \"0\"");
    assert_eq!(Trial::file(&priced).warnings(), Vec::<String>::new());
    let strict = format!("strict_models = true\n{file}");
    assert_eq!(Trial::file(&strict).warnings(), Vec::<String>::new());
}

#[test]
fn a_pattern_of_aliases_may_have_names_with_a_price() {
    let rules = |glob: &str| {
        format!(
            "[models.\"{glob}\"]\nprovider = \"openai\"\n[limits.a]\nmodels = [\"{glob}\"]\nbudget = [\"5/day\"]"
        )
    };
    assert_eq!(warnings(&rules("gpt-4.1*")), Vec::<String>::new());
    let found = warnings(&rules("zzz-*"));
    assert!(
        found.len() == 1 && found[0].contains("requests for \"zzz-*\" are refused"),
        "{found:?}"
    );
}

#[test]
fn a_built_in_alias_that_is_ready_without_a_price_is_a_warning() {
    let file = "strict_models = true\n[limits.a]\nbudget = [\"5/day\"]";
    assert_eq!(Trial::file(file).warnings(), Vec::<String>::new());
    let trial = Trial::file(file).variable("MISTRAL_API_KEY", "a");
    let ready = trial.variable("MISTRAL_BASE_URL", "https://llm.example/v1");
    let found = ready.warnings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("\"mistral-large\" can go to"),
        "{found:?}"
    );
}
