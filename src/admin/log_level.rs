//! `/log`: the least severity of the lines that are written.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{JSON_TYPE, text, typed};
use crate::config::LogLevel;
use crate::telemetry::log::Level;

/// Most bytes that say a level.
const LONGEST: usize = 256;
/// Longest wait for them.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const NO_LEVEL: &str =
    "the body is one of error, warn, info, debug, trace, or {\"level\": one of them}\n";

#[derive(Serialize)]
struct Shown {
    level: LogLevel,
    configured: LogLevel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    level: LogLevel,
}

/// `GET /log`
pub fn show(level: &Level) -> Response<Full<Bytes>> {
    let shown = Shown {
        level: level.now(),
        configured: level.configured(),
    };
    // Words cannot fail to serialise.
    let body = serde_json::to_vec(&shown).unwrap_or_default();
    typed(StatusCode::OK, JSON_TYPE, body)
}

/// `PUT /log`
pub async fn change(level: &Level, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let body = match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, NO_LEVEL),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
    };
    let Some(wanted) = parse(&body) else {
        return text(StatusCode::BAD_REQUEST, NO_LEVEL);
    };
    level.set(wanted);
    show(level)
}

fn parse(body: &[u8]) -> Option<LogLevel> {
    if let Ok(wanted) = serde_json::from_slice::<Wanted>(body) {
        return Some(wanted.level);
    }
    let word = body.trim_ascii();
    let mut levels = LogLevel::ALL.into_iter();
    levels.find(|level| level.name().as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::config::LogLevel;

    #[test]
    fn a_level_is_a_word_or_an_object_with_one() {
        for level in LogLevel::ALL {
            let name = level.name();
            for body in [
                name.to_owned(),
                format!("  {name}\n"),
                format!("{{\"level\":\"{name}\"}}"),
            ] {
                assert_eq!(parse(body.as_bytes()), Some(level), "{body}");
            }
        }
        for body in [
            "",
            "DEBUG",
            "debug info",
            "off",
            "\"debug\"",
            "{}",
            "{\"level\":\"loud\"}",
            "{\"level\":2}",
            "{\"level\":\"info\",\"level\":\"info\"}",
            "{\"level\":\"info\",\"for\":\"1h\"}",
            "level=debug",
            "\u{0}",
        ] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
        }
    }
}
