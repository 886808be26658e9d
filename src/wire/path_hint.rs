//! Paths that are not served, and what their clients meant: most come from a base URL
//! that has too little or too much at its end.

use super::endpoint::Endpoint;

/// The endpoint that a path means.
#[derive(Debug, PartialEq, Eq)]
pub struct PathHint {
    /// Where it is served; the name of a provider or deployment is left out.
    pub prefix: &'static str,
    pub endpoint: Endpoint,
    pub cause: PathMistake,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMistake {
    /// `/v1/v1/…`
    DoubledVersion,
    /// `/v1/messages/v1/messages`
    DoubledEndpoint,
    /// `/chat/completions`, `/v1//chat/completions`, `/V1/…`
    Other,
}

/// Segments that a base URL may have, besides those of endpoints.
const BASE_SEGMENTS: [&str; 4] = ["anthropic", "api", "openai", "v1"];

impl PathHint {
    /// None unless the path ends in an endpoint that is called, below nothing but what a
    /// base URL may have.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let segments: Vec<&str> = segments(&path).collect();
        let (prefix, versions, below) = match &segments[..] {
            ["providers", _, below @ ..] => ("/providers/NAME/v1", 1, below),
            ["openai", "deployments", _, below @ ..] => ("/openai/deployments/NAME", 0, below),
            all => ("/v1", 1, all),
        };
        let called = Endpoint::called();
        let (base, endpoint) = called
            .filter_map(|endpoint| Some((without_end(below, endpoint)?, endpoint)))
            .min_by_key(|(base, _)| base.len())?;
        let is_endpoint_segment = |segment: &&str| {
            let mut called = Endpoint::called();
            called.any(|endpoint| segments_of(endpoint).any(|part| part == *segment))
        };
        let mut others = base.iter().filter(|it| !BASE_SEGMENTS.contains(it));
        if !others.clone().all(is_endpoint_segment) {
            return None;
        }
        let cause = if others.next().is_some() {
            PathMistake::DoubledEndpoint
        } else if base.iter().filter(|segment| **segment == "v1").count() > versions {
            PathMistake::DoubledVersion
        } else {
            PathMistake::Other
        };
        Some(Self {
            prefix,
            endpoint,
            cause,
        })
    }
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

fn segments_of(endpoint: Endpoint) -> impl DoubleEndedIterator<Item = &'static str> {
    segments(endpoint.path())
}

/// The segments before those of the endpoint, if the path ends in these.
fn without_end<'a, 'p>(path: &'a [&'p str], endpoint: Endpoint) -> Option<&'a [&'p str]> {
    let mut base = path;
    for expected in segments_of(endpoint).rev() {
        base = match base {
            [before @ .., last] if *last == expected => before,
            _ => return None,
        };
    }
    Some(base)
}

/// True where a client has added to its base URL what that ends in already, or another
/// endpoint: `/v1/v1/…`, `/v1/messages/v1/messages`, `/v1/chat/completions/models`.
pub(super) fn is_doubled(below: &str) -> bool {
    let prefixes = ["/v1", "/openai/v1", "/openai/deployments"];
    let named = below.strip_prefix("/providers/");
    let below_name = named.and_then(|named| named.get(named.find('/')?..));
    if below_name.is_some_and(|rest| starts_with_path(rest, "/v1"))
        || prefixes.iter().any(|it| starts_with_path(below, it))
    {
        return true;
    }
    let mut known = Endpoint::ALL
        .into_iter()
        .filter(|it| *it != Endpoint::Other);
    known.any(|endpoint| {
        let path = endpoint.path();
        let Some(rest) = below.strip_prefix(path).filter(|rest| !rest.is_empty()) else {
            return false;
        };
        match endpoint {
            // Models may have any name.
            Endpoint::Models => starts_with_path(rest, "/v1/models"),
            _ if starts_with_path(rest, "/v1") || starts_with_path(rest, path) => true,
            _ => {
                // OpenRouter lists models at `/embeddings/models`.
                let is_served =
                    |it: &Endpoint| (endpoint, *it) == (Endpoint::Embeddings, Endpoint::Models);
                let mut called = Endpoint::called().filter(|it| !is_served(it));
                endpoint.is_called_at(path) && called.any(|it| starts_with_path(rest, it.path()))
            }
        }
    })
}

/// True for the paths to which Claude Code reports about itself. They belong to no API
/// that a provider is called for.
pub(super) fn is_telemetry(below: &str) -> bool {
    let reports = ["/api/event_logging", "/api/claude_code", "/api/claude_cli"];
    reports.iter().any(|report| below.starts_with(report))
}

