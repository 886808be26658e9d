//! Whether an upstream refuses a call that it has not.

use super::ReportedFailure;

/// What an upstream has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingCall {
    /// The call itself, for any model.
    Call,
    /// The call for this model, or for what its template takes.
    ForModel,
}

/// In lower case: what is missing is something that the request names.
const OF_OBJECTS: [&str; 13] = [
    "model",
    "deployment",
    "engine",
    // OpenRouter, of a model that no provider of its serves.
    "no endpoints found",
    "no allowed providers",
    "conversation",
    "previous_response",
    "previous response",
    "response id",
    "with id",
    "no such file",
    "vector store",
    "vector_store",
];

/// In lower case, of `OpenAI`, Groq, Kong, Express, Cloudflare and others.
const OF_CALLS: [&str; 9] = [
    "url",
    "route",
    "path",
    "endpoint",
    "cannot post",
    "method not allowed",
    "not implemented",
    "not supported",
    "unsupported",
];

/// Words of a message that says no more than "resource not found".
const MAX_WORDS: usize = 4;

/// `OpenAI`, of models with one of its two APIs.
const ONLY_IN_RESPONSES: [&str; 2] = [
    "only supported in v1/responses",
    "not in v1/chat/completions",
];

/// What chat templates say of a system message behind the first turn, as Claude Code sends
/// it: those of Qwen, Mistral and Gemma.
const OF_TEMPLATES: [&str; 3] = [
    "system message must be at the beginning",
    "system message must be the first",
    "conversation roles must alternate",
];

// === impl MissingCall ===

impl MissingCall {
    /// For an error whose path names no object.
    #[must_use]
    pub fn find(status: u16, body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body).to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        match status {
            404 if says(&ONLY_IN_RESPONSES) => Some(Self::ForModel),
            404 | 501 if says(&OF_OBJECTS) => None,
            405 | 501 => Some(Self::Call),
            404 => says_no_more_than_missing(body).then_some(Self::Call),
            400 | 500 if says(&OF_TEMPLATES) => Some(Self::ForModel),
            _ => None,
        }
    }
}

/// True for a page, for an error without words, and for words of a call.
fn says_no_more_than_missing(body: &[u8]) -> bool {
    let Some(message) = ReportedFailure::read(body).message else {
        return true;
    };
    let message = message.to_ascii_lowercase();
    let is_short = message.split([' ', '_']).count() <= MAX_WORDS;
    is_short && message.replace('_', " ").contains("not found")
        || OF_CALLS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::MissingCall;

    const CASES: [(u16, &str, Option<MissingCall>); 24] = [
        // vLLM and other servers on FastAPI.
        (404, r#"{"detail":"Not Found"}"#, Some(MissingCall::Call)),
        (
            405,
            r#"{"detail":"Method Not Allowed"}"#,
            Some(MissingCall::Call),
        ),
        // Kong, and Mistral behind it.
        (
            404,
            r#"{"message":"no Route matched with those values"}"#,
            Some(MissingCall::Call),
        ),
        // llama.cpp.
        (
            404,
            r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
            Some(MissingCall::Call),
        ),
        // Servers in Go, nginx, nothing.
        (404, "404 page not found", Some(MissingCall::Call)),
        (
            404,
            "<html><title>404 Not Found</title></html>",
            Some(MissingCall::Call),
        ),
        (404, "", Some(MissingCall::Call)),
        // OpenAI, Groq, Azure, Anthropic.
        (
            404,
            r#"{"error":{"message":"Invalid URL (POST /v1/chat/completions)","type":"invalid_request_error","param":null,"code":null}}"#,
            Some(MissingCall::Call),
        ),
        (
            404,
            r#"{"error":{"message":"Unknown request URL: POST /openai/v1/x.","type":"invalid_request_error","code":"unknown_url"}}"#,
            Some(MissingCall::Call),
        ),
        (
            404,
            r#"{"error":{"code":"404","message":"Resource not found"}}"#,
            Some(MissingCall::Call),
        ),
        (
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}"#,
            Some(MissingCall::Call),
        ),
        (501, "Unsupported method ('POST')", Some(MissingCall::Call)),
        (404, r#"{"error":"not_found"}"#, Some(MissingCall::Call)),
        // It may be anything.
        (
            404,
            r#"{"error":{"message":"The adapter x was not found.","type":"invalid_request_error"}}"#,
            None,
        ),
        // OpenAI, vLLM, Ollama, Anthropic, Azure, OpenRouter.
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            None,
        ),
        (
            404,
            r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
            None,
        ),
        (404, r#"{"error":"model 'x' not found"}"#, None),
        (
            404,
            r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}"#,
            None,
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            None,
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints found for a/b.","code":404}}"#,
            None,
        ),
        (
            404,
            r#"{"error":{"message":"Response with id 'resp_1' not found.","type":"invalid_request_error"}}"#,
            None,
        ),
        (
            404,
            r#"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions.","type":"invalid_request_error","param":"model","code":null}}"#,
            Some(MissingCall::ForModel),
        ),
        (
            400,
            r#"{"object":"error","message":"System message must be at the beginning.","type":"BadRequestError","code":400}"#,
            Some(MissingCall::ForModel),
        ),
        (
            400,
            r#"{"error":{"message":"Invalid URL","type":"invalid_request_error"}}"#,
            None,
        ),
    ];

    #[test]
    fn a_missing_call_is_no_missing_model() {
        for (status, body, expected) in CASES {
            assert_eq!(
                MissingCall::find(status, body.as_bytes()),
                expected,
                "{status} {body}"
            );
        }
    }
}
