//! The checked configuration as shown by `/config`, without secrets: it lists every
//! field that is shown, so that a new field cannot leak by mistake.

use std::time::Duration;

use http::HeaderName;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wildmatch::WildMatch;

use super::limit_dump;
use crate::config::{
    BaseUrl, Breaker, Config, Credential, Hedge, LedgerConfig, Listen, MetricExport, ModelConfig,
    PoolConfig, ProviderConfig, Server, StoreConfig, TimeoutOverrides, Timeouts, Traces,
};

pub fn to_json(config: &Config) -> Value {
    let models: Map<String, Value> = config
        .models
        .values()
        .map(|it| (it.alias.clone(), model(config, it)))
        .collect();
    let providers: Map<String, Value> = config
        .providers
        .values()
        .map(|it| (it.name.clone(), provider(it)))
        .collect();
    json!({
        "files": files(config),
        "strict_models": config.strict_models,
        "default_provider": config.default_provider,
        "server": server(&config.server),
        "admin": {
            "listen": config.admin.listen.as_ref().map(ToString::to_string),
            "socket_mode": config.admin.listen.as_ref().and_then(socket_mode),
            "read_only": config.admin.read_only,
        },
        "reload": { "watch": config.watch },
        "cors": { "allow_origins": config.cors.allow_origins },
        "traces": config.traces.as_ref().map(traces),
        "metrics": config.metrics.as_ref().map(metrics),
        "access": {
            "open": config.access.is_open(),
            "keys": keys(config),
            "certificates": certificates(config),
        },
        "retry_budget_percent": config.retry_budget,
        "limits": limit_dump::to_json(&config.limits),
        "ledger": config.ledger.as_ref().map(ledger),
        "store": config.store.as_ref().map(store),
        "breaker": breaker(&config.breaker),
        "discovery": {
            "ttl_s": config.discovery.ttl.as_secs_f64(),
            "timeout_s": config.discovery.timeout.as_secs_f64(),
        },
        "providers": providers,
        "models": models,
        "warnings": config.warnings,
    })
}

fn ledger(ledger: &LedgerConfig) -> Value {
    json!({ "path": ledger.path, "retention_days": ledger.retention_days })
}

/// Without user and password.
fn store(store: &StoreConfig) -> Value {
    json!({
        "address": store.server.address.to_string(),
        "database": store.server.database,
        "tls": store.server.tls.is_some(),
        "prefix": store.prefix,
        "timeout_s": store.timeout.as_secs_f64(),
        "replicas": store.replicas,
    })
}

/// The files that were read, as they were named or found.
fn files(config: &Config) -> Vec<String> {
    let paths = config.files.iter().map(|file| &file.path);
    paths.map(|path| path.display().to_string()).collect()
}

fn socket_mode(listen: &Listen) -> Option<String> {
    match listen {
        Listen::Ip(_) => None,
        Listen::Unix { mode, .. } => Some(format!("{mode:04o}")),
    }
}

fn server(server: &Server) -> Value {
    json!({
        "listen": server.listen.to_string(),
        "socket_mode": socket_mode(&server.listen),
        "reuse_port": server.reuse_port,
        "tls": server.tls.as_ref().map(|tls| json!({ "client_auth": tls.client_auth })),
        "root_path": server.root_path,
        "workers": server.workers,
        "allowed_hosts": server.allowed_hosts,
        "page": server.page,
        "max_connections": server.max_connections,
        "max_in_flight": server.max_in_flight,
        "max_body": server.max_body,
        "max_upload": server.max_upload,
        "max_buffered": server.max_buffered,
        "max_spool": server.max_spool,
        "spool_dir": server.spool_dir,
        "max_objects": server.max_objects,
        "max_header_size": server.max_header_size,
        "header_timeout_s": server.header_timeout.as_secs_f64(),
        "body_timeout_s": server.body_timeout.as_secs_f64(),
        "body_idle_timeout_s": server.body_idle_timeout.as_secs_f64(),
        "body_min_rate": server.body_min_rate,
        "write_timeout_s": server.write_timeout.as_secs_f64(),
        "keepalive_comments_s": seconds(server.keepalive_comments),
        "server_timing": server.server_timing,
        "idle_timeout_s": server.idle_timeout.as_secs_f64(),
        "tunnel_idle_timeout_s": server.tunnel_idle_timeout.as_secs_f64(),
        "drain_delay_s": server.drain_delay.as_secs_f64(),
        "drain_timeout_s": server.drain_timeout.as_secs_f64(),
    })
}

