//! Usage of chat providers.

use super::cost_of_body;

/// A model, the members of `usage`, and the cost.
const REPORTED: &[(&str, &str, Option<&str>)] = &[
    // OpenAI: cached tokens are part of the prompt.
    (
        "openai/gpt-4o",
        r#""prompt_tokens":12,"completion_tokens":34,"total_tokens":46,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3,"audio_tokens":0,"accepted_prediction_tokens":0}"#,
        Some("0.00036375"),
    ),
    (
        "openai/gpt-audio",
        r#""prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":60,"text_tokens":40},"completion_tokens_details":{"audio_tokens":30,"text_tokens":20}"#,
        Some("0.0051"),
    ),
    (
        "openai/gpt-4o",
        r#""prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":60}"#,
        None,
    ),
    // How many of the cached ones are audio is unknown.
    (
        "openai/gpt-audio",
        r#""prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":64,"audio_tokens":60}"#,
        None,
    ),
    // Images, and transcriptions with their own spelling of the details.
    (
        "openai/image",
        r#""input_tokens":50,"output_tokens":10,"total_tokens":60,"input_tokens_details":{"text_tokens":10,"image_tokens":40},"output_tokens_details":{"image_tokens":10,"text_tokens":0}"#,
        Some("0.00069"),
    ),
    (
        "openai/gpt-audio",
        r#""type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":5,"total_tokens":19"#,
        Some("0.00046"),
    ),
    (
        "openai/gpt-audio",
        r#""type":"duration","seconds":12,"input_tokens":0"#,
        None,
    ),
    // Groq, with times as floats.
    (
        "groq/openai/gpt-oss-120b",
        r#""queue_time":0.1,"prompt_tokens":1000,"prompt_time":0.01,"completion_tokens":100,"completion_time":0.25,"total_tokens":1100,"total_time":0.26"#,
        Some("0.00021"),
    ),
    // Gemini: thinking in the total alone.
    (
        "gemini/gemini-2.5-pro",
        r#""prompt_tokens":9,"completion_tokens":4,"total_tokens":20"#,
        Some("0.00012125"),
    ),
    // Long prompts, to the token.
    (
        "gemini/gemini-2.5-pro",
        r#""prompt_tokens":200000,"completion_tokens":1000,"total_tokens":201000"#,
        Some("0.26"),
    ),
    (
        "gemini/gemini-2.5-pro",
        r#""prompt_tokens":200001,"completion_tokens":1000,"total_tokens":201001,"prompt_tokens_details":{"cached_tokens":100001}"#,
        Some("0.29000025"),
    ),
    (
        "deepseek/deepseek-chat",
        r#""prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":7},"prompt_cache_hit_tokens":7,"prompt_cache_miss_tokens":2"#,
        Some("0.000001596"),
    ),
    (
        "mistral/mistral-small-latest",
        r#""prompt_tokens":100,"total_tokens":110,"completion_tokens":10,"prompt_audio_seconds":null"#,
        Some("0.00006"),
    ),
    // Sound is billed by the minute.
    (
        "mistral/voxtral-mini",
        r#""prompt_tokens":100,"total_tokens":110,"completion_tokens":10,"prompt_audio_seconds":203"#,
        None,
    ),
    // OpenRouter: a cost of its own, which is not ours to repeat.
    (
        "openrouter/anthropic/claude",
        r#""prompt_tokens":4000,"completion_tokens":5,"total_tokens":4005,"cost":0.5,"is_byok":false,"prompt_tokens_details":{"cached_tokens":90,"cache_write_tokens":3904,"audio_tokens":0},"cost_details":{"upstream_inference_cost":null}"#,
        Some("0.01476"),
    ),
    (
        "openrouter/anthropic/claude",
        r#""prompt_tokens":10,"completion_tokens":0,"server_tool_use":{"web_search_requests":2}"#,
        Some("0.00803"),
    ),
    // xAI: reasoning outside the completion, with and without a total.
    (
        "xai/grok-4",
        r#""prompt_tokens":11,"completion_tokens":9,"total_tokens":320,"prompt_tokens_details":{"text_tokens":11,"audio_tokens":0,"image_tokens":0,"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":300},"num_sources_used":0"#,
        Some("0.004668"),
    ),
    (
        "xai/grok-4",
        r#""prompt_tokens":11,"completion_tokens":9,"completion_tokens_details":{"reasoning_tokens":300}"#,
        Some("0.004668"),
    ),
    (
        "xai/grok-4",
        r#""prompt_tokens":11,"completion_tokens":9,"total_tokens":20,"num_sources_used":3"#,
        None,
    ),
    // Perplexity: a fee for each request.
    (
        "openrouter/sonar",
        r#""prompt_tokens":10,"completion_tokens":5,"search_context_size":"low""#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"total_tokens":15,"completion_tokens":5,"prompt_tokens_details":null"#,
        Some("0.0000015"),
    ),
    // LocalAI: zeros are no report.
    (
        "vllm/x",
        r#""prompt_tokens":0,"completion_tokens":0,"total_tokens":0"#,
        None,
    ),
    // No completion is known.
    ("vllm/x", r#""prompt_tokens":10"#, None),
    (
        "vllm/x",
        r#""prompt_tokens":10.0,"completion_tokens":5.0"#,
        Some("0.0000015"),
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":"","completion_tokens_details":[],"total_tokens":false"#,
        Some("0.0000015"),
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":"5""#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":-5"#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":5.5"#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":1e30"#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":18446744073709551615,"completion_tokens":5"#,
        None,
    ),
    (
        "vllm/x",
        r#""prompt_tokens":10,"completion_tokens":true"#,
        None,
    ),
];

#[test]
fn usage_as_chat_providers_report_it_is_priced_by_kind() {
    for (model, usage, dollars) in REPORTED {
        let body = format!(r#"{{"id":"c","usage":{{{usage}}}}}"#);
        assert_eq!(cost_of_body(model, &body).as_deref(), *dollars, "{body}");
    }
}
