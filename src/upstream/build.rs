//! From a provider's configuration to an upstream.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use thiserror::Error;
use url::{Host, Url};

use super::health_check::Checkup;
use super::model_list_cache::Listing;
use super::tls::{Connector, Roots};
use super::{Upstream, header};
use crate::config::{Auth, BaseUrl, Credential, Provider};
use crate::permits::Places;
use crate::secret::Secret;
use crate::telemetry::metric::{self, Counter, Gauge, Registry};
use crate::wire::endpoint::Endpoint;

/// Why a provider cannot be made into an upstream, in words for the operator.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("providers.{provider}: {fault}")]
pub struct BuildError {
    provider: String,
    fault: String,
}

/// Builds upstreams that share one set of certificate authorities.
#[derive(Debug)]
pub struct Builder {
    /// Loaded when first needed, which takes some milliseconds.
    roots: OnceCell<Roots>,
    registry: Registry,
}

/// What one upstream's connections count in.
#[derive(Debug)]
pub(super) struct Gauges {
    open: Gauge,
    made: Counter,
    failed: Counter,
    full: Counter,
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Gauge);

impl Builder {
    /// A builder whose upstreams count in this registry.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            roots: OnceCell::new(),
            registry,
        }
    }

    /// The upstream of this provider, or none while it lacks a base URL or a
    /// credential. `before` is the one it had in the last generation: it stays,
    /// with all its connections, where requests get there as they did.
    pub fn build(
        &self,
        provider: &Provider,
        before: Option<&Arc<Upstream>>,
    ) -> Result<Option<Arc<Upstream>>, BuildError> {
        if let Some(before) = before.filter(|before| provider.is_reached_like(&before.made_from)) {
            return Ok(Some(Arc::clone(before)));
        }
        let BaseUrl::Set { url, .. } = &provider.base_url else {
            return Ok(None);
        };
        if !provider.is_ready() {
            return Ok(None);
        }
        let fault = |fault: String| BuildError {
            provider: provider.name.clone(),
            fault,
        };
        let auth_header = match &provider.auth {
            Auth::Bearer => AUTHORIZATION,
            Auth::Header(name) => name.clone(),
        };
        let headers = provider.usable().map(|credential| {
            let mut headers = provider.headers.clone();
            // The answer is metered as it passes, so it must not be compressed.
            let identity = HeaderValue::from_static("identity");
            headers.entry(ACCEPT_ENCODING).or_insert(identity);
            add(credential, provider, &auth_header, &mut headers)?;
            Ok(headers)
        });
        let headers = headers.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let own = headers.iter().flat_map(HeaderMap::keys);
        let own: HashSet<_> = own.chain([&auth_header]).cloned().collect();
        let (host, authority) = address(url).map_err(fault)?;
        let tls = self.tls(provider, url, &host).map_err(fault)?;
        let scheme = if tls.is_some() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        let host_header = HeaderValue::try_from(authority.as_str());
        Ok(Some(Arc::new(Upstream {
            scheme,
            host_header: host_header.map_err(|error| fault(error.to_string()))?,
            authority,
            port: url.port_or_known_default().unwrap_or(80),
            host,
            targets: targets(url).map_err(fault)?,
            base_path: base_path(url).to_owned(),
            tls,
            http: provider.http,
            headers,
            replaced: own.into_iter().filter(header::goes_upstream).collect(),
            limits: provider.pool,
            places: provider.pool.max_in_flight.map(|most| {
                let known = before.and_then(|before| before.places.clone());
                known.unwrap_or_else(|| Places::new(most))
            }),
            gauges: Gauges::new(&self.registry, &provider.name),
            checkup: Checkup::of(provider, url).map_err(fault)?,
            listing: Listing::default(),
            made_from: provider.clone(),
        })))
    }

    fn tls(&self, provider: &Provider, url: &Url, host: &str) -> Result<Option<Connector>, String> {
        if url.scheme() != "https" {
            return Ok(None);
        }
        let roots = self.roots.get_or_init(Roots::load);
        let roots = match &provider.ca_pem {
            None => roots.clone(),
            Some(pem) => roots
                .with(pem)
                .map_err(|error| format!("ca_file: {error}"))?,
        };
        Connector::new(host, &roots, provider.http).map(Some)
    }
}

/// Adds a credential to `headers`, in the field of this name.
fn add(
    credential: &Credential,
    provider: &Provider,
    name: &HeaderName,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let Credential::Set { secret, source } = credential else {
        return Ok(());
    };
    let sent = match &provider.auth {
        Auth::Bearer => Secret::new(format!("Bearer {}", secret.expose())),
        Auth::Header(_) => secret.clone(),
    };
    // Shared by all requests, and wiped when the last of them is over.
    let value = HeaderValue::from_maybe_shared(Bytes::from_owner(sent));
    // The error would quote the value.
    let mut value =
        value.map_err(|_| format!("the key from {source} cannot be sent as a header"))?;
    value.set_sensitive(true);
    headers.insert(name.clone(), value);
    Ok(())
}

fn base_path(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

/// The path of each call of most requests below the base URL.
fn targets(url: &Url) -> Result<Vec<Uri>, String> {
    let base = base_path(url);
    let target = |call: Endpoint| Uri::try_from(format!("{base}{}", call.path()));
    let targets = Endpoint::CORE.into_iter().map(target);
    targets
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

/// The host to connect to (without brackets) and the authority to name.
fn address(url: &Url) -> Result<(String, Authority), String> {
    let host = match url.host() {
        None => return Err("base_url has no host".to_owned()),
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
    };
    let shown = url.host_str().unwrap_or_default();
    let authority = match url.port() {
        None => shown.to_owned(),
        Some(port) => format!("{shown}:{port}"),
    };
    let authority = Authority::try_from(authority).map_err(|error| error.to_string())?;
    Ok((host, authority))
}

impl Gauges {
    fn new(registry: &Registry, provider: &str) -> Self {
        let connects = |result| {
            registry.counter(
                &metric::UPSTREAM_CONNECTS,
                &[("provider", provider), ("result", result)],
            )
        };
        Self {
            open: registry.gauge(&metric::UPSTREAM_CONNECTIONS, &[("provider", provider)]),
            made: connects("ok"),
            failed: connects("failed"),
            full: registry.counter(&metric::SHED, &[("reason", "provider_in_flight")]),
        }
    }

    pub(super) fn connects(&self, succeeded: bool) -> &Counter {
        if succeeded { &self.made } else { &self.failed }
    }

    pub(super) fn full(&self) -> &Counter {
        &self.full
    }

    pub(super) fn open(&self) -> Open {
        self.open.increment(1);
        Open(self.open.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
