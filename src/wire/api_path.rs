//! A call as its URL tells it: by which door it comes in, and what it is.
//!
//! | path | |
//! |---|---|
//! | `/v1/…` | the API |
//! | `/providers/{name}/v1/…` | the API of one provider |
//! | `/openai/v1/…` | the API, as Azure spells it |
//! | `/openai/deployments/{alias}/…` | a call of one model, as Azure spells it |
//! | `/openai/…` | anything else of the API, as Azure spells it |

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::endpoint::Endpoint;

/// What is escaped in a segment: all but the characters that never need it
/// (RFC 3986, section 2.3), and the colon of fine-tuned models.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// A call of the API, known by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it is.
    pub endpoint: Endpoint,
    /// The path below `/v1`, as it is written.
    pub path: String,
    /// The provider that the path names, decoded.
    pub provider: Option<String>,
    /// The model that the path names, decoded.
    pub model: Option<String>,
    /// Whether it is spelt as Azure does, with the version in the query.
    pub is_azure: bool,
}

impl Call {
    /// The call at this path; none where there is no API.
    ///
    /// What lies below a door is taken as it is written, but for paths that the
    /// next reader may take for others (RFC 3986, section 5.2.4): an upstream
    /// would be led out of its base URL.
    #[must_use]
    pub fn at(path: &str, posts: bool) -> Option<Self> {
        let (mut provider, mut model, mut is_azure) = (None, None, false);
        let below = if let Some(below) = path.strip_prefix("/v1") {
            below
        } else if let Some(named) = path.strip_prefix("/providers/") {
            let (name, below) = named.split_once('/')?;
            provider = Some(decoded(name)?);
            below.strip_prefix("v1")?
        } else {
            let azure = path.strip_prefix("/openai")?;
            if let Some(below) = azure.strip_prefix("/v1") {
                below
            } else if let Some(named) = azure.strip_prefix("/deployments/") {
                let (name, _) = named.split_once('/')?;
                model = Some(decoded(name)?);
                is_azure = true;
                named.get(name.len()..)?
            } else {
                is_azure = true;
                azure
            }
        };
        if !is_plain(below) {
            return None;
        }
        if let Some(id) = below.strip_prefix("/models/") {
            model = Some(decoded(id)?);
        }
        Some(Self {
            endpoint: Endpoint::at(below, posts),
            path: below.to_owned(),
            provider,
            model,
            is_azure,
        })
    }

    /// The same call over a WebSocket, which goes by the name of the call that it
    /// is used for.
    #[must_use]
    pub fn of_websocket(self) -> Self {
        let endpoint = Endpoint::at(&self.path, true);
        Self { endpoint, ..self }
    }

    /// The path with the model's name in it replaced.
    #[must_use]
    pub fn path_for(&self, upstream_model: &str) -> String {
        if self.endpoint == Endpoint::Models && self.model.is_some() {
            return format!("/models/{}", segment(upstream_model));
        }
        self.path.clone()
    }

    /// The segments in which an object's id may stand.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }
}

/// The models that a query names, decoded.
pub fn models_in(query: &str) -> impl Iterator<Item = String> {
    let values = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("model="));
    values.map(|value| {
        let spaced = value.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    })
}

