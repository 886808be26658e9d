//! Requests to an upstream, before they are encoded for HTTP/1.1 or HTTP/2.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

use super::error::{Error, ErrorKind};
use super::{Upstream, header, hops};
use crate::request_body::RequestBody;
use crate::wire::endpoint::Endpoint;
use crate::wire::splice::Segments;

/// A request without its body, as the proxy passes it.
#[derive(Debug)]
pub struct RequestHead {
    pub method: Method,
    pub endpoint: Endpoint,
    /// The path below the base URL, where it is not that of the endpoint.
    pub path: Option<String>,
    /// Index among the provider's usable credentials.
    pub credential: usize,
    /// The client's query, without its `?`.
    pub query: Option<String>,
    /// The client's headers, unchanged.
    pub headers: HeaderMap,
    /// For the provider's `caller_header`.
    pub caller: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
pub(super) struct UpstreamRequest {
    pub(super) method: Method,
    pub(super) target: RequestTarget,
    /// The client's headers, without those that `Connection` names.
    pub(super) headers: HeaderMap,
    /// Where the request has passed other gateways: their ids and ours.
    pub(super) hops: Option<HeaderValue>,
    /// See [`RequestHead::caller`].
    pub(super) caller: Option<HeaderValue>,
    pub(super) credential: usize,
    pub(super) body: RequestBody,
}

/// Path and query.
#[derive(Debug, Clone)]
pub(super) enum RequestTarget {
    /// The path of the endpoint, prepared in the upstream. A clone of that `Uri` would
    /// touch a reference count that all workers share.
    Endpoint(Endpoint),
    Uri(Uri),
}

impl Upstream {
    pub(super) fn build_request(
        &self,
        head: RequestHead,
        body: RequestBody,
    ) -> Result<UpstreamRequest, Error> {
        let RequestHead {
            method,
            endpoint,
            path,
            credential,
            query,
            mut headers,
            caller,
        } = head;
        // The gateway's own fields are added later, so that the client's `Connection`
        // cannot remove the credential.
        header::strip_named_by_connection(&mut headers);
        Ok(UpstreamRequest {
            method,
            target: self.request_target(endpoint, path.as_deref(), query.as_deref())?,
            hops: hops::extended(&headers),
            headers,
            caller,
            credential,
            body,
        })
    }

    /// A GET of the gateway's own.
    pub(super) fn get_request(&self, uri: Uri, credential_index: usize) -> Box<UpstreamRequest> {
        Box::new(UpstreamRequest {
            method: Method::GET,
            target: RequestTarget::Uri(uri),
            headers: HeaderMap::new(),
            hops: None,
            caller: None,
            credential: credential_index % self.headers.len().max(1),
            body: RequestBody::buffered(Segments::default()),
        })
    }

    /// The path of the endpoint, or the given one below the base URL, with the client's
    /// query unchanged.
    fn request_target(
        &self,
        endpoint: Endpoint,
        path: Option<&str>,
        query: Option<&str>,
    ) -> Result<RequestTarget, Error> {
        let invalid = |detail: String| Error::new(ErrorKind::Protocol, detail);
        let mut text = match (path, query) {
            (Some(path), _) => format!("{}{path}", self.base_path),
            (None, query) => {
                let uri = self.endpoint_uris.get(endpoint.index());
                let uri = uri.ok_or_else(|| invalid("unknown endpoint".to_owned()))?;
                if query.is_none() {
                    return Ok(RequestTarget::Endpoint(endpoint));
                }
                uri.path().to_owned()
            }
        };
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        let uri = Uri::from_maybe_shared(text);
        uri.map(RequestTarget::Uri)
            .map_err(|error| invalid(error.to_string()))
    }

    pub(super) fn path_and_query<'r>(&'r self, request: &'r UpstreamRequest) -> &'r str {
        let uri = match &request.target {
            RequestTarget::Endpoint(endpoint) => self.endpoint_uris.get(endpoint.index()),
            RequestTarget::Uri(uri) => Some(uri),
        };
        let path = uri.and_then(Uri::path_and_query);
        path.map_or("/", PathAndQuery::as_str)
    }

    /// The header fields to send: the client's that are forwarded, then the gateway's
    /// own. The others are skipped here: removing them from the map costs a lookup
    /// each.
    pub(super) fn fields<'r>(
        &'r self,
        request: &'r UpstreamRequest,
    ) -> impl Iterator<Item = (&'r HeaderName, &'r HeaderValue)> {
        let forwarded = request.headers.iter();
        let forwarded = forwarded.filter(|(name, _)| self.forwards(name));
        let own = self.headers.get(request.credential);
        let hops = request.hops.as_ref().unwrap_or(hops::instance());
        forwarded
            .chain(own.into_iter().flatten())
            .chain([(&hops::HOPS, hops)])
            .chain(
                self.provider
                    .caller_header
                    .as_ref()
                    .zip(request.caller.as_ref()),
            )
    }