/// Without headers, which carry credentials.
fn traces(traces: &Traces) -> Value {
    json!({
        "endpoint": traces.collector.endpoint.as_str(),
        "ratio": traces.ratio,
        "service_name": traces.collector.service_name,
    })
}

/// As [`traces`].
fn metrics(metrics: &MetricExport) -> Value {
    json!({
        "endpoint": metrics.collector.endpoint.as_str(),
        "service_name": metrics.collector.service_name,
        "otlp_interval_s": metrics.interval.as_secs_f64(),
    })
}

fn keys(config: &Config) -> Value {
    let keys = config.access.keys.iter().map(|it| {
        let team = it.team.as_deref();
        let rights = [it.may_name_users, it.is_operator];
        let json = grant(it.models.as_deref(), it.expires, team, rights);
        (it.name.clone(), json)
    });
    Value::Object(keys.collect())
}

fn certificates(config: &Config) -> Value {
    let certificates = config.access.certificates.iter().map(|it| {
        let team = it.team.as_deref();
        let rights = [it.may_name_users, it.is_operator];
        let json = grant(it.models.as_deref(), it.expires, team, rights);
        (it.name.clone(), json)
    });
    Value::Object(certificates.collect())
}

/// What a key or certificate allows.
fn grant(
    models: Option<&[WildMatch]>,
    expires: Option<Timestamp>,
    team: Option<&str>,
    [may_name_users, is_operator]: [bool; 2],
) -> Value {
    let names = |globs: &[WildMatch]| globs.iter().map(ToString::to_string).collect();
    json!({
        "models": models.map::<Vec<String>, _>(names),
        "expires": expires.map(|at| at.to_string()),
        "team": team,
        "may_name_users": may_name_users,
        "operator": is_operator,
    })
}

fn breaker(breaker: &Breaker) -> Value {
    json!({
        "failures": breaker.failures,
        "error_rate_percent": breaker.error_rate,
        "broken_responses": breaker.broken_responses,
        "min_requests": breaker.min_requests,
        "window_s": breaker.window.as_secs_f64(),
        "cooldown_s": breaker.cooldown.as_secs_f64(),
        "max_cooldown_s": breaker.max_cooldown.as_secs_f64(),
    })
}

fn model(config: &Config, model: &ModelConfig) -> Value {
    let targets: Vec<Value> = model
        .targets
        .iter()
        .map(|target| {
            let provider = config.providers.get(&target.provider);
            let price = provider.and_then(|it| it.prices.get(&target.upstream_model));
            json!({
                "provider": target.provider,
                "model": target.upstream_model,
                "named_by_client": target.named_by_client,
                "weight": target.weight,
                "priority": target.priority,
                "price": price.map(|price| &**price),
            })
        })
        .collect();
    json!({
        "targets": targets,
        "fallbacks": model.fallbacks,
        "context": model.context,
        "max_output": model.max_output,
        "display_name": model.display_name,
        "balance": model.balance,
        "affinity": model.affinity.as_ref().map(|affinity| json!({
            "by": affinity.by.to_string(),
            "max_load_percent": affinity.max_load,
        })),
        "retry": {
            "attempts": model.retry.attempts,
            "non_idempotent": model.retry.non_idempotent,
            "max_wait_s": model.retry.max_wait.as_secs_f64(),
        },
        "timeouts_s": timeout_overrides(&model.timeouts),
        "system_messages": model.system_messages,
        "count_tokens": model.count_tokens,
        "hedge": model.hedge.map(hedge),
    })
}

