//! Builds upstreams from the configuration of providers.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use thiserror::Error;
use url::{Host, Url};

use super::health_check::HealthProbe;
use super::metrics::ConnectionMetrics;
use super::model_list_cache::ModelListCache;
use super::resolve::Resolver;
use super::tls::{Connector, Roots};
use super::{Upstream, header};
use crate::config::{Auth, BaseUrl, Credential, ProviderConfig};
use crate::permits::ResizableSemaphore;
use crate::secret::Secret;
use crate::telemetry::metric::Registry;
use crate::wire::endpoint::Endpoint;

#[derive(Debug, Error, PartialEq, Eq)]
#[error("providers.{provider}: {reason}")]
pub struct BuildError {
    provider: String,
    reason: String,
}

/// The upstreams share one set of certificate authorities.
#[derive(Debug)]
pub struct Builder {
    /// Loaded when first needed, since that takes some milliseconds.
    roots: OnceCell<Roots>,
    registry: Registry,
}

impl Builder {
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            roots: OnceCell::new(),
            registry,
        }
    }

    /// None while the provider has no base URL or credential. `previous` is its upstream
    /// of the last generation: it stays, with all its connections, where nothing that
    /// concerns connections changed.
    pub fn build(
        &self,
        provider: &ProviderConfig,
        previous: Option<&Arc<Upstream>>,
    ) -> Result<Option<Arc<Upstream>>, BuildError> {
        let unchanged = previous.filter(|it| provider.shares_connections_with(&it.provider));
        if let Some(unchanged) = unchanged {
            return Ok(Some(Arc::clone(unchanged)));
        }
        let BaseUrl::Set { url, .. } = &provider.base_url else {
            return Ok(None);
        };
        if !provider.is_ready() {
            return Ok(None);
        }
        let error = |reason: String| BuildError {
            provider: provider.name.clone(),
            reason,
        };
        let auth_header = match &provider.auth {
            Auth::Bearer => AUTHORIZATION,
            Auth::Header(name) => name.clone(),
        };
        let headers = provider.usable_credentials().map(|credential| {
            let mut headers = provider.headers.clone();
            // Usage is read from the relayed response, so it must not be compressed.
            let identity = HeaderValue::from_static("identity");
            headers.entry(ACCEPT_ENCODING).or_insert(identity);
            insert_credential(credential, provider, &auth_header, &mut headers)?;
            Ok(headers)
        });
        let headers = headers.collect::<Result<Vec<_>, _>>().map_err(error)?;
        let own = own_names(&headers, &auth_header, provider.caller_header.as_ref());
        let (host, authority) = host_and_authority(url).map_err(error)?;
        let tls = self.tls(provider, url, &host).map_err(error)?;
        let scheme = if tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let host_header = HeaderValue::try_from(authority.as_str());
        Ok(Some(Arc::new(Upstream {
            scheme,
            host_header: host_header.map_err(|invalid| error(invalid.to_string()))?,
            authority,
            resolver: Resolver::new(&host, url.port_or_known_default().unwrap_or(80)),
            endpoint_uris: endpoint_uris(url).map_err(error)?,
            base_path: base_path(url).to_owned(),
            tls,
            http: provider.http,
            headers,
            overridden: own
                .into_iter()
                .filter(|name| header::forwards_upstream(name.as_str()))
                .collect(),
            limits: provider.pool,
            in_flight_limit: provider.pool.max_in_flight.map(|limit| {
                let shared = previous.and_then(|previous| previous.in_flight_limit.clone());
                shared.unwrap_or_else(|| ResizableSemaphore::new(limit))
            }),
            metrics: ConnectionMetrics::new(&self.registry, &provider.name),
            health_probe: HealthProbe::new(provider, url).map_err(error)?,
            model_list: ModelListCache::default(),
            provider: provider.clone(),
        })))
    }

    fn tls(
        &self,
        provider: &ProviderConfig,
        url: &Url,
        host: &str,
    ) -> Result<Option<Connector>, String> {
        if url.scheme() != "https" {
            return Ok(None);
        }
        let roots = self.roots.get_or_init(Roots::load);
        let roots = match &provider.ca_pem {
            None => roots.clone(),
            Some(pem) => roots
                .with_pem(pem)
                .map_err(|error| format!("ca_file: {error}"))?,
        };
        Connector::new(host, &roots, provider.http).map(Some)
    }
}

/// The fields that a client cannot set.
fn own_names(
    headers: &[HeaderMap],
    auth: &HeaderName,
    caller: Option<&HeaderName>,
) -> HashSet<HeaderName> {
    let own = headers.iter().flat_map(HeaderMap::keys);
    own.chain([auth]).chain(caller).cloned().collect()
}

fn insert_credential(
    credential: &Credential,
    provider: &ProviderConfig,
    name: &HeaderName,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let Credential::Set { secret, source } = credential else {
        return Ok(());
    };
    let value = match &provider.auth {
        Auth::Bearer => Secret::new(format!("Bearer {}", secret.expose())),
        Auth::Header(_) => secret.clone(),
    };
    // Shared by all requests, and wiped when the last of them ends.
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(value));
    // Its own error would quote the value.
    let mut value =
        value.map_err(|_| format!("the key from {source} is not a valid header value"))?;
    value.set_sensitive(true);
    headers.insert(name.clone(), value);
    Ok(())
}

fn base_path(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

/// Paths of [`Endpoint::FAST_PATH`] below the base URL.
fn endpoint_uris(url: &Url) -> Result<Vec<Uri>, String> {
    let base = base_path(url);
    let uri = |endpoint: Endpoint| Uri::try_from(format!("{base}{}", endpoint.path()));
    let uris = Endpoint::FAST_PATH.into_iter().map(uri);
    uris.collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The host to connect to, without brackets, and the authority of requests.
fn host_and_authority(url: &Url) -> Result<(String, Authority), String> {
    let host = match url.host() {
        None => return Err("base_url has no host".to_owned()),
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
    };
    let bracketed = url.host_str().unwrap_or_default();
    let authority = match url.port() {
        None => bracketed.to_owned(),
        Some(port) => format!("{bracketed}:{port}"),
    };
    let authority = Authority::try_from(authority).map_err(|error| error.to_string())?;
    Ok((host, authority))
}
