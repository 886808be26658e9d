//! How the demo model gets into the configuration: as a provider among others.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use url::Url;

use crate::catalog::DEMO;
use crate::config::{
    Auth, BaseUrl, Config, Credential, HttpVersion, Model, Pool, Provider, StreamUsage, Timeouts,
};
use crate::secret::Secret;

/// What the resolved configuration gives as the origin of address and key.
const SOURCE: &str = "built in";

/// A key for this process: other programs on the machine can reach the port,
/// but only the gateway can use it.
pub(in crate::server) fn key() -> io::Result<Secret> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(random)))
}

/// Adds the demo model, which listens at `at`, to what may be called. A
/// provider or model that the operator gave its name stays.
pub(in crate::server) fn offer(config: &mut Config, at: SocketAddr, key: Secret) -> io::Result<()> {
    if config.providers.contains_key(DEMO) || config.models.contains_key(DEMO) {
        return Ok(());
    }
    let url = Url::parse(&format!("http://{at}/v1")).map_err(io::Error::other)?;
    config.providers.insert(DEMO.to_owned(), provider(url, key));
    let model = Model {
        alias: DEMO.to_owned(),
        provider: DEMO.to_owned(),
        upstream_model: DEMO.to_owned(),
        builtin: true,
    };
    config.models.insert(DEMO.to_owned(), model);
    Ok(())
}

fn provider(url: Url, key: Secret) -> Provider {
    let source = SOURCE.to_owned();
    Provider {
        name: DEMO.to_owned(),
        named: true,
        base_url: BaseUrl::Set {
            url,
            source: source.clone(),
        },
        credential: Credential::Set {
            secret: key,
            source,
        },
        auth: Auth::Bearer,
        headers: HeaderMap::new(),
        stream_usage: StreamUsage::Inject,
        timeouts: Timeouts {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(30),
            gap: Duration::from_secs(30),
            total: None,
        },
        pool: Pool {
            max_in_flight: None,
            wait: Duration::ZERO,
            max_idle: 16,
            idle_timeout: Duration::from_secs(20),
        },
        ca_pem: None,
        http: HttpVersion::Http1,
    }
}