fn hedge(hedge: Hedge) -> Value {
    match hedge {
        Hedge::After(time) => json!({ "after_s": time.as_secs_f64() }),
        Hedge::Quantile {
            percent,
            floor,
            samples,
        } => json!({
            "quantile": percent,
            "floor_s": floor.as_secs_f64(),
            "samples": samples,
        }),
    }
}

fn credential(credential: &Credential) -> Value {
    let (state, from) = match credential {
        Credential::NotNeeded => ("not needed", None),
        Credential::Set { source, .. } => ("set", Some(source)),
        Credential::Missing { variable } => ("missing", Some(variable)),
    };
    json!({ "state": state, "from": from })
}

fn provider(provider: &ProviderConfig) -> Value {
    let (base_url, base_url_from) = match &provider.base_url {
        BaseUrl::Set { url, source } => (Some(url.as_str()), source),
        BaseUrl::Missing { variable } => (None, variable),
    };
    let credentials: Vec<Value> = provider.credentials.iter().map(credential).collect();
    let headers = provider.headers.keys().map(HeaderName::as_str);
    let headers: Vec<&str> = headers.collect();
    let forwarded = provider.forward_headers.iter().map(HeaderName::as_str);
    let forwarded: Vec<&str> = forwarded.collect();
    json!({
        "ready": provider.is_ready(),
        "base_url": base_url,
        "base_url_from": base_url_from,
        "credentials": credentials,
        "headers": headers,
        "forward_headers": forwarded,
        "caller_header": provider.caller_header.as_ref().map(HeaderName::as_str),
        "health": provider.health.as_ref().map(|health| json!({
            "path": health.path,
            "interval_s": health.interval.as_secs_f64(),
            "timeout_s": health.timeout.as_secs_f64(),
            "failures": health.failures,
            "successes": health.successes,
        })),
        "discover": provider.discover,
        "stream_usage": format!("{:?}", provider.stream_usage).to_lowercase(),
        "dialects": provider.api.dialects.iter().collect::<Vec<_>>(),
        "quirks": provider.api.quirks,
        "max_tokens": provider.api.max_tokens,
        "system_messages": provider.api.system_messages,
        "api_version": provider.api.api_version,
        "timeouts_s": timeouts(&provider.timeouts),
        "pool": pool(&provider.pool),
    })
}

fn pool(pool: &PoolConfig) -> Value {
    json!({
        "max_in_flight": pool.max_in_flight,
        "acquire_timeout_s": pool.acquire_timeout.as_secs_f64(),
        "max_idle": pool.max_idle,
        "idle_timeout_s": pool.idle_timeout.as_secs_f64(),
        "max_age_s": seconds(pool.max_age),
    })
}

fn timeouts(timeouts: &Timeouts) -> Value {
    json!({
        "connect": timeouts.connect.as_secs_f64(),
        "tls": seconds(timeouts.tls),
        "response_header": timeouts.response_header.as_secs_f64(),
        "first_event": seconds(timeouts.first_event),
        "idle": timeouts.idle.as_secs_f64(),
        "total": seconds(timeouts.total),
    })
}

/// The timeouts that a model overrides; "off" for no limit.
fn timeout_overrides(overrides: &TimeoutOverrides) -> Value {
    let mut set = Map::new();
    let mut add = |key: &str, limit: Option<Value>| {
        if let Some(limit) = limit {
            set.insert(key.to_owned(), limit);
        }
    };
    let or_off = |limit: Option<Duration>| seconds(limit).map_or(json!("off"), Value::from);
    add("connect", seconds(overrides.connect).map(Value::from));
    add("tls", overrides.tls.map(or_off));
    add(
        "response_header",
        seconds(overrides.response_header).map(Value::from),
    );
    add("first_event", overrides.first_event.map(or_off));
    add("idle", seconds(overrides.idle).map(Value::from));
    add("total", overrides.total.map(or_off));
    Value::Object(set)
}

fn seconds(limit: Option<Duration>) -> Option<f64> {
    limit.map(|limit| limit.as_secs_f64())
}
