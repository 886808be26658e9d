//! Each fault of `[limits]`, with its cure.

mod amounts;
mod fallbacks;
mod keys;
mod matchers;
mod prices;
mod replaces;

use crate::config::tests::Trial;

/// Two keys, a team, and models with and without a price.
const BASE: &str = r#"
strict_models = true
[access.keys.alice]
sha256 = "0000000000000000000000000000000000000000000000000000000000000001"
team = "search"
[access.keys.ci-1]
sha256 = "0000000000000000000000000000000000000000000000000000000000000002"
models = ["fast"]
[providers.openai]
[providers.house]
base_url = "https://house.test/v1"
api_key_env = "HOUSE_KEY"
[models.fast]
provider = "openai"
model = "gpt-4o-mini"
[models.large]
provider = "openai"
model = "gpt-4o"
[models.local]
provider = "house"
model = "llama"
"#;

fn trial(rules: &str) -> Trial {
    let trial = Trial::file(&format!("{BASE}{rules}"));
    trial
        .variable("OPENAI_API_KEY", "a")
        .variable("HOUSE_KEY", "b")
}

/// The only error, without the file and line.
fn error(rules: &str) -> String {
    let error = trial(rules).error();
    let (_, text) = error.split_once(": ").unwrap();
    text.to_owned()
}

/// Each rule is the whole of `[limits.a]`.
fn assert_errors(cases: &[(&str, &str)]) {
    for (rule, expected) in cases {
        assert_eq!(error(&format!("[limits.a]\n{rule}")), *expected, "{rule}");
    }
}

fn warnings(rules: &str) -> Vec<String> {
    trial(rules).warnings()
}
