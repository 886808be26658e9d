//! What a 403 is about: the request, or the key.

use super::ReportedFailure;

/// Error types and codes of a 403 for what a request contains or asks for: as `OpenAI`,
/// Azure, Groq, Google and xAI name it.
const CODES: [&str; 14] = [
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "model_access_denied",
    "model_not_allowed",
    "model_not_found",
    "model_not_supported",
    "model_permission_blocked_org",
    "model_permission_blocked_project",
    "moderation_blocked",
    "request_too_large",
    "responsibleaipolicyviolation",
    "string_above_max_length",
    "unsupported_country_region_territory",
];

/// In lower case. A body with such words may quote the key.
const OF_KEYS: [&str; 8] = [
    "api key",
    "api_key",
    "apikey",
    "api-key",
    "authenticat",
    "bearer",
    "credential",
    "secret",
];

/// In lower case, of content, length, model and region.
const OF_REQUESTS: [&str; 20] = [
    // OpenRouter, xAI, Together.
    "moderation",
    "flagged",
    "content policy",
    "content filter",
    "content violates",
    "safety check",
    "usage guidelines",
    "usage polic",
    // Together responds with 403 to a prompt that is too long.
    "context length",
    "max_new_tokens",
    "prompt is too long",
    // OpenAI, Bedrock, Mistral, Groq.
    "access to model",
    "access to the model",
    "access to this model",
    "use this model",
    "model is blocked",
    "is blocked at the",
    // OpenAI, Google, OpenRouter.
    "country, region, or territory",
    "location is not supported",
    "not available in your region",
];

impl ReportedFailure {
    /// For a body with status 403: whether it is certain that it is about the request, so
    /// that the key is neither at fault nor quoted.
    #[must_use]
    pub fn forbids_request(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default();
        let message = message.to_ascii_lowercase();
        if OF_KEYS.iter().any(|words| message.contains(words)) {
            return false;
        }
        let mut names = [&self.code, &self.kind].into_iter().flatten();
        names.any(|name| CODES.contains(&&*name.to_ascii_lowercase()))
            || OF_REQUESTS.iter().any(|words| message.contains(words))
    }
}

#[cfg(test)]
mod tests {
    use super::ReportedFailure;

    const CASES: [(&str, bool); 18] = [
        // OpenAI.
        (
            r#"{"error":{"message":"Project `proj_1` does not have access to model `gpt-6`","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            true,
        ),
        (
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
            true,
        ),
        (
            r#"{"error":{"message":"You have insufficient permissions for this operation. Missing scopes: model.request.","type":"invalid_request_error","param":null,"code":null}}"#,
            false,
        ),
        (
            r#"{"error":{"message":"Your account is not active.","type":"billing_not_active","param":null,"code":"billing_not_active"}}"#,
            false,
        ),
        // Anthropic.
        (
            r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}"#,
            false,
        ),
        // Google.
        (
            r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#,
            false,
        ),
        (
            r#"[{"error":{"code":403,"message":"Generative Language API has not been used in project 1 before or it is disabled.","status":"PERMISSION_DENIED"}}]"#,
            false,
        ),
        // Groq.
        (
            r#"{"error":{"message":"The model `x` is blocked at the project level.","type":"permissions_error","code":"model_permission_blocked_project"}}"#,
            true,
        ),
        // OpenRouter.
        (
            r#"{"error":{"code":403,"message":"x requires moderation on OpenInference. Your input was flagged for \"violence\".","metadata":{"reasons":["violence"]}}}"#,
            true,
        ),
        (
            r#"{"error":{"code":403,"message":"Key limit exceeded (total limit)."}}"#,
            false,
        ),
        // Together.
        (
            r#"{"error":{"message":"Input token count + `max_tokens` exceeds the context length of this model.","type":"invalid_request_error"}}"#,
            true,
        ),
        // xAI.
        (
            r#"{"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines."}"#,
            true,
        ),
        // Bedrock.
        (
            r#"{"message":"You don't have access to the model with the specified model ID."}"#,
            true,
        ),
        (
            r#"{"message":"The security token included in the request is expired"}"#,
            false,
        ),
        // Azure.
        (
            r#"{"error":{"code":"403","message":"Access denied due to Virtual Network/Firewall rules."}}"#,
            false,
        ),
        // It could quote the key.
        (
            r#"{"error":{"message":"The API key sk-1 has no access to model x","code":"model_not_found"}}"#,
            false,
        ),
        ("<html>403 Forbidden</html>", false),
        ("", false),
    ];

    #[test]
    fn a5_a_403_is_about_the_request_or_about_the_key() {
        for (body, about_request) in CASES {
            let failure = ReportedFailure::read(body.as_bytes());
            assert_eq!(failure.forbids_request(), about_request, "{body}");
        }
    }
}
