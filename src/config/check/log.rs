//! `[log]`.

use http::HeaderName;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::raw;

/// What must not be logged.
const SECRET: [&str; 6] = [
    "api-key",
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
];

/// `session_headers`
pub fn session_headers(checker: &mut Checker<'_>, raw: &raw::Log) -> Vec<HeaderName> {
    let path = KeyPath::new(["log", "session_headers"]);
    let mut names = Vec::new();
    for (index, text) in raw.session_headers.iter().enumerate() {
        match name(text) {
            Ok(name) => names.push(name),
            Err(text) => checker.error(&path.index(index), text),
        }
    }
    names
}

fn name(text: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| "not a header name; write one such as \"x-session-id\"")?;
    if SECRET.contains(&name.as_str()) {
        return Err("carries a credential, which is never logged");
    }
    Ok(name)
}
