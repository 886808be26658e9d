//! Paths of API requests: the route prefix, the endpoint, and what the path names.
//!
//! | path | |
//! |---|---|
//! | `/v1/…` | the API |
//! | `/providers/{name}/v1/…` | the API of one provider |
//! | `/openai/v1/…` | the API with Azure's prefix |
//! | `/openai/deployments/{alias}/…` | Azure: a request for one model |
//! | `/openai/…` | Azure: any other request |
//!
//! A slash at the end of a called endpoint is dropped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::dot_segments;
use super::endpoint::Endpoint;
use super::path_hint::{is_doubled, is_telemetry};

/// Escaped characters of a segment: all but the unreserved ones (RFC 3986,
/// section 2.3) and the colon of fine-tuned models.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPath {
    pub endpoint: Endpoint,
    /// The path below `/v1`, not decoded.
    pub path: String,
    /// The provider named in the path, decoded.
    pub provider: Option<String>,
    /// The model named in the path, decoded.
    pub model: Option<String>,
    /// Azure's form, which has the API version in the query.
    pub is_azure: bool,
}

impl ApiPath {
    /// Returns `None` for a path outside the API, for one that an upstream may
    /// normalize out of its base URL (RFC 3986, section 5.2.4), and for one that no
    /// provider serves. Any other path below the prefix is kept as it is.
    #[must_use]
    pub fn parse(path: &str, is_post: bool) -> Option<Self> {
        let (mut provider, mut model, mut is_azure) = (None, None, false);
        let below = if let Some(below) = path.strip_prefix("/v1") {
            below
        } else if let Some(named) = path.strip_prefix("/providers/") {
            let (name, below) = named.split_once('/')?;
            provider = Some(decode_segment(name)?);
            below.strip_prefix("v1")?
        } else {
            let azure = path.strip_prefix("/openai")?;
            if let Some(below) = azure.strip_prefix("/v1") {
                below
            } else if let Some(named) = azure.strip_prefix("/deployments/") {
                let (name, _) = named.split_once('/')?;
                model = Some(decode_segment(name)?);
                is_azure = true;
                named.get(name.len()..)?
            } else {
                is_azure = true;
                azure
            }
        };
        if !is_normalized(below) || is_doubled(below) || is_telemetry(below) {
            return None;
        }
        let below = without_final_slash(below, is_post);
        if let Some(id) = below.strip_prefix("/models/") {
            model = Some(decode_segment(id)?);
        }
        Some(Self {
            endpoint: Endpoint::from_path(below, is_post),
            path: below.to_owned(),
            provider,
            model,
            is_azure,
        })
    }

    /// The same path for a WebSocket, whose endpoint is that of the matching POST.
    #[must_use]
    pub fn into_websocket(self) -> Self {
        let path = without_final_slash(&self.path, true).to_owned();
        let endpoint = Endpoint::from_path(&path, true);
        Self {
            endpoint,
            path,
            ..self
        }
    }

    /// The path, unchanged if the model is the one that it names.
    #[must_use]
    pub fn path_with_model(&self, upstream_model: &str) -> String {
        let named = self.model.as_deref();
        if self.endpoint == Endpoint::Models && named.is_some_and(|it| it != upstream_model) {
            return format!("/models/{}", encode_segment(upstream_model));
        }
        self.path.clone()
    }

    /// Whether the path is that of a call, which needs no stored object.
    #[must_use]
    pub fn names_no_object(&self) -> bool {
        let is_call = self.endpoint.has_result() && self.endpoint.is_called_at(&self.path);
        is_call || self.path == "/responses/input_tokens"
    }

    /// The segments that may hold an object's id.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }
}

/// The path below `/models` of a request for the gateway's own models, which are the same
/// below every prefix but that of a provider.
#[must_use]
pub fn below_models(path: &str) -> Option<&str> {
    let below = match path.strip_prefix("/openai") {
        Some(azure) => match azure.strip_prefix("/deployments/") {
            Some(named) => named.get(named.find('/')?..)?,
            None => azure.strip_prefix("/v1").unwrap_or(azure),
        },
        None => path.strip_prefix("/v1")?,
    };
    below.strip_prefix("/models")
}

