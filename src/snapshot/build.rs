//! Builds a snapshot from a checked configuration.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;

use super::carry_over::Previous;
use crate::access::Gate;
use crate::catalog::Catalog;
use crate::config::{Config, Server};
use crate::ledger::Ledger;
use crate::limits::LimitSet;
use crate::metering::{MeteringOptions, SharedMetrics};
use crate::proxy::{Limits, Snapshot, read_buffer_limit};
use crate::routing::{Fleet, ObjectDirectory};
use crate::shared_limit::SharedLimit;
use crate::store_sync::StoreSync;
use crate::telemetry::metric::Registry;
use crate::telemetry::trace::Tracer;
use crate::upstream::{BuildError, Builder};

#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("{0}")]
    Upstream(#[from] BuildError),
    /// The exporter could not create a thread or a socket.
    #[error("cannot export traces: {0}")]
    Traces(io::Error),
}

/// Builds the generation after `before`. It shares with that one what has not
/// changed, and changes nothing there before [`Snapshot::apply_limits`].
pub fn build(
    config: &Config,
    registry: &Registry,
    ledger: Option<&Ledger>,
    store: Option<&StoreSync>,
    before: Option<&Snapshot>,
) -> Result<Arc<Snapshot>, SnapshotError> {
    let previous = before.map(Previous::new);
    let catalog = Catalog::new(config);
    let builder = Builder::new(registry.clone());
    // In the order of provider ids in the catalog.
    let upstreams = config
        .providers
        .values()
        .map(|provider| {
            let before = previous.as_ref().and_then(|it| it.upstream(&provider.name));
            builder.build(provider, before)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let now = Instant::now().into_std();
    let mut fleet = Fleet::new(config, &catalog, registry, now);
    let gate = Gate::new(&config.access);
    let metering = MeteringOptions {
        access_log: config.log.access,
        history: config.server.page,
        key_count: gate.key_count(),
        request_tokens: config.metrics.is_some(),
        ledger: ledger.map(|ledger| ledger.tables().clone()),
    };
    let metrics = if let (Some(before), Some(previous)) = (before, &previous) {
        fleet.take_over(&before.fleet, &previous.carry_over(&catalog, &upstreams));
        let models = previous.models(&catalog);
        before.metrics.next_generation(&catalog, metering, &models)
    } else {
        SharedMetrics::new(registry, &catalog, metering)
    };
    metrics.create_limits(&config.limits);
    let client_limits = client_limits(config, ledger, store, before);
    client_limits.index_models(&catalog);
    let limits = limits(&config.server, registry, before.map(|it| &it.limits));
    let tracer = before.and_then(|it| it.tracer.as_ref());
    let tracer = Tracer::next_generation(config.traces.as_ref(), registry, tracer)
        .map_err(SnapshotError::Traces)?;
    let objects = before.map(|it| Arc::clone(&it.objects));
    let objects =
        objects.unwrap_or_else(|| Arc::new(ObjectDirectory::new(config.server.max_objects)));
    let shared_objects = store.map(|store| store.share_objects(&objects));
    Ok(Arc::new(Snapshot {
        catalog,
        gate,
        upstreams,
        fleet,
        metrics,
        tracer,
        objects,
        shared_objects,
        discovery: config.discovery,
        session_headers: config.session_headers.clone().into(),
        limits,
        client_limits: Arc::new(client_limits),
    }))
}

fn client_limits(
    config: &Config,
    ledger: Option<&Ledger>,
    store: Option<&StoreSync>,
    before: Option<&Snapshot>,
) -> LimitSet {
    let (limits, access) = (&config.limits, &config.access);
    let before = before.map(|it| &*it.client_limits);
    match store {
        Some(store) => LimitSet::with_link(limits, access, before, store.link()),
        None => LimitSet::new(limits, access, before, ledger.map(Ledger::stored_windows)),
    }
}

fn limits(server: &Server, registry: &Registry, before: Option<&Limits>) -> Limits {
    let (buffered, read_buffers, in_flight, spooled) = before.map_or_else(
        || {
            (
                SharedLimit::bytes(registry, server.max_buffered),
                SharedLimit::read_buffers(registry, read_buffer_limit(server.max_buffered)),
                SharedLimit::requests(registry, server.max_in_flight),
                SharedLimit::files(registry, server.max_spool),
            )
        },
        |it| {
            (
                Arc::clone(&it.buffered),
                Arc::clone(&it.read_buffers),
                Arc::clone(&it.in_flight),
                Arc::clone(&it.spooled),
            )
        },
    );
    Limits {
        max_body: server.max_body,
        max_upload: server.max_upload,
        body_timeout: server.body_timeout,
        body_idle_timeout: server.body_idle_timeout,
        body_min_rate: server.body_min_rate,
        keepalive_comments: server.keepalive_comments,
        tunnel_idle: server.tunnel_idle_timeout,
        server_timing: server.server_timing,
        buffered,
        max_buffered: server.max_buffered,
        read_buffers,
        in_flight,
        max_in_flight: server.max_in_flight,
        spooled,
        max_spool: server.max_spool,
        spool_dir: server.spool_dir.clone(),
        max_objects: server.max_objects,
    }
}