/// A name as a segment of a path.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// The query with another model in it, if it names one.
#[must_use]
pub fn renamed(query: &str, upstream_model: &str) -> String {
    let name = segment(upstream_model);
    let pairs = query.split('&').map(|pair| {
        if pair.starts_with("model=") {
            format!("model={name}").into()
        } else {
            Cow::Borrowed(pair)
        }
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The query without the version of Azure's API, which other upstreams do not
/// know; none where nothing is left.
#[must_use]
pub fn unversioned(query: &str) -> Option<String> {
    let pairs = query
        .split('&')
        .filter(|pair| !pair.starts_with("api-version="));
    let pairs: Vec<_> = pairs.collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

/// The query with the model as the deployment, as Azure's older way has it.
#[must_use]
pub fn deployed(query: &str) -> String {
    let pairs = query.split('&').map(|pair| {
        let name = pair.strip_prefix("model=");
        name.map_or(Cow::Borrowed(pair), |name| {
            format!("deployment={name}").into()
        })
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// The query of a WebSocket as Azure spells it, with the deployment as the
/// model, and without the key that may be in it; and that key, decoded (Azure
/// OpenAI, "Realtime API via WebSockets").
#[must_use]
pub fn of_azure_websocket(query: &str) -> (String, Option<String>) {
    let mut key = None;
    let pairs = query.split('&').filter_map(|pair| {
        if let Some(value) = pair.strip_prefix("api-key=") {
            key = decoded(value);
            return None;
        }
        let alias = pair.strip_prefix("deployment=");
        Some(alias.map_or(Cow::Borrowed(pair), |alias| format!("model={alias}").into()))
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    (query, key)
}

/// True for a path with something in it, and no segment that is empty or means
/// the one above.
fn is_plain(path: &str) -> bool {
    let mut segments = path.split('/');
    let is_dots = |segment: &str| {
        let decoded: Vec<u8> = percent_decode_str(segment).collect();
        matches!(&decoded[..], b"." | b"..")
    };
    segments.next() == Some("")
        && path.len() > 1
        && segments.clone().all(|segment| !is_dots(segment))
        // A slash at the end is the upstream's to judge.
        && !path.contains("//")
        && !path.contains('\\')
}

/// A segment's text, if it has any.
fn decoded(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::Call;

    fn at(path: &str) -> Option<(String, Option<String>, Option<String>)> {
        Call::at(path, true).map(|call| (call.path, call.provider, call.model))
    }

    #[test]
    fn finds_the_door() {
        let is = |below: &str, provider: Option<&str>, model: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some((below.to_owned(), owned(provider), owned(model)))
        };
        assert_eq!(at("/v1/files"), is("/files", None, None));
        assert_eq!(at("/v1/next/year/"), is("/next/year/", None, None));
        let named = at("/providers/gro%71/v1/files/a%2Fb");
        assert_eq!(named, is("/files/a%2Fb", Some("groq"), None));
        assert_eq!(at("/openai/v1/responses"), is("/responses", None, None));
        let deployed = at("/openai/deployments/my%20gpt/chat/completions");
        assert_eq!(deployed, is("/chat/completions", None, Some("my gpt")));
        assert_eq!(at("/openai/files"), is("/files", None, None));
        let model = at("/v1/models/openai%2Fgpt-4o");
        assert_eq!(
            model,
            is("/models/openai%2Fgpt-4o", None, Some("openai/gpt-4o"))
        );
    }

    #[test]
    fn takes_no_path_that_leads_elsewhere() {
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
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn reads_and_writes_queries() {
        let models = |query| super::models_in(query).collect::<Vec<_>>();
        assert_eq!(models("a=b&model=gpt%2F4o+x&model="), ["gpt/4o x", ""]);
        assert!(models("models=a&xmodel=b&model").is_empty());
        assert_eq!(
            super::renamed("a=%20&model=x&b", "u p"),
            "a=%20&model=u%20p&b"
        );
        assert_eq!(super::renamed("after=x", "u"), "after=x");
        let version = "api-version=2024-10-21";
        assert_eq!(super::unversioned(version), None);
        assert_eq!(
            super::unversioned(&format!("a=1&{version}&b")),
            Some("a=1&b".to_owned())
        );
    }

    #[test]
    fn puts_another_model_into_the_path() {
        let call = Call::at("/v1/models/mine", false).unwrap();
        assert_eq!(call.path_for("ft:gpt-4o/x"), "/models/ft:gpt-4o%2Fx");
        let call = Call::at("/v1/files/mine", false).unwrap();
        assert_eq!(call.path_for("ft"), "/files/mine");
    }
}
