//! `[log]` as written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{LogFormat, LogLevel};

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
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Text,
            access: true,
        }
    }
}
