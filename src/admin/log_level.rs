//! `/log`: shows and changes the log level at run time.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::body::{self, json, text};
use crate::config::LogLevel;
use crate::telemetry::log::LogLevelControl;

/// In bytes.
const MAX_BODY: usize = 256;
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
    json(&LevelResponse {
        level: control.current(),
        configured: control.configured(),
    })
}

/// `PUT /log`
pub async fn change(
    control: &LogLevelControl,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let body = match body::read(request.into_body(), MAX_BODY, USAGE).await {
        Ok(body) => body,
        Err(response) => return response,
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
