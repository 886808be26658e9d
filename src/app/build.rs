//! Builds a generation from a configuration; the running one is not affected.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rustls::ServerConfig;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{info, warn};

use super::{ControlCommand, StartError, rlimit};
use crate::admin::{AdminAccess, config_dump};
use crate::catalog::needs_demo;
use crate::config::{
    Config, LedgerConfig, Listen, LogFormat, LogLevel, MetricExport, StoreConfig, Tls,
};
use crate::executor::on_scratch_thread;
use crate::ledger::Ledger;
use crate::proxy::Snapshot;
use crate::routes::context::HttpContext;
use crate::routes::host::HostCheck;
use crate::routes::page::Page;
use crate::secret::Secret;
use crate::server::{ServerGeneration, tls};
use crate::snapshot;
use crate::store_sync::StoreSync;
use crate::telemetry::metric::Registry;

/// One generation of the configuration, ready to be served.
#[derive(Debug)]
pub struct Generation {
    pub snapshot: Arc<Snapshot>,
    /// One for each worker.
    pub http_contexts: Vec<HttpContext>,
    pub settings: ProcessSettings,
    pub ledger: Option<Arc<Ledger>>,
    pub store: Option<Arc<StoreSync>>,
    /// The response body of `GET /config`.
    pub config_dump: Bytes,
    pub admin_access: AdminAccess,
}

/// Settings of the process, as opposed to those of its requests.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    pub listen: Listen,
    pub admin: Option<Listen>,
    pub is_tls: bool,
    pub reuse_port: bool,
    pub max_connections: usize,
    pub drain_delay: Duration,
    pub drain_timeout: Duration,
    pub write_timeout: Duration,
    /// Reload when files change.
    pub watch: bool,
    pub workers: usize,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
    /// None when metrics are not exported.
    pub metrics: Option<MetricExport>,
    /// None when usage is not recorded.
    pub ledger: Option<LedgerConfig>,
    /// None while limits hold for this process alone.
    pub store: Option<StoreConfig>,
    /// What runs this process, if it usually runs several replicas.
    pub orchestrator: Option<&'static str>,
}

#[derive(Debug)]
pub struct GenerationBuilder {
    registry: Registry,
    commands: UnboundedSender<ControlCommand>,
    /// Number of worker threads, fixed at the start.
    workers: Option<usize>,
    /// Address and key of the demo model, once started.
    demo: Option<(SocketAddr, Secret)>,
    /// Of the first generation, for all.
    ledger: Option<Arc<Ledger>>,
    /// Of the last generation.
    store: Option<Arc<StoreSync>>,
    /// TLS settings of the last generation.
    tls: Option<(Tls, Arc<ServerConfig>)>,
}

impl GenerationBuilder {
    pub fn new(registry: Registry, commands: UnboundedSender<ControlCommand>) -> Self {
        Self {
            registry,
            commands,
            workers: None,
            demo: None,
            ledger: None,
            store: None,
            tls: None,
        }
    }

    /// Builds the generation after `before`.
    pub fn build(
        &mut self,
        mut config: Config,
        before: Option<&Snapshot>,
    ) -> Result<Generation, StartError> {
        info!(files = %config.files, "configuration read");
        for warning in &config.warnings {
            warn!(warning = warning.as_str(), "configuration warning");
        }
        for model in config.models.values() {
            if let Some(note) = model.retirement_note()
                && model.is_ready(&config.models, &config.providers)
            {
                info!(
                    note,
                    "built-in alias of a model that is shut down, or will be"
                );
            }
        }
        if needs_demo(&config) {
            self.add_demo_provider(&mut config)?;
        }
        if before.is_none() {
            self.start_ledger(config.ledger.as_ref(), config.store.is_some())?;
        }
        let (ledger, store) = (self.ledger.clone(), self.next_store(config.store.as_ref())?);
        let ledger = ledger.as_deref();
        let snapshot = snapshot::build(&config, &self.registry, ledger, store.as_deref(), before)?;
        self.store.clone_from(&store);
        let workers = *self.workers.get_or_insert(config.server.workers);
        let page = config.server.page.then(Page::load);
        // Shared by all workers, so that any of them can resume a session.
        let tls = config.server.tls.as_ref();
        let tls = tls.map(|tls| self.tls(tls)).transpose()?;
        let context = |_| HttpContext::new(&config, &self.registry, ledger, page, tls.clone());
        Ok(Generation {
            snapshot,
            http_contexts: (0..workers).map(context).collect(),
            settings: ProcessSettings::from_config(&config),
            ledger: self.ledger.clone(),
            store,
            admin_access: AdminAccess {
                hosts: HostCheck::for_admin(
                    config.admin.listen.as_ref(),
                    &config.server.allowed_hosts,
                ),
                read_only: config.admin.read_only,
            },
            config_dump: on_scratch_thread(|| config_dump::to_json(&config).to_string()).into(),
        })
    }

