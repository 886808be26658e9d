//! `/log`: shows and changes the log level at run time.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{JSON_MEDIA_TYPE, text, with_media_type};
use crate::config::LogLevel;
use crate::telemetry::log::LogLevelControl;

/// In bytes.
const MAX_BODY: usize = 256;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const USAGE: &str =
    "the body must be one of error, warn, info, debug, trace, or {\"level\": \"...\"}\n";

#[derive(Serialize)]
struct LevelResponse {
    level: LogLevel,
    configured: LogLevel,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelRequest {
    level: LogLevel,
}

/// `GET /log`
pub fn show(control: &LogLevelControl) -> Response<Full<Bytes>> {
    let levels = LevelResponse {
        level: control.current(),
        configured: control.configured(),
    };
    // Serializing strings cannot fail.
    let body = serde_json::to_vec(&levels).unwrap_or_default();
    with_media_type(StatusCode::OK, JSON_MEDIA_TYPE, body)
}

/// `PUT /log`
pub async fn change(
    control: &LogLevelControl,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = match timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, USAGE),
        Err(_) => {
            return text(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time\n",
            );
        }
    };
    let Some(level) = parse(&body) else {
        return text(StatusCode::BAD_REQUEST, USAGE);
    };
    control.set(level);
    show(control)
}

fn parse(body: &[u8]) -> Option<LogLevel> {
    if let Ok(request) = serde_json::from_slice::<LevelRequest>(body) {
        return Some(request.level);
    }
    let name = body.trim_ascii();
    let mut levels = LogLevel::ALL.into_iter();
    levels.find(|level| level.name().as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::config::LogLevel;

    #[test]
    fn a_level_is_a_name_or_an_object_with_one() {
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
