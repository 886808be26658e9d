//! The log lines of a start: where the gateway listens, and what it can do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tracing::info;

use super::build::Generation;
use crate::catalog::DEMO;
use crate::config::Listen;

pub struct StartupSummary {
    models: String,
    /// Rules of `[limits]`.
    limits: String,
    /// Over which limits hold, if it is not this process alone.
    store: Option<String>,
    orchestrator: Option<&'static str>,
    open: bool,
    is_tls: bool,
    max_connections: usize,
}

impl StartupSummary {
    pub fn from_generation(first: &Generation) -> Self {
        // With the patterns, which name no model but lead to some.
        let models = first.snapshot.catalog.models().into_iter();
        let ready = models.filter(|model| model.is_ready());
        let models: Vec<&str> = ready.map(|model| &*model.label).collect();
        let limits = first.snapshot.client_limits.rule_names();
        let limits: Vec<&str> = limits.collect();
        Self {
            models: models.join(","),
            limits: limits.join(","),
            store: first
                .settings
                .store
                .as_ref()
                .map(|it| it.server.address.to_string()),
            orchestrator: first.settings.orchestrator,
            open: first.snapshot.gate.is_open(),
            is_tls: first.settings.is_tls,
            max_connections: first.settings.max_connections,
        }
    }

    pub fn log(&self, listen: &Listen, admin: Option<&Listen>) {
        let url = listen.address().map(|address| self.url(address));
        let admin = admin.map_or_else(|| "off".to_owned(), ToString::to_string);
        info!(
            %listen,
            %admin,
            url = url.map(tracing::field::display),
            models = self.models,
            limits = Some(&*self.limits).filter(|limits| !limits.is_empty()),
            store = self.store,
            open = self.open,
            max_connections = self.max_connections,
            version = env!("CARGO_PKG_VERSION"),
            "listening"
        );
        if let Some(orchestrator) = self.orchestrator
            && self.store.is_none()
            && !self.limits.is_empty()
        {
            info!(
                orchestrator,
                cure = "let them share a [store], or run one",
                "limits hold for this process: of several replicas, each allows all of them"
            );
        }
        if self.models == DEMO {
            info!(
                cure = "set the key of a provider, such as OPENAI_API_KEY",
                "only the built-in model demo is ready"
            );
        }
    }

    /// For a browser on this machine.
    fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let address = SocketAddr::new(ip, address.port());
        format!("{scheme}://{address}/")
    }
}

#[cfg(test)]
mod tests {
    use super::StartupSummary;

    #[test]
    fn the_url_can_be_opened_on_this_machine() {
        let mut summary = StartupSummary {
            models: String::new(),
            limits: String::new(),
            store: None,
            orchestrator: None,
            open: true,
            is_tls: false,
            max_connections: 1,
        };
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("0.0.0.0:80", "http://127.0.0.1:80/"),
            ("[::]:8080", "http://[::1]:8080/"),
            ("10.1.2.3:8080", "http://10.1.2.3:8080/"),
        ] {
            assert_eq!(summary.url(listen.parse().unwrap()), url);
        }
        summary.is_tls = true;
        let url = summary.url("10.1.2.3:8443".parse().unwrap());
        assert_eq!(url, "https://10.1.2.3:8443/");
    }
}