#[must_use]
pub fn encode_segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// `None` if the segment is empty or not UTF-8.
pub(super) fn decode_segment(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

/// True for a path that is not empty and has neither empty segments nor dot segments in
/// any spelling.
fn is_normalized(path: &str) -> bool {
    path.starts_with('/')
        && path.len() > 1
        && !path.contains("//")
        && !dot_segments::may_change(path)
}

/// Whether a path within the API is refused because the upstream may read another one in
/// it.
#[must_use]
pub fn may_lead_elsewhere(path: &str) -> bool {
    let mut prefixes = ["/v1", "/providers/", "/openai"].iter();
    prefixes.any(|prefix| path.starts_with(prefix)) && dot_segments::may_change(path)
}

/// The path of a called endpoint without a slash at its end. Any other path is for the
/// upstream to interpret.
fn without_final_slash(below: &str, is_post: bool) -> &str {
    let shorter = below.strip_suffix('/');
    let called = shorter.filter(|path| Endpoint::from_path(path, is_post).is_called_at(path));
    called.unwrap_or(below)
}

#[cfg(test)]
mod tests {
    use super::{ApiPath, below_models};
    use crate::wire::endpoint::Endpoint;

    fn parse(path: &str) -> Option<(String, Option<String>, Option<String>)> {
        ApiPath::parse(path, true).map(|it| (it.path, it.provider, it.model))
    }

    #[test]
    fn parses_every_route_prefix() {
        let is = |below: &str, provider: Option<&str>, model: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some((below.to_owned(), owned(provider), owned(model)))
        };
        assert_eq!(parse("/v1/files"), is("/files", None, None));
        assert_eq!(parse("/v1/next/year/"), is("/next/year/", None, None));
        let named = parse("/providers/gro%71/v1/files/a%2Fb");
        assert_eq!(named, is("/files/a%2Fb", Some("groq"), None));
        assert_eq!(parse("/openai/v1/responses"), is("/responses", None, None));
        let deployed = parse("/openai/deployments/my%20gpt/chat/completions");
        assert_eq!(deployed, is("/chat/completions", None, Some("my gpt")));
        assert_eq!(parse("/openai/files"), is("/files", None, None));
        let model = parse("/v1/models/openai%2Fgpt-4o");
        assert_eq!(
            model,
            is("/models/openai%2Fgpt-4o", None, Some("openai/gpt-4o"))
        );
    }

    #[test]
    fn rejects_paths_that_lead_elsewhere() {
        for path in [
            "/v1",
            "/v1/",
            "/v1x/files",
            "/v2/files",
            "/v1/../admin",
            "/v1/files/..",
            "/v1/files/%2e%2E/x",
            "/v1/./files",
            "/v1//files",
            "/v1/files\\x",
            "/v1/files/..%2f..%2fadmin",
            "/v1/..;/x",
            "/v1%2f..%2fadmin",
            "/providers/groq/v1/files/%252e%252e",
            "/openai/deployments/x/..%5cadmin",
            "/providers/groq",
            "/providers//v1/files",
            "/providers/groq/v2/files",
            "/providers/groq/v1",
            "/openai",
            "/openai/deployments/x",
            "/openai/deployments//chat/completions",
            "/files",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn wc06_a_called_endpoint_may_end_in_a_slash() {
        for (path, is_post, endpoint, below) in [
            (
                "/v1/chat/completions/",
                true,
                Endpoint::ChatCompletions,
                "/chat/completions",
            ),
            ("/v1/messages/", true, Endpoint::Messages, "/messages"),
            (
                "/providers/up/v1/audio/transcriptions/",
                true,
                Endpoint::AudioTranscriptions,
                "/audio/transcriptions",
            ),
            (
                "/providers/up/v1/models/",
                false,
                Endpoint::Models,
                "/models",
            ),
            (
                "/v1/chat/completions/",
                false,
                Endpoint::StoredCompletions,
                "/chat/completions/",
            ),
            ("/v1/files/", true, Endpoint::Files, "/files/"),
            ("/v1/unknown/", true, Endpoint::Other, "/unknown/"),
        ] {
            let parsed = ApiPath::parse(path, is_post).unwrap();
            assert_eq!(
                (parsed.endpoint, &*parsed.path),
                (endpoint, below),
                "{path}"
            );
        }
    }

    #[test]
    fn wc06_a_slash_at_the_end_of_a_websockets_path_is_dropped() {
        let path = ApiPath::parse("/v1/responses/", false).unwrap();
        let path = path.into_websocket();
        assert_eq!(
            (path.endpoint, &*path.path),
            (Endpoint::Responses, "/responses")
        );
    }

    #[test]
    fn own_models_are_below_every_prefix_but_that_of_a_provider() {
        for (path, below) in [
            ("/v1/models", Some("")),
            ("/v1/models/a/b", Some("/a/b")),
            ("/openai/v1/models/a", Some("/a")),
            ("/openai/models", Some("")),
            ("/openai/deployments/x/models/a", Some("/a")),
            ("/providers/x/v1/models", None),
            ("/models", None),
            ("/v1/files", None),
            ("/openai/deployments/x", None),
        ] {
            assert_eq!(below_models(path), below, "{path}");
        }
    }

    #[test]
    fn replaces_the_model_in_the_path() {
        let path = ApiPath::parse("/v1/models/mine", false).unwrap();
        assert_eq!(path.path_with_model("ft:gpt-4o/x"), "/models/ft:gpt-4o%2Fx");
        let path = ApiPath::parse("/providers/x/v1/models/a/b", false).unwrap();
        assert_eq!(path.path_with_model("a/b"), "/models/a/b");
        assert_eq!(path.path_with_model("c/d"), "/models/c%2Fd");
        let path = ApiPath::parse("/v1/files/mine", false).unwrap();
        assert_eq!(path.path_with_model("ft"), "/files/mine");
    }
}
