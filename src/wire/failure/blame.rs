//! Whose fault a failure is.

use super::ReportedFailure;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// What the request contains or asks for.
    Request,
    /// The key, or what is to be paid with it.
    Key,
    /// The key may not do this, or the reason is not clear.
    Permission,
    Upstream,
}

/// Error types and codes for what a request contains or asks for, as `OpenAI`, Azure,
/// Anthropic, Google and llama.cpp name it; and the codes of `OpenAI`'s `ResponseError`.
const OF_REQUESTS: [&str; 32] = [
    "bad_request",
    "badrequesterror",
    "bio_policy",
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "data_residency_mismatch",
    "empty_image_file",
    "exceed_context_size_error",
    "failed_to_download_image",
    "failed_precondition",
    "image_content_policy_violation",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_argument",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "invalid_prompt",
    "invalid_request_error",
    "misalignment_policy_violation",
    "model_not_found",
    "not_found_error",
    "request_too_large",
    "responsibleaipolicyviolation",
    "string_above_max_length",
    "unsupported_image_media_type",
];

/// The same for keys and accounts.
const OF_KEYS: [&str; 6] = [
    "authentication_error",
    "billing_error",
    "expired_api_key",
    "insufficient_quota",
    "invalid_api_key",
    "unauthenticated",
];

const OF_PERMISSIONS: [&str; 3] = ["permission_denied", "permission_error", "permissions_error"];

impl ReportedFailure {
    /// A status decides, else the names.
    #[must_use]
    pub fn blame(&self) -> Blame {
        if let Some(status) = self.status {
            return match status {
                401 | 402 => Blame::Key,
                403 if self.forbids_request() => Blame::Request,
                403 => Blame::Permission,
                400 | 404..=407 | 409..=428 | 431 | 451 => Blame::Request,
                _ => Blame::Upstream,
            };
        }
        let is_named = |names: &[&str]| {
            let mut own = [&self.code, &self.kind].into_iter().flatten();
            own.any(|name| names.contains(&&*name.to_ascii_lowercase()))
        };
        if is_named(&OF_KEYS) {
            Blame::Key
        } else if is_named(&OF_PERMISSIONS) && !self.forbids_request() {
            Blame::Permission
        } else if is_named(&OF_REQUESTS) || self.forbids_request() {
            Blame::Request
        } else {
            Blame::Upstream
        }
    }
}

impl Blame {
    /// Whether clients can cause such failures, so that they say nothing about the
    /// upstream's health.
    #[must_use]
    pub fn spares_upstream(self) -> bool {
        matches!(self, Self::Request | Self::Permission)
    }
}

#[cfg(test)]
mod tests {
    use super::{Blame, ReportedFailure};

    const CASES: [(&str, Blame); 20] = [
        (
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            Blame::Request,
        ),
        (
            r#"{"error":{"code":"content_filter","message":"x","status":400}}"#,
            Blame::Request,
        ),
        (
            r#"{"error":{"code":403,"message":"moderation"}}"#,
            Blame::Request,
        ),
        (
            r#"{"error":{"code":"INVALID_ARGUMENT","message":"x"}}"#,
            Blame::Request,
        ),
        (
            r#"{"type":"error","error":{"type":"request_too_large","message":"x"}}"#,
            Blame::Request,
        ),
        (
            r#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error"}}"#,
            Blame::Request,
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"image_too_large","message":"x"}}}"#,
            Blame::Request,
        ),
        (r#"{"error":{"code":401,"message":"x"}}"#, Blame::Key),
        (
            r#"{"error":{"message":"x","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            Blame::Key,
        ),
        (
            r#"{"type":"error","error":{"type":"authentication_error","message":"x"}}"#,
            Blame::Key,
        ),
        (r#"{"error":{"code":403,"message":"x"}}"#, Blame::Permission),
        (
            r#"{"type":"error","error":{"type":"permission_error","message":"x"}}"#,
            Blame::Permission,
        ),
        (
            r#"{"error":{"code":"PERMISSION_DENIED","message":"No access to model x"}}"#,
            Blame::Request,
        ),
        (
            r#"{"error":{"message":"x","type":"server_error","code":null}}"#,
            Blame::Upstream,
        ),
        (
            r#"{"error":{"code":502,"message":"Upstream overloaded","type":"invalid_request_error"}}"#,
            Blame::Upstream,
        ),
        (r#"{"error":{"code":429,"message":"x"}}"#, Blame::Upstream),
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Blame::Upstream,
        ),
        (r#"{"error":"out of memory"}"#, Blame::Upstream),
        (r#"{"error":{"message":"408","code":408}}"#, Blame::Upstream),
        ("", Blame::Upstream),
    ];

    #[test]
    fn a_failure_blames_the_request_the_key_or_the_upstream() {
        for (error, expected) in CASES {
            let failure = ReportedFailure::read(error.as_bytes());
            assert_eq!(failure.blame(), expected, "{error}");
        }
    }
}
