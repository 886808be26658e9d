//! `[traces]`

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::Check;
use super::base_url::{exposes, parse};
use super::credential::variable_name;
use super::headers::RESERVED;
use super::provider;
use crate::config::error::{KeyPath, Place};
use crate::config::{Traces, raw};

/// Where a collector takes traces below its base (OTLP specification,
/// "OTLP/HTTP Request").
const PATH: &str = "/v1/traces";

/// Checks where spans are sent, if anywhere.
pub fn settle(check: &mut Check<'_>, raw: &raw::Traces) -> Option<Traces> {
    let endpoint = endpoint(check, raw);
    let share = check.settle(&at("ratio"), share(&raw.ratio), 0.0);
    let headers = headers(check, raw);
    let authorities = provider::certificates(check, &at("ca_file"), raw.ca_file.as_deref());
    let endpoint = endpoint?;
    if exposes(&endpoint) && !headers.is_empty() {
        let text = "traces.endpoint is http:// to a public host, where everyone on the way can read traces.headers; write https://";
        check.warnings.push(text.into());
    }
    let named = check.environment.get("OTEL_SERVICE_NAME");
    let name = raw.service_name.as_deref().or(named);
    Some(Traces {
        endpoint,
        ratio: share,
        service_name: name.unwrap_or("trunkline").to_owned(),
        authorities: authorities.map_or_else(Vec::new, |(_, certificates)| certificates),
        headers,
    })
}

fn at(key: &str) -> KeyPath {
    KeyPath::new(["traces", key])
}

/// The value of the variable that `key` names, and where that stands.
fn variable<'a>(check: &mut Check<'a>, key: &str, name: Option<&str>) -> Option<(&'a str, Place)> {
    let name = name?;
    if let Err(text) = variable_name(name) {
        check.fault(&at(key), text);
        return None;
    }
    let environment = check.environment;
    Some((environment.get(name)?, environment.place(name)))
}

fn endpoint(check: &mut Check<'_>, raw: &raw::Traces) -> Option<Url> {
    let set = variable(check, "endpoint_env", raw.endpoint_env.as_deref());
    let path = at("endpoint");
    let (text, place) = set.unwrap_or_else(|| (&raw.endpoint, check.layers.place(&path)));
    if matches!(text, "" | "off") {
        return None;
    }
    match parse(text) {
        Ok(mut url) => {
            let base = url.path().trim_end_matches('/').to_owned();
            let base = base.strip_suffix(PATH).unwrap_or(&base);
            url.set_path(&format!("{base}{PATH}"));
            Some(url)
        }
        Err(text) => {
            // The cures are written for providers.
            let text = text
                .replace("https://api.example.com/v1", "http://127.0.0.1:4318")
                .replace("api_key_env", "headers_env");
            check.faults.push(place, path, text);
            None
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    let share = number.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from \"0\" to \"1\", such as \"0.01\"".into())
}

fn headers(check: &mut Check<'_>, raw: &raw::Traces) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &raw.headers {
        if let Err(text) = add(&mut headers, name, value) {
            check.fault(&at("headers").key(name), text);
        }
    }
    let set = variable(check, "headers_env", raw.headers_env.as_deref());
    if let Some((text, place)) = set
        && let Err(text) = add_all(&mut headers, text)
    {
        check.faults.push(place, at("headers_env"), text);
    }
    headers
}

/// `name=value,name=value`, as OpenTelemetry's exporters write headers in a
/// variable (OTLP exporter specification, "Specifying headers via environment
/// variables").
fn add_all(headers: &mut HeaderMap, text: &str) -> Result<(), String> {
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let pair = pair.split_once('=');
        let (name, value) = pair.ok_or("not of the form name=value,name=value")?;
        let value = percent_decode_str(value.trim()).decode_utf8();
        let value = value.map_err(|_| "a value in it is no text")?;
        add(headers, name.trim(), &value)?;
    }
    Ok(())
}

/// The messages do not quote the value, nor a name that may be one.
fn add(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "not the name of a header")?;
    if RESERVED.contains(&name.as_str()) {
        return Err("set by Trunkline for each export; remove it".into());
    }
    let value = HeaderValue::from_str(value);
    let mut value = value.map_err(|_| "its value holds a character that no header can carry")?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
