//! Why the store cannot be used.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError};
use thiserror::Error;

#[derive(Debug, Clone, Error)]
pub enum StoreError {
    #[error("cannot connect to {0}: {1}")]
    Connect(String, String),
    #[error("no TLS connection to {0}: {1}")]
    Tls(String, String),
    #[error("no response within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// With its code, such as `NOAUTH`.
    #[error("the server refuses: {0}")]
    Refused(String),
    #[error("none of the sentinels names a server for the master {0}")]
    NoMaster(String),
    /// Before any response.
    #[error("the server closes the connection at once: {0}")]
    Closed(String),
    #[error("the connection was lost: {0}")]
    Lost(String),
}

/// Codes that concern the server as a whole, and not one call.
const OF_SERVER: [&str; 11] = [
    "CLUSTERDOWN",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "OOM",
    "READONLY",
    "UNKILLABLE",
];

// === impl StoreError ===

impl StoreError {
    pub(super) fn of_redis(error: &RedisError) -> Self {
        if error.is_io_error() || error.is_connection_dropped() {
            return Self::Lost(error.to_string());
        }
        if error.kind() == ErrorKind::AuthenticationFailed {
            return Self::Refused("WRONGPASS user or password is wrong".to_owned());
        }
        let code = error.code().unwrap_or_default();
        let detail = error.detail().unwrap_or_default();
        Self::Refused(one_line(code, detail).unwrap_or_else(|| error.to_string()))
    }

    /// Of a server that can be used for nothing else either.
    pub(super) fn is_of_server(error: &ServerError) -> bool {
        OF_SERVER.contains(&error.code())
    }

    /// Of a response that is in no known form.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::Lost("its response cannot be read".to_owned())
    }

    pub(super) fn of_call(error: &ServerError) -> Self {
        let detail = error.details().unwrap_or_default();
        let text = one_line(error.code(), detail);
        Self::Refused(text.unwrap_or_else(|| error.to_string()))
    }

    /// Of a connection over which there was no response yet.
    #[must_use]
    pub fn at_start(self) -> Self {
        match self {
            Self::Lost(text) => Self::Closed(text),
            other => other,
        }
    }

    /// What to look at, for the log and for `check --online`.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Connect(..) => "does it run, and does store.url lead to it?",
            Self::Tls(..) => {
                "does it speak TLS, and is the authority of its certificate in store.ca_file?"
            }
            Self::Closed(_) => {
                "does it speak TLS exactly if store.url begins with rediss://, and does it want a \
                 client certificate (store.cert_file)?"
            }
            Self::Timeout(_) => "is it overloaded, or far away?",
            Self::Lost(_) => "does it still run?",
            Self::NoMaster(_) => "is it the name of the master in the sentinels' configuration?",
            Self::Refused(text) => refusal_cure(text),
        }
    }
}

/// Redis 6 has the code of an error in a script within the text of another one.
fn refusal_cure(text: &str) -> &'static str {
    const CURES: [(&str, &str); 9] = [
        ("NOAUTH", "set the user and password in store.url"),
        ("WRONGPASS", "set the user and password in store.url"),
        ("NOPERM", "allow its user what docs/security.md lists"),
        (
            "READONLY",
            "it is a replica; name the primary, or the sentinels",
        ),
        ("OOM", "raise its maxmemory"),
        (
            "MISCONF",
            "it cannot write its data to disk; its log says why",
        ),
        ("LOADING", "it reads its data; wait"),
        ("MOVED", "it is part of a cluster, which is not supported"),
        (
            "CLUSTERDOWN",
            "it is part of a cluster, which is not supported",
        ),
    ];
    let known = CURES.iter().find(|(code, _)| text.contains(code));
    known.map_or("its log may say more", |(_, cure)| cure)
}

/// Texts of servers may have line ends and be long.
fn one_line(code: &str, detail: &str) -> Option<String> {
    const MAX: usize = 200;
    let text = format!("{code} {detail}");
    let text = text
        .trim()
        .chars()
        .map(|one| if one.is_control() { ' ' } else { one });
    let text: String = text.take(MAX).collect();
    (!text.is_empty()).then_some(text)
}
