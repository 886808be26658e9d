//! Paths of API requests: the route prefix, the endpoint, and what the path names.
//!
//! | path | |
//! |---|---|
//! | `/v1/…` | the API |
//! | `/providers/{name}/v1/…` | the API of one provider |
//! | `/openai/v1/…` | the API with Azure's prefix |
//! | `/openai/deployments/{alias}/…` | Azure: a request for one model |
//! | `/openai/…` | Azure: any other request |

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::endpoint::Endpoint;

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
    /// Returns `None` for a path outside the API, and for one that an upstream
    /// may normalize out of its base URL (RFC 3986, section 5.2.4). Any other
    /// path below the prefix is kept as it is.
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
        if !is_normalized(below) {
            return None;
        }
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
        let endpoint = Endpoint::from_path(&self.path, true);
        Self { endpoint, ..self }
    }

    #[must_use]
    pub fn path_with_model(&self, upstream_model: &str) -> String {
        if self.endpoint == Endpoint::Models && self.model.is_some() {
            return format!("/models/{}", encode_segment(upstream_model));
        }
        self.path.clone()
    }

    /// The segments that may hold an object's id.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }
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

/// True for a path that is not empty and has neither empty segments nor dot
/// segments.
fn is_normalized(path: &str) -> bool {
    let mut segments = path.split('/');
    let is_dots = |segment: &str| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        matches!(&decoded[..], b"." | b"..")
    };
    segments.next() == Some("")
        && path.len() > 1
        && segments.clone().all(|segment| !is_dots(segment))
        // A slash at the end is left to the upstream.
        && !path.contains("//")
        && !path.contains('\\')
}

#[cfg(test)]
mod tests {
    use super::ApiPath;

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
    fn replaces_the_model_in_the_path() {
        let path = ApiPath::parse("/v1/models/mine", false).unwrap();
        assert_eq!(path.path_with_model("ft:gpt-4o/x"), "/models/ft:gpt-4o%2Fx");
        let path = ApiPath::parse("/v1/files/mine", false).unwrap();
        assert_eq!(path.path_with_model("ft"), "/files/mine");
    }
}