    /// Before the limits are built, which go on from what was used before.
    fn start_ledger(
        &mut self,
        config: Option<&LedgerConfig>,
        is_shared: bool,
    ) -> Result<(), StartError> {
        let ledger = config.map(|config| Ledger::start(config, is_shared, &self.registry));
        self.ledger = ledger.transpose()?.map(Arc::new);
        Ok(())
    }

    /// The store of the last generation, if this one has the same.
    fn next_store(
        &self,
        config: Option<&StoreConfig>,
    ) -> Result<Option<Arc<StoreSync>>, StartError> {
        let Some(config) = config else {
            return Ok(None);
        };
        let same = self.store.as_ref().filter(|it| it.has_same_data(config));
        if let Some(store) = same {
            return Ok(Some(Arc::clone(store)));
        }
        let stored = self.ledger.as_deref().map(Ledger::stored_windows);
        let store = StoreSync::start(config, stored, &self.registry);
        Ok(Some(store?))
    }

    /// Reuses the last TLS configuration if nothing changed, so that sessions can
    /// still be resumed.
    fn tls(&mut self, tls: &Tls) -> Result<Arc<ServerConfig>, StartError> {
        if let Some((last, config)) = &self.tls
            && last.is_same(tls)
        {
            return Ok(Arc::clone(config));
        }
        let config = tls::server_config(tls)?;
        self.tls = Some((tls.clone(), Arc::clone(&config)));
        Ok(config)
    }

    /// The demo model is started once and keeps its address.
    fn add_demo_provider(&mut self, config: &mut Config) -> Result<(), StartError> {
        if self.demo.is_none() {
            self.demo = Some(self.start_demo()?);
        }
        let Some((address, key)) = self.demo.clone() else {
            return Ok(());
        };
        snapshot::add_demo_provider(config, address, key)
            .map_err(|error| StartError::Demo(error.to_string()))
    }

    fn start_demo(&self) -> Result<(SocketAddr, Secret), StartError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| StartError::Demo(error.to_string()))?;
        let key = Secret::new(URL_SAFE_NO_PAD.encode(random));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // The control thread, which receives, outlives this.
        let _ = self
            .commands
            .send(ControlCommand::ServeDemo(listener, key.clone()));
        Ok((address, key))
    }
}

// === impl Generation ===

impl Generation {
    /// The part that the workers serve from.
    pub fn into_server(self) -> ServerGeneration {
        ServerGeneration {
            max_connections: rlimit::clamp_connections(
                self.settings.max_connections,
                self.snapshot.limits.max_in_flight,
            ),
            write_timeout: self.settings.write_timeout,
            contexts: self.http_contexts,
            snapshot: self.snapshot,
        }
    }
}

// === impl ProcessSettings ===

impl ProcessSettings {
    fn from_config(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            admin: config.admin.listen.clone(),
            is_tls: config.server.tls.is_some(),
            reuse_port: config.server.reuse_port,
            max_connections: config.server.max_connections,
            drain_delay: config.server.drain_delay,
            drain_timeout: config.server.drain_timeout,
            write_timeout: config.server.write_timeout,
            watch: config.watch,
            workers: config.server.workers,
            log_level: config.log.level,
            log_format: config.log.format,
            metrics: config.metrics.clone(),
            ledger: config.ledger.clone(),
            store: config.store.clone(),
            orchestrator: config.orchestrator,
        }
    }

    /// The keys that differ in `next` but take effect only at a restart.
    pub fn restart_required(&self, next: &Self) -> Vec<&'static str> {
        let keys = [
            ("server.workers", self.workers != next.workers),
            ("server.reuse_port", self.reuse_port != next.reuse_port),
            ("log.format", self.log_format != next.log_format),
            ("ledger.path", self.ledger_path() != next.ledger_path()),
        ];
        let changed = keys.into_iter().filter(|(_, differs)| *differs);
        changed.map(|(key, _)| key).collect()
    }

    fn ledger_path(&self) -> Option<&Path> {
        self.ledger.as_ref().map(|ledger| &*ledger.path)
    }
}
