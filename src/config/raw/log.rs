//! `[log]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{LogFormat, LogLevel};

/// Claude Code's, Codex's, and that of `OpenCode` and others.
const SESSION_HEADERS: [&str; 4] = [
    "x-claude-code-session-id",
    "session-id",
    "thread-id",
    "x-session-id",
];

/// `[log]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    /// Minimum severity; `PUT /log` on the admin listener changes it at run time.
    pub level: LogLevel,
    /// Format of log lines.
    pub format: LogFormat,
    /// Log one line per request, at its end.
    pub access: bool,
    /// Headers in which clients name the session that a request belongs to; the first one that is there is logged as `session`. None are read if the list is empty.
    pub session_headers: Vec<String>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            access: true,
            session_headers: SESSION_HEADERS.map(str::to_owned).into(),
        }
    }
}
