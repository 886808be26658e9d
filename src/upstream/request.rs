//! A request on its way to one upstream, in no protocol's terms yet.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{Upstream, header};
use crate::request_body::Outgoing;
use crate::wire::endpoint::Endpoint;

/// What is sent to an upstream.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) method: Method,
    pub(super) target: Target,
    /// The caller's, as they came but for those that `Connection` names.
    pub(super) headers: HeaderMap,
    /// Which of the upstream's credentials goes with it.
    pub(super) credential: usize,
    pub(super) body: Outgoing,
}

/// Path and query.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// Those of a call, which were put together at the start. A clone would be
    /// counted where every worker counts.
    Call(Endpoint),
    /// Others.
    Whole(Uri),
}

impl Upstream {
    /// Path and query.
    pub(super) fn path<'o>(&'o self, order: &'o Order) -> &'o str {
        let target = match &order.target {
            Target::Call(endpoint) => self.targets.get(endpoint.index()),
            Target::Whole(target) => Some(target),
        };
        let path = target.and_then(Uri::path_and_query);
        path.map_or("/", PathAndQuery::as_str)
    }

    /// The fields that are sent: those of the caller's that may go upstream, and
    /// our own. They are picked as they are written: to take the others out of
    /// the map costs a look-up for each.
    pub(super) fn fields<'o>(
        &'o self,
        order: &'o Order,
    ) -> impl Iterator<Item = (&'o HeaderName, &'o HeaderValue)> {
        let callers = order.headers.iter();
        let callers = callers
            .filter(|(name, _)| header::goes_upstream(name) && !self.replaced.contains(name));
        let own = self.headers.get(order.credential);
        callers.chain(own.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::{Order, Target};
    use crate::config::{self, Sources};
    use crate::request_body::Outgoing;
    use crate::telemetry::metric::Registry;
    use crate::upstream::{Builder, Upstream};
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

    /// What is sent of these fields of a caller's, in the order of the names.
    fn sent(upstream: &Upstream, callers: &[(&'static str, &'static str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in callers {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_static(value));
        }
        let order = Order {
            method: Method::POST,
            target: Target::Call(Endpoint::ChatCompletions),
            headers,
            credential: 0,
            body: Outgoing::new(Segments::default()),
        };
        let fields = upstream.fields(&order);
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        let mut fields: Vec<_> = fields.map(text).collect();
        fields.sort_unstable();
        let request = upstream.request(&order);
        assert_eq!(request.headers().len(), fields.len());
        assert_eq!(request.uri(), "http://127.0.0.1:9/v1/chat/completions");
        fields
    }

    #[test]
    fn our_own_fields_take_the_place_of_the_callers() {
        let upstream = upstream(
            "api_key = \"sk-ours\"\nauth = \"x-goog-api-key\"\nheaders = { x-title = \"Ours\" }\n",
        );
        let callers = [
            ("authorization", "Bearer theirs"),
            ("x-goog-api-key", "theirs"),
            ("x-title", "Theirs"),
            ("accept-encoding", "gzip"),
            ("x-twice", "1"),
            ("x-twice", "2"),
        ];
        assert_eq!(
            sent(&upstream, &callers),
            [
                "accept-encoding: identity",
                "x-goog-api-key: sk-ours",
                "x-title: Ours",
                "x-twice: 1",
                "x-twice: 2",
            ]
        );
    }

    #[test]
    fn a_callers_key_is_dropped_where_we_have_none() {
        let upstream = upstream("auth = \"x-goog-api-key\"\n");
        let callers = [("x-goog-api-key", "theirs"), ("x-title", "Theirs")];
        assert_eq!(
            sent(&upstream, &callers),
            ["accept-encoding: identity", "x-title: Theirs"]
        );
    }
}
