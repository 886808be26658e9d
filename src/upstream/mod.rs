//! One provider as something that requests can be sent to.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use tokio::time::{Instant, timeout};

use crate::config::{HttpVersion, Pool as PoolLimits, Provider, Timeouts};
use crate::permits::{Place, Places};
use crate::request_body::Outgoing;
use crate::wire::endpoint::Endpoint;

mod build;
mod connect;
mod connection;
mod error;
mod header;
mod health_check;
mod http1;
mod model_list_cache;
mod pool;
mod request;
mod resolve;
mod response;
mod tls;
mod websocket;

pub use build::{BuildError, Builder};
pub use error::{Error, ErrorKind};
#[cfg(feature = "fuzzing")]
pub use http1::oracle;
pub use model_list_cache::{ListError, Listing};
pub use response::{BrokenOff, ReplyBody};
pub use websocket::{Opening, WebSocket};

use connection::Answer;
use http1::Scratch;
use pool::Pool;
use request::{Order, Target};

/// One provider: where it is, what opens it and how long it may take.
/// Shared by all workers; nothing in it changes but what it counts and lists.
#[derive(Debug)]
pub struct Upstream {
    scheme: Scheme,
    authority: Authority,
    host_header: HeaderValue,
    host: String,
    port: u16,
    /// Path of each of [`Endpoint::CORE`].
    targets: Vec<Uri>,
    /// The path of the base URL, without a slash at its end.
    base_path: String,
    tls: Option<tls::Connector>,
    http: HttpVersion,
    /// What we add to each request, a credential in it: one map for each of
    /// those.
    headers: Vec<HeaderMap>,
    /// Names in them, and that of the credential's header where there is none,
    /// under which a caller's own could go upstream; they are dropped.
    replaced: Box<[HeaderName]>,
    limits: PoolLimits,
    places: Option<Arc<Places>>,
    gauges: build::Gauges,
    checkup: Option<health_check::Checkup>,
    listing: Listing,
    made_from: Provider,
}

/// What is sent: everything but the body.
#[derive(Debug)]
pub struct Head {
    /// How it is asked.
    pub method: Method,
    /// Which call it is.
    pub endpoint: Endpoint,
    /// The path below the base URL, where it is not that of the call.
    pub path: Option<String>,
    /// Which of the provider's credentials to send, by its number among those
    /// that are there.
    pub credential: usize,
    /// The caller's query, without its `?`.
    pub query: Option<String>,
    /// The caller's headers, as they came.
    pub headers: HeaderMap,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub struct Prepared<'c> {
    pool: &'c Rc<Pool>,
    upstream: &'c Arc<Upstream>,
    /// Boxed, since it is large and goes through several hands.
    order: Box<Order>,
}

/// An upstream's answer: its head, and the body that is still to come.
#[derive(Debug)]
pub struct Reply {
    /// Status as it came.
    pub status: StatusCode,
    /// Headers that may go downstream.
    pub headers: HeaderMap,
    /// When the request began to be sent.
    pub sent: Instant,
    /// The rest.
    pub body: ReplyBody,
}

/// One worker's connections to every upstream. Nothing in it is shared with
/// another worker.
#[derive(Debug)]
pub struct Client {
    pools: Vec<Rc<Pool>>,
    scratch: Scratch,
}

impl Client {
    /// A client for these upstreams; [`Client::prepare`] takes one by its number.
    #[must_use]
    pub fn new(upstreams: &[Option<Arc<Upstream>>]) -> Self {
        let scratch = Scratch::default();
        let pool = |upstream: &Option<Arc<Upstream>>| {
            Rc::new(Pool::new(upstream.clone(), scratch.clone()))
        };
        Self {
            pools: upstreams.iter().map(pool).collect(),
            scratch,
        }
    }

    /// The client of the next generation: what leads to an upstream that stays
    /// goes on, and everything else closes as soon as nobody needs it.
    #[must_use]
    pub fn succeed(&self, upstreams: &[Option<Arc<Upstream>>]) -> Self {
        let mut known: HashMap<_, _> = self
            .pools
            .iter()
            .filter_map(|pool| Some((Arc::as_ptr(pool.upstream()?), pool)))
            .collect();
        let pool = |upstream: &Option<Arc<Upstream>>| {
            let pool = upstream
                .as_ref()
                .and_then(|upstream| known.remove(&Arc::as_ptr(upstream)));
            pool.cloned()
                .unwrap_or_else(|| Rc::new(Pool::new(upstream.clone(), self.scratch.clone())))
        };
        let pools = upstreams.iter().map(pool).collect();
        for pool in known.into_values() {
            pool.retire();
        }
        Self {
            pools,
            scratch: self.scratch.clone(),
        }
    }

