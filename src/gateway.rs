//! From a configuration to one snapshot that requests are served from.

use std::sync::Arc;

use crate::access::Gate;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::metering::Meters;
use crate::proxy::limits::Allowance;
use crate::proxy::{Limits, Snapshot};
use crate::telemetry::metric::Registry;
use crate::upstream::{BuildError, Builder};

/// Builds the snapshot of a checked configuration.
pub fn build(config: &Config, registry: &Registry) -> Result<Arc<Snapshot>, BuildError> {
    let catalog = Catalog::new(config);
    let builder = Builder::new(registry.clone());
    // The catalog numbers providers in the order of this map.
    let upstreams = config
        .providers
        .values()
        .map(|provider| builder.build(provider))
        .collect::<Result<_, _>>()?;
    let server = &config.server;
    let limits = Limits {
        max_body: server.max_body,
        body_timeout: server.body_timeout,
        buffered: Allowance::bytes(registry, server.max_buffered),
        in_flight: Allowance::requests(registry, server.max_in_flight),
    };
    let meters = Meters::new(registry, &catalog, config.log.access);
    let gate = Gate::new(&config.access);
    Ok(Arc::new(Snapshot {
        catalog,
        gate,
        upstreams,
        meters,
        limits,
    }))
}
