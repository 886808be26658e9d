//! `[traces]`.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::Checker;
use super::base_url::{is_public_cleartext, parse};
use super::credential::variable_name;
use super::headers::RESERVED;
use super::provider;
use crate::config::error::{KeyPath, Location};
use crate::config::{Collector, Traces, raw};

/// Paths below a collector's base URL (OTLP specification, "OTLP/HTTP Request").
const TRACES: &str = "/v1/traces";
const METRICS: &str = "/v1/metrics";
/// For an endpoint that is not a URL.
const FALLBACK: &str = "http://127.0.0.1:4318/v1/traces";

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Traces) -> Option<Traces> {
    let endpoint = endpoint(checker, raw);
    let share = checker.or_fallback(&key_path("ratio"), parse_ratio(&raw.ratio), 0.0);
    let headers = headers(checker, raw);
    let authorities = provider::read_ca_file(checker, &key_path("ca_file"), raw.ca_file.as_deref());
    let endpoint = endpoint?;
    if is_public_cleartext(&endpoint) && !headers.is_empty() {
        let text = "traces.endpoint is http:// to a public host, where the network can read traces.headers; write https://";
        checker.warnings.push(text.into());
    }
    let named = checker.environment.get("OTEL_SERVICE_NAME");
    let name = raw.service_name.as_deref().or(named);
    Some(Traces {
        collector: Collector {
            endpoint,
            service_name: name.unwrap_or("trunkline").to_owned(),
            authorities: authorities.map_or_else(Vec::new, |(_, certificates)| certificates),
            headers,
        },
        ratio: share,
    })
}

/// The URL for metrics at the collector with this URL for traces.
pub fn metrics_endpoint(traces: &Url) -> Url {
    let mut url = traces.clone();
    let base = url.path().strip_suffix(TRACES).unwrap_or_default();
    url.set_path(&format!("{base}{METRICS}"));
    url
}

fn key_path(key: &str) -> KeyPath {
    KeyPath::new(["traces", key])
}

/// The value of the variable that `key` names, and its location.
fn variable<'a>(
    checker: &mut Checker<'a>,
    key: &str,
    name: Option<&str>,
) -> Option<(&'a str, Location)> {
    let name = name?;
    if let Err(text) = variable_name(name) {
        checker.error(&key_path(key), text);
        return None;
    }
    let environment = checker.environment;
    Some((environment.get(name)?, environment.location(name)))
}

fn endpoint(checker: &mut Checker<'_>, raw: &raw::Traces) -> Option<Url> {
    let set = variable(checker, "endpoint_env", raw.endpoint_env.as_deref());
    let path = key_path("endpoint");
    let (text, location) = set.unwrap_or_else(|| (&raw.endpoint, checker.layers.location(&path)));
    if matches!(text, "" | "off") {
        return None;
    }
    match parse(text) {
        Ok(mut url) => {
            let base = url.path().trim_end_matches('/').to_owned();
            let base = base.strip_suffix(TRACES).unwrap_or(&base);
            url.set_path(&format!("{base}{TRACES}"));
            Some(url)
        }
        Err(text) => {
            // The cures are worded for providers.
            let text = text
                .replace("https://api.example.com/v1", "http://127.0.0.1:4318")
                .replace("api_key_env", "headers_env");
            checker.errors.push(location, path, text);
            Url::parse(FALLBACK).ok()
        }
    }
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let share = number.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from \"0\" to \"1\", such as \"0.01\"".into())
}

fn headers(checker: &mut Checker<'_>, raw: &raw::Traces) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &raw.headers {
        if let Err(text) = add_header(&mut headers, name, value) {
            checker.error(&key_path("headers").key(name), text);
        }
    }
    let set = variable(checker, "headers_env", raw.headers_env.as_deref());
    if let Some((text, location)) = set
        && let Err(text) = add_headers(&mut headers, text)
    {
        checker.errors.push(location, key_path("headers_env"), text);
    }
    headers
}

/// `name=value,name=value`, as OpenTelemetry exporters write headers in a
/// variable (OTLP exporter specification, "Specifying headers via environment
/// variables").
fn add_headers(headers: &mut HeaderMap, text: &str) -> Result<(), String> {
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let pair = pair.split_once('=');
        let (name, value) = pair.ok_or("not of the form name=value,name=value")?;
        let value = percent_decode_str(value.trim()).decode_utf8();
        let value = value.map_err(|_| "contains a value that is not UTF-8")?;
        add_header(headers, name.trim(), &value)?;
    }
    Ok(())
}

/// Errors quote neither the value nor the name, which may be a value.
fn add_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not a header name")?;
    if RESERVED.contains(&name.as_str()) {
        return Err("set by Trunkline for each export; remove it".into());
    }
    let value = HeaderValue::from_str(value);
    let mut value =
        value.map_err(|_| "its value contains a character that is invalid in a header")?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