    /// Makes a request ready for upstream number `id`.
    pub fn prepare(&self, id: usize, head: Head, body: Outgoing) -> Result<Prepared<'_>, Error> {
        let unknown = || Error::new(ErrorKind::Connect, "no such upstream");
        let pool = self.pools.get(id).ok_or_else(unknown)?;
        let upstream = pool.upstream().ok_or_else(unknown)?;
        let order = Box::new(upstream.order(head, body)?);
        Ok(Prepared {
            pool,
            upstream,
            order,
        })
    }

    /// Closes connections that have rested too long. To be called every few
    /// seconds.
    pub fn sweep(&self) {
        for pool in &self.pools {
            pool.sweep();
        }
    }
}

impl Prepared<'_> {
    /// Sends the request and waits for the head of its answer. Dropping the
    /// future ends the request on the wire.
    pub async fn send(self, timeouts: &Timeouts) -> Result<Reply, Error> {
        let Self {
            pool,
            upstream,
            order,
        } = self;
        let place = match &upstream.places {
            // Boxed, since few have such a limit.
            Some(places) => Some(Box::pin(upstream.place(places)).await?),
            None => None,
        };
        let (answer, lease) = pool.exchange(upstream, order, timeouts, place).await?;
        let Answer { head, stream, sent } = answer;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            sent,
            body: ReplyBody::new(lease, stream, head.rests_for),
        })
    }
}

impl Upstream {
    /// What it was made from.
    #[must_use]
    pub fn made_from(&self) -> &Provider {
        &self.made_from
    }

    /// Puts its limits into force where they are shared with the upstream that
    /// it follows.
    pub fn enact(&self) {
        if let (Some(places), Some(most)) = (&self.places, self.limits.max_in_flight) {
            places.resize(most);
        }
    }

    /// A place among the requests in flight, which are limited.
    async fn place(&self, places: &Arc<Places>) -> Result<Place, Error> {
        if let Ok(place) = timeout(self.limits.wait, places.take()).await {
            return Ok(place);
        }
        self.gauges.full().increment(1);
        let detail = "no place among the requests in flight";
        Err(Error::new(ErrorKind::Full, detail))
    }

    /// Puts the caller's head into the upstream's terms.
    fn order(&self, head: Head, body: Outgoing) -> Result<Order, Error> {
        let Head {
            method,
            endpoint,
            path,
            credential,
            query,
            mut headers,
        } = head;
        // Our own come behind, so that no `Connection:` of the caller's can take
        // our credential away.
        header::strip_named_by_connection(&mut headers);
        Ok(Order {
            method,
            target: self.target(endpoint, path.as_deref(), query.as_deref())?,
            headers,
            credential,
            body,
        })
    }

    /// The target of a call: the path that was put together at the start, or
    /// one of the caller's below the base URL, and the caller's query as it came.
    fn target(
        &self,
        endpoint: Endpoint,
        path: Option<&str>,
        query: Option<&str>,
    ) -> Result<Target, Error> {
        let invalid = |detail: String| Error::new(ErrorKind::Protocol, detail);
        let mut text = match (path, query) {
            (Some(path), _) => format!("{}{path}", self.base_path),
            (None, query) => {
                let target = self.targets.get(endpoint.index());
                let target = target.ok_or_else(|| invalid("no such call".to_owned()))?;
                if query.is_none() {
                    return Ok(Target::Call(endpoint));
                }
                target.path().to_owned()
            }
        };
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
        let target = Uri::from_maybe_shared(text);
        target
            .map(Target::Whole)
            .map_err(|error| invalid(error.to_string()))
    }

    /// The request over HTTP/2, which names scheme and authority in itself (RFC
    /// 9113, section 8.3.1).
    fn request(&self, order: &Order) -> Request<Outgoing> {
        let mut request = Request::new(order.body.clone());
        *request.method_mut() = order.method.clone();
        *request.version_mut() = http::Version::HTTP_2;
        let target = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(self.path(order));
        if let Ok(uri) = target.build() {
            *request.uri_mut() = uri;
        }
        for (name, value) in self.fields(order) {
            request.headers_mut().append(name, value.clone());
        }
        request
    }
}
