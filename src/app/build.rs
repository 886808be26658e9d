//! From a configuration to all that a generation needs, ready to be taken into
//! service. Nothing here touches what is being served.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rustls::ServerConfig;
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use super::{Order, StartError};
use crate::admin::config_dump;
use crate::catalog::wants_demo;
use crate::config::{Config, Listen, LogFormat, LogLevel, Tls};
use crate::executor::apart;
use crate::proxy::Snapshot;
use crate::routes::context::Site;
use crate::routes::host::Hosts;
use crate::routes::page::Page;
use crate::secret::Secret;
use crate::server::{ServerGeneration, tls};
use crate::snapshot;
use crate::telemetry::metric::Registry;

/// A generation that can be taken into service.
#[derive(Debug)]
pub struct Prepared {
    pub snapshot: Arc<Snapshot>,
    /// One for each worker.
    pub contexts: Vec<Site>,
    pub settings: Settings,
    /// The configuration in JSON, without secrets.
    pub shown: Bytes,
    /// The names that the operators' listener answers under.
    pub admin_hosts: Hosts,
}

/// What the process as a whole goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: Listen,
    pub admin: Option<Listen>,
    pub reuse_port: bool,
    pub max_connections: usize,
    pub drain_delay: Duration,
    pub drain_timeout: Duration,
    pub write_timeout: Duration,
    /// Whether changed files are obeyed by themselves.
    pub watch: bool,
    pub workers: usize,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
}

/// Prepares one generation after the other.
#[derive(Debug)]
pub struct Preparer {
    registry: Registry,
    orders: UnboundedSender<Order>,
    /// Worker threads there are, once they have been started.
    workers: Option<usize>,
    /// Where the demo model is, once it was wanted, and its key.
    demo: Option<(SocketAddr, Secret)>,
    /// How TLS was spoken last.
    tls: Option<(Tls, Arc<ServerConfig>)>,
}

impl Preparer {
    pub fn new(registry: Registry, orders: UnboundedSender<Order>) -> Self {
        Self {
            registry,
            orders,
            workers: None,
            demo: None,
            tls: None,
        }
    }

    /// Builds the generation after `before`.
    pub fn prepare(
        &mut self,
        mut config: Config,
        before: Option<&Snapshot>,
    ) -> Result<Prepared, StartError> {
        for warning in &config.warnings {
            warn!(warning = warning.as_str(), "config");
        }
        if wants_demo(&config) {
            self.offer_demo(&mut config)?;
        }
        let snapshot = snapshot::build(&config, &self.registry, before)?;
        let workers = *self.workers.get_or_insert(config.server.workers);
        let page = config.server.page.then(Page::load);
        // One for all workers, so that a session is resumed at any of them.
        let tls = config.server.tls.as_ref();
        let tls = tls.map(|tls| self.tls(tls)).transpose()?;
        let site = |_| Site::new(&config, &self.registry, page, tls.clone());
        Ok(Prepared {
            snapshot,
            contexts: (0..workers).map(site).collect(),
            settings: Settings::of(&config),
            admin_hosts: Hosts::of_admin(
                config.admin.listen.as_ref(),
                &config.server.allowed_hosts,
            ),
            shown: apart(|| config_dump::config(&config).to_string()).into(),
        })
    }

    /// Sessions can be resumed as long as nothing about TLS changes.
    fn tls(&mut self, tls: &Tls) -> Result<Arc<ServerConfig>, StartError> {
        if let Some((last, settings)) = &self.tls
            && last.is_same(tls)
        {
            return Ok(Arc::clone(settings));
        }
        let settings = tls::settings(tls)?;
        self.tls = Some((tls.clone(), Arc::clone(&settings)));
        Ok(settings)
    }

    /// The demo model stays where it is from the first time that it is wanted.
    fn offer_demo(&mut self, config: &mut Config) -> Result<(), StartError> {
        if self.demo.is_none() {
            self.demo = Some(self.host_demo()?);
        }
        let Some((address, key)) = self.demo.clone() else {
            return Ok(());
        };
        snapshot::offer_demo(config, address, key)
            .map_err(|error| StartError::Demo(error.to_string()))
    }

    fn host_demo(&self) -> Result<(SocketAddr, Secret), StartError> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| StartError::Demo(error.to_string()))?;
        let key = Secret::new(URL_SAFE_NO_PAD.encode(random));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Whoever takes orders outlives this.
        let _ = self.orders.send(Order::HostDemo(listener, key.clone()));
        Ok((address, key))
    }
}

impl Prepared {
    /// The part that the workers serve from.
    pub fn into_server(self) -> ServerGeneration {
        ServerGeneration {
            snapshot: self.snapshot,
            contexts: self.contexts,
            max_connections: self.settings.max_connections,
            write_timeout: self.settings.write_timeout,
        }
    }
}

impl Settings {
    fn of(config: &Config) -> Self {
        Self {
            listen: config.server.listen.clone(),
            admin: config.admin.listen.clone(),
            reuse_port: config.server.reuse_port,
            max_connections: config.server.max_connections,
            drain_delay: config.server.drain_delay,
            drain_timeout: config.server.drain_timeout,
            write_timeout: config.server.write_timeout,
            watch: config.watch,
            workers: config.server.workers,
            log_level: config.log.level,
            log_format: config.log.format,
        }
    }

    /// The keys that differ in `next` and have an effect only at a start.
    pub fn bound(&self, next: &Self) -> Vec<&'static str> {
        let keys = [
            ("server.workers", self.workers != next.workers),
            ("server.reuse_port", self.reuse_port != next.reuse_port),
            ("log.format", self.log_format != next.log_format),
        ];
        let differ = keys.into_iter().filter(|(_, differs)| *differs);
        differ.map(|(key, _)| key).collect()
    }
}