    /// Whether a field of the client is forwarded.
    fn forwards(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let is_overridden = |text| {
            let mut own = self.overridden.iter();
            own.any(|own| header::is_same_field(own.as_str(), text))
        };
        header::forwards_upstream(text) && !is_overridden(text)
            || self.provider.forward_headers.contains(name)
    }

    /// Over HTTP/2, the request includes scheme and authority (RFC 9113, section 8.3.1).
    pub(super) fn http2_request(&self, request: &UpstreamRequest) -> Request<RequestBody> {
        let mut http2 = Request::new(request.body.clone());
        *http2.method_mut() = request.method.clone();
        *http2.version_mut() = http::Version::HTTP_2;
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(self.path_and_query(request));
        if let Ok(uri) = uri.build() {
            *http2.uri_mut() = uri;
        }
        for (name, value) in self.fields(request) {
            http2.headers_mut().append(name, value.clone());
        }
        http2
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::{RequestTarget, UpstreamRequest};
    use crate::config::{self, Sources};
    use crate::request_body::RequestBody;
    use crate::telemetry::metric::Registry;
    use crate::upstream::{Builder, Upstream, hops};
    use crate::wire::endpoint::Endpoint;
    use crate::wire::splice::Segments;

    fn upstream(provider: &str) -> Arc<Upstream> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("test.toml");
        let base = "[providers.up]\nbase_url = \"http://127.0.0.1:9/v1\"\n";
        std::fs::write(&file, format!("{base}{provider}")).unwrap();
        let sources = Sources {
            file: Some(file),
            directory: directory.path().to_owned(),
            ..Sources::default()
        };
        let config = config::load(&sources).unwrap();
        let builder = Builder::new(Registry::new());
        let built = builder.build(&config.providers["up"], None);
        built.unwrap().unwrap()
    }

    /// The fields sent for these fields of a client, sorted.
    fn sent(upstream: &Upstream, client: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in client {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        let request = UpstreamRequest {
            method: Method::POST,
            target: RequestTarget::Endpoint(Endpoint::ChatCompletions),
            hops: hops::extended(&headers),
            headers,
            caller: None,
            credential: 0,
            body: RequestBody::buffered(Segments::default()),
        };
        let fields = upstream.fields(&request);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut fields: Vec<_> = fields.map(text).collect();
        fields.sort_unstable();
        let http2 = upstream.http2_request(&request);
        assert_eq!(http2.headers().len(), fields.len());
        let hops = format!("x-trunkline-hops: {}", hops::instance().to_str().unwrap());
        fields.retain(|field| *field != hops);
        assert_eq!(http2.uri(), "http://127.0.0.1:9/v1/chat/completions");
        fields
    }

    #[test]
    fn the_gateways_fields_replace_those_of_the_client() {
        let upstream = upstream(
            "api_key = \"sk-gateway\"\nauth = \"x-goog-api-key\"\nheaders = { x-title = \"Gateway\" }\n",
        );
        let client = [
            ("authorization", "Bearer client"),
            ("x-goog-api-key", "client"),
            ("x-title", "Client"),
            ("accept-encoding", "gzip"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ];
        assert_eq!(
            sent(&upstream, &client),
            [
                "accept-encoding: identity",
                "x-goog-api-key: sk-gateway",
                "x-title: Gateway",
                "x-twice: 1",
                "x-twice: 2",
            ]
        );
    }

    #[test]
    fn the_clients_key_is_dropped_even_without_a_credential() {
        let upstream = upstream("auth = \"x-goog-api-key\"\n");
        let client = [("x-goog-api-key", "client"), ("x-title", "Client")];
        assert_eq!(
            sent(&upstream, &client),
            ["accept-encoding: identity", "x-title: Client"]
        );
    }

    #[test]
    fn the_clients_fields_do_not_replace_the_gateways_by_another_spelling() {
        let upstream =
            upstream("api_key = \"k\"\nauth = \"x-my_key\"\nheaders = { x-title = \"Gateway\" }\n");
        let client = [
            ("x_my_key", "client"),
            ("x-my-key", "client"),
            ("x_title", "Client"),
            ("x_titles", "Client"),
        ];
        assert_eq!(
            sent(&upstream, &client),
            [
                "accept-encoding: identity",
                "x-my_key: k",
                "x-title: Gateway",
                "x_titles: Client",
            ]
        );
    }

    #[test]
    fn a17_fields_that_are_kept_back_can_be_configured() {
        let client = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x_forwarded_for", "192.0.2.1"),
            ("cookie", "a=b"),
            ("via", "1.1 proxy"),
        ];
        assert_eq!(sent(&upstream(""), &client), ["accept-encoding: identity"]);
        let configured = upstream("forward_headers = [\"X-Forwarded-For\", \"cookie\"]\n");
        assert_eq!(
            sent(&configured, &client),
            [
                "accept-encoding: identity",
                "cookie: a=b",
                "x-forwarded-for: 192.0.2.1"
            ]
        );
    }
}
