//! The provider prefixes of LiteLLM's model names, and what they lead to here.
//!
//! Base URLs and variables: LiteLLM's `get_llm_provider_logic.py` and its provider
//! pages, <https://docs.litellm.ai/docs/providers> (read 2026-11).

/// A prefix, as in `groq/openai/gpt-oss-20b`.
pub struct KnownProvider {
    pub prefix: &'static str,
    pub leads_to: LeadsTo,
    /// The variable that LiteLLM reads where the configuration has no `api_key`.
    pub key_env: &'static str,
    pub base: BaseForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadsTo {
    /// A built-in provider.
    BuiltIn(&'static str),
    /// An OpenAI-compatible API at this base URL.
    Host(&'static str),
    /// An OpenAI-compatible API at the configured base URL.
    Configured,
    /// Nothing; the cure.
    Unsupported(&'static str),
}

/// What LiteLLM's `api_base` is, compared with a base URL here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseForm {
    /// The same.
    Same,
    /// LiteLLM adds "/v1".
    WithoutVersion,
    /// The address of an Azure resource.
    Azure,
    /// An API that is not OpenAI's.
    Foreign,
}

use BaseForm::{Azure, Foreign, Same, WithoutVersion};
use LeadsTo::{BuiltIn, Configured, Host, Unsupported};

const AWS: &str = "requests to AWS are signed, which Trunkline does not do; Bedrock also has an OpenAI-compatible API for API keys: write a [providers] table with base_url = \"https://bedrock-runtime.REGION.amazonaws.com/openai/v1\"";
const GOOGLE_CLOUD: &str = "Vertex AI needs Google's OAuth tokens, which Trunkline does not fetch; use the built-in provider gemini with an API key";
const OWN_API: &str = "its own API is not supported; if the provider has an OpenAI-compatible API, write a [providers] table with its base_url";
const IN_PROCESS: &str = "LiteLLM runs this in its own process; start a server with an OpenAI-compatible API and write a [providers] table with its base_url";
const NO_PROVIDER: &str =
    "a router or a token of LiteLLM, not a provider; name its models as aliases";

const fn row(
    prefix: &'static str,
    leads_to: LeadsTo,
    key_env: &'static str,
    base: BaseForm,
) -> KnownProvider {
    KnownProvider {
        prefix,
        leads_to,
        key_env,
        base,
    }
}

#[rustfmt::skip]
pub const KNOWN: &[KnownProvider] = &[
    row("openai", BuiltIn("openai"), "OPENAI_API_KEY", Same),
    row("text-completion-openai", BuiltIn("openai"), "OPENAI_API_KEY", Same),
    row("azure", BuiltIn("azure"), "AZURE_API_KEY", Azure),
    row("azure_text", BuiltIn("azure"), "AZURE_API_KEY", Azure),
    row("azure_ai", BuiltIn("azure"), "AZURE_AI_API_KEY", Azure),
    row("anthropic", BuiltIn("anthropic"), "ANTHROPIC_API_KEY", WithoutVersion),
    row("cerebras", BuiltIn("cerebras"), "CEREBRAS_API_KEY", Same),
    row("deepseek", BuiltIn("deepseek"), "DEEPSEEK_API_KEY", Same),
    row("fireworks_ai", BuiltIn("fireworks"), "FIREWORKS_AI_API_KEY", Same),
    row("gemini", BuiltIn("gemini"), "GEMINI_API_KEY", Foreign),
    row("groq", BuiltIn("groq"), "GROQ_API_KEY", Same),
    row("hosted_vllm", BuiltIn("vllm"), "HOSTED_VLLM_API_KEY", Same),
    row("llamafile", BuiltIn("llamacpp"), "LLAMAFILE_API_KEY", Same),
    row("lm_studio", BuiltIn("lmstudio"), "LM_STUDIO_API_KEY", Same),
    row("mistral", BuiltIn("mistral"), "MISTRAL_API_KEY", Same),
    row("nvidia_nim", BuiltIn("nvidia"), "NVIDIA_NIM_API_KEY", Same),
    row("ollama", BuiltIn("ollama"), "OLLAMA_API_KEY", WithoutVersion),
    row("ollama_chat", BuiltIn("ollama"), "OLLAMA_API_KEY", WithoutVersion),
    row("openrouter", BuiltIn("openrouter"), "OPENROUTER_API_KEY", Same),
    row("perplexity", BuiltIn("perplexity"), "PERPLEXITYAI_API_KEY", Same),
    row("together_ai", BuiltIn("together"), "TOGETHERAI_API_KEY", Same),
    row("xai", BuiltIn("xai"), "XAI_API_KEY", Same),
    row("codestral", Host("https://codestral.mistral.ai/v1"), "CODESTRAL_API_KEY", Same),
    row("cohere", Host("https://api.cohere.ai/compatibility/v1"), "COHERE_API_KEY", Foreign),
    row("cohere_chat", Host("https://api.cohere.ai/compatibility/v1"), "COHERE_API_KEY", Foreign),
    row("dashscope", Host("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"), "DASHSCOPE_API_KEY", Same),
    row("deepinfra", Host("https://api.deepinfra.com/v1/openai"), "DEEPINFRA_API_KEY", Same),
    row("friendliai", Host("https://api.friendli.ai/serverless/v1"), "FRIENDLIAI_API_KEY", Same),
    row("github", Host("https://models.inference.ai.azure.com"), "GITHUB_API_KEY", Same),
    row("meta_llama", Host("https://api.llama.com/compat/v1"), "LLAMA_API_KEY", Same),
    row("moonshot", Host("https://api.moonshot.ai/v1"), "MOONSHOT_API_KEY", Same),
    row("sambanova", Host("https://api.sambanova.ai/v1"), "SAMBANOVA_API_KEY", Same),
    row("volcengine", Host("https://ark.cn-beijing.volces.com/api/v3"), "VOLCENGINE_API_KEY", Same),
    row("custom_openai", Configured, "", Same),
    row("litellm_proxy", Configured, "LITELLM_PROXY_API_KEY", Same),
    row("openai_like", Configured, "OPENAI_LIKE_API_KEY", Same),
    row("aleph_alpha", Unsupported(OWN_API), "", Foreign),
    row("auto_router", Unsupported(NO_PROVIDER), "", Foreign),
    row("bedrock", Unsupported(AWS), "", Foreign),
    row("bedrock_converse", Unsupported(AWS), "", Foreign),
    row("chatgpt", Unsupported(NO_PROVIDER), "", Foreign),
    row("cloudflare", Unsupported(OWN_API), "", Foreign),
    row("github_copilot", Unsupported(NO_PROVIDER), "", Foreign),
    row("huggingface", Unsupported("write a [providers] table with base_url = \"https://router.huggingface.co/v1\" and api_key_env = \"HF_TOKEN\", or with the address of your endpoint"), "", Foreign),
    row("nlp_cloud", Unsupported(OWN_API), "", Foreign),
    row("oci", Unsupported(OWN_API), "", Foreign),
    row("petals", Unsupported(IN_PROCESS), "", Foreign),
    row("predibase", Unsupported(OWN_API), "", Foreign),
    row("replicate", Unsupported(OWN_API), "", Foreign),
    row("sagemaker", Unsupported(AWS), "", Foreign),
    row("sagemaker_chat", Unsupported(AWS), "", Foreign),
    row("snowflake", Unsupported(OWN_API), "", Foreign),
    row("triton", Unsupported(OWN_API), "", Foreign),
    row("vertex_ai", Unsupported(GOOGLE_CLOUD), "", Foreign),
    row("vertex_ai_beta", Unsupported(GOOGLE_CLOUD), "", Foreign),
    row("vllm", Unsupported(IN_PROCESS), "", Foreign),
    row("watsonx", Unsupported(OWN_API), "", Foreign),
];

/// Beginnings of model names for which LiteLLM needs no prefix.
const WITHOUT_PREFIX: &[(&str, &str)] = &[
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("codex-", "openai"),
    ("computer-use", "openai"),
    ("dall-e-", "openai"),
    ("davinci", "openai"),
    ("babbage", "openai"),
    ("ft:", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("omni-moderation", "openai"),
    ("sora-", "openai"),
    ("text-embedding-3", "openai"),
    ("text-embedding-ada", "openai"),
    ("text-moderation", "openai"),
    ("tts-", "openai"),
    ("whisper-", "openai"),
    ("claude-", "anthropic"),
    ("command", "cohere"),
    ("embed-", "cohere"),
    ("gemini-", "vertex_ai"),
];

pub fn by_prefix(prefix: &str) -> Option<&'static KnownProvider> {
    KNOWN.iter().find(|known| known.prefix == prefix)
}

/// The provider of a model name without a prefix.
pub fn by_model(model: &str) -> Option<&'static KnownProvider> {
    let mut names = WITHOUT_PREFIX.iter();
    let (_, prefix) = names.find(|(beginning, _)| model.starts_with(beginning))?;
    by_prefix(prefix)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{KNOWN, LeadsTo, WITHOUT_PREFIX, by_prefix};
    use crate::cli::import::litellm::built_in::BuiltIns;
    use crate::config::parse_base_url;

    #[test]
    fn every_prefix_is_listed_once_and_leads_somewhere() {
        let built_ins = BuiltIns::load();
        let mut seen = BTreeSet::new();
        for known in KNOWN {
            assert!(seen.insert(known.prefix), "{}", known.prefix);
            match known.leads_to {
                LeadsTo::BuiltIn(name) => assert!(built_ins.contains(name), "{name}"),
                LeadsTo::Host(url) => assert!(parse_base_url(url).is_ok(), "{url}"),
                LeadsTo::Configured | LeadsTo::Unsupported(_) => {}
            }
        }
        for (_, prefix) in WITHOUT_PREFIX {
            assert!(by_prefix(prefix).is_some(), "{prefix}");
        }
    }
}
