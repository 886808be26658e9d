//! OpenTelemetry's semantic conventions for generative AI, as far as spans and metrics
//! share them.

/// `gen_ai.provider.name`: the conventions' name of a provider, else ours.
#[must_use]
pub fn provider_name(name: &str) -> &str {
    match name {
        "azure" => "azure.ai.openai",
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        name => name,
    }
}
