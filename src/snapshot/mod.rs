//! From a configuration to one snapshot that requests are served from.

mod carry_over;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use thiserror::Error;
use tokio::time::Instant;
use url::Url;

use crate::access::Gate;
use crate::catalog::{Catalog, DEMO};
use crate::config::{
    Auth, Balance, BaseUrl, Config, Credential, Discover, HttpVersion, Manner, Model, OwnTimeouts,
    Pool, PriceList, Provider, Server, StreamUsage, Target, Timeouts,
};
use crate::metering::Meters;
use crate::proxy::{Limits, Snapshot};
use crate::routing::{Fleet, Homes};
use crate::secret::Secret;
use crate::shared_limit::Allowance;
use crate::telemetry::metric::Registry;
use crate::telemetry::trace::Tracer;
use crate::upstream::{BuildError, Builder};

use carry_over::Before;

/// The demo model is in this process: it answers at once or is broken.
const DEMO_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    tls: None,
    head: Duration::from_secs(30),
    first_event: None,
    gap: Duration::from_secs(30),
    total: None,
};
const DEMO_POOL: Pool = Pool {
    max_in_flight: None,
    wait: Duration::from_secs(5),
    max_idle: 16,
    idle_timeout: Duration::from_secs(60),
};

/// Why there is no snapshot.
#[derive(Debug, Error)]
pub enum Error {
    /// A provider cannot be reached as it is configured.
    #[error("{0}")]
    Upstream(#[from] BuildError),
    /// The exporter of traces has no thread or no socket.
    #[error("cannot export traces: {0}")]
    Traces(io::Error),
}

/// Builds the snapshot of a checked configuration, as the generation after
/// `before`. It shares with that one what has not changed; nothing there is
/// touched until [`Snapshot::enact`].
pub fn build(
    config: &Config,
    registry: &Registry,
    before: Option<&Snapshot>,
) -> Result<Arc<Snapshot>, Error> {
    let known = before.map(Before::new);
    let catalog = Catalog::new(config);
    let builder = Builder::new(registry.clone());
    // The catalog numbers providers in the order of this map.
    let upstreams = config
        .providers
        .values()
        .map(|provider| {
            let before = known.as_ref().and_then(|it| it.upstream(&provider.name));
            builder.build(provider, before)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let now = Instant::now().into_std();
    let mut fleet = Fleet::new(config, &catalog, registry, now);
    let (writes_lines, keeps_ledgers) = (config.log.access, config.server.page);
    let meters = if let (Some(before), Some(known)) = (before, &known) {
        fleet.inherit(&before.fleet, &known.heirs(&catalog, &upstreams));
        let models = known.models(&catalog);
        before
            .meters
            .succeed(&catalog, writes_lines, keeps_ledgers, &models)
    } else {
        Meters::new(registry, &catalog, writes_lines, keeps_ledgers)
    };
    let limits = limits(&config.server, registry, before.map(|it| &it.limits));
    let tracer = before.and_then(|it| it.tracer.as_ref());
    let tracer =
        Tracer::succeed(config.traces.as_ref(), registry, tracer).map_err(Error::Traces)?;
    let gate = Gate::new(&config.access);
    let homes = before.map(|it| Arc::clone(&it.homes));
    let homes = homes.unwrap_or_else(|| Arc::new(Homes::new(config.server.max_objects)));
    Ok(Arc::new(Snapshot {
        catalog,
        gate,
        upstreams,
        fleet,
        meters,
        tracer,
        homes,
        discovery: config.discovery,
        limits,
    }))
}

fn limits(server: &Server, registry: &Registry, before: Option<&Limits>) -> Limits {
    let (buffered, in_flight, spooled) = before.map_or_else(
        || {
            (
                Allowance::bytes(registry, server.max_buffered),
                Allowance::requests(registry, server.max_in_flight),
                Allowance::files(registry, server.max_spool),
            )
        },
        |it| {
            (
                Arc::clone(&it.buffered),
                Arc::clone(&it.in_flight),
                Arc::clone(&it.spooled),
            )
        },
    );
    Limits {
        max_body: server.max_body,
        body_timeout: server.body_timeout,
        body_gap: server.body_gap,
        keepalive_comments: server.keepalive_comments,
        tunnel_idle: server.tunnel_idle_timeout,
        server_timing: server.server_timing,
        buffered,
        max_buffered: server.max_buffered,
        in_flight,
        max_in_flight: server.max_in_flight,
        spooled,
        max_spool: server.max_spool,
        spool_dir: server.spool_dir.clone(),
        max_objects: server.max_objects,
    }
}

/// Adds the demo model, which answers at `address` to those who have `key`. It
/// is a provider like any other, so that its requests take the same way.
pub fn offer_demo(
    config: &mut Config,
    address: SocketAddr,
    key: Secret,
) -> Result<(), url::ParseError> {
    let provider = Provider {
        name: DEMO.to_owned(),
        named: true,
        base_url: BaseUrl::Set {
            url: Url::parse(&format!("http://{address}/v1"))?,
            source: "built in".to_owned(),
        },
        credentials: vec![Credential::Set {
            secret: key,
            source: "built in".to_owned(),
        }],
        auth: Auth::Bearer,
        headers: HeaderMap::new(),
        stream_usage: StreamUsage::Inject,
        manner: Manner::plain(),
        timeouts: DEMO_TIMEOUTS,
        pool: DEMO_POOL,
        health: None,
        discover: Discover::Never,
        ca_pem: None,
        http: HttpVersion::Http1,
        prices: PriceList::default(),
    };
    let model = Model {
        alias: DEMO.to_owned(),
        targets: vec![Target::new(DEMO, DEMO)],
        fallbacks: Vec::new(),
        context: None,
        balance: Balance::default(),
        affinity: None,
        retry: config.retry,
        timeouts: OwnTimeouts::default(),
        hedge: None,
        builtin: true,
    };
    // What the config itself calls by this name goes first.
    if !config.providers.contains_key(DEMO) && !config.models.contains_key(DEMO) {
        config.providers.insert(DEMO.to_owned(), provider);
        config.models.insert(DEMO.to_owned(), model);
    }
    Ok(())
}