/// Whether the path is this one, or below it.
fn starts_with_path(path: &str, start: &str) -> bool {
    let rest = path.strip_prefix(start);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{PathHint, PathMistake};
    use crate::wire::api_path::ApiPath;

    #[test]
    fn wc06_the_endpoint_is_found_at_the_end() {
        for (path, served, cause) in [
            (
                "/chat/completions",
                "/v1/chat/completions",
                PathMistake::Other,
            ),
            (
                "/v1//chat/completions/",
                "/v1/chat/completions",
                PathMistake::Other,
            ),
            ("/V1/Embeddings", "/v1/embeddings", PathMistake::Other),
            (
                "/api/v1/messages/count_tokens",
                "/v1/messages/count_tokens",
                PathMistake::Other,
            ),
            ("/models", "/v1/models", PathMistake::Other),
            (
                "/v1/v1/messages",
                "/v1/messages",
                PathMistake::DoubledVersion,
            ),
            (
                "/openai/v1/v1/models",
                "/v1/models",
                PathMistake::DoubledVersion,
            ),
            (
                "/providers/up/v1/v1/responses/compact",
                "/providers/NAME/v1/responses/compact",
                PathMistake::DoubledVersion,
            ),
            (
                "/openai/deployments/x/v1/completions",
                "/openai/deployments/NAME/completions",
                PathMistake::DoubledVersion,
            ),
            (
                "/v1/messages/v1/messages",
                "/v1/messages",
                PathMistake::DoubledEndpoint,
            ),
            (
                "/v1/chat/completions/models",
                "/v1/models",
                PathMistake::DoubledEndpoint,
            ),
        ] {
            let hint = PathHint::of(path).unwrap_or_else(|| panic!("{path}"));
            let found = format!("{}{}", hint.prefix, hint.endpoint.path());
            assert_eq!((&*found, hint.cause), (served, cause), "{path}");
        }
    }

    #[test]
    fn wc06_other_paths_mean_no_endpoint() {
        for path in [
            "",
            "/",
            "/v1",
            "/metrics",
            "/completion",
            "/v1/files",
            "/v1//threads/t/messages",
            "/v1/chat/completions/id//messages",
            "/providers/up",
            "/api/event_logging/batch",
        ] {
            assert_eq!(PathHint::of(path), None, "{path}");
        }
    }

    #[test]
    fn wc06_a_doubled_part_leads_nowhere() {
        for path in [
            "/v1/v1",
            "/v1/v1/chat/completions",
            "/v1/v1/whatever",
            "/v1/openai/v1/responses",
            "/v1/openai/deployments/m/chat/completions",
            "/v1/providers/up/v1/messages",
            "/v1/chat/completions/chat/completions",
            "/v1/chat/completions/v1/chat/completions",
            "/v1/chat/completions/completions",
            "/v1/chat/completions/models",
            "/v1/messages/v1/messages",
            "/v1/messages/messages/count_tokens",
            "/v1/responses/responses/resp_1",
            "/v1/embeddings/v1/embeddings",
            "/v1/audio/speech/audio/speech",
            "/v1/files/files",
            "/v1/files/v1/files/file-1/content",
            "/v1/models/v1/models",
            "/providers/up/v1/v1/files",
            "/openai/v1/v1/files",
            "/openai/openai/deployments/m/embeddings",
            "/openai/deployments/m/v1/chat/completions",
            "/v1/api/event_logging/batch",
            "/v1/api/event_logging/v2/batch",
            "/v1/api/claude_code/metrics",
            "/providers/up/v1/api/claude_cli_feedback",
        ] {
            for is_post in [true, false] {
                assert_eq!(ApiPath::parse(path, is_post), None, "{path}");
            }
        }
        for path in [
            "/v1/v1x",
            "/v1/openai/chat/completions",
            "/v1/providers",
            "/v1/chat/completions/id/messages",
            "/v1/responses/compact",
            "/v1/messages/batches",
            "/v1/threads/t/messages",
            "/v1/vector_stores/v/files",
            "/v1/fine_tuning/models",
            "/v1/files/models",
            "/v1/embeddings/models",
            "/v1/models/models",
            "/v1/models/v1/mine",
            "/v1/api/chat",
        ] {
            assert!(ApiPath::parse(path, true).is_some(), "{path}");
        }
    }
}
