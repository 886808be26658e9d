//! Whether a failure is the request's fault.

use super::ReportedFailure;

/// Error types and codes for what a request contains or asks for, as `OpenAI`, Azure,
/// Anthropic, Google and llama.cpp name it.
const OF_REQUESTS: [&str; 17] = [
    "bad_request",
    "badrequesterror",
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "exceed_context_size_error",
    "failed_precondition",
    "invalid_argument",
    "invalid_prompt",
    "invalid_request_error",
    "model_not_found",
    "not_found_error",
    "permission_denied",
    "permission_error",
    "request_too_large",
    "responsibleaipolicyviolation",
    "string_above_max_length",
];

impl ReportedFailure {
    /// Whether the request is to blame, so that the failure says nothing about the
    /// upstream's health. A status decides, else the names.
    #[must_use]
    pub fn blames_request(&self) -> bool {
        if let Some(status) = self.status {
            return matches!(status, 400 | 403..=407 | 409..=428 | 431 | 451);
        }
        let names = [&self.code, &self.kind].into_iter().flatten();
        names
            .map(|name| name.to_ascii_lowercase())
            .any(|name| OF_REQUESTS.contains(&&*name))
    }
}

#[cfg(test)]
mod tests {
    use super::ReportedFailure;

    #[test]
    fn a_failure_blames_the_request_or_the_upstream() {
        for error in [
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            r#"{"error":{"code":"content_filter","message":"x","status":400}}"#,
            r#"{"error":{"code":403,"message":"moderation"}}"#,
            r#"{"error":{"code":"INVALID_ARGUMENT","message":"x"}}"#,
            r#"{"type":"error","error":{"type":"request_too_large","message":"x"}}"#,
            r#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error"}}"#,
        ] {
            assert!(
                ReportedFailure::read(error.as_bytes()).blames_request(),
                "{error}"
            );
        }
        for error in [
            r#"{"error":{"message":"x","type":"server_error","code":null}}"#,
            r#"{"error":{"code":502,"message":"Upstream overloaded","type":"invalid_request_error"}}"#,
            r#"{"error":{"code":429,"message":"x"}}"#,
            r#"{"error":{"code":401,"message":"x"}}"#,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            r#"{"error":"out of memory"}"#,
            r#"{"error":{"message":"408","code":408}}"#,
            "",
        ] {
            assert!(
                !ReportedFailure::read(error.as_bytes()).blames_request(),
                "{error}"
            );
        }
    }
}
