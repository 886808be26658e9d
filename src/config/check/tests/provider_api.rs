use super::provider::custom;
use crate::config::tests::Trial;
use crate::config::{DialectSet, Quirk, StreamUsageMode};
use crate::dialect::Dialect::{Chat, Messages, Responses};

#[test]
fn the_dialects_are_those_that_are_written_or_built_in() {
    let built_in = |name: &str| Trial::file(&format!("[providers.{name}]")).provider(name);
    for (name, dialects) in [
        ("openai", &[Chat, Responses][..]),
        ("anthropic", &[Messages]),
        ("mistral", &[Chat]),
        ("vllm", &[Chat, Messages, Responses]),
        // It is asked.
        ("together", &[Chat, Responses]),
    ] {
        let found = built_in(name).api.dialects;
        assert_eq!(found, DialectSet::of(dialects), "{name}");
    }
    let own = |lines: &str| custom(lines).provider("house").api.dialects;
    assert_eq!(own(""), DialectSet::UNKNOWN);
    let written = own("dialects = [\"responses\", \"messages\"]");
    assert_eq!(written, DialectSet::of(&[Messages, Responses]));
    let narrowed = Trial::file("[providers.vllm]\ndialects = [\"chat\"]").provider("vllm");
    assert_eq!(narrowed.api.dialects, DialectSet::of(&[Chat]));
}

#[test]
fn dialects_that_cannot_be_are_errors() {
    for (lines, expected) in [
        (
            "dialects = []",
            "dialects: must name at least one of \"chat\", \"messages\" and \"responses\"",
        ),
        (
            "dialect = \"anthropic\"",
            "dialect: unknown key; did you mean \"dialects\"?",
        ),
    ] {
        let expected = format!("trunkline.toml:3: providers.house.{expected}");
        assert_eq!(custom(lines).error(), expected);
    }
    let unknown = custom("dialects = [\"openai\"]").error();
    assert!(unknown.contains("providers.house.dialects"), "{unknown}");
    assert!(unknown.contains("\"responses\""), "{unknown}");
    let azure = custom("dialects = [\"messages\"]\napi_version = \"2024-10-21\"").error();
    assert!(azure.contains("providers.house.api_version"), "{azure}");
}

#[test]
fn what_an_old_version_of_azure_refuses_is_not_added_to_requests() {
    use Quirk::{MaxCompletionTokens, ReasoningEffort};
    use StreamUsageMode::{Inject, Observe, Translated};
    let azure = |lines: &str| {
        let provider = Trial::file(&format!("[providers.azure]\n{lines}")).provider("azure");
        (provider.stream_usage, provider.api.quirks)
    };
    for (version, expected) in [
        ("2023-05-15", (Observe, vec![])),
        ("2024-02-01", (Observe, vec![])),
        ("2024-08-01-preview", (Observe, vec![])),
        ("2024-09-01-preview", (Inject, vec![MaxCompletionTokens])),
        ("2024-10-21", (Inject, vec![MaxCompletionTokens])),
        (
            "2024-12-01-preview",
            (Inject, vec![MaxCompletionTokens, ReasoningEffort]),
        ),
        (
            "preview",
            (Inject, vec![MaxCompletionTokens, ReasoningEffort]),
        ),
    ] {
        let lines = format!("api_version = \"{version}\"");
        assert_eq!(azure(&lines), expected, "{version}");
    }
    assert_eq!(
        azure(""),
        (Inject, vec![MaxCompletionTokens, ReasoningEffort])
    );
    // What is written in the configuration stands.
    let written = "api_version = \"2024-02-01\"\nstream_usage = \"inject\"\n\
                   quirks = [\"reasoning_effort\"]";
    assert_eq!(azure(written), (Inject, vec![ReasoningEffort]));
    let own = |lines: &str| custom(lines).provider("house").stream_usage;
    assert_eq!(own("api_version = \"2024-02-01\""), Observe);
    assert_eq!(own("api_version = \"2024-10-21\""), Translated);
}
