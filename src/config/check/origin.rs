//! `[cors]`.

use url::Url;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{CorsConfig, raw};

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Cors) -> CorsConfig {
    let path = KeyPath::new(["cors", "allow_origins"]);
    let mut allow_origins = Vec::with_capacity(raw.allow_origins.len());
    for (index, text) in raw.allow_origins.iter().enumerate() {
        match origin(text) {
            Ok(origin) if allow_origins.contains(&origin) => {}
            Ok(origin) => allow_origins.push(origin),
            Err(error) => checker.error(&path.index(index), error),
        }
    }
    CorsConfig { allow_origins }
}

/// An origin, as browsers send it (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<String, String> {
    let cure = "write it as a browser sends it, such as \"https://chat.example.com\"";
    if text.contains('*') {
        return Err(format!("an origin must be exact; {cure}, without \"*\""));
    }
    // As copied from a browser's address bar.
    let text = text.strip_suffix('/').unwrap_or(text);
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(format!("not an origin; {cure}"));
    };
    if rest.is_empty() || rest.contains(['/', '?', '#', '@', '\\']) {
        return Err(format!(
            "an origin has a scheme, a host and at most a port; {cure}"
        ));
    }
    let url = Url::parse(text).map_err(|_| format!("not an origin; {cure}"))?;
    if matches!(url.scheme(), "http" | "https") {
        return Ok(url.origin().ascii_serialization());
    }
    // Desktop shells and browser extensions use their own schemes, unmodified.
    let visible = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if visible {
        Ok(format!("{}://{rest}", scheme.to_ascii_lowercase()))
    } else {
        Err(format!("not an origin; {cure}"))
    }
}
