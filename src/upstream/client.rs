//! One worker's client for all upstreams.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderMap;

use super::connection::ResponseStart;
use super::error::{Error, ErrorKind};
use super::http1::Scratch;
use super::pool::Pool;
use super::request::UpstreamRequest;
use super::{RequestHead, Upstream, UpstreamBody, UpstreamResponse};
use crate::config::Timeouts;
use crate::request_body::RequestBody;

/// Nothing in it is shared with other workers.
#[derive(Debug)]
pub struct Client {
    /// By the id of the provider.
    pools: Vec<Rc<Pool>>,
    scratch: Scratch,
}

/// A request that is ready to be sent.
#[derive(Debug)]
pub struct PreparedRequest<'c> {
    pool: &'c Rc<Pool>,
    upstream: &'c Arc<Upstream>,
    /// Boxed, since it is large and moved several times.
    request: Box<UpstreamRequest>,
}

impl Client {
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

    /// Keeps the pools of upstreams that stay; the connections of all others are closed
    /// as soon as they are idle.
    #[must_use]
    pub fn next_generation(&self, upstreams: &[Option<Arc<Upstream>>]) -> Self {
        let mut existing: HashMap<_, _> = self
            .pools
            .iter()
            .filter_map(|pool| Some((Arc::as_ptr(pool.upstream()?), pool)))
            .collect();
        let pool = |upstream: &Option<Arc<Upstream>>| {
            let pool = upstream
                .as_ref()
                .and_then(|upstream| existing.remove(&Arc::as_ptr(upstream)));
            pool.cloned()
                .unwrap_or_else(|| Rc::new(Pool::new(upstream.clone(), self.scratch.clone())))
        };
        let pools = upstreams.iter().map(pool).collect();
        for pool in existing.into_values() {
            pool.close();
        }
        Self {
            pools,
            scratch: self.scratch.clone(),
        }
    }

    pub fn prepare(
        &self,
        id: usize,
        head: RequestHead,
        body: RequestBody,
    ) -> Result<PreparedRequest<'_>, Error> {
        let (pool, upstream) = self.pool(id)?;
        let request = Box::new(upstream.build_request(head, body)?);
        Ok(PreparedRequest {
            pool,
            upstream,
            request,
        })
    }

    /// Closes connections that were idle too long. To be called every few seconds.
    pub fn sweep(&self) {
        for pool in &self.pools {
            pool.sweep();
        }
    }

    pub(super) fn pool(&self, id: usize) -> Result<(&Rc<Pool>, &Arc<Upstream>), Error> {
        let pool = self.pools.get(id);
        pool.and_then(|pool| Some((pool, pool.upstream()?)))
            .ok_or_else(|| Error::new(ErrorKind::Connect, "unknown upstream"))
    }
}

impl PreparedRequest<'_> {
    /// The same request with another body.
    #[must_use]
    pub fn with_body(mut self, body: RequestBody) -> Self {
        self.request.body = body;
        self
    }

    /// The client's headers, as they were sent.
    #[must_use]
    pub fn into_headers(self) -> HeaderMap {
        self.request.headers
    }

    /// Sends the request and waits for the response head. Dropping the future aborts
    /// the request, which is returned with the response. `sent` becomes true once a part of
    /// it may have reached the upstream.
    pub async fn send(
        self,
        timeouts: &Timeouts,
        sent: &Cell<bool>,
    ) -> Result<(UpstreamResponse, Self), Error> {
        let Self {
            pool,
            upstream,
            request,
        } = self;
        let permit = match &upstream.in_flight_limit {
            // Boxed, since few upstreams have such a limit.
            Some(semaphore) => Some(Box::pin(upstream.acquire_permit(semaphore)).await?),
            None => None,
        };
        let (response, lease) = pool
            .exchange(upstream, request, timeouts, permit, sent)
            .await?;
        let ResponseStart {
            head,
            stream,
            sent_at,
            request,
        } = response;
        let response = UpstreamResponse {
            status: head.status,
            headers: head.headers,
            sent_at,
            body: UpstreamBody::new(lease, stream, head.keep_alive_hint),
        };
        let sent = Self {
            pool,
            upstream,
            request,
        };
        Ok((response, sent))
    }
}
