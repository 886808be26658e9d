//! One provider as a destination of requests.

use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tokio::time::timeout;

use super::error::{Error, ErrorKind};
use super::health_check::HealthProbe;
use super::metrics::ConnectionMetrics;
use super::model_list_cache::ModelListCache;
use super::resolve::Resolver;
use super::tls::Connector;
use crate::config::{HealthCheck, HttpVersion, PoolConfig as PoolLimits, ProviderConfig};
use crate::permits::{Permit, ResizableSemaphore};

/// Shared by all workers; only metrics, permits, addresses and the model list change.
#[derive(Debug)]
pub struct Upstream {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) host_header: HeaderValue,
    pub(super) resolver: Resolver,
    /// Path of each of [`Endpoint::FAST_PATH`].
    ///
    /// [`Endpoint::FAST_PATH`]: crate::wire::endpoint::Endpoint::FAST_PATH
    pub(super) endpoint_uris: Vec<Uri>,
    /// Path of the base URL, without a trailing slash.
    pub(super) base_path: String,
    pub(super) tls: Option<Connector>,
    pub(super) http: HttpVersion,
    /// The gateway's own header fields, one map for each credential.
    pub(super) headers: Vec<HeaderMap>,
    /// Names of these fields, and of the credential's field even if there is no
    /// credential: the client's fields of these names are not forwarded.
    pub(super) overridden: Box<[HeaderName]>,
    pub(super) limits: PoolLimits,
    pub(super) in_flight_limit: Option<Arc<ResizableSemaphore>>,
    pub(super) metrics: ConnectionMetrics,
    pub(super) health_probe: Option<HealthProbe>,
    pub(super) model_list: ModelListCache,
    pub(super) provider: ProviderConfig,
}

impl Upstream {
    /// The configuration this was built from.
    #[must_use]
    pub fn provider(&self) -> &ProviderConfig {
        &self.provider
    }

    #[must_use]
    pub fn health_check(&self) -> Option<&HealthCheck> {
        Some(self.health_probe.as_ref()?.rules())
    }

    #[must_use]
    pub fn model_list(&self) -> &ModelListCache {
        &self.model_list
    }

    /// Resizes the semaphore, which is shared with the upstream of the previous
    /// generation.
    pub fn apply_limits(&self) {
        if let (Some(semaphore), Some(limit)) = (&self.in_flight_limit, self.limits.max_in_flight) {
            semaphore.resize(limit);
        }
    }

    pub(super) async fn acquire_permit(
        &self,
        semaphore: &Arc<ResizableSemaphore>,
    ) -> Result<Permit, Error> {
        if let Ok(permit) = timeout(self.limits.acquire_timeout, semaphore.acquire()).await {
            return Ok(permit);
        }
        self.metrics.record_shed();
        let detail = "limit of requests in flight reached";
        Err(Error::new(ErrorKind::InFlightLimit, detail))
    }
}
