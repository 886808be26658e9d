//! The built-in demo model as a provider of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::catalog::DEMO;
use crate::config::{
    Auth, Balance, BaseUrl, Config, Credential, Discover, HttpVersion, ModelConfig, PoolConfig,
    PriceList, ProviderApi, ProviderConfig, Server, StreamUsageMode, TargetConfig,
    TimeoutOverrides, Timeouts, TokenCounting,
};
use crate::secret::Secret;

/// Short: the demo model runs in this process.
const DEMO_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    tls: None,
    response_header: Duration::from_secs(30),
    first_event: None,
    idle: Duration::from_secs(30),
    total: None,
};
const DEMO_POOL: PoolConfig = PoolConfig {
    max_in_flight: None,
    acquire_timeout: Duration::from_secs(5),
    max_idle: 16,
    idle_timeout: Duration::from_secs(60),
    max_age: None,
};

/// Adds the demo model, which listens on `address` and requires `key`. It is a provider
/// like any other, so that its requests go through the same code.
pub fn add_demo_provider(
    config: &mut Config,
    address: SocketAddr,
    key: Secret,
) -> Result<(), url::ParseError> {
    let provider = ProviderConfig {
        name: DEMO.to_owned(),
        configured: true,
        base_url: BaseUrl::Set {
            url: Url::parse(&format!("http://{address}/v1"))?,
            source: "built in".to_owned(),
        },
        credentials: vec![Credential::Set {
            secret: key,
            source: "built in".to_owned(),
        }],
        auth: Auth::Bearer,
        headers: own_address(&config.server),
        // What the page that asked is called from outside.
        forward_headers: vec![ORIGIN, REFERER],
        caller_header: None,
        stream_usage: StreamUsageMode::Inject,
        api: ProviderApi::chat(),
        timeouts: DEMO_TIMEOUTS,
        pool: DEMO_POOL,
        health: None,
        discover: Discover::Never,
        ca_pem: None,
        http: HttpVersion::Http1,
        prices: PriceList::default(),
    };
    let model = ModelConfig {
        alias: DEMO.to_owned(),
        targets: vec![TargetConfig::new(DEMO, DEMO)],
        fallbacks: Vec::new(),
        context: None,
        max_output: None,
        display_name: None,
        balance: Balance::default(),
        affinity: None,
        retry: config.retry,
        timeouts: TimeoutOverrides::default(),
        system_messages: None,
        count_tokens: TokenCounting::default(),
        hedge: None,
        builtin: true,
        retirement: None,
    };
    // A provider or model of this name in the configuration has precedence.
    if !config.providers.contains_key(DEMO) && !config.models.contains_key(DEMO) {
        config.providers.insert(DEMO.to_owned(), provider);
        config.models.insert(DEMO.to_owned(), model);
    }
    Ok(())
}

/// Tells the demo model where the gateway listens, for the code that it shows.
fn own_address(server: &Server) -> HeaderMap {
    const BASE_URL: HeaderName = HeaderName::from_static("x-trunkline-base-url");
    let scheme = if server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let address = server
        .listen
        .address()
        .filter(|address| address.port() != 0);
    let value = address.and_then(|mut address| {
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        HeaderValue::try_from(format!("{scheme}://{address}/v1")).ok()
    });
    value.map(|value| (BASE_URL, value)).into_iter().collect()
}
